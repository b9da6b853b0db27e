//! Typing on a sandbox Discord.

use super::*;
use crate::testing::{PATIENCE, TestDaemon, guild, sandbox, user};
use wayhaven_sandbox::Sandbox;
use wayhaven_shared::operations::sync::SyncExport;

/// What is offered to somebody who types that: names and values.
async fn offered(
    sandbox: &Sandbox,
    (of, by): (u64, u64),
    (command, option): (&str, &str),
    typed: &str,
) -> Vec<(String, String)> {
    let people = sandbox.people();
    let id = people.autocomplete(of, by, command, option, typed).unwrap();
    let choices = || people.interaction(id).and_then(|known| known.choices);
    let waited = sandbox.wait_until(|_| choices().is_some(), PATIENCE).await;
    assert!(waited.is_ok(), "the completion was never answered");
    assert!(people.interaction(id).unwrap().answered_after.is_some());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let choices = choices().unwrap();
    let choices = choices.as_array().unwrap().iter();
    choices.map(|choice| (text(&choice["name"]), text(&choice["value"]))).collect()
}

#[tokio::test]
async fn guilds_are_completed_by_name_and_only_those_that_the_member_may_know() {
    let sandbox = sandbox(3).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin, children) = (sandbox.main_guild(), sandbox.admin(), sandbox.children());
    test.propose(main, children[2]).await;
    let doctor = ("setup doctor", "child");
    let all = offered(&sandbox, (main, admin), doctor, "").await;
    let mut ids: Vec<u64> = all.iter().map(|(_, id)| id.parse().unwrap()).collect();
    ids.sort_unstable();
    let mut known = vec![main, children[0], children[1]];
    known.sort_unstable();
    assert_eq!(ids, known, "a child that has not accepted is not offered: {all:?}");
    let way = offered(&sandbox, (main, admin), doctor, "WAYH").await;
    assert_eq!(way, [(format!("Wayhaven ({main})"), main.to_string())]);
    let by_id = offered(&sandbox, (main, admin), doctor, &children[0].to_string()).await;
    assert_eq!(by_id.len(), 1);
    assert_eq!(offered(&sandbox, (main, admin), doctor, "no such guild").await, []);
    // Whoever owns Wayhaven knows every guild.
    let owner = offered(&sandbox, (main, sandbox.owner()), doctor, "").await;
    assert_eq!(owner.len(), 4, "{owner:?}");
}

#[tokio::test]
async fn punishments_are_completed_by_number_name_and_reason_in_their_own_guild() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, moderator, victim) = (sandbox.main_guild(), sandbox.moderator(), sandbox.stranger());
    let name = sandbox.read(|world| world.users[&victim].name.clone());
    test.systems.services.directory().accounts().names().learn(user(victim), &name);
    let first = test.ban(main, victim).await;
    let second = test.ban(main, sandbox.members(main)[5]).await;
    let elsewhere = test.ban(sandbox.children()[0], victim).await;
    let show = ("punishment show", "id");
    let all = offered(&sandbox, (main, moderator), show, "").await;
    let ids: Vec<&str> = all.iter().map(|(_, id)| id.as_str()).collect();
    assert_eq!(
        ids,
        [second.to_string(), first.to_string()],
        "the newest first, {elsewhere} is another guild's"
    );
    let named = offered(&sandbox, (main, moderator), show, &name.to_uppercase()).await;
    assert_eq!(named, [(format!("{first} ban {name} ({victim}), active"), first.to_string())]);
    // Of a list the last word is completed, and what stands before it stays.
    let revert = ("punishment revert", "punishments");
    let more = offered(&sandbox, (main, sandbox.admin()), revert, &format!("{second}, {name}")).await;
    assert_eq!(more[0].1, format!("{second}, {first}"));
}

#[tokio::test]
async fn jobs_are_completed_and_nothing_is_offered_to_who_may_not_use_the_command() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    crate::testing::asked(&test, main, SyncExport::default(), false).await.unwrap();
    let show = ("job show", "id");
    let found = offered(&sandbox, (main, admin), show, "export").await;
    assert_eq!(found.len(), 1, "{found:?}");
    // The client hides the command from others, and what is asked all the same gets no answer.
    let data = json!({
        "id": "1", "application_id": "1", "type": 4, "token": "t", "guild_id": main.to_string(),
        "member": { "user": { "id": "5", "username": "x" }, "roles": [], "permissions": "0" },
        "data": { "name": "job", "type": 1, "options": [{ "name": "show", "type": 1, "options": [
            { "name": "id", "type": 3, "value": "", "focused": true }] }] },
    });
    let allowed = |bits: &str| {
        let mut data = data.clone();
        data["member"]["permissions"] = bits.into();
        Interaction::from_value(&data).unwrap()
    };
    assert_eq!(choices(&test.systems.services, &allowed("0")).await.unwrap(), []);
    assert_eq!(choices(&test.systems.services, &allowed("32")).await.unwrap().len(), 1);
    assert!(test.systems.services.store().topology().is_main(guild(main)));
}
