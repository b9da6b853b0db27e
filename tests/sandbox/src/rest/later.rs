//! Requests that are answered now and carried out later, as an eventually consistent Discord may.

use std::time::Duration;

use serde_json::Value;

use super::call::{Answer, Call};
use super::request::Incoming;
use super::routes::Endpoint;
use crate::fault::FaultId;
use crate::{Refusal, World};

/// When a request is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Due {
    /// At a moment of the clock.
    At(Duration),
    /// Once that fault is cleared.
    Cleared(FaultId),
}

/// A request that was answered and not carried out yet.
#[derive(Debug)]
pub(crate) struct Late {
    due: Due,
    /// Its place in the log.
    sequence: usize,
    endpoint: &'static Endpoint,
    parameters: Vec<(&'static str, String)>,
    query: Vec<(String, String)>,
    body: Value,
    reason: Option<String>,
}

impl Late {
    /// When it is due, if the clock decides.
    pub(crate) fn at(&self) -> Option<Duration> {
        match self.due {
            Due::At(at) => Some(at),
            Due::Cleared(_) => None,
        }
    }

    fn handle(&self, world: &mut World) -> Result<Answer, Refusal> {
        let parameters: Vec<(&'static str, &str)> =
            self.parameters.iter().map(|(key, value)| (*key, value.as_str())).collect();
        (self.endpoint.handle)(&mut Call {
            world,
            parameters: &parameters,
            query: &self.query,
            body: &self.body,
            files: &[],
            reason: self.reason.as_deref(),
            // No change of a guild tells the gateway's address.
            gateway_url: "",
        })
    }
}

/// Answers as if it were done, and keeps it for later. A request that would be refused is refused at once.
pub(crate) fn promise(
    world: &mut World,
    incoming: &Incoming,
    (endpoint, parameters): (&'static Endpoint, &[(&'static str, String)]),
    sequence: usize,
    due: Due,
) -> Result<Answer, Refusal> {
    let late = Late {
        due,
        sequence,
        endpoint,
        parameters: parameters.to_vec(),
        query: incoming.query.clone(),
        body: incoming.json.clone(),
        reason: incoming.reason.clone(),
    };
    let guild = incoming.guild().unwrap_or(0);
    let before = world.guilds.get(&guild).cloned();
    world.muted = true;
    let answer = late.handle(world);
    world.muted = false;
    if let Some(before) = before {
        world.guilds.insert(guild, before);
    }
    if answer.is_ok() {
        world.late.push(late);
    }
    answer
}

impl World {
    /// Carries out what is due by now, and sends the events that were held back until now.
    pub(crate) fn catch_up(&mut self) {
        let now = self.clock.now();
        let is_due = |late: &Late| match late.due {
            Due::At(at) => at <= now,
            Due::Cleared(fault) => !self.faults.is_active(fault),
        };
        let (due, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late).into_iter().partition(is_due);
        self.late = later;
        for late in due {
            // What became impossible meanwhile stays undone, and the log says so.
            if late.handle(self).is_ok() {
                self.log.applied(late.sequence);
            }
        }
        self.deliver_delayed();
    }

    /// Whether nothing that was answered or happened is still to be carried out or told.
    #[must_use]
    pub fn puts_nothing_off(&self) -> bool {
        self.late.is_empty() && self.delayed.is_empty()
    }

    /// When the next of these is due by the clock.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let events = self.delayed.iter().map(|(at, _)| *at);
        events.chain(self.late.iter().filter_map(Late::at)).min()
    }
}
