//! One test sweeps over the whole list, so that a new operation is held to every rule the day it is written.

use super::*;
use crate::grammar;
use clap::{Arg, Command};
use serde_json::{Value, json};
use std::collections::HashSet;

/// One of each, with every optional field set: a new operation has to stand here to pass the sweep.
pub(super) fn samples() -> Vec<Request> {
    let value = |operation: &str, arguments: Value| {
        serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
    };
    let user = "123456789012345678";
    vec![
        value(
            "ban",
            json!({"user": user, "reason": "it's -- \"bad\"", "delete_days": 7, "for": "7d", "evidence": "https://x.org/1"}),
        ),
        value("unban", json!({"user": user, "reason": "-x"})),
        value("kick", json!({"user": user, "reason": "x", "evidence": "https://x.org/1"})),
        value("mute", json!({"user": user, "for": "1h30m", "reason": "x", "evidence": "https://x.org/1"})),
        value("unmute", json!({"user": user, "reason": "x"})),
        value("timeout", json!({"user": user, "for": "40d", "reason": "x", "evidence": "https://x.org/1"})),
        value("untimeout", json!({"user": user, "reason": "x"})),
        value("warn", json!({"user": user, "reason": "x", "evidence": "https://x.org/1"})),
        value("punishment list", json!({"user": user, "limit": 10, "cursor": "77"})),
        value("punishment show", json!({"id": "42"})),
        value("protect add", json!({"user": user, "role": user, "note": "x"})),
        value("protect remove", json!({"user": user, "role": user})),
        value("protect list", json!({"limit": 10, "cursor": "77"})),
        value("punishment amend", json!({"id": "42", "reason": "-x"})),
        value(
            "punishment revert",
            json!({"punishments": ["42", "43"], "moderator": user, "operator": "alice", "since": "2h", "reason": "x"}),
        ),
        value("setup main-guild", json!({})),
        value(
            "setup add-child",
            json!({"child": user, "mode": "monitor", "actions": "ban", "no_backfill": true}),
        ),
        value("setup remove-child", json!({"child": user, "keep": true, "undo": true, "force": true})),
        value("setup unset-main", json!({})),
        value("setup accept", json!({"main": user, "no_backfill": true})),
        value("setup decline", json!({"main": user})),
        value("setup leave", json!({"main": user, "keep": true, "undo": true, "force": true})),
        value("setup mode", json!({"child": user, "mode": "monitor", "no_backfill": true})),
        value("setup actions", json!({"child": user, "actions": "none", "no_backfill": true})),
        value("setup security-level", json!({"level": "high"})),
        value("setup lock", json!({})),
        value("setup unlock", json!({})),
        value("setup test-connection", json!({"child": user})),
        value("setup doctor", json!({"child": user})),
        value("setup dashboard", json!({})),
        value("sync status", json!({})),
        value(
            "sync deliveries",
            json!({"state": "blocked", "child": user, "user": user, "punishment": "7", "hold": "3",
                   "since": "2026-01-02T03:04:05Z", "count": true, "limit": 1, "cursor": "5"}),
        ),
        value("sync retry", json!({"child": user, "user": user, "punishment": "7", "failed": true})),
        value("sync freeze", json!({"except_reversals": true})),
        value("sync resume", json!({})),
        value("sync import", json!({"file": "-x's list.csv", "apply": true, "ignore_column": ["a b", "c"]})),
        value("sync export", json!({"format": "json", "source": "discord", "output": "a b.json"})),
        value("sync reconcile", json!({"child": user, "apply": true})),
        value("job list", json!({"running": true, "limit": 3})),
        value("job show", json!({"id": "3"})),
        value("job cancel", json!({"id": "3"})),
        value(
            "sync exception add",
            json!({"user": user, "measure": "mute", "until": "7d", "reason": "-x", "lift": true}),
        ),
        value("sync exception remove", json!({"user": user, "measure": "timeout"})),
        value("sync exception list", json!({"user": user, "limit": 10, "cursor": "77"})),
        value("sync holds", json!({})),
        value("sync approve", json!({"id": "3", "all": true})),
        value("sync discard", json!({"id": "3", "all": true})),
        value("config show", json!({})),
        value("config notifications", json!({"channel": user, "off": true})),
        value("config logchannel", json!({"channel": user, "unset": true})),
        value("config staffrole", json!({"role": user, "unset": true})),
        value("config muterole", json!({"role": user, "unset": true})),
        value("config warnings", json!({"steps": "3:timeout:1h,5:kick,7:ban:7d", "within": "30d"})),
        value("config audit", json!({"state": "off"})),
        value(
            "audit log",
            json!({"user": user, "by": user, "operation": "setup add-child", "result": "denied", "days": 9, "limit": 3,
                "cursor": "77", "operator": "1000"}),
        ),
        value("audit stats", json!({"days": 9})),
        value("audit warnings", json!({"user": user, "limit": 3, "cursor": "77"})),
        value("audit export", json!({"format": "csv", "days": 9, "user": user, "output": "a b.json"})),
        value("audit verify", json!({"noted": format!("1234:{}", "0a".repeat(32))})),
        value(
            "alert list",
            json!({"all": true, "severity": "high", "kind": "local_override", "limit": 3, "cursor": "77"}),
        ),
        value("alert show", json!({"id": "3"})),
        value("alert resolve", json!({"id": "3", "reason": "-x"})),
        value("incident open", json!({"reason": "-x", "freeze": true})),
        value("incident close", json!({"conclusion": "-x", "resume": true})),
        value("incident list", json!({"limit": 3, "cursor": "77"})),
        value("incident show", json!({"id": "3"})),
        value("drill run", json!({"user": user})),
        value("drill list", json!({"limit": 3})),
        value("drill show", json!({"id": "3"})),
        value("status", json!({})),
        value("paths", json!({})),
        value("settings show", json!({"key": "log.level"})),
        value("settings set", json!({"key": "log.level", "value": "-x 'y'"})),
        value("settings unset", json!({"key": "log.level"})),
        value("daemon status", json!({})),
        value("daemon reload", json!({})),
        value("daemon restart", json!({})),
        value("daemon stop", json!({})),
    ]
}

#[test]
fn every_operation_has_a_sample_and_goes_through_serde_and_clap_unchanged() {
    let samples = samples();
    let root = || grammar::with_operations(Command::new("wayhaven"), |_| true);
    root().debug_assert();
    for definition in OPERATIONS {
        let request = samples.iter().find(|sample| sample.name() == definition.name);
        let request = request.unwrap_or_else(|| panic!("{} has no sample", definition.name));
        let wire = serde_json::to_string(request).unwrap();
        assert_eq!(&serde_json::from_str::<Request>(&wire).unwrap(), request, "{wire}");

        let argv = grammar::argv(request);
        let matches = root().try_get_matches_from(["wayhaven".to_owned()].into_iter().chain(argv.clone()));
        let parsed = grammar::request(&matches.unwrap_or_else(|error| panic!("{argv:?}: {error}")));
        assert_eq!(&parsed.unwrap().unwrap(), request, "{argv:?}");
        assert_eq!(grammar::split_line(&grammar::shell_line(&argv)).unwrap(), argv);
    }
    assert_eq!(samples.len(), OPERATIONS.len());
}

/// Discord's limits on what a command tree may hold (FACTS A9), for what the slash commands are made from.
#[test]
fn every_operation_fits_discord_and_has_help() {
    let name_fits = |name: &str| {
        (1..=32).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let mut names = HashSet::new();
    for definition in OPERATIONS {
        assert!(names.insert(definition.name), "{} stands twice", definition.name);
        let words: Vec<_> = definition.words().collect();
        assert!(words.len() <= 3, "{}: command, group, subcommand and no deeper", definition.name);
        for (depth, word) in words.iter().enumerate() {
            assert!(name_fits(word), "{word}");
            let path = words[..depth].join(" ");
            assert!(
                depth == 0
                    || GROUPS.iter().any(|(group, about)| *group == path && (1..=100).contains(&about.len())),
                "{path} has no help in GROUPS"
            );
            assert!(
                depth == 0 || !OPERATIONS.iter().any(|other| other.name == path),
                "{path} has subcommands, so it cannot be called bare"
            );
        }
        let command = grammar::command(definition);
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        assert!((1..=100).contains(&about.chars().count()), "{}: {about:?}", definition.name);
        let arguments: Vec<&Arg> = command.get_arguments().collect();
        assert!(arguments.len() <= 24, "{}: 25 options with dry-run", definition.name);
        let mut optional_positionals = 0;
        for argument in arguments {
            let id = argument.get_id().as_str();
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            assert!((1..=100).contains(&help.chars().count()), "{} {id}: {help:?}", definition.name);
            assert!(name_fits(&id.replace('_', "-")), "{} {id}", definition.name);
            optional_positionals += usize::from(argument.is_positional() && !argument.is_required_set());
            assert!(
                !["guild", "json", "dry-run", "dry_run", "wait", "confirm", "host"].contains(&id),
                "{} {id}: the envelope's word",
                definition.name
            );
            assert!(argument.get_possible_values().len() <= 25, "{} {id}: 25 choices", definition.name);
        }
        assert!(optional_positionals <= 1, "{}", definition.name);
    }
}

#[test]
fn every_group_is_used_and_siblings_are_at_most_25() {
    for (group, _) in GROUPS {
        let below = |definition: &&Definition| definition.name.starts_with(&format!("{group} "));
        let count = OPERATIONS.iter().filter(below).count();
        assert!((1..=25).contains(&count), "{group}: {count}");
    }
}

#[test]
fn what_changes_something_needs_more_than_anyone_and_what_reads_is_not_confirmed() {
    for definition in OPERATIONS {
        if definition.effect.changes() {
            assert_ne!(definition.authority, Authority::Anyone, "{}", definition.name);
        }
    }
}

/// Arguments that take a word of ours, though anything may be typed there.
const NAMES: [&str; 3] = ["KEY", "KIND", "NAME"];

/// The words as people type them: no equals sign before the text, and nothing that ends the flags.
fn as_typed(argument: &Arg, words: &[String], text: &str) -> Vec<String> {
    let mut typed: Vec<String> = words.to_vec();
    typed.iter().position(|word| word == "--").map(|at| typed.remove(at));
    if let Some(long) = argument.get_long() {
        let at = typed.iter().position(|word| *word == format!("--{long}={text}")).unwrap();
        typed.splice(at..=at, [format!("--{long}"), text.to_owned()]);
    }
    typed
}

#[test]
fn every_free_text_may_begin_with_a_hyphen_and_no_flag_becomes_one() {
    let root = || {
        let dry_run = Arg::new("dry_run").long("dry-run").global(true).action(clap::ArgAction::SetTrue);
        grammar::with_operations(Command::new("wayhaven").arg(dry_run), |_| true)
    };
    let parse = |words: Vec<String>| -> Result<(Request, bool), clap::Error> {
        let words: Vec<std::ffi::OsString> =
            std::iter::once("wayhaven".to_owned()).chain(words).map(Into::into).collect();
        let matches = root().try_get_matches_from(&words)?;
        let request = grammar::typed_request(&root(), &words, &matches)?.unwrap();
        Ok((request, matches.get_flag("dry_run")))
    };
    let mut texts = 0;
    for sample in samples() {
        let definition = sample.definition();
        for argument in grammar::command(definition).get_arguments() {
            let name = argument.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
            let of_people =
                argument.get_value_parser().type_id() == std::any::TypeId::of::<crate::value::Untrusted>();
            let free = argument.is_allow_hyphen_values_set();
            let is_name = name.as_ref().is_some_and(|name| NAMES.contains(&name.as_str()));
            assert!(!of_people || free || is_name, "{} {name:?}: a text of people's?", definition.name);
            if !free {
                continue;
            }
            let id = argument.get_id().as_str();
            texts += 1;
            for text in ["-spam", "-5", "- a", "--spam", "--no more", "-", "-x=y", "-hax", "—"] {
                let mut value = serde_json::to_value(&sample).unwrap();
                value["arguments"][id] = json!(text);
                let wanted: Request = serde_json::from_value(value).unwrap();
                let whole = grammar::argv(&wanted);
                assert_eq!(parse(whole.clone()).unwrap().0, wanted, "{whole:?}");
                let mut typed = as_typed(argument, &whole, text);
                typed.push("--dry-run".to_owned());
                assert_eq!(parse(typed.clone()).unwrap(), (wanted.clone(), true), "{typed:?}");
            }
            // Forgotten, and a flag in its place: nothing must be done that was to be a plan.
            for flag in ["--dry-run", "--dryrun", "--dry_run", "--help", "-h"] {
                let mut value = serde_json::to_value(&sample).unwrap();
                value["arguments"][id] = json!(flag);
                let wanted: Request = serde_json::from_value(value).unwrap();
                let whole = grammar::argv(&wanted);
                assert_eq!(parse(whole.clone()).unwrap().0, wanted, "{whole:?}");
                let typed = as_typed(argument, &whole, flag);
                let refused = parse(typed.clone());
                assert!(refused.as_ref().is_err() || refused.unwrap().0 != wanted, "{typed:?}");
            }
        }
    }
    assert!(texts > 15, "{texts}");
}

#[test]
fn a_flag_in_the_place_of_a_text_is_named_with_what_to_write() {
    let words = ["wayhaven", "ban", "77", "--reason", "--delete-dais"].map(std::ffi::OsString::from);
    let root = grammar::with_operations(Command::new("wayhaven"), |_| true);
    let matches = root.clone().try_get_matches_from(&words).unwrap();
    let fault = grammar::usage_fault(&grammar::typed_request(&root, &words, &matches).unwrap_err());
    assert_eq!(fault.message, "--reason needs a text, and --delete-dais looks like the flag --delete-days");
    assert_eq!(fault.hints, ["if it is the text, write it as --reason=--delete-dais"]);
}
