//! The list of all operations, and one file per family with their arguments, replies and help texts.
//!
//! A new operation is a type here, a line in the `operations!` list and a handler of the same name in the daemon.
//! The grammar, the wire, the slash commands, the palette, the man pages and the names in the audit follow.

pub mod action;
pub mod alert;
pub mod audit;
pub mod ban;
pub mod config;
pub mod daemon;
pub mod delivery;
pub mod drill;
pub mod effect;
pub mod exception;
pub mod hold;
pub mod incident;
pub mod job;
pub mod kick;
pub mod mute;
pub mod paths;
pub mod protect;
pub mod punished;
pub mod punishment;
pub mod reconcile;
pub mod reversal;
pub mod settings;
pub mod setup;
pub mod started;
pub mod status;
pub mod sync;
pub mod timeout;
pub mod told;
pub mod warn;

use crate::fault::Fault;
use crate::operation::{Authority, Definition, Effect, Operation, Reported, Surfaces};
use crate::report::Report;
use serde::{Deserialize, Serialize};

/// Calls `$callback!` with the list of all operations, one line each:
/// `Type => Reply, "name", Authority, Surfaces, Effect;`. The daemon dispatches from the same list.
#[macro_export]
macro_rules! operations {
    ($callback:ident) => {
        $callback! {
            Ban => Punished, "ban", Ban, Everywhere, Moderate;
            Unban => Punished, "unban", Ban, Everywhere, Moderate;
            Kick => Punished, "kick", Kick, Everywhere, Moderate;
            Mute => Punished, "mute", Moderate, Everywhere, Moderate;
            Unmute => Punished, "unmute", Moderate, Everywhere, Moderate;
            Timeout => Punished, "timeout", Moderate, Everywhere, Moderate;
            Untimeout => Punished, "untimeout", Moderate, Everywhere, Moderate;
            Warn => Punished, "warn", Staff, Everywhere, Moderate;
            PunishmentList => Punishments, "punishment list", Staff, Everywhere, Read;
            PunishmentShow => PunishmentDetail, "punishment show", Staff, Everywhere, Read;
            ProtectAdd => ProtectionChanged, "protect add", Admin, Everywhere, Mild;
            ProtectRemove => ProtectionChanged, "protect remove", Admin, Everywhere, Moderate;
            ProtectList => Protections, "protect list", Admin, Everywhere, Read;
            PunishmentAmend => PunishmentAmended, "punishment amend", Moderate, Everywhere, Mild;
            PunishmentRevert => Reverted, "punishment revert", Ban, Everywhere, Severe;
            SetupMainGuild => GuildDesignated, "setup main-guild", Admin, Everywhere, Moderate;
            SetupUnsetMain => GuildDesignated, "setup unset-main", Admin, Everywhere, Severe;
            SetupAddChild => LinkChanged, "setup add-child", Admin, Everywhere, Moderate;
            SetupRemoveChild => LinkChanged, "setup remove-child", Admin, Everywhere, Moderate;
            SetupAccept => LinkChanged, "setup accept", Admin, Everywhere, Moderate;
            SetupDecline => LinkChanged, "setup decline", Admin, Everywhere, Moderate;
            SetupLeave => LinkChanged, "setup leave", Admin, Everywhere, Moderate;
            SetupMode => LinkChanged, "setup mode", Admin, Everywhere, Moderate;
            SetupActions => LinkChanged, "setup actions", Admin, Everywhere, Moderate;
            SetupSecurityLevel => SecurityChanged, "setup security-level", Admin, Everywhere, Moderate;
            SetupLock => LockChanged, "setup lock", Owner, Everywhere, Mild;
            SetupUnlock => LockChanged, "setup unlock", Owner, Everywhere, Mild;
            SetupTestConnection => ConnectionTested, "setup test-connection", Admin, Everywhere, Read;
            SetupDoctor => Diagnosis, "setup doctor", Admin, Everywhere, Read;
            SetupDashboard => Dashboard, "setup dashboard", Staff, Everywhere, Read;
            SyncStatus => SyncState, "sync status", Admin, Everywhere, Read;
            SyncDeliveries => Deliveries, "sync deliveries", Admin, Everywhere, Read;
            SyncRetry => DeliveriesRetried, "sync retry", Admin, Everywhere, Moderate;
            SyncFreeze => FreezeChanged, "sync freeze", Admin, Everywhere, Moderate;
            SyncResume => FreezeChanged, "sync resume", Admin, Everywhere, Severe;
            SyncImport => Job, "sync import", Admin, Everywhere, Severe;
            SyncExport => Job, "sync export", Admin, Everywhere, Mild;
            SyncReconcile => Reconciling, "sync reconcile", Admin, Everywhere, Moderate;
            JobList => Jobs, "job list", Admin, Everywhere, Read;
            JobShow => Job, "job show", Admin, Everywhere, Read;
            JobCancel => JobCancelled, "job cancel", Admin, Everywhere, Moderate;
            SyncExceptionAdd => ExceptionChanged, "sync exception add", Admin, Everywhere, Moderate;
            SyncExceptionRemove => ExceptionChanged, "sync exception remove", Admin, Everywhere, Moderate;
            SyncExceptionList => Exceptions, "sync exception list", Admin, Everywhere, Read;
            SyncHolds => Holds, "sync holds", Admin, Everywhere, Read;
            SyncApprove => HoldsDecided, "sync approve", Admin, Everywhere, Severe;
            SyncDiscard => HoldsDecided, "sync discard", Admin, Everywhere, Severe;
            ConfigShow => GuildConfigShown, "config show", Admin, Everywhere, Read;
            ConfigNotifications => GuildConfigured, "config notifications", Admin, Everywhere, Mild;
            ConfigLogchannel => GuildConfigured, "config logchannel", Admin, Everywhere, Mild;
            ConfigStaffrole => GuildConfigured, "config staffrole", Admin, Everywhere, Moderate;
            ConfigMuterole => GuildConfigured, "config muterole", Admin, Everywhere, Moderate;
            ConfigWarnings => GuildConfigured, "config warnings", Admin, Everywhere, Moderate;
            ConfigAudit => GuildConfigured, "config audit", Admin, Everywhere, Mild;
            AuditLog => AuditEntries, "audit log", Staff, Everywhere, Read;
            AuditStats => AuditFigures, "audit stats", Staff, Everywhere, Read;
            AuditWarnings => Warnings, "audit warnings", Staff, Everywhere, Read;
            AuditExport => Job, "audit export", Admin, Everywhere, Mild;
            AuditVerify => Job, "audit verify", Owner, Everywhere, Read;
            AlertList => Alerts, "alert list", Admin, Everywhere, Read;
            AlertShow => Alert, "alert show", Admin, Everywhere, Read;
            AlertResolve => AlertResolved, "alert resolve", Admin, Everywhere, Mild;
            IncidentOpen => IncidentChanged, "incident open", Admin, Everywhere, Moderate;
            IncidentClose => IncidentChanged, "incident close", Admin, Everywhere, Moderate;
            IncidentList => Incidents, "incident list", Admin, Everywhere, Read;
            IncidentShow => IncidentDetail, "incident show", Admin, Everywhere, Read;
            DrillRun => Job, "drill run", Admin, Everywhere, Mild;
            DrillList => Drills, "drill list", Admin, Everywhere, Read;
            DrillShow => Drill, "drill show", Admin, Everywhere, Read;
            Status => DaemonStatus, "status", Staff, CommandLine, Read;
            Paths => PathList, "paths", Staff, CommandLine, Read;
            SettingsShow => SettingsShown, "settings show", Staff, CommandLine, Read;
            SettingsSet => SettingsChanged, "settings set", Owner, CommandLine, Moderate;
            SettingsUnset => SettingsChanged, "settings unset", Owner, CommandLine, Moderate;
            DaemonShow => DaemonShown, "daemon status", Staff, CommandLine, Read;
            DaemonReload => DaemonReloaded, "daemon reload", Owner, CommandLine, Moderate;
            DaemonRestart => DaemonRestarting, "daemon restart", Owner, CommandLine, Moderate;
            DaemonStop => DaemonStopping, "daemon stop", Owner, CommandLine, Moderate;
        }
    };
}

/// What the first words of operations with several words stand for: `(word, help)`.
pub const GROUPS: &[(&str, &str)] = &[
    ("alert", "What a person should look at"),
    ("audit", "Who asked for what, and what came of it"),
    ("config", "What a guild has set"),
    ("daemon", "The daemon itself"),
    ("drill", "Dry runs of a whole network"),
    ("incident", "What is going on, from when to when, and what happened meanwhile"),
    ("job", "What takes its time in the background"),
    ("protect", "Users and roles that nobody may punish"),
    ("punishment", "What was decided, and what became of it"),
    ("settings", "What the daemon works with, and what is changed of it while it runs"),
    ("setup", "Mains, children and the links between them"),
    ("sync", "Deliveries on their way to the children"),
    ("sync exception", "What a child does not apply to somebody"),
];

use alert::{Alert, AlertList, AlertResolve, AlertResolved, AlertShow, Alerts};
use audit::{
    AuditEntries, AuditExport, AuditFigures, AuditLog, AuditStats, AuditVerify, AuditWarnings, Warnings,
};
use ban::{Ban, Unban};
use config::{
    ConfigAudit, ConfigLogchannel, ConfigMuterole, ConfigNotifications, ConfigShow, ConfigStaffrole,
    ConfigWarnings, GuildConfigShown, GuildConfigured,
};
use daemon::{
    DaemonReload, DaemonReloaded, DaemonRestart, DaemonRestarting, DaemonShow, DaemonShown, DaemonStop,
    DaemonStopping,
};
use drill::{Drill, DrillList, DrillRun, DrillShow, Drills};
use exception::{ExceptionChanged, Exceptions, SyncExceptionAdd, SyncExceptionList, SyncExceptionRemove};
use hold::{Holds, HoldsDecided, SyncApprove, SyncDiscard, SyncHolds};
use incident::{
    IncidentChanged, IncidentClose, IncidentDetail, IncidentList, IncidentOpen, IncidentShow, Incidents,
};
use job::{Job, JobCancel, JobCancelled, JobList, JobShow, Jobs};
use kick::Kick;
use mute::{Mute, Unmute};
use paths::{PathList, Paths};
use protect::{ProtectAdd, ProtectList, ProtectRemove, ProtectionChanged, Protections};
use punished::Punished;
use punishment::{PunishmentDetail, PunishmentList, PunishmentShow, Punishments};
use reconcile::{Reconciling, SyncReconcile};
use reversal::{PunishmentAmend, PunishmentAmended, PunishmentRevert, Reverted};
use settings::{SettingsChanged, SettingsSet, SettingsShow, SettingsShown, SettingsUnset};
use setup::{
    ConnectionTested, Dashboard, Diagnosis, GuildDesignated, LinkChanged, LockChanged, SecurityChanged,
    SetupAccept, SetupActions, SetupAddChild, SetupDashboard, SetupDecline, SetupDoctor, SetupLeave,
    SetupLock, SetupMainGuild, SetupMode, SetupRemoveChild, SetupSecurityLevel, SetupTestConnection,
    SetupUnlock, SetupUnsetMain,
};
use status::{DaemonStatus, Status};
use sync::{
    Deliveries, DeliveriesRetried, FreezeChanged, SyncDeliveries, SyncExport, SyncFreeze, SyncImport,
    SyncResume, SyncRetry, SyncState, SyncStatus,
};
use timeout::{Timeout, Untimeout};
use warn::Warn;

macro_rules! define {
    ($($operation:ident => $reply:ident, $name:literal, $authority:ident, $surfaces:ident, $effect:ident;)*) => {
        /// Any operation with its arguments, as it travels: `{"operation":"setup add-child","arguments":{…}}`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "operation", content = "arguments")]
        #[allow(missing_docs)]
        pub enum Request {
            $(#[serde(rename = $name)] $operation($operation),)*
        }

        /// Any operation's reply.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[allow(missing_docs)]
        pub enum Reply {
            $($operation($reply),)*
        }

        $(
            impl Operation for $operation {
                type Reply = $reply;
                const NAME: &'static str = $name;
                const AUTHORITY: Authority = Authority::$authority;
                const SURFACES: Surfaces = Surfaces::$surfaces;
                const EFFECT: Effect = Effect::$effect;

                fn reply(reply: Reply) -> Option<$reply> {
                    match reply {
                        Reply::$operation(reply) => Some(reply),
                        _ => None,
                    }
                }
            }

            impl From<$operation> for Request {
                fn from(operation: $operation) -> Self {
                    Self::$operation(operation)
                }
            }
        )*

        /// Every operation there is, in the order of the list.
        pub static OPERATIONS: &[Definition] = &[$(
            Definition {
                name: $name,
                authority: Authority::$authority,
                surfaces: Surfaces::$surfaces,
                effect: Effect::$effect,
                augment: <$operation as clap::Args>::augment_args,
                parse: |matches| {
                    <$operation as clap::FromArgMatches>::from_arg_matches(matches).map(Request::$operation)
                },
            },
        )*];

        impl Request {
            /// Its words, as in the audit: `setup add-child`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$operation(_) => $name,)*
                }
            }

            /// Reads a reply that came over the wire as JSON.
            ///
            /// # Errors
            /// Where the daemon is so much newer or older that the shape is another one.
            pub fn read_reply(name: &str, data: serde_json::Value) -> serde_json::Result<Reply> {
                match name {
                    $($name => serde_json::from_value(data).map(Reply::$operation),)*
                    _ => Err(serde::de::Error::custom("an operation that this version does not know")),
                }
            }
        }

        impl Reported for Reply {
            fn report(&self) -> Report {
                match self {
                    $(Self::$operation(reply) => reply.report(),)*
                }
            }

            fn pending(&self) -> Option<crate::value::PunishmentId> {
                match self {
                    $(Self::$operation(reply) => reply.pending(),)*
                }
            }

            fn jobs(&self) -> Vec<crate::value::JobId> {
                match self {
                    $(Self::$operation(reply) => reply.jobs(),)*
                }
            }

            fn verdict(&self) -> Option<Fault> {
                match self {
                    $(Self::$operation(reply) => reply.verdict(),)*
                }
            }

            fn next_cursor(&self) -> Option<String> {
                match self {
                    $(Self::$operation(reply) => reply.next_cursor(),)*
                }
            }

            fn warnings(&self) -> Vec<String> {
                match self {
                    $(Self::$operation(reply) => reply.warnings(),)*
                }
            }
        }
    };
}

operations!(define);

impl Request {
    /// What the list says of this operation.
    pub fn definition(&self) -> &'static Definition {
        let name = self.name();
        // The list holds every variant by construction; the first entry stands in for what cannot happen.
        OPERATIONS.iter().find(|definition| definition.name == name).unwrap_or(&OPERATIONS[0])
    }

    /// Whether the arguments go together, which none of them shows alone, and say what they must. It is asked before a
    /// confirmation is: nobody is to confirm what cannot be done.
    ///
    /// # Errors
    /// A usage fault that names the contradiction, or what is not said.
    pub fn check(&self) -> Result<(), Fault> {
        match self {
            Self::AuditLog(log) => log.check(),
            Self::AlertResolve(AlertResolve { reason, .. })
            | Self::IncidentOpen(IncidentOpen { reason, .. })
            | Self::PunishmentAmend(PunishmentAmend { reason, .. })
            | Self::Warn(Warn { reason, .. })
                if reason.is_blank() =>
            {
                Err(Fault::usage("the reason is empty")
                    .hint("say it in a few words: who reads it later knows no more than it says"))
            }
            Self::SetupRemoveChild(SetupRemoveChild { keep: true, undo: true, .. })
            | Self::SetupLeave(SetupLeave { keep: true, undo: true, .. }) => {
                Err(Fault::usage("--keep and --undo contradict each other: say one of them"))
            }
            Self::PunishmentRevert(revert) => revert.meant().map(drop),
            Self::SyncApprove(approve) => hold::which(approve.id, approve.all, "sync approve").map(drop),
            Self::SyncDiscard(discard) => hold::which(discard.id, discard.all, "sync discard").map(drop),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod sweep;
