//! `--wait` of requests that start deliveries on the way: links that open, steps of warnings, mute
//! roles, comparisons.

use super::run;
use crate::setting::{Setting, guild, options};
use wayhaven_e2e::process::Finished;
use wayhaven_sandbox::Options;
use wayhaven_shared::operations::job::{JobShow, JobState};

/// The permission Ban Members.
const BAN_MEMBERS: u64 = 1 << 2;

/// Runs a command in one of the guilds.
fn run_in(setting: &Setting, of: u64, words: &[&str]) -> Finished {
    let of = of.to_string();
    let mut all = words.to_vec();
    all.extend(["--guild", &of, "--json"]);
    setting.home.wayhaven(&all).unwrap()
}

/// How many deliveries to children the reply counts as applied.
fn applied(finished: &Finished) -> serde_json::Value {
    finished.json()["data"]["settled"]["children"]["applied"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_opens_is_waited_for_until_what_was_decided_before_is_there() {
    let setting = Setting::new(options(1)).await;
    let child = setting.sandbox.children()[0];
    let to = child.to_string();
    let (first, second, third) = (setting.member(0), setting.member(1), setting.member(2));

    assert_eq!(run(&setting, &["setup", "mode", &to, "monitor"]).code, Some(0));
    assert_eq!(run(&setting, &["ban", &first.to_string(), "--wait"]).code, Some(0));
    assert!(!setting.sandbox.is_banned(child, first), "only recorded");
    let unconfirmed = run(&setting, &["setup", "mode", &to, "active", "--wait=60"]);
    assert_eq!(unconfirmed.code, Some(9), "it may deliver to many: {}", unconfirmed.stdout);
    assert!(unconfirmed.stderr.contains(&confirm(&to)), "{}", unconfirmed.stderr);
    let opened = run(&setting, &["setup", "mode", &to, "active", &confirm(&to), "--wait=60"]);
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    assert!(setting.sandbox.is_banned(child, first), "applied when the command ends");
    assert_eq!(applied(&opened), 1, "{}", opened.stdout);

    assert_eq!(run(&setting, &["setup", "actions", &to, "kick"]).code, Some(0));
    assert_eq!(run(&setting, &["ban", &second.to_string(), "--wait"]).code, Some(0));
    assert!(!setting.sandbox.is_banned(child, second));
    let widened = run(&setting, &["setup", "actions", &to, "kick,ban", &confirm(&to), "--wait=60"]);
    assert_eq!(widened.code, Some(0), "{}", widened.stderr);
    assert!(setting.sandbox.is_banned(child, second));

    assert_eq!(run(&setting, &["setup", "remove-child", &to]).code, Some(0));
    assert_eq!(run(&setting, &["ban", &third.to_string(), "--wait"]).code, Some(0));
    assert!(!setting.sandbox.is_banned(child, third));
    let linked = run(&setting, &["setup", "add-child", &to, &confirm(&to), "--wait=60"]);
    assert_eq!(linked.code, Some(0), "{}", linked.stderr);
    assert!(setting.sandbox.is_banned(child, third));
}

fn confirm(name: &str) -> String {
    format!("--confirm={name}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_opens_to_a_guild_without_the_permission_does_not_end_with_0() {
    let setting = Setting::new(Options { without_permission: vec![(0, BAN_MEMBERS)], ..options(1) }).await;
    let to = setting.sandbox.children()[0].to_string();
    assert_eq!(run(&setting, &["setup", "mode", &to, "monitor"]).code, Some(0));
    assert_eq!(run(&setting, &["ban", &setting.member(0).to_string(), "--wait"]).code, Some(0));
    // The backfill waits for the permission, without which it cannot read the ban list.
    let opened = run(&setting, &["setup", "mode", &to, "active", &confirm(&to), "--wait=3"]);
    assert_eq!(opened.code, Some(8), "{}{}", opened.stdout, opened.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_step_that_a_warning_reaches_is_waited_for() {
    let setting = Setting::new(Options { without_permission: vec![(1, BAN_MEMBERS)], ..options(2) }).await;
    let (main, children) = (setting.main.get(), setting.sandbox.children());
    assert_eq!(run(&setting, &["config", "warnings", "1:timeout:1h,2:ban,3:mute"]).code, Some(0));
    let user = setting.member(0);
    let warn = |wait: &str| run(&setting, &["warn", &user.to_string(), "--reason=spam", wait]);

    let first = warn("--wait=30");
    assert_eq!(first.code, Some(0), "{}{}", first.stdout, first.stderr);
    let taken = &first.json()["data"]["escalation"];
    assert_eq!(
        (&taken["action"], &taken["deliveries"]["pending"]),
        (&"timeout".into(), &0.into()),
        "{taken}"
    );
    assert_eq!(taken["origin"]["state"], "applied", "{taken}");

    // The second child lacks the permission.
    let second = warn("--wait=30");
    assert_eq!(second.code, Some(3), "{}{}", second.stdout, second.stderr);
    assert!(setting.sandbox.is_banned(main, user) && setting.sandbox.is_banned(children[0], user));
    assert_eq!(second.json()["data"]["escalation"]["deliveries"]["blocked"], 1, "{}", second.stdout);

    // Nobody has a mute role: the step is refused.
    let third = warn("--wait=30");
    assert_eq!(third.code, Some(3), "{}{}", third.stdout, third.stderr);
    assert!(third.stderr.contains("its step was refused"), "{}", third.stderr);

    // A fourth reaches no step.
    assert_eq!(warn("--wait=30").code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_a_child_asks_for_is_waited_for_with_what_it_delivers() {
    let setting = Setting::new(options(1)).await;
    let (child, user) = (setting.sandbox.children()[0], setting.member(0));
    let to = child.to_string();
    assert_eq!(run(&setting, &["setup", "mode", &to, "monitor"]).code, Some(0));
    assert_eq!(run(&setting, &["ban", &user.to_string(), "--wait"]).code, Some(0));
    assert_eq!(run(&setting, &["setup", "mode", &to, "active", "--no-backfill"]).code, Some(0));
    assert!(!setting.sandbox.is_banned(child, user));
    let compared = run_in(&setting, child, &["sync", "reconcile", "--apply", "--confirm=apply", "--wait=60"]);
    assert_eq!(compared.code, Some(0), "{}{}", compared.stdout, compared.stderr);
    assert!(setting.sandbox.is_banned(child, user), "applied when the command ends");
    assert_eq!(applied(&compared), 1, "{}", compared.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn mutes_that_waited_for_a_mute_role_are_waited_for() {
    let setting = Setting::new(options(1)).await;
    let (main, child) = (setting.main.get(), setting.sandbox.children()[0]);
    let role = |of| setting.sandbox.role(of, "Muted").to_string();
    let user =
        *setting.sandbox.members(child).iter().find(|one| setting.sandbox.is_member(main, **one)).unwrap();
    assert_eq!(run(&setting, &["config", "muterole", &role(main), "--wait"]).code, Some(0));
    let muted = run(&setting, &["mute", &user.to_string(), "--wait"]);
    assert_eq!(muted.code, Some(3), "the child has no mute role: {}", muted.stdout);
    let configured = run_in(&setting, child, &["config", "muterole", &role(child), "--wait=30"]);
    assert_eq!(configured.code, Some(0), "{}{}", configured.stdout, configured.stderr);
    assert_eq!(applied(&configured), 1, "{}", configured.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn undos_that_a_narrower_freeze_releases_are_waited_for() {
    let setting = Setting::new(options(2)).await;
    let (children, user) = (setting.sandbox.children(), setting.member(0));
    assert_eq!(run(&setting, &["ban", &user.to_string(), "--wait"]).code, Some(0));
    assert_eq!(run(&setting, &["sync", "freeze"]).code, Some(0));
    assert_eq!(run(&setting, &["unban", &user.to_string(), "--wait"]).code, Some(3), "held");
    assert_eq!(setting.sandbox.banned_in(&children, user), 2);
    let narrowed = run(&setting, &["sync", "freeze", "--except-reversals", "--wait=30"]);
    assert_eq!(narrowed.code, Some(0), "{}{}", narrowed.stdout, narrowed.stderr);
    assert_eq!(setting.sandbox.banned_in(&children, user), 0, "lifted when the command ends");
    assert_eq!(applied(&narrowed), 2, "{}", narrowed.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_comparisons_after_a_role_is_protected_no_more_are_waited_for() {
    let setting = Setting::new(options(2)).await;
    let role = format!("--role={}", setting.sandbox.role(setting.main.get(), "Regular"));
    assert_eq!(run(&setting, &["protect", "add", &role]).code, Some(0));
    let removed = run(&setting, &["protect", "remove", &role, "--wait=60"]);
    assert_eq!(removed.code, Some(0), "{}{}", removed.stdout, removed.stderr);
    let value = removed.json();
    let jobs = value["data"]["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), 2, "one per child: {}", removed.stdout);
    for id in jobs {
        let id = id.as_str().unwrap().parse().unwrap();
        let job = setting.client.call(JobShow { id }).await.unwrap();
        assert_eq!((job.state, job.main_guild_id), (JobState::Done, Some(guild(setting.main.get()))));
    }
}
