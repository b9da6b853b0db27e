//! `wayhavend token …`.

use super::{answer, terminal};
use crate::discord::budget::Budget;
use crate::discord::rest::{Rest, RestError};
use crate::secrets::{Vault, modes};
use crate::settings::{Settings, Sources, token as form};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use wayhaven_shared::paths::Layout;
use wayhaven_shared::value::Untrusted;
use wayhaven_shared::{Fault, FaultKind};

/// Intents that Discord grants to an application: the flag, its limited form, and the name (FACTS B4).
const INTENTS: [(u64, u64, &str); 3] = [
    (1 << 14, 1 << 15, "server members"),
    (1 << 12, 1 << 13, "presence"),
    (1 << 18, 1 << 19, "message content"),
];

/// Reads a token and seals it.
pub(super) fn set(layout: &Layout, config: Option<&Path>) -> Result<ExitCode, Fault> {
    modes::check(layout)?;
    let text = terminal::secret("The bot's token (it does not show): ")?;
    form::check(&text).map_err(|why| Fault::usage(format!("what was given {why}")))?;
    let sealed = Vault::of(layout).set(&SecretString::from(text.as_str()))?;
    let mut lines = vec![format!("sealed in {}", sealed.token.display())];
    lines.push(match sealed.new_key {
        true => format!("the key was made in {}: keep it out of backups of the data", sealed.key.display()),
        false => format!("with the key in {}", sealed.key.display()),
    });
    match stronger(layout, config) {
        Ok(Some(place)) => {
            lines.push(format!("note: the token {place} is stronger and counts; take it away there"));
        }
        Ok(None) => {}
        Err(fault) => lines.push(format!("note: a start would be refused: {fault}")),
    }
    if UnixStream::connect(&layout.socket).is_ok() {
        lines.push("note: the running daemon keeps the token that it started with; restart it".to_owned());
    }
    Ok(answer::print(&lines, ExitCode::SUCCESS))
}

/// The place that a start would take another token from.
fn stronger(layout: &Layout, config: Option<&Path>) -> Result<Option<String>, Fault> {
    let sources = Sources::of_process(config, layout)?;
    let mut settings = Settings::load(&sources)?;
    settings.find_token(&sources, layout)?;
    Ok(settings.token_place().filter(|_| !settings.token_is_sealed()))
}

/// Seals the token with a new key.
pub(super) fn rotate_key(layout: &Layout) -> Result<ExitCode, Fault> {
    modes::check(layout)?;
    let rotated = Vault::of(layout).rotate()?;
    let lines = [
        format!("the token is sealed with the key {}; the key {} is gone", rotated.now, rotated.before),
        "backups of the data that were made before need the old key to be restored with their token"
            .to_owned(),
    ];
    Ok(answer::print(&lines, ExitCode::SUCCESS))
}

/// Asks Discord about the token, and says what it answers.
pub(super) fn check(layout: &Layout, config: Option<&Path>, as_json: bool) -> ExitCode {
    let checked =
        modes::check(layout).and_then(|()| Settings::of_process(config, layout)).and_then(|settings| {
            settings.check_token()?;
            whose(&settings)
        });
    match checked {
        Err(fault) => answer::fault(&fault, as_json),
        Ok(identity) if as_json => {
            answer::print(&[answer::document("token check", &identity.json())], ExitCode::SUCCESS)
        }
        Ok(identity) => answer::print(&identity.lines(), ExitCode::SUCCESS),
    }
}

/// Whose a token is.
pub(super) struct Identity {
    place: String,
    name: Untrusted,
    id: String,
    application: String,
    flags: u64,
}

impl Identity {
    fn intents(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        INTENTS.iter().map(|(whole, limited, name)| {
            let granted = (self.flags & whole != 0).then_some("granted");
            (*name, granted.or((self.flags & limited != 0).then_some("granted (limited)")))
        })
    }

    fn json(&self) -> Value {
        let intents: serde_json::Map<_, _> = self
            .intents()
            .map(|(name, granted)| (name.replace(' ', "_"), granted.is_some().into()))
            .collect();
        json!({
            "token": self.place,
            "bot": { "id": self.id, "name": self.name.raw() },
            "application": self.application,
            "intents": intents,
        })
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        format!("{} ({}) of application {}", self.name.line(), self.id, self.application)
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("token        {}", self.place),
            format!("bot          {} ({})", self.name.line(), self.id),
            format!("application  {}", self.application),
        ];
        for (name, granted) in self.intents() {
            let needed = name == "server members";
            let says = match (granted, needed) {
                (Some(granted), true) => granted.to_owned(),
                (Some(granted), false) => format!("{granted}, and not used"),
                (None, false) => "not granted, and not needed".to_owned(),
                (None, true) => {
                    "not granted: joins go unseen, so that mutes are not renewed at a rejoin; turn it on \
                                 on the page Bot of the application"
                        .to_owned()
                }
            };
            lines.push(format!("intent       {name}: {says}"));
        }
        lines
    }
}

/// Asks Discord, on a runtime of its own.
pub(super) fn whose(settings: &Settings) -> Result<Identity, Fault> {
    let token = settings.discord.token.clone().unwrap_or_default();
    let place = settings.token_place().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Fault::internal(format!("no runtime: {error}")))?;
    let (me, application, flags) = runtime.block_on(async {
        let budget = Budget::new(settings.discord.requests_per_second);
        let rest = Rest::new(&settings.discord.api_base, &token, budget, settings.discord.request_timeout)?;
        rest.identity().await.map_err(|error| refused(&error, &place, &settings.discord.api_base))
    })?;
    if let Some(expected) = settings.discord.application_id
        && expected.to_string() != application
    {
        let message = format!("APPLICATION_ID is {expected}, and the token {place} belongs to {application}");
        return Err(Fault::new(FaultKind::Verification, message).hint("correct one of them"));
    }
    Ok(Identity { place, name: Untrusted::clipped(&me.username), id: me.id.to_string(), application, flags })
}

fn refused(error: &RestError, place: &str, api_base: &str) -> Fault {
    match error {
        RestError::Unauthorised | RestError::Stopped => {
            let message = format!("Discord refuses the token {place} (401): it was reset, or is another's");
            Fault::new(FaultKind::Verification, message).hint(format!(
                "copy the bot's token of now from the page Bot of its application at {}, and seal it with wayhavend token \
                 set",
                form::PAGE
            ))
        }
        RestError::RateLimited { wait, .. } => {
            let seconds = wait.as_secs_f64().ceil();
            Fault::unavailable(format!(
                "Discord lets nothing through for {seconds} s (429): the token was not checked"
            ))
            .hint(format!("try again in {seconds} s"))
        }
        RestError::Unreachable(_) | RestError::Lost(_) | RestError::Stumbled(_) | RestError::NotApplied => {
            Fault::unavailable(format!("{error}: the token was not checked"))
                .hint(format!("look whether this machine reaches {api_base}, which discord.api_base names"))
                .hint("try again later: https://discordstatus.com tells how Discord is")
        }
        RestError::Refused { .. } => Fault::unavailable(format!("Discord refused the question: {error}"))
            .hint(format!("look whether {api_base}, which discord.api_base names, is Discord")),
    }
}
