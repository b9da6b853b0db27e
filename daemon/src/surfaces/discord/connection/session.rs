//! What one connection brings, worked in order until it closes.

use super::arrivals::{Arrivals, TICK};
use super::tell;
use crate::discord::event::GatewayEvent;
use crate::discord::gateway::{Lost, News, Pulse, Seen, What};
use crate::store::Severity;
use crate::surfaces::discord::identify::Identifies;
use crate::sync::gap::Which;
use crate::sync::ingest::Committed;
use crate::systems::Systems;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use wayhaven_shared::operations::status::ConnectionState;
use wayhaven_shared::value::GuildId;

/// How many events may be on their way into the store: enough to share its commits, few enough to be lost at a kill
/// and read again.
const ON_THEIR_WAY: usize = 256;

/// One connection, of all its shards.
pub(super) struct Session {
    pub(super) systems: Arc<Systems>,
    pub(super) shards: u32,
    pub(super) arrivals: Mutex<Arrivals>,
    pub(super) lost: Arc<Lost>,
    pub(super) pulses: Arc<[Pulse]>,
    pub(super) identifies: Identifies,
    pub(super) news: mpsc::UnboundedSender<News>,
}

/// An event that was committed, and what of it matters for arrivals.
struct Worked {
    shard: u32,
    arrival: Option<GatewayEvent>,
    committed: Committed,
}

impl Session {
    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works events until no more come. They are handed to the store as they come, and what follows is done in the same
    /// order after their commits.
    pub(super) async fn follow(&self, mut inbox: mpsc::Receiver<Seen>, attempts: &mut u32) {
        let mut on_their_way: FuturesOrdered<BoxFuture<'static, Worked>> = FuturesOrdered::new();
        let mut open = true;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while open || !on_their_way.is_empty() {
            let waiting = self.arrivals().is_waiting();
            if !waiting {
                // So that the first one is whole too.
                ticks.reset();
            }
            let room = on_their_way.len() < ON_THEIR_WAY;
            tokio::select! {
                biased;
                Some(worked) = on_their_way.next(), if !on_their_way.is_empty() => self.settle(worked),
                seen = inbox.recv(), if open && room => match seen {
                    Some(seen) => {
                        self.look_for_losses().await;
                        if let Some(worked) = self.take(seen).await {
                            on_their_way.push_back(worked);
                        }
                    }
                    None => open = false,
                },
                // Last: only where nothing that has come waits to be looked at.
                _ = ticks.tick(), if waiting && room => self.arrivals().tick(),
            }
            self.welcome(attempts).await;
        }
    }

    /// Hears what the shards tell of themselves.
    pub(super) async fn hear(self: Arc<Self>, mut news: mpsc::UnboundedReceiver<News>) {
        while let Some(told) = news.recv().await {
            match told {
                News::Identify(shard, answer) => {
                    let session = Arc::clone(&self);
                    tokio::spawn(async move {
                        let waits = |why| drop(session.news.send(News::Down(shard, why)));
                        let mut answer = answer;
                        let leave = tokio::select! {
                            leave = session.identifies.leave(&session.systems.services, shard, waits) => leave,
                            // The connection has ended meanwhile.
                            () = answer.closed() => return,
                        };
                        let _ = answer.send(leave);
                    });
                }
                News::Down(shard, why) => {
                    self.arrivals().is_down(shard);
                    tell(&self.systems.services, ConnectionState::Connecting, Some(why)).await;
                }
            }
        }
    }

    /// Hands one event to the store.
    async fn take(&self, seen: Seen) -> Option<BoxFuture<'static, Worked>> {
        let Seen { shard, what } = seen;
        let gaps = self.systems.ingest.gaps();
        match what {
            What::Event(event) => {
                #[cfg(test)]
                crate::failpoint::reach(
                    crate::failpoint::Point::Event,
                    match &event {
                        GatewayEvent::Ban { user, .. } => Some(*user),
                        GatewayEvent::Entry(entry) => Some(entry.user),
                        _ => None,
                    },
                );
                if let GatewayEvent::Ready { .. } = &event {
                    // A session that begins: what happened since the last one was not told.
                    gaps.open(Which::Shard(shard, self.shards));
                }
                let arrival = matches!(
                    event,
                    GatewayEvent::Ready { .. } | GatewayEvent::GuildHere(_) | GatewayEvent::GuildGone { .. }
                );
                let arrival = arrival.then(|| event.clone());
                if arrival.is_some() {
                    self.arrivals().expect(shard);
                }
                let taken = self.systems.ingest.take(event).await;
                let worked = async move { Worked { shard, arrival, committed: taken.committed().await } };
                Some(Box::pin(worked))
            }
            What::CaughtUp(connection) => {
                // Whatever came before it was handed to the store.
                self.systems.services.directory().sight().caught_up(shard, connection);
                None
            }
            What::Unreadable(unreadable) => {
                tracing::error!("an event is not understood: {unreadable}");
                let which = unreadable.guild.map_or(Which::Shard(shard, self.shards), Which::Guild);
                self.alert("event_not_understood", unreadable.guild, unreadable.to_string()).await;
                gaps.open(which);
                gaps.fill(which);
                None
            }
        }
    }

    fn settle(&self, worked: Worked) {
        self.systems.ingest.follow(worked.committed);
        let Some(event) = worked.arrival else { return };
        let unexpected = self.arrivals().note(worked.shard, &event);
        if unexpected && let GatewayEvent::GuildHere(view) = event {
            // Back from an outage, or invited again: nothing was told of it meanwhile.
            let gaps = self.systems.ingest.gaps();
            gaps.open(Which::Guild(view.id));
            gaps.fill(Which::Guild(view.id));
            // Behind the log in the same queue: it is judged by what was known before.
            self.systems.ingest.holders().fill(view.id);
        }
    }

    /// Once a shard's guilds are all known, its gaps are filled; once all shards' are, the connection is ready.
    async fn welcome(&self, attempts: &mut u32) {
        let (arrived, complete) = {
            let mut arrivals = self.arrivals();
            (arrivals.arrived(), arrivals.complete())
        };
        for shard in &arrived {
            let which = Which::Shard(*shard, self.shards);
            self.systems.ingest.gaps().fill(which);
            let holders = self.systems.ingest.holders();
            holders
                .guilds()
                .into_iter()
                .filter(|guild| which.holds(*guild))
                .for_each(|guild| holders.fill(guild));
        }
        if !arrived.is_empty() && complete {
            *attempts = 0;
            tracing::info!(guilds = self.systems.services.directory().count(), "discord: ready");
            tell(&self.systems.services, ConnectionState::Ready, None).await;
        }
    }

    /// What had no room in the queue is lost: bans are read from the logs, and what was told of guilds and roles is
    /// told again to a new session.
    async fn look_for_losses(&self) {
        for (shard, stale) in self.lost.take() {
            tracing::error!(shard, "the queue of events overflowed: some are lost");
            self.alert("event_gap", None, "the queue of gateway events overflowed".to_owned()).await;
            let which = Which::Shard(shard, self.shards);
            self.systems.ingest.gaps().open(which);
            match self.pulses.get(shard as usize).filter(|_| stale) {
                Some(pulse) => pulse.begin_anew(),
                None => self.systems.ingest.gaps().fill(which),
            }
        }
    }

    async fn alert(&self, kind: &'static str, guild: Option<GuildId>, details: String) {
        let work = move |change: &crate::store::Change<'_>| {
            Ok(change.alert(kind, Severity::High, guild, None, &details)?)
        };
        self.systems.services.store().write_later("an alert", work).await;
    }
}
