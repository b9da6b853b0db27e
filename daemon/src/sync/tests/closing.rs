//! A link that closes: what was delivered along it is left, or taken back before it is closed.

use crate::testing::{
    PATIENCE, TestDaemon, asked, by_member, by_operator, confirmed, guild, sandbox, unconfirmed, user,
};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault as Trouble, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reversal::Counted;
use wayhaven_shared::operations::setup::{
    LinkChanged, Mode, SetupDashboard, SetupLeave, SetupLock, SetupRemoveChild, SetupUnlock, SetupUnsetMain,
};

fn undo(child: u64) -> SetupRemoveChild {
    SetupRemoveChild { undo: true, ..SetupRemoveChild::new(guild(child)) }
}

fn keep(child: u64) -> SetupRemoveChild {
    SetupRemoveChild { keep: true, ..SetupRemoveChild::new(guild(child)) }
}

async fn until_closed(test: &TestDaemon, main: u64, child: u64) {
    test.until("a closed link", move |view| {
        view.link(guild(main), guild(child)).unwrap().unwrap().state == "closed"
    })
    .await;
}

async fn state(test: &TestDaemon, main: u64, child: u64) -> String {
    test.read(move |view| view.link(guild(main), guild(child)).unwrap().unwrap().state).await
}

async fn sync(test: &TestDaemon, main: u64, operation: &str, arguments: Value) {
    let request: Request =
        serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap();
    test.ask(by_operator(Role::Owner, Some(main), request)).await.unwrap();
}

fn count(count: u64, reason: Option<&str>) -> Counted {
    Counted { action: Action::Ban, reason: reason.map(str::to_owned), count }
}

#[tokio::test]
async fn a_removed_child_gets_back_what_was_delivered_as_planned_and_nothing_else() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, leaving, staying, second) =
        (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1], sandbox.children()[2]);
    asked(&test, main, keep(second), false).await.unwrap();
    let another = test.systems.services.store().write(move |change| {
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(leaving), Mode::Active)?)
    });
    another.await.unwrap();
    let (theirs, own, shared, lifted) =
        (sandbox.stranger(), sandbox.stranger(), sandbox.stranger(), sandbox.stranger());
    sandbox.people().ban(leaving, sandbox.child_moderator(leaving), own, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(leaving), user(own), Action::Ban).unwrap()
    })
    .await;
    let mut bans = Vec::new();
    for whom in [theirs, own, shared, lifted] {
        bans.push(test.ban(main, whom).await);
    }
    test.ban(second, shared).await;
    // What has not left yet would never be lifted.
    sandbox.wait_until(move |sandbox| sandbox.is_banned(leaving, lifted), PATIENCE).await.unwrap();
    test.unban(main, lifted).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();

    let plan = asked(&test, main, undo(leaving), true).await.unwrap();
    let expected = plan.undo.clone().unwrap();
    assert_eq!(expected.taken_back, [count(1, None)]);
    assert_eq!(
        expected.stay,
        [count(1, Some("another network's ban remains")), count(1, Some("banned there by its own staff"))]
    );
    assert_eq!(state(&test, main, leaving).await, "active", "a plan changes nothing");
    let done = asked(&test, main, undo(leaving), false).await.unwrap();
    assert_eq!(
        LinkChanged { dry_run: true, link: plan.link.clone(), ..done },
        plan,
        "the plan is what happens"
    );
    until_closed(&test, main, leaving).await;
    assert!(!sandbox.is_banned(leaving, theirs), "it is taken back before the link is closed");
    assert!(sandbox.is_banned(leaving, own) && sandbox.is_banned(leaving, shared));
    assert!([theirs, own, shared].iter().all(|whom| sandbox.is_banned(staying, *whom)));
    let lifts = sandbox.effects_in(leaving).into_iter().filter(|effect| effect.method == "DELETE").count();
    assert_eq!(lifts, 2, "one by the unban, one by the link");
    for id in &bans[..3] {
        let id = *id;
        let punishment = test.read(move |view| view.punishment(id).unwrap()).await.unwrap();
        assert_eq!(punishment.status, "active", "only this child is left");
    }
    // An echo of what we took back is no override.
    assert!(test.alerts().await.is_empty(), "{:?}", test.alerts().await);
    assert!(
        test.read(move |view| view.exception(guild(leaving), user(theirs), Action::Ban).unwrap())
            .await
            .is_none()
    );
    // Nothing new goes there.
    let late = test.ban(main, sandbox.stranger()).await;
    test.until_counted(late, DeliveryState::Applied, 1).await;
    assert_eq!(test.read(move |view| view.deliveries_of(late).unwrap()).await.len(), 1);
}

#[tokio::test]
async fn what_was_delivered_stays_where_nobody_says_otherwise_and_both_is_a_contradiction() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let both = SetupRemoveChild { keep: true, ..undo(child) };
    assert_eq!(asked(&test, main, both, false).await.unwrap_err().kind, FaultKind::Usage);
    let leave = SetupLeave { keep: true, undo: true, force: false, main: guild(main) };
    assert_eq!(asked(&test, child, leave, false).await.unwrap_err().kind, FaultKind::Usage);
    // Whoever says nothing is told what that leaves, and what could be taken back instead.
    let own = sandbox.stranger();
    sandbox.people().ban(child, sandbox.child_moderator(child), own, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(child), user(own), Action::Ban).unwrap()
    })
    .await;
    let second = test.ban(main, own).await;
    test.systems.engine.drain().await;
    test.until("an outcome", move |view| view.deliveries_of(second).unwrap()[0].state.is_final()).await;
    for plan in [
        asked(&test, main, SetupRemoveChild::new(guild(child)), true).await.unwrap(),
        asked(&test, main, keep(child), true).await.unwrap(),
        asked(&test, child, SetupLeave::new(guild(main)), true).await.unwrap(),
    ] {
        let could = asked(&test, main, undo(child), true).await.unwrap().undo;
        assert_eq!((plan.undo.clone(), plan.kept.clone()), (None, could), "as --undo would count it");
        let kept = plan.kept.clone().unwrap();
        assert_eq!(kept.taken_back, [count(1, None)]);
        assert_eq!(kept.stay, [count(1, Some("banned there by its own staff"))]);
        let report = plan.report();
        assert!(report.hints[0].contains("--undo") && report.hints[0].ends_with("1 ban"), "{report:?}");
        let stays = report.fields.iter().find(|(name, _)| name == "Stays").unwrap();
        assert_eq!(stays.1.text.line(), "1 ban, 1 ban (banned there by its own staff)");
    }
    let done = asked(&test, main, SetupRemoveChild::new(guild(child)), false).await.unwrap();
    assert_eq!((done.state.as_str(), done.undo), ("closed", None));
    test.systems.engine.drain().await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_freeze_holds_what_is_taken_back_the_dashboard_counts_it_and_keep_ends_it_at_once() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, first, second, victim) =
        (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    sync(&test, main, "sync freeze", json!({})).await;
    for child in [first, second] {
        asked(&test, main, undo(child), false).await.unwrap();
    }
    test.until_counted(id, DeliveryState::Held, 2).await;
    let dashboard = asked(&test, main, SetupDashboard {}, false).await.unwrap();
    let words: Vec<_> = dashboard.networks[0].children.iter().map(|child| child.state_word()).collect();
    assert_eq!(words, ["closing (1 left)", "closing (1 left)"]);
    let unset = asked(&test, main, SetupUnsetMain {}, false).await.unwrap_err();
    assert!(
        unset.kind == FaultKind::Conflict && unset.hints.iter().any(|hint| hint.contains("--keep")),
        "{unset}"
    );
    let unsaid = asked(&test, main, SetupRemoveChild::new(guild(first)), false).await.unwrap_err();
    assert!(unsaid.kind == FaultKind::Conflict && unsaid.hints[0].contains("--keep"), "{unsaid}");
    let same = asked(&test, main, undo(first), false).await.unwrap();
    assert!(same.changes.is_empty() && same.state == "closing");

    let kept = asked(&test, main, keep(first), false).await.unwrap();
    assert_eq!((kept.state.as_str(), kept.stopped), ("closed", 1));
    sync(&test, main, "sync freeze", json!({ "except_reversals": true })).await;
    until_closed(&test, main, second).await;
    assert!(sandbox.is_banned(first, victim) && !sandbox.is_banned(second, victim));
}

#[tokio::test]
async fn fault_1_a_kill_while_a_link_closes_is_gone_on_with_at_the_next_start() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let victims: Vec<u64> = (0..4).map(|_| sandbox.stranger()).collect();
    for whom in &victims {
        test.ban(main, *whom).await;
    }
    test.systems.engine.drain().await;
    let at = At::route("DELETE", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    asked(&test, main, undo(child), false).await.unwrap();
    sandbox
        .wait_until(|sandbox| sandbox.effects_in(child).iter().any(|one| one.method == "DELETE"), PATIENCE)
        .await
        .unwrap();
    let home = test.home();
    drop(test);
    sandbox.clear(hang);
    let next = TestDaemon::start_at(&sandbox, home).await;
    until_closed(&next, main, child).await;
    assert!(victims.iter().all(|whom| !sandbox.is_banned(child, *whom)));
    assert!(victims.iter().all(|whom| sandbox.is_banned(main, *whom)));
}

#[tokio::test]
async fn a_kill_before_any_of_it_was_stored_loses_nothing_either() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let (home, store) = (test.home(), test.systems.services.store().path().to_owned());
    drop(test);
    // As the kill leaves it: the state is committed, and nothing else.
    let shell = rusqlite::Connection::open(store).unwrap();
    shell.busy_timeout(PATIENCE).unwrap();
    shell.execute_batch("UPDATE guild_relationships SET state = 'closing'").unwrap();
    let next = TestDaemon::start_at(&sandbox, home).await;
    until_closed(&next, main, child).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_ban_that_had_left_when_the_link_began_to_close_is_taken_back_too() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    let id = test.ban(main, victim).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let done = asked(&test, main, undo(child), false).await.unwrap();
    assert_eq!(done.stopped, 1);
    assert_eq!(state(&test, main, child).await, "closing", "it waits for what has left");
    sandbox.clear(hang);
    until_closed(&test, main, child).await;
    assert!(!sandbox.is_banned(child, victim));
    assert_eq!(test.read(move |view| view.deliveries_of(id).unwrap()).await.len(), 2);
}

#[tokio::test]
async fn a_locked_guild_keeps_its_link_closing_until_it_is_unlocked() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sync(&test, main, "sync freeze", json!({})).await;
    asked(&test, main, undo(child), false).await.unwrap();
    test.until_counted(id, DeliveryState::Held, 1).await;
    asked(&test, main, SetupLock {}, false).await.unwrap();
    sync(&test, main, "sync resume", json!({})).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    test.systems.engine.drain().await;
    assert!(!sandbox.is_banned(child, victim));
    assert_eq!(state(&test, main, child).await, "closing");
    asked(&test, main, SetupUnlock {}, false).await.unwrap();
    until_closed(&test, main, child).await;
}

#[tokio::test]
async fn what_is_blocked_keeps_the_link_closing_until_it_is_mended() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.people().set_bot_permissions(child, permissions::VIEW_CHANNEL).unwrap();
    asked(&test, main, undo(child), false).await.unwrap();
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    assert_eq!(state(&test, main, child).await, "closing");
    sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
    until_closed(&test, main, child).await;
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_child_that_leaves_may_have_it_taken_back_too_whatever_the_link_lets_through_by_then() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let monitor = json!({ "child": child.to_string(), "mode": "monitor" });
    sync(&test, main, "setup mode", monitor).await;
    let leave: Request = SetupLeave { undo: true, ..SetupLeave::new(guild(main)) }.into();
    let leave = by_member(sandbox.owner(), child, permissions::MANAGE_GUILD, leave);
    let fault = test.ask(unconfirmed(leave.clone())).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Declined, "everything at once is confirmed: {fault}");
    test.ask(confirmed(leave)).await.unwrap();
    until_closed(&test, main, child).await;
    assert!(!sandbox.is_banned(child, victim) && sandbox.is_banned(main, victim));
    // Once it is linked again, what was taken back once is not taken back twice.
    sync(&test, main, "setup add-child", json!({ "child": child.to_string() })).await;
    let plan = asked(&test, main, undo(child), true).await.unwrap();
    assert_eq!(plan.undo.unwrap().taken_back, []);
}

/// A child with one ban that cannot be undone, since the bot has lost the permission.
async fn one_that_cannot_be_undone(
    test: &TestDaemon,
    sandbox: &wayhaven_sandbox::Sandbox,
) -> (u64, u64, u64) {
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let id = test.ban(main, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    sandbox.people().set_bot_permissions(child, permissions::VIEW_AUDIT_LOG).unwrap();
    asked(test, main, undo(child), false).await.unwrap();
    test.until("a blocked undo", move |view| {
        view.deliveries_of(id).unwrap().iter().any(|one| one.state == DeliveryState::Blocked)
    })
    .await;
    assert_eq!(state(test, main, child).await, "closing");
    (main, child, victim)
}

#[tokio::test]
async fn a_forced_link_gives_up_what_cannot_be_undone_and_says_which() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = one_that_cannot_be_undone(&test, &sandbox).await;
    let alone = SetupRemoveChild { force: true, ..SetupRemoveChild::new(guild(child)) };
    let fault = asked(&test, main, alone, false).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Usage, "{fault}");
    let forced = SetupRemoveChild { force: true, ..undo(child) };
    let plan = asked(&test, main, forced.clone(), true).await.unwrap();
    assert!(plan.changes.iter().any(|change| change.contains("given up at once")), "{:?}", plan.changes);
    assert_eq!(state(&test, main, child).await, "closing", "a plan changes nothing");
    asked(&test, main, forced, false).await.unwrap();
    until_closed(&test, main, child).await;
    assert!(sandbox.is_banned(child, victim), "it could not be undone");
    let filter = crate::store::AlertFilter { kind: Some("undo_incomplete".into()), ..Default::default() };
    let alerts = test.read(move |view| view.alerts(&filter, 10).unwrap()).await;
    let details = alerts[0].details.raw();
    for part in
        ["1 undos failed", "given up by --force", "Ban Members", &victim.to_string(), "sync deliveries"]
    {
        assert!(details.contains(part), "{part}: {details}");
    }
    // Made again later, it is not forced any more.
    sandbox.people().set_bot_permissions(child, permissions::ADMINISTRATOR).unwrap();
    test.systems
        .services
        .store()
        .write(move |change| Ok(change.activate_link(guild(main), guild(child), Mode::Active)?))
        .await
        .unwrap();
    let link = test.read(move |view| view.link(guild(main), guild(child)).unwrap().unwrap()).await;
    assert!(!test.read(move |view| view.is_forced(&link).unwrap()).await);
}

#[tokio::test]
async fn a_link_that_has_been_closing_for_too_long_gives_up_and_closes() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = one_that_cannot_be_undone(&test, &sandbox).await;
    let fault = asked(&test, main, SetupRemoveChild::new(guild(child)), false).await.unwrap_err();
    assert!(fault.hints.iter().any(|hint| hint.contains("--force")), "{fault}");
    let limit = i64::try_from(test.systems.services.store().undo_limit().as_millis()).unwrap();
    test.systems.services.clock().shift(limit);
    // Anything that changes has it looked at; a minute does so too.
    test.ban(main, sandbox.stranger()).await;
    until_closed(&test, main, child).await;
    assert!(sandbox.is_banned(child, victim));
    let failed = test.read(move |view| {
        let filter = crate::store::DeliveryFilter {
            child: Some(guild(child)),
            state: Some(DeliveryState::Failed),
            ..Default::default()
        };
        view.deliveries(&filter, 10).unwrap()
    });
    let failed = failed.await;
    assert_eq!(failed.len(), 1);
    assert!(failed[0].reason.as_ref().unwrap().starts_with("given up after 7d: "), "{failed:?}");
}
