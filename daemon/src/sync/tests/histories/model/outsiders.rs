//! Bots of other makers, and integrations: a ban of the first needs approval, what the second do stays where it was done.

use super::{Case, Guild, Model, Place};

/// The case whose user is a bot.
pub(in super::super) const BOT: Case = 4;

/// Whether such a decision reaches children only once somebody has approved it, whatever was decided before.
pub(in super::super) fn needs_approval(case: Case, on: bool) -> bool {
    case == BOT && on
}

impl Place {
    /// What has ended by itself leaves what an integration did there before.
    pub(super) fn stays_aside(&mut self) {
        (self.stands, self.aside) = (Some(true), Some(true));
    }
}

impl Model {
    /// An integration did it in a main, or took it back: nobody has decided anything.
    pub(in super::super) fn aside(&mut self, main: Guild, case: Case, on: bool) {
        let place = self.at(main, case);
        // What stands already stays whose it is.
        place.aside = match place.stands {
            _ if !on => Some(false),
            Some(true) => place.aside,
            Some(false) => Some(true),
            None => None,
        };
        place.stands = Some(on);
        place.lifted |= !on;
    }
}
