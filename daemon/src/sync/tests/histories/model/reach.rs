//! Whom the bot cannot ban in a guild for a time: a role of theirs ranks above the bot's, or they own the guild. What is decided
//! about them waits there, and goes on once they are within reach.

use super::{CASES, Case, Guild, MAINS, Model};
use std::collections::{BTreeMap, BTreeSet};
use wayhaven_shared::operations::punishment::Action;

/// Who is out of reach where.
#[derive(Clone, Debug, Default)]
pub(super) struct Heights {
    /// Whose role ranks above the bot's.
    raised: BTreeSet<(Guild, usize)>,
    /// Which user owns a guild, where it is one of the history's.
    owners: BTreeMap<Guild, usize>,
}

impl Model {
    /// Whether the user of the case holds a role there that ranks above the bot's.
    pub(in super::super) fn is_raised(&self, guild: Guild, case: Case) -> bool {
        self.heights.raised.contains(&(guild, CASES[case].0))
    }

    /// Whether they own the guild.
    pub(in super::super) fn owns(&self, guild: Guild, case: Case) -> bool {
        self.heights.owners.get(&guild) == Some(&CASES[case].0)
    }

    /// Whether the bot can do nothing of the case there now.
    pub(in super::super) fn is_out_of_reach(&self, guild: Guild, case: Case) -> bool {
        CASES[case].1 == Action::Ban && (self.is_raised(guild, case) || self.owns(guild, case))
    }

    /// Whether something of a main may wait for the main's own step, which waits until they are within reach there.
    fn waits_for_main(&self, guild: Guild, case: Case) -> bool {
        MAINS.filter(|main| *main != guild && self.is_out_of_reach(*main, case)).any(|main| {
            self.place(main, case).open.contains(&main) && self.place(guild, case).open.contains(&main)
        })
    }

    /// Whether what is open there stays so although everything else is done.
    pub(super) fn is_stuck(&self, guild: Guild, case: Case) -> bool {
        self.is_out_of_reach(guild, case) || self.waits_for_main(guild, case)
    }

    /// How it stands at Discord while nothing moves, where that is known.
    pub(in super::super) fn shows(&self, guild: Guild, case: Case) -> Option<bool> {
        let place = self.place(guild, case);
        match self.is_out_of_reach(guild, case) {
            // Whoever is banned is no member: they neither hold a role nor own anything.
            true => Some(false),
            false if self.waits_for_main(guild, case) && !place.local => None,
            false => place.stands,
        }
    }

    /// They have a role there that ranks above the bot's, or have lost it.
    pub(in super::super) fn rank(&mut self, guild: Guild, case: Case, above: bool) {
        let line = (guild, CASES[case].0);
        match above {
            true => self.heights.raised.insert(line),
            false => self.heights.raised.remove(&line),
        };
    }

    /// The guild changes hands: to the user of a case, or to somebody whom nothing is decided about.
    pub(in super::super) fn changes_hands(&mut self, guild: Guild, to: Option<Case>) {
        let former = match to {
            Some(case) => self.heights.owners.insert(guild, CASES[case].0),
            None => self.heights.owners.remove(&guild),
        };
        // What was put off in the children because they owned it is looked at again.
        for case in (0..CASES.len()).filter(|case| MAINS.contains(&guild) && former == Some(CASES[*case].0)) {
            self.brought_about_for(guild, case);
        }
    }
}
