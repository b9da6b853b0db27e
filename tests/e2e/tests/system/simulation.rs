//! A bounded run of the simulation; `cargo run -p wayhaven-e2e --bin simulation` plays the long one.
//!
//! `WAYHAVEN_SIMULATION=STEPSxSEEDS` plays so many to their end, `WAYHAVEN_SIMULATION_SEED` begins with that seed.

use crate::room::{Beside, room_now};
use crate::setting::program;
use std::time::{Duration, Instant};
use wayhaven_e2e::simulation::{Plan, play};

/// How many steps in how many networks, at most.
const STEPS: usize = 300;
const SEEDS: u64 = 3;

/// The first network's seed.
const FIRST: u64 = 501;

/// When it stops where the machine is busy: what was played by then counts.
const LONGEST: Duration = Duration::from_secs(25);

#[test]
fn a_network_that_lives_on_leaks_nothing_loses_nothing_and_undoes_nothing_of_others() {
    let _room = room_now(Beside::One);
    let asked = std::env::var("WAYHAVEN_SIMULATION").ok();
    let asked = asked.as_deref().and_then(|text| text.split_once('x'));
    let asked = asked.and_then(|(steps, seeds)| Some((steps.parse().ok()?, seeds.parse().ok()?)));
    let (steps, seeds) = asked.unwrap_or((STEPS, SEEDS));
    let given = std::env::var("WAYHAVEN_SIMULATION_SEED").ok().and_then(|text| text.parse().ok());
    // The same ones each time, so that what fails is what was changed; the long run is the place to look for more.
    let first = given.unwrap_or(FIRST);
    let until = asked.is_none().then(|| Instant::now() + LONGEST);
    let plan = Plan { steps, seeds, first, at_once: 3, until };
    play(program(), plan).unwrap_or_else(|why| panic!("{why}"));
}
