//! What is blocked in a lane gets another reason while it waits.

use super::{Lane, Queued, Resumed, Settlement, Shut, blocked};
use std::collections::VecDeque;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::DeliveryId;

/// Why a measure cannot be carried out in a guild now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sync) struct Cause {
    /// Which measure.
    pub(in crate::sync) measure: Action,
    /// Why, for people.
    pub(in crate::sync) reason: String,
    /// Whether it keeps all of the measure from being sent, so that nothing of it has to be tried; otherwise only what was
    /// refused already.
    pub(in crate::sync) all: bool,
    /// A part of every reason that says the same in other words, as the one that Discord's refusal was given.
    pub(in crate::sync) same: &'static str,
}

impl Lane {
    /// Whether anything waits here.
    pub(in crate::sync) fn has_waiting(&self) -> bool {
        !(self.queue.is_empty() && self.parked.is_empty() && self.deferred.is_empty())
    }

    /// Nothing can be sent, for this reason: all that waits is blocked, and says so.
    pub(in crate::sync) fn blame_everything(&mut self, reason: &str) -> Vec<(DeliveryId, Settlement)> {
        let shut = Some(Shut::Blocked(reason.to_owned()));
        if self.shut == shut {
            return Vec::new();
        }
        self.shut = shut;
        let waiting = std::mem::take(&mut self.queue).into_iter().chain(std::mem::take(&mut self.deferred));
        self.parked.extend(waiting);
        // What was in the way of a measure is looked at again when the bot is back.
        self.barred.clear();
        self.parked.iter().map(|delivery| (delivery.id, blocked(reason, delivery.attempts))).collect()
    }

    /// Discord has an outage of the guild: what it was refused for before waits for the guild's return instead. What waits
    /// so is not blocked.
    pub(in crate::sync) fn go_away(&mut self) -> Vec<Resumed> {
        if !matches!(self.shut, Some(Shut::Blocked(_))) {
            return Vec::new();
        }
        self.shut = Some(Shut::Away);
        let waits = |one: &&Queued| self.why_barred(one.action).is_none();
        self.parked.iter().filter(waits).map(Resumed::of).collect()
    }

    /// Gives what is parked of these measures its present reason, where it has another.
    pub(in crate::sync) fn blame(&mut self, causes: &[Cause]) -> Vec<(DeliveryId, Settlement)> {
        let mut settled = Vec::new();
        if self.shut.is_some() {
            return settled;
        }
        for Cause { measure, reason, all, same } in causes {
            let of = |action: Action| action.measure() == *measure;
            if self.why_barred(*measure).is_some_and(|now| now.contains(same)) {
                continue;
            }
            if *all {
                for waiting in [&mut self.queue, &mut self.deferred] {
                    let (of_it, others) = std::mem::take(waiting).into_iter().partition(|one| of(one.action));
                    *waiting = others;
                    let of_it: VecDeque<Queued> = of_it;
                    self.parked.extend(of_it);
                }
            }
            let parked = self.parked.iter().filter(|delivery| of(delivery.action));
            let parked: Vec<_> = parked.map(|one| (one.id, blocked(reason, one.attempts))).collect();
            if parked.is_empty() {
                continue;
            }
            settled.extend(parked);
            self.barred.retain(|(other, _)| other != measure);
            self.barred.push((*measure, reason.clone()));
        }
        settled
    }
}
