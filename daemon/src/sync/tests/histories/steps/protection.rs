//! Somebody is protected, punished all the same, and not protected any more.

use super::super::model::{CASES, CHILDREN, MAINS};
use super::{Closing, Dice, Step};

/// Some of what makes a protection count, in this order.
pub(super) fn protection(dice: &mut Dice) -> Vec<Step> {
    let (main, child, case) = (dice.of(MAINS), dice.of(CHILDREN), dice.below(CASES.len()));
    let (guild, by_role) = (if dice.coin() { main } else { child }, dice.coin());
    let mut steps = Vec::new();
    let freezes = dice.below(6) == 0;
    if freezes {
        steps.push(Step::Freeze { main, on: true });
    }
    steps.push(Step::Protect { guild, case, by_role, on: true });
    steps.push(match dice.coin() {
        true => Step::Command { guild: main, case, on: true },
        false => Step::Hand { guild: main, case, on: true },
    });
    if freezes {
        steps.push(Step::Freeze { main, on: false });
    }
    if dice.below(4) == 0 {
        steps.push(Step::Crash { turns: dice.below(200) });
    }
    if dice.below(4) > 0 {
        steps.push(Step::Protect { guild, case, by_role, on: false });
    }
    if dice.below(3) == 0 {
        steps.push(Step::Close { main, child, how: Closing::Whole });
        steps.push(Step::Link { main, child, monitor: false });
    }
    if dice.below(4) > 0 {
        steps.push(Step::Reconcile { main, child });
    }
    steps
}
