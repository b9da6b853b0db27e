//! Proposals, their acceptance, and their end.

use super::{accept, add, by_admin, by_owner, kind, link, planned, state, unlinked};
use crate::testing::{PATIENCE, TestDaemon, by_member, guild, sandbox};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault as Trouble, Sandbox, permissions};
use wayhaven_shared::FaultKind;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::setup::{Mode, SetupDashboard, SetupDecline, SetupLeave, SetupRemoveChild};

fn decline(main: u64) -> SetupDecline {
    SetupDecline { main: guild(main) }
}

fn leave(main: u64) -> SetupLeave {
    SetupLeave::new(guild(main))
}

/// Asks by slash command, presses the button once the question says `counts`, and waits until the
/// answer says `done`.
async fn confirmed_on_discord(
    sandbox: &Sandbox,
    (of, by): (u64, u64),
    (operation, options): (&str, Value),
    (counts, done): (&str, &str),
) {
    let people = sandbox.people();
    let asked = people.slash(of, by, operation, options).unwrap();
    let question = people.reply(asked).await.unwrap();
    assert!(question.to_string().contains(counts), "{question}");
    let buttons = question["components"][0]["components"].as_array().unwrap();
    let go = buttons.iter().find(|button| button["label"] == "Do it").unwrap()["custom_id"].clone();
    let pressed = people.press(asked, by, go.as_str().unwrap()).unwrap();
    let says = |_: &wayhaven_sandbox::Discord| {
        people.replies(pressed).iter().any(|one| one.to_string().contains(done))
    };
    let waited = sandbox.wait_until(says, PATIENCE).await;
    assert!(waited.is_ok(), "{done:?} never came: {:?}", people.replies(pressed));
}

#[tokio::test]
async fn on_discord_a_proposal_delivers_nothing_and_its_acceptance_lets_bans_arrive() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, child, people) = (sandbox.main_guild(), sandbox.children()[0], sandbox.people());
    let (before, after) = (sandbox.stranger(), sandbox.stranger());
    let (proposal, way_in) = (json!({"child": child.to_string()}), format!("/setup accept {main}"));
    let says = ("the link would be proposed", way_in.as_str());
    confirmed_on_discord(&sandbox, (main, sandbox.admin()), ("setup add-child", proposal), says).await;
    assert_eq!(state(&test, main, child).await, "proposed");

    people.slash(main, sandbox.moderator(), "ban", json!({"user": before.to_string()})).unwrap();
    let id = test.punishment(before, 1).await;
    test.until("the main", move |view| {
        view.origin_of(id).unwrap().is_some_and(|origin| origin.state == DeliveryState::Applied)
    })
    .await;
    test.systems.engine.drain().await;
    assert!(test.read(move |view| view.deliveries_of(id).unwrap()).await.is_empty());
    assert!(sandbox.effects_in(child).is_empty(), "nothing reaches who has not agreed");

    let says = ("up to 1 decided before would be delivered", "the link is active");
    let acceptance = ("setup accept", json!({"main": main.to_string()}));
    confirmed_on_discord(&sandbox, (child, sandbox.owner()), acceptance, says).await;
    people.slash(main, sandbox.moderator(), "ban", json!({"user": after.to_string()})).unwrap();
    // What was decided before the link comes by its backfill.
    for whom in [after, before] {
        sandbox.wait_until(move |sandbox| sandbox.is_banned(child, whom), PATIENCE).await.unwrap();
    }
    assert!(sandbox.effects_in(sandbox.children()[1]).is_empty(), "and nobody else");
}

#[tokio::test]
async fn only_an_administrator_of_the_proposed_child_accepts_and_declines() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let (owner, admin) = (sandbox.owner(), sandbox.admin());
    by_admin(&test, admin, main, add(child)).await.unwrap();
    let moderator = sandbox.child_moderator(child);
    let too_many = permissions::MANAGE_GUILD | permissions::ADMINISTRATOR;
    for request in [accept(main).into(), decline(main).into(), leave(main).into()] {
        let asked = test.ask(by_member(moderator, child, !too_many, request)).await;
        assert_eq!(kind(asked), FaultKind::Denied, "one permission too few");
    }
    for asked_in in [other, main] {
        assert_eq!(kind(by_admin(&test, owner, asked_in, accept(main)).await), FaultKind::NotFound);
        assert_eq!(kind(by_admin(&test, owner, asked_in, decline(main)).await), FaultKind::NotFound);
        assert_eq!(kind(by_admin(&test, owner, asked_in, leave(main)).await), FaultKind::NotFound);
    }
    assert_eq!(kind(by_admin(&test, owner, child, accept(other)).await), FaultKind::NotFound);
    assert_eq!(kind(by_owner(&test, Some(other), accept(main)).await), FaultKind::NotFound);
    assert_eq!(
        kind(by_owner(&test, None, accept(main)).await),
        FaultKind::Usage,
        "the socket names the child"
    );
    assert_eq!(state(&test, main, child).await, "proposed");

    let plan = planned(&test, child, accept(main)).await.unwrap();
    assert_eq!(
        (plan.state.as_str(), plan.changes.as_slice()),
        ("active", &["state: proposed → active".into()][..])
    );
    assert_eq!(state(&test, main, child).await, "proposed", "a plan changes nothing");
    by_admin(&test, moderator, child, accept(main)).await.unwrap();
    let stored = link(&test, main, child).await.unwrap();
    assert!(stored.state == "active" && stored.accepted_at.is_some(), "{stored:?}");
    assert_eq!(kind(by_admin(&test, owner, child, accept(main)).await), FaultKind::Conflict);
    assert_eq!(kind(by_admin(&test, owner, child, decline(main)).await), FaultKind::Conflict);
    let audited = test.audit().await;
    assert!(audited.iter().any(|row| row.operation == "setup accept" && row.guild_id == Some(guild(child))));
}

#[tokio::test]
async fn a_declined_proposal_is_gone_and_may_be_made_again() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    by_admin(&test, sandbox.admin(), main, add(child)).await.unwrap();
    let leaving = by_admin(&test, sandbox.owner(), child, leave(main)).await.unwrap_err();
    assert!(leaving.hints[0].contains("setup decline"), "{leaving}");
    by_admin(&test, sandbox.owner(), child, decline(main)).await.unwrap();
    assert_eq!(state(&test, main, child).await, "closed");
    assert_eq!(kind(by_admin(&test, sandbox.owner(), child, accept(main)).await), FaultKind::NotFound);
    let again = by_admin(&test, sandbox.admin(), main, add(child)).await.unwrap();
    assert_eq!((again.state.as_str(), again.changes[0].as_str()), ("proposed", "state: none → proposed"));
    // And withdrawn by who made it.
    let remove = SetupRemoveChild::new(guild(child));
    by_admin(&test, sandbox.admin(), main, remove).await.unwrap();
    assert_eq!(kind(by_admin(&test, sandbox.owner(), child, accept(main)).await), FaultKind::NotFound);
}

#[tokio::test]
async fn proposals_of_several_mains_are_answered_one_by_one() {
    let sandbox = sandbox(2).await;
    let test = unlinked(&sandbox).await;
    let (first, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    test.systems.services.store().write(move |change| Ok(change.make_main(guild(second))?)).await.unwrap();
    by_admin(&test, sandbox.admin(), first, add(child)).await.unwrap();
    by_admin(&test, sandbox.admin(), second, add(child)).await.unwrap();
    let dashboard = by_admin(&test, sandbox.owner(), child, SetupDashboard {}).await.unwrap();
    assert_eq!(dashboard.proposals.len(), 2);
    let hints = dashboard.report().hints.join("\n");
    for main in [first, second] {
        assert!(hints.contains(&format!("/setup accept {main}")), "{hints}");
    }
    by_admin(&test, sandbox.owner(), child, accept(second)).await.unwrap();
    assert_eq!(state(&test, first, child).await, "proposed");
    by_admin(&test, sandbox.owner(), child, decline(first)).await.unwrap();
    let victim = sandbox.stranger();
    let id = test.ban(second, victim).await;
    test.until_counted(id, DeliveryState::Applied, 1).await;
    let none = test.ban(first, sandbox.stranger()).await;
    assert!(test.read(move |view| view.deliveries_of(none).unwrap()).await.is_empty());
    let dashboard = by_admin(&test, sandbox.owner(), child, SetupDashboard {}).await.unwrap();
    assert!(dashboard.proposals.is_empty());
}

#[tokio::test]
async fn a_child_that_leaves_stops_what_is_on_its_way_to_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(child);
    let hang = sandbox.inject(Trouble::Hang { at });
    test.ban(main, sandbox.stranger()).await;
    sandbox.wait_until(|sandbox| !sandbox.effects_in(child).is_empty(), PATIENCE).await.unwrap();
    let waiting = test.ban(main, sandbox.stranger()).await;
    test.until_counted(waiting, DeliveryState::Applied, 1).await;
    assert_eq!(planned(&test, child, leave(main)).await.unwrap().stopped, 2);
    let left = by_admin(&test, sandbox.owner(), child, leave(main)).await.unwrap();
    assert_eq!((left.stopped, left.state.as_str()), (2, "closed"));
    sandbox.clear(hang);
    test.systems.engine.drain().await;
    assert_eq!(test.delivery(waiting, child).await.state, DeliveryState::Skipped);
    assert_eq!(sandbox.effects_in(child).len(), 1, "the one that had left already");
    assert_eq!(kind(by_admin(&test, sandbox.owner(), child, leave(main)).await), FaultKind::NotFound);
    // Coming back takes both sides again.
    by_admin(&test, sandbox.admin(), main, add(child)).await.unwrap();
    assert_eq!(state(&test, main, child).await, "proposed");
}

#[tokio::test]
async fn who_speaks_for_both_sides_links_at_once() {
    let sandbox = sandbox(3).await;
    let test = unlinked(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let plan = planned(&test, main, add(children[0])).await.unwrap();
    assert_eq!((plan.state.as_str(), plan.link), ("active", None));
    assert_eq!(state(&test, main, children[0]).await, "none");
    by_admin(&test, sandbox.owner(), main, add(children[0])).await.unwrap();
    by_owner(&test, Some(main), add(children[1])).await.unwrap();
    // A proposal becomes active when somebody who may speak for the child adds it again, on the terms proposed.
    let monitor = super::SetupAddChild { mode: Some(Mode::Monitor), ..add(children[2]) };
    by_admin(&test, sandbox.admin(), main, monitor).await.unwrap();
    assert_eq!(state(&test, main, children[2]).await, "proposed");
    by_admin(&test, sandbox.owner(), main, add(children[2])).await.unwrap();
    for child in &children {
        assert_eq!(state(&test, main, *child).await, "active");
    }
    assert_eq!(link(&test, main, children[2]).await.unwrap().mode, Mode::Monitor);
}

#[tokio::test]
async fn somebody_in_the_child_without_manage_server_there_only_proposes() {
    let sandbox = sandbox(1).await;
    let test = unlinked(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let moderator = sandbox.child_moderator(child);
    by_admin(&test, moderator, main, add(child)).await.unwrap();
    assert_eq!(state(&test, main, child).await, "proposed");
    // With the permission there they speak for it.
    let role = sandbox.role(child, "Moderator");
    let bits = permissions::MANAGE_GUILD | permissions::BAN_MEMBERS;
    sandbox.people().set_role_permissions(child, role, bits).unwrap();
    let known = || {
        let roles = [serde_json::from_value(json!(role.to_string())).unwrap()];
        let directory = test.systems.services.directory();
        let who = crate::testing::user(moderator);
        directory
            .permissions(guild(child), who, &roles)
            .is_some_and(|has| has & permissions::MANAGE_GUILD != 0)
    };
    let wait = async {
        while !known() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    by_admin(&test, moderator, main, add(child)).await.unwrap();
    assert_eq!(state(&test, main, child).await, "active");
}
