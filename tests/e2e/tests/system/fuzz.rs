//! The fuzz targets, each for a moment, and the engine that tries them.

use crate::setting::program;
use wayhaven_e2e::fuzz::engine::{Limit, Tally, Target, once, run};
use wayhaven_e2e::fuzz::{TARGETS, target};

/// How many inputs each target gets here; `.ci/run` gives each some seconds, of another seed every time.
const INPUTS: u64 = 3_000;

#[test]
fn every_target_stands_a_few_thousand_inputs() {
    for name in TARGETS {
        let mut target = target(name, program(), false).unwrap().unwrap();
        let tally = run(&mut *target, 6, Limit::Executions(INPUTS)).unwrap_or_else(|defect| {
            panic!("{name}: {}: {:?}", defect.what, String::from_utf8_lossy(&defect.least))
        });
        // Who tried the same thing all the time would have tried nothing.
        assert!(tally.executions == INPUTS && tally.outcomes >= 10, "{name}: {tally:?}");
    }
    assert!(target("nothing", program(), false).unwrap().is_none());
}

/// A reader of three letters, one after the other, with a defect behind the third.
struct Planted {
    /// Whether it panics there, or says what is wrong.
    panics: bool,
    tried: Vec<Vec<u8>>,
}

impl Planted {
    fn new(panics: bool) -> Self {
        Self { panics, tried: Vec::new() }
    }
}

impl Target for Planted {
    fn seeds(&self) -> Vec<Vec<u8>> {
        vec![b"nothing of interest".to_vec()]
    }

    fn words(&self) -> &'static [&'static str] {
        &["ban", "kick"]
    }

    fn stand(&mut self, input: &[u8]) -> Result<String, String> {
        self.tried.push(input.to_vec());
        let text = String::from_utf8_lossy(input);
        let Some(behind) = text.split_once("kick").map(|(_, behind)| behind) else {
            return Ok("none".into());
        };
        let Some(behind) = behind.split_once("ban").map(|(_, behind)| behind) else {
            return Ok("one".into());
        };
        match behind.contains('\u{202e}') {
            true if self.panics => panic!("planted"),
            true => Err("planted".into()),
            false => Ok("two".into()),
        }
    }
}

#[test]
fn a_planted_defect_is_found_step_by_step_and_made_small() {
    for panics in [false, true] {
        let defect = run(&mut Planted::new(panics), 1, Limit::Executions(200_000)).unwrap_err();
        assert!(defect.what.contains("planted"), "{defect:?}");
        assert_eq!(defect.least, "kickban\u{202e}".as_bytes(), "{defect:?}");
        // What is told is enough to have it again.
        assert!(once(&mut Planted::new(panics), &defect.least).is_err());
        assert!(once(&mut Planted::new(panics), &defect.input).is_err());
        assert_eq!(once(&mut Planted::new(panics), b"kick"), Ok("one".into()));
    }
}

#[test]
fn a_seed_tries_the_same_again_and_another_seed_something_else() {
    let play = |seed| {
        let mut target = Planted::new(false);
        let tally = run(&mut target, seed, Limit::Executions(500));
        (tally, target.tried)
    };
    assert_eq!(play(7), play(7));
    assert_ne!(play(7).1, play(8).1);
    let (tally, tried) = play(7);
    assert_eq!(tried[0], b"nothing of interest", "what it begins with comes first");
    assert!(
        tally.is_ok_and(
            |Tally { executions, outcomes, seeds }| (executions, seeds) == (500, 1) && outcomes > 1
        )
    );
}
