//! The lanes: one per guild, in order, one request of a guild at a time.
//!
//! Everything in here is also in the store: a lane holds what is open so that it need not be read again. One
//! task owns all lanes; attempts run beside it and report back.

use super::attempt::{Next, Tools, attempt};
use crate::store::{Queued, Scope, Settlement, Severity};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::{DeliveryId, GuildId};

/// Requests on the way at once, over all guilds: each is a connection, and a process has 1,024 files.
const AT_ONCE: usize = 256;

enum Message {
    Enqueue(Vec<Queued>),
    Finished(Box<Finished>),
    Mended(GuildId),
    Drain(oneshot::Sender<()>),
}

struct Finished {
    delivery: Queued,
    settlement: Option<Settlement>,
    next: Next,
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    messages: mpsc::UnboundedSender<Message>,
}

#[derive(Default)]
struct Lane {
    queue: VecDeque<Queued>,
    /// Deliveries that wait for somebody to mend the guild.
    parked: Vec<Queued>,
    busy: bool,
    not_before: Option<Instant>,
    /// Why nothing goes on here.
    shut: Option<String>,
    /// Whether the guild was mended while a request was on the way, whose refusal may be of before.
    mended: bool,
}

struct Lanes {
    tools: Tools,
    messages: mpsc::UnboundedSender<Message>,
    lanes: HashMap<GuildId, Lane>,
    wakes: BinaryHeap<Reverse<(Instant, GuildId)>>,
    at_once: Arc<Semaphore>,
    on_the_way: usize,
    halted: bool,
    drained: Vec<oneshot::Sender<()>>,
}

impl Engine {
    /// Starts the engine with what the store has open.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn start(tools: Tools) -> Result<Self, Fault> {
        let open = tools.store.write(|change| {
            change.suspect_open_deliveries()?;
            Ok(change.open_deliveries()?)
        });
        let open = open.await?;
        let (messages, inbox) = mpsc::unbounded_channel();
        let lanes = Lanes {
            tools,
            messages: messages.clone(),
            lanes: HashMap::new(),
            wakes: BinaryHeap::new(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            on_the_way: 0,
            halted: false,
            drained: Vec::new(),
        };
        tokio::spawn(lanes.run(inbox));
        let engine = Self { messages };
        // What was blocked is tried once more: it may have been mended while we were away.
        engine.enqueue(open.into_iter().filter(|one| one.state != DeliveryState::Held).collect());
        Ok(engine)
    }

    /// Takes deliveries that are committed.
    pub fn enqueue(&self, deliveries: Vec<Queued>) {
        if !deliveries.is_empty() {
            // The engine lives as long as the daemon; where it is gone, the store still has them.
            let _ = self.messages.send(Message::Enqueue(deliveries));
        }
    }

    /// What the bot may do in the guild has changed: what is blocked there is tried again.
    pub fn mended(&self, guild: GuildId) {
        let _ = self.messages.send(Message::Mended(guild));
    }

    /// Waits until nothing moves any more.
    pub async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.messages.send(Message::Drain(done)).is_ok() {
            let _ = drained.await;
        }
    }
}

impl Lanes {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Message>) {
        loop {
            let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => return,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    if let Some(Reverse((_, guild))) = self.wakes.pop() {
                        self.advance(guild);
                    }
                }
            }
            if self.is_still() {
                for done in self.drained.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Enqueue(deliveries) => {
                let mut refused = Vec::new();
                for delivery in deliveries {
                    let guild = delivery.guild;
                    let lane = self.lanes.entry(guild).or_default();
                    // The store has superseded what was open for this user; so has the lane.
                    lane.queue.retain(|older| older.user != delivery.user);
                    lane.parked.retain(|older| older.user != delivery.user);
                    match &lane.shut {
                        Some(reason) => {
                            refused.push((delivery.id, blocked(reason, delivery.attempts)));
                            lane.parked.push(delivery);
                        }
                        None => {
                            lane.queue.push_back(delivery);
                            self.advance(guild);
                        }
                    }
                }
                self.settle(refused).await;
            }
            Message::Finished(finished) => self.finish(*finished).await,
            Message::Mended(guild) => {
                if let Some(lane) = self.lanes.get_mut(&guild) {
                    lane.shut = None;
                    lane.mended = lane.busy;
                    let mut parked = std::mem::take(&mut lane.parked);
                    parked.sort_by_key(|delivery| delivery.id);
                    parked.into_iter().rev().for_each(|delivery| lane.queue.push_front(delivery));
                    self.advance(guild);
                }
            }
            Message::Drain(done) => self.drained.push(done),
        }
    }

    /// Sends the lane's next delivery, if it may.
    fn advance(&mut self, guild: GuildId) {
        let Some(lane) = self.lanes.get_mut(&guild) else { return };
        if lane.busy || self.halted {
            return;
        }
        if let Some(at) = lane.not_before.filter(|at| *at > Instant::now()) {
            self.wakes.push(Reverse((at, guild)));
            return;
        }
        lane.not_before = None;
        let Some(delivery) = lane.queue.pop_front() else {
            if lane.parked.is_empty() && lane.shut.is_none() {
                self.lanes.remove(&guild);
            }
            return;
        };
        lane.busy = true;
        self.on_the_way += 1;
        let (tools, messages, at_once) =
            (self.tools.clone(), self.messages.clone(), Arc::clone(&self.at_once));
        tokio::spawn(async move {
            // What a person waits for does not queue behind hundreds of children.
            let _turn = match delivery.scope {
                Scope::Origin => None,
                Scope::Child(_) => at_once.acquire().await.ok(),
            };
            let (settlement, next) = attempt(&tools, &delivery).await;
            let _ = messages.send(Message::Finished(Box::new(Finished { delivery, settlement, next })));
        });
    }

    async fn finish(&mut self, finished: Finished) {
        let Finished { mut delivery, settlement, next } = finished;
        let guild = delivery.guild;
        self.on_the_way -= 1;
        let mut settlements = Vec::new();
        if let Some(settlement) = settlement {
            delivery.attempts = settlement.attempts;
            settlements.push((delivery.id, settlement));
        }
        let lane = self.lanes.entry(guild).or_default();
        lane.busy = false;
        let next = match next {
            // Refused for what may be mended by now: once more tells.
            Next::Park | Next::Shut(_) if std::mem::take(&mut lane.mended) => Next::Again(super::backoff(0)),
            next => next,
        };
        lane.mended = false;
        // Something newer for this user came meanwhile: this one is not tried again.
        let overtaken = lane.queue.iter().chain(&lane.parked).any(|newer| newer.user == delivery.user);
        let mut alert = None;
        match next {
            Next::Forward => {}
            _ if overtaken => {}
            Next::Again(wait) => {
                lane.not_before = Some(Instant::now() + wait);
                lane.queue.push_front(delivery);
            }
            Next::Park => lane.parked.push(delivery),
            Next::Shut(reason) => {
                lane.parked.push(delivery);
                for waiting in lane.queue.drain(..) {
                    settlements.push((waiting.id, blocked(&reason, waiting.attempts)));
                    lane.parked.push(waiting);
                }
                lane.shut = Some(reason.clone());
                alert = Some(reason);
            }
            Next::Halt => {
                self.halted = true;
                lane.queue.push_front(delivery);
            }
        }
        if let Some(reason) = alert {
            let details = format!("deliveries to guild {guild} are blocked: {reason}");
            let alert = move |change: &crate::store::Change<'_>| {
                Ok(change.alert("delivery_blocked", Severity::Medium, Some(guild), None, &details)?)
            };
            self.tools.store.write_later("an alert", alert).await;
        }
        self.settle(settlements).await;
        self.advance(guild);
    }

    /// Records what became of deliveries. The lane does not wait for the commit: should it be lost, a restart
    /// does the same once more, which is harmless.
    async fn settle(&self, settlements: Vec<(DeliveryId, Settlement)>) {
        if settlements.is_empty() {
            return;
        }
        let work = move |change: &crate::store::Change<'_>| {
            for (id, settlement) in &settlements {
                change.settle(*id, settlement)?;
            }
            Ok(())
        };
        self.tools.store.write_later("outcomes of deliveries", work).await;
    }

    /// Whether nothing moves: what waits for a person, or for hours, is not waited for.
    fn is_still(&self) -> bool {
        self.on_the_way == 0
            && (self.halted
                || self.lanes.values().all(|lane| lane.queue.is_empty() || lane.not_before.is_some()))
    }
}

fn blocked(reason: &str, attempts: u32) -> Settlement {
    Settlement { state: DeliveryState::Blocked, reason: Some(reason.to_owned()), attempts }
}
