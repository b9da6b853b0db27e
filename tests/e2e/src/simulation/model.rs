//! Who must be banned where: a small, pure picture that knows nothing of how the daemon does it.
//!
//! Guilds and users are small numbers. What the picture cannot decide, because two things raced, is *lost*: of such a user
//! only is asked that nothing leaks, and nobody touches them again. How few they are is told at the end.

mod linking;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A guild: one of [`MAINS`], [`CHILDREN`], or [`UNLINKED`].
pub(super) type Guild = usize;
/// A user.
pub(super) type User = usize;

/// The guilds that decide for others.
pub(super) const MAINS: Range<Guild> = 0..2;
/// The guilds that may be linked to them.
pub(super) const CHILDREN: Range<Guild> = 2..6;
/// A guild that never is.
pub(super) const UNLINKED: Guild = 6;
/// How many guilds there are.
pub(super) const GUILDS: usize = 7;

/// The number of a ban.
type Ban = usize;

/// A user in a guild.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Whether they are banned there.
    pub(super) banned: bool,
    /// Whether that is of Wayhaven's doing.
    ours: bool,
    /// Whether the guild's own staff want it so, by hand.
    pub(super) local: bool,
    /// The bans that stand and have come here, each with the guild that decided it.
    causes: BTreeSet<(Guild, Ban)>,
    /// The mains that have brought it there since they were banned last.
    brought: BTreeSet<Guild>,
    /// The mains whose bans the guild's staff lifted before the link that is now: they lift them no second time.
    former: BTreeSet<Guild>,
    /// Whether the guild takes no ban of them from a main, since its staff took one back.
    excepted: bool,
    /// How many bans had been decided anywhere when the guild said something about them itself, by a command.
    own_word: Ban,
}

impl Place {
    fn lifted(&mut self) {
        (self.banned, self.ours) = (false, false);
        self.brought.clear();
    }
}

/// Everything that must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// The links there are; whether each is in monitor mode.
    pub(super) links: BTreeMap<(Guild, Guild), bool>,
    /// Mains that send nothing.
    pub(super) frozen: BTreeSet<Guild>,
    /// Whom nobody may ban, where, and in a main's children.
    pub(super) protected: BTreeSet<(Guild, User)>,
    /// Users of whom it is not known how they stand.
    pub(super) lost: BTreeSet<User>,
    places: BTreeMap<(Guild, User), Place>,
    /// The bans of a guild that nobody has taken back, oldest first; whether each ends by itself.
    active: BTreeMap<(Guild, User), Vec<(Ban, bool)>>,
    /// How many bans were decided.
    bans: Ban,
    /// What a freeze holds for a child: a ban, or that it is taken back.
    held: BTreeMap<(Guild, Guild, User), Option<Ban>>,
}

impl Model {
    pub(super) fn place(&self, guild: Guild, user: User) -> Place {
        self.places.get(&(guild, user)).cloned().unwrap_or_default()
    }

    fn at(&mut self, guild: Guild, user: User) -> &mut Place {
        self.places.entry((guild, user)).or_default()
    }

    /// Whether a decision of the main reaches the child now.
    pub(super) fn is_open(&self, main: Guild, child: Guild) -> bool {
        !self.frozen.contains(&main) && self.links.get(&(main, child)) == Some(&false)
    }

    /// Whom a guild has banned.
    pub(super) fn decided_by(&self, source: Guild) -> Vec<User> {
        let stands = |(place, active): (&(Guild, User), &Vec<(Ban, bool)>)| {
            (place.0 == source && !active.is_empty()).then_some(place.1)
        };
        self.active.iter().filter_map(stands).collect()
    }

    /// How many bans of a guild stand.
    pub(super) fn active(&self, guild: Guild, user: User) -> usize {
        self.active.get(&(guild, user)).map_or(0, Vec::len)
    }

    /// A guild decides: it bans, or takes that back; by a command, or by its staff's own hand.
    pub(super) fn decide(&mut self, source: Guild, user: User, ban: bool, by_hand: bool) {
        self.bans += 1;
        let decided = ban.then_some(self.bans);
        let active = self.active.entry((source, user)).or_default();
        match decided {
            Some(number) => active.push((number, false)),
            None => {
                active.clear();
                self.is_no_cause(user, |(guild, _)| guild == source);
            }
        }
        // Its own word goes before what others had for it.
        self.held.retain(|(_, guild, of), _| (*guild, *of) != (source, user));
        let overrides = !ban && !by_hand && self.overrides(source, user);
        let said = self.bans;
        let own = self.at(source, user);
        own.banned = ban;
        if !ban {
            own.brought.clear();
        }
        if !by_hand {
            own.own_word = said;
            own.ours = ban;
            own.excepted = !ban && (own.excepted || overrides);
            own.local &= ban;
            own.causes.extend(decided.map(|number| (source, number)));
        }
        if !MAINS.contains(&source) {
            return;
        }
        let guarded = |guild| ban && self.protected.contains(&(guild, user));
        if guarded(source) {
            return;
        }
        let children: Vec<Guild> = CHILDREN.filter(|child| !guarded(*child)).collect();
        for child in children {
            if !self.links.contains_key(&(source, child)) {
                continue;
            }
            self.held.remove(&(source, child, user));
            if self.is_open(source, child) {
                self.arrive(source, child, user, decided);
            } else if self.links[&(source, child)] || (ban && self.place(child, user).excepted) {
                // Recorded, and never sent.
            } else {
                self.held.insert((source, child, user), decided);
            }
        }
    }

    /// A main's decision comes to a child.
    fn arrive(&mut self, source: Guild, child: Guild, user: User, ban: Option<Ban>) {
        let active = self.active.get(&(source, user));
        let stands = ban.filter(|ban| active.is_some_and(|active| active.iter().any(|(one, _)| one == ban)));
        let place = self.at(child, user);
        if place.excepted {
            return;
        }
        if ban.is_some() {
            place.ours |= !place.banned;
            place.banned = true;
            if stands.is_some_and(|number| place.causes.insert((source, number))) {
                place.former.remove(&source);
            }
            place.brought.insert(source);
        } else if place.ours && !place.local && place.causes.is_empty() {
            place.lifted();
        }
    }

    /// Bans that have ended are no causes any more, wherever they have come.
    fn is_no_cause(&mut self, user: User, ended: impl Fn((Guild, Ban)) -> bool) {
        for guild in 0..GUILDS {
            self.at(guild, user).causes.retain(|cause| !ended(*cause));
        }
    }

    /// The staff of a guild that is no main do it by hand.
    pub(super) fn local(&mut self, guild: Guild, user: User, ban: bool) {
        let overrides = !ban && self.overrides(guild, user);
        let place = self.at(guild, user);
        (place.banned, place.local) = (ban, ban);
        if ban {
            place.excepted = false;
        } else {
            place.lifted();
            place.excepted |= overrides;
        }
    }

    /// Whether an unban by a child takes back what a main has there.
    fn overrides(&self, guild: Guild, user: User) -> bool {
        CHILDREN.contains(&guild)
            && self.place(guild, user).causes.iter().any(|(main, _)| {
                self.links.contains_key(&(*main, guild)) && !self.place(guild, user).former.contains(main)
            })
    }

    /// The main goes on: what was held is sent. About whom that is.
    pub(super) fn resume(&mut self, main: Guild) -> Vec<User> {
        self.frozen.remove(&main);
        let (freed, held) = std::mem::take(&mut self.held).into_iter().partition(|((of, ..), _)| *of == main);
        self.held = held;
        let freed: BTreeMap<(Guild, Guild, User), Option<Ban>> = freed;
        for ((_, child, user), ban) in &freed {
            if self.is_open(main, *child) {
                self.arrive(main, *child, *user, *ban);
            }
        }
        freed.into_keys().map(|(.., user)| user).collect()
    }

    /// The newest ban of a guild is to end by itself.
    pub(super) fn ends_by_itself(&mut self, source: Guild, user: User) {
        if let Some(newest) = self.active.get_mut(&(source, user)).and_then(|active| active.last_mut()) {
            newest.1 = true;
        }
    }

    /// The time of all that ends by itself has come: what was taken back by that. Only the newest ban of a guild lifts.
    pub(super) fn time_passes(&mut self) -> Vec<(Guild, User)> {
        let (mut ended, mut over) = (Vec::new(), Vec::new());
        for (place, active) in &mut self.active {
            match active.last() {
                Some((_, true)) => ended.push(*place),
                _ => over
                    .extend(active.extract_if(.., |(_, brief)| *brief).map(|(number, _)| (place.1, number))),
            }
        }
        for (user, number) in over {
            self.is_no_cause(user, |(_, of)| of == number);
        }
        for (source, user) in &ended {
            // Two mains at once: it hangs on the order whose undo finds the other's cause.
            if ended.iter().filter(|(_, other)| other == user).count() > 1 {
                self.lost.insert(*user);
            }
            self.decide(*source, *user, false, false);
        }
        ended
    }

    /// The newest ban of a guild is reverted; whether none is left.
    pub(super) fn revert(&mut self, source: Guild, user: User) -> bool {
        let active = self.active.entry((source, user)).or_default();
        let reverted = active.pop();
        let older = active.last().map(|(number, _)| *number);
        let none_left = active.is_empty();
        if none_left {
            self.decide(source, user, false, false);
        } else if let (Some((number, _)), Some(older)) = (reverted, older) {
            let linked: Vec<Guild> =
                CHILDREN.filter(|child| self.links.contains_key(&(source, *child))).collect();
            for child in linked {
                let place = self.place(child, user);
                let (was_cause, is_cause) =
                    (place.causes.contains(&(source, number)), place.causes.contains(&(source, older)));
                // The older one takes its place. Whether it comes to where it is not so far is nobody's promise.
                if !(place.banned || place.excepted)
                    || (was_cause && !is_cause && !self.is_open(source, child))
                {
                    self.lost.insert(user);
                } else if was_cause {
                    self.at(child, user).causes.insert((source, older));
                }
            }
            self.is_no_cause(user, |(_, of)| of == number);
        }
        none_left
    }

    /// Whether anything ends by itself.
    pub(super) fn has_brief(&self) -> bool {
        self.active.values().flatten().any(|(_, brief)| *brief)
    }

    /// How many are banned in a guild, of those who are not lost.
    pub(super) fn banned(&self, guild: Guild) -> usize {
        let counts = |((at, user), place): (&(Guild, User), &Place)| {
            *at == guild && place.banned && !self.lost.contains(user)
        };
        self.places.iter().filter(|one| counts(*one)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linked() -> Model {
        let mut model = Model::default();
        MAINS.for_each(|main| CHILDREN.for_each(|child| model.link(main, child, false, false)));
        model
    }

    #[test]
    fn what_two_mains_want_stays_until_both_take_it_back_and_what_staff_want_stays_for_ever() {
        let mut model = linked();
        model.local(2, 0, true);
        model.decide(0, 0, true, false);
        model.decide(1, 0, true, true);
        model.decide(0, 0, false, false);
        assert!((2..6).all(|child| model.place(child, 0).banned));
        model.decide(1, 0, false, true);
        assert!(model.place(2, 0).banned, "its own staff's");
        assert!((3..6).all(|child| !model.place(child, 0).banned));
    }

    #[test]
    fn what_staff_take_back_is_not_delivered_there_again() {
        let mut model = linked();
        model.decide(0, 0, true, false);
        model.local(3, 0, false);
        model.decide(0, 0, true, false);
        assert!(!model.place(3, 0).banned && model.place(4, 0).banned);
    }

    #[test]
    fn staff_override_what_has_come_to_their_guild_and_not_what_else_the_main_has_decided() {
        let mut model = linked();
        model.decide(0, 0, true, false);
        model.ends_by_itself(0, 0);
        model.link(0, 2, true, false);
        model.decide(0, 0, true, false);
        model.time_passes();
        model.local(2, 0, false);
        model.local(3, 0, false);
        assert!(!model.place(2, 0).excepted, "what had come here has ended");
        assert!(model.place(3, 0).excepted);
    }

    #[test]
    fn a_freeze_holds_and_a_monitor_forgets() {
        let mut model = linked();
        model.link(0, 2, true, false);
        model.frozen.insert(0);
        model.decide(0, 0, true, false);
        assert_eq!((model.banned(0), model.banned(3)), (1, 0));
        model.resume(0);
        model.link(0, 2, false, false);
        assert_eq!((model.banned(2), model.banned(3)), (0, 1));
        model.make_good(0, 2);
        assert_eq!(model.banned(2), 1);
    }
}
