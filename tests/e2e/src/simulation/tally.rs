//! How often the situations occurred that a run is for.

use super::model::{Guild, User};
use std::collections::BTreeMap;
use std::fmt;

/// How often each situation occurred, by its name.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counts: BTreeMap<String, usize>,
    /// Where a local cause has ended, and whether a main has done the same since.
    pub(super) ended: BTreeMap<(Guild, User), bool>,
}

impl Tally {
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.counts.iter().map(|(what, times)| format!("{what}: {times}")).collect();
        out.write_str(&told.join(", "))
    }
}
