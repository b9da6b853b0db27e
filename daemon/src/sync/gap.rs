//! Gaps: what the gateway did not tell is read from the guilds' audit logs, and worked like what it tells.
//!
//! A session that begins, events that were lost on the way or could not be read: each opens a gap for the guilds
//! concerned. A gap is filled from the guild's cursor on, page by page, mains before children, with requests that
//! yield to everything a person or a punishment waits for. Mains are read every few minutes besides, since Discord
//! may lose an event without a word (FACTS 0).
//!
//! The cursor of a main follows only what was read. That of a child follows what came live as well, while it has no
//! gap: it would otherwise be read back through every ban of ours.

mod log;

use super::attempt::Tools;
use crate::discord::directory::Presence;
use crate::discord::event::shard_of;
use crate::network::Topology;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use wayhaven_shared::value::GuildId;

/// How often the mains' logs are read although nothing seems to be missing.
const CATCH_UP: Duration = Duration::from_secs(5 * 60);

/// How long after a reading that failed it is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// How many logs are read at once.
const AT_ONCE: usize = 8;

/// Which guilds are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of a shard: its number, and how many there are.
    Shard(u32, u32),
    /// One.
    Guild(GuildId),
}

impl Which {
    /// Whether it is one of these guilds.
    pub fn holds(self, guild: GuildId) -> bool {
        match self {
            Self::Shard(shard, of) => shard_of(guild, of) == shard,
            Self::Guild(one) => one == guild,
        }
    }
}

enum Ask {
    /// A gap has opened; the children among these had their entries up to those.
    Opened(Vec<(GuildId, u64)>),
    Fill(Which),
    Readable(GuildId),
    CatchUp,
    Idle(oneshot::Sender<()>),
}

/// What is known of the live stream, beside the store.
#[derive(Default)]
struct Live {
    /// The newest entry that came of each guild.
    newest: HashMap<GuildId, u64>,
    /// Guilds whose gap is not filled yet.
    open: HashSet<GuildId>,
}

/// The filling of gaps. Cheap to clone.
#[derive(Clone)]
pub struct Gaps {
    asks: mpsc::UnboundedSender<Ask>,
    live: Arc<Mutex<Live>>,
    tools: Tools,
}

impl Gaps {
    /// Starts with no gap. `wanted` are guilds whose logs somebody waits for.
    pub fn start(tools: Tools, wanted: mpsc::UnboundedReceiver<GuildId>) -> Self {
        let (asks, inbox) = mpsc::unbounded_channel();
        let live = Arc::default();
        let gaps = Self { asks, live, tools: tools.clone() };
        let filling = Filling {
            reader: log::Reader { tools },
            gaps: gaps.clone(),
            waiting: BTreeSet::new(),
            running: JoinSet::new(),
            read_now: HashMap::new(),
            idle: Vec::new(),
        };
        tokio::spawn(filling.run(inbox));
        tokio::spawn(gaps.clone().fill_wanted(wanted));
        gaps
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, ask: Ask) {
        // The filling lives as long as the daemon; a later start fills what this one does not.
        let _ = self.asks.send(ask);
    }

    /// Something of these guilds was lost, or may be: until their logs were read, what comes live does not count as
    /// the end of what happened.
    pub fn open(&self, which: Which) {
        let topology = self.tools.services.store().topology();
        let mut live = self.live();
        let guilds: Vec<GuildId> = followed(&topology).filter(|guild| which.holds(*guild)).collect();
        let seen = guilds.iter().filter_map(|guild| {
            // A second gap before the first is filled: what came between the two is behind the first.
            let was_open = !live.open.insert(*guild);
            self.tools.unread.opened(*guild);
            live.newest.remove(guild).filter(|_| !was_open).map(|entry| (*guild, entry))
        });
        let seen = seen.collect();
        drop(live);
        self.ask(Ask::Opened(seen));
    }

    /// Reads the logs of these guilds.
    pub fn fill(&self, which: Which) {
        self.ask(Ask::Fill(which));
    }

    /// Reads the logs that come out of there, until the daemon ends.
    async fn fill_wanted(self, mut wanted: mpsc::UnboundedReceiver<GuildId>) {
        while let Some(guild) = wanted.recv().await {
            let directory = &self.tools.services.directory();
            // Of a guild that is not there yet, or that is in sight again, no log is read.
            let is_here = directory.presence(guild) == Some(Presence::Here);
            match is_here && directory.sight().lost_at(guild).is_some() {
                true => self.fill(Which::Guild(guild)),
                false => self.tools.unread.failed(guild),
            }
        }
    }

    /// Reads a guild's log after a while: what was to be stored could not be.
    pub fn fill_later(&self, guild: GuildId) {
        self.open(Which::Guild(guild));
        let gaps = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(AGAIN).await;
            gaps.fill(Which::Guild(guild));
        });
    }

    /// The bot may view the guild's log now, and perhaps could not before.
    pub fn readable(&self, guild: GuildId) {
        self.ask(Ask::Readable(guild));
    }

    /// An entry of the guild came live, and was worked.
    pub fn came(&self, guild: GuildId, entry: u64) {
        let mut live = self.live();
        let newest = live.newest.entry(guild).or_default();
        *newest = entry.max(*newest);
    }

    /// Reads the mains' logs now, as is done every few minutes.
    pub fn catch_up(&self) {
        self.ask(Ask::CatchUp);
    }

    /// Waits until nothing that can be read now is left to be read.
    pub async fn idle(&self) {
        let (tell, told) = oneshot::channel();
        self.ask(Ask::Idle(tell));
        let _ = told.await;
    }
}

fn followed(topology: &Topology) -> impl Iterator<Item = GuildId> {
    topology.mains().chain(topology.children())
}

struct Filling {
    reader: log::Reader,
    gaps: Gaps,
    /// Mains before children.
    waiting: BTreeSet<(bool, GuildId)>,
    running: JoinSet<(GuildId, Instant, log::Ended)>,
    /// Guilds whose log is read now, and whether it is to be read once more after that.
    read_now: HashMap<GuildId, bool>,
    idle: Vec<oneshot::Sender<()>>,
}

impl Filling {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Ask>) {
        let mut catch_up = tokio::time::interval_at(Instant::now() + CATCH_UP, CATCH_UP);
        catch_up.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.running.join_next(), if !self.running.is_empty() => match ended {
                    Ok((guild, began, ended)) => self.ended(guild, began, ended),
                    // A panic in a reading: the task is gone, and the guild stays open for the next time.
                    Err(error) => tracing::error!("the reading of an audit log failed: {error}"),
                },
                ask = inbox.recv() => match ask {
                    Some(ask) => self.take(ask).await,
                    None => return,
                },
                _ = catch_up.tick() => self.catch_up().await,
            }
            self.advance();
            if self.running.is_empty() && self.waiting.is_empty() {
                for waiting in self.idle.drain(..) {
                    let _ = waiting.send(());
                }
            }
        }
    }

    async fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Opened(seen) => self.reader.move_cursors(seen).await,
            Ask::Fill(which) => {
                let topology = self.gaps.tools.services.store().topology();
                for guild in followed(&topology).filter(|guild| which.holds(*guild)) {
                    self.wait(&topology, guild);
                }
            }
            Ask::Readable(guild) => {
                if self.reader.was_unreadable(guild).await {
                    self.gaps.fill(Which::Guild(guild));
                }
            }
            Ask::CatchUp => self.catch_up().await,
            Ask::Idle(tell) => self.idle.push(tell),
        }
    }

    async fn catch_up(&mut self) {
        let topology = self.gaps.tools.services.store().topology();
        for main in topology.mains() {
            self.wait(&topology, main);
        }
        let seen = {
            let mut live = self.gaps.live();
            let closed = |live: &Live, guild: &GuildId| !live.open.contains(guild);
            let guilds: Vec<GuildId> =
                live.newest.keys().filter(|guild| closed(&live, guild)).copied().collect();
            guilds.into_iter().filter_map(|guild| Some((guild, live.newest.remove(&guild)?))).collect()
        };
        self.reader.move_cursors(seen).await;
    }

    fn wait(&mut self, topology: &Topology, guild: GuildId) {
        match self.read_now.get_mut(&guild) {
            Some(again) => *again = true,
            None => drop(self.waiting.insert((!topology.is_main(guild), guild))),
        }
    }

    fn advance(&mut self) {
        while self.running.len() < AT_ONCE
            && let Some((_, guild)) = self.waiting.pop_first()
        {
            self.read_now.insert(guild, false);
            let reader = self.reader.clone();
            let began = Instant::now();
            self.running.spawn(async move { (guild, began, reader.read(guild).await) });
        }
    }

    fn ended(&mut self, guild: GuildId, began: Instant, ended: log::Ended) {
        let again = self.read_now.remove(&guild).unwrap_or(false);
        let tools = &self.gaps.tools;
        let is_here = tools.services.directory().presence(guild) == Some(Presence::Here);
        match ended {
            log::Ended::Read | log::Ended::Unreadable if is_here => tools.unread.read(guild, began),
            // Nothing is known of it, for now.
            _ => tools.unread.failed(guild),
        }
        match ended {
            log::Ended::Read if !again => drop(self.gaps.live().open.remove(&guild)),
            // It stays open; the guild's return, or a permission, has it read.
            log::Ended::Read | log::Ended::Unreadable => {}
            log::Ended::Failed => self.gaps.fill_later(guild),
        }
        if again {
            let topology = self.gaps.tools.services.store().topology();
            self.wait(&topology, guild);
        }
    }
}
