//! Incidents: opened, filled by what happens, closed, and kept.

use crate::discord::directory::ADMINISTRATOR;
use crate::invocation::Invocation;
use crate::store::Severity;
use crate::testing::{TestDaemon, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::alert::{AlertList, Alerts};
use wayhaven_shared::operations::incident::{IncidentChanged, IncidentDetail, Incidents};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
}

async fn change(
    test: &TestDaemon,
    of: u64,
    operation: &str,
    arguments: Value,
) -> Result<IncidentChanged, Fault> {
    match test.ask(by_operator(Role::Operator, Some(of), request(operation, arguments))).await? {
        Reply::IncidentOpen(changed) | Reply::IncidentClose(changed) => Ok(changed),
        other => panic!("{other:?}"),
    }
}

async fn show(test: &TestDaemon, id: &str) -> IncidentDetail {
    let show = request("incident show", json!({"id": id}));
    match test.ask(by_operator(Role::Observer, None, show)).await.unwrap() {
        Reply::IncidentShow(detail) => detail,
        other => panic!("{other:?}"),
    }
}

async fn open_alerts(test: &TestDaemon, of: u64) -> Alerts {
    match test.ask(by_operator(Role::Observer, Some(of), AlertList::default().into())).await.unwrap() {
        Reply::AlertList(alerts) => alerts,
        other => panic!("{other:?}"),
    }
}

async fn network() -> (Sandbox, TestDaemon) {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    (sandbox, test)
}

#[tokio::test]
async fn what_happens_between_is_collected_and_what_comes_before_or_after_is_not() {
    let (sandbox, test) = network().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (whom, other) = (sandbox.stranger(), sandbox.stranger());
    test.ban(main, other).await;
    test.settled().await;
    test.systems.services.clock().shift(1_000);
    let opened = change(&test, main, "incident open", json!({"reason": "a raid"})).await.unwrap();
    let id = opened.detail.unwrap().incident.id.to_string();
    let second = change(&test, main, "incident open", json!({"reason": "another"})).await.unwrap_err();
    assert_eq!(second.kind, FaultKind::Conflict);
    assert!(second.message.contains(&format!("incident {id}")), "{second:?}");

    test.ban(main, whom).await;
    let warn = json!({"operation": "warn", "arguments": {"user": whom.to_string(), "reason": "x"}});
    test.punish(main, warn).await;
    let ban = request("ban", json!({"user": other.to_string()}));
    test.ask(by_member(whom, main, 0, ban)).await.unwrap_err();
    // What happens in another guild is another's.
    test.ban(child, other).await;
    let work = move |change: &crate::store::Change<'_>| {
        change.alert("seen", Severity::High, Some(guild(main)), Some(user(whom)), "here")?;
        Ok(change.alert("seen", Severity::High, Some(guild(child)), None, "there")?)
    };
    test.systems.services.store().write(work).await.unwrap();
    test.settled().await;

    let so_far = show(&test, &id).await;
    assert!(so_far.incident.is_open());
    let check = |detail: &IncidentDetail| {
        let all = &detail.collected;
        assert_eq!(all.punishments, [(Action::Ban, 1), (Action::Warn, 1)], "{all:?}");
        assert_eq!(all.people, 1, "{all:?}");
        assert_eq!(
            all.deliveries.iter().find(|(state, _)| *state == DeliveryState::Applied).unwrap().1,
            4,
            "{all:?}"
        );
        let kinds: Vec<_> =
            all.alerts.iter().map(|alert| (alert.kind.as_str(), alert.details.raw())).collect();
        assert!(kinds.contains(&("seen", "here")) && !kinds.contains(&("seen", "there")), "{kinds:?}");
        let bans = all.requests.iter().find(|one| one.operation == "ban").unwrap();
        assert_eq!((bans.requests, bans.refused), (2, 1), "{all:?}");
    };
    check(&so_far);
    let alert = open_alerts(&test, main).await.alerts.into_iter().find(|alert| alert.kind == "seen").unwrap();
    assert_eq!(alert.incident_id, Some(so_far.incident.id));
    assert!(open_alerts(&test, main).await.alerts.iter().any(|alert| alert.kind == "incident"));

    let closed = change(&test, main, "incident close", json!({"conclusion": "all gone"})).await.unwrap();
    check(&closed.detail.unwrap());
    assert!(
        !open_alerts(&test, main).await.alerts.iter().any(|alert| alert.kind == "incident"),
        "it is resolved with it"
    );
    test.systems.services.clock().shift(1_000);
    test.ban(main, sandbox.stranger()).await;
    let kept = show(&test, &id).await;
    check(&kept);
    assert_eq!(kept.incident.conclusion.unwrap().raw(), "all gone");
    let none = change(&test, main, "incident close", json!({})).await.unwrap_err();
    assert_eq!(none.kind, FaultKind::Conflict);
    // The next one is another.
    let next = change(&test, main, "incident open", json!({"reason": "again"})).await.unwrap();
    assert_ne!(next.detail.unwrap().incident.id.to_string(), id);
}

#[tokio::test]
async fn it_may_freeze_and_its_end_let_go_in_one_step() {
    let (sandbox, test) = network().await;
    let main = sandbox.main_guild();
    let freeze = json!({"reason": "a raid", "freeze": true});
    let plan = by_operator(Role::Operator, Some(main), request("incident open", freeze.clone()));
    let Reply::IncidentOpen(plan) = test.ask(Invocation { dry_run: true, ..plan }).await.unwrap() else {
        panic!("another reply")
    };
    assert!(plan.dry_run && plan.detail.is_none() && plan.deliveries == Some(0), "{plan:?}");
    let frozen = || test.systems.services.store().topology().freeze(guild(main)).is_some();
    assert!(!frozen());

    let opened = change(&test, main, "incident open", freeze).await.unwrap();
    let whom = sandbox.stranger();
    assert!(frozen() && opened.detail.unwrap().incident.froze);
    test.ban(main, whom).await;
    test.settled().await;
    assert!(sandbox.children().into_iter().all(|child| !sandbox.is_banned(child, whom)));
    let closed = change(&test, main, "incident close", json!({"resume": true})).await.unwrap();
    assert_eq!(closed.deliveries, Some(2));
    assert!(!frozen());
    test.settled().await;
    assert!(sandbox.children().into_iter().all(|child| sandbox.is_banned(child, whom)));
}

#[tokio::test]
async fn a_freeze_that_was_there_stays_what_it_was() {
    let (sandbox, test) = network().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.ask(by_operator(Role::Operator, Some(main), request("sync freeze", json!({})))).await.unwrap();
    let opened = change(&test, main, "incident open", json!({"reason": "x", "freeze": true})).await.unwrap();
    assert!(!opened.detail.unwrap().incident.froze, "it was frozen before");
    change(&test, main, "incident close", json!({})).await.unwrap();
    assert!(
        test.systems.services.store().topology().freeze(guild(main)).is_some(),
        "nobody asked for its end"
    );
    // A child has incidents of its own, and freezes nothing.
    let reaches =
        change(&test, child, "incident open", json!({"reason": "x", "freeze": true})).await.unwrap_err();
    assert_eq!(reaches.kind, FaultKind::Denied);
    change(&test, child, "incident open", json!({"reason": "x"})).await.unwrap();
}

#[tokio::test]
async fn members_see_their_own_guilds_and_no_accounts() {
    let (sandbox, test) = network().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let opened = change(&test, main, "incident open", json!({"reason": "a raid"})).await.unwrap();
    let id = json!({"id": opened.detail.unwrap().incident.id.to_string()});
    let ask = async |of: u64, name: &str, arguments: Value| {
        test.ask(by_member(sandbox.admin(), of, ADMINISTRATOR, request(name, arguments))).await
    };
    assert_eq!(ask(child, "incident show", id.clone()).await.unwrap_err().kind, FaultKind::NotFound);
    let Reply::IncidentShow(shown) = ask(main, "incident show", id).await.unwrap() else {
        panic!("another reply")
    };
    assert_eq!(shown.incident.opened_by.raw(), "an operator");
    let Reply::IncidentList(Incidents { incidents, .. }) =
        ask(child, "incident list", json!({})).await.unwrap()
    else {
        panic!("another reply")
    };
    assert!(incidents.is_empty());
}
