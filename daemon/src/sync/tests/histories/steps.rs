//! What may happen in a history, and random ones.

mod outsiders;
mod protection;
mod reach;

pub(super) use outsiders::{Foreign, ToBot, Untouchable};

use super::model::{CASES, CHILDREN, Case, GUILDS, Guild, MAINS, UNLINKED};

/// Enough randomness to choose with (xorshift64*); the same seed gives the same history.
#[derive(Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        // Spread, so that neighbouring seeds are no neighbours; never zero.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit as u64;
        usize::try_from(drawn).unwrap()
    }

    fn of(&mut self, range: std::ops::Range<usize>) -> usize {
        range.start + self.below(range.len())
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What goes wrong with the requests for one case's user in one guild.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trouble {
    /// 429 of the route.
    Limited,
    /// 500, nothing done.
    Stumbles,
    /// Done, and the connection cut before the answer.
    CutAfter,
    /// Cut before it was done.
    CutBefore,
    /// 403 with 50013: the user outranks the bot, as far as anybody can tell.
    Outranked,
    /// 403 with 50001: nothing goes there.
    NoAccess,
}

/// A row that somebody writes into the file past the daemon, to have a user banned where nobody decided it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forgery {
    /// A punishment of a guild that is no main, along a main's link.
    SourceIsNoMain,
    /// A punishment of a child, along its main's link to another child.
    FromChildToChild,
    /// A main's punishment, along its link, to a guild that the link does not name.
    ToAnotherGuild,
    /// A main's punishment, as its own action in another guild.
    AsOriginElsewhere,
    /// A child made the source of a link to a guild of its own choice, and a punishment along that.
    Chain,
    /// A punishment that moves to another guild after it was decided.
    MovedPunishment,
    /// A delivery that moves to another guild after it was stored.
    MovedDelivery,
}

/// How a link stops to authorise anything.
#[derive(Clone, Copy, Debug)]
pub(super) enum Closing {
    /// As `setup remove-child` does it: what is open along it ends.
    Whole,
    /// The row only, so that what is open meets a link that is not there.
    Bare,
    /// It only takes back from now on.
    Waning,
    /// It is closed and proposed again, and nobody has agreed.
    ProposedAnew,
}

/// The cases that may end by themselves: a timeout would be ended by Discord, whose clock is another.
const BRIEF: usize = 3;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A link is made, made again, or changes its mode.
    Link { main: Guild, child: Guild, monitor: bool },
    /// A link stops to authorise anything.
    Close { main: Guild, child: Guild, how: Closing },
    /// Everything is allowed along a link, or nothing.
    Allow { main: Guild, child: Guild, all: bool },
    /// A network is frozen, or not any more.
    Freeze { main: Guild, on: bool },
    /// A command, by an operator.
    Command { guild: Guild, case: Case, on: bool },
    /// The same of a main, for a time.
    Brief { main: Guild, case: Case },
    /// What follows a warning in a main, for a time: it leaves what lasts longer.
    Escalate { main: Guild, case: Case },
    /// The time of everything brief is over.
    TimePasses,
    /// The last that a main has decided, and nobody has taken back, is reverted by its number.
    Revert { main: Guild, case: Case },
    /// Somebody's own hand in Discord.
    Hand { guild: Guild, case: Case, on: bool },
    /// Somebody who may have been kicked joins again.
    Join { guild: Guild },
    /// Who is muted or timed out leaves or is kicked by hand, and joins again; the daemon has heard of it, or not.
    Rejoin { guild: Guild, kicked: bool, heard: bool },
    /// They are kicked, by a command or by hand.
    Kick { guild: Guild, by_hand: bool },
    /// Requests for a case's user, or for who is kicked, fail so often.
    Trouble { guild: Guild, case: Case, kind: Trouble, times: u32 },
    /// The bot's permissions in a guild are looked at again.
    Mend { guild: Guild },
    /// The daemon runs for so many turns.
    Run { turns: usize },
    /// Everything that can be done is done.
    Settle,
    /// The daemon is gone after so many turns, and starts again on the same file.
    Crash { turns: usize },
    /// A main's security level is maximum, or standard.
    Level { main: Guild, maximum: bool },
    /// Somebody approves what waits in a main, or discards it: all of it, or the newest.
    Decide { main: Guild, all: bool, approve: bool },
    /// A guild protects the user of a case, by its list or by a role that they hold, or does not any more.
    Protect { guild: Guild, case: Case, by_role: bool, on: bool },
    /// A child is compared with what a main has decided, and what is missing is brought about.
    Reconcile { main: Guild, child: Guild },
    /// An integration removes somebody from a guild, or changes who is muted in a main; its entry may name an actor.
    Integration { guild: Guild, deed: Foreign, named: bool },
    /// A bot is kicked, muted or timed out by hand.
    BotByHand { guild: Guild, deed: ToBot },
    /// Somebody tries to punish Wayhaven itself, or a bot that the settings list.
    Untouchable { guild: Guild, how: Untouchable },
    /// The user of a case is given a role that ranks above the bot's.
    Raise { guild: Guild, case: Case },
    /// They lose it, or leave; the daemon hears of it, or is away.
    Lower { guild: Guild, case: Case, leaves: bool, heard: bool },
    /// A guild is given to the user of a case, or to its first owner; the daemon hears of it, or is away.
    Transfer { guild: Guild, to: Option<Case>, heard: bool },
    /// A forged row, first with the triggers in its way, then, where `bare`, without them and with a restart.
    Forge { kind: Forgery, bare: bool },
}

fn trouble(dice: &mut Dice) -> Trouble {
    match dice.below(12) {
        0..=4 => Trouble::Limited,
        5 => Trouble::Stumbles,
        6 => Trouble::CutAfter,
        7 => Trouble::CutBefore,
        8 | 9 => Trouble::Outranked,
        _ => Trouble::NoAccess,
    }
}

const FORGERIES: [Forgery; 7] = [
    Forgery::SourceIsNoMain,
    Forgery::FromChildToChild,
    Forgery::ToAnotherGuild,
    Forgery::AsOriginElsewhere,
    Forgery::Chain,
    Forgery::MovedPunishment,
    Forgery::MovedDelivery,
];

const CLOSINGS: [Closing; 4] = [Closing::Whole, Closing::Bare, Closing::Waning, Closing::ProposedAnew];

/// Somebody joins again, often where the guild's staff have muted them, and their main may mute and unmute them.
fn shake_off(dice: &mut Dice, steps: &mut Vec<Step>) {
    let (main, child, case) = (dice.of(MAINS), dice.of(CHILDREN), 2 + dice.below(2));
    let guild = if dice.below(4) > 0 { child } else { dice.of(0..GUILDS) };
    let rejoin = Step::Rejoin { guild, kicked: dice.coin(), heard: dice.below(3) > 0 };
    let mute = |on: bool, by_hand: bool| match by_hand {
        true => Step::Hand { guild: main, case, on },
        false => Step::Command { guild: main, case, on },
    };
    let before = dice.below(3) == 0;
    if dice.below(3) > 0 {
        steps.push(Step::Hand { guild: child, case, on: true });
    }
    steps.extend(before.then(|| mute(true, dice.coin())));
    steps.push(rejoin);
    if dice.below(3) > 0 {
        steps.extend((!before).then(|| mute(true, dice.coin())));
        steps.push(mute(false, dice.coin()));
    }
}

/// The history of a seed: most links are there, then anything happens.
pub(super) fn history(seed: u64) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut steps = Vec::new();
    for main in MAINS {
        for child in CHILDREN {
            if dice.below(3) > 0 {
                steps.push(Step::Link { main, child, monitor: dice.below(6) == 0 });
            }
        }
    }
    // In some a main is at security level maximum from the beginning, in others budgets are small.
    let maximum = seed % 8 == 2;
    if maximum {
        steps.push(Step::Level { main: dice.of(MAINS), maximum });
    }
    let waits = maximum || seed % 4 == 1;
    // In some somebody is protected now and then, and punished all the same.
    let protects = seed % 5 < 2;
    // In some somebody is out of the bot's reach now and then, in few of them as an owner.
    let (ranks, change_hands) = (!seed.is_multiple_of(3), seed % 6 == 5);
    for _ in 0..dice.of(6..22) {
        let (main, child, case) = (dice.of(MAINS), dice.of(CHILDREN), dice.below(CASES.len()));
        // Mains decide most.
        let guild = if dice.below(5) < 3 { main } else { dice.of(0..GUILDS) };
        // Where something may wait, somebody decides about it now and then.
        if (waits || dice.below(8) == 0) && dice.below(4) == 0 {
            steps.push(match dice.below(8) {
                0 => Step::Reconcile { main, child },
                1 => Step::Level { main, maximum: dice.coin() },
                _ => Step::Decide { main, all: dice.coin(), approve: dice.below(3) > 0 },
            });
        }
        if protects && dice.below(6) == 0 {
            steps.extend(protection::protection(&mut dice));
        }
        if ranks && dice.below(4) == 0 {
            steps.extend(reach::reach(&mut dice, change_hands));
        }
        if dice.below(8) == 0 {
            steps.extend(outsiders::outsiders(&mut dice));
        }
        if dice.below(5) == 0 {
            shake_off(&mut dice, &mut steps);
        }
        steps.push(match dice.below(54) {
            0..=2 => Step::Link { main, child, monitor: dice.below(4) == 0 },
            3..=4 => Step::Close { main, child, how: CLOSINGS[dice.below(CLOSINGS.len())] },
            5 => Step::Allow { main, child, all: dice.coin() },
            6..=7 => Step::Freeze { main, on: dice.coin() },
            8..=18 => Step::Command { guild, case, on: dice.below(5) < 3 },
            19..=23 => Step::Hand { guild, case, on: dice.coin() },
            24..=25 => Step::Hand { guild: child, case, on: dice.below(4) > 0 },
            26..=27 => {
                let times = u32::try_from(1 + dice.below(2)).unwrap();
                let guild = if dice.below(4) > 0 { child } else { guild };
                // One more than the cases: who is kicked.
                let case = dice.below(CASES.len() + 1);
                Step::Trouble { guild, case, kind: trouble(&mut dice), times }
            }
            28 => Step::Mend { guild: dice.of(0..UNLINKED) },
            29..=31 => Step::Run { turns: dice.below(600) },
            32..=33 => Step::Settle,
            34..=36 => Step::Crash { turns: dice.below(800) },
            37..=40 => Step::Kick { guild, by_hand: dice.below(3) == 0 },
            43..=45 => Step::Brief { main, case: dice.below(BRIEF) },
            46..=47 => Step::TimePasses,
            48 => Step::Revert { main, case },
            52..=53 => Step::Escalate { main, case: dice.below(BRIEF) },
            41..=42 => Step::Join { guild: dice.of(0..GUILDS) },
            _ => Step::Forge { kind: FORGERIES[dice.below(FORGERIES.len())], bare: dice.coin() },
        });
    }
    steps
}
