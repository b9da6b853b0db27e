//! Until nothing moves any more, and whether everything is then as it must be.

use super::model::{CHILDREN, DAYS_AT_ONCE, GUILDS, MAINS};
use super::{Failure, Simulation};
use std::time::{Duration, Instant};
use wayhaven_sandbox::{Discord, World};
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::sync::SyncRetry;

/// How long everything may take to come to rest once nothing goes wrong any more.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long what is as it must be in the store may take to be so at Discord: what Discord carries out later.
const GRACE: Duration = Duration::from_secs(3);

/// How long an event is waited for before the store is looked at again: not everything in it tells one.
const LOOK: Duration = Duration::from_millis(10);

/// How long audit logs may be left unread before the daemon is restarted, as an operator would: a reading that failed is
/// tried again after a minute.
const READING: Duration = Duration::from_secs(6);

/// How long a mark is waited for where a session was lost.
const MARK_AGAIN: Duration = Duration::from_millis(500);

/// How often the whole file is checked.
const WHOLE: usize = 40;

impl Simulation {
    /// Clears what goes wrong, waits until nothing moves, and compares.
    pub(super) async fn settle(&mut self) -> Result<(), Failure> {
        let began = Instant::now();
        self.look()?;
        self.clear_faults();
        if std::mem::take(&mut self.must_begin_anew) && self.network.is_up() {
            if self.dice.once_in(2) { self.network.kill()? } else { self.network.terminate().await? }
        }
        if self.dice.once_in(2) {
            self.end_ranks().await?;
        }
        for child in self.crippled.clone() {
            self.give_back(child)?;
        }
        self.end_ranks().await?;
        let mut client = self.network.up().await?;
        let calm = |sandbox: &Discord| sandbox.read(World::puts_nothing_off);
        let waited = self.network.sandbox.wait_until(calm, PATIENCE).await;
        waited.map_err(|timeout| Failure::broken(timeout.to_string()))?;

        let (mut marker, mut heard, mut retried) = (self.mark()?, false, Instant::now());
        let lowered = Instant::now();
        let mut marked = lowered;
        // Each time it is given twice as long: a busy machine reads slowly too.
        let (mut reading, mut patience) = (Instant::now(), READING);
        let mut cursor = client.watch(None, Duration::ZERO).await.map_err(unasked)?.cursor;
        loop {
            heard = heard || self.network.store.knows_local(marker.0, marker.1)?;
            if self.session_lost && !heard && marked.elapsed() > MARK_AGAIN {
                // No session was told of it, and nobody reads that guild's log.
                (marker, marked) = (self.mark()?, Instant::now());
            }
            let open = self.network.open()?;
            if heard && open.nothing() {
                break;
            }
            if began.elapsed() > PATIENCE {
                let heard = if heard { "" } else { " and it does not hear of what people do" };
                let status = client.call(wayhaven_shared::operations::status::Status {}).await;
                return Err(Failure::wrong(format!(
                    "LOSS: it never comes to rest: {open:?}{heard}; {status:?}"
                )));
            }
            if open.blocked > 0
                && open.moving == 0
                && retried.elapsed() > Duration::from_millis(100)
                && !self.resumes_by_itself(open.blocked, lowered)?
            {
                self.retry(&client).await?;
                retried = Instant::now();
            }
            if heard && open.only_reading() && reading.elapsed() > patience {
                (reading, patience) = (Instant::now(), 2 * patience);
                self.restarts += 1;
                self.network.terminate().await?;
                client = self.network.up().await?;
                (marker, heard) = (self.mark()?, false);
                cursor = client.watch(None, Duration::ZERO).await.map_err(unasked)?.cursor;
            }
            cursor = client.watch(Some(cursor), LOOK).await.map_err(unasked)?.cursor;
        }
        self.forget_shields()?;
        self.until_moments_are_over().await;
        self.look()?;
        self.compare().await?;
        self.compare_decisions()?;
        self.nobody_else_was_removed()?;
        self.put_roles_back()?;
        // What becomes of them further is not played.
        self.model.lost.extend(self.approved_bots.drain(..));
        self.judge.rest();
        (self.network.deaths, self.shaky, self.late, self.session_lost) = (0, false, false, false);
        self.touched.clear();
        self.settled += 1;
        self.waited += began.elapsed();
        if self.settled.is_multiple_of(WHOLE) {
            self.network.store.check()?;
        }
        Ok(())
    }

    /// As an operator does when a cause is mended: in the mains, and where an action of a guild's own is blocked.
    async fn retry(&mut self, client: &Client) -> Result<(), Failure> {
        let own = self.network.store.own_blocked()?;
        let guilds =
            (0..GUILDS).filter(|guild| MAINS.contains(guild) || own.contains(&self.network.guilds[*guild]));
        for guild in guilds.collect::<Vec<_>>() {
            let envelope = self.network.envelope(guild, &SyncRetry::default().into())?;
            match client.run(envelope).await {
                // It went by itself meanwhile.
                Err(fault) if !MAINS.contains(&guild) && self.network.store.own_blocked()?.is_empty() => {
                    drop(fault)
                }
                answered => drop(answered.map_err(unasked)?),
            }
        }
        Ok(())
    }

    /// Discord's bans are the picture's.
    async fn compare(&mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + GRACE;
        loop {
            let differences = self.differences();
            let Some((user, told)) = differences.first().cloned() else { return Ok(()) };
            if Instant::now() > deadline {
                let others = differences.len() - 1;
                let history = self.network.store.history(self.network.users[user])?;
                let jobs = self.network.store.jobs()?;
                let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
                return Err(Failure::about(user, format!("{told}{more}\n    {history}\n    {jobs}")));
            }
            self.graces += 1;
            // Nothing would tell of what never comes.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn differences(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        self.network.sandbox.read(|world| {
            for guild in 0..GUILDS {
                for (user, id) in self.network.users.iter().enumerate() {
                    let place = self.model.place(guild, user);
                    let measure = self.measure(user);
                    let is = self.is_shown(world, guild, user);
                    let done = measure.done();
                    let what = match (is, place.banned) {
                        (true, false) => format!("is {done} and must not be"),
                        (false, true) if place.local => {
                            format!("is not {done} any more, though its own staff want it")
                        }
                        (false, true) => format!("is not {done} and must be"),
                        _ => continue,
                    };
                    if !self.model.lost.contains(&user) {
                        let kind = if MAINS.contains(&guild) {
                            "main"
                        } else if CHILDREN.contains(&guild) {
                            "child"
                        } else {
                            "guild"
                        };
                        found.push((user, format!("user {user} ({id}) {what} in {kind} {guild}: {place:?}")));
                    }
                }
            }
        });
        found
    }

    /// The mains' bans that nobody has lifted are the picture's, and so is which of them a shorter one has replaced.
    fn compare_decisions(&mut self) -> Result<(), Failure> {
        let bans = self.network.store.active_bans()?;
        for main in MAINS {
            for (user, id) in self.network.users.iter().enumerate() {
                let stored = bans.get(&(self.network.guilds[main], *id)).map_or(&[][..], Vec::as_slice);
                let wanted = self.model.replaced(main, user);
                let is_same = stored.iter().map(|(_, replaced)| *replaced).eq(wanted.iter().copied());
                let is_played = !self.model.lost.contains(&user) && !self.approved_bots.contains(&user);
                if !is_same && is_played {
                    let history = self.network.store.history(*id)?;
                    let text = format!(
                        "of main {main}'s bans of user {user} ({id}) {stored:?} stand, and should be replaced as {wanted:?}\n    \
                         {history}"
                    );
                    return Err(Failure::about(user, text));
                }
            }
        }
        Ok(())
    }

    /// Everything comes to rest, once more after a start, and the file is whole.
    pub(super) async fn end(&mut self) -> Result<(), Failure> {
        self.settle().await?;
        self.network.terminate().await?;
        self.settle().await?;
        self.network.store.check()
    }

    pub(super) async fn time_passes(&mut self) -> Result<(), Failure> {
        self.settle().await?;
        if self.dice.once_in(2) {
            self.network.kill()?
        } else {
            self.network.terminate().await?
        }
        self.network.store.between_lives(DAYS_AT_ONCE)?;
        for (main, user) in self.model.time_passes() {
            self.judge.decided(main, user, false);
            self.touched.insert(user, (main, true));
        }
        self.retire_lost();
        Ok(())
    }

    /// Time for what is on its way.
    pub(super) async fn breathe(&mut self) -> Result<(), Failure> {
        if let Ok(client) = self.network.up().await {
            let cursor = client.watch(None, Duration::ZERO).await.map_err(unasked)?.cursor;
            client.watch(Some(cursor), Duration::from_millis(20)).await.map_err(unasked)?;
        }
        Ok(())
    }

    pub(super) fn report(&self) -> String {
        let banned: Vec<usize> = (0..GUILDS).map(|guild| self.model.banned(guild)).collect();
        format!(
            "{} requests, {} users out of reach, which blocked {} deliveries, came to rest {} times in {:.0} ms each, {} restarts for a log, {} late, {} users lost \
             of {}, banned {banned:?}",
            self.judge.effects,
            self.rises,
            self.blocked,
            self.settled,
            self.waited.as_secs_f64() * 1_000.0 / (self.settled.max(1) as f64),
            self.restarts,
            self.graces,
            self.model.lost.len(),
            self.network.users.len(),
        )
    }
}

fn unasked(fault: wayhaven_shared::Fault) -> Failure {
    Failure::wrong(format!("it does not answer: {fault}"))
}
