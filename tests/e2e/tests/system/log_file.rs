//! SIGHUP where the log cannot be opened again, or others can read the new one (FAULTS 46).

use crate::setting::{Setting, options, program};
use rustix::process::Signal;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};
use wayhaven_e2e::Home;
use wayhaven_e2e::process::PATIENCE;
use wayhaven_sandbox::Sandbox;

async fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} never came");
        // Another process's file makes no event that could be waited for.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// How the log stands, as `status` shows it.
fn part(home: &Home) -> (String, String) {
    let status = home.wayhaven(&["status", "--json"]).unwrap().json();
    let parts = status["data"]["components"].as_array().cloned().unwrap_or_default();
    let log = parts.into_iter().find(|part| part["name"] == "log").unwrap_or_default();
    let word = |field: &str| log[field].as_str().unwrap_or_default().to_owned();
    (word("health"), word("details"))
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_46_a_log_that_cannot_be_opened_again_is_told_of_until_it_is_mended() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap();
    let errors = home.path().join("errors");
    let mut daemon = home.start_into(File::create(&errors).unwrap()).unwrap();
    daemon.ready().await.unwrap();
    let logs = home.layout().unwrap().logs;
    let log = logs.join("wayhaven.log");
    let elsewhere = home.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    let lay: [(&str, &Path, &dyn Fn()); 4] = [
        ("it is a symbolic link", &log, &|| std::os::unix::fs::symlink(&elsewhere, &log).unwrap()),
        ("it is a FIFO", &log, &|| {
            assert!(std::process::Command::new("mkfifo").arg(&log).status().unwrap().success());
        }),
        ("it is a directory", &log, &|| fs::create_dir(&log).unwrap()),
        ("logs is a regular file", &logs, &|| fs::write(&logs, "").unwrap()),
    ];
    for (turn, (what, place, lay)) in lay.into_iter().enumerate() {
        until("a healthy log", || part(&home).0 == "healthy").await;
        let moved = home.path().join(format!("moved-{turn}"));
        fs::rename(place, &moved).unwrap();
        lay();
        let before = read(&errors).len();
        daemon.signal(Signal::HUP).unwrap();
        let fix = format!("mv {0} {0}.aside", place.display());
        let old = if place == logs { moved.join("wayhaven.log") } else { moved };
        let told = |text: &str| {
            text.lines().any(|line| line.contains(" - WARN - ") && line.contains(what) && line.contains(&fix))
        };
        until(what, || told(&read(&errors)[before..]) && told(&read(&old))).await;
        until("the part in status", || part(&home).0 == "warning").await;
        assert!(part(&home).1.contains(what) && part(&home).1.contains(&fix), "{:?}", part(&home));
        // The hint, as somebody would paste it.
        assert!(std::process::Command::new("sh").args(["-c", &fix]).status().unwrap().success());
        daemon.signal(Signal::HUP).unwrap();
        until("a new log", || read(&log).contains("is written again")).await;
        fs::rename(format!("{}.aside", place.display()), home.path().join(format!("aside-{turn}"))).unwrap();
    }
    until("a healthy log", || part(&home).0 == "healthy").await;
    assert_eq!(read(&elsewhere), "");
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_46_sighup_warns_of_a_log_that_others_can_read_as_a_start_does() {
    let setting = Setting::new(options(1)).await;
    let logs = setting.home.layout().unwrap().logs;
    let log = logs.join("wayhaven.log");
    fs::set_permissions(&log, Permissions::from_mode(0o666)).unwrap();
    fs::set_permissions(&logs, Permissions::from_mode(0o777)).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&log, Some(4321), None).unwrap();
    }
    setting.daemon.signal(Signal::HUP).unwrap();
    until("SIGHUP", || read(&log).contains("SIGHUP: ")).await;
    let text = read(&log);
    let of_file = if rustix::process::geteuid().is_root() { "belongs to user 4321" } else { "chmod 600" };
    for words in [&format!("chmod 700 {}", logs.display()), of_file] {
        let told = text.lines().any(|line| line.contains(" - WARN - ") && line.contains(words));
        assert!(told, "{words} in {text}");
    }
    let reload = setting.home.wayhaven(&["daemon", "reload"]).unwrap();
    assert!(reload.stderr.contains("chmod 700"), "{reload:?}");
}
