//! `config` as operators and members ask for it.

mod authority;

use crate::invocation::{Actor, Invocation};
use crate::testing::{PATIENCE, TestDaemon, by_member, by_operator, guild, sandbox};
use serde_json::{Value, json};
use wayhaven_sandbox::world::Overwrite;
use wayhaven_sandbox::{Sandbox, permissions};
use wayhaven_shared::control::Role;
use wayhaven_shared::operation::Reported;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::operations::config::{GuildConfig, GuildConfigured};
use wayhaven_shared::operations::{Reply, Request};
use wayhaven_shared::value::{ChannelId, RoleId};
use wayhaven_shared::{Fault, FaultKind};

fn request(operation: &str, arguments: &Value) -> Request {
    serde_json::from_value(json!({ "operation": operation, "arguments": arguments })).unwrap()
}

async fn ask(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> Result<Reply, Fault> {
    test.ask(by_operator(Role::Operator, Some(of), request(operation, &arguments))).await
}

async fn configured(test: &TestDaemon, of: u64, operation: &str, arguments: Value) -> GuildConfigured {
    match ask(test, of, operation, arguments).await.unwrap() {
        Reply::ConfigNotifications(reply)
        | Reply::ConfigLogchannel(reply)
        | Reply::ConfigStaffrole(reply)
        | Reply::ConfigWarnings(reply)
        | Reply::ConfigAudit(reply) => reply,
        other => panic!("{other:?}"),
    }
}

async fn stored(test: &TestDaemon, of: u64) -> GuildConfig {
    test.read(move |view| view.config(guild(of)).unwrap()).await
}

#[tokio::test]
async fn an_operator_sets_each_setting_and_unsets_it_and_sees_before_and_after() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let child = sandbox.children()[0];
    let (general, log) = (sandbox.channel(child, "general"), sandbox.log_channel(child));
    let role = sandbox.role(child, "Moderator");
    let set = [
        ("config notifications", json!({"channel": general.to_string()})),
        ("config logchannel", json!({"channel": log.to_string()})),
        ("config staffrole", json!({"role": role.to_string()})),
        ("config warnings", json!({"steps": "3:timeout:1h,5:kick", "within": "30d"})),
        ("config audit", json!({"state": "on"})),
    ];
    let mut before = GuildConfig::default();
    for (operation, arguments) in set {
        let reply = configured(&test, child, operation, arguments.clone()).await;
        assert_eq!(reply.before, before, "{operation}");
        assert_ne!(reply.after, before, "{operation}");
        assert_eq!(stored(&test, child).await, reply.after, "{operation}");
        let again = configured(&test, child, operation, arguments).await;
        assert!(again.report().title.contains("nothing changed"), "{operation}");
        before = reply.after;
    }
    let full = GuildConfig {
        notification_channel_id: ChannelId::new(general),
        notifications: true,
        audit: true,
        log_channel_id: ChannelId::new(log),
        staff_role_id: RoleId::new(role),
        mute_role_id: None,
        warnings: "3:timeout:1h,5:kick".parse().unwrap(),
        warnings_within: Some("30d".parse().unwrap()),
    };
    assert_eq!(stored(&test, child).await, full);
    assert_eq!(
        stored(&test, sandbox.main_guild()).await,
        GuildConfig::default(),
        "another guild's are its own"
    );

    let Reply::ConfigShow(shown) = ask(&test, child, "config show", json!({})).await.unwrap() else {
        panic!("not what was asked for")
    };
    assert_eq!(shown.config, full);
    let off = configured(&test, child, "config notifications", json!({"off": true})).await;
    assert_eq!(off.after, GuildConfig { notifications: false, ..full.clone() }, "the channel is kept");
    let on = configured(&test, child, "config notifications", json!({})).await;
    assert_eq!(on.after, full);
    configured(&test, child, "config logchannel", json!({"unset": true})).await;
    configured(&test, child, "config staffrole", json!({"unset": true})).await;
    configured(&test, child, "config audit", json!({"state": "off"})).await;
    configured(&test, child, "config warnings", json!({"steps": "off"})).await;
    let rest = GuildConfig {
        audit: false,
        log_channel_id: None,
        staff_role_id: None,
        warnings: "off".parse().unwrap(),
        warnings_within: None,
        ..full
    };
    assert_eq!(stored(&test, child).await, rest);
}

#[tokio::test]
async fn what_cannot_be_set_is_a_fault_that_says_why_and_changes_nothing() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let (foreign, own) = (sandbox.channel(main, "general"), sandbox.channel(child, "general"));
    let shut = sandbox.channel(child, "wayhaven-alerts");
    let bot = sandbox.bot_id();
    sandbox.change(|world| {
        let deny = permissions::SEND_MESSAGES | permissions::EMBED_LINKS;
        let overwrite = Overwrite { id: bot, member: true, allow: 0, deny };
        world.channels.get_mut(&shut).unwrap().overwrites.push(overwrite);
    });
    let channel = |id: u64| json!({"channel": id.to_string()});
    let cases = [
        ("config notifications", channel(foreign), FaultKind::NotFound, "has no channel"),
        ("config logchannel", channel(foreign), FaultKind::NotFound, "has no channel"),
        ("config logchannel", channel(5), FaultKind::NotFound, "has no channel"),
        ("config logchannel", channel(shut), FaultKind::Conflict, "Send Messages, Embed Links"),
        ("config notifications", channel(shut), FaultKind::Conflict, "it lacks"),
        ("config notifications", json!({}), FaultKind::Usage, "no notification channel yet"),
        (
            "config notifications",
            json!({"channel": own.to_string(), "off": true}),
            FaultKind::Usage,
            "say one",
        ),
        ("config logchannel", json!({}), FaultKind::Usage, "--unset"),
        (
            "config logchannel",
            json!({"channel": own.to_string(), "unset": true}),
            FaultKind::Usage,
            "--unset",
        ),
        ("config staffrole", json!({}), FaultKind::Usage, "--unset"),
        (
            "config staffrole",
            json!({"role": sandbox.role(main, "Moderator").to_string()}),
            FaultKind::NotFound,
            "has no role",
        ),
        ("config staffrole", json!({"role": child.to_string()}), FaultKind::Usage, "@everyone"),
        ("config audit", json!({"state": "on"}), FaultKind::Conflict, "there is none"),
    ];
    for (operation, arguments, kind, words) in cases {
        let fault = ask(&test, child, operation, arguments.clone()).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{operation} {arguments}: {fault}");
        assert!(fault.message.contains(words), "{operation} {arguments}: {fault}");
        assert_eq!(stored(&test, child).await, GuildConfig::default(), "{operation} {arguments}");
    }
}

#[tokio::test]
async fn a_dry_run_shows_the_change_and_does_not_make_it() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let arguments = json!({"channel": sandbox.log_channel(main).to_string()});
    for operation in ["config notifications", "config logchannel"] {
        let asked = by_operator(Role::Operator, Some(main), request(operation, &arguments));
        let reply = test.ask(Invocation { dry_run: true, ..asked }).await.unwrap();
        let report = reply.report();
        assert!(report.title.starts_with("nothing was changed"), "{report:?}");
        assert!(
            report.fields.iter().any(|(_, cell)| cell.text.line().starts_with("not set →")),
            "{report:?}"
        );
        assert_eq!(stored(&test, main).await, GuildConfig::default());
    }
}

async fn slash(sandbox: &Sandbox, by: u64, operation: &str, options: Value) -> String {
    let people = sandbox.people();
    let asked = people.slash(sandbox.main_guild(), by, operation, options).unwrap();
    people.reply(asked).await.unwrap().to_string()
}

#[tokio::test]
async fn an_administrator_sets_each_by_slash_command() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let (general, role) = (sandbox.channel(main, "general"), sandbox.role(main, "Regular"));
    let channel = json!({"channel": general.to_string()});
    for (operation, options, words) in [
        ("config notifications", channel.clone(), format!("not set → {general}, on")),
        ("config logchannel", channel, format!("not set → {general}")),
        ("config staffrole", json!({"role": role.to_string()}), format!("not set → {role}")),
        ("config audit", json!({"state": "on"}), "off → on".to_owned()),
        ("config notifications", json!({"off": true}), format!("{general}, on → {general}, off")),
        ("config show", json!({}), format!("{general}, off")),
    ] {
        let reply = slash(&sandbox, admin, operation, options).await;
        assert!(reply.contains(&words), "{operation}: {reply}");
    }
    let config = stored(&test, main).await;
    assert!(config.audit && !config.notifications && config.staff_role_id == RoleId::new(role), "{config:?}");
}

#[tokio::test]
async fn who_may_not_is_refused_and_audited_also_where_they_are_staff() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let role = sandbox.role(main, "Regular");
    let staff = |operation: &str| {
        let request = match operation {
            "config notifications" => request(operation, &json!({"off": true})),
            "config audit" => request(operation, &json!({"state": "off"})),
            "config logchannel" | "config staffrole" => request(operation, &json!({"unset": true})),
            other => request(other, &json!({})),
        };
        let asked = by_member(sandbox.stranger(), main, 0, request);
        let actor = match asked.actor {
            Actor::Member { user, permissions, resolved, .. } => {
                Actor::Member { user, roles: vec![RoleId::new(role).unwrap()], permissions, resolved }
            }
            other => other,
        };
        Invocation { actor, ..asked }
    };
    assert!(test.ask(staff("setup dashboard")).await.is_err(), "before the role is set");
    configured(&test, main, "config staffrole", json!({"role": role.to_string()})).await;
    assert!(test.ask(staff("setup dashboard")).await.is_ok(), "staff may look");
    for operation in
        ["config show", "config notifications", "config logchannel", "config staffrole", "config audit"]
    {
        let fault = test.ask(staff(operation)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied, "{operation}: {fault}");
        let last = test.audit().await.remove(0);
        assert_eq!((last.operation.as_str(), last.result), (operation, AuditResult::Denied));
    }
    configured(&test, main, "config staffrole", json!({"unset": true})).await;
    assert!(test.ask(staff("setup dashboard")).await.is_err(), "after it is unset");
    assert_eq!(stored(&test, main).await, GuildConfig::default());
}

#[tokio::test]
async fn a_setting_outlives_a_restart() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let arguments = json!({"channel": sandbox.log_channel(main).to_string()});
    let set = configured(&test, main, "config notifications", arguments).await.after;
    test.systems.services.lifecycle().stop();
    let next = TestDaemon::start_at(&sandbox, test.home()).await;
    drop(test);
    assert_eq!(stored(&next, main).await, set);
    tokio::time::timeout(PATIENCE, next.until_ready()).await.unwrap();
}
