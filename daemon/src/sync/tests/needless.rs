//! Discord refuses to take back what is not there: that is done, and no cause to wait.

use crate::testing::{TestDaemon, guild, sandbox, user};
use serde_json::json;
use wayhaven_sandbox::{At, Changes, EventFate, Fault, Guesses, Sandbox};
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::PunishmentId;

const BAN: &str = "/guilds/{guild_id}/bans/{user_id}";
const MEMBER: &str = "/guilds/{guild_id}/members/{user_id}";
const ROLE: &str = "/guilds/{guild_id}/members/{user_id}/roles/{role_id}";

/// A sandbox that answers 50013 where a ban that does not exist is lifted.
async fn odd() -> Sandbox {
    let sandbox = sandbox(1).await;
    let guesses = Guesses { missing_ban: 50013, ..Guesses::default() };
    sandbox.reconfigure(Changes { guesses: Some(guesses), ..Changes::default() }).unwrap();
    sandbox
}

fn refuse(method: &str, route: &str, of: u64, whom: u64) -> Fault {
    let at = At::route(method, route).guild(of).user(whom);
    Fault::Answer { at, status: 403, code: 50013, message: "Missing Permissions".into() }
}

async fn origin(test: &TestDaemon, id: PunishmentId) -> (DeliveryState, Option<String>) {
    test.settled().await;
    let origin = test.read(move |view| view.origin_of(id).unwrap().unwrap()).await;
    (origin.state, origin.reason)
}

async fn asked(test: &TestDaemon, of: u64, operation: &str, whom: u64) -> PunishmentId {
    let request = json!({ "operation": operation, "arguments": { "user": whom.to_string() } });
    test.punish(of, request).await.punishment.unwrap().id
}

#[tokio::test]
async fn a_ban_that_does_not_exist_is_asked_for_and_its_lifting_is_done() {
    let sandbox = odd().await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let never_banned = test.unban(main, sandbox.stranger()).await;
    assert_eq!(origin(&test, never_banned).await.0, DeliveryState::Applied);
    assert!(test.alerts().await.is_empty());
    // In the child somebody has lifted it, of which nothing tells.
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    test.until("our own entry", move |view| {
        let of = format!("guild_id = {child} AND target_user = {victim}");
        let sql = format!("SELECT count(*) FROM deliveries WHERE {of} AND echo IS NOT NULL");
        view.number(&sql).unwrap() == 1
    })
    .await;
    for name in ["GUILD_BAN_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE"] {
        let name = Some(name.to_owned());
        sandbox.inject(Fault::Events { name, guild: Some(child), times: Some(1), fate: EventFate::Drop });
    }
    sandbox.people().unban(child, sandbox.owner(), victim, None).unwrap();
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Applied, 1).await;
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn a_ban_that_exists_and_is_not_to_be_lifted_is_no_lifted_one() {
    let sandbox = odd().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    sandbox.inject(refuse("DELETE", BAN, child, victim));
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Blocked, 1).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn an_unban_of_somebody_whom_another_cause_keeps_is_not_even_sent() {
    let sandbox = odd().await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().ban(child, sandbox.owner(), victim, Some("ours")).unwrap();
    test.until("the child's own ban", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    let ban = test.ban(main, victim).await;
    test.until_counted(ban, DeliveryState::Applied, 1).await;
    sandbox.inject(refuse("DELETE", BAN, child, victim));
    let unban = test.unban(main, victim).await;
    test.until_counted(unban, DeliveryState::Skipped, 1).await;
    let lifted = |one: &wayhaven_sandbox::record::Effect| one.method == "DELETE";
    assert!(!sandbox.effects_in(child).iter().any(lifted));
    assert!(sandbox.is_banned(child, victim) && test.alerts().await.is_empty());
}

#[tokio::test]
async fn a_timeout_or_a_role_that_is_not_there_is_taken_back_by_asking() {
    let sandbox = sandbox(0).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let role = wayhaven_shared::value::RoleId::new(sandbox.role(main, "Muted"));
    let set = move |change: &crate::store::Change<'_>| {
        let config = change.config(guild(main))?;
        let config = wayhaven_shared::operations::config::GuildConfig { mute_role_id: role, ..config };
        Ok(change.configure(guild(main), &config)?)
    };
    test.systems.services.store().write(set).await.unwrap();
    let (member, gone) = (sandbox.stranger(), sandbox.stranger());
    sandbox.people().had_joined(main, member).unwrap();
    for (operation, method, route) in [("untimeout", "PATCH", MEMBER), ("unmute", "DELETE", ROLE)] {
        for (whom, expected) in [(member, DeliveryState::Applied), (gone, DeliveryState::Skipped)] {
            let fault = sandbox.inject(refuse(method, route, main, whom));
            let id = asked(&test, main, operation, whom).await;
            let (state, reason) = origin(&test, id).await;
            assert_eq!(state, expected, "{operation} {reason:?}");
            sandbox.clear(fault);
        }
    }
    assert!(test.alerts().await.is_empty());
    // Where there is something to take back, the refusal stands.
    sandbox.people().had_timed_out(main, member, std::time::Duration::from_secs(3_600)).unwrap();
    sandbox.inject(refuse("PATCH", MEMBER, main, member));
    let id = asked(&test, main, "untimeout", member).await;
    assert_eq!(origin(&test, id).await.0, DeliveryState::Blocked);
}
