//! ZERO-LEAK and *nothing lost*, over random histories: links made and closed, modes, freezes, bans and unbans by
//! command and by hand in mains, children and elsewhere, bots, integrations, ranks and owners that change, failing requests,
//! crashes and forged rows.
//!
//! The daemon is the real one, on a store file of its own per history. In most histories its gateway is played by the
//! driver, which hands on what the sandbox wrote into its audit logs, so that hundreds fit into a test run; after a
//! crash it hands on again what was not taken in, as the reading of the audit log after READY does. Some have a real
//! gateway, and a sandbox each; a history in which guilds change hands has one too.
//!
//! Two things are asserted. Of every request that changes a guild: it is the guild's own, or it traces to a
//! punishment of a main along a link that was open when it left. And wherever nothing moves any more: each user is
//! banned or not in each guild as `model` says.
//!
//! `WAYHAVEN_HISTORIES` says how many, `WAYHAVEN_HISTORY` repeats the one with that seed. What hangs on timing (the
//! moment of a crash) is only roughly repeated by the seed.

mod driver;
mod model;
mod steps;
mod tally;

use driver::{Stage, run};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use steps::{Closing, Step, Trouble, history};

/// How many histories a test run plays: each run others, and few, since the whole suite has six minutes.
const ORDINARILY: u64 = 150;

/// How many at once: most of one's time is spent waiting for the next try of a request that failed.
const AT_ONCE: usize = 24;

/// How often a failing history is played again while it is made shorter.
const SHORTENING: usize = 60;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// How many of them are connected to a gateway, which costs ten times as much.
const CONNECTED: u64 = 30;

#[test]
fn whatever_happens_nothing_leaks_and_nothing_is_lost() {
    let stage = Arc::new(Stage::set(false));
    let changes_hands = |step: &Step| matches!(step, Step::Transfer { .. });
    play(ORDINARILY, AT_ONCE, |seed, steps| match steps.iter().any(changes_hands) {
        // Who owns a guild concerns everybody there.
        true => run(&Arc::new(Stage::set(false)), seed, steps),
        false => run(&stage, seed, steps),
    });
}

#[test]
fn whatever_happens_on_a_gateway_nothing_leaks_and_nothing_is_lost() {
    play(CONNECTED, AT_ONCE / 4, |seed, steps| run(&Arc::new(Stage::set(true)), seed, steps));
}

#[test]
fn a_bulk_ban_that_has_left_when_a_network_is_frozen_is_one_request_whomever_it_names() {
    let stage = Arc::new(Stage::set(false));
    let next = AtomicU64::new(0);
    let play = || {
        loop {
            let turns = next.fetch_add(1, Ordering::SeqCst);
            if turns >= 300 {
                break;
            }
            let ban = |case| Step::Command { guild: 1, case, on: true };
            let freeze = |on| Step::Freeze { main: 1, on };
            let link = Step::Link { main: 1, child: 3, monitor: false };
            // Both are held, so that they leave together; in one of these histories they just have when it is frozen again.
            let turns = usize::try_from(turns).unwrap();
            let (seed, run_for) = (1 + 3 * turns as u64, Step::Run { turns });
            let steps = [link, freeze(true), ban(0), ban(1), freeze(false), run_for, freeze(true)];
            run(&stage, seed, &steps).unwrap();
        }
    };
    std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(play))));
}

#[test]
fn what_had_no_answer_when_its_link_begins_to_close_is_taken_back_and_stays_open_nowhere() {
    let stage = Arc::new(Stage::set(false));
    // A timeout, which is not asked for before it is sent again, and a ban, which is; the seeds do without messages.
    for (seed, case) in [(1, 3), (2, 0)] {
        let steps = [
            Step::Link { main: 1, child: 3, monitor: false },
            Step::Trouble { guild: 3, case, kind: Trouble::CutAfter, times: 1 },
            Step::Command { guild: 1, case, on: true },
            Step::Run { turns: 400 },
            Step::Close { main: 1, child: 3, how: Closing::Waning },
        ];
        run(&stage, seed, &steps).unwrap();
    }
}

/// Plays histories until one fails.
fn play(ordinarily: u64, at_once: usize, run: impl Fn(u64, &[Step]) -> Result<(), String> + Sync) {
    let only = variable("WAYHAVEN_HISTORY");
    let first = only.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        // Each run plays others; six digits of seconds leave room for a million.
        now.as_secs() % 1_000_000 * 1_000_000
    });
    let asked = variable("WAYHAVEN_HISTORIES").map(|many| (many * ordinarily).div_ceil(ORDINARILY));
    let many = if only.is_some() { 1 } else { asked.unwrap_or(ordinarily) };
    let (next, failed) = (AtomicU64::new(first), OnceLock::new());
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while failed.get().is_none() {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= first + many {
                        break;
                    }
                    if let Err(why) = run(seed, &history(seed)) {
                        eprintln!("history {seed}: {why}");
                        let _ = failed.set((seed, why));
                    }
                }
            });
        }
    });
    let played = next.load(Ordering::SeqCst).min(first + many) - first;
    println!("{played} histories from {first} in {:.1} s", began.elapsed().as_secs_f32());
    println!("so far {}", tally::told());
    if let Some((seed, why)) = failed.into_inner() {
        panic!("{}", report(&run, seed, why));
    }
}

/// The failing history in as few steps as still fail, and why it fails.
fn report(run: impl Fn(u64, &[Step]) -> Result<(), String>, seed: u64, mut why: String) -> String {
    let mut steps = history(seed);
    let mut at = steps.len();
    for _ in 0..SHORTENING {
        let Some(index) = at.checked_sub(1) else { break };
        at = index;
        let mut shorter = steps.clone();
        shorter.remove(index);
        // Where it hangs on timing, it may pass now, and the step stays.
        if let Err(still) = run(seed, &shorter) {
            (steps, why) = (shorter, still);
        }
    }
    told(seed, &steps, &why)
}

fn told(seed: u64, steps: &[Step], why: &str) -> String {
    let lines: Vec<_> = steps.iter().map(|step| format!("  {step:?}")).collect();
    format!("{why}\nWAYHAVEN_HISTORY={seed}, shortened to:\n{}", lines.join("\n"))
}
