//! How the connection to Discord is, as the gateway told last. Everybody reads it or follows it.

use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use wayhaven_shared::operations::status::{Connection, ConnectionState};

/// How the connection to Discord is. Clones are of the same connection.
#[derive(Clone, Debug)]
pub struct GatewayStatus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connection: watch::Sender<Connection>,
    application: OnceLock<String>,
}

impl Default for GatewayStatus {
    fn default() -> Self {
        let connection = Connection { state: ConnectionState::Connecting, reason: Some("starting".into()) };
        Self(Arc::new(Inner { connection: watch::Sender::new(connection), application: OnceLock::new() }))
    }
}

impl GatewayStatus {
    /// How the connection is.
    pub fn connection(&self) -> Connection {
        self.0.connection.borrow().clone()
    }

    /// Whether Discord has told of all guilds.
    pub fn is_ready(&self) -> bool {
        self.0.connection.borrow().state == ConnectionState::Ready
    }

    /// Follows how the connection is.
    pub fn follow(&self) -> watch::Receiver<Connection> {
        self.0.connection.subscribe()
    }

    /// Notes how the connection is. Returns whether that is new.
    pub fn note(&self, connection: Connection) -> bool {
        self.0.connection.send_if_modified(|current| {
            let is_new = *current != connection;
            *current = connection;
            is_new
        })
    }

    /// The application's id, once Discord has told it.
    pub fn application(&self) -> Option<String> {
        self.0.application.get().cloned()
    }

    /// Notes the application's id. It never changes while a token is in use, so the first one stays.
    pub fn note_application(&self, id: String) {
        let _ = self.0.application.set(id);
    }
}
