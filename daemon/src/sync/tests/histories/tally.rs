//! What has really happened in the histories of a run: a step that finds nothing to do is not counted.

use std::collections::BTreeMap;
use std::sync::Mutex;

static COUNTED: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

pub(super) fn count(what: &'static str) {
    *COUNTED.lock().unwrap().entry(what).or_default() += 1;
}

/// How often each has happened so far.
pub(super) fn told() -> String {
    let lines = |counted: &BTreeMap<&str, usize>| {
        counted.iter().map(|(what, times)| format!("{times} × {what}")).collect::<Vec<_>>()
    };
    lines(&COUNTED.lock().unwrap()).join(", ")
}
