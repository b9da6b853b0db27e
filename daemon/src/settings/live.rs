//! The settings as they hold now. One place changes them (`reload`); everybody else reads or follows them.

use super::Settings;
use std::sync::Arc;
use tokio::sync::watch;

/// The settings as they hold now. Clones follow the same settings.
#[derive(Clone, Debug)]
pub struct LiveSettings(watch::Receiver<Arc<Settings>>);

/// Changes them. Clones change the same settings.
#[derive(Clone, Debug)]
pub struct SettingsWriter(watch::Sender<Arc<Settings>>);

impl SettingsWriter {
    /// Of these settings, which hold until others are put in their place.
    pub fn new(settings: Settings) -> Self {
        Self(watch::Sender::new(Arc::new(settings)))
    }

    /// What everybody else reads.
    pub fn live(&self) -> LiveSettings {
        LiveSettings(self.0.subscribe())
    }

    /// Puts others in their place.
    pub fn replace(&self, settings: Settings) {
        self.0.send_replace(Arc::new(settings));
    }
}

impl LiveSettings {
    /// The settings that hold now. They do not change in the caller's hands.
    pub fn now(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    /// The settings that hold now; [`changed`](Self::changed) waits for others than these.
    pub fn read(&mut self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow_and_update())
    }

    /// Waits until others hold. Once the daemon has ended it never returns.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
