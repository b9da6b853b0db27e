//! The way to a daemon: the socket of this machine, or ssh to another's.

pub(crate) mod dial;
mod host;
mod ssh;

pub(crate) use host::Host;

use shared::Fault;
use shared::client::Client;
use shared::control::ClientSurface;
use shared::paths::Layout;
use wayhaven_shared as shared;

/// Where the daemon is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On this machine.
    Here(Layout),
    /// On another.
    There(Host),
}

impl Place {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// Nobody answers there, or it refuses; or there is no way.
    pub(crate) async fn connect(&self, surface: ClientSurface) -> Result<Client, Fault> {
        match self {
            Self::Here(layout) => Client::connect_here(layout, surface).await,
            Self::There(host) => ssh::connect(host, surface).await,
        }
    }
}
