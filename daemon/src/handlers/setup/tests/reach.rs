//! ZERO-LEAK in words: who asks further than they may is told so, and nobody learns of guilds that are not theirs.

use super::{add, by_admin, by_owner, kind, state, unlinked};
use crate::testing::{TestDaemon, by_member, by_operator, confirmed, guild, sandbox};
use serde_json::{Value, json};
use wayhaven_sandbox::permissions;
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::setup::{SetupDashboard, SetupTestConnection};
use wayhaven_shared::{Fault, FaultKind};

/// What only a main may ask for, about this guild.
fn of_a_main(about: u64) -> Vec<Request> {
    let about = about.to_string();
    let all = [
        ("setup add-child", json!({ "child": about })),
        ("setup remove-child", json!({ "child": about })),
        ("setup mode", json!({ "child": about, "mode": "monitor" })),
        ("setup actions", json!({ "child": about, "actions": "none" })),
        ("setup security-level", json!({ "level": "high" })),
        ("setup unset-main", json!({})),
        ("setup test-connection", json!({ "child": about })),
    ];
    let read = |(operation, arguments): (&str, Value)| {
        serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
    };
    all.into_iter().map(read).collect()
}

#[tokio::test]
async fn a_child_that_reaches_for_others_is_refused_and_raises_an_alert() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, other) = (sandbox.children()[0], sandbox.children()[1]);
    for (at, request) in of_a_main(other).into_iter().enumerate() {
        let name = request.name();
        let asked = test.ask(confirmed(by_member(sandbox.owner(), child, u64::MAX, request.clone()))).await;
        assert_eq!(kind(asked), FaultKind::Denied, "{name}");
        let asked = test.ask(confirmed(by_operator(Role::Owner, Some(child), request))).await;
        assert_eq!(kind(asked), FaultKind::Denied, "{name} by the socket alike");
        let raised = test.alerts().await;
        assert!(
            raised.len() == 2 * at + 2 && raised.iter().all(|kind| kind == "child_reaches_out"),
            "{name}"
        );
    }
    assert!(!test.systems.services.store().topology().is_main(guild(child)));
    assert_eq!(state(&test, sandbox.main_guild(), other).await, "active");
}

#[tokio::test]
async fn a_guild_that_is_no_main_and_nobodys_child_is_refused_without_an_alert() {
    let sandbox = sandbox(3).await;
    let test = unlinked(&sandbox).await;
    let (main, proposed, alone) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    by_admin(&test, sandbox.admin(), main, add(proposed)).await.unwrap();
    for asked_in in [proposed, alone] {
        for request in of_a_main(sandbox.children()[2]) {
            let asked = test.ask(confirmed(by_member(sandbox.owner(), asked_in, u64::MAX, request))).await;
            assert_eq!(kind(asked), FaultKind::Conflict);
        }
    }
    assert!(test.alerts().await.is_empty(), "who is only proposed reaches out of nothing");
}

/// The same words whatever the guild is called.
fn without(id: u64, what: &impl serde::Serialize) -> String {
    serde_json::to_string(what).unwrap().replace(&id.to_string(), "THE-GUILD")
}

#[tokio::test]
async fn a_main_learns_nothing_of_a_guild_that_has_not_agreed() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, admin, there) = (sandbox.main_guild(), sandbox.admin(), sandbox.children()[0]);
    // No guild at all; written as long as the other.
    let nowhere = there + 1_000_000;
    let mut told = Vec::new();
    for child in [there, nowhere] {
        let proposed = by_admin(&test, admin, main, add(child)).await.unwrap();
        let again = by_admin(&test, admin, main, add(child)).await.unwrap();
        let tested = by_admin(&test, admin, main, SetupTestConnection { child: guild(child) }).await.unwrap();
        let mut dashboard = by_admin(&test, admin, main, SetupDashboard {}).await.unwrap();
        dashboard.networks[0].children.retain(|one| one.link.child_guild_id == guild(child));
        let mut replies = serde_json::to_value((&proposed, &again, &tested, &dashboard)).unwrap();
        forget_numbers(&mut replies);
        told.push(without(child, &replies));
        assert!(!told.iter().any(|words| words.contains("ru-gaming")), "{told:?}");
        let asked = sandbox.log().iter().filter(|request| request.guild == Some(child)).count();
        assert_eq!(asked, if child == there { 2 } else { 0 }, "only whether they administer it, each time");
    }
    assert_eq!(told[0], told[1]);
    // The operator, who sees everything, sees it.
    let dashboard = by_owner(&test, Some(main), SetupDashboard {}).await.unwrap();
    assert!(format!("{:?}", dashboard.report()).contains("ru-gaming"));
}

/// Drops what differs between any two links: their numbers and times.
fn forget_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !["id", "updated_at", "accepted_at"].contains(&name.as_str()));
            fields.values_mut().for_each(forget_numbers);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_numbers),
        _ => {}
    }
}

#[tokio::test]
async fn why_a_guild_takes_no_proposal_is_not_told() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let (a_main, locked) = (sandbox.children()[0], sandbox.children()[1]);
    test.systems
        .services
        .store()
        .write(move |change| {
            change.make_main(guild(a_main))?;
            change.set_lock(guild(locked), true)?;
            Ok(())
        })
        .await
        .unwrap();
    let refused = async |child: u64| by_admin(&test, admin, main, add(child)).await.unwrap_err();
    let (first, second) = (refused(a_main).await, refused(locked).await);
    assert_eq!(without(a_main, &first), without(locked, &second));
    // Who administers it knows it anyway, and an operator too.
    let told = by_owner(&test, Some(main), add(a_main)).await.unwrap_err();
    assert!(told.kind == FaultKind::Conflict && told.message.contains("a main itself"), "{told}");
    let told: Fault = by_admin(&test, sandbox.owner(), main, add(locked)).await.unwrap_err();
    assert!(told.hints[0].contains("setup unlock"), "{told}");
}

#[tokio::test]
async fn another_mains_child_looks_like_nobodys() {
    let sandbox = sandbox(3).await;
    let test = unlinked(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let (second, theirs, nobodys) = (sandbox.children()[0], sandbox.children()[1], sandbox.children()[2]);
    test.systems.services.store().write(move |change| Ok(change.make_main(guild(second))?)).await.unwrap();
    by_owner(&test, Some(second), add(theirs)).await.unwrap();
    for (ours, other) in of_a_main(theirs).into_iter().zip(of_a_main(nobodys)) {
        if ["setup add-child", "setup security-level", "setup unset-main"].contains(&ours.name()) {
            continue;
        }
        let name = ours.name();
        let ours = test.ask(by_member(admin, main, permissions::MANAGE_GUILD, ours)).await.unwrap_err();
        let other = test.ask(by_member(admin, main, permissions::MANAGE_GUILD, other)).await.unwrap_err();
        assert_eq!(ours.kind, FaultKind::NotFound, "{name}: {ours}");
        assert_eq!(without(theirs, &ours), without(nobodys, &other), "{name}");
    }
    let dashboard = by_admin(&test, admin, main, SetupDashboard {}).await.unwrap();
    assert_eq!((dashboard.networks.len(), dashboard.networks[0].children.len()), (1, 0));
}
