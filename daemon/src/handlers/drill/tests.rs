//! Drills say what the real thing would do, and do none of it.

mod agree;

use crate::testing::{TestDaemon, by_operator, guild, sandbox};
use serde_json::{Value, json};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::drill::{Drill, Drills, Prospect};
use wayhaven_shared::operations::job::JobResult;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: Value) -> Request {
    serde_json::from_value(json!({"operation": operation, "arguments": arguments})).unwrap()
}

async fn run(test: &TestDaemon, of: u64, user: Option<u64>) -> Result<Drill, Fault> {
    let arguments = json!({"user": user.map(|user| user.to_string())});
    let job = match test.ask(by_operator(Role::Operator, Some(of), request("drill run", arguments))).await? {
        Reply::DrillRun(job) => job,
        other => panic!("{other:?}"),
    };
    let id = job.id;
    test.until("the drill is over", move |view| !view.job(id).unwrap().unwrap().is_running()).await;
    let job = test.read(move |view| view.job(id).unwrap().unwrap()).await;
    match job.result {
        Some(JobResult::Drilled(drill)) => Ok(drill),
        other => panic!("{other:?}"),
    }
}

/// What would become of a measure in a guild, and why.
fn of(drill: &Drill, guild_id: u64, action: Action) -> (Prospect, String) {
    let found = drill.guilds.iter().find(|one| one.guild_id == guild(guild_id)).unwrap();
    let outlook = found.outlooks.iter().find(|outlook| outlook.action == action).unwrap();
    (outlook.prospect, outlook.why.as_ref().map(|why| why.raw().to_owned()).unwrap_or_default())
}

async fn set(test: &TestDaemon, of: u64, operation: &str, arguments: Value) {
    let invocation = by_operator(Role::Owner, Some(of), request(operation, arguments));
    test.ask(invocation).await.unwrap();
}

/// What was changed at Discord so far, anywhere.
fn effects(sandbox: &Sandbox) -> usize {
    let guilds = sandbox.children().into_iter().chain([sandbox.main_guild()]);
    guilds.map(|guild| sandbox.effects_in(guild).len()).sum()
}

#[tokio::test]
async fn each_gate_permission_and_freeze_shows_where_it_is_and_nothing_is_done() {
    let sandbox = sandbox(5).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let child = |at: usize| children[at].to_string();
    set(&test, main, "setup mode", json!({"child": child(1), "mode": "monitor"})).await;
    set(&test, main, "setup actions", json!({"child": child(2), "actions": "mute"})).await;
    let role = sandbox.role(children[2], "Muted").to_string();
    set(&test, children[2], "config muterole", json!({"role": role})).await;
    sandbox
        .people()
        .set_bot_permissions(
            children[3],
            permissions::ALL & !permissions::ADMINISTRATOR & !permissions::BAN_MEMBERS,
        )
        .unwrap();
    sandbox.people().remove_bot(children[4]).unwrap();
    let (without, gone) = (guild(children[3]), guild(children[4]));
    let systems = std::sync::Arc::clone(&test.systems);
    test.until("Discord has told of both", move |_| {
        systems.services.directory().may(without, Action::Ban) == Some(false)
            && systems.services.directory().presence(gone)
                == Some(crate::discord::directory::Presence::Absent)
    })
    .await;
    let before = effects(&sandbox);
    let drill = run(&test, main, None).await.unwrap();
    assert_eq!(drill.guilds.len(), 6);
    assert_eq!(of(&drill, main, Action::Ban).0, Prospect::Arrives);
    assert_eq!(of(&drill, children[0], Action::Ban).0, Prospect::Arrives);
    assert_eq!(of(&drill, children[1], Action::Ban).0, Prospect::Spared);
    assert_eq!(of(&drill, children[2], Action::Ban).0, Prospect::Spared);
    assert_eq!(of(&drill, children[2], Action::Mute).0, Prospect::Arrives);
    let (prospect, why) = of(&drill, children[3], Action::Ban);
    assert!(prospect == Prospect::Fails && why.contains("Ban Members"), "{why}");
    assert_eq!(of(&drill, children[3], Action::Timeout).0, Prospect::Arrives);
    let (prospect, why) = of(&drill, children[4], Action::Ban);
    assert!(prospect == Prospect::Fails && why.contains("not in the guild"), "{why}");
    let findings = |at: usize| {
        let found = drill.guilds.iter().find(|one| one.guild_id == guild(children[at])).unwrap();
        found.findings.iter().map(|check| check.name.clone()).collect::<Vec<_>>()
    };
    assert!(findings(3).contains(&"Ban Members".to_owned()), "{:?}", findings(3));
    assert!(findings(4).contains(&"bot in the guild".to_owned()), "{:?}", findings(4));

    set(&test, main, "sync freeze", json!({})).await;
    let frozen = run(&test, main, None).await.unwrap();
    assert_eq!(of(&frozen, main, Action::Ban).0, Prospect::Arrives, "in the main itself nothing is frozen");
    assert_eq!(of(&frozen, children[0], Action::Ban).0, Prospect::Waits);
    assert_eq!(of(&frozen, children[3], Action::Ban).0, Prospect::Fails, "what fails fails, frozen or not");
    assert_eq!(effects(&sandbox), before, "a drill changes nothing");
}

#[tokio::test]
async fn of_somebody_it_says_what_the_ban_then_does() {
    let sandbox = sandbox(4).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let (people, whom) = (sandbox.people(), sandbox.stranger());
    people.had_banned(children[0], whom, None).unwrap();
    set(&test, children[1], "protect add", json!({"user": whom.to_string()})).await;
    people.had_joined(children[2], whom).unwrap();
    let admin = sandbox.role(children[2], "Admin");
    people.had_given_role(children[2], whom, admin).unwrap();
    people.move_role(children[2], admin, 50).unwrap();
    let (third, systems) = (guild(children[2]), std::sync::Arc::clone(&test.systems));
    let high = wayhaven_shared::value::RoleId::new(admin).unwrap();
    test.until("the role is told", move |_| {
        systems.services.directory().i_outrank(third, &[high]) == Some(false)
    })
    .await;

    let role = sandbox.role(children[3], "Muted").to_string();
    set(&test, children[3], "config muterole", json!({"role": role})).await;
    let drill = run(&test, main, Some(whom)).await.unwrap();
    assert_eq!(of(&drill, children[0], Action::Ban).0, Prospect::Already);
    assert_eq!(of(&drill, children[1], Action::Ban).0, Prospect::Spared);
    let (prospect, why) = of(&drill, children[2], Action::Ban);
    assert!(prospect == Prospect::Fails && why.contains("ranks above"), "{why}");
    assert_eq!(of(&drill, children[3], Action::Ban).0, Prospect::Arrives);
    assert_eq!(
        of(&drill, children[3], Action::Kick).0,
        Prospect::Spared,
        "who is no member cannot be kicked"
    );
    assert_eq!(of(&drill, children[3], Action::Mute).0, Prospect::Waits);

    // And so it comes.
    test.ban(main, whom).await;
    test.settled().await;
    for (at, banned) in [(0, true), (1, false), (2, false), (3, true)] {
        assert_eq!(sandbox.is_banned(children[at], whom), banned, "child {at}");
    }
}

#[tokio::test]
async fn drills_are_kept_and_listed_and_a_plan_of_one_is_not() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let whom = sandbox.stranger();
    let first = run(&test, main, None).await.unwrap();
    let second = run(&test, main, Some(whom)).await.unwrap();
    let dry = by_operator(Role::Operator, Some(main), request("drill run", json!({})));
    let dry = test.ask(crate::invocation::Invocation { dry_run: true, ..dry }).await.unwrap();
    assert!(
        matches!(&dry, Reply::DrillRun(job) if matches!(&job.result, Some(JobResult::Drilled(drill)) if drill.id.is_none())),
        "{dry:?}"
    );
    let list = async |of: u64| match test
        .ask(by_operator(Role::Observer, Some(of), request("drill list", json!({}))))
        .await
        .unwrap()
    {
        Reply::DrillList(Drills { drills }) => drills,
        other => panic!("{other:?}"),
    };
    assert_eq!(list(main).await, [second.clone(), first]);
    assert!(list(child).await.is_empty());
    let show = request("drill show", json!({"id": second.id.unwrap().to_string()}));
    let shown = test.ask(by_operator(Role::Observer, Some(main), show.clone())).await.unwrap();
    assert!(matches!(shown, Reply::DrillShow(drill) if drill == second));
    let elsewhere = test.ask(by_operator(Role::Observer, Some(child), show)).await.unwrap_err();
    assert_eq!(elsewhere.kind, FaultKind::NotFound);
    assert_eq!(run(&test, child, None).await.unwrap_err().kind, FaultKind::Denied, "a child has no network");
}
