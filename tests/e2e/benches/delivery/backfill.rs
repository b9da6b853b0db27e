//! How long a new child takes to get what its main has decided before.

use super::standing::{Standing, decide};
use super::{GLOBAL, id};
use std::time::{Duration, Instant};
use wayhaven_e2e::process::{ask, link};
use wayhaven_sandbox::{Options, permissions};
use wayhaven_shared::Fault;
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::job::{Job, JobShow};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::{GuildId, JobId};

/// How many bans the main has.
const BANS: usize = 10_000;

/// How many one bulk ban takes (FACTS A2).
const AT_ONCE: usize = 200;

/// The window of a guild's bulk bans, as the sandbox has it: so many, in so many seconds.
const WINDOW: (f64, f64) = (5.0, 5.0);

/// What the daemon sends of bans of non-members in a day, by its settings' default.
const A_DAY: usize = 900;

async fn job(client: &Client, main: GuildId, id: JobId, over: impl Fn(&Job) -> bool) -> Result<Job, Fault> {
    let mut cursor = client.watch(None, Duration::ZERO).await?.cursor;
    loop {
        let job = ask(client, main, JobShow { id }).await?;
        if over(&job) || !job.is_running() {
            return Ok(job);
        }
        cursor = client.watch(Some(cursor), Duration::from_secs(5)).await?.cursor;
    }
}

/// A main with its bans, and a child without a link; the daemon runs.
async fn ground(members: bool) -> Result<(Standing, Client), Fault> {
    let bot_permissions = permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD;
    let options = Options { children: 1, bot_permissions, ..Options::default() };
    let (mut standing, _) = Standing::new(options).await?;
    let (main, child) = (standing.sandbox.main_guild(), standing.sandbox.children()[0]);
    let users: Vec<u64> = (0..BANS).map(|_| standing.sandbox.stranger()).collect();
    for user in users.iter().filter(|_| members) {
        standing
            .sandbox
            .people()
            .had_joined(child, *user)
            .map_err(|error| Fault::internal(format!("{error:?}")))?;
    }
    standing.between_lives(|store| decide(store, main, &users)).await?;
    let client = standing.start().await?;
    Ok((standing, client))
}

async fn linked(standing: &Standing, client: &Client) -> Result<(GuildId, JobId), Fault> {
    let (main, child) = (id(standing.sandbox.main_guild())?, id(standing.sandbox.children()[0])?);
    let backfill = link(client, main, child, Mode::Active).await?.backfill;
    let job = backfill.and_then(|backfill| backfill.job);
    Ok((main, job.ok_or_else(|| Fault::internal("no backfill began"))?))
}

/// All of them are members of the child: what binds is the window of its bulk bans.
pub(super) async fn a_backfill_of_ten_thousand_bans_of_members() -> Result<(), Fault> {
    let (standing, client) = ground(true).await?;
    let start = Instant::now();
    let (main, began) = linked(&standing, &client).await?;
    let over = job(&client, main, began, |_| false).await?;
    let took = start.elapsed().as_secs_f64();
    let bans = (BANS / AT_ONCE) as f64;
    let (window, everything) = ((bans - WINDOW.0) / WINDOW.0 * WINDOW.1, bans / GLOBAL);
    let sent = standing.sandbox.effect_count();
    println!(
        "  {} of {BANS} in {took:.1} s, {:.3} × the binding limit: {window:.0} s of the child's window of bulk bans, {} in {} s \
         (the global limit: {everything:.0} s), {sent} requests",
        over.done,
        took / window,
        WINDOW.0,
        WINDOW.1
    );
    Ok(())
}

/// None of them is: what binds is how many non-members a guild may have banned in a day (30035).
pub(super) async fn a_backfill_of_ten_thousand_bans_of_strangers() -> Result<(), Fault> {
    let (standing, client) = ground(false).await?;
    let start = Instant::now();
    let (main, began) = linked(&standing, &client).await?;
    let waits = job(&client, main, began, |job| job.note.is_some() && job.done >= A_DAY as u64).await?;
    let took = start.elapsed().as_secs_f64();
    let refused = standing.sandbox.log().iter().filter(|request| request.status >= 400).count();
    let days = BANS.div_ceil(A_DAY);
    let note = waits.note.as_ref().map(|note| note.raw()).unwrap_or_default();
    println!(
        "  {} in {took:.1} s, then it says: {note}\n  all {BANS} take {days} days. The binding limit is Discord's of bans of \
         non-members: about 1,000 a day and guild, of which it takes {A_DAY}; refused requests: {refused}",
        waits.done
    );
    Ok(())
}
