//! Tests of the model.

use super::*;

fn linked() -> Model {
    let mut model = Model::default();
    MAINS.for_each(|main| CHILDREN.for_each(|child| model.link(main, child, false, false)));
    model
}

#[test]
fn what_two_mains_want_stays_until_both_take_it_back_and_what_staff_want_stays_for_ever() {
    let mut model = linked();
    model.local(2, 0, true);
    model.decide(0, 0, true, false);
    model.decide(1, 0, true, true);
    model.decide(0, 0, false, false);
    assert!((2..6).all(|child| model.place(child, 0).banned));
    model.decide(1, 0, false, true);
    assert!(model.place(2, 0).banned, "its own staff's");
    assert!((3..6).all(|child| !model.place(child, 0).banned));
}

#[test]
fn what_staff_take_back_is_not_delivered_there_again() {
    let mut model = linked();
    model.decide(0, 0, true, false);
    model.local(3, 0, false);
    model.decide(0, 0, true, false);
    assert!(!model.place(3, 0).banned && model.place(4, 0).banned);
}

#[test]
fn staff_override_what_has_come_to_their_guild_and_not_what_else_the_main_has_decided() {
    let mut model = linked();
    model.ban_for(0, 0, Length::Brief, false);
    model.link(0, 2, true, false);
    model.decide(0, 0, true, false);
    model.time_passes();
    model.local(2, 0, false);
    model.local(3, 0, false);
    assert!(!model.place(2, 0).excepted, "what had come here has ended");
    assert!(model.place(3, 0).excepted);
}

#[test]
fn a_freeze_holds_and_a_monitor_forgets() {
    let mut model = linked();
    model.link(0, 2, true, false);
    model.frozen.insert(0);
    model.decide(0, 0, true, false);
    assert_eq!((model.banned(0), model.banned(3)), (1, 0));
    model.resume(0);
    model.link(0, 2, false, false);
    assert_eq!((model.banned(2), model.banned(3)), (0, 1));
    model.make_good(0, 2);
    assert_eq!(model.banned(2), 1);
}

#[test]
fn a_shorter_ban_that_somebody_asks_for_replaces_a_longer_one_and_ends_it() {
    let mut model = linked();
    model.decide(0, 0, true, false);
    model.ban_for(0, 0, Length::Long, false);
    model.ban_for(0, 0, Length::Brief, false);
    assert!(model.place(2, 0).banned);
    assert_eq!(model.time_passes(), [(0, 0)]);
    assert!(!model.place(2, 0).banned && !model.place(0, 0).banned);
    assert_eq!(model.active(0, 0), 0);
}

#[test]
fn a_ban_that_the_daemon_decides_by_itself_ends_nothing_that_lasts_longer() {
    let mut model = linked();
    model.decide(0, 0, true, false);
    assert!(!model.ban_for(0, 0, Length::Brief, true));
    assert!(model.time_passes().is_empty());
    assert!(model.place(2, 0).banned);
    assert_eq!(model.active(0, 0), 1, "the automatic one has ended");
}

#[test]
fn a_longer_ban_outlives_a_shorter_one_that_came_before() {
    let mut model = linked();
    model.ban_for(0, 0, Length::Brief, false);
    model.ban_for(0, 0, Length::Long, true);
    assert!(model.time_passes().is_empty());
    assert!(model.place(2, 0).banned);
    assert_eq!(model.time_passes(), [(0, 0)]);
    assert!(!model.place(2, 0).banned);
}

#[test]
fn what_was_replaced_stands_again_when_the_shorter_one_is_reverted() {
    let mut model = linked();
    model.decide(0, 0, true, false);
    model.ban_for(0, 0, Length::Long, false);
    model.ban_for(0, 0, Length::Brief, false);
    assert!(!model.revert(0, 0, 2));
    assert!(model.time_passes().is_empty(), "the long one replaces the one without an end still");
    assert_eq!(model.time_passes(), [(0, 0)]);
}

#[test]
fn what_is_kept_from_children_stays_so_until_the_main_decides_anew() {
    let mut model = linked();
    model.shields.insert((0, 0), true);
    model.decide(0, 0, true, true);
    model.is_gone(0, 0);
    assert!(model.is_doubtful(0, 0) && model.is_kept(0, 2));
    model.shields.clear();
    model.make_good(0, 2);
    model.unlink(0, 3, false);
    model.link(0, 3, false, true);
    assert_eq!(model.banned(0) + model.banned(2) + model.banned(3), 1);
    model.decide(0, 0, true, false);
    assert!((2..6).all(|child| model.place(child, 0).banned) && model.lost.is_empty());
    model.revert(0, 0, 1);
    assert!((2..6).all(|child| !model.place(child, 0).banned) && model.place(0, 0).banned);
}

#[test]
fn whom_a_child_protects_it_is_spared_alone() {
    let mut model = linked();
    model.shields.insert((2, 0), true);
    model.decide(0, 0, true, false);
    model.is_gone(2, 0);
    model.make_good(0, 2);
    assert!(!model.place(2, 0).banned && model.place(3, 0).banned);
}

#[test]
fn whoever_joins_again_has_shaken_off_what_staff_did_and_nothing_that_a_main_wants() {
    let mut model = linked();
    for child in [2, 3] {
        model.local(child, 0, true);
    }
    model.decide(0, 0, true, false);
    model.leaves(2, 0);
    assert!(!model.place(2, 0).banned);
    model.joins(2, 0, false);
    assert!(model.place(2, 0).banned);
    model.decide(0, 0, false, false);
    assert!(!model.place(2, 0).banned && model.place(3, 0).banned);
}

#[test]
fn what_staff_lift_of_a_main_that_is_linked_no_more_keeps_no_other_mains_ban() {
    let mut model = linked();
    model.decide(0, 0, true, false);
    model.unlink(0, 3, false);
    model.local(3, 0, false);
    model.decide(1, 0, true, false);
    model.decide(1, 0, false, false);
    assert!(!model.place(3, 0).banned && model.place(2, 0).banned);
}
