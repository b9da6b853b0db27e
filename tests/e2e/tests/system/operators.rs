//! Operators by the name of their account, and dry runs marked as such.

use crate::setting::{Setting, options};
use serde_json::Value;
use std::process::Command;
use wayhaven_e2e::process::Finished;

fn run(setting: &Setting, words: &[&str]) -> Finished {
    let main = setting.main.to_string();
    let mut all = words.to_vec();
    all.extend(["--guild", &main]);
    setting.home.wayhaven(&all).unwrap()
}

fn json(setting: &Setting, words: &[&str]) -> Value {
    let finished = run(setting, &[words, &["--json"]].concat());
    assert_eq!(finished.code, Some(0), "{words:?}: {}", finished.stderr);
    finished.json()["data"].clone()
}

/// What `id` says of this test's account.
fn id(option: &str) -> String {
    let output = Command::new("id").arg(option).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_punishments_carry_their_account_and_are_reverted_by_it() {
    let setting = Setting::new(options(1)).await;
    let (user, child) = (setting.member(0), setting.sandbox.children()[0]);
    let (uid, name) = (id("-u"), id("-un"));
    // A machine without a name for this account shows the number alone.
    let known = if name == uid { format!("unix user {uid}") } else { format!("{name} (unix user {uid})") };

    let banned = json(&setting, &["ban", &user.to_string(), "--wait"]);
    let shown = json(&setting, &["punishment", "show", banned["punishment"]["id"].as_str().unwrap()]);
    assert_eq!(shown["punishment"]["operator"], known);
    assert!(run(&setting, &["punishment", "list"]).stdout.contains(&known), "the list names them too");
    assert!(setting.sandbox.is_banned(child, user));

    let by_account = ["punishment", "revert", "--operator", &name, "--since=1h"];
    let unknown =
        run(&setting, &["punishment", "revert", "--operator=nobody-here", "--since=1h", "--dry-run"]);
    assert_eq!(unknown.code, Some(5), "{}", unknown.stderr);
    let other = json(&setting, &["punishment", "revert", "--operator=4294967", "--since=1h", "--dry-run"]);
    assert_eq!(other["undone"], 0, "another account's punishments are not found");
    assert_eq!(json(&setting, &[by_account.as_slice(), &["--dry-run"]].concat())["undone"], 1);
    let confirm = format!("--confirm={name}");
    let reverted = json(&setting, &[by_account.as_slice(), &[&confirm, "--wait"]].concat());
    assert_eq!(reverted["undone"], 1);
    assert!(!setting.sandbox.is_banned(child, user));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_names_operators_and_marks_dry_runs() {
    let setting = Setting::new(options(1)).await;
    let user = setting.member(0).to_string();
    assert_eq!(run(&setting, &["ban", &user, "--dry-run"]).code, Some(0));
    assert_eq!(run(&setting, &["warn", &user, "--reason=spam"]).code, Some(0));
    let (uid, name) = (id("-u"), id("-un"));
    let log = json(&setting, &["audit", "log", "--operator", &name]);
    let entry = |operation: &str| {
        let entries = log["entries"].as_array().unwrap();
        entries.iter().find(|entry| entry["operation"] == operation).unwrap().clone()
    };
    let (planned, warned) = (entry("ban"), entry("warn"));
    let actor = planned["actor"].as_str().unwrap();
    assert!(actor == format!("unix user {uid}") || actor == format!("{name} (unix user {uid})"), "{actor}");
    assert_eq!((&planned["dry_run"], warned.get("dry_run")), (&Value::Bool(true), None));
    let shown = run(&setting, &["audit", "log"]).stdout;
    let line = shown.lines().find(|line| line.contains("ban (dry run)")).unwrap();
    assert!(line.contains("planned") && !line.contains("success"), "{line}");
    let csv = run(&setting, &["audit", "export", "--format=csv"]).stdout;
    let marked = |line: &&str| line.contains(",ban,") && line.ends_with("true");
    assert!(csv.lines().any(|line| marked(&line)), "{csv}");
}
