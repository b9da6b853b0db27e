//! What others than people do in a main: other bots, `AutoMod`, prunes; and what nobody is named for.

use super::hand::{by_hand, muted, set_mute_roles, until_settled};
use crate::discord::event::{Deed, Entry, GatewayEvent};
use crate::testing::{TestDaemon, guild, sandbox, user};
use std::time::Duration;
use wayhaven_sandbox::{At, Fault, Sandbox, permissions};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::punishment::{Action, Origin};

const USER: &str = "/users/{user_id}";

/// Another bot in the main, which may do whatever a moderator may.
fn bot(sandbox: &Sandbox) -> u64 {
    let bits = permissions::BAN_MEMBERS
        | permissions::KICK_MEMBERS
        | permissions::MODERATE_MEMBERS
        | permissions::MANAGE_ROLES;
    sandbox.people().invite_other_bot(sandbox.main_guild(), bits).unwrap()
}

/// Everything in the main before is taken in: this ban came behind it.
async fn until_heard(sandbox: &Sandbox, test: &TestDaemon) {
    let marker = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), marker, None).unwrap();
    until_settled(test, marker, 1).await;
}

async fn count(test: &TestDaemon, of: u64) -> usize {
    test.read(move |view| view.punishments(None, Some(user(of)), None, 50).unwrap().len()).await
}

fn lookups(sandbox: &Sandbox) -> usize {
    sandbox.log().iter().filter(|request| request.route == USER).count()
}

fn listen_to(test: &TestDaemon, bots: &[u64]) {
    let mut settings = (*test.systems.services.settings()).clone();
    settings.network.bots = bots.iter().copied().map(user).collect();
    test.systems.reload.put(settings);
}

#[tokio::test]
async fn what_another_bot_does_in_a_main_counts_only_where_it_is_listed() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child, bot) = (sandbox.main_guild(), sandbox.children()[0], bot(&sandbox));
    let all = [
        Action::Timeout,
        Action::Untimeout,
        Action::Mute,
        Action::Unmute,
        Action::Kick,
        Action::Ban,
        Action::Unban,
    ];
    let victims = [sandbox.stranger(), sandbox.stranger()];
    for victim in victims {
        for place in [main, child] {
            sandbox.people().had_joined(place, victim).unwrap();
        }
    }
    for action in all {
        by_hand(&sandbox, main, bot, victims[0], action).unwrap();
    }
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, victims[0]).await, 0);
    let of_bot = |change: Change| match change {
        Change::Contained { guild_id, action, user_id, by } if by == Some(user(bot)) => {
            assert_eq!((guild_id, user_id), (guild(main), user(victims[0])));
            Some(action)
        }
        _ => None,
    };
    let told: Vec<_> = test.told().await.into_iter().filter_map(of_bot).collect();
    assert_eq!(told, all.map(|action| action.word().to_owned()));
    let bots_name = bot.to_string();
    let audited = test.audit().await;
    let by_bot =
        audited.iter().filter(|row| row.actor.as_ref().is_some_and(|by| by.raw().contains(&bots_name)));
    assert_eq!(by_bot.count(), all.len());
    // The moderator of the marker, once. What the bot is came with the event of its joining.
    assert_eq!(lookups(&sandbox), 1);
    test.until_worked_off().await;
    assert_eq!(count(&test, victims[0]).await, 0, "its ban event waits for nobody either");

    listen_to(&test, &[bot]);
    for (number, action) in (1..).zip(all) {
        by_hand(&sandbox, main, bot, victims[1], action).unwrap();
        until_settled(&test, victims[1], number).await;
    }
    assert_eq!(
        sandbox.effects_in(child).iter().filter(|one| one.user == Some(victims[1])).count(),
        all.len()
    );
    listen_to(&test, &[]);
    let third = sandbox.stranger();
    by_hand(&sandbox, main, bot, third, Action::Ban).unwrap();
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, third).await, 0);
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn a_later_deed_of_another_bot_does_not_make_a_persons_ban_late() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bot, victim) = (sandbox.main_guild(), bot(&sandbox), sandbox.stranger());
    let lost = sandbox.inject(Fault::Events {
        name: None,
        guild: Some(main),
        times: None,
        fate: wayhaven_sandbox::EventFate::Drop,
    });
    by_hand(&sandbox, main, sandbox.moderator(), victim, Action::Ban).unwrap();
    sandbox.clear(lost);
    by_hand(&sandbox, main, bot, victim, Action::Unban).unwrap();
    until_heard(&sandbox, &test).await;
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    until_settled(&test, victim, 1).await;
    let child = sandbox.children()[0];
    assert!(sandbox.is_banned(child, victim), "a person's word stands against a bot that is not listed");
}

#[tokio::test]
async fn whoever_discord_does_not_tell_of_counts_as_a_person() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, victim) = (sandbox.main_guild(), sandbox.stranger());
    let at = At::route("GET", USER);
    sandbox.inject(Fault::Answer { at, status: 403, code: 50001, message: String::new() });
    by_hand(&sandbox, main, sandbox.moderator(), victim, Action::Ban).unwrap();
    until_settled(&test, victim, 1).await;
    assert!(sandbox.is_banned(sandbox.children()[0], victim));
    until_heard(&sandbox, &test).await;
    assert_eq!(lookups(&sandbox), 1, "and is not asked for again at once");
}

#[tokio::test]
async fn what_another_bot_did_while_nobody_listened_is_told_apart_by_the_log_itself() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, bot, victim) = (sandbox.main_guild(), bot(&sandbox), sandbox.stranger());
    let lost = sandbox.inject(Fault::Events {
        name: None,
        guild: Some(main),
        times: None,
        fate: wayhaven_sandbox::EventFate::Drop,
    });
    by_hand(&sandbox, main, bot, victim, Action::Ban).unwrap();
    sandbox.clear(lost);
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    assert_eq!((count(&test, victim).await, lookups(&sandbox)), (0, 0));
    assert!(test.told().await.iter().any(|change| matches!(change, Change::Contained { .. })));
}

#[tokio::test]
async fn automod_and_prunes_reach_no_child() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, victim) = (sandbox.main_guild(), sandbox.children()[0], sandbox.stranger());
    for place in [main, child] {
        sandbox.people().had_joined(place, victim).unwrap();
    }
    let people = sandbox.people();
    people.automod_timeout(main, victim, "No slurs", Duration::from_secs(600)).unwrap();
    people.prune(main, sandbox.owner(), &[victim]).unwrap();
    until_heard(&sandbox, &test).await;
    assert_eq!(count(&test, victim).await, 0);
    assert!(!sandbox.is_member(main, victim) && sandbox.is_member(child, victim));
    assert_eq!(sandbox.effect_count(), 1, "the marker");
}

#[tokio::test]
async fn fault_16_what_nobody_is_named_for_is_delivered_whatever_it_is() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    set_mute_roles(&sandbox, &test).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let now = test.systems.services.clock().now();
    let role = wayhaven_shared::value::RoleId::new(muted(&sandbox, main)).unwrap();
    let until = Some(now + "1h".parse().unwrap());
    let deeds = [
        (Action::Ban, Deed::Done(Action::Ban)),
        (Action::Kick, Deed::Done(Action::Kick)),
        (Action::Mute, Deed::Roles { added: vec![role], removed: Vec::new() }),
        (Action::Timeout, Deed::Timeout { until, before: None }),
    ];
    for (number, (action, deed)) in (0..).zip(deeds) {
        let victim = sandbox.stranger();
        sandbox.people().had_joined(child, victim).unwrap();
        let id = now.first_snowflake() + number;
        let (user_id, integration) = (user(victim), None);
        let (actor, reason, of_bot) = (None, None, Some(false));
        let entry = Entry { guild: guild(main), id, user: user_id, actor, reason, deed, integration, of_bot };
        let ingest = &test.systems.ingest;
        let taken = ingest.take(GatewayEvent::Entry(entry)).await;
        ingest.follow(taken.committed().await);
        until_settled(&test, victim, 1).await;
        let id = test.punishment(victim, 1).await;
        let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
        let known = (stored.action, stored.moderator_id, stored.origin);
        assert_eq!(known, (action, None, Origin::Guild));
        let done = sandbox.effects_in(child);
        assert_eq!(done.iter().filter(|one| one.user == Some(victim) && one.applied).count(), 1, "{action}");
    }
}
