//! The guilds that sessions have named and not told of yet. Until they have, nobody can say which guild is there.

use crate::discord::event::GatewayEvent;
use crate::discord::event::GuildView;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use wayhaven_shared::value::GuildId;

/// How often it is asked whether guilds are late.
pub(super) const TICK: Duration = Duration::from_secs(1);

/// After so many ticks without another guild, after READY or the one before, a shard counts as ready without those
/// that miss: of thousands each takes its time. Ticks and no span: a process that stood still has heard nothing
/// meanwhile, whatever Discord said, and counts that as one.
const GUILDS_COME_WITHIN: u32 = 5;

/// One shard's guilds.
#[derive(Default)]
struct Shard {
    missing: HashSet<GuildId>,
    /// While guilds are waited for: for how many ticks more.
    patience: Option<u32>,
    /// Events of guilds that have come and are not stored yet: whatever takes so long, it is not Discord.
    on_their_way: usize,
    ready: bool,
}

impl Shard {
    /// Whether the guild was waited for.
    fn came(&mut self, guild: GuildId) -> bool {
        let waited_for = self.missing.remove(&guild);
        if waited_for {
            self.patience = Some(GUILDS_COME_WITHIN);
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

    /// Notes that an event of a shard has come, and will be noted by itself once it is stored.
    pub(super) fn expect(&mut self, number: u32) {
        if let Some(shard) = self.shards.get_mut(&number) {
            shard.on_their_way += 1;
        }
    }

    /// Notes an event of a shard that was expected. Whether it is a guild that came although nobody waited for it.
    pub(super) fn note(&mut self, number: u32, event: &GatewayEvent) -> bool {
        let Some(shard) = self.shards.get_mut(&number) else { return false };
        shard.on_their_way = shard.on_their_way.saturating_sub(1);
        match event {
            GatewayEvent::Ready { guilds, .. } => {
                shard.missing = guilds.iter().copied().collect();
                shard.patience = Some(GUILDS_COME_WITHIN);
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
            *shard = Shard { on_their_way: shard.on_their_way, ..Shard::default() };
        }
    }

    /// Whether guilds are waited for.
    pub(super) fn is_waiting(&self) -> bool {
        self.shards.values().any(|shard| shard.patience.is_some())
    }

    /// A tick has passed, at the end of which nothing that had come was left to be looked at.
    pub(super) fn tick(&mut self) {
        for shard in self.shards.values_mut().filter(|shard| shard.on_their_way == 0) {
            shard.patience = shard.patience.map(|patience| patience.saturating_sub(1));
        }
    }

    /// The shards whose guilds are all here, or late enough, each once per session.
    pub(super) fn arrived(&mut self) -> Vec<u32> {
        let mut arrived = Vec::new();
        for (number, shard) in &mut self.shards {
            let Some(patience) = shard.patience else { continue };
            if shard.missing.is_empty() || patience == 0 {
                *shard = Shard { ready: true, on_their_way: shard.on_their_way, ..Shard::default() };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn named(guild: u64) -> GuildId {
        GuildId::new(guild).unwrap()
    }

    fn gone(guild: u64) -> GatewayEvent {
        GatewayEvent::GuildGone { guild: named(guild), outage: true }
    }

    #[test]
    fn a_guild_is_late_where_discord_is_and_not_where_we_are() {
        let mut arrivals = Arrivals::new(1);
        let hear = |arrivals: &mut Arrivals, event: &GatewayEvent| {
            arrivals.expect(0);
            arrivals.note(0, event)
        };
        let ticks = |arrivals: &mut Arrivals, count| {
            (0..count).for_each(|_| arrivals.tick());
            arrivals.arrived()
        };
        let guilds = vec![named(1), named(2), named(3)];
        let me = wayhaven_shared::value::UserId::new(9).unwrap();
        hear(&mut arrivals, &GatewayEvent::Ready { me, shard: (0, 1), guilds });
        assert!(arrivals.is_waiting());
        // The first has come and is being stored, however long that takes.
        arrivals.expect(0);
        assert!(ticks(&mut arrivals, GUILDS_COME_WITHIN * 2).is_empty());
        arrivals.note(0, &gone(1));
        // Each gives the next its time.
        assert!(ticks(&mut arrivals, GUILDS_COME_WITHIN - 1).is_empty());
        hear(&mut arrivals, &gone(2));
        assert!(ticks(&mut arrivals, GUILDS_COME_WITHIN - 1).is_empty());
        assert_eq!(ticks(&mut arrivals, 1), [0]);
        assert!(arrivals.complete() && !arrivals.is_waiting());
    }
}
