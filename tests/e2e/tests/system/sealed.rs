//! The token sealed at rest: set, checked, its key rotated, and every file somebody else might read refused.

use crate::kills::{Dice, SEED, seed};
use crate::setting::{options, program};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime};
use wayhaven_e2e::{Finished, Home};
use wayhaven_sandbox::{At, Fault, Sandbox};

/// A sandbox, and a home whose daemon has no token.
async fn bare() -> (Sandbox, Home) {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let home = Home::new(program(), &sandbox).unwrap().with("BOT_TOKEN", None);
    (sandbox, home)
}

/// The same with the token sealed.
async fn sealed() -> (Sandbox, Home) {
    let (sandbox, home) = bare().await;
    let set = home.wayhavend(&["token", "set"], &format!("{}\n", sandbox.token())).unwrap();
    assert_eq!(set.code, Some(0), "{}", set.stderr);
    (sandbox, home)
}

/// `wayhavend` with these arguments, in what it says of which the token is not.
fn says(sandbox: &Sandbox, home: &Home, arguments: &[&str]) -> Finished {
    let finished = home.wayhavend(arguments, "").unwrap();
    for text in [&finished.stdout, &finished.stderr] {
        assert!(!text.contains(sandbox.token()), "{arguments:?}: {text}");
    }
    finished
}

fn refused(sandbox: &Sandbox, home: &Home, arguments: &[&str], named: &[&str]) {
    let finished = says(sandbox, home, arguments);
    assert_eq!(finished.code, Some(1), "{arguments:?}: {}", finished.stdout);
    for word in named {
        assert!(finished.stderr.contains(word), "{word}: {}", finished.stderr);
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_token_runs_the_bot_and_one_that_does_not_open_ends_the_start() {
    let (sandbox, home) = bare().await;
    refused(&sandbox, &home, &["run"], &["no bot token", "hint: wayhavend token set"]);
    for (wrong, why) in [("", "nothing was given"), ("hunter2", "does not look like a bot's token")] {
        let set = home.wayhavend(&["token", "set"], wrong).unwrap();
        assert!(set.code == Some(1) && set.stderr.contains(why), "{}", set.stderr);
        assert!(!set.stderr.contains("hunter2"));
    }
    // On the command line other users would see it.
    let set = says(&sandbox, &home, &["token", "set", sandbox.token()]);
    assert!(set.code == Some(2) && set.stderr.contains("a token is no argument"), "{}", set.stderr);
    let layout = home.layout().unwrap();
    assert!(!layout.sealed_token().exists());

    let set = home.wayhavend(&["token", "set"], sandbox.token()).unwrap();
    let told = format!("{}{}", set.stdout, set.stderr);
    assert!(
        told.contains(&layout.sealed_token().display().to_string()) && !told.contains(sandbox.token()),
        "{told}"
    );
    let mut daemon = home.start().unwrap();
    daemon.ready().await.unwrap();
    let set = home.wayhavend(&["token", "set"], sandbox.token()).unwrap();
    assert!(set.stdout.contains("restart it"), "{}", set.stdout);
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));

    let text = std::fs::read_to_string(layout.sealed_token()).unwrap();
    assert!(!text.contains(sandbox.token()));
    std::fs::write(layout.sealed_token(), text.replace(" 1 ", " 1 f")).unwrap();
    let path = layout.sealed_token().display().to_string();
    refused(&sandbox, &home, &["run"], &[&path, "does not open", "hint: wayhavend token set"]);
    // A stronger place makes no difference to it, and is told of where a token is set.
    let home = home.with("BOT_TOKEN", Some(sandbox.token()));
    let set = home.wayhavend(&["token", "set"], sandbox.token()).unwrap();
    assert!(set.stdout.contains("in the environment (BOT_TOKEN) is stronger"), "{}", set.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_check_tells_whose_it_is_and_what_is_wrong_with_it() {
    let (sandbox, home) = sealed().await;
    let checked = says(&sandbox, &home, &["token", "check"]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let (bot, application) = (sandbox.bot_id().to_string(), sandbox.application_id().to_string());
    for word in [&bot, &application, "sealed in ", "server members: granted"] {
        assert!(checked.stdout.contains(word), "{word}: {}", checked.stdout);
    }
    let json = says(&sandbox, &home, &["token", "check", "--json"]).json();
    assert_eq!(json["kind"], "token check");
    assert_eq!(
        (&json["data"]["bot"]["id"], &json["data"]["application"]),
        (&bot.into(), &application.into())
    );
    assert_eq!(json["data"]["intents"]["server_members"], true);

    let at = At::route("GET", "/users/@me");
    let limited = sandbox.inject(Fault::Page { at, status: 429, body: "<html>".into() });
    refused(&sandbox, &home, &["token", "check"], &["429", "not checked", "hint: try again in"]);
    assert!(sandbox.clear(limited));
    let home = home.with("APPLICATION_ID", Some("5"));
    refused(&sandbox, &home, &["token", "check"], &["APPLICATION_ID is 5", "belongs to"]);
    let home = home.with("APPLICATION_ID", None).with("DISCORD_API_BASE", Some("http://127.0.0.1:9"));
    refused(&sandbox, &home, &["token", "check"], &["cannot be reached", "discord.api_base"]);
    let home = home.with("DISCORD_API_BASE", Some(sandbox.api_base()));
    let _new = sandbox.people().reset_token();
    refused(&sandbox, &home, &["token", "check"], &["401", "sealed in", "wayhavend token set"]);
    let fault = says(&sandbox, &home, &["token", "check", "--json"]).stderr;
    assert!(fault.contains("\"kind\":\"verification\""), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_at_any_moment_leaves_a_token_that_opens() {
    let seed = seed();
    println!("{SEED}={seed}");
    let mut dice = Dice(seed);
    let (sandbox, home) = sealed().await;
    let layout = home.layout().unwrap();
    let rotate = || {
        let mut command = home.command("wayhavend");
        command.args(["token", "rotate-key"]).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let begun = Instant::now();
    assert!(rotate().status().unwrap().success());
    let takes = begun.elapsed();
    let (mut killed, mut half_way) = (0, 0);
    for round in 0..40 {
        let mut child = rotate().spawn().unwrap();
        let begun = Instant::now();
        let moment = takes.mul_f64(dice.below(1_000) as f64 / 800.0);
        // Every other one in the middle of it, as soon as there is a second key.
        let comes = |elapsed: Duration| match round % 2 {
            0 => elapsed >= moment,
            _ => layout.next_seal_key().exists() || elapsed > 4 * takes,
        };
        while !comes(begun.elapsed()) && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let _ = child.kill();
        killed += usize::from(child.wait().unwrap().signal().is_some());
        half_way += usize::from(layout.next_seal_key().exists());
        let checked = says(&sandbox, &home, &["check"]);
        assert_eq!(checked.code, Some(0), "round {round}: {}", checked.stdout);
    }
    println!("{killed} of 40 killed, {half_way} with two keys");
    assert!(killed > 0);
    // A start finishes what is left, or drops it.
    let mut daemon = home.start().unwrap();
    daemon.ready().await.unwrap();
    assert!(!layout.next_seal_key().exists());
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    assert!(rotate().status().unwrap().success());
    assert_eq!(says(&sandbox, &home, &["token", "check"]).code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_may_read_is_refused_at_the_start_with_the_command_that_mends_it() {
    let (sandbox, home) = sealed().await;
    let layout = home.layout().unwrap();
    let mut daemon = home.start().unwrap();
    daemon.ready().await.unwrap();
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    let run = layout.socket.parent().unwrap().to_owned();
    // A log file of another mode is a warning (fault 46).
    for (path, loose, tight) in [
        (&layout.data, 0o750, 0o700),
        (&layout.state, 0o711, 0o700),
        (&layout.logs, 0o755, 0o700),
        (&run, 0o755, 0o750),
        (&layout.store(), 0o644, 0o600),
        (&layout.sealed_token(), 0o640, 0o600),
        (&layout.seal_key(), 0o604, 0o600),
        (&layout.lock(), 0o644, 0o600),
    ] {
        set_mode(path, loose);
        let mode = format!("{} has the mode {loose:04o}", path.display());
        let mends = format!("hint: chmod {tight:o} {}", path.display());
        refused(&sandbox, &home, &["run"], &[&mode, &mends]);
        refused(&sandbox, &home, &["token", "rotate-key"], &[&mode]);
        let checked = says(&sandbox, &home, &["check"]);
        assert!(
            checked.code == Some(1) && checked.stdout.contains("fail  directories"),
            "{}",
            checked.stdout
        );
        set_mode(path, tight);
        // SQLite gives the files beside the store the store's own mode, and they stay.
        for beside in ["-wal", "-shm"] {
            let mut name = layout.store().into_os_string();
            name.push(beside);
            let beside = std::path::PathBuf::from(name);
            if beside.exists() {
                set_mode(&beside, 0o600);
            }
        }
    }
    // The settings file counts only where a token stands in it.
    std::fs::write(&layout.config, "log.level = \"debug\"\n").unwrap();
    set_mode(&layout.config, 0o644);
    assert_eq!(says(&sandbox, &home, &["check"]).code, Some(0));
    std::fs::write(&layout.config, format!("discord.token = \"{}\"\n", sandbox.token())).unwrap();
    refused(&sandbox, &home, &["run"], &["wayhaven.toml has the mode 0644", "hint: chmod 600"]);
    set_mode(&layout.config, 0o600);
    home.start().unwrap().ready().await.unwrap();
}

/// Everything in the home with when it was changed and how large it is.
fn listing(directory: &Path) -> Vec<(std::path::PathBuf, SystemTime, u64)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let (path, found) = entry.map(|entry| (entry.path(), entry.metadata().unwrap())).unwrap();
        all.push((path.clone(), found.modified().unwrap(), found.len()));
        if found.is_dir() {
            all.extend(listing(&path));
        }
    }
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn check_tells_line_by_line_what_a_start_would_find_and_touches_nothing() {
    let (sandbox, home) = bare().await;
    let before = listing(home.path());
    let checked = says(&sandbox, &home, &["check"]);
    assert_eq!(checked.code, Some(1));
    assert!(checked.stdout.contains("fail  token        there is no bot token"), "{}", checked.stdout);
    assert!(checked.stdout.contains("wayhavend token set"), "{}", checked.stdout);
    assert_eq!(listing(home.path()), before, "not even a directory is made");

    home.wayhavend(&["token", "set"], sandbox.token()).unwrap();
    let mut daemon = home.start().unwrap();
    daemon.ready().await.unwrap();
    let running = says(&sandbox, &home, &["check", "--discord"]);
    assert_eq!(running.code, Some(0), "{}", running.stdout);
    let pid = format!("held by the daemon that runs here, pid {}", daemon.pid());
    let bot = sandbox.bot_id().to_string();
    for word in [
        "ok    settings",
        "ok    token",
        "ok    directories",
        &pid,
        "a daemon answers",
        "whole, schema",
        &bot,
    ] {
        assert!(running.stdout.contains(word), "{word}: {}", running.stdout);
    }
    assert_eq!(daemon.terminate().await.unwrap().code(), Some(0));
    let before = listing(home.path());
    let json = says(&sandbox, &home, &["check", "--json"]).json();
    assert_eq!((&json["kind"], &json["data"]["ok"]), (&"check".into(), &true.into()), "{json}");
    assert_eq!(listing(home.path()), before);

    let layout = home.layout().unwrap();
    // Where it was left, the log holds all pages of so small a store, the first among them.
    for beside in ["db-wal", "db-shm"] {
        let _ = std::fs::remove_file(layout.store().with_extension(beside));
    }
    std::fs::write(layout.store(), "not a database at all, and long enough to be looked at as one").unwrap();
    std::fs::write(&layout.config, "[log]\nlevle = 1\n").unwrap();
    let json = says(&sandbox, &home, &["check", "--json", "--discord"]);
    assert_eq!(json.code, Some(1));
    let json = json.json();
    let failed: Vec<_> =
        json["data"]["checks"].as_array().unwrap().iter().filter(|one| one["ok"] == false).collect();
    let names: Vec<_> = failed.iter().map(|one| one["check"].as_str().unwrap()).collect();
    assert_eq!(names, ["settings", "store", "discord"], "{json}");
    assert!(failed[0]["detail"].as_str().unwrap().contains("did you mean log.level"), "{json}");
}
