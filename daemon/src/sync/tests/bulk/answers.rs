//! What Discord answers to a bulk ban, or does not.

use super::*;
use crate::store::NewPunishment;
use crate::sync::record::{AtOrigin, record};
use crate::testing::asked;
use wayhaven_shared::operations::punishment::{Action, Origin};
use wayhaven_shared::value::Untrusted;

fn refused(child: u64, status: u16, code: u32) -> Fault {
    Fault::Answer { at: bulk(child).times(1), status, code, message: "No".into() }
}

/// Whom the bot has asked about, one by one.
fn questions(sandbox: &Sandbox, guild: u64) -> Vec<u64> {
    let log = sandbox.log().into_iter();
    let asked = log.filter(|one| one.method == "GET" && one.route.ends_with("/bans/{user_id}"));
    asked.filter(|one| one.guild == Some(guild)).filter_map(|one| one.user).collect()
}

#[tokio::test]
async fn an_entry_before_the_answer_is_of_ours_though_the_ban_was_taken_back_meanwhile() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    let before = sandbox.inject(Fault::Hang { at: bulk(child).times(1) });
    let answer = sandbox.inject(Fault::HangAfterHeaders { at: bulk(child).times(1) });
    sandbox.clear(hang);
    let left = move |sandbox: &wayhaven_sandbox::Discord| sandbox.effects_in(child).len() == 2;
    sandbox.wait_until(left, PATIENCE).await.unwrap();
    let undone = test.unban(main, victims[0]).await;
    assert_eq!(test.delivery(ids[0], child).await.state, Superseded);
    sandbox.clear(before);
    let heard = format!(
        "SELECT count(DISTINCT user_id) FROM audit_entries WHERE guild_id = {child} AND user_id IN ({}, {}, {})",
        victims[0], victims[1], victims[2]
    );
    test.until("their entries", move |view| view.number(&heard).unwrap() == 3).await;
    sandbox.clear(answer);
    test.until_counted(undone, Applied, 1).await;
    assert!(!sandbox.is_banned(child, victims[0]));
}

#[tokio::test]
async fn of_a_mixed_batch_each_has_its_own_outcome() {
    // Discord's limits are on: one non-member may be banned a day, besides the one that goes before.
    let limited = Options { children: 1, non_member_bans: 2, ..options() };
    let sandbox = Sandbox::start(limited).await.unwrap();
    let test = TestDaemon::start_with(&sandbox, |settings| settings.discord.requests_per_second = 49).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (above, member) = (sandbox.child_moderator(child), sandbox.members(child)[0]);
    sandbox.people().move_role(child, sandbox.role(child, "Moderator"), 1_000).unwrap();
    let already = *sandbox.members(child).iter().find(|one| ![above, member].contains(one)).unwrap();
    sandbox.people().ban(child, sandbox.owner(), already, Some("their own")).unwrap();
    let hang = held_up(&sandbox, &test, child).await;
    let [outside, spent] = strangers(&sandbox);
    // In the main bans are made by hand, where nobody counts non-members for people.
    let mut ids = Vec::new();
    for victim in [outside, spent, already, above, member] {
        let stored = test.systems.services.store().write(move |change| {
            let new = NewPunishment::new(guild(main), user(victim), Action::Ban, Origin::Guild);
            Ok(record(change, &new, AtOrigin::Done)?.punishment.id)
        });
        ids.push(stored.await.unwrap());
    }
    sandbox.clear(hang);
    for (id, state) in ids.iter().zip([Applied, Pending, Applied, DeliveryState::Blocked, Applied]) {
        test.until_counted(*id, state, 1).await;
    }
    let deferred = test.delivery(ids[1], child);
    assert!(deferred.await.reason.is_some_and(|reason| reason.contains("non-members")));
    let blocked = test.delivery(ids[3], child).await;
    assert_eq!(blocked.reason.as_deref(), Some("403 the user ranks above the bot"));
    assert!(sandbox.is_banned(child, outside) && sandbox.is_banned(child, member));
    let mut asked = questions(&sandbox, child);
    asked.sort_unstable();
    let mut failed = [spent, already, above];
    failed.sort_unstable();
    assert_eq!(asked, failed, "each of those who failed, once");
    let puts = requests(&sandbox, child).into_iter().skip(1).filter(|(together, ..)| !together);
    assert_eq!(
        puts.filter(|(_, users, _)| users[0] == already).count(),
        0,
        "who is banned is not banned again"
    );
}

#[tokio::test]
async fn where_all_were_banned_already_that_is_success() {
    for status in [400, 500] {
        let sandbox = sandbox(1).await;
        let guesses = wayhaven_sandbox::Guesses { bulk_ban_failed: status, ..Default::default() };
        let changes = Changes { guesses: Some(guesses), ..Default::default() };
        sandbox.reconfigure(changes).unwrap();
        let test = TestDaemon::start(&sandbox).await;
        let child = sandbox.children()[0];
        let (hang, victims, ids) = three(&sandbox, &test, child).await;
        for victim in victims {
            sandbox.people().ban(child, sandbox.owner(), victim, None).unwrap();
        }
        sandbox.clear(hang);
        until_all(&test, &ids, Applied, 1).await;
        assert_eq!(requests(&sandbox, child)[1..], [(true, victims.to_vec(), status)]);
        assert_eq!(questions(&sandbox, child), victims);
        assert_eq!(known_ours(&test, child, &victims).await, 0);
        assert!(test.alerts().await.is_empty());
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_found_out_without_banning_anybody_twice() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    sandbox.inject(Fault::CutAfter { at: bulk(child).times(1) });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let all = victims.to_vec();
    assert_eq!(requests(&sandbox, child)[1..], [(true, all.clone(), 0), (true, all.clone(), 400)]);
    assert_eq!(questions(&sandbox, child), all);
    // It may have been ours, so an undo takes it back.
    let unban = test.unban(sandbox.main_guild(), victims[1]).await;
    test.until_counted(unban, Applied, 1).await;
}

#[tokio::test]
async fn a_request_that_was_lost_goes_again_as_one() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    sandbox.inject(Fault::CutBefore { at: bulk(child).times(1) });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let all = victims.to_vec();
    assert_eq!(requests(&sandbox, child)[1..], [(true, all.clone(), 0), (true, all, 200)]);
    assert_eq!(questions(&sandbox, child), Vec::<u64>::new());
    assert_eq!(known_ours(&test, child, &victims).await, 3);
}

#[tokio::test]
async fn what_is_lost_again_and_again_is_asked_for_one_by_one() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    let lost = Fault::Answer { at: bulk(child), status: 502, code: 0, message: String::new() };
    sandbox.inject(lost);
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let told = requests(&sandbox, child);
    let kinds: Vec<bool> = told[1..].iter().map(|(together, ..)| *together).collect();
    assert_eq!(kinds, [true, true, false, false, false]);
    assert_eq!(questions(&sandbox, child), victims);
}

#[tokio::test]
async fn a_bulk_ban_that_is_refused_as_a_whole_is_tried_one_by_one() {
    for (status, code) in [(400, 30035), (400, 500_000), (404, 10013)] {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let child = sandbox.children()[0];
        let (hang, victims, ids) = three(&sandbox, &test, child).await;
        sandbox.inject(refused(child, status, code));
        sandbox.clear(hang);
        until_all(&test, &ids, Applied, 1).await;
        let told = requests(&sandbox, child);
        assert_eq!(told[1], (true, victims.to_vec(), status));
        assert_eq!(told[2..], victims.map(|victim| (false, vec![victim], 204)), "{code}");
        assert!(test.alerts().await.is_empty());
    }
}

#[tokio::test]
async fn a_guild_that_takes_no_bulk_ban_gets_single_ones_until_it_is_mended() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    sandbox.inject(Fault::Answer { at: bulk(child), status: 403, code: 50013, message: "No".into() });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let (hang, more, ids) = three(&sandbox, &test, child).await;
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let together = requests(&sandbox, child).into_iter().filter(|(together, ..)| *together);
    assert_eq!(together.count(), 1, "it is refused once, and not again with every raid");
    assert!(victims.iter().chain(&more).all(|victim| sandbox.is_banned(child, *victim)));
    assert!(test.alerts().await.is_empty(), "all was done");
    assert_eq!(questions(&sandbox, child), Vec::<u64>::new(), "nobody is in question");
}

#[tokio::test]
async fn a_limit_of_bulk_bans_is_waited_for_and_not_gone_around() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = three(&sandbox, &test, child).await;
    let at = bulk(child).times(1);
    sandbox.inject(Fault::RateLimit { at, scope: Scope::User, retry_after: 0.5, headers: None });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let all = victims.to_vec();
    assert_eq!(requests(&sandbox, child)[1..], [(true, all.clone(), 429), (true, all, 200)]);
    let tries = sandbox.effects_in(child);
    assert!(tries[2].at - tries[1].at >= Duration::from_millis(500));
}

#[tokio::test]
async fn a_reason_that_is_too_long_for_a_bulk_ban_is_sent_shorter() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let hang = held_up(&sandbox, &test, child).await;
    let reason = "щ".repeat(400);
    let victims: [u64; 3] = strangers(&sandbox);
    sandbox.people().bulk_ban(main, sandbox.admin(), &victims, Some(&reason)).unwrap();
    let mut ids = Vec::new();
    for victim in victims {
        ids.push(test.punishment(victim, 1).await);
    }
    sandbox.inject(refused(child, 400, 50035));
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    let sent = sandbox.effects_in(child);
    let lengths: Vec<_> = sent[1..].iter().map(|one| one.reason.as_ref().unwrap().chars().count()).collect();
    assert_eq!(lengths, [400, 512 / 6]);
    assert!(sent[2].users.len() == 3 && sent[2].status == 200);
}

/// Three bans for that reason that leave together as soon as the fault is cleared, in a child whose events are lost.
async fn unheard(
    sandbox: &Sandbox,
    test: &TestDaemon,
    reason: Option<&str>,
) -> (FaultId, [u64; 3], Vec<PunishmentId>) {
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    // The start's own reading of the log would hear of them.
    test.until_ready().await;
    let hang = held_up(sandbox, test, child).await;
    let victims = strangers(sandbox);
    let mut ids = Vec::new();
    for victim in victims {
        let ban = Ban { reason: reason.map(Untrusted::clipped), ..Ban::new(user(victim)) };
        ids.push(asked(test, main, ban, false).await.unwrap().punishment.unwrap().id);
    }
    until_in_lanes(test, &ids).await;
    sandbox.inject(Fault::Events { name: None, guild: Some(child), times: None, fate: EventFate::Drop });
    (hang, victims, ids)
}

/// What becomes of an unban in the child, once Discord's log has followed its answers.
async fn undone(sandbox: &Sandbox, test: &TestDaemon, whom: u64) -> DeliveryState {
    test.advance(sandbox, "10s").await;
    let unban = test.unban(sandbox.main_guild(), whom).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    test.delivery(unban, sandbox.children()[0]).await.state
}

#[tokio::test]
async fn bans_whose_answer_and_entries_were_lost_are_found_in_the_log_and_taken_back() {
    for reason in
        [None, Some("a raid"), Some("\u{e4}".repeat(400).as_str()), Some("\u{200b}"), Some(" a\n\traid ")]
    {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let child = sandbox.children()[0];
        let (hang, victims, ids) = unheard(&sandbox, &test, reason).await;
        sandbox.inject(Fault::CutAfter { at: bulk(child).times(1) });
        sandbox.clear(hang);
        until_all(&test, &ids, Applied, 1).await;
        assert_eq!(known_ours(&test, child, &victims).await, 0, "nothing has told so");
        assert_eq!(undone(&sandbox, &test, victims[0]).await, Applied, "{reason:?}");
        assert!(!sandbox.is_banned(child, victims[0]));
    }
}

#[tokio::test]
async fn an_entry_that_names_nobody_is_not_ours_where_no_bulk_ban_of_ours_was_on_its_way() {
    for lost in [false, true] {
        let sandbox = sandbox(1).await;
        let test = TestDaemon::start(&sandbox).await;
        let child = sandbox.children()[0];
        let (hang, victims, ids) = unheard(&sandbox, &test, None).await;
        if lost {
            // Lost before it was done, and the staff's own bulk ban comes a second later.
            sandbox.inject(Fault::CutBefore { at: bulk(child).times(1) });
            sandbox.clear(hang);
            until_all(&test, &ids, DeliveryState::Unknown, 1).await;
            sandbox.advance(Duration::from_secs(1));
        }
        // Ours finds them banned, and has every answer.
        sandbox.people().bulk_ban(child, sandbox.owner(), &victims, None).unwrap();
        sandbox.clear(hang);
        until_all(&test, &ids, Applied, 1).await;
        assert_eq!(undone(&sandbox, &test, victims[0]).await, Skipped, "lost: {lost}");
        assert!(sandbox.is_banned(child, victims[0]), "in doubt nothing is undone");
    }
}

#[tokio::test]
async fn an_entry_that_names_nobody_is_not_ours_where_it_gives_another_reason_or_is_one_of_two() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (hang, victims, ids) = unheard(&sandbox, &test, Some("a raid")).await;
    let (owner, people) = (sandbox.owner(), sandbox.people());
    people.bulk_ban(child, owner, &victims[..1], Some("theirs")).unwrap();
    people.bulk_ban(child, owner, &victims[1..2], Some("a raid")).unwrap();
    people.unban(child, owner, victims[1], None).unwrap();
    sandbox.inject(Fault::CutAfter { at: bulk(child).times(1) });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    for (at, state) in [(0, Skipped), (1, Skipped), (2, Applied)] {
        assert_eq!(undone(&sandbox, &test, victims[at]).await, state, "{at}");
    }
}

#[tokio::test]
async fn a_log_that_shows_one_page_at_a_time_is_asked_for_both_kinds_of_entries() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (hang, victims, ids) = unheard(&sandbox, &test, Some("a raid")).await;
    sandbox.inject(Fault::CutAfter { at: bulk(child).times(1) });
    sandbox.clear(hang);
    until_all(&test, &ids, Applied, 1).await;
    test.advance(&sandbox, "10s").await;
    let window = RouteWindow { bucket: "audit-logs".into(), guild: Some(child), limit: 1, seconds: 1 };
    let slow = Changes { global_limit: Some(1_000), windows: Some(vec![window]), ..Changes::default() };
    sandbox.reconfigure(slow).unwrap();
    let before = sandbox.log().len();
    let unban = test.unban(main, victims[0]).await;
    test.until_counted(unban, Applied, 1).await;
    assert!(!sandbox.is_banned(child, victims[0]));
    let of_log = |one: &&wayhaven_sandbox::record::Recorded| {
        one.guild == Some(child) && one.route.ends_with("/audit-logs") && one.status == 200
    };
    let asked = sandbox.log()[before..].iter().filter(of_log).count();
    assert_eq!(asked, 2, "ours by name, and those that name nobody");
}
