//! Bots of other makers and integrations: what they do, and what is done to them.

use super::super::model::{BOT, CHILDREN, GUILDS, MAINS};
use super::{Dice, Step};

/// What is done to a bot by hand that is a member everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum ToBot {
    /// It is kicked, or invited again where it was.
    Kick,
    /// It is timed out.
    Timeout,
    /// It is given the mute role.
    Mute,
}

/// What an integration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Foreign {
    /// It removes who is kicked now and then.
    Kick,
    /// It gives somebody a main's mute role, or takes it.
    Mute(bool),
}

/// How somebody tries to punish an account that is no target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Untouchable {
    /// A command names Wayhaven itself.
    Wayhaven,
    /// A command names a bot that the settings list.
    Listed,
    /// Such a bot is banned by hand.
    ListedByHand,
}

/// One of these, or the ban of a bot and what becomes of it.
pub(super) fn outsiders(dice: &mut Dice) -> Vec<Step> {
    let (main, child) = (dice.of(MAINS), dice.of(CHILDREN));
    let guild = if dice.below(4) > 0 { main } else { dice.of(0..GUILDS) };
    let named = dice.coin();
    match dice.below(8) {
        0 => vec![Step::Integration { guild, deed: Foreign::Kick, named }],
        1 => vec![Step::Integration { guild: main, deed: Foreign::Mute(dice.coin()), named }],
        2 => {
            let deed = [ToBot::Kick, ToBot::Kick, ToBot::Timeout, ToBot::Mute][dice.below(4)];
            vec![Step::BotByHand { guild, deed }]
        }
        3 => {
            let how = [Untouchable::Wayhaven, Untouchable::Listed, Untouchable::ListedByHand][dice.below(3)];
            vec![Step::Untouchable { guild, how }]
        }
        _ => {
            let ban = |on, by_hand| match by_hand {
                true => Step::Hand { guild: main, case: BOT, on },
                false => Step::Command { guild: main, case: BOT, on },
            };
            let mut steps = vec![ban(true, dice.coin())];
            if dice.below(4) == 0 {
                steps.push(Step::Crash { turns: dice.below(200) });
            }
            if dice.below(4) > 0 {
                steps.push(Step::Decide { main, all: dice.coin(), approve: dice.below(3) > 0 });
            }
            if dice.below(3) == 0 {
                steps.push(Step::Reconcile { main, child });
            }
            if dice.coin() {
                steps.push(ban(false, dice.coin()));
            }
            steps
        }
    }
}
