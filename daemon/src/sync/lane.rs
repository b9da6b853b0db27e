//! One guild's deliveries: what goes next, and what waits for what. No clock, no store, no request of its own, so
//! that every turn of it can be tried in a test.

use super::attempt::{NON_MEMBER_WAIT, Next};
use super::backoff;
use crate::discord::rest::Rest;
use crate::discord::routes::Route;
use crate::store::{Queued, Scope, Settlement};
use std::collections::{HashSet, VecDeque};
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::DeliveryId;

/// After so many failures in a row a guild counts as broken, and an operator is told.
const BROKEN: u32 = 5;

/// Why nothing goes on in a guild until something changes there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shut {
    /// Somebody has to mend it: what waits is blocked, and says so.
    Blocked(String),
    /// Discord has an outage of the guild: what waits stays pending.
    Away,
}

/// What an operator is to hear of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// Deliveries are blocked until somebody mends the guild.
    Blocked(String),
    /// Discord stumbles over this guild again and again.
    Broken(String),
    /// The guild's budget of bans of non-members is spent.
    Deferred(String),
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Pick {
    /// Send this one.
    Send(Box<Queued>),
    /// Ask again then.
    Wait(Instant),
    /// Nothing before something changes.
    Nothing,
}

/// What followed from an attempt.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// What became of other deliveries by it.
    pub(super) settlements: Vec<(DeliveryId, Settlement)>,
    /// What an operator is to hear of.
    pub(super) alarm: Option<Alarm>,
    /// Nothing at all leaves any more.
    pub(super) halt: bool,
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
    /// Which is on its way.
    sending: Option<DeliveryId>,
    not_before: Option<Instant>,
    shut: Option<Shut>,
    /// Measures that nothing goes on with until somebody mends the guild, each with why: a permission is missing, or the
    /// mute role.
    barred: Vec<(Action, String)>,
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
            None => self.why_barred(delivery.action),
        };
        match reason {
            Some(reason) => {
                let settled = (delivery.id, blocked(reason, delivery.attempts));
                self.parked.push(delivery);
                Some(settled)
            }
            None => {
                self.queue.push_back(delivery);
                None
            }
        }
    }

    fn why_barred(&self, action: Action) -> Option<&String> {
        self.barred.iter().find(|(measure, _)| *measure == action.measure()).map(|(_, reason)| reason)
    }

    /// Whether something waits here that has taken the delivery's place.
    fn has_overtaken(&self, delivery: &Queued) -> bool {
        let waiting = self.queue.iter().chain(&self.parked).chain(&self.deferred);
        waiting.into_iter().any(|other| overtakes(other, delivery))
    }

    /// The next delivery, if one may go. `opens` says when a route does, where it is shut.
    pub(super) fn pick(&mut self, now: Instant, opens: impl Fn(Route) -> Option<Instant>) -> Pick {
        if self.sending.is_some() || self.shut.is_some() {
            return Pick::Nothing;
        }
        if let Some(at) = self.not_before.filter(|at| *at > now) {
            return Pick::Wait(at);
        }
        self.not_before = None;
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
        for place in 0..self.queue.len() {
            let Some(next) = self.queue.get(place) else { break };
            // What may have been done is asked for before it is sent again.
            let asked = asking_route(next).and_then(&opens);
            match asked.max(opens(Rest::punishment_route(next.guild, next.action))) {
                // Another user's may go another route; of one user the order stays, whichever mains they come from.
                Some(at) => wake = Some(wake.map_or(at, |earlier| earlier.min(at))),
                None if self.queue.iter().take(place).any(|earlier| earlier.user == next.user) => {}
                None => {
                    let Some(next) = self.queue.remove(place) else { break };
                    self.sending = Some(next.id);
                    return Pick::Send(Box::new(next));
                }
            }
        }
        wake.map_or(Pick::Nothing, Pick::Wait)
    }

    /// Takes in what became of the delivery that was on its way. Its own settlement is the caller's to store.
    pub(super) fn finished(
        &mut self,
        mut delivery: Queued,
        settled: Option<&Settlement>,
        next: Next,
        now: Instant,
    ) -> Turn {
        self.sending = None;
        let probed = self.probe.take() == Some(delivery.id);
        if let Some(settlement) = settled {
            (delivery.attempts, delivery.state) = (settlement.attempts, settlement.state);
            if settlement.state.is_final() {
                // It was asked for a second time while it was on its way.
                self.queue.retain(|other| other.id != delivery.id);
            }
            for again in self.queue.iter_mut().filter(|other| other.id == delivery.id) {
                (again.attempts, again.state) = (delivery.attempts, delivery.state);
            }
        }
        let mended = std::mem::take(&mut self.mended);
        let next = match next {
            // Refused for what may be mended by now: once more tells.
            Next::Park(_) | Next::Bar(_) | Next::Shut(_) | Next::Away if mended => Next::Again(backoff(0)),
            next => next,
        };
        // Something newer for this user came meanwhile: this one is not tried again.
        let measure = delivery.action.measure();
        if !self.has_overtaken(&delivery) {
            match &next {
                Next::Forward => {}
                Next::Park(_) | Next::Bar(_) | Next::Shut(_) | Next::Away => self.parked.push(delivery),
                // Before the others that wait: it was tried first.
                Next::Defer(_) => self.deferred.push_front(delivery),
                _ => self.queue.push_front(delivery),
            }
        }
        self.follow(next, measure, probed, now)
    }

    /// What follows for the lane.
    fn follow(&mut self, next: Next, measure: Action, probed: bool, now: Instant) -> Turn {
        let mut turn = Turn::default();
        match next {
            Next::Forward => {
                (self.failures, self.limited) = (0, 0);
                if probed {
                    // There is budget again: the others follow.
                    self.deferred_until = Some(now);
                }
            }
            Next::Route => {}
            Next::Again(wait) => self.not_before = Some(now + wait),
            Next::Limited(wait) => {
                self.limited = self.limited.saturating_add(1);
                // Whatever the headers say, many in a row slow down.
                self.not_before = Some(now + wait.max(backoff(self.limited) / 4));
            }
            Next::Failed(reason) => {
                self.failures = self.failures.saturating_add(1);
                self.not_before = Some(now + backoff(self.failures));
                turn.alarm = (self.failures == BROKEN).then_some(Alarm::Broken(reason));
            }
            Next::Defer(reason) => {
                turn.alarm =
                    self.deferred_until.is_none_or(|at| at <= now).then_some(Alarm::Deferred(reason));
                self.deferred_until = Some(now + NON_MEMBER_WAIT);
            }
            Next::Park(reason) => turn.alarm = Some(Alarm::Blocked(reason)),
            Next::Bar(reason) => {
                let of = |delivery: &Queued| delivery.action.measure() == measure;
                let (barred, others) = std::mem::take(&mut self.queue).into_iter().partition(of);
                self.queue = others;
                let (late, others) = std::mem::take(&mut self.deferred).into_iter().partition(of);
                self.deferred = others;
                let barred: VecDeque<Queued> = barred;
                let late: VecDeque<Queued> = late;
                for delivery in barred.into_iter().chain(late) {
                    turn.settlements.push((delivery.id, blocked(&reason, delivery.attempts)));
                    self.parked.push(delivery);
                }
                turn.alarm = Some(Alarm::Blocked(reason.clone()));
                self.barred.retain(|(other, _)| *other != measure);
                self.barred.push((measure, reason));
            }
            Next::Shut(reason) => {
                let waiting =
                    std::mem::take(&mut self.queue).into_iter().chain(std::mem::take(&mut self.deferred));
                for delivery in waiting {
                    turn.settlements.push((delivery.id, blocked(&reason, delivery.attempts)));
                    self.parked.push(delivery);
                }
                turn.alarm = Some(Alarm::Blocked(reason.clone()));
                self.shut = Some(Shut::Blocked(reason));
            }
            Next::Away => {
                self.parked.extend(std::mem::take(&mut self.queue));
                self.shut = Some(Shut::Away);
            }
            Next::Halt => turn.halt = true,
        }
        turn
    }

    /// What the bot may do there has changed, or somebody asks for it: what waits for that is tried again, except what
    /// `may` says the bot still may not do: Discord would refuse it again, and counts refusals (FACTS C1).
    pub(super) fn mend(&mut self, may: impl Fn(Action) -> bool) {
        self.shut = None;
        self.mended = self.sending.is_some();
        self.barred.retain(|(measure, _)| !may(*measure));
        let parked = std::mem::take(&mut self.parked);
        let (mut waiting, barred): (Vec<_>, Vec<_>) =
            parked.into_iter().partition(|delivery| self.why_barred(delivery.action).is_none());
        self.parked = barred;
        waiting.extend(std::mem::take(&mut self.queue));
        waiting.sort_by_key(|delivery| delivery.id);
        self.queue = waiting.into();
    }

    /// Somebody asks for these to be tried now, whatever they wait for.
    pub(super) fn retry(&mut self, wanted: &HashSet<DeliveryId>) {
        let hit = |delivery: &Queued| wanted.contains(&delivery.id);
        if !self.queue.iter().chain(&self.parked).chain(&self.deferred).any(hit) {
            return;
        }
        (self.not_before, self.failures, self.limited) = (None, 0, 0);
        if self.shut.is_some() {
            self.mend(|_| true);
        }
        let hits: Vec<Action> =
            self.parked.iter().filter(|one| hit(one)).map(|one| one.action.measure()).collect();
        self.barred.retain(|(measure, _)| !hits.contains(measure));
        let (mut now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parked).into_iter().partition(hit);
        self.parked = later;
        let (first, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.deferred).into_iter().partition(hit);
        self.deferred = later.into();
        now.extend(first);
        now.sort_by_key(|delivery| delivery.id);
        now.into_iter().rev().for_each(|delivery| self.queue.push_front(delivery));
    }

    /// Whether there is nothing to remember.
    pub(super) fn is_idle(&self) -> bool {
        self.sending.is_none()
            && self.shut.is_none()
            && self.barred.is_empty()
            && self.queue.is_empty()
            && self.parked.is_empty()
            && self.deferred.is_empty()
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

/// The route on which it is asked what became of an earlier try, where it has to be.
fn asking_route(delivery: &Queued) -> Option<Route> {
    let asked = matches!(delivery.state, DeliveryState::Unknown | DeliveryState::Sending);
    match delivery.action {
        Action::Ban | Action::Unban if asked => Some(Rest::banned_route(delivery.guild)),
        Action::Kick if asked => Some(Rest::member_route(delivery.guild)),
        _ => None,
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
    Settlement { state: DeliveryState::Blocked, reason: Some(reason.to_owned()), attempts, wait: None }
}

#[cfg(test)]
mod tests;
