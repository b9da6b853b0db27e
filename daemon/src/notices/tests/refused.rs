//! Posts that fail, channels that refuse, and channels that are somebody else's.

use super::*;

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
    test.systems.services.lifecycle().stop();
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
    let known = test.systems.services.directory().my_permissions(guild(child)).unwrap();
    let bits = permissions::VIEW_CHANNEL | permissions::SEND_MESSAGES | permissions::EMBED_LINKS;
    sandbox.people().set_bot_permissions(child, bits).unwrap();
    let changed = async {
        while test.systems.services.directory().my_permissions(guild(child)) == Some(known) {
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
        test.systems.services.store().write(work).await.unwrap();
        let id = test.ban(main, sandbox.stranger()).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        alert(&test, "secret", Some(child)).await;
        until_caught_up(&test, &sandbox).await;
        assert_eq!(sent(&sandbox, channel), 0);
    }
    assert!(test.alerts().await.iter().any(|kind| kind == "notices_refused"));
}
