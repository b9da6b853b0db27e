//! `daemon`: the daemon itself.

use super::paths::PathList;
use super::settings::SettingChanged;
use super::status::DaemonStatus;
use crate::fault::Fault;
use crate::operation::Reported;
use crate::report::{Cell, Report, Tone};
use crate::value::{Timestamp, Untrusted};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Everything of status, and the daemon's process, its files and its store
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonShow {}

/// Read the settings again, as SIGHUP does
///
/// All of them hold, but for those that need a restart, or none does: where they cannot be read, the old ones stay.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonReload {}

/// Stop the daemon, after what is on its way has had 10 seconds
///
/// What is not finished by then is kept and goes on at the next start.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonStop {}

/// Stop the daemon in order and start the program at its place again, under the same process id
///
/// What is on its way has 10 seconds, and the rest goes on at the new start. A newer program at the same place is what
/// starts. The command line waits until the daemon answers again; --no-wait does not.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonRestart {}

/// The daemon's process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonProcess {
    /// Since when it runs.
    pub started_at: Timestamp,
    /// What tells this start from every other.
    pub start: String,
    /// What it was built for, and how.
    pub build: String,
    /// The name of the machine.
    pub machine: Untrusted,
    /// The program that a restart starts.
    pub program: Untrusted,
    /// Memory that it holds now, in bytes, where the system tells.
    pub resident_bytes: Option<u64>,
    /// Its threads, where the system tells.
    pub threads: Option<u64>,
}

/// The daemon's store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonStore {
    /// The file.
    pub path: Untrusted,
    /// How large it is, in bytes.
    pub bytes: u64,
    /// How large the log beside it is, in bytes.
    pub wal_bytes: u64,
    /// Its schema's version.
    pub schema: u32,
    /// Which store it is: a restored one has another.
    pub epoch: String,
}

/// Everything about the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonShown {
    /// What `status` tells.
    #[serde(flatten)]
    pub status: DaemonStatus,
    /// Its process.
    pub process: DaemonProcess,
    /// Its store.
    pub store: DaemonStore,
    /// Where everything lies.
    pub paths: PathList,
    /// The settings files in use.
    pub settings_files: Vec<Untrusted>,
}

/// A size for people.
fn size(bytes: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let mut tenths = bytes.saturating_mul(10) / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

impl Reported for DaemonShown {
    fn report(&self) -> Report {
        let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
        let files: Vec<_> = self.settings_files.iter().map(Untrusted::raw).collect();
        let files = if files.is_empty() { "none".to_owned() } else { files.join(", ") };
        let mut report = self.status.report();
        for (name, cell) in [
            ("Since", Cell::from(self.process.started_at.short())),
            ("Build", self.process.build.clone().into()),
            ("Machine", (&self.process.machine).into()),
            ("Program", (&self.process.program).into()),
            ("Memory", known(self.process.resident_bytes.map(size)).into()),
            ("Threads", known(self.process.threads.map(|count| count.to_string())).into()),
            ("Store", (&self.store.path).into()),
            (
                "Store size",
                format!("{} and a log of {}", size(self.store.bytes), size(self.store.wal_bytes)).into(),
            ),
            ("Store schema", self.store.schema.to_string().into()),
            ("Store epoch", self.store.epoch.clone().into()),
            ("Settings files", (&Untrusted::clipped(&files)).into()),
        ] {
            report = report.field(name, cell);
        }
        let paths = self.paths.report().fields.into_iter().filter(|(name, _)| name != "Settings");
        report.fields.extend(paths);
        report
    }

    fn verdict(&self) -> Option<Fault> {
        self.status.verdict()
    }
}

/// What came of reading the settings again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonReloaded {
    /// What has changed and holds now.
    pub changed: Vec<SettingChanged>,
    /// What has changed and holds after a restart only.
    pub after_restart: Vec<SettingChanged>,
    /// What is worth telling of the settings.
    #[serde(default)]
    pub told: Vec<String>,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
}

impl Reported for DaemonReloaded {
    fn report(&self) -> Report {
        let nothing = self.changed.is_empty() && self.after_restart.is_empty();
        let title = match (self.dry_run, nothing) {
            (_, true) => "the settings were read again, and nothing in them has changed",
            (true, false) => "nothing was changed: a reload would take this",
            (false, false) => "the settings were read again",
        };
        let mut report = Report::new(title, if self.dry_run { Tone::Plain } else { Tone::Good });
        for one in &self.changed {
            report = report.field(&one.key, &one.words());
        }
        for one in &self.after_restart {
            let words = format!("{} after a restart", one.words().raw());
            report = report.field(&one.key, Cell::toned(&Untrusted::clipped(&words), Tone::Waiting));
        }
        if self.after_restart.is_empty() { report } else { report.hint("daemon restart takes the rest") }
    }

    fn warnings(&self) -> Vec<String> {
        self.told.clone()
    }
}

/// The daemon is stopping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonStopping {
    /// Its process.
    pub pid: u32,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Deliveries that are open now and go on at the next start.
    pub open_deliveries: u64,
}

impl Reported for DaemonStopping {
    fn report(&self) -> Report {
        let title = if self.dry_run { "nothing was changed: it would stop" } else { "stopping" };
        Report::new(format!("{title} (pid {})", self.pid), Tone::Plain)
            .field("Open deliveries", self.open_deliveries.to_string())
    }
}

/// The daemon is restarting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonRestarting {
    /// Its process, now and afterwards.
    pub pid: u32,
    /// What tells this start from the one to come.
    pub start: String,
    /// The program that starts.
    pub program: Untrusted,
    /// Deliveries that are open now and go on.
    pub open_deliveries: u64,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// For how long it did not answer, where that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_ms: Option<u64>,
    /// The version that answers now, where that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Reported for DaemonRestarting {
    fn report(&self) -> Report {
        let title = match (self.dry_run, self.away_ms) {
            (true, _) => "nothing was changed: it would restart".to_owned(),
            (false, None) => "restarting".to_owned(),
            (false, Some(away)) => format!("it was away for {}.{:03} s", away / 1_000, away % 1_000),
        };
        let tone = if self.away_ms.is_some() { Tone::Good } else { Tone::Plain };
        let report = Report::new(format!("{title} (pid {})", self.pid), tone)
            .field("Program", &self.program)
            .field("Open deliveries", self.open_deliveries.to_string());
        match &self.version {
            Some(version) => report.field("Version now", version.clone()),
            None => report,
        }
    }
}
