//! The command line's contract, as scripts use it.

use crate::setting::{Setting, options};
use serde_json::Value;
use wayhaven_sandbox::Options;

#[tokio::test(flavor = "multi_thread")]
async fn the_json_of_the_main_job_has_the_promised_shape() {
    let setting = Setting::new(Options { without_permission: vec![(1, 1 << 2)], ..options(3) }).await;
    let (main, user) = (setting.main.to_string(), setting.member(0).to_string());
    let run = |arguments: &[&str]| setting.home.wayhaven(arguments).unwrap();

    let preview = run(&["ban", &user, "--guild", &main, "--dry-run", "--json"]);
    assert_eq!(preview.json()["data"]["plan"].as_array().unwrap().len(), 3, "{}", preview.stdout);
    assert_eq!(setting.sandbox.effect_count(), 0, "a dry run changes nothing");

    let banned = run(&["ban", &user, "--guild", &main, "--reason", "raid", "--wait", "--json"]);
    assert_eq!(banned.code, Some(3), "some guilds failed: {}", banned.stderr);
    let json = banned.json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["kind"], "ban");
    assert_eq!(
        (&json["data"]["deliveries"]["applied"], &json["data"]["deliveries"]["blocked"]),
        (&2.into(), &1.into())
    );
    let id = json["data"]["punishment"]["id"].as_str().unwrap().to_owned();

    let shown = run(&["punishment", "show", &id, "--json"]).json();
    let deliveries = shown["data"]["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 3);
    let blocked = deliveries.iter().find(|one| one["state"] == "blocked").unwrap();
    assert_eq!(blocked["guild_id"], setting.sandbox.children()[1].to_string());
    assert!(blocked["reason"].as_str().unwrap().contains("permission"), "{blocked}");

    let status = run(&["status", "--json"]).json();
    assert_eq!(status["data"]["discord"]["state"], "ready");
    assert_eq!(status["data"]["guilds"], 4);
    assert_eq!(status["data"]["deliveries"]["applied"], 2);
    assert!(status["data"]["version"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_json_on_standard_error_with_their_exit_code() {
    let setting = Setting::new(options(1)).await;
    let main = setting.main.to_string();
    for (arguments, code, kind) in [
        (vec!["ban", "nobody", "--guild", &main], 2, "usage"),
        (vec!["ban", "123456789012345678", "--delete-days", "8", "--guild", &main], 2, "usage"),
        (vec!["ban", "123456789012345678", "--guild", "123456789012345678"], 5, "not_found"),
        (vec!["punishment", "show", "99"], 5, "not_found"),
        (vec!["setup", "add-child", &main, "--no-backfill", "--guild", &main], 2, "usage"),
        (vec!["setup", "add-child", &main, "--guild", &main], 9, "declined"),
        (vec!["setup", "main-guild", "--guild", "123456789012345678"], 5, "not_found"),
        (vec!["audit", "log", "--operation", "nonsense"], 2, "usage"),
        (vec!["nonsense"], 2, "usage"),
    ] {
        let mut arguments = arguments;
        arguments.push("--json");
        let finished = setting.home.wayhaven(&arguments).unwrap();
        assert_eq!(finished.code, Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{arguments:?}: {}", finished.stdout);
        let said: Value = serde_json::from_str(&finished.stderr).unwrap();
        assert_eq!(said["fault"]["kind"], kind, "{arguments:?}: {said}");
        assert!(!said["fault"]["message"].as_str().unwrap().is_empty());
    }
}
