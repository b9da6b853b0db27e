//! Who is told what, and how much at once.

use super::*;

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
    ask(&test, main, Ban { reason, ..Ban::new(user(victim)) }).await;
    for (channel, of) in channels[1..].iter().zip([child, other]) {
        let told = until_told(&sandbox, *channel, 1).await;
        assert_eq!(told.len(), 1, "{told:?}");
        let line = &told[0];
        // Their name stands behind the id where it is known by then.
        assert!(line.starts_with(&format!("✓ ban of <@{victim}>")) && line.contains(": applied"), "{line}");
        assert!(line.contains(&main.to_string()) && line.contains("spam"), "{line}");
        assert!(!line.contains("@everyone") && !line.contains("**x**"), "{line}");
        let message = sandbox.messages(*channel).remove(0).to_string();
        for foreign in [child, other].into_iter().filter(|foreign| *foreign != of) {
            assert!(!message.contains(&foreign.to_string()), "{message}");
        }
    }
    let told = until_told(&sandbox, channels[0], 1).await;
    let by_operator = told[0].contains(" · by operator");
    assert!(told[0].starts_with(&format!("✓ ban of <@{victim}>")) && by_operator, "{told:?}");
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
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
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
    assert!(told[0].ends_with("low · about\\_the\\_child: something happened"), "{told:?}");
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
    test.systems.services.clock().shift(180_000);
    until_caught_up(&test, &sandbox).await;
    let told = until_told(&sandbox, channel, 1).await;
    assert!(told[0].starts_with('~') && told[0].contains("1 of 2 children (1 pending)"), "{told:?}");
    sandbox.clear(hang);
    test.until_counted(id, DeliveryState::Applied, 2).await;
    until_caught_up(&test, &sandbox).await;
    assert_eq!(lines(&sandbox, channel).len(), 1, "once");
}
