//! Terminals as they are: without a size, with a locale of another time, resized while somebody types, stopped with ^Z and
//! closed.

use crate::setting::{Setting, options, program};
use crate::streams::on_a_terminal;
use crate::terminal::{Terminal, named};
use portable_pty::CommandBuilder;
use rustix::process::{Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use wayhaven_e2e::process::PATIENCE;

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_without_a_size_shows_the_console_and_one_that_is_too_small_takes_no_keys() {
    let setting = Setting::new(options(1)).await;
    let mut terminal = Terminal::sized(&setting, 0, 0);
    terminal.shows(&["LIVE", "observe", "? help"]);
    terminal.resize(40, 120);
    terminal.until("the whole of the new size", |screen| {
        screen.rows(0, 120).nth(39).is_some_and(|line| line.contains("? help"))
    });
    terminal.press(":quit\r");
    assert_eq!(terminal.ended(), 0);

    let user = setting.member(0);
    let mut terminal = Terminal::sized(&setting, 4, 30);
    terminal.shows(&["30x4 is too small", "q leaves"]);
    // Nobody can see what is typed here.
    terminal.press(&format!(":write\r:--guild={} ban {user}\ry", setting.main));
    terminal.resize(24, 80);
    terminal.shows(&["LIVE", "observe", "? help"]);
    assert_eq!(setting.sandbox.effect_count(), 0);
    let mut terminal = Terminal::sized(&setting, 1, 1);
    // Before the console has the terminal, the terminal itself shows what is typed.
    let shows = |terminal: &Terminal, sign: &'static str| {
        terminal.until(sign, |screen| screen.alternate_screen() && screen.contents().contains(sign));
    };
    shows(&terminal, "1");
    // Leaving is asked twice.
    terminal.press("q");
    shows(&terminal, "q");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    let mut terminal = Terminal::with(&setting, u16::MAX, u16::MAX, &[]);
    terminal.press(":quit\r");
    assert_eq!(terminal.ended(), 0, "no memory is taken for what no screen shows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locale_or_a_terminal_that_shows_no_utf_8_gets_ascii() {
    let setting = Setting::new(options(1)).await;
    let variables = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (environment, ascii) in [
        (&[("LC_ALL", "C")][..], true),
        (&[("LANG", "de_DE.ISO-8859-1")], true),
        (&[("LC_CTYPE", "POSIX"), ("LANG", "en_GB.UTF-8")], true),
        (&[("TERM", "dumb")], true),
        (&[("LC_ALL", "C.UTF-8"), ("LANG", "C")], false),
        (&[], false),
    ] {
        let mut terminal = Terminal::with(&setting, 24, 80, &variables(environment));
        terminal.press(":");
        terminal.shows(&["Tab completes"]);
        terminal.until("its signs", |screen| screen.contents().is_ascii() == ascii);
        terminal.press("\u{1b}");
        let mut command = CommandBuilder::new(named(setting.home.path(), "wayhaven"));
        command.args(["setup", "dashboard"]);
        command.env_clear();
        command.env("WAYHAVEN_HOME", setting.home.path());
        command.env("TERM", "xterm-256color");
        environment.iter().for_each(|(name, value)| command.env(name, value));
        let terminal = Terminal::running(command, 24, 80);
        terminal.shows(&["ru-gaming"]);
        terminal.until("its signs", |screen| screen.contents().is_ascii() == ascii);
    }
    // What is piped is for another program, whatever the terminal shows.
    let mut command = setting.home.command("wayhaven");
    let piped = command.args(["setup", "dashboard"]).env("LC_ALL", "C").output().unwrap();
    assert!(!String::from_utf8(piped.stdout).unwrap().is_ascii());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_that_is_pressed_during_a_resize_is_lost() {
    let setting = Setting::new(options(1)).await;
    let mut terminal = Terminal::sized(&setting, 24, 80);
    terminal.shows(&["LIVE"]);
    terminal.press(":");
    terminal.shows(&["Tab completes"]);
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    for (turn, letter) in letters.iter().enumerate() {
        let more = u16::try_from(turn % 2).unwrap();
        terminal.resize(24 + more, 80 + more);
        terminal.press(&letter.to_string());
    }
    let all: String = letters.iter().collect();
    terminal.shows(&[&format!(":{all}")]);
}

/// An interactive shell, which knows of jobs.
fn shell(directory: &Path, environment: &[(&str, &str)]) -> Option<Terminal> {
    let bash = Command::new("bash").args(["-c", "exit"]).status();
    if bash.is_err() {
        // Without a shell there is nobody who stops and continues jobs.
        return None;
    }
    let mut command = CommandBuilder::new("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env_clear();
    command.env("PATH", std::env::var("PATH").unwrap_or_default());
    command.env("TERM", "xterm-256color");
    command.env("PS1", "shell> ");
    command.env("HOME", directory);
    environment.iter().for_each(|(name, value)| command.env(name, value));
    let terminal = Terminal::running(command, 24, 80);
    terminal.shows(&["shell> "]);
    Some(terminal)
}

#[tokio::test(flavor = "multi_thread")]
async fn control_z_stops_the_console_with_whatever_has_started_it_and_fg_goes_on() {
    let setting = Setting::new(options(1)).await;
    let home = setting.home.path().display().to_string();
    let console = named(setting.home.path(), "wayhaven").display().to_string();
    let Some(mut terminal) = shell(setting.home.path(), &[("WAYHAVEN_HOME", &home)]) else { return };
    // By itself, and started by something that waits for it.
    for line in [console.clone(), format!("sh -c '{console}; true'")] {
        terminal.press(&format!("{line}\r"));
        terminal.shows(&["LIVE", "observe"]);
        terminal.press("\u{1a}");
        terminal
            .until("the shell", |screen| !screen.alternate_screen() && screen.contents().contains("Stopped"));
        terminal.press("fg\r");
        terminal
            .until("the console", |screen| screen.alternate_screen() && screen.contents().contains("LIVE"));
        terminal.press(":quit\r");
        terminal.until("the shell again", |screen| !screen.alternate_screen());
        terminal.press("clear\r");
        terminal.until("an empty screen", |screen| !screen.contents().contains("Stopped"));
    }
}

/// Waits until a demo whose temporary directory lies there has a daemon; the lock that the daemon holds.
async fn daemon_of_demo(temporary: &Path) -> PathBuf {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let homes = std::fs::read_dir(temporary).unwrap().map_while(Result::ok);
        let mut locks = homes.map(|home| home.path().join("state/wayhavend.lock"));
        if let Some(lock) = locks.find(|lock| std::fs::read_to_string(lock).is_ok_and(|pid| !pid.is_empty()))
        {
            return lock;
        }
        assert!(Instant::now() < deadline, "the demo has no daemon");
        // Another process's files make no event that could be waited for.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the daemon that holds a lock has ended, whether its directory is there still or not.
fn ended(lock: &File) {
    lock.lock().unwrap();
}

fn demo_on_a_terminal(temporary: &Path) -> (std::process::Child, rustix::process::Pid) {
    let mut environment = Command::new("unused");
    environment.env("TMPDIR", temporary).env("TERM", "xterm-256color");
    environment.env("PATH", std::env::var("PATH").unwrap_or_default());
    on_a_terminal(program(), "", &environment)
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_demos_terminal_or_killing_it_ends_its_daemon() {
    for kill in [false, true] {
        let temporary = tempfile::tempdir().unwrap();
        let (mut holder, demo) = demo_on_a_terminal(temporary.path());
        let lock = daemon_of_demo(temporary.path()).await;
        let daemon = File::open(&lock).unwrap();
        if kill {
            kill_process(demo, Signal::KILL).unwrap();
        } else {
            holder.kill().unwrap();
        }
        tokio::task::spawn_blocking(move || ended(&daemon)).await.unwrap();
        if kill {
            holder.kill().unwrap();
        }
        holder.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn control_z_stops_the_demo_and_fg_goes_on() {
    let temporary = tempfile::tempdir().unwrap();
    let directory = temporary.path().display().to_string();
    let Some(mut terminal) = shell(temporary.path(), &[("TMPDIR", &directory)]) else { return };
    terminal.press(&format!("{}\r", program().display()));
    terminal.shows(&["LIVE", "observe"]);
    terminal.press("\u{1a}");
    terminal.until("the shell", |screen| !screen.alternate_screen() && screen.contents().contains("Stopped"));
    terminal.press("fg\r");
    terminal.until("the console", |screen| screen.alternate_screen() && screen.contents().contains("LIVE"));
    let lock = File::open(daemon_of_demo(temporary.path()).await).unwrap();
    terminal.press(":quit\r");
    terminal.until("the shell again", |screen| !screen.alternate_screen());
    tokio::task::spawn_blocking(move || ended(&lock)).await.unwrap();
}
