//! What was there before us is never undone by us.

use super::hand::{by_hand, muted, request, set_mute_roles, until_settled};
use crate::discord::event::{Deed, Entry, GatewayEvent};
use crate::invocation::Invocation;
use crate::store::View;
use crate::testing::{TestDaemon, by_operator, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::{Changes, EventFate, Fault, Options, RouteWindow, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::Reply;
use wayhaven_shared::operations::ban::Unban;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};
use wayhaven_shared::value::PunishmentId;

const LOG: &str = "/guilds/{guild_id}/audit-logs";
const HOUR: Duration = Duration::from_secs(3_600);
const LATER: &str = "10s";

/// Has something done by an operator of the main, and waits until it is.
async fn done(sandbox: &Sandbox, test: &TestDaemon, whom: u64, action: Action, count: usize) -> PunishmentId {
    let request = request(user(whom), action);
    test.ask(by_operator(Role::Owner, Some(sandbox.main_guild()), request)).await.unwrap();
    until_settled(test, whom, count).await;
    test.punishment(whom, count).await
}

/// How often a guild's log was asked what we did there.
fn asked(sandbox: &Sandbox, of: u64) -> usize {
    let about_us = |query: &[(String, String)]| query.iter().any(|(name, _)| name == "user_id");
    let log = sandbox.log();
    log.iter()
        .filter(|request| request.route == LOG && request.guild == Some(of) && about_us(&request.query))
        .count()
}

/// A guild's events of that name are lost from now on.
fn lose(sandbox: &Sandbox, of: u64, name: Option<&str>) -> u64 {
    let name = name.map(str::to_owned);
    sandbox.inject(Fault::Events { name, guild: Some(of), times: None, fate: EventFate::Drop })
}

/// Whatever came of a guild so far is taken in: this ban of its own staff came behind it.
async fn until_heard(sandbox: &Sandbox, test: &TestDaemon, of: u64) {
    let marker = sandbox.stranger();
    sandbox.people().ban(of, sandbox.owner(), marker, None).unwrap();
    test.until("a marker", move |view| view.is_done_locally(guild(of), user(marker), Action::Ban).unwrap())
        .await;
}

#[tokio::test]
async fn what_stood_before_the_link_or_the_bot_came_is_not_taken_back() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (before, after) = (sandbox.children()[0], sandbox.children()[1]);
    let people = sandbox.people();
    for (does, undoes) in
        [(Action::Ban, Action::Unban), (Action::Mute, Action::Unmute), (Action::Timeout, Action::Untimeout)]
    {
        let victim = sandbox.stranger();
        for place in [sandbox.main_guild(), before, after] {
            people.had_joined(place, victim).unwrap();
        }
        match does {
            Action::Ban => people.had_banned(before, victim, None).unwrap(),
            Action::Mute => people.had_given_role(before, victim, muted(&sandbox, before)).unwrap(),
            _ => people.had_timed_out(before, victim, 2 * HOUR).unwrap(),
        }
        let punished = done(&sandbox, &test, victim, does, 1).await;
        test.until_counted(punished, DeliveryState::Applied, 2).await;
        for child in [before, after] {
            until_heard(&sandbox, &test, child).await;
        }
        // Discord's log may follow its answer by a moment, which is over.
        test.advance(&sandbox, LATER).await;
        let undone = done(&sandbox, &test, victim, undoes, 2).await;
        let here = test.delivery(undone, before).await;
        let why = match does {
            Action::Timeout => "timed out there by its own staff".to_owned(),
            _ => format!("they were {} there already", does.past()),
        };
        assert_eq!((here.state, here.reason), (DeliveryState::Skipped, Some(why)), "{does}");
        assert_eq!(test.delivery(undone, after).await.state, DeliveryState::Applied, "{does}");
        let stands = match does {
            Action::Ban => sandbox.is_banned(before, victim) && !sandbox.is_banned(after, victim),
            Action::Mute => {
                let roles = |of: u64| sandbox.member(of, victim)["roles"].as_array().unwrap().len();
                (roles(before), roles(after)) == (1, 0)
            }
            _ => {
                let ends = |of: u64| sandbox.member(of, victim)["communication_disabled_until"].is_string();
                ends(before) && !ends(after)
            }
        };
        assert!(stands, "{does}");
    }
    assert_eq!(asked(&sandbox, after), 0, "what Discord has told is not asked for");
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn a_cause_of_the_staffs_that_has_ended_counts_no_more() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for place in [main, child] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    sandbox.people().had_timed_out(child, victim, HOUR / 2).unwrap();
    done(&sandbox, &test, victim, Action::Timeout, 1).await;
    test.until("the staff's own", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Timeout).unwrap()
    })
    .await;
    test.advance(&sandbox, "40m").await;
    let undone = done(&sandbox, &test, victim, Action::Untimeout, 2).await;
    assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Applied);
    assert!(sandbox.member(child, victim)["communication_disabled_until"].is_null());
}

#[tokio::test]
async fn where_no_echo_came_discord_is_asked_once_and_the_preview_says_so() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let lost = lose(&sandbox, child, None);
    for (does, undoes) in
        [(Action::Ban, Action::Unban), (Action::Mute, Action::Unmute), (Action::Timeout, Action::Untimeout)]
    {
        let (victim, before) = (sandbox.stranger(), asked(&sandbox, child));
        for place in [main, child] {
            sandbox.people().had_joined(place, victim).unwrap();
        }
        done(&sandbox, &test, victim, does, 1).await;
        let ask = Invocation {
            dry_run: true,
            ..by_operator(Role::Operator, Some(main), request(user(victim), undoes))
        };
        let plan = match test.ask(ask).await.unwrap() {
            Reply::Unban(preview) | Reply::Unmute(preview) | Reply::Untimeout(preview) => preview.plan,
            other => panic!("{other:?}"),
        };
        let planned = (plan[0].state, plan[0].reason.as_deref());
        let expected = (DeliveryState::Pending, Some("Discord is asked first whether Wayhaven did it"));
        assert_eq!(planned, expected, "{does}");
        let undone = done(&sandbox, &test, victim, undoes, 2).await;
        assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Applied, "{does}");
        assert_eq!(asked(&sandbox, child), before + 1, "{does}");
    }
    sandbox.clear(lost);
}

#[tokio::test]
async fn where_nobody_can_tell_whose_it_is_nothing_is_taken_back() {
    let view_audit_log = crate::discord::directory::VIEW_AUDIT_LOG;
    let options = Options {
        children: 1,
        global_limit: 0,
        without_permission: vec![(0, view_audit_log)],
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (quiet, gone) = (sandbox.stranger(), sandbox.stranger());
    for place in [main, child] {
        sandbox.people().had_joined(place, quiet).unwrap();
    }
    done(&sandbox, &test, quiet, Action::Mute, 1).await;
    let undone = done(&sandbox, &test, quiet, Action::Unmute, 2).await;
    let left = test.delivery(undone, child).await;
    let why =
        "whether Wayhaven has muted them there is not known: the bot may not view the guild's audit log";
    assert_eq!((left.state, left.reason.as_deref()), (DeliveryState::Skipped, Some(why)));
    assert_eq!(sandbox.member(child, quiet)["roles"].as_array().unwrap().len(), 1);
    assert_eq!(asked(&sandbox, child), 0, "a refusal that is foreseen is not asked for");

    // Of a ban an event tells.
    done(&sandbox, &test, gone, Action::Ban, 1).await;
    until_heard(&sandbox, &test, child).await;
    let undone = done(&sandbox, &test, gone, Action::Unban, 2).await;
    assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Applied);
    assert!(!sandbox.is_banned(child, gone));

    // And of one that its staff make later, where ours was.
    done(&sandbox, &test, gone, Action::Ban, 3).await;
    until_heard(&sandbox, &test, child).await;
    let staff = sandbox.child_moderator(child);
    sandbox.people().unban(child, staff, gone, None).unwrap();
    sandbox.people().ban(child, staff, gone, None).unwrap();
    test.until("the staff's own", move |view| {
        view.is_done_locally(guild(child), user(gone), Action::Ban).unwrap()
    })
    .await;
    let undone = done(&sandbox, &test, gone, Action::Unban, 4).await;
    assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Skipped);
    assert!(sandbox.is_banned(child, gone));
}

#[tokio::test]
async fn what_the_staff_lifted_is_ours_no_more_whoever_did_it_again() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    done(&sandbox, &test, victim, Action::Ban, 1).await;
    sandbox.people().unban(child, sandbox.child_moderator(child), victim, None).unwrap();
    until_heard(&sandbox, &test, child).await;
    let end_exception = async || {
        // That the guild does not apply it to them any more is another reason, and another test's.
        let ended = test
            .systems
            .services
            .store()
            .write(move |change| Ok(change.end_exception(guild(child), user(victim), Action::Ban)?));
        assert!(ended.await.unwrap().is_some());
    };
    end_exception().await;
    sandbox.people().had_banned(child, victim, None).unwrap();
    let undone = done(&sandbox, &test, victim, Action::Unban, 2).await;
    let left = test.delivery(undone, child).await;
    let why = Some("Wayhaven has not banned them there".to_owned());
    assert_eq!((left.state, left.reason), (DeliveryState::Skipped, why));

    // Banned by us again it is ours again.
    sandbox.people().unban(child, sandbox.child_moderator(child), victim, None).unwrap();
    until_heard(&sandbox, &test, child).await;
    done(&sandbox, &test, victim, Action::Ban, 3).await;
    until_heard(&sandbox, &test, child).await;
    let undone = done(&sandbox, &test, victim, Action::Unban, 4).await;
    assert_eq!(test.delivery(undone, child).await.state, DeliveryState::Applied);
    assert!(!sandbox.is_banned(child, victim));
}

/// Hands on an entry that names nobody, as Discord's entries of bulk bans do.
async fn tell_of_bulk_ban(test: &TestDaemon, of: u64, whom: u64) {
    let entry = Entry {
        guild: guild(of),
        id: test.systems.services.clock().now().first_snowflake(),
        user: user(whom),
        actor: None,
        reason: None,
        deed: Deed::Done(Action::Ban),
        integration: None,
        of_bot: Some(false),
    };
    let ingest = &test.systems.ingest;
    let taken = ingest.take(GatewayEvent::Entry(entry)).await;
    ingest.follow(taken.committed().await);
}

#[tokio::test]
async fn an_entry_without_an_actor_that_our_own_ban_explains_is_ours_and_a_later_one_is_not() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let lost = [main, child].map(|of| lose(&sandbox, of, None));
    done(&sandbox, &test, victim, Action::Ban, 1).await;
    tell_of_bulk_ban(&test, main, victim).await;
    tell_of_bulk_ban(&test, child, victim).await;
    for fault in lost {
        sandbox.clear(fault);
    }
    test.punishment(victim, 1).await;
    let contained = |change: &Change| matches!(change, Change::Contained { .. });
    assert!(!test.told().await.iter().any(contained));
    done(&sandbox, &test, victim, Action::Unban, 2).await;
    assert!(!sandbox.is_banned(child, victim) && asked(&sandbox, child) == 0, "it was known as ours");

    // Now the main's staff, and then the child's, ban many at once.
    sandbox.people().bulk_ban(main, sandbox.owner(), &[victim], None).unwrap();
    let id = test.punishment(victim, 3).await;
    until_settled(&test, victim, 3).await;
    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!((stored.action, stored.moderator_id), (Action::Ban, None));
    by_hand(&sandbox, child, sandbox.owner(), victim, Action::Unban).unwrap();
    sandbox.people().bulk_ban(child, sandbox.owner(), &[victim], None).unwrap();
    test.until("the child's own", move |view| {
        view.is_done_locally(guild(child), user(victim), Action::Ban).unwrap()
    })
    .await;
    let request = Unban { user: user(victim), reason: None }.into();
    test.ask(by_operator(Role::Owner, Some(main), request)).await.unwrap();
    until_settled(&test, victim, 4).await;
    assert!(sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn a_long_log_that_opens_now_and_then_is_read_to_its_end() {
    let options = Options { children: 1, global_limit: 0, audit_log_by_target: false, ..Options::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    // None of these is known to be ours before the log says so, and the last one's entry is on its third page.
    lose(&sandbox, child, None);
    let mut last = (sandbox.stranger(), test.ban(main, sandbox.stranger()).await);
    for _ in 0..220 {
        let victim = sandbox.stranger();
        last = (victim, test.ban(main, victim).await);
    }
    test.until_counted(last.1, DeliveryState::Applied, 1).await;
    test.systems.engine.drain().await;
    test.advance(&sandbox, LATER).await;
    // A page a second: whoever begins anew each time never comes to the third.
    let window = RouteWindow { bucket: "audit-logs".into(), guild: Some(child), limit: 1, seconds: 1 };
    let slow = Changes { global_limit: Some(1_000), windows: Some(vec![window]), ..Changes::default() };
    sandbox.reconfigure(slow).unwrap();
    let undone = test.unban(main, last.0).await;
    test.until_counted(undone, DeliveryState::Applied, 1).await;
    assert!(!sandbox.is_banned(child, last.0));
    assert_eq!(asked(&sandbox, child), 3, "each page once");
}

#[tokio::test]
async fn an_entry_of_what_was_taken_back_since_is_none_of_what_stands() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    let first = test.ban(main, victim).await;
    test.until_counted(first, DeliveryState::Applied, 1).await;
    until_heard(&sandbox, &test, child).await;
    let undone = test.unban(main, victim).await;
    test.until_counted(undone, DeliveryState::Applied, 1).await;
    until_heard(&sandbox, &test, child).await;
    // Their own staff's ban is not heard of, and so the next of ours changes nothing.
    lose(&sandbox, child, None);
    sandbox.people().ban(child, sandbox.owner(), victim, None).unwrap();
    let second = test.ban(main, victim).await;
    test.until_counted(second, DeliveryState::Applied, 1).await;
    test.advance(&sandbox, LATER).await;
    let last = test.unban(main, victim).await;
    test.systems.engine.drain().await;
    test.systems.services.store().write(|_| Ok(())).await.unwrap();
    assert!(sandbox.is_banned(child, victim), "it is theirs");
    assert_eq!(test.delivery(last, child).await.state, DeliveryState::Skipped);
}

/// A main's ban and unban of somebody about whom the child's staff have nothing to say any more.
async fn comes_and_goes(sandbox: &Sandbox, test: &TestDaemon, victim: u64) {
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    test.ban(main, victim).await;
    test.settled().await;
    assert!(sandbox.is_banned(child, victim));
    let unban = test.unban(main, victim).await;
    test.settled().await;
    assert_eq!(test.delivery(unban, child).await.reason, None);
    assert!(!sandbox.is_banned(child, victim));
}

#[tokio::test]
async fn what_the_log_tells_late_of_the_staff_is_no_cause_where_the_guild_has_taken_it_back_by_command() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    let lost = lose(&sandbox, child, None);
    sandbox.people().ban(child, sandbox.owner(), victim, None).unwrap();
    test.unban(child, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
    // Behind all of it in the log that the next one reads.
    let marker = sandbox.stranger();
    sandbox.people().ban(child, sandbox.owner(), marker, None).unwrap();
    let home = test.home();
    drop(test);
    sandbox.clear(lost);
    let next = TestDaemon::start_at(&sandbox, home).await;
    next.until_ready().await;
    let read = move |view: &View<'_>| view.is_done_locally(guild(child), user(marker), Action::Ban).unwrap();
    next.until("the log", read).await;
    comes_and_goes(&sandbox, &next, victim).await;
}

#[tokio::test]
async fn an_entry_of_the_staffs_that_comes_behind_our_undo_is_no_cause() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    let name = Some("GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned());
    let fate = EventFate::After(Duration::from_secs(2));
    sandbox.inject(Fault::Events { name, guild: Some(child), times: Some(1), fate });
    sandbox.people().ban(child, sandbox.owner(), victim, None).unwrap();
    test.unban(child, victim).await;
    test.settled().await;
    assert!(!sandbox.is_banned(child, victim));
    test.until_audited("their ban", move |row| row.surface == "gateway" && row.operation == "ban").await;
    comes_and_goes(&sandbox, &test, victim).await;
}
