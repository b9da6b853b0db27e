//! What a request changes, judged with its arguments. Every surface and the daemon ask here; the list of operations says
//! what holds where the arguments make no difference.

use super::Request;
use super::incident::IncidentClose;
use super::punishment::Action;
use super::reconcile::SyncReconcile;
use super::setup::{
    AllowedActions, Mode, SetupAccept, SetupActions, SetupAddChild, SetupLeave, SetupMode, SetupRemoveChild,
};
use crate::operation::Effect;

impl Request {
    /// What the request changes. Its arguments can make it more than the list says, and never less.
    pub fn effect(&self) -> Effect {
        match self {
            // Every ban, mute and timeout of a guild is lifted at once.
            Self::SetupRemoveChild(SetupRemoveChild { undo: true, .. })
            | Self::SetupLeave(SetupLeave { undo: true, .. }) => Effect::Severe,
            // A link that is opened for something delivers all bans, mutes and timeouts in force at
            // once. With --no-backfill it delivers only what is decided from then on. Without a
            // mode a link that is there may become active.
            Self::SetupAddChild(SetupAddChild { no_backfill: false, mode, .. })
                if *mode != Some(Mode::Monitor) =>
            {
                Effect::Severe
            }
            Self::SetupAccept(SetupAccept { no_backfill: false, .. })
            | Self::SetupMode(SetupMode { mode: Mode::Active, no_backfill: false, .. }) => Effect::Severe,
            // The arguments do not tell which actions the link had: any lasting one may be new.
            Self::SetupActions(SetupActions { actions, no_backfill: false, .. }) if lasts(actions) => {
                Effect::Severe
            }
            // Everything that differs is delivered or lifted, also where it is unknown who lifted a
            // ban.
            Self::SyncReconcile(SyncReconcile { apply: true, .. }) => Effect::Severe,
            // Everything that was held is sent.
            Self::IncidentClose(IncidentClose { resume: true, .. }) => Effect::Severe,
            _ => self.definition().effect,
        }
    }

    /// Whether it is confirmed only because of how many users it may affect: what it does can be
    /// reverted afterwards.
    pub fn may_affect_many(&self) -> bool {
        let lasts = matches!(
            self,
            Self::PunishmentRevert(_)
                | Self::SetupUnsetMain(_)
                | Self::SetupRemoveChild(_)
                | Self::SetupLeave(_)
                | Self::SyncDiscard(_)
        );
        self.effect() == Effect::Severe && !lasts
    }
}

/// Whether one of the actions leaves something behind that a backfill delivers.
fn lasts(actions: &AllowedActions) -> bool {
    actions.as_slice().iter().any(|action| matches!(action, Action::Ban | Action::Mute | Action::Timeout))
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
        // One user, or what later requests and automatic steps do; what follows can be reverted one
        // by one, or repeats decisions that somebody with the permission has made. These can move
        // many deliveries and are still not confirmed: sync freeze (and incident open --freeze) has
        // to be fast, and what --except-reversals releases are undos that somebody decided; sync
        // retry, config muterole and protect remove send what would be sent by itself as soon as
        // its obstacle is gone.
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
        // Many users at once, by one person's word. sync resume is no emergency: after an incident
        // a look at the count of what is sent costs seconds, and a freeze that is ended by mistake
        // thousands of bans.
        (
            Effect::Severe,
            &[
                "punishment revert",
                "setup unset-main",
                "sync resume",
                "sync import",
                "sync approve",
                "sync discard",
            ],
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
    fn what_delivers_or_lifts_for_many_at_once_is_severe_by_its_arguments() {
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
            ("setup add-child 5", Effect::Severe),
            ("setup add-child 5 --mode=active", Effect::Severe),
            ("setup add-child 5 --mode=monitor", Effect::Moderate),
            ("setup add-child 5 --no-backfill", Effect::Moderate),
            ("setup accept 5", Effect::Severe),
            ("setup accept 5 --no-backfill", Effect::Moderate),
            ("setup mode 5 active", Effect::Severe),
            ("setup mode 5 active --no-backfill", Effect::Moderate),
            ("setup mode 5 monitor", Effect::Moderate),
            ("setup actions 5 kick,ban", Effect::Severe),
            ("setup actions 5 timeout", Effect::Severe),
            ("setup actions 5 kick", Effect::Moderate),
            ("setup actions 5 none", Effect::Moderate),
            ("setup actions 5 ban --no-backfill", Effect::Moderate),
            ("sync approve --all", Effect::Severe),
            ("sync discard --all", Effect::Severe),
            ("sync import bans.csv", Effect::Severe),
            ("sync import bans.csv --apply", Effect::Severe),
            ("sync reconcile 5 --apply", Effect::Severe),
            ("sync reconcile --apply", Effect::Severe),
            ("sync reconcile 5", Effect::Moderate),
            ("sync resume", Effect::Severe),
            ("sync freeze --except-reversals", Effect::Moderate),
            ("incident close over --resume", Effect::Severe),
            ("incident close over", Effect::Moderate),
            ("punishment revert --moderator=7 --since=2h", Effect::Severe),
            ("config show", Effect::Read),
        ] {
            assert_eq!(effect(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_confirmed_for_its_number_of_users_is_told_from_what_cannot_be_undone() {
        let many = |line: &str| {
            let words = grammar::split_line(line).unwrap();
            let definition = grammar::find(&words[..2].join(" ")).unwrap();
            grammar::parse_arguments(definition, &words[2..]).unwrap().may_affect_many()
        };
        for line in ["setup add-child 5", "setup mode 5 active", "sync resume", "sync reconcile --apply"] {
            assert!(many(line), "{line}");
        }
        for line in ["setup remove-child 5 --undo", "sync discard --all", "sync reconcile"] {
            assert!(!many(line), "{line}");
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
