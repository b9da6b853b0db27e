//! Settings that are set, taken back and read again while the daemon runs, and what a start makes of them.

use crate::clock::Clock;
use crate::reload::SettingsSource;
use crate::settings::{LogLevel, Settings, Stored};
use crate::startup;
use crate::store::Change;
use crate::testing::{self, TestDaemon, asked, by_operator, home, sandbox};
use std::sync::Arc;
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::daemon::DaemonReload;
use wayhaven_shared::operations::settings::{
    SettingsChanged, SettingsSet, SettingsShow, SettingsShown, SettingsUnset,
};
use wayhaven_shared::value::{Timestamp, Untrusted};
use wayhaven_shared::{Fault, FaultKind};

fn text(text: &str) -> Untrusted {
    Untrusted::clipped(text)
}

async fn set(test: &TestDaemon, key: &str, value: &str, dry_run: bool) -> Result<SettingsChanged, Fault> {
    asked(test, 1, SettingsSet { key: text(key), value: text(value) }, dry_run).await
}

async fn unset(test: &TestDaemon, key: &str) -> Result<SettingsChanged, Fault> {
    asked(test, 1, SettingsUnset { key: text(key) }, false).await
}

async fn show(test: &TestDaemon, key: Option<&str>) -> Result<SettingsShown, Fault> {
    asked(test, 1, SettingsShow { key: key.map(text) }, false).await
}

/// The value of a setting and where it comes from, as it is shown.
async fn shown(test: &TestDaemon, key: &str) -> (String, Vec<String>) {
    let all = show(test, Some(key)).await.unwrap().settings;
    let kinds = all[0].sources.iter().map(|source| source.kind.clone()).collect();
    (all[0].value.raw().to_owned(), kinds)
}

fn words(changed: &SettingsChanged) -> Vec<(&str, &str, &str)> {
    let all = changed.changed.iter();
    all.map(|one| (one.key.as_str(), one.before.raw(), one.after.raw())).collect()
}

#[tokio::test]
async fn what_is_set_holds_at_once_says_who_set_it_and_survives_the_next_start() {
    let sandbox = sandbox(1).await;
    let home = Arc::new(home());
    let test = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    let plan = set(&test, "network.reconcile_every", "2h", true).await.unwrap();
    assert_eq!((words(&plan), plan.dry_run), (vec![("network.reconcile_every", "1d", "2h")], true));
    assert_eq!(shown(&test, "network.reconcile_every").await, ("1d".into(), vec!["default".into()]));

    let done = set(&test, "network.reconcile_every", " 2h ", false).await.unwrap();
    assert_eq!(words(&done), [("network.reconcile_every", "1d", "2h")]);
    assert_eq!(done.sources[0].by.as_ref().unwrap().raw(), "unix user 1000");
    assert!(done.sources[0].at.is_some());
    assert_eq!(test.systems.services.settings().network.reconcile_every.as_secs(), 7_200);
    assert_eq!(shown(&test, "network.reconcile_every").await, ("2h".into(), vec!["run_time".into()]));
    // The preset moves what says nothing for itself, and the store goes by it.
    let strict = set(&test, "network.budget", "strict", false).await.unwrap();
    assert_eq!(strict.changed.len(), 3, "{strict:?}");
    assert_eq!(test.systems.services.store().budgets().moderator.to_string(), "5/1m");
    set(&test, "log.level", "debug", false).await.unwrap();
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Debug);
    let row = test.until_audited("the change", |row| row.operation == "settings set").await;
    assert_eq!(row.result.word(), "success");
    drop(test);

    let test = TestDaemon::start_at(&sandbox, home).await;
    assert_eq!(test.systems.services.settings().network.reconcile_every.as_secs(), 7_200);
    assert_eq!(test.systems.services.store().budgets().moderator.to_string(), "5/1m");
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Debug);
    // Reading everything again keeps it, and the rest is as it was.
    asked(&test, 1, DaemonReload {}, false).await.unwrap();
    assert_eq!(test.systems.services.settings().network.reconcile_every.as_secs(), 7_200);
    let back = unset(&test, "network.reconcile_every").await.unwrap();
    assert_eq!(words(&back), [("network.reconcile_every", "2h", "1d")]);
    assert_eq!(test.systems.services.settings().network.reconcile_every.as_secs(), 86_400);
    assert_eq!(unset(&test, "network.reconcile_every").await.unwrap().changed, []);
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Debug, "the others stay");
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_with_the_way_out_and_changes_nothing() {
    let sandbox = sandbox(1).await;
    let mut sources = testing::sources(&sandbox);
    sources.environment.insert("WAYHAVEN_NETWORK_IMPORT_CAP".into(), "7".into());
    sources.dotenv = Some(("/etc/.env".into(), "DEBUG=true".into()));
    let test = start_with(&sandbox, Arc::new(home()), sources).await;
    let before = format!("{:?}", test.systems.services.settings().origins());
    for (key, value, kind, named) in [
        ("network.budgt", "strict", FaultKind::NotFound, &["network.budgt", "network.budget"][..]),
        (
            "discord.api_base",
            "https://x.org",
            FaultKind::Usage,
            &["discord.api_base", "wayhaven.toml", "daemon restart"],
        ),
        ("discord.token", "x", FaultKind::Usage, &["discord.token", "secret"]),
        (
            "network.reconcile_every",
            "1m",
            FaultKind::Usage,
            &["network.reconcile_every is \"1m\"", "from 1h to 30d"],
        ),
        (
            "moderation.direct_messages",
            "maybe",
            FaultKind::Usage,
            &["direct_messages is \"maybe\"", "true or false"],
        ),
        ("owner_ids", "me", FaultKind::Usage, &["owner_ids is \"me\"", "an id like"]),
        ("network.import_cap", "8", FaultKind::Conflict, &["WAYHAVEN_NETWORK_IMPORT_CAP", "is 7"]),
        ("log.level", "info", FaultKind::Conflict, &["DEBUG", "/etc/.env", "daemon reload"]),
    ] {
        for dry_run in [true, false] {
            let fault = set(&test, key, value, dry_run).await.unwrap_err();
            assert_eq!(fault.kind, kind, "{key}: {fault}");
            named.iter().for_each(|word| assert!(fault.to_string().contains(word), "{word} in {fault}"));
        }
    }
    let fault = show(&test, Some("log.lvl")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert!(fault.message.contains("did you mean log.level?"), "{fault}");
    assert_eq!(format!("{:?}", test.systems.services.settings().origins()), before);
    assert!(test.read(|view| view.stored_settings().unwrap()).await.is_empty());
}

/// A daemon whose settings are read from there, whatever else tests like.
async fn start_with(
    sandbox: &Sandbox,
    home: Arc<tempfile::TempDir>,
    sources: crate::settings::Sources,
) -> TestDaemon {
    let settings = Settings::load(&sources).unwrap();
    let (_, layout) = testing::prepare(sandbox, home.path());
    let started = startup::start(settings, SettingsSource::fixed(sources), layout, Clock::default());
    let (systems, _) = started.await.unwrap();
    TestDaemon::of(systems, home)
}

#[tokio::test]
async fn what_another_version_has_set_is_told_of_and_the_start_goes_on_without_it() {
    let sandbox = sandbox(1).await;
    let home = Arc::new(home());
    let test = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    let stored = |key: &str, value: &str| Stored {
        key: key.into(),
        value: value.into(),
        by: "unix user 7".into(),
        at: Timestamp::from_millis(1_767_323_045_000),
    };
    let all = [
        stored("discord.requests_per_second", "3"),
        stored("log.level", "loud"),
        stored("network.import_cap", "12"),
        stored("network.of_tomorrow", "x"),
    ];
    let write =
        move |change: &Change<'_>| all.iter().try_for_each(|one| Ok::<_, Fault>(change.store_setting(one)?));
    test.systems.services.store().write(write).await.unwrap();
    drop(test);

    let test = TestDaemon::start_at(&sandbox, home).await;
    assert_eq!(test.systems.services.settings().network.import_cap, 12, "what is understood holds");
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Info);
    test.until("an alert", |view| view.open_alerts(None).unwrap() == 1).await;
    assert_eq!(test.alerts().await, ["setting_not_understood"]);
    let all = show(&test, None).await.unwrap();
    assert_eq!(all.settings.len(), crate::settings::KEYS.len());
    let told = all.not_understood.join("\n");
    for word in [
        "discord.requests_per_second",
        "log.level is \"loud\": it must be",
        "network.of_tomorrow",
        "unix user 7",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    assert_eq!(all.not_understood.len(), 3, "{told}");
    // It is in nobody's way: another may be set, and each may be taken back.
    set(&test, "log.level", "warn", false).await.unwrap();
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Warn);
    unset(&test, "network.of_tomorrow").await.unwrap();
    unset(&test, "discord.requests_per_second").await.unwrap();
    assert_eq!(show(&test, None).await.unwrap().not_understood, [""; 0]);
    assert_eq!(test.read(|view| view.stored_settings().unwrap().len()).await, 2);
}

#[tokio::test]
async fn fault_33_a_secret_is_shown_as_set_and_a_token_is_in_no_audit() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, Arc::new(home())).await;
    let token = sandbox.token().to_owned();
    assert_eq!(shown(&test, "discord.token").await, ("set".into(), vec!["environment".into()]));
    for (key, value) in [("discord.token", token.as_str()), ("log.level", &token), (token.as_str(), "x")] {
        let fault = set(&test, key, value, false).await.unwrap_err();
        assert!(!fault.to_string().contains(&token), "{fault}");
    }
    let half = "s3cr3t-and-no-whole-token";
    assert!(!set(&test, "discord.token", half, false).await.unwrap_err().to_string().contains(half));
    test.until_audited("the last", |row| row.operation == "settings set").await;
    test.audit().await;
    let path = test.systems.services.store().path().to_owned();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(std::fs::read(path.with_extension("db-wal")).unwrap());
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("discord.token") && holds("[redacted]"), "the requests are there");
    assert!(!holds(&token) && !holds(half));
}

#[tokio::test]
async fn a_reload_answers_what_has_changed_and_a_plan_of_it_changes_nothing() {
    let sandbox = sandbox(1).await;
    let home = Arc::new(home());
    let test = TestDaemon::start_at(&sandbox, Arc::clone(&home)).await;
    // What tests set aside comes back with the sources.
    let plan = asked(&test, 1, DaemonReload {}, true).await.unwrap();
    assert_eq!((plan.changed.len(), plan.dry_run), (0, true));
    let mut sources = testing::sources(&sandbox);
    let write = |level: &str| format!("[log]\nlevel = \"{level}\"\n[discord]\nrequests_per_second = 3\n");
    sources.file = Some(("/etc/wayhaven.toml".into(), write("warn")));
    let reload = test.systems.reload.read_from(SettingsSource::fixed(sources.clone()));
    for dry_run in [true, false] {
        let read = reload.again("daemon reload", dry_run).await.unwrap();
        let of = |all: &[wayhaven_shared::operations::settings::SettingChanged]| -> Vec<String> {
            all.iter().map(|one| format!("{} {}", one.key, one.words().raw())).collect()
        };
        assert_eq!(of(&read.changed), ["log.level info → warn"]);
        assert_eq!(of(&read.after_restart), ["discord.requests_per_second 49 → 3"]);
        let expected = if dry_run { LogLevel::Info } else { LogLevel::Warn };
        assert_eq!(test.systems.services.settings().log.level, expected);
    }
    sources.file = Some(("/etc/wayhaven.toml".into(), write("loud")));
    let reload = test.systems.reload.read_from(SettingsSource::fixed(sources));
    let fault = reload.again("daemon reload", false).await.unwrap_err();
    assert!(fault.message.contains("log.level in /etc/wayhaven.toml line 2 is \"loud\""), "{fault}");
    assert_eq!(test.systems.services.settings().log.level, LogLevel::Warn, "the old ones hold");
}

#[tokio::test]
async fn a_restart_is_refused_while_it_stops_and_a_stop_takes_its_place() {
    use crate::lifecycle::End;
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start_at(&sandbox, Arc::new(home())).await;
    let restart = |dry_run| {
        let request = wayhaven_shared::operations::daemon::DaemonRestart {}.into();
        let invocation = by_operator(Role::Owner, None, request);
        test.ask(crate::invocation::Invocation { dry_run, ..invocation })
    };
    let Ok(Reply::DaemonRestart(plan)) = restart(true).await else { panic!("no plan") };
    assert_eq!((plan.dry_run, plan.start.as_str()), (true, test.systems.services.lifecycle().start()));
    assert_eq!(test.systems.services.lifecycle().end(), End::Stop, "nothing was asked for");
    restart(false).await.unwrap();
    assert_eq!(
        test.systems.services.lifecycle().end(),
        End::Restart(test.systems.services.lifecycle().program().unwrap().to_owned())
    );
    assert!(restart(false).await.unwrap_err().message.contains("restarting already"));
    test.systems.services.lifecycle().stop();
    assert_eq!(test.systems.services.lifecycle().end(), End::Stop);
    assert!(restart(false).await.unwrap_err().message.contains("is stopping"));
}
