use super::*;
use crate::grammar;
use crate::operations::OPERATIONS;
use crate::operations::sweep::samples;
use serde_json::{Value, json};

const MAIN: &str = "1000000000000000001";
const CHILD: &str = "1000000000000000002";
const USER: &str = "1000000000000000003";
const AT: &str = "2026-01-02T03:04:05Z";

fn job(kind: &str, main: Value) -> Value {
    json!({"id": "3", "kind": kind, "state": "done", "guild_id": CHILD, "main_guild_id": main, "asked_by": "uid:0",
           "dry_run": false, "done": 0, "created_at": AT, "updated_at": AT})
}

fn link(more: Value) -> Value {
    merged(
        json!({"link": null, "main_guild_id": MAIN, "child_guild_id": CHILD, "state": "active", "dry_run": false,
               "stopped": 0, "changes": ["mode: MONITOR → ACTIVE"]}),
        more,
    )
}

fn merged(mut reply: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        reply[name] = value.clone();
    }
    reply
}

fn counts(pending: u64) -> Value {
    json!({"pending": pending, "held": 0, "sending": 0, "blocked": 0, "unknown": 0, "applied": 0, "skipped": 0,
           "failed": 0, "superseded": 0})
}

/// A request and a reply of each operation that starts deliveries, with the guild and the arguments
/// of the query that counts them.
fn examples() -> Vec<(String, Value, &'static str, Value)> {
    let backfill = || link(json!({"backfill": {"job": "7", "to_deliver": 2, "left_out": false}}));
    let undo = || link(json!({"state": "closing", "undo": {"taken_back": [], "stay": []}}));
    let of_link = || json!({"child": CHILD, "since": AT});
    let freeze = |more| {
        let reply = json!({"main_guild_id": MAIN, "frozen": true, "except_reversals": true, "already": false,
                           "deliveries": 0, "dry_run": false});
        merged(reply, more)
    };
    let exception = || {
        json!({"guild_id": CHILD, "user_id": USER, "measure": "ban", "is_excepted": false, "changed": true, "open": 0,
               "again": counts(1), "dry_run": false})
    };
    let protection = |kind: &str| {
        json!({"guild_id": MAIN, "protected": {"kind": kind, "id": USER}, "is_protected": false, "changed": true,
               "network": true, "dry_run": false})
    };
    let config = |role: Value| {
        json!({"notification_channel_id": null, "notifications": false, "audit": false, "log_channel_id": null,
               "staff_role_id": null, "mute_role_id": role})
    };
    let hold = json!({"id": "9", "main_guild_id": MAIN, "kind": "maximum", "moderator_id": null, "opened_at": AT,
                      "actions": [], "users": 1, "whom": [], "guilds": 1, "deliveries": 1});
    let imported = json!({"of": "imported", "main_guild_id": MAIN, "file": "a.csv", "format": "CSV", "rows": [],
                          "apply": true, "children": 1, "hold": "9", "dry_run": false});
    let incident = json!({"id": "4", "guild_id": MAIN, "reason": "raid", "froze": true, "opened_by": "uid:0",
                          "opened_at": AT});
    let collected = json!({"alerts": [], "punishments": [], "people": 0, "deliveries": [], "holds": 0, "requests": [],
                           "audit_rows": [0, 0]});
    let reverted = json!({"guild_id": MAIN, "dry_run": false, "found": [], "already": 0, "expired": 0, "undos": 0,
                          "marked": 0, "one_of_several": 0, "undone": 1, "deliveries": counts(1), "stay": []});
    let retried = json!({"main_guild_id": MAIN, "deliveries": counts(1), "dry_run": false});
    let all = || json!({"since": AT});
    vec![
        (format!("setup add-child {CHILD}"), backfill(), MAIN, of_link()),
        (format!("setup accept {MAIN}"), backfill(), MAIN, of_link()),
        (format!("setup mode {CHILD} active"), backfill(), MAIN, of_link()),
        (format!("setup actions {CHILD} ban"), backfill(), MAIN, of_link()),
        (format!("setup remove-child {CHILD} --undo"), undo(), MAIN, of_link()),
        (format!("setup leave {MAIN} --undo"), undo(), MAIN, of_link()),
        (
            "sync approve 9".into(),
            json!({"main_guild_id": MAIN, "approved": true, "holds": [hold], "dry_run": false}),
            MAIN,
            json!({"hold": "9"}),
        ),
        (
            "sync import a.csv --apply".into(),
            merged(job("import", json!(MAIN)), json!({"result": imported})),
            MAIN,
            json!({"hold": "9"}),
        ),
        (format!("sync retry --user={USER}"), retried, MAIN, json!({"user": USER, "since": AT})),
        ("sync resume".into(), freeze(json!({"frozen": false, "deliveries": 3})), MAIN, all()),
        ("sync freeze --except-reversals".into(), freeze(json!({"released": 2})), MAIN, all()),
        (
            format!("sync reconcile {CHILD} --apply"),
            json!({"guild_id": MAIN, "jobs": [job("reconcile", json!(MAIN))]}),
            MAIN,
            of_link(),
        ),
        (
            "sync reconcile --apply".into(),
            json!({"guild_id": CHILD, "jobs": [job("reconcile", Value::Null)]}),
            CHILD,
            all(),
        ),
        (format!("sync exception add {USER} --lift"), exception(), CHILD, json!({"user": USER, "since": AT})),
        (format!("sync exception remove {USER}"), exception(), CHILD, json!({"user": USER, "since": AT})),
        (
            format!("protect remove --user={USER}"),
            protection("user"),
            MAIN,
            json!({"user": USER, "since": AT}),
        ),
        (format!("protect remove --role={USER}"), protection("role"), MAIN, all()),
        (
            format!("config muterole {USER}"),
            json!({"guild_id": CHILD, "before": config(Value::Null), "after": config(json!(USER)), "dry_run": false}),
            CHILD,
            of_link(),
        ),
        (
            "incident close --resume".into(),
            json!({"detail": {"incident": incident, "collected": collected}, "closed": true, "deliveries": 1,
                "dry_run": false}),
            MAIN,
            all(),
        ),
        ("punishment revert 7".into(), reverted, MAIN, all()),
    ]
}

fn read(line: &str, reply: Value) -> (Request, Reply) {
    let words = grammar::split_line(line).unwrap();
    let definition =
        OPERATIONS.iter().filter(|one| line.starts_with(one.name)).max_by_key(|one| one.name.len());
    let definition = definition.unwrap();
    let arguments = &words[definition.words().count()..];
    let request =
        grammar::parse_arguments(definition, arguments).unwrap_or_else(|fault| panic!("{line}: {fault}"));
    let reply = Request::read_reply(definition.name, reply).unwrap_or_else(|error| panic!("{line}: {error}"));
    (request, reply)
}

#[test]
fn every_operation_that_starts_deliveries_has_an_example_and_is_followed() {
    let mut followed = Vec::new();
    for (line, reply, guild, query) in examples() {
        let (request, reply) = read(&line, reply);
        let found =
            started(&request, &reply, AT.parse().ok()).unwrap_or_else(|| panic!("{line}: not followed"));
        assert_eq!(found.guild.to_string(), guild, "{line}");
        let asked: Vec<Value> =
            found.queries.iter().map(|query| serde_json::to_value(query).unwrap()).collect();
        assert_eq!(asked, [merged(query, json!({"count": true, "limit": 1}))], "{line}");
        followed.push(request.name());
    }
    for sample in samples() {
        let name = sample.name();
        assert_eq!(sample.starts() == Starts::Deliveries, followed.contains(&name), "{name}");
    }
}

#[test]
fn a_dry_run_starts_nothing() {
    for (line, mut reply, ..) in examples() {
        match reply.as_object_mut().unwrap() {
            reply if reply.contains_key("jobs") => reply["jobs"][0]["dry_run"] = json!(true),
            reply if reply.contains_key("result") => reply["result"]["dry_run"] = json!(true),
            reply => drop(reply.insert("dry_run".to_owned(), json!(true))),
        }
        let (request, reply) = read(&line, reply);
        assert_eq!(started(&request, &reply, AT.parse().ok()), None, "{line}");
    }
}

#[test]
fn a_link_that_delivers_nothing_of_before_and_a_role_that_is_unset_start_nothing() {
    let none = json!(null);
    let unset = json!({"notification_channel_id": none, "notifications": false, "audit": false, "log_channel_id": none,
                       "staff_role_id": none, "mute_role_id": none});
    for (line, reply) in [
        (format!("setup mode {CHILD} monitor"), link(json!({}))),
        (
            format!("setup accept {MAIN} --no-backfill"),
            link(json!({"backfill": {"job": null, "to_deliver": 2, "left_out": true}})),
        ),
        (
            "config muterole --unset".to_owned(),
            json!({"guild_id": CHILD, "before": unset, "after": unset, "dry_run": false}),
        ),
        (
            "sync freeze".to_owned(),
            json!({"main_guild_id": MAIN, "frozen": true, "except_reversals": false, "already": false, "deliveries": 4,
                   "dry_run": false}),
        ),
    ] {
        let (request, reply) = read(&line, reply);
        assert_eq!(started(&request, &reply, AT.parse().ok()), None, "{line}");
    }
}

#[test]
fn what_changes_something_and_starts_nothing_was_judged_by_the_list_of_effects() {
    for sample in samples() {
        let reads = !sample.definition().effect.changes();
        let started = sample.starts();
        assert!(!reads || matches!(started, Starts::Nothing | Starts::Jobs), "{}: a read", sample.name());
    }
}
