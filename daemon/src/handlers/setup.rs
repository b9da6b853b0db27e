//! `setup`: mains, children and their links.

use super::Handle;
use crate::discord::directory::Presence;
use crate::invocation::{Actor, Context};
use crate::store::{Severity, Unfinished, View};
use wayhaven_shared::operations::setup::{
    Child, Dashboard, GuildDesignated, Link, LinkChanged, Network, SetupAddChild, SetupDashboard,
    SetupMainGuild, SetupRemoveChild,
};
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Authority, Fault};

impl Handle for SetupMainGuild {
    async fn handle(self, cx: &Context) -> Result<GuildDesignated, Fault> {
        let guild = cx.guild()?;
        if !cx.daemon.settings().network.mains.contains(&guild) {
            return Err(Fault::denied(format!("guild {guild} may not become a main"))
                .hint("the owner lists it in network.mains of wayhaven.toml, or sets MAIN_GUILD_ID"));
        }
        let topology = cx.daemon.store().topology();
        if topology.is_child(guild) {
            return Err(Fault::conflict(format!("guild {guild} is a child, and a child becomes no main"))
                .hint("setup remove-child in its main comes first"));
        }
        let already = topology.is_main(guild);
        if !already && !cx.invocation.dry_run {
            cx.daemon.store().write(move |change| Ok(change.make_main(guild)?)).await?;
        }
        let guild_name = cx.daemon.directory().name(guild);
        Ok(GuildDesignated { guild_id: guild, guild_name, dry_run: cx.invocation.dry_run, already })
    }
}

impl Handle for SetupAddChild {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let main = main_guild(cx).await?;
        let child = self.child;
        let topology = cx.daemon.store().topology();
        if child == main {
            return Err(Fault::usage("a guild is no child of itself: GUILD-ID names the child"));
        }
        if topology.is_main(child) {
            return Err(Fault::conflict(format!(
                "guild {child} is a main itself: nothing flows into a main"
            )));
        }
        check_presence(cx, child)?;
        consent(cx, child).await?;
        let mode = self.mode.unwrap_or_default();
        let link = match cx.invocation.dry_run {
            true => None,
            false => Some(
                cx.daemon.store().write(move |change| Ok(change.activate_link(main, child, mode)?)).await?,
            ),
        };
        Ok(LinkChanged {
            link,
            main_guild_id: main,
            child_guild_id: child,
            state: "active".into(),
            dry_run: cx.invocation.dry_run,
            stopped: 0,
        })
    }
}

impl Handle for SetupRemoveChild {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let main = main_guild(cx).await?;
        let child = self.child;
        let dry_run = cx.invocation.dry_run;
        let plan = move |view: &View<'_>| -> Result<(Link, u64), Fault> {
            let link = view.link(main, child)?.filter(|link| link.state != "closed").ok_or_else(|| {
                Fault::not_found(format!("guild {child} is no child of guild {main}"))
                    .hint("setup dashboard lists the children")
            })?;
            let open = view.open_along(link.id)?;
            Ok((link, open))
        };
        let (link, stopped) = match dry_run {
            true => cx.daemon.store().read(plan).await?,
            false => {
                cx.daemon
                    .store()
                    .write(move |change| {
                        let (link, _) = plan(change)?;
                        let stopped = change.stop_link(link.id)?.len() as u64;
                        Ok((change.close_link(link.id, main, child)?, stopped))
                    })
                    .await?
            }
        };
        Ok(LinkChanged {
            link: Some(link),
            main_guild_id: main,
            child_guild_id: child,
            state: "closed".into(),
            dry_run,
            stopped,
        })
    }
}

/// The guild in which it is asked for, which has to be a main. A child that asks reaches further than it may,
/// and that is told.
pub(super) async fn main_guild(cx: &Context) -> Result<GuildId, Fault> {
    let guild = cx.guild()?;
    let topology = cx.daemon.store().topology();
    if topology.is_main(guild) {
        return Ok(guild);
    }
    if topology.is_child(guild) {
        let by = cx.invocation.actor.user();
        let operation = cx.invocation.request.name();
        let details = format!("{operation} was asked for in guild {guild}, which is a child");
        let alert = move |change: &crate::store::Change<'_>| {
            Ok(change.alert("child_reaches_out", Severity::Medium, Some(guild), by, &details)?)
        };
        cx.daemon.store().write(alert).await?;
        return Err(Fault::denied(format!("guild {guild} is a child, and a child decides for itself only")));
    }
    Err(Fault::conflict(format!("guild {guild} is no main")).hint("setup main-guild makes it one"))
}

fn check_presence(cx: &Context, child: GuildId) -> Result<(), Fault> {
    let absent = match cx.daemon.directory().presence(child) {
        Some(Presence::Here | Presence::Outage) => false,
        Some(Presence::Absent) => true,
        // Before Discord has told, nobody can say; a delivery to a wrong guild would be blocked with a reason.
        None => cx.daemon.is_ready(),
    };
    if absent {
        return Err(Fault::not_found(format!("the bot is in no guild {child}"))
            .hint("invite it there first, and check the number: Developer Mode, Copy Server ID"));
    }
    Ok(())
}

/// A link needs the consent of both sides: an operator of the socket stands for both, and so does a member of
/// the main who administers the child too. Otherwise anybody's guild could claim somebody else's.
async fn consent(cx: &Context, child: GuildId) -> Result<(), Fault> {
    let Actor::Member { user, .. } = &cx.invocation.actor else { return Ok(()) };
    let denied = || {
        Err(Fault::denied(format!("you are no administrator of guild {child}")).hint(
            "somebody who administers both guilds does this, or an operator with: wayhaven setup add-child",
        ))
    };
    let directory = cx.daemon.directory();
    let Some(member) = cx.daemon.rest().member(child, *user).await? else { return denied() };
    let admin = Authority::Admin.permission().unwrap_or(u64::MAX);
    match directory.permissions(child, *user, &member.roles) {
        Some(bits) if bits & admin != 0 => Ok(()),
        _ => denied(),
    }
}

impl Handle for SetupDashboard {
    async fn handle(self, cx: &Context) -> Result<Dashboard, Fault> {
        let topology = cx.daemon.store().topology();
        let mut mains: Vec<GuildId> = match cx.scope() {
            None => topology.mains().collect(),
            Some(guild) if topology.is_main(guild) => vec![guild],
            // A child sees the networks it is in, and of each itself only.
            Some(guild) => topology.mains().filter(|main| topology.link(*main, guild).is_some()).collect(),
        };
        mains.sort();
        let only = cx.scope().filter(|guild| !topology.is_main(*guild));
        let scope = cx.scope();
        let (links, alerts) = cx
            .daemon
            .store()
            .read(move |view| {
                let of_main =
                    |main: GuildId| Ok((main, view.links_of(main)?, view.unfinished_by_guild(Some(main))?));
                let links = mains.into_iter().map(of_main).collect::<Result<Vec<_>, Fault>>()?;
                Ok((links, view.open_alerts(scope)?))
            })
            .await?;
        let networks =
            links.into_iter().map(|(main, links, open)| network(cx, main, links, only, open)).collect();
        Ok(Dashboard { networks, alerts })
    }
}

fn network(
    cx: &Context,
    main: GuildId,
    links: Vec<Link>,
    only: Option<GuildId>,
    open: Vec<Unfinished>,
) -> Network {
    let directory = cx.daemon.directory();
    let presence = |guild| directory.presence(guild).map_or("unknown", Presence::word).to_owned();
    let child = |link: Link| {
        let open = open.iter().find(|open| open.guild == link.child_guild_id).cloned();
        let (deliveries, reason) = open.map(|open| (open.deliveries, open.reason)).unwrap_or_default();
        Child { presence: presence(link.child_guild_id), link, deliveries, reason }
    };
    let wanted = |link: &Link| only.is_none_or(|only| only == link.child_guild_id);
    let mut children: Vec<Child> = links.into_iter().filter(wanted).map(child).collect();
    // Those that need a person first; otherwise in the order in which they were linked.
    children.sort_by_key(|child| (child.deliveries.attention() == 0, child.presence == "ok"));
    Network { main_guild_id: main, main_name: directory.name(main), presence: presence(main), children }
}
