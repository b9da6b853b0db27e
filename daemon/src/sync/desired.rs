//! What is decided for somebody in a child, compared with how they stand there, and what is done about it: of one user, one
//! measure, one main. Comparisons of whole guilds, backfills, those who join and exceptions that end all come here, so that
//! each of them respects the same walls.

use super::overrides;
use crate::network::{LinkRow, LinkState, Refusal, Topology, authorise_for};
use crate::store::{Change, Echo, Footing, Pace, StoreError, View};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reconcile::Difference;
use wayhaven_shared::value::{DeliveryId, GuildId, LinkId, PunishmentId, UserId};

/// The measures that last, and so are compared.
pub const LASTING: [Action; 3] = [Action::Ban, Action::Mute, Action::Timeout];

/// Something decided for somebody in a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The child.
    pub guild: GuildId,
    /// Who.
    pub user: UserId,
    /// What.
    pub measure: Action,
    /// Who decided it.
    pub main: GuildId,
    /// The decision.
    pub punishment: PunishmentId,
    /// Whether somebody has asked for all that is missing, also for what the link was opened without.
    pub asked: bool,
}

/// Who took back what is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenBack {
    /// Nobody, by the guild's audit log.
    ByNobody,
    /// The guild's own staff, or another bot of theirs, and the entry that tells so.
    ByStaff(Option<UserId>, u64),
    /// The log does not say, or cannot be read.
    Unknown,
}

/// Along which links a measure is wanted in a child: those that would let it through.
pub fn open_links(topology: &Topology, child: GuildId, measure: Action) -> Vec<LinkRow> {
    let links = topology.mains().filter_map(|main| topology.link(main, child));
    links.filter(|link| link.is_open_for(measure)).cloned().collect()
}

/// How it stands by our own rows and by what Discord says: whether it is `there`, where that is known. What is gone is
/// [`Difference::Gone`], whoever took it back.
///
/// # Errors
/// Where the store fails.
pub fn compare(
    view: &View<'_>,
    topology: &Topology,
    wanted: &Wanted,
    there: Option<bool>,
) -> Result<Difference, StoreError> {
    let Wanted { guild, user, measure, main, punishment, .. } = *wanted;
    let footing = view.footing(punishment, guild, measure)?;
    let refused = authorise_for(topology, main, guild, measure, user).err();
    let unless_protected = match footing {
        Footing::Open(id) if view.is_blocked(id)? => Difference::Blocked,
        Footing::Open(_) => Difference::OnItsWay,
        // Whether it is there is known of members alone: they have joined, and nobody has told.
        Footing::WhenTheyJoin(_) if there.is_none() => Difference::OnItsWay,
        _ if refused
            .is_some_and(|refusal| refusal.state() != DeliveryState::Held && !refusal.is_protection()) =>
        {
            Difference::LeftOut
        }
        Footing::Protected(_) => Difference::Protected,
        Footing::LeftOut => Difference::LeftOut,
        Footing::Refused => Difference::Failed,
        Footing::Applied(..) if there == Some(false) => Difference::Gone,
        Footing::Applied(..) => Difference::InOrder,
        // The link was opened without what had been decided before.
        Footing::None | Footing::Stopped(_)
            if !wanted.asked
                && topology.link(main, guild).is_some_and(|link| !link.begins_with(punishment)) =>
        {
            Difference::LeftOut
        }
        Footing::None if there == Some(true) => Difference::Found,
        Footing::None if view.is_discarded_elsewhere(punishment)? => Difference::LeftOut,
        Footing::WhenTheyJoin(_) if there == Some(true) => Difference::InOrder,
        Footing::None | Footing::Stopped(_) | Footing::WhenTheyJoin(_) => Difference::Missing,
    };
    let is_protected = refused.is_some_and(Refusal::is_protection);
    Ok(match unless_protected {
        // It would be delivered now, and is not: it stays so.
        Difference::Missing | Difference::Found if is_protected => Difference::Protected,
        Difference::OnItsWay | Difference::Blocked | Difference::Protected => unless_protected,
        // What was delivered before is put off until they are not protected any more.
        _ if is_protected => Difference::LeftOut,
        _ => unless_protected,
    })
}

/// Does what is to be done about a difference, inside the transaction that finds it. Returns the difference as it was found
/// now, and the delivery that was begun for it.
///
/// # Errors
/// Where the store fails.
pub fn bring_about(
    change: &Change<'_>,
    wanted: &Wanted,
    there: Option<bool>,
    taken_back: TakenBack,
    pace: Pace,
) -> Result<(Difference, Option<DeliveryId>), StoreError> {
    let Wanted { guild, user, measure, main, punishment, .. } = *wanted;
    let topology = change.topology_here()?;
    let Some(link) = topology.link(main, guild).filter(|link| link.state == LinkState::Active) else {
        return Ok((Difference::LeftOut, None));
    };
    // What was decided may have ended since it was read.
    if change.decided_for((main, guild), measure, user, change.now())? != Some(punishment) {
        return Ok((Difference::InOrder, None));
    }
    let difference = compare(change, &topology, wanted, there)?;
    let footing = change.footing(punishment, guild, measure)?;
    let start = match authorise_for(&topology, main, guild, measure, user) {
        Ok(_) => (DeliveryState::Pending, None),
        Err(refusal) => (refusal.state(), Some(refusal.to_string())),
    };
    let (state, reason) = (start.0, start.1.as_deref());
    Ok(match (difference, footing) {
        (Difference::Missing, Footing::None) => {
            let Some(decision) = change.punishment(punishment)? else { return Ok((difference, None)) };
            let id = change.deliver_late(&decision, guild, link.id, (state, reason), pace)?;
            (difference, Some(id))
        }
        (Difference::Protected, _) => {
            remember_protection(change, wanted, link.id, (state, reason))?;
            (difference, None)
        }
        (Difference::Found, _) => {
            if let Some(decision) = change.punishment(punishment)? {
                change.find_there(&decision, guild, link.id)?;
            }
            (difference, None)
        }
        (Difference::Missing, Footing::Stopped(id) | Footing::WhenTheyJoin(id)) => {
            // It comes behind what took it back along its link.
            change.note_handed_over(id)?;
            change.set_pace(id, pace)?;
            change.apply_again(id, state, reason)?;
            (difference, Some(id))
        }
        (Difference::Gone, Footing::Applied(id, _)) => match (taken_back, measure.undo()) {
            (TakenBack::ByStaff(by, entry), Some(undo)) => {
                // As where it is heard when it happens.
                change.note_local_cause(Echo::of_entry(guild, user, undo, entry), by, None)?;
                change.let_go(guild, user, undo)?;
                let at = change.skew().made_at(entry);
                overrides::taken_back_here(change, guild, user, undo, by, at)?;
                change.note_lifted(Echo::of_entry(guild, user, undo, entry))?;
                (Difference::Overridden, None)
            }
            (TakenBack::Unknown, _) => (Difference::Unclear, None),
            _ => {
                change.note_handed_over(id)?;
                change.set_pace(id, pace)?;
                change.apply_again(id, state, reason)?;
                (difference, Some(id))
            }
        },
        (difference, _) => (difference, None),
    })
}

/// What would be delivered now is not, because the user is protected, or was when it was decided: its delivery says so. The
/// same holds for the shorter ones that would take its place.
fn remember_protection(
    change: &Change<'_>,
    wanted: &Wanted,
    link: LinkId,
    (state, reason): (DeliveryState, Option<&str>),
) -> Result<(), StoreError> {
    let Wanted { guild, user, measure, main, .. } = *wanted;
    for one in change.overlapping(main, user, measure, change.now())? {
        let of_main = change.protection_of(one.id)?;
        let Some(why) = of_main.as_deref().or(reason) else { continue };
        match change.footing(one.id, guild, measure)? {
            Footing::Stopped(id) | Footing::WhenTheyJoin(id) | Footing::Protected(Some(id)) => {
                change.stop_for_protection(id, why)?;
            }
            Footing::None | Footing::Protected(None) if change.stand(one.id, guild, measure)?.is_none() => {
                let Some(decision) = change.punishment(one.id)? else { continue };
                change.deliver_late(&decision, guild, link, (state, Some(why)), Pace::Behind)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What every main wants for the user in the child, of these measures, is brought about where nothing was delivered yet: they
/// join, or an exception has ended. Returns the deliveries that were begun, or that wait and may go at once.
///
/// # Errors
/// Where the store fails.
pub fn bring_all_about(
    change: &Change<'_>,
    guild: GuildId,
    user: UserId,
    measures: &[Action],
) -> Result<Vec<DeliveryId>, StoreError> {
    let topology = change.topology_here()?;
    let mut begun = Vec::new();
    for &measure in measures {
        for link in open_links(&topology, guild, measure) {
            let Some(punishment) = change.decided_for((link.main, guild), measure, user, change.now())?
            else {
                continue;
            };
            let wanted = Wanted { guild, user, measure, main: link.main, punishment, asked: false };
            let (_, id) = bring_about(change, &wanted, None, TakenBack::Unknown, Pace::Live)?;
            begun.extend(id);
            if let (None, Footing::Open(open) | Footing::WhenTheyJoin(open)) =
                (id, change.footing(punishment, guild, measure)?)
            {
                change.set_pace(open, Pace::Live)?;
                begun.push(open);
            }
        }
    }
    Ok(begun)
}
