//! What the tests stand on.

use crate::room::{Beside, room};
use std::path::Path;
use tokio::sync::SemaphorePermit;
use wayhaven_e2e::process::link;
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::value::GuildId;

/// The binary that plays all parts.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_demo"))
}

pub(crate) fn guild(id: u64) -> GuildId {
    GuildId::new(id).unwrap()
}

/// Options under which daemons may come and go: identifies are not paced.
pub(crate) fn options(children: usize) -> Options {
    Options { children, members: 30, max_concurrency: 100, ..Options::default() }
}

/// A sandbox with a daemon whose children are all linked.
pub(crate) struct Setting {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: Home,
    pub(crate) daemon: DaemonProcess,
    pub(crate) client: Client,
    pub(crate) main: GuildId,
    members: Vec<u64>,
    /// Given back last: a daemon that ends is still at work.
    _room: SemaphorePermit<'static>,
}

impl Setting {
    pub(crate) async fn new(options: Options) -> Self {
        Self::with(options, &[]).await
    }

    /// The same for a test that depends on Discord's limits in real time.
    pub(crate) async fn beside(beside: Beside, options: Options) -> Self {
        Self::start(room(beside).await, options, &[]).await
    }

    /// The same with more in the daemon's environment.
    pub(crate) async fn with(options: Options, environment: &[(&str, &str)]) -> Self {
        Self::start(room(Beside::Others).await, options, environment).await
    }

    async fn start(room: SemaphorePermit<'static>, options: Options, environment: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut home = Home::new(program(), &sandbox).unwrap();
        for (name, value) in environment {
            home.set(name, Some(value));
        }
        let mut daemon = home.start().unwrap();
        let client = daemon.ready().await.unwrap();
        let main = guild(sandbox.main_guild());
        for child in sandbox.children() {
            link(&client, main, guild(child), Mode::Active).await.unwrap();
        }
        // As they are now: a ban takes a member away.
        let members = sandbox.members(main.get());
        Self { sandbox, home, daemon, client, main, members, _room: room }
    }

    /// An ordinary member of the main.
    pub(crate) fn member(&self, index: usize) -> u64 {
        self.members[index]
    }

    /// Starts the daemon again after it was killed, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        self.daemon = self.home.start().unwrap();
        self.client = self.daemon.ready().await.unwrap();
    }
}
