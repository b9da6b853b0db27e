//! What the doctor finds, and what follows when it is mended.

use super::*;
use crate::testing::{TestDaemon, by_member, by_operator, guild, sandbox};
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::Operation;
use wayhaven_shared::control::Role;
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::config::{ConfigMuterole, GuildConfigured};
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::operations::setup::{
    CheckResult, Diagnosis, LinkChanged, Mode, SetupActions, SetupDoctor, SetupRemoveChild,
};
use wayhaven_shared::value::RoleId;

/// What the sandbox's bot has besides, for exports that nothing asks for yet.
const ATTACH_FILES: u64 = 1 << 15;

#[test]
fn an_invite_asks_for_what_the_links_need_and_no_more() {
    // FACTS A1, the least set for a child, added up by hand.
    let all = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 28 | 1 << 40;
    assert_eq!(least(&EVERY_MEASURE), all);
    assert_eq!(least(&EVERY_MEASURE), permissions::LEAST_FOR_BOT & !ATTACH_FILES);
    let bans = least(&[Action::Ban]);
    assert_eq!(bans, all & !(1 << 1 | 1 << 28 | 1 << 40), "nothing for kicks, mutes and timeouts");
    assert_eq!(least(&[Action::Warn]) & 1 << 2, 0, "a warning makes no request");
    let link = invite("5", guild(100), bans);
    assert_eq!(
        link,
        "https://discord.com/oauth2/authorize?client_id=5&scope=bot+applications.commands\
         &permissions=19588&guild_id=100&disable_guild_select=true"
    );
}

/// A daemon whose doctor goes on rounds.
async fn watched(sandbox: &Sandbox) -> TestDaemon {
    TestDaemon::start(sandbox).await
}

/// Waits until the doctor has found just this in the guild.
async fn until_ill(test: &TestDaemon, of: u64, expected: &'static [&'static str]) {
    test.until("what the doctor finds", move |view| view.ills(guild(of)).unwrap() == expected).await;
}

async fn unwell(test: &TestDaemon) -> usize {
    test.all_alerts().await.iter().filter(|kind| *kind == "guild_unwell").count()
}

#[tokio::test]
async fn what_stops_deliveries_is_told_once_and_when_it_is_mended_they_go_on() {
    let sandbox = sandbox(2).await;
    let test = watched(&sandbox).await;
    let (child, victim) = (sandbox.children()[0], sandbox.stranger());
    until_ill(&test, child, &[]).await;
    let lacks = permissions::LEAST_FOR_BOT & !permissions::BAN_MEMBERS & !permissions::KICK_MEMBERS;
    sandbox.people().set_bot_permissions(child, lacks).unwrap();
    until_ill(&test, child, &["Ban Members", "Kick Members"]).await;
    assert_eq!(unwell(&test).await, 1, "both at once are one alert");
    let ban = test.ban(sandbox.main_guild(), victim).await;
    test.until_counted(ban, DeliveryState::Blocked, 1).await;

    // Half of it is mended: the ban goes, and nothing new is told.
    sandbox.people().set_bot_permissions(child, lacks | permissions::BAN_MEMBERS).unwrap();
    test.until_counted(ban, DeliveryState::Applied, 2).await;
    until_ill(&test, child, &["Kick Members"]).await;
    sandbox.people().set_bot_permissions(child, permissions::LEAST_FOR_BOT).unwrap();
    until_ill(&test, child, &[]).await;
    assert_eq!(unwell(&test).await, 1);
}

#[tokio::test]
async fn what_a_restart_finds_as_it_was_is_not_told_once_more() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let child = sandbox.children()[0];
    let lacks = permissions::LEAST_FOR_BOT & !permissions::KICK_MEMBERS;
    sandbox.people().set_bot_permissions(child, lacks).unwrap();
    until_ill(&test, child, &["Kick Members"]).await;
    let told = test.told().await.len();
    let home = test.home();
    drop(test);

    let test = TestDaemon::start_at(&sandbox, home).await;
    test.until_ready().await;
    // Something new is found after that start, and so the old was looked at before or with it.
    sandbox.people().set_bot_permissions(child, lacks & !permissions::MODERATE_MEMBERS).unwrap();
    until_ill(&test, child, &["Kick Members", "Timeout Members"]).await;
    let alerts: Vec<_> = test.told().await.split_off(told).into_iter().filter_map(unwell_text).collect();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(alerts[0].contains("Timeout Members"), "{alerts:?}");
}

fn unwell_text(change: Change) -> Option<String> {
    match change {
        Change::Alert { kind, details, .. } if kind == "guild_unwell" => Some(details.raw().to_owned()),
        _ => None,
    }
}

#[tokio::test]
async fn a_link_that_allows_more_is_looked_at_again_and_what_no_link_allows_is_no_matter() {
    let sandbox = sandbox(1).await;
    let lacks = permissions::LEAST_FOR_BOT & !permissions::KICK_MEMBERS;
    sandbox.people().set_bot_permissions(sandbox.children()[0], lacks).unwrap();
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let actions = |actions: &str| SetupActions {
        child: guild(child),
        actions: actions.parse().unwrap(),
        no_backfill: false,
    };
    let _: LinkChanged = reply(&test, main, actions("ban")).await;
    let changed: LinkChanged = reply(&test, main, actions("ban,kick")).await;
    let names: Vec<_> = changed.findings.iter().map(|finding| finding.name.as_str()).collect();
    assert_eq!(names, ["Kick Members"], "who changes a link is told at once");
    until_ill(&test, child, &["Kick Members"]).await;
    let changed: LinkChanged = reply(&test, main, actions("ban")).await;
    assert!(changed.findings.is_empty(), "{changed:?}");
    until_ill(&test, child, &[]).await;
}

#[tokio::test]
async fn what_stops_deliveries_is_told_anew_where_a_guild_left_and_comes_back() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let lacks = permissions::LEAST_FOR_BOT & !permissions::BAN_MEMBERS;
    sandbox.people().set_bot_permissions(child, lacks).unwrap();
    until_ill(&test, child, &["Ban Members"]).await;
    let leaving = SetupRemoveChild { undo: false, keep: true, child: guild(child), force: false };
    let _: LinkChanged = reply(&test, main, leaving).await;
    until_ill(&test, child, &[]).await;
    assert_eq!(unwell(&test).await, 1);
    let back = move |change: &crate::store::Change<'_>| {
        Ok(change.activate_link(guild(main), guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(back).await.unwrap();
    until_ill(&test, child, &["Ban Members"]).await;
    assert_eq!(unwell(&test).await, 2);
}

#[tokio::test]
async fn the_mute_role_is_looked_at_where_mutes_are_delivered() {
    let sandbox = sandbox(1).await;
    let test = watched(&sandbox).await;
    let (child, people) = (sandbox.children()[0], sandbox.people());
    let muted = sandbox.role(child, "Muted");
    let role = RoleId::new(muted);
    let set = ConfigMuterole { role, unset: false };
    let _: GuildConfigured = reply(&test, child, set).await;
    people.move_role(child, muted, 9).unwrap();
    until_ill(&test, child, &["mute role"]).await;
    people.move_role(child, muted, 1).unwrap();
    until_ill(&test, child, &[]).await;
    people.delete_role(child, muted).unwrap();
    until_ill(&test, child, &["mute role"]).await;
    let _: GuildConfigured = reply(&test, child, ConfigMuterole { role: None, unset: true }).await;
    until_ill(&test, child, &[]).await;
}

/// Asks as the owner on the socket.
async fn reply<O: Operation>(test: &TestDaemon, of: u64, operation: O) -> O::Reply {
    O::reply(test.ask(by_operator(Role::Owner, Some(of), operation.into())).await.unwrap()).unwrap()
}

fn ill(diagnosis: &Diagnosis, of: u64) -> Vec<(&str, CheckResult)> {
    let patient = diagnosis.patients.iter().find(|patient| patient.guild_id == guild(of));
    let findings = patient.map_or(&[][..], |patient| &patient.findings[..]);
    let wrong = findings.iter().filter(|finding| finding.result != CheckResult::Ok);
    wrong.map(|finding| (finding.name.as_str(), finding.result)).collect()
}

#[tokio::test]
async fn setup_doctor_tells_what_is_missing_in_which_guild_with_the_invite_that_mends_it() {
    let sandbox = sandbox(3).await;
    let (main, children) = (sandbox.main_guild(), sandbox.children());
    let lacks = permissions::LEAST_FOR_BOT & !permissions::BAN_MEMBERS;
    sandbox.people().set_bot_permissions(children[1], lacks).unwrap();
    let (test, of) = (TestDaemon::start(&sandbox).await, guild(children[1]));
    let all: Diagnosis = reply(&test, main, SetupDoctor { child: None }).await;
    assert_eq!(all.examined, 4);
    assert_eq!(ill(&all, children[1]), [("Ban Members", CheckResult::Fail)]);
    assert_eq!(all.patients.len(), 1, "a network that mutes nobody needs no mute role");
    let set = ConfigMuterole { role: RoleId::new(sandbox.role(main, "Muted")), unset: false };
    let _: GuildConfigured = reply(&test, main, set).await;
    let all: Diagnosis = reply(&test, main, SetupDoctor { child: None }).await;
    let expected = [("Ban Members", CheckResult::Fail), ("mute role", CheckResult::Warn)];
    assert_eq!(ill(&all, children[1]), expected);
    assert_eq!(ill(&all, children[0]), [("mute role", CheckResult::Warn)]);
    assert_eq!((all.patients[0].guild_id, all.patients.len()), (of, 3), "the worst first");
    let one: Diagnosis = reply(&test, main, SetupDoctor { child: Some(of) }).await;
    assert!(one.thorough && one.patients[0].findings.len() > 10, "{one:?}");
    assert_eq!(ill(&one, children[1]), expected);
    let invite = one.patients[0].invite.clone().unwrap();
    assert!(invite.contains(&format!("permissions={}&guild_id={of}", least(&EVERY_MEASURE))), "{invite}");
    assert!(invite.contains(&format!("client_id={}&", sandbox.application_id())), "{invite}");
    // A child asks about itself, and learns nothing of another.
    let own: Diagnosis = reply(&test, children[0], SetupDoctor { child: None }).await;
    assert_eq!((own.examined, own.patients.len()), (1, 1));
    let asked = test.ask(by_member(
        sandbox.owner(),
        children[0],
        permissions::MANAGE_GUILD,
        SetupDoctor { child: Some(of) }.into(),
    ));
    assert!(asked.await.is_err());
}

#[tokio::test]
async fn a_main_is_told_of_its_own_deliveries_that_stand_still_in_a_child_and_of_no_other_main_s() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child, second) = (sandbox.main_guild(), sandbox.children()[0], sandbox.children()[1]);
    let both = move |change: &crate::store::Change<'_>| {
        if let Some(link) = change.link(guild(main), guild(second))? {
            change.close_link(link.id, guild(main), guild(second))?;
        }
        change.make_main(guild(second))?;
        Ok(change.activate_link(guild(second), guild(child), Mode::Active)?)
    };
    test.systems.services.store().write(both).await.unwrap();
    let lacks = permissions::LEAST_FOR_BOT & !permissions::BAN_MEMBERS;
    sandbox.people().set_bot_permissions(child, lacks).unwrap();
    let ban = test.ban(second, sandbox.stranger()).await;
    test.until_counted(ban, DeliveryState::Blocked, 1).await;
    let own = test.ban(child, sandbox.stranger()).await;
    test.until("its own ban", move |view| {
        view.origin_of(own).unwrap().is_some_and(|one| one.state == DeliveryState::Blocked)
    })
    .await;
    for (who, count) in [(main, 0), (second, 1), (child, 2)] {
        let found: Diagnosis = reply(&test, who, SetupDoctor { child: Some(guild(child)) }).await;
        let told = found.patients[0].findings.iter().find(|finding| finding.name == "deliveries");
        let blocked = told.map_or("0 blocked", |finding| finding.detail.raw());
        assert!(blocked.starts_with(&format!("{count} blocked")), "{who} is told: {blocked}");
    }
}
