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
        Fault::not_found(format!("{} is no setting{}", shown(name), keys::meant(name)))
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
                None => strange.push(one.not_understood(&format!("there is none{}", keys::meant(&one.key)))),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::KEYS;

    fn stored(key: &str, value: &str) -> Stored {
        let (key, value) = (key.to_owned(), value.to_owned());
        Stored { key, value, by: "unix user 7".to_owned(), at: Timestamp::from_millis(1_767_323_045_000) }
    }

    fn load(dotenv: &str, environment: &[(&str, &str)], all: Vec<Stored>) -> Settings {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut sources = Sources {
            file: Some(("/etc/wayhaven.toml".into(), "[network]\nimport_cap = 1\nmains = [1]\n".to_owned())),
            dotenv: Some(("/etc/.env".into(), dotenv.to_owned())),
            environment: environment.collect(),
            ..Sources::default()
        };
        Settings::load_with(&mut sources, all).unwrap()
    }

    #[test]
    fn the_environment_and_dotenv_beat_what_was_set_at_run_time_and_that_beats_the_file() {
        let name = "WAYHAVEN_NETWORK_IMPORT_CAP";
        let cap = |dotenv: &str, environment: &[(&str, &str)], all| {
            let settings = load(dotenv, environment, all);
            let kind = settings.setting(key("network.import_cap").unwrap()).unwrap().origins[0].kind();
            (settings.network.import_cap, kind)
        };
        let two = || vec![stored("network.import_cap", "2")];
        assert_eq!(cap("", &[], Vec::new()), (1, "file"));
        assert_eq!(cap("", &[], two()), (2, "run_time"));
        assert_eq!(cap(&format!("{name}=3"), &[], two()), (3, "dotenv"));
        assert_eq!(cap(&format!("{name}=3"), &[(name, "4")], two()), (4, "environment"));
        // A variable that only adds to a list goes on to do so.
        let settings = load("", &[("MAIN_GUILD_ID", "9")], vec![stored("network.mains", "7, 8")]);
        let mains: Vec<_> = settings.network.mains.iter().map(|main| main.get()).collect();
        assert_eq!(mains, [7, 8, 9]);
        // The seed's switch stands where it stands.
        let level = |dotenv: &str| load(dotenv, &[], vec![stored("log.level", "warn")]).log.level.word();
        assert_eq!((level(""), level("DEBUG=true")), ("warn", "debug"));
    }

    #[test]
    fn every_key_that_needs_no_restart_can_be_set_at_run_time_and_no_other() {
        for key in KEYS {
            let value = match key.name {
                "log.level" => "trace",
                "moderation.direct_messages" => "false",
                "network.reconcile_every" | "network.undo_limit" | "moderation.keep_names" => "2d",
                "network.budget" => "strict",
                "control.operators" | "control.observers" => "user:77, group:77",
                "network.moderator_budget" | "network.network_budget" => "7/2m",
                _ => "77",
            };
            let settings = load("", &[], vec![stored(key.name, value)]);
            let shown = settings.setting(key).unwrap();
            let holds = shown.value == value && shown.origins[0].kind() == "run_time";
            assert_eq!(holds, key.is_of_the_run_time(), "{}: {shown:?}", key.name);
            assert_eq!(settings.not_understood.len(), usize::from(!holds), "{}", key.name);
        }
    }

    #[test]
    fn one_that_is_not_understood_takes_none_of_the_others_with_it() {
        let all = vec![
            stored("log.level", "loud"),
            stored("network.import_cap", "2"),
            stored("network.of_tomorrow", "x"),
        ];
        let settings = load("", &[], all);
        assert_eq!((settings.network.import_cap, settings.log.level.word()), (2, "info"));
        let [unknown, loud] = settings.not_understood.as_slice() else { panic!("{settings:?}") };
        assert!(unknown.starts_with("network.of_tomorrow set by unix user 7 at 2026-"), "{unknown}");
        assert!(loud.contains("is not used: log.level is \"loud\": it must be trace"), "{loud}");
    }
}
