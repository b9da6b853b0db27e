//! How things stand for who draws the next step: whom a guild may decide about, so that it is clear what must come of it.

use super::measures::Measure;
use super::model::{Guild, Model, User};
use super::ranks::Height;
use super::steps::By;
use crate::dice::Dice;
use std::collections::BTreeMap;

/// How things stand for who draws the next step.
pub(super) struct Scene<'a> {
    pub(super) model: &'a Model,
    /// Who was touched since everything came to rest last: by which guild, and whether by hand.
    pub(super) touched: &'a BTreeMap<User, (Guild, bool)>,
    /// Who takes part.
    pub(super) pool: &'a [User],
    /// Members of every guild.
    pub(super) regulars: &'a [User],
    /// What is done to whom, where it is no ban.
    pub(super) measures: &'a BTreeMap<User, Measure>,
    /// Children that the bot lacks something in.
    pub(super) crippled: &'a [Guild],
    /// Who is out of the bot's reach, where, and how.
    pub(super) raised: &'a BTreeMap<(Guild, User), Height>,
    /// Whether Discord may carry out later what it has answered.
    pub(super) late: bool,
}

impl Scene<'_> {
    /// Somebody whom that guild may decide about, so that it is clear what must come of it.
    pub(super) fn somebody(&self, dice: &mut Dice, guild: Guild, by: By) -> Option<User> {
        // A few that come again and again have the longest stories.
        let most = if dice.once_in(2) { 8 } else { self.pool.len() };
        let user = (0..12).map(|_| self.pool[dice.below(most)]).find(|user| self.may_touch(guild, *user, by));
        user.filter(|_| !self.crippled.contains(&guild))
    }

    pub(super) fn may_touch(&self, guild: Guild, user: User, by: By) -> bool {
        let free = match self.touched.get(&user) {
            None => true,
            Some((source, by_hand)) => *source == guild && !by_hand && by != By::Hand && !self.late,
        };
        // Nobody bans an owner, and a moderator nobody who ranks above them.
        let is_above = match self.raised.get(&(guild, user)) {
            None => false,
            Some(height) => *height == Height::Owner || by == By::Moderator,
        };
        // A guild's commands do nothing to those whom it protects.
        let is_spared = by != By::Hand && self.model.is_shielded(guild, user);
        free && !is_above
            && !is_spared
            && !self.model.is_doubtful(guild, user)
            && !self.model.lost.contains(&user)
    }

    /// Somebody who can join a guild and get out of the bot's reach there.
    pub(super) fn somebody_to_raise(&self, dice: &mut Dice, guild: Guild) -> Option<User> {
        // What Discord carries out later would be refused then, and nobody could know.
        let most = if dice.once_in(2) { 8 } else { self.pool.len() };
        let user = self.pool[dice.below(most)];
        let free = !self.late
            && !self.model.place(guild, user).banned
            && !self.model.lost.contains(&user)
            && !self.crippled.contains(&guild)
            && !self.model.is_shielded(guild, user)
            && !self.raised.contains_key(&(guild, user));
        Some(user).filter(|_| free)
    }

    /// Somebody who is out of reach somewhere.
    pub(super) fn somebody_raised(&self, dice: &mut Dice) -> Option<User> {
        self.raised.keys().nth(dice.below(self.raised.len())).map(|(_, user)| *user)
    }
}
