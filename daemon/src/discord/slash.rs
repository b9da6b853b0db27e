//! The slash commands, generated from the list of operations by walking each one's clap arguments.
//!
//! An operation's words become command, group and subcommand; its arguments become options whose type follows
//! from the clap value parser's type. Snowflakes are never INTEGER, since Discord's integers end at 2^53 (FACTS
//! A9). `--guild` is no option: the interaction supplies it.

use clap::{Arg, ArgAction};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::any::TypeId;
use std::fmt::Write as _;
use wayhaven_shared::operation::{Authority, Definition, Surfaces};
use wayhaven_shared::operations::setup::AllowedActions;
use wayhaven_shared::operations::{GROUPS, OPERATIONS};
use wayhaven_shared::value::{
    Account, AlertId, AuditId, ChainMark, ChannelId, DeleteDays, DeliveryId, DrillId, Evidence, ExceptionId,
    FileName, GuildId, HoldId, IncidentId, JobId, LinkId, NewFile, PageSize, ProtectionId, PunishmentId,
    RoleId, Span, Timestamp, Until, Untrusted, UserId, WarningSteps, WindowDays,
};
use wayhaven_shared::{Effect, grammar};

/// The option that every changing operation ends with: only the plan is wanted.
pub const DRY_RUN: &str = "dry-run";

/// What is sent to Discord, in two lists because groups for owners only are shown in one guild.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Registered globally.
    pub everywhere: Vec<Command>,
    /// Registered in `discord.operations_guild` only: roots whose every member is for owners.
    pub operations_guild: Vec<Command>,
    /// Entries of context menus, registered globally.
    pub menus: Vec<Menu>,
}

/// The entry of the context menu on a user that bans them.
pub const BAN_MENU: &str = "Ban in the network…";

/// An entry of a context menu as Discord takes it: it has neither description nor options (FACTS A9).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Menu {
    /// 2: on users.
    #[serde(rename = "type")]
    pub kind: u8,
    /// What stands in the menu, 1 to 32 characters.
    pub name: &'static str,
    /// As with [`Command::default_member_permissions`].
    pub default_member_permissions: Option<String>,
    /// Guilds only.
    pub contexts: [u8; 1],
    /// Installed in guilds only.
    pub integration_types: [u8; 1],
}

fn menus() -> Vec<Menu> {
    let bits = Authority::Ban.permission().map(|bits| bits.to_string());
    vec![Menu {
        kind: 2,
        name: BAN_MENU,
        default_member_permissions: bits,
        contexts: [0],
        integration_types: [0],
    }]
}

/// An application command as Discord takes it (FACTS A9).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Command {
    /// Always CHAT_INPUT.
    #[serde(rename = "type")]
    pub kind: u8,
    /// The first word of its operations.
    pub name: String,
    /// One line of help.
    pub description: String,
    /// Groups and subcommands, or arguments where the command is itself an operation.
    pub options: Vec<CommandOption>,
    /// Permission bits in decimal; everybody without. Only a default that each guild can change, so the daemon
    /// checks authority itself.
    pub default_member_permissions: Option<String>,
    /// Guilds only.
    pub contexts: [u8; 1],
    /// Installed in guilds only.
    pub integration_types: [u8; 1],
}

/// A group, a subcommand or an argument.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct CommandOption {
    /// One of Discord's option types.
    #[serde(rename = "type")]
    pub kind: OptionKind,
    /// The word, or the argument's name in kebab case.
    pub name: String,
    /// One line of help.
    pub description: String,
    /// Whether the argument must be given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Whether Discord asks for choices while it is typed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub autocomplete: bool,
    /// The only values there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<Choice>,
    /// The smallest INTEGER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_value: Option<u16>,
    /// The largest INTEGER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_value: Option<u16>,
    /// The shortest STRING, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u16>,
    /// The longest STRING, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u16>,
    /// What stands below a group or a subcommand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<CommandOption>,
}

/// One value of an argument that has few.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Choice {
    /// What the member sees.
    pub name: String,
    /// What clap reads.
    pub value: String,
}

/// Discord's option types that we use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "u8")]
pub enum OptionKind {
    /// A subcommand.
    Subcommand = 1,
    /// A group of subcommands.
    Group = 2,
    /// Text.
    #[default]
    String = 3,
    /// A whole number.
    Integer = 4,
    /// True or false.
    Boolean = 5,
    /// A user.
    User = 6,
    /// A channel.
    Channel = 7,
    /// A role.
    Role = 8,
    /// A file.
    Attachment = 11,
}

impl From<OptionKind> for u8 {
    fn from(kind: OptionKind) -> u8 {
        kind as u8
    }
}

/// The slash commands of every operation that is offered on Discord.
pub fn registration() -> Registration {
    registration_of(OPERATIONS)
}

fn registration_of(definitions: &[Definition]) -> Registration {
    let mut roots: Vec<(&str, Vec<&Definition>)> = Vec::new();
    for definition in definitions.iter().filter(|definition| definition.surfaces == Surfaces::Everywhere) {
        let Some(root) = definition.words().next() else { continue };
        match roots.iter_mut().find(|(word, _)| *word == root) {
            Some((_, members)) => members.push(definition),
            None => roots.push((root, vec![definition])),
        }
    }
    let (operations_guild, everywhere) = roots
        .into_iter()
        .partition::<Vec<_>, _>(|(_, members)| members.iter().all(|one| one.authority == Authority::Owner));
    let commands = |roots: Vec<(&str, Vec<&Definition>)>| {
        roots.into_iter().map(|(root, members)| command(root, &members)).collect()
    };
    Registration {
        everywhere: commands(everywhere),
        operations_guild: commands(operations_guild),
        menus: menus(),
    }
}

/// A fingerprint of a list of commands: registration is sent only when it is another one than last time.
pub fn fingerprint<T: Serialize>(commands: &[T]) -> String {
    // Commands are plain data, so encoding them cannot fail.
    let encoded = serde_json::to_vec(commands).unwrap_or_default();
    Sha256::digest(&encoded).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn command(root: &str, members: &[&Definition]) -> Command {
    let mut command = Command {
        kind: 1,
        name: root.to_owned(),
        description: group_help(root),
        options: Vec::new(),
        default_member_permissions: default_permissions(members).map(|bits| bits.to_string()),
        contexts: [0],
        integration_types: [0],
    };
    for definition in members {
        let words: Vec<_> = definition.words().collect();
        match words.as_slice() {
            [_] => {
                command.description = about(definition);
                command.options = arguments(definition);
            }
            [_, word] => command.options.push(subcommand(word, definition)),
            [_, group, rest @ ..] => {
                // The sweep holds names to three words; a longer one would be refused by Discord.
                let word = rest.join("-");
                let below = subcommand(&word, definition);
                let existing = command
                    .options
                    .iter_mut()
                    .find(|option| option.kind == OptionKind::Group && option.name == *group);
                match existing {
                    Some(existing) => existing.options.push(below),
                    None => command.options.push(CommandOption {
                        kind: OptionKind::Group,
                        name: (*group).to_owned(),
                        description: group_help(&format!("{root} {group}")),
                        options: vec![below],
                        ..CommandOption::default()
                    }),
                }
            }
            [] => {}
        }
    }
    command
}

fn subcommand(word: &str, definition: &Definition) -> CommandOption {
    CommandOption {
        kind: OptionKind::Subcommand,
        name: word.to_owned(),
        description: about(definition),
        options: arguments(definition),
        ..CommandOption::default()
    }
}

fn group_help(path: &str) -> String {
    GROUPS.iter().find(|(group, _)| *group == path).map_or("", |(_, about)| about).to_owned()
}

fn about(definition: &Definition) -> String {
    grammar::command(definition).get_about().map(ToString::to_string).unwrap_or_default()
}

/// What Discord asks for before it shows a root: the least of what its members need.
///
/// Nothing where a member is for anyone or for staff, since a staff role is no permission. Members for owners do
/// not count beside others; a root that has only those is shown to administrators (`0`), and the daemon still
/// asks for the owner.
fn default_permissions(members: &[&Definition]) -> Option<u64> {
    let mut least: Option<(u8, u64)> = None;
    for definition in members {
        let rank = match definition.authority {
            Authority::Anyone | Authority::Staff => return None,
            Authority::Kick => 0,
            Authority::Moderate => 1,
            Authority::Ban => 2,
            Authority::Admin => 3,
            Authority::Owner => continue,
        };
        let bits = definition.authority.permission()?;
        if least.is_none_or(|(lowest, _)| rank < lowest) {
            least = Some((rank, bits));
        }
    }
    Some(least.map_or(0, |(_, bits)| bits))
}

fn arguments(definition: &Definition) -> Vec<CommandOption> {
    let command = grammar::command(definition);
    let mut options: Vec<_> =
        command.get_arguments().filter(|argument| !is_elsewhere(argument)).map(option).collect();
    // Discord wants required options first; the sort is stable, so the order within each is ours.
    options.sort_by_key(|option| !option.required);
    if definition.effect != Effect::Read {
        options.push(CommandOption {
            kind: OptionKind::Boolean,
            name: DRY_RUN.to_owned(),
            description: "Only show what would happen".to_owned(),
            ..CommandOption::default()
        });
    }
    options
}

fn option(argument: &Arg) -> CommandOption {
    // What is of no type we know is asked for as text, which clap then judges.
    let shape = shape(argument).unwrap_or(Shape::Text(1, Untrusted::LONGEST as u16));
    let mut option = CommandOption {
        name: option_name(argument),
        description: argument.get_help().map(ToString::to_string).unwrap_or_default(),
        required: argument.is_required_set(),
        autocomplete: completes(argument).is_some(),
        ..CommandOption::default()
    };
    match shape {
        Shape::Kind(kind) => option.kind = kind,
        Shape::Number(lowest, highest) => {
            option.kind = OptionKind::Integer;
            (option.min_value, option.max_value) = (Some(lowest), Some(highest));
        }
        Shape::Text(shortest, longest) => {
            (option.min_length, option.max_length) = (Some(shortest), Some(longest));
        }
        Shape::Choices(choices) => option.choices = choices,
    }
    option
}

/// The option's name for an argument: its id in kebab case.
pub(crate) fn option_name(argument: &Arg) -> String {
    argument.get_id().as_str().replace('_', "-")
}

/// Whether an argument takes several values, which on Discord are one text with commas or spaces between.
pub(crate) fn takes_several(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
        || argument.get_num_args().is_some_and(|range| range.max_values() > 1)
}

/// What an argument is completed with: values that only the daemon knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Open {
    /// Guilds.
    Guild,
    /// Punishments.
    Punishment,
    /// Holds.
    Hold,
    /// Jobs.
    Job,
}

/// What an argument is completed with, by the type that its value parser makes.
pub(crate) fn completes(argument: &Arg) -> Option<Open> {
    let of = argument.get_value_parser().type_id();
    let known = [
        (TypeId::of::<GuildId>(), Open::Guild),
        (TypeId::of::<PunishmentId>(), Open::Punishment),
        (TypeId::of::<HoldId>(), Open::Hold),
        (TypeId::of::<JobId>(), Open::Job),
    ];
    known.into_iter().find(|(id, _)| of == *id).map(|(_, open)| open)
}

/// Whether an argument names a file that comes with the request.
pub(super) fn is_file(argument: &Arg) -> bool {
    argument.get_value_parser().type_id() == TypeId::of::<FileName>()
}

/// Whether an argument means nothing on Discord: a place where whoever asks keeps their files, an account of the daemon's
/// machine.
pub(super) fn is_elsewhere(argument: &Arg) -> bool {
    let of = argument.get_value_parser().type_id();
    of == TypeId::of::<NewFile>() || of == TypeId::of::<Account>()
}

/// How an argument is asked for.
enum Shape {
    Kind(OptionKind),
    Number(u16, u16),
    Text(u16, u16),
    Choices(Vec<Choice>),
}

/// The shape for the type that an argument's value parser makes; nothing for a type this table does not know,
/// which the sweep refuses, so that whoever adds a value type decides here.
fn shape(argument: &Arg) -> Option<Shape> {
    if takes_several(argument) {
        return Some(Shape::Text(1, Untrusted::LONGEST as u16));
    }
    let of = argument.get_value_parser().type_id();
    let choices: Vec<_> = argument
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| Choice { name: value.get_name().to_owned(), value: value.get_name().to_owned() })
        .collect();
    let known: [(TypeId, Shape); 31] = [
        (TypeId::of::<bool>(), Shape::Kind(OptionKind::Boolean)),
        (TypeId::of::<UserId>(), Shape::Kind(OptionKind::User)),
        (TypeId::of::<FileName>(), Shape::Kind(OptionKind::Attachment)),
        // Never asked for there.
        (TypeId::of::<NewFile>(), Shape::Text(1, 100)),
        (TypeId::of::<RoleId>(), Shape::Kind(OptionKind::Role)),
        (TypeId::of::<ChannelId>(), Shape::Kind(OptionKind::Channel)),
        // As long as a pasted mention may be.
        (TypeId::of::<GuildId>(), Shape::Text(1, 32)),
        (TypeId::of::<PunishmentId>(), Shape::Text(1, 20)),
        (TypeId::of::<DeliveryId>(), Shape::Text(1, 20)),
        (TypeId::of::<LinkId>(), Shape::Text(1, 20)),
        (TypeId::of::<ProtectionId>(), Shape::Text(1, 20)),
        (TypeId::of::<JobId>(), Shape::Text(1, 20)),
        (TypeId::of::<ExceptionId>(), Shape::Text(1, 20)),
        (TypeId::of::<Until>(), Shape::Text(2, 40)),
        (TypeId::of::<Timestamp>(), Shape::Text(20, 40)),
        (TypeId::of::<HoldId>(), Shape::Text(1, 20)),
        (TypeId::of::<AuditId>(), Shape::Text(1, 20)),
        (TypeId::of::<AlertId>(), Shape::Text(1, 20)),
        (TypeId::of::<IncidentId>(), Shape::Text(1, 20)),
        (TypeId::of::<DrillId>(), Shape::Text(1, 20)),
        (TypeId::of::<ChainMark>(), Shape::Text(1, ChainMark::LONGEST)),
        // Never asked for there.
        (TypeId::of::<Account>(), Shape::Text(1, Account::LONGEST)),
        (TypeId::of::<AllowedActions>(), Shape::Text(1, 100)),
        (TypeId::of::<Span>(), Shape::Text(2, 40)),
        (TypeId::of::<WarningSteps>(), Shape::Text(3, WarningSteps::LONGEST)),
        (TypeId::of::<Evidence>(), Shape::Text(8, Evidence::LONGEST)),
        (TypeId::of::<Untrusted>(), Shape::Text(1, Untrusted::LONGEST as u16)),
        (TypeId::of::<String>(), Shape::Text(1, Untrusted::LONGEST as u16)),
        (TypeId::of::<DeleteDays>(), Shape::Number(DeleteDays::LOWEST, DeleteDays::HIGHEST)),
        (TypeId::of::<PageSize>(), Shape::Number(PageSize::LOWEST, PageSize::HIGHEST)),
        (TypeId::of::<WindowDays>(), Shape::Number(WindowDays::LOWEST, WindowDays::HIGHEST)),
    ];
    match known.into_iter().find(|(id, _)| of == *id) {
        Some((_, shape)) => Some(shape),
        None => (!choices.is_empty()).then_some(Shape::Choices(choices)),
    }
}

#[cfg(test)]
mod tests;
