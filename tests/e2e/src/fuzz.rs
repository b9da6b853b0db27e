//! Fuzz targets: whatever bytes come, nothing panics, nothing is read as something else, and the next one is answered.
//!
//! `cargo run -p wayhaven-e2e --bin fuzz -- --seconds=600 --target=lists` tries one of them for ten minutes. Coverage-guided
//! fuzzers need a nightly compiler or a C++ library, which a fresh machine has not. Instead of coverage, what an input
//! came to (which fault, which types took it) decides whether it is worth changing further: see [`engine`].

pub mod engine;
mod frames;
mod lists;
mod mutation;
mod requests;
mod values;

use engine::{Defect, Limit, Tally, Target};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The names of all targets.
pub const TARGETS: [&str; 5] = ["spans", "ids", "requests", "lists", "frames"];

/// The target of that name; nothing where there is none. `program` is the binary that plays all parts. Where nothing else
/// runs in this process, `alone`, its memory is watched too.
///
/// # Errors
/// Where what it stands on does not start.
pub fn target(name: &str, program: &Path, alone: bool) -> Result<Option<Box<dyn Target>>, String> {
    Ok(Some(match name {
        "spans" => Box::new(values::Spans),
        "ids" => Box::new(values::Ids),
        "requests" => Box::new(requests::Requests::new()),
        "lists" => Box::new(lists::Lists::new(alone)),
        "frames" => Box::new(frames::Frames::start(program)?),
        _ => return Ok(None),
    }))
}

/// What is to be tried.
struct Plan {
    seconds: u64,
    executions: Option<u64>,
    seed: u64,
    targets: Vec<&'static str>,
    /// Only this.
    input: Option<Vec<u8>>,
}

const USAGE: &str =
    "--seconds=N (of all targets together), --executions=N (of each), --seed=N, --target=NAME, --input=HEX";

impl Plan {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        // Another seed each time: the short runs of many days together look further than a long one.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut plan =
            Self { seconds: 60, executions: None, seed: now, targets: TARGETS.to_vec(), input: None };
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            let number = || value.parse::<u64>().map_err(|_| format!("{argument} is none of {USAGE}"));
            match name {
                "--seconds" => plan.seconds = number()?,
                "--executions" => plan.executions = Some(number()?),
                "--seed" => plan.seed = number()?,
                "--target" => {
                    let known = TARGETS.into_iter().find(|target| *target == value);
                    plan.targets =
                        vec![known.ok_or_else(|| format!("the targets are {}", TARGETS.join(", ")))?];
                }
                "--input" => {
                    plan.input = Some(bytes(value).ok_or("an input is written in hexadecimal digits")?)
                }
                _ => return Err(format!("there is no {name}: {USAGE}")),
            }
        }
        if plan.input.is_some() && plan.targets.len() != 1 {
            return Err("an input is for one target: --target=NAME".into());
        }
        Ok(plan)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    hex.as_bytes().chunks(2).map(pair).collect()
}

/// The program. Exit code 1 where something is wrong, 2 where it was not understood.
pub fn main() -> ExitCode {
    let plan = match Plan::read(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(why) => {
            complain!("error: {why}");
            return ExitCode::from(2);
        }
    };
    engine::quiet_panics();
    match play(&plan).and_then(|()| crate::say::all_written()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn play(plan: &Plan) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    say!("seed {}", plan.seed);
    let share = Duration::from_secs(plan.seconds) / u32::try_from(plan.targets.len()).unwrap_or(1);
    for name in &plan.targets {
        let mut target = target(name, &program, true)?.ok_or("no such target")?;
        if let Some(input) = &plan.input {
            let class = engine::once(&mut *target, input)?;
            say!("{name}: stands: {class}");
            continue;
        }
        let limit = match plan.executions {
            Some(executions) => Limit::Executions(executions),
            None => Limit::Until(Instant::now() + share),
        };
        let start = Instant::now();
        let tally =
            engine::run(&mut *target, plan.seed, limit).map_err(|defect| told(name, plan.seed, &defect))?;
        say!("{name}: {}", counted(&tally, start.elapsed()));
    }
    Ok(())
}

fn counted(tally: &Tally, took: Duration) -> String {
    format!(
        "{} executions in {:.1} s, {} outcomes from {} seeds",
        tally.executions,
        took.as_secs_f64(),
        tally.outcomes,
        tally.seeds
    )
}

/// A defect, and how to have it again.
fn told(name: &str, seed: u64, defect: &Defect) -> String {
    format!(
        "{name}: {}\n  execution {} of seed {seed}, {} bytes, of which {} do: {:?}\n  again: cargo run -p wayhaven-e2e --bin fuzz \
         -- --target={name} --input={}",
        defect.what,
        defect.execution,
        defect.input.len(),
        defect.least.len(),
        String::from_utf8_lossy(&defect.least),
        hex(&defect.least)
    )
}
