//! Members who leave a guild and join it again: whatever was done to them there by a role is gone. What a guild that may decide
//! there still wants is done again; what its staff did by hand has ended.

use super::{Ban, Guild, MAINS, Model, User};

impl Model {
    /// Whether somebody who can be muted in a guild is no member of it now.
    pub(in crate::simulation) fn is_absent(&self, guild: Guild, user: User) -> bool {
        self.absent.contains(&(guild, user))
    }

    /// Whether any guild that is not the user's own wants something of them there.
    pub(in crate::simulation) fn has_causes(&self, guild: Guild, user: User) -> bool {
        let place = self.place(guild, user);
        !place.causes.is_empty() || (MAINS.contains(&guild) && self.active(guild, user) > 0)
    }

    /// A guild's own staff time somebody out until nothing of it is left: that ends the guild's
    /// exception all the same.
    pub(in crate::simulation) fn timed_out_for_a_moment(&mut self, guild: Guild, user: User) {
        self.at(guild, user).excepted = false;
    }

    /// Somebody leaves a guild, and may join it again later.
    pub(in crate::simulation) fn leaves(&mut self, guild: Guild, user: User) {
        self.is_gone(guild, user);
        let place = self.at(guild, user);
        (place.local, place.banned) = (false, false);
        self.absent.insert((guild, user));
    }

    /// Somebody joins a guild that they have left. What Discord has kept for them holds again.
    pub(in crate::simulation) fn joins(&mut self, guild: Guild, user: User, keeps: bool) {
        self.absent.remove(&(guild, user));
        self.shields.remove(&(guild, user));
        if keeps {
            return;
        }
        if MAINS.contains(&guild) {
            let stands = self.active(guild, user) > 0;
            self.at(guild, user).banned = stands;
            return;
        }
        let place = self.place(guild, user);
        // What the staff had taken back before they did the same themselves, or before the link that is now, is nobody's promise.
        let was_taken_back =
            |cause: &(Guild, Ban)| place.former.contains(&cause.0) || place.let_go.contains(cause);
        if !place.excepted && place.causes.iter().any(was_taken_back) {
            self.lost.insert(user);
        }
        let comes = |of: Guild| of == guild || self.is_open(of, guild);
        let again = !place.excepted && place.causes.iter().any(|(of, _)| comes(*of));
        let waits = |of: Guild| self.frozen.contains(&of) && self.links.get(&(of, guild)) == Some(&false);
        let waiting: Vec<_> = place.causes.iter().copied().filter(|(of, _)| waits(*of)).collect();
        let stay: Vec<_> = place.causes.iter().copied().filter(|(of, _)| comes(*of) || waits(*of)).collect();
        if !place.excepted {
            for (of, number) in waiting {
                self.held.insert((of, guild, user), Some(number));
            }
        }
        let place = self.at(guild, user);
        place.lifted();
        place.local = false;
        (place.banned, place.ours) = (again, again);
        place.brought = stay.iter().map(|(of, _)| *of).filter(|of| *of != guild && again).collect();
        place.causes = stay.into_iter().collect();
    }
}
