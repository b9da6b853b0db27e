//! Who asks for what, from where. Identity is made at the edge, from the interaction's member or the socket
//! peer's credentials, and travels in here; no handler reads it from anywhere else.

use crate::attachment::Attachment;
use wayhaven_shared::control::{ClientSurface, Role};
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::audit::AuditEntry;
use wayhaven_shared::operations::punishment::Origin;
use wayhaven_shared::value::{ChannelId, GuildId, PunishmentId, RoleId, Untrusted, UploadId, UserId};

/// Who asks.
#[derive(Clone, Debug)]
pub enum Actor {
    /// A member of the guild where it is asked for.
    Member {
        /// Who.
        user: UserId,
        /// Their roles there.
        roles: Vec<RoleId>,
        /// Their effective permission bits there.
        permissions: u64,
        /// The roles of those whom the request names, where Discord sent them along.
        resolved: Vec<(UserId, Vec<RoleId>)>,
    },
    /// A peer of the control socket.
    Operator {
        /// The peer's user id on this machine.
        uid: u32,
        /// What it may do.
        role: Role,
    },
    /// The daemon itself: what has expired, what escalates.
    System,
}

impl Actor {
    /// The name it has in the audit.
    pub fn audit_name(&self) -> String {
        match self {
            Self::Member { user, .. } => user.to_string(),
            Self::Operator { uid, .. } => operator_name(*uid),
            Self::System => "wayhaven".to_owned(),
        }
    }

    /// Their id on Discord.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::Member { user, .. } => Some(*user),
            Self::Operator { .. } | Self::System => None,
        }
    }

    /// The number of an operator's account.
    pub fn uid(&self) -> Option<u32> {
        match self {
            Self::Operator { uid, .. } => Some(*uid),
            Self::Member { .. } | Self::System => None,
        }
    }

    /// Where a punishment of theirs comes from.
    pub fn origin(&self) -> Origin {
        match self {
            Self::Member { .. } => Origin::Command,
            Self::Operator { .. } => Origin::Operator,
            Self::System => Origin::System,
        }
    }
}

/// The name that an operator has in the audit.
pub fn operator_name(uid: u32) -> String {
    format!("{OPERATOR}{uid}")
}

/// Whether such a name is an operator's.
pub fn is_operator(name: &str) -> bool {
    name.starts_with(OPERATOR)
}

/// How the names of operators begin.
const OPERATOR: &str = "unix user ";

/// Where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// A slash command.
    Discord,
    /// The command line.
    Cli,
    /// The console.
    Console,
    /// Nobody's: the daemon asks by itself.
    Scheduler,
}

impl Surface {
    /// The word for it, as in the audit.
    pub fn word(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Cli => "cli",
            Self::Console => "console",
            Self::Scheduler => "scheduler",
        }
    }
}

impl From<ClientSurface> for Surface {
    fn from(client: ClientSurface) -> Self {
        match client {
            ClientSurface::Cli => Self::Cli,
            ClientSurface::Console => Self::Console,
        }
    }
}

/// A file that came with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upload {
    /// Sent ahead over the socket, and kept by the daemon.
    Staged(UploadId),
    /// Attached on Discord, where it still lies: it is fetched for who may ask, and not before.
    Attached(Attachment),
}

/// One request with everything that travels around it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Who asks.
    pub actor: Actor,
    /// Where.
    pub surface: Surface,
    /// In which guild.
    pub guild: Option<GuildId>,
    /// In which channel.
    pub channel: Option<ChannelId>,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
    /// What was typed to confirm a severe operation.
    pub confirm: Option<String>,
    /// The punishment that led to it: only the daemon itself says so.
    pub because: Option<PunishmentId>,
    /// The file that came with it.
    pub upload: Option<Upload>,
    /// What is asked for.
    pub request: Request,
}

impl Invocation {
    /// Whom the request is about, where it names somebody.
    pub fn target(&self) -> Option<UserId> {
        match &self.request {
            Request::Ban(ban) => Some(ban.user),
            Request::Unban(unban) => Some(unban.user),
            Request::Kick(kick) => Some(kick.user),
            Request::Mute(mute) => Some(mute.user),
            Request::Unmute(unmute) => Some(unmute.user),
            Request::Timeout(timeout) => Some(timeout.user),
            Request::Untimeout(untimeout) => Some(untimeout.user),
            Request::Warn(warn) => Some(warn.user),
            Request::PunishmentList(list) => list.user,
            Request::ProtectAdd(add) => add.user,
            Request::ProtectRemove(remove) => remove.user,
            Request::PunishmentRevert(revert) => revert.moderator,
            Request::SyncDeliveries(list) => list.user,
            Request::SyncExceptionAdd(add) => Some(add.user),
            Request::SyncExceptionRemove(remove) => Some(remove.user),
            Request::SyncExceptionList(list) => list.user,
            Request::AuditLog(log) => log.user,
            Request::DrillRun(drill) => drill.user,
            Request::AuditWarnings(warnings) => Some(warnings.user),
            Request::AuditExport(export) => export.user,
            _ => None,
        }
    }

    /// Whether the request punishes whom it names, so that ranks count.
    pub fn punishes(&self) -> bool {
        matches!(
            self.request,
            Request::Ban(_) | Request::Kick(_) | Request::Mute(_) | Request::Timeout(_) | Request::Warn(_)
        )
    }
}

/// Hides which account of the machine an operator has, and what they typed on the command line: in a guild that is nobody's
/// business, and what is asked for there alone may name other accounts and guilds.
pub fn conceal(entry: &mut AuditEntry) {
    if entry.actor.as_ref().is_some_and(|actor| is_operator(actor.raw())) {
        entry.parameters = None;
        entry.message = None;
    }
    entry.actor = entry.actor.as_ref().map(concealed);
}

/// The name that somebody has in the audit, as it is told in a guild.
pub fn concealed(name: &Untrusted) -> Untrusted {
    match is_operator(name.raw()) {
        true => Untrusted::clipped("an operator"),
        false => name.clone(),
    }
}
