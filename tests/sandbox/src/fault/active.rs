//! The faults that are active, and what they do to each request, event and connection.

use std::time::Duration;

use super::{Aim, Asked, EventFate, Fault, FaultId, Trouble};
use crate::world::Event;

/// What the faults do to one request.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Held back by this much.
    pub latency: Duration,
    /// Held until this fault is cleared.
    pub hang: Option<FaultId>,
    /// Refused like this.
    pub instead: Option<Fault>,
    /// Cut without an answer, after the effect.
    pub cut_after: bool,
    /// After the head of the answer held until this fault is cleared.
    pub hold: Option<FaultId>,
    /// Reset inside the answer.
    pub reset: bool,
    /// Carried out that much later than answered, or when this fault is cleared.
    pub late: Option<(FaultId, Option<Duration>)>,
}

#[derive(Debug)]
struct Active {
    id: FaultId,
    fault: Fault,
    aim: Aim,
    used: u32,
}

impl Active {
    fn is_spent(&self) -> bool {
        let most = self.fault.at().and_then(|at| at.times).into_iter().chain(self.aim.times);
        most.min().is_some_and(|times| self.used >= times)
    }
}

/// The active faults.
#[derive(Debug, Default)]
pub struct Faults {
    last: FaultId,
    active: Vec<Active>,
}

impl Faults {
    /// Makes a fault active.
    pub fn inject(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        let (aim, fault) = fault.aimed();
        self.active.push(Active { id: self.last, fault, aim, used: 0 });
        self.last
    }

    /// Ends a fault; says whether it was active.
    pub fn clear(&mut self, id: FaultId) -> bool {
        let before = self.active.len();
        self.active.retain(|active| active.id != id);
        self.active.len() < before
    }

    /// Whether a fault is active.
    #[must_use]
    pub fn is_active(&self, id: FaultId) -> bool {
        self.active.iter().any(|active| active.id == id)
    }

    /// Whether connections of a shard (`None` before they say theirs) are troubled so.
    #[must_use]
    pub fn troubled(&self, shard: Option<(u64, u64)>, trouble: &Trouble) -> bool {
        self.trouble(shard, |found| (found == trouble).then_some(())).is_some()
    }

    /// What is picked of the troubles of a shard's connections.
    pub fn trouble<T>(&self, shard: Option<(u64, u64)>, pick: impl Fn(&Trouble) -> Option<T>) -> Option<T> {
        self.active.iter().filter(|active| active.aim.fits_shard(shard)).find_map(|active| {
            match &active.fault {
                Fault::Gateway { trouble } => pick(trouble),
                _ => None,
            }
        })
    }

    /// The same, and counted down where it is limited in number.
    pub fn spend_trouble<T>(
        &mut self,
        shard: Option<(u64, u64)>,
        pick: impl Fn(&Trouble) -> Option<T>,
    ) -> Option<T> {
        self.active.iter_mut().filter(|active| active.aim.fits_shard(shard) && !active.is_spent()).find_map(
            |active| {
                let Fault::Gateway { trouble } = &active.fault else { return None };
                let picked = pick(trouble)?;
                active.used += 1;
                Some(picked)
            },
        )
    }

    /// What happens to a request; counts down what is limited in number.
    pub fn plan(&mut self, request: &Asked<'_>) -> Plan {
        let mut plan = Plan::default();
        for active in &mut self.active {
            let Some(at) = active.fault.at() else { continue };
            if !at.matches(request) || !active.aim.fits_request(request) || active.is_spent() {
                continue;
            }
            active.used += 1;
            match &active.fault {
                Fault::Latency { by, .. } => plan.latency += *by,
                Fault::Hang { .. } => plan.hang = Some(active.id),
                Fault::CutAfter { .. } => plan.cut_after = true,
                Fault::HangAfterHeaders { .. } => plan.hold = Some(active.id),
                Fault::ResetInBody { .. } => plan.reset = true,
                Fault::AppliedLater { by, .. } => plan.late = Some((active.id, *by)),
                refused => plan.instead = Some(refused.clone()),
            }
        }
        plan
    }

    /// What happens to an event.
    pub fn fate_of(&mut self, event: &Event) -> EventFate {
        for active in &mut self.active {
            let Fault::Events { name, guild, times, fate } = &active.fault else { continue };
            let meant = name.as_deref().is_none_or(|name| name == event.name)
                && guild.is_none_or(|guild| event.guild == Some(guild))
                && times.is_none_or(|times| active.used < times)
                && active.aim.fits_event(event)
                && !active.is_spent();
            if meant {
                active.used += 1;
                return *fate;
            }
        }
        EventFate::Pass
    }

    /// How large GUILD_CREATE of a guild is to be, in bytes.
    #[must_use]
    pub fn least_size(&self, of: u64) -> usize {
        let sizes = self.active.iter().filter_map(|active| match &active.fault {
            Fault::LargeGuild { guild, bytes } if guild.is_none_or(|guild| guild == of) => Some(*bytes),
            _ => None,
        });
        sizes.max().unwrap_or(0)
    }

    /// The events of one change, in the order that is asked for.
    #[must_use]
    pub fn reorder(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        let order = self.active.iter_mut().rev().find_map(|active| {
            let Fault::Order { names } = &active.fault else { return None };
            let meant = events.iter().any(|event| active.aim.fits_event(event)) && !active.is_spent();
            meant.then(|| {
                active.used += 1;
                names
            })
        });
        if let Some(names) = order {
            events
                .sort_by_key(|event| names.iter().position(|name| name == event.name).unwrap_or(names.len()));
        }
        events
    }
}
