//! kill -9 around what must not be done twice: kicks and direct messages (FAULTS 2).

use crate::kills::{Dice, SEED, quiet, seed};
use crate::setting::{Setting, options};
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask, settled};
use wayhaven_sandbox::{At, Fault, Options};
use wayhaven_shared::operations::kick::Kick;
use wayhaven_shared::operations::punishment::{DeliveryState, PunishmentDetail};
use wayhaven_shared::operations::told::ToldState;
use wayhaven_shared::operations::warn::Warn;
use wayhaven_shared::value::{PunishmentId, Untrusted, UserId};

const MESSAGES: &str = "/channels/{channel_id}/messages";
const MEMBER: &str = "/guilds/{guild_id}/members/{user_id}";

fn user(id: u64) -> UserId {
    UserId::new(id).unwrap()
}

/// Kicks somebody who is a member of every guild.
async fn kick(setting: &Setting, whom: u64) -> PunishmentId {
    for child in setting.sandbox.children() {
        if !setting.sandbox.is_member(child, whom) {
            setting.sandbox.people().join(child, whom).unwrap();
        }
    }
    let kick = Kick { user: user(whom), reason: None, evidence: None };
    ask(&setting.client, setting.main, kick).await.unwrap().punishment.unwrap().id
}

fn guilds(setting: &Setting) -> Vec<u64> {
    setting.sandbox.children().into_iter().chain([setting.main.get()]).collect()
}

/// How often a guild's audit log tells that somebody was kicked.
fn kicked(setting: &Setting, of: u64, whom: u64) -> usize {
    let target = whom.to_string();
    let entries = setting.sandbox.audit_log(of);
    entries.iter().filter(|one| one["action_type"] == 20 && one["target_id"] == target.as_str()).count()
}

/// Every guild has kicked them exactly once, and Wayhaven knows it.
fn check_kicks(setting: &Setting, detail: &PunishmentDetail, note: &str) {
    let whom = detail.punishment.user_id.get();
    for of in guilds(setting) {
        assert_eq!(kicked(setting, of, whom), 1, "{note}: {whom} in {of}");
    }
    assert_eq!(detail.origin.state, DeliveryState::Applied, "{note}: {:?}", detail.origin);
    assert_eq!(detail.counts().applied, detail.counts().total(), "{note}: {}", detail.counts().words());
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_kill_after_discord_took_a_message_and_after_it_kicked_repeats_neither() {
    let mut setting = Setting::new(options(3)).await;
    let whom = setting.member(0);
    // The message is there, and the answer on its way for longer than the daemon lives.
    let slow = setting.sandbox.inject(Fault::Latency { at: At::route("POST", MESSAGES), by: PATIENCE });
    let id = kick(&setting, whom).await;
    let told = |sandbox: &wayhaven_sandbox::Discord| sandbox.direct_messages(whom).len() == 1;
    setting.sandbox.wait_until(told, PATIENCE).await.unwrap();
    setting.daemon.kill().unwrap();
    setting.sandbox.clear(slow);
    // The same once more with the kicks.
    let slow = setting.sandbox.inject(Fault::Latency { at: At::route("DELETE", MEMBER), by: PATIENCE });
    setting.restart().await;
    for of in guilds(&setting) {
        let gone = move |sandbox: &wayhaven_sandbox::Discord| !sandbox.is_member(of, whom);
        setting.sandbox.wait_until(gone, PATIENCE).await.unwrap();
    }
    setting.daemon.kill().unwrap();
    setting.sandbox.clear(slow);
    for of in guilds(&setting) {
        setting.sandbox.people().join(of, whom).unwrap();
    }
    setting.restart().await;
    let detail = settled(&setting.client, id).await.unwrap();
    check_kicks(&setting, &detail, "after two kills");
    assert_eq!(setting.sandbox.direct_messages(whom).len(), 1);
    assert_eq!(detail.told.map(|told| told.state), Some(ToldState::Told));
    assert!(guilds(&setting).iter().all(|of| setting.sandbox.is_member(*of, whom)), "who came back stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_a_warning_that_was_not_told_before_the_kill_is_told_after_it_once() {
    let mut setting = Setting::new(options(1)).await;
    let whom = setting.member(0);
    let hang = setting.sandbox.inject(Fault::Hang { at: At::route("POST", "/users/@me/channels") });
    let warn = Warn { user: user(whom), reason: Untrusted::clipped("be kind"), evidence: None };
    let id = ask(&setting.client, setting.main, warn).await.unwrap().punishment.unwrap().id;
    setting.daemon.kill().unwrap();
    setting.sandbox.clear(hang);
    assert!(setting.sandbox.direct_messages(whom).is_empty());
    setting.restart().await;
    let detail = settled(&setting.client, id).await.unwrap();
    assert_eq!(detail.told.map(|told| told.state), Some(ToldState::Told));
    assert_eq!(setting.sandbox.direct_messages(whom).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_2_kills_at_random_moments_of_a_burst_of_kicks_kick_everybody_once() {
    const KICKS: usize = 10;
    let seed = seed();
    println!("{SEED}={seed}");
    let mut dice = Dice(seed);
    let options = Options { global_limit: 0, ..options(20) };
    let mut setting = Setting::with(options, &[("DISCORD_REQUESTS_PER_SECOND", "400")]).await;
    let mut ids = Vec::new();
    for round in 0..KICKS {
        ids.push(kick(&setting, setting.member(round)).await);
        if round % 2 == 0 {
            continue;
        }
        let (there, more) = (setting.sandbox.log().len(), usize::try_from(dice.below(60)).unwrap());
        // All of what is open may be fewer than that; then nothing moves, which is a moment too.
        let moment = |sandbox: &wayhaven_sandbox::Discord| sandbox.log().len() >= there + more;
        let _ = setting.sandbox.wait_until(moment, Duration::from_millis(700)).await;
        setting.daemon.kill().unwrap();
        // What had left is answered, though nobody hears it.
        quiet(&setting.sandbox).await;
        setting.daemon = setting.home.start().unwrap();
        setting.client = setting.daemon.client().await.unwrap();
    }
    setting.client = setting.daemon.ready().await.unwrap();
    for id in ids {
        let detail = settled(&setting.client, id).await.unwrap();
        let whom = detail.punishment.user_id.get();
        for of in guilds(&setting) {
            assert_eq!(kicked(&setting, of, whom), 1, "seed {seed}: {whom} in {of}");
            assert!(!setting.sandbox.is_member(of, whom), "seed {seed}");
        }
        let told = detail.told.clone().unwrap();
        let messages = setting.sandbox.direct_messages(whom).len();
        match told.state {
            ToldState::Told => assert_eq!(messages, 1, "seed {seed}"),
            _ => assert!(messages <= 1, "seed {seed}: {messages}, {}", told.words()),
        }
        // One that was kicked before the kill and noted nowhere may have gone by themselves, for all that is known.
        let skipped = detail.counts().skipped;
        assert_eq!(detail.counts().applied + skipped, 20, "seed {seed}: {}", detail.counts().words());
    }
}
