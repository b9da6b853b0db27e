//! What a request changes, judged with its arguments. Every surface and the daemon ask here; the list of operations says
//! what holds where the arguments make no difference.

use super::Request;
use super::setup::{SetupLeave, SetupRemoveChild};
use crate::operation::Effect;

impl Request {
    /// What the request changes. Its arguments can make it more than the list says, and never less.
    pub fn effect(&self) -> Effect {
        match self {
            // Every ban, mute and timeout of a guild is lifted at once.
            Self::SetupRemoveChild(SetupRemoveChild { undo: true, .. })
            | Self::SetupLeave(SetupLeave { undo: true, .. }) => Effect::Severe,
            _ => self.definition().effect,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grammar;
    use crate::operations::OPERATIONS;

    /// What each operation does, without arguments that make it more. Somebody has to judge each new one.
    const JUDGED: &[(Effect, &[&str])] = &[
        (
            Effect::Read,
            &[
                "punishment list",
                "punishment show",
                "protect list",
                "setup test-connection",
                "setup doctor",
                "setup dashboard",
                "sync status",
                "sync deliveries",
                "job list",
                "job show",
                "sync exception list",
                "sync holds",
                "config show",
                "audit log",
                "audit stats",
                "audit warnings",
                "audit verify",
                "alert list",
                "alert show",
                "incident list",
                "incident show",
                "drill list",
                "drill show",
                "status",
                "paths",
                "settings show",
                "daemon status",
            ],
        ),
        // Notes, files and places of messages: the next request puts them back, and no member is touched.
        (
            Effect::Mild,
            &[
                "protect add",
                "punishment amend",
                "setup lock",
                "setup unlock",
                "sync export",
                "config notifications",
                "config logchannel",
                "config audit",
                "audit export",
                "alert resolve",
                "drill run",
            ],
        ),
        // One user, or what later requests and automatic steps do; what follows can be reverted one by one, or repeats
        // decisions that somebody with the permission has made.
        (
            Effect::Moderate,
            &[
                "ban",
                "unban",
                "kick",
                "mute",
                "unmute",
                "timeout",
                "untimeout",
                "warn",
                "protect remove",
                "setup main-guild",
                "setup add-child",
                "setup remove-child",
                "setup accept",
                "setup decline",
                "setup leave",
                "setup mode",
                "setup actions",
                "setup security-level",
                "sync retry",
                "sync freeze",
                "sync resume",
                "sync reconcile",
                "job cancel",
                "sync exception add",
                "sync exception remove",
                "config staffrole",
                "config muterole",
                "config warnings",
                "incident open",
                "incident close",
                "settings set",
                "settings unset",
                "daemon reload",
                "daemon restart",
                "daemon stop",
            ],
        ),
        // Many users at once, by one person's word.
        (
            Effect::Severe,
            &["punishment revert", "setup unset-main", "sync import", "sync approve", "sync discard"],
        ),
    ];

    #[test]
    fn each_operation_was_judged_and_declares_that_effect() {
        for definition in OPERATIONS {
            let judged: Vec<Effect> = JUDGED
                .iter()
                .filter(|(_, names)| names.contains(&definition.name))
                .map(|(effect, _)| *effect)
                .collect();
            assert_eq!(
                judged,
                [definition.effect],
                "{}: judge what it changes, here and there",
                definition.name
            );
        }
        let names: usize = JUDGED.iter().map(|(_, names)| names.len()).sum();
        assert_eq!(names, OPERATIONS.len());
    }

    #[test]
    fn what_lifts_everything_at_once_is_severe_by_its_argument() {
        let effect = |line: &str| {
            let words = grammar::split_line(line).unwrap();
            let name = words[..2].join(" ");
            let definition = grammar::find(&name).unwrap();
            grammar::parse_arguments(definition, &words[2..]).unwrap().effect()
        };
        for (line, expected) in [
            ("setup remove-child 5 --undo", Effect::Severe),
            ("setup leave 5 --undo", Effect::Severe),
            ("setup remove-child 5 --keep", Effect::Moderate),
            ("setup remove-child 5", Effect::Moderate),
            ("setup leave 5 --keep", Effect::Moderate),
            ("setup leave 5", Effect::Moderate),
            ("sync approve --all", Effect::Severe),
            ("sync discard --all", Effect::Severe),
            ("sync import bans.csv", Effect::Severe),
            ("sync import bans.csv --apply", Effect::Severe),
            ("sync reconcile 5 --apply", Effect::Moderate),
            ("punishment revert --moderator=7 --since=2h", Effect::Severe),
            ("config show", Effect::Read),
        ] {
            assert_eq!(effect(line), expected, "{line}");
        }
    }

    #[test]
    fn arguments_make_it_more_and_never_less() {
        for definition in OPERATIONS {
            let bare = grammar::parse_arguments(definition, &[]);
            assert!(bare.is_err() || bare.is_ok_and(|request| request.effect() >= definition.effect));
        }
    }
}
