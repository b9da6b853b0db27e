//! Protected users and roles, from each place that a punishment can come from.

mod hand;
mod undelivered;

use crate::invocation::{Actor, Invocation, Surface};
use crate::store::{PROTECTED, View};
use crate::testing::{PATIENCE, TestDaemon, by_operator, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{At, Fault as Injected, Sandbox};
use wayhaven_shared::FaultKind;
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::punished::Punished;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::PunishmentId;

/// What protects somebody in a test.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    User,
    Role,
}

const BOTH: [By; 2] = [By::User, By::Role];

/// A running network with a member of the main.
struct Scene {
    sandbox: Sandbox,
    test: TestDaemon,
    main: u64,
    children: Vec<u64>,
}

impl Scene {
    async fn new(children: usize) -> Self {
        Self::of(sandbox(children).await).await
    }

    async fn of(sandbox: Sandbox) -> Self {
        let test = TestDaemon::start(&sandbox).await;
        let (main, children) = (sandbox.main_guild(), sandbox.children());
        Self { sandbox, test, main, children }
    }

    /// Somebody who is a member of that guild, and of the main.
    fn member(&self, of: u64) -> u64 {
        let members = self.sandbox.members(self.main);
        self.sandbox.members(of).into_iter().find(|member| members.contains(member)).unwrap()
    }

    async fn ask(&self, of: u64, operation: &str, arguments: Value) -> Reply {
        let request = json!({ "operation": operation, "arguments": arguments });
        let request: Request = serde_json::from_value(request).unwrap();
        self.test.ask(by_operator(Role::Owner, Some(of), request)).await.unwrap()
    }

    /// The argument that names what is put on the list; a role is given to them first.
    fn line(&self, of: u64, whom: u64, by: By) -> Value {
        match by {
            By::User => json!({ "user": whom.to_string() }),
            By::Role => {
                // A role that nobody has but who is given it.
                let role = self.sandbox.role(of, "Muted");
                self.sandbox.people().add_role(of, self.sandbox.owner(), whom, role).unwrap();
                json!({ "role": role.to_string() })
            }
        }
    }

    /// Puts them on that guild's list, and waits until it is known who holds the role.
    async fn protect(&self, of: u64, whom: u64, by: By) -> Value {
        let line = self.line(of, whom, by);
        self.ask(of, "protect add", line.clone()).await;
        self.until_read(of).await;
        line
    }

    async fn until_read(&self, of: u64) {
        let wait = async {
            while self.test.systems.ingest.holders().is_reading(guild(of)) {
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "the members are never read");
    }

    /// Waits until it is known whether they hold a protected role of the main.
    async fn until_holds(&self, whom: u64, holds: bool) {
        let (main, whom) = (guild(self.main), user(whom));
        let wait = async {
            loop {
                let topology = self.test.systems.services.store().topology();
                if topology.protection().shield(main, main, whom).is_some() == holds {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "it was never known");
    }

    async fn stands(&self, id: PunishmentId, child: u64) -> (DeliveryState, Option<String>) {
        let delivery = self.test.delivery(id, child).await;
        (delivery.state, delivery.reason)
    }

    fn banned(&self, whom: u64) -> usize {
        self.sandbox.banned_in(&self.children, whom)
    }
}

fn ban(whom: u64) -> Request {
    wayhaven_shared::operations::ban::Ban::new(user(whom)).into()
}

fn by_wayhaven(of: u64, request: Request) -> Invocation {
    let asked = by_operator(Role::Owner, Some(of), request);
    Invocation { actor: Actor::System, surface: Surface::Scheduler, ..asked }
}

#[tokio::test]
async fn no_command_of_anybody_punishes_them_and_it_is_audited_and_removal_makes_it_possible_again() {
    for by in BOTH {
        let scene = Scene::new(1).await;
        let (main, whom) = (scene.main, scene.member(scene.main));
        let line = scene.protect(main, whom, by).await;
        for arguments in ["ban", "kick", "mute", "timeout", "warn"] {
            let mut given = json!({ "user": whom.to_string() });
            match arguments {
                "timeout" => given["for"] = json!("1h"),
                "warn" => given["reason"] = json!("x"),
                _ => {}
            }
            let request: Request =
                serde_json::from_value(json!({ "operation": arguments, "arguments": given })).unwrap();
            for asked in [by_operator(Role::Owner, Some(main), request.clone()), by_wayhaven(main, request)] {
                let dry = Invocation { dry_run: true, ..asked.clone() };
                assert!(scene.test.ask(dry).await.is_err(), "a dry run says so too: {arguments}");
                let fault = scene.test.ask(asked).await.unwrap_err();
                assert_eq!(fault.kind, FaultKind::Denied, "{by:?} {arguments}: {fault:?}");
                let hint = format!("protect remove --{}", if by == By::User { "user" } else { "role" });
                assert!(fault.hints[0].contains(&hint), "{fault:?}");
                assert!(fault.message.contains(&whom.to_string()), "{fault:?}");
                assert_eq!(scene.test.audit().await[0].result, AuditResult::Denied);
            }
        }
        let people = scene.sandbox.people();
        let options = json!({ "user": whom.to_string() });
        let asked = people.slash(main, scene.sandbox.admin(), "ban", options).unwrap();
        let reply = people.reply(asked).await.unwrap().to_string();
        assert!(reply.contains("protected in this guild"), "{reply}");
        assert_eq!(scene.sandbox.effect_count(), 0);

        scene.ask(main, "protect remove", line).await;
        let id = scene.test.ban(main, whom).await;
        scene.test.until_counted(id, DeliveryState::Applied, 1).await;
    }
}

#[tokio::test]
async fn undoing_is_never_hindered() {
    let scene = Scene::new(2).await;
    let (main, whom) = (scene.main, scene.member(scene.main));
    let id = scene.test.ban(main, whom).await;
    scene.test.until_counted(id, DeliveryState::Applied, 2).await;
    scene.protect(main, whom, By::User).await;
    scene.protect(scene.children[0], whom, By::User).await;
    let undone = scene.test.unban(main, whom).await;
    scene.test.until_counted(undone, DeliveryState::Applied, 2).await;
    assert_eq!(scene.banned(whom), 0);
}

#[tokio::test]
async fn a_childs_own_list_keeps_them_out_of_that_child_and_the_dry_run_says_so() {
    for by in BOTH {
        let scene = Scene::new(2).await;
        let safe = scene.children[0];
        let whom = scene.member(safe);
        let line = scene.protect(safe, whom, by).await;
        let skipped = (DeliveryState::Skipped, Some("protected there".to_owned()));
        if by == By::User {
            let dry = Invocation { dry_run: true, ..by_operator(Role::Owner, Some(scene.main), ban(whom)) };
            let Reply::Ban(Punished { plan, .. }) = scene.test.ask(dry).await.unwrap() else {
                panic!("no ban")
            };
            let planned = plan.iter().find(|one| one.guild_id == guild(safe)).unwrap();
            assert_eq!((planned.state, planned.reason.clone()), skipped);
        }
        let id = scene.test.ban(scene.main, whom).await;
        scene.test.until_counted(id, DeliveryState::Applied, 1).await;
        scene.test.until_counted(id, DeliveryState::Skipped, 1).await;
        let (state, why) = scene.stands(id, safe).await;
        assert_eq!(state, DeliveryState::Skipped, "{by:?}");
        assert!(why.is_some_and(|why| why.starts_with(PROTECTED)), "{by:?}");
        assert!(!scene.sandbox.is_banned(safe, whom) && scene.sandbox.is_banned(scene.main, whom));
        assert!(scene.sandbox.effects_in(safe).is_empty());

        scene.ask(safe, "protect remove", line).await;
        scene.test.unban(scene.main, whom).await;
        let again = scene.test.ban(scene.main, whom).await;
        scene.test.until_counted(again, DeliveryState::Applied, 2).await;
        assert!(scene.sandbox.is_banned(safe, whom));
    }
}

#[tokio::test]
async fn a_protected_role_costs_a_question_only_in_the_guild_that_protects_it() {
    let scene = Scene::new(3).await;
    let (asking, whom) = (scene.children[0], scene.sandbox.stranger());
    scene.protect(asking, scene.member(asking), By::Role).await;
    let id = scene.test.ban(scene.main, whom).await;
    scene.test.until_counted(id, DeliveryState::Applied, 3).await;
    let log = scene.sandbox.log();
    let asked: Vec<_> = log
        .iter()
        .filter(|one| one.method == "GET" && one.path.ends_with(&format!("/members/{whom}")))
        .collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].path.contains(&asking.to_string()), "a stranger has no roles, and was banned there");
}

#[tokio::test]
async fn where_discord_does_not_say_who_holds_what_nothing_is_sent_and_nothing_is_unknown() {
    let scene = Scene::new(1).await;
    let child = scene.children[0];
    let (holder, other) = (scene.member(child), scene.sandbox.stranger());
    scene.protect(child, holder, By::Role).await;
    let at = At::route("GET", "/guilds/{guild_id}/members/{user_id}").guild(child);
    let fault = scene.sandbox.inject(Injected::Answer { at, status: 503, code: 0, message: "busy".into() });
    let (spared, banned) =
        (scene.test.ban(scene.main, holder).await, scene.test.ban(scene.main, other).await);
    scene
        .test
        .until("a question without an answer", move |view| {
            view.deliveries_of(spared).unwrap()[0].attempts > 0
        })
        .await;
    assert_eq!(scene.stands(spared, child).await.0, DeliveryState::Pending);
    assert!(scene.sandbox.effects_in(child).is_empty());
    assert!(scene.sandbox.clear(fault));
    scene.ask(scene.main, "sync retry", json!({})).await;
    scene.test.until_counted(spared, DeliveryState::Skipped, 1).await;
    scene.test.until_counted(banned, DeliveryState::Applied, 1).await;
}

#[tokio::test]
async fn questions_for_roles_wait_for_their_own_limit() {
    let scene = Scene::new(1).await;
    let child = scene.children[0];
    scene.protect(child, scene.member(child), By::Role).await;
    // More than the sandbox lets through of these questions at once.
    let others: Vec<u64> = (0..12).map(|_| scene.sandbox.stranger()).collect();
    for other in &others {
        scene.test.ban(scene.main, *other).await;
    }
    let all = |discord: &wayhaven_sandbox::Discord| others.iter().all(|user| discord.is_banned(child, *user));
    scene.sandbox.wait_until(all, PATIENCE).await.unwrap();
    let log = scene.sandbox.log();
    let questions = log.iter().filter(|one| one.route == "/guilds/{guild_id}/members/{user_id}");
    let limited = questions.clone().filter(|one| one.status == 429).count();
    assert!((12..=14).contains(&questions.count()) && limited <= 2, "{limited} met the limit");
}

#[tokio::test]
async fn who_is_protected_after_the_decision_is_not_punished_by_what_is_sent_again() {
    for (by, in_the_main) in [(By::User, false), (By::User, true), (By::Role, false), (By::Role, true)] {
        let scene = Scene::new(1).await;
        let whom = scene.member(scene.children[0]);
        let slow = if in_the_main { scene.main } else { scene.children[0] };
        let at = At::route("PUT", "/guilds/{guild_id}/bans/{user_id}").guild(slow);
        let fault =
            scene.sandbox.inject(Injected::Answer { at, status: 503, code: 0, message: "busy".into() });
        let id = scene.test.ban(scene.main, whom).await;
        let look = move |view: &View<'_>| match in_the_main {
            true => view.origin_of(id).unwrap().unwrap(),
            false => view.deliveries_of(id).unwrap().remove(0),
        };
        scene.test.until("a try that failed", move |view| look(view).attempts > 0).await;
        scene.protect(slow, whom, by).await;
        assert!(scene.sandbox.clear(fault));
        scene.ask(scene.main, "sync retry", json!({})).await;
        scene.test.until("skipped", move |view| look(view).state == DeliveryState::Skipped).await;
        let reason = scene.test.read(move |view| look(view).reason).await;
        let reason = reason.unwrap();
        assert!(reason.starts_with(PROTECTED) || reason == "protected there", "{by:?}: {reason}");
        assert!(!scene.sandbox.is_banned(slow, whom));
    }
}

#[tokio::test]
async fn who_the_main_protects_while_a_freeze_holds_it_is_spared_everywhere_at_its_end() {
    for by in BOTH {
        let scene = Scene::new(2).await;
        let whom = scene.member(scene.main);
        scene.ask(scene.main, "sync freeze", json!({})).await;
        let asked = json!({ "user": whom.to_string(), "for": "1h" });
        let Reply::Timeout(timeout) = scene.ask(scene.main, "timeout", asked).await else {
            panic!("no timeout")
        };
        let id = timeout.punishment.unwrap().id;
        scene.test.until_counted(id, DeliveryState::Held, 2).await;
        scene.test.systems.engine.drain().await;
        let effects = scene.sandbox.effect_count();
        scene.protect(scene.main, whom, by).await;
        scene.until_holds(whom, true).await;
        scene.ask(scene.main, "sync resume", json!({})).await;
        scene.test.until_counted(id, DeliveryState::Skipped, 2).await;
        let why = scene.stands(id, scene.children[0]).await.1.unwrap();
        assert!(why.starts_with(PROTECTED), "{by:?}: {why}");
        assert_eq!(scene.sandbox.effect_count(), effects);
    }
}
