//! Events that are lost, doubled or out of order, and an audit log that does not answer (FAULTS 14, 16).

use crate::testing::{TestDaemon, guild, sandbox, user};
use wayhaven_sandbox::{At, EventFate, Fault, Recorded, Sandbox};
use wayhaven_shared::operations::punishment::{DeliveryState, Punishment};

const ENTRY: &str = "GUILD_AUDIT_LOG_ENTRY_CREATE";
const BAN_ADD: &str = "GUILD_BAN_ADD";
const LOG: &str = "/guilds/{guild_id}/audit-logs";

fn lose_entries(sandbox: &Sandbox) {
    let (name, guild) = (Some(ENTRY.to_owned()), Some(sandbox.main_guild()));
    sandbox.inject(Fault::Events { name, guild, times: None, fate: EventFate::Drop });
}

/// Bans by hand in the main, waits until it is delivered everywhere, and returns what was stored of it.
async fn ban_by_hand(sandbox: &Sandbox, test: &TestDaemon) -> Punishment {
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, Some("why")).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, sandbox.children().len()).await;
    test.until_worked_off().await;
    assert_eq!(test.punishment(victim, 1).await, id, "it was stored once");
    assert_eq!(sandbox.effect_count(), sandbox.children().len());
    test.read(move |view| view.punishment(id).unwrap().unwrap()).await
}

/// How often the log was asked for one entry; reading it on is something else.
fn log_requests(sandbox: &wayhaven_sandbox::Discord) -> usize {
    let reads_on = |request: &Recorded| request.query.iter().any(|(name, _)| name == "after");
    sandbox.log().iter().filter(|request| request.route == LOG && !reads_on(request)).count()
}

#[tokio::test]
async fn fault_14_a_lost_audit_entry_is_found_in_the_log() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_entries(&sandbox);
    let stored = ban_by_hand(&sandbox, &test).await;
    assert_eq!(stored.moderator_id, Some(user(sandbox.moderator())));
    assert_eq!(stored.reason.unwrap().raw(), "why");
    assert_eq!(log_requests(&sandbox), 1);
}

#[tokio::test]
async fn fault_16_where_the_log_cannot_be_read_the_actor_is_unknown_and_the_ban_delivered() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_entries(&sandbox);
    let at = At::route("GET", LOG);
    sandbox.inject(Fault::Answer { at, status: 403, code: 50013, message: "Missing Permissions".into() });
    let stored = ban_by_hand(&sandbox, &test).await;
    assert_eq!((stored.moderator_id, stored.reason), (None, None));
}

#[tokio::test]
async fn fault_16_a_bulk_ban_without_an_actor_is_delivered() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let victims = [sandbox.stranger(), sandbox.stranger()];
    sandbox.people().bulk_ban(main, admin, &victims, None).unwrap();
    for victim in victims {
        let id = test.punishment(victim, 1).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
        assert_eq!(stored.moderator_id, None);
    }
    assert_eq!(sandbox.effect_count(), 4);
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn fault_14_an_audit_entry_before_its_ban_event_is_one_punishment() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    sandbox.inject(Fault::Order { names: vec![ENTRY.to_owned(), BAN_ADD.to_owned()] });
    let stored = ban_by_hand(&sandbox, &test).await;
    assert_eq!(stored.moderator_id, Some(user(sandbox.moderator())));
    assert_eq!(log_requests(&sandbox), 0);
}

#[tokio::test]
async fn fault_14_doubled_events_are_one_punishment() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    sandbox.inject(Fault::Events { name: None, guild: None, times: None, fate: EventFate::Twice });
    let stored = ban_by_hand(&sandbox, &test).await;
    assert_eq!(stored.moderator_id, Some(user(sandbox.moderator())));
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn fault_14_doubled_ban_events_without_entries_are_one_punishment() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_entries(&sandbox);
    let name = Some(BAN_ADD.to_owned());
    sandbox.inject(Fault::Events { name, guild: None, times: None, fate: EventFate::Twice });
    ban_by_hand(&sandbox, &test).await;
}

#[tokio::test]
async fn a_ban_event_that_waited_when_the_daemon_ended_is_resolved_at_the_next_start() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_entries(&sandbox);
    let at = At::route("GET", LOG);
    let hang = sandbox.inject(Fault::Hang { at });
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    sandbox.people().ban(main, sandbox.moderator(), victim, None).unwrap();
    let asked = |sandbox: &wayhaven_sandbox::Discord| log_requests(sandbox) > 0;
    sandbox.wait_until(asked, crate::testing::PATIENCE).await.unwrap();
    assert_eq!(test.read(|view| view.awaited().unwrap().len()).await, 1, "it is journalled");
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    sandbox.clear(hang);
    let id = next.punishment(victim, 1).await;
    next.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.is_banned(guild(sandbox.children()[0]).get(), victim));
}
