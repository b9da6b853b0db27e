//! Waits until a daemon that restarts answers again, as another start of it.

use crate::link::Place;
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use shared::client::Client;
use shared::control::{ClientSurface, LONGEST_WATCH, Welcome};
use shared::operations::daemon::DaemonRestarting;
use shared::{Fault, FaultKind};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use wayhaven_shared as shared;

/// Longer than a daemon takes to drain, to bring a store up to date and to begin.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks: another process's socket makes no event that could be waited for.
const PAUSE: Duration = Duration::from_millis(25);

/// The same for another machine, where each look is a whole ssh.
const PAUSE_THERE: Duration = Duration::from_secs(1);

/// Fills in how long it was away and which version is back.
///
/// # Errors
/// It ended and did not start, or took too long.
pub(crate) async fn follow(
    client: &Client,
    place: &Place,
    restarting: &DaemonRestarting,
    patience: Duration,
) -> Result<DaemonRestarting, Fault> {
    let deadline = Instant::now() + patience;
    let ran_out =
        || did_not_start(place, &format!("it does not answer again within {} s", patience.as_secs()));
    let mut cursor = None;
    // The old one drains, and this connection ends with it.
    while client.welcome().start == restarting.start {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = left.min(Duration::from_millis(LONGEST_WATCH));
        match client.watch(cursor, wait).await {
            Ok(_) if left.is_zero() => return Err(ran_out()),
            Ok(watched) => cursor = Some(watched.cursor),
            Err(_) => break,
        }
        // It answers at once where it has much to tell, or is about to go.
        sleep(PAUSE).await;
    }
    let pause = match place {
        Place::Here(_) => PAUSE,
        Place::There(_) => PAUSE_THERE,
    };
    let mut answered = Instant::now();
    let Welcome { version, .. } = loop {
        match place.connect(ClientSurface::Cli).await {
            Ok(client) if client.welcome().start != restarting.start => break client.welcome().clone(),
            // The old one still drains.
            Ok(_) => answered = Instant::now(),
            Err(fault) if fault.kind == FaultKind::Unreachable && is_gone(place, restarting.pid) => {
                return Err(did_not_start(place, "it ended and did not start again"));
            }
            Err(_) => {}
        }
        if Instant::now() > deadline {
            return Err(ran_out());
        }
        sleep(pause).await;
    };
    let away = u64::try_from(answered.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(DaemonRestarting { away_ms: Some(away), version: Some(version), ..restarting.clone() })
}

/// Whether there is no such process any more; on another machine nobody can tell.
fn is_gone(place: &Place, pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).filter(|_| matches!(place, Place::Here(_)));
    pid.is_some_and(|pid| test_kill_process(pid) == Err(Errno::SRCH))
}

fn did_not_start(place: &Place, what: &str) -> Fault {
    let log = match place {
        Place::Here(layout) => layout.logs.join("wayhaven.log").display().to_string(),
        Place::There(_) => "wayhaven paths there says where it lies".to_owned(),
    };
    Fault::new(FaultKind::Unreachable, format!("the daemon was to restart: {what}"))
        .hint(format!("the log tells why: {log}"))
        .hint("start it with: wayhavend run")
}
