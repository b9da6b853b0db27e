//! What a running daemon takes of settings that were read again.

use super::keys::{self, KEYS, Key};
use super::{ControlSettings, DiscordSettings, Setting, Settings};
use secrecy::ExposeSecret;
use wayhaven_shared::Fault;

/// Settings that take the place of others while the daemon runs.
#[derive(Debug)]
pub struct Reloaded {
    /// What holds from now on: what needs a restart is as it was.
    pub settings: Settings,
    /// What has changed and holds now.
    pub changed: Vec<Difference>,
    /// What has changed and holds after a restart only.
    pub after_restart: Vec<Difference>,
}

/// A setting that is not what it was, both for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which.
    pub key: &'static Key,
    /// What it was.
    pub before: String,
    /// What it is.
    pub after: String,
}

impl Settings {
    /// Refuses settings that no daemon can run with.
    ///
    /// # Errors
    /// There is no token.
    pub fn check_token(&self) -> Result<(), Fault> {
        if self.discord.token.is_some() {
            return Ok(());
        }
        Err(Fault::usage("there is no bot token")
            .hint("wayhavend token set reads it and seals it on this machine")
            .hint("or set BOT_TOKEN in the environment or in a .env file beside the settings")
            .hint("or name a file that holds it: discord.token_file in wayhaven.toml"))
    }

    /// What holds once `read` was read in the place of these settings.
    ///
    /// # Errors
    /// There is no token any more, or a file that these settings came from is gone: where it went by mistake, owners
    /// and mains would go with it.
    pub fn reload(&self, read: Self) -> Result<Reloaded, Fault> {
        if let Some(gone) = self.files.iter().find(|path| !read.files.contains(path)) {
            return Err(Fault::usage(format!("{} is not there any more", gone.display()))
                .hint("put it back, or restart the daemon to go on without it"));
        }
        read.check_token()?;
        Ok(self.give_way(read))
    }

    /// What holds once `read` took the place of these settings, which nobody has to judge any more.
    pub fn give_way(&self, read: Self) -> Reloaded {
        let differs = |key: &Key| {
            let token = |of: &Self| of.discord.token.as_ref().map(|token| token.expose_secret().to_owned());
            self.setting(key).map(|one| &one.value) != read.setting(key).map(|one| &one.value)
                || *key == keys::TOKEN && token(self) != token(&read)
        };
        let difference = |key: &&'static Key| {
            let value = |of: &Self| of.setting(key).map(|one| one.value.clone()).unwrap_or_default();
            differs(key).then(|| Difference { key, before: value(self), after: value(&read) })
        };
        let changed = |restart| {
            let keys = KEYS.iter().filter(move |key| key.restart == restart);
            keys.filter_map(difference).collect()
        };
        let (changed, after_restart) = (changed(false), changed(true));
        let origins = KEYS.iter().filter_map(|key| {
            let of = if key.restart { self } else { &read };
            of.setting(key).cloned()
        });
        let origins = origins.collect();
        let settings = Self {
            discord: DiscordSettings {
                operations_guild: read.discord.operations_guild,
                test_guild: read.discord.test_guild,
                ..self.discord.clone()
            },
            control: ControlSettings { group: self.control.group.clone(), ..read.control },
            origins,
            ..read
        };
        Reloaded { settings, changed, after_restart }
    }

    /// A setting as it holds.
    pub fn setting(&self, key: &Key) -> Option<&Setting> {
        self.origins.iter().find(|one| one.key == key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{LogLevel, Sources};

    /// 123456789012345678 in front; the rest is made up.
    const TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GGGGGG.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";
    const OTHER_TOKEN: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4.HHHHHH.s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3c";

    const BEFORE: &str = r#"
        owner_ids = [101]
        [discord]
        api_base = "https://discord.com"
        requests_per_second = 10
        operations_guild = "201"
        application_id = "301"
        test_guild = "401"
        [network]
        mains = ["501"]
        bots = ["601"]
        moderator_budget = "31/1m"
        [moderation]
        direct_messages = true
        [control]
        operators = ["user:701"]
        observers = ["user:801"]
        group = "901"
        [log]
        level = "info"
    "#;

    fn load(file: &str, token: &str) -> Settings {
        let environment = [("BOT_TOKEN".to_owned(), token.to_owned())].into();
        let file = Some(("/etc/wayhaven.toml".into(), file.to_owned()));
        Settings::load(&Sources { file, environment, ..Sources::default() }).unwrap()
    }

    fn reloaded(file: &str, token: &str) -> Reloaded {
        load(BEFORE, TOKEN).reload(load(file, token)).unwrap()
    }

    #[test]
    fn what_needs_no_restart_holds_at_once_and_the_rest_stays() {
        for (from, to, name) in [
            ("[101]", "[101, 102]", "owner_ids"),
            ("discord.com", "discord.example", "discord.api_base"),
            ("= 10\n", "= 11\n", "discord.requests_per_second"),
            ("\"201\"", "\"202\"", "discord.operations_guild"),
            ("\"301\"", "\"302\"", "discord.application_id"),
            ("\"401\"", "\"402\"", "discord.test_guild"),
            ("[\"501\"]", "[\"501\", \"502\"]", "network.mains"),
            ("\"601\"", "\"602\"", "network.bots"),
            ("31/1m", "5/1m", "network.moderator_budget"),
            ("= true", "= false", "moderation.direct_messages"),
            ("\"user:701\"", "\"user:702\"", "control.operators"),
            ("\"user:801\"", "\"user:801\", \"group:802\"", "control.observers"),
            ("\"901\"", "\"902\"", "control.group"),
            ("\"info\"", "\"debug\"", "log.level"),
        ] {
            let file = BEFORE.replace(from, to);
            assert_ne!(file, BEFORE, "{name}");
            let Reloaded { settings, changed, after_restart } = reloaded(&file, TOKEN);
            let key = keys::find(name).unwrap();
            let changed: Vec<_> = changed.iter().map(|setting| setting.key.name).collect();
            let after_restart: Vec<_> = after_restart.iter().map(|one| one.key.name).collect();
            let (now, later) = if key.restart { (vec![], vec![name]) } else { (vec![name], vec![]) };
            assert_eq!((changed, after_restart), (now, later));
            let (old, new) = (load(BEFORE, TOKEN), load(&file, TOKEN));
            let expected = if key.restart { &old } else { &new };
            assert_eq!(settings.origins(), expected.origins(), "{name}: what is shown is what holds");
            assert_eq!(everything(&settings), everything(expected), "{name}");
        }
    }

    /// What the daemon works with, apart from what is shown of it.
    fn everything(of: &Settings) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            of.discord, of.network, of.moderation, of.control, of.owner_ids, of.log
        )
    }

    #[test]
    fn another_token_waits_for_a_restart_and_no_token_is_refused() {
        let Reloaded { settings, changed, after_restart } = reloaded(BEFORE, OTHER_TOKEN);
        let after_restart: Vec<_> = after_restart.iter().map(|one| one.key.name).collect();
        assert_eq!((changed.len(), after_restart), (0, vec!["discord.token"]));
        assert_eq!(settings.discord.token.unwrap().expose_secret(), TOKEN);
        let fault = load(BEFORE, TOKEN).reload(load(BEFORE, "")).unwrap_err();
        assert!(fault.message.contains("token") && !fault.hints.is_empty(), "{fault}");
    }

    #[test]
    fn the_same_again_changes_nothing_and_a_moved_line_is_no_change() {
        let Reloaded { settings, changed, after_restart } = reloaded(&format!("\n{BEFORE}"), TOKEN);
        assert_eq!((changed.len(), after_restart.len()), (0, 0));
        assert_eq!(settings.log.level, LogLevel::Info);
    }

    #[test]
    fn a_file_that_is_gone_is_refused_and_one_that_is_new_is_taken() {
        let environment = || [("BOT_TOKEN".to_owned(), TOKEN.to_owned())].into();
        let bare = || Settings::load(&Sources { environment: environment(), ..Sources::default() }).unwrap();
        let fault = load(BEFORE, TOKEN).reload(bare()).unwrap_err();
        assert!(fault.message.contains("/etc/wayhaven.toml"), "{fault}");
        assert_eq!(bare().reload(load(BEFORE, TOKEN)).unwrap().settings.owner_ids.len(), 1);
    }
}
