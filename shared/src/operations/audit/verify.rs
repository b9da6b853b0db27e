//! `audit verify`: whether the chain holds.

use crate::fault::{Fault, FaultKind};
use crate::operation::Reported;
use crate::report::{Cell, Report, Tone};
use crate::value::{ChainMark, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Read the whole audit: which row somebody has changed first, and whether its end was cut off
///
/// The end is held against what the daemon notes beside its store, and against what you noted yourself, as status shows it.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditVerify {
    /// Rows and hash that you have noted elsewhere, as in 1234:0a1b…
    #[arg(long, value_name = "ROWS:HASH")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noted: Option<ChainMark>,
}

/// What is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amiss {
    /// The first row that it is true of.
    pub row: u64,
    /// What is wrong with it.
    pub what: String,
}

/// How far the chain holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditVerified {
    /// How many rows hold, from the first.
    pub rows: u64,
    /// Rows and hash of the last one that holds: note it elsewhere.
    pub mark: ChainMark,
    /// The first row that does not hold, or that is missing.
    #[serde(default)]
    pub broken: Option<Amiss>,
    /// What SQLite finds wrong with the pages or indexes under the rows.
    #[serde(default)]
    pub pages: Option<Untrusted>,
    /// Where the end was cut off, or written anew: what was noted is not there.
    #[serde(default)]
    pub cut: Option<Amiss>,
    /// How many fields that identify somebody were erased; the chain holds without them.
    pub erased: u64,
    /// What the daemon had noted beside its store, where it had.
    #[serde(default)]
    pub noted: Option<ChainMark>,
}

impl Reported for AuditVerified {
    fn report(&self) -> Report {
        let rows = if self.rows == 1 { "1 row".to_owned() } else { format!("{} rows", self.rows) };
        let (title, tone) = match (&self.broken, &self.cut, &self.pages) {
            (None, None, None) => (format!("the audit holds: {rows}"), Tone::Good),
            (None, None, Some(_)) => {
                (format!("the rows hold, and the pages under them do not: {rows}"), Tone::Bad)
            }
            (Some(_), ..) => (format!("the audit does not hold after {rows}"), Tone::Bad),
            (None, Some(_), _) => (format!("the audit is not the one that was noted: {rows}"), Tone::Bad),
        };
        let mut report = Report::new(title, tone);
        for (name, amiss) in [("Broken", &self.broken), ("Cut off", &self.cut)] {
            if let Some(amiss) = amiss {
                let words = format!("row {}: {}", amiss.row, amiss.what);
                report = report.field(name, Cell::toned(words, Tone::Bad));
            }
        }
        if let Some(found) = &self.pages {
            report = report.field("Pages", Cell::toned(found, Tone::Bad));
        }
        let beside = match self.noted {
            Some(mark) => format!("{} rows were noted beside the store", mark.rows()),
            None => "nothing was noted beside the store yet".to_owned(),
        };
        report = report.field("Held against", beside).field("Mark", self.mark.to_string());
        if self.erased > 0 {
            report = report.field("Erased fields", self.erased.to_string());
        }
        report.hint("note the mark elsewhere: audit verify --noted=MARK holds the audit against it later")
    }

    fn verdict(&self) -> Option<Fault> {
        let what = match (self.broken.as_ref().or(self.cut.as_ref()), &self.pages) {
            (Some(amiss), _) => format!("row {}: {}", amiss.row, amiss.what),
            (None, Some(found)) => format!("the store's own check finds: {}", found.line()),
            (None, None) => return None,
        };
        let message = format!("the audit does not hold: {what}");
        let fault = Fault::new(FaultKind::Verification, message);
        Some(fault.hint("a copy of the store from before shows what stood there; the rows before it hold"))
    }
}
