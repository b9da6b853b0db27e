//! What every system works with: time, the store, Discord, the settings and the daemon's life. Services know no system.

use crate::clock::Clock;
use crate::discord::directory::Directory;
use crate::discord::rest::Rest;
use crate::discord::status::GatewayStatus;
use crate::lifecycle::Lifecycle;
use crate::settings::{LiveSettings, Settings};
use crate::store::Store;
use std::sync::Arc;
use wayhaven_shared::paths::Layout;

/// The services. Clones share everything.
#[derive(Clone)]
pub struct Services {
    clock: Clock,
    store: Store,
    rest: Arc<Rest>,
    directory: Arc<Directory>,
    settings: LiveSettings,
    gateway: GatewayStatus,
    lifecycle: Lifecycle,
    layout: Arc<Layout>,
}

impl Services {
    /// The services of a daemon that is not connected yet.
    pub fn new(
        (clock, layout): (Clock, Layout),
        store: Store,
        (rest, directory): (Arc<Rest>, Arc<Directory>),
        settings: LiveSettings,
    ) -> Self {
        let lifecycle = Lifecycle::begin(&clock);
        let (gateway, layout) = (GatewayStatus::default(), Arc::new(layout));
        Self { clock, store, rest, directory, settings, gateway, lifecycle, layout }
    }

    /// Time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The REST client.
    pub fn rest(&self) -> &Arc<Rest> {
        &self.rest
    }

    /// What is known of the guilds.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The settings that hold now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.now()
    }

    /// The settings, to be followed.
    pub fn live_settings(&self) -> LiveSettings {
        self.settings.clone()
    }

    /// How the connection to Discord is.
    pub fn gateway(&self) -> &GatewayStatus {
        &self.gateway
    }

    /// The daemon's life.
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Where everything lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}
