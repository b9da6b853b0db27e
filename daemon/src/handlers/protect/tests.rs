//! `protect` as operators and members ask for it.

use crate::discord::directory::Presence;
use crate::jobs::{Running, Stop};
use crate::reconcile::{Cursor, Resolve, new_job};
use crate::testing::{PATIENCE, TestDaemon, by_member, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{Options, Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::job::{JobKind, JobResult, JobState};
use wayhaven_shared::operations::protect::{Protected, ProtectionChanged, Protections};
use wayhaven_shared::operations::setup::Mode;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::RoleId;
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: &Value) -> Request {
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

async fn ask(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> Result<Reply, Fault> {
    test.ask(by_operator(Role::Operator, Some(of), request(operation, &arguments))).await
}

async fn changed(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> ProtectionChanged {
    match ask(test, of, operation, arguments).await.unwrap() {
        Reply::ProtectAdd(reply) | Reply::ProtectRemove(reply) => reply,
        other => panic!("{other:?}"),
    }
}

async fn list(test: &TestDaemon, of: Option<u64>, arguments: Value) -> Protections {
    match test.ask(by_operator(Role::Observer, of, request("protect list", &arguments))).await.unwrap() {
        Reply::ProtectList(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn role(id: u64) -> Protected {
    Protected::Role(RoleId::new(id).unwrap())
}

#[tokio::test]
async fn users_and_roles_are_put_on_the_list_once_and_taken_off_once() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, someone) = (sandbox.main_guild(), sandbox.stranger());
    let staff = sandbox.role(main, "Moderator");
    for (argument, id, protected) in
        [("user", someone, Protected::User(user(someone))), ("role", staff, role(staff))]
    {
        let (named, noted) =
            (json!({argument: id.to_string()}), json!({argument: id.to_string(), "note": "a friend"}));
        let added = changed(&test, main, "protect add", noted).await;
        assert_eq!((added.protected, added.is_protected, added.changed), (protected, true, true));
        assert!(added.network && !added.holders_unknown, "{added:?}");
        assert!(!changed(&test, main, "protect add", named.clone()).await.changed, "only once");
        let listed = list(&test, Some(main), json!({})).await.protected;
        assert_eq!((listed.len(), listed[0].protected, listed[0].by), (1, protected, None));
        assert_eq!(listed[0].note.as_ref().unwrap().raw(), "a friend", "the first note stays");
        let removed = changed(&test, main, "protect remove", named.clone()).await;
        assert_eq!((removed.is_protected, removed.changed), (false, true));
        assert!(!changed(&test, main, "protect remove", named).await.changed);
        assert!(list(&test, Some(main), json!({})).await.protected.is_empty());
    }
}

#[tokio::test]
async fn a_dry_run_changes_no_list_and_says_what_would_be() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, someone) = (sandbox.main_guild(), sandbox.stranger());
    let named = json!({"user": someone.to_string()});
    let mut asked = by_operator(Role::Operator, Some(main), request("protect add", &named));
    asked.dry_run = true;
    let Reply::ProtectAdd(reply) = test.ask(asked).await.unwrap() else { panic!("another reply") };
    assert!(reply.changed && reply.dry_run);
    assert!(list(&test, None, json!({})).await.protected.is_empty());
    changed(&test, main, "protect add", named.clone()).await;
    let mut asked = by_operator(Role::Operator, Some(main), request("protect remove", &named));
    asked.dry_run = true;
    let Reply::ProtectRemove(reply) = test.ask(asked).await.unwrap() else { panic!("another reply") };
    assert!(reply.changed && reply.dry_run);
    assert_eq!(list(&test, None, json!({})).await.protected.len(), 1);
}

#[tokio::test]
async fn the_list_is_paged_newest_first_and_a_member_sees_their_own_guilds() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let users: Vec<u64> = (0..3).map(|_| sandbox.stranger()).collect();
    for user in &users {
        changed(&test, main, "protect add", json!({"user": user.to_string()})).await;
    }
    let elsewhere = sandbox.stranger();
    changed(&test, child, "protect add", json!({"user": elsewhere.to_string()})).await;
    let first = list(&test, Some(main), json!({"limit": 2})).await;
    let who = |page: &Protections| page.protected.iter().map(|line| line.protected.id()).collect::<Vec<_>>();
    assert_eq!(who(&first), [users[2].to_string(), users[1].to_string()]);
    let next = json!({"limit": 2, "cursor": first.next.unwrap().to_string()});
    let second = list(&test, Some(main), next).await;
    assert_eq!((who(&second), second.next), (vec![users[0].to_string()], None));
    assert_eq!(list(&test, None, json!({})).await.protected.len(), 4, "an operator sees all guilds'");

    let member =
        by_member(sandbox.admin(), main, permissions::MANAGE_GUILD, request("protect list", &json!({})));
    let Reply::ProtectList(seen) = test.ask(member).await.unwrap() else { panic!("another reply") };
    assert_eq!(seen.protected.len(), 3);
    assert!(seen.protected.iter().all(|line| line.guild_id == guild(main)));
}

#[tokio::test]
async fn what_cannot_be_protected_is_refused_with_the_way_out() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (someone, own, others) =
        (sandbox.stranger(), sandbox.role(main, "Regular"), sandbox.role(child, "Regular"));
    for (arguments, kind, words) in [
        (json!({}), FaultKind::Usage, "--user or --role"),
        (
            json!({"user": someone.to_string(), "role": own.to_string()}),
            FaultKind::Usage,
            "a user and a role",
        ),
        (json!({"role": main.to_string()}), FaultKind::Usage, "@everyone"),
        (json!({"role": others.to_string()}), FaultKind::NotFound, "has no role"),
    ] {
        let fault = ask(&test, main, "protect add", arguments.clone()).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{arguments}: {fault:?}");
        assert!(fault.message.contains(words), "{arguments}: {fault:?}");
    }
    assert!(list(&test, None, json!({})).await.protected.is_empty());
    let gone = json!({"role": others.to_string()});
    assert!(!changed(&test, main, "protect remove", gone).await.changed, "a role that is gone can be named");
}

async fn warned(sandbox: &Sandbox) -> Vec<String> {
    let test = TestDaemon::start(sandbox).await;
    let main = sandbox.main_guild();
    let staff = sandbox.role(main, "Moderator");
    changed(&test, main, "protect add", json!({"role": staff.to_string()})).await.warnings()
}

#[tokio::test]
async fn without_the_members_intent_a_role_is_protected_with_a_warning() {
    let options = Options { children: 1, global_limit: 0, members_intent: false, ..Options::default() };
    let blind = Sandbox::start(options).await.unwrap();
    let warnings = warned(&blind).await;
    assert!(warnings.len() == 1 && warnings[0].contains("Server Members Intent"), "{warnings:?}");
    assert!(warned(&sandbox(1).await).await.is_empty());
}

#[tokio::test]
async fn the_end_of_a_roles_protection_compares_each_child_once_by_a_job_that_the_answer_names() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    test.link(&sandbox, Mode::Active).await;
    let named = json!({"role": sandbox.role(main, "Regular").to_string()});
    changed(&test, main, "protect add", named.clone()).await;
    let jobs = changed(&test, main, "protect remove", named).await.jobs;
    assert_eq!(jobs.len(), 2);
    test.until("the comparisons", move |view| {
        jobs.iter().all(|id| view.job(*id).unwrap().is_some_and(|job| job.state == JobState::Done))
    })
    .await;
    let due = test.read(|view| view.reconciled().unwrap().into_iter().filter(|(.., due)| *due).count()).await;
    assert_eq!(due, 0, "the jobs answered for what was due");
}

async fn for_ever(running: Running, _: Value) -> Result<JobResult, Stop> {
    running.unless_cancelled(std::future::pending()).await
}

#[tokio::test]
async fn the_end_of_several_roles_protection_compares_once_and_only_where_that_can_begin() {
    let sandbox = sandbox(3).await;
    let home = std::sync::Arc::new(crate::testing::home());
    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    test.propose(main, children[2]).await;
    for child in &children[..2] {
        test.propose(main, *child).await;
        let accept = json!({ "main": main.to_string(), "no_backfill": true });
        ask(&test, *child, "setup accept", accept).await.unwrap();
    }
    sandbox.people().remove_bot(children[1]).unwrap();
    let (systems, gone) = (test.systems.clone(), guild(children[1]));
    let absent = async {
        while systems.services.directory().presence(gone) != Some(Presence::Absent) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, absent).await.unwrap();
    // What goes on in the child keeps the next comparison from beginning.
    let cursor = Cursor::new(Resolve::ByItself, Some(guild(main)));
    let begun = Cursor { begun_at_all: true, ..cursor };
    let new = new_job(JobKind::Reconcile, guild(children[0]), "7".into(), &begun);
    let busy = test.systems.jobs.begin(new, for_ever).await.unwrap();
    let roles = ["Regular", "Admin"].map(|name| json!({ "role": sandbox.role(main, name).to_string() }));
    let mut named = Vec::new();
    for role in roles {
        changed(&test, main, "protect add", role.clone()).await;
        named.push(changed(&test, main, "protect remove", role).await.jobs);
    }
    assert_eq!(named[0].len(), 1, "not where the bot is not, nor where the link is not active");
    assert_eq!(named[0], named[1]);
    assert!(named[0][0] != busy.id, "one that has begun may be behind the user already");
    assert!(test.systems.jobs.cancel(busy.id));
    let id = named[0][0];
    test.until("its end", move |view| view.job(id).unwrap().unwrap().state == JobState::Done).await;
}

#[tokio::test]
async fn on_discord_the_answer_about_a_role_stays_beside_its_jobs() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    let role = json!({ "role": sandbox.role(main, "Regular").to_string() });
    changed(&test, main, "protect add", role.clone()).await;
    let asked = people.slash(main, sandbox.owner(), "protect remove", role).unwrap();
    let latest = || people.replies(asked).pop().unwrap_or_default().to_string();
    let is_over = |_: &wayhaven_sandbox::Discord| latest().contains("done");
    sandbox.wait_until(is_over, PATIENCE).await.unwrap();
    let shown = latest();
    assert!(shown.contains("not protected any more") && shown.contains("reconcile"), "{shown}");
}
