//! What a punishment would be delivered where: a pure function of the links.

use crate::network::{LinkState, Refusal, Topology, authorise, authorise_for};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::{GuildId, HoldId, LinkId, UserId};

/// One delivery as it would start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The child.
    pub guild: GuildId,
    /// The link it follows.
    pub link: LinkId,
    /// The state it starts in.
    pub state: DeliveryState,
    /// Why, where it is not simply sent.
    pub reason: Option<String>,
    /// Whether it is not sent because of the user, who is protected or excepted: then it also ends nothing that is on its way.
    pub spares_older: bool,
    /// What it waits for: somebody's approval. A plan does not know of budgets, and `containment` fills it in.
    pub hold: Option<HoldId>,
}

/// The deliveries of a punishment decided in `source`: one per active link. A guild that is no main has none.
pub fn plan(topology: &Topology, source: GuildId, action: Action, user: UserId) -> Vec<Step> {
    let step = |link: &crate::network::LinkRow| {
        let (guild, link) = (link.child, link.id);
        match authorise_for(topology, source, guild, action, user).err() {
            None => Step {
                guild,
                link,
                state: DeliveryState::Pending,
                reason: None,
                spares_older: false,
                hold: None,
            },
            Some(refusal) => {
                let (state, reason) = (refusal.state(), Some(refusal.to_string()));
                Step { guild, link, state, reason, spares_older: refusal.spares_older(), hold: None }
            }
        }
    };
    topology.links(source).iter().filter(|link| link.state == LinkState::Active).map(step).collect()
}

/// The children that such a punishment reaches, whomever it is for: those that a freeze keeps it from count too.
pub fn reached(topology: &Topology, source: GuildId, action: Action) -> Vec<GuildId> {
    let reaches = |link: &&crate::network::LinkRow| {
        let permit = authorise(topology, source, link.child, action);
        link.state == LinkState::Active && matches!(permit, Ok(_) | Err(Refusal::Frozen))
    };
    topology.links(source).iter().filter(reaches).map(|link| link.child).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Excepted, Freeze, LinkRow};
    use proptest::prelude::*;
    use wayhaven_shared::operations::setup::Mode;

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    prop_compose! {
        fn any_link()(id in 1u64..1000, main in 1u64..6, child in 1u64..12, monitor: bool, state in 0..3usize, ban: bool) -> LinkRow {
            LinkRow {
                id: LinkId::new(id).unwrap(),
                main: guild(main),
                child: guild(child),
                mode: if monitor { Mode::Monitor } else { Mode::Active },
                state: [LinkState::Proposed, LinkState::Active, LinkState::Closing][state],
                actions: if ban { vec![Action::Ban] } else { Vec::new() },
                begins_after: 0,
            }
        }
    }

    proptest! {
        /// Whatever the links are: nothing new goes along one that is not active, an undo neither, and what a permit is
        /// given for goes along an active link, or takes back along a closing one.
        #[test]
        fn nothing_new_goes_along_a_closing_link_and_nothing_but_an_undo_gets_a_permit_there(
            links in proptest::collection::vec(any_link(), 0..20),
            frozen: bool,
            source in 1u64..12,
            excepted in proptest::collection::vec((1u64..12, 1u64..4), 0..6),
        ) {
            // As in the store: one link between two guilds.
            let mut seen = std::collections::HashSet::new();
            let links: Vec<_> = links.into_iter().filter(|link| seen.insert((link.main, link.child))).collect();
            let mains = (1..6).map(|id| (guild(id), frozen.then_some(Freeze::ExceptReversals))).collect();
            let user = |id| UserId::new(id).unwrap();
            let excepted_ban = |(child, whom): &(u64, u64)| ((guild(*child), user(*whom), Action::Ban), Excepted::BY_STAFF);
            let exceptions = excepted.iter().map(excepted_ban).collect();
            let topology = Topology::new(mains, links.clone()).with_exceptions(exceptions);
            for action in Action::ALL {
                for step in plan(&topology, guild(source), action, user(1)) {
                    let link = links.iter().find(|link| link.main == guild(source) && link.child == step.guild);
                    prop_assert_eq!(link.map(|link| link.state), Some(LinkState::Active));
                    let is_excepted = excepted.contains(&(step.guild.get(), 1)) && action == Action::Ban;
                    prop_assert!(!is_excepted || step.state == DeliveryState::Skipped);
                }
                for child in 1..12 {
                    let permit = authorise(&topology, guild(source), guild(child), action);
                    let link = links.iter().find(|link| link.main == guild(source) && link.child == guild(child));
                    let closing = link.is_some_and(|link| link.state == LinkState::Closing);
                    prop_assert!(!closing || permit.is_ok() == action.is_undo());
                    prop_assert!(permit.is_err() || closing || link.is_some_and(|link| link.state == LinkState::Active));
                }
            }
        }

        /// Whatever the links are: what is sent goes along an active link of the guild where it was decided.
        #[test]
        fn nothing_is_sent_but_along_an_active_link_of_a_main(
            links in proptest::collection::vec(any_link(), 0..20),
            mains in proptest::collection::vec((1u64..6, any::<bool>()), 0..4),
            source in 1u64..12,
        ) {
            let freeze = |frozen: bool| frozen.then_some(Freeze::Everything);
            let mains: Vec<_> = mains.into_iter().map(|(id, frozen)| (guild(id), freeze(frozen))).collect();
            let topology = Topology::new(mains.clone(), links.clone());
            let user = UserId::new(77).unwrap();
            for step in plan(&topology, guild(source), Action::Ban, user) {
                let link = links.iter().find(|link| link.main == guild(source) && link.child == step.guild);
                prop_assert!(mains.iter().any(|(id, _)| *id == guild(source)));
                prop_assert!(link.is_some());
                if step.state == DeliveryState::Pending {
                    prop_assert!(links.iter().any(|link| link.main == guild(source) && link.child == step.guild
                        && link.state == LinkState::Active && link.mode == Mode::Active
                        && link.actions.contains(&Action::Ban)));
                    prop_assert!(topology.freeze(guild(source)).is_none());
                }
            }
        }
    }
}
