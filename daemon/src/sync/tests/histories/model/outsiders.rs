//! Bots of other makers, and integrations: a ban of the first needs approval, what the second do stays where it was done.

use super::{Case, Guild, Model};

/// The case whose user is a bot.
pub(in super::super) const BOT: Case = 4;

/// Whether such a decision reaches children only once somebody has approved it, whatever was decided before.
pub(in super::super) fn needs_approval(case: Case, on: bool) -> bool {
    case == BOT && on
}

impl Model {
    /// An integration did it in a main, or took it back: nobody has decided anything.
    pub(in super::super) fn aside(&mut self, main: Guild, case: Case, on: bool) {
        let place = self.at(main, case);
        place.stands = Some(on);
        place.lifted |= !on;
    }
}
