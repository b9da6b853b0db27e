//! `daemon restart`: a daemon that replaces itself, as real processes.

use crate::setting::{Setting, options, program};
use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask, settled};
use wayhaven_e2e::{Finished, Home};
use wayhaven_sandbox::{At, Fault, Sandbox};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::daemon::DaemonShow;
use wayhaven_shared::value::UserId;

const CHILDREN: usize = 20;
const BANS: usize = 12;

/// Asks on the command line, on a thread that may block.
async fn ask_for(home: &Home, arguments: &'static [&'static str]) -> Finished {
    let mut command = home.command("wayhaven");
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn log(home: &Home) -> String {
    std::fs::read_to_string(home.layout().unwrap().logs.join("wayhaven.log")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_under_load_loses_nothing_repeats_nothing_and_keeps_process_and_lock() {
    // 252 requests at 15 a second: more than fits into the ten seconds that it has.
    let mut setting = Setting::with(options(CHILDREN), &[("DISCORD_REQUESTS_PER_SECOND", "15")]).await;
    let pid = setting.daemon.pid();
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}");
    setting.sandbox.inject(Fault::Latency { at, by: Duration::from_millis(200) });
    let mut ids = Vec::new();
    for member in 0..BANS {
        let ban = Ban::new(UserId::new(setting.member(member)).unwrap());
        ids.push(ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id);
    }
    setting.sandbox.wait_until(|sandbox| sandbox.effect_count() >= 10, PATIENCE).await.unwrap();

    // Somebody who would start a second daemon the moment the lock is free.
    let (path, over) = (setting.home.layout().unwrap().lock(), Arc::new(AtomicBool::new(false)));
    let ended = Arc::clone(&over);
    let rival = std::thread::spawn(move || {
        let mut tries = 0_u64;
        while !ended.load(Ordering::Relaxed) {
            match File::open(&path).unwrap().try_lock() {
                Err(TryLockError::WouldBlock) => {
                    tries += 1;
                    std::thread::yield_now();
                }
                other => panic!("the lock was free after {tries} tries: {other:?}"),
            }
        }
        tries
    });
    let first = setting.client.welcome().start.clone();
    let finished = ask_for(&setting.home, &["daemon", "restart", "--json"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let answer = finished.json();
    assert_eq!(
        (answer["data"]["pid"].as_u64(), answer["data"]["start"].as_str()),
        (Some(pid.into()), Some(&*first))
    );
    assert!(answer["data"]["away_ms"].is_u64() && answer["data"]["version"].is_string(), "{answer}");
    assert!(answer["data"]["open_deliveries"].as_u64().unwrap() > 100, "{answer}");

    let before = setting.sandbox.effect_count();
    assert!(before < (CHILDREN + 1) * BANS, "something was left for the new start: {before}");
    setting.client = setting.daemon.ready().await.unwrap();
    over.store(true, Ordering::Relaxed);
    assert!(rival.join().unwrap() > 100, "it was tried again and again");
    let shown = setting.client.call(DaemonShow {}).await.unwrap();
    assert_eq!(shown.status.pid, pid, "the same process");
    assert_ne!(shown.process.start, first);
    assert_eq!(shown.process.start, setting.client.welcome().start);
    for id in ids {
        let detail = settled(&setting.client, id).await.unwrap();
        assert_eq!(detail.counts().applied, CHILDREN as u64, "{}", detail.counts().words());
    }
    let mut asked: HashMap<_, usize> = HashMap::new();
    for effect in setting.sandbox.effects() {
        *asked.entry((effect.guild, effect.user)).or_default() += 1;
    }
    assert_eq!(asked.len(), (CHILDREN + 1) * BANS);
    asked.retain(|_, count| *count > 1);
    assert!(asked.is_empty(), "nothing twice: {asked:?}");

    // It can do so again, and a daemon that was restarted stops like any other.
    assert_eq!(ask_for(&setting.home, &["daemon", "restart"]).await.code, Some(0));
    setting.daemon.client().await.unwrap();
    assert_eq!(setting.daemon.terminate().await.unwrap().code(), Some(0));
}

/// A home whose daemon is a copy of the program, which a test may replace and remove.
async fn with_own_program(sandbox: &Sandbox) -> (Home, PathBuf, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().join("wayhavend");
    std::fs::copy(program(), &own).unwrap();
    (Home::new(&own, sandbox).unwrap(), own, directory)
}

fn file(path: &Path) -> (u64, u64) {
    let file = std::fs::metadata(path).unwrap();
    (file.dev(), file.ino())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_starts_the_program_that_was_put_in_its_place() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let (home, own, _directory) = with_own_program(&sandbox).await;
    let mut daemon = home.start().unwrap();
    daemon.client().await.unwrap();
    let running = PathBuf::from(format!("/proc/{}/exe", daemon.pid()));
    assert_eq!(file(&running), file(&own));
    // As a package manager does it: the old file is gone under the process that runs it.
    let newer = own.with_extension("new");
    std::fs::copy(program(), &newer).unwrap();
    std::fs::rename(&newer, &own).unwrap();
    assert_ne!(file(&running), file(&own));
    let finished = ask_for(&home, &["daemon", "restart"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("it was away for"), "{finished:?}");
    assert_eq!(file(&running), file(&own), "the newer one runs, as the same process");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_a_program_or_sound_settings_is_refused_and_one_that_fails_late_says_so() {
    let sandbox = Sandbox::start(options(1)).await.unwrap();
    let (home, own, directory) = with_own_program(&sandbox).await;
    let mut daemon = home.start().unwrap();
    let client = daemon.ready().await.unwrap();
    // The command line is the same program: it is called where it will stay.
    let elsewhere = directory.path().join("wayhaven");
    std::fs::copy(program(), &elsewhere).unwrap();
    let console = Home::new(&elsewhere, &sandbox).unwrap().with("WAYHAVEN_HOME", home.path().to_str());

    let aside = own.with_extension("aside");
    std::fs::copy(program(), &aside).unwrap();
    std::fs::remove_file(&own).unwrap();
    let finished = ask_for(&console, &["daemon", "restart"]).await;
    assert_eq!(finished.code, Some(6), "{finished:?}");
    assert!(finished.stderr.contains("wayhavend cannot be started"), "{finished:?}");
    std::fs::rename(&aside, &own).unwrap();
    let config = home.layout().unwrap().config;
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(&config, "[log]\nlevel = \"loud\"\n").unwrap();
    let finished = ask_for(&console, &["daemon", "restart"]).await;
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(finished.stderr.contains("it would not start again: log.level in "), "{finished:?}");
    std::fs::remove_file(&config).unwrap();

    // Gone while it drains.
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}");
    sandbox.inject(Fault::Latency { at, by: Duration::from_secs(3) });
    let main = crate::setting::guild(sandbox.main_guild());
    let ban = Ban::new(UserId::new(sandbox.stranger()).unwrap());
    ask(&client, main, ban).await.unwrap();
    let asking = tokio::spawn(async move { ask_for(&console, &["daemon", "restart"]).await });
    let stopping = async {
        while !log(&home).contains(" - stopping: ") {
            // Another process's file makes no event that could be waited for.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, stopping).await.unwrap();
    std::fs::remove_file(&own).unwrap();
    let status = tokio::task::block_in_place(|| daemon.wait()).unwrap();
    assert_eq!(status.code(), Some(1));
    let last = log(&home).lines().last().unwrap().to_owned();
    assert!(
        last.contains(" - ERROR - ") && last.contains("could not be started in the daemon's place"),
        "{last}"
    );
    let finished = asking.await.unwrap();
    assert_eq!(finished.code, Some(7), "{finished:?}");
    assert!(finished.stderr.contains("it ended and did not start again"), "{finished:?}");
}
