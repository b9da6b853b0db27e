//! Who holds a role that a guild protects, and what was kept from a child because of that: it stays undelivered until the main
//! decides anew, also once nobody protects them any more.

use super::{Ban, CHILDREN, Guild, MAINS, Model, User};

impl Model {
    /// Whether a guild protects the user by their role.
    pub(in crate::simulation) fn is_shielded(&self, guild: Guild, user: User) -> bool {
        self.shields.contains_key(&(guild, user))
    }

    /// Whether they have left a guild that takes them for a holder of the role until it is told otherwise.
    pub(in crate::simulation) fn is_doubtful(&self, guild: Guild, user: User) -> bool {
        self.shields.get(&(guild, user)) == Some(&false)
    }

    /// They are no member of the guild any more, or were given up by it: with their roles a child's protection ends. A main's
    /// lasts until the main's members are read.
    pub(in crate::simulation) fn is_gone(&mut self, guild: Guild, user: User) {
        match self.shields.get_mut(&(guild, user)) {
            Some(holds) if MAINS.contains(&guild) => *holds = false,
            _ => drop(self.shields.remove(&(guild, user))),
        }
    }

    /// A main's decision comes to no child, now or later.
    pub(super) fn keep_from_all(&mut self, main: Guild, user: User, ban: Ban) {
        // Whether what waits for a child is taken back by that is nobody's promise.
        if self.held.keys().any(|(of, _, whom)| (*of, *whom) == (main, user)) {
            self.lost.insert(user);
        }
        CHILDREN.for_each(|child| self.keep_from(main, child, user, ban));
    }

    pub(super) fn keep_from(&mut self, main: Guild, child: Guild, user: User, ban: Ban) {
        self.withheld.entry((main, child, user)).or_default().insert(ban);
    }

    /// Everything a main has decided about a user is taken back: nothing of it is kept from anybody.
    pub(super) fn keep_nothing(&mut self, main: Guild, user: User) {
        self.withheld.retain(|(of, _, whom), _| (*of, *whom) != (main, user));
    }

    /// Whether something that stands is kept from a child, and the main has nothing else there.
    pub(in crate::simulation) fn is_kept(&self, main: Guild, child: Guild) -> bool {
        self.withheld.keys().any(|(of, from, user)| {
            (*of, *from) == (main, child)
                && !self.lost.contains(user)
                && self.active(main, *user) > 0
                && self.in_force_in(main, child, *user).is_none()
        })
    }

    /// Whether something that stands is kept from any child.
    pub(in crate::simulation) fn is_anything_kept(&self) -> bool {
        MAINS.into_iter().any(|main| CHILDREN.into_iter().any(|child| self.is_kept(main, child)))
    }

    /// Whether something of a main's about a user is kept from a child.
    pub(in crate::simulation) fn is_kept_anywhere(&self, main: Guild, user: User) -> bool {
        self.withheld.keys().any(|(of, _, whom)| (*of, *whom) == (main, user))
    }

    /// Of whom something of a main's is kept from a child.
    pub(in crate::simulation) fn kept_by(&self, main: Guild) -> impl Iterator<Item = User> {
        self.withheld.keys().filter(move |(of, ..)| *of == main).map(|(.., user)| *user)
    }

    /// The same of any main.
    pub(super) fn is_kept_of(&self, user: User) -> bool {
        self.withheld.keys().any(|(.., whom)| *whom == user)
    }

    /// The ban of a main that lasts longest of those that may come to a child.
    pub(super) fn in_force_in(&self, main: Guild, child: Guild, user: User) -> Option<Ban> {
        let kept = self.withheld.get(&(main, child, user));
        let may_come = |number: &Ban| kept.is_none_or(|kept| !kept.contains(number));
        let standing = self.standing_bans(main, user).filter(|one| may_come(&one.number));
        standing.max_by_key(|one| one.end()).map(|one| one.number)
    }

    /// Those of what a main would bring to a child whom nobody protects. What was not delivered there before stays so.
    pub(super) fn keep_shielded(
        &mut self,
        main: Guild,
        child: Guild,
        standing: Vec<(User, Ban)>,
    ) -> Vec<(User, Ban)> {
        let (spared, others): (Vec<_>, Vec<_>) = standing
            .into_iter()
            .partition(|(user, _)| self.is_shielded(main, *user) || self.is_shielded(child, *user));
        for (user, number) in spared {
            if self.place(child, user).causes.contains(&(main, number)) {
                continue;
            }
            if self.is_shielded(main, user) || self.numbers(main, user).count() > 1 {
                // What waits for other children, or would take its place, is kept from them too, or not yet.
                self.lost.insert(user);
            }
            self.keep_from(main, child, user, number);
        }
        others
    }

    /// Nothing is left of a main's decisions that may stand in a child.
    pub(super) fn ends_in(&mut self, main: Guild, child: Guild, user: User, ended: Ban) {
        if !self.is_open(main, child) {
            self.lost.insert(user);
        }
        let place = self.at(child, user);
        place.causes.remove(&(main, ended));
        if place.ours && !place.local && !place.is_wanted() && !place.excepted {
            place.lifted();
        }
    }
}
