//! Plays a history to a daemon and to the model.

mod acts;
mod events;
mod forgery;
mod holds;
mod judge;
mod kicks;
mod life;
mod outsiders;
mod passing;
mod protection;
mod reach;
mod rejoining;
mod stillness;

use super::model::{BOT, CASES, CHILDREN, Case, GUILDS, Guild, MAINS, Model, USERS};
use super::steps::{Closing, Dice, Step, Trouble};
use crate::network::Freeze;
use crate::store::Terms;
use crate::testing::{self, guild as guild_id};
use life::Life;
use outsiders::Outsiders;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, Fault, FaultId, Options, Sandbox, permissions};
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{AllowedActions, Mode};

/// The Discord of histories: many may share one, for each has users of its own.
pub(super) struct Stage {
    sandbox: Sandbox,
    guilds: [u64; GUILDS],
    /// Whether daemons are connected to its gateway. Such a one hears of every user, so that no two may share it.
    gateway: bool,
    _runtime: Runtime,
}

impl Stage {
    pub(super) fn set(gateway: bool) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let options = Options {
            children: GUILDS - 1,
            global_limit: 0,
            openapi: None,
            max_concurrency: 1_000,
            // Bulk bans everywhere but in one child.
            bot_permissions: permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD,
            without_permission: vec![(GUILDS - 3, permissions::MANAGE_GUILD)],
            ..Options::default()
        };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let mut guilds = [sandbox.main_guild(); GUILDS];
        guilds[1..].copy_from_slice(&sandbox.children());
        for guild in guilds {
            let role = sandbox.role(guild, reach::OFFICE);
            sandbox.people().move_role(guild, role, reach::ABOVE).unwrap();
        }
        Self { sandbox, guilds, gateway, _runtime: runtime }
    }

    fn requests(&self) -> usize {
        self.sandbox.read(|world| world.log.entries().len())
    }
}

/// Plays one history; what went wrong.
pub(super) fn run(stage: &Arc<Stage>, seed: u64, steps: &[Step]) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut driver = Driver::start(stage, seed);
        for (index, step) in steps.iter().enumerate() {
            driver.step(*step).map_err(|why| format!("step {index}, {step:?}: {why}"))?;
            driver.check_effects().map_err(|why| format!("after step {index}, {step:?}: {why}"))?;
        }
        driver.end().map_err(|why| format!("at the end: {why}"))
    }));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
        Err(format!("panicked: {text}"))
    })
}

/// What was decided, by whom, and how many requests had come before it.
struct Decision {
    source: Guild,
    user: u64,
    action: Action,
    at: usize,
}

/// What may come of a link after its gates were shut: a lane sends one request at a time.
struct Late {
    /// How many requests at most.
    most: usize,
    /// Which have come.
    came: Vec<usize>,
}

/// From which request on, and up to which, where it is over.
type Span = (usize, Option<usize>);

struct Driver {
    stage: Arc<Stage>,
    dice: Dice,
    home: TempDir,
    /// Whether users are told by direct message, so that what is decided is sent later.
    tells: bool,
    /// Whether moderators and networks have small budgets.
    scarce: bool,
    /// How much each main has propagated, at least and at most.
    spent: [(u32, u32); 2],
    life: Option<Life>,
    model: Model,
    users: [u64; USERS],
    /// Who is kicked and joins again.
    kicked: u64,
    /// Where they are a member, where that is known; what a freeze holds for them.
    kicks: kicks::Picture,
    /// Bots of other makers.
    outsiders: Outsiders,
    /// Whom nobody ever decided anything about: rows about them are forged.
    framed: u64,
    /// How much of each guild's audit log was taken in.
    taken: [usize; GUILDS],
    /// How many requests were looked at.
    seen: usize,
    decisions: Vec<Decision>,
    /// From which request to which a link was open.
    spans: BTreeMap<(Guild, Guild), Vec<Span>>,
    /// Links that were open a moment ago: some requests may have left before, and come after.
    on_the_way: BTreeMap<(Guild, Guild), Late>,
    /// How often it was killed since everything had come to rest: a request of each life may still be on its way.
    deaths: usize,
    /// Since which request what a link delivered is taken back.
    waning: BTreeMap<(Guild, Guild), usize>,
    faults: Vec<FaultId>,
    /// Whether requests have failed since everything was mended.
    hindered: bool,
    /// Whether Discord describes the guilds to each life: what ranks and owners have changed follows from that.
    describes: bool,
}

impl Drop for Driver {
    fn drop(&mut self) {
        for fault in self.faults.drain(..) {
            self.stage.sandbox.clear(fault);
        }
    }
}

impl Driver {
    fn start(stage: &Arc<Stage>, seed: u64) -> Self {
        let stranger = || stage.sandbox.stranger();
        let (bot, _) = CASES[BOT];
        let mut driver = Self {
            stage: Arc::clone(stage),
            dice: Dice::new(!seed),
            tells: seed.is_multiple_of(3),
            scarce: seed % 4 == 1,
            spent: [(0, 0); 2],
            home: testing::home(),
            life: None,
            model: Model::default(),
            users: std::array::from_fn(|user| match user == bot {
                true => stage.sandbox.people().another_bot(),
                false => stranger(),
            }),
            kicked: stranger(),
            kicks: kicks::Picture::default(),
            outsiders: Outsiders::new(&stage.sandbox),
            framed: stranger(),
            taken: [0; GUILDS],
            seen: 0,
            decisions: Vec::new(),
            spans: BTreeMap::new(),
            on_the_way: BTreeMap::new(),
            deaths: 0,
            waning: BTreeMap::new(),
            faults: Vec::new(),
            hindered: false,
            describes: false,
        };
        driver.seen = stage.requests();
        driver.taken = stage.guilds.map(|id| stage.sandbox.read(|world| world.guilds[&id].audit.len()));
        driver.born();
        let mains: Vec<u64> = MAINS.map(|main| stage.guilds[main]).collect();
        driver.seat();
        driver.change(move |change| {
            mains.iter().try_for_each(|main| change.make_main(guild_id(*main)).map(drop))
        });
        driver
    }

    fn id(&self, guild: Guild) -> u64 {
        self.stage.guilds[guild]
    }

    fn whom(&self, case: Case) -> u64 {
        self.users[CASES[case].0]
    }

    /// Who owns the guild now, and does there by hand what is done by hand.
    fn owner(&self, guild: Guild) -> u64 {
        self.stage.sandbox.read(|world| world.guilds[&self.id(guild)].owner)
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Link { main, child, monitor } => self.gates(main, Some(child), |driver| {
                let (from, to) = (guild_id(driver.id(main)), guild_id(driver.id(child)));
                let mode = if monitor { Mode::Monitor } else { Mode::Active };
                driver.change(move |change| {
                    // A link that is closing takes no new consent before it is closed.
                    if let Some(link) = change.link(from, to)?.filter(|link| link.state == "closing") {
                        change.close_link(link.id, from, to)?;
                    }
                    change.activate_link(from, to, mode).map(drop)
                });
                let link = driver.model.links.entry((main, child)).or_default();
                (link.active, link.monitor) = (true, monitor);
            }),
            Step::Close { main, child, how } => self.gates(main, Some(child), |driver| {
                if !driver.model.link(main, child).active {
                    return;
                }
                let (from, to) = (guild_id(driver.id(main)), guild_id(driver.id(child)));
                driver.change(move |change| {
                    let Some(link) = change.link(from, to)? else { return Ok(()) };
                    match how {
                        Closing::Whole => change.stop_link(link.id).map(drop)?,
                        Closing::Bare => {}
                        Closing::Waning => {
                            let sql = "UPDATE guild_relationships SET state = 'closing' WHERE id = ";
                            return change.raw(&format!("{sql}{}", link.id));
                        }
                        Closing::ProposedAnew => {
                            change.close_link(link.id, from, to)?;
                            let sql = "UPDATE guild_relationships SET state = 'proposed' WHERE id = ";
                            return change.raw(&format!("{sql}{}", link.id));
                        }
                    }
                    change.close_link(link.id, from, to).map(drop)
                });
                match how {
                    Closing::Whole => driver.model.stopped(main, child),
                    _ => driver.model.unsettled(main, child),
                }
                driver.kicks.closed(main, child);
                if matches!(how, Closing::Waning) {
                    driver.model.waning(child);
                    driver.waning.insert((main, child), driver.stage.requests());
                }
                let link = driver.model.links.entry((main, child)).or_default();
                link.active = false;
                // A closed link is made anew with everything allowed; a proposed one keeps its terms.
                link.barred &= matches!(how, Closing::ProposedAnew);
            }),
            Step::Allow { main, child, all } => self.gates(main, Some(child), |driver| {
                if !driver.model.link(main, child).active {
                    return;
                }
                let (from, to) = (guild_id(driver.id(main)), guild_id(driver.id(child)));
                let actions = if all { AllowedActions::all() } else { AllowedActions::of(&[]) };
                driver.change(move |change| {
                    let Some(link) = change.link(from, to)? else { return Ok(()) };
                    // Both sides agree to it, as an operator has it.
                    change.agree_to_terms(from, to, &Terms { mode: link.mode, actions }).map(drop)
                });
                if let Some(link) = driver.model.links.get_mut(&(main, child)) {
                    link.barred = !all;
                }
            }),
            Step::Freeze { main, on } => self.gates(main, None, |driver| {
                let (of, freeze) = (guild_id(driver.id(main)), on.then_some(Freeze::Everything));
                // As `sync freeze` and `sync resume` do it.
                driver.change(move |change| {
                    let moved = change.moved_by_freeze(of, freeze)?;
                    change.set_freeze(of, freeze)?;
                    moved.into_iter().try_for_each(|step| step.apply(change))
                });
                match on {
                    true => driver.model.freeze(main),
                    false => driver.model.resume(main),
                }
            }),
            Step::Command { guild, case, on } => return self.command(guild, case, on),
            Step::Hand { guild, case, on } => return self.hand(guild, case, on),
            Step::Brief { main, case } => return self.brief(main, case),
            Step::Escalate { main, case } => return self.escalate(main, case),
            Step::TimePasses => return self.time_passes(),
            Step::Revert { main, case } => return self.revert(main, case),
            Step::Join { guild } => return self.join(guild),
            Step::Rejoin { guild, kicked, heard } => return self.rejoin(guild, kicked, heard),
            Step::Kick { guild, by_hand } => return self.kick(guild, by_hand),
            Step::Trouble { guild, case, kind, times } => self.trouble(guild, case, kind, times),
            Step::Mend { guild } => self.systems().engine.mended(guild_id(self.id(guild))),
            Step::Run { turns } => self.turn(turns),
            Step::Level { main, maximum } => self.level(main, maximum),
            Step::Decide { main, all, approve } => return self.decide_holds(main, all, approve),
            Step::Protect { guild, case, by_role, on } => return self.protect(guild, case, by_role, on),
            Step::Reconcile { main, child } => return self.reconcile(main, child),
            Step::Integration { guild, deed, named } => return self.integration(guild, deed, named),
            Step::BotByHand { guild, deed } => return self.bot_by_hand(guild, deed),
            Step::Untouchable { guild, how } => return self.untouchable(guild, how),
            Step::Raise { guild, case } => return self.raise(guild, case),
            Step::Lower { guild, case, leaves, heard } => return self.lower(guild, case, leaves, heard),
            Step::Transfer { guild, to, heard } => return self.transfer(guild, to, heard),
            Step::Settle => return self.settle(),
            Step::Crash { turns } => {
                self.turn(turns);
                self.die();
                self.born();
            }
            Step::Forge { kind, bare } => return self.forge(kind, bare),
        }
        Ok(())
    }

    /// Lets the daemon run for so many turns of its runtime.
    fn turn(&self, turns: usize) {
        self.life().runtime.block_on(async {
            for _ in 0..turns {
                tokio::task::yield_now().await;
            }
        });
    }

    /// A change of what is allowed: from which request on, and until which, the links are open.
    fn gates(&mut self, main: Guild, child: Option<Guild>, change: impl FnOnce(&mut Self)) {
        let before: Vec<bool> = CHILDREN.map(|child| self.model.is_open(main, child)).collect();
        let first = self.stage.requests();
        change(self);
        let last = self.stage.requests();
        let mut restricted = false;
        for (child, was) in CHILDREN.zip(before) {
            let spans = self.spans.entry((main, child)).or_default();
            match (was, self.model.is_open(main, child)) {
                (false, true) => spans.push((first, None)),
                (true, false) => {
                    restricted = true;
                    self.on_the_way.insert((main, child), Late { most: 1 + self.deaths, came: Vec::new() });
                    if let Some(open) = spans.last_mut() {
                        open.1 = Some(last);
                    }
                }
                _ => {}
            }
        }
        self.kicks.gates_changed(main, child, self.model.frozen.contains(&main));
        if restricted || child.is_some_and(|child| !self.model.is_open(main, child)) {
            self.model.restricted(main, child);
        }
    }

    fn trouble(&mut self, guild: Guild, case: Case, kind: Trouble, times: u32) {
        let at = At {
            guild: Some(self.id(guild)),
            user: Some(CASES.get(case).map_or(self.kicked, |(user, _)| self.users[*user])),
            times: Some(times),
            ..At::default()
        };
        let answer = |at, status, code| Fault::Answer { at, status, code, message: String::new() };
        let fault = match kind {
            Trouble::Limited => Fault::RateLimit { at, scope: Scope::User, retry_after: 0.02, headers: None },
            Trouble::Stumbles => answer(at, 500, 0),
            Trouble::CutAfter => Fault::CutAfter { at },
            Trouble::CutBefore => Fault::CutBefore { at },
            Trouble::Outranked => answer(at, 403, 50013),
            Trouble::NoAccess => answer(at, 403, 50001),
        };
        self.hindered = true;
        self.faults.push(self.stage.sandbox.inject(fault));
    }
}
