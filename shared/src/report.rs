//! What a reply looks like to a person. Replies build one [`Report`]; the terminal, the console and Discord's
//! embeds each render it, and no operation writes a rendering of its own.

use crate::value::Untrusted;

/// A piece of text that knows whether we wrote it, so that each renderer can clean what we did not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// Ours: safe in every sink, apart from markdown, which it does not use.
    Ours(String),
    /// Somebody else's.
    Theirs(Untrusted),
}

impl Text {
    /// One clean line, for terminals.
    pub fn line(&self) -> String {
        match self {
            Self::Ours(text) => text.clone(),
            Self::Theirs(text) => text.line(),
        }
    }

    /// For Discord, at most `limit` characters.
    pub fn markdown(&self, limit: usize) -> String {
        match self {
            Self::Ours(text) if text.chars().count() <= limit => text.clone(),
            Self::Ours(text) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
            Self::Theirs(text) => text.markdown(limit),
        }
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
    pub title: Option<String>,
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
    pub title: String,
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
    pub fn new(title: impl Into<String>, tone: Tone) -> Self {
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
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: Some(title.into()), ..self }
    }

    /// Adds a row as long as the headings.
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "a row as long as its headings");
        self.rows.push(row.to_vec());
    }
}
