//! Every operation as every kind of actor, against a sandbox in the same process.

mod walk;

use crate::invocation::{Actor, Invocation};
use crate::testing::{TestDaemon, by_member, by_operator, confirmed, guild, sandbox, unconfirmed, user};
use serde_json::json;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operation::{Definition, Surfaces};
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::setup::SetupUnsetMain;
use wayhaven_shared::operations::{OPERATIONS, Request};
use wayhaven_shared::{Authority, Fault, FaultKind};

/// A request of each operation that would succeed, as it travels.
fn example(definition: &Definition, sandbox: &Sandbox, victim: u64) -> Request {
    let arguments = match definition.name {
        "ban" | "unban" | "kick" | "mute" | "unmute" | "untimeout" => json!({ "user": victim.to_string() }),
        "timeout" => json!({ "user": victim.to_string(), "for": "1h" }),
        "warn" => json!({ "user": victim.to_string(), "reason": "x" }),
        "punishment show" => json!({ "id": "1" }),
        "punishment amend" => json!({ "id": "1", "reason": "x" }),
        "punishment revert" => json!({ "moderator": sandbox.moderator().to_string(), "since": "1h" }),
        "setup add-child" | "setup remove-child" | "setup test-connection" => {
            json!({ "child": sandbox.children()[0].to_string() })
        }
        "setup doctor" => json!({ "child": sandbox.children()[0].to_string() }),
        "setup accept" | "setup decline" | "setup leave" => {
            json!({ "main": sandbox.main_guild().to_string() })
        }
        "job show" | "job cancel" => json!({ "id": "1" }),
        "setup mode" => json!({ "child": sandbox.children()[0].to_string(), "mode": "monitor" }),
        "setup actions" => json!({ "child": sandbox.children()[0].to_string(), "actions": "none" }),
        "setup security-level" => json!({ "level": "high" }),
        "config logchannel" | "config notifications" => {
            json!({ "channel": sandbox.log_channel(sandbox.main_guild()).to_string() })
        }
        "protect add" | "protect remove" | "sync exception add" | "sync exception remove" => {
            json!({ "user": victim.to_string() })
        }
        "sync import" => json!({ "file": "bans.csv" }),
        "config muterole" => json!({ "unset": true }),
        "config staffrole" => {
            json!({ "role": sandbox.role(sandbox.main_guild(), "Moderator").to_string() })
        }
        "config warnings" => json!({ "steps": "3:timeout:1h" }),
        "audit warnings" => json!({ "user": victim.to_string() }),
        "alert show" | "incident show" | "drill show" => json!({ "id": "1" }),
        "alert resolve" => json!({ "id": "1", "reason": "x" }),
        "incident open" => json!({ "reason": "x" }),
        "config audit" => json!({ "state": "off" }),
        "settings set" => json!({ "key": "network.bots", "value": victim.to_string() }),
        "settings unset" => json!({ "key": "network.bots" }),
        "sync approve" | "sync discard" => json!({ "all": true }),
        _ => json!({}),
    };
    serde_json::from_value(json!({ "operation": definition.name, "arguments": arguments })).unwrap()
}

/// Bits that are one too few for an authority, and bits that are exactly enough.
fn bits(authority: Authority) -> (u64, u64) {
    let moderation = permissions::KICK_MEMBERS
        | permissions::BAN_MEMBERS
        | permissions::MODERATE_MEMBERS
        | permissions::MANAGE_GUILD;
    match (authority, authority.permission()) {
        // Not even an administrator, and no permission is enough.
        (Authority::Owner, _) => (u64::MAX, u64::MAX),
        (_, Some(bit)) => (!(bit | permissions::ADMINISTRATOR), bit),
        (_, None) => (!(moderation | permissions::ADMINISTRATOR), permissions::KICK_MEMBERS),
    }
}

fn dry(invocation: Invocation) -> Invocation {
    Invocation { dry_run: true, ..invocation }
}

fn is_denied(outcome: &Result<wayhaven_shared::operations::Reply, Fault>) -> bool {
    matches!(outcome, Err(Fault { kind: FaultKind::Denied, .. }))
}

/// Whether it was refused for what the actor may do in their guild, and not for what the request would do.
fn lacks_authority(outcome: &Result<wayhaven_shared::operations::Reply, Fault>, name: &str) -> bool {
    let needs = format!("{name} needs ");
    is_denied(outcome) && outcome.as_ref().is_err_and(|fault| fault.message.starts_with(&needs))
}

async fn last_audited(test: &TestDaemon) -> (String, AuditResult) {
    let entry = test.audit().await.into_iter().next().unwrap();
    (entry.operation, entry.result)
}

#[tokio::test]
async fn each_operation_is_denied_with_one_permission_too_few_and_audited_and_not_denied_with_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin, victim) = (sandbox.main_guild(), sandbox.admin(), sandbox.stranger());
    test.ban(main, victim).await;
    let effects = sandbox.effect_count();
    for definition in OPERATIONS {
        let request = || example(definition, &sandbox, victim);
        let (too_few, enough) = bits(definition.authority);
        let name = definition.name;
        let asked = test.ask(dry(by_member(admin, main, too_few, request()))).await;
        // What is for the command line is refused for that, before anybody asks what they may.
        let refused = lacks_authority(&asked, name) || definition.surfaces == Surfaces::CommandLine;
        assert!(is_denied(&asked) && refused, "{name} with {too_few:b}: {asked:?}");
        assert_eq!(last_audited(&test).await, (name.to_owned(), AuditResult::Denied));
        if definition.surfaces == Surfaces::Everywhere && definition.authority != Authority::Owner {
            let asked = test.ask(dry(by_member(admin, main, enough, request()))).await;
            assert!(!lacks_authority(&asked, name), "{name} with {enough:b}: {asked:?}");
            let asked = test.ask(dry(by_member(admin, main, permissions::ADMINISTRATOR, request()))).await;
            assert!(!lacks_authority(&asked, name), "{name} as administrator: {asked:?}");
        }
    }
    test.systems.engine.drain().await;
    assert!(sandbox.effect_count() <= effects + 2, "only what was under way");
}

#[tokio::test]
async fn the_command_lines_operations_are_refused_on_discord_even_to_the_owner() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    for definition in OPERATIONS.iter().filter(|one| one.surfaces == Surfaces::CommandLine) {
        let request = example(definition, &sandbox, sandbox.owner());
        let asked = test.ask(by_member(sandbox.owner(), sandbox.main_guild(), u64::MAX, request)).await;
        assert!(is_denied(&asked), "{}: {asked:?}", definition.name);
        assert_eq!(last_audited(&test).await, (definition.name.to_owned(), AuditResult::Denied));
    }
}

#[tokio::test]
async fn on_the_socket_an_observer_reads_an_operator_changes_and_an_owner_may_all() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = Some(sandbox.main_guild());
    for definition in OPERATIONS {
        let (name, victim) = (definition.name, sandbox.stranger());
        for role in [Role::Observer, Role::Operator, Role::Owner] {
            let may = match role {
                Role::Observer => !definition.effect.changes(),
                Role::Operator => definition.authority != Authority::Owner || !definition.effect.changes(),
                Role::Owner => true,
            };
            let request = example(definition, &sandbox, victim);
            let asked = test.ask(dry(by_operator(role, main, request.clone()))).await;
            assert_eq!(is_denied(&asked), !may, "{name} as {}: {asked:?}", role.word());
            if !may {
                let asked = test.ask(by_operator(role, main, request)).await;
                assert!(is_denied(&asked), "{name} as {} for real: {asked:?}", role.word());
                assert_eq!(last_audited(&test).await, (name.to_owned(), AuditResult::Denied));
            }
        }
    }
    assert_eq!(sandbox.effect_count(), 0);
    assert!(test.read(|view| view.punishments(None, None, None, 9).unwrap()).await.is_empty());
}

#[tokio::test]
async fn a_dry_run_of_any_operation_changes_nothing() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let (linked, proposed) = (sandbox.children()[0], sandbox.children()[2]);
    test.propose(main, proposed).await;
    let before = test.read(move |view| everything(view, main)).await;
    let sequence = *test.systems.services.store().sequence().borrow();
    for definition in OPERATIONS.iter().filter(|one| one.effect.changes()) {
        let mut request = example(definition, &sandbox, victim);
        if definition.name == "setup add-child" {
            // In another mode than it has, so that it would show.
            let arguments = json!({ "child": linked.to_string(), "mode": "monitor" });
            request = serde_json::from_value(json!({ "operation": definition.name, "arguments": arguments }))
                .unwrap();
        }
        let asked_in = match definition.name {
            "setup accept" | "setup decline" => proposed,
            "setup leave" | "sync exception add" | "sync exception remove" => linked,
            _ => main,
        };
        let asked = test.ask(dry(by_operator(Role::Owner, Some(asked_in), request))).await;
        // Its links are in the way, there is no mute role, nothing to correct, resolve or close, or no file, and a plan says so
        // as well.
        let in_the_way = [
            "setup unset-main",
            "mute",
            "unmute",
            "punishment amend",
            "sync import",
            "alert resolve",
            "incident close",
        ];
        let in_the_way = in_the_way.contains(&definition.name);
        assert_eq!(asked.is_err(), in_the_way, "{}: {asked:?}", definition.name);
    }
    test.systems.engine.drain().await;
    // A plan that takes its time is kept as the job it is, and that is told.
    let told = test.read(move |view| view.events_after(sequence, 1_000).unwrap().0).await;
    let is_plan = |change: &Change| matches!(change, Change::Job { job } if job.dry_run);
    assert!(told.iter().all(|event| is_plan(&event.change)), "an event was told: {told:?}");
    assert_eq!(test.read(move |view| everything(view, main)).await, before);
    assert!(test.read(|view| view.punishments(None, None, None, 9).unwrap()).await.is_empty());
    assert_eq!(sandbox.effect_count(), 0);
    assert!(test.systems.services.gateway().is_ready(), "it goes on");
}

/// What operations could change of a main and its links.
fn everything(view: &crate::store::View<'_>, main: u64) -> impl PartialEq + std::fmt::Debug + Send + use<> {
    let main = guild(main);
    let locked = (view.locked_guilds().unwrap(), view.security_level(main).unwrap());
    (view.links_of(main).unwrap(), view.config(main).unwrap(), locked)
}

/// A ban by the main's moderator, through Discord's own words for their roles.
fn ban_by(sandbox: &Sandbox, roles: &[u64], whom: u64) -> Invocation {
    let role = |id: &u64| serde_json::from_value(json!(id.to_string())).unwrap();
    let ban = Ban::new(user(whom));
    let asked = by_member(sandbox.moderator(), sandbox.main_guild(), permissions::BAN_MEMBERS, ban.into());
    let actor = match asked.actor {
        Actor::Member { user, permissions, resolved, .. } => {
            Actor::Member { user, roles: roles.iter().map(role).collect(), permissions, resolved }
        }
        other => other,
    };
    Invocation { actor, ..asked }
}

#[tokio::test]
async fn nobody_bans_whom_they_do_not_outrank() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let moderator_role = sandbox.role(main, "Moderator");
    let equal = sandbox.members(main)[0];
    sandbox.people().add_role(main, sandbox.owner(), equal, moderator_role).unwrap();
    let cases = [
        ("an equal rank", equal),
        ("a higher rank", sandbox.admin()),
        ("the owner", sandbox.owner()),
        ("themselves", sandbox.moderator()),
        ("the bot", sandbox.bot_id()),
    ];
    for (whom, target) in cases {
        let asked = test.ask(ban_by(&sandbox, &[moderator_role], target)).await;
        assert!(is_denied(&asked), "{whom}: {asked:?}");
        assert_eq!(asked.unwrap_err().hints.len(), 1, "{whom}: the way out is named");
        assert_eq!(last_audited(&test).await, ("ban".to_owned(), AuditResult::Denied), "{whom}");
    }
    for (whom, target) in [("the owner", sandbox.owner()), ("the bot", sandbox.bot_id())] {
        let ban = Ban::new(user(target));
        let asked = test.ask(by_operator(Role::Owner, Some(main), ban.into())).await;
        assert!(is_denied(&asked), "{whom}, by an operator: {asked:?}");
        assert_eq!(asked.unwrap_err().hints.len(), 1, "{whom}: the way out is named");
    }
    assert_eq!(sandbox.effect_count(), 0);
    let asked = test.ask(ban_by(&sandbox, &[moderator_role], sandbox.members(main)[1])).await;
    assert!(asked.is_ok(), "a lower rank: {asked:?}");
    let asked = test.ask(ban_by(&sandbox, &[moderator_role], sandbox.stranger())).await;
    assert!(asked.is_ok(), "somebody who is no member: {asked:?}");
}

#[tokio::test]
async fn every_change_is_audited_as_intent_and_outcome_and_every_reading_as_outcome() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let before = test.read(|view| view.chain_head().unwrap().rows).await;
    test.ban(sandbox.main_guild(), sandbox.stranger()).await;
    let audited = test.audit().await;
    assert_eq!((audited[0].operation.as_str(), audited[0].result), ("ban", AuditResult::Success));
    assert_eq!(test.read(|view| view.chain_head().unwrap().rows).await, before + 2);
    let request = serde_json::from_value(json!({ "operation": "status", "arguments": {} })).unwrap();
    test.ask(by_operator(Role::Observer, None, request)).await.unwrap();
    assert_eq!(test.audit().await[0].operation, "status");
    assert_eq!(test.read(|view| view.chain_head().unwrap().rows).await, before + 3);
}

#[tokio::test]
async fn what_contradicts_itself_is_told_before_it_is_to_be_confirmed_and_audited() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let both = json!({ "punishments": ["42"], "moderator": sandbox.moderator().to_string(), "since": "1h" });
    let request = json!({ "operation": "punishment revert", "arguments": both });
    let request: Request = serde_json::from_value(request).unwrap();
    let fault = test.ask(by_operator(Role::Owner, Some(main), request.clone())).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Usage, "{fault}");
    assert!(fault.message.contains("contradict") && fault.hints.len() == 3, "{fault}");
    assert_eq!(last_audited(&test).await, ("punishment revert".to_owned(), AuditResult::Error));
    let observer = test.ask(by_operator(Role::Observer, Some(main), request)).await;
    assert!(is_denied(&observer), "who may not at all is not told what is wrong with it: {observer:?}");
}

#[tokio::test]
async fn fault_39_what_a_member_is_refused_again_and_again_is_a_row_and_a_count() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (one, other) = (sandbox.stranger(), sandbox.stranger());
    let request = |name: &str| -> Request {
        serde_json::from_value(json!({ "operation": name, "arguments": {} })).unwrap()
    };
    let refuse = async |who: u64, guild: u64, name: &str| {
        let refused = test.ask(by_member(who, guild, 0, request(name))).await;
        assert!(is_denied(&refused), "{refused:?}");
    };
    let rows = async || -> Vec<(String, String)> {
        test.systems.services.store().write(|_| Ok(())).await.unwrap();
        let of = |entry: &AuditEntry| entry.actor.as_ref().is_some_and(|actor| actor.raw().len() > 15);
        let told = |entry: AuditEntry| {
            let message = entry.message.map(|message| message.raw().to_owned()).unwrap_or_default();
            (entry.operation, message.split(':').next().unwrap_or_default().to_owned())
        };
        test.audit().await.into_iter().filter(of).map(told).collect()
    };
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let before = rows().await.len();
    for _ in 0..50 {
        refuse(one, main, "punishment list").await;
    }
    assert_eq!(rows().await.len() - before, 1);
    // Another operation, another guild and another member are told by themselves.
    refuse(one, main, "alert list").await;
    refuse(one, child, "punishment list").await;
    refuse(other, main, "punishment list").await;
    assert_eq!(rows().await.len() - before, 4);
    test.systems.audit.refusals().close().await;
    let told = rows().await;
    assert_eq!(told.len() - before, 5, "{told:?}");
    assert_eq!(told[0], ("punishment list".to_owned(), "49 more".to_owned()));
    // And then it begins anew.
    refuse(one, main, "punishment list").await;
    assert_eq!(rows().await.len() - before, 6);
}

#[tokio::test]
async fn a_reason_that_must_be_said_is_not_blank() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let user = sandbox.stranger().to_string();
    for (operation, arguments) in [
        ("warn", json!({ "user": user })),
        ("punishment amend", json!({ "id": "1" })),
        ("incident open", json!({})),
        ("alert resolve", json!({ "id": "1" })),
    ] {
        for reason in ["", " \n", "\u{200b}\u{2060}"] {
            let mut arguments = arguments.clone();
            arguments["reason"] = reason.into();
            let request = json!({ "operation": operation, "arguments": arguments });
            let request: Request = serde_json::from_value(request).unwrap();
            let asked = by_operator(Role::Owner, Some(sandbox.main_guild()), request);
            let fault = test.ask(asked).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::Usage, "{operation} {reason:?}: {fault}");
            assert!(fault.message.contains("reason is empty") && !fault.hints.is_empty(), "{fault}");
            assert_eq!(last_audited(&test).await, (operation.to_owned(), AuditResult::Error));
        }
    }
}

#[tokio::test]
async fn what_is_severe_is_refused_and_audited_until_it_is_confirmed_by_name() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, name) = (sandbox.main_guild(), "setup unset-main");
    let asked = |confirm: Option<&str>| Invocation {
        confirm: confirm.map(str::to_owned),
        ..by_operator(Role::Owner, Some(main), SetupUnsetMain {}.into())
    };
    for wrong in [None, Some(""), Some("yes"), Some("unset-main")] {
        let refused = test.ask(asked(wrong)).await.unwrap_err();
        assert_eq!(refused.kind, FaultKind::Declined, "{wrong:?}");
        assert!(refused.hints[0].contains("--confirm='setup unset-main'"), "{refused}");
        assert_eq!(last_audited(&test).await, (name.to_owned(), AuditResult::Error));
    }
    assert!(test.systems.services.store().topology().is_main(guild(main)));
    // No way around it by the other surface: there a button's press brings the name.
    let member = by_member(sandbox.admin(), main, permissions::MANAGE_GUILD, SetupUnsetMain {}.into());
    assert_eq!(test.ask(unconfirmed(member)).await.unwrap_err().kind, FaultKind::Declined);
    test.ask(asked(Some(name))).await.unwrap();
    assert!(!test.systems.services.store().topology().is_main(guild(main)));
}
