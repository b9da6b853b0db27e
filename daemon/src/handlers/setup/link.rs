//! `setup add-child`, `remove-child`, `mode`, `actions`: what a main does with its links.

use super::{check_presence, main_guild, refuse_locked};
use crate::discord::directory::Presence;
use crate::handlers::Handle;
use crate::invocation::{Actor, Context};
use crate::network::LinkState;
use crate::reconcile::backfill::Opening;
use crate::store::{Change, Terms, View};
use wayhaven_shared::operations::setup::{
    AllowedActions, Backfill, Check, CheckResult, Link, LinkChanged, LinkUndo, SetupActions, SetupAddChild,
    SetupMode, SetupRemoveChild,
};
use wayhaven_shared::value::{GuildId, Timestamp};
use wayhaven_shared::{Authority, Fault};

/// A change of a link: how it is, and how it is to be.
pub(super) struct Plan {
    /// As it is; nothing where there is none, or a closed one.
    pub(super) before: Option<Link>,
    /// As it is to be.
    pub(super) after: After,
    /// Whether what was decided before is delivered, where the link is opened for something.
    pub(super) backfill: bool,
}

/// How a link is to be.
pub(super) enum After {
    /// In this state, on these terms.
    Put(LinkState, Terms),
    /// Closed; what is open along it ends.
    Closed,
    /// Closing: what is open along it ends, and what was delivered is taken back.
    Closing,
}

impl After {
    /// How a link ends that its people end with `--keep` or `--undo`.
    ///
    /// # Errors
    /// Both were said, or neither of a link that is closing.
    pub(super) fn ended(before: &Link, keep: bool, undo: bool) -> Result<Self, Fault> {
        match (before.state.as_str(), keep, undo) {
            (_, true, true) => Err(Fault::usage("--keep and --undo contradict each other: say one of them")),
            ("closing", false, false) => Err(Fault::conflict(format!(
                "the link of main {} to guild {} is closing: what was delivered is being taken back",
                before.main_guild_id, before.child_guild_id
            ))
            .hint("setup dashboard shows how many are left; --keep closes it at once, and leaves those")),
            // Nothing is delivered along what was only proposed.
            ("active" | "closing", _, true) => Ok(Self::Closing),
            _ => Ok(Self::Closed),
        }
    }
}

impl Plan {
    fn state(&self) -> &'static str {
        match &self.after {
            After::Put(state, _) => state.word(),
            After::Closed => "closed",
            After::Closing => "closing",
        }
    }

    /// What taking back comes to, where that is wanted.
    fn undo(&self, view: &View<'_>, now: Timestamp) -> Result<Option<LinkUndo>, Fault> {
        let closing = self.before.as_ref().filter(|_| matches!(self.after, After::Closing));
        Ok(closing.map(|link| view.link_undo(link, now)).transpose()?)
    }

    /// What is there to keep, and could be taken back, where the link is closed without.
    fn kept(&self, view: &View<'_>, now: Timestamp) -> Result<Option<LinkUndo>, Fault> {
        let closed = self.before.as_ref().filter(|_| matches!(self.after, After::Closed));
        Ok(closed.filter(|link| link.is_agreed()).map(|link| view.link_undo(link, now)).transpose()?)
    }

    /// What the link is opened for, where it is for something.
    fn opening(&self, main: GuildId, child: GuildId) -> Option<Opening> {
        let After::Put(state, terms) = &self.after else { return None };
        Opening::of((main, child), self.before.as_ref(), *state, terms)
    }

    /// What is delivered of what was decided before.
    fn counted(&self, view: &View<'_>, now: Timestamp, opening: &Opening) -> Result<Backfill, Fault> {
        let (to_deliver, to_lift) = (opening.to_deliver(view, now)?, opening.to_lift(view)?);
        Ok(Backfill { job: None, to_deliver, to_lift, left_out: !self.backfill })
    }

    /// Begins that, in the transaction that opens the link.
    fn begin(
        &self,
        change: &Change<'_>,
        link: &Link,
        opening: &Opening,
        asked_by: &str,
    ) -> Result<Backfill, Fault> {
        let counted = self.counted(change, change.now(), opening)?;
        change.set_beginning(link.id, self.backfill)?;
        let job = if self.backfill { opening.begin(change, asked_by)? } else { None };
        Ok(Backfill { job, ..counted })
    }

    /// Whether what is open along the link ends.
    fn stops(&self, link: &Link) -> bool {
        match self.after {
            After::Closed => true,
            After::Closing => link.state != "closing",
            After::Put(..) => false,
        }
    }

    /// What is another than before, a line each.
    fn changes(&self) -> Vec<String> {
        let before = self.before.as_ref();
        let mut changes = Vec::new();
        let mut compare = |what: &str, before: Option<String>, after: String| {
            if before.as_ref() != Some(&after) {
                let before = before.as_deref().unwrap_or("none");
                changes.push(format!("{what}: {before} → {after}"));
            }
        };
        compare("state", before.map(|link| link.state.clone()), self.state().to_owned());
        if let After::Put(_, terms) = &self.after {
            compare("mode", before.map(|link| link.mode.word().into()), terms.mode.word().into());
            compare("actions", before.map(Link::actions), terms.actions.to_string());
        }
        changes
    }

    /// Whether the caller may learn what the child is called: who stands for the child may, and the main once the
    /// child has agreed.
    fn names_child(&self, cx: &Context, child: GuildId) -> bool {
        let agreed = self.before.as_ref().is_some_and(Link::is_agreed);
        let agrees = matches!(self.after, After::Put(LinkState::Active, _));
        !cx.is_member() || cx.scope() == Some(child) || agreed || agrees
    }
}

/// The link between the two, where there is one that is not closed.
pub(super) fn open_link(view: &View<'_>, main: GuildId, child: GuildId) -> Result<Option<Link>, Fault> {
    Ok(view.link(main, child)?.filter(|link| link.state != "closed"))
}

/// The terms that a link has.
pub(super) fn terms(link: &Link) -> Terms {
    Terms { mode: link.mode, actions: AllowedActions::of(&link.allowed_actions) }
}

/// Plans a change of a link and, unless only the plan was asked for, carries it out in the same transaction.
pub(super) async fn change_link(
    cx: &Context,
    main: GuildId,
    child: GuildId,
    plan: impl Fn(&View<'_>) -> Result<Plan, Fault> + Send + 'static,
) -> Result<LinkChanged, Fault> {
    let store = cx.daemon.store();
    let now = cx.daemon.clock().now();
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
                (After::Put(state, terms), _) => (Some(change.put_link(main, child, *state, terms)?), 0),
                (After::Closed, Some(link)) => {
                    let stopped = change.stop_link(link.id)?.len() as u64;
                    (Some(change.close_link(link.id, main, child)?), stopped)
                }
                (After::Closing, Some(link)) => {
                    let stopped = change.stop_link(link.id)?.len() as u64;
                    // The rest follows in steps of its own, which a restart goes on with.
                    (Some(change.put_link(main, child, LinkState::Closing, &terms(link))?), stopped)
                }
                (After::Closed | After::Closing, None) => (None, 0),
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
            // What is not said stays as it was.
            let was = before.as_ref().map(terms);
            let (was_mode, was_actions) = was.map(|terms| (terms.mode, terms.actions)).unzip();
            let terms = Terms {
                mode: mode.or(was_mode).unwrap_or_default(),
                actions: actions.clone().or(was_actions).unwrap_or_else(AllowedActions::all),
            };
            let state = if agreed || for_both { LinkState::Active } else { LinkState::Proposed };
            Ok(Plan { before, after: After::Put(state, terms), backfill: !no_backfill })
        };
        change_link(cx, main, child, plan).await
    }
}

/// Whether the caller may decide for the child too: an operator of the socket may, and so may a member of the main
/// who administers the child. Otherwise anybody's guild could claim somebody else's.
async fn speaks_for(cx: &Context, child: GuildId) -> bool {
    let Actor::Member { user, .. } = &cx.invocation.actor else { return true };
    let directory = cx.daemon.directory();
    if directory.presence(child) != Some(Presence::Here) {
        return false;
    }
    // What cannot be found out leads to a proposal, which tells nothing of the guild.
    let Ok(Some(member)) = cx.daemon.rest().member(child, *user).await else { return false };
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
        let Self { child, keep, undo } = self;
        let caller = cx.clone();
        let plan = move |view: &View<'_>| {
            let before = link_of_main(&caller, view, main, child)?;
            let after = After::ended(&before, keep, undo)?;
            Ok(Plan { before: Some(before), after, backfill: true })
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
    let caller = cx.clone();
    let plan = move |view: &View<'_>| {
        let before = link_of_main(&caller, view, main, child)?;
        refuse_closing(&before)?;
        let mut terms = terms(&before);
        change(&mut terms);
        let state = if before.is_agreed() { LinkState::Active } else { LinkState::Proposed };
        Ok(Plan { before: Some(before), after: After::Put(state, terms), backfill })
    };
    change_link(cx, main, child, plan).await
}
