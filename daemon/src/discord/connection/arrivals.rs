//! The guilds that sessions have named and not told of yet. Until they have, nobody can say which guild is there.

use crate::discord::event::GatewayEvent;
use crate::discord::event::GuildView;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::value::GuildId;

/// How long the next guild may take to arrive, after READY or the one before, until the shard counts as ready without
/// those that miss: of thousands each takes its time.
const GUILDS_COME_WITHIN: Duration = Duration::from_secs(5);

/// One shard's guilds.
#[derive(Default)]
struct Shard {
    missing: HashSet<GuildId>,
    /// While guilds are waited for.
    patience: Option<Instant>,
    ready: bool,
}

impl Shard {
    /// Whether the guild was waited for.
    fn came(&mut self, guild: GuildId) -> bool {
        let waited_for = self.missing.remove(&guild);
        if waited_for {
            self.patience = Some(Instant::now() + GUILDS_COME_WITHIN);
        }
        waited_for
    }
}

/// The arrivals of a connection.
pub(super) struct Arrivals {
    shards: BTreeMap<u32, Shard>,
}

impl Arrivals {
    /// Of so many shards.
    pub(super) fn new(shards: u32) -> Self {
        Self { shards: (0..shards.max(1)).map(|number| (number, Shard::default())).collect() }
    }

    /// Notes an event of a shard. Whether it is a guild that came although nobody waited for it.
    pub(super) fn note(&mut self, number: u32, event: &GatewayEvent) -> bool {
        let Some(shard) = self.shards.get_mut(&number) else { return false };
        match event {
            GatewayEvent::Ready { guilds, .. } => {
                shard.missing = guilds.iter().copied().collect();
                shard.patience = Some(Instant::now() + GUILDS_COME_WITHIN);
                false
            }
            GatewayEvent::GuildHere(GuildView { id: guild, .. }) => {
                !shard.came(*guild) && shard.patience.is_none()
            }
            GatewayEvent::GuildGone { guild, .. } => {
                shard.came(*guild);
                false
            }
            _ => false,
        }
    }

    /// A shard has no session, and gets none for now.
    pub(super) fn is_down(&mut self, number: u32) {
        if let Some(shard) = self.shards.get_mut(&number) {
            *shard = Shard::default();
        }
    }

    /// Until when guilds are waited for.
    pub(super) fn patience(&self) -> Option<Instant> {
        self.shards.values().filter_map(|shard| shard.patience).min()
    }

    /// The shards whose guilds are all here, or late enough, each once per session.
    pub(super) fn arrived(&mut self) -> Vec<u32> {
        let now = Instant::now();
        let mut arrived = Vec::new();
        for (number, shard) in &mut self.shards {
            let Some(patience) = shard.patience else { continue };
            if shard.missing.is_empty() || patience <= now {
                *shard = Shard { ready: true, ..Shard::default() };
                arrived.push(*number);
            }
        }
        arrived
    }

    /// Whether every shard has told of its guilds.
    pub(super) fn complete(&self) -> bool {
        self.shards.values().all(|shard| shard.ready)
    }
}
