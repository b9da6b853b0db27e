//! `--wait` of every request that starts deliveries, and the exit codes of requests that find something failing.

mod started;

use crate::setting::{Setting, options};
use std::process::Stdio;
use std::time::{Duration, Instant};
use wayhaven_e2e::process::{Finished, PATIENCE};
use wayhaven_sandbox::{At, Fault as Trouble, Options};
use wayhaven_shared::operations::job::JobList;
use wayhaven_shared::operations::status::ConnectionState;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";

/// The permission Ban Members.
const BAN_MEMBERS: u64 = 1 << 2;

fn run(setting: &Setting, words: &[&str]) -> Finished {
    let main = setting.main.to_string();
    let mut all = words.to_vec();
    all.extend(["--guild", &main, "--json"]);
    setting.home.wayhaven(&all).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_a_revert_and_an_approval_are_waited_for() {
    let environment = [("WAYHAVEN_NETWORK_MODERATOR_BUDGET", "1/10m")];
    let setting = Setting::with(options(3), &environment).await;
    let (sandbox, children) = (&setting.sandbox, setting.sandbox.children());
    let (first, second) = (setting.member(0), setting.member(1));

    assert_eq!(run(&setting, &["sync", "freeze"]).code, Some(0));
    let banned = run(&setting, &["ban", &first.to_string(), "--wait"]);
    assert_eq!(banned.code, Some(3), "the freeze holds the deliveries: {}", banned.stderr);
    let resumed = run(&setting, &["sync", "resume", "--confirm=sync resume", "--wait=30"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(sandbox.banned_in(&children, first), 3, "applied when the command ends");
    assert_eq!(resumed.json()["data"]["settled"]["children"]["applied"], 3, "{}", resumed.stdout);

    // The second ban exceeds the budget of one.
    let banned = run(&setting, &["ban", &second.to_string(), "--wait"]);
    assert_eq!(banned.code, Some(3), "held: {}", banned.stdout);
    assert_eq!(sandbox.banned_in(&children, second), 0);
    let approved = run(&setting, &["sync", "approve", "--all", "--confirm=all", "--wait=30"]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    assert_eq!(sandbox.banned_in(&children, second), 3);
    assert_eq!(approved.json()["data"]["settled"]["children"]["applied"], 3, "{}", approved.stdout);

    let id = banned.json()["data"]["punishment"]["id"].as_str().unwrap().to_owned();
    let confirm = format!("--confirm={id}");
    let words = ["punishment", "revert", &id, &confirm, "--wait=30"];
    let reverted = run(&setting, &words);
    assert_eq!(reverted.code, Some(0), "{}", reverted.stderr);
    assert_eq!(sandbox.banned_in(&children, second), 0);
    assert!(!sandbox.is_banned(setting.main.get(), second), "the main's own undo is waited for too");
    assert_eq!(reverted.json()["data"]["settled"]["own"]["applied"], 1, "{}", reverted.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_is_refused_again_ends_with_3_and_one_that_does_not_finish_with_8() {
    let setting = Setting::new(Options { without_permission: vec![(1, BAN_MEMBERS)], ..options(2) }).await;
    let user = setting.member(0).to_string();
    let banned = run(&setting, &["ban", &user, "--wait"]);
    assert_eq!(banned.code, Some(3), "{}", banned.stderr);
    let retried = run(&setting, &["sync", "retry", "--wait=30"]);
    assert_eq!(retried.code, Some(3), "{}", retried.stdout);
    assert_eq!(retried.json()["data"]["settled"]["children"]["blocked"], 1, "{}", retried.stdout);

    let (child, main) = (setting.sandbox.children()[0], setting.main.get());
    let hang = setting.sandbox.inject(Trouble::Hang { at: At::route("PUT", BAN).guild(child) });
    assert_eq!(run(&setting, &["sync", "freeze"]).code, Some(0));
    let other = setting.member(1);
    assert_eq!(run(&setting, &["ban", &other.to_string()]).code, Some(0));
    let resumed = run(&setting, &["sync", "resume", "--confirm=sync resume", "--wait=1"]);
    assert_eq!(resumed.code, Some(8), "{}", resumed.stderr);
    assert!(!setting.sandbox.is_banned(child, other));
    setting.sandbox.clear(hang);
    assert!(setting.sandbox.is_member(main, setting.member(2)), "nobody else was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_import_is_waited_for_until_the_children_have_it() {
    let setting = Setting::new(options(2)).await;
    let list = setting.home.path().join("bans.csv");
    let users = [setting.member(3), setting.member(4)];
    std::fs::write(&list, format!("user_id,reason\n{},raid\n{},raid\n", users[0], users[1])).unwrap();
    let file = list.display().to_string();
    let confirm = format!("--confirm={file}");
    let words = ["sync", "import", &file, "--apply", &confirm, "--wait=60"];
    let imported = run(&setting, &words);
    assert_eq!(imported.code, Some(0), "{}", imported.stderr);
    for user in users {
        assert_eq!(setting.sandbox.banned_in(&setting.sandbox.children(), user), 2);
    }
    assert_eq!(imported.json()["data"]["settled"]["children"]["applied"], 4, "{}", imported.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_a_job_is_waited_for_and_keeps_no_other_waiting() {
    let setting = Setting::new(options(1)).await;
    let list = setting.home.path().join("bans.csv");
    std::fs::write(&list, format!("user_id\n{}\n", setting.member(3))).unwrap();
    let file = list.display().to_string();
    // Whatever reads a ban list takes longer than a request is kept waiting.
    let hang = setting.sandbox.inject(Trouble::Hang { at: At::route("GET", "/guilds/{guild_id}/bans") });
    let main = setting.main.to_string();
    let ask = |words: &[&str]| {
        let mut command = setting.home.command("wayhaven");
        command.args(words).args(["--guild", &main, "--json", "--dry-run", "--wait=100"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let import = ["sync", "import", &file];
    let asked = [ask(&import), ask(&import), ask(&["sync", "reconcile"])];
    let export = ask(&["sync", "export", "--source=discord"]);
    let begun = Instant::now();
    while setting.client.call(JobList { running: true, limit: None }).await.unwrap().jobs.len() < 3 {
        assert!(begun.elapsed() < PATIENCE, "the jobs never begin");
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    setting.sandbox.clear(hang);
    for (number, child) in asked.into_iter().chain([export]).enumerate() {
        let output = child.wait_with_output().unwrap();
        let (told, error) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{number}: {told}{error}");
        assert!(
            told.contains("\"state\":\"done\"") && !told.contains("\"state\":\"running\""),
            "{number}: {told}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_undoes_its_bans_is_waited_for() {
    let setting = Setting::new(options(2)).await;
    let (user, child) = (setting.member(0), setting.sandbox.children()[0]);
    assert_eq!(run(&setting, &["ban", &user.to_string(), "--wait"]).code, Some(0));
    assert!(setting.sandbox.is_banned(child, user));
    let confirm = format!("--confirm={child}");
    let removed =
        run(&setting, &["setup", "remove-child", &child.to_string(), "--undo", &confirm, "--wait=30"]);
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(!setting.sandbox.is_banned(child, user), "lifted when the command ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_looks_and_finds_something_failing_ends_with_10() {
    let setting = Setting::new(Options { without_permission: vec![(0, BAN_MEMBERS)], ..options(1) }).await;
    let doctor = run(&setting, &["setup", "doctor"]);
    assert_eq!(doctor.code, Some(10), "{}", doctor.stdout);
    assert!(!doctor.stdout.is_empty(), "the report is shown all the same");
    assert_eq!(setting.home.wayhaven(&["status"]).unwrap().code, Some(0));

    let _new = setting.sandbox.people().reset_token();
    let _ = run(&setting, &["ban", &setting.member(0).to_string()]);
    setting.daemon.until(&setting.client, ConnectionState::Stopped).await.unwrap();
    for words in [["status"].as_slice(), &["daemon", "status"]] {
        let status = setting.home.wayhaven(words).unwrap();
        assert_eq!(status.code, Some(10), "{words:?}: {}", status.stderr);
        assert!(status.stderr.contains("discord"), "{}", status.stderr);
    }
}
