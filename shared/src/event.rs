//! What `watch` streams: everything that changes, in the order in which it was committed.

use crate::names::{Mentions, Names};
use crate::operations::alert::{Alert, Severity};
use crate::operations::exception::Exception;
use crate::operations::incident::Incident;
use crate::operations::job::Job;
use crate::operations::punishment::{Delivery, Punishment};
use crate::operations::setup::Link;
use crate::operations::status::Connection;
use crate::operations::told::Told;
use crate::value::{AlertId, GuildId, PunishmentId, Timestamp, Untrusted, UserId};
use serde::{Deserialize, Serialize};

/// A place in the event stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Which store the sequence counts in: a restored store has another.
    pub epoch: String,
    /// The last event seen.
    pub sequence: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place; greater than that of every event committed before.
    pub sequence: u64,
    /// When it was committed.
    pub at: Timestamp,
    /// What changed.
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// A punishment was stored.
    Punishment {
        /// It.
        punishment: Punishment,
    },
    /// A delivery was stored or changed its state.
    Delivery {
        /// As it is now.
        delivery: Delivery,
    },
    /// How a punishment went where it was decided.
    Origin {
        /// As it is now, in the shape of a delivery to that guild.
        delivery: Delivery,
    },
    /// Whether the user of a punishment was told of it is known now.
    Told {
        /// The punishment.
        punishment_id: PunishmentId,
        /// How it ended.
        told: Told,
    },
    /// A link was made or closed, or a guild became a main.
    Network {
        /// The link, where it was one.
        link: Option<Link>,
    },
    /// A guild came, went, or was renamed.
    Guild {
        /// Which.
        guild_id: GuildId,
        /// Its name, where it is known.
        name: Option<Untrusted>,
        /// `ok`, `unavailable` or `absent`.
        presence: String,
    },
    /// The doctor found something else than before in a guild.
    Examined {
        /// The guild.
        guild_id: GuildId,
        /// The names of what stops deliveries there; empty where nothing does any more.
        ills: Vec<String>,
    },
    /// A job began, has come further, or ended.
    Job {
        /// As it is now.
        job: Box<Job>,
    },
    /// A guild does not apply a measure to somebody from now on, or does again.
    Exception {
        /// As it is, or was.
        exception: Exception,
        /// Whether it has ended.
        ended: bool,
    },
    /// What a child's staff did in their own guild, or another bot in a main, and what stays there.
    Contained {
        /// Where.
        guild_id: GuildId,
        /// What was done, as in Discord's audit log: `ban`, `unban`.
        action: String,
        /// To whom.
        user_id: UserId,
        /// By whom, where Discord says.
        by: Option<UserId>,
    },
    /// A security alert was raised or counted again.
    Alert {
        /// Its number; nothing where a daemon that was older has told it.
        #[serde(default)]
        id: Option<AlertId>,
        /// Its kind.
        kind: String,
        /// How urgent it is.
        #[serde(default)]
        severity: Option<Severity>,
        /// The guild it is about.
        guild_id: Option<GuildId>,
        /// What happened.
        details: Untrusted,
        /// How often by now.
        count: u64,
    },
    /// Somebody has taken an alert off the list.
    AlertResolved {
        /// It.
        alert: Box<Alert>,
    },
    /// An incident was opened or closed.
    Incident {
        /// As it is now.
        incident: Box<Incident>,
    },
    /// The connection to Discord changed.
    Discord {
        /// As it is now.
        connection: Connection,
    },
    /// Something a newer daemon tells and this version does not know.
    #[serde(other)]
    Other,
}

impl Change {
    /// Adds the users and guilds that it mentions.
    pub fn mentions(&self, mentions: &mut Mentions) {
        match self {
            Self::Punishment { punishment } => {
                mentions.guilds.insert(punishment.guild_id);
                mentions.users.insert(punishment.user_id);
                mentions.users.extend(punishment.moderator_id);
            }
            Self::Delivery { delivery } | Self::Origin { delivery } => {
                mentions.guilds.insert(delivery.guild_id);
                mentions.users.insert(delivery.user_id);
                delivery.reason.iter().for_each(|reason| mentions.quote(reason));
            }
            Self::Contained { guild_id, user_id, by, .. } => {
                mentions.guilds.insert(*guild_id);
                mentions.users.extend([Some(*user_id), *by].into_iter().flatten());
            }
            Self::Exception { exception, .. } => {
                mentions.guilds.insert(exception.guild_id);
                mentions.users.insert(exception.user_id);
            }
            Self::Alert { guild_id, details, .. } => {
                mentions.guilds.extend(*guild_id);
                mentions.quote(details.raw());
            }
            Self::Job { job } => {
                mentions.guilds.extend([job.guild_id, job.main_guild_id].into_iter().flatten())
            }
            Self::Examined { guild_id, .. } => drop(mentions.guilds.insert(*guild_id)),
            Self::Incident { incident } => drop(mentions.guilds.insert(incident.guild_id)),
            Self::Told { .. }
            | Self::Network { .. }
            | Self::Guild { .. }
            | Self::AlertResolved { .. }
            | Self::Discord { .. }
            | Self::Other => {}
        }
    }
}

/// What a long poll brought.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The events after the cursor, oldest first; none when the wait ran out.
    pub events: Vec<Event>,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether events between the cursor and the first one here are gone: read everything anew.
    pub gap: bool,
    /// Names of the users and guilds that the events mention, as far as they are known.
    #[serde(default, skip_serializing_if = "Names::is_empty")]
    pub names: Names,
}
