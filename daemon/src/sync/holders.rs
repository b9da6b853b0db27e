//! Who holds the roles that guilds protect. Whoever was kicked or banned by hand is no member any more when their
//! moderator's deed is judged, so it has to be known before: read from Discord where a role is put on a list and
//! whenever a guild comes, and followed by the gateway's events in between. Who leaves stays a holder until the next
//! reading, and that one waits until the guild's audit log is read: what was done while nobody listened is judged by
//! what was known before.
//!
//! All of it needs the members intent, and concerns only guilds that protect roles.

use super::attempt::Tools;
use super::gap::Gaps;
use crate::backoff::backoff;
use crate::discord::rest::Outcome;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use wayhaven_shared::Fault;
use wayhaven_shared::value::{GuildId, RoleId, UserId};

/// A reading that goes on.
#[derive(Default)]
struct Reading {
    /// What was told of members meanwhile: newer than what is read.
    told: HashMap<UserId, Vec<RoleId>>,
    /// Whether it is to be read once more: a role was put on the list meanwhile.
    again: bool,
}

/// Keeps track of who holds protected roles. Cheap to clone.
#[derive(Clone)]
pub struct Holders {
    tools: Tools,
    gaps: Gaps,
    readings: Arc<Mutex<HashMap<GuildId, Reading>>>,
}

impl Holders {
    /// With nothing read.
    pub fn new(tools: Tools, gaps: Gaps) -> Self {
        Self { tools, gaps, readings: Arc::default() }
    }

    fn readings(&self) -> MutexGuard<'_, HashMap<GuildId, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The guilds whose holders have to be known.
    pub fn guilds(&self) -> Vec<GuildId> {
        self.tools.services.store().topology().protection().with_roles().collect()
    }

    /// Whether the guild's holders are being read.
    pub fn is_reading(&self, guild: GuildId) -> bool {
        self.readings().contains_key(&guild)
    }

    /// Reads who holds the guild's protected roles, once what its audit log has to tell is worked; nothing where it
    /// protects none.
    pub fn fill(&self, guild: GuildId) {
        if !self.tools.services.store().topology().protection().has_roles(guild) {
            return;
        }
        if let Some(reading) = self.readings().get_mut(&guild) {
            reading.again = true;
            return;
        }
        self.readings().insert(guild, Reading::default());
        let holders = self.clone();
        tokio::spawn(async move {
            loop {
                holders.gaps.idle().await;
                if let Err(fault) = holders.read(guild).await {
                    tracing::error!(%guild, "who holds its protected roles is not stored: {fault}");
                }
                let mut readings = holders.readings();
                match readings.get_mut(&guild) {
                    Some(reading) if reading.again => reading.again = false,
                    _ => break drop(readings.remove(&guild)),
                }
            }
        });
    }

    /// Remembers which roles a member has now: to be handed to the store in the order of the events.
    pub fn told(
        &self,
        guild: GuildId,
        user: UserId,
        roles: Vec<RoleId>,
    ) -> Option<impl FnOnce(&crate::store::Change<'_>) -> Result<(), Fault> + Send + 'static> {
        if !self.tools.services.store().topology().protection().has_roles(guild) {
            return None;
        }
        if let Some(reading) = self.readings().get_mut(&guild) {
            reading.told.insert(user, roles.clone());
        }
        Some(move |change: &crate::store::Change<'_>| Ok(change.note_holder(guild, user, &roles)?))
    }

    async fn read(&self, guild: GuildId) -> Result<(), Fault> {
        let mut found: HashMap<UserId, Vec<RoleId>> = HashMap::new();
        let (mut after, mut failures) = (None, 0);
        loop {
            match self.tools.services.rest().members_after(guild, after).await {
                Ok(page) => {
                    failures = 0;
                    let Some(last) = page.last() else { break };
                    after = Some(last.user);
                    let topology = self.tools.services.store().topology();
                    let holders = page
                        .into_iter()
                        .map(|listed| (listed.user, listed.roles))
                        .filter(|(_, roles)| topology.protection().by_roles(guild, roles).is_some());
                    found.extend(holders);
                }
                Err(error) if matches!(error.outcome(), Outcome::Retry | Outcome::Unknown) => {
                    failures += 1;
                    tokio::time::sleep(backoff(failures + 4)).await;
                }
                // The daemon stops, or waits for another token: what was known stays.
                Err(error) if error.outcome() == Outcome::Stopped => return Ok(()),
                Err(error) => {
                    // Without the members intent nothing tells of changes either: what was known goes stale.
                    tracing::warn!(%guild, "who holds its protected roles is not known: {}", error.reason());
                    found.clear();
                    break;
                }
            }
        }
        let holders = self.clone();
        let write = move |change: &crate::store::Change<'_>| {
            if let Some(reading) = holders.readings().get_mut(&guild) {
                found.extend(std::mem::take(&mut reading.told));
            }
            Ok(change.replace_holders(guild, found)?)
        };
        self.tools.services.store().write(write).await
    }
}
