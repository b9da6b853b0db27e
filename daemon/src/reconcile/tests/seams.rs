//! What happens between a comparison's steps, and what it may not show.

use super::*;
use serde_json::json;

/// Whoever joins while nobody listens is on the page of members, and on no event.
#[tokio::test]
async fn a_mute_that_waits_for_somebody_to_join_is_done_where_they_have_joined_unheard() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    sandbox.people().had_joined(main, victim).unwrap();
    let request = json!({ "operation": "timeout", "arguments": { "user": victim.to_string(), "for": "1d" } });
    let id = test.punish(main, request).await.punishment.unwrap().id;
    test.until_counted(id, DeliveryState::Skipped, 1).await;
    sandbox.people().had_joined(child, victim).unwrap();
    let plan = compare(&test, main, child, false).await;
    assert_eq!(counts(&plan), [(Difference::Missing, 1)]);
    test.daemon.store().write(move |change| Ok(change.reconcile_soon(guild(child))?)).await.unwrap();
    test.until_counted(id, DeliveryState::Applied, 1).await;
    assert!(sandbox.member(child, victim)["communication_disabled_until"].is_string());
}
