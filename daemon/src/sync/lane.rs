//! One guild's deliveries: what goes next, and what waits for what. No clock, no store, no request of its own, so
//! that every turn of it can be tried in a test.

mod blame;
mod choice;
mod ranks;
mod refusals;
mod turn;

pub(super) use blame::Cause;
pub(super) use refusals::Refusal;
pub(super) use turn::{Alarm, Turn};

use super::attempt::{NON_MEMBER_WAIT, waiting_as};
use super::batch::{Batch, Kind};
use crate::discord::routes::Route;
use crate::store::{Queued, Scope, Settlement};
use choice::{Choice, choose};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{DeliveryId, PunishmentId, UserId};

/// Why nothing goes on in a guild until something changes there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shut {
    /// Somebody has to mend it: what waits is blocked, and says so.
    Blocked(String),
    /// Discord has an outage of the guild: what waits stays pending.
    Away,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Pick {
    /// Send this one.
    Send(Box<Queued>),
    /// Send these together, and who joins them before they leave.
    Gather(Arc<Batch>),
    /// Ask again then.
    Wait(Instant),
    /// Nothing before something changes.
    Nothing,
}

/// One that waited for somebody to mend the guild and is tried again, and how it stands until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resumed {
    pub(super) id: DeliveryId,
    pub(super) state: DeliveryState,
}

impl Resumed {
    fn of(delivery: &Queued) -> Self {
        Self { id: delivery.id, state: waiting_as(delivery) }
    }
}

/// What is on its way.
#[derive(Debug)]
enum Sending {
    One(UserId),
    Batch(Arc<Batch>),
}

/// A guild's lane.
#[derive(Debug, Default)]
pub(super) struct Lane {
    queue: VecDeque<Queued>,
    /// Deliveries that wait for somebody to mend the guild.
    parked: Vec<Queued>,
    /// Bans that wait for the guild's budget of bans of non-members, in order.
    deferred: VecDeque<Queued>,
    /// When the first of them is tried again.
    deferred_until: Option<Instant>,
    /// The deferred one that is tried for all of them.
    probe: Option<DeliveryId>,
    /// What is on its way, or waits for its slot.
    sending: Option<Sending>,
    /// Whether Discord has refused a bulk ban here, so that bans go one by one until the guild is mended.
    singly: bool,
    not_before: Option<Instant>,
    shut: Option<Shut>,
    /// Measures that nothing goes on with until somebody mends the guild, each with why: a permission is missing, or the
    /// mute role.
    barred: Vec<(Action, String)>,
    /// What Discord refuses here although the bot has the permission.
    refusals: Vec<Refusal>,
    /// The same, as it was handed out to be stored.
    stored_refusals: Vec<Refusal>,
    /// The delivery that is tried for all that are refused.
    probing: Option<DeliveryId>,
    /// Whether a bulk ban was refused last, although the bot may send one.
    refused_together: bool,
    /// What is tried again since its time has come, and is to be stored before it leaves.
    resumed: Vec<Resumed>,
    /// Whether the guild was mended while a request was on the way, whose refusal may be of before.
    mended: bool,
    /// Failures in a row, whichever delivery met them: the breaker.
    failures: u32,
    /// 429s in a row.
    limited: u32,
}

impl Lane {
    /// Takes a delivery that is committed. Where nothing can go on, what becomes of it.
    pub(super) fn enqueue(
        &mut self,
        delivery: Queued,
        deferred: Option<Instant>,
    ) -> Option<(DeliveryId, Settlement)> {
        // What the store has superseded by it has no place here any more.
        let stays = |other: &Queued| !overtakes(&delivery, other);
        self.queue.retain(stays);
        self.parked.retain(stays);
        self.deferred.retain(stays);
        if let Some(Sending::Batch(batch)) = &self.sending {
            batch.retain(stays);
        }
        if self.has_overtaken(&delivery) {
            return None;
        }
        if let Some(until) = deferred {
            self.deferred_until = self.deferred_until.max(Some(until));
            self.deferred.push_back(delivery);
            return None;
        }
        let reason = match &self.shut {
            Some(Shut::Blocked(reason)) => Some(reason),
            Some(Shut::Away) => {
                self.parked.push(delivery);
                return None;
            }
            None => self.why_barred(delivery.action).or_else(|| self.why_refused(delivery.action)),
        };
        match reason {
            Some(reason) => {
                let settled = (delivery.id, blocked(reason, delivery.attempts));
                self.parked.push(delivery);
                Some(settled)
            }
            None => {
                self.queue.extend(self.join(delivery).err());
                None
            }
        }
    }

    /// Lets it leave with what waits for its slot. It is given back where it does not go together with that, or where
    /// something else of the same user goes first.
    #[expect(clippy::result_large_err, reason = "what does not belong here is given back, not reported")]
    fn join(&self, delivery: Queued) -> Result<(), Queued> {
        match &self.sending {
            Some(Sending::Batch(batch)) if self.queue.iter().all(|earlier| earlier.user != delivery.user) => {
                batch.join(delivery)
            }
            _ => Err(delivery),
        }
    }

    fn why_barred(&self, action: Action) -> Option<&String> {
        self.barred.iter().find(|(measure, _)| *measure == action.measure()).map(|(_, reason)| reason)
    }

    /// Whether something waits here that has taken the delivery's place.
    fn has_overtaken(&self, delivery: &Queued) -> bool {
        let mut waiting = self.queue.iter().chain(&self.parked).chain(&self.deferred);
        let overtakes = |other: &Queued| overtakes(other, delivery);
        let leaving = matches!(&self.sending, Some(Sending::Batch(batch)) if batch.has(overtakes));
        leaving || waiting.any(overtakes)
    }

    /// What goes next, if something may. `opens` says when a route does, where it is shut; `together` whether the bot
    /// may ban many at once here.
    pub(super) fn pick(
        &mut self,
        now: Instant,
        opens: impl Fn(Route) -> Option<Instant>,
        together: impl FnOnce() -> bool,
    ) -> Pick {
        if self.sending.is_some() || self.shut.is_some() {
            return Pick::Nothing;
        }
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Pick::Wait(at);
        }
        self.not_before = None;
        let (resumed, probed_at) = self.probe(now);
        self.resumed.extend(resumed);
        let mut wake = self.deferred_until.filter(|_| !self.deferred.is_empty());
        if wake.is_some_and(|at| at <= now) {
            // One of them probes for all.
            if let Some(probe) = self.deferred.pop_front() {
                self.probe = Some(probe.id);
                self.queue.push_front(probe);
            }
            self.deferred_until = Some(now + NON_MEMBER_WAIT);
            wake = self.deferred_until.filter(|_| !self.deferred.is_empty());
        }
        let together = !self.singly && self.queue.iter().any(|one| Kind::of(one).is_some()) && together();
        match choose(&self.queue, together, self.probe, opens) {
            Choice::Alone(place) => {
                let Some(next) = self.queue.remove(place) else { return Pick::Nothing };
                self.sending = Some(Sending::One(next.user));
                Pick::Send(Box::new(next))
            }
            Choice::Together(kind, places) => {
                let places: HashSet<usize> = places.into_iter().collect();
                let (members, others) = std::mem::take(&mut self.queue)
                    .into_iter()
                    .enumerate()
                    .partition::<Vec<_>, _>(|(place, _)| places.contains(place));
                self.queue = others.into_iter().map(|(_, one)| one).collect();
                let batch = Batch::open(kind, members.into_iter().map(|(_, one)| one).collect());
                self.sending = Some(Sending::Batch(Arc::clone(&batch)));
                Pick::Gather(batch)
            }
            Choice::Nobody(opens) => {
                wake.into_iter().chain(opens).chain(probed_at).min().map_or(Pick::Nothing, Pick::Wait)
            }
        }
    }

    /// What the bot may do there has changed, or somebody asks for it: what waits for that is tried again, except what
    /// `may` says the bot still may not do: Discord would refuse it again, and counts refusals (FACTS C1). Of what Discord
    /// refuses although the bot has the permission one is tried for all, where `answers` says that the answer may be another.
    /// Of those who rank above the bot only those whom it may `reach` by now are tried. What is tried again, which is to be
    /// stored before it leaves: what is blocked is not what Discord tells of.
    #[must_use]
    pub(super) fn mend(
        &mut self,
        may: impl Fn(Action) -> bool,
        answers: impl Fn(&Refusal) -> bool,
        reach: impl Fn(&Queued) -> bool,
    ) -> Vec<Resumed> {
        (self.shut, self.singly) = (None, false);
        self.mended = self.sending.is_some();
        self.barred.retain(|(measure, _)| !may(*measure));
        self.probe_soon(answers);
        let parked = std::mem::take(&mut self.parked);
        let goes_on = |one: &Queued| {
            let reached = one.doubt.outranked_by.is_none() || reach(one);
            reached
                && may(one.action.measure())
                && self.why_barred(one.action).is_none()
                && !self.waits_for_refusal(one)
        };
        let (waiting, stays): (Vec<_>, Vec<_>) = parked.into_iter().partition(goes_on);
        self.parked = stays;
        self.put_in_order(waiting)
    }

    /// What is tried again since its time has come, to be stored before it leaves.
    pub(super) fn take_resumed(&mut self) -> Vec<Resumed> {
        std::mem::take(&mut self.resumed)
    }

    /// Somebody asks for these to be tried now, whatever they wait for. What is tried again, as with [`Lane::mend`].
    #[must_use]
    pub(super) fn retry(&mut self, wanted: &HashSet<DeliveryId>) -> Vec<Resumed> {
        let hit = |delivery: &Queued| wanted.contains(&delivery.id);
        if !self.queue.iter().chain(&self.parked).chain(&self.deferred).any(hit) {
            return Vec::new();
        }
        (self.not_before, self.failures, self.limited) = (None, 0, 0);
        let mut resumed =
            if self.shut.is_some() { self.mend(|_| true, |_| true, |_| true) } else { Vec::new() };
        let hits: Vec<Action> =
            self.parked.iter().filter(|one| hit(one)).map(|one| one.action.measure()).collect();
        self.barred.retain(|(measure, _)| !hits.contains(measure));
        // Of what Discord refuses to everybody one is tried for all: the first of these.
        let refused: HashSet<Action> = self
            .parked
            .iter()
            .filter(|one| hit(one) && self.why_refused(one.action).is_some())
            .map(|one| one.action)
            .collect();
        self.probe_soon(|refusal| refusal.actions.iter().any(|action| refused.contains(action)));
        let waits: HashSet<DeliveryId> =
            self.parked.iter().filter(|one| refused.contains(&one.action)).map(|one| one.id).collect();
        let goes = |one: &Queued| hit(one) && !waits.contains(&one.id);
        let (mut now, mut later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.parked).into_iter().partition(goes);
        later.sort_by_key(|one| !hit(one));
        self.parked = later;
        resumed.extend(now.iter().map(Resumed::of));
        let (first, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.deferred).into_iter().partition(hit);
        self.deferred = later.into();
        now.extend(first);
        now.sort_by_key(|delivery| delivery.id);
        now.into_iter().rev().for_each(|delivery| self.queue.push_front(delivery));
        resumed
    }

    /// Lets these go before all others: they wait for nobody's budget of bans of non-members.
    pub(super) fn hurry(&mut self, wanted: &HashSet<DeliveryId>) {
        let hit = |one: &Queued| wanted.contains(&one.id);
        let (mut first, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.queue).into_iter().partition(hit);
        let (deferred, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deferred).into_iter().partition(hit);
        (self.queue, self.deferred) = (later.into(), waiting.into());
        first.extend(deferred);
        first.sort_by_key(|one| one.id);
        for mut one in first.into_iter().rev() {
            one.trickle = false;
            self.queue.push_front(one);
        }
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.sending.is_none()
            && self.shut.is_none()
            && self.barred.is_empty()
            && self.refusals.is_empty()
            && self.stored_refusals.is_empty()
            && !self.singly
            && self.queue.is_empty()
            && self.parked.is_empty()
            && self.deferred.is_empty()
    }

    /// Punishments whose own guild this is: their children may wait for the answer.
    pub(super) fn unanswered_origins(&self) -> Vec<PunishmentId> {
        let waits = |one: &&Queued| one.scope == Scope::Origin && !one.action.is_undo();
        self.queue.iter().chain(&self.parked).filter(waits).map(|one| one.punishment).collect()
    }

    /// Whether Discord has an outage of the guild.
    pub(super) fn is_away(&self) -> bool {
        self.shut == Some(Shut::Away)
    }

    /// Whether a request of it is on its way.
    pub(super) fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether something moves, or will by itself in a moment: not what waits for a person, or for hours.
    pub(super) fn is_moving(&self) -> bool {
        self.sending.is_some() || (self.shut.is_none() && self.not_before.is_none() && !self.queue.is_empty())
    }
}

/// Whether `newer` takes the place of `older`, or is the same asked for once more: the same guild has decided anew, or
/// the guild itself, and of the same measure.
fn overtakes(newer: &Queued, older: &Queued) -> bool {
    newer.user == older.user
        && newer.action.measure() == older.action.measure()
        && newer.instead_of.unwrap_or(newer.id) >= older.instead_of.unwrap_or(older.id)
        && (newer.scope == Scope::Origin || newer.source == older.source)
}

fn blocked(reason: &str, attempts: u32) -> Settlement {
    Settlement {
        state: DeliveryState::Blocked,
        reason: Some(reason.to_owned()),
        attempts,
        wait: None,
        was_there: None,
    }
}

#[cfg(test)]
pub(super) mod tests;
