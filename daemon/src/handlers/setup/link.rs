//! `setup add-child`, `remove-child`, `mode`, `actions`: what a main does with its links.

use super::plan::{After, Plan};
use super::{check_presence, main_guild, refuse_locked};
use crate::context::Context;
use crate::discord::directory::Presence;
use crate::handlers::Handle;
use crate::invocation::Actor;
use crate::network::LinkState;
use crate::reconcile::backfill::Opening;
use crate::store::{Terms, View};
use wayhaven_shared::operations::setup::{
    AllowedActions, Check, CheckResult, Link, LinkChanged, SetupActions, SetupAddChild, SetupMode,
    SetupRemoveChild,
};
use wayhaven_shared::value::GuildId;
use wayhaven_shared::{Authority, Fault};

/// The link between the two, where there is one that is not closed.
pub(super) fn open_link(view: &View<'_>, main: GuildId, child: GuildId) -> Result<Option<Link>, Fault> {
    Ok(view.link(main, child)?.filter(|link| link.state != "closed"))
}

/// The terms that a link has.
pub(super) fn terms(link: &Link) -> Terms {
    Terms { mode: link.mode, actions: AllowedActions::of(&link.allowed_actions) }
}

/// The terms that its main has asked for last, whether the child has accepted them or not.
fn wanted_last(link: &Link) -> Terms {
    link.proposed.clone().unwrap_or_else(|| terms(link))
}

/// Plans a change of a link and, unless only the plan was asked for, carries it out in the same transaction.
pub(super) async fn change_link(
    cx: &Context,
    main: GuildId,
    child: GuildId,
    plan: impl Fn(&View<'_>) -> Result<Plan, Fault> + Send + 'static,
) -> Result<LinkChanged, Fault> {
    let store = cx.services.store();
    let now = cx.services.clock().now();
    let asked_by = cx.invocation.actor.audit_name();
    let (plan, link, stopped, undo, kept, backfill) = if cx.invocation.dry_run {
        let planned = move |view: &View<'_>| {
            let plan = plan(view)?;
            let stops = plan.before.as_ref().filter(|link| plan.stops(link));
            let stopped = stops.map_or(Ok(0), |link| view.open_along(link.id))?;
            let link = plan.before.clone();
            let (undo, kept) = (plan.undo(view, now)?, plan.kept(view, now)?);
            let opening = plan.opening(main, child);
            let backfill = opening.map(|opening| plan.counted(view, now, &opening)).transpose()?;
            Ok((plan, link, stopped, undo, kept, backfill))
        };
        store.read(planned).await?
    } else {
        let done = store.write(move |change| {
            let plan = plan(change)?;
            let undo = plan.undo(change, now)?;
            let (link, stopped) = match (&plan.after, &plan.before) {
                (_, Some(link)) if plan.changes().is_empty() => (Some(link.clone()), 0),
                (After::Put(state, terms), _) => (Some(plan.put(change, (main, child), *state, terms)?), 0),
                (After::Closed, Some(link)) => {
                    let stopped = change.stop_link(link.id)?.len() as u64;
                    (Some(change.close_link(link.id, main, child)?), stopped)
                }
                (After::Closing { force }, Some(link)) => {
                    if *force {
                        change.force_closing(link)?;
                    }
                    match link.state.as_str() {
                        "closing" => (Some(link.clone()), 0),
                        _ => {
                            let stopped = change.stop_link(link.id)?.len() as u64;
                            // The rest follows in steps of its own, which a restart goes on with.
                            (Some(change.put_link(main, child, LinkState::Closing, &terms(link))?), stopped)
                        }
                    }
                }
                (After::Closed | After::Closing { .. }, None) => (None, 0),
            };
            let opened = link.as_ref().zip(plan.opening(main, child));
            let begin = |(link, opening): (&Link, Opening)| plan.begin(change, link, &opening, &asked_by);
            let backfill = opened.map(begin).transpose()?;
            // What is kept is counted for who decides. Counting it here would hold the writer for nothing.
            Ok((plan, link, stopped, undo, None, backfill))
        });
        done.await?
    };
    let named = plan.names_child(cx, child);
    let findings = match &plan.after {
        // What is done is done, whether this can be told or not.
        After::Put(LinkState::Active, terms) if named => {
            wanting(cx, main, child, &terms.actions).await.unwrap_or_default()
        }
        _ => Vec::new(),
    };
    let link = link.map(|link| Link { child_name: link.child_name.clone().filter(|_| named), ..link });
    Ok(LinkChanged {
        link,
        main_guild_id: main,
        child_guild_id: child,
        state: plan.state().to_owned(),
        dry_run: cx.invocation.dry_run,
        stopped,
        undo,
        kept,
        backfill,
        proposed: plan.proposed.clone(),
        changes: plan.changes(),
        findings,
    })
}

/// What the doctor finds wanting in a guild that these actions are to reach.
async fn wanting(
    cx: &Context,
    main: GuildId,
    guild: GuildId,
    actions: &AllowedActions,
) -> Result<Vec<Check>, Fault> {
    let patient = super::doctor::examine(cx, guild, actions.as_slice(), None, Some(main)).await?;
    Ok(patient.findings.into_iter().filter(|finding| finding.result != CheckResult::Ok).collect())
}

/// Refuses what is under way to its end.
fn refuse_closing(link: &Link) -> Result<(), Fault> {
    if link.state == "closing" {
        return Err(Fault::conflict(format!(
            "the link to guild {} is closing, and is made anew only when it is closed",
            link.child_guild_id
        )));
    }
    Ok(())
}

impl Handle for SetupAddChild {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let main = main_guild(cx).await?;
        let Self { child, mode, actions, no_backfill } = self;
        if child == main {
            return Err(Fault::usage("a guild is no child of itself: GUILD-ID names the child"));
        }
        let for_both = speaks_for(cx, child).await;
        if !cx.is_member() {
            check_presence(cx, child)?;
        }
        let plan = move |view: &View<'_>| {
            let before = open_link(view, main, child)?;
            let agreed = before.as_ref().is_some_and(Link::is_agreed);
            takes_links(view, main, child, agreed || for_both)?;
            if let Some(link) = &before {
                refuse_closing(link)?;
            }
            // What is not said stays as it was, or as it was asked for last.
            let was = before.as_ref().map(wanted_last);
            let (was_mode, was_actions) = was.map(|terms| (terms.mode, terms.actions)).unzip();
            let terms = Terms {
                mode: mode.or(was_mode).unwrap_or_default(),
                actions: actions.clone().or(was_actions).unwrap_or_else(AllowedActions::all),
            };
            let plan = match before {
                Some(before) if agreed => Plan::to_terms(before, terms, for_both),
                before => {
                    let state = if for_both { LinkState::Active } else { LinkState::Proposed };
                    Plan::new(before, After::Put(state, terms))
                }
            };
            Ok(Plan { backfill: !no_backfill, ..plan })
        };
        change_link(cx, main, child, plan).await
    }
}

/// Whether the caller may decide for the child too: an operator of the socket may, and so may a member of the main
/// who administers the child. Otherwise anybody's guild could claim somebody else's.
pub(super) async fn speaks_for(cx: &Context, child: GuildId) -> bool {
    let Actor::Member { user, .. } = &cx.invocation.actor else { return true };
    let directory = cx.services.directory();
    if directory.presence(child) != Some(Presence::Here) {
        return false;
    }
    // What cannot be found out leads to a proposal, which tells nothing of the guild.
    let Ok(Some(member)) = cx.services.rest().member(child, *user).await else { return false };
    let admin = Authority::Admin.permission().unwrap_or(u64::MAX);
    directory.permissions(child, *user, &member.roles).is_some_and(|bits| bits & admin != 0)
}

/// Refuses a link that cannot be. Who may not know anything of the child is not told why.
fn takes_links(view: &View<'_>, main: GuildId, child: GuildId, known: bool) -> Result<(), Fault> {
    refuse_locked(view, main)?;
    let is_main = view.guild(child)?.is_some_and(|settings| settings.is_main);
    if !known && (is_main || view.is_locked(child)?) {
        return Err(Fault::denied(format!("guild {child} takes no proposals")));
    }
    if is_main {
        return Err(Fault::conflict(format!("guild {child} is a main itself: nothing flows into a main")));
    }
    refuse_locked(view, child)
}

/// A link of this main that its own people change.
fn link_of_main(cx: &Context, view: &View<'_>, main: GuildId, child: GuildId) -> Result<Link, Fault> {
    let link = open_link(view, main, child)?.ok_or_else(|| {
        Fault::not_found(format!("guild {child} is no child of guild {main}"))
            .hint("setup dashboard lists the children")
    })?;
    takes_links(view, main, child, link.is_agreed() || !cx.is_member())?;
    Ok(link)
}

impl Handle for SetupRemoveChild {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let main = main_guild(cx).await?;
        let Self { child, keep, undo, force } = self;
        let caller = cx.clone();
        let plan = move |view: &View<'_>| {
            let before = link_of_main(&caller, view, main, child)?;
            let after = After::ended(&before, keep, undo, force)?;
            Ok(Plan::new(Some(before), after))
        };
        change_link(cx, main, child, plan).await
    }
}

impl Handle for SetupMode {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let Self { child, mode, no_backfill } = self;
        change_terms(cx, child, !no_backfill, move |terms| terms.mode = mode).await
    }
}

impl Handle for SetupActions {
    async fn handle(self, cx: &Context) -> Result<LinkChanged, Fault> {
        let Self { child, actions, no_backfill } = self;
        change_terms(cx, child, !no_backfill, move |terms| terms.actions.clone_from(&actions)).await
    }
}

/// Changes the terms of one of the main's links, and nothing of its state.
async fn change_terms(
    cx: &Context,
    child: GuildId,
    backfill: bool,
    change: impl Fn(&mut Terms) + Send + 'static,
) -> Result<LinkChanged, Fault> {
    let main = main_guild(cx).await?;
    let before = cx.services.store().read(move |view| open_link(view, main, child)).await?;
    let exceeds = |link: &Link| {
        let mut terms = wanted_last(link);
        change(&mut terms);
        link.accepted.as_ref().is_some_and(|accepted| !accepted.covers(&terms))
    };
    // Only where it matters: it costs a question about the caller in the child.
    let consent = match before.filter(exceeds) {
        Some(_) => speaks_for(cx, child).await,
        None => false,
    };
    let caller = cx.clone();
    let plan = move |view: &View<'_>| {
        let before = link_of_main(&caller, view, main, child)?;
        refuse_closing(&before)?;
        let mut terms = wanted_last(&before);
        change(&mut terms);
        let plan = match before.is_agreed() {
            true => Plan::to_terms(before, terms, consent),
            false => Plan::new(Some(before), After::Put(LinkState::Proposed, terms)),
        };
        Ok(Plan { backfill, ..plan })
    };
    change_link(cx, main, child, plan).await
}
