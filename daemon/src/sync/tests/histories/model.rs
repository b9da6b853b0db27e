//! What should hold: a small, pure picture of two networks, what stands in their guilds, and whose it is.
//!
//! Guilds and cases are small numbers here. A case is one measure of one user: bans of one, mutes of another; what is
//! said of one says nothing of the others. Where the outcome hangs on what left before a link closed, the model
//! says that it does not know (`None`), and the driver does not ask.

mod holding;
mod outsiders;
mod protection;
mod reach;
mod rejoining;

use holding::{Decided, Waiting};
pub(super) use outsiders::{BOT, needs_approval};
pub(super) use rejoining::MUTE;
use std::collections::{BTreeMap, BTreeSet};
use wayhaven_shared::operations::punishment::Action;

/// A guild: [`MAINS`], [`CHILDREN`], or [`UNLINKED`].
pub(super) type Guild = usize;
/// A case of the history: one measure of one user.
pub(super) type Case = usize;

/// The guilds that decide for others.
pub(super) const MAINS: std::ops::Range<Guild> = 0..2;
/// The guilds that may be linked to them.
pub(super) const CHILDREN: std::ops::Range<Guild> = 2..5;
/// A guild that never is.
pub(super) const UNLINKED: Guild = 5;
/// How many guilds there are.
pub(super) const GUILDS: usize = 6;
/// Each case's user and measure. Whoever is banned is a member nowhere, so bans have users of their own; a mute and a
/// timeout of one user stand beside each other. The last user is a bot.
pub(super) const CASES: [(usize, Action); 5] =
    [(0, Action::Ban), (1, Action::Ban), (2, Action::Mute), (2, Action::Timeout), (3, Action::Ban)];
/// How many users.
pub(super) const USERS: usize = 4;

/// A link as it stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Link {
    /// Whether it is not closed.
    pub(super) active: bool,
    /// Whether it is recorded along and not sent.
    pub(super) monitor: bool,
    /// Whether nothing is allowed along it.
    pub(super) barred: bool,
}

/// A case in a guild.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// Whether it stands there: they are banned, muted, timed out.
    pub(super) stands: Option<bool>,
    /// Whether the last that Wayhaven did there is no undo.
    ours: Option<bool>,
    /// Whether the guild's own staff did it by hand.
    pub(super) local: bool,
    /// The guilds whose decision stands and has come here.
    causes: BTreeSet<Guild>,
    /// Whether `causes` is a guess.
    murky: bool,
    /// Whose deliveries may still be open.
    open: BTreeSet<Guild>,
    /// Whether the guild does not apply bans of them, because its own staff took one back.
    excepted: Option<bool>,
    /// Whether that begins as soon as an undo of the guild's own is done.
    excepting: bool,
    /// Whether that ends as soon as a ban of the guild's own is done.
    ending: bool,
    /// Whether the guild's own staff have taken it back since it was last delivered: what they do
    /// by hand afterwards ends their exception, and brings nothing of a main's back.
    lifted: bool,
    /// Whether an integration did it there first, where that is known: no end that comes by itself
    /// takes it back.
    aside: Option<bool>,
}

impl Place {
    fn lost_sight(&mut self) {
        (self.stands, self.ours, self.murky) = (None, None, true);
    }
}

/// Everything.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) links: BTreeMap<(Guild, Guild), Link>,
    pub(super) frozen: BTreeSet<Guild>,
    places: BTreeMap<(Guild, Case), Place>,
    /// What a guild has decided and nobody has taken back, oldest first.
    active: BTreeMap<(Guild, Case), Vec<Decided>>,
    /// Mains at security level maximum.
    pub(super) maximum: BTreeSet<Guild>,
    /// What waits for approval in a main before it comes to a child.
    waiting: BTreeMap<(Guild, Guild, Case), Waiting>,
    /// How much was decided.
    serial: usize,
    /// Which guild protects which user, and whether by a role.
    protected: BTreeSet<(Guild, usize, bool)>,
    /// Which guilds protect a role, whoever holds it.
    role_lists: BTreeSet<Guild>,
    /// What a main's freeze holds for a case in a child: whether it is no undo, where that is known.
    held: BTreeMap<(Guild, Guild, Case), Option<bool>>,
    /// Whom the bot cannot ban where.
    heights: reach::Heights,
}

impl Default for Model {
    fn default() -> Self {
        let fresh = || Place {
            stands: Some(false),
            ours: Some(false),
            excepted: Some(false),
            aside: Some(false),
            ..Place::default()
        };
        let places = (0..GUILDS).flat_map(|guild| (0..CASES.len()).map(move |case| ((guild, case), fresh())));
        Self {
            links: BTreeMap::new(),
            frozen: BTreeSet::new(),
            places: places.collect(),
            active: BTreeMap::new(),
            maximum: BTreeSet::new(),
            waiting: BTreeMap::new(),
            serial: 0,
            protected: BTreeSet::new(),
            role_lists: BTreeSet::new(),
            held: BTreeMap::new(),
            heights: reach::Heights::default(),
        }
    }
}

impl Model {
    pub(super) fn place(&self, guild: Guild, case: Case) -> &Place {
        &self.places[&(guild, case)]
    }

    fn at(&mut self, guild: Guild, case: Case) -> &mut Place {
        self.places.entry((guild, case)).or_default()
    }

    pub(super) fn link(&self, main: Guild, child: Guild) -> Link {
        self.links.get(&(main, child)).copied().unwrap_or_default()
    }

    /// Whether a punishment of the main may be sent to the child: all the gates.
    pub(super) fn is_open(&self, main: Guild, child: Guild) -> bool {
        self.would_be_open(main, child) && !self.frozen.contains(&main)
    }

    /// All the gates but the freeze.
    pub(super) fn would_be_open(&self, main: Guild, child: Guild) -> bool {
        let link = self.link(main, child);
        MAINS.contains(&main) && link.active && !link.monitor && !link.barred
    }

    /// Whether what a main decides is applied in the child, where that is known.
    pub(super) fn applies(&self, child: Guild, case: Case) -> Option<bool> {
        self.place(child, case).excepted.map(|excepted| !excepted)
    }

    /// The main sends nothing more: what was on its way is held, if it had not left.
    pub(super) fn freeze(&mut self, main: Guild) {
        if !self.frozen.insert(main) {
            return;
        }
        for ((guild, case), place) in &self.places {
            if *guild != main && place.open.contains(&main) {
                self.held.insert((main, *guild, *case), None);
            }
        }
    }

    /// The main sends again, and what was held first.
    pub(super) fn resume(&mut self, main: Guild) {
        self.frozen.remove(&main);
        let freed: Vec<_> = self.held.extract_if(.., |(of, ..), _| *of == main).collect();
        for ((_, child, case), on) in freed {
            match on {
                Some(on) if self.would_be_open(main, child) => self.arrive(main, child, case, on),
                // A gate is shut by now, and it is skipped.
                Some(_) => {}
                None => self.at(child, case).lost_sight(),
            }
        }
    }

    /// What was held along the link has ended with it.
    pub(super) fn stopped(&mut self, main: Guild, child: Guild) {
        self.held.retain(|(of, guild, _), _| (*of, *guild) != (main, child));
        self.waiting.retain(|(of, guild, _), _| (*of, *guild) != (main, child));
    }

    /// A link only takes back from now on: whether it does, and in time, hangs on what else there is.
    pub(super) fn waning(&mut self, child: Guild) {
        for ((guild, _), place) in &mut self.places {
            if *guild == child {
                let banned = place.stands.filter(|_| place.local);
                place.lost_sight();
                place.stands = banned;
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

    /// Something, or its undo, is decided in `source`, by a command or, `by_hand`, done there already. In `hold` it waits
    /// for approval before it comes to a child.
    pub(super) fn decide(&mut self, source: Guild, case: Case, on: bool, by_hand: bool, hold: Option<u64>) {
        self.serial += 1;
        let serial = self.serial;
        let active = self.active.entry((source, case)).or_default();
        match on {
            true => active.push(Decided::new(serial)),
            false => active.clear(),
        }
        let mut was_cause = BTreeSet::new();
        for guild in 0..GUILDS {
            if !on && self.at(guild, case).causes.remove(&source) {
                was_cause.insert(guild);
            }
        }
        // A guild's own word is its last: what others had for it is overtaken.
        self.held.retain(|(_, guild, of), _| (*guild, *of) != (source, case));
        self.waiting.retain(|(_, guild, of), _| (*guild, *of) != (source, case));
        let fought = self.is_fought_over(source);
        let overridden = !on && !by_hand && self.takes_back(source, case);
        let own_lasted_longer = self.may_have_outlasted(source, case);
        let own = self.at(source, case);
        if overridden && own_lasted_longer {
            own.lost_sight();
            own.excepted = None;
        } else if overridden {
            // Whether it had arrived by then is known only of what is settled.
            let settled = !own.murky && own.open.iter().all(|other| *other == source);
            let excepted = if settled { Some(true) } else { own.excepted.filter(|excepted| *excepted) };
            // It counts once the undo is done: what a main decides before that may still pass.
            own.excepting = excepted == Some(true) && !fought;
            own.excepted = excepted.filter(|_| !own.excepting && !fought);
        }
        if !by_hand && own.excepted != Some(false) {
            own.ending = on;
            own.excepted = own.excepted.filter(|_| !on);
        }
        // What was on its way here is overtaken, and nobody knows whether it had arrived.
        own.murky |= own.open.iter().any(|other| *other != source);
        own.stands = Some(on).filter(|_| !(overridden && fought));
        own.lifted = (own.lifted && (!on || by_hand)) || overridden;
        own.aside = own.aside.filter(|_| on).or_else(|| (!on).then_some(false));
        if !by_hand {
            own.ours = own.stands;
            own.murky |= overridden && fought;
            own.open = [source].into();
            if on {
                own.causes.insert(source);
            } else {
                own.local = false;
            }
        }
        if on && MAINS.contains(&source) && self.protects(source, case) {
            self.keep_away(source, source, case);
        }
        for child in CHILDREN.filter(|_| MAINS.contains(&source)) {
            if !self.link(source, child).active {
                continue;
            }
            if on && self.would_be_open(source, child) && self.is_known_protected(source, child, case) {
                // It ends nothing that is on its way there.
                self.keep_away(source, child, case);
                continue;
            }
            let (through, frozen) = (self.is_open(source, child), self.frozen.contains(&source));
            let excepted = on && self.place(child, case).excepted == Some(true);
            if let Some(hold) = hold.filter(|_| self.would_be_open(source, child) && !excepted) {
                self.waits((source, child, case), Waiting { hold, on: Some(on), serial });
                continue;
            }
            // What was held for them there is overtaken.
            self.held.remove(&(source, child, case));
            self.waiting.remove(&(source, child, case));
            if frozen && self.would_be_open(source, child) && !excepted {
                self.held.insert((source, child, case), Some(on));
            }
            let place = self.at(child, case);
            if !through || excepted {
                // It is stored and not sent, and ends what was open of the same main all the same. Whether another main's
                // undo met this cause or came after its end hangs on when it is looked at.
                let judged = was_cause.contains(&child) && place.open.iter().any(|other| *other != source);
                if place.open.contains(&source) || judged {
                    place.lost_sight();
                }
                place.murky |= frozen && on;
                continue;
            }
            self.arrive(source, child, case, on);
        }
    }

    /// What was decided last there is to end by itself; `automatic` where the daemon has decided it.
    pub(super) fn ends_by_itself(&mut self, source: Guild, case: Case, automatic: bool) {
        if let Some(last) = self.active.entry((source, case)).or_default().last_mut() {
            (last.brief, last.automatic) = (true, automatic);
        }
    }

    /// Something, or its undo, goes along a link whose gates are open.
    fn arrive(&mut self, source: Guild, child: Guild, case: Case, on: bool) {
        if on && self.is_protected(source, child, case) {
            self.keep_away(source, child, case);
            if self.place(child, case).open.contains(&source) {
                self.at(child, case).lost_sight();
            }
            return;
        }
        let place = self.at(child, case);
        match on {
            _ if place.excepted == Some(true) => {}
            _ if place.excepted.is_none() => place.lost_sight(),
            true => {
                (place.stands, place.ours) = (Some(true), Some(true));
                place.lifted = false;
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
                (place.stands, place.ours) = (Some(false), Some(false));
            }
            false => {}
        }
        place.open.insert(source);
    }

    /// A child's own staff, or those of a guild in no network, do it or take it back by hand.
    pub(super) fn local(&mut self, guild: Guild, case: Case, on: bool) {
        let overridden = !on && self.takes_back(guild, case);
        let fought = self.is_fought_over(guild);
        let own_lasted_longer = self.may_have_outlasted(guild, case);
        let place = self.at(guild, case);
        // What waits there until they are within reach is met by it, or comes after it.
        let waits = !place.open.is_empty();
        place.murky |= waits;
        (place.stands, place.local) = (Some(on), on);
        place.aside = place.aside.filter(|_| on).or_else(|| (!on).then_some(false));
        place.lifted |= !on;
        if overridden && fought {
            place.lost_sight();
            place.excepted = None;
        } else if on {
            (place.excepted, place.excepting, place.ending) = (Some(false), false, false);
        } else if overridden {
            place.excepted = match place.murky {
                true => place.excepted.filter(|excepted| *excepted),
                false => Some(true).filter(|_| !own_lasted_longer),
            };
        }
        if waits && !on {
            place.lost_sight();
        }
    }

    /// Whether an unban by the guild's own staff takes back what a main has delivered there, or may.
    fn takes_back(&self, guild: Guild, case: Case) -> bool {
        let place = self.place(guild, case);
        let linked = |main: &Guild| self.link(*main, guild).active;
        CHILDREN.contains(&guild)
            && (place.causes.iter().any(linked)
                || (place.murky && MAINS.into_iter().any(|main| linked(&main))))
    }

    /// Everything that was open is done, but what waits until somebody is within reach.
    pub(super) fn settled(&mut self) {
        let stuck: BTreeSet<_> =
            self.places.keys().copied().filter(|(guild, case)| self.is_stuck(*guild, *case)).collect();
        for (_, place) in self.places.iter_mut().filter(|(key, _)| !stuck.contains(key)) {
            place.open.clear();
            if std::mem::take(&mut place.excepting) {
                place.excepted = Some(true);
            }
            if std::mem::take(&mut place.ending) {
                place.excepted = Some(false);
            }
        }
    }
}
