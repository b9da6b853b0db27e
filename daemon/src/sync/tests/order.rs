//! The order in the main wins in every child, whatever the way there does to events (FAULTS 14, 15).

use super::hand::{by_hand, muted, request, set_mute_roles};
use crate::testing::{TestDaemon, by_operator, sandbox, user};
use std::sync::Arc;
use std::time::Duration;
use wayhaven_sandbox::{EventFate, Fault, FaultId, Sandbox};
use wayhaven_shared::control::Role;
use wayhaven_shared::operations::punishment::{Action, DeliveryState};

const ENTRY: &str = "GUILD_AUDIT_LOG_ENTRY_CREATE";
const BAN_ADD: &str = "GUILD_BAN_ADD";
const BAN_REMOVE: &str = "GUILD_BAN_REMOVE";

/// What happens on the way, and to which events.
#[derive(Clone, Copy, Debug)]
enum Way {
    Fate(EventFate),
    Reversed,
}

fn trouble(sandbox: &Sandbox, way: Way, names: &[&'static str]) -> Vec<FaultId> {
    let main = Some(sandbox.main_guild());
    match way {
        Way::Fate(fate) => {
            let on = |name: &&str| Fault::Events {
                name: Some((*name).to_owned()),
                guild: main,
                times: None,
                fate,
            };
            names.iter().map(|name| sandbox.inject(on(name))).collect()
        }
        Way::Reversed => {
            let names = [ENTRY, BAN_ADD, BAN_REMOVE].map(str::to_owned).to_vec();
            vec![sandbox.inject(Fault::Order { names })]
        }
    }
}

/// Until everything that the main's people did so far is known and delivered.
async fn settle(sandbox: &Sandbox, test: &TestDaemon) {
    test.systems.engine.drain().await;
    // Whatever is held back comes now, and behind it a ban that comes as it should.
    sandbox.advance(Duration::from_secs(30));
    let marker = sandbox.stranger();
    sandbox.people().ban(sandbox.main_guild(), sandbox.moderator(), marker, None).unwrap();
    test.punishment(marker, 1).await;
    test.until_worked_off().await;
    test.systems.ingest.gaps().catch_up();
    test.systems.ingest.gaps().idle().await;
    test.until_worked_off().await;
}

#[tokio::test]
async fn fault_14_lost_doubled_reordered_and_delayed_events_come_to_the_same() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, moderator, children) = (sandbox.main_guild(), sandbox.moderator(), sandbox.children());
    let ways = [
        Way::Fate(EventFate::Drop),
        Way::Fate(EventFate::Twice),
        Way::Fate(EventFate::After(Duration::from_secs(20))),
        Way::Reversed,
    ];
    let whose: [&[&'static str]; 3] = [&[BAN_ADD, BAN_REMOVE], &[ENTRY], &[BAN_ADD, BAN_REMOVE, ENTRY]];
    for (way, names) in ways.into_iter().flat_map(|way| whose.map(|names| (way, names))) {
        let case = format!("{way:?} of {names:?}");
        let victim = sandbox.stranger();
        let faults = trouble(&sandbox, way, names);
        let before = sandbox.effect_count();
        sandbox.people().ban(main, moderator, victim, Some("why")).unwrap();
        for fault in faults {
            sandbox.clear(fault);
        }
        settle(&sandbox, &test).await;
        let id = test.punishment(victim, 1).await;
        test.until_counted(id, DeliveryState::Applied, 2).await;
        let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
        assert_eq!(stored.moderator_id, Some(user(moderator)), "{case}");
        assert_eq!(stored.reason.unwrap().raw(), "why", "{case}");
        assert_eq!(sandbox.effect_count(), before + 4, "{case}: the ban and the marker, once in each child");

        let faults = trouble(&sandbox, way, names);
        sandbox.people().unban(main, moderator, victim, None).unwrap();
        for fault in faults {
            sandbox.clear(fault);
        }
        settle(&sandbox, &test).await;
        let undo = test.punishment(victim, 2).await;
        test.until_counted(undo, DeliveryState::Applied, 2).await;
        assert_eq!(sandbox.banned_in(&children, victim), 0, "{case}");
        assert_eq!(sandbox.effect_count(), before + 8, "{case}");
    }
    assert!(test.alerts().await.is_empty());
}

/// A small generator, so that a failing run can be run again.
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

#[tokio::test]
async fn fault_15_a_thousand_interleavings_of_hands_and_commands_end_as_the_main_does() {
    let seed = std::env::var("WAYHAVEN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("WAYHAVEN_SEED={seed}");
    let mut noise = Noise(seed);
    let sandbox = sandbox(2).await;
    let test = Arc::new(TestDaemon::start(&sandbox).await);
    let (main, moderator, children) = (sandbox.main_guild(), sandbox.moderator(), sandbox.children());
    let people = sandbox.people();
    let victims: Vec<u64> = (0..1_000).map(|_| sandbox.stranger()).collect();
    // A few at a time, so that their requests and events overlap in ever other ways.
    for group in victims.chunks(50) {
        let mut commands = tokio::task::JoinSet::new();
        for victim in group.iter().copied() {
            for _ in 0..2 + noise.next(3) {
                match noise.next(4) {
                    // Where it is done already, Discord says so and nothing happens.
                    0 => drop(people.ban(main, moderator, victim, None)),
                    1 => drop(people.unban(main, moderator, victim, None)),
                    by_command => {
                        let test = Arc::clone(&test);
                        commands.spawn(async move {
                            match by_command {
                                2 => test.ban(main, victim).await,
                                _ => test.unban(main, victim).await,
                            }
                        });
                    }
                }
                if noise.next(3) == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
        while let Some(done) = commands.join_next().await {
            done.unwrap();
        }
    }
    settle(&sandbox, &test).await;
    let ends_wrong = |victim: &u64| {
        let expected = if sandbox.is_banned(main, *victim) { children.len() } else { 0 };
        sandbox.banned_in(&children, *victim) != expected
    };
    let wrong: Vec<u64> = victims.iter().copied().filter(ends_wrong).collect();
    let mut shown = Vec::new();
    for victim in wrong.iter().take(3).copied() {
        let (banned, target) = (sandbox.is_banned(main, victim), victim.to_string());
        let all = test.read(move |view| view.punishments(None, Some(user(victim)), None, 50).unwrap()).await;
        let mut deliveries = Vec::new();
        for punishment in &all {
            let id = punishment.id;
            deliveries.extend(test.read(move |view| view.deliveries_of(id).unwrap()).await);
        }
        let log: Vec<_> = sandbox
            .audit_log(main)
            .into_iter()
            .filter(|entry| entry["target_id"].as_str() == Some(target.as_str()))
            .collect();
        shown.push(format!("banned in the main: {banned}\n{all:#?}\n{deliveries:#?}\n{log:#?}"));
    }
    assert!(wrong.is_empty(), "WAYHAVEN_SEED={seed}: {} of 1,000\n{}", wrong.len(), shown.join("\n"));
    assert!(test.alerts().await.is_empty());
}

#[tokio::test]
async fn fault_15_interleavings_of_mutes_and_of_timeouts_end_as_the_main_does() {
    let seed = std::env::var("WAYHAVEN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(|| u64::from(std::process::id()) << 20 | 1);
    eprintln!("WAYHAVEN_SEED={seed}");
    let mut noise = Noise(seed);
    let sandbox = sandbox(2).await;
    let test = Arc::new(TestDaemon::start(&sandbox).await);
    set_mute_roles(&sandbox, &test).await;
    let (main, moderator, children) = (sandbox.main_guild(), sandbox.moderator(), sandbox.children());
    let pairs = [(Action::Mute, Action::Unmute), (Action::Timeout, Action::Untimeout)];
    let victims: Vec<(u64, Action)> =
        (0..200).flat_map(|_| pairs.map(|(does, _)| (sandbox.stranger(), does))).collect();
    for (victim, _) in &victims {
        for place in std::iter::once(main).chain(children.iter().copied()) {
            sandbox.people().had_joined(place, *victim).unwrap();
        }
    }
    for group in victims.chunks(50) {
        let mut commands = tokio::task::JoinSet::new();
        for (victim, does) in group.iter().copied() {
            for _ in 0..2 + noise.next(3) {
                let action = match noise.next(2) {
                    0 => does,
                    _ => does.undo().unwrap(),
                };
                if noise.next(2) == 0 {
                    by_hand(&sandbox, main, moderator, victim, action).unwrap();
                } else {
                    let test = Arc::clone(&test);
                    let asked = by_operator(Role::Owner, Some(main), request(user(victim), action));
                    commands.spawn(async move { test.ask(asked).await.map(drop) });
                }
                if noise.next(3) == 0 {
                    tokio::task::yield_now().await;
                }
            }
        }
        while let Some(done) = commands.join_next().await {
            done.unwrap().unwrap();
        }
    }
    settle(&sandbox, &test).await;
    // The role, or the end to the millisecond.
    let stands = |of: u64, victim: u64, does: Action| {
        let member = sandbox.member(of, victim);
        match does {
            Action::Mute => {
                let role = muted(&sandbox, of).to_string();
                member["roles"].as_array().unwrap().iter().any(|held| held == &role).to_string()
            }
            _ => member["communication_disabled_until"].to_string(),
        }
    };
    let mut wrong = Vec::new();
    for (victim, does) in victims {
        let here = stands(main, victim, does);
        for child in &children {
            let there = stands(*child, victim, does);
            if there != here {
                let target = victim.to_string();
                let all = test.read(move |view| view.history_of(user(victim)).unwrap()).await;
                let log: Vec<_> = sandbox
                    .audit_log(main)
                    .into_iter()
                    .filter(|entry| entry["target_id"].as_str() == Some(target.as_str()))
                    .collect();
                wrong.push(format!(
                    "{does} of {victim}: {here} in the main, {there} in {child}\n{all}\n{log:#?}"
                ));
            }
        }
    }
    let shown = wrong.iter().take(2).cloned().collect::<Vec<_>>().join("\n");
    assert!(wrong.is_empty(), "WAYHAVEN_SEED={seed}: {} of 400\n{shown}", wrong.len());
    assert!(test.alerts().await.is_empty());
}
