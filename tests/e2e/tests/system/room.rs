//! How many whole systems run at once. Discord gives three seconds for a first answer, in real time; a machine that
//! runs ten daemons and their clients at once makes every one of them late.

use std::sync::LazyLock;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Beside whom a test can run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Beside {
    /// As many others as the machine has processors.
    Others,
    /// One other at most: the test depends on Discord's limits in real time.
    One,
    /// Nobody: the test loads the whole machine, and depends on Discord's limits as well.
    Nobody,
}

/// How many systems the machine has room for.
static PLACES: LazyLock<u32> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    u32::try_from(processors).unwrap_or(2).max(2)
});

static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(*PLACES as usize));

/// Waits for room on the machine. A test that holds some must not ask for more.
pub(crate) async fn room(beside: Beside) -> SemaphorePermit<'static> {
    let places = match beside {
        Beside::Others => 1,
        Beside::One => *PLACES - 1,
        Beside::Nobody => *PLACES,
    };
    ROOM.acquire_many(places).await.unwrap()
}

/// The same for a test without a runtime.
pub(crate) fn room_now(beside: Beside) -> SemaphorePermit<'static> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(room(beside))
}
