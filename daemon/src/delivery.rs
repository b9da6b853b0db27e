//! An open delivery: what its gates judge, and what its request needs.

use std::sync::Arc;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{
    DeliveryId, GuildId, HoldId, LinkId, PunishmentId, RoleId, Timestamp, Untrusted, UserId,
};

/// Why a delivery about a user whom Discord does not know has failed, in our words.
pub const UNKNOWN_USER: &str = "404 Discord knows no such user";

/// Whether a delivery goes to the guild it was decided in, or to a child of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The guild where it was decided: not a delivery to anybody, but as durable as one.
    Origin,
    /// A child, by this link.
    Child(LinkId),
}

impl Scope {
    /// The word for it in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Child(_) => "child",
        }
    }
}

/// An open delivery with what its request needs.
#[derive(Clone, Debug)]
pub struct Queued {
    /// The delivery.
    pub id: DeliveryId,
    /// Its punishment.
    pub punishment: PunishmentId,
    /// Where the punishment was decided.
    pub source: GuildId,
    /// Where it goes.
    pub guild: GuildId,
    /// Origin or child.
    pub scope: Scope,
    /// What it does.
    pub action: Action,
    /// To whom.
    pub user: UserId,
    /// Why; shared by all deliveries of a punishment.
    pub reason: Option<Arc<Untrusted>>,
    /// How many seconds of messages a ban deletes.
    pub delete_seconds: u32,
    /// When it ends: a timeout's end.
    pub until: Option<Timestamp>,
    /// Requests that left for it so far.
    pub attempts: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Not before then.
    pub not_before: Option<Timestamp>,
    /// Whether nobody waits for it: a ban of a backfill.
    pub trickle: bool,
    /// Whether a bulk ban came back without it: it goes alone, and Discord is asked first. Not stored.
    pub alone: bool,
    /// The punishment that led to its own: nobody waits for what follows by itself, or by the hundred.
    pub because: Option<PunishmentId>,
    /// What it waits for, or has waited for: somebody's approval.
    pub hold: Option<HoldId>,
    /// The newest delivery whose place it takes, where it is applied again after others were stored.
    pub instead_of: Option<DeliveryId>,
    /// What is known of an earlier refusal. Not stored.
    pub doubt: Doubt,
}

/// What is known of an earlier refusal of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Discord refused it before: it is asked for the cause before anything is sent again, since refusals are counted.
    pub asks_first: bool,
    /// Whether an alert has told of it.
    pub told: bool,
    /// The roles that the user had where Discord refused because of their rank.
    pub outranked_by: Option<Vec<RoleId>>,
}
