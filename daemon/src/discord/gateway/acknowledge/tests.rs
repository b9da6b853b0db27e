use super::*;
use crate::testing::{PATIENCE, TestDaemon, sandbox};
use serde_json::json;
use std::sync::Barrier;
use tokio::runtime::{Builder, Runtime};
use wayhaven_sandbox::fault::EventFate;
use wayhaven_sandbox::{At, Fault as Injected, InteractionId, Sandbox};
use wayhaven_shared::operations::audit::AuditResult;

const CALLBACK: &str = "/interactions/{interaction_id}/{interaction_token}/callback";

fn runtime(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap()
}

fn warn(sandbox: &Sandbox) -> InteractionId {
    let options = json!({ "user": sandbox.stranger().to_string(), "reason": "spam" });
    sandbox.people().slash(sandbox.main_guild(), sandbox.moderator(), "warn", options).unwrap()
}

/// What of an interaction's payload the first answer needs.
fn payload(sandbox: &Sandbox, of: InteractionId) -> Value {
    let found = sandbox.people().interaction(of).unwrap();
    json!({
        "id": of.to_string(), "token": found.token, "type": found.kind,
        "application_id": sandbox.application_id().to_string(),
    })
}

#[test]
fn an_interaction_is_acknowledged_while_every_thread_of_the_daemon_s_runtime_is_busy() {
    let (outside, inside) = (runtime(1), runtime(2));
    let sandbox = outside.block_on(sandbox(1));
    let test = inside.block_on(TestDaemon::start(&sandbox));
    let (busy, go_on) = (Arc::new(Barrier::new(3)), Arc::new(Barrier::new(3)));
    for _ in 0..2 {
        let (busy, go_on) = (Arc::clone(&busy), Arc::clone(&go_on));
        inside.spawn(async move {
            busy.wait();
            go_on.wait();
        });
    }
    // Passed only when both threads are held.
    busy.wait();
    let asked = warn(&sandbox);
    let people = sandbox.people();
    let deferred = |_: &wayhaven_sandbox::Discord| people.interaction(asked).unwrap().was_deferred;
    let waited = outside.block_on(sandbox.wait_until(deferred, PATIENCE));
    let shown = people.replies(asked);
    go_on.wait();
    waited.unwrap();
    assert!(shown.is_empty(), "nothing was worked on meanwhile: {shown:?}");
    outside.block_on(people.reply(asked)).unwrap();
    drop(test);
}

#[tokio::test]
async fn what_cannot_be_handed_on_is_answered_too() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let name = Some("INTERACTION_CREATE".to_owned());
    sandbox.inject(Injected::Events { name, guild: None, times: None, fate: EventFate::Drop });
    let (inbox, mut interactions) = mpsc::channel(1);
    let acknowledger = Acknowledger::new(test.systems.services.rest().first_answers().unwrap(), inbox);
    let people = sandbox.people();
    // There is room for one of them.
    let asked = [warn(&sandbox), warn(&sandbox)];
    asked.iter().for_each(|asked| acknowledger.take(payload(&sandbox, *asked)));
    acknowledger.finish().await;
    let handed_on = interactions.recv().await.unwrap();
    assert!(handed_on.acknowledged.is_ok() && interactions.try_recv().is_err());
    for asked in asked {
        let interaction = people.interaction(asked).unwrap();
        assert!(interaction.was_deferred && interaction.ephemeral);
        if handed_on.data["id"].as_str() != Some(asked.to_string().as_str()) {
            let reply = people.reply(asked).await.unwrap().to_string().replace('\\', "");
            assert!(reply.contains("Not done: too many commands are waiting"), "{reply}");
        }
    }
    drop(interactions);
    let late = warn(&sandbox);
    acknowledger.take(payload(&sandbox, late));
    let reply = people.reply(late).await.unwrap().to_string().replace('\\', "");
    assert!(reply.contains("Not done: Wayhaven is disconnecting from Discord"), "{reply}");
}

#[tokio::test]
async fn an_acknowledgement_that_was_lost_is_sent_again_and_the_command_runs_once() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let at = || At::route("POST", CALLBACK).times(1);
    let faults = [
        Injected::CutBefore { at: at() },
        Injected::CutAfter { at: at() },
        Injected::Answer { at: at(), status: 503, code: 0, message: "busy".into() },
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        sandbox.inject(fault);
        let reply = sandbox.people().reply(warn(&sandbox)).await.unwrap().to_string();
        assert!(!reply.contains("Not done"), "{reply}");
        let all = test.read(|view| view.punishments(None, None, None, 50).unwrap().len()).await;
        assert_eq!(all, number + 1);
    }
}

#[tokio::test]
async fn a_command_whose_acknowledgement_discord_refuses_is_not_run_and_audited() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let at = At::route("POST", CALLBACK).times(1);
    let message = "Unknown interaction".to_owned();
    sandbox.inject(Injected::Answer { at, status: 404, code: 10062, message });
    let asked = warn(&sandbox);
    let is_refused = |entry: &wayhaven_shared::operations::audit::AuditEntry| {
        entry.operation == "warn" && entry.result == AuditResult::Error
    };
    let entry = test.until_audited("a refused command", is_refused).await;
    assert_eq!(entry.actor.unwrap().raw(), sandbox.moderator().to_string());
    let message = entry.message.unwrap().line();
    assert!(message.contains("Discord did not take the acknowledgement"), "{message}");
    assert!(!sandbox.people().interaction(asked).unwrap().was_deferred);
    assert_eq!(test.read(|view| view.punishments(None, None, None, 50).unwrap().len()).await, 0);
}
