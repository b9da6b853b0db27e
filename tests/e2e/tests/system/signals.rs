//! SIGTERM and SIGHUP to a running daemon (FAULTS 41).

use crate::setting::{Setting, guild, options};
use rustix::process::Signal;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask, settled};
use wayhaven_sandbox::{Aim, At, Fault};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::setup::{SetupMainGuild, SetupRemoveChild};
use wayhaven_shared::value::UserId;

const CHILDREN: usize = 30;
const BANS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn fault_41_sigterm_in_a_burst_ends_in_order_and_the_next_start_finishes_and_repeats_nothing() {
    // 372 requests at 20 a second: more than fits into the ten seconds that it has.
    let environment = [("DISCORD_REQUESTS_PER_SECOND", "20")];
    let mut setting = Setting::with(options(CHILDREN), &environment).await;
    // Slow enough that something is on its way at any moment, the last one included.
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}");
    let slow = setting.sandbox.inject(Fault::Latency { at, by: Duration::from_millis(300) });
    // And one that is done, and whose answer does not come before the end.
    let (child, member) = (setting.sandbox.children()[0], setting.member(0));
    let hang = Fault::HangAfterHeaders { at: At::route("PUT", "/guilds/{guild_id}/bans/{user_id}") };
    let aim = Aim { guild: Some(child), user: Some(member), ..Aim::default() };
    let silent = setting.sandbox.inject(hang.only(aim));
    let mut ids = Vec::new();
    for member in 0..BANS {
        let ban = Ban::new(UserId::new(setting.member(member)).unwrap());
        ids.push(ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id);
    }
    setting.sandbox.wait_until(|sandbox| sandbox.effect_count() >= 30, PATIENCE).await.unwrap();
    assert_eq!(setting.daemon.terminate().await.unwrap().code(), Some(0));
    let before = setting.sandbox.effect_count();
    assert!(before >= 60, "it drained: {before}");
    assert!(before < (CHILDREN + 1) * BANS, "it did not wait for all of it: {before}");
    assert!(log(&setting).contains("the rest goes on at the next start"), "{}", log(&setting));

    setting.sandbox.clear(slow);
    setting.sandbox.clear(silent);
    setting.home.set("DISCORD_REQUESTS_PER_SECOND", Some("49"));
    setting.restart().await;
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
}

fn log(setting: &Setting) -> String {
    std::fs::read_to_string(log_file(setting)).unwrap()
}

fn log_file(setting: &Setting) -> PathBuf {
    setting.home.layout().unwrap().logs.join("wayhaven.log")
}

/// Sends SIGHUP and waits for what the log says of it.
async fn hang_up(setting: &Setting) -> String {
    let lines = |log: &str| -> Vec<String> {
        log.lines().filter(|line| line.contains("SIGHUP")).map(ToOwned::to_owned).collect()
    };
    let before = lines(&log(setting)).len();
    setting.daemon.signal(Signal::HUP).unwrap();
    let told = async {
        loop {
            if let Some(line) = lines(&log(setting)).get(before) {
                return line.clone();
            }
            // Another process's file makes no event that could be waited for.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap()
}

/// Whether a guild may become a main: what `network.mains` says.
async fn may_be_main(setting: &Setting, id: u64) -> bool {
    match ask(&setting.client, guild(id), SetupMainGuild {}).await {
        Ok(_) => true,
        Err(fault) if fault.kind == FaultKind::Denied => false,
        Err(fault) => panic!("{fault}"),
    }
}

/// A guild in which the bot is and that is in no network.
async fn free_guild(setting: &Setting, index: usize) -> u64 {
    let id = setting.sandbox.children()[index];
    ask(&setting.client, setting.main, SetupRemoveChild::new(guild(id))).await.unwrap();
    id
}

/// Writes the settings file.
fn write(setting: &Setting, text: &str) {
    let path = setting.home.layout().unwrap().config;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_41_sighup_takes_what_has_changed_and_says_what_needs_a_restart() {
    let mut setting = Setting::new(options(2)).await;
    let other = free_guild(&setting, 0).await;
    assert!(!may_be_main(&setting, other).await);
    assert!(!log(&setting).contains(" - DEBUG - "));

    write(
        &setting,
        &format!(
            "[network]\nmains = [\"{other}\"]\n[log]\nlevel = \"debug\"\n[discord]\nrequests_per_second = 20\n"
        ),
    );
    let said = hang_up(&setting).await;
    assert!(said.contains(" - INFO - "), "{said}");
    assert!(said.contains(&format!("network.mains is {other}, {}", setting.main)), "{said}");
    assert!(said.contains("log.level is debug"), "{said}");
    assert!(said.contains("a restart takes discord.requests_per_second"), "{said}");
    assert!(may_be_main(&setting, other).await);
    // Any request to Discord is logged at that level.
    let ban = Ban::new(UserId::new(setting.member(0)).unwrap());
    let id = ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id;
    settled(&setting.client, id).await.unwrap();
    assert!(log(&setting).contains(" - DEBUG - discord answered"), "{}", log(&setting));

    // The `.env` beside it counts too, and less than what the process was given.
    let dotenv = setting.home.layout().unwrap().config.with_file_name(".env");
    std::fs::write(dotenv, format!("LOG_LEVEL=info\nMAIN_GUILD_ID={other}\n")).unwrap();
    let said = hang_up(&setting).await;
    assert!(said.contains("log.level is info") && !said.contains("network.mains is"), "{said}");
    let said = hang_up(&setting).await;
    assert!(said.ends_with("read again: a restart takes discord.requests_per_second"), "{said}");
    assert_eq!(setting.daemon.terminate().await.unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_41_sighup_keeps_the_old_settings_where_the_new_ones_cannot_be_read_and_says_why() {
    let setting = Setting::new(options(3)).await;
    let (first, second) = (free_guild(&setting, 0).await, free_guild(&setting, 1).await);
    let good = format!("[network]\nmains = [\"{first}\"]\n");
    write(&setting, &good);
    hang_up(&setting).await;
    assert!(may_be_main(&setting, first).await);
    let config = setting.home.layout().unwrap().config;
    let mains = format!("[network]\nmains = [\"{first}\", \"{second}\"]\n");
    for (text, named) in [
        (format!("{mains}[log\n"), &["line 3", "no TOML"][..]),
        (format!("{mains}[log]\nlevle = \"debug\"\n"), &["log.levle", "log.level"]),
        (format!("{mains}[log]\nlevel = \"loud\"\n"), &["log.level", "loud", "trace, debug"]),
        (
            format!("{mains}[discord]\nrequests_per_second = 0\n"),
            &["requests_per_second", "\"0\"", "1 to 100000"],
        ),
    ] {
        write(&setting, &text);
        let said = hang_up(&setting).await;
        assert!(said.contains(" - ERROR - SIGHUP: the settings stay as they are: "), "{said}");
        assert!(said.contains(&config.display().to_string()), "{said}");
        for word in named {
            assert!(said.contains(word), "{word} in {said}");
        }
        assert!(!may_be_main(&setting, second).await, "nothing is half applied");
    }
    std::fs::remove_file(&config).unwrap();
    let said = hang_up(&setting).await;
    assert!(said.contains(&format!("{} is not there any more", config.display())), "{said}");
    assert!(said.contains("put it back"), "{said}");
    assert!(may_be_main(&setting, first).await, "the old ones hold");
    write(&setting, &mains);
    assert!(hang_up(&setting).await.contains("network.mains is"));
    assert!(may_be_main(&setting, second).await);
}

/// What the log says of the last time that the settings were read again, without who asked for it.
fn last_reading(setting: &Setting, asked_by: &str) -> String {
    let mark = format!("{asked_by}: ");
    let text = log(setting);
    let line = text.lines().rev().find_map(|line| line.split_once(&mark));
    line.unwrap_or_else(|| panic!("{asked_by} in {text}")).1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_and_daemon_reload_give_the_same() {
    let setting = Setting::new(options(1)).await;
    let reload = |arguments: &[&str]| {
        let all: Vec<_> = ["daemon", "reload"].iter().chain(arguments).copied().collect();
        setting.home.wayhaven(&all).unwrap()
    };
    let sound = "[log]\nlevel = \"warn\"\n[network]\nimport_cap = 12\n[discord]\nrequests_per_second = 20\n";
    // A line at the level info is read off the log: the level goes up last.
    let sound = sound.replace("warn", "debug");
    for (text, code) in [(sound.as_str(), 0), ("[log]\nlevel = \"loud\"\n", 2), ("[network\n", 2)] {
        write(&setting, "");
        hang_up(&setting).await;
        write(&setting, text);
        let plan = reload(&["--dry-run", "--json"]);
        assert_eq!(plan.code, Some(code), "{plan:?}");
        hang_up(&setting).await;
        let by_signal = last_reading(&setting, "SIGHUP");
        write(&setting, "");
        hang_up(&setting).await;
        write(&setting, text);
        let done = reload(&["--json"]);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert_eq!(last_reading(&setting, "daemon reload"), by_signal);
        let (plan, done) = (plan.json(), done.json());
        assert_eq!(plan["data"]["changed"], done["data"]["changed"]);
        if code == 0 {
            assert!(
                by_signal.contains("log.level is debug") && by_signal.contains("network.import_cap is 12")
            );
            let changed = done["data"]["changed"].as_array().unwrap();
            let of = |key: &str| changed.iter().find(|one| one["key"] == key).unwrap();
            assert_eq!(
                (&of("log.level")["before"], &of("log.level")["after"]),
                (&"info".into(), &"debug".into())
            );
            assert_eq!(done["data"]["after_restart"][0]["key"], "discord.requests_per_second");
        }
    }
    assert_eq!(
        setting.home.wayhaven(&["daemon", "reload"]).unwrap().code,
        Some(2),
        "the file is broken still"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_on_the_command_line_holds_at_once_and_after_a_kill() {
    let mut setting = Setting::new(options(1)).await;
    let run = |setting: &Setting, line: &str| {
        let words: Vec<_> = line.split(' ').collect();
        setting.home.wayhaven(&words).unwrap()
    };
    assert!(!log(&setting).contains(" - DEBUG - "));
    let done = run(&setting, "settings set log.level debug");
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(
        done.stdout.contains("info → debug") && done.stdout.contains("set by unix user"),
        "{}",
        done.stdout
    );
    let ban = Ban::new(UserId::new(setting.member(0)).unwrap());
    let id = ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id;
    settled(&setting.client, id).await.unwrap();
    assert!(log(&setting).contains(" - DEBUG - discord answered"), "{}", log(&setting));
    let pinned = run(&setting, "settings set network.network_budget 5/1m");
    assert_eq!(pinned.code, Some(6), "{pinned:?}");
    assert!(pinned.stderr.contains("WAYHAVEN_NETWORK_NETWORK_BUDGET"), "{}", pinned.stderr);

    setting.daemon.kill().unwrap();
    let seen = log(&setting).len();
    setting.restart().await;
    let shown = run(&setting, "settings show log.level --json").json();
    assert_eq!(
        (&shown["data"]["settings"][0]["value"], &shown["data"]["settings"][0]["sources"][0]["kind"]),
        (&"debug".into(), &"run_time".into())
    );
    assert!(log(&setting)[seen..].contains(" - DEBUG - "), "the log goes by it from the start");
    let all = run(&setting, "settings show");
    assert_eq!(all.code, Some(0));
    for word in ["discord.token", "in the environment (BOT_TOKEN)", "at the next start", "by default"] {
        assert!(all.stdout.contains(word), "{word} in {}", all.stdout);
    }
    assert!(!all.stdout.contains(setting.sandbox.token()));
    let unknown = run(&setting, "settings show log.lvl");
    assert_eq!(unknown.code, Some(5));
    assert!(unknown.stderr.contains("log.level"), "{}", unknown.stderr);

    let status = run(&setting, "daemon status --json").json();
    let data = &status["data"];
    assert_eq!(data["pid"], setting.daemon.pid());
    assert_eq!(data["process"]["start"], setting.client.welcome().start);
    assert_eq!(
        data["store"]["epoch"],
        setting.client.watch(None, Duration::ZERO).await.unwrap().cursor.epoch
    );
    for (part, field, least) in [
        ("process", "resident_bytes", 1_000_000),
        ("process", "threads", 2),
        ("store", "bytes", 4_096),
        ("store", "wal_bytes", 1),
        ("store", "schema", 23),
    ] {
        assert!(data[part][field].as_u64().unwrap() >= least, "{part}.{field} in {data}");
    }
    assert!(run(&setting, "daemon status").stdout.contains("Store epoch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_reads_no_settings_that_others_can_write() {
    use std::os::unix::fs::PermissionsExt;
    let setting = Setting::new(options(1)).await;
    write(&setting, "[log]\nlevel = \"debug\"\n");
    let config = setting.home.layout().unwrap().config;
    let set = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (loose, open, closed) in [(config.as_path(), 0o666, 0o644), (setting.home.path(), 0o777, 0o700)] {
        set(loose, open);
        let said = hang_up(&setting).await;
        assert!(said.contains("the settings stay as they are"), "{said}");
        assert!(said.contains(&format!("chmod go-w {}", loose.display())), "{said}");
        set(loose, closed);
    }
    assert!(hang_up(&setting).await.contains("log.level is debug"));
}
