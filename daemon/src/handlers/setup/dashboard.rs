//! `setup dashboard`.

use crate::context::Context;
use crate::discord::directory::Presence;
use crate::handlers::Handle;
use crate::network::Freeze;
use crate::store::{GuildRefusal, Unfinished};
use std::collections::HashSet;
use std::sync::Arc;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::job::{Job, JobKind};
use wayhaven_shared::operations::setup::{Child, Dashboard, Link, Network, SecurityLevel, SetupDashboard};
use wayhaven_shared::value::GuildId;

impl Handle for SetupDashboard {
    async fn handle(self, cx: &Context) -> Result<Dashboard, Fault> {
        let topology = cx.services.store().topology();
        let mut mains: Vec<GuildId> = match cx.scope() {
            None => topology.mains().collect(),
            Some(guild) if topology.is_main(guild) => vec![guild],
            // A child sees the networks it is in, or is asked into, and of each itself only.
            Some(guild) => topology.mains().filter(|main| topology.link(*main, guild).is_some()).collect(),
        };
        mains.sort();
        let scope = cx.scope();
        let only = scope.filter(|guild| !topology.is_main(*guild));
        let (read, of_guilds, alerts) = cx
            .services
            .store()
            .read(move |view| {
                let jobs = Arc::new(view.jobs(None, true, u16::MAX)?);
                let of_main = |main: GuildId| {
                    let (links, open) = (view.links_of(main)?, view.unfinished_by_guild(Some(main))?);
                    // A child is told of its own deliveries only.
                    let holds = if only.is_none() { view.open_hold_count(main)? } else { 0 };
                    let (level, jobs) = (view.security_level(main)?, jobs.clone());
                    Ok(OfMain { main, links, open, level, holds, jobs })
                };
                let read = mains.into_iter().map(of_main).collect::<Result<Vec<_>, Fault>>()?;
                let mut refusals = view.refusals(None)?;
                refusals.retain(|refusal| refusal.bars);
                let of_guilds = OfGuilds { locked: view.locked_guilds()?, refusals };
                Ok((read, of_guilds, view.open_alerts(scope)?))
            })
            .await?;
        let networks: Vec<Network> =
            read.into_iter().map(|of_main| network(cx, of_main, only, &of_guilds)).collect();
        let proposed = |child: &&Child| {
            let asked = child.link.state == "proposed" || child.link.asked_of_child().is_some();
            only.is_some() && asked
        };
        let children = networks.iter().flat_map(|network| &network.children);
        let proposals = children.filter(proposed).map(|child| child.link.main_guild_id).collect();
        Ok(Dashboard { networks, alerts, proposals })
    }
}

/// What the store says of guilds, whichever network they are in.
struct OfGuilds {
    locked: HashSet<GuildId>,
    refusals: Vec<GuildRefusal>,
}

impl OfGuilds {
    /// Why Discord refuses requests to the guild.
    fn refused(&self, guild: GuildId) -> Option<String> {
        self.refusals.iter().find(|refusal| refusal.guild == guild).map(|refusal| refusal.reason.clone())
    }
}

/// What the store says of a main.
struct OfMain {
    main: GuildId,
    links: Vec<Link>,
    open: Vec<Unfinished>,
    level: SecurityLevel,
    holds: u64,
    /// Every job that goes on, newest first.
    jobs: Arc<Vec<Job>>,
}

impl OfMain {
    /// What goes on in a child along this main's link: a backfill before a comparison, the one that is at work first.
    fn job(&self, child: GuildId) -> Option<Box<Job>> {
        let of_it = |job: &&Job| {
            job.guild_id == Some(child)
                && job.main_guild_id.is_none_or(|main| main == self.main)
                && !job.dry_run
        };
        let found = self.jobs.iter().filter(of_it).min_by_key(|job| (job.kind != JobKind::Backfill, job.id));
        found.map(|job| Box::new(job.clone()))
    }
}

fn network(cx: &Context, of_main: OfMain, only: Option<GuildId>, of_guilds: &OfGuilds) -> Network {
    let links = of_main.links.clone();
    let OfMain { main, open, level, holds, .. } = &of_main;
    let (main, level, holds) = (*main, *level, *holds);
    let directory = cx.services.directory();
    let presence = |guild| directory.presence(guild).map_or("unknown", Presence::word).to_owned();
    let child = |link: Link| {
        let guild = link.child_guild_id;
        // Before it has agreed, nothing about the child is the business of the main's members.
        if cx.is_member() && only.is_none() && !link.is_agreed() {
            let link = Link { child_name: None, ..link };
            let presence = "unknown".to_owned();
            return Child {
                link,
                presence,
                deliveries: Default::default(),
                reason: None,
                locked: false,
                job: None,
            };
        }
        let open = open.iter().find(|open| open.guild == guild).cloned();
        let (deliveries, reason) = open.map(|open| (open.deliveries, open.reason)).unwrap_or_default();
        // What concerns everybody there comes before why one of them waits.
        let reason = of_guilds.refused(guild).or(reason);
        let (presence, locked) = (presence(guild), of_guilds.locked.contains(&guild));
        let job = of_main.job(guild).filter(|_| link.is_agreed());
        Child { presence, link, deliveries, reason, locked, job }
    };
    let wanted = |link: &Link| only.is_none_or(|only| only == link.child_guild_id);
    let mut children: Vec<Child> = links.into_iter().filter(wanted).map(child).collect();
    // Those that need a person first; otherwise in the order in which they were linked.
    children.sort_by_key(|child| (child.deliveries.attention() == 0, child.presence == "ok"));
    let freeze = cx.services.store().topology().freeze(main);
    Network {
        main_guild_id: main,
        main_name: directory.name(main),
        presence: presence(main),
        locked: of_guilds.locked.contains(&main),
        // A child is told of itself only.
        refused: of_guilds.refused(main).filter(|_| only.is_none()),
        frozen: freeze.is_some(),
        except_reversals: freeze == Some(Freeze::ExceptReversals),
        security_level: level,
        holds,
        children,
    }
}
