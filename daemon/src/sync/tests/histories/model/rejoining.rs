//! Whoever is muted leaves a guild and joins it again: a role is lost by that, and with it what the guild's staff did.

use super::{CASES, Case, Guild, MAINS, Model};
use wayhaven_shared::operations::punishment::Action;

/// The case that somebody who leaves shakes off. A timeout goes on when they join again.
pub(in super::super) const MUTE: Case = 2;

impl Model {
    /// They have left and joined again; whether the daemon has `heard` of it. What is decided about them and reaches the guild
    /// is done again then.
    pub(in super::super) fn rejoined(&mut self, guild: Guild, heard: bool) {
        debug_assert_eq!(CASES[MUTE].1, Action::Mute);
        // Nor do they hold a role any more that protected them there.
        self.protected.remove(&(guild, CASES[MUTE].0, true));
        let others = (0..CASES.len()).filter(|case| *case != MUTE && CASES[*case].0 == CASES[MUTE].0);
        for case in others.collect::<Vec<_>>() {
            // What never came is begun when they join.
            if heard && self.is_begun_late(guild, case) {
                self.at(guild, case).lost_sight();
            }
        }
        let own = self.active(guild, MUTE) > 0;
        let begun_late = self.is_begun_late(guild, MUTE);
        let place = self.place(guild, MUTE);
        let reaches = |main: &Guild| *main != guild && self.is_open(*main, guild);
        // What a guild has decided itself is not done again to whom it protects by now.
        let done_again = own && !self.protects(guild, MUTE);
        let is_held_to = done_again || place.causes.iter().any(reaches);
        let has_causes = own || !place.causes.is_empty();
        // Whom a main protects by now, its mute is not done again to.
        let shielded = place.causes.iter().any(|main| self.is_protected(*main, guild, MUTE));
        let known = !place.murky && place.excepted == Some(false) && !shielded;
        let left: Vec<Guild> =
            place.causes.iter().copied().filter(|main| !self.link(*main, guild).active).collect();
        let place = self.at(guild, MUTE);
        let stood = place.stands;
        (place.local, place.aside) = (false, Some(false));
        if !heard {
            match has_causes || !known {
                true => place.lost_sight(),
                false => place.stands = Some(false),
            }
            return;
        }
        if begun_late || !known || (is_held_to && (stood != Some(true) || place.lifted)) {
            place.lost_sight();
        } else if is_held_to {
            place.ours = Some(true);
        } else {
            place.stands = Some(false);
            // Of a link that was closed nothing is left.
            place.causes.retain(|main| !left.contains(main));
        }
    }

    /// Whether the guild's own staff have timed somebody out for longer than a main has, perhaps: then nothing of the main's came
    /// there, and whoever lifts theirs takes back nothing else.
    pub(super) fn may_have_outlasted(&self, guild: Guild, case: Case) -> bool {
        CASES[case].1 == Action::Timeout && self.place(guild, case).local
    }

    /// Whether a main's decision may come to the guild only now, or waits.
    fn is_begun_late(&self, guild: Guild, case: Case) -> bool {
        MAINS.filter(|main| *main != guild && self.link(*main, guild).active).any(|main| {
            let is_cause = self.place(guild, case).causes.contains(&main);
            self.active(main, case) > 0 && (!is_cause || !self.is_open(main, guild))
                || self.waiting.contains_key(&(main, guild, case))
                || self.held.contains_key(&(main, guild, case))
        })
    }
}
