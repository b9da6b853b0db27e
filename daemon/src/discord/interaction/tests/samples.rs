//! Every operation with every argument, as Discord would send it.

use super::*;

/// One of each with every argument set, as arguments on the wire. A new operation has to stand here.
fn samples() -> Vec<Request> {
    let user = "123456789012345678";
    let all = [
        (
            "ban",
            json!({"user": user, "reason": "it's -- \"bad\"", "delete_days": 7, "for": "7d", "evidence": "https://x.org/1"}),
        ),
        ("unban", json!({"user": user, "reason": "-x"})),
        ("kick", json!({"user": user, "reason": "x", "evidence": "https://x.org/1"})),
        ("mute", json!({"user": user, "for": "1h", "reason": "x", "evidence": "https://x.org/1"})),
        ("unmute", json!({"user": user, "reason": "x"})),
        ("timeout", json!({"user": user, "for": "40d", "reason": "x", "evidence": "https://x.org/1"})),
        ("untimeout", json!({"user": user, "reason": "x"})),
        ("warn", json!({"user": user, "reason": "x", "evidence": "https://x.org/1"})),
        ("punishment list", json!({"user": user, "limit": 10, "cursor": "77"})),
        ("punishment show", json!({"id": "42"})),
        ("protect add", json!({"user": user, "role": user, "note": "x"})),
        ("protect remove", json!({"user": user, "role": user})),
        ("protect list", json!({"limit": 10, "cursor": "77"})),
        (
            "sync exception add",
            json!({"user": user, "measure": "mute", "until": "7d", "reason": "x", "lift": true}),
        ),
        ("sync exception remove", json!({"user": user, "measure": "timeout"})),
        ("sync exception list", json!({"user": user, "limit": 10, "cursor": "77"})),
        ("punishment amend", json!({"id": "42", "reason": "-x"})),
        (
            "punishment revert",
            json!({"punishments": ["42", "43"], "moderator": user, "since": "2h", "reason": "x"}),
        ),
        ("setup main-guild", json!({})),
        ("setup add-child", json!({"child": user, "mode": "monitor", "actions": "ban", "no_backfill": true})),
        ("setup remove-child", json!({"child": user, "keep": true, "undo": true, "force": true})),
        ("setup unset-main", json!({})),
        ("setup accept", json!({"main": user, "no_backfill": true})),
        ("setup decline", json!({"main": user})),
        ("setup leave", json!({"main": user, "keep": true, "undo": true, "force": true})),
        ("setup mode", json!({"child": user, "mode": "monitor", "no_backfill": true})),
        ("setup actions", json!({"child": user, "actions": "none", "no_backfill": true})),
        ("setup security-level", json!({"level": "high"})),
        ("setup lock", json!({})),
        ("setup unlock", json!({})),
        ("setup test-connection", json!({"child": user})),
        ("setup doctor", json!({"child": user})),
        ("setup dashboard", json!({})),
        ("sync status", json!({})),
        (
            "sync deliveries",
            json!({"state": "blocked", "child": user, "user": user, "punishment": "7", "hold": "3",
                   "since": "2026-01-02T03:04:05Z", "count": true, "limit": 1, "cursor": "5"}),
        ),
        ("sync retry", json!({"child": user, "user": user, "punishment": "7", "failed": true})),
        ("sync freeze", json!({"except_reversals": true})),
        ("sync resume", json!({})),
        ("sync import", json!({"file": "bans.csv", "apply": true, "ignore_column": ["a", "b"]})),
        ("sync export", json!({"format": "json", "source": "discord"})),
        ("sync reconcile", json!({"child": user, "apply": true})),
        ("job list", json!({"running": true, "limit": 3})),
        ("job show", json!({"id": "3"})),
        ("job cancel", json!({"id": "3"})),
        ("sync holds", json!({})),
        ("sync approve", json!({"id": "3", "all": true})),
        ("sync discard", json!({"id": "3", "all": true})),
        ("config show", json!({})),
        ("config notifications", json!({"channel": user, "off": true})),
        ("config logchannel", json!({"channel": user, "unset": true})),
        ("config staffrole", json!({"role": user, "unset": true})),
        ("config muterole", json!({"role": user, "unset": true})),
        ("config warnings", json!({"steps": "3:timeout:1h,5:kick", "within": "30d"})),
        ("config audit", json!({"state": "off"})),
        (
            "audit log",
            json!({"user": user, "by": user, "operation": "setup add-child", "result": "denied", "days": 9, "limit": 3, "cursor": "77"}),
        ),
        (
            "alert list",
            json!({"all": true, "severity": "high", "kind": "local_override", "limit": 3, "cursor": "77"}),
        ),
        ("alert show", json!({"id": "3"})),
        ("alert resolve", json!({"id": "3", "reason": "x"})),
        ("incident open", json!({"reason": "x", "freeze": true})),
        ("incident close", json!({"conclusion": "x", "resume": true})),
        ("incident list", json!({"limit": 3, "cursor": "77"})),
        ("incident show", json!({"id": "3"})),
        ("drill run", json!({"user": user})),
        ("drill list", json!({"limit": 3})),
        ("drill show", json!({"id": "3"})),
        ("audit stats", json!({"days": 9})),
        ("audit warnings", json!({"user": user, "limit": 3, "cursor": "77"})),
        ("audit export", json!({"format": "csv", "days": 9, "user": user})),
        ("audit verify", json!({"noted": format!("1234:{}", "0a".repeat(32))})),
    ];
    all.into_iter()
        .map(|(operation, arguments)| {
            serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
        })
        .collect()
}

/// The options of an operation in the generated tree.
fn tree_options(name: &str) -> Vec<CommandOption> {
    let registration = slash::registration();
    let mut words = name.split(' ');
    let root = words.next().unwrap();
    let command = registration
        .everywhere
        .into_iter()
        .chain(registration.operations_guild)
        .find(|command| command.name == root)
        .unwrap();
    words.fold(command.options, |options, word| {
        options.into_iter().find(|option| option.name == word).unwrap().options
    })
}

/// What Discord would send for a request, by the generated tree: integers as numbers, all else as text.
fn leaves_of(request: &Request) -> Vec<Value> {
    let encoded = serde_json::to_value(request).unwrap();
    let mut leaves = Vec::new();
    for option in tree_options(request.name()) {
        let value = match &encoded["arguments"][option.name.replace('-', "_")] {
            Value::Null => continue,
            Value::Array(values) => {
                json!(values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
            }
            value => value.clone(),
        };
        assert_eq!(value.is_number(), option.kind == OptionKind::Integer, "{}", option.name);
        assert_eq!(value.is_boolean(), option.kind == OptionKind::Boolean, "{}", option.name);
        leaves.push(json!({"name": option.name, "type": u8::from(option.kind), "value": value}));
    }
    leaves
}

#[test]
fn every_operation_comes_back_from_discord_as_the_same_request() {
    let samples = samples();
    for definition in OPERATIONS.iter().filter(|one| one.surfaces == Surfaces::Everywhere) {
        let sample = samples
            .iter()
            .find(|sample| sample.name() == definition.name)
            .unwrap_or_else(|| panic!("{} has no sample", definition.name));
        let mut leaves = leaves_of(sample);
        assert_eq!(
            leaves.len(),
            grammar::command(definition).get_arguments().filter(|one| !slash::is_elsewhere(one)).count(),
            "{}: the sample sets every argument",
            definition.name
        );
        assert_eq!(asked(definition.name, json!(leaves)).unwrap(), (sample.clone(), false));
        // The order is Discord's to choose.
        leaves.reverse();
        assert_eq!(asked(definition.name, json!(leaves)).unwrap(), (sample.clone(), false));
        let dry_run = json!({"name": "dry-run", "type": 5, "value": true});
        leaves.push(dry_run);
        match definition.effect.changes() {
            true => assert_eq!(asked(definition.name, json!(leaves)).unwrap(), (sample.clone(), true)),
            false => assert!(asked(definition.name, json!(leaves)).is_err(), "{}", definition.name),
        }
    }
}
