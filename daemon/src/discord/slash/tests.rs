use super::*;
use std::collections::HashSet;
use wayhaven_shared::{FaultKind, Request};

fn all() -> Vec<Command> {
    let Registration { everywhere, operations_guild, .. } = registration();
    everywhere.into_iter().chain(operations_guild).collect()
}

/// The text Discord counts towards a command's 8,000 characters.
fn text_of(option: &CommandOption) -> usize {
    let choices: usize =
        option.choices.iter().map(|one| one.name.chars().count() + one.value.chars().count()).sum();
    option.name.chars().count()
        + option.description.chars().count()
        + choices
        + option.options.iter().map(text_of).sum::<usize>()
}

fn assert_level(path: &str, options: &[CommandOption], depth: usize) {
    assert!(options.len() <= 25, "{path}: {} on one level", options.len());
    let mut names = HashSet::new();
    let mut optional_seen = false;
    for option in options {
        let path = format!("{path} {}", option.name);
        assert_named(&path, &option.name, &option.description);
        assert!(names.insert(&option.name), "{path} stands twice");
        assert!(option.choices.len() <= 25, "{path}: choices");
        for choice in &option.choices {
            assert!((1..=100).contains(&choice.name.chars().count()), "{path}");
            assert!((1..=100).contains(&choice.value.chars().count()), "{path}");
        }
        assert!(!(option.required && optional_seen), "{path}: required after optional");
        optional_seen |= !option.required;
        assert!(option.min_length.unwrap_or(0) <= option.max_length.unwrap_or(6_000), "{path}");
        assert!(option.max_length.is_none_or(|longest| (1..=6_000).contains(&longest)), "{path}");
        assert_eq!(option.min_value.is_some(), option.kind == OptionKind::Integer, "{path}");
        match option.kind {
            OptionKind::Group => assert_eq!(depth, 0, "{path}: a group stands right below its command"),
            OptionKind::Subcommand => assert!(depth <= 1, "{path}: too deep"),
            _ => assert!(option.options.is_empty(), "{path}: an argument has nothing below"),
        }
        let below = |kind: OptionKind| options.iter().any(|other| other.kind == kind);
        let nests = below(OptionKind::Group) || below(OptionKind::Subcommand);
        assert_eq!(
            nests,
            matches!(option.kind, OptionKind::Group | OptionKind::Subcommand),
            "{path}: arguments beside subcommands"
        );
        assert_level(&path, &option.options, depth + 1);
    }
}

fn assert_named(path: &str, name: &str, description: &str) {
    assert!((1..=32).contains(&name.len()), "{path}");
    assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{path}");
    assert!((1..=100).contains(&description.chars().count()), "{path}: {description:?}");
}

#[test]
fn the_whole_tree_fits_discords_limits() {
    let registration = registration();
    for list in [&registration.everywhere, &registration.operations_guild] {
        assert!(list.len() <= 100, "{} commands in one scope", list.len());
        let names: HashSet<_> = list.iter().map(|command| &command.name).collect();
        assert_eq!(names.len(), list.len());
    }
    for command in all() {
        assert_named(&command.name, &command.name, &command.description);
        assert_level(&command.name, &command.options, 0);
        let text = command.name.chars().count()
            + command.description.chars().count()
            + command.options.iter().map(text_of).sum::<usize>();
        assert!(text <= 8_000, "{}: {text} characters", command.name);
        assert_eq!((command.contexts, command.integration_types), ([0], [0]));
    }
}

fn leaf<'a>(commands: &'a [Command], name: &str) -> &'a [CommandOption] {
    let mut words = name.split(' ');
    let root = words.next().unwrap();
    let mut options = commands.iter().find(|command| command.name == root).unwrap().options.as_slice();
    for word in words {
        options = &options.iter().find(|option| option.name == word).unwrap().options;
    }
    options
}

#[test]
fn every_operation_of_discord_is_in_the_tree_and_ends_with_dry_run_if_it_changes_something() {
    let commands = all();
    for definition in OPERATIONS {
        if definition.surfaces == Surfaces::CommandLine {
            continue;
        }
        let options = leaf(&commands, definition.name);
        let dry_run = options.iter().position(|option| option.name == DRY_RUN);
        let expected = definition.effect.changes().then(|| options.len() - 1);
        assert_eq!(dry_run, expected, "{}", definition.name);
    }
    let command_line_only: HashSet<_> = ["status", "paths", "daemon"].into();
    assert!(commands.iter().all(|command| !command_line_only.contains(command.name.as_str())));
}

#[test]
fn every_value_type_is_decided_on_and_a_snowflake_is_never_a_number() {
    let identifiers = [
        (TypeId::of::<UserId>(), OptionKind::User),
        (TypeId::of::<RoleId>(), OptionKind::Role),
        (TypeId::of::<ChannelId>(), OptionKind::Channel),
        (TypeId::of::<GuildId>(), OptionKind::String),
        (TypeId::of::<PunishmentId>(), OptionKind::String),
        (TypeId::of::<DeliveryId>(), OptionKind::String),
        (TypeId::of::<LinkId>(), OptionKind::String),
    ];
    for definition in OPERATIONS {
        for argument in grammar::command(definition).get_arguments() {
            let path = format!("{} {}", definition.name, argument.get_id());
            assert!(shape(argument).is_some(), "{path}: its value type has no option type in slash.rs");
            let of = argument.get_value_parser().type_id();
            if let Some((_, kind)) = identifiers.iter().find(|(id, _)| of == *id) {
                let expected = if takes_several(argument) { OptionKind::String } else { *kind };
                assert_eq!(option(argument).kind, expected, "{path}");
            }
        }
    }
}

#[test]
fn an_unknown_value_type_is_asked_for_as_text() {
    let argument = Arg::new("count").value_parser(clap::value_parser!(u64)).help("A number");
    assert!(shape(&argument).is_none());
    assert_eq!(option(&argument).kind, OptionKind::String);
    let several =
        Arg::new("users").value_parser(clap::value_parser!(UserId)).action(ArgAction::Append).help("Users");
    assert_eq!(option(&several).kind, OptionKind::String);
}

#[test]
fn a_ban_looks_as_discord_takes_it() {
    let commands = all();
    let ban = commands.iter().find(|command| command.name == "ban").unwrap();
    let json = serde_json::to_value(ban).unwrap();
    assert_eq!(json["type"], 1);
    assert_eq!(json["default_member_permissions"], "4");
    assert_eq!(json["contexts"], serde_json::json!([0]));
    assert_eq!(
        json["options"],
        serde_json::json!([
            {"type": 6, "name": "user", "description": "Whom to ban; they need not be a member", "required": true},
            {"type": 3, "name": "reason", "description": "Why, as it will stand in each guild's audit log", "min_length": 1, "max_length": 4000},
            {"type": 4, "name": "delete-days", "description": "Delete their messages of that many days, 0 to 7", "min_value": 0, "max_value": 7},
            {"type": 3, "name": "for", "description": "Lift the ban by itself after that long, as 7d; for ever without", "min_length": 2, "max_length": 40},
            {"type": 3, "name": "evidence", "description": "Where what led to it can be looked at: a web address", "min_length": 8, "max_length": 500},
            {"type": 5, "name": "dry-run", "description": "Only show what would happen"},
        ])
    );
    let setup = commands.iter().find(|command| command.name == "setup").unwrap();
    assert_eq!(setup.default_member_permissions, None, "the dashboard is for staff");
    let sync = commands.iter().find(|command| command.name == "sync").unwrap();
    assert_eq!(sync.default_member_permissions.as_deref(), Some("32"));
}

fn made_up(name: &'static str, authority: Authority) -> Definition {
    Definition {
        name,
        authority,
        surfaces: Surfaces::Everywhere,
        effect: Effect::Read,
        augment: |command| command,
        parse: |_| -> Result<Request, clap::Error> {
            Err(clap::Error::raw(clap::error::ErrorKind::InvalidValue, FaultKind::Internal.word()))
        },
    }
}

#[test]
fn roots_for_owners_only_go_to_the_operations_guild_and_mixed_ones_do_not() {
    let definitions = [
        made_up("backup now", Authority::Owner),
        made_up("backup config view", Authority::Owner),
        made_up("backup config set", Authority::Owner),
        made_up("privacy export", Authority::Admin),
        made_up("privacy erase", Authority::Owner),
        made_up("act now", Authority::Ban),
        made_up("act later", Authority::Moderate),
        made_up("open see", Authority::Anyone),
        made_up("open set", Authority::Admin),
    ];
    let registration = registration_of(&definitions);
    let names = |list: &[Command]| list.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&registration.operations_guild), ["backup"]);
    assert_eq!(names(&registration.everywhere), ["privacy", "act", "open"]);
    let permissions: Vec<_> =
        registration.everywhere.iter().map(|one| one.default_member_permissions.as_deref()).collect();
    assert_eq!(permissions, [Some("32"), Some("1099511627776"), None]);
    let backup = &registration.operations_guild[0];
    assert_eq!(backup.default_member_permissions.as_deref(), Some("0"));
    assert_eq!(backup.options[1].kind, OptionKind::Group);
    assert_eq!(backup.options[1].options.len(), 2);
}

#[test]
fn the_fingerprint_is_stable_and_sees_every_change() {
    let list = registration().everywhere;
    assert_eq!(fingerprint(&list), fingerprint(&registration().everywhere));
    assert_eq!(fingerprint(&list).len(), 64);
    let mut other = list.clone();
    other[0].description.push('!');
    assert_ne!(fingerprint(&list), fingerprint(&other));
    assert_eq!(
        fingerprint::<Command>(&[]),
        "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
        "SHA-256 of an empty list"
    );
}

#[test]
fn options_complete_themselves_by_their_type_and_only_then() {
    let commands = all();
    for definition in OPERATIONS.iter().filter(|one| one.surfaces == Surfaces::Everywhere) {
        let options = leaf(&commands, definition.name);
        let command = grammar::command(definition);
        for argument in command.get_arguments().filter(|argument| !is_elsewhere(argument)) {
            let option = options.iter().find(|option| option.name == option_name(argument)).unwrap();
            let path = format!("{} {}", definition.name, option.name);
            assert_eq!(option.autocomplete, completes(argument).is_some(), "{path}");
            assert!(!option.autocomplete || option.kind == OptionKind::String, "{path}");
            assert!(!option.autocomplete || option.choices.is_empty(), "{path}: one excludes the other");
        }
    }
    for (path, name) in [
        ("setup doctor", "child"),
        ("punishment show", "id"),
        ("punishment revert", "punishments"),
        ("sync approve", "id"),
        ("job cancel", "id"),
    ] {
        assert!(
            leaf(&commands, path).iter().any(|one| one.name == name && one.autocomplete),
            "{path} {name}"
        );
    }
}

#[test]
fn a_menu_has_what_discord_takes_and_changes_the_fingerprint() {
    let Registration { menus, everywhere, .. } = registration();
    let json = serde_json::to_value(&menus).unwrap();
    let expected = serde_json::json!([{
        "type": 2, "name": BAN_MENU, "default_member_permissions": "4", "contexts": [0],
        "integration_types": [0],
    }]);
    assert_eq!(json, expected);
    assert!((1..=32).contains(&BAN_MENU.chars().count()));
    let both: Vec<_> = everywhere.iter().map(|one| serde_json::to_value(one).unwrap()).collect();
    let more: Vec<_> = both.iter().cloned().chain(json.as_array().unwrap().iter().cloned()).collect();
    assert_ne!(fingerprint(&both), fingerprint(&more));
}
