mod refusals;
mod together;

use super::turn::BROKEN;
use super::*;
use crate::discord::rest::Rest;
use crate::store::Scope;
use crate::sync::attempt::{Fate, Next, Tried};
use std::time::Duration;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, LinkId, PunishmentId, UserId};

fn delivery(id: u64, user: u64, action: Action) -> Queued {
    Queued {
        id: DeliveryId::new(id).unwrap(),
        punishment: PunishmentId::new(id).unwrap(),
        source: GuildId::new(1).unwrap(),
        guild: GuildId::new(2).unwrap(),
        scope: Scope::Child(LinkId::new(1).unwrap()),
        action,
        user: UserId::new(user).unwrap(),
        reason: None,
        delete_seconds: 0,
        until: None,
        attempts: 0,
        state: DeliveryState::Pending,
        not_before: None,
        trickle: false,
        alone: false,
        because: None,
        hold: None,
        instead_of: None,
        doubt: crate::store::Doubt::default(),
    }
}

pub(in crate::sync) fn ban(id: u64, user: u64) -> Queued {
    delivery(id, user, Action::Ban)
}

/// As one lane meets it that may not ban many at once.
impl Lane {
    fn pick_one(&mut self, now: Instant, opens: impl Fn(Route) -> Option<Instant>) -> Pick {
        self.pick(now, opens, || false)
    }

    fn finished(&mut self, delivery: Queued, settled: Option<&Settlement>, next: Next, now: Instant) -> Turn {
        let tried = Tried { delivery, settlement: settled.cloned(), fate: Fate::WithTheLane };
        self.returned(vec![tried], next, now)
    }
}

fn lane(deliveries: impl IntoIterator<Item = Queued>) -> Lane {
    let mut lane = Lane::default();
    for delivery in deliveries {
        assert_eq!(lane.enqueue(delivery, None), None);
    }
    lane
}

fn open(_: Route) -> Option<Instant> {
    None
}

/// The number of the delivery that goes next, or nothing.
fn sent(lane: &mut Lane, now: Instant) -> Option<Queued> {
    match lane.pick_one(now, open) {
        Pick::Send(delivery) => Some(*delivery),
        Pick::Gather(_) | Pick::Wait(_) | Pick::Nothing => None,
    }
}

fn ids(lane: &mut Lane, now: Instant) -> Vec<u64> {
    let mut ids = Vec::new();
    while let Some(delivery) = sent(lane, now) {
        ids.push(delivery.id.get());
        lane.finished(delivery, None, Next::Forward, now);
    }
    ids
}

#[test]
fn deliveries_go_in_order_one_at_a_time() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11), ban(3, 12)]);
    let first = sent(&mut lane, now).unwrap();
    assert!(sent(&mut lane, now).is_none(), "one is on its way");
    assert!(lane.is_moving() && !lane.is_idle());
    lane.finished(first, None, Next::Forward, now);
    assert_eq!(ids(&mut lane, now), [2, 3]);
    assert!(lane.is_idle() && !lane.is_moving());
}

#[test]
fn the_newer_of_one_user_takes_the_place_of_the_older_whichever_comes_first() {
    let now = Instant::now();
    let newer = delivery(5, 10, Action::Unban);
    assert_eq!(ids(&mut lane([ban(1, 10), ban(2, 11), newer.clone()]), now), [2, 5]);
    assert_eq!(ids(&mut lane([newer.clone(), ban(1, 10)]), now), [5]);
    // The older is on its way: it is not tried again.
    let mut lane = lane([ban(1, 10)]);
    let older = sent(&mut lane, now).unwrap();
    lane.enqueue(newer, None);
    lane.finished(older, None, Next::Failed("502".into()), now);
    assert_eq!(ids(&mut lane, now + Duration::from_secs(60)), [5]);
}

#[test]
fn two_mains_have_both_their_say_and_the_guild_itself_the_last() {
    let now = Instant::now();
    let of = |source: u64, delivery: Queued| Queued { source: GuildId::new(source).unwrap(), ..delivery };
    let other = of(9, delivery(2, 10, Action::Unban));
    assert_eq!(ids(&mut lane([ban(1, 10), other.clone()]), now), [1, 2]);
    // Their order stays, also where the first one's route is shut.
    let mut waiting = lane([ban(1, 10), other.clone()]);
    let bans = Rest::punishment_route(GuildId::new(2).unwrap(), Action::Ban);
    let opens = |route: Route| (route == bans).then_some(now + Duration::from_secs(5));
    assert!(matches!(waiting.pick_one(now, opens), Pick::Wait(_)));
    assert_eq!(ids(&mut waiting, now + Duration::from_secs(5)), [1, 2]);
    let own = Queued { scope: Scope::Origin, ..of(2, delivery(3, 10, Action::Unban)) };
    assert_eq!(ids(&mut lane([ban(1, 10), other.clone(), own.clone()]), now), [3]);
    // What the guild decided itself does not end what a main decides afterwards.
    let earlier = Queued { id: DeliveryId::new(1).unwrap(), ..own };
    assert_eq!(ids(&mut lane([earlier, other]), now), [1, 2]);
}

#[test]
fn what_is_asked_for_twice_while_it_is_on_its_way_is_sent_once_if_it_was_done() {
    let now = Instant::now();
    let done = |state| Settlement { state, reason: None, attempts: 1, wait: None, was_there: None };
    for (state, again) in [(DeliveryState::Applied, vec![]), (DeliveryState::Held, vec![1])] {
        let mut lane = lane([ban(1, 10)]);
        let first = sent(&mut lane, now).unwrap();
        lane.enqueue(ban(1, 10), None);
        lane.finished(first, Some(&done(state)), Next::Forward, now);
        assert_eq!(ids(&mut lane, now), again, "{state}");
    }
}

#[test]
fn failures_in_a_row_slow_the_lane_down_whoever_meets_them_and_are_told_once() {
    let mut now = Instant::now();
    let mut lane = lane((1..=40).map(|id| ban(id, id)));
    let (mut waits, mut alarms) = (Vec::new(), 0);
    for turn in 0..12 {
        let delivery = sent(&mut lane, now).unwrap();
        // Each time another one is first, as where the user was punished anew.
        let newer = ban(100 + turn, delivery.user.get());
        lane.enqueue(newer, None);
        alarms += u32::from(lane.finished(delivery, None, Next::Failed("500".into()), now).alarm.is_some());
        let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("not slowed down") };
        waits.push(at - now);
        now = at;
    }
    assert!(waits.is_sorted() && waits[0] < Duration::from_secs(1) && waits[11] == Duration::from_secs(300));
    assert_eq!(alarms, 1);
    // One that succeeds ends it.
    let delivery = sent(&mut lane, now).unwrap();
    lane.finished(delivery, None, Next::Forward, now);
    assert!(sent(&mut lane, now).is_some());
}

#[test]
fn many_429_in_a_row_slow_down_whatever_they_say() {
    let mut now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let mut last = Duration::ZERO;
    for _ in 0..12 {
        let delivery = sent(&mut lane, now).unwrap();
        lane.finished(delivery, None, Next::Limited(Duration::from_millis(250)), now);
        let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("not slowed down") };
        last = at - now;
        now = at;
    }
    assert!(last > Duration::from_secs(60), "{last:?}");
}

#[test]
fn a_shut_route_holds_what_goes_along_it_and_nothing_else() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1_337);
    let mut lane = lane([ban(1, 10), ban(2, 11), delivery(3, 12, Action::Unban)]);
    let bans = Rest::punishment_route(GuildId::new(2).unwrap(), Action::Ban);
    let opens = |route: Route| (route == bans).then_some(later);
    let Pick::Send(unban) = lane.pick_one(now, opens) else { panic!("the unban waits too") };
    assert_eq!(unban.id.get(), 3);
    lane.finished(*unban, None, Next::Forward, now);
    let Pick::Wait(at) = lane.pick_one(now, opens) else { panic!("a ban goes") };
    assert_eq!(at, later);
    assert_eq!(ids(&mut lane, later), [1, 2]);
}

#[test]
fn a_blocked_guild_gets_nothing_until_it_is_mended() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let delivery = sent(&mut lane, now).unwrap();
    let turn = lane.finished(delivery, None, Next::Shut("403".into()), now);
    assert_eq!(turn.alarm, Some(Alarm::Blocked("403".into())));
    assert_eq!(turn.settlements.iter().map(|(id, _)| id.get()).collect::<Vec<_>>(), [2]);
    assert!(turn.settlements.iter().all(|(_, settled)| settled.state == DeliveryState::Blocked));
    let (id, settled) = lane.enqueue(ban(3, 12), None).unwrap();
    assert_eq!((id.get(), settled.state), (3, DeliveryState::Blocked));
    assert!(matches!(lane.pick_one(now, open), Pick::Nothing) && !lane.is_moving() && !lane.is_idle());
    let resumed = lane.mend(|_| true, |_| true, |_| true);
    let ready: Vec<_> = resumed.iter().map(|one| (one.id.get(), one.state)).collect();
    let pending = DeliveryState::Pending;
    assert_eq!(ready, [(1, pending), (2, pending), (3, pending)], "stored before they leave");
    assert_eq!(ids(&mut lane, now), [1, 2, 3]);
}

#[test]
fn what_became_of_an_earlier_try_is_in_question_too_once_the_guild_is_mended() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let delivery = sent(&mut lane, now).unwrap();
    let lost = Settlement { state: DeliveryState::Unknown, ..blocked("timeout", 1) };
    lane.finished(delivery, Some(&lost), Next::Failed("timeout".into()), now);
    let later = now + Duration::from_secs(60);
    let delivery = sent(&mut lane, later).unwrap();
    lane.finished(delivery, Some(&blocked("403", 2)), Next::Shut("403".into()), later);
    let resumed = lane.mend(|_| true, |_| true, |_| true);
    assert_eq!(resumed.iter().map(|one| one.state).collect::<Vec<_>>(), [DeliveryState::Unknown]);
    assert_eq!(sent(&mut lane, later).unwrap().state, DeliveryState::Unknown, "it is asked for first");
}

#[test]
fn an_outage_holds_everything_pending_and_alarms_nobody() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11)]);
    let delivery = sent(&mut lane, now).unwrap();
    let turn = lane.finished(delivery, None, Next::Away, now);
    assert!(turn.alarm.is_none() && turn.settlements.is_empty());
    assert_eq!(lane.enqueue(ban(3, 12), None), None);
    assert!(sent(&mut lane, now).is_none());
    let _ = lane.mend(|_| true, |_| true, |_| true);
    assert_eq!(ids(&mut lane, now), [1, 2, 3]);
}

#[test]
fn what_was_mended_while_a_refusal_was_on_its_way_is_tried_once_more() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let delivery = sent(&mut lane, now).unwrap();
    assert_eq!(lane.mend(|_| true, |_| true, |_| true), []);
    let turn = lane.finished(delivery, Some(&blocked("403", 1)), Next::Shut("403".into()), now);
    assert_eq!(turn.alarm, None);
    assert_eq!(turn.resumed.iter().map(|one| one.id.get()).collect::<Vec<_>>(), [1], "it is not blocked");
    assert_eq!(ids(&mut lane, now + Duration::from_secs(1)), [1]);
}

#[test]
fn fault_11_a_spent_budget_of_bans_of_non_members_holds_those_bans_and_nothing_else() {
    let mut now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11), delivery(3, 12, Action::Unban), ban(4, 13)]);
    let (mut alarms, mut tried) = (0, Vec::new());
    while let Some(delivery) = sent(&mut lane, now) {
        tried.push(delivery.id.get());
        let next = match delivery.id.get() {
            // A member's ban goes through all the time.
            3 | 4 => Next::Forward,
            _ => Next::Defer("spent".into()),
        };
        alarms += u32::from(lane.finished(delivery, None, next, now).alarm.is_some());
    }
    assert_eq!((tried, alarms), (vec![1, 2, 3, 4], 1));
    assert!(!lane.is_moving() && !lane.is_idle());
    // An hour later one probes for all, in vain.
    let Pick::Wait(at) = lane.pick_one(now, open) else { panic!("not waited for") };
    assert_eq!(at - now, NON_MEMBER_WAIT);
    now = at;
    let probe = sent(&mut lane, now).unwrap();
    lane.finished(probe, None, Next::Defer("spent".into()), now);
    assert!(sent(&mut lane, now).is_none(), "one request an hour");
    // And then with success: the others follow at once.
    now += NON_MEMBER_WAIT;
    let mut rest = ids(&mut lane, now);
    rest.sort_unstable();
    assert_eq!(rest, [1, 2]);
    assert!(lane.is_idle());
}

#[test]
fn an_operator_s_retry_waits_for_nothing() {
    let now = Instant::now();
    let wanted = |id: u64| HashSet::from([DeliveryId::new(id).unwrap()]);
    // One that waits after a failure.
    let mut slow = lane([ban(1, 10)]);
    let delivery = sent(&mut slow, now).unwrap();
    slow.finished(delivery, None, Next::Failed("500".into()), now);
    assert_eq!(slow.retry(&wanted(9)), []);
    assert!(sent(&mut slow, now).is_none(), "not this one");
    assert_eq!(slow.retry(&wanted(1)), []);
    assert_eq!(ids(&mut slow, now), [1]);
    // One in a blocked guild: whether it is mended shows for all.
    let mut shut = lane([ban(1, 10), ban(2, 11)]);
    let delivery = sent(&mut shut, now).unwrap();
    shut.finished(delivery, None, Next::Shut("403".into()), now);
    assert_eq!(shut.retry(&wanted(2)).len(), 2);
    assert_eq!(ids(&mut shut, now), [1, 2]);
    // One that is parked, and one that is deferred.
    let mut parked = lane([ban(1, 10), ban(2, 11), ban(3, 12)]);
    for next in [Next::Park("above".into()), Next::Defer("spent".into()), Next::Park("above".into())] {
        let delivery = sent(&mut parked, now).unwrap();
        parked.finished(delivery, None, next, now);
    }
    assert_eq!(parked.retry(&wanted(2)), []);
    assert_eq!(ids(&mut parked, now), [2]);
    assert_eq!(parked.retry(&wanted(3)).len(), 1);
    assert_eq!(ids(&mut parked, now), [3]);
}

#[test]
fn fault_3_what_is_to_be_asked_for_waits_until_it_may_be_asked() {
    let now = Instant::now();
    let later = now + Duration::from_secs(1_337);
    let guild = GuildId::new(2).unwrap();
    let mut lane = lane([Queued { state: DeliveryState::Unknown, ..ban(1, 10) }, ban(2, 11)]);
    let opens = |route: Route| (route == Rest::banned_route(guild)).then_some(later);
    let Pick::Send(other) = lane.pick_one(now, opens) else { panic!("nothing goes") };
    assert_eq!(other.id.get(), 2);
    lane.finished(*other, None, Next::Forward, now);
    let Pick::Wait(at) = lane.pick_one(now, opens) else { panic!("tried while it cannot be asked") };
    assert_eq!(at, later);
}

#[test]
fn what_is_asked_for_twice_is_verified_where_the_first_got_no_answer() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10)]);
    let first = sent(&mut lane, now).unwrap();
    lane.enqueue(ban(1, 10), None);
    let lost =
        Settlement { state: DeliveryState::Unknown, reason: None, attempts: 1, wait: None, was_there: None };
    lane.finished(first, Some(&lost), Next::Failed("lost".into()), now);
    let second = sent(&mut lane, now + Duration::from_secs(9)).unwrap();
    assert_eq!((second.state, second.attempts), (DeliveryState::Unknown, 1));
}

#[test]
fn what_was_mended_goes_in_the_order_in_which_it_was_decided() {
    let now = Instant::now();
    let mut lane = lane([ban(1, 10), ban(2, 11), ban(3, 12)]);
    for next in [Next::Defer("spent".into()), Next::Shut("403".into())] {
        let delivery = sent(&mut lane, now).unwrap();
        lane.finished(delivery, None, next, now);
    }
    let _ = lane.mend(|_| true, |_| true, |_| true);
    assert_eq!(ids(&mut lane, now), [1, 2, 3]);
}
