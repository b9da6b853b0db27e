//! The context menu on a sandbox Discord.

use super::*;
use crate::testing::{PATIENCE, TestDaemon, guild, sandbox, user};
use serde_json::{Value, json};
use wayhaven_sandbox::{InteractionId, Sandbox};
use wayhaven_shared::operations::punishment::DeliveryState;

/// Opens the form on a user, once it is shown.
async fn opened(sandbox: &Sandbox, by: u64, whom: u64) -> (InteractionId, Value) {
    let people = sandbox.people();
    let id = people.user_command(sandbox.main_guild(), by, BAN_MENU, whom).unwrap();
    let form = || people.interaction(id).and_then(|known| known.modal);
    let waited = sandbox.wait_until(|_| form().is_some(), PATIENCE).await;
    assert!(waited.is_ok(), "the form never came");
    (id, form().unwrap())
}

async fn shown(sandbox: &Sandbox, id: InteractionId, words: &str) -> Value {
    let people = sandbox.people();
    let latest = || people.replies(id).pop().unwrap_or_default();
    let text = |message: &Value| message.to_string().replace('\\', "");
    let waited = sandbox.wait_until(|_| text(&latest()).contains(words), PATIENCE).await;
    assert!(waited.is_ok(), "{words:?} never came: {:?}", people.replies(id));
    latest()
}

#[tokio::test]
async fn a_ban_from_the_menu_asks_for_the_reason_shows_what_it_would_do_and_does_it() {
    let sandbox = sandbox(2).await;
    let test = TestDaemon::start(&sandbox).await;
    let (moderator, victim) = (sandbox.moderator(), sandbox.stranger());
    let (people, name) = (sandbox.people(), sandbox.read(|world| world.users[&victim].name.clone()));
    let (form, modal) = opened(&sandbox, moderator, victim).await;
    assert_eq!(modal["title"], format!("Ban {name}"));
    let sent = people.submit(form, moderator, json!({ "reason": "  raid " })).unwrap();
    let preview = shown(&sandbox, sent, "Do it").await;
    let text = preview.to_string();
    assert!(text.contains(&format!("<@{victim}>")) && text.contains("raid"), "{text}");
    assert!(!sandbox.is_banned(sandbox.main_guild(), victim), "nothing is done before the press");
    assert!(people.interaction(sent).unwrap().ephemeral);

    let buttons = preview["components"][0]["components"].as_array().unwrap();
    let go = buttons.iter().find(|button| button["label"] == "Do it").unwrap();
    people.press(sent, moderator, go["custom_id"].as_str().unwrap()).unwrap();
    let id = test.punishment(victim, 1).await;
    test.until_counted(id, DeliveryState::Applied, 2).await;
    let stored = test.read(move |view| view.punishment(id).unwrap().unwrap()).await;
    assert_eq!((stored.moderator_id, stored.guild_id), (Some(user(moderator)), guild(sandbox.main_guild())));
    assert_eq!(stored.reason.unwrap().raw(), "raid");
    let audited = test.audit().await;
    let ban = audited.iter().find(|entry| entry.operation == "ban").unwrap();
    assert_eq!((ban.surface.as_str(), ban.target), ("discord", Some(user(victim))));
}

#[tokio::test]
async fn a_form_is_judged_like_the_command() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (people, moderator, victim) = (sandbox.people(), sandbox.moderator(), sandbox.stranger());
    // The reason may begin with a hyphen, and the duration is clap's to refuse.
    let (form, _) = opened(&sandbox, moderator, victim).await;
    let sent = people.submit(form, moderator, json!({ "reason": "--raid", "for": "soon" })).unwrap();
    shown(&sandbox, sent, "soon").await;
    // The owner outranks everybody.
    let (form, _) = opened(&sandbox, moderator, sandbox.owner()).await;
    let sent = people.submit(form, moderator, json!({ "reason": "--raid" })).unwrap();
    shown(&sandbox, sent, "lets nobody punish an owner").await;
    // A permanent ban whose reason begins with a hyphen is asked about.
    let (form, _) = opened(&sandbox, moderator, victim).await;
    let sent = people.submit(form, moderator, json!({ "reason": "--raid" })).unwrap();
    shown(&sandbox, sent, "Do it").await;
    assert_eq!(test.read(|view| view.punishments(None, None, None, 5).unwrap()).await, []);
    let unknown = json!({
        "id": "1", "application_id": "1", "type": 5, "token": "t", "guild_id": "100",
        "member": { "user": { "id": "5", "username": "x" }, "roles": [], "permissions": "4" },
        "data": { "custom_id": "other:5", "components": [] },
    });
    assert!(request(&Interaction::from_value(&unknown).unwrap()).is_err());
}
