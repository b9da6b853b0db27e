//! A daemon whose socket was removed (FAULTS 48): what everybody is told, and the way out.

use crate::setting::{Setting, options};
use std::process::Command;
use std::time::Instant;
use wayhaven_e2e::process::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn fault_48_both_messages_name_each_other_and_the_command_that_helps() {
    let setting = Setting::new(options(1)).await;
    let layout = setting.home.layout().unwrap();
    let pid = setting.daemon.pid().to_string();
    let help = format!("kill -HUP {pid}");
    std::fs::remove_dir_all(layout.socket.parent().unwrap()).unwrap();

    let status = setting.home.wayhaven(&["status"]).unwrap();
    assert_eq!(status.code, Some(7));
    for words in ["no daemon answers at", &format!("a daemon, pid {pid}, runs on"), &help] {
        assert!(status.stderr.contains(words), "{words} in {}", status.stderr);
    }
    assert!(status.stderr.contains(&layout.state.display().to_string()), "{}", status.stderr);
    let second = setting.home.wayhavend(&["run"], "").unwrap();
    assert_eq!(second.code, Some(1));
    for words in [&format!("another daemon, pid {pid}, runs on"), "no daemon answers at", &help] {
        assert!(second.stderr.contains(words), "{words} in {}", second.stderr);
    }
    let check = setting.home.wayhavend(&["check"], "").unwrap();
    assert!(check.stdout.contains(&help), "{}", check.stdout);

    // The hint, as somebody would paste it.
    let line = status.stderr.lines().find_map(|line| line.split_once(": kill ")).unwrap().1;
    let pasted = format!("kill {line}");
    assert!(Command::new("sh").args(["-c", &pasted]).status().unwrap().success(), "{pasted}");
    let deadline = Instant::now() + PATIENCE;
    while setting.home.wayhaven(&["status"]).unwrap().code != Some(0) {
        assert!(Instant::now() < deadline, "the socket was never made again");
    }
}
