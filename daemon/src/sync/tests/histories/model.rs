//! What should hold: a small, pure picture of two networks, their bans, and whose they are.
//!
//! Guilds and users are small numbers here. Where the outcome hangs on what left before a link closed, the model
//! says that it does not know (`None`), and the driver does not ask.

use std::collections::{BTreeMap, BTreeSet};

/// A guild: [`MAINS`], [`CHILDREN`], or [`UNLINKED`].
pub(super) type Guild = usize;
/// A user of the history.
pub(super) type User = usize;

/// The guilds that decide for others.
pub(super) const MAINS: std::ops::Range<Guild> = 0..2;
/// The guilds that may be linked to them.
pub(super) const CHILDREN: std::ops::Range<Guild> = 2..5;
/// A guild that never is.
pub(super) const UNLINKED: Guild = 5;
/// How many guilds there are.
pub(super) const GUILDS: usize = 6;
/// How many users.
pub(super) const USERS: usize = 2;

/// A link as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// Whether it is not closed.
    pub(super) active: bool,
    /// Whether it is recorded along and not sent.
    pub(super) monitor: bool,
    /// Whether bans are taken from what is allowed along it.
    pub(super) barred: bool,
}

/// A user in a guild.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Whether they are banned there.
    pub(super) banned: Option<bool>,
    /// Whether the last that Wayhaven did there is a ban.
    ours: Option<bool>,
    /// Whether the guild's own staff banned them by hand.
    pub(super) local: bool,
    /// The guilds whose bans stand and have come here.
    causes: BTreeSet<Guild>,
    /// Whether `causes` is a guess.
    murky: bool,
    /// Whose deliveries may still be open.
    open: BTreeSet<Guild>,
    /// Whether the guild does not apply bans of them, because its own staff took one back.
    excepted: Option<bool>,
    /// Whether that ends as soon as a ban of the guild's own is done.
    ending: bool,
}

impl Place {
    fn lost_sight(&mut self) {
        (self.banned, self.ours, self.murky) = (None, None, true);
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) links: BTreeMap<(Guild, Guild), Link>,
    pub(super) frozen: BTreeSet<Guild>,
    places: BTreeMap<(Guild, User), Place>,
    /// What a main's freeze holds for a user in a child: whether it is a ban, where that is known.
    held: BTreeMap<(Guild, Guild, User), Option<bool>>,
}

impl Default for Model {
    fn default() -> Self {
        let fresh =
            || Place { banned: Some(false), ours: Some(false), excepted: Some(false), ..Place::default() };
        let places = (0..GUILDS).flat_map(|guild| (0..USERS).map(move |user| ((guild, user), fresh())));
        Self {
            links: BTreeMap::new(),
            frozen: BTreeSet::new(),
            places: places.collect(),
            held: BTreeMap::new(),
        }
    }
}

impl Model {
    pub(super) fn place(&self, guild: Guild, user: User) -> &Place {
        &self.places[&(guild, user)]
    }

    fn at(&mut self, guild: Guild, user: User) -> &mut Place {
        self.places.entry((guild, user)).or_default()
    }

    pub(super) fn link(&self, main: Guild, child: Guild) -> Link {
        self.links.get(&(main, child)).copied().unwrap_or_default()
    }

    /// Whether a punishment of the main may be sent to the child: all the gates.
    pub(super) fn is_open(&self, main: Guild, child: Guild) -> bool {
        self.would_be_open(main, child) && !self.frozen.contains(&main)
    }

    /// All the gates but the freeze.
    fn would_be_open(&self, main: Guild, child: Guild) -> bool {
        let link = self.link(main, child);
        MAINS.contains(&main) && link.active && !link.monitor && !link.barred
    }

    /// The main sends nothing more: what was on its way is held, if it had not left.
    pub(super) fn freeze(&mut self, main: Guild) {
        if !self.frozen.insert(main) {
            return;
        }
        for ((guild, user), place) in &self.places {
            if *guild != main && place.open.contains(&main) {
                self.held.insert((main, *guild, *user), None);
            }
        }
    }

    /// The main sends again, and what was held first.
    pub(super) fn resume(&mut self, main: Guild) {
        self.frozen.remove(&main);
        let freed: Vec<_> = self.held.extract_if(.., |(of, ..), _| *of == main).collect();
        for ((_, child, user), ban) in freed {
            match ban {
                Some(ban) if self.would_be_open(main, child) => self.arrive(main, child, user, ban),
                // A gate is shut by now, and it is skipped.
                Some(_) => {}
                None => self.at(child, user).lost_sight(),
            }
        }
    }

    /// What was held along the link has ended with it.
    pub(super) fn stopped(&mut self, main: Guild, child: Guild) {
        self.held.retain(|(of, guild, _), _| (*of, *guild) != (main, child));
    }

    /// A link only takes back from now on: whether it does, and in time, hangs on what else there is.
    pub(super) fn waning(&mut self, child: Guild) {
        for ((guild, _), place) in &mut self.places {
            if *guild == child {
                let banned = place.banned.filter(|_| place.local);
                place.lost_sight();
                place.banned = banned;
            }
        }
    }

    /// A link, or all of a main's, may let less through than before: what is open along it may have left or not.
    pub(super) fn restricted(&mut self, main: Guild, child: Option<Guild>) {
        for ((guild, _), place) in &mut self.places {
            if child.is_none_or(|child| child == *guild) && *guild != main && place.open.contains(&main) {
                place.lost_sight();
            }
        }
    }

    /// A ban or an unban is decided in `source`, by a command or, `by_hand`, done there already.
    pub(super) fn decide(&mut self, source: Guild, user: User, ban: bool, by_hand: bool) {
        for guild in 0..GUILDS {
            if !ban {
                self.at(guild, user).causes.remove(&source);
            }
        }
        // A guild's own word is its last: what others had for it is overtaken.
        self.held.retain(|(_, guild, of), _| (*guild, *of) != (source, user));
        let overridden = !ban && !by_hand && self.takes_back(source, user);
        let own = self.at(source, user);
        if overridden {
            // Whether it had arrived by then is known only of what is settled.
            let settled = !own.murky && own.open.iter().all(|other| *other == source);
            own.excepted = if settled { Some(true) } else { own.excepted.filter(|excepted| *excepted) };
        }
        if !by_hand && own.excepted != Some(false) {
            own.ending = ban;
            own.excepted = own.excepted.filter(|_| !ban);
        }
        // What was on its way here is overtaken, and nobody knows whether it had arrived.
        own.murky |= own.open.iter().any(|other| *other != source);
        own.banned = Some(ban);
        if !by_hand {
            own.ours = Some(ban);
            own.open = [source].into();
            if ban {
                own.causes.insert(source);
            } else {
                own.local = false;
            }
        }
        for child in CHILDREN.filter(|_| MAINS.contains(&source)) {
            if !self.link(source, child).active {
                continue;
            }
            let (through, frozen) = (self.is_open(source, child), self.frozen.contains(&source));
            // What was held for them there is overtaken.
            self.held.remove(&(source, child, user));
            let excepted = ban && self.place(child, user).excepted == Some(true);
            if frozen && self.would_be_open(source, child) && !excepted {
                self.held.insert((source, child, user), Some(ban));
            }
            let place = self.at(child, user);
            if !through || excepted {
                // It is stored and not sent, and ends what was open of the same main all the same.
                if place.open.contains(&source) {
                    place.lost_sight();
                }
                place.murky |= frozen && ban;
                continue;
            }
            self.arrive(source, child, user, ban);
        }
    }

    /// A ban or an unban goes along a link whose gates are open.
    fn arrive(&mut self, source: Guild, child: Guild, user: User, ban: bool) {
        let place = self.at(child, user);
        match ban {
            _ if place.excepted == Some(true) => {}
            _ if place.excepted.is_none() => place.lost_sight(),
            true => {
                (place.banned, place.ours) = (Some(true), Some(true));
                place.causes.insert(source);
            }
            false if place.murky || place.ours.is_none() => {
                if place.local {
                    (place.ours, place.murky) = (None, true);
                } else {
                    place.lost_sight();
                }
            }
            false if !place.local && place.ours == Some(true) && place.causes.is_empty() => {
                (place.banned, place.ours) = (Some(false), Some(false));
            }
            false => {}
        }
        place.open.insert(source);
    }

    /// A child's own staff, or those of a guild in no network, ban or unban by hand. `changed` says whether Discord
    /// had anything to do.
    pub(super) fn local(&mut self, guild: Guild, user: User, ban: bool) {
        let overridden = !ban && self.takes_back(guild, user);
        let place = self.at(guild, user);
        (place.banned, place.local) = (Some(ban), ban);
        if ban {
            (place.excepted, place.ending) = (Some(false), false);
        } else if overridden {
            place.excepted =
                if place.murky { place.excepted.filter(|excepted| *excepted) } else { Some(true) };
        }
    }

    /// Whether an unban by the guild's own staff takes back what a main has delivered there, or may.
    fn takes_back(&self, guild: Guild, user: User) -> bool {
        let place = self.place(guild, user);
        let linked = |main: &Guild| self.link(*main, guild).active;
        CHILDREN.contains(&guild)
            && (place.causes.iter().any(linked)
                || (place.murky && MAINS.into_iter().any(|main| linked(&main))))
    }

    /// Everything that was open is done.
    pub(super) fn settled(&mut self) {
        for place in self.places.values_mut() {
            place.open.clear();
            if std::mem::take(&mut place.ending) {
                place.excepted = Some(false);
            }
        }
    }
}
