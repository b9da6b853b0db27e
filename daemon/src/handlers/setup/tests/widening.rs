//! A link allows no more than its child has accepted: what its main wants beyond that waits for the child.

use super::{accept, add, by_admin, by_owner, kind, link, planned, unlinked};
use crate::testing::{TestDaemon, guild, sandbox, user};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::setup::{
    Link, Mode, SecurityLevel, SetupActions, SetupAddChild, SetupDashboard, SetupDecline, SetupMode,
    SetupSecurityLevel,
};
use wayhaven_shared::report::Tone;

fn mode(child: u64, mode: Mode) -> SetupMode {
    SetupMode { child: guild(child), mode, no_backfill: false }
}

fn actions(child: u64, words: &str) -> SetupActions {
    SetupActions { child: guild(child), actions: words.parse().unwrap(), no_backfill: false }
}

fn decline(main: u64) -> SetupDecline {
    SetupDecline { main: guild(main) }
}

/// A link that the child has accepted on these terms.
async fn accepted(sandbox: &Sandbox, test: &TestDaemon, first: Mode, words: &str) -> (u64, u64) {
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let asked = SetupAddChild { mode: Some(first), actions: Some(words.parse().unwrap()), ..add(child) };
    by_admin(test, sandbox.admin(), main, asked).await.unwrap();
    by_admin(test, sandbox.child_moderator(child), child, accept(main)).await.unwrap();
    (main, child)
}

async fn stands(test: &TestDaemon, main: u64, child: u64) -> (Mode, String, Option<String>) {
    let link: Link = link(test, main, child).await.unwrap();
    assert_eq!(link.state, "active");
    (link.mode, link.actions(), link.asked_of_child())
}

#[tokio::test]
async fn more_actions_than_the_child_accepted_wait_for_it_and_the_old_link_goes_on() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = accepted(&sandbox, &test, Mode::Active, "ban").await;
    let (admin, there) = (sandbox.admin(), sandbox.child_moderator(child));
    let plan = {
        let asked = crate::testing::by_member(
            admin,
            main,
            permissions::MANAGE_GUILD,
            actions(child, "ban,kick").into(),
        );
        test.ask(crate::invocation::Invocation { dry_run: true, ..asked }).await.unwrap().report()
    };
    assert!(plan.title.contains("would be asked to accept"), "{plan:?}");
    assert_eq!(stands(&test, main, child).await, (Mode::Active, "ban".into(), None), "a plan asks nobody");

    let asked = by_admin(&test, admin, main, actions(child, "ban,kick")).await.unwrap();
    let report = asked.report();
    assert!(report.title.starts_with("not in effect yet") && report.tone == Tone::Waiting, "{report:?}");
    let command = format!("wayhaven setup accept {main} --guild {child}");
    assert!(report.hints.iter().any(|hint| hint.contains(&command)), "{report:?}");
    let waits = (Mode::Active, "ban".to_owned(), Some("ACTIVE ban,kick".to_owned()));
    assert_eq!(stands(&test, main, child).await, waits);
    let again = by_admin(&test, admin, main, actions(child, "ban,kick")).await.unwrap();
    assert!(again.changes.is_empty() && again.report().title.starts_with("already proposed"), "{again:?}");

    // What was accepted goes on, and nothing else.
    let (banned, kicked) = (sandbox.stranger(), sandbox.stranger());
    for of in [main, child] {
        sandbox.people().had_joined(of, kicked).unwrap();
    }
    let ban = test.ban(main, banned).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    let kick = serde_json::json!({ "operation": "kick", "arguments": { "user": kicked.to_string() } });
    let kick = test.punish(main, kick).await.punishment.unwrap().id;
    test.until_counted(kick, DeliveryState::Skipped, 1).await;
    test.settled().await;
    assert!(sandbox.is_member(child, kicked));

    let dashboard = by_admin(&test, there, child, SetupDashboard {}).await.unwrap();
    assert_eq!(dashboard.proposals, [guild(main)]);
    let hints = dashboard.report().hints.join("\n");
    assert!(hints.contains(&format!("accept ACTIVE ban,kick: /setup accept {main}")), "{hints}");
    assert_eq!(kind(by_admin(&test, admin, main, accept(main)).await), FaultKind::NotFound);
    let done = by_admin(&test, there, child, accept(main)).await.unwrap();
    assert!(done.changes.contains(&"actions: ban → ban,kick".to_owned()), "{done:?}");
    assert_eq!(stands(&test, main, child).await, (Mode::Active, "ban,kick".into(), None));
    assert_eq!(kind(by_admin(&test, there, child, accept(main)).await), FaultKind::Conflict, "once");
}

#[tokio::test]
async fn narrowing_is_free_and_so_is_the_way_back_to_what_was_accepted() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = accepted(&sandbox, &test, Mode::Active, "ban,mute").await;
    let admin = sandbox.admin();
    let narrow = [
        (Mode::Active, "ban"),
        (Mode::Monitor, "none"),
        (Mode::Monitor, "ban,mute"),
        (Mode::Active, "mute"),
        (Mode::Active, "ban,mute"),
    ];
    for (wanted, words) in narrow {
        by_admin(&test, admin, main, mode(child, wanted)).await.unwrap();
        by_admin(&test, admin, main, actions(child, words)).await.unwrap();
        assert_eq!(stands(&test, main, child).await, (wanted, words.to_owned(), None));
    }
    // Of a mixed change the narrower part holds at once.
    by_admin(&test, admin, main, actions(child, "mute,timeout")).await.unwrap();
    let mixed = (Mode::Active, "mute".to_owned(), Some("ACTIVE mute,timeout".to_owned()));
    assert_eq!(stands(&test, main, child).await, mixed);
    // A later change keeps what waits, and one within the accepted terms takes it back.
    by_admin(&test, admin, main, mode(child, Mode::Monitor)).await.unwrap();
    assert_eq!(stands(&test, main, child).await.2.as_deref(), Some("MONITOR mute,timeout"));
    by_admin(&test, admin, main, actions(child, "ban")).await.unwrap();
    assert_eq!(stands(&test, main, child).await, (Mode::Monitor, "ban".into(), None));
}

#[tokio::test]
async fn monitor_to_active_is_wider_and_declining_it_leaves_the_link_as_it_is() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = accepted(&sandbox, &test, Mode::Monitor, "ban").await;
    let (admin, there) = (sandbox.admin(), sandbox.child_moderator(child));
    let before = test.ban(main, sandbox.stranger()).await;
    // By every way that changes terms.
    let again = SetupAddChild { mode: Some(Mode::Active), ..add(child) };
    by_admin(&test, admin, main, again).await.unwrap();
    assert_eq!(stands(&test, main, child).await.0, Mode::Monitor);
    by_admin(&test, admin, main, mode(child, Mode::Active)).await.unwrap();
    let waits = (Mode::Monitor, "ban".to_owned(), Some("ACTIVE ban".to_owned()));
    assert_eq!(stands(&test, main, child).await, waits);
    let declined = by_admin(&test, there, child, decline(main)).await.unwrap();
    assert_eq!((declined.state.as_str(), declined.changes.len()), ("active", 1), "{declined:?}");
    assert_eq!(stands(&test, main, child).await, (Mode::Monitor, "ban".into(), None));
    assert_eq!(kind(by_admin(&test, there, child, decline(main)).await), FaultKind::Conflict);
    test.settled().await;
    assert!(sandbox.effects_in(child).is_empty());

    // What was decided before is delivered once the child accepts.
    by_admin(&test, admin, main, mode(child, Mode::Active)).await.unwrap();
    let accepted = by_admin(&test, there, child, accept(main)).await.unwrap();
    assert!(accepted.backfill.is_some_and(|backfill| backfill.to_deliver == 1), "{:?}", accepted.changes);
    test.until("the backfill", move |view| {
        view.deliveries_of(before).unwrap().iter().any(|one| one.state == DeliveryState::Applied)
    })
    .await;
}

#[tokio::test]
async fn who_speaks_for_both_sides_widens_at_once_and_a_new_link_is_accepted_anew() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = accepted(&sandbox, &test, Mode::Monitor, "ban").await;
    let plan = planned(&test, main, mode(child, Mode::Active)).await.unwrap();
    assert_eq!(plan.changes, ["mode: MONITOR → ACTIVE"]);
    by_owner(&test, Some(main), mode(child, Mode::Active)).await.unwrap();
    assert_eq!(stands(&test, main, child).await, (Mode::Active, "ban".into(), None));
    // The owner of both guilds.
    by_admin(&test, sandbox.owner(), main, actions(child, "ban,kick,timeout")).await.unwrap();
    assert_eq!(stands(&test, main, child).await, (Mode::Active, "ban,kick,timeout".into(), None));
    let link = link(&test, main, child).await.unwrap();
    assert_eq!(link.accepted.unwrap().actions.as_slice(), [Action::Ban, Action::Kick, Action::Timeout]);
    // A link that was closed and is accepted on narrower terms has accepted only those.
    by_owner(&test, Some(main), wayhaven_shared::operations::setup::SetupRemoveChild::new(guild(child)))
        .await
        .unwrap();
    accepted(&sandbox, &test, Mode::Active, "ban").await;
    by_admin(&test, sandbox.admin(), main, actions(child, "ban,kick")).await.unwrap();
    assert_eq!(stands(&test, main, child).await.1, "ban");
}

#[tokio::test]
async fn a_higher_security_level_holds_in_a_child_once_the_child_accepts_it() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = accepted(&sandbox, &test, Mode::Active, "ban").await;
    let other = sandbox.children()[1];
    by_owner(&test, Some(main), add(other)).await.unwrap();
    let (admin, there) = (sandbox.admin(), sandbox.child_moderator(child));
    let level = |level| SetupSecurityLevel { level };
    let effective =
        async |of: u64| test.read(move |view| view.security_level_in(guild(main), guild(of)).unwrap()).await;
    let raised = by_admin(&test, admin, main, level(SecurityLevel::High)).await.unwrap();
    assert_eq!(raised.waiting, [guild(child), guild(other)]);
    assert!(raised.report().hints[0].contains(&format!("wayhaven setup accept {main} --guild {child}")));
    assert_eq!(effective(child).await, SecurityLevel::Standard);
    // The child's staff have the last word still.
    let lifted = sandbox.stranger();
    let ban = test.ban(main, lifted).await;
    test.until_counted(ban, DeliveryState::Applied, 2).await;
    sandbox.people().unban(child, there, lifted, None).unwrap();
    test.until("it is respected", move |view| {
        view.exception(guild(child), user(lifted), Action::Ban).unwrap().is_some()
    })
    .await;

    let accepted = by_admin(&test, there, child, accept(main)).await.unwrap();
    assert!(
        accepted.changes.contains(&"accepted security level: standard → high".to_owned()),
        "{accepted:?}"
    );
    assert_eq!(
        (effective(child).await, effective(other).await),
        (SecurityLevel::High, SecurityLevel::Standard)
    );
    by_admin(&test, sandbox.child_moderator(other), other, decline(main)).await.unwrap();
    assert_eq!(effective(other).await, SecurityLevel::Standard);
    // Lower is free, and so is higher again where it was accepted.
    by_admin(&test, admin, main, level(SecurityLevel::Standard)).await.unwrap();
    assert_eq!(effective(child).await, SecurityLevel::Standard);
    let again = by_admin(&test, admin, main, level(SecurityLevel::Maximum)).await.unwrap();
    assert_eq!(again.waiting, [guild(other)]);
    assert_eq!(effective(child).await, SecurityLevel::Maximum);
    let by_both = by_admin(&test, sandbox.owner(), main, level(SecurityLevel::High)).await.unwrap();
    assert!(by_both.waiting.is_empty(), "the owner administers both");
    assert_eq!(effective(other).await, SecurityLevel::High);
}
