//! What becomes of interactions that cannot be read, and of those that wait when their connection ends.

use super::super::interactions::{Interactions, Running};
use crate::discord::gateway::Arrived;
use crate::discord::interaction::{FirstAnswer, Ticket};
use crate::surfaces::discord::SlashCommands;
use crate::testing::{PATIENCE, TestDaemon, sandbox};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wayhaven_sandbox::fault::EventFate;
use wayhaven_sandbox::{Fault, InteractionId, Sandbox, Trouble};
use wayhaven_shared::operations::audit::{AuditEntry, AuditResult};

/// Makes a payload one that cannot be used.
type Breaks = fn(&mut Value);

/// From now on the daemon does not hear of interactions by itself.
fn lose_interactions(sandbox: &Sandbox) {
    let name = Some("INTERACTION_CREATE".to_owned());
    sandbox.inject(Fault::Events { name, guild: None, times: None, fate: EventFate::Drop });
}

/// Somebody asks for the punishments: the interaction, and its payload with as little as that needs.
fn ask(sandbox: &Sandbox) -> (InteractionId, Value) {
    let (people, main, by) = (sandbox.people(), sandbox.main_guild(), sandbox.admin());
    let asked = people.slash(main, by, "punishment list", json!({})).unwrap();
    let payload = json!({
        "id": asked.to_string(), "token": people.interaction(asked).unwrap().token, "type": 2,
        "application_id": sandbox.application_id().to_string(), "guild_id": main.to_string(),
        "member": { "user": { "id": by.to_string(), "username": "admin" }, "roles": [], "permissions": "40" },
        "data": { "id": "1", "name": "punishment", "type": 1, "options": [{ "name": "list", "type": 1, "options": [] }] },
    });
    (asked, payload)
}

/// What the person sees, without what keeps it from being markdown.
async fn reply(sandbox: &Sandbox, asked: InteractionId) -> String {
    sandbox.people().reply(asked).await.unwrap().to_string().replace('\\', "")
}

/// An interaction that waits for its turn, and where it waits.
async fn waiting(test: &TestDaemon, sandbox: &Sandbox) -> (InteractionId, Interactions, Running) {
    let (asked, data) = ask(sandbox);
    let (ticket, first) = (Ticket::of(&data).unwrap(), FirstAnswer::of(&data).unwrap());
    let answers = test.systems.services.rest().first_answers().unwrap();
    let at = Instant::now();
    let acknowledged = answers.give(&ticket, first.body(&data), at).await;
    let (sender, inbox) = mpsc::channel(1);
    sender.try_send(Arrived { data, at, acknowledged }).unwrap();
    let running = Running::default();
    let slash = SlashCommands { systems: Arc::clone(&test.systems), questions: Arc::clone(&test.questions) };
    (asked, Interactions::new(&slash, inbox, &running), running)
}

#[tokio::test]
async fn what_waits_when_the_connection_ends_is_still_run() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_interactions(&sandbox);
    let (asked, interactions, running) = waiting(&test, &sandbox).await;
    drop(interactions);
    running.finish(PATIENCE).await;
    let reply = reply(&sandbox, asked).await;
    assert!(!reply.contains("Not done"), "{reply}");
}

#[tokio::test]
async fn what_waits_when_the_daemon_stops_is_answered_and_not_run() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_interactions(&sandbox);
    let (asked, interactions, running) = waiting(&test, &sandbox).await;
    test.systems.services.lifecycle().stop();
    drop(interactions);
    running.finish(PATIENCE).await;
    let reply = reply(&sandbox, asked).await;
    assert!(reply.contains("Not done: Wayhaven is stopping"), "{reply}");
    let audited = test.until_audited("a refused listing", |entry| entry.operation == "punishment list").await;
    assert_eq!(audited.result, AuditResult::Error);
}

#[tokio::test]
async fn an_interaction_that_cannot_be_read_is_answered_and_alerts() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    lose_interactions(&sandbox);
    let unreadable: [(Breaks, &str); 4] = [
        (|payload| payload["member"]["roles"] = json!("none"), "cannot be read"),
        (|payload| payload["guild_id"] = json!(4), "cannot be read"),
        (|payload| payload["type"] = json!("a secret"), "cannot be read"),
        (|payload| payload["type"] = json!(77), "does not offer this"),
    ];
    for (number, (change, words)) in unreadable.into_iter().enumerate() {
        let (asked, mut payload) = ask(&sandbox);
        change(&mut payload);
        let event = json!({ "op": 0, "s": 900 + number, "t": "INTERACTION_CREATE", "d": payload });
        sandbox.inject(Fault::Gateway { trouble: Trouble::Raw(event.to_string()) });
        let reply = reply(&sandbox, asked).await;
        assert!(reply.contains(words) && !reply.contains("a secret"), "{reply}");
    }
    test.until("the alert", |view| view.open_alerts(None).unwrap() == 1).await;
    assert_eq!(test.alerts().await[0], "interaction_not_understood");
    let refused = |entry: &AuditEntry| entry.operation == "unknown" && entry.result == AuditResult::Error;
    let audited = test.until_audited("a refusal", refused).await;
    assert_eq!(audited.actor.unwrap().raw(), sandbox.admin().to_string());
}
