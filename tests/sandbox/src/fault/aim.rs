//! What a fault without an `at` is narrowed to.

use serde::Deserialize;

use super::Asked;
use crate::gateway::session::Session;
use crate::wire;
use crate::world::Event;

/// Where a fault is to act, and how often. What is left out matches everything; what a thing does not have does not
/// match: no event has a shard, no session a user.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aim {
    /// Guild id; of a session, that it gets the guild's events.
    #[serde(deserialize_with = "wire::optional_id")]
    pub guild: Option<u64>,
    /// User id; of an event, whom it tells of.
    #[serde(deserialize_with = "wire::optional_id")]
    pub user: Option<u64>,
    /// Number of a shard, for troubles of the gateway.
    pub shard: Option<u64>,
    /// How often; without it, until cleared. Of the gateway's troubles it counts resumes and READYs only.
    pub times: Option<u32>,
}

impl Aim {
    /// Both at once; what the other names goes before.
    pub(super) fn narrowed(&self, by: &Self) -> Self {
        Self {
            guild: by.guild.or(self.guild),
            user: by.user.or(self.user),
            shard: by.shard.or(self.shard),
            times: by.times.or(self.times),
        }
    }

    pub(super) fn fits_request(&self, request: &Asked<'_>) -> bool {
        self.shard.is_none()
            && self.guild.is_none_or(|guild| request.guild == Some(guild))
            && self.user.is_none_or(|user| request.is_about(user))
    }

    pub(super) fn fits_event(&self, event: &Event) -> bool {
        self.shard.is_none()
            && self.guild.is_none_or(|guild| event.guild == Some(guild))
            && self.user.is_none_or(|user| event.about() == Some(user))
    }

    /// Whether it is meant for connections of a shard; without one, of those that did not say theirs yet.
    pub(crate) fn fits_shard(&self, shard: Option<(u64, u64)>) -> bool {
        self.user.is_none()
            && self.shard.is_none_or(|wanted| shard.is_some_and(|(id, _)| id == wanted))
            && self.guild.is_none_or(|guild| shard.is_some_and(|shard| Session::is_of(shard, Some(guild))))
    }
}
