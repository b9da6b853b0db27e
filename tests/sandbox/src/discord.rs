//! The shared state behind every address, what can be read of it, and waiting for it to change.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::conformance::Conformance;
use crate::fault::{Fault, FaultId};
use crate::gateway::trouble;
use crate::options::Changes;
use crate::record::{Effect, Recorded};
use crate::world::World;

/// Where the sandbox listens.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// `http://127.0.0.1:PORT`; clients append `/api/v10`.
    pub api: String,
    /// `ws://127.0.0.1:PORT`.
    pub gateway: String,
    /// `http://127.0.0.1:PORT`.
    pub control: String,
}

/// One Discord: REST, gateway, control and tests all act on it.
#[derive(Debug)]
pub struct Discord {
    pub(crate) world: Mutex<World>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) addresses: Addresses,
    pub(crate) conformance: Option<Conformance>,
    pub(crate) violations: Mutex<Vec<String>>,
    pub(crate) stopped: AtomicBool,
    changed: watch::Sender<u64>,
}

/// A condition that did not come true in time, with what was seen instead.
#[derive(Debug, Clone)]
pub struct Timeout {
    /// How long was waited.
    pub waited: Duration,
    /// The last requests, the sessions and the counts.
    pub seen: String,
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing of the kind in {:?}; seen: {}", self.waited, self.seen)
    }
}

impl std::error::Error for Timeout {}

impl Discord {
    pub(crate) fn new(mut world: World, addresses: Addresses, conformance: Option<Conformance>) -> Self {
        world.files_url.clone_from(&addresses.api);
        Self {
            clock: Arc::clone(&world.clock),
            world: Mutex::new(world),
            addresses,
            conformance,
            violations: Mutex::default(),
            stopped: AtomicBool::new(false),
            changed: watch::Sender::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the state. What is given must not call back into the sandbox: the state is locked meanwhile.
    pub fn read<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.lock())
    }

    /// Changes the state and wakes everybody who waits. The same caution holds as for [`Discord::read`].
    pub fn change<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let outcome = act(&mut self.lock());
        self.changed.send_modify(|count| *count += 1);
        outcome
    }

    /// Resumes at every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until something holds. It is asked again after every change, without the state being locked, so it
    /// may call whatever reads.
    ///
    /// # Errors
    /// It did not hold in time (real time).
    pub async fn wait_until(&self, holds: impl Fn(&Self) -> bool, within: Duration) -> Result<(), Timeout> {
        let mut changes = self.changes();
        let wait = async {
            while !holds(self) {
                if changes.changed().await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(within, wait).await.is_ok() {
            return Ok(());
        }
        Err(Timeout { waited: within, seen: self.seen() })
    }

    /// Waits while something holds, at most until the sandbox stops.
    pub(crate) async fn while_true(&self, holds: impl Fn(&World) -> bool) {
        let mut changes = self.changes();
        while !self.is_stopped() && self.read(&holds) && changes.changed().await.is_ok() {}
    }

    /// The tail of the log in words.
    fn seen(&self) -> String {
        self.read(|world| {
            let entries = world.log.entries();
            let tail: Vec<String> = entries
                .iter()
                .rev()
                .take(12)
                .rev()
                .map(|entry| format!("{} {} -> {}", entry.method, entry.path, entry.status))
                .collect();
            let connected = world.sessions.values().filter(|session| session.is_connected()).count();
            format!(
                "{} requests ({} invalid), {connected} of {} sessions connected; last: [{}]",
                entries.len(),
                world.log.invalid(),
                world.sessions.len(),
                tail.join(", ")
            )
        })
    }

    /// Moves the sandbox's clock forward.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.change(World::catch_up);
    }

    /// Makes something go wrong. What concerns connections as they are (drop, close, opcodes) happens at once and
    /// is over; the rest lasts until cleared or used up.
    pub fn inject(&self, fault: Fault) -> FaultId {
        self.change(|world| {
            let (aim, fault) = fault.aimed();
            if let Fault::Gateway { trouble } = &fault {
                trouble::strike(world, &aim, trouble);
            }
            world.faults.inject(fault.only(aim))
        })
    }

    /// Ends a fault; says whether it was active. Requests that hang on it go on, what waits for it happens.
    pub fn clear(&self, fault: FaultId) -> bool {
        self.change(|world| {
            let was_active = world.faults.clear(fault);
            world.catch_up();
            was_active
        })
    }

    /// Changes options while the sandbox runs.
    ///
    /// # Errors
    /// Why they cannot be so; nothing is changed then.
    pub fn reconfigure(&self, changes: Changes) -> Result<(), String> {
        self.change(|world| {
            let factor = changes.time_factor;
            world.options = world.options.changed(changes)?;
            if let Some(factor) = factor {
                world.clock.set_factor(factor);
            }
            Ok(())
        })
    }

    /// Every request received, oldest first.
    #[must_use]
    pub fn log(&self) -> Vec<Recorded> {
        self.read(|world| world.log.entries().to_vec())
    }

    /// Attempted and successful changes of guilds.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.read(|world| world.log.effects())
    }

    /// How many attempted and successful changes of guilds there are; cheap, for [`Discord::wait_until`].
    #[must_use]
    pub fn effect_count(&self) -> usize {
        self.read(|world| world.log.entries().iter().filter(|entry| entry.effect).count())
    }

    /// In how many of these guilds somebody is banned; cheap, for [`Discord::wait_until`].
    #[must_use]
    pub fn banned_in(&self, guilds: &[u64], user: u64) -> usize {
        let banned =
            |world: &World, id: &u64| world.guilds.get(id).is_some_and(|g| g.bans.contains_key(&user));
        self.read(|world| guilds.iter().filter(|id| banned(world, id)).count())
    }

    /// Attempted and successful changes of one guild.
    #[must_use]
    pub fn effects_in(&self, guild: u64) -> Vec<Effect> {
        self.effects().into_iter().filter(|effect| effect.guild == Some(guild)).collect()
    }

    /// The most requests in any one second, of those that count towards the global limit.
    #[must_use]
    pub fn max_in_one_second(&self) -> usize {
        self.read(|world| world.log.max_in_one_second())
    }

    /// Answers that Discord counts as invalid (401, 403, 429).
    #[must_use]
    pub fn invalid_requests(&self) -> usize {
        self.read(|world| world.log.invalid())
    }

    /// Takes what did not fit Discord's description so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        std::mem::take(&mut *self.violations.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn note_violations(&self, found: Vec<String>) {
        if !found.is_empty() {
            self.violations.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        }
    }

    /// Whether somebody is banned.
    #[must_use]
    pub fn is_banned(&self, guild: u64, user: u64) -> bool {
        self.read(|world| world.guilds.get(&guild).is_some_and(|g| g.bans.contains_key(&user)))
    }

    /// A guild's bans with their reasons.
    #[must_use]
    pub fn bans(&self, guild: u64) -> Vec<(u64, Option<String>)> {
        self.read(|world| {
            let bans =
                world.guilds.get(&guild).map(|g| g.bans.iter().map(|(user, why)| (*user, why.clone())));
            bans.into_iter().flatten().collect()
        })
    }

    /// Whether somebody is a member.
    #[must_use]
    pub fn is_member(&self, guild: u64, user: u64) -> bool {
        self.read(|world| world.guilds.get(&guild).is_some_and(|g| g.members.contains_key(&user)))
    }

    /// A member as REST shows it, null for nobody.
    #[must_use]
    pub fn member(&self, guild: u64, user: u64) -> Value {
        self.read(|world| match world.guilds.get(&guild).is_some_and(|g| g.members.contains_key(&user)) {
            true => world.member_json(guild, user),
            false => Value::Null,
        })
    }

    /// A guild's ordinary members: no staff, no bot, not the owner.
    #[must_use]
    pub fn members(&self, guild: u64) -> Vec<u64> {
        self.read(|world| world.ordinary_members(guild))
    }

    /// Messages of a channel, oldest first.
    #[must_use]
    pub fn messages(&self, channel: u64) -> Vec<Value> {
        self.read(|world| world.channels.get(&channel).map(|c| c.messages.clone()).unwrap_or_default())
    }

    /// Messages the bot wrote to somebody.
    #[must_use]
    pub fn direct_messages(&self, user: u64) -> Vec<Value> {
        self.read(|world| {
            let dm = world.channels.values().find(|channel| channel.recipient == Some(user));
            dm.map(|channel| channel.messages.clone()).unwrap_or_default()
        })
    }

    /// The commands registered everywhere.
    #[must_use]
    pub fn commands(&self) -> Vec<Value> {
        self.read(|world| world.commands.get(&None).cloned().unwrap_or_default())
    }

    /// The commands registered in one guild.
    #[must_use]
    pub fn guild_commands(&self, guild: u64) -> Vec<Value> {
        self.read(|world| world.commands.get(&Some(guild)).cloned().unwrap_or_default())
    }

    /// A guild's audit log as REST shows it, oldest first.
    #[must_use]
    pub fn audit_log(&self, guild: u64) -> Vec<Value> {
        self.read(|world| {
            let entries =
                world.guilds.get(&guild).map(|g| g.audit.iter().map(crate::world::AuditEntry::json));
            entries.into_iter().flatten().collect()
        })
    }

    /// Gateway sessions with a live connection.
    #[must_use]
    pub fn connected_sessions(&self) -> usize {
        self.read(|world| world.sessions.values().filter(|session| session.is_connected()).count())
    }

    /// Identifies so far.
    #[must_use]
    pub fn identifies(&self) -> usize {
        self.read(|world| world.session_starts.len())
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }
}
