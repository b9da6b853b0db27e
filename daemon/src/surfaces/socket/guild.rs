//! Which guild an operator means: the one whose id or name they gave, or the only main.

use crate::systems::Systems;
use std::collections::BTreeMap;
use wayhaven_shared::names::beside;
use wayhaven_shared::operations::Request;
use wayhaven_shared::value::{GuildId, GuildText, Untrusted, fold};
use wayhaven_shared::{Fault, grammar};

/// How many candidates a fault lists.
const LISTED: usize = 10;

/// The guild that is meant. Where none is named it is the main, if there is exactly one and the request is about one
/// guild; requests that read more than one guild are not narrowed.
///
/// # Errors
/// No guild has that name, or several begin with it.
pub(super) async fn meant(
    systems: &Systems,
    text: Option<&GuildText>,
    request: &Request,
) -> Result<Option<GuildId>, Fault> {
    let Some(text) = text else { return Ok(only_main(systems).filter(|_| is_about_a_main(request))) };
    if let Some(guild) = text.id() {
        return Ok(Some(guild));
    }
    let topology = systems.services.store().topology();
    let is_ours = |guild: GuildId| topology.is_main(guild) || topology.is_child(guild);
    find(text, &guilds(systems).await?, &is_ours, request).map(Some)
}

/// The main, where there is exactly one.
fn only_main(systems: &Systems) -> Option<GuildId> {
    let topology = systems.services.store().topology();
    let mut mains = topology.mains();
    mains.next().filter(|_| mains.next().is_none())
}

/// Every guild whose name is known: as the store remembers it, or better as Discord tells it now.
async fn guilds(systems: &Systems) -> Result<BTreeMap<GuildId, Untrusted>, Fault> {
    let stored = systems.services.store().read(|view| Ok(view.named_guilds()?)).await?;
    Ok(stored.into_iter().chain(systems.services.directory().names()).collect())
}

/// The guild that is called so; otherwise the only one whose name begins so. A name is its owner's choice: one outside of our
/// networks takes no guild's place that `is_ours`, and is listed behind them.
fn find(
    text: &GuildText,
    guilds: &BTreeMap<GuildId, Untrusted>,
    is_ours: &dyn Fn(GuildId) -> bool,
    request: &Request,
) -> Result<GuildId, Fault> {
    let wanted = text.folded();
    let named = |is: &dyn Fn(&str) -> bool| -> Vec<GuildId> {
        guilds.iter().filter(|(_, name)| is(&fold(&name.line()))).map(|(guild, _)| *guild).collect()
    };
    let mut found = named(&|name| name == wanted);
    if !found.iter().any(|guild| is_ours(*guild)) {
        let begin_so = named(&|name| name.starts_with(&wanted));
        let is_meant = |guild: &GuildId| found.is_empty() || is_ours(*guild);
        let more: Vec<GuildId> = begin_so.into_iter().filter(is_meant).collect();
        found.extend(more);
    }
    found.sort_by_key(|guild| !is_ours(*guild));
    match found.as_slice() {
        [] => Err(Fault::not_found(format!("no guild is called \"{text}\", and no name begins so"))
            .hint("wayhaven setup dashboard")),
        [guild] => Ok(*guild),
        [first, ..] => {
            let shown: Vec<String> = found
                .iter()
                .take(LISTED)
                .map(|guild| beside(guilds.get(guild), &guild.to_string()))
                .collect();
            let more = found.len().saturating_sub(LISTED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let count = found.len();
            let message = format!("\"{text}\" is the name of {count} guilds: {}{more}", shown.join(", "));
            let mut words = vec!["wayhaven".to_owned(), format!("--guild={first}")];
            words.extend(grammar::argv(request));
            Err(Fault::usage(message).hint(grammar::shell_line(&words)))
        }
    }
}

/// Whether a request is about one guild that may well be the main. What a child alone asks for is not, nor what makes a
/// guild a main.
fn is_about_a_main(request: &Request) -> bool {
    use Request::{
        AuditWarnings, Ban, ConfigAudit, ConfigLogchannel, ConfigMuterole, ConfigNotifications, ConfigShow,
        ConfigStaffrole, ConfigWarnings, DrillRun, IncidentClose, IncidentOpen, Kick, Mute, ProtectAdd,
        ProtectRemove, PunishmentRevert, SetupActions, SetupAddChild, SetupLock, SetupMode, SetupRemoveChild,
        SetupSecurityLevel, SetupUnlock, SetupUnsetMain, SyncApprove, SyncDiscard, SyncExport, SyncFreeze,
        SyncImport, SyncReconcile, SyncResume, SyncRetry, Timeout, Unban, Unmute, Untimeout, Warn,
    };
    matches!(
        request,
        Ban(_)
            | Unban(_)
            | Kick(_)
            | Mute(_)
            | Unmute(_)
            | Timeout(_)
            | Untimeout(_)
            | Warn(_)
            | PunishmentRevert(_)
            | ProtectAdd(_)
            | ProtectRemove(_)
            | SetupUnsetMain(_)
            | SetupAddChild(_)
            | SetupRemoveChild(_)
            | SetupMode(_)
            | SetupActions(_)
            | SetupSecurityLevel(_)
            | SetupLock(_)
            | SetupUnlock(_)
            | SyncRetry(_)
            | SyncFreeze(_)
            | SyncResume(_)
            | SyncImport(_)
            | SyncExport(_)
            | SyncReconcile(_)
            | SyncApprove(_)
            | SyncDiscard(_)
            | ConfigShow(_)
            | ConfigNotifications(_)
            | ConfigLogchannel(_)
            | ConfigStaffrole(_)
            | ConfigMuterole(_)
            | ConfigWarnings(_)
            | ConfigAudit(_)
            | AuditWarnings(_)
            | IncidentOpen(_)
            | IncidentClose(_)
            | DrillRun(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDaemon, guild, make_second_main, sandbox, user};
    use wayhaven_shared::FaultKind;
    use wayhaven_shared::client::Client;
    use wayhaven_shared::control::{ClientSurface, Envelope, Outcome};
    use wayhaven_shared::operations::ban::Ban;
    use wayhaven_shared::operations::config::ConfigShow;
    use wayhaven_shared::operations::punishment::PunishmentList;

    async fn asked(client: &Client, named: Option<&str>, request: &Request) -> Result<Outcome, Fault> {
        let guild = named.map(|text| text.parse().unwrap());
        client.run(Envelope { guild, dry_run: true, ..Envelope::new(request) }).await
    }

    async fn shown(client: &Client, named: Option<&str>) -> Result<String, Fault> {
        let outcome = asked(client, named, &ConfigShow {}.into()).await?;
        Ok(outcome.data["guild_id"].as_str().unwrap().to_owned())
    }

    /// Renames guilds as the directory knows them.
    fn rename(test: &TestDaemon, of: u64, name: &str) {
        let data = serde_json::json!({ "id": of.to_string(), "name": name, "owner_id": "1", "roles": [] });
        let event = crate::discord::event::read("GUILD_CREATE", &data).unwrap().unwrap();
        test.systems.services.directory().learn(&event);
    }

    #[tokio::test]
    async fn a_guild_is_named_by_its_id_its_name_or_the_beginning_of_it() {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let (main, children) = (sandbox.main_guild(), sandbox.children());
        rename(&test, children[0], "Pixel Forge");
        rename(&test, children[1], "pixel FORGE two");
        let client =
            Client::connect(&test.systems.services.layout().socket, ClientSurface::Cli).await.unwrap();
        assert_eq!(shown(&client, Some(&main.to_string())).await.unwrap(), main.to_string());
        for named in ["Wayhaven", "WAYHAVEN", "wayh"] {
            assert_eq!(shown(&client, Some(named)).await.unwrap(), main.to_string(), "{named}");
        }
        // A whole name counts for more than the beginning of another.
        assert_eq!(shown(&client, Some("pixel forge")).await.unwrap(), children[0].to_string());
        assert_eq!(shown(&client, Some("PIXEL FORGE T")).await.unwrap(), children[1].to_string());
        // A stranger's guild that calls itself by the beginning of ours is not taken for it.
        rename(&test, 999_000_000_000_000_001, "Wayh");
        let taken = shown(&client, Some("wayh")).await.unwrap_err();
        assert!(taken.kind == FaultKind::Usage && taken.hints[0].contains(&main.to_string()), "{taken}");
        rename(&test, 999_000_000_000_000_001, "Wayhaven");
        let taken = shown(&client, Some("wayhaven")).await.unwrap_err();
        assert!(taken.kind == FaultKind::Usage && taken.hints[0].contains(&main.to_string()), "{taken}");
        let several = shown(&client, Some("pixel")).await.unwrap_err();
        assert_eq!(several.kind, FaultKind::Usage, "{several}");
        for child in ["Pixel Forge (", "pixel FORGE two ("] {
            assert!(several.message.contains(child), "{several}");
        }
        assert!(
            several.hints[0].starts_with("wayhaven --guild=") && several.hints[0].ends_with("config show")
        );
        assert_eq!(shown(&client, Some("nowhere")).await.unwrap_err().kind, FaultKind::NotFound);
        let audited = test.audit().await;
        let refused =
            audited.iter().filter(|entry| entry.operation == "config show" && entry.message.is_some());
        assert_eq!(refused.count(), 4, "refusals are in the audit");
    }

    #[tokio::test]
    async fn the_only_main_is_meant_where_no_guild_is_named_and_readings_are_not_narrowed() {
        let sandbox = sandbox(2).await;
        let test = TestDaemon::start(&sandbox).await;
        let (main, children, victim) = (sandbox.main_guild(), sandbox.children(), sandbox.stranger());
        let client =
            Client::connect(&test.systems.services.layout().socket, ClientSurface::Cli).await.unwrap();
        assert_eq!(shown(&client, None).await.unwrap(), main.to_string());
        let ban = asked(&client, None, &Ban::new(user(victim)).into()).await.unwrap();
        assert_eq!(ban.data["origin"]["guild_id"], main.to_string());
        test.ban(children[0], victim).await;
        let all = asked(&client, None, &PunishmentList::default().into()).await.unwrap();
        assert_eq!(all.data["punishments"].as_array().unwrap().len(), 1, "a child's own is shown too");

        make_second_main(&test, main, children[0], children[1]).await;
        let which = shown(&client, None).await.unwrap_err();
        assert_eq!(which.kind, FaultKind::Usage, "{which}");
        assert!(which.to_string().contains(&format!("Wayhaven ({main})")), "{which}");
        assert!(test.systems.services.store().topology().is_main(guild(children[0])));
    }
}
