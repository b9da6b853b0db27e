//! Permission bits by Discord's names (FACTS A1).

macro_rules! bits {
    ($($name:ident = $shift:literal),* $(,)?) => {
        $(#[doc = concat!("Bit ", stringify!($shift), " as Discord names it.")]
        pub const $name: u64 = 1 << $shift;)*
    };
}

bits! {
    KICK_MEMBERS = 1,
    BAN_MEMBERS = 2,
    ADMINISTRATOR = 3,
    MANAGE_CHANNELS = 4,
    MANAGE_GUILD = 5,
    VIEW_AUDIT_LOG = 7,
    VIEW_CHANNEL = 10,
    SEND_MESSAGES = 11,
    MANAGE_MESSAGES = 13,
    EMBED_LINKS = 14,
    ATTACH_FILES = 15,
    READ_MESSAGE_HISTORY = 16,
    MENTION_EVERYONE = 17,
    MUTE_MEMBERS = 22,
    DEAFEN_MEMBERS = 23,
    MOVE_MEMBERS = 24,
    CHANGE_NICKNAME = 26,
    MANAGE_NICKNAMES = 27,
    MANAGE_ROLES = 28,
    MANAGE_WEBHOOKS = 29,
    USE_APPLICATION_COMMANDS = 31,
    MODERATE_MEMBERS = 40,
}

/// Every published bit; the highest is 52.
pub const ALL: u64 = (1 << 53) - 1;

/// What `@everyone` may do in a sandbox guild.
pub const EVERYONE: u64 =
    VIEW_CHANNEL | SEND_MESSAGES | READ_MESSAGE_HISTORY | CHANGE_NICKNAME | USE_APPLICATION_COMMANDS;

/// The least set Wayhaven needs in a child guild (FACTS A1).
pub const LEAST_FOR_BOT: u64 = VIEW_AUDIT_LOG
    | BAN_MEMBERS
    | KICK_MEMBERS
    | MODERATE_MEMBERS
    | MANAGE_ROLES
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES;

/// What the sandbox's moderators hold.
pub const MODERATOR: u64 =
    BAN_MEMBERS | KICK_MEMBERS | MODERATE_MEMBERS | VIEW_AUDIT_LOG | MANAGE_MESSAGES | MANAGE_ROLES;
