//! What guilds are told, in a sandbox Discord in the same process.

use crate::store::tests::shell;
use crate::store::{NoticeCursor, Severity};
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use wayhaven_sandbox::world::Overwrite;
use wayhaven_sandbox::{At, Discord, Fault, Sandbox, permissions};
use wayhaven_shared::Request;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::config::{
    ConfigAudit, ConfigLogchannel, ConfigNotifications, ConfigShow, GuildConfig, Switch,
};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::ChannelId;

const MESSAGES: &str = "/channels/{channel_id}/messages";

async fn ask(test: &TestDaemon, of: u64, request: impl Into<Request>) {
    test.ask(by_operator(Role::Owner, Some(of), request.into())).await.unwrap();
}

/// Has a guild told of punishments in `general`.
async fn notify(test: &TestDaemon, sandbox: &Sandbox, of: u64) -> u64 {
    let channel = sandbox.channel(of, "general");
    ask(test, of, ConfigNotifications { channel: ChannelId::new(channel), off: false }).await;
    channel
}

/// Has a guild's alerts posted in `moderation-log`.
async fn log(test: &TestDaemon, sandbox: &Sandbox, of: u64) -> u64 {
    let channel = sandbox.log_channel(of);
    ask(test, of, ConfigLogchannel { channel: ChannelId::new(channel), unset: false }).await;
    channel
}

/// The lines of all messages in a channel, oldest first.
fn lines(sandbox: &Discord, channel: u64) -> Vec<String> {
    let text = |message: &Value| message["embeds"][0]["description"].as_str().unwrap_or_default().to_owned();
    let bodies: Vec<_> = sandbox.messages(channel).iter().map(text).collect();
    bodies.iter().flat_map(|body| body.lines().map(str::to_owned)).collect()
}

async fn until_told(sandbox: &Sandbox, channel: u64, count: usize) -> Vec<String> {
    let told = sandbox.wait_until(|sandbox| lines(sandbox, channel).len() >= count, PATIENCE).await;
    told.unwrap_or_else(|timeout| panic!("{timeout}; told: {:?}", lines(sandbox, channel)));
    lines(sandbox, channel)
}

async fn alert(test: &TestDaemon, kind: &str, of: Option<u64>) {
    let (kind, of) = (kind.to_owned(), of.map(guild));
    let work = move |change: &crate::store::Change<'_>| {
        Ok(change.alert(&kind, Severity::Low, of, None, "something happened")?)
    };
    test.daemon.store().write(work).await.unwrap();
}

/// Waits until everything that happened so far was told: a message is taken up after it, and posted.
async fn until_caught_up(test: &TestDaemon, sandbox: &Sandbox) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let channel = log(test, sandbox, sandbox.main_guild()).await;
    for _ in 0..2 {
        // The second one is posted in a round that began after all of the first one's was posted.
        let kind = format!("mark{}", COUNT.fetch_add(1, Ordering::Relaxed));
        alert(test, &kind, None).await;
        let there = |sandbox: &Discord| lines(sandbox, channel).iter().any(|line| line.contains(&kind));
        sandbox.wait_until(there, PATIENCE).await.unwrap();
    }
}

/// How many messages were sent to a channel, whatever became of them.
fn sent(sandbox: &Discord, channel: u64) -> usize {
    let path = format!("/channels/{channel}/messages");
    sandbox.log().iter().filter(|asked| asked.method == "POST" && asked.path == path).count()
}

fn may_not_send(sandbox: &Sandbox, channel: u64, denied: bool) {
    let bot = sandbox.bot_id();
    sandbox.change(|world| {
        let overwrites = &mut world.channels.get_mut(&channel).unwrap().overwrites;
        overwrites.clear();
        if denied {
            overwrites.push(Overwrite { id: bot, member: true, allow: 0, deny: permissions::SEND_MESSAGES });
        }
    });
}

#[tokio::test]
async fn a_child_is_told_of_its_own_delivery_and_of_no_other_guild() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let mut channels = Vec::new();
    for of in [main, child, other] {
        channels.push(notify(&test, &sandbox, of).await);
    }
    let victim = sandbox.stranger();
    let reason = "spam\n@everyone **x**".parse().ok();
    ask(&test, main, Ban { user: user(victim), reason, delete_days: None }).await;
    for (channel, of) in channels[1..].iter().zip([child, other]) {
        let told = until_told(&sandbox, *channel, 1).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let line = &told[0];
        assert!(line.starts_with(&format!("✓ ban of {victim}: applied")), "{line}");
        assert!(line.contains(&main.to_string()) && line.contains("spam"), "{line}");
        assert!(!line.contains("@everyone") && !line.contains("**x**"), "{line}");
        let message = sandbox.messages(*channel).remove(0).to_string();
        for foreign in [child, other].into_iter().filter(|foreign| *foreign != of) {
            assert!(!message.contains(&foreign.to_string()), "{message}");
        }
    }
    let told = until_told(&sandbox, channels[0], 1).await;
    assert!(told[0].starts_with(&format!("✓ ban of {victim} · by operator")), "{told:?}");
    assert!(told[0].contains("2 of 2 children"), "{told:?}");
    until_caught_up(&test, &sandbox).await;
    assert!(channels.iter().all(|channel| lines(&sandbox, *channel).len() == 1), "each once");
}

#[tokio::test]
async fn a_raid_makes_few_messages_and_keeps_its_order() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (above, below) = (notify(&test, &sandbox, main).await, notify(&test, &sandbox, child).await);
    let victims: Vec<_> = (0..51).map(|_| sandbox.stranger()).collect();
    // While the first one's messages are on their way, fifty more come.
    let hang = sandbox.inject(Fault::Hang { at: At::route("POST", MESSAGES) });
    test.ban(main, victims[0]).await;
    sandbox.wait_until(|sandbox| sent(sandbox, below) == 1, PATIENCE).await.unwrap();
    for victim in &victims[1..] {
        test.ban(main, *victim).await;
    }
    test.daemon.engine().drain().await;
    test.daemon.store().write(|_| Ok(())).await.unwrap();
    sandbox.clear(hang);
    for channel in [above, below] {
        let told = until_told(&sandbox, channel, 51).await;
        let order: Vec<_> = victims
            .iter()
            .map(|victim| told.iter().position(|line| line.contains(&victim.to_string())).unwrap())
            .collect();
        assert!(order.is_sorted(), "{order:?}");
        assert_eq!(told.len(), 51);
        let messages = sandbox.messages(channel).len();
        assert!(messages <= 4, "{messages} messages for 51 bans");
    }
}

#[tokio::test]
async fn an_alert_is_told_to_its_guild_and_one_without_a_guild_to_the_mains() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let mut channels = Vec::new();
    for of in [main, child, other] {
        channels.push(log(&test, &sandbox, of).await);
    }
    alert(&test, "about_the_child", Some(child)).await;
    alert(&test, "about_nobody", None).await;
    let told = until_told(&sandbox, channels[1], 1).await;
    assert!(told[0].starts_with("⚠ about\\_the\\_child: something happened"), "{told:?}");
    until_caught_up(&test, &sandbox).await;
    let told = lines(&sandbox, channels[0]);
    assert!(told[0].contains("about\\_nobody"), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("child")), "{told:?}");
    assert_eq!(lines(&sandbox, channels[1]).len(), 1);
    assert!(lines(&sandbox, channels[2]).is_empty());
}

#[tokio::test]
async fn a_flood_of_one_alert_is_told_ever_more_seldom() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let channel = log(&test, &sandbox, sandbox.children()[0]).await;
    for _ in 0..20 {
        alert(&test, "flood", Some(sandbox.children()[0])).await;
    }
    until_caught_up(&test, &sandbox).await;
    let told = lines(&sandbox, channel);
    assert_eq!(told.len(), 5, "the first, second, fourth, eighth and sixteenth: {told:?}");
    assert!(told[4].contains("16 times today"), "{told:?}");
}

#[tokio::test]
async fn the_audit_is_posted_where_it_is_turned_on_and_readings_are_not() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (above, below) = (notify(&test, &sandbox, main).await, notify(&test, &sandbox, child).await);
    ask(&test, main, ConfigAudit { state: Switch::On }).await;
    ask(&test, child, ConfigAudit { state: Switch::Off }).await;
    ask(&test, main, ConfigShow {}).await;
    let asked = crate::testing::by_member(sandbox.stranger(), main, 0, ConfigShow {}.into());
    test.ask(asked).await.unwrap_err();
    until_caught_up(&test, &sandbox).await;
    let told = lines(&sandbox, above);
    let has = |what: &str| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!(has("config audit · success · by an operator"), 1, "{told:?}");
    assert_eq!((has("config show"), has("config show · denied")), (1, 1), "{told:?}");
    assert!(lines(&sandbox, below).is_empty(), "{:?}", lines(&sandbox, below));
    ask(&test, main, ConfigAudit { state: Switch::Off }).await;
    until_caught_up(&test, &sandbox).await;
    let before = lines(&sandbox, above).len();
    ask(&test, main, ConfigNotifications { channel: None, off: true }).await;
    until_caught_up(&test, &sandbox).await;
    assert_eq!(lines(&sandbox, above).len(), before, "off is off");
}

#[tokio::test]
async fn notifications_that_are_off_are_not_posted_and_not_made_up_for_later() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let channel = notify(&test, &sandbox, child).await;
    ask(&test, child, ConfigNotifications { channel: None, off: true }).await;
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    until_caught_up(&test, &sandbox).await;
    ask(&test, child, ConfigNotifications::default()).await;
    let victim = sandbox.stranger();
    test.ban(main, victim).await;
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told.len() == 1 && told[0].contains(&victim.to_string()), "{told:?}");
}

#[tokio::test]
async fn a_main_is_told_after_a_while_what_is_still_open() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, slow) = (sandbox.main_guild(), sandbox.children()[1]);
    let channel = notify(&test, &sandbox, main).await;
    let hang =
        sandbox.inject(Fault::Hang { at: At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(slow) });
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    until_caught_up(&test, &sandbox).await;
    assert!(lines(&sandbox, channel).is_empty(), "not before its deliveries are done");
    test.daemon.clock().shift(180_000);
    until_caught_up(&test, &sandbox).await;
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told[0].starts_with('~') && told[0].contains("1 of 2 children (1 pending)"), "{told:?}");
    sandbox.clear(hang);
    test.until_counted(id, DeliveryState::Applied, 2).await;
    until_caught_up(&test, &sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 1, "once");
}

#[tokio::test]
async fn what_was_not_posted_at_the_end_is_posted_after_the_next_start_and_nothing_twice() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let channel = notify(&test, &sandbox, child).await;
    let first = sandbox.stranger();
    // Posted, but the daemon ends before it learns of it.
    let cut = sandbox.inject(Fault::CutAfter { at: At::route("POST", MESSAGES) });
    test.ban(main, first).await;
    until_told(&sandbox, channel, 1).await;
    test.daemon.stop();
    sandbox.clear(cut);
    let second = sandbox.stranger();
    let id = test.ban(main, second).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;

    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    next.until_ready().await;
    let told = until_told(&sandbox, channel, 2).await;
    until_caught_up(&next, &sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 2, "{told:?}");
    assert!(told[0].contains(&first.to_string()) && told[1].contains(&second.to_string()), "{told:?}");
    assert!(sent(&sandbox, channel) > 2, "the first was sent again, and Discord knew it");
}

#[tokio::test]
async fn a_message_that_fails_for_a_passing_reason_is_posted_once_in_the_end() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let channel = notify(&test, &sandbox, child).await;
    let at = At::route("POST", MESSAGES).times(2);
    sandbox.inject(Fault::Answer { at, status: 503, code: 0, message: "busy".into() });
    test.ban(main, sandbox.stranger()).await;
    until_told(&sandbox, channel, 1).await;
    until_caught_up(&test, &sandbox).await;
    assert_eq!((lines(&sandbox, channel).len(), sent(&sandbox, channel)), (1, 3));
    assert!(test.alerts().await.iter().all(|kind| kind.starts_with("mark")));
}

#[tokio::test]
async fn a_channel_that_refuses_costs_one_request_and_one_alert_until_it_is_set_anew() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (channel, alerts) = (notify(&test, &sandbox, child).await, log(&test, &sandbox, child).await);
    may_not_send(&sandbox, channel, true);
    for _ in 0..3 {
        let id = test.ban(main, sandbox.stranger()).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
        until_caught_up(&test, &sandbox).await;
    }
    assert_eq!(sent(&sandbox, channel), 1);
    let refused = test.alerts().await.into_iter().filter(|kind| kind == "notices_refused").count();
    assert_eq!(refused, 1);
    let told = until_told(&sandbox, alerts, 1).await;
    assert!(told.len() == 1 && told[0].contains(&channel.to_string()), "{told:?}");

    may_not_send(&sandbox, channel, false);
    ask(&test, child, ConfigNotifications { channel: ChannelId::new(channel), off: false }).await;
    let victim = sandbox.stranger();
    test.ban(main, victim).await;
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told.len() == 1 && told[0].contains(&victim.to_string()), "what was missed is not made up for");
}

#[tokio::test]
async fn a_log_channel_that_refuses_makes_no_loop_and_is_tried_again_with_other_permissions() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let channel = log(&test, &sandbox, child).await;
    may_not_send(&sandbox, channel, true);
    alert(&test, "first", Some(child)).await;
    until_caught_up(&test, &sandbox).await;
    until_caught_up(&test, &sandbox).await;
    assert_eq!(sent(&sandbox, channel), 1);
    may_not_send(&sandbox, channel, false);
    let known = test.daemon.directory().my_permissions(guild(child)).unwrap();
    let bits = permissions::VIEW_CHANNEL | permissions::SEND_MESSAGES | permissions::EMBED_LINKS;
    sandbox.people().set_bot_permissions(child, bits).unwrap();
    let changed = async {
        while test.daemon.directory().my_permissions(guild(child)) == Some(known) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, changed).await.unwrap();
    alert(&test, "second", Some(child)).await;
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told.iter().any(|line| line.contains("second")), "{told:?}");
}

#[tokio::test]
async fn fault_19_nothing_is_posted_into_another_guilds_channel_whatever_the_store_says() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let foreign = [sandbox.channel(main, "wayhaven-alerts"), sandbox.channel(other, "wayhaven-alerts")];
    for channel in foreign {
        let config = GuildConfig {
            notification_channel_id: ChannelId::new(channel),
            notifications: true,
            log_channel_id: ChannelId::new(channel),
            ..GuildConfig::default()
        };
        let work = move |change: &crate::store::Change<'_>| Ok(change.configure(guild(child), &config)?);
        test.daemon.store().write(work).await.unwrap();
        let id = test.ban(main, sandbox.stranger()).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        alert(&test, "secret", Some(child)).await;
        until_caught_up(&test, &sandbox).await;
        assert_eq!(sent(&sandbox, channel), 0);
    }
    assert!(test.alerts().await.iter().any(|kind| kind == "notices_refused"));
}

#[tokio::test]
async fn more_than_can_be_read_is_counted_and_not_posted() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let channel = log(&test, &sandbox, child).await;
    let work = move |change: &crate::store::Change<'_>| {
        for kind in 0..120 {
            change.alert(&format!("kind{kind}"), Severity::Low, Some(guild(child)), None, "x")?;
        }
        Ok(())
    };
    test.daemon.store().write(work).await.unwrap();
    until_caught_up(&test, &sandbox).await;
    let told = lines(&sandbox, channel);
    assert_eq!(told.len(), 101);
    assert!(told[99].contains("kind99:") && told[100].contains("and 20 more"), "{:?}", &told[99..]);
}

/// Waits until the cursor stands behind everything there is.
async fn until_all_is_read(test: &TestDaemon) {
    let epoch = test.daemon.store().epoch().to_owned();
    let read = async {
        loop {
            let epoch = epoch.clone();
            let cursors = move |view: &crate::store::View<'_>| {
                (view.notice_cursor().unwrap(), view.notice_cursor_now(&epoch).unwrap())
            };
            // The cursor moves without an event, so it is looked at again and again.
            match test.read(cursors).await {
                (Some(at), now) if at == now => return,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
}

/// A child that is told of punishments, one that it was told of, and two bans that came after the end of what tells it.
async fn behind(sandbox: &Sandbox) -> (TestDaemon, u64) {
    let test = TestDaemon::start(sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let channel = notify(&test, sandbox, child).await;
    test.ban(main, sandbox.stranger()).await;
    until_told(sandbox, channel, 1).await;
    until_caught_up(&test, sandbox).await;
    test.daemon.stop();
    for _ in 0..2 {
        let id = test.ban(main, sandbox.stranger()).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
    }
    (test, channel)
}

#[tokio::test]
async fn after_a_gap_or_in_a_restored_store_nobody_is_told_what_is_over() {
    for restored in [false, true] {
        let sandbox = sandbox(1).await;
        let (test, channel) = behind(&sandbox).await;
        let store = test.daemon.store();
        if restored {
            let cursor = NoticeCursor { epoch: "another".into(), event: 0, audit: 0 };
            store.write(move |change| Ok(change.set_notice_cursor(&cursor)?)).await.unwrap();
        } else {
            // All but the last punishment's events are gone.
            let sql = "DELETE FROM events WHERE sequence < (SELECT max(sequence) FROM events WHERE body LIKE '%\"punishment\"%')";
            assert!(shell(store).execute(sql, []).unwrap() > 0);
        }
        let next = TestDaemon::start_at(&sandbox, test.home()).await;
        drop(test);
        next.until_ready().await;
        until_all_is_read(&next).await;
        until_caught_up(&next, &sandbox).await;
        assert_eq!(lines(&sandbox, channel).len(), 1, "restored: {restored}");
        let victim = sandbox.stranger();
        next.ban(sandbox.main_guild(), victim).await;
        let told = until_told(&sandbox, channel, 2).await;
        assert!(told[1].contains(&victim.to_string()), "it goes on: {told:?}");
    }
}

#[tokio::test]
async fn what_came_after_the_end_is_told_after_the_next_start() {
    let sandbox = sandbox(1).await;
    let (test, channel) = behind(&sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 1, "it had ended");
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    until_told(&sandbox, channel, 3).await;
    until_caught_up(&next, &sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 3);
}

#[tokio::test]
async fn it_ends_when_the_daemon_is_asked_to_stop() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let task = tokio::spawn(super::keep(std::sync::Arc::clone(&test.daemon), super::PAUSE));
    test.daemon.stop();
    tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
}
