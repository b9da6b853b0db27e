//! Each measure, and each way in which it ends although nobody says so.

use super::*;
use Action::{Ban, Mute, Timeout};

/// How what the child's staff did ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// They leave and join again.
    Rejoins,
    /// They are kicked by hand, and join again.
    Kicked,
    /// They are pruned, and join again.
    Pruned,
    /// They join again, and Discord does not tell of it.
    RejoinsUnheard,
    /// They join again while the daemon is away.
    RejoinsWhileAway,
    /// The staff take it back, and Discord does not tell of it.
    LiftedUnheard,
    /// Nobody knows since when it is not there: the log does not say.
    LiftedUnlogged,
    /// The same, and they join again.
    JoinsUnbanned,
    /// Its time is over.
    Expires,
}

/// Of which measures it ends what.
const WAYS: [(Action, Way); 15] = [
    (Mute, Way::Rejoins),
    (Mute, Way::Kicked),
    (Mute, Way::Pruned),
    (Mute, Way::RejoinsUnheard),
    (Mute, Way::RejoinsWhileAway),
    (Mute, Way::LiftedUnheard),
    (Timeout, Way::Rejoins),
    (Timeout, Way::Kicked),
    (Timeout, Way::RejoinsUnheard),
    (Timeout, Way::RejoinsWhileAway),
    (Timeout, Way::LiftedUnheard),
    (Timeout, Way::Expires),
    (Ban, Way::LiftedUnheard),
    (Ban, Way::LiftedUnlogged),
    (Ban, Way::JoinsUnbanned),
];

fn end(network: &Network, action: Action, way: Way, whom: u64) {
    let (people, child) = (network.sandbox.people(), network.child());
    let staff = network.staff(child);
    match way {
        Way::Rejoins => network.rejoin(child, whom),
        Way::Kicked => {
            people.kick(child, staff, whom, None).unwrap();
            people.join(child, whom).unwrap();
        }
        Way::Pruned => {
            people.prune(child, network.sandbox.owner(), &[whom]).unwrap();
            people.join(child, whom).unwrap();
        }
        Way::RejoinsUnheard => network.unheard(None, || network.rejoin(child, whom)),
        Way::LiftedUnheard => {
            network.unheard(None, || network.by_hand(child, action.undo().unwrap(), whom, HOUR));
        }
        Way::LiftedUnlogged => people.had_lifted(child, whom).unwrap(),
        Way::JoinsUnbanned => {
            people.had_lifted(child, whom).unwrap();
            people.join(child, whom).unwrap();
        }
        // In another place.
        Way::RejoinsWhileAway | Way::Expires => {}
    }
}

/// After each end the main punishes and takes it back, by hand or by command, with or without a restart in between.
async fn nothing_is_left(away: bool, by_hand: bool, restart: bool) {
    let mut network = Network::start(false).await;
    let mut cases = Vec::new();
    for (action, way) in WAYS.into_iter().filter(|(_, way)| (*way == Way::RejoinsWhileAway) == away) {
        let whom = network.member();
        let span = if way == Way::Expires { HOUR } else { 5 * HOUR };
        network.local(action, whom, span).await;
        cases.push((action, way, whom));
    }
    network.advance(A_WHILE).await;
    for (action, way, whom) in &cases {
        end(&network, *action, *way, *whom);
    }
    network.settled().await;
    if away {
        let (child, whoever) = (network.child(), cases.clone());
        network = network
            .restart(|sandbox| whoever.iter().for_each(|(.., whom)| rejoin(sandbox, child, *whom)))
            .await;
    }
    network.advance(HOUR).await;
    for (action, _, whom) in &cases {
        network.by_main(by_hand, *action, *whom, 10 * HOUR).await;
        assert!(network.shows(*action, *whom), "{action} arrives");
    }
    if restart {
        network = network.restart(|_| {}).await;
    }
    let mut left = Vec::new();
    for (action, way, whom) in &cases {
        network.by_main(by_hand, action.undo().unwrap(), *whom, HOUR).await;
        if network.shows(*action, *whom) {
            left.push((*action, *way));
        }
    }
    assert_eq!(left, [], "taken back in the main, and left in the child");
}

#[tokio::test]
async fn what_ended_unseen_keeps_no_undo_by_command_from_a_child() {
    nothing_is_left(false, false, false).await;
}

#[tokio::test]
async fn what_ended_unseen_keeps_no_undo_by_command_from_a_child_after_a_restart() {
    nothing_is_left(false, false, true).await;
}

#[tokio::test]
async fn what_ended_unseen_keeps_no_undo_by_hand_from_a_child() {
    nothing_is_left(false, true, false).await;
}

#[tokio::test]
async fn what_ended_unseen_keeps_no_undo_by_hand_from_a_child_after_a_restart() {
    nothing_is_left(false, true, true).await;
}

#[tokio::test]
async fn what_ended_while_the_daemon_was_away_keeps_no_undo_from_a_child() {
    for (by_hand, restart) in [(false, false), (false, true), (true, false), (true, true)] {
        nothing_is_left(true, by_hand, restart).await;
    }
}

#[tokio::test]
async fn a_mute_that_is_done_again_for_whoever_joins_again_is_not_the_staffs() {
    for by_hand in [false, true] {
        let network = Network::start(true).await;
        let (child, victim) = (network.child(), network.member());
        network.local(Mute, victim, HOUR).await;
        network.by_main(by_hand, Mute, victim, HOUR).await;
        network.rejoin(child, victim);
        assert!(!network.shows(Mute, victim));
        network.settled().await;
        assert!(network.shows(Mute, victim), "the main's mute stands");
        assert!(!network.is_local(Mute, victim).await);
        network.by_main(by_hand, Action::Unmute, victim, HOUR).await;
        assert!(!network.shows(Mute, victim));
    }
}

#[tokio::test]
async fn without_a_word_of_who_joins_what_the_staff_did_ends_before_the_main_does_the_same() {
    let options = Options { children: 2, global_limit: 0, members_intent: false, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let network = Network { sandbox, test, advanced: Duration::ZERO };
    for of in network.guilds() {
        network.name_role(of, "Muted").await;
    }
    let victim = network.member();
    network.local(Mute, victim, HOUR).await;
    network.rejoin(network.child(), victim);
    network.by_main(false, Mute, victim, HOUR).await;
    assert!(!network.is_local(Mute, victim).await);
    network.by_main(false, Action::Unmute, victim, HOUR).await;
    assert!(!network.shows(Mute, victim));
}

#[tokio::test]
async fn a_comparison_ends_what_the_guilds_lists_do_not_show() {
    let mut network = Network::start(false).await;
    let (main, child) = (network.main(), network.child());
    let [muted, banned, timed_out, stays] = [(); 4].map(|()| network.member());
    network.local(Mute, muted, HOUR).await;
    network.local(Ban, banned, HOUR).await;
    network.local(Timeout, timed_out, 5 * HOUR).await;
    network.local(Mute, stays, HOUR).await;
    let other = network.member();
    network.by_main(false, Mute, other, HOUR).await;
    network.advance(A_WHILE).await;
    network.unheard(None, || {
        network.rejoin(child, muted);
        network.rejoin(child, timed_out);
    });
    network.sandbox.people().had_lifted(child, banned).unwrap();
    network.ask(main, "sync reconcile", json!({ "child": child.to_string() })).await;
    network.test.settled().await;
    assert!(network.is_local(Mute, muted).await, "a plan changes nothing");
    let arguments = json!({ "child": child.to_string(), "apply": true });
    network.ask(main, "sync reconcile", arguments).await;
    let ended = move |view: &View<'_>| {
        [(muted, Mute), (banned, Ban), (timed_out, Timeout)]
            .into_iter()
            .all(|(whom, action)| !is_local(view, child, whom, action))
    };
    network.test.until("the end of the causes", ended).await;
    assert!(network.is_local(Mute, stays).await);
}
