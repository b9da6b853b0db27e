//! The console on the stage, with traffic behind it.

use super::stage::Stage;
use std::time::Duration;
use wayhaven_shared::Fault;

/// How long between two things that happen: time enough to read each.
const BEAT: Duration = Duration::from_secs(4);

/// How many acts in a row may fail before the demo ends. One that was on its way while the demo was stopped with ^Z has run
/// out of time when it goes on.
const MAX_FAILURES: usize = 3;

/// Runs the console until the person leaves it, while things happen; then everything stops.
pub(super) async fn with_console(stage: Stage) -> Result<(), Fault> {
    let mut command = stage.home.command("wayhaven");
    command.stdin(std::process::Stdio::inherit()).env(wayhaven_console::DEMO_VARIABLE, "1");
    let console = tokio::process::Command::from(command).status();
    let left = tokio::select! {
        left = console => left.map_err(|error| Fault::internal(format!("the console did not start: {error}")))?,
        fault = traffic(&stage) => return Err(fault),
    };
    let Stage { mut daemon, client, .. } = stage;
    drop(client);
    let ended = daemon.terminate().await.map_err(|error| Fault::internal(error.to_string()))?;
    if left.success() && ended.success() {
        return Ok(());
    }
    Err(Fault::unavailable(format!("the console ended with {left}, the daemon with {ended}")))
}

/// The story once, and then bans and unbans for as long as somebody looks.
async fn traffic(stage: &Stage) -> Fault {
    let (mut turn, mut failures) = (0, 0);
    loop {
        tokio::time::sleep(BEAT).await;
        match happen(stage, turn).await {
            Ok(()) => failures = 0,
            Err(fault) if failures == MAX_FAILURES => return fault,
            Err(_) => failures += 1,
        }
        turn += 1;
    }
}

async fn happen(stage: &Stage, turn: usize) -> Result<(), Fault> {
    let people = stage.sandbox.people();
    let (main, admin) = (stage.main.get(), stage.sandbox.admin());
    let user = stage.member(3 + turn / 4);
    let acted = match turn % 4 {
        0 => return stage.slash_ban(user, "raid").await.map(drop),
        1 => people.ban(main, admin, stage.member(30 + turn / 4), Some("scam links")),
        2 => people.unban(main, admin, user, Some("appeal")),
        _ => {
            let child = stage.children[turn / 4 % 3].get();
            people.ban(child, stage.sandbox.child_moderator(child), stage.member(45 + turn / 4), Some("rude"))
        }
    };
    // After a while everybody who can be banned is: what Discord refuses then is no failure of the demo.
    if let Err(refused) = acted {
        tokio::task::yield_now().await;
        drop(refused);
    }
    Ok(())
}
