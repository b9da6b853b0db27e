//! Which of those that wait goes next, and who goes with it.

use crate::discord::rest::{MOST_AT_ONCE, Rest};
use crate::discord::routes::Route;
use crate::store::Queued;
use crate::sync::batch::{Kind, is_in_question};
use std::collections::{HashMap, HashSet, VecDeque};
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::DeliveryId;

/// What goes next, by its places in the queue.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// This one, by itself.
    Alone(usize),
    /// These, and whoever of their kind comes before they leave.
    Together(Kind, Vec<usize>),
    /// Nothing before then, if there is something to wait for.
    Nobody(Option<Instant>),
}

/// The first that may go. `together` is whether bans may share a request here, `probe` the one that is tried for
/// others and so by itself; `opens` says when a route does, where it is shut.
pub(super) fn choose(
    queue: &VecDeque<Queued>,
    together: bool,
    probe: Option<DeliveryId>,
    opens: impl Fn(Route) -> Option<Instant>,
) -> Choice {
    let groups = if together { groups(queue, probe) } else { HashMap::new() };
    let (mut users, mut wake) = (HashSet::new(), None::<Instant>);
    // What nobody waits for goes behind everything else.
    let live = queue.iter().enumerate().filter(|(_, one)| !one.trickle);
    for (place, next) in live.chain(queue.iter().enumerate().filter(|(_, one)| one.trickle)) {
        // Another user's may go another route; of one user the order stays, whichever mains they come from.
        if !users.insert(next.user) {
            continue;
        }
        let kind = Kind::of(next).filter(|_| together && Some(next.id) != probe);
        let company = kind.as_ref().and_then(|kind| groups.get(kind));
        let shut = match company {
            // All of a kind wait for the same: single bans are no way around the limit of bulk bans.
            Some(places) if places.len() > 1 => opens(Rest::bulk_ban_route(next.guild)),
            Some(_) => opens(Rest::punishment_route(next.guild, next.action)),
            // What may have been done is asked for before it is sent again.
            None => {
                let asked = asking_route(next).and_then(&opens);
                asked.max(opens(Rest::punishment_route(next.guild, next.action)))
            }
        };
        match (shut, kind, company) {
            (Some(at), ..) => wake = Some(wake.map_or(at, |earlier| earlier.min(at))),
            (None, Some(kind), Some(places)) => return Choice::Together(kind, places.clone()),
            (None, ..) => return Choice::Alone(place),
        }
    }
    Choice::Nobody(wake)
}

/// The places of those that may leave together, of each user the first one only.
fn groups(queue: &VecDeque<Queued>, probe: Option<DeliveryId>) -> HashMap<Kind, Vec<usize>> {
    let (mut users, mut groups) = (HashSet::new(), HashMap::<Kind, Vec<usize>>::new());
    for (place, next) in queue.iter().enumerate() {
        if users.insert(next.user)
            && Some(next.id) != probe
            && let Some(kind) = Kind::of(next)
        {
            groups.entry(kind).or_default().push(place);
        }
    }
    // One whose answer was lost is asked for, unless it has company.
    groups.retain(|_, places| {
        places.len() > 1
            || places.iter().all(|place| queue.get(*place).is_some_and(|one| !is_in_question(one)))
    });
    groups.values_mut().for_each(|places| places.truncate(MOST_AT_ONCE));
    groups
}

/// The route on which it is asked what became of an earlier try, where it has to be.
fn asking_route(delivery: &Queued) -> Option<Route> {
    match delivery.action {
        Action::Ban | Action::Unban if is_in_question(delivery) => Some(Rest::banned_route(delivery.guild)),
        Action::Kick if is_in_question(delivery) => Some(Rest::member_route(delivery.guild)),
        _ => None,
    }
}
