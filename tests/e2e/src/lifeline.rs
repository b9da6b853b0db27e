//! A process that ends with the one that started it, however that ends: also after `kill -9`, when nobody is left to tell
//! it anything. The demo gives its own process id to what it starts, and that looks whether it is still its parent. It
//! holds across `daemon restart` too, which keeps the process and its environment.

use rustix::process::{Pid, Signal, getpid, getppid, kill_process};
use std::process::Command;
use std::time::Duration;

/// The variable with the parent's process id.
const PARENT: &str = "DEMO_PARENT";

/// Between two looks at the parent: its end makes no event for a process that is not its parent.
const INTERVAL: Duration = Duration::from_millis(250);

/// How long an orderly end may take: longer than a daemon drains.
const MAX_END: Duration = Duration::from_secs(15);

/// Has a command's process end with this one.
pub(crate) fn tie(command: &mut Command) {
    command.env(PARENT, std::process::id().to_string());
}

/// Watches the parent, where this process was tied to one.
pub(crate) fn watch() {
    let parent = std::env::var(PARENT).ok().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
    let Some(parent) = parent else { return };
    let watch = move || {
        while getppid() == Some(parent) {
            std::thread::sleep(INTERVAL);
        }
        // In order, if that is possible; the signals are handled wherever there is something to put in order.
        let _ = kill_process(getpid(), Signal::TERM);
        std::thread::sleep(MAX_END);
        std::process::exit(1);
    };
    // Without the thread it only outlives a parent that was killed.
    let _ = std::thread::Builder::new().name("lifeline".into()).spawn(watch);
}
