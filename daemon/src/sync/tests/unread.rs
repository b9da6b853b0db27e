//! What a guild's staff did while the daemon did not look is found in the guild's audit log before anything is taken back
//! there.

use super::hand::{by_hand, request, set_mute_roles};
use crate::clock::Clock;
use crate::store::View;
use crate::testing::{self, TestDaemon, by_operator, guild, sandbox, user};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use wayhaven_sandbox::{Fault, Sandbox, Trouble};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::punishment::Action;

const SPAN: Duration = Duration::from_secs(3_600);

async fn end(sandbox: &Sandbox, test: TestDaemon) -> Arc<TempDir> {
    let home = test.home();
    drop(test);
    sandbox.wait_until(|discord| discord.connected_sessions() == 0, testing::PATIENCE).await.unwrap();
    home
}

fn stands(sandbox: &Sandbox, of: u64, whom: u64, measure: Action) -> bool {
    match measure {
        Action::Ban => sandbox.is_banned(of, whom),
        _ => {
            let role = super::hand::muted(sandbox, of).to_string();
            let member = sandbox.member(of, whom);
            member["roles"].as_array().unwrap().iter().any(|held| *held == role)
        }
    }
}

/// Somebody is punished for an hour by command, everywhere.
async fn punished_for_an_hour(sandbox: &Sandbox, test: &TestDaemon, measure: Action) -> u64 {
    let whom = sandbox.stranger();
    let everywhere = std::iter::once(sandbox.main_guild()).chain(sandbox.children());
    for of in everywhere.clone().filter(|_| measure == Action::Mute) {
        sandbox.people().had_joined(of, whom).unwrap();
    }
    let asked =
        json!({ "operation": measure.word(), "arguments": { "user": whom.to_string(), "for": "1h" } });
    test.punish(sandbox.main_guild(), asked).await;
    test.settled().await;
    for of in everywhere {
        assert!(stands(sandbox, of, whom, measure), "{measure} in {of}");
    }
    whom
}

/// The guild's staff take it back and do it anew, for good.
fn done_anew(sandbox: &Sandbox, of: u64, by: u64, whom: u64, measure: Action) {
    by_hand(sandbox, of, by, whom, measure.undo().unwrap()).unwrap();
    by_hand(sandbox, of, by, whom, measure).unwrap();
}

/// Until the daemon knows that its connection was cut.
async fn until_cut(test: &TestDaemon, main: u64) {
    let cut = async {
        while test.systems.services.directory().sight().sees(guild(main)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(testing::PATIENCE, cut).await.unwrap();
}

/// Until what came due is done, and nothing is on its way any more.
async fn until_over(test: &TestDaemon) {
    let over = |view: &View<'_>| {
        view.ended(view.now(), None, 1).unwrap().is_empty() && view.open_deliveries().unwrap().is_empty()
    };
    test.until("the end", over).await;
    test.systems.engine.drain().await;
}

#[tokio::test]
async fn an_end_that_came_due_while_the_daemon_was_away_lifts_nothing_that_was_done_anew() {
    for measure in [Action::Ban, Action::Mute] {
        for in_main in [true, false] {
            let sandbox = sandbox(2).await;
            let test = TestDaemon::start(&sandbox).await;
            set_mute_roles(&sandbox, &test).await;
            let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
            let whom = punished_for_an_hour(&sandbox, &test, measure).await;
            let home = end(&sandbox, test).await;
            let (of, by) = if in_main { (main, sandbox.moderator()) } else { (child, sandbox.owner()) };
            done_anew(&sandbox, of, by, whom, measure);
            sandbox.advance(2 * SPAN);
            let clock = Clock::default();
            clock.shift(i64::try_from((2 * SPAN).as_millis()).unwrap());
            let test = TestDaemon::start_then(&sandbox, home, clock, |_| {}).await;
            test.until_ready().await;
            until_over(&test).await;
            test.settled().await;
            let found = [main, child, other].map(|of| stands(&sandbox, of, whom, measure));
            let expected = if in_main { [true, true, true] } else { [false, true, false] };
            assert_eq!(found, expected, "{measure}, in the main: {in_main}");
        }
    }
}

#[tokio::test]
async fn an_end_that_comes_due_while_the_gateway_is_away_lifts_nothing_that_was_done_anew() {
    for in_main in [true, false] {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
        let whom = punished_for_an_hour(&sandbox, &test, Action::Ban).await;
        let away = sandbox.inject(Fault::Gateway { trouble: Trouble::NoHandshake });
        sandbox.inject(Fault::Gateway { trouble: Trouble::DropTcp });
        until_cut(&test, main).await;
        let (of, by) = if in_main { (main, sandbox.moderator()) } else { (child, sandbox.owner()) };
        done_anew(&sandbox, of, by, whom, Action::Ban);
        test.advance(&sandbox, "2h").await;
        until_over(&test).await;
        let found = [main, child, other].map(|of| stands(&sandbox, of, whom, Action::Ban));
        let expected = if in_main { [true, true, true] } else { [false, true, false] };
        assert_eq!(found, expected, "in the main: {in_main}, and the gateway is still away");
        sandbox.clear(away);
        test.until_ready().await;
        test.settled().await;
        let found = [main, child, other].map(|of| stands(&sandbox, of, whom, Action::Ban));
        assert_eq!(found, expected, "in the main: {in_main}");
    }
}

#[tokio::test]
async fn an_undo_by_command_leaves_what_a_childs_staff_did_anew_while_the_gateway_is_away() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let whom = punished_for_an_hour(&sandbox, &test, Action::Ban).await;
    sandbox.inject(Fault::Gateway { trouble: Trouble::NoHandshake });
    sandbox.inject(Fault::Gateway { trouble: Trouble::DropTcp });
    until_cut(&test, main).await;
    done_anew(&sandbox, child, sandbox.owner(), whom, Action::Ban);
    let unban: Request = request(user(whom), Action::Unban);
    test.ask(by_operator(Role::Owner, Some(main), unban)).await.unwrap();
    until_over(&test).await;
    let found = [main, child, other].map(|of| stands(&sandbox, of, whom, Action::Ban));
    assert_eq!(found, [false, true, false]);
}
