//! Plays a history to a daemon and to the model, and compares.

use super::model::{CHILDREN, GUILDS, Guild, MAINS, Model, UNLINKED, USERS, User};
use super::steps::{Closing, Dice, Forgery, Step, Trouble};
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::discord::{connection, event};
use crate::pipeline;
use crate::startup;
use crate::store::{Change, View};
use crate::testing::{self, PATIENCE, by_operator, guild as guild_id, user as user_id};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::world::action;
use wayhaven_sandbox::{At, Fault, FaultId, Options, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::{Ban, Unban};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::setup::Mode;

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
            ..Options::default()
        };
        let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
        let mut guilds = [sandbox.main_guild(); GUILDS];
        guilds[1..].copy_from_slice(&sandbox.children());
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

/// A daemon between two crashes.
struct Life {
    daemon: Arc<Daemon>,
    runtime: Runtime,
}

/// What was decided, by whom, and how many requests had come before it.
struct Decision {
    source: Guild,
    user: User,
    ban: bool,
    at: usize,
}

struct Driver {
    stage: Arc<Stage>,
    dice: Dice,
    home: TempDir,
    life: Option<Life>,
    model: Model,
    users: [u64; USERS],
    /// Whom nobody ever decided anything about: rows about them are forged.
    framed: u64,
    /// How much of each guild's audit log was taken in.
    taken: [usize; GUILDS],
    /// How many requests were looked at.
    seen: usize,
    decisions: Vec<Decision>,
    /// From which request to which a link was open.
    spans: BTreeMap<(Guild, Guild), Vec<(usize, Option<usize>)>>,
    /// Links that were open a moment ago: one request may have left before, and come after.
    on_the_way: BTreeSet<(Guild, Guild)>,
    faults: Vec<FaultId>,
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
        // In memory where there is a place for it: what is lost with the power is not tried here.
        let memory = std::path::Path::new("/dev/shm");
        let home = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let mut driver = Self {
            stage: Arc::clone(stage),
            dice: Dice::new(!seed),
            home: home.unwrap(),
            life: None,
            model: Model::default(),
            users: std::array::from_fn(|_| stranger()),
            framed: stranger(),
            taken: [0; GUILDS],
            seen: 0,
            decisions: Vec::new(),
            spans: BTreeMap::new(),
            on_the_way: BTreeSet::new(),
            faults: Vec::new(),
        };
        driver.seen = stage.requests();
        driver.taken = stage.guilds.map(|id| stage.sandbox.read(|world| world.guilds[&id].audit.len()));
        driver.born();
        let mains: Vec<u64> = MAINS.map(|main| stage.guilds[main]).collect();
        driver.change(move |change| {
            mains.iter().try_for_each(|main| change.make_main(guild_id(*main)).map(drop))
        });
        driver
    }

    /// A daemon starts on the file as it is, by the real start.
    fn born(&mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (settings, layout) = testing::prepare(&self.stage.sandbox, self.home.path());
        let started = runtime.block_on(startup::start(settings, layout, Clock::default()));
        let (daemon, _listener) = started.unwrap();
        if self.stage.gateway {
            drop(runtime.spawn(connection::keep(Arc::clone(&daemon))));
            self.life = Some(Life { daemon, runtime });
            self.until(|daemon, _| daemon.is_ready());
            return;
        }
        daemon.directory().set_me(user_id(self.stage.sandbox.bot_id()));
        for id in self.stage.guilds {
            let data = self.stage.sandbox.read(|world| world.guild_create_json(id));
            daemon.directory().learn(&event::read("GUILD_CREATE", &data).unwrap().unwrap());
        }
        self.life = Some(Life { daemon, runtime });
    }

    /// Waits until something holds that makes no event.
    fn until(&self, holds: impl Fn(&Daemon, &View<'_>) -> bool + Send + Sync + 'static) {
        let (daemon, holds) = (self.daemon(), Arc::new(holds));
        self.wait(async {
            loop {
                let (look, of) = (Arc::clone(&holds), Arc::clone(&daemon));
                if daemon.store().read(move |view| Ok(look(&of, view))).await.unwrap() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
    }

    /// Everything in memory is gone, wherever it waited. What the gateway sent is taken in before: what it was told
    /// and had not taken in would have to be read from the audit log at the next start.
    fn die(&mut self) {
        if self.life.is_some() && self.stage.gateway {
            self.hear();
        }
        let Some(Life { daemon, runtime }) = self.life.take() else { return };
        let writer = daemon.store().sequence();
        drop(daemon);
        drop(runtime);
        // The writer's thread ends with what it was handed; its end makes no event.
        while writer.has_changed().is_ok() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    fn life(&self) -> &Life {
        self.life.as_ref().unwrap()
    }

    fn daemon(&self) -> Arc<Daemon> {
        Arc::clone(&self.life().daemon)
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.life().runtime.block_on(async { tokio::time::timeout(PATIENCE, work).await.expect("it hangs") })
    }

    fn change(
        &self,
        work: impl FnOnce(&Change<'_>) -> Result<(), crate::store::StoreError> + Send + 'static,
    ) {
        let daemon = self.daemon();
        self.wait(daemon.store().write(move |change| Ok(work(change)?))).unwrap();
    }

    fn id(&self, guild: Guild) -> u64 {
        self.stage.guilds[guild]
    }

    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Link { main, child, monitor } => self.gates(main, Some(child), |driver| {
                let (from, to) = (guild_id(driver.id(main)), guild_id(driver.id(child)));
                let mode = if monitor { Mode::Monitor } else { Mode::Active };
                driver.change(move |change| change.activate_link(from, to, mode).map(drop));
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
                        Closing::Into(state) => {
                            let id = link.id;
                            let sql =
                                format!("UPDATE guild_relationships SET state = '{state}' WHERE id = {id}");
                            return change.raw(&sql);
                        }
                    }
                    change.close_link(link.id, from, to).map(drop)
                });
                driver.model.links.entry((main, child)).or_default().active = false;
            }),
            Step::Allow { main, child, bans } => self.gates(main, Some(child), |driver| {
                let sql = format!(
                    "UPDATE guild_relationships SET allowed_actions = '{}' WHERE id = {}",
                    if bans { r#"["ban","unban"]"# } else { "[]" },
                    driver.link(main, child),
                );
                driver.change(move |change| change.raw(&sql));
                if let Some(link) = driver.model.links.get_mut(&(main, child)) {
                    link.barred = !bans;
                }
            }),
            Step::Freeze { main, on } => self.gates(main, None, |driver| {
                let at = if on { "1" } else { "NULL" };
                let id = driver.id(main);
                let sql = format!("UPDATE guild_settings SET frozen_at = {at} WHERE guild_id = {id}");
                driver.change(move |change| change.raw(&sql));
                match on {
                    true => driver.model.frozen.insert(main),
                    false => driver.model.frozen.remove(&main),
                };
            }),
            Step::Command { guild, user, ban } => return self.command(guild, user, ban),
            Step::Hand { guild, user, ban } => return self.hand(guild, user, ban),
            Step::Trouble { guild, user, kind, times } => self.trouble(guild, user, kind, times),
            Step::Mend { guild } => self.daemon().engine().mended(guild_id(self.id(guild))),
            Step::Run { turns } => self.turn(turns),
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
                    self.on_the_way.insert((main, child));
                    if let Some(open) = spans.last_mut() {
                        open.1 = Some(last);
                    }
                }
                _ => {}
            }
        }
        if restricted || child.is_some_and(|child| !self.model.is_open(main, child)) {
            self.model.restricted(main, child);
        }
    }

    fn command(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), String> {
        let (whom, place, at) = (user_id(self.users[user]), self.id(guild), self.stage.requests());
        let request = match ban {
            true => Ban { user: whom, reason: None, delete_days: None }.into(),
            false => Unban { user: whom, reason: None }.into(),
        };
        self.decisions.push(Decision { source: guild, user, ban, at });
        let asked = pipeline::run(self.daemon(), by_operator(Role::Owner, Some(place), request));
        let outcome = match self.dice.below(8) {
            // It is killed in the middle of it; whoever asked never hears.
            0 => {
                let stored = self.stored(user);
                let turns = self.dice.below(60);
                let cut = self.life().runtime.block_on(async {
                    tokio::select! {
                        biased;
                        outcome = asked => Some(outcome),
                        () = async { for _ in 0..turns { tokio::task::yield_now().await } } => None,
                    }
                });
                self.die();
                self.born();
                if cut.is_none() && self.stored(user) == stored {
                    self.decisions.pop();
                    return Ok(());
                }
                cut.map_or(Ok(()), |outcome| outcome.map(drop))
            }
            _ => self.wait(asked).map(drop),
        };
        outcome.map_err(|fault| format!("refused: {fault}"))?;
        self.model.decide(guild, user, ban, false);
        Ok(())
    }

    fn stored(&self, user: User) -> usize {
        let (daemon, user) = (self.daemon(), user_id(self.users[user]));
        self.wait(daemon.store().read(move |view| Ok(view.punishments(None, Some(user), None, 500)?.len())))
            .unwrap()
    }

    /// People act on what they see, so everything has come to rest before.
    fn hand(&mut self, guild: Guild, user: User, ban: bool) -> Result<(), String> {
        self.settle()?;
        let (sandbox, place, whom) = (&self.stage.sandbox, self.id(guild), self.users[user]);
        if sandbox.is_banned(place, whom) == ban {
            return Ok(());
        }
        let (people, by, at) = (sandbox.people(), sandbox.owner(), self.stage.requests());
        match ban {
            true => people.ban(place, by, whom, None)?,
            false => people.unban(place, by, whom, None)?,
        }
        if MAINS.contains(&guild) {
            self.decisions.push(Decision { source: guild, user, ban, at });
        }
        if !self.stage.gateway && self.dice.below(6) == 0 {
            let turns = self.dice.below(40);
            self.pump_for(Some(turns));
            self.die();
            self.born();
        }
        self.pump();
        match MAINS.contains(&guild) {
            true => self.model.decide(guild, user, ban, true),
            false => self.model.local(guild, user, ban),
        }
        Ok(())
    }

    /// Waits until the gateway's events so far are taken in: one more is made, and they keep their order. Whether there
    /// were any about the history's users.
    fn hear(&mut self) -> bool {
        let (sandbox, place) = (&self.stage.sandbox, self.id(UNLINKED));
        let entries = sandbox.read(|world| {
            let of_ours = |id: &u64| {
                let audit = &world.guilds[id].audit;
                audit
                    .iter()
                    .filter(|entry| entry.target.is_some_and(|user| self.users.contains(&user)))
                    .count()
            };
            self.stage.guilds.iter().map(of_ours).collect::<Vec<_>>()
        });
        let marker = sandbox.stranger();
        sandbox.people().ban(place, sandbox.owner(), marker, None).unwrap();
        self.until(move |_, view| view.is_banned_locally(guild_id(place), user_id(marker)).unwrap());
        std::mem::replace(&mut self.taken, entries.try_into().unwrap()) != self.taken
    }

    /// Hands on what Discord's audit logs have that was not taken in; whether there was anything.
    fn pump(&mut self) -> bool {
        if self.stage.gateway {
            return self.hear();
        }
        self.pump_for(None)
    }

    /// The same, given up in the middle after so many turns.
    fn pump_for(&mut self, turns: Option<usize>) -> bool {
        let mut fresh: Vec<(u64, Guild, usize, Value, Value, bool)> = Vec::new();
        self.stage.sandbox.read(|world| {
            for (guild, id) in self.stage.guilds.iter().enumerate() {
                for (at, entry) in world.guilds[id].audit.iter().enumerate().skip(self.taken[guild]) {
                    let ours =
                        entry.target.is_some_and(|user| user == self.framed || self.users.contains(&user));
                    let ban = entry.action == action::BAN_ADD;
                    if ours && (ban || entry.action == action::BAN_REMOVE) {
                        let mut data = entry.json();
                        data["guild_id"] = json!(id.to_string());
                        let user = entry.target.unwrap_or_default().to_string();
                        let event = json!({ "guild_id": id.to_string(), "user": { "id": user } });
                        fresh.push((entry.id, guild, at, data, event, ban));
                    }
                }
            }
        });
        fresh.sort_by_key(|entry| entry.0);
        let any = !fresh.is_empty();
        for (_, guild, at, entry, event, ban) in fresh {
            let name = if ban { "GUILD_BAN_ADD" } else { "GUILD_BAN_REMOVE" };
            let event = event::read(name, &event).unwrap().unwrap();
            let entry = event::read("GUILD_AUDIT_LOG_ENTRY_CREATE", &entry).unwrap().unwrap();
            // Events come in either order, and may come twice.
            let events = match self.dice.below(4) {
                0 => vec![entry, event],
                1 => vec![event.clone(), event, entry.clone(), entry],
                _ => vec![event, entry],
            };
            let daemon = self.daemon();
            let take = async {
                for event in events {
                    let taken = daemon.ingest().take(event).await;
                    daemon.ingest().follow(taken.committed().await);
                }
            };
            match turns {
                None => self.wait(take),
                Some(turns) => {
                    let cut = self.life().runtime.block_on(async {
                        tokio::select! {
                            biased;
                            () = take => false,
                            () = async { for _ in 0..turns { tokio::task::yield_now().await } } => true,
                        }
                    });
                    if cut {
                        return true;
                    }
                }
            }
            self.taken[guild] = at + 1;
        }
        any
    }

    fn trouble(&mut self, guild: Guild, user: User, kind: Trouble, times: u32) {
        let at = At {
            guild: Some(self.id(guild)),
            user: Some(self.users[user]),
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
        self.faults.push(self.stage.sandbox.inject(fault));
    }

    /// Waits until nothing moves and nobody knows of anything more, and compares with the model.
    fn settle(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.rest(deadline)?;
            if !self.pump() {
                break;
            }
        }
        self.check_effects()?;
        self.on_the_way.clear();
        self.model.settled();
        self.compare()
    }

    /// Waits until nothing is open but what is held; guilds in which something is blocked are mended.
    fn rest(&mut self, deadline: Instant) -> Result<(), String> {
        let daemon = self.daemon();
        let mut sequence = daemon.store().sequence();
        loop {
            sequence.mark_unchanged();
            let mut open = self.wait(daemon.store().read(|view| Ok(view.open_deliveries()?))).unwrap();
            open.retain(|one| one.state != DeliveryState::Held);
            if open.is_empty() {
                break;
            }
            if Instant::now() > deadline {
                return Err(format!("lost: still open are {open:?}"));
            }
            if open.iter().all(|one| one.state == DeliveryState::Blocked) {
                for fault in self.faults.drain(..) {
                    self.stage.sandbox.clear(fault);
                }
                open.iter().for_each(|one| daemon.engine().mended(one.guild));
            }
            self.life().runtime.block_on(async {
                let _ = tokio::time::timeout(Duration::from_millis(100), sequence.changed()).await;
            });
        }
        self.wait(async {
            daemon.engine().drain().await;
            daemon.store().write(|_| Ok(())).await
        })
        .map_err(|fault| fault.to_string())
    }

    /// Discord and the model agree, wherever the model knows.
    fn compare(&self) -> Result<(), String> {
        for guild in 0..GUILDS {
            for (user, id) in self.users.iter().enumerate() {
                let is = self.stage.sandbox.is_banned(self.id(guild), *id);
                let place = self.model.place(guild, user);
                if place.local && !is {
                    return Err(format!(
                        "user {user} was banned by guild {guild}'s own staff, and is not any more"
                    ));
                }
                if let Some(should) = place.banned.filter(|should| *should != is) {
                    let daemon = self.daemon();
                    let rows = self.wait(daemon.store().read({
                        let user = user_id(*id);
                        move |view| Ok(view.history_of(user)?)
                    }));
                    return Err(format!(
                        "user {user} in guild {guild} is banned: {is}, should be {should}; {place:?}\n{}",
                        rows.unwrap()
                    ));
                }
            }
            if self.stage.sandbox.is_banned(self.id(guild), self.framed) {
                return Err(format!("guild {guild} bans somebody nobody decided about"));
            }
        }
        Ok(())
    }

    /// Every request since the last look traces to a decision that allows it.
    fn check_effects(&mut self) -> Result<(), String> {
        let (from, mut found) = (self.seen, Vec::new());
        self.stage.sandbox.read(|world| {
            let log = world.log.entries();
            for (index, entry) in log.iter().enumerate().skip(from).filter(|(_, entry)| entry.effect) {
                let (Some(guild), Some(user)) = (entry.guild, entry.user) else { continue };
                if user == self.framed || self.users.contains(&user) {
                    found.push((index, guild, user, entry.method == "PUT"));
                }
            }
            self.seen = log.len();
        });
        for (index, guild, user, ban) in found {
            let guild = self.stage.guilds.iter().position(|id| *id == guild).unwrap();
            let Some(user) = self.users.iter().position(|id| *id == user) else {
                return Err(format!("LEAK: a forged row reached guild {guild}"));
            };
            let decided =
                self.decisions.iter().filter(|one| one.user == user && one.ban == ban && one.at <= index);
            let mut late = None;
            let allowed = decided.map(|one| one.source).any(|source| {
                let spans = self.spans.get(&(source, guild)).map_or(&[][..], Vec::as_slice);
                late = late.or(Some((source, guild)).filter(|link| self.on_the_way.contains(link)));
                source == guild
                    || spans
                        .iter()
                        .any(|(first, last)| *first <= index && last.is_none_or(|last| index < last))
            });
            if !allowed && !late.is_some_and(|link| self.on_the_way.remove(&link)) {
                let what = if ban { "ban" } else { "unban" };
                return Err(format!(
                    "LEAK: a {what} of user {user} reached guild {guild}, and no main's link allows it"
                ));
            }
        }
        Ok(())
    }

    /// SQL for a link's id.
    fn link(&self, main: Guild, child: Guild) -> String {
        let (main, child) = (self.id(main), self.id(child));
        format!(
            "(SELECT id FROM guild_relationships WHERE main_guild_id = {main} AND child_guild_id = {child})"
        )
    }

    fn forge(&mut self, kind: Forgery, bare: bool) -> Result<(), String> {
        // In a sound store, so that what is refused is refused for what it is.
        let (main, first, second) = (MAINS.start, CHILDREN.start, CHILDREN.start + 1);
        let framed = self.framed;
        let punishment = |source: Guild| {
            let source = self.id(source);
            format!(
                "INSERT INTO punishments (source_guild, target_user, action, origin, created_at)
                 VALUES ({source}, {framed}, 'ban', 'operator', 1);"
            )
        };
        let delivery = |guild: Guild, scope: &str, link: &str| {
            let guild = self.id(guild);
            format!(
                "INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state,
                                         created_at, updated_at)
                 VALUES ((SELECT max(event_id) FROM punishments), {guild}, '{scope}', {link}, 'ban', {framed}, 'pending', 1, 1);"
            )
        };
        let sql = match kind {
            Forgery::SourceIsNoMain => {
                punishment(UNLINKED) + &delivery(first, "child", &self.link(main, first))
            }
            Forgery::FromChildToChild => {
                punishment(first) + &delivery(second, "child", &self.link(main, second))
            }
            Forgery::ToAnotherGuild => {
                punishment(main) + &delivery(UNLINKED, "child", &self.link(main, first))
            }
            Forgery::AsOriginElsewhere => punishment(main) + &delivery(first, "origin", "NULL"),
            Forgery::Chain => {
                let (from, to) = (self.id(first), self.id(second));
                format!(
                    "INSERT INTO guild_relationships (main_guild_id, child_guild_id, state, created_at, updated_at)
                     VALUES ({from}, {to}, 'active', 1, 1);"
                ) + &punishment(first)
                    + &delivery(second, "child", &self.link(first, second))
            }
            Forgery::MovedPunishment => {
                let to = self.id(first);
                punishment(main)
                    + &delivery(main, "origin", "NULL")
                    + &format!("UPDATE punishments SET source_guild = {to} WHERE target_user = {framed};")
            }
            Forgery::MovedDelivery => {
                let to = self.id(first);
                punishment(main)
                    + &delivery(main, "origin", "NULL")
                    + &format!("UPDATE deliveries SET guild_id = {to} WHERE target_user = {framed};")
            }
        };
        let daemon = self.daemon();
        let forged = sql.clone();
        let tried = self.wait(daemon.store().write(move |change| Ok(change.raw(&forged)?)));
        if tried.is_ok() {
            return Err("the store took a forged row".into());
        }
        if !bare {
            return Ok(());
        }
        // Where a constraint refuses it even without triggers there is nothing to send.
        let _ = self.wait(daemon.store().write(move |change| Ok(change.without_triggers(&sql)?)));
        drop(daemon);
        self.die();
        self.born();
        self.settle()?;
        let mains: Vec<String> = MAINS.map(|main| self.id(main).to_string()).collect();
        let clean = format!(
            "DELETE FROM deliveries WHERE target_user = {framed};
             DELETE FROM punishments WHERE target_user = {framed};
             DELETE FROM guild_relationships WHERE main_guild_id NOT IN ({});",
            mains.join(", ")
        );
        self.change(move |change| change.raw(&clean));
        Ok(())
    }

    /// Everything comes to rest, once more after a start.
    fn end(&mut self) -> Result<(), String> {
        self.settle()?;
        self.die();
        self.born();
        self.settle()?;
        self.die();
        Ok(())
    }
}
