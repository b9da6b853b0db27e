//! The ends of alerts whose condition lies in guilds and not in what Wayhaven sends there.

use super::*;
use wayhaven_shared::operations::setup::SetupRemoveChild;

/// Waits until the resolver has judged the store as it is now.
async fn judged(test: &TestDaemon) {
    raise(test, "identify_budget_spent", Severity::Low, None).await;
    until_over(test, "identify_budget_spent").await;
}

async fn is_open(test: &TestDaemon, kind: &'static str) -> bool {
    test.read(move |view| of_kind(view, kind).iter().any(|(open, _)| *open)).await
}

#[tokio::test]
async fn the_alert_about_a_protected_user_ends_with_the_last_punishment_and_never_that_about_a_kick() {
    for children in [0, 1] {
        let sandbox = sandbox(children).await;
        let test = watched(&sandbox).await;
        let (main, owner, people) = (sandbox.main_guild(), sandbox.owner(), sandbox.people());
        let whom = *sandbox.members(main).iter().rev().find(|one| **one != owner).unwrap();
        ask(&test, main, "protect add", json!({ "user": whom.to_string() })).await;
        people.timeout(main, owner, whom, Some(Duration::from_secs(3_600)), None).unwrap();
        until_raised(&test, "protected_punished", "timed out").await;
        people.ban(main, owner, whom, None).unwrap();
        until_raised(&test, "protected_punished", "banned").await;
        people.unban(main, owner, whom, None).unwrap();
        test.punishment(whom, 3).await;
        judged(&test).await;
        assert!(is_open(&test, "protected_punished").await, "the timeout is in force by what is known");
        ask(&test, main, "untimeout", json!({ "user": whom.to_string() })).await;
        until_over(&test, "protected_punished").await;

        let kicked = *sandbox.members(main).iter().rev().find(|one| **one != owner).unwrap();
        ask(&test, main, "protect add", json!({ "user": kicked.to_string() })).await;
        people.kick(main, owner, kicked, None).unwrap();
        until_raised(&test, "protected_punished", "kicked").await;
        judged(&test).await;
        assert!(is_open(&test, "protected_punished").await, "a person looks at a kick");
    }
}

#[tokio::test]
async fn the_alert_about_failed_undos_ends_when_the_guild_is_linked_again() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.people().set_bot_permissions(child, permissions::VIEW_AUDIT_LOG).unwrap();
    let undo = SetupRemoveChild { undo: true, ..SetupRemoveChild::new(guild(child)) };
    asked(&test, main, undo.clone(), false).await.unwrap();
    test.until("a blocked undo", move |view| {
        view.deliveries_of(id).unwrap().iter().any(|one| one.state == DeliveryState::Blocked)
    })
    .await;
    asked(&test, main, SetupRemoveChild { force: true, ..undo }, false).await.unwrap();
    until_raised(&test, "undo_incomplete", "given up by --force").await;
    judged(&test).await;
    assert!(is_open(&test, "undo_incomplete").await, "the user is still banned there");
    sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
    ask(&test, main, "setup add-child", json!({ "child": child.to_string() })).await;
    until_over(&test, "undo_incomplete").await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn the_alert_about_a_ban_list_ends_when_the_whole_list_can_be_read() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.ban(main, sandbox.stranger()).await;
    test.settled().await;
    let nameless = sandbox.stranger();
    sandbox.change(|world| {
        let found = world.guilds.get_mut(&child).unwrap();
        found.bans.insert(nameless, None);
        found.bans_without_user.insert(nameless);
    });
    ask(&test, main, "sync reconcile", json!({ "child": child.to_string(), "apply": true })).await;
    until_raised(&test, "ban_list_unreadable", "1 entry").await;
    ask(&test, main, "sync export", json!({})).await;
    judged(&test).await;
    assert!(is_open(&test, "ban_list_unreadable").await, "our own list says nothing of the child's");
    sandbox.change(|world| world.guilds.get_mut(&child).unwrap().bans_without_user.clear());
    test.until("no comparison", |view| view.jobs(None, true, 10).unwrap().is_empty()).await;
    ask(&test, main, "sync reconcile", json!({ "child": child.to_string(), "apply": true })).await;
    until_over(&test, "ban_list_unreadable").await;
}
