//! Entries of our own timeouts that are read once more in the log, after somebody has lifted what they began over.

use super::*;
use Action::{Timeout, Untimeout};

/// The main times somebody out over what is there already, by the child's staff or by itself; the staff lift that, and the log
/// is read again.
async fn lifted(theirs: bool) {
    let mut network = Network::start(true).await;
    let (child, victim) = (network.child(), network.member());
    if theirs {
        network.local(Timeout, victim, HOUR).await;
    } else {
        network.by_main(false, Timeout, victim, HOUR).await;
    }
    network.by_main(false, Timeout, victim, 5 * HOUR).await;
    network.by_hand(child, Untimeout, victim, HOUR);
    network.settled().await;
    assert!(!network.shows(Timeout, victim));
    network = network.restart(|_| {}).await;
    network.settled().await;
    assert!(!network.is_local(Timeout, victim).await, "theirs {theirs}: nothing of it is left");
    network.by_main(false, Timeout, victim, 6 * HOUR).await;
    assert!(!network.shows(Timeout, victim), "theirs {theirs}: the staff's word is respected");
}

#[tokio::test]
async fn our_own_timeout_over_another_is_no_act_of_the_staff_once_they_have_lifted_it() {
    lifted(false).await;
}

#[tokio::test]
async fn what_the_staff_have_lifted_does_not_come_back_with_our_own_entry() {
    lifted(true).await;
}

#[tokio::test]
async fn our_own_timeout_over_another_is_no_act_of_the_staff_once_the_main_has_taken_it_back() {
    let mut network = Network::start(true).await;
    let victim = network.member();
    for hours in [1, 5] {
        network.by_main(false, Timeout, victim, hours * HOUR).await;
    }
    network.by_main(false, Untimeout, victim, HOUR).await;
    network = network.restart(|_| {}).await;
    network.settled().await;
    assert!(!network.is_local(Timeout, victim).await);
    network.by_main(false, Timeout, victim, HOUR).await;
    network.by_main(false, Untimeout, victim, HOUR).await;
    assert!(!network.shows(Timeout, victim));
}

/// What a freeze held is older than the undo of another main that came in between.
#[tokio::test]
async fn our_own_timeout_that_is_made_once_more_is_no_act_of_the_staff_where_another_mains_undo_is_later() {
    let sandbox = crate::testing::sandbox(2).await;
    let test = crate::testing::TestDaemon::start(&sandbox).await;
    let (main, child, other) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    crate::testing::make_second_main(&test, main, other, child).await;
    let victim = sandbox.stranger();
    for place in [main, child, other] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    let ask = async |of: u64, name: &str, arguments: serde_json::Value| {
        test.punish(of, json!({ "operation": name, "arguments": arguments })).await.punishment.unwrap().id
    };
    let whom = victim.to_string();
    let freeze = |freeze| {
        test.systems.services.store().write(move |change| {
            let moved = change.moved_by_freeze(guild(main), freeze)?;
            change.set_freeze(guild(main), freeze)?;
            Ok(moved.into_iter().try_for_each(|step| step.apply(change))?)
        })
    };
    ask(other, "timeout", json!({ "user": whom, "for": "1h" })).await;
    test.settled().await;
    freeze(Some(crate::network::Freeze::Everything)).await.unwrap();
    ask(main, "timeout", json!({ "user": whom, "for": "5h" })).await;
    ask(other, "untimeout", json!({ "user": whom })).await;
    test.settled().await;
    freeze(None).await.unwrap();
    test.settled().await;
    // The other main's next undo has the timeout that stands made sure of.
    ask(other, "timeout", json!({ "user": whom, "for": "1h" })).await;
    test.settled().await;
    ask(other, "untimeout", json!({ "user": whom })).await;
    test.until_worked_off().await;
    let is_local =
        test.read(move |view| view.is_done_locally(guild(child), user(victim), Timeout).unwrap()).await;
    assert!(!is_local, "all of it was ours");
    ask(main, "untimeout", json!({ "user": whom })).await;
    test.settled().await;
    let until = sandbox.read(|world| world.guilds[&child].members[&victim].timeout_ms);
    assert!(until.is_none(), "{until:?}");
}
