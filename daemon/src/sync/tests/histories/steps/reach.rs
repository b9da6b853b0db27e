//! Somebody gets out of the bot's reach, is punished all the same, and comes within reach again.

use super::super::model::{BOT, CHILDREN, Case, MAINS};
use super::{Dice, Step};

/// The users who may own a guild: people who are banned now and then.
const HEIRS: std::ops::Range<Case> = 0..2;

/// By a role that ranks above the bot's, or, where guilds `change_hands`, as the owner.
pub(super) fn reach(dice: &mut Dice, change_hands: bool) -> Vec<Step> {
    let (main, child) = (dice.of(MAINS), dice.of(CHILDREN));
    let owns = change_hands && dice.below(3) > 0;
    let guild = if dice.below(if owns { 4 } else { 3 }) == 0 { main } else { child };
    let case = if owns || dice.below(4) > 0 { dice.of(HEIRS) } else { BOT };
    let heard = |dice: &mut Dice| dice.below(4) > 0;
    let mut steps = vec![match owns {
        true => Step::Transfer { guild, to: Some(case), heard: heard(dice) },
        false => Step::Raise { guild, case },
    }];
    if dice.below(4) > 0 {
        steps.push(match dice.coin() {
            true => Step::Command { guild: main, case, on: true },
            false => Step::Hand { guild: main, case, on: true },
        });
    }
    match dice.below(8) {
        0 => steps.push(Step::Command { guild, case, on: true }),
        1 => steps.push(Step::Command { guild: main, case, on: false }),
        2 => steps.push(Step::Crash { turns: dice.below(300) }),
        3 => steps.push(Step::Hand { guild, case, on: true }),
        4 => steps.push(Step::Reconcile { main, child }),
        5 => steps.push(Step::Settle),
        _ => {}
    }
    // Sometimes they stay out of reach for whatever comes then.
    if dice.below(3) > 0 {
        steps.push(match owns {
            true => {
                let to = Some(dice.of(HEIRS)).filter(|heir| *heir != case && dice.coin());
                Step::Transfer { guild, to, heard: heard(dice) }
            }
            false => Step::Lower { guild, case, leaves: dice.coin(), heard: heard(dice) },
        });
    }
    steps
}
