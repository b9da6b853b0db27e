//! Slash commands and their clocks.

use crate::room::Beside;
use crate::setting::{Setting, guild, options};
use serde_json::json;
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask};
use wayhaven_sandbox::{At, Fault};
use wayhaven_shared::operations::config::ConfigLogchannel;
use wayhaven_shared::value::ChannelId;

#[tokio::test(flavor = "multi_thread")]
async fn fault_36_a_slow_command_is_deferred_at_once_and_a_late_result_goes_to_the_log_channel() {
    let setting = Setting::beside(Beside::One, options(2)).await;
    let main = setting.main;
    let channel = setting.sandbox.log_channel(main.get());
    let logchannel = ConfigLogchannel { channel: ChannelId::new(channel), unset: false };
    ask(&setting.client, main, logchannel).await.unwrap();

    // One child does not answer for now.
    let slow = setting.sandbox.children()[1];
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(slow);
    let fault = setting.sandbox.inject(Fault::Answer { at, status: 503, code: 0, message: "busy".into() });
    let user = setting.member(0);
    let people = setting.sandbox.people();
    let asked = people
        .slash(
            main.get(),
            setting.sandbox.moderator(),
            "ban",
            json!({"user": user.to_string(), "reason": "raid"}),
        )
        .unwrap();
    setting.sandbox.wait_until(|_| people.replies(asked).len() > 1, PATIENCE).await.unwrap();
    let interaction = people.interaction(asked).unwrap();
    assert!(interaction.was_deferred && interaction.ephemeral);
    assert!(interaction.answered_after.unwrap() < Duration::from_secs(3));

    // A quarter of an hour later the token is worth nothing any more, and then the child answers.
    let replies = people.replies(asked).len();
    setting.sandbox.advance(Duration::from_secs(16 * 60));
    assert!(setting.sandbox.messages(channel).is_empty());
    assert!(setting.sandbox.clear(fault));
    let posted = setting.sandbox.wait_until(|sandbox| !sandbox.messages(channel).is_empty(), PATIENCE);
    posted.await.unwrap();
    let message = setting.sandbox.messages(channel).remove(0);
    assert!(message["content"].as_str().unwrap().contains("/ban"), "{message}");
    assert!(message["embeds"][0].to_string().contains("2 applied"), "{message}");
    assert_eq!(people.replies(asked).len(), replies, "the reply itself could not be changed any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_32_a_hostile_reason_pings_nobody_and_stays_one_line_everywhere() {
    let setting = Setting::beside(Beside::One, options(1)).await;
    let reason = "a\u{1b}[2Jb\r\nX-Injected: 1 \u{202e}@everyone **bold** 👩‍👩‍👧";
    // And as long as a text may be, of which Discord's audit log takes 512 characters.
    let long = format!("{reason}{}", "é".repeat(4_000 - reason.chars().count()));
    let (main, whom) = (format!("--guild={}", setting.main), setting.member(1).to_string());
    let asked = setting.home.wayhaven(&["ban", &whom, "--reason", &long, &main, "--wait"]).unwrap();
    assert_eq!(asked.code, Some(0), "{}", asked.stderr);
    let user = setting.member(0);
    let asked = setting
        .sandbox
        .people()
        .slash(
            setting.main.get(),
            setting.sandbox.moderator(),
            "ban",
            json!({"user": user.to_string(), "reason": reason}),
        )
        .unwrap();
    let child = setting.sandbox.children()[0];
    setting.sandbox.wait_until(|sandbox| sandbox.is_banned(child, user), PATIENCE).await.unwrap();
    let (_, stored) = setting.sandbox.bans(child).remove(0);
    assert_eq!(stored.as_deref(), Some("a [2Jb X-Injected: 1 @everyone **bold** 👩‍👩‍👧"));
    let reply = setting.sandbox.people().reply(asked).await.unwrap();
    assert!(!reply.to_string().contains("@everyone"), "{reply}");
    let shown = setting.home.wayhaven(&["punishment", "list"]).unwrap();
    let log = std::fs::read_to_string(setting.home.layout().unwrap().logs.join("wayhaven.log")).unwrap();
    assert!(log.contains(" - started"), "{log}");
    for (of, text) in [("the list", &shown.stdout), ("the log", &log)] {
        let is_hostile = |letter: char| matches!(letter, '\u{1b}' | '\u{202e}' | '\r');
        assert!(!text.contains(is_hostile), "{of}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("X-Injected")), "{of}: {text:?}");
    }
    let sent = setting.sandbox.log();
    let header =
        sent.iter().rev().find_map(|one| one.reason.clone().filter(|why| why.contains('é'))).unwrap();
    assert!(
        header.chars().count() <= 512 && !header.contains(['\r', '\n', '\u{1b}', '\u{202e}']),
        "{header:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_without_the_permission_is_refused_and_audited_and_nothing_happens() {
    let setting = Setting::beside(Beside::One, options(1)).await;
    // What staff may do is for us to say: Discord offers the command to everybody.
    let (main, member) = (setting.main.get(), setting.member(5));
    let asked = setting.sandbox.people().slash(main, member, "punishment list", json!({})).unwrap();
    let reply = setting.sandbox.people().reply(asked).await.unwrap().to_string();
    assert!(reply.contains("staff role"), "{reply}");
    assert_eq!(setting.sandbox.effect_count(), 0);
    let audited = setting.home.wayhaven(&["audit", "log", "--result=denied", "--json"]).unwrap().json();
    assert_eq!(audited["data"]["entries"][0]["actor"], member.to_string(), "{audited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn setup_on_discord_links_at_once_only_for_who_administers_both_guilds() {
    let setting = Setting::beside(Beside::One, wayhaven_sandbox::Options { children: 2, ..options(2) }).await;
    let child = setting.sandbox.children()[0];
    let main = setting.main.get();
    let people = setting.sandbox.people();
    let remove = json!({"child": child.to_string()});
    let asked = people.slash(main, setting.sandbox.admin(), "setup remove-child", remove.clone()).unwrap();
    assert!(people.reply(asked).await.unwrap().to_string().contains("the link is closed"));
    for (by, planned, done) in [
        (setting.sandbox.admin(), "the link would be proposed", "the link is proposed"),
        (setting.sandbox.owner(), "the link would be active", "the link is active"),
    ] {
        let asked = people.slash(main, by, "setup add-child", remove.clone()).unwrap();
        let question = people.reply(asked).await.unwrap();
        assert!(question.to_string().contains(planned), "{question}");
        let buttons = question["components"][0]["components"].as_array().unwrap();
        let go = buttons.iter().find(|button| button["label"] == "Do it").unwrap();
        let pressed = people.press(asked, by, go["custom_id"].as_str().unwrap()).unwrap();
        let says = |_: &wayhaven_sandbox::Discord| {
            people.replies(pressed).iter().any(|reply| reply.to_string().contains(done))
        };
        setting.sandbox.wait_until(says, PATIENCE).await.unwrap();
    }
    let dashboard = setting.client.call(wayhaven_shared::operations::setup::SetupDashboard {}).await.unwrap();
    assert!(dashboard.networks[0].children.iter().any(|one| one.link.child_guild_id == guild(child)));
}
