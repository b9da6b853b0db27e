//! Mains, security levels and locks.

use super::{accept, add, by_admin, by_owner, kind, link, planned, state, unlinked};
use crate::testing::{TestDaemon, by_member, confirmed, guild, sandbox};
use serde_json::json;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::setup::{
    SecurityLevel, SetupDashboard, SetupLock, SetupMainGuild, SetupSecurityLevel, SetupUnlock, SetupUnsetMain,
};
use wayhaven_shared::{Fault, FaultKind};

#[tokio::test]
async fn only_guilds_listed_in_network_mains_become_mains_whoever_asks() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    assert_eq!(kind(by_admin(&test, sandbox.owner(), child, SetupMainGuild {}).await), FaultKind::Denied);
    assert_eq!(kind(by_owner(&test, Some(child), SetupMainGuild {}).await), FaultKind::Denied);
    assert!(!test.systems.services.store().topology().is_main(guild(child)));
    // Made one by an older list, it is not this list's business either.
    test.systems.services.store().write(move |change| Ok(change.make_main(guild(child))?)).await.unwrap();
    assert_eq!(kind(by_owner(&test, Some(child), SetupUnsetMain {}).await), FaultKind::Denied);
    let again = by_owner(&test, Some(main), SetupMainGuild {}).await.unwrap();
    assert!(again.already);
}

#[tokio::test]
async fn a_main_without_links_is_made_none_and_stays_it_at_the_next_start() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    by_admin(&test, sandbox.admin(), main, add(child)).await.unwrap();
    let refused = by_admin(&test, sandbox.admin(), main, SetupUnsetMain {}).await.unwrap_err();
    assert_eq!(refused.kind, FaultKind::Conflict, "even a proposal is a link");
    assert!(refused.hints[0].contains("setup remove-child"), "{refused}");
    assert_eq!(kind(planned(&test, main, SetupUnsetMain {}).await), FaultKind::Conflict);
    let decline = wayhaven_shared::operations::setup::SetupDecline { main: guild(main) };
    by_admin(&test, sandbox.owner(), child, decline).await.unwrap();
    let plan = planned(&test, main, SetupUnsetMain {}).await.unwrap();
    assert!(plan.dry_run && test.systems.services.store().topology().is_main(guild(main)));

    let unset = by_admin(&test, sandbox.admin(), main, SetupUnsetMain {}).await.unwrap();
    assert_eq!(unset.report().title, "it is a main no more");
    assert!(!test.systems.services.store().topology().is_main(guild(main)));
    assert_eq!(kind(by_admin(&test, sandbox.admin(), main, add(child)).await), FaultKind::Conflict);
    assert_eq!(kind(by_admin(&test, sandbox.admin(), main, SetupUnsetMain {}).await), FaultKind::Conflict);
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    assert!(
        !next.systems.services.store().topology().is_main(guild(main)),
        "MAIN_GUILD_ID makes it one only once"
    );
    by_owner(&next, Some(main), SetupMainGuild {}).await.unwrap();
    assert!(next.systems.services.store().topology().is_main(guild(main)));
}

#[tokio::test]
async fn who_is_proposed_as_a_child_declines_before_it_becomes_a_main() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (listed, second) = (sandbox.main_guild(), sandbox.children()[0]);
    by_owner(&test, Some(listed), SetupUnsetMain {}).await.unwrap();
    test.systems.services.store().write(move |change| Ok(change.make_main(guild(second))?)).await.unwrap();
    by_admin(&test, sandbox.moderator(), second, add(listed)).await.unwrap();
    let refused = by_owner(&test, Some(listed), SetupMainGuild {}).await.unwrap_err();
    assert_eq!(refused.hints, [format!("setup decline {second} comes first")]);
    by_owner(&test, Some(listed), accept(second)).await.unwrap();
    let refused = by_owner(&test, Some(listed), SetupMainGuild {}).await.unwrap_err();
    assert!(refused.kind == FaultKind::Conflict && refused.hints[0].contains("setup leave"), "{refused}");
}

#[tokio::test]
async fn a_security_level_is_stored_and_shown() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, level) = (sandbox.main_guild(), SetupSecurityLevel { level: SecurityLevel::Maximum });
    let plan = planned(&test, main, level.clone()).await.unwrap();
    assert_eq!((plan.before, plan.level), (SecurityLevel::Standard, SecurityLevel::Maximum));
    let stored = move |view: &crate::store::View<'_>| view.security_level(guild(main)).unwrap();
    assert_eq!(test.read(stored).await, SecurityLevel::Standard);
    by_admin(&test, sandbox.admin(), main, level.clone()).await.unwrap();
    assert_eq!(test.read(stored).await, SecurityLevel::Maximum);
    let same = by_admin(&test, sandbox.admin(), main, level).await.unwrap();
    assert_eq!(same.before, SecurityLevel::Maximum);
    let dashboard = by_admin(&test, sandbox.admin(), main, SetupDashboard {}).await.unwrap();
    assert_eq!(dashboard.networks[0].security_level, SecurityLevel::Maximum);
}

#[tokio::test]
async fn only_an_owner_locks_and_unlocks() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    for request in [SetupLock {}.into(), SetupUnlock {}.into()] {
        let asked = test.ask(by_member(sandbox.admin(), main, u64::MAX, request)).await;
        assert_eq!(kind(asked), FaultKind::Denied, "an administrator is no owner");
    }
    let plan = planned(&test, main, SetupLock {}).await.unwrap();
    assert_eq!((plan.locked, plan.already, plan.links), (true, false, 1));
    let locked = async || test.read(move |view| view.is_locked(guild(main)).unwrap()).await;
    assert!(!locked().await, "a plan locks nothing");
    assert!(!by_admin(&test, sandbox.owner(), main, SetupLock {}).await.unwrap().already);
    assert!(locked().await);
    assert!(by_owner(&test, Some(main), SetupLock {}).await.unwrap().already);
    assert!(!by_owner(&test, Some(main), SetupUnlock {}).await.unwrap().already);
    assert!(!locked().await);
}

/// Everything that would change a link of `main` or what `main` is, with the guild where it is asked for.
fn changes(main: u64, linked: u64, proposed: u64, alone: u64) -> Vec<(u64, Request)> {
    let (linked_id, main_id) = (linked.to_string(), main.to_string());
    let all = [
        (main, "setup add-child", json!({ "child": alone.to_string() })),
        (main, "setup add-child", json!({ "child": linked_id, "mode": "monitor" })),
        (main, "setup remove-child", json!({ "child": linked_id })),
        (main, "setup mode", json!({ "child": linked_id, "mode": "monitor" })),
        (main, "setup actions", json!({ "child": linked_id, "actions": "none" })),
        (main, "setup security-level", json!({ "level": "high" })),
        (main, "setup unset-main", json!({})),
        (proposed, "setup accept", json!({ "main": main_id })),
        (proposed, "setup decline", json!({ "main": main_id })),
        (linked, "setup leave", json!({ "main": main_id })),
    ];
    let read = |(of, operation, arguments): (u64, &str, serde_json::Value)| {
        (of, serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap())
    };
    all.into_iter().map(read).collect()
}

fn is_lock(fault: &Fault) -> bool {
    let said = fault.message.starts_with("the links of guild");
    said && fault.kind == FaultKind::Conflict && fault.hints.iter().any(|hint| hint.contains("setup unlock"))
}

#[tokio::test]
async fn while_a_main_is_locked_nothing_changes_about_its_links() {
    let sandbox = sandbox(3).await;
    let test = unlinked(&sandbox).await;
    let (main, owner) = (sandbox.main_guild(), sandbox.owner());
    let (linked, proposed, alone) = (sandbox.children()[0], sandbox.children()[1], sandbox.children()[2]);
    by_owner(&test, Some(main), add(linked)).await.unwrap();
    by_admin(&test, sandbox.admin(), main, add(proposed)).await.unwrap();
    by_owner(&test, Some(main), SetupLock {}).await.unwrap();
    let before = (link(&test, main, linked).await, link(&test, main, proposed).await);
    for (of, request) in changes(main, linked, proposed, alone) {
        let name = request.name();
        let asked = test.ask(confirmed(by_member(owner, of, u64::MAX, request))).await.unwrap_err();
        assert!(is_lock(&asked), "{name}: {asked:?}");
    }
    assert_eq!((link(&test, main, linked).await, link(&test, main, proposed).await), before);
    assert_eq!(state(&test, main, alone).await, "none");
    let dashboard = by_admin(&test, sandbox.admin(), main, SetupDashboard {}).await.unwrap();
    assert!(dashboard.networks[0].locked && !dashboard.networks[0].children[0].locked);
    // What is linked goes on: a lock is no freeze.
    let id = test.ban(main, sandbox.stranger()).await;
    test.until_counted(id, wayhaven_shared::operations::punishment::DeliveryState::Applied, 1).await;
    by_owner(&test, Some(main), SetupUnlock {}).await.unwrap();
    by_admin(&test, owner, proposed, accept(main)).await.unwrap();
}

#[tokio::test]
async fn a_locked_child_keeps_its_links_and_other_children_change_theirs() {
    let sandbox = sandbox(3).await;
    let test = unlinked(&sandbox).await;
    let (main, owner) = (sandbox.main_guild(), sandbox.owner());
    let (linked, proposed, alone) = (sandbox.children()[0], sandbox.children()[1], sandbox.children()[2]);
    by_owner(&test, Some(main), add(linked)).await.unwrap();
    by_admin(&test, sandbox.admin(), main, add(proposed)).await.unwrap();
    for child in [linked, proposed] {
        by_owner(&test, Some(child), SetupLock {}).await.unwrap();
    }
    for (of, request) in changes(main, linked, proposed, alone) {
        let name = request.name();
        let of_the_main =
            ["setup security-level", "setup unset-main"].contains(&name) || request == add(alone).into();
        if !of_the_main {
            let asked = test.ask(confirmed(by_member(owner, of, u64::MAX, request))).await.unwrap_err();
            assert!(is_lock(&asked), "{name}: {asked:?}");
        }
    }
    by_owner(&test, Some(main), add(alone)).await.unwrap();
    let dashboard = by_admin(&test, sandbox.admin(), main, SetupDashboard {}).await.unwrap();
    let locked = |child: u64| {
        let children = &dashboard.networks[0].children;
        children.iter().find(|one| one.link.child_guild_id == guild(child)).unwrap().locked
    };
    assert!(locked(linked) && !locked(alone));
    assert!(!locked(proposed), "that is not the main's business before it has agreed");
}
