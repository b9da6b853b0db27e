//! `sync exception` as operators and members ask for it.

use crate::testing::{TestDaemon, asked, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change as Changed;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::exception::{ExceptionChanged, ExceptionOrigin, Exceptions};
use wayhaven_shared::operations::protect::ProtectAdd;
use wayhaven_shared::operations::setup::{SecurityLevel, SetupSecurityLevel};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: &Value) -> Request {
    let operation = format!("sync exception {operation}");
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

async fn ask(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> Result<Reply, Fault> {
    test.ask(by_operator(Role::Operator, Some(of), request(operation, &arguments))).await
}

async fn changed(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> ExceptionChanged {
    match ask(test, of, operation, arguments).await.unwrap() {
        Reply::SyncExceptionAdd(reply) | Reply::SyncExceptionRemove(reply) => reply,
        other => panic!("{other:?}"),
    }
}

async fn list(test: &TestDaemon, of: Option<u64>, arguments: Value) -> Exceptions {
    match test.ask(by_operator(Role::Observer, of, request("list", &arguments))).await.unwrap() {
        Reply::SyncExceptionList(reply) => reply,
        other => panic!("{other:?}"),
    }
}

async fn as_admin(
    test: &TestDaemon,
    sandbox: &Sandbox,
    of: u64,
    operation: &str,
    arguments: Value,
) -> Result<Reply, Fault> {
    let request = request(operation, &arguments);
    test.ask(by_member(sandbox.child_moderator(of), of, permissions::ADMINISTRATOR, request)).await
}

#[tokio::test]
async fn one_is_made_replaced_and_ended_once_and_each_is_told_and_listed() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, other, whom) = (sandbox.children()[0], sandbox.children()[1], sandbox.stranger().to_string());
    let end = (test.systems.services.clock().now() + "30d".parse().unwrap()).short()[..10].to_owned();
    let named = json!({"user": whom, "reason": "a friend"});
    let made = changed(&test, child, "add", named.clone()).await;
    assert!(made.changed && made.is_excepted && made.before.is_none(), "{made:?}");
    assert!(!changed(&test, child, "add", named).await.changed, "only once");
    let again = json!({"user": whom, "until": end});
    let replaced = changed(&test, child, "add", again.clone()).await;
    assert_eq!(replaced.before.as_ref().map(|one| one.reason.as_ref().unwrap().raw()), Some("a friend"));
    assert!(replaced.report().title.contains("replaced"), "{replaced:?}");
    assert!(!changed(&test, child, "add", again).await.changed);
    changed(&test, child, "add", json!({"user": whom, "measure": "mute"})).await;
    changed(&test, other, "add", json!({"user": whom})).await;

    let listed = list(&test, Some(child), json!({"user": whom})).await.exceptions;
    assert_eq!(listed.len(), 2, "of this guild alone");
    assert!(listed.iter().all(|one| one.guild_id == guild(child) && one.origin == ExceptionOrigin::Command));
    assert_eq!(listed[1].until.map(|until| until.short()), Some(format!("{end} 00:00:00")));
    assert_eq!(list(&test, None, json!({})).await.exceptions.len(), 3, "an operator sees all guilds'");
    assert!(list(&test, None, json!({"user": sandbox.stranger().to_string()})).await.exceptions.is_empty());
    let first = list(&test, None, json!({"limit": 2})).await;
    let rest = list(&test, None, json!({"limit": 2, "cursor": first.next.unwrap()})).await;
    assert_eq!((first.exceptions.len(), rest.exceptions.len(), rest.next), (2, 1, None));

    for is_there in [true, false] {
        assert_eq!(changed(&test, child, "remove", json!({"user": whom})).await.changed, is_there);
    }
    let told = test.told().await.into_iter().filter_map(|change| match change {
        Changed::Exception { exception, ended } if exception.measure.word() == "ban" => {
            (exception.guild_id == guild(child)).then_some(ended)
        }
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_way_out() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger().to_string());
    for (of, arguments, kind, says) in [
        (main, json!({"user": whom}), FaultKind::Conflict, "no child of any main"),
        (child, json!({"user": whom, "until": "2001-01-01"}), FaultKind::Usage, "has passed"),
        (child, json!({"user": whom, "until": "9000-01-01"}), FaultKind::Usage, "ten years"),
    ] {
        let fault = ask(&test, of, "add", arguments).await.unwrap_err();
        assert!(fault.kind == kind && fault.message.contains(says) && !fault.hints.is_empty(), "{fault:?}");
    }
    assert!(list(&test, None, json!({})).await.exceptions.is_empty());
    // Whoever is protected there is told so, and has an exception for when they are not.
    let protect = ProtectAdd { user: Some(user(whom.parse().unwrap())), ..ProtectAdd::default() };
    asked(&test, child, protect, false).await.unwrap();
    let added = changed(&test, child, "add", json!({"user": whom})).await;
    assert!(added.changed && added.warnings().join("").contains("protects"), "{added:?}");
}

#[tokio::test]
async fn above_the_standard_level_operators_alone_make_exceptions_and_everybody_ends_them() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, whom) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger().to_string());
    let named = json!({"user": whom});
    as_admin(&test, &sandbox, child, "add", named.clone()).await.unwrap();
    let by = list(&test, Some(child), json!({})).await.exceptions[0].by;
    assert_eq!(by, Some(user(sandbox.child_moderator(child))));
    as_admin(&test, &sandbox, child, "remove", named.clone()).await.unwrap();
    for level in [SecurityLevel::High, SecurityLevel::Maximum] {
        asked(&test, main, SetupSecurityLevel { level }, false).await.unwrap();
        let fault = as_admin(&test, &sandbox, child, "add", named.clone()).await.unwrap_err();
        let hints = fault.hints.join(" ");
        assert_eq!(fault.kind, FaultKind::Denied);
        assert!(
            fault.message.contains(&main.to_string()) && fault.message.contains(level.word()),
            "{fault:?}"
        );
        assert!(hints.contains("an operator can") && hints.contains(&child.to_string()), "{hints}");
        assert!(changed(&test, child, "add", named.clone()).await.changed, "an operator may");
        as_admin(&test, &sandbox, child, "remove", named.clone()).await.unwrap();
    }
    assert!(list(&test, None, json!({})).await.exceptions.is_empty());
}
