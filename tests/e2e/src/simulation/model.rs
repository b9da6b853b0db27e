//! Who must be banned where: a small, pure picture that knows nothing of how the daemon does it.
//!
//! Guilds and users are small numbers. What the picture cannot decide, because two things raced, is *lost*: of such a user
//! only is asked that nothing leaks, and nobody touches them again. How few they are is told at the end.

mod linking;
mod members;
mod overlaps;
mod withheld;

pub(super) use overlaps::{DAYS_AT_ONCE, Length};
use overlaps::{Day, Decided};

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
    /// The causes that the guild's staff have taken back by hand.
    let_go: BTreeSet<(Guild, Ban)>,
    /// Whether the guild takes no ban of them from a main, since its staff took one back.
    excepted: bool,
    /// How many bans had been decided anywhere when the guild said something about them itself, by a command.
    own_word: Ban,
}

impl Place {
    /// Whether a guild's decision keeps it there: the guild's own command, or a main's that the staff have not taken back since
    /// it came.
    fn is_wanted(&self) -> bool {
        self.causes.iter().any(|cause| !MAINS.contains(&cause.0) || !self.let_go.contains(cause))
    }

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
    /// Who holds a role that a guild protects, and whether they are a member still; who has left counts until that is known.
    pub(super) shields: BTreeMap<(Guild, User), bool>,
    /// What a protection has kept from a child, as the main that decided it, the child, and whom.
    withheld: BTreeMap<(Guild, Guild, User), BTreeSet<Ban>>,
    /// Who is no member of a guild for a time, though they can be muted there.
    absent: BTreeSet<(Guild, User)>,
    /// Users of whom it is not known how they stand.
    pub(super) lost: BTreeSet<User>,
    places: BTreeMap<(Guild, User), Place>,
    /// The bans of a guild that nobody has lifted, oldest first; also those that a shorter one has replaced.
    active: BTreeMap<(Guild, User), Vec<Decided>>,
    /// How many bans were decided.
    bans: Ban,
    /// How many days have passed.
    today: Day,
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
        let stands = |(place, active): (&(Guild, User), &Vec<Decided>)| {
            (place.0 == source && !active.is_empty()).then_some(place.1)
        };
        self.active.iter().filter_map(stands).collect()
    }

    /// How many bans of a guild stand.
    pub(super) fn active(&self, guild: Guild, user: User) -> usize {
        self.active.get(&(guild, user)).map_or(0, Vec::len)
    }

    /// A guild decides: it bans for ever, or unbans; by a command, or by its staff's own hand.
    pub(super) fn decide(&mut self, source: Guild, user: User, ban: bool, by_hand: bool) {
        self.bans += 1;
        let decided = ban.then(|| Decided::forever(self.bans));
        self.deliver(source, user, decided, by_hand);
    }

    /// Stores a decision of a guild, a ban or else an unban, and delivers it.
    fn deliver(&mut self, source: Guild, user: User, decided: Option<Decided>, by_hand: bool) {
        let replaced = match decided {
            Some(decided) => self.add(source, user, decided),
            None => {
                self.active.entry((source, user)).or_default().clear();
                self.keep_nothing(source, user);
                self.is_no_cause(user, |(guild, _)| guild == source);
                Vec::new()
            }
        };
        let decided = decided.map(|decided| decided.number);
        let ban = decided.is_some();
        // Its own word goes before what others had for it.
        self.held.retain(|(_, guild, of), _| (*guild, *of) != (source, user));
        let overrides = !ban && !by_hand && self.overrides(source, user);
        let said = self.bans;
        let is_away = self.is_absent(source, user);
        if overrides && is_away {
            // Its answer is that they are no member there: whether a main's comes with them again is nobody's promise.
            self.lost.insert(user);
        }
        let own = self.at(source, user);
        own.banned = ban && !is_away;
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
        if let Some(number) = decided.filter(|_| self.is_shielded(source, user)) {
            self.keep_from_all(source, user, number);
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
        self.lose_where_only_replaced(source, user, decided, &replaced);
    }

    /// A main's decision comes to a child.
    fn arrive(&mut self, source: Guild, child: Guild, user: User, ban: Option<Ban>) {
        let active = self.active.get(&(source, user));
        let stands =
            ban.filter(|ban| active.is_some_and(|active| active.iter().any(|one| one.number == *ban)));
        if let Some(number) =
            ban.filter(|_| self.is_shielded(child, user) && !self.place(child, user).excepted)
        {
            self.keep_from(source, child, user, number);
            return;
        }
        let is_away = self.is_absent(child, user);
        let place = self.at(child, user);
        if place.excepted {
            return;
        }
        if ban.is_some() {
            place.ours |= !place.banned;
            place.banned = !is_away;
            if let Some(number) = stands {
                place.let_go.remove(&(source, number));
            }
            if stands.is_some_and(|number| place.causes.insert((source, number))) {
                place.former.remove(&source);
            }
            place.brought.insert(source);
        } else if place.ours && !place.local && !place.is_wanted() {
            place.lifted();
        }
    }

    /// The ban of a bot is approved, and comes to a child.
    pub(super) fn approved(&mut self, main: Guild, child: Option<Guild>, bot: User) {
        self.at(main, bot).banned = true;
        if let Some(child) = child.filter(|child| self.is_open(main, *child)) {
            self.at(child, bot).banned = true;
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
            place.let_go = place.causes.clone();
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
            if ban.is_some() && self.is_shielded(main, *user) {
                // Whether it is kept from all others too hangs on the order.
                self.lost.insert(*user);
            } else if self.is_open(main, *child) {
                self.arrive(main, *child, *user, *ban);
            }
        }
        freed.into_keys().map(|(.., user)| user).collect()
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
mod tests;
