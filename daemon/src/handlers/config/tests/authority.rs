//! What a member may set through which Wayhaven then acts: nothing that they could not do themselves.

use super::*;
use crate::network::Protection;
use crate::testing::user;
use wayhaven_shared::operations::protect::Protected;
use wayhaven_shared::operations::setup::{ConnectionTested, SetupTestConnection};

/// What somebody asks for, with the roles and permissions that they have in the sandbox.
fn member(sandbox: &Sandbox, who: u64, of: u64, operation: &str, arguments: &Value) -> Invocation {
    let (roles, permissions) = sandbox.read(|world| {
        let guild = &world.guilds[&of];
        (guild.members[&who].roles.clone(), guild.permissions_of(who))
    });
    let roles = roles.into_iter().filter_map(RoleId::new).collect();
    let actor = Actor::Member { user: user(who), roles, permissions, resolved: Vec::new() };
    Invocation { actor, ..by_member(who, of, permissions, request(operation, arguments)) }
}

/// Waits until the daemon sees a role so: Discord tells of it after it has changed.
async fn until_seen(test: &TestDaemon, of: u64, role: u64, fit: bool) {
    let (of, role) = (guild(of), RoleId::new(role).unwrap());
    let seen = async {
        while test.systems.services.directory().judge_mute_role(of, role).map(|judged| judged.is_ok())
            != Some(fit)
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.unwrap();
}

fn id(role: u64) -> Value {
    json!({ "role": role.to_string() })
}

#[tokio::test]
async fn the_mute_role_of_a_member_is_below_them_grants_nothing_and_is_nobodys_integration() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin, people) = (sandbox.main_guild(), sandbox.admin(), sandbox.people());
    let of = |name: &str| sandbox.role(main, name);
    // Harmless, but level with the administrator's own highest role, or above it.
    people.set_role_permissions(main, of("Regular"), 0).unwrap();
    people.move_role(main, of("Regular"), 4).unwrap();
    people.set_role_permissions(main, of("Muted"), permissions::ADMINISTRATOR).unwrap();
    until_seen(&test, main, of("Muted"), false).await;
    let ask = async |operation: &str, role: u64| {
        test.ask(member(&sandbox, admin, main, operation, &id(role))).await
    };
    let cases = [
        ("Muted", FaultKind::Conflict, "grants Administrator"),
        ("Moderator", FaultKind::Conflict, "grants Kick Members, Ban Members"),
        ("Wayhaven", FaultKind::Conflict, "is managed by a bot"),
        ("Admin", FaultKind::Conflict, "grants Ban Members, Manage Server"),
    ];
    for (name, kind, words) in cases {
        let fault = ask("config muterole", of(name)).await.unwrap_err();
        assert!(fault.kind == kind && fault.message.contains(words), "{name}: {fault}");
    }
    assert_eq!(ask("config muterole", main).await.unwrap_err().kind, FaultKind::Usage, "@everyone");
    assert_eq!(stored(&test, main).await, GuildConfig::default());

    people.set_role_permissions(main, of("Muted"), 0).unwrap();
    until_seen(&test, main, of("Muted"), true).await;
    let channel = sandbox.read(|world| world.guilds[&main].channels[0]);
    people
        .allow_in_channel(main, sandbox.owner(), channel, of("Muted"), permissions::MANAGE_MESSAGES)
        .unwrap();
    until_seen(&test, main, of("Muted"), false).await;
    let fault = ask("config muterole", of("Muted")).await.unwrap_err();
    assert!(fault.message.contains("is allowed Manage Messages in a channel"), "{fault}");
    assert_eq!(stored(&test, main).await, GuildConfig::default());
    people.allow_in_channel(main, sandbox.owner(), channel, of("Muted"), 0).unwrap();
    until_seen(&test, main, of("Muted"), true).await;

    // By rank: of two roles at one place the older ranks above, which is the member's own.
    people.move_role(main, of("Regular"), 5).unwrap();
    let above = async {
        let roles = [RoleId::new(of("Admin")).unwrap()];
        let regular = RoleId::new(of("Regular")).unwrap();
        while test.systems.services.directory().ranks_above(guild(main), &roles, &[regular]) != Some(false) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, above).await.unwrap();
    people.set_bot_permissions(main, permissions::LEAST_FOR_BOT).unwrap();
    let bot = sandbox.role(main, "Wayhaven");
    people.move_role(main, bot, 9).unwrap();
    // Regular was fit at its former place too: what comes behind the moves tells that they were seen.
    for bits in [0, permissions::ADMINISTRATOR] {
        people.set_role_permissions(main, of("Muted"), bits).unwrap();
        until_seen(&test, main, of("Muted"), bits == 0).await;
    }
    until_seen(&test, main, of("Regular"), true).await;
    for operation in ["config muterole", "config staffrole"] {
        let fault = ask(operation, of("Regular")).await.unwrap_err();
        assert!(
            fault.kind == FaultKind::Denied && fault.message.contains("below your own highest role"),
            "{operation}: {fault}"
        );
    }
    assert_eq!(stored(&test, main).await, GuildConfig::default());
    // The owner and operators stand above every role.
    let owner = member(&sandbox, sandbox.owner(), main, "config muterole", &id(of("Regular")));
    test.ask(owner).await.unwrap();
    ask_as_operator(&test, main, of("Regular")).await.unwrap();
    for unfit in ["Muted", "Wayhaven", "Admin"] {
        assert!(ask_as_operator(&test, main, of(unfit)).await.is_err(), "{unfit}: not for operators either");
    }
    people.set_role_permissions(main, of("Muted"), 0).unwrap();
    until_seen(&test, main, of("Muted"), true).await;
    ask("config muterole", of("Muted")).await.unwrap();
    assert_eq!(stored(&test, main).await.mute_role_id, RoleId::new(of("Muted")));
}

async fn ask_as_operator(test: &TestDaemon, of: u64, role: u64) -> Result<Reply, Fault> {
    super::ask(test, of, "config muterole", id(role)).await
}

#[tokio::test]
async fn a_member_names_only_a_channel_in_which_they_can_write() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let hidden = sandbox.channel(main, "wayhaven-alerts");
    sandbox.change(|world| {
        let deny = permissions::VIEW_CHANNEL;
        let overwrite = Overwrite { id: admin, member: true, allow: 0, deny };
        world.channels.get_mut(&hidden).unwrap().overwrites.push(overwrite);
    });
    let arguments = json!({ "channel": hidden.to_string() });
    for operation in ["config logchannel", "config notifications"] {
        let fault = test.ask(member(&sandbox, admin, main, operation, &arguments)).await.unwrap_err();
        assert!(
            fault.kind == FaultKind::Denied && fault.message.contains("you cannot see channel"),
            "{operation}: {fault}"
        );
    }
    assert_eq!(stored(&test, main).await, GuildConfig::default());
    test.ask(member(&sandbox, sandbox.owner(), main, "config logchannel", &arguments)).await.unwrap();
    let open = json!({ "channel": sandbox.channel(main, "general").to_string() });
    test.ask(member(&sandbox, admin, main, "config logchannel", &open)).await.unwrap();
}

#[tokio::test]
async fn warnings_lead_to_nothing_that_who_sets_them_may_not_do() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin) = (sandbox.main_guild(), sandbox.admin());
    let set = |steps: &str, bits: u64| {
        by_member(
            admin,
            main,
            permissions::MANAGE_GUILD | bits,
            request("config warnings", &json!({ "steps": steps })),
        )
    };
    let all = permissions::BAN_MEMBERS | permissions::KICK_MEMBERS | permissions::MODERATE_MEMBERS;
    for (steps, bit) in [
        ("1:ban", permissions::BAN_MEMBERS),
        ("2:kick", permissions::KICK_MEMBERS),
        ("3:mute:1d", permissions::MODERATE_MEMBERS),
        ("3:timeout:1h", permissions::MODERATE_MEMBERS),
    ] {
        let fault = test.ask(set(steps, all & !bit)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied, "{steps}: {fault}");
        test.ask(set(steps, bit)).await.unwrap();
        test.ask(set(steps, permissions::ADMINISTRATOR)).await.unwrap();
        // What somebody else has set may stay, and be taken away.
        test.ask(set(steps, 0)).await.unwrap();
        test.ask(set("off", 0)).await.unwrap();
    }
    assert_eq!(stored(&test, main).await.warnings, "off".parse().unwrap());
}

#[tokio::test]
async fn a_member_ends_no_protection_of_somebody_above_them() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, admin, moderator) = (sandbox.main_guild(), sandbox.admin(), sandbox.moderator());
    let operator =
        |arguments: Value| by_operator(Role::Owner, Some(main), request("protect add", &arguments));
    let lines = [
        json!({ "role": sandbox.role(main, "Admin").to_string() }),
        json!({ "user": sandbox.owner().to_string() }),
        json!({ "user": moderator.to_string() }),
        json!({ "role": sandbox.role(main, "Moderator").to_string() }),
    ];
    for line in &lines {
        test.ask(operator(line.clone())).await.unwrap();
    }
    for above in &lines[..2] {
        let fault = test.ask(member(&sandbox, admin, main, "protect remove", above)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Denied, "{above}: {fault}");
    }
    for below in &lines[2..] {
        test.ask(member(&sandbox, admin, main, "protect remove", below)).await.unwrap();
    }
    let topology = test.systems.services.store().topology();
    let protection: &Protection = topology.protection();
    assert!(protection.shield(guild(main), guild(main), user(sandbox.owner())).is_some());
    assert!(protection.shield(guild(main), guild(main), user(moderator)).is_none());
    let listed = test.read(move |view| view.is_protected(guild(main), Protected::User(user(moderator))));
    assert!(!listed.await.unwrap());
}

#[tokio::test]
async fn the_doctor_and_the_connection_test_give_the_reason_that_a_mute_is_given() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let (main, child) = (sandbox.main_guild(), sandbox.children()[0]);
    let muted = sandbox.role(child, "Muted");
    ask_as_operator(&test, child, muted).await.unwrap();
    sandbox.people().set_role_permissions(child, muted, permissions::MANAGE_ROLES).unwrap();
    until_seen(&test, child, muted, false).await;
    let reason = format!("the mute role {muted} grants Manage Roles");
    let mute = |user: u64| request("mute", &json!({ "user": user.to_string() }));
    let victim = sandbox.stranger();
    ask_as_operator(&test, main, sandbox.role(main, "Muted")).await.unwrap();
    sandbox.people().had_joined(child, victim).unwrap();
    let plan = Invocation { dry_run: true, ..by_operator(Role::Owner, Some(main), mute(victim)) };
    let planned = test.ask(plan).await.unwrap();
    assert_eq!(planned.punished().unwrap().plan[0].reason.as_deref(), Some(reason.as_str()));

    let tested = SetupTestConnection { child: guild(child) }.into();
    let Reply::SetupTestConnection(ConnectionTested { checks, .. }) =
        test.ask(by_operator(Role::Owner, Some(main), tested)).await.unwrap()
    else {
        panic!("not what was asked for")
    };
    let check = checks.iter().find(|check| check.name == "mute role").unwrap();
    assert!(check.detail.raw().starts_with(&reason), "{check:?}");
    let doctor = request("setup doctor", &json!({ "child": child.to_string() }));
    let found = test.ask(by_operator(Role::Owner, Some(main), doctor)).await.unwrap();
    assert!(format!("{found:?}").contains(&reason), "{found:?}");
    let drill = request("drill run", &json!({}));
    let drilled = test.ask(by_operator(Role::Owner, Some(main), drill)).await.unwrap();
    assert!(format!("{drilled:?}").contains(&reason), "{drilled:?}");
}

#[tokio::test]
async fn the_mute_role_is_neither_the_staffs_nor_a_protected_one_whichever_is_set_first() {
    let sandbox = sandbox(1).await;
    let test = TestDaemon::start(&sandbox).await;
    let main = sandbox.main_guild();
    let (muted, regular) = (sandbox.role(main, "Muted"), sandbox.role(main, "Regular"));
    sandbox.people().set_role_permissions(main, regular, 0).unwrap();
    until_seen(&test, main, regular, true).await;
    let refused = async |operation: &str, role: u64, words: &str| {
        let fault = super::ask(&test, main, operation, id(role)).await.unwrap_err();
        assert!(fault.kind == FaultKind::Conflict && fault.message.contains(words), "{operation}: {fault}");
        assert!(!fault.hints.is_empty(), "{fault}");
    };
    super::ask(&test, main, "config muterole", id(muted)).await.unwrap();
    refused("config staffrole", muted, "mute role").await;
    refused("protect add", muted, "mute role").await;
    super::ask(&test, main, "config staffrole", id(regular)).await.unwrap();
    refused("config muterole", regular, "staff role").await;
    super::ask(&test, main, "config staffrole", json!({ "unset": true })).await.unwrap();
    super::ask(&test, main, "protect add", id(regular)).await.unwrap();
    refused("config muterole", regular, "protected").await;

    // A store in which both were set before they were refused.
    let both = test.systems.services.store().write(move |change| {
        let before = change.config(guild(main))?;
        Ok(change.configure(guild(main), &GuildConfig { staff_role_id: before.mute_role_id, ..before })?)
    });
    both.await.unwrap();
    let victim = sandbox.stranger();
    sandbox.people().join(main, victim).unwrap();
    let mute = json!({ "operation": "mute", "arguments": { "user": victim.to_string() } });
    let id = test.punish(main, mute).await.punishment.unwrap().id;
    test.until("the mute's end in the main", move |view| {
        let origin = view.origin_of(id).unwrap().unwrap();
        origin.reason.is_some_and(|reason| reason.contains("staff role"))
    })
    .await;
    assert!(!sandbox.read(|world| world.guilds[&main].members[&victim].roles.contains(&muted)));
}
