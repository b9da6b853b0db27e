//! What the connection brings, and how it ends.

mod identifies;
mod interactions;
mod shards;

use crate::failpoint::{Point, arm};
use crate::testing::{self, PATIENCE, TestDaemon, sandbox, user};
use serde_json::json;
use std::sync::Arc;
use wayhaven_sandbox::{Fault, Trouble};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::status::ConnectionState;

#[tokio::test]
async fn fault_36_a_slash_command_is_acknowledged_while_events_wait_for_the_store() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (go_on, wait) = std::sync::mpsc::channel::<()>();
    let store = test.systems.services.store().clone();
    let hold = move |_: &crate::store::Change<'_>| {
        let _ = wait.recv();
        Ok(())
    };
    let held = tokio::spawn(async move { store.write(hold).await });
    let (main, people) = (sandbox.main_guild(), sandbox.people());
    for _ in 0..3 {
        people.ban(main, sandbox.moderator(), sandbox.stranger(), None).unwrap();
    }
    let options = json!({ "user": sandbox.stranger().to_string() });
    let asked = people.slash(main, sandbox.moderator(), "ban", options).unwrap();
    let deferred = |_: &wayhaven_sandbox::Discord| people.interaction(asked).unwrap().was_deferred;
    let waited = sandbox.wait_until(deferred, PATIENCE).await;
    go_on.send(()).unwrap();
    held.await.unwrap().unwrap();
    waited.unwrap();
    people.reply(asked).await.unwrap();
}

#[tokio::test]
async fn fault_9_a_close_for_good_is_told_and_not_tried_again() {
    for (code, word) in [(4004, "BOT_TOKEN"), (4014, "intent")] {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let identifies = sandbox.identifies();
        sandbox.inject(Fault::Gateway { trouble: Trouble::Close(code) });
        let systems = Arc::clone(&test.systems);
        test.until("the end", move |_| !systems.services.gateway().is_ready()).await;
        let connection = test.systems.services.gateway().connection();
        assert_eq!(connection.state, ConnectionState::Stopped, "{code}: {connection:?}");
        assert!(connection.reason.unwrap().contains(word), "{code}");
        assert_eq!(sandbox.identifies(), identifies, "{code}");
        // And nothing else leaves: a ban is taken, and waits for an operator to mend the token.
        let before = sandbox.log().len();
        let id = test.ban(sandbox.main_guild(), sandbox.stranger()).await;
        test.systems.engine.drain().await;
        let waiting = test.read(move |view| view.deliveries_of(id).unwrap()).await;
        assert!(waiting.iter().all(|delivery| delivery.state == DeliveryState::Pending), "{waiting:?}");
        assert_eq!(sandbox.log().len(), before, "{code}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_comes_back() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    // Made while nobody listens: the resumed session brings it.
    let victim = sandbox.stranger();
    sandbox.inject(Fault::Gateway { trouble: Trouble::DropTcp });
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), victim, None).unwrap();
    test.punishment(victim, 1).await;
    assert!(test.systems.services.gateway().is_ready());
    assert_eq!(sandbox.identifies(), 1, "it was resumed");
}

#[tokio::test]
async fn fault_9_a_reset_token_stops_the_daemon_and_the_socket_lives() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let _ = sandbox.people().reset_token();
    let systems = Arc::clone(&test.systems);
    test.until("stopped", move |_| systems.services.gateway().connection().state == ConnectionState::Stopped)
        .await;
    assert!(test.systems.services.gateway().connection().reason.unwrap().contains("BOT_TOKEN"));
    let surface = wayhaven_shared::control::ClientSurface::Cli;
    let client =
        wayhaven_shared::client::Client::connect(&test.systems.services.layout().socket, surface).await;
    let status = client.unwrap().call(wayhaven_shared::operations::status::Status {}).await.unwrap();
    assert_eq!(status.discord.state, ConnectionState::Stopped);
}

#[tokio::test]
async fn a_wrong_token_from_the_start_is_told_with_what_to_do() {
    let sandbox = sandbox(1).await;
    let _ = sandbox.people().reset_token();
    let test = TestDaemon::start_at(&sandbox, Arc::new(testing::home())).await;
    let systems = Arc::clone(&test.systems);
    test.until("stopped", move |_| systems.services.gateway().connection().state == ConnectionState::Stopped)
        .await;
    assert_eq!(sandbox.identifies(), 0);
}

#[tokio::test]
async fn fault_42_a_panic_while_an_event_is_taken_costs_the_connection_and_not_the_event() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    arm(Point::Event, user(victim));
    sandbox.people().ban(main, sandbox.moderator(), victim, Some("spam")).unwrap();
    // Another connection is made, and the audit log has what the first one lost.
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let systems = Arc::clone(&test.systems);
    test.until("ready again", move |_| systems.services.gateway().is_ready()).await;
    assert_eq!(sandbox.identifies(), 2);
}
