//! The permit for a bulk ban: of one guild, and of the users of deliveries whose gates were all open.

use super::{Permit, Refusal, Topology, permit_for};
use crate::delivery::Queued;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, UserId};

/// Leave to ban several users in one guild by one request. Who is in it comes from a delivery that got its own
/// [`Permit`] for a ban in that guild, so that nobody is banned along with others where they could not be alone.
#[derive(Debug)]
pub struct BulkPermit {
    guild: GuildId,
    users: Vec<UserId>,
}

impl BulkPermit {
    /// The guild it is good for.
    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// Whom it is good for.
    pub fn users(&self) -> &[UserId] {
        &self.users
    }
}

/// What the gates say to deliveries that are to leave together.
#[derive(Debug)]
pub struct Gathered {
    /// For those who passed.
    pub permit: BulkPermit,
    /// The deliveries that passed.
    pub granted: Vec<Queued>,
    /// Those that met a gate that is shut.
    pub refused: Vec<(Queued, Refusal)>,
}

/// Asks the gates for each of the deliveries, as if it were alone.
pub fn bulk_permit(topology: &Topology, guild: GuildId, deliveries: Vec<Queued>) -> Gathered {
    let users = Vec::with_capacity(deliveries.len());
    let mut gathered =
        Gathered { permit: BulkPermit { guild, users }, granted: Vec::new(), refused: Vec::new() };
    for delivery in deliveries {
        match permit_for(topology, &delivery).and_then(|permit| is_a_ban_in(guild, &permit)) {
            Ok(()) => {
                gathered.permit.users.push(delivery.user);
                gathered.granted.push(delivery);
            }
            Err(refusal) => gathered.refused.push((delivery, refusal)),
        }
    }
    gathered
}

fn is_a_ban_in(guild: GuildId, permit: &Permit) -> Result<(), Refusal> {
    if permit.guild() != guild {
        return Err(Refusal::NotLinked);
    }
    if permit.action() == Action::Ban { Ok(()) } else { Err(Refusal::ActionNotAllowed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Scope;
    use crate::network::{Freeze, LinkRow, LinkState};
    use wayhaven_shared::operations::punishment::DeliveryState;
    use wayhaven_shared::operations::setup::Mode;
    use wayhaven_shared::value::{DeliveryId, LinkId, PunishmentId};

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    fn ban(source: u64, target: u64, user: u64) -> Queued {
        Queued {
            id: DeliveryId::new(user).unwrap(),
            punishment: PunishmentId::new(user).unwrap(),
            source: guild(source),
            guild: guild(target),
            scope: if source == target { Scope::Origin } else { Scope::Child(LinkId::new(1).unwrap()) },
            action: Action::Ban,
            user: UserId::new(user).unwrap(),
            reason: None,
            delete_seconds: 0,
            until: None,
            attempts: 0,
            state: DeliveryState::Pending,
            not_before: None,
            because: None,
            hold: None,
            instead_of: None,
            doubt: crate::delivery::Doubt::default(),
            trickle: false,
            alone: false,
        }
    }

    fn topology(frozen: Option<Freeze>) -> Topology {
        let link = |id, main, child| LinkRow {
            id: LinkId::new(id).unwrap(),
            main: guild(main),
            child: guild(child),
            mode: Mode::Active,
            state: LinkState::Active,
            actions: vec![Action::Ban],
            begins_after: 0,
        };
        let links = vec![link(1, 1, 2), link(2, 9, 2), link(3, 1, 3)];
        Topology::new(vec![(guild(1), frozen), (guild(9), None)], links)
    }

    #[test]
    fn who_meets_a_shut_gate_is_left_out_and_the_others_go() {
        let of_nobody = ban(7, 2, 12);
        let elsewhere = ban(1, 3, 13);
        let unban = Queued { action: Action::Unban, ..ban(1, 2, 14) };
        let all = vec![ban(1, 2, 10), ban(9, 2, 11), of_nobody, elsewhere, unban];
        let gathered = bulk_permit(&topology(None), guild(2), all);
        let ids = |users: &[u64]| users.iter().map(|id| UserId::new(*id).unwrap()).collect::<Vec<_>>();
        assert_eq!((gathered.permit.guild(), gathered.permit.users()), (guild(2), &*ids(&[10, 11])));
        assert_eq!(gathered.granted.iter().map(|one| one.user).collect::<Vec<_>>(), ids(&[10, 11]));
        let refused: Vec<_> = gathered.refused.iter().map(|(one, why)| (one.user.get(), *why)).collect();
        let why = [Refusal::SourceIsNoMain, Refusal::NotLinked, Refusal::ActionNotAllowed];
        assert_eq!(refused, [(12, why[0]), (13, why[1]), (14, why[2])]);
    }

    #[test]
    fn a_frozen_main_s_bans_stay_behind_and_another_s_go() {
        let frozen = topology(Some(Freeze::Everything));
        let gathered = bulk_permit(&frozen, guild(2), vec![ban(1, 2, 10), ban(9, 2, 11)]);
        assert_eq!(gathered.permit.users(), [UserId::new(11).unwrap()]);
        assert_eq!(gathered.refused[0].1, Refusal::Frozen);
    }
}
