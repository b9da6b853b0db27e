//! Alerts: what is on the list, for whom, and how it is taken off.

use crate::discord::directory::ADMINISTRATOR;
use crate::store::{Change, Severity};
use crate::testing::{TestDaemon, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change as Told;
use wayhaven_shared::operations::alert::{Alert, AlertResolved, Alerts};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
}

async fn list(test: &TestDaemon, of: Option<u64>, filters: Value) -> Alerts {
    match test.ask(by_operator(Role::Observer, of, request("alert list", filters))).await.unwrap() {
        Reply::AlertList(alerts) => alerts,
        other => panic!("{other:?}"),
    }
}

async fn resolve(test: &TestDaemon, alert: &Alert, reason: &str) -> Result<AlertResolved, Fault> {
    let request = request("alert resolve", json!({"id": alert.id.to_string(), "reason": reason}));
    match test.ask(by_operator(Role::Operator, None, request)).await? {
        Reply::AlertResolve(resolved) => Ok(resolved),
        other => panic!("{other:?}"),
    }
}

async fn raise(
    test: &TestDaemon,
    kind: &'static str,
    severity: Severity,
    of: Option<u64>,
    details: &'static str,
) {
    let work =
        move |change: &Change<'_>| Ok(change.alert(kind, severity, of.map(guild), Some(user(7)), details)?);
    test.systems.services.store().write(work).await.unwrap();
}

async fn raised() -> (Sandbox, TestDaemon) {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    raise(&test, "one", Severity::Low, Some(main), "first").await;
    raise(&test, "one", Severity::High, Some(main), "second").await;
    raise(&test, "one", Severity::Medium, Some(main), "third").await;
    raise(&test, "one", Severity::Low, Some(child), "elsewhere").await;
    raise(&test, "two", Severity::Critical, None, "about the daemon").await;
    (sandbox, test)
}

#[tokio::test]
async fn the_same_in_one_guild_and_day_is_one_alert_at_its_highest_severity() {
    let (sandbox, test) = raised().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let all = list(&test, None, json!({})).await;
    assert_eq!((all.alerts.len(), all.open), (3, 3), "{all:?}");
    let of_main = list(&test, Some(main), json!({})).await;
    let [alert] = &of_main.alerts[..] else { panic!("{of_main:?}") };
    assert_eq!((alert.kind.as_str(), alert.occurrences, alert.severity), ("one", 3, Severity::High));
    assert_eq!((alert.details.raw(), of_main.open), ("third", 1));
    for (filters, count) in [
        (json!({"severity": "low"}), 3),
        (json!({"severity": "medium"}), 2),
        (json!({"severity": "high"}), 2),
        (json!({"severity": "critical"}), 1),
        (json!({"kind": "one"}), 2),
        (json!({"kind": "none"}), 0),
        (json!({"limit": 2}), 2),
    ] {
        assert_eq!(list(&test, None, filters.clone()).await.alerts.len(), count, "{filters}");
    }
    let first = list(&test, None, json!({"limit": 2})).await;
    let rest = list(&test, None, json!({"limit": 2, "cursor": first.next.unwrap().to_string()})).await;
    assert_eq!([first.alerts, rest.alerts].concat(), all.alerts);
    test.systems.services.clock().shift(86_400_000);
    raise(&test, "one", Severity::Low, Some(child), "another day").await;
    assert_eq!(list(&test, Some(child), json!({})).await.alerts.len(), 2);
}

#[tokio::test]
async fn what_is_resolved_is_off_the_list_with_its_reason_and_comes_again_as_another() {
    let (sandbox, test) = raised().await;
    let main = sandbox.main_guild();
    let alert = list(&test, Some(main), json!({})).await.alerts.remove(0);
    let plan = by_operator(
        Role::Operator,
        None,
        request("alert resolve", json!({"id": alert.id.to_string(), "reason": "x"})),
    );
    let plan = test.ask(crate::invocation::Invocation { dry_run: true, ..plan }).await.unwrap();
    assert!(
        matches!(plan, Reply::AlertResolve(AlertResolved { dry_run: true, already: false, .. })),
        "{plan:?}"
    );
    assert_eq!(list(&test, Some(main), json!({})).await.open, 1, "a plan changes nothing");

    let resolved = resolve(&test, &alert, "it was the cat").await.unwrap();
    let how = resolved.alert.resolved.unwrap();
    assert_eq!((how.reason.raw(), how.by.raw()), ("it was the cat", "unix user 1000"));
    assert!(list(&test, Some(main), json!({})).await.alerts.is_empty());
    assert_eq!(list(&test, Some(main), json!({"all": true})).await.alerts.len(), 1);
    assert!(resolve(&test, &alert, "again").await.unwrap().already);
    let told = test.told().await;
    let off = |change: &&Told| matches!(change, Told::AlertResolved { alert: told } if told.id == alert.id);
    assert_eq!(told.iter().filter(off).count(), 1, "once");

    raise(&test, "one", Severity::Low, Some(main), "it came again").await;
    let again = list(&test, Some(main), json!({})).await.alerts.remove(0);
    assert_eq!((again.occurrences, again.severity), (1, Severity::Low));
    assert_ne!(again.id, alert.id);
}

#[tokio::test]
async fn members_see_and_resolve_their_own_guilds_and_no_accounts() {
    let (sandbox, test) = raised().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let ask = async |of: u64, name: &str, arguments: Value| {
        test.ask(by_member(sandbox.admin(), of, ADMINISTRATOR, request(name, arguments))).await
    };
    let Reply::AlertList(own) = ask(child, "alert list", json!({})).await.unwrap() else {
        panic!("another reply")
    };
    assert_eq!((own.alerts.len(), own.open), (1, 1));
    let of_main = list(&test, Some(main), json!({})).await.alerts.remove(0);
    let theirs = json!({"id": of_main.id.to_string(), "reason": "x"});
    assert_eq!(ask(child, "alert resolve", theirs).await.unwrap_err().kind, FaultKind::NotFound);
    let id = json!({"id": of_main.id.to_string()});
    assert_eq!(ask(child, "alert show", id.clone()).await.unwrap_err().kind, FaultKind::NotFound);
    assert_eq!(list(&test, Some(main), json!({})).await.open, 1);
    resolve(&test, &of_main, "seen").await.unwrap();
    let Reply::AlertShow(shown) = ask(main, "alert show", id).await.unwrap() else { panic!("another reply") };
    assert_eq!(shown.resolved.unwrap().by.raw(), "an operator");
}
