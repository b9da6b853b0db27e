//! Bans that leave as one request.

use super::*;
use wayhaven_shared::value::Untrusted;

fn together(lane: &mut Lane, now: Instant) -> Option<Arc<Batch>> {
    match lane.pick(now, open, || true) {
        Pick::Gather(batch) => Some(batch),
        Pick::Send(_) | Pick::Wait(_) | Pick::Nothing => None,
    }
}

fn numbers(deliveries: &[Queued]) -> Vec<u64> {
    deliveries.iter().map(|one| one.id.get()).collect()
}

/// As the attempt tells of all of them alike.
fn all(batch: &Batch, fate: Fate, state: DeliveryState) -> Vec<Tried> {
    let of = |delivery: Queued| {
        let attempts = delivery.attempts + 1;
        let settlement = Settlement { state, reason: None, attempts, wait: None, was_there: None };
        Tried { delivery, settlement: Some(settlement), fate }
    };
    batch.seal().into_iter().map(of).collect()
}

fn done(lane: &mut Lane, batch: &Batch, now: Instant) {
    lane.returned(all(batch, Fate::Done, DeliveryState::Applied), Next::Forward, now);
}

#[test]
fn bans_leave_together_with_whoever_comes_before_they_leave() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let first = together(&mut lane, now).unwrap();
    assert!(together(&mut lane, now).is_none() && lane.is_moving(), "one request at a time");
    lane.enqueue(ban(3, 12), None);
    assert_eq!(numbers(&first.seal()), [1, 2, 3]);
    lane.enqueue(ban(4, 13), None);
    done(&mut lane, &first, now);
    let second = together(&mut lane, now).unwrap();
    assert_eq!(numbers(&second.seal()), [4]);
    done(&mut lane, &second, now);
    assert!(lane.is_idle());
}

#[test]
fn more_than_two_hundred_take_another_request() {
    let now = Instant::now();
    let mut lane = lane((1..=450).map(|id| ban(id, id)));
    let mut sizes = Vec::new();
    while let Some(batch) = together(&mut lane, now) {
        sizes.push(batch.seal().len());
        done(&mut lane, &batch, now);
    }
    assert_eq!(sizes, [200, 200, 50]);
}

#[test]
fn where_the_bot_may_not_ban_many_they_go_one_by_one() {
    let now = Instant::now();
    assert_eq!(ids(&mut lane([ban(1, 10), ban(2, 11)]), now), [1, 2]);
}

#[test]
fn what_something_newer_takes_the_place_of_leaves_the_batch_before_it_leaves() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let batch = together(&mut lane, now).unwrap();
    lane.enqueue(delivery(5, 10, Action::Unban), None);
    assert_eq!(numbers(&batch.seal()), [2]);
    done(&mut lane, &batch, now);
    assert_eq!(ids(&mut lane, now), [5]);
}

#[test]
fn what_something_newer_takes_the_place_of_on_its_way_is_not_tried_again() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let batch = together(&mut lane, now).unwrap();
    assert_eq!(numbers(&batch.seal()), [1, 2]);
    lane.enqueue(delivery(5, 10, Action::Unban), None);
    let lost = all(&batch, Fate::WithTheLane, DeliveryState::Unknown);
    lane.returned(lost, Next::Failed("502".into()), now);
    assert_eq!(ids(&mut lane, now + Duration::from_secs(60)), [2, 5]);
}

#[test]
fn the_older_of_one_user_does_not_come_in_behind_the_newer() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(9, 11)]);
    let batch = together(&mut lane, now).unwrap();
    lane.enqueue(ban(4, 11), None);
    assert_eq!(numbers(&batch.seal()), [1, 9]);
    done(&mut lane, &batch, now);
    assert!(lane.is_idle());
}

#[test]
fn of_one_user_the_order_stays_whoever_leaves_together() {
    let now = Instant::now();
    let of = |source: u64, delivery: Queued| Queued { source: GuildId::new(source).unwrap(), ..delivery };
    let mut lane = lane([ban(1, 10), of(9, delivery(2, 11, Action::Unban)), of(7, ban(3, 10)), ban(4, 11)]);
    let batch = together(&mut lane, now).unwrap();
    lane.enqueue(ban(5, 12), None);
    assert_eq!(
        numbers(&batch.seal()),
        [1, 5],
        "another main's of the same user, and what an unban goes before"
    );
    done(&mut lane, &batch, now);
    // What comes while an earlier one of the user waits stays behind it.
    let unban = sent(&mut lane, now).unwrap();
    assert_eq!(unban.id.get(), 2);
    lane.finished(unban, None, Next::Forward, now);
    let batch = together(&mut lane, now).unwrap();
    assert_eq!(numbers(&batch.seal()), [3, 4]);
}

#[test]
fn what_is_asked_for_once_more_while_it_waits_for_its_slot_is_sent_once() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let batch = together(&mut lane, now).unwrap();
    lane.enqueue(ban(1, 10), None);
    assert_eq!(numbers(&batch.seal()), [2, 1]);
    lane.enqueue(ban(2, 11), None);
    done(&mut lane, &batch, now);
    assert!(lane.is_idle());
}

#[test]
fn whom_a_bulk_ban_came_back_without_goes_alone_and_is_asked_for() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11), ban(3, 12)]);
    let batch = together(&mut lane, now).unwrap();
    let mut tried = all(&batch, Fate::Done, DeliveryState::Applied);
    for one in &mut tried[1..] {
        one.fate = Fate::Alone;
        one.settlement.as_mut().unwrap().state = DeliveryState::Pending;
    }
    lane.returned(tried, Next::Forward, now);
    lane.enqueue(ban(4, 13), None);
    // Not before it may be asked; others go meanwhile.
    let later = now + Duration::from_secs(5);
    let asking = Rest::banned_route(GuildId::new(2).unwrap());
    let Pick::Gather(batch) = lane.pick(now, |route| (route == asking).then_some(later), || true) else {
        panic!("nothing goes")
    };
    assert_eq!(numbers(&batch.seal()), [4]);
    done(&mut lane, &batch, now);
    for id in [2, 3] {
        let Pick::Send(alone) = lane.pick(now, open, || true) else { panic!("not alone") };
        assert_eq!((alone.id.get(), alone.alone, alone.attempts), (id, true, 1));
        lane.finished(*alone, None, Next::Forward, now);
    }
    assert!(lane.is_idle());
}

#[test]
fn where_discord_takes_no_bulk_ban_they_go_one_by_one_until_the_guild_is_mended() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let batch = together(&mut lane, now).unwrap();
    let turn = lane.returned(all(&batch, Fate::WithTheLane, DeliveryState::Pending), Next::Singly, now);
    assert!(turn.alarm.is_none() && turn.settlements.is_empty());
    for id in [1, 2] {
        let Pick::Send(single) = lane.pick(now, open, || true) else { panic!("together again") };
        assert_eq!((single.id.get(), single.alone), (id, false));
        lane.finished(*single, None, Next::Forward, now);
    }
    assert!(!lane.is_idle(), "it is remembered");
    let _ = lane.mend(|_| true, |_| true, |_| true);
    assert!(lane.is_idle());
    lane.enqueue(ban(3, 12), None);
    lane.enqueue(ban(4, 13), None);
    assert_eq!(numbers(&together(&mut lane, now).unwrap().seal()), [3, 4]);
    // A refusal that was on its way while it was mended is not believed.
    let batch = match &lane.sending {
        Some(Sending::Batch(batch)) => Arc::clone(batch),
        _ => panic!("nothing on its way"),
    };
    let _ = lane.mend(|_| true, |_| true, |_| true);
    lane.returned(all(&batch, Fate::WithTheLane, DeliveryState::Pending), Next::Singly, now);
    let later = now + Duration::from_secs(1);
    assert_eq!(numbers(&together(&mut lane, later).unwrap().seal()), [3, 4]);
}

#[test]
fn single_bans_are_no_way_around_a_shut_route_of_bulk_bans() {
    let now = Instant::now();
    let (guild, later) = (GuildId::new(2).unwrap(), now + Duration::from_secs(5));
    let (bulk, single) = (Rest::bulk_ban_route(guild), Rest::punishment_route(guild, Action::Ban));
    let reason = Some(Arc::new(Untrusted::clipped("another reason")));
    let mut lane = lane([ban(1, 10), ban(2, 11), Queued { reason, ..ban(3, 12) }]);
    // One of another kind is no part of it.
    let Pick::Gather(other) = lane.pick(now, |route| (route == bulk).then_some(later), || true) else {
        panic!("nothing goes")
    };
    assert_eq!(numbers(&other.seal()), [3]);
    done(&mut lane, &other, now);
    let Pick::Wait(at) = lane.pick(now, |route| (route == bulk).then_some(later), || true) else {
        panic!("one goes by itself")
    };
    assert_eq!(at, later);
    let Pick::Gather(both) = lane.pick(now, |route| (route == single).then_some(later), || true) else {
        panic!("they wait for a route that is not theirs")
    };
    assert_eq!(numbers(&both.seal()), [1, 2]);
    // The route was shut when the slot came: nothing has left, and nothing is counted.
    let back = both.seal().into_iter();
    let back = back.map(|delivery| Tried { delivery, settlement: None, fate: Fate::WithTheLane }).collect();
    let turn = lane.returned(back, Next::Route, now);
    assert!(turn.alarm.is_none() && turn.settlements.is_empty());
    assert_eq!(numbers(&together(&mut lane, now).unwrap().seal()), [1, 2]);
}

#[test]
fn a_batch_that_fails_counts_once_and_goes_again_in_its_order() {
    let mut now = Instant::now();
    let mut lane = lane((1..=3).map(|id| ban(id, id)));
    let mut alarms = 0;
    for turn in 1..=BROKEN {
        let batch = together(&mut lane, now).unwrap();
        assert_eq!(numbers(&batch.seal()), [1, 2, 3]);
        let lost = all(&batch, Fate::WithTheLane, DeliveryState::Unknown);
        alarms += u32::from(lane.returned(lost, Next::Failed("502".into()), now).alarm.is_some());
        assert_eq!(alarms, u32::from(turn == BROKEN), "as one request each");
        let Pick::Wait(at) = lane.pick(now, open, || true) else { panic!("not slowed down") };
        now = at;
    }
}

#[test]
fn a_guild_that_is_shut_or_away_keeps_the_whole_batch_in_its_order() {
    let now = Instant::now();
    for next in [Next::Shut("403".into()), Next::Away] {
        let mut lane = lane([ban(1, 10), ban(2, 11), delivery(3, 12, Action::Kick)]);
        let batch = together(&mut lane, now).unwrap();
        let blocked = all(&batch, Fate::WithTheLane, DeliveryState::Blocked);
        let turn = lane.returned(blocked, next.clone(), now);
        let told: Vec<u64> = turn.settlements.iter().map(|(id, _)| id.get()).collect();
        assert_eq!(told, if next == Next::Away { vec![] } else { vec![3] }, "{next:?}");
        assert!(matches!(lane.pick(now, open, || true), Pick::Nothing) && !lane.is_moving());
        let _ = lane.mend(|_| true, |_| true, |_| true);
        assert_eq!(numbers(&together(&mut lane, now).unwrap().seal()), [1, 2], "{next:?}");
    }
}

#[test]
fn one_that_is_tried_for_all_deferred_ones_is_tried_by_itself() {
    let now = Instant::now();
    let mut lane = Lane::default();
    lane.enqueue(ban(1, 10), Some(now));
    lane.enqueue(ban(2, 11), Some(now));
    lane.enqueue(ban(3, 12), None);
    lane.enqueue(ban(4, 13), None);
    let Pick::Send(probe) = lane.pick(now, open, || true) else { panic!("not by itself") };
    assert_eq!(probe.id.get(), 1);
    lane.finished(*probe, None, Next::Defer("spent".into()), now);
    assert_eq!(numbers(&together(&mut lane, now).unwrap().seal()), [3, 4]);
}

#[test]
fn one_whose_answer_was_lost_is_asked_for_unless_it_has_company() {
    let now = Instant::now();
    let lost = |id, user| Queued { state: DeliveryState::Unknown, ..ban(id, user) };
    let mut one = lane([lost(1, 10)]);
    assert!(matches!(one.pick(now, open, || true), Pick::Send(_)));
    let mut two = lane([lost(1, 10), lost(2, 11)]);
    assert_eq!(numbers(&together(&mut two, now).unwrap().seal()), [1, 2]);
}
