//! `setup test-connection`: what its rows say when something is wrong.

use super::{by_admin, by_owner, kind, unlinked};
use crate::testing::{self, PATIENCE, TestDaemon, guild, sandbox};
use std::sync::Arc;
use wayhaven_sandbox::{At, Fault as Trouble, Options, Recorded, Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::setup::{CheckResult, ConnectionTested, Mode, SetupTestConnection};
use wayhaven_shared::report::Tone;

fn about(child: u64) -> SetupTestConnection {
    SetupTestConnection { child: guild(child) }
}

/// A row of the report, by the beginning of its name.
fn row(tested: &ConnectionTested, name: &str) -> (CheckResult, String) {
    let found = tested.checks.iter().find(|check| check.name.starts_with(name));
    let found = found.unwrap_or_else(|| panic!("no row {name} in {tested:?}"));
    (found.result, found.detail.raw().to_owned())
}

fn result(tested: &ConnectionTested, name: &str) -> CheckResult {
    row(tested, name).0
}

/// Waits until the gateway has told of something.
async fn until_known(what: &str, holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "never known: {what}");
}

#[tokio::test]
async fn a_healthy_child_is_ok_point_by_point_and_nothing_is_changed() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    for tested in [
        by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap(),
        by_admin(&test, sandbox.owner(), child, about(child)).await.unwrap(),
        by_owner(&test, None, about(child)).await.unwrap(),
    ] {
        assert!(tested.checks.iter().all(|check| check.result == CheckResult::Ok), "{tested:?}");
        assert_eq!(tested.checks.len(), 14, "presence, request, 9 permissions, height, intent, link");
        assert!(row(&tested, "Manage Server").1.contains("one by one"), "its lack is no warning: {tested:?}");
        assert!(row(&tested, "reachable").1.contains(" ms"));
        assert!(row(&tested, &format!("link of {main}")).1.contains("ban"));
        assert_eq!(tested.report().tone, Tone::Good);
    }
    let (directory, all) =
        (test.systems.services.directory(), permissions::LEAST_FOR_BOT | permissions::MANAGE_GUILD);
    let has = |bits: u64| bits & permissions::MANAGE_GUILD != 0;
    sandbox.people().set_bot_permissions(child, all).unwrap();
    until_known("more", || directory.my_permissions(guild(child)).is_some_and(has)).await;
    let more = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    assert_eq!(row(&more, "Manage Server").1, "the bot has it: up to 200 bans go at once");
    let own = by_admin(&test, sandbox.admin(), main, about(main)).await.unwrap();
    assert!(own.checks.iter().all(|check| check.result == CheckResult::Ok), "a main tests itself: {own:?}");
    assert_eq!(sandbox.effect_count(), 0);
    let of_member =
        |request: &&Recorded| request.guild == Some(child) && request.route.ends_with("/members/{user_id}");
    let asked = sandbox.log().iter().filter(of_member).count();
    assert_eq!(asked, 4, "one real request each time");
    assert_eq!(kind(by_admin(&test, sandbox.admin(), main, about(child + 9)).await), FaultKind::NotFound);
}

#[tokio::test]
async fn each_missing_permission_has_its_row() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let names = [
        (permissions::BAN_MEMBERS, "Ban Members", CheckResult::Fail),
        (permissions::VIEW_AUDIT_LOG, "View Audit Log", CheckResult::Warn),
        (permissions::KICK_MEMBERS, "Kick Members", CheckResult::Fail),
        (permissions::MODERATE_MEMBERS, "Timeout Members", CheckResult::Fail),
        (permissions::MANAGE_ROLES, "Manage Roles", CheckResult::Fail),
    ];
    for (bit, name, expected) in names {
        let bits = permissions::LEAST_FOR_BOT & !bit;
        sandbox.people().set_bot_permissions(child, bits).unwrap();
        let directory = test.systems.services.directory();
        until_known(name, || directory.my_permissions(guild(child)).is_some_and(|has| has & bit == 0)).await;
        let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
        let wrong: Vec<_> = tested.checks.iter().filter(|check| check.result != CheckResult::Ok).collect();
        assert_eq!(wrong.len(), 1, "{wrong:?}");
        assert_eq!((wrong[0].name.as_str(), wrong[0].result), (name, expected));
        sandbox.people().set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
        until_known(name, || directory.my_permissions(guild(child)).is_some_and(|has| has & bit != 0)).await;
    }
}

#[tokio::test]
async fn roles_above_the_bots_are_counted_and_no_role_is_said() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let above = || test.systems.services.directory().my_height(guild(child), None).map(|height| height.above);
    sandbox.people().move_role(child, sandbox.role(child, "Moderator"), 9).unwrap();
    sandbox.people().move_role(child, sandbox.role(child, "Admin"), 10).unwrap();
    until_known("the roles", || above() == Some(2)).await;
    let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    let (result, detail) = row(&tested, "role height");
    assert!(result == CheckResult::Ok && detail.contains("staff above it: 2"), "{detail}");
    sandbox.people().move_role(child, sandbox.role(child, "Muted"), 11).unwrap();
    until_known("the roles", || above() == Some(3)).await;
    let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    let (result, detail) = row(&tested, "role height");
    assert!(result == CheckResult::Warn && detail.contains("3 above it, 1 of them"), "{detail}");
    let own = sandbox.role(child, "Wayhaven");
    sandbox.people().delete_role(child, own).unwrap();
    let height = || test.systems.services.directory().my_height(guild(child), None);
    until_known("no role", || height().is_some_and(|height| height.position == 0)).await;
    let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    assert_eq!(row(&tested, "role height").0, CheckResult::Fail);
}

#[tokio::test]
async fn a_bot_that_is_gone_and_an_outage_are_rows() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, gone, away) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    sandbox.people().remove_bot(gone).unwrap();
    sandbox.people().outage(away).unwrap();
    use crate::discord::directory::Presence;
    let directory = test.systems.services.directory();
    until_known("it is gone", || directory.presence(guild(gone)) == Some(Presence::Absent)).await;
    until_known("it is away", || directory.presence(guild(away)) == Some(Presence::Outage)).await;

    let tested = by_admin(&test, sandbox.admin(), main, about(gone)).await.unwrap();
    assert_eq!(result(&tested, "bot in the guild"), CheckResult::Fail);
    assert_eq!(result(&tested, "reachable"), CheckResult::Fail, "{tested:?}");
    assert_eq!(result(&tested, "Ban Members"), CheckResult::Warn, "what is not known is not good");
    assert_eq!(result(&tested, "role height"), CheckResult::Warn);
    assert_eq!(tested.report().tone, Tone::Bad);

    let tested = by_admin(&test, sandbox.admin(), main, about(away)).await.unwrap();
    let (result, detail) = row(&tested, "bot in the guild");
    assert!(result == CheckResult::Warn && detail.contains("outage"), "{detail}");
    assert_eq!(row(&tested, "Ban Members").0, CheckResult::Warn);
}

#[tokio::test]
async fn a_discord_that_refuses_or_was_never_reached_is_a_row() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = At::route("GET", "/guilds/{guild_id}/members/{user_id}").guild(child);
    let fault = sandbox.inject(Trouble::CutBefore { at: at.clone() });
    let tested = by_owner(&test, Some(main), about(child)).await.unwrap();
    assert_eq!(result(&tested, "reachable"), CheckResult::Fail, "{tested:?}");
    assert_eq!(result(&tested, "Ban Members"), CheckResult::Ok, "the gateway has told");
    sandbox.clear(fault);
    sandbox.inject(Trouble::Answer { at, status: 403, code: 50001, message: "Missing Access".into() });
    let tested = by_owner(&test, Some(main), about(child)).await.unwrap();
    let (result, detail) = row(&tested, "reachable");
    assert!(result == CheckResult::Fail && detail.contains("no access"), "{detail}");

    sandbox.inject(Trouble::CutBefore { at: At::anything() });
    let unconnected = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    let tested = by_owner(&unconnected, None, about(child)).await.unwrap();
    let (result, detail) = row(&tested, "reachable");
    assert!(result == CheckResult::Fail && detail.contains("who the bot is"), "{detail}");
    assert_eq!(row(&tested, "bot in the guild").0, CheckResult::Warn);
    assert_eq!(row(&tested, "members intent").0, CheckResult::Warn);
}

#[tokio::test]
async fn the_members_intent_and_the_link_have_their_rows() {
    let options = Options { children: 2, global_limit: 0, members_intent: false, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let alone = by_admin(&test, sandbox.owner(), child, about(child)).await.unwrap();
    assert_eq!(row(&alone, "link"), (CheckResult::Warn, "no main is linked to it".into()));
    assert_eq!(result(&alone, "members intent"), CheckResult::Warn);
    test.link(&sandbox, Mode::Monitor).await;
    let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    let (result, detail) = row(&tested, "link of");
    assert!(result == CheckResult::Warn && detail.contains("monitor"), "{detail}");
    test.propose(main, child).await;
    let tested = by_admin(&test, sandbox.admin(), main, about(child)).await.unwrap();
    assert_eq!(tested.checks.len(), 1, "nothing else is told before it has agreed: {tested:?}");
    assert!(row(&tested, "link of").1.contains("proposed") && tested.guild_name.is_none());
    let tested = by_admin(&test, sandbox.owner(), child, about(child)).await.unwrap();
    assert_eq!(tested.checks.len(), 14, "the guild itself is told everything");
}
