//! kill -9, and two daemons on one state.

use crate::setting::{Setting, options};
use std::collections::HashMap;
use wayhaven_e2e::process::{PATIENCE, ask, settled};
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::operations::audit::{AuditLog, AuditResult};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::config::ConfigLogchannel;
use wayhaven_shared::operations::sync::SyncStatus;
use wayhaven_shared::value::{ChannelId, PunishmentId, UserId};

#[tokio::test(flavor = "multi_thread")]
async fn fault_1_kill_between_commit_and_first_request_loses_nothing_and_repeats_nothing() {
    let mut setting = Setting::new(options(20)).await;
    pause(&setting).await;
    let id = ban(&setting, 0).await;
    setting.daemon.kill().unwrap();
    let asked_before = child_requests(&setting);
    assert!(asked_before.is_empty(), "no child was asked yet: {asked_before:?}");
    setting.restart().await;
    let detail = settled(&setting.client, id).await.unwrap();
    assert_eq!(detail.counts().applied, 20, "{}", detail.counts().words());
    assert_eq!(setting.sandbox.banned_in(&setting.sandbox.children(), setting.member(0)), 20);
    let asked = child_requests(&setting);
    assert_eq!(asked.len(), 20);
    assert!(asked.values().all(|count| *count == 1), "none twice: {asked:?}");
}

/// Has Discord refuse everything for ten minutes, and waits until the daemon knows: what is stored from then on is not
/// sent.
async fn pause(setting: &Setting) {
    let at = At::route("GET", "/channels/{channel_id}").times(1);
    let refusal = Fault::RateLimit { at, scope: Scope::Global, retry_after: 600.0, headers: None };
    setting.sandbox.inject(refusal);
    let (client, main) = (setting.client.clone(), setting.main);
    let channel = ChannelId::new(setting.sandbox.log_channel(main.get()));
    // It waits for the answer as long as the daemon lives.
    tokio::spawn(
        async move { ask(&client, main, ConfigLogchannel { channel, unset: false }).await.map(drop) },
    );
    let paused = async {
        while setting.client.call(SyncStatus {}).await.unwrap().paused_seconds.is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, paused).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_kill_after_discord_has_applied_it_repeats_a_ban_harmlessly() {
    let mut setting = Setting::new(options(3)).await;
    let (child, user) = (setting.sandbox.children()[1], setting.member(0));
    // Done, and the answer on its way for longer than the daemon lives.
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let slow = setting.sandbox.inject(Fault::Latency { at, by: PATIENCE });
    let id = ban(&setting, 0).await;
    let done = |sandbox: &wayhaven_sandbox::Discord| sandbox.is_banned(child, user);
    setting.sandbox.wait_until(done, PATIENCE).await.unwrap();
    setting.daemon.kill().unwrap();
    setting.sandbox.clear(slow);
    setting.restart().await;
    let detail = settled(&setting.client, id).await.unwrap();
    assert_eq!(detail.counts().applied, 3, "{}", detail.counts().words());
    let asked = child_requests(&setting);
    assert_eq!(asked[&(child, user)], 2, "nobody could know that it was done: {asked:?}");
    let entries = setting.sandbox.audit_log(child);
    let user = user.to_string();
    assert_eq!(entries.iter().filter(|entry| entry["target_id"] == user.as_str()).count(), 1, "{entries:?}");
}

/// How often each child was asked for each user.
fn child_requests(setting: &Setting) -> HashMap<(u64, u64), usize> {
    let mut asked = HashMap::new();
    for effect in setting.sandbox.effects() {
        if let (Some(guild), Some(user)) = (effect.guild, effect.user)
            && guild != setting.main.get()
        {
            *asked.entry((guild, user)).or_default() += 1;
        }
    }
    asked
}

async fn ban(setting: &Setting, member: usize) -> PunishmentId {
    let ban = Ban::new(UserId::new(setting.member(member)).unwrap());
    ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_of_a_burst_ends_right_in_every_child() {
    let mut setting = Setting::new(options(10)).await;
    let mut ids = Vec::new();
    for member in 0..6 {
        ids.push(ban(&setting, member).await);
    }
    let half =
        setting.sandbox.wait_until(|sandbox| sandbox.effect_count() >= 25, wayhaven_e2e::process::PATIENCE);
    half.await.unwrap();
    setting.daemon.kill().unwrap();
    setting.restart().await;
    for id in ids {
        assert_eq!(settled(&setting.client, id).await.unwrap().counts().applied, 10);
    }
    // What was on the way or not yet recorded may come twice, which is harmless; nothing else does.
    let asked = child_requests(&setting);
    assert_eq!(asked.len(), 60);
    assert!(asked.values().all(|count| *count <= 2), "{asked:?}");
    let log = AuditLog { operation: Some("ban".parse().unwrap()), ..AuditLog::default() };
    let entries = setting.client.call(log).await.unwrap().entries;
    assert_eq!(entries.iter().filter(|entry| entry.result == AuditResult::Success).count(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_27_the_second_daemon_exits_and_names_the_first() {
    let setting = Setting::new(options(1)).await;
    let mut command = setting.home.command("wayhavend");
    let output = command.arg("run").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("pid {}", setting.daemon.pid())), "{said}");
    assert!(said.contains("hint:"), "{said}");
    // The first is none the worse.
    setting.client.call(wayhaven_shared::operations::status::Status {}).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_the_rest_goes_on_at_the_next_start() {
    let mut setting = Setting::with(options(5), &[("DISCORD_REQUESTS_PER_SECOND", "10")]).await;
    let id = ban(&setting, 0).await;
    let status = setting.daemon.terminate().await.unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(setting.sandbox.banned_in(&setting.sandbox.children(), setting.member(0)), 5, "drained");
    setting.restart().await;
    assert_eq!(settled(&setting.client, id).await.unwrap().counts().applied, 5);
    assert!(child_requests(&setting).values().all(|count| *count == 1), "nothing is repeated");
}
