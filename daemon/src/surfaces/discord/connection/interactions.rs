//! Acknowledged interactions on their way from the gateway's thread to the pipeline. Each one that was acknowledged
//! is answered, also when the connection ends before its turn.

use crate::discord::gateway::Arrived;
use crate::surfaces::discord::{SlashCommands, handle, turn_away};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How many interactions are counted at once. It is no limit: an answer that follows its deliveries takes hours, and
/// must keep no other from being worked on.
const AT_ONCE: u32 = 1_000_000;

/// The interactions being worked on, over all connections.
#[derive(Clone)]
pub(super) struct Running(Arc<Semaphore>);

impl Default for Running {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE as usize)))
    }
}

impl Running {
    /// Waits until all of them have been answered, so long at most.
    pub(super) async fn finish(&self, within: Duration) {
        let _ = tokio::time::timeout(within, self.0.acquire_many(AT_ONCE)).await;
    }
}

/// The interactions of one connection.
pub(super) struct Interactions {
    slash: SlashCommands,
    inbox: mpsc::Receiver<Arrived>,
    running: Running,
}

impl Interactions {
    pub(super) fn new(slash: &SlashCommands, inbox: mpsc::Receiver<Arrived>, running: &Running) -> Self {
        Self { slash: slash.clone(), inbox, running: running.clone() }
    }

    /// Has interactions worked on as they come, however long the events take.
    pub(super) async fn hand_on(&mut self) {
        loop {
            // A permit first: what waits for one stays in the queue, and is not lost where this ends meanwhile.
            let Ok(permit) = Arc::clone(&self.running.0).acquire_owned().await else { return };
            let Some(arrived) = self.inbox.recv().await else { return };
            let slash = self.slash.clone();
            work(Some(permit), async move { handle(slash, arrived).await });
        }
    }
}

impl Drop for Interactions {
    /// What is still in the queue was acknowledged, so somebody waits for an answer.
    fn drop(&mut self) {
        // What comes from now on is answered by the gateway's thread.
        self.inbox.close();
        while let Ok(arrived) = self.inbox.try_recv() {
            let slash = self.slash.clone();
            let permit = Arc::clone(&self.running.0).try_acquire_owned().ok();
            let stops = slash.systems.services.lifecycle().is_stopping();
            work(permit, async move {
                match stops {
                    true => turn_away(slash.systems, arrived).await,
                    false => handle(slash, arrived).await,
                }
            });
        }
    }
}

fn work(permit: Option<OwnedSemaphorePermit>, task: impl Future<Output = ()> + Send + 'static) {
    // Where the runtime itself is gone, so is every way to answer.
    let Ok(runtime) = Handle::try_current() else { return };
    runtime.spawn(async move {
        task.await;
        drop(permit);
    });
}
