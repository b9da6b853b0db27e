//! The simulation: one network that lives for thousands of steps. A sandbox Discord, a daemon as a process, operators,
//! moderators, staff and raids, faults of every kind, SIGKILL and SIGTERM.
//!
//! Every few steps what goes wrong is cleared, everything comes to rest, and Discord's bans are compared with a small
//! picture of who must be banned where (`model`). After each step every request to Discord is judged by itself: none
//! reaches a guild for a user about whom no main with an open link has decided, none lifts what somebody else did.
//!
//! The steps follow from the seed; the moments do not, so that a failure is only roughly repeated by it.

mod acts;
mod judge;
mod links;
mod measures;
mod members;
mod mishaps;
mod model;
mod network;
mod outsiders;
mod ranks;
mod run;
mod scene;
mod settle;
mod shields;
mod steps;
mod store;
mod tally;

pub use run::{Plan, main, play};

use crate::dice::Dice;
use judge::Judge;
use measures::Measure;
use model::{Guild, Model, User};
use network::{Network, USERS};
use ranks::Height;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use steps::Step;
use tally::Tally;
use wayhaven_sandbox::FaultId;

/// How many steps lie between two rests, at most.
const TOGETHER: usize = 16;

/// How many steps of a failing run are told.
const TOLD: usize = 60;

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// What is wrong.
#[derive(Clone, Debug)]
struct Failure {
    /// Whom it is about.
    user: Option<User>,
    text: String,
}

impl Failure {
    fn wrong(text: String) -> Self {
        Self { user: None, text }
    }

    fn about(user: User, text: String) -> Self {
        Self { user: Some(user), text }
    }

    /// The simulation itself cannot go on.
    fn broken(text: String) -> Self {
        Self { user: None, text: format!("the simulation is broken: {text}") }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

/// One network's life.
struct Simulation {
    network: Network,
    model: Model,
    judge: Judge,
    dice: Dice,
    step: usize,
    told: Vec<(usize, Step)>,
    /// Users by their ids.
    ids: HashMap<u64, User>,
    /// Who takes part now.
    pool: Vec<User>,
    /// Members of every guild, who are muted or timed out and not banned.
    regulars: Vec<User>,
    /// Who is muted or timed out; everybody else is banned.
    measures: BTreeMap<User, Measure>,
    /// When the last timeout ends that lasts only for a moment.
    brief: Option<Instant>,
    tally: Tally,
    /// Who was touched since everything came to rest: by which guild, and whether by hand.
    touched: BTreeMap<User, (Guild, bool)>,
    faults: Vec<FaultId>,
    /// Children that the bot lacks something in.
    crippled: Vec<Guild>,
    /// Who is out of the bot's reach, where, and how.
    raised: BTreeMap<(Guild, User), Height>,
    /// How often somebody got there.
    rises: usize,
    /// How many deliveries that was found to have blocked.
    blocked: usize,
    /// How often a main has warned a user.
    warnings: BTreeMap<(Guild, User), usize>,
    /// Members who were removed from one main only.
    stay: Vec<(Guild, u64)>,
    /// Bots whose ban was approved since everything came to rest.
    approved_bots: Vec<User>,
    /// Whether the daemon has lost its session while nobody did anything by hand, and goes on with a new one.
    session_lost: bool,
    /// Whether interactions may be lost.
    shaky: bool,
    /// Whether Discord may carry out later what it has answered.
    late: bool,
    /// Whether events were lost of which only the logs tell.
    must_begin_anew: bool,
    settled: usize,
    waited: Duration,
    graces: usize,
    restarts: usize,
}

impl Simulation {
    async fn new(program: &Path, seed: u64) -> Result<Self, Failure> {
        let network = Network::new(program, seed).await?;
        let ids = network.users.iter().enumerate().map(|(user, id)| (*id, user)).collect();
        let mut simulation = Self {
            network,
            model: Model::default(),
            judge: Judge::default(),
            dice: Dice::new(seed),
            step: 0,
            told: Vec::new(),
            ids,
            pool: (0..USERS).collect(),
            regulars: Vec::new(),
            measures: BTreeMap::new(),
            brief: None,
            tally: Tally::default(),
            touched: BTreeMap::new(),
            faults: Vec::new(),
            crippled: Vec::new(),
            raised: BTreeMap::new(),
            rises: 0,
            blocked: 0,
            warnings: BTreeMap::new(),
            stay: Vec::new(),
            approved_bots: Vec::new(),
            session_lost: false,
            shaky: false,
            late: false,
            must_begin_anew: false,
            settled: 0,
            waited: Duration::ZERO,
            graces: 0,
            restarts: 0,
        };
        simulation.seat_regulars()?;
        Ok(simulation)
    }

    /// Plays so many steps, or until it is told to stop.
    async fn play(&mut self, steps: usize, stop: &AtomicBool) -> Result<(), Failure> {
        for main in model::MAINS {
            for child in model::CHILDREN {
                self.link(main, child, false, false).await?;
            }
        }
        let mut left = 0;
        while self.step < steps && !stop.load(Ordering::Relaxed) {
            if left == 0 {
                self.settle().await?;
                left = 1 + self.dice.below(TOGETHER);
            }
            left -= 1;
            self.step += 1;
            let mut dice = self.dice.clone();
            let step = steps::next(&mut dice, &self.scene());
            self.dice = dice;
            self.told.push((self.step, step));
            self.perform(step).await?;
            self.look()?;
        }
        self.end().await
    }

    fn look(&mut self) -> Result<(), Failure> {
        self.judge.look(&self.network, &self.ids, &self.measures)
    }

    async fn perform(&mut self, step: Step) -> Result<(), Failure> {
        if matches!(step, Step::Kill | Step::Terminate) && self.model.is_anything_kept() {
            self.tally.count("restart while something is kept away");
        }
        match step {
            Step::Ban { guild, user, by } => self.act(guild, user, by, true).await,
            Step::Unban { guild, user, by } => self.act(guild, user, by, false).await,
            Step::Killed { guild, user, ban } => self.killed(guild, user, ban).await,
            Step::BanFor { main, user, by, length } => self.ban_for(main, user, by, length).await,
            Step::Warn { main, user } => self.warn(main, user).await,
            Step::TimePasses => self.time_passes().await,
            Step::Raid { main, by } => self.many(main, by, true).await,
            Step::Amnesty { main } => self.many(main, steps::By::Operator, false).await,
            Step::Revert { main, user, nth } => self.revert(main, user, nth).await,
            Step::Amend { main, user } => self.amend(main, user).await,
            Step::Freeze { main } => self.freeze(main).await,
            Step::Resume { main } => self.resume(main).await,
            Step::Link { main, child, monitor, backfill } => self.link(main, child, monitor, backfill).await,
            Step::Compare { main } => self.compare_children(main).await,
            Step::Mend { main, child } => self.mend(main, child).await,
            Step::Unlink { main, child, ending } => self.unlink(main, child, ending).await,
            Step::Protect { guild, user } => self.protect(guild, user).await,
            Step::Transfer { guild } => self.transfer(guild),
            Step::Integration { main } => self.integration(main),
            Step::KickBot { main } => self.kick_bot(main),
            Step::BanBot { main, verdict } => self.ban_bot(main, verdict).await,
            Step::Raise { guild, user, height, banned_by } => {
                self.raise(guild, user, height).await?;
                match banned_by {
                    Some(main) => self.act(main, user, steps::By::Operator, true).await,
                    None => Ok(()),
                }
            }
            Step::Lower { guild } => self.lower(guild),
            Step::Forbid { child } => self.forbid(child).await,
            Step::RemoveBot { child } => self.remove_bot(child).await,
            Step::Outage { child } => self.outage(child).await,
            Step::GiveBack { child } => self.give_back(child),
            Step::Trouble { guild, kind, times } => {
                self.trouble(guild, kind, times);
                Ok(())
            }
            Step::Mishap { guild, kind, times } => {
                self.mishap(guild, kind, times);
                Ok(())
            }
            Step::Break(kind) => {
                self.break_gateway(kind);
                Ok(())
            }
            Step::Kill => self.network.kill(),
            Step::Terminate => {
                self.clear_faults();
                self.network.terminate().await
            }
            Step::Breathe => self.breathe().await,
            Step::Rejoin { guild, user, way, unheard } => self.rejoin(guild, user, way, unheard).await,
            Step::Leave { guild, user } => self.leave(guild, user).await,
            Step::Join { guild, user } => self.join(guild, user).await,
            Step::Brief { guild, user } => self.time_out_for_a_moment(guild, user),
            Step::Shield { guild, user } => self.shield(guild, user).await,
            Step::Unshield { guild, user, leaves } => self.unshield(guild, user, leaves).await,
            Step::KickHolder { main } => self.kick_holder(main).await,
        }
    }

    fn clear_faults(&mut self) {
        for fault in self.faults.drain(..) {
            self.network.sandbox.clear(fault);
        }
    }

    /// It is not known any more how a user stands: somebody else takes their part.
    fn lose(&mut self, user: User) {
        self.model.lost.insert(user);
        self.replace(user);
    }

    fn retire_lost(&mut self) {
        let gone: Vec<User> = self.everybody().filter(|user| self.model.lost.contains(user)).collect();
        gone.into_iter().for_each(|user| self.replace(user));
    }

    /// Somebody new takes the part of a user.
    fn replace(&mut self, user: User) {
        if self.regulars.contains(&user) {
            return self.replace_regular(user);
        }
        let Some(place) = self.pool.iter_mut().find(|one| **one == user) else { return };
        *place = self.network.users.len();
        let id = self.network.sandbox.stranger();
        self.known(id);
    }

    /// Somebody's number, from now on where they had none.
    fn known(&mut self, id: u64) -> User {
        *self.ids.entry(id).or_insert_with(|| {
            self.network.users.push(id);
            self.network.users.len() - 1
        })
    }

    /// Whoever takes part now.
    fn everybody(&self) -> impl Iterator<Item = User> {
        self.pool.iter().chain(&self.regulars).copied()
    }

    /// The steps that a failure may follow from: the last ones, and those that name the user.
    fn story(&self, failure: &Failure) -> String {
        let names = |step: &Step| match step {
            Step::Ban { user, .. }
            | Step::Unban { user, .. }
            | Step::Killed { user, .. }
            | Step::BanFor { user, .. }
            | Step::Warn { user, .. }
            | Step::Raise { user, .. }
            | Step::Revert { user, .. }
            | Step::Rejoin { user, .. }
            | Step::Leave { user, .. }
            | Step::Join { user, .. }
            | Step::Brief { user, .. }
            | Step::Shield { user, .. }
            | Step::Unshield { user, .. }
            | Step::Protect { user, .. } => Some(*user) == failure.user,
            Step::Amend { .. } | Step::Trouble { .. } | Step::Mishap { .. } | Step::Breathe => false,
            _ => failure.user.is_some(),
        };
        let last = self.step.saturating_sub(2 * TOGETHER);
        let matter = self.told.iter().filter(|(at, step)| *at > last || names(step));
        let lines: Vec<String> = matter.map(|(at, step)| format!("  {at}: {step:?}")).collect();
        lines[lines.len().saturating_sub(TOLD)..].join("\n")
    }
}
