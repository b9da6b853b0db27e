//! How far Discord's clock is from this machine's. Discord judges the ends of timeouts and makes its ids by its own
//! clock, and a machine's may be minutes or hours off.
//!
//! Each answer of Discord's says when it was made, to the second. Between request and answer its clock passed through
//! that second, so that every answer gives a range for the difference. The difference is taken from the range that
//! most of the recent answers agree on: one odd answer changes nothing, and many narrow the range down.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;
use wayhaven_shared::value::Timestamp;

/// How many answers are kept.
const KEPT: usize = 15;

/// How long an answer counts.
const COUNTS_FOR: Duration = Duration::from_secs(15 * 60);

/// While the difference may be below this, nothing is corrected, in milliseconds: clocks that are kept right differ by
/// less. Slow answers, as on a busy machine, leave several seconds open.
const MIN_SKEW_MS: i64 = 2_000;

/// What is corrected stays as it is while the measurement differs by less, in milliseconds: an end that Discord repeats
/// is recognised by its time.
const MIN_CHANGE_MS: i64 = 250;

/// An answer that took longer says too little, in milliseconds.
const MAX_ROUND_TRIP_MS: i64 = 5_000;

/// So many answers in a row that agree with each other, and with none before, overrule those before.
const ANSWERS_THAT_OVERRULE: usize = 3;

/// By how much the machine's two clocks may disagree about the length of a span before the wall clock counts as set,
/// in milliseconds.
const MAX_STEP_MS: i64 = 1_000;

/// Two ends of a timeout that are closer are the same one where a difference of clocks is corrected,
/// in milliseconds: it may have been measured anew between sending an end to Discord and reading it.
pub const SAME_END_MS: u64 = 1_500;

/// Discord writes whole seconds.
const RESOLUTION_MS: i64 = 1_000;

/// Discord's clock minus this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew(i64);

impl Skew {
    /// From milliseconds.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// In milliseconds.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// A time of this machine's clock, as Discord's clock shows it.
    pub fn to_discord(self, here: Timestamp) -> Timestamp {
        Timestamp::from_millis(here.millis().saturating_add(self.0))
    }

    /// A time of Discord's clock, as this machine's clock shows it.
    pub fn to_local(self, of_discord: Timestamp) -> Timestamp {
        Timestamp::from_millis(of_discord.millis().saturating_sub(self.0))
    }

    /// When Discord made this id, by this machine's clock.
    pub fn made_at(self, snowflake: u64) -> Timestamp {
        self.to_local(Timestamp::of_snowflake(snowflake))
    }

    /// The first id that Discord makes at this time of this machine's clock.
    pub fn first_snowflake(self, here: Timestamp) -> u64 {
        self.to_discord(here).first_snowflake()
    }
}

/// When a request left and its answer came, by both clocks of this machine.
#[derive(Clone, Copy, Debug)]
pub struct RoundTrip {
    /// When it left.
    pub sent: (Timestamp, Instant),
    /// When the head of its answer came.
    pub received: (Timestamp, Instant),
}

/// What recent answers say.
#[derive(Debug, Default)]
pub(super) struct Samples {
    ranges: VecDeque<Range>,
    last: Option<(Timestamp, Instant)>,
    said: Option<Timestamp>,
    measured: Option<Skew>,
    corrected: Skew,
}

/// The differences that fit one answer, in milliseconds.
#[derive(Clone, Copy, Debug)]
struct Range {
    least: i64,
    most: i64,
    at: Instant,
}

impl Samples {
    /// Learns from an answer that says it was made at `date`.
    pub(super) fn learn(&mut self, trip: RoundTrip, date: Timestamp) {
        let RoundTrip { sent, received } = trip;
        self.said = Some(date);
        // Whatever was measured before the wall clock was set says nothing any more.
        if self.last.is_some_and(|last| step(last, received).abs() > MAX_STEP_MS) {
            self.ranges.clear();
        }
        self.last = Some(received);
        let took = received.0.millis() - sent.0.millis();
        if step(sent, received).abs() > MAX_STEP_MS || !(0..=MAX_ROUND_TRIP_MS).contains(&took) {
            return;
        }
        let least = date.millis() - received.0.millis();
        let most = date.millis() + RESOLUTION_MS - sent.0.millis();
        self.ranges.retain(|range| received.1.saturating_duration_since(range.at) < COUNTS_FOR);
        self.ranges.push_back(Range { least, most, at: received.1 });
        if self.ranges.len() > KEPT {
            self.ranges.pop_front();
        }
        self.forget_what_was_set();
        if let Some((least, most)) = agreed(&self.ranges) {
            let measured = Skew(least + (most - least) / 2);
            self.measured = Some(measured);
            let may_be_small = least < MIN_SKEW_MS && most > -MIN_SKEW_MS;
            let wanted = if may_be_small { Skew(0) } else { measured };
            if wanted.0 == 0 || (wanted.0 - self.corrected.0).abs() >= MIN_CHANGE_MS {
                self.corrected = wanted;
            }
        }
    }

    /// Forgets what the latest answers contradict together, as after a machine was paused or Discord's clock was set: neither
    /// of this machine's clocks shows that.
    fn forget_what_was_set(&mut self) {
        let older = self.ranges.len().saturating_sub(ANSWERS_THAT_OVERRULE);
        let latest = || self.ranges.iter().skip(older);
        let (Some(least), Some(most)) =
            (latest().map(|range| range.least).max(), latest().map(|range| range.most).min())
        else {
            return;
        };
        let contradicts = |range: &Range| range.most < least || range.least > most;
        if older > 0 && least <= most && self.ranges.iter().take(older).all(contradicts) {
            self.ranges.drain(..older);
        }
    }

    /// What the last answer said.
    pub(super) fn said(&self) -> Option<Timestamp> {
        self.said
    }

    /// The difference as it was measured last, if it was.
    pub(super) fn measured(&self) -> Option<Skew> {
        self.measured
    }

    /// What is corrected.
    pub(super) fn corrected(&self) -> Skew {
        self.corrected
    }
}

/// By how much the wall clock was set between two moments, in milliseconds.
fn step(before: (Timestamp, Instant), after: (Timestamp, Instant)) -> i64 {
    let passed = i64::try_from(after.1.saturating_duration_since(before.1).as_millis()).unwrap_or(i64::MAX);
    (after.0.millis() - before.0.millis()).saturating_sub(passed)
}

/// The range that fits most of the answers, its least and its most; none where that is less than a majority.
fn agreed(ranges: &VecDeque<Range>) -> Option<(i64, i64)> {
    let fits = |at: i64| ranges.iter().filter(|range| (range.least..=range.most).contains(&at)).count();
    // The best range begins where some range begins, and ends with the first of those that fit there.
    let least = ranges.iter().map(|range| range.least).max_by_key(|least| fits(*least))?;
    if fits(least) * 2 <= ranges.len() {
        return None;
    }
    let fitting = ranges.iter().filter(|range| (range.least..=range.most).contains(&least));
    let most = fitting.map(|range| range.most).min()?;
    Some((least, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock of Discord's that is so far ahead, asked at these moments, each answer taking as long.
    fn ask(samples: &mut Samples, skew: i64, from: (Timestamp, Instant), moments: &[(u64, u64)]) {
        for &(after, took) in moments {
            let at = |millis: u64| {
                let wall = Timestamp::from_millis(from.0.millis() + i64::try_from(millis).unwrap());
                (wall, from.1 + Duration::from_millis(millis))
            };
            let (sent, received) = (at(after), at(after + took));
            let made = at(after + took / 2).0.millis() + skew;
            let date = Timestamp::from_millis(made.div_euclid(1_000) * 1_000);
            samples.learn(RoundTrip { sent, received }, date);
        }
    }

    fn start() -> (Timestamp, Instant) {
        (Timestamp::from_millis(1_800_000_000_250), Instant::now())
    }

    const MOMENTS: [(u64, u64); 6] =
        [(0, 40), (730, 900), (1_960, 25), (3_020, 60), (4_475, 310), (5_890, 15)];

    proptest::proptest! {
        #[test]
        fn the_difference_is_found_to_the_second(skew in -90_000_000_i64..90_000_000, phase in 0_i64..1_000) {
            let (wall, instant) = start();
            let mut samples = Samples::default();
            let from = (Timestamp::from_millis(wall.millis() + phase), instant);
            for (number, moment) in MOMENTS.iter().enumerate() {
                ask(&mut samples, skew, from, &[*moment]);
                let off = samples.measured().unwrap().millis() - skew;
                // One answer is good to its second and round trip, several to much less.
                let good_to = if number == 0 { 600 } else { 1_000 };
                proptest::prop_assert!(off.abs() <= good_to, "{number}: {off}");
            }
        }
    }

    #[test]
    fn a_small_difference_is_measured_and_not_corrected() {
        let mut samples = Samples::default();
        assert_eq!((samples.measured(), samples.corrected()), (None, Skew(0)));
        ask(&mut samples, 700, start(), &MOMENTS);
        assert!(samples.measured().unwrap().millis() > 0);
        assert_eq!(samples.corrected(), Skew(0));
        let mut samples = Samples::default();
        ask(&mut samples, -120_000, start(), &MOMENTS);
        let off = samples.corrected().millis() - samples.measured().unwrap().millis();
        assert!(off.abs() < MIN_CHANGE_MS, "{off}");
    }

    #[test]
    fn slow_answers_correct_nothing_where_the_clocks_may_agree() {
        let slow: Vec<(u64, u64)> = (0..20).map(|number| (number * 5_037, 4_900)).collect();
        let mut samples = Samples::default();
        let (wall, instant) = start();
        for (after, took) in slow {
            // The answer is made at once, and waits for this machine to read it.
            let at = |millis: u64| {
                let wall = Timestamp::from_millis(wall.millis() + i64::try_from(millis).unwrap());
                (wall, instant + Duration::from_millis(millis))
            };
            let date = Timestamp::from_millis(at(after).0.millis() / 1_000 * 1_000);
            samples.learn(RoundTrip { sent: at(after), received: at(after + took) }, date);
            assert_eq!(samples.corrected(), Skew(0), "{:?}", samples.measured());
        }
        assert!(samples.measured().unwrap().millis() < -MIN_SKEW_MS, "{:?}", samples.measured());
    }

    #[test]
    fn an_odd_answer_changes_nothing_and_a_majority_does() {
        let (wall, instant) = start();
        let later = |seconds: u64| {
            let millis = i64::try_from(seconds * 1_000).unwrap();
            (Timestamp::from_millis(wall.millis() + millis), instant + Duration::from_secs(seconds))
        };
        let mut samples = Samples::default();
        ask(&mut samples, 60_000, start(), &MOMENTS);
        let before = samples.measured().unwrap();
        // A page out of some cache, made an hour ago.
        ask(&mut samples, -3_600_000, later(10), &MOMENTS[..2]);
        assert_eq!(samples.measured(), Some(before));
        // A slow answer says too little to count.
        ask(&mut samples, 0, later(20), &[(0, 20_000)]);
        assert_eq!(samples.measured(), Some(before));
        ask(&mut samples, 0, later(60), &MOMENTS);
        ask(&mut samples, 0, later(70), &MOMENTS);
        assert_eq!(samples.corrected(), Skew(0), "{:?}", samples.measured());
    }

    #[test]
    fn three_answers_that_contradict_all_before_overrule_them() {
        let (wall, instant) = start();
        let later = |seconds: u64| {
            let millis = i64::try_from(seconds * 1_000).unwrap();
            (Timestamp::from_millis(wall.millis() + millis), instant + Duration::from_secs(seconds))
        };
        let mut samples = Samples::default();
        ask(&mut samples, 0, start(), &MOMENTS);
        ask(&mut samples, 0, later(10), &MOMENTS);
        // Discord's clock is an hour ahead, as after a machine was paused, and none of this machine's shows it.
        ask(&mut samples, 3_600_000, later(20), &MOMENTS[..2]);
        assert_eq!(samples.corrected(), Skew(0));
        ask(&mut samples, 3_600_000, later(25), &MOMENTS[..1]);
        let off = samples.corrected().millis() - 3_600_000;
        assert!(off.abs() <= 1_000, "{:?}", samples.corrected());
    }

    #[test]
    fn a_clock_that_is_set_is_measured_anew_from_the_next_answer_on() {
        let (wall, instant) = start();
        let mut samples = Samples::default();
        ask(&mut samples, 0, start(), &MOMENTS);
        // Set ahead by an hour, ten seconds later.
        let set = (Timestamp::from_millis(wall.millis() + 3_610_000), instant + Duration::from_secs(10));
        ask(&mut samples, -3_600_000, set, &MOMENTS[..1]);
        let off = samples.measured().unwrap().millis() + 3_600_000;
        assert!(off.abs() <= 600, "{off}");
        // A request during which it is set says nothing.
        let back = (Timestamp::from_millis(wall.millis() + 20_000), instant + Duration::from_secs(20));
        let sent =
            (Timestamp::from_millis(wall.millis() + 3_619_900), instant + Duration::from_millis(19_900));
        samples.learn(RoundTrip { sent, received: back }, back.0);
        assert!(samples.measured().unwrap().millis() < -3_500_000);
        ask(&mut samples, 0, back, &[(100, 20)]);
        assert_eq!(samples.corrected(), Skew(0));
    }

    #[test]
    fn times_and_ids_are_converted_both_ways() {
        let (here, skew) = (Timestamp::from_millis(1_800_000_000_000), Skew(-3_600_000));
        assert_eq!(skew.to_discord(here).millis(), 1_799_996_400_000);
        assert_eq!(skew.to_local(skew.to_discord(here)), here);
        assert_eq!(skew.made_at(skew.first_snowflake(here)), here);
        assert_eq!(Skew(0).first_snowflake(here), here.first_snowflake());
    }
}
