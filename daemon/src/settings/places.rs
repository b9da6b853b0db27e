//! The token's places, the strongest first: the environment, `.env`, the settings file or the file that it names, a
//! credential of systemd's, and what is sealed. The first that is there counts; one that is there and of no use is refused,
//! and never passed over for a weaker one.

use super::{Key, Origin, Setting, Settings, Sources, keys, read, sources, token};
use crate::secrets::{Vault, modes, trust};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;
use std::path::Path;
use wayhaven_shared::Fault;
use wayhaven_shared::paths::Layout;

/// The credential's name, as in `LoadCredentialEncrypted=discord-token:…`.
pub(crate) const CREDENTIAL: &str = "discord-token";

impl Settings {
    /// The settings of this process, the token included wherever it lies.
    ///
    /// # Errors
    /// What [`Sources::of_process`], [`Settings::load`], [`Settings::check_files`] and [`Settings::find_token`] refuse.
    pub fn of_process(config: Option<&Path>, layout: &Layout) -> Result<Self, Fault> {
        Self::complete(&Sources::of_process(config, layout)?, layout)
    }

    /// The settings of these sources, the token included wherever it lies.
    ///
    /// # Errors
    /// As [`of_process`](Self::of_process).
    pub fn complete(sources: &Sources, layout: &Layout) -> Result<Self, Fault> {
        Self::load(sources)?.completed(sources, layout)
    }

    /// The same settings with the token, wherever it lies.
    ///
    /// # Errors
    /// As [`of_process`](Self::of_process).
    pub fn completed(mut self, sources: &Sources, layout: &Layout) -> Result<Self, Fault> {
        self.check_files()?;
        self.find_token(sources, layout)?;
        Ok(self)
    }

    /// Refuses a file with a secret in it that others may read.
    ///
    /// # Errors
    /// Which, and what mends it.
    pub fn check_files(&self) -> Result<(), Fault> {
        self.secret_files.iter().try_for_each(|path| modes::check_secret(path))
    }

    /// Reads the token where the settings do not hold it themselves: from the file that they name, from systemd's
    /// credential, or from where it is sealed.
    ///
    /// # Errors
    /// A file that is not there, cannot be read, may be read by others, or holds no token.
    pub fn find_token(&mut self, sources: &Sources, layout: &Layout) -> Result<(), Fault> {
        if self.discord.token.is_some() {
            return Ok(());
        }
        if let Some(path) = self.discord.token_file.clone() {
            let named = format!("{} is {}", keys::TOKEN_FILE.name, path.display());
            trust::check(&path)?;
            modes::check_secret(&path)?;
            let text = sources::read(&path)?.map(Zeroizing::new).ok_or_else(|| {
                Fault::usage(format!("{named}, which is not there: create it, or set BOT_TOKEN instead"))
            })?;
            return self.take_token(
                &text,
                &format!("{named}, and what it holds"),
                self.origins_of(&keys::TOKEN_FILE),
            );
        }
        // Who may read it is systemd's business: its directory is the service's alone.
        let credential = sources.credentials.as_ref().map(|directory| directory.join(CREDENTIAL));
        if let Some(path) = &credential {
            trust::check(path)?;
        }
        if let Some(path) = credential
            && let Some(text) = sources::read(&path)?.map(Zeroizing::new)
        {
            let what = format!("what the credential {} holds", path.display());
            return self.take_token(&text, &what, vec![Origin::Credential { path }]);
        }
        let vault = Vault::of(layout);
        if let Some(token) = vault.open()? {
            use secrecy::ExposeSecret;
            let path = vault.token().to_owned();
            let what = format!("what is sealed in {}", path.display());
            return self.take_token(token.expose_secret(), &what, vec![Origin::Sealed { path }]);
        }
        Ok(())
    }

    fn take_token(&mut self, text: &str, what: &str, origins: Vec<Origin>) -> Result<(), Fault> {
        let text = text.trim();
        token::check(text).map_err(|why| Fault::usage(format!("{what} {why}")))?;
        self.discord.token = Some(SecretString::from(text));
        if let Some(setting) = self.origins.iter_mut().find(|setting| setting.key.secret) {
            *setting = Setting { key: &keys::TOKEN, value: read::SET.to_owned(), origins };
        }
        Ok(())
    }

    /// Where the token comes from, for people; nothing where there is none.
    pub fn token_place(&self) -> Option<String> {
        let origins = self.origins_of(&keys::TOKEN);
        origins.first().filter(|_| self.discord.token.is_some()).map(ToString::to_string)
    }

    /// Whether it is the sealed one.
    pub(crate) fn token_is_sealed(&self) -> bool {
        self.origins_of(&keys::TOKEN).iter().any(|origin| matches!(origin, Origin::Sealed { .. }))
    }

    pub(super) fn origins_of(&self, key: &Key) -> Vec<Origin> {
        self.origins.iter().find(|one| one.key == key).map(|one| one.origins.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
