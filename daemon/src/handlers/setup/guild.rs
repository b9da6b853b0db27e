//! `setup main-guild`, `unset-main`, `security-level`, `lock`, `unlock`: what a guild is in its network.

use super::link::speaks_for;
use super::{main_guild, refuse_locked};
use crate::context::Context;
use crate::handlers::Handle;
use crate::store::View;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::setup::{
    GuildDesignated, Link, LockChanged, SecurityChanged, SecurityLevel, SetupLock, SetupMainGuild,
    SetupSecurityLevel, SetupUnlock, SetupUnsetMain,
};
use wayhaven_shared::value::GuildId;

/// Which guilds are mains is the owner's decision, whoever asks.
fn check_listed(cx: &Context, guild: GuildId, may_not: &str) -> Result<(), Fault> {
    if cx.services.settings().network.mains.contains(&guild) {
        return Ok(());
    }
    Err(Fault::denied(format!("guild {guild} {may_not}"))
        .hint("the owner lists it in network.mains of wayhaven.toml, or sets MAIN_GUILD_ID"))
}

impl Handle for SetupMainGuild {
    async fn handle(self, cx: &Context) -> Result<GuildDesignated, Fault> {
        let guild = cx.guild()?;
        check_listed(cx, guild, "may not become a main")?;
        let plan = move |view: &View<'_>| {
            if view.guild(guild)?.is_some_and(|settings| settings.is_main) {
                return Ok(true);
            }
            refuse_child(guild, &view.links_to(guild)?)?;
            refuse_locked(view, guild)?;
            Ok(false)
        };
        let store = cx.services.store();
        let already = match cx.invocation.dry_run {
            true => store.read(plan).await?,
            false => store.write(move |change| Ok(plan(change)? || change.make_main(guild)?)).await?,
        };
        let guild_name = cx.services.directory().name(guild);
        let dry_run = cx.invocation.dry_run;
        Ok(GuildDesignated { guild_id: guild, guild_name, dry_run, already, is_main: true })
    }
}

/// No chains: who is linked to a main becomes none, and neither does who has not answered a main.
fn refuse_child(guild: GuildId, links: &[Link]) -> Result<(), Fault> {
    let Some(link) = links.iter().find(|link| link.is_agreed()).or(links.first()) else { return Ok(()) };
    let main = link.main_guild_id;
    Err(match link.is_agreed() {
        true => Fault::conflict(format!("guild {guild} is a child, and a child becomes no main"))
            .hint(format!("setup leave {main} comes first, or setup remove-child in guild {main}")),
        false => Fault::conflict(format!("main {main} proposes a link to guild {guild}"))
            .hint(format!("setup decline {main} comes first")),
    })
}

impl Handle for SetupUnsetMain {
    async fn handle(self, cx: &Context) -> Result<GuildDesignated, Fault> {
        let guild = main_guild(cx).await?;
        check_listed(cx, guild, "is not listed in network.mains")?;
        let plan = move |view: &View<'_>| {
            refuse_locked(view, guild)?;
            let links = view.links_of(guild)?.len();
            if links > 0 {
                return Err(Fault::conflict(format!("guild {guild} has links that are not closed: {links}"))
                    .hint("setup dashboard lists them, and setup remove-child closes each")
                    .hint("one that is closing ends when all is taken back, or at once with --keep"));
            }
            Ok(())
        };
        let store = cx.services.store();
        match cx.invocation.dry_run {
            true => store.read(plan).await?,
            false => {
                let unmake = move |change: &crate::store::Change<'_>| {
                    plan(change)?;
                    Ok(change.unmake_main(guild)?)
                };
                store.write(unmake).await?;
            }
        }
        let guild_name = cx.services.directory().name(guild);
        let dry_run = cx.invocation.dry_run;
        Ok(GuildDesignated { guild_id: guild, guild_name, dry_run, already: false, is_main: false })
    }
}

impl Handle for SetupSecurityLevel {
    async fn handle(self, cx: &Context) -> Result<SecurityChanged, Fault> {
        let (main, level) = (main_guild(cx).await?, self.level);
        let plan = move |view: &View<'_>| {
            refuse_locked(view, main)?;
            Ok(view.security_level(main)?)
        };
        let store = cx.services.store();
        // Those that have to accept it, and for which of them the caller can.
        let asked = move |view: &View<'_>| {
            let wider = |link: &Link| {
                level != SecurityLevel::Standard
                    && link.state == "active"
                    && link.accepted_level == Some(SecurityLevel::Standard)
            };
            let links = view.links_of(main)?.into_iter().filter(wider);
            Ok(links.map(|link| link.child_guild_id).collect::<Vec<_>>())
        };
        let asked = store.read(asked).await?;
        let mut agreeing = Vec::new();
        for child in &asked {
            agreeing.extend(speaks_for(cx, *child).await.then_some(*child));
        }
        let (before, waiting) = match cx.invocation.dry_run {
            true => {
                let before = store.read(plan).await?;
                (before, asked.into_iter().filter(|child| !agreeing.contains(child)).collect())
            }
            false => {
                let set = move |change: &crate::store::Change<'_>| {
                    let before = plan(change)?;
                    Ok((before, change.set_security_level_for(main, level, Some(&agreeing))?))
                };
                store.write(set).await?
            }
        };
        Ok(SecurityChanged { main_guild_id: main, level, before, waiting, dry_run: cx.invocation.dry_run })
    }
}

impl Handle for SetupLock {
    async fn handle(self, cx: &Context) -> Result<LockChanged, Fault> {
        set_lock(cx, true).await
    }
}

impl Handle for SetupUnlock {
    async fn handle(self, cx: &Context) -> Result<LockChanged, Fault> {
        set_lock(cx, false).await
    }
}

async fn set_lock(cx: &Context, locked: bool) -> Result<LockChanged, Fault> {
    let (guild, store) = (cx.guild()?, cx.services.store());
    let look = move |view: &View<'_>| {
        let links = view.links_of(guild)?.len() + view.links_to(guild)?.len();
        Ok::<_, Fault>((links as u64, view.is_locked(guild)? == locked))
    };
    let (links, already) = match cx.invocation.dry_run {
        true => store.read(look).await?,
        false => {
            let set = move |change: &crate::store::Change<'_>| {
                let (links, _) = look(change)?;
                Ok((links, !change.set_lock(guild, locked)?))
            };
            store.write(set).await?
        }
    };
    let guild_name = cx.services.directory().name(guild);
    let dry_run = cx.invocation.dry_run;
    Ok(LockChanged { guild_id: guild, guild_name, locked, already, dry_run, links })
}
