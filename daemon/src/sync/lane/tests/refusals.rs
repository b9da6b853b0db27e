//! Refusals that concern everybody, turn by turn.

use super::*;
use crate::sync::attempt::Refused;

fn refused(reason: &str, about_everybody: bool) -> Next {
    let actions = vec![Action::Ban];
    Next::Refuse(Refused { actions, reason: reason.into(), footing: Some("1".into()), about_everybody })
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A lane in which two of three bans were refused, and the third waits.
fn barred(now: Instant) -> Lane {
    let mut lane = lane([ban(1, 10), ban(2, 11), ban(3, 12), delivery(4, 13, Action::Kick)]);
    let first = sent(&mut lane, now).unwrap();
    let turn = lane.finished(first, Some(&blocked("no", 1)), refused("no", false), now);
    assert_eq!(turn.alarm, Some(Alarm::Blocked("no".into())));
    assert!(turn.settlements.is_empty(), "it may be about this user alone");
    let second = sent(&mut lane, now).unwrap();
    assert_eq!(second.id.get(), 2);
    let turn = lane.finished(second, Some(&blocked("no", 1)), refused("no", false), now);
    assert_eq!(turn.alarm, None, "one alert");
    assert_eq!(turn.settlements.iter().map(|(id, _)| id.get()).collect::<Vec<_>>(), [3]);
    assert_eq!(ids(&mut lane, now), [4], "kicks go on");
    lane
}

fn applied(of: &Queued) -> Settlement {
    let state = DeliveryState::Applied;
    Settlement { state, reason: None, attempts: of.attempts + 1, wait: None, was_there: None }
}

#[test]
fn after_two_refusals_one_is_tried_at_a_falling_rate_and_its_success_opens_all() {
    let mut now = Instant::now();
    let mut lane = barred(now);
    let (id, settled) = lane.enqueue(ban(5, 14), None).unwrap();
    assert_eq!((id.get(), settled.state), (5, DeliveryState::Blocked));
    assert!(lane.changed_refusals().is_some());
    let mut waits = Vec::new();
    for _ in 0..9 {
        let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("not tried again") };
        waits.push((at - now).as_secs());
        now = at;
        let probe = sent(&mut lane, now).unwrap();
        assert!(probe.doubt.asks_first);
        assert_eq!(lane.take_resumed().iter().map(|one| one.id).collect::<Vec<_>>(), [probe.id]);
        let turn = lane.finished(probe, Some(&blocked("no", 2)), refused("no", false), now);
        assert_eq!((turn.alarm, sent(&mut lane, now).is_none()), (None, true), "one at a time, and no alert");
    }
    assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    now += seconds(3_600);
    let probe = sent(&mut lane, now).unwrap();
    let settlement = applied(&probe);
    let turn = lane.finished(probe, Some(&settlement), Next::Forward, now);
    assert_eq!(turn.resumed.len(), 3, "all that waited");
    assert_eq!(ids(&mut lane, now).len(), 3);
    assert!(lane.changed_refusals().is_some_and(|left| left.is_empty()) && lane.is_idle());
}

#[test]
fn who_is_tried_changes_so_that_one_odd_user_does_not_block_the_rest() {
    let mut now = Instant::now();
    let mut lane = barred(now);
    let mut tried = Vec::new();
    for _ in 0..4 {
        let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("not tried again") };
        now = at;
        let probe = sent(&mut lane, now).unwrap();
        tried.push(probe.id.get());
        lane.finished(probe, Some(&blocked("no", 2)), refused("no", false), now);
    }
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried, [1, 2, 3]);
}

#[test]
fn somebody_whose_rank_explains_the_answer_or_who_has_ended_makes_room_for_the_next_at_once() {
    let mut now = Instant::now();
    let mut lane = barred(now);
    now += seconds(60);
    let mut probe = sent(&mut lane, now).unwrap();
    probe.doubt.outranked_by = Some(Vec::new());
    lane.finished(probe, Some(&blocked("above", 2)), Next::Park("above".into()), now);
    let probe = sent(&mut lane, now).unwrap();
    let ended = Settlement { state: DeliveryState::Superseded, ..blocked("newer", 1) };
    lane.finished(probe, Some(&ended), Next::Forward, now);
    let probe = sent(&mut lane, now).unwrap();
    let settlement = applied(&probe);
    lane.finished(probe, Some(&settlement), Next::Forward, now);
    assert!(!lane.is_moving());
}

#[test]
fn a_probe_whose_place_something_newer_takes_is_not_waited_for() {
    let mut now = Instant::now();
    let mut lane = barred(now);
    now += seconds(60);
    let shut = |_| Some(now + seconds(5));
    assert!(matches!(lane.pick_one(now, shut), Pick::Wait(_)), "its route is shut");
    for (id, user) in [(11, 10), (12, 11), (13, 12)] {
        lane.enqueue(delivery(id, user, Action::Unban), None);
    }
    assert_eq!(ids(&mut lane, now), [11, 12, 13]);
    let (id, _) = lane.enqueue(ban(20, 20), None).unwrap();
    assert_eq!(id.get(), 20, "bans are still refused");
    now += seconds(3_600);
    assert_eq!(sent(&mut lane, now).unwrap().id.get(), 20);
}

#[test]
fn others_that_pass_in_between_show_that_it_is_not_about_everybody() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11), ban(3, 12), ban(4, 13), ban(5, 14)]);
    for _ in 0..2 {
        let odd = sent(&mut lane, now).unwrap();
        let turn = lane.finished(odd, Some(&blocked("no", 1)), refused("no", false), now);
        assert!(turn.settlements.is_empty());
        let through = sent(&mut lane, now).unwrap();
        let settlement = applied(&through);
        lane.finished(through, Some(&settlement), Next::Forward, now);
    }
    assert_eq!(ids(&mut lane, now), [5]);
}

#[test]
fn a_code_that_leaves_no_doubt_needs_no_second_refusal() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let first = sent(&mut lane, now).unwrap();
    let turn = lane.finished(first, Some(&blocked("no", 1)), refused("no", true), now);
    assert_eq!(turn.settlements.len(), 1);
    assert!(sent(&mut lane, now).is_none());
}

#[test]
fn only_a_change_that_may_matter_has_one_tried_at_once() {
    let now = Instant::now();
    let mut lane = barred(now);
    let unchanged = |refusal: &Refusal| refusal.footing.as_deref() != Some("1");
    assert_eq!(lane.mend(|_| true, unchanged, |_| true), []);
    assert!(sent(&mut lane, now).is_none());
    let changed = |refusal: &Refusal| refusal.footing.as_deref() != Some("2");
    assert_eq!(lane.mend(|_| true, changed, |_| true), []);
    assert!(sent(&mut lane, now).is_some());
    // An operator's retry, of several, tries one: the first of those.
    let mut lane = barred(now);
    let wanted: HashSet<DeliveryId> = [2, 3].map(|id| DeliveryId::new(id).unwrap()).into();
    assert_eq!(lane.retry(&wanted), []);
    let probe = sent(&mut lane, now).unwrap();
    assert!(wanted.contains(&probe.id));
    lane.finished(probe, Some(&blocked("no", 2)), refused("no", false), now);
    assert!(sent(&mut lane, now).is_none());
}

#[test]
fn what_is_stored_of_a_refusal_is_handed_out_when_it_changes_and_taken_back_at_the_start() {
    let now = Instant::now();
    let mut lane = barred(now);
    let stored = lane.changed_refusals().unwrap();
    assert_eq!((stored.len(), stored[0].bars, stored[0].probes), (1, true, 0));
    assert_eq!(lane.changed_refusals(), None);
    let mut next = Lane::default();
    next.restore(stored[0].clone());
    next.adopt(ban(1, 10));
    assert!(sent(&mut next, now).is_none());
    assert!(next.enqueue(ban(9, 19), None).is_some());
    assert_eq!(sent(&mut next, now + seconds(60)).unwrap().id.get(), 1);
}

#[test]
fn who_ranked_above_the_bot_is_tried_when_their_roles_let_it_and_not_before() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let mut first = sent(&mut lane, now).unwrap();
    let role = wayhaven_shared::value::RoleId::new(7).unwrap();
    first.doubt.outranked_by = Some(vec![role]);
    lane.finished(first, Some(&blocked("above", 1)), Next::Park("above".into()), now);
    let holds = |one: &Queued| one.doubt.outranked_by.as_ref().is_some_and(|roles| roles.contains(&role));
    let reach = |one: &Queued| !holds(one);
    assert_eq!(ids(&mut lane, now), [2]);
    assert_eq!(lane.mend(|_| true, |_| true, reach), [], "roles have moved, and it is as before");
    let (one, other) = (UserId::new(10).unwrap(), UserId::new(11).unwrap());
    assert_eq!(lane.ranked(other, None, reach), [], "somebody else");
    assert_eq!(lane.ranked(one, Some(&[role]), reach), []);
    assert_eq!(lane.ranked(one, Some(&[]), reach).len(), 1);
    assert!(sent(&mut lane, now).unwrap().doubt.asks_first);
}

#[test]
fn a_change_of_rank_while_the_refusal_is_on_its_way_is_not_missed() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let mut first = sent(&mut lane, now).unwrap();
    assert_eq!(lane.ranked(UserId::new(10).unwrap(), None, |_| true), []);
    first.doubt.outranked_by = Some(Vec::new());
    let turn = lane.finished(first, Some(&blocked("above", 1)), Next::Park("above".into()), now);
    assert_eq!(turn.resumed.len(), 1);
    assert!(sent(&mut lane, now + seconds(1)).is_some());
}

#[test]
fn what_something_before_discord_refuses_is_tried_seldom() {
    let mut now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let mut waits = Vec::new();
    for tries in 1..=9 {
        let one = sent(&mut lane, now).unwrap();
        let turn = lane.finished(one, None, Next::Turned("403".into()), now);
        assert_eq!(turn.alarm.is_some(), tries == 2);
        let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("given up") };
        waits.push((at - now).as_millis());
        now = at;
    }
    assert_eq!(waits[1..8], [60, 120, 240, 480, 960, 1_920, 3_600].map(|wait: u128| wait * 1_000));
    assert!(waits[0] < 1_000);
}
