//! The same kind elsewhere: what a former main left, the mute role itself, and a guild that has become a main.

use super::*;
use crate::testing::make_second_main;
use Action::{Ban, Mute};

/// What the first main left in the child ends in a way, and the second main bans or mutes and takes that back.
async fn kept(action: Action, ends: impl FnOnce(&Network, u64)) {
    let mut network = Network::start(false).await;
    let (main, child, second) = (network.main(), network.child(), network.sandbox.children()[1]);
    make_second_main(&network.test, main, second, child).await;
    let victim = network.member();
    network.by_main(false, action, victim, HOUR).await;
    network.advance(A_WHILE).await;
    network.ask(main, "setup remove-child", json!({ "child": child.to_string(), "keep": true })).await;
    assert!(network.shows(action, victim), "it is left there");
    ends(&network, victim);
    network.settled().await;
    assert!(!network.shows(action, victim));
    network.ask(second, action.word(), json!({ "user": victim.to_string() })).await;
    network.settled().await;
    assert!(network.shows(action, victim));
    network.ask(second, action.undo().unwrap().word(), json!({ "user": victim.to_string() })).await;
    network.settled().await;
    assert!(!network.shows(action, victim));
}

#[tokio::test]
async fn what_a_former_main_left_ends_when_whoever_it_is_about_joins_again() {
    kept(Mute, |network, victim| network.rejoin(network.child(), victim)).await;
}

#[tokio::test]
async fn what_a_former_main_left_ends_when_the_guilds_staff_lift_it() {
    kept(Ban, |network, victim| {
        network.by_hand(network.child(), Action::Unban, victim, HOUR);
    })
    .await;
}

#[tokio::test]
async fn what_was_given_with_another_mute_role_keeps_nothing_of_the_new_one_and_is_left() {
    let network = Network::start(true).await;
    let (child, victim, both) = (network.child(), network.member(), network.member());
    network.local(Mute, victim, HOUR).await;
    network.local(Mute, both, HOUR).await;
    network.by_main(false, Mute, both, HOUR).await;
    network.name_role(child, "Regular").await;
    network.by_main(false, Mute, victim, HOUR).await;
    let regular = network.sandbox.role(child, "Regular");
    let has = |whom: u64| {
        network.sandbox.read(|world| world.guilds[&child].members[&whom].roles.contains(&regular))
    };
    assert!(has(victim));
    for whom in [victim, both] {
        network.by_main(false, Action::Unmute, whom, HOUR).await;
        assert!(!has(whom));
        assert!(network.shows(Mute, whom), "the role that the staff gave");
    }
}

#[tokio::test]
async fn a_former_mute_role_that_was_lost_and_is_given_for_something_else_is_not_taken() {
    let network = Network::start(true).await;
    let (child, victim) = (network.child(), network.member());
    network.by_main(false, Mute, victim, HOUR).await;
    network.name_role(child, "Regular").await;
    network.rejoin(child, victim);
    network.settled().await;
    let regular = network.sandbox.role(child, "Regular");
    let has =
        |role| network.sandbox.read(|world| world.guilds[&child].members[&victim].roles.contains(&role));
    assert!(has(regular), "muted with the role of now");
    // It is no mute role any more.
    network.by_hand(child, Mute, victim, HOUR);
    network.settled().await;
    network.by_main(false, Action::Unmute, victim, HOUR).await;
    assert!(!has(regular));
    assert!(network.shows(Mute, victim), "what the staff gave");
}

#[tokio::test]
async fn a_deleted_mute_role_mutes_nobody() {
    let network = Network::start(true).await;
    let (child, victim) = (network.child(), network.member());
    network.local(Mute, victim, HOUR).await;
    network.sandbox.people().delete_role(child, network.sandbox.role(child, "Muted")).unwrap();
    network.test.until("its end", move |view| !is_local(view, child, victim, Mute)).await;
}

#[tokio::test]
async fn what_was_done_in_a_guild_before_it_was_a_main_ends_when_it_is_lifted_there() {
    let mut network = Network::start(true).await;
    let (main, child, second) = (network.main(), network.child(), network.sandbox.children()[1]);
    let victim = network.member();
    network.by_hand(second, Ban, victim, HOUR);
    network.test.until("a local cause", move |view| is_local(view, second, victim, Ban)).await;
    make_second_main(&network.test, main, second, child).await;
    network.by_hand(second, Action::Unban, victim, HOUR);
    network.settled().await;
    let arguments = json!({ "user": victim.to_string(), "for": "1h" });
    network.ask(second, "ban", arguments).await;
    network.settled().await;
    network.advance(2 * HOUR).await;
    network.test.until_audited("its end", |entry| entry.operation == "unban").await;
    network.settled().await;
    assert!(!network.sandbox.is_banned(second, victim));
}
