//! What may happen, and what does: the next step follows from the dice and from how things stand.
//!
//! A further step is a variant here, an arm in `acts.rs` or `links.rs`, and what must come of it in `model.rs`.

use super::members::{Unheard, Way};
use super::mishaps::{BREAKS, Break, MISHAPS, Mishap, TROUBLES, Trouble};
use super::model::{CHILDREN, GUILDS, Guild, Length, MAINS, UNLINKED, User};
use super::outsiders::Verdict;
use super::ranks::Height;
use super::scene::Scene;
use super::{members, shields};
use crate::dice::Dice;

/// Who does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// An operator on the socket.
    Operator,
    /// A moderator's slash command.
    Moderator,
    /// Somebody's own hand in Discord's client.
    Hand,
}

/// How a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// `setup remove-child --keep`.
    Keep,
    /// `setup remove-child --undo`.
    Undo,
    /// `setup leave`, in the child.
    Leave,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Whoever is a regular is muted or timed out, here and in all that follows.
    Ban {
        guild: Guild,
        user: User,
        by: By,
    },
    Unban {
        guild: Guild,
        user: User,
        by: By,
    },
    /// Asked for by an operator, and the daemon is killed in the middle of it.
    Killed {
        guild: Guild,
        user: User,
        ban: bool,
    },
    /// A ban that ends by itself.
    BanFor {
        main: Guild,
        user: User,
        by: By,
        length: Length,
    },
    /// A warning, which the daemon follows up by a ban that ends by itself.
    Warn {
        main: Guild,
        user: User,
    },
    /// More time than the shorter ones last; the daemon is down meanwhile.
    TimePasses,
    /// Thirty bans in a row.
    Raid {
        main: Guild,
        by: By,
    },
    /// And thirty unbans.
    Amnesty {
        main: Guild,
    },
    /// One of a main's bans of a user is reverted by its number: which one, from the oldest on.
    Revert {
        main: Guild,
        user: User,
        nth: usize,
    },
    Amend {
        main: Guild,
        user: User,
    },
    Freeze {
        main: Guild,
    },
    Resume {
        main: Guild,
    },
    Link {
        main: Guild,
        child: Guild,
        monitor: bool,
        backfill: bool,
    },
    /// A main's children are compared with what it has decided: nothing comes of that.
    Compare {
        main: Guild,
    },
    /// One of them is, and what differs is mended.
    Mend {
        main: Guild,
        child: Guild,
    },
    Unlink {
        main: Guild,
        child: Guild,
        ending: Ending,
    },
    Protect {
        guild: Guild,
        user: User,
    },
    /// A guild is given to another owner, or back.
    Transfer {
        guild: Guild,
    },
    /// An integration kicks somebody from a main.
    Integration {
        main: Guild,
    },
    /// A bot is kicked from a main by hand.
    KickBot {
        main: Guild,
    },
    /// A bot is banned in a main by hand, and somebody decides about that.
    BanBot {
        main: Guild,
        verdict: Verdict,
    },
    /// Somebody gets out of the bot's reach in a guild, and perhaps a main bans them then.
    Raise {
        guild: Guild,
        user: User,
        height: Height,
        banned_by: Option<Guild>,
    },
    /// Everybody in a guild is within the bot's reach again.
    Lower {
        guild: Guild,
    },
    /// The bot may not ban in a child any more, or its log is hidden.
    Forbid {
        child: Guild,
    },
    RemoveBot {
        child: Guild,
    },
    Outage {
        child: Guild,
    },
    /// What was taken from the bot is given back.
    GiveBack {
        child: Guild,
    },
    Trouble {
        guild: Option<Guild>,
        kind: Trouble,
        times: u32,
    },
    Mishap {
        guild: Guild,
        kind: Mishap,
        times: u32,
    },
    Break(Break),
    Kill,
    Terminate,
    /// Time for what is on its way.
    Breathe,
    /// A regular leaves a guild, and joins it again at once.
    Rejoin {
        guild: Guild,
        user: User,
        way: Way,
        unheard: Unheard,
    },
    /// Somebody who may be muted leaves a guild for a time, and joins it again.
    Leave {
        guild: Guild,
        user: User,
    },
    Join {
        guild: Guild,
        user: User,
    },
    /// A guild's staff time somebody out for a moment.
    Brief {
        guild: Guild,
        user: User,
    },
    /// Somebody is given a role that their guild protects.
    Shield {
        guild: Guild,
        user: User,
    },
    /// And loses it: by leaving, or because it is taken from them.
    Unshield {
        guild: Guild,
        user: User,
        leaves: bool,
    },
    /// Somebody with such a role is kicked from a main by hand.
    KickHolder {
        main: Guild,
    },
}

pub(super) const BY: [By; 5] = [By::Operator, By::Operator, By::Operator, By::Moderator, By::Hand];

/// The next step.
pub(super) fn next(dice: &mut Dice, scene: &Scene<'_>) -> Step {
    loop {
        let step = match dice.below(16) {
            0..4 => members::draw(dice, scene),
            4 => shields::draw(dice, scene),
            _ => draw(dice, scene),
        };
        if let Some(step) = step {
            return step;
        }
    }
}

fn draw(dice: &mut Dice, scene: &Scene<'_>) -> Option<Step> {
    let model = scene.model;
    let (main, child) = (dice.of(MAINS), dice.of(CHILDREN));
    // Mains decide most.
    let guild = if dice.below(5) < 3 { main } else { dice.of(0..GUILDS) };
    let by = dice.pick(&BY)?;
    Some(match dice.below(1_000) {
        0..360 => {
            let user = scene.somebody(dice, guild, by)?;
            let ban = if by == By::Hand { !model.place(guild, user).banned } else { dice.below(5) < 3 };
            act(guild, user, by, ban)
        }
        360..500 => {
            // A child's own staff against what a main has done there.
            let user = scene.somebody(dice, child, By::Hand)?;
            act(child, user, By::Hand, !model.place(child, user).banned)
        }
        500..510 => {
            Step::Killed { guild, user: scene.somebody(dice, guild, By::Operator)?, ban: dice.below(5) < 3 }
        }
        510..550 => {
            let by = if by == By::Hand { By::Operator } else { by };
            let length = if dice.below(3) == 0 { Length::Long } else { Length::Brief };
            Step::BanFor { main, user: scene.somebody(dice, main, by)?, by, length }
        }
        550..554 => Some(Step::TimePasses).filter(|_| model.has_temporary())?,
        554..559 => Step::Raid { main, by },
        559..563 => Step::Amnesty { main },
        563..593 => {
            let user = scene.somebody(dice, main, By::Operator)?;
            let active = model.active(main, user);
            // Mostly the newest.
            let nth = if dice.below(3) > 0 { active.saturating_sub(1) } else { dice.below(active) };
            Some(Step::Revert { main, user, nth }).filter(|_| active > 0)?
        }
        593..603 => {
            let user = scene.somebody(dice, main, By::Operator)?;
            Some(Step::Amend { main, user }).filter(|_| model.active(main, user) > 0)?
        }
        603..623 if model.frozen.contains(&main) => Step::Resume { main },
        603..610 => Step::Freeze { main },
        623..650 => Step::Link { main, child, monitor: dice.once_in(5), backfill: dice.once_in(2) },
        650..666 if model.links.contains_key(&(main, child)) => {
            let undoable = model.is_open(main, child) && !scene.crippled.contains(&child);
            let ending = [Ending::Keep, Ending::Leave, Ending::Undo];
            Step::Unlink { main, child, ending: dice.pick(&ending[..if undoable { 3 } else { 2 }])? }
        }
        666..672 => {
            let user = dice.pick(scene.pool)?;
            let fresh =
                (0..GUILDS).all(|guild| !model.place(guild, user).banned && model.active(guild, user) == 0);
            let free = fresh && !scene.touched.contains_key(&user) && scene.may_touch(main, user, by);
            Some(Step::Protect { guild: if dice.once_in(2) { main } else { child }, user })
                .filter(|_| free)?
        }
        672..690 if scene.crippled.contains(&child) => Step::GiveBack { child },
        672..676 => Step::Forbid { child },
        676..680 => Step::RemoveBot { child },
        // Nobody can do anything in a guild that is out, also not get back within reach.
        680..683 => {
            let is_raised = scene.raised.keys().any(|(of, _)| *of == child);
            Some(Step::Outage { child }).filter(|_| !is_raised)?
        }
        690..740 => {
            let guild = Some(dice.of(0..UNLINKED)).filter(|_| dice.below(4) > 0);
            let times = u32::try_from(1 + dice.below(2)).unwrap_or(1);
            Step::Trouble { guild, kind: dice.pick(&TROUBLES)?, times }
        }
        740..765 => {
            let times = u32::try_from(1 + dice.below(3)).unwrap_or(1);
            Step::Mishap { guild: dice.of(0..UNLINKED), kind: dice.pick(&MISHAPS)?, times }
        }
        765..773 => Step::Break(dice.pick(&BREAKS)?),
        773..778 => Step::Kill,
        778..780 => Step::Terminate,
        780..800 => Step::Breathe,
        800..808 => Step::Compare { main },
        808..820 if model.is_open(main, child) && !scene.crippled.contains(&child) => {
            Step::Mend { main, child }
        }
        820..826 => Step::Transfer { guild },
        826..832 => Step::Integration { main },
        832..835 => Step::KickBot { main },
        835..839 => {
            let verdicts = [Verdict::Waits, Verdict::Approved, Verdict::Discarded];
            Step::BanBot { main, verdict: dice.pick(&verdicts)? }
        }
        839..885 => {
            let heights = [Height::Role, Height::Role, Height::Bot, Height::Owner];
            let (guild, height) = (if dice.once_in(2) { child } else { guild }, dice.pick(&heights)?);
            let user = scene.somebody_to_raise(dice, guild)?;
            // Mostly one whose bans come there.
            let open = MAINS.into_iter().find(|main| model.is_open(*main, guild)).unwrap_or(main);
            let by = if MAINS.contains(&guild) { guild } else { open };
            let may_ban = scene.may_touch(by, user, By::Operator)
                && !scene.crippled.contains(&by)
                && (by != guild || height != Height::Owner);
            Step::Raise { guild, user, height, banned_by: Some(by).filter(|_| may_ban && dice.below(4) > 0) }
        }
        885..895 => {
            let guild = scene.raised.keys().nth(dice.below(scene.raised.len()))?.0;
            Step::Lower { guild }
        }
        895..945 => {
            let user = scene.somebody_raised(dice)?;
            let free = scene.may_touch(main, user, By::Operator) && !scene.crippled.contains(&main);
            Some(Step::Ban { guild: main, user, by: By::Operator }).filter(|_| free)?
        }
        945..975 => Step::Warn { main, user: scene.somebody(dice, main, By::Operator)? },
        _ => return None,
    })
}

pub(super) fn act(guild: Guild, user: User, by: By, ban: bool) -> Step {
    if ban { Step::Ban { guild, user, by } } else { Step::Unban { guild, user, by } }
}
