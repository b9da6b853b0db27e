//! Bans of one guild and user that overlap in time: which one lasts longest, which ones a shorter one has replaced, and what
//! is left when one ends or is reverted.
//!
//! A shorter ban that somebody asks for replaces the longer ones. A ban that the daemon decides by itself replaces nothing,
//! and changes nothing where a longer one is in force. Only what lasts longest decides whether somebody stays banned.

use super::{Ban, CHILDREN, Guild, MAINS, Model, User};
use std::collections::{BTreeMap, BTreeSet};

/// A day since the beginning.
pub(super) type Day = u32;

/// How many days pass at once: more than a brief ban lasts, fewer than a long one.
pub(in crate::simulation) const DAYS_AT_ONCE: Day = 31;

/// How long a temporary ban lasts: longer than any run, whose days pass at once instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::simulation) enum Length {
    Brief,
    Long,
}

impl Length {
    fn days(self) -> Day {
        match self {
            Self::Brief => 30,
            Self::Long => 60,
        }
    }

    /// As an argument of a command.
    pub(in crate::simulation) fn text(self) -> &'static str {
        match self {
            Self::Brief => "30d",
            Self::Long => "60d",
        }
    }
}

/// A ban that a guild has decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided {
    pub(super) number: Ban,
    /// The day on which it ends by itself. Of two on one day the later decision ends later.
    ends: Option<Day>,
    /// Whether the daemon has decided it by itself.
    automatic: bool,
    /// The shorter one that has replaced it.
    replaced_by: Option<Ban>,
}

impl Decided {
    pub(super) fn forever(number: Ban) -> Self {
        Self { number, ends: None, automatic: false, replaced_by: None }
    }

    pub(super) fn end(&self) -> (Day, Ban) {
        (self.ends.unwrap_or(Day::MAX), self.number)
    }

    fn lasts_longer(&self, other: &Self) -> bool {
        other.ends.is_some() && self.end() > other.end()
    }
}

impl Model {
    /// Those that no shorter one has replaced.
    pub(super) fn standing_bans(&self, source: Guild, user: User) -> impl Iterator<Item = &Decided> {
        let active = self.active.get(&(source, user));
        active.into_iter().flatten().filter(|one| one.replaced_by.is_none())
    }

    /// The ban of a guild that lasts longest.
    pub(super) fn in_force(&self, source: Guild, user: User) -> Option<&Decided> {
        self.standing_bans(source, user).max_by_key(|one| one.end())
    }

    /// All that a guild has decided and nobody has lifted.
    pub(super) fn numbers(&self, source: Guild, user: User) -> impl Iterator<Item = Ban> {
        self.active.get(&(source, user)).into_iter().flatten().map(|one| one.number)
    }

    /// A guild bans for a time, by a command; or the daemon does so by itself. Whether anything follows from the decision.
    pub(in crate::simulation) fn ban_for(
        &mut self,
        source: Guild,
        user: User,
        length: Length,
        automatic: bool,
    ) -> bool {
        self.bans += 1;
        let ends = Some(self.today + length.days());
        let new = Decided { number: self.bans, ends, automatic, replaced_by: None };
        if automatic && self.is_kept_anywhere(source, user) {
            self.lost.insert(user);
        }
        if automatic && self.in_force(source, user).is_some_and(|longest| longest.lasts_longer(&new)) {
            self.active.entry((source, user)).or_default().push(new);
            return false;
        }
        self.deliver(source, user, Some(new), false);
        true
    }

    /// Adds a ban; what it replaces.
    pub(super) fn add(&mut self, source: Guild, user: User, new: Decided) -> Vec<Ban> {
        let active = self.active.entry((source, user)).or_default();
        let mut replaced = Vec::new();
        if !new.automatic {
            let longer = |one: &&mut Decided| one.replaced_by.is_none() && one.lasts_longer(&new);
            for one in active.iter_mut().filter(longer) {
                one.replaced_by = Some(new.number);
                replaced.push(one.number);
            }
        }
        active.push(new);
        replaced
    }

    /// Where a replaced ban has come and its replacement has not, nothing is a cause any more. Whether an undo of another main
    /// finds that depends on the order of the two.
    pub(super) fn lose_where_only_replaced(
        &mut self,
        source: Guild,
        user: User,
        new: Option<Ban>,
        replaced: &[Ban],
    ) {
        let Some(new) = new else { return };
        let is_unclear = CHILDREN.into_iter().any(|child| {
            let causes = self.place(child, user).causes;
            replaced.iter().any(|one| causes.contains(&(source, *one))) && !causes.contains(&(source, new))
        });
        if is_unclear {
            self.lost.insert(user);
        }
    }

    /// Days pass: which guilds' bans end by that. Where a longer one is left, only the shorter one ends.
    pub(in crate::simulation) fn time_passes(&mut self) -> Vec<(Guild, User)> {
        self.today += DAYS_AT_ONCE;
        let today = self.today;
        let (mut ended, mut over, mut concerned) = (Vec::new(), Vec::new(), BTreeMap::<User, usize>::new());
        for (place, active) in &mut self.active {
            let standing = || active.iter().filter(|one| one.replaced_by.is_none());
            let is_over = |one: &Decided| one.ends.is_some_and(|day| day <= today);
            let mut gone: BTreeSet<Ban> =
                standing().filter(|one| is_over(one)).map(|one| one.number).collect();
            if gone.is_empty() {
                continue;
            }
            *concerned.entry(place.1).or_default() += 1;
            if standing().all(is_over) {
                ended.push(*place);
                continue;
            }
            // What a shorter one has replaced ends with it.
            loop {
                let before = gone.len();
                let replaced =
                    active.iter().filter(|one| one.replaced_by.is_some_and(|by| gone.contains(&by)));
                let replaced: Vec<Ban> = replaced.map(|one| one.number).collect();
                gone.extend(replaced);
                if gone.len() == before {
                    break;
                }
            }
            active.retain(|one| !gone.contains(&one.number));
            over.push((place.1, gone));
        }
        let kept = over.iter().filter(|(user, _)| self.is_kept_of(*user));
        let kept: Vec<User> = kept.map(|(user, _)| *user).collect();
        self.lost.extend(kept);
        for (user, gone) in over {
            self.is_no_cause(user, |(_, of)| gone.contains(&of));
        }
        // Of two mains at once it depends on the order whose undo finds the other's cause.
        self.lost.extend(concerned.into_iter().filter(|(_, mains)| *mains > 1).map(|(user, _)| user));
        for (source, user) in &ended {
            self.decide(*source, *user, false, false);
        }
        ended
    }

    /// One of a guild's bans is reverted, counted from the oldest; whether none is left.
    pub(in crate::simulation) fn revert(&mut self, source: Guild, user: User, nth: usize) -> bool {
        let active = self.active.entry((source, user)).or_default();
        if nth >= active.len() {
            return active.is_empty();
        }
        let reverted = active.remove(nth).number;
        self.restore_replaced(source, user, reverted);
        if self.in_force(source, user).is_none() {
            self.decide(source, user, false, false);
            return true;
        }
        let linked: Vec<Guild> =
            CHILDREN.filter(|child| self.links.contains_key(&(source, *child))).collect();
        for child in linked {
            let place = self.place(child, user);
            let Some(longest) = self.in_force_in(source, child, user) else {
                self.ends_in(source, child, user, reverted);
                continue;
            };
            let (was_cause, is_cause) =
                (place.causes.contains(&(source, reverted)), place.causes.contains(&(source, longest)));
            // The longest takes its place. Whether it comes to where it is not so far is nobody's promise.
            if !(place.banned || place.excepted) || (was_cause && !is_cause && !self.is_open(source, child)) {
                self.lost.insert(user);
            } else if was_cause {
                self.at(child, user).causes.insert((source, longest));
            }
        }
        self.is_no_cause(user, |(_, of)| of == reverted);
        false
    }

    /// What a reverted ban had replaced stands again, unless another shorter one that somebody asked for later replaces it.
    fn restore_replaced(&mut self, source: Guild, user: User, reverted: Ban) {
        let active = self.active.entry((source, user)).or_default();
        let mut restored: Vec<usize> =
            (0..active.len()).filter(|at| active[*at].replaced_by == Some(reverted)).collect();
        restored.sort_by_key(|at| active[*at].end());
        for at in restored {
            let longer = active[at];
            let replaces = |other: &&Decided| {
                other.replaced_by.is_none()
                    && !other.automatic
                    && other.number > longer.number
                    && longer.lasts_longer(other)
            };
            active[at].replaced_by =
                active.iter().filter(replaces).min_by_key(|other| other.end()).map(|other| other.number);
        }
    }

    /// Of each ban that nobody has lifted, oldest first, whether a shorter one has replaced it.
    pub(in crate::simulation) fn replaced(&self, source: Guild, user: User) -> Vec<bool> {
        let active = self.active.get(&(source, user));
        active.into_iter().flatten().map(|one| one.replaced_by.is_some()).collect()
    }

    /// Whether anything ends by itself.
    pub(in crate::simulation) fn has_temporary(&self) -> bool {
        MAINS.into_iter().any(|main| {
            self.active.iter().any(|((of, _), bans)| *of == main && bans.iter().any(|one| one.ends.is_some()))
        })
    }
}
