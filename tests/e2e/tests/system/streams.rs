//! Standard streams that are gone or that nobody reads, and a log that is rotated (FAULTS 46, 47).

use crate::setting::{Setting, guild, options, program};
use crate::terminal::named;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask, settled};
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::client::Client;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::daemon::DaemonReload;
use wayhaven_shared::operations::status::Status;
use wayhaven_shared::value::UserId;

fn log_file(home: &Home) -> PathBuf {
    home.layout().unwrap().logs.join("wayhaven.log")
}

/// Waits until a file has all of these words.
async fn until_logged(file: &Path, words: &[&str]) -> String {
    let logged = async {
        loop {
            let text = std::fs::read_to_string(file).unwrap_or_default();
            if words.iter().all(|word| text.contains(word)) {
                return text;
            }
            // Another process's file makes no event that could be waited for.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let logged = tokio::time::timeout(PATIENCE, logged).await;
    logged.unwrap_or_else(|_| panic!("{words:?} in {}", std::fs::read_to_string(file).unwrap_or_default()))
}

/// A daemon whose standard error is a pipe.
async fn piped(sandbox: &Sandbox, level: &str) -> (Home, DaemonProcess, Client, PipeReader) {
    let mut home = Home::in_memory(program(), sandbox).unwrap().with("LOG_LEVEL", Some(level));
    // Each of them is a warning whenever the settings are read.
    for name in ["DATABASE_URL", "CLIENT_ID"] {
        home.set(name, Some("5"));
    }
    std::fs::write(home.path().join(".env"), "DATABASE_URL=5\nCLIENT_ID=5\n").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = home.command("wayhavend");
    command.arg("run").stdout(writer.try_clone().unwrap()).stderr(writer);
    let mut daemon = home.start_as(command).unwrap();
    let client = daemon.ready().await.unwrap();
    (home, daemon, client, reader)
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_47_a_daemon_outlives_the_reader_of_its_standard_error() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let (home, mut daemon, client, reader) = piped(&sandbox, "info").await;
    let mut reader = BufReader::new(reader);
    let mut first = String::new();
    reader.read_line(&mut first).unwrap();
    assert!(first.contains(" - wayhaven - "), "lines come there too: {first}");
    drop(reader);
    for _ in 0..12 {
        client.call(DaemonReload {}).await.unwrap();
    }
    daemon.signal(Signal::HUP).unwrap();
    until_logged(
        &log_file(&home),
        &["SIGHUP: ", "standard error cannot be written", "10 lines are missing there"],
    )
    .await;
    client.call(Status {}).await.unwrap();
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    let log = std::fs::read_to_string(log_file(&home)).unwrap();
    assert!(log.trim_end().ends_with("missing there at the end"), "the total is told: {log}");
    assert!(!log.contains("panic"), "{log}");
}

/// How often the settings are read again by the test below.
const RELOADS: usize = 500;

#[tokio::test(flavor = "multi_thread")]
async fn fault_47_a_pipe_that_nobody_reads_neither_blocks_the_daemon_nor_its_end() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let (home, mut daemon, client, reader) = piped(&sandbox, "debug").await;
    // Five lines each: more than fits into the pipe and the queue before it.
    for _ in 0..RELOADS {
        client.call(DaemonReload {}).await.unwrap();
    }
    until_logged(&log_file(&home), &["standard error cannot be written (it takes no more lines)"]).await;
    let main = guild(sandbox.main_guild());
    let user = UserId::new(sandbox.members(main.get())[0]).unwrap();
    let id = ask(&client, main, Ban::new(user)).await.unwrap().punishment.unwrap().id;
    settled(&client, id).await.unwrap();
    assert!(sandbox.is_banned(main.get(), user.get()));
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    let log = std::fs::read_to_string(log_file(&home)).unwrap();
    let reloads = log.lines().filter(|line| line.contains("daemon reload: ")).count();
    assert_eq!(reloads, RELOADS, "the file has every line");
    assert!(log.trim_end().ends_with("missing there at the end"), "{log}");
    drop(reader);
}

/// Set in the process that holds the terminal of another one: the program, and what of its environment it is given.
const HOLDS: &str = "TEST_HOLDS_TERMINAL_OF";

/// Not a test of its own: a process that has a terminal with a program on it, until it is killed.
#[test]
fn holds_a_terminal() {
    let Some(program) = std::env::var_os(HOLDS) else { return };
    let page = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(page).unwrap();
    let mut command = CommandBuilder::new(program);
    command.args(std::env::var("TEST_ARGUMENTS").unwrap_or_default().split_whitespace());
    let child = pty.slave.spawn_command(command).unwrap();
    println!("\npid={}", child.process_id().unwrap());
    let mut output = pty.master.try_clone_reader().unwrap();
    let mut bytes = [0; 4096];
    while let Ok(1..) = output.read(&mut bytes) {}
}

/// A program on a terminal that belongs to another process: killing that closes the terminal. That process, and the
/// program's id.
pub(crate) fn on_a_terminal(
    program: &Path,
    arguments: &str,
    environment: &Command,
) -> (std::process::Child, Pid) {
    let mut holder = Command::new(std::env::current_exe().unwrap());
    holder.args(["--exact", "--nocapture", "streams::holds_a_terminal"]).env_clear();
    for (name, value) in environment.get_envs() {
        value.map(|value| holder.env(name, value));
    }
    holder.env(HOLDS, program).env("TEST_ARGUMENTS", arguments);
    let mut holder = holder.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
    let pid = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("pid=").map(str::to_owned));
    let pid = Pid::from_raw(pid.unwrap().parse().unwrap()).unwrap();
    (holder, pid)
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_47_a_daemon_outlives_its_terminal() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap();
    let (mut holder, pid) =
        on_a_terminal(&named(home.path(), "wayhavend"), "run", &home.command("wayhavend"));
    until_logged(&log_file(&home), &[" - INFO - started"]).await;
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The terminal's end sends SIGHUP, which reads the settings again; the lines of that find no terminal any more.
    let log = until_logged(&log_file(&home), &["SIGHUP: ", "standard error cannot be written"]).await;
    assert!(!log.contains("panic"), "{log}");
    assert_eq!(home.wayhaven(&["status"]).unwrap().code, Some(0));
    kill_process(pid, Signal::TERM).unwrap();
    until_logged(&log_file(&home), &[" - INFO - stopped"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_47_a_daemon_runs_without_any_of_the_standard_streams() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap();
    let mut shell = Command::new("sh");
    shell.env_clear();
    for (name, value) in home.command("sh").get_envs() {
        value.map(|value| shell.env(name, value));
    }
    shell.args(["-c", "exec \"$0\" run <&- >&- 2>&-"]).arg(named(home.path(), "wayhavend"));
    let mut daemon = home.start_as(shell).unwrap();
    let client = daemon.ready().await.unwrap();
    // No file of the daemon's has taken the place of a stream.
    client.call(DaemonReload {}).await.unwrap();
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    assert_eq!(home.wayhavend(&["check"], "").unwrap().code, Some(0), "the store is whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_program_panics_where_nobody_reads_what_it_writes() {
    let setting = Setting::new(options(1)).await;
    let gone = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        writer
    };
    for (part, line, expected) in [
        ("wayhaven", "--help", 0),
        ("wayhaven", "--version", 0),
        ("wayhaven", "completions bash", 0),
        ("wayhaven", "status", 0),
        ("wayhaven", "status --json", 0),
        ("wayhaven", "audit log", 0),
        ("wayhaven", "audit export", 0),
        ("wayhaven", "paths", 0),
        ("wayhaven", "nonsense", 2),
        ("wayhaven", "job show 99", 5),
        ("wayhavend", "--help", 0),
        ("wayhavend", "check", 0),
        ("wayhavend", "check --json", 0),
        ("wayhavend", "token check", 0),
        ("wayhavend", "nonsense", 2),
        ("wayhavend", "run", 1),
    ] {
        let mut command = setting.home.command(part);
        let status = command.args(line.split(' ')).stdout(gone()).stderr(gone()).status().unwrap();
        assert_eq!(status.code(), Some(expected), "{part} {line}");
    }
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (part, line) in [("wayhaven", "status"), ("wayhavend", "check"), ("wayhavend", "--help")] {
        let mut command = setting.home.command(part);
        let output = command.args(line.split(' ')).stdout(full()).output();
        let said =
            output.as_ref().map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap();
        assert_eq!(output.unwrap().status.code(), Some(1), "{part} {line}: {said}");
        assert!(said.contains("standard output cannot be written"), "{part} {line}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_46_sighup_goes_on_in_a_new_log_and_old_ones_of_other_modes_do_not_matter() {
    let mut setting = Setting::new(options(1)).await;
    let log = log_file(&setting.home);
    let rotated = log.with_extension("log.1");
    std::fs::rename(&log, &rotated).unwrap();
    setting.daemon.signal(Signal::HUP).unwrap();
    let text = until_logged(&log, &["SIGHUP: "]).await;
    assert!(!text.contains(" - INFO - started"), "{text}");
    assert!(!std::fs::read_to_string(&rotated).unwrap().contains("SIGHUP"));
    // As logrotate's create and compress leave them.
    use std::os::unix::fs::PermissionsExt;
    for (file, mode) in [(&log, 0o640), (&rotated, 0o644)] {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&rotated, Some(4321), Some(4321)).unwrap();
    }
    assert_eq!(setting.daemon.terminate().await.unwrap().code(), Some(0));
    setting.restart().await;
    until_logged(&log, &["wayhaven.log.1 ", " - WARN - ", " - INFO - started"]).await;
    let check = setting.home.wayhavend(&["check"], "").unwrap();
    assert_eq!(check.code, Some(0), "{}", check.stdout);
    assert!(check.stdout.contains("note: ") && check.stdout.contains("wayhaven.log.1"), "{}", check.stdout);
}
