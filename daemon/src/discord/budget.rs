//! The request budget: Discord takes 50 requests a second from a bot (FACTS C1), and every request of ours shows
//! a [`Slot`] that it got from here.
//!
//! Slots are given out evenly, the most urgent request first, with no burst: then no window of a second sees
//! more than the limit, wherever Discord's windows begin. A global 429 pauses everything; a refused token stops
//! everything.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// How far behind its schedule the budget may catch up. A timer wakes up to a millisecond late, and without
/// this the lateness would add up; at 49 a second it is a quarter of a slot, so no second sees one too many.
const CATCH_UP: Duration = Duration::from_millis(5);

/// What a request is for, most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A person waits for it.
    Interactive,
    /// A punishment on its way.
    Enforcement,
    /// Reading what happened while we were away.
    Backfill,
    /// Everything else.
    Upkeep,
}

/// Leave for one request.
#[derive(Debug)]
pub struct Slot(());

/// Whether requests flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    PausedUntil(Instant),
    Stopped,
}

struct Waiter {
    order: Reverse<(Priority, u64)>,
    slot: oneshot::Sender<Slot>,
}

impl PartialEq for Waiter {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}
impl Eq for Waiter {}
impl PartialOrd for Waiter {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Waiter {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

/// The request budget. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    waiters: mpsc::UnboundedSender<(Priority, oneshot::Sender<Slot>)>,
    flow: watch::Sender<Flow>,
    per_second: u32,
}

impl Budget {
    /// A budget of so many requests a second. Must run inside a tokio runtime.
    pub fn new(per_second: u32) -> Self {
        let (waiters, queue) = mpsc::unbounded_channel();
        let (flow, follow) = watch::channel(Flow::Open);
        tokio::spawn(give_out(queue, follow, Duration::from_secs(1) / per_second.max(1)));
        Self { waiters, flow, per_second }
    }

    /// What goes to Discord at most, a second.
    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Waits for a slot; nothing once requests have been stopped.
    pub async fn slot(&self, priority: Priority) -> Option<Slot> {
        let (slot, receiver) = oneshot::channel();
        self.waiters.send((priority, slot)).ok()?;
        let mut flow = self.flow.subscribe();
        tokio::select! {
            slot = receiver => slot.ok(),
            _ = flow.wait_for(|flow| *flow == Flow::Stopped) => None,
        }
    }

    /// Lets no request out for so long: a global 429. A longer pause that is already on stays.
    pub fn pause(&self, span: Duration) {
        let until = Instant::now() + span;
        self.flow.send_if_modified(|flow| {
            let longer = match flow {
                Flow::Open => true,
                Flow::PausedUntil(now) => *now < until,
                Flow::Stopped => false,
            };
            if longer {
                *flow = Flow::PausedUntil(until);
            }
            longer
        });
    }

    /// How long nothing leaves yet, where a pause is on.
    pub fn paused_for(&self) -> Option<Duration> {
        match *self.flow.borrow() {
            Flow::PausedUntil(until) => {
                until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            }
            Flow::Open | Flow::Stopped => None,
        }
    }

    /// Lets no request out any more: the token was refused.
    pub fn stop(&self) {
        self.flow.send_replace(Flow::Stopped);
    }

    /// Waits until it is stopped.
    pub async fn stopped(&self) {
        // The sender lives as long as we do.
        let _ = self.flow.subscribe().wait_for(|flow| *flow == Flow::Stopped).await;
    }

    /// Whether it was stopped.
    pub fn is_stopped(&self) -> bool {
        *self.flow.borrow() == Flow::Stopped
    }
}

async fn give_out(
    mut queue: mpsc::UnboundedReceiver<(Priority, oneshot::Sender<Slot>)>,
    mut flow: watch::Receiver<Flow>,
    interval: Duration,
) {
    let mut waiting = BinaryHeap::new();
    let mut order = 0;
    let mut next = Instant::now();
    loop {
        let mut add = |waiting: &mut BinaryHeap<Waiter>, (priority, slot)| {
            order += 1;
            waiting.push(Waiter { order: Reverse((priority, order)), slot });
        };
        while let Ok(waiter) = queue.try_recv() {
            add(&mut waiting, waiter);
        }
        let now = Instant::now();
        let due = match *flow.borrow_and_update() {
            Flow::Open => next,
            Flow::PausedUntil(until) => next.max(until),
            Flow::Stopped => return,
        };
        if waiting.is_empty() || due > now {
            tokio::select! {
                waiter = queue.recv() => match waiter {
                    Some(waiter) => add(&mut waiting, waiter),
                    None => return,
                },
                _ = flow.changed() => {}
                () = sleep_until(due), if !waiting.is_empty() => {}
            }
            continue;
        }
        if let Some(waiter) = waiting.pop() {
            // Whoever gave up meanwhile costs no slot.
            if waiter.slot.send(Slot(())).is_ok() {
                next = next.max(now.checked_sub(CATCH_UP).unwrap_or(now)) + interval;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn slots_come_evenly_and_no_second_sees_more_than_the_limit() {
        let budget = Budget::new(49);
        let mut times = Vec::new();
        for _ in 0..200 {
            budget.slot(Priority::Enforcement).await.unwrap();
            times.push(Instant::now());
        }
        for (index, start) in times.iter().enumerate() {
            let within =
                times[index..].iter().filter(|time| **time < *start + Duration::from_secs(1)).count();
            assert!(within <= 50, "{within} in the second from slot {index}");
        }
        let took = times[199] - times[0];
        assert!(took <= Duration::from_millis(4_100), "{took:?} for what 4.06 s would do");
    }

    #[tokio::test(start_paused = true)]
    async fn the_most_urgent_goes_first_and_a_pause_holds_all() {
        let budget = Budget::new(10);
        budget.slot(Priority::Upkeep).await.unwrap();
        let start = Instant::now();
        budget.pause(Duration::from_secs(3));
        let ask = |priority| {
            let budget = budget.clone();
            async move {
                budget.slot(priority).await.unwrap();
                (priority, Instant::now())
            }
        };
        let (upkeep, interactive) = tokio::join!(ask(Priority::Upkeep), ask(Priority::Interactive));
        assert!(interactive.1 < upkeep.1);
        assert!(interactive.1 - start >= Duration::from_secs(3));
    }

    #[tokio::test(start_paused = true)]
    async fn once_stopped_nobody_gets_a_slot() {
        let budget = Budget::new(1);
        budget.slot(Priority::Upkeep).await.unwrap();
        let waiting = tokio::spawn({
            let budget = budget.clone();
            async move { budget.slot(Priority::Interactive).await.is_none() }
        });
        tokio::task::yield_now().await;
        budget.stop();
        assert!(waiting.await.unwrap());
        assert!(budget.slot(Priority::Interactive).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shorter_pause_does_not_end_a_longer_one() {
        let budget = Budget::new(1_000);
        budget.pause(Duration::from_secs(600));
        budget.pause(Duration::from_secs(1));
        assert_eq!(budget.paused_for(), Some(Duration::from_secs(600)));
    }
}
