//! Where settings come from: the process's environment, the `.env` beside the file, and the file. Reading is
//! here, so that everything else is pure.

use super::guess::{self, Guess};
use super::keys::{self, KEYS, PREFIX};
use super::{Origin, Stored, dotenv, one_line, text};
use crate::secrets::trust;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// Where systemd puts what `LoadCredential=` and its like name.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// What the settings are read from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The settings file: its path and its text.
    pub file: Option<(PathBuf, String)>,
    /// The `.env` beside it.
    pub dotenv: Option<(PathBuf, String)>,
    /// The process's environment.
    pub environment: BTreeMap<String, String>,
    /// The directory of the credentials that systemd hands over (`CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// What was set at run time, each of which is understood.
    pub stored: Vec<Stored>,
    /// Whether `--config` named the file, so that it has to be there.
    pub config_required: bool,
}

impl Sources {
    /// Reads the sources of this process.
    ///
    /// # Errors
    /// A file that is there and cannot be read, or is named by `--config` and not there.
    pub fn of_process(config: Option<&Path>, layout: &Layout) -> Result<Self, Fault> {
        let path = config.unwrap_or(&layout.config);
        // Also where it is not there: nobody else is to put one there.
        trust::check(path)?;
        let file = read(path)?.map(|text| (path.to_owned(), text));
        if config.is_some() && file.is_none() {
            return Err(Fault::usage(format!(
                "the settings file {} is not there: name another with --config, or leave it out to use {}",
                path.display(),
                layout.config.display()
            )));
        }
        let dotenv = path.with_file_name(".env");
        trust::check(&dotenv)?;
        let dotenv = read(&dotenv)?.map(|text| (dotenv, text));
        let mut environment = BTreeMap::new();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str().filter(|name| concerns_us(name)) else { continue };
            let value = value.into_string().map_err(|_| {
                Fault::usage(format!("{name} in the environment is not valid UTF-8: write it again"))
            })?;
            environment.insert(name.to_owned(), value);
        }
        let credentials = std::env::var_os(CREDENTIALS).filter(|directory| !directory.is_empty());
        let credentials = credentials.map(PathBuf::from);
        let (stored, config_required) = (Vec::new(), config.is_some());
        Ok(Self { file, dotenv, environment, credentials, stored, config_required })
    }
}

fn concerns_us(name: &str) -> bool {
    name.starts_with(PREFIX) || keys::is_known(name)
}

/// The file's text; nothing where there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<String>, Fault> {
    match std::fs::read(path) {
        Ok(bytes) => match text::decode(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(why) => Err(Fault::usage(format!("{} {why}", path.display()))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::usage(format!("{} cannot be read: {error}", path.display()))),
    }
}

/// A value as it was written, and where.
#[derive(Clone)]
pub(super) struct Given {
    /// One for a scalar, any number for a list. Numbers and truth values as text.
    pub(super) values: Vec<String>,
    /// Whether it was written as a list.
    pub(super) list: bool,
    pub(super) origin: Origin,
}

/// The variables of one place, empty ones left out: templates are full of `TEST_GUILD_ID=`.
pub(super) struct Variables {
    variables: BTreeMap<String, String>,
    dotenv: Option<PathBuf>,
}

impl Variables {
    pub(super) fn of_environment(environment: &BTreeMap<String, String>) -> Result<Self, Fault> {
        Self { variables: filled(environment.clone()), dotenv: None }.checked()
    }

    pub(super) fn of_dotenv(path: &Path, text: &str) -> Result<Self, Fault> {
        let variables = dotenv::variables(path, text)?;
        Self { variables: filled(variables), dotenv: Some(path.to_owned()) }.checked()
    }

    /// Refuses what begins like ours and is not ours. In the `.env`, which is written for us, also what looks like ours:
    /// otherwise a slip of the pen leaves a setting out without a word.
    fn checked(self) -> Result<Self, Fault> {
        for name in self.variables.keys().filter(|name| !keys::is_known(name)) {
            let guess = match name.starts_with(PREFIX) {
                true => guess::with_prefix(name),
                false if self.dotenv.is_some() => guess::without_prefix(name),
                false => Guess::Nothing,
            };
            let (name, place) = (one_line(name), self.origin(name).place());
            return Err(match guess {
                Guess::Nothing => continue,
                Guess::Variable(meant) => {
                    Fault::usage(format!("{name} {place} is no setting: did you mean {meant}?"))
                }
                Guess::Unclear => Fault::usage(format!(
                    "{name} {place} is no setting: remove it, or take a name that the README lists"
                )),
            });
        }
        Ok(self)
    }

    pub(super) fn get(&self, name: &str) -> Option<Given> {
        let value = self.variables.get(name)?;
        Some(Given { values: vec![value.clone()], list: false, origin: self.origin(name) })
    }

    pub(super) fn origin(&self, name: &str) -> Origin {
        let variable = one_line(name);
        match &self.dotenv {
            Some(path) => Origin::Dotenv { path: path.clone(), variable },
            None => Origin::Environment { variable },
        }
    }
}

fn filled(mut variables: BTreeMap<String, String>) -> BTreeMap<String, String> {
    variables.retain(|_, value| !value.trim().is_empty());
    variables
}

/// The file's values by key path.
pub(super) fn of_file(path: &Path, text: &str) -> Result<BTreeMap<&'static str, Given>, Fault> {
    let file = File { path, text };
    let table = DeTable::parse(text).map_err(|error| {
        // Not the error's Display, which repeats the line: it may hold the token.
        let line = error.span().map_or_else(String::new, |span| format!(" line {}", file.line(span.start)));
        Fault::usage(format!("{}{line} is no TOML: {}", path.display(), one_line(error.message())))
    })?;
    let mut values = BTreeMap::new();
    file.walk("", table.get_ref(), &mut values)?;
    Ok(values)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn line(&self, offset: usize) -> usize {
        1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
    }

    fn origin(&self, offset: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: self.line(offset) }
    }

    fn walk(
        &self,
        above: &str,
        table: &DeTable<'_>,
        values: &mut BTreeMap<&'static str, Given>,
    ) -> Result<(), Fault> {
        for (name, value) in table {
            let path = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            let origin = self.origin(name.span().start);
            let is_section = KEYS.iter().any(|key| key.name.starts_with(&format!("{path}.")));
            match (keys::find(&path), value.get_ref()) {
                (Some(key), value) => {
                    let given = given(value, origin.clone()).ok_or_else(|| {
                        Fault::usage(format!("{path} {origin} is neither a value nor a list of values"))
                    })?;
                    values.insert(key.name, given);
                }
                (None, DeValue::Table(below)) if is_section => self.walk(&path, below, values)?,
                (None, _) if is_section => {
                    return Err(Fault::usage(format!(
                        "{path} {origin} is a section: write [{path}] and its settings below"
                    )));
                }
                (None, _) => {
                    return Err(Fault::usage(format!(
                        "{} {origin} is no setting{}",
                        one_line(&path),
                        keys::meant(&path)
                    )));
                }
            }
        }
        Ok(())
    }
}

fn given(value: &DeValue<'_>, origin: Origin) -> Option<Given> {
    match value {
        DeValue::Array(items) => {
            let values = items.iter().map(Spanned::get_ref).map(scalar).collect::<Option<_>>()?;
            Some(Given { values, list: true, origin })
        }
        value => Some(Given { values: vec![scalar(value)?], list: false, origin }),
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        // As it was written, apart from the separators that TOML allows: its integers hold every id.
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}
