//! The socket's file, after somebody removed, replaced or changed it (FAULTS 48).

use super::{client, door};
use crate::surfaces::socket::limits::Limits;
use crate::surfaces::socket::{Listening, bind, who_listens};
use crate::testing::{PATIENCE, TestDaemon, sandbox};
use std::fs::{self, Permissions};
use std::io::BufRead;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::net::UnixStream;
use wayhaven_shared::client::Client;
use wayhaven_shared::control::ClientSurface;
use wayhaven_shared::operations::status::Status;

/// Waits until a daemon answers at a path.
async fn until_answered(path: &Path) {
    let answered = async {
        while Client::connect(path, ClientSurface::Cli).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, answered).await.is_ok(), "nobody answers at {}", path.display());
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let held = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, held).await.is_ok(), "{what}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn fault_48_a_socket_that_was_removed_or_replaced_is_made_again_and_connections_go_on() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let before = client(&test).await;
    let path = test.systems.services.layout().socket.clone();
    let directory = path.parent().unwrap().to_owned();
    let another_socket = || {
        fs::remove_file(&path).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    };
    let harms: [(&str, &dyn Fn()); 4] = [
        ("directory removed", &|| fs::remove_dir_all(&directory).unwrap()),
        ("socket removed", &|| fs::remove_file(&path).unwrap()),
        ("another file", &|| {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "x").unwrap();
        }),
        ("another socket", &another_socket),
    ];
    for (what, harm) in harms {
        harm();
        assert!(UnixStream::connect(&path).await.is_err(), "{what}");
        // What SIGHUP does.
        test.systems.services.lifecycle().hang_up();
        until_answered(&path).await;
        assert_eq!((mode(&path), mode(&directory)), (0o660, 0o750), "{what}");
        before.call(Status {}).await.unwrap();
    }
}

#[tokio::test]
async fn fault_48_what_is_in_the_place_of_the_directory_is_not_touched_or_followed() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = test.systems.services.layout().socket.clone();
    let directory = path.parent().unwrap().to_owned();
    let elsewhere = directory.with_extension("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let file = || {
        fs::write(&directory, "x").unwrap();
        fs::set_permissions(&directory, Permissions::from_mode(0o644)).unwrap();
    };
    let link = || std::os::unix::fs::symlink(&elsewhere, &directory).unwrap();
    for lay in [&file as &dyn Fn(), &link] {
        fs::remove_dir_all(&directory).unwrap();
        lay();
        let before = fs::symlink_metadata(&directory).unwrap();
        // A second socket of the daemon's shows that the check is over: both follow the same word, one after another.
        let beside = door(&test, Limits::default());
        until_answered(&beside).await;
        fs::remove_file(&beside).unwrap();
        test.systems.services.lifecycle().hang_up();
        until_answered(&beside).await;
        let after = fs::symlink_metadata(&directory).unwrap();
        assert_eq!(after.permissions(), before.permissions());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        let refused = bind(&path).unwrap_err();
        assert!(refused.to_string().contains("where a directory should be"), "{refused}");
        fs::remove_file(&directory).unwrap();
        test.systems.services.lifecycle().hang_up();
        until_answered(&path).await;
    }
}

#[tokio::test]
async fn fault_48_the_interval_finds_it_too_and_loose_modes_are_corrected() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let limits = Limits { socket_check: Duration::from_millis(1), ..Limits::default() };
    let path = door(&test, limits);
    until_answered(&path).await;
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
    until_answered(&path).await;
    for (place, loose, tight) in [(path.as_path(), 0o666, 0o660), (path.parent().unwrap(), 0o777, 0o750)] {
        fs::set_permissions(place, Permissions::from_mode(loose)).unwrap();
        until(&format!("{} stays open", place.display()), || mode(place) == tight).await;
    }
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    until("its group stays out", || mode(&path) == 0o660).await;
    until_answered(&path).await;
}

/// Set in the process that listens on a socket: its path.
const LISTENS: &str = "TEST_LISTENS_AT";

/// Not a test of its own: another process that listens on a socket.
#[test]
fn listens_until_its_input_ends() {
    let Some(path) = std::env::var_os(LISTENS) else { return };
    let _listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    println!("\nit listens");
    std::io::read_to_string(std::io::stdin()).unwrap();
}

#[tokio::test]
async fn fault_48_a_socket_on_which_another_process_listens_is_left_alone() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let path = test.systems.services.layout().socket.clone();
    fs::remove_file(&path).unwrap();
    // Another process, since who listens is told by the process.
    let mut other = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "surfaces::socket::tests::removed::listens_until_its_input_ends"])
        .env(LISTENS, &path)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line == "it listens"));
    let pid = Some(other.id());
    assert_eq!(who_listens(&path).await, Listening::Other(pid));
    test.systems.services.lifecycle().hang_up();
    // A second socket of the daemon's shows that the check is over: both follow the same word, one after another.
    let beside = door(&test, Limits::default());
    until_answered(&beside).await;
    fs::remove_file(&beside).unwrap();
    test.systems.services.lifecycle().hang_up();
    until_answered(&beside).await;
    assert_eq!(who_listens(&path).await, Listening::Other(pid), "it has its socket still");
    drop(other.stdin.take());
    other.wait().unwrap();
    test.systems.services.lifecycle().hang_up();
    until_answered(&path).await;
}

#[tokio::test]
async fn who_listens_is_told_by_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    assert_eq!(who_listens(&path).await, Listening::Nobody);
    let listener = bind(&path).unwrap();
    assert_eq!(who_listens(&path).await, Listening::This);
    drop(listener);
    assert_eq!(who_listens(&path).await, Listening::Nobody, "what is left over is nobody's");
}
