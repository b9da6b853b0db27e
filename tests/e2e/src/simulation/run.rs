//! Networks that are played one after the other and beside each other, and what is told of them.

use super::Simulation;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What is to be played.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Steps of each network.
    pub steps: usize,
    /// How many networks.
    pub seeds: u64,
    /// The first one's seed.
    pub first: u64,
    /// How many live at once.
    pub at_once: usize,
    /// When no further step is begun.
    pub until: Option<Instant>,
}

/// Plays; what came of all of them, or how the first failed. `program` is the binary that plays all parts.
///
/// # Errors
/// Something is wrong: what, the steps that led there, and how to repeat them.
pub fn play(program: &Path, plan: Plan) -> Result<(), String> {
    let (next, stop, failed) = (AtomicU64::new(0), AtomicBool::new(false), std::sync::Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..plan.at_once.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    if turn >= plan.seeds {
                        break;
                    }
                    if let Err(why) = one(program, plan, plan.first + turn, &stop) {
                        stop.store(true, Ordering::Relaxed);
                        complain!("{why}");
                        failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get_or_insert(why);
                    }
                }
            });
        }
        if let Some(until) = plan.until {
            let (stop, next) = (&stop, &next);
            scope.spawn(move || {
                while Instant::now() < until
                    && !stop.load(Ordering::Relaxed)
                    && next.load(Ordering::SeqCst) < plan.seeds + plan.at_once.max(1) as u64
                {
                    std::thread::sleep(Duration::from_millis(100));
                }
                stop.store(true, Ordering::Relaxed);
            });
        }
    });
    failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map_or(Ok(()), Err)
}

/// One network.
fn one(program: &Path, plan: Plan, seed: u64, stop: &AtomicBool) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
    let began = Instant::now();
    runtime.block_on(async {
        let mut simulation =
            Simulation::new(program, seed).await.map_err(|failure| format!("seed {seed}: {failure}"))?;
        let played = simulation.play(plan.steps, stop).await;
        let (step, took) = (simulation.step, began.elapsed().as_secs_f64());
        let each = took * 1_000.0 / (step.max(1) as f64);
        say!("seed {seed}: {step} steps in {took:.1} s, {each:.1} ms each; {}\n  {}", simulation.report(), simulation.tally);
        played.map_err(|failure| {
            simulation.network.home.keep();
            let home = simulation.network.home.path().display();
            format!(
                "seed {seed}, step {step} ({took:.1} s): {failure}\n{}\nrepeat: cargo run -p wayhaven-e2e --bin simulation -- \
                 --steps={step} --seeds=1 --seed={seed}\nits store and log are left in {home}",
                simulation.story(&failure)
            )
        })
    })
}

/// `cargo run -p wayhaven-e2e --bin simulation -- --steps=20000 --seeds=20 [--seed=N] [--at-once=N]`.
pub fn main() -> ExitCode {
    let mut plan = Plan { steps: 20_000, seeds: 20, first: 1, at_once: 2, until: None };
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
        let Ok(number) = value.parse::<u64>() else {
            complain!("error: {argument} is none of --steps=N, --seeds=N, --seed=N and --at-once=N");
            return ExitCode::from(2);
        };
        match name {
            "--steps" => plan.steps = usize::try_from(number).unwrap_or(usize::MAX),
            "--seeds" => plan.seeds = number,
            "--seed" => plan.first = number,
            "--at-once" => plan.at_once = usize::try_from(number).unwrap_or(1),
            _ => {
                complain!("error: there is no {name}: --steps=N, --seeds=N, --seed=N, --at-once=N");
                return ExitCode::from(2);
            }
        }
    }
    let played =
        std::env::current_exe().map_err(|error| error.to_string()).and_then(|program| play(&program, plan));
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain!("error: {}", why.lines().next().unwrap_or_default());
            ExitCode::FAILURE
        }
    }
}
