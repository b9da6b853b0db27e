//! Tries inputs on a target, keeps those that come to something new, and makes small what fails.

use super::mutation::mutate;
use crate::dice::Dice;
use std::any::Any;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// What is tried.
pub trait Target {
    /// What it begins with: usual inputs, and what once was trouble.
    fn seeds(&self) -> Vec<Vec<u8>>;

    /// What means something to it, to be put anywhere.
    fn words(&self) -> &'static [&'static str];

    /// The longest input that is tried, in bytes.
    fn longest(&self) -> usize {
        4_096
    }

    /// Tries one input. What it came to is a word or a few: inputs of the same words are taken to be of one kind.
    ///
    /// # Errors
    /// What is wrong. A panic is wrong too.
    fn stand(&mut self, input: &[u8]) -> Result<String, String>;
}

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// So many inputs.
    Executions(u64),
    /// Until then.
    Until(Instant),
}

impl Limit {
    fn is_reached(self, executions: u64) -> bool {
        match self {
            Self::Executions(most) => executions >= most,
            Self::Until(end) => Instant::now() >= end,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many inputs were tried.
    pub executions: u64,
    /// How many different things they came to.
    pub outcomes: usize,
    /// With how many inputs it began.
    pub seeds: usize,
}

/// Something is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defect {
    /// What.
    pub what: String,
    /// With which input.
    pub input: Vec<u8>,
    /// The smallest that was found to fail.
    pub least: Vec<u8>,
    /// Which execution it was, from 1.
    pub execution: u64,
}

/// How many inputs are kept to be changed further.
const MOST_KEPT: usize = 4_096;

/// How often something smaller is tried.
const PATIENCE: usize = 3_000;

/// Where the last panic was.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Panics are told with the input that led to them, and not each for itself.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|at| format!(" in {}:{}", at.file(), at.line()));
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let said = panic.downcast_ref::<&str>().map(|said| (*said).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
    format!("it panicked{place}: {said}")
}

/// Tries one input.
///
/// # Errors
/// What is wrong, a panic among it.
pub fn once(target: &mut dyn Target, input: &[u8]) -> Result<String, String> {
    catch_unwind(AssertUnwindSafe(|| target.stand(input))).unwrap_or_else(|panic| Err(words_of(&*panic)))
}

/// Tries the seeds, and then what becomes of them. The same seed and the same number of executions try the same.
///
/// # Errors
/// The first defect.
pub fn run(target: &mut dyn Target, seed: u64, limit: Limit) -> Result<Tally, Box<Defect>> {
    let mut dice = Dice::new(seed);
    let (words, longest) = (target.words(), target.longest());
    let mut kept = target.seeds();
    let mut tally = Tally { seeds: kept.len(), ..Tally::default() };
    let mut seen = HashSet::new();
    for place in 0.. {
        if limit.is_reached(tally.executions) {
            break;
        }
        let is_seed = place < tally.seeds;
        let input = match kept.get(place).filter(|_| is_seed) {
            Some(seed) => seed.clone(),
            None => mutate(&mut dice, &kept, words, longest),
        };
        tally.executions += 1;
        match once(target, &input) {
            Ok(outcome) => {
                if seen.insert(outcome) && !is_seed && kept.len() < MOST_KEPT {
                    kept.push(input);
                }
            }
            Err(what) => {
                let (least, what) = minimised(target, &input, what);
                return Err(Box::new(Defect { what, input, least, execution: tally.executions }));
            }
        }
    }
    tally.outcomes = seen.len();
    Ok(tally)
}

/// Takes away from an input what is not needed for it to fail, and makes plain what is left. What fails in the end is
/// told, which may be another thing than at first.
fn minimised(target: &mut dyn Target, input: &[u8], what: String) -> (Vec<u8>, String) {
    let (mut least, mut told, mut tries) = (input.to_vec(), what, 0);
    let mut fails = |candidate: Vec<u8>, least: &mut Vec<u8>| {
        tries += 1;
        let failed = if tries <= PATIENCE { once(target, &candidate).err() } else { None };
        failed.map(|what| (told, *least) = (what, candidate)).is_some()
    };
    let mut part = least.len().next_power_of_two();
    while part > 0 {
        let (mut at, mut shrunk) = (0, false);
        while at < least.len() {
            let mut shorter = least.clone();
            shorter.drain(at..(at + part).min(least.len()));
            match fails(shorter, &mut least) {
                true => shrunk = true,
                false => at += part,
            }
        }
        // Once more with single bytes as long as that takes one away: what was needed for another may now go.
        part = if part == 1 && shrunk { 1 } else { part / 2 };
    }
    for at in 0..least.len() {
        for plain in *b"a0 " {
            if least[at] == plain {
                break;
            }
            let mut plainer = least.clone();
            plainer[at] = plain;
            if fails(plainer, &mut least) {
                break;
            }
        }
    }
    (least, told)
}
