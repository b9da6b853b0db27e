//! A daemon on another machine. The other machine is this one: `ssh` is a script on the PATH that runs what it is asked
//! to run in the daemon's environment, and everything behind it is real.

use crate::setting::{Setting, options, program};
use crate::terminal::Terminal;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;

const SSH: &str = r#"#!/bin/sh
echo "$*" >> "$FAKE/asked"
echo "$$" > "$FAKE/pid"
if [ -e "$FAKE/fails" ]; then
    cat "$FAKE/says" >&2
    exit "$(cat "$FAKE/fails")"
fi
while [ "$1" != "--" ]; do shift; done
shift 2
WAYHAVEN_HOME="$(cat "$FAKE/there")" exec "$@"
"#;

/// The way there.
struct Way(TempDir);

impl Way {
    /// Leads to the daemon of this home.
    fn to(home: &Path) -> Self {
        let place = tempfile::Builder::new().prefix("wayhaven-").tempdir().unwrap();
        let ssh = place.path().join("ssh");
        std::fs::write(&ssh, SSH).unwrap();
        std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink(program(), place.path().join("wayhaven")).unwrap();
        std::fs::write(place.path().join("there"), home.to_str().unwrap()).unwrap();
        Self(place)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn fails(&self, code: i32, says: &str) {
        std::fs::write(self.path().join("fails"), code.to_string()).unwrap();
        std::fs::write(self.path().join("says"), says).unwrap();
    }

    /// What ssh was called with so far.
    fn asked(&self) -> String {
        std::fs::read_to_string(self.path().join("asked")).unwrap_or_default()
    }

    /// The environment of whoever goes it, with no daemon of their own.
    fn environment(&self) -> Vec<(String, String)> {
        let here = self.path().display().to_string();
        let path = format!("{here}:{}", std::env::var("PATH").unwrap());
        [("PATH", path), ("FAKE", here.clone()), ("WAYHAVEN_HOME", format!("{here}/own"))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn run(&self, setting: &Setting, arguments: &[&str], more: &[(&str, &str)]) -> Output {
        let mut command = setting.home.command("wayhaven");
        command.envs(self.environment()).envs(more.iter().copied()).args(arguments);
        command.output().unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_works_over_ssh_as_it_does_here() {
    let setting = Setting::new(options(2)).await;
    let way = Way::to(setting.home.path());
    let ran = way.run(&setting, &["--host", "ssh://me@box:2222", "status", "--json"], &[]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let status: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(status["data"]["discord"]["state"], "ready");
    assert_eq!(way.asked(), "-T -p 2222 -- me@box wayhaven dial-stdio\n");

    let (main, user) = (setting.main.to_string(), setting.member(0).to_string());
    let ban = ["ban", &user, "--guild", &main, "--wait"];
    let ran = way.run(&setting, &ban, &[("WAYHAVEN_HOST", "ssh://box")]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let children = setting.sandbox.children();
    assert_eq!(setting.sandbox.banned_in(&children, setting.member(0)), 2);
    assert!(way.asked().ends_with("\n-T -- box wayhaven dial-stdio\n"), "{}", way.asked());

    // A list comes through it byte by byte.
    let (here, there) = (way.path().join("here.csv"), way.path().join("there.csv"));
    let into = |file: &Path| format!("--output={}", file.display());
    let (near, far) = (into(&here), into(&there));
    let ran =
        way.run(&setting, &["sync", "export", "--guild", &main, &far], &[("WAYHAVEN_HOST", "ssh://box")]);
    assert_eq!(ran.status.code(), Some(0), "{}", said(&ran));
    let ran = setting.home.wayhaven(&["sync", "export", "--guild", &main, &near]).unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(std::fs::read(here).unwrap(), std::fs::read(there).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_of_not_getting_there_is_named_with_a_way_out() {
    let setting = Setting::new(options(1)).await;
    let way = Way::to(setting.home.path());
    let status = ["--host=ssh://box", "status"];
    let check = |code: i32, words: &[&str], ran: &Output| {
        let said = said(ran);
        assert_eq!(ran.status.code(), Some(code), "{said}");
        assert!(said.contains("hint: "), "{said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{word} in {said}"));
        assert!(!said.contains('\u{1b}'), "{said:?}");
    };
    way.fails(255, "ssh: connect to host box port 22: Connection refused\u{1b}[2J\r\n");
    let refused = "ssh does not reach box: ssh: connect to host box port 22: Connection refused";
    check(7, &[refused, "ssh ssh://box"], &way.run(&setting, &status, &[]));
    way.fails(127, "sh: 1: wayhaven: not found\n");
    check(7, &["box has no wayhaven that can be run", "not found"], &way.run(&setting, &status, &[]));
    std::fs::remove_file(way.path().join("fails")).unwrap();
    std::fs::write(way.path().join("there"), way.path().join("nobody").to_str().unwrap()).unwrap();
    check(7, &["no daemon answers on box", "control.sock"], &way.run(&setting, &status, &[]));
    let empty = way.path().join("own").display().to_string();
    check(7, &["there is no ssh on this machine"], &way.run(&setting, &status, &[("PATH", &empty)]));

    let asked = way.asked();
    check(
        2,
        &["--host", "ssh://USER@HOST"],
        &way.run(&setting, &["--host=ssh://-oProxyCommand=x", "status"], &[]),
    );
    let wrong = [("WAYHAVEN_HOST", "ssh://box;reboot")];
    let ran = way.run(&setting, &["status"], &wrong);
    assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
    assert!(
        said(&ran).contains("WAYHAVEN_HOST in the environment is \"ssh://box;reboot\""),
        "{}",
        said(&ran)
    );
    let ran = way.run(&setting, &["--host=ssh://box", "dial-stdio"], &[]);
    assert_eq!(ran.status.code(), Some(2), "{}", said(&ran));
    assert_eq!(way.asked(), asked, "no ssh was started for these");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_console_over_ssh_connects_again_once_ssh_has_died() {
    let setting = Setting::new(options(2)).await;
    let way = Way::to(setting.home.path());
    let mut environment = way.environment();
    environment.push(("WAYHAVEN_HOST".to_owned(), "ssh://box".to_owned()));
    let mut terminal = Terminal::with(&setting, 24, 80, &environment);
    terminal.shows(&["LIVE"]);
    let pid = std::fs::read_to_string(way.path().join("pid")).unwrap();
    let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    way.fails(255, "box is away\n");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    terminal.shows(&["STALE"]);
    std::fs::remove_file(way.path().join("fails")).unwrap();
    terminal.shows(&["LIVE"]);
    assert!(way.asked().lines().count() >= 2, "{}", way.asked());
    terminal.press(":quit\r");
}
