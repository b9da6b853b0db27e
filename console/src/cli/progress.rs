//! How far a wait has come, on standard error: one line rewritten on a terminal, a line per tenth elsewhere.

use super::output::Output;
use crate::render::signs::Signs;
use wayhaven_shared::operations::punishment::DeliveryCounts;
use wayhaven_shared::report::Progress;

/// What was shown so far.
pub(crate) struct Ticker {
    rewrites: bool,
    signs: Signs,
    shown: Option<u64>,
}

/// How wide the bar is.
const BAR: usize = 20;

impl Ticker {
    /// A ticker that rewrites its line, or writes one per tenth.
    pub(crate) fn new(rewrites: bool, signs: Signs) -> Self {
        Self { rewrites, signs, shown: None }
    }

    /// Shows the counts, where they say something new.
    pub(crate) fn show(&mut self, counts: &DeliveryCounts, output: &mut Output<'_>) {
        // What acts in one guild only has no deliveries to count.
        if counts.total() == 0 {
            return;
        }
        let progress = Progress { done: counts.total() - counts.open(), total: counts.total() };
        self.tell(progress, &counts.words(), output);
    }

    /// Shows how far it is, where that says something new.
    pub(crate) fn tell(&mut self, progress: Progress, words: &str, output: &mut Output<'_>) {
        let tenth = (progress.done * 10).checked_div(progress.total).unwrap_or(10);
        let words = format!("{}/{} {words}", progress.done, progress.total);
        let words = words.trim_end();
        if self.rewrites {
            self.shown = Some(tenth);
            output.aside(&format!("\r\x1b[K{} {words}", self.signs.bar(progress, BAR)));
        } else if self.shown.is_none_or(|shown| shown != tenth) {
            self.shown = Some(tenth);
            output.aside(&format!("{words}\n"));
        }
    }

    /// Takes the rewritten line away.
    pub(crate) fn clear(&mut self, output: &mut Output<'_>) {
        if self.rewrites && self.shown.take().is_some() {
            output.aside("\r\x1b[K");
        }
    }
}
