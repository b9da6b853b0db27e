//! What becomes of links, and of what goes along them.

use super::{Ban, Guild, Model, User};
use std::collections::BTreeSet;

impl Model {
    /// A link is made, or changes its mode; whether what the main had decided before is brought there.
    pub(in crate::simulation) fn link(&mut self, main: Guild, child: Guild, monitor: bool, backfill: bool) {
        let before = self.links.insert((main, child), monitor);
        if before.is_none() {
            for (_, place) in self.places.iter_mut().filter(|((guild, _), _)| *guild == child) {
                if !place.brought.contains(&main) && place.causes.iter().any(|(of, _)| *of == main) {
                    place.former.insert(main);
                }
            }
        }
        let was_active = before == Some(false);
        // Whether what is held outlives a time in monitor mode is no promise of anybody's.
        if monitor {
            let held = self.held.keys().filter(|(of, guild, _)| (*of, *guild) == (main, child));
            self.lost.extend(held.map(|(.., user)| *user));
            self.held.retain(|(of, guild, _), _| (*of, *guild) != (main, child));
        }
        match backfill && !was_active && !monitor {
            true if self.frozen.contains(&main) => {
                let standing = self.standing(main, child);
                for (user, number) in &standing {
                    // Whether what is there already is found or held is nobody's promise.
                    if self.place(child, *user).banned {
                        self.lost.insert(*user);
                    }
                    self.held.insert((main, child, *user), Some(*number));
                }
                self.lose_what_was_left(main, child);
            }
            true => self.make_good(main, child),
            false => {}
        }
    }

    /// What the main has decided is brought to a child, wherever it is not there.
    pub(in crate::simulation) fn make_good(&mut self, main: Guild, child: Guild) {
        if !self.is_open(main, child) {
            return;
        }
        let standing = self.standing(main, child);
        for (user, number) in &standing {
            self.arrive(main, child, *user, Some(*number));
        }
        self.lose_what_was_left(main, child);
    }

    /// What the main has taken back while nothing went there: whether it was its own, or left by an earlier link, is nobody's
    /// promise.
    fn lose_what_was_left(&mut self, main: Guild, child: Guild) {
        for ((guild, user), place) in &self.places {
            let is_left = place.brought.contains(&main)
                // Its undo takes back what another main has left there too, as it would have done at once.
                || (place.ours && !place.local && !place.is_wanted());
            if *guild == child && place.banned && is_left && self.active(main, *user) == 0 {
                self.lost.insert(*user);
            }
        }
    }

    /// Whom the main has banned, with the ban of each that lasts longest, and may have banned in the child. Of whom the child's staff have
    /// taken back that very ban while no link was open, or said their own word since, it is nobody's promise.
    fn standing(&mut self, main: Guild, child: Guild) -> Vec<(User, Ban)> {
        let longest = |(source, user): &(Guild, User)| {
            let number = self.in_force_in(*source, child, *user)?;
            let is_guarded = [main, child].into_iter().any(|guild| self.protected.contains(&(guild, *user)));
            let stands = *source == main && !is_guarded && !self.lost.contains(user);
            (stands && !self.place(child, *user).excepted).then_some((*user, number))
        };
        let standing: Vec<(User, Ban)> = self.active.keys().filter_map(longest).collect();
        let standing = self.keep_shielded(main, child, standing);
        let taken_back = |(user, number): &(User, Ban)| {
            let place = self.place(child, *user);
            let decided: BTreeSet<Ban> = self.numbers(main, *user).collect();
            let came = place.causes.iter().any(|(of, ban)| *of == main && decided.contains(ban));
            !place.banned && !self.is_absent(child, *user) && (came || *number < place.own_word)
        };
        let (unclear, clear): (Vec<_>, Vec<_>) = standing.into_iter().partition(taken_back);
        self.lost.extend(unclear.into_iter().map(|(user, _)| user));
        clear
    }

    /// A link is closed. Whom an undo lifts; where another cause keeps the ban, it is not known whose it will be later.
    pub(in crate::simulation) fn unlink(&mut self, main: Guild, child: Guild, undo: bool) -> Vec<User> {
        self.links.remove(&(main, child));
        self.held.retain(|(of, guild, _), _| (*of, *guild) != (main, child));
        let mut lifted = Vec::new();
        let there = self.places.iter_mut().filter(|((guild, _), _)| undo && *guild == child);
        for ((_, user), place) in there {
            let causes = place.causes.len();
            place.causes.retain(|(guild, _)| *guild != main);
            let was_cause = place.causes.len() < causes;
            if !place.brought.remove(&main) {
                // What another main has left there, and nobody wants any more: whether it is lifted too is nobody's promise.
                if place.banned && place.ours && !place.is_wanted() {
                    self.lost.insert(*user);
                }
                continue;
            }
            if place.ours && !place.local && !place.excepted && !place.is_wanted() {
                place.lifted();
                lifted.push(*user);
            } else if place.banned && was_cause {
                self.lost.insert(*user);
            }
        }
        lifted
    }
}
