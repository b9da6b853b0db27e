//! `daemon`: the daemon itself.

use crate::operation::Reported;
use crate::report::{Report, Tone};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Stop the daemon, after what is on its way has had 10 seconds
///
/// What is not finished by then is kept and goes on at the next start.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DaemonStop {}

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
