//! What operators have set while the daemon runs: stronger than the file, weaker than `.env` and the environment.

use super::keys::{self, Key};
use super::read::shown;
use super::sources::{Given, Sources};
use super::{Origin, Settings, one_line};
use wayhaven_shared::Fault;
use wayhaven_shared::value::Timestamp;

/// A setting that was set at run time, as it was written then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its path in `wayhaven.toml`.
    pub key: String,
    /// Its value, as a variable would have it: lists with commas.
    pub value: String,
    /// Who set it, as the audit names them.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

impl Stored {
    pub(super) fn given(&self) -> Given {
        let origin = self.origin();
        Given { values: vec![self.value.clone()], list: false, origin }
    }

    /// Where a value that it gives comes from.
    pub fn origin(&self) -> Origin {
        Origin::RunTime { by: self.by.clone(), at: self.at }
    }

    /// Why this version does not go by it, for people.
    fn not_understood(&self, why: &str) -> String {
        format!("{} {} is not used: {why}", one_line(&self.key), self.origin())
    }
}

/// The key with this name.
///
/// # Errors
/// There is none; the fault names the nearest.
pub fn key(name: &str) -> Result<&'static Key, Fault> {
    keys::find(name).ok_or_else(|| {
        Fault::not_found(format!("{} is no setting: did you mean {}?", shown(name), keys::nearest(name)))
            .hint("settings show lists them all")
    })
}

/// A refusal without where the value stands, for whoever has just said it or has named the place.
pub fn without_place(fault: Fault, origin: &Origin) -> Fault {
    Fault { message: fault.message.replacen(&format!(" {origin}"), "", 1), ..fault }
}

impl Key {
    /// Whether it can be set while the daemon runs: what is secret is kept elsewhere, and what needs a restart would not
    /// take effect.
    pub fn is_of_the_run_time(&self) -> bool {
        !self.secret && !self.restart
    }
}

impl Settings {
    /// The settings in these sources with what was set at run time, where that is understood: another version may have set
    /// it. One line for each that is not; it is no reason not to start.
    ///
    /// # Errors
    /// What [`load`](Self::load) refuses without any of it.
    pub fn load_with(sources: &mut Sources, stored: Vec<Stored>) -> Result<Self, Fault> {
        sources.stored.clear();
        let mut settings = Self::load(sources)?;
        let mut strange = Vec::new();
        let mut known = Vec::new();
        for one in stored {
            match keys::find(&one.key) {
                None => strange.push(
                    one.not_understood(&format!("there is none: did you mean {}?", keys::nearest(&one.key))),
                ),
                Some(key) if !key.is_of_the_run_time() => {
                    strange.push(one.not_understood("a change of it takes effect at the next start only"));
                }
                Some(_) => known.push(one),
            }
        }
        // All together first: bounds may depend on each other. Then one after the other, as far as they go together.
        sources.stored.clone_from(&known);
        match Self::load(sources) {
            Ok(read) => settings = read,
            Err(_) => {
                sources.stored.clear();
                for one in known {
                    let origin = one.origin();
                    sources.stored.push(one.clone());
                    match Self::load(sources) {
                        Ok(read) => settings = read,
                        Err(fault) => {
                            sources.stored.pop();
                            strange.push(one.not_understood(&without_place(fault, &origin).message));
                        }
                    }
                }
            }
        }
        settings.not_understood = strange;
        Ok(settings)
    }
}
