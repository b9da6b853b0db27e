//! ZERO-LEAK seen from outside: what a child does stays there, and what we do comes back only as an echo.

use crate::room::Beside;
use crate::setting::{Setting, guild, options};
use serde_json::json;
use std::time::Duration;
use wayhaven_e2e::process::{ask, next_punishment, settled, watching};
use wayhaven_shared::event::Change;
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::setup::SetupRemoveChild;
use wayhaven_shared::operations::status::Status;
use wayhaven_shared::value::UserId;

#[tokio::test(flavor = "multi_thread")]
async fn fault_18_echoes_only_confirm() {
    let setting = Setting::new(options(8)).await;
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let user = setting.member(0);
    setting.sandbox.people().ban(setting.main.get(), setting.sandbox.admin(), user, Some("x")).unwrap();
    let id = next_punishment(&setting.client, cursor).await.unwrap();
    settled(&setting.client, id).await.unwrap();
    // One more from the main: what the echoes of the first could have led to would have come before it.
    let second = ban(&setting, 1).await;
    settled(&setting.client, second).await.unwrap();
    let first = setting.sandbox.effects().iter().filter(|effect| effect.user == Some(user)).count();
    assert_eq!(first, 8, "as many requests as children");
    assert_eq!(second.get(), id.get() + 1, "no echo became a punishment");
    assert_eq!(setting.client.call(Status {}).await.unwrap().alerts, 0);
}

async fn ban(setting: &Setting, member: usize) -> wayhaven_shared::value::PunishmentId {
    let ban = Ban::new(UserId::new(setting.member(member)).unwrap());
    ask(&setting.client, setting.main, ban).await.unwrap().punishment.unwrap().id
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_19_a_childs_ban_by_hand_stays_there() {
    let setting = Setting::new(options(6)).await;
    let child = setting.sandbox.children()[2];
    let before = setting.sandbox.effect_count();
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let by = setting.sandbox.child_moderator(child);
    setting.sandbox.people().ban(child, by, setting.member(4), Some("rude")).unwrap();
    let contained = watching(&setting.client, async |client| {
        let events = client.watch(Some(cursor.clone()), Duration::ZERO).await?.events;
        Ok(events.into_iter().find_map(|event| match event.change {
            Change::Contained { guild_id, by, .. } => Some((guild_id, by)),
            Change::Punishment { .. } => panic!("it became a punishment"),
            _ => None,
        }))
    });
    assert_eq!(contained.await.unwrap(), (guild(child), UserId::new(by)));
    assert_eq!(setting.sandbox.effect_count(), before, "no request changed any guild");
    assert_eq!(setting.client.call(Status {}).await.unwrap().alerts, 0, "it is normal: no alert");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_19_a_childs_ban_by_command_stays_there() {
    let setting = Setting::beside(Beside::One, options(6)).await;
    let child = setting.sandbox.children()[2];
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let user = setting.sandbox.members(child)[0];
    let by = setting.sandbox.child_moderator(child);
    let asked = setting.sandbox.people().slash(child, by, "ban", json!({"user": user.to_string()})).unwrap();
    let id = next_punishment(&setting.client, cursor).await.unwrap();
    let detail = settled(&setting.client, id).await.unwrap();
    assert!(detail.deliveries.is_empty());
    assert!(setting.sandbox.is_banned(child, user));
    assert!(setting.sandbox.effects().iter().all(|effect| effect.guild == Some(child)));
    let reply = setting.sandbox.people().reply(asked).await.unwrap().to_string();
    assert!(reply.contains("it acts here only"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_childs_own_ban_is_not_undone_and_a_removed_child_hears_nothing_more() {
    let setting = Setting::new(options(3)).await;
    let [own, removed, plain] = setting.sandbox.children()[..] else { panic!("three children") };
    let user = setting.member(0);
    let people = setting.sandbox.people();
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    people.ban(own, setting.sandbox.child_moderator(own), user, Some("ours")).unwrap();
    watching(&setting.client, async |client| {
        let events = client.watch(Some(cursor.clone()), Duration::ZERO).await?.events;
        Ok(events.into_iter().find(|event| matches!(event.change, Change::Contained { .. })))
    })
    .await
    .unwrap();
    let banned = settled(&setting.client, ban(&setting, 0).await).await.unwrap();
    assert_eq!(banned.counts().applied, 3);
    ask(&setting.client, setting.main, SetupRemoveChild::new(guild(removed))).await.unwrap();

    let user_id = UserId::new(user).unwrap();
    let unban = wayhaven_shared::operations::ban::Unban { user: user_id, reason: None };
    let id = ask(&setting.client, setting.main, unban).await.unwrap().punishment.unwrap().id;
    let lifted = settled(&setting.client, id).await.unwrap();
    assert_eq!(lifted.deliveries.len(), 2, "the removed child hears nothing");
    assert!(setting.sandbox.is_banned(own, user), "its own staff's ban stays");
    assert!(setting.sandbox.is_banned(removed, user));
    assert!(!setting.sandbox.is_banned(plain, user));
}
