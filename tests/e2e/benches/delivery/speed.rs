//! How fast a punishment, or many at once, reach the children.

use super::{GLOBAL, Ground, id};
use std::time::Instant;
use tokio::task::JoinSet;
use wayhaven_e2e::process::ask;
use wayhaven_sandbox::{Options, permissions};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::value::UserId;

/// One ban in the main, 1,000 children, Discord's limits on.
pub(super) async fn one_ban_to_a_thousand_children() -> Result<(), Fault> {
    let ground = Ground::new(Options { children: 1_000, ..Options::default() }, &[]).await?;
    let start = Instant::now();
    let victim = ground.ban()?;
    let children = ground.sandbox.children();
    ground.until(move |sandbox| sandbox.banned_in(&children, victim) == 1_000).await?;
    let took = start.elapsed().as_secs_f64();
    let limit = 1_000.0 / GLOBAL;
    let refused = ground.sandbox.log().iter().filter(|request| request.status == 429).count();
    println!("  {took:.2} s, {:.3} × the limit of {limit:.0} s (budget 1.05), 429s: {refused}", took / limit);
    Ok(())
}

/// How a raid of 200 is answered.
#[derive(Clone, Copy)]
enum By {
    /// By an operator, who asks for all before the first is answered.
    Operator,
    /// By hand, all at once in the main's own client.
    Hand,
}

/// 200 users banned at once in the main, 100 children, Discord's limits on.
async fn raid(by: By, together: bool) -> Result<(), Fault> {
    let (users, children): (usize, usize) = (200, 100);
    let more = if together { permissions::MANAGE_GUILD } else { 0 };
    // Whether entries name the actor is another matter: this is about what leaves.
    let options =
        Options { children, bot_permissions: permissions::LEAST_FOR_BOT | more, ..Options::default() };
    let ground = Ground::new(options, &[]).await?;
    let victims: Vec<u64> = (0..users).map(|_| ground.sandbox.stranger()).collect();
    let before = ground.sandbox.log().len();
    let start = Instant::now();
    match by {
        By::Hand => {
            let people = ground.sandbox.people();
            let done = people.bulk_ban(ground.main, ground.sandbox.admin(), &victims, Some("raid"));
            done.map_err(|refusal| Fault::internal(format!("{refusal:?}")))?;
        }
        By::Operator => {
            let mut asked = JoinSet::new();
            for victim in &victims {
                let no_user = || Fault::internal("a user without id");
                let (client, main) = (ground.client.clone(), id(ground.main)?);
                let ban = Ban::new(UserId::new(*victim).ok_or_else(no_user)?);
                asked.spawn(async move { ask(&client, main, ban).await.map(drop) });
            }
            asked.join_all().await.into_iter().collect::<Result<(), Fault>>()?;
        }
    }
    let decided = start.elapsed().as_secs_f64();
    let guilds = ground.sandbox.children();
    ground
        .until(move |sandbox| victims.iter().all(|one| sandbox.banned_in(&guilds, *one) == children))
        .await?;
    let took = start.elapsed().as_secs_f64();
    ground.until_stored((users * children) as u64).await?;
    let stored = start.elapsed().as_secs_f64();
    let log = ground.sandbox.log();
    let (sent, refused) = (log.len() - before, log.iter().filter(|request| request.status == 429).count());
    // Each guild's own windows, 5 in 5 s of either route, are wider than that.
    let least = if together { children } else { children * users };
    let limit = least as f64 / GLOBAL;
    println!(
        "  {took:.2} s, {:.3} × the limit of {limit:.0} s (global: {least} requests; budget 1.1), decided after \
         {decided:.2} s, stored after {stored:.2} s, requests: {sent}, 429s: {refused}",
        took / limit
    );
    Ok(())
}

pub(super) async fn two_hundred_bans_at_once_by_an_operator() -> Result<(), Fault> {
    raid(By::Operator, true).await
}

pub(super) async fn two_hundred_bans_at_once_by_hand() -> Result<(), Fault> {
    raid(By::Hand, true).await
}

/// The same where the bot lacks the permission for bulk bans.
pub(super) async fn two_hundred_bans_one_by_one() -> Result<(), Fault> {
    raid(By::Hand, false).await
}

/// Thirty bans in the main, 1,000 children, all limits lifted: what engine and store can do.
pub(super) async fn thirty_bans_with_the_limit_lifted() -> Result<(), Fault> {
    let (bans, children) = (30, 1_000);
    let lifted = Options { children, global_limit: 0, ..Options::default() };
    let ground = Ground::new(lifted, &[("DISCORD_REQUESTS_PER_SECOND", "100000")]).await?;
    let start = Instant::now();
    for _ in 0..bans {
        ground.ban()?;
    }
    let all = bans * children;
    ground.until(move |sandbox| sandbox.effect_count() >= all).await?;
    let sent = start.elapsed().as_secs_f64();
    ground.until_stored(all as u64).await?;
    let stored = start.elapsed().as_secs_f64();
    let rate = |took: f64| all as f64 / took;
    println!(
        "  {:.0} deliveries a second sent, {:.0} until the last is stored (budget 5,000)",
        rate(sent),
        rate(stored)
    );
    Ok(())
}

/// From the ban in the main to the first request to a child, 100 children, nothing else on its way.
pub(super) async fn from_the_ban_to_the_first_request() -> Result<(), Fault> {
    let lifted = Options { children: 100, global_limit: 0, ..Options::default() };
    let ground = Ground::new(lifted, &[("DISCORD_REQUESTS_PER_SECOND", "100000")]).await?;
    let mut took = Vec::new();
    for round in 1..=60 {
        let start = ground.sandbox.read(|world| world.clock.now());
        let victim = ground.ban()?;
        let children = ground.sandbox.children();
        ground.until(move |sandbox| sandbox.banned_in(&children, victim) == 100).await?;
        let first = ground.sandbox.effects().into_iter().find(|effect| effect.user == Some(victim));
        took.extend(first.map(|effect| (effect.at - start).as_secs_f64() * 1_000.0));
        ground.until_stored(round * 100).await?;
    }
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!("  p50 {:.1} ms (budget 10), p90 {:.1} ms, of {} bans", at(0.5), at(0.9), took.len());
    Ok(())
}
