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
