//! How fast punishments reach their children, and what it takes to keep many: a sandbox Discord in this process, a real daemon as another, both on
//! the same machine. `cargo bench` runs all; `cargo bench -- lifted` those whose name holds the word.
//!
//! Figures are ratios to what Discord allows wherever it allows something, and rates of this machine otherwise. Nothing
//! is asserted: ARCHITECTURE.md of the first design, section 12, has the budgets.

// A bench prints its figures, and whoever runs it reads them.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod backfill;
mod speed;
mod standing;

use backfill::{a_backfill_of_ten_thousand_bans_of_members, a_backfill_of_ten_thousand_bans_of_strangers};
use speed::{
    from_the_ban_to_the_first_request, one_ban_to_a_thousand_children, thirty_bans_with_the_limit_lifted,
    two_hundred_bans_at_once_by_an_operator, two_hundred_bans_at_once_by_hand, two_hundred_bans_one_by_one,
};
use standing::{
    a_restart_with_a_hundred_thousand_bans_in_twenty_children, memory_at_a_thousand_and_one_guilds,
};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use wayhaven_e2e::process::{link, watching};
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::{Discord, Options, Sandbox};
use wayhaven_shared::Fault;
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::operations::sync::SyncStatus;
use wayhaven_shared::value::GuildId;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Discord's global limit, in requests a second (FACTS C1).
const GLOBAL: f64 = 50.0;

/// Everything that runs. The daemon ends with it.
struct Ground {
    sandbox: Sandbox,
    client: Client,
    main: u64,
    _daemon: DaemonProcess,
    _home: Home,
}

impl Ground {
    async fn new(options: Options, environment: &[(&str, &str)]) -> Result<Self, Fault> {
        let broken = |error: std::io::Error| Fault::unavailable(error.to_string());
        let sandbox = Sandbox::start(options).await.map_err(broken)?;
        let mut home = Home::new(Path::new(env!("CARGO_BIN_EXE_demo")), &sandbox).map_err(broken)?;
        for (name, value) in environment {
            home.set(name, Some(value));
        }
        let mut daemon = home.start().map_err(broken)?;
        let client = daemon.ready().await?;
        let main = sandbox.main_guild();
        for child in sandbox.children() {
            link(&client, id(main)?, id(child)?, Mode::Active).await?;
        }
        Ok(Self { sandbox, client, main, _daemon: daemon, _home: home })
    }

    fn ban(&self) -> Result<u64, Fault> {
        let victim = self.sandbox.stranger();
        let done = self.sandbox.people().ban(self.main, self.sandbox.moderator(), victim, Some("raid"));
        done.map(|()| victim).map_err(|refusal| Fault::internal(format!("{refusal:?}")))
    }

    async fn until(&self, holds: impl Fn(&Discord) -> bool) -> Result<(), Fault> {
        let waited = self.sandbox.wait_until(holds, PATIENCE).await;
        waited.map_err(|_| Fault::unavailable("waited in vain"))
    }

    /// Waits until so many deliveries are stored as applied.
    async fn until_stored(&self, applied: u64) -> Result<(), Fault> {
        watching(&self.client, async |client| {
            let counted = client.call(SyncStatus {}).await?.deliveries.applied;
            Ok((counted >= applied).then_some(()))
        })
        .await
    }
}

fn id(id: u64) -> Result<GuildId, Fault> {
    GuildId::new(id).ok_or_else(|| Fault::internal("a guild without id"))
}

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut failed = false;
    macro_rules! run {
        ($($bench:ident)*) => {$(
            if stringify!($bench).contains(&wanted) {
                println!("{}", stringify!($bench).replace('_', " "));
                if let Err(fault) = runtime.block_on($bench()) {
                    eprintln!("  {fault}");
                    failed = true;
                }
            }
        )*};
    }
    run!(
        from_the_ban_to_the_first_request
        thirty_bans_with_the_limit_lifted
        one_ban_to_a_thousand_children
        two_hundred_bans_at_once_by_an_operator
        two_hundred_bans_at_once_by_hand
        two_hundred_bans_one_by_one
        a_backfill_of_ten_thousand_bans_of_members
        a_backfill_of_ten_thousand_bans_of_strangers
        a_restart_with_a_hundred_thousand_bans_in_twenty_children
        memory_at_a_thousand_and_one_guilds
    );
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
