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

#[tokio::test(flavor = "multi_thread")]
async fn fault_48_what_lies_in_the_place_of_the_directory_is_named_and_not_touched() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let setting = Setting::new(options(1)).await;
    let layout = setting.home.layout().unwrap();
    let run = layout.socket.parent().unwrap();
    let pid = setting.daemon.pid().to_string();
    let elsewhere = setting.home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let file = || {
        std::fs::write(run, "x").unwrap();
        std::fs::set_permissions(run, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    let link = || symlink(&elsewhere, run).unwrap();
    for (what, lay) in [("a regular file", &file as &dyn Fn()), ("a symbolic link", &link)] {
        std::fs::remove_dir_all(run).unwrap();
        lay();
        let before = std::fs::symlink_metadata(run).unwrap();
        setting.daemon.signal(rustix::process::Signal::HUP).unwrap();
        let log = || std::fs::read_to_string(layout.logs.join("wayhaven.log")).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let named = format!("{} is {what}, where a directory should be", run.display());
        while !log().contains(&named) {
            assert!(Instant::now() < deadline, "{named} in {}", log());
        }
        let after = std::fs::symlink_metadata(run).unwrap();
        assert_eq!((after.mode(), after.len()), (before.mode(), before.len()), "{what} is not touched");
        assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0, "and not followed");

        let status = setting.home.wayhaven(&["status"]).unwrap();
        assert_eq!(status.code, Some(7));
        let second = setting.home.wayhavend(&["run"], "").unwrap();
        let check = setting.home.wayhavend(&["check"], "").unwrap();
        assert_eq!((second.code, check.code), (Some(1), Some(1)));
        for text in [&status.stderr, &check.stdout] {
            assert!(text.contains(&named), "{text}");
        }
        assert!(!status.stderr.contains("within a minute"), "{}", status.stderr);
        let fix = format!("mv {0} {0}.aside && kill -HUP {pid}", run.display());
        assert!(status.stderr.contains(&fix), "{}", status.stderr);
        assert!(Command::new("sh").args(["-c", &fix]).status().unwrap().success());
        let deadline = Instant::now() + PATIENCE;
        while setting.home.wayhaven(&["status"]).unwrap().code != Some(0) {
            assert!(Instant::now() < deadline, "the socket was never made again");
        }
        std::fs::remove_file(run.with_extension("aside")).unwrap();
    }
}
