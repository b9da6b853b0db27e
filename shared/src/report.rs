//! What a reply looks like to a person. Replies build one [`Report`]; the terminal, the console and Discord's
//! embeds each render it, and no operation writes a rendering of its own.

use crate::names::{self, Mentions, Names};
use crate::value::{GuildId, Timestamp, Untrusted, UserId};
use std::ops::Add;

/// A piece of text that knows whether we wrote it, so that each renderer can clean what we did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Ours: safe in every sink, apart from markdown, which it does not use.
    Ours(String),
    /// Somebody else's.
    Theirs(Untrusted),
    /// A user, with the name where it is known: `name (id)`, or a mention on Discord.
    User(UserId, Option<Untrusted>),
    /// A guild, with the name where it is known: `name (id)`.
    Guild(GuildId, Option<Untrusted>),
    /// A point in time. Discord shows it in the reader's own time zone.
    Time(Timestamp, Clock),
    /// A text of ours that holds ids, and perhaps what others wrote: each id that is known gets its name.
    Prose(Untrusted),
    /// Pieces, one directly after the other.
    Joined(Vec<Text>),
}

/// How a time is written where it is no Discord timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// RFC 3339.
    Exact,
    /// To the second, for tables: the heading says that it is UTC.
    Short,
    /// To the second, with the zone.
    Zoned,
}

impl Text {
    /// A time to the second, for tables.
    pub fn short(at: Timestamp) -> Self {
        Self::Time(at, Clock::Short)
    }

    /// Text of ours that holds ids.
    pub fn prose(text: &str) -> Self {
        Self::Prose(Untrusted::clipped(text))
    }

    /// Whom the audit names: a user by the id, everybody else by the words.
    pub fn actor(actor: &Untrusted) -> Self {
        let digits = actor.raw().bytes().all(|byte| byte.is_ascii_digit());
        match actor.raw().parse().ok().filter(|_| digits) {
            Some(user) => Self::User(user, None),
            None => Self::Theirs(actor.clone()),
        }
    }

    /// A guild with the name that came along.
    pub fn guild(guild: GuildId, name: Option<&Untrusted>) -> Self {
        Self::Guild(guild, name.cloned())
    }

    /// Texts with commas between them.
    pub fn list(texts: impl IntoIterator<Item = Self>) -> Self {
        let mut parts = Vec::new();
        for text in texts {
            if !parts.is_empty() {
                parts.push(Self::from(", "));
            }
            parts.push(text);
        }
        Self::Joined(parts)
    }

    /// One clean line, for terminals.
    pub fn line(&self) -> String {
        match self {
            Self::Ours(text) => text.clone(),
            Self::Theirs(text) | Self::Prose(text) => text.line(),
            Self::User(user, name) => names::beside(name.as_ref(), &user.to_string()),
            Self::Guild(guild, name) => names::beside(name.as_ref(), &guild.to_string()),
            Self::Time(at, Clock::Exact) => at.to_string(),
            Self::Time(at, Clock::Short) => at.short(),
            Self::Time(at, Clock::Zoned) => format!("{} UTC", at.short()),
            Self::Joined(parts) => parts.iter().map(Self::line).collect(),
        }
    }

    /// The name and the id that it consists of, where it is a user or a guild with a name: in a narrow place the name
    /// is cut, and the id is not.
    pub fn named(&self) -> Option<(String, String)> {
        let (name, id) = match self {
            Self::User(user, Some(name)) => (name, user.to_string()),
            Self::Guild(guild, Some(name)) => (name, guild.to_string()),
            _ => return None,
        };
        let name = name.line_within(names::SHOWN);
        (!name.is_empty()).then_some((name, id))
    }

    /// Whether the line contains that.
    pub fn contains(&self, what: &str) -> bool {
        self.line().contains(what)
    }

    /// Whether the line begins with that.
    pub fn starts_with(&self, what: &str) -> bool {
        self.line().starts_with(what)
    }

    /// Adds the users and guilds that it mentions.
    pub fn mentions(&self, mentions: &mut Mentions) {
        match self {
            Self::User(user, _) => drop(mentions.users.insert(*user)),
            Self::Guild(guild, _) => drop(mentions.guilds.insert(*guild)),
            Self::Prose(text) => mentions.quote(text.raw()),
            Self::Joined(parts) => parts.iter().for_each(|part| part.mentions(mentions)),
            Self::Ours(_) | Self::Theirs(_) | Self::Time(..) => {}
        }
    }

    /// Puts names beside the ids that have none yet.
    pub fn name(&mut self, names: &Names) {
        match self {
            Self::User(user, name @ None) => *name = names.users.get(user).cloned(),
            Self::Guild(guild, name @ None) => *name = names.guilds.get(guild).cloned(),
            Self::Prose(text) => *text = Untrusted::clipped(&names::with_names(text.raw(), names, false)),
            Self::Joined(parts) => parts.iter_mut().for_each(|part| part.name(names)),
            Self::Ours(_) | Self::Theirs(_) | Self::Time(..) | Self::User(..) | Self::Guild(..) => {}
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::Ours(String::new())
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.line() == *other
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Ours(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Ours(text)
    }
}

impl From<&Untrusted> for Text {
    fn from(text: &Untrusted) -> Self {
        Self::Theirs(text.clone())
    }
}

impl From<Option<&Untrusted>> for Text {
    fn from(text: Option<&Untrusted>) -> Self {
        text.map_or_else(|| Self::from("—"), Self::from)
    }
}

impl<T: Into<Text> + Copy> From<Option<&T>> for Text {
    fn from(text: Option<&T>) -> Self {
        text.map_or_else(|| Self::from("—"), |text| (*text).into())
    }
}

impl From<UserId> for Text {
    fn from(user: UserId) -> Self {
        Self::User(user, None)
    }
}

impl From<GuildId> for Text {
    fn from(guild: GuildId) -> Self {
        Self::Guild(guild, None)
    }
}

impl From<Timestamp> for Text {
    fn from(at: Timestamp) -> Self {
        Self::Time(at, Clock::Exact)
    }
}

impl<T: Into<Text>> Add<T> for Text {
    type Output = Self;

    /// The two, one directly after the other.
    fn add(self, next: T) -> Self {
        let mut parts = match self {
            Self::Joined(parts) => parts,
            one => vec![one],
        };
        parts.push(next.into());
        Self::Joined(parts)
    }
}

/// How a value stands. Renderers show a glyph and a colour with the word, never colour alone; what is not
/// known is never [`Tone::Good`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// No judgement.
    #[default]
    Plain,
    /// As it should be, and known to be.
    Good,
    /// On its way, or not known.
    Waiting,
    /// A person should look.
    Warning,
    /// Wrong.
    Bad,
    /// Of less interest.
    Quiet,
}

/// A text with a tone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: Text,
    /// How it stands.
    pub tone: Tone,
}

impl<T: Into<Text>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

impl Cell {
    /// A text with a tone.
    pub fn toned(text: impl Into<Text>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

/// Rows under headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the rows are, where a report has several tables.
    pub title: Option<Text>,
    /// One heading per column.
    pub columns: Vec<String>,
    /// Each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// What to say when there are no rows.
    pub empty: String,
}

/// How far something has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all.
    pub total: u64,
}

/// One reply for a person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// One line that says what happened.
    pub title: Text,
    /// How it went as a whole.
    pub tone: Tone,
    /// Name and value, in order.
    pub fields: Vec<(String, Cell)>,
    /// Tables, in order.
    pub tables: Vec<Table>,
    /// For what goes on.
    pub progress: Option<Progress>,
    /// What one may want to do next.
    pub hints: Vec<String>,
}

impl Report {
    /// A report with nothing but its title.
    pub fn new(title: impl Into<Text>, tone: Tone) -> Self {
        Self { title: title.into(), tone, ..Self::default() }
    }

    /// The same with one more field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Into<Cell>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The same with one more hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The users and guilds that it mentions.
    pub fn mentions(&self) -> Mentions {
        let mut mentions = Mentions::default();
        self.title.mentions(&mut mentions);
        self.fields.iter().for_each(|(_, cell)| cell.text.mentions(&mut mentions));
        for table in &self.tables {
            table.title.iter().for_each(|title| title.mentions(&mut mentions));
            table.rows.iter().flatten().for_each(|cell| cell.text.mentions(&mut mentions));
        }
        self.hints.iter().for_each(|hint| mentions.quote(hint));
        mentions
    }

    /// Puts names beside the ids that have none yet.
    pub fn name(&mut self, names: &Names) {
        if names.is_empty() {
            return;
        }
        self.title.name(names);
        self.fields.iter_mut().for_each(|(_, cell)| cell.text.name(names));
        for table in &mut self.tables {
            table.title.iter_mut().for_each(|title| title.name(names));
            table.rows.iter_mut().flatten().for_each(|cell| cell.text.name(names));
        }
        self.hints.iter_mut().for_each(|hint| *hint = names::with_names(hint, names, true));
    }

    /// The same with names beside its ids.
    #[must_use]
    pub fn named(mut self, names: &Names) -> Self {
        self.name(names);
        self
    }

    /// The same with one more table.
    #[must_use]
    pub fn table(mut self, table: Table) -> Self {
        self.tables.push(table);
        self
    }
}

impl Table {
    /// An empty table.
    pub fn new<const N: usize>(columns: [&str; N], empty: &str) -> Self {
        Self { columns: columns.map(str::to_owned).to_vec(), empty: empty.to_owned(), ..Self::default() }
    }

    /// The same with a title: where a report has several.
    #[must_use]
    pub fn titled(self, title: impl Into<Text>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Adds a row as long as the headings.
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row as long as its headings");
        self.rows.push(row.to_vec());
    }
}
