//! Who asks for what, from where. Identity is made at the edge, from the interaction's member or the socket
//! peer's credentials, and travels in here; no handler reads it from anywhere else.

use crate::daemon::Daemon;
use crate::discord::attachment::Attachment;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::control::{ClientSurface, Role};
use wayhaven_shared::names::beside;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::punishment::Origin;
use wayhaven_shared::value::{ChannelId, GuildId, PunishmentId, RoleId, UploadId, UserId};

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

/// What a handler works with.
#[derive(Clone)]
pub struct Context {
    /// The daemon.
    pub daemon: Arc<Daemon>,
    /// The request and who asked.
    pub invocation: Arc<Invocation>,
}

impl Context {
    /// The guild in which it is asked for.
    ///
    /// # Errors
    /// Where an operator named none, or one that Wayhaven knows nothing of.
    pub fn guild(&self) -> Result<GuildId, Fault> {
        let topology = self.daemon.store().topology();
        let Some(guild) = self.invocation.guild else {
            let named =
                |main: GuildId| beside(self.daemon.directory().name(main).as_ref(), &main.to_string());
            let mains: Vec<_> = topology.mains().map(named).collect();
            let fault = Fault::usage("this needs a guild: say which with --guild");
            return Err(if mains.is_empty() {
                fault
            } else {
                fault.hint(format!("mains: {}", mains.join(", ")))
            });
        };
        let known = topology.is_main(guild)
            || topology.is_child(guild)
            || self.daemon.directory().presence(guild).is_some()
            || !self.daemon.is_ready();
        if known {
            return Ok(guild);
        }
        Err(Fault::not_found(format!("the bot is in no guild {guild}")).hint(
            "setup dashboard lists the guilds of the networks; the bot has to be invited to others first",
        ))
    }

    /// What the caller may see: members only their own guild, operators the guild they named, or all.
    pub fn scope(&self) -> Option<GuildId> {
        self.invocation.guild
    }

    /// Whether the caller is confined to the guild in which they ask.
    pub fn is_member(&self) -> bool {
        matches!(self.invocation.actor, Actor::Member { .. })
    }
}
