//! What was blocked because the user ranks above the bot goes on when that changes, and is not tried before.

use crate::reconcile::{Cursor, Resolve};
use crate::testing::{PATIENCE, TestDaemon, asked, guild, sandbox, user};
use wayhaven_sandbox::{EventFate, Fault, Options, Sandbox, Trouble};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::operations::reconcile::SyncReconcile;
use wayhaven_shared::value::PunishmentId;

const ABOVE: &str = "403 the user ranks above the bot";

/// Somebody who is a member of the guild, and holds its role `Admin`, which ranks above the bot.
fn above(sandbox: &Sandbox, of: u64) -> (u64, u64) {
    let (victim, role) = (sandbox.stranger(), sandbox.role(of, "Admin"));
    sandbox.people().had_joined(of, victim).unwrap();
    sandbox.people().had_given_role(of, victim, role).unwrap();
    sandbox.people().move_role(of, role, 50).unwrap();
    (victim, role)
}

/// The requests that were to change something about the user there: each answer.
fn tries(sandbox: &Sandbox, of: u64, victim: u64) -> Vec<u16> {
    let theirs = sandbox.effects_in(of).into_iter().filter(|one| one.user == Some(victim));
    theirs.map(|one| one.status).collect()
}

async fn blocked(test: &TestDaemon, sandbox: &Sandbox, child: u64, victim: u64) -> PunishmentId {
    let id = test.ban(sandbox.main_guild(), victim).await;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    assert_eq!(test.delivery(id, child).await.reason.as_deref(), Some(ABOVE));
    assert_eq!(tries(sandbox, child, victim), [403]);
    id
}

#[tokio::test]
async fn who_loses_the_role_leaves_or_joins_again_is_banned_at_once() {
    let lose = |sandbox: &Sandbox, child: u64, victim: u64, role: u64| {
        sandbox.people().remove_role(child, sandbox.owner(), victim, role).unwrap();
    };
    let leave = |sandbox: &Sandbox, child: u64, victim: u64, _: u64| {
        sandbox.people().leave(child, victim).unwrap();
    };
    let rejoin = |sandbox: &Sandbox, child: u64, victim: u64, _: u64| {
        // Discord may lose an event without a word.
        let name = Some("GUILD_MEMBER_REMOVE".to_owned());
        sandbox.inject(Fault::Events { name, guild: Some(child), times: Some(1), fate: EventFate::Drop });
        sandbox.people().leave(child, victim).unwrap();
        sandbox.people().join(child, victim).unwrap();
    };
    let lower = |sandbox: &Sandbox, child: u64, _: u64, role: u64| {
        sandbox.people().move_role(child, role, 1).unwrap();
    };
    let delete = |sandbox: &Sandbox, child: u64, _: u64, role: u64| {
        sandbox.people().delete_role(child, role).unwrap();
    };
    for act in [lose as fn(&Sandbox, u64, u64, u64), leave, rejoin, lower, delete] {
        let sandbox = sandbox(1).await;
        let child = sandbox.children()[0];
        let (victim, role) = above(&sandbox, child);
        let test = TestDaemon::start(&sandbox).await;
        let id = blocked(&test, &sandbox, child, victim).await;
        act(&sandbox, child, victim, role);
        test.until_counted(id, DeliveryState::Applied, 1).await;
        assert!(sandbox.is_banned(child, victim));
        assert_eq!(tries(&sandbox, child, victim), [403, 204], "one try for the change");
    }
}

#[tokio::test]
async fn a_change_that_does_not_help_costs_no_request() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (victim, _) = above(&sandbox, child);
    let test = TestDaemon::start(&sandbox).await;
    let id = blocked(&test, &sandbox, child, victim).await;
    let (people, regular) = (sandbox.people(), sandbox.role(child, "Regular"));
    for position in 1..6 {
        people.move_role(child, regular, position).unwrap();
        people.add_role(child, sandbox.owner(), victim, regular).unwrap();
        people.remove_role(child, sandbox.owner(), victim, regular).unwrap();
    }
    // What the child's staff do afterwards is taken in behind all of it.
    let local = sandbox.stranger();
    people.ban(child, sandbox.owner(), local, None).unwrap();
    test.until("the ban behind", move |view| {
        view.is_done_locally(guild(child), user(local), Action::Ban).unwrap()
    })
    .await;
    test.settled().await;
    assert_eq!(tries(&sandbox, child, victim), [403]);
    assert_eq!(test.delivery(id, child).await.state, DeliveryState::Blocked);
    // Nor does it hold up others.
    let through = test.ban(main, sandbox.stranger()).await;
    test.until_counted(through, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn the_mains_own_step_goes_on_too() {
    let sandbox = sandbox(0).await;
    let main = sandbox.main_guild();
    let (victim, role) = above(&sandbox, main);
    let test = TestDaemon::start(&sandbox).await;
    let id = test.ban(main, victim).await;
    test.until("it is blocked", move |view| {
        let origin = view.origin_of(id).unwrap().unwrap();
        origin.state == DeliveryState::Blocked && origin.reason.as_deref() == Some(ABOVE)
    })
    .await;
    sandbox.people().remove_role(main, sandbox.owner(), victim, role).unwrap();
    test.until("it is done", move |view| {
        view.origin_of(id).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    assert_eq!(tries(&sandbox, main, victim), [403, 204]);
}

#[tokio::test]
async fn an_administrator_is_timed_out_once_they_are_none_any_more() {
    let sandbox = sandbox(1).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let role = sandbox.role(child, "Regular");
    for place in [main, child] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    sandbox.people().had_given_role(child, victim, role).unwrap();
    let administrator = wayhaven_sandbox::permissions::ADMINISTRATOR;
    sandbox.people().set_role_permissions(child, role, administrator).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let arguments = serde_json::json!({ "user": victim.to_string(), "for": "1h" });
    let request = serde_json::json!({ "operation": "timeout", "arguments": arguments });
    let id = test.punish(main, request).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Blocked, 1).await;
    let reason = test.delivery(id, child).await.reason.unwrap();
    assert!(reason.contains("administrator"), "{reason}");
    sandbox.people().set_role_permissions(child, role, 0).unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn without_the_members_intent_the_next_comparison_tells() {
    for by_itself in [true, false] {
        let options = Options { children: 1, global_limit: 0, members_intent: false, ..Options::default() };
        let sandbox = Sandbox::start(options).await.unwrap();
        let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
        let (victim, role) = above(&sandbox, child);
        let test = TestDaemon::start(&sandbox).await;
        let id = blocked(&test, &sandbox, child, victim).await;
        let compare = async || match by_itself {
            true => {
                let cursor = Cursor::new(Resolve::ByItself, None);
                let begun = test.systems.reconcile.begin(guild(child), "wayhaven".into(), cursor);
                vec![begun.await.unwrap()]
            }
            false => {
                let apply = SyncReconcile { child: Some(guild(child)), apply: true };
                asked(&test, main, apply, false).await.unwrap().jobs
            }
        };
        let over = async |jobs: Vec<wayhaven_shared::operations::job::Job>| {
            for job in jobs {
                test.until("it is over", move |view| !view.job(job.id).unwrap().unwrap().is_running()).await;
            }
            test.settled().await;
        };
        over(compare().await).await;
        assert_eq!(tries(&sandbox, child, victim), [403], "it is asked for, which costs no refusal");
        sandbox.people().remove_role(child, sandbox.owner(), victim, role).unwrap();
        over(compare().await).await;
        test.until_counted(id, DeliveryState::Applied, 1).await;
        assert!(sandbox.is_banned(child, victim));
        assert_eq!(tries(&sandbox, child, victim), [403, 204]);
    }
}

#[tokio::test]
async fn a_new_session_looks_at_ranks_again_since_nobody_tells_of_changes_before_it() {
    let sandbox = sandbox(1).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (victim, role) = above(&sandbox, child);
    let (mains_victim, mains_role) = above(&sandbox, main);
    let test = TestDaemon::start(&sandbox).await;
    let id = blocked(&test, &sandbox, child, victim).await;
    let own = test.ban(main, mains_victim).await;
    test.until("it is blocked", move |view| {
        view.origin_of(own).unwrap().unwrap().state == DeliveryState::Blocked
    })
    .await;
    // As while no session lives.
    for place in [main, child] {
        let name = Some("GUILD_MEMBER_UPDATE".to_owned());
        sandbox.inject(Fault::Events { name, guild: Some(place), times: Some(1), fate: EventFate::Drop });
    }
    sandbox.people().remove_role(child, sandbox.owner(), victim, role).unwrap();
    sandbox.people().remove_role(main, sandbox.owner(), mains_victim, mains_role).unwrap();
    test.settled().await;
    assert_eq!(tries(&sandbox, child, victim), [403], "nobody has told");
    sandbox.inject(Fault::Gateway { trouble: Trouble::InvalidSession(false) });
    test.until_counted(id, DeliveryState::Applied, 1).await;
    test.until("it is done", move |view| {
        view.origin_of(own).unwrap().unwrap().state == DeliveryState::Applied
    })
    .await;
    assert_eq!(tries(&sandbox, child, victim), [403, 204]);
}

#[tokio::test]
async fn a_restart_asks_before_it_is_refused_again() {
    let sandbox = sandbox(1).await;
    let child = sandbox.children()[0];
    let (victim, role) = above(&sandbox, child);
    let test = TestDaemon::start(&sandbox).await;
    let id = blocked(&test, &sandbox, child, victim).await;
    let home = test.home();
    drop(test);
    let next = TestDaemon::start_at(&sandbox, home).await;
    next.until_ready().await;
    next.settled().await;
    assert_eq!(tries(&sandbox, child, victim), [403]);
    sandbox.people().remove_role(child, sandbox.owner(), victim, role).unwrap();
    let there = |sandbox: &wayhaven_sandbox::Discord| sandbox.is_banned(child, victim);
    sandbox.wait_until(there, PATIENCE).await.unwrap();
    next.until_counted(id, DeliveryState::Applied, 1).await;
}
