//! The permit that every request which changes something in a guild has to show.

use super::{Excepted, LinkState, Shield, Topology};
use crate::delivery::{Queued, Scope};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{ChannelId, GuildId, HoldId, LinkId, UserId};

/// Leave to do one action in one guild. There are two kinds: *local*, in the guild where it was asked for, and
/// *authorised*, along an active link of the guild where it was decided, or an undo along a closing one. The guild of a request is read from
/// the permit, so that a request cannot go elsewhere than it was allowed to.
#[derive(Debug)]
pub struct Permit {
    guild: GuildId,
    action: Action,
    link: Option<LinkId>,
}

impl Permit {
    /// The guild it is good for.
    pub fn guild(&self) -> GuildId {
        self.guild
    }

    /// The action it is good for.
    pub fn action(&self) -> Action {
        self.action
    }

    /// The link it follows; nothing for a local one.
    pub fn link(&self) -> Option<LinkId> {
        self.link
    }
}

/// Why there is no permit, in the order of the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Gate 1.
    #[error("the guild where it was decided is not a main")]
    SourceIsNoMain,
    /// Gate 2.
    #[error("the guild is not linked to that main")]
    NotLinked,
    /// Gate 3.
    #[error("the link does not allow this action")]
    ActionNotAllowed,
    /// Gate 4: not accepted, or closing, which lets through only what takes back.
    #[error("the link is not active")]
    LinkNotActive,
    /// Gate 4: recorded and not sent.
    #[error("monitor mode")]
    Monitor,
    /// Gate 5.
    #[error("the network is frozen")]
    Frozen,
    /// Gate 5: somebody has to approve it.
    #[error("hold {0}: sync approve {0} sends it, sync discard {0} never does")]
    Held(HoldId),
    /// Gate 6: the guild where it would be done protects the user.
    #[error("protected there")]
    Protected,
    /// Gate 6: the main protects them in its whole network.
    #[error("protected in the main")]
    ProtectedInMain,
    /// Gate 6: they own the guild where it was decided.
    #[error("they own the guild where it was decided")]
    OwnsMain,
    /// Gate 6: it is Wayhaven itself, or one of `network.bots`.
    #[error("one of Wayhaven's own accounts, which are never punished")]
    Own,
    /// Before the gates: the guild does not apply this to that user.
    #[error("{0}")]
    Excepted(Excepted),
}

impl Refusal {
    /// Whether it is for a protected user.
    pub fn is_protection(self) -> bool {
        matches!(self, Self::Protected | Self::ProtectedInMain | Self::OwnsMain | Self::Own)
    }

    /// Whether the main, or what holds everywhere, protects the user: then it concerns all children.
    pub fn is_of_main(self) -> bool {
        self.is_protection() && self != Self::Protected
    }

    /// The refusal for a protected user that a reason in the store names.
    pub fn of_protection(reason: &str) -> Option<Self> {
        let all = [Self::Protected, Self::ProtectedInMain, Self::OwnsMain, Self::Own];
        all.into_iter().find(|refusal| refusal.to_string() == reason)
    }

    /// Whether it is about this user and this guild alone: what is refused so ends nothing that is on its way.
    pub fn spares_older(self) -> bool {
        self.is_protection() || matches!(self, Self::Excepted(_))
    }

    /// Whether it is waited for: a freeze, and what somebody has to approve.
    pub fn is_waited_for(self) -> bool {
        matches!(self, Self::Frozen | Self::Held(_))
    }

    /// Where a delivery that meets this refusal stands.
    pub fn state(self) -> DeliveryState {
        if self.is_waited_for() { DeliveryState::Held } else { DeliveryState::Skipped }
    }
}

/// The permit that a stored delivery needs, made anew whenever it is about to be sent: rows are authorised
/// again, whoever wrote them.
///
/// # Errors
/// The first gate that is shut.
pub fn permit_for(topology: &Topology, delivery: &Queued) -> Result<Permit, Refusal> {
    match delivery.scope {
        // Local, in the guild where it was decided and in no other.
        Scope::Origin if delivery.guild == delivery.source => {
            check_protection(topology, delivery.source, delivery.guild, delivery.action, delivery.user)?;
            Ok(Permit { guild: delivery.guild, action: delivery.action, link: None })
        }
        Scope::Origin => Err(Refusal::NotLinked),
        Scope::Child(_) => {
            let Queued { source, guild, action, user, hold, .. } = *delivery;
            let permit = authorise_for(topology, source, guild, action, user);
            match hold.filter(|hold| topology.awaits(*hold)) {
                Some(hold) if matches!(permit, Ok(_) | Err(Refusal::Frozen)) => Err(Refusal::Held(hold)),
                _ => permit,
            }
        }
    }
}

/// [`authorise`] for one user, whom a list may protect, and for whom the guild may have an exception.
///
/// # Errors
/// The first gate that is shut.
pub fn authorise_for(
    topology: &Topology,
    source: GuildId,
    target: GuildId,
    action: Action,
    user: UserId,
) -> Result<Permit, Refusal> {
    let permit = authorise(topology, source, target, action);
    if matches!(permit, Ok(_) | Err(Refusal::Frozen)) {
        // Before the freeze: what would be skipped in the end is not held.
        check_protection(topology, source, target, action, user)?;
        if let Some(excepted) = topology.excepts(target, user, action) {
            return Err(Refusal::Excepted(excepted));
        }
    }
    permit
}

/// What takes back is never hindered.
fn check_protection(
    topology: &Topology,
    source: GuildId,
    target: GuildId,
    action: Action,
    user: UserId,
) -> Result<(), Refusal> {
    match topology.protection().shield(source, target, user) {
        Some(_) if action.is_undo() => Ok(()),
        Some(Shield::Wayhaven(_) | Shield::ListedBot(_)) => Err(Refusal::Own),
        Some(Shield::Owner { .. }) => Err(Refusal::OwnsMain),
        Some(shield) if shield.guild() == Some(target) => Err(Refusal::Protected),
        Some(_) => Err(Refusal::ProtectedInMain),
        None => Ok(()),
    }
}

/// The one way to a permit for another guild than the one where it was decided.
///
/// # Errors
/// The first gate that is shut.
pub fn authorise(
    topology: &Topology,
    source: GuildId,
    target: GuildId,
    action: Action,
) -> Result<Permit, Refusal> {
    if !topology.is_main(source) {
        return Err(Refusal::SourceIsNoMain);
    }
    let link = topology.link(source, target).ok_or(Refusal::NotLinked)?;
    if link.state == LinkState::Closing && action.is_undo() {
        // It takes back what went along it, whatever may go along it by now.
        if topology.holds(source, action) {
            return Err(Refusal::Frozen);
        }
        return Ok(Permit { guild: target, action, link: Some(link.id) });
    }
    if !link.actions.contains(&action.measure()) {
        return Err(Refusal::ActionNotAllowed);
    }
    if link.state != LinkState::Active {
        return Err(Refusal::LinkNotActive);
    }
    if link.mode == Mode::Monitor {
        return Err(Refusal::Monitor);
    }
    if topology.holds(source, action) {
        return Err(Refusal::Frozen);
    }
    Ok(Permit { guild: target, action, link: Some(link.id) })
}

/// Leave to post in a channel of a guild what concerns that guild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuildChannel(ChannelId);

impl GuildChannel {
    /// Leave to tell `guild` something in `channel`; nothing where the channel is not that guild's. `home` is the
    /// guild that Discord says it belongs to: what the store says of it may be out of date, or forged.
    pub fn of(guild: GuildId, channel: ChannelId, home: Option<GuildId>) -> Option<Self> {
        (home == Some(guild)).then_some(Self(channel))
    }

    /// The channel.
    pub fn channel(self) -> ChannelId {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Freeze, LinkRow, Protection};
    use wayhaven_shared::operations::protect::Protected;

    fn guild(id: u64) -> GuildId {
        GuildId::new(id).unwrap()
    }

    fn link() -> LinkRow {
        LinkRow {
            id: LinkId::new(1).unwrap(),
            main: guild(1),
            child: guild(2),
            mode: Mode::Active,
            state: LinkState::Active,
            actions: vec![Action::Ban],
            begins_after: 0,
        }
    }

    fn through(frozen: bool, link: LinkRow, source: u64, target: u64) -> Result<LinkId, Refusal> {
        let freeze = frozen.then_some(Freeze::Everything);
        let topology = Topology::new(vec![(guild(1), freeze)], vec![link]);
        let permit = authorise(&topology, guild(source), guild(target), Action::Ban)?;
        assert_eq!((permit.guild(), permit.action()), (guild(target), Action::Ban));
        Ok(permit.link().unwrap())
    }

    #[test]
    fn each_gate_is_shut_by_itself() {
        assert_eq!(through(false, link(), 1, 2), Ok(LinkId::new(1).unwrap()));
        assert_eq!(through(false, link(), 2, 1), Err(Refusal::SourceIsNoMain), "a child reaches nobody");
        assert_eq!(through(false, link(), 1, 3), Err(Refusal::NotLinked));
        assert_eq!(through(false, link(), 1, 1), Err(Refusal::NotLinked), "a main is no child of itself");
        let bare = LinkRow { actions: Vec::new(), ..link() };
        assert_eq!(through(false, bare, 1, 2), Err(Refusal::ActionNotAllowed));
        for state in [LinkState::Proposed, LinkState::Closing] {
            assert_eq!(through(false, LinkRow { state, ..link() }, 1, 2), Err(Refusal::LinkNotActive));
        }
        let monitor = LinkRow { mode: Mode::Monitor, ..link() };
        assert_eq!(through(false, monitor, 1, 2), Err(Refusal::Monitor));
        assert_eq!(through(true, link(), 1, 2), Err(Refusal::Frozen));
    }

    #[test]
    fn a_guild_is_told_something_in_its_own_channels_only() {
        let channel = ChannelId::new(9).unwrap();
        assert_eq!(
            GuildChannel::of(guild(1), channel, Some(guild(1))).map(GuildChannel::channel),
            Some(channel)
        );
        assert_eq!(GuildChannel::of(guild(1), channel, Some(guild(2))), None);
        assert_eq!(GuildChannel::of(guild(1), channel, None), None, "one that the bot does not see");
    }

    #[test]
    fn a_list_of_either_guild_shuts_the_gate_before_a_freeze_and_takes_nothing_from_undos() {
        let user = UserId::new(9).unwrap();
        let of = |freeze, listed: u64, action| {
            let protection = Protection::new(vec![(guild(listed), Protected::User(user))], Vec::new());
            let topology = Topology::new(vec![(guild(1), freeze)], vec![link()]).protecting(protection);
            authorise_for(&topology, guild(1), guild(2), action, user).err()
        };
        let everything = Some(Freeze::Everything);
        assert_eq!(of(None, 2, Action::Ban), Some(Refusal::Protected));
        assert_eq!(of(everything, 2, Action::Ban), Some(Refusal::Protected));
        assert_eq!(of(None, 1, Action::Ban), Some(Refusal::ProtectedInMain));
        assert_eq!(of(None, 3, Action::Ban), None, "a list of a guild that has nothing to do with it");
        assert_eq!((of(None, 1, Action::Unban), of(None, 2, Action::Unban)), (None, None));
    }

    #[test]
    fn an_unban_is_allowed_where_a_ban_is() {
        let topology = Topology::new(vec![(guild(1), None)], vec![link()]);
        assert!(authorise(&topology, guild(1), guild(2), Action::Unban).is_ok());
    }

    #[test]
    fn a_closing_link_lets_through_what_takes_back_and_nothing_else() {
        let closing = LinkRow { state: LinkState::Closing, ..link() };
        // Also where it would let nothing through any more: it takes back what went along it before.
        let shut = LinkRow { mode: Mode::Monitor, actions: Vec::new(), ..closing.clone() };
        for link in [closing.clone(), shut] {
            let topology = Topology::new(vec![(guild(1), None)], vec![link]);
            for action in Action::ALL {
                let permit = authorise(&topology, guild(1), guild(2), action);
                assert_eq!(permit.is_ok(), action.is_undo(), "{action}");
                assert!(authorise(&topology, guild(2), guild(1), action).is_err(), "{action} back");
                assert!(authorise(&topology, guild(1), guild(3), action).is_err(), "{action} elsewhere");
            }
        }
        for (freeze, through) in [(Freeze::Everything, false), (Freeze::ExceptReversals, true)] {
            let topology = Topology::new(vec![(guild(1), Some(freeze))], vec![closing.clone()]);
            let permit = authorise(&topology, guild(1), guild(2), Action::Unban);
            assert_eq!(permit.is_ok(), through);
            assert!(through || permit.err() == Some(Refusal::Frozen), "it is held, and not skipped");
        }
        let proposed = LinkRow { state: LinkState::Proposed, ..link() };
        let topology = Topology::new(vec![(guild(1), None)], vec![proposed]);
        let permit = authorise(&topology, guild(1), guild(2), Action::Unban);
        assert_eq!(permit.err(), Some(Refusal::LinkNotActive));
    }

    #[test]
    fn an_exception_is_for_one_user_one_measure_and_one_guild_and_never_for_an_undo() {
        let user = |id| UserId::new(id).unwrap();
        let both = LinkRow { actions: vec![Action::Ban, Action::Mute], ..link() };
        let topology = Topology::new(vec![(guild(1), None)], vec![both.clone()])
            .with_exceptions([((guild(2), user(7), Action::Ban), Excepted::BY_STAFF)].into());
        let of = |who, action| authorise_for(&topology, guild(1), guild(2), action, user(who)).err();
        assert_eq!(of(7, Action::Ban), Some(Refusal::Excepted(Excepted::BY_STAFF)));
        assert_eq!(of(7, Action::Unban), None);
        assert_eq!(of(7, Action::Mute), None);
        assert_eq!(of(8, Action::Ban), None);
        let frozen = Topology::new(vec![(guild(1), Some(Freeze::Everything))], vec![both])
            .with_exceptions([((guild(2), user(7), Action::Ban), Excepted::BY_STAFF)].into());
        let held = authorise_for(&frozen, guild(1), guild(2), Action::Ban, user(7));
        assert_eq!(held.err(), Some(Refusal::Excepted(Excepted::BY_STAFF)), "it is not held for nothing");
    }

    #[test]
    fn a_freeze_holds_reversals_too_unless_it_is_told_not_to() {
        let of = |freeze, action| {
            let topology = Topology::new(vec![(guild(1), Some(freeze))], vec![link()]);
            authorise(&topology, guild(1), guild(2), action).err()
        };
        assert_eq!(of(Freeze::Everything, Action::Unban), Some(Refusal::Frozen));
        assert_eq!(of(Freeze::ExceptReversals, Action::Unban), None);
        assert_eq!(of(Freeze::ExceptReversals, Action::Ban), Some(Refusal::Frozen));
    }
}
