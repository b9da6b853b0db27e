//! What of the audit is shown, and to whom.

use crate::discord::directory::ADMINISTRATOR;
use crate::testing::{TestDaemon, by_member, by_operator, confirmed, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::audit::{AuditEntries, AuditFigures, AuditResult, Warnings};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, FaultKind};

/// Members of no guild.
const ONE: u64 = 700_000_000_000_000_001;
const TWO: u64 = 700_000_000_000_000_002;
const THREE: u64 = 700_000_000_000_000_003;

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
}

/// What an operator sees with these filters.
async fn log(test: &TestDaemon, of: Option<u64>, filters: Value) -> Result<AuditEntries, Fault> {
    match test.ask(by_operator(Role::Observer, of, request("audit log", filters))).await? {
        Reply::AuditLog(entries) => Ok(entries),
        other => panic!("{other:?}"),
    }
}

/// In the main and in the child: warnings by an operator and by the moderator, and refusals.
async fn busy() -> (Sandbox, TestDaemon) {
    let sandbox = sandbox(1).await;
    sandbox.change(|world| world.person_with_id(ONE));
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for of in [main, child] {
        let warn = json!({"user": ONE.to_string(), "reason": "x"});
        test.ask(by_operator(Role::Owner, Some(of), request("warn", warn.clone()))).await.unwrap();
        test.ask(by_member(sandbox.moderator(), of, ADMINISTRATOR, request("warn", warn))).await.unwrap();
        let ban = request("ban", json!({"user": TWO.to_string()}));
        test.ask(by_member(THREE, of, 0, ban)).await.unwrap_err();
    }
    (sandbox, test)
}

#[tokio::test]
async fn each_filter_leaves_what_it_names_and_all_of_it() {
    let (sandbox, test) = busy().await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let all = test.audit().await;
    let (one, two) = (ONE.to_string(), TWO.to_string());
    let moderator = sandbox.moderator().to_string();
    let cases: Vec<(Option<u64>, Value, usize)> = vec![
        (None, json!({"user": one, "limit": 500}), 4),
        (None, json!({"user": two, "limit": 500}), 2),
        (Some(main), json!({"user": one}), 2),
        (Some(child), json!({"user": two}), 1),
        (None, json!({"by": moderator}), 2),
        (None, json!({"by": moderator, "user": one}), 2),
        (None, json!({"by": moderator, "user": two}), 0),
        (None, json!({"operation": "warn"}), 4),
        (None, json!({"operation": "ban", "result": "denied"}), 2),
        (None, json!({"operation": "ban", "result": "success"}), 0),
        (None, json!({"operation": "connect"}), 0),
        (None, json!({"operator": "1000", "operation": "warn"}), 2),
        (None, json!({"operator": "1001", "operation": "warn"}), 0),
        (None, json!({"user": one, "days": 1}), 4),
    ];
    for (of, filters, count) in cases {
        let mut found = log(&test, of, filters.clone()).await.unwrap().entries;
        // Whoever looks for somebody stands in the audit with that too.
        found.retain(|entry| entry.operation != "audit log");
        assert_eq!(found.len(), count, "{filters}: {found:?}");
        for entry in &found {
            assert!(all.contains(entry), "{filters}: {entry:?}");
            assert!(of.is_none_or(|of| entry.guild_id.is_some_and(|guild| guild.get() == of)));
        }
    }
    let shown = log(&test, Some(main), json!({"operation": "ban"})).await.unwrap().entries.remove(0);
    assert_eq!((shown.result, shown.fault.as_deref()), (AuditResult::Denied, Some("denied")));
    assert_eq!(shown.parameters.unwrap()["arguments"]["user"], two);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_hole_whatever_comes_meanwhile() {
    let (_sandbox, test) = busy().await;
    let whole = log(&test, None, json!({"user": ONE.to_string()})).await.unwrap().entries;
    let newest = whole[0].sequence + 1;
    let (mut paged, mut cursor) = (Vec::new(), Some(newest.to_string()));
    loop {
        let filters = json!({"user": ONE.to_string(), "limit": 1, "cursor": cursor});
        let page = log(&test, None, filters).await.unwrap();
        paged.extend(page.entries);
        cursor = page.next.map(|next| next.to_string());
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
}

#[tokio::test]
async fn days_count_back_from_now() {
    let (sandbox, test) = busy().await;
    test.systems.services.clock().shift(3 * 86_400_000);
    let warn = json!({"user": ONE.to_string(), "reason": "later"});
    test.ask(by_operator(Role::Owner, Some(sandbox.main_guild()), request("warn", warn))).await.unwrap();
    let one = ONE.to_string();
    let count = async |days: u16| {
        let filters = json!({"user": one, "days": days, "operation": "warn"});
        log(&test, None, filters).await.unwrap().entries.len()
    };
    assert_eq!((count(1).await, count(2).await, count(4).await), (1, 1, 5));
    test.systems.services.clock().shift(40 * 86_400_000);
    assert_eq!(
        log(&test, None, json!({"user": one, "operation": "warn"})).await.unwrap().entries.len(),
        0,
        "30 days by itself"
    );
}

#[tokio::test]
async fn what_is_no_operation_is_a_fault_that_names_it() {
    let (_sandbox, test) = busy().await;
    let fault = log(&test, None, json!({"operation": "frobnicate"})).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Usage);
    assert!(fault.message.contains("frobnicate"), "{fault:?}");
}

#[tokio::test]
async fn members_see_their_guild_and_no_accounts() {
    let (sandbox, test) = busy().await;
    let main = sandbox.main_guild();
    let ask = async |name: &str, arguments: Value| {
        test.ask(by_member(sandbox.admin(), main, ADMINISTRATOR, request(name, arguments))).await
    };
    let Reply::AuditLog(log) = ask("audit log", json!({})).await.unwrap() else { panic!("another reply") };
    assert!(!log.entries.is_empty());
    for entry in &log.entries {
        assert_eq!(entry.guild_id.unwrap().get(), main);
        assert!(!entry.actor.as_ref().unwrap().raw().contains("unix user"), "{entry:?}");
    }
    let Reply::AuditStats(stats) = ask("audit stats", json!({})).await.unwrap() else {
        panic!("another reply")
    };
    assert_eq!(stats.guild_id.unwrap().get(), main);
    let names: Vec<_> = stats.actors.iter().map(|one| one.actor.raw().to_owned()).collect();
    assert!(
        names.contains(&"an operator".to_owned()) && !names.iter().any(|name| name.contains("unix")),
        "{names:?}"
    );
    let which = ask("audit log", json!({"operator": "0"})).await.unwrap_err();
    assert_eq!(which.kind, FaultKind::Denied);
}

#[tokio::test]
async fn the_figures_are_those_of_the_rows() {
    let (sandbox, test) = busy().await;
    let of = |guild: Option<u64>| {
        let ask = test.ask(by_operator(Role::Observer, guild, request("audit stats", json!({"days": 2}))));
        async move {
            match ask.await.unwrap() {
                Reply::AuditStats(figures) => figures,
                other => panic!("{other:?}"),
            }
        }
    };
    let all: AuditFigures = of(None).await;
    let rows = test.audit().await;
    let figures = |result| all.results.iter().find(|(of, _)| *of == result).unwrap().1 as usize;
    // The figures' own row came after.
    let counted =
        |result| rows.iter().filter(|row| row.result == result && row.operation != "audit stats").count();
    for result in [AuditResult::Success, AuditResult::Denied, AuditResult::Error] {
        assert_eq!(figures(result), counted(result), "{result:?}");
    }
    let warned = all.operations.iter().find(|one| one.operation == "warn").unwrap();
    assert_eq!((warned.requests, warned.denied, warned.failed), (4, 0, 0));
    assert!(warned.mean_us.is_some());
    let banned = all.operations.iter().find(|one| one.operation == "ban").unwrap();
    assert_eq!((banned.requests, banned.denied), (2, 2));
    let refused = all.actors.iter().find(|one| one.actor.raw() == THREE.to_string()).unwrap();
    assert_eq!((refused.requests, refused.denied), (2, 2));
    assert_eq!(all.by_day.iter().map(|day| day.requests).sum::<u64>(), all.requests());
    let child = of(Some(sandbox.children()[0])).await;
    assert_eq!(child.operations.iter().find(|one| one.operation == "warn").unwrap().requests, 2);
    test.systems.services.clock().shift(3 * 86_400_000);
    assert_eq!(of(None).await.operations.iter().filter(|one| one.operation == "warn").count(), 0);
}

#[tokio::test]
async fn warnings_are_listed_with_those_that_count_and_what_follows() {
    let (sandbox, test) = busy().await;
    let (main, whom) = (sandbox.main_guild(), ONE);
    let steps = request("config warnings", json!({"steps": "3:timeout:1h,5:kick"}));
    test.ask(by_operator(Role::Owner, Some(main), steps)).await.unwrap();
    let shown = async |limit: u16, cursor: Option<String>| -> Warnings {
        let arguments = json!({"user": whom.to_string(), "limit": limit, "cursor": cursor});
        match test
            .ask(by_operator(Role::Observer, Some(main), request("audit warnings", arguments)))
            .await
            .unwrap()
        {
            Reply::AuditWarnings(warnings) => warnings,
            other => panic!("{other:?}"),
        }
    };
    let both = shown(10, None).await;
    assert_eq!((both.counting, both.warnings.len(), both.next), (2, 2, None));
    assert_eq!((both.user_id, both.next_leads_to.as_deref()), (user(whom), Some("timed out for 1h")));
    let first = shown(1, None).await;
    let second = shown(1, first.next.map(|next| next.to_string())).await;
    assert_eq!([&first.warnings[..], &second.warnings[..]].concat(), both.warnings);
    let newest = both.warnings[0].id.to_string();
    let revert = request("punishment revert", json!({"punishments": [newest], "reason": "x"}));
    test.ask(confirmed(by_operator(Role::Owner, Some(main), revert))).await.unwrap();
    let one = shown(10, None).await;
    assert_eq!((one.counting, one.warnings.len()), (1, 2), "what was taken back is shown and counts no more");
    assert_eq!(one.next_leads_to.as_deref(), Some("counts; at 3 warnings: timed out for 1h"));
}

#[tokio::test]
async fn a_clock_that_was_set_back_hides_nothing_of_the_window() {
    let (sandbox, test) = busy().await;
    let main = sandbox.main_guild();
    let warn = async |reason: &str| {
        let warn = json!({"user": ONE.to_string(), "reason": reason});
        test.ask(by_operator(Role::Owner, Some(main), request("warn", warn))).await.unwrap();
    };
    test.systems.services.clock().shift(10 * 86_400_000);
    warn("while the clock was right").await;
    test.systems.services.clock().shift(-86_400_000);
    warn("a day before that, and after it").await;
    let found =
        log(&test, None, json!({"user": ONE.to_string(), "operation": "warn", "days": 2})).await.unwrap();
    assert_eq!(found.entries.len(), 2, "{found:?}");
}
