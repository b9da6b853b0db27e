use super::*;
use crate::discord::slash::{self, CommandOption, OptionKind};
use proptest::prelude::*;
use serde_json::json;
use wayhaven_shared::operation::Surfaces;
use wayhaven_shared::operations::OPERATIONS;
use wayhaven_shared::{Request, grammar};

mod samples;

/// The first G line of FACTS: a nested command with a resolved member.
const COMMAND: &str = r#"{"id":"300","application_id":"5","type":2,"token":"itok","version":1,"guild_id":"100","channel_id":"200","channel":{"id":"200","type":0},"member":{"user":{"id":"9","username":"mod"},"roles":[],"deaf":false,"mute":false,"flags":0,"permissions":"8"},"locale":"en-US","app_permissions":"8","entitlements":[],"authorizing_integration_owners":{"0":"100"},"context":0,"attachment_size_limit":10485760,"data":{"id":"400","name":"sync","type":1,"resolved":{"users":{"55":{"id":"55","username":"u"}},"members":{"55":{"roles":[],"flags":0,"permissions":"0"}}},"options":[{"name":"policy","type":2,"options":[{"name":"set","type":1,"options":[{"name":"user","type":6,"value":"55"},{"name":"days","type":4,"value":3},{"name":"reason","type":3,"value":"x"}]}]}]}}"#;
/// The second: somebody is typing.
const AUTOCOMPLETE: &str = r#"{"id":"301","application_id":"5","type":4,"token":"itok2","version":1,"guild_id":"100","channel_id":"200","member":{"user":{"id":"9","username":"mod"},"roles":[],"deaf":false,"mute":false,"flags":0,"permissions":"8"},"locale":"en-US","entitlements":[],"attachment_size_limit":10485760,"data":{"id":"400","name":"sync","type":1,"options":[{"name":"guild","type":3,"value":"ma","focused":true}]}}"#;

fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: fmt::Debug,
{
    text.parse().unwrap()
}

/// A slash command with these options, as Discord nests them.
fn interaction(operation: &str, leaves: Value) -> Value {
    let mut words: Vec<_> = operation.split(' ').collect();
    let root = words.remove(0);
    let depth = words.len();
    let options = words.iter().rev().enumerate().fold(leaves, |below, (index, word)| {
        let kind = if depth == 2 && index == 1 { 2 } else { 1 };
        json!([{"name": word, "type": kind, "options": below}])
    });
    let mut payload: Value = serde_json::from_str(COMMAND).unwrap();
    payload["data"] = json!({"id": "400", "name": root, "type": 1, "options": options});
    payload
}

fn asked(operation: &str, mut leaves: Value) -> Result<(Request, bool), Fault> {
    let mut files = serde_json::Map::new();
    for leaf in leaves.as_array_mut().unwrap().iter_mut().filter(|leaf| leaf["type"] == 11) {
        let file =
            json!({"id": "77", "filename": leaf["value"], "size": 3, "url": "https://cdn.discordapp.com/x"});
        files.insert("77".into(), file);
        leaf["value"] = json!("77");
    }
    let mut payload = interaction(operation, leaves);
    payload["data"]["resolved"] = json!({ "attachments": files });
    Interaction::from_value(&payload).unwrap().request()
}

#[test]
fn a_file_is_read_by_its_id_and_its_link_is_printed_nowhere() {
    let leaves = json!([{"name": "file", "type": 11, "value": "77"}]);
    let mut payload = interaction("sync import", leaves);
    let bare = Interaction::from_value(&payload).unwrap().request().unwrap_err();
    assert!(bare.message.contains("no file came") && !bare.hints.is_empty(), "{bare}");
    let file = json!({"filename": "my bans.csv", "size": 3, "url": "https://cdn.discordapp.com/s3cr3t"});
    payload["data"]["resolved"] = json!({"attachments": {"77": file}});
    let read = Interaction::from_value(&payload).unwrap();
    let (Request::SyncImport(import), _) = read.request().unwrap() else { panic!("another request") };
    assert_eq!(import.file.raw(), "my bans.csv");
    assert_eq!(read.attachment().unwrap().link.expose(), "https://cdn.discordapp.com/s3cr3t");
    assert!(!format!("{read:?}").contains("s3cr3t"));
    for field in ["filename", "size", "url"] {
        let mut broken = payload.clone();
        broken["data"]["resolved"]["attachments"]["77"][field] = Value::Null;
        let fault = Interaction::from_value(&broken).unwrap_err();
        assert!(fault.message.contains("attachments") && !fault.message.contains("s3cr3t"), "{fault}");
    }
}

#[test]
fn the_lines_of_facts_are_read() {
    let command = Interaction::parse(COMMAND).unwrap();
    assert_eq!((command.id, command.application_id, command.kind), (300, 5, InteractionKind::Command));
    assert_eq!(command.operation, "sync policy set");
    assert_eq!((command.guild_id, command.channel_id), (Some(id("100")), Some(id("200"))));
    assert_eq!(command.invoker.user, id("9"));
    assert_eq!(command.invoker.name.raw(), "mod");
    assert_eq!(command.invoker.membership.as_ref().unwrap().permissions, 8);
    assert_eq!(command.locale.as_ref().unwrap().raw(), "en-US");
    let names: Vec<_> = command.options.iter().map(|leaf| (leaf.name.as_str(), leaf.value.text())).collect();
    assert_eq!(names, [("user", "55".to_owned()), ("days", "3".to_owned()), ("reason", "x".to_owned())]);
    let target = command.resolved_member(id("55")).unwrap();
    assert_eq!((target.roles.len(), target.permissions), (0, 0));
    assert!(command.resolved_member(id("56")).is_none());
    let fault = command.request().unwrap_err();
    assert_eq!(fault.kind, FaultKind::NotFound);
    assert_eq!(fault.message, "/sync policy set is not known to this version of Wayhaven");

    let typing = Interaction::parse(AUTOCOMPLETE).unwrap();
    assert_eq!(typing.kind, InteractionKind::Autocomplete);
    assert_eq!(typing.focused(), Some(("guild", "ma".to_owned())));
    assert!(typing.request().is_err());
}

#[test]
fn a_pressed_button_is_read_with_who_pressed_it_as_they_are_now() {
    let pressed = |data: Value| {
        let mut payload: Value = serde_json::from_str(COMMAND).unwrap();
        payload["type"] = json!(3);
        payload["message"] = json!({"id": "500", "components": []});
        payload["data"] = data;
        payload
    };
    let sound = pressed(json!({"custom_id": "confirm:1:do", "component_type": 2}));
    let read = Interaction::from_value(&sound).unwrap();
    assert_eq!((read.kind, read.custom_id.as_deref()), (InteractionKind::Component, Some("confirm:1:do")));
    assert_eq!((read.invoker.user, read.invoker.membership.unwrap().permissions), (id("9"), 8));
    assert_eq!((read.guild_id, read.operation.as_str()), (Some(id("100")), ""));
    // What is pressed is no request by itself.
    assert_eq!(Interaction::from_value(&sound).unwrap().request().unwrap_err().kind, FaultKind::Usage);
    assert_eq!(Interaction::from_value(&pressed(json!({}))).unwrap().custom_id, None);
    let mut unknown = sound;
    unknown["member"]["permissions"] = Value::Null;
    let fault = Interaction::from_value(&unknown).unwrap_err();
    assert!(fault.message.contains("member.permissions"), "{fault}");
}

#[test]
fn a_direct_message_has_a_user_and_no_membership() {
    let mut payload: Value = serde_json::from_str(COMMAND).unwrap();
    let object = payload.as_object_mut().unwrap();
    object.remove("member");
    object.remove("guild_id");
    object.insert("user".into(), json!({"id": "9", "username": "mod", "global_name": "The Mod"}));
    let read = Interaction::from_value(&payload).unwrap();
    assert_eq!((read.guild_id, read.invoker.membership.clone()), (None, None));
    assert_eq!(read.invoker.name.raw(), "The Mod");
}

#[test]
fn fault_33_the_token_is_in_no_debug_output_and_in_no_fault() {
    let text = COMMAND.replace("itok", "s3cr3t");
    let read = Interaction::parse(&text).unwrap();
    assert_eq!(read.token.expose(), "s3cr3t");
    assert!(!format!("{read:?}").contains("s3cr3t"));
    for broken in [text.replace("\"300\"", "\"s3cr3t\""), text.replace("s3cr3t", "s3cr3t/../x"), text + "x"] {
        let fault = Interaction::parse(&broken).unwrap_err();
        assert!(!format!("{fault:?} {fault}").contains("s3cr3t"), "{fault}");
    }
}

#[test]
fn what_is_missing_or_malformed_is_named_and_never_taken_for_none() {
    let cases = [
        ("/id", Value::Null, "id"),
        ("/id", json!(300), "id"),
        ("/type", json!("2"), "type"),
        ("/token", json!(""), "token"),
        ("/guild_id", json!("x"), "guild_id"),
        ("/member/user/id", json!("0"), "the user's id"),
        ("/member/permissions", Value::Null, "member.permissions"),
        ("/member/roles", Value::Null, "member.roles"),
        ("/data/name", Value::Null, "data.name"),
        ("/data/options", json!({}), "data.options"),
        ("/data/resolved/members/55/roles", json!(["x"]), "data.resolved.members.roles"),
        ("/data/resolved/members/55/permissions", Value::Null, "data.resolved.members.permissions"),
    ];
    for (pointer, value, field) in cases {
        let mut payload: Value = serde_json::from_str(COMMAND).unwrap();
        *payload.pointer_mut(pointer).unwrap() = value;
        let fault = Interaction::from_value(&payload).unwrap_err();
        assert_eq!(
            fault.message,
            format!("Discord sent an interaction that cannot be read: {field} is missing or malformed")
        );
    }
}

#[test]
fn a_reason_survives_whatever_it_looks_like() {
    for reason in [
        "--x",
        "-- \"quoted\"",
        "--",
        "-",
        "",
        " ",
        "a\nb",
        "--dry-run",
        "--delete-days=7",
        "=x",
        "\\'\"",
        "🦀",
    ] {
        let leaves = json!([
            {"name": "reason", "type": 3, "value": reason}, {"name": "user", "type": 6, "value": "55"}
        ]);
        let (Request::Ban(ban), false) = asked("ban", leaves).unwrap() else { panic!("a ban") };
        assert_eq!(ban.reason.unwrap().raw(), reason);
        assert_eq!(ban.delete_days, None);
    }
}

#[test]
fn wrong_arguments_are_faults_in_the_words_of_the_command_line() {
    let user = json!({"name": "user", "type": 6, "value": "55"});
    let days = |value: Value| json!({"name": "delete-days", "type": 4, "value": value});
    let message = |leaves: Value| asked("ban", leaves).unwrap_err().message;
    assert!(message(json!([user, days(json!(8))])).contains("from 0 to 7"));
    assert!(message(json!([user, days(json!(1.5))])).contains("from 0 to 7"));
    assert!(message(json!([])).contains("<USER>"));
    assert!(message(json!([{"name": "user", "type": 3, "value": "--help"}])).contains("a user id is"));
    assert_eq!(
        message(json!([user, user])),
        "the option user of /ban is not known to this version of Wayhaven"
    );
    assert_eq!(
        message(json!([user, {"name": "dry-run", "type": 3, "value": "false"}])),
        "the option dry-run is yes or no"
    );
    let hostile = json!([{"name": "user", "type": 3, "value": "\u{1b}[2J\u{202e}x"}]);
    assert!(!message(hostile).chars().any(char::is_control));
    assert!(asked("status", json!([])).is_err(), "the command line's own");
    assert!(asked("setup", json!([])).is_err(), "a group cannot be called bare");
}

fn arbitrary_json() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "id",
        "type",
        "token",
        "data",
        "name",
        "options",
        "value",
        "member",
        "user",
        "roles",
        "permissions",
        "resolved",
        "members",
        "ban",
        "reason",
        "55",
        "itok",
        "--",
        "delete-days",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..6).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        names.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn hostile_payloads_are_faults_and_never_panics(payload in arbitrary_json(), text in any::<String>()) {
        let _ = Interaction::parse(&text);
        if let Ok(read) = Interaction::from_value(&payload) {
            let _ = (read.request(), read.focused());
        }
    }

    #[test]
    fn hostile_parts_of_a_sound_payload_are_faults_and_never_panics(
        part in arbitrary_json(),
        at in prop::sample::select(vec!["/data", "/data/options", "/data/options/0", "/member", "/data/name"]),
    ) {
        let mut payload = interaction("ban", json!([{"name": "user", "type": 6, "value": "55"}]));
        *payload.pointer_mut(at).unwrap() = part;
        if let Ok(read) = Interaction::from_value(&payload) {
            let _ = (read.request(), read.focused());
        }
    }

    #[test]
    fn a_truncated_payload_is_a_fault(end in 0..COMMAND.len()) {
        prop_assume!(COMMAND.is_char_boundary(end));
        prop_assert!(Interaction::parse(&COMMAND[..end]).is_err());
    }

    #[test]
    fn any_reason_comes_through_unchanged(reason in any::<String>()) {
        prop_assume!(reason.chars().count() <= 4_000);
        let leaves = json!([
            {"name": "user", "type": 6, "value": "55"}, {"name": "reason", "type": 3, "value": reason}
        ]);
        let (Request::Unban(unban), _) = asked("unban", {
            leaves
        }).unwrap() else { panic!("an unban") };
        prop_assert_eq!(unban.reason.unwrap().raw().to_owned(), reason);
    }
}
