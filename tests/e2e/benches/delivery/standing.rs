//! What it takes to keep what was decided: a start with many punishments that stand, and memory.

use super::id;
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wayhaven_e2e::process::link;
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::Fault;
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::setup::Mode;

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::unavailable(error.to_string())
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// A sandbox and a place for daemons, one after the other.
pub(super) struct Standing {
    pub(super) sandbox: Sandbox,
    home: Home,
    daemon: Option<DaemonProcess>,
}

impl Standing {
    /// With a daemon that is ready.
    pub(super) async fn new(options: Options) -> Result<(Self, Client), Fault> {
        // How soon one may identify again is another matter.
        let options = Options { max_concurrency: 1_000, ..options };
        let sandbox = Sandbox::start(options).await.map_err(broken)?;
        let home = Home::new(Path::new(env!("CARGO_BIN_EXE_demo")), &sandbox).map_err(broken)?;
        let mut standing = Self { sandbox, home, daemon: None };
        let client = standing.start().await?;
        Ok((standing, client))
    }

    pub(super) async fn start(&mut self) -> Result<Client, Fault> {
        let mut daemon = self.home.start().map_err(broken)?;
        let client = daemon.ready().await;
        self.daemon = Some(daemon);
        client
    }

    /// Ends the daemon and changes its file, as no running one could be: what it would take hours to decide is there at
    /// once. The triggers of the store hold here too.
    pub(super) async fn between_lives(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), Fault> {
        if let Some(mut daemon) = self.daemon.take() {
            daemon.terminate().await.map_err(broken)?;
        }
        let path = self.home.layout().map_err(broken)?.store();
        let store = Connection::open(path).map_err(broken)?;
        store.execute_batch("DELETE FROM identifies; BEGIN").map_err(broken)?;
        change(&store).and_then(|()| store.execute_batch("COMMIT; ANALYZE")).map_err(broken)
    }

    /// Waits until every guild's audit log was read since then.
    async fn until_read(&self, since: i64, guilds: usize) -> Result<(), Fault> {
        let path = self.home.layout().map_err(broken)?.store();
        let store = Connection::open(path).map_err(broken)?;
        let sql = "SELECT count(*) FROM audit_cursors WHERE read_at >= ?1";
        loop {
            let read: i64 = store.query_row(sql, [since], |row| row.get(0)).map_err(broken)?;
            if usize::try_from(read).is_ok_and(|read| read >= guilds) {
                return Ok(());
            }
            // What it reads makes no event.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its resident memory and the most it ever was, in MiB.
    fn memory(&self) -> Result<(f64, f64), Fault> {
        let pid = self.daemon.as_ref().map(DaemonProcess::pid).ok_or_else(|| broken("no daemon"))?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(broken)?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1_024.0)
        };
        of("VmRSS:").zip(of("VmHWM:")).ok_or_else(|| broken("no memory in /proc"))
    }
}

/// Bans these in the main by hand.
pub(super) fn decide(store: &Connection, main: u64, users: &[u64]) -> rusqlite::Result<()> {
    let sql = "INSERT INTO punishments (source_guild, target_user, action, origin, created_at)
               VALUES (?1, ?2, 'ban', 'guild', ?3)";
    let (mut insert, now) = (store.prepare(sql)?, now_ms());
    users
        .iter()
        .try_for_each(|user| insert.execute(params![main.cast_signed(), user.cast_signed(), now]).map(drop))
}

/// And all of that has come to every child.
fn deliver(store: &Connection) -> rusqlite::Result<()> {
    let sql = "INSERT INTO deliveries (punishment_id, guild_id, scope, link_id, action, target_user, state, attempts, sent,
                                       was_there, created_at, updated_at)
               SELECT p.event_id, r.child_guild_id, 'child', r.id, 'ban', p.target_user, 'applied', 1, 1, 0, p.created_at,
                      p.created_at
                 FROM punishments p JOIN guild_relationships r ON r.main_guild_id = p.source_guild";
    store.execute(sql, []).map(drop)
}

/// One life: how long until it was ready and had read all logs, what it asked of Discord, and its memory.
async fn life(standing: &mut Standing, guilds: usize) -> Result<(f64, f64), Fault> {
    let (requests, effects) = (standing.sandbox.log().len(), standing.sandbox.effect_count());
    let (start, since) = (Instant::now(), now_ms());
    standing.start().await?;
    let ready = start.elapsed().as_secs_f64();
    standing.until_read(since, guilds).await?;
    let took = start.elapsed().as_secs_f64();
    let (resident, most) = standing.memory()?;
    println!(
        "    ready after {ready:.2} s, all logs read after {took:.2} s; requests: {}, writes to Discord: {}; {resident:.0} MiB \
         resident, {most:.0} at most",
        standing.sandbox.log().len() - requests,
        standing.sandbox.effect_count() - effects
    );
    Ok((ready, resident))
}

/// 100,000 bans that stand in the main and in 20 children: two million deliveries.
pub(super) async fn a_restart_with_a_hundred_thousand_bans_in_twenty_children() -> Result<(), Fault> {
    let children = 20;
    let (mut standing, client) = Standing::new(Options { children, ..Options::default() }).await?;
    let main = standing.sandbox.main_guild();
    for child in standing.sandbox.children() {
        link(&client, id(main)?, id(child)?, Mode::Active).await?;
    }
    standing.between_lives(|_| Ok(())).await?;
    println!("  with nothing decided:");
    let (empty, little) = life(&mut standing, children + 1).await?;
    let users: Vec<u64> = (0..100_000).map(|_| standing.sandbox.stranger()).collect();
    for guild in [main].into_iter().chain(standing.sandbox.children()) {
        for user in &users {
            let done = standing.sandbox.people().had_banned(guild, *user, Some("raid"));
            done.map_err(|refusal| Fault::internal(format!("{refusal:?}")))?;
        }
    }
    let fill = |store: &Connection| decide(store, main, &users).and_then(|()| deliver(store));
    standing.between_lives(fill).await?;
    println!("  with 100,000 bans in 20 children:");
    let (full, much) = life(&mut standing, children + 1).await?;
    println!("  {:.2} × as long until it is ready, {:.2} × the memory", full / empty, much / little);
    Ok(())
}

/// Nothing is decided; a main and 1,000 children are linked.
pub(super) async fn memory_at_a_thousand_and_one_guilds() -> Result<(), Fault> {
    let mut figures = Vec::new();
    for children in [1, 1_000] {
        let (mut standing, client) = Standing::new(Options { children, ..Options::default() }).await?;
        for child in standing.sandbox.children() {
            link(&client, id(standing.sandbox.main_guild())?, id(child)?, Mode::Active).await?;
        }
        standing.between_lives(|_| Ok(())).await?;
        println!("  {} guilds:", children + 1);
        figures.push(life(&mut standing, children + 1).await?.1);
    }
    let (few, many) = (figures[0], figures[1]);
    println!(
        "  {:.2} × that of two guilds: {:.0} KiB for each more",
        many / few,
        (many - few) * 1_024.0 / 999.0
    );
    Ok(())
}
