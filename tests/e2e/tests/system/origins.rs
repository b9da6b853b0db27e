//! A ban from each of the three origins reaches every child, under Discord's limits.

use crate::room::Beside;
use crate::setting::{Setting, options};
use serde_json::json;
use std::time::Duration;
use wayhaven_e2e::process::{ask, next_punishment, settled};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::{Origin, PunishmentDetail};
use wayhaven_shared::value::UserId;

const CHILDREN: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_ban_from_each_of_three_origins_reaches_all_100_children_under_the_limits() {
    let setting = Setting::beside(Beside::One, options(CHILDREN)).await;
    let by_command = command(&setting).await;
    assert_eq!(by_command.punishment.origin, Origin::Command);
    let by_hand = by_hand(&setting).await;
    assert_eq!(by_hand.punishment.origin, Origin::Guild);
    assert_eq!(by_hand.punishment.moderator_id.map(UserId::get), Some(setting.sandbox.admin()));
    let by_operator = operator(&setting).await;
    assert_eq!(by_operator.punishment.origin, Origin::Operator);

    for (index, detail) in [by_command, by_hand, by_operator].iter().enumerate() {
        let user = setting.member(index);
        assert_eq!(detail.punishment.user_id.get(), user);
        assert_eq!(detail.counts().applied, CHILDREN as u64, "{}", detail.counts().words());
        assert!(setting.sandbox.is_banned(setting.main.get(), user));
        assert_eq!(setting.sandbox.banned_in(&setting.sandbox.children(), user), CHILDREN);
        let reason = detail.punishment.reason.as_ref().unwrap().raw();
        let children = setting.sandbox.children();
        let told = setting
            .sandbox
            .log()
            .iter()
            .filter(|one| one.user == Some(user) && one.method == "PUT")
            .filter(|one| one.reason.as_deref() == Some(reason))
            .count();
        // By hand the main guild's ban is not ours.
        assert_eq!(told, children.len() + usize::from(index != 1), "the reason reaches every audit log");
    }
    // A busy machine may bunch a few requests together; a burst would meet the limit with every second one.
    let limited = setting.sandbox.log().iter().filter(|one| one.status == 429).count();
    assert!(limited <= 10, "{limited} requests met a limit");
}

async fn command(setting: &Setting) -> PunishmentDetail {
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let (main, moderator) = (setting.main.get(), setting.sandbox.moderator());
    let options = json!({"user": setting.member(0).to_string(), "reason": "by command", "delete-days": 1});
    let asked = setting.sandbox.people().slash(main, moderator, "ban", options).unwrap();
    let detail =
        settled(&setting.client, next_punishment(&setting.client, cursor).await.unwrap()).await.unwrap();
    let interaction = setting.sandbox.people().interaction(asked).unwrap();
    assert!(interaction.was_deferred);
    detail
}

async fn by_hand(setting: &Setting) -> PunishmentDetail {
    let cursor = setting.client.watch(None, Duration::ZERO).await.unwrap().cursor;
    let (main, admin) = (setting.main.get(), setting.sandbox.admin());
    setting.sandbox.people().ban(main, admin, setting.member(1), Some("by hand")).unwrap();
    settled(&setting.client, next_punishment(&setting.client, cursor).await.unwrap()).await.unwrap()
}

async fn operator(setting: &Setting) -> PunishmentDetail {
    let ban = Ban {
        reason: Some("by operator".parse().unwrap()),
        ..Ban::new(UserId::new(setting.member(2)).unwrap())
    };
    let punished = ask(&setting.client, setting.main, ban).await.unwrap();
    settled(&setting.client, punished.punishment.unwrap().id).await.unwrap()
}
