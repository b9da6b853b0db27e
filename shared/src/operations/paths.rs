//! `paths`: where everything lies.

use crate::operation::Reported;
use crate::paths::Layout;
use crate::report::{Report, Tone};
use clap::Args;
use serde::{Deserialize, Serialize};

/// Where settings, data, logs and the socket are
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paths {}

/// Where everything lies, as absolute paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathList {
    /// The settings file.
    pub config: String,
    /// The directory of the store.
    pub data: String,
    /// The directory of the lock and the log files.
    pub state: String,
    /// The log files.
    pub logs: String,
    /// The control socket.
    pub socket: String,
}

impl From<&Layout> for PathList {
    fn from(layout: &Layout) -> Self {
        let text = |path: &std::path::Path| path.display().to_string();
        Self {
            config: text(&layout.config),
            data: text(&layout.data),
            state: text(&layout.state),
            logs: text(&layout.logs),
            socket: text(&layout.socket),
        }
    }
}

impl Reported for PathList {
    fn report(&self) -> Report {
        Report::new("paths", Tone::Plain)
            .field("Settings", self.config.clone())
            .field("Data", self.data.clone())
            .field("State", self.state.clone())
            .field("Logs", self.logs.clone())
            .field("Socket", self.socket.clone())
    }
}
