//! A change of a link as a plan: what it comes to, and what is stored when it is carried out. Invariant: a plan puts an
//! active link on no wider terms than its child has accepted, or accepts here.

use crate::context::Context;
use crate::network::LinkState;
use crate::reconcile::backfill::Opening;
use crate::store::{Change, StoreError, Terms, View};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::setup::{Backfill, Link, LinkUndo};
use wayhaven_shared::value::{GuildId, Timestamp};

/// A change of a link: how it is, and how it is to be.
pub(super) struct Plan {
    /// As it is; nothing where there is none, or a closed one.
    pub(super) before: Option<Link>,
    /// As it is to be.
    pub(super) after: After,
    /// Wider terms that the child is asked to accept, while the link goes on as it is to be.
    pub(super) proposed: Option<Terms>,
    /// What the child says to wider terms that were proposed to it.
    pub(super) answer: Answer,
    /// Whether what was decided before is delivered, where the link is opened for something.
    pub(super) backfill: bool,
}

/// What a child says to wider terms of an active link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: it is not asked here.
    None,
    /// It accepts them.
    Accepts,
    /// It declines them.
    Declines,
}

/// How a link is to be.
pub(super) enum After {
    /// In this state, on these terms.
    Put(LinkState, Terms),
    /// Closed; what is open along it ends.
    Closed,
    /// Closing: what is open along it ends, and what was delivered is taken back.
    Closing {
        /// Whether what cannot be undone now is given up at once.
        force: bool,
    },
}

impl After {
    /// How a link ends that its people end with `--keep` or `--undo`.
    ///
    /// # Errors
    /// Both were said, or neither of a link that is closing.
    pub(super) fn ended(before: &Link, keep: bool, undo: bool, force: bool) -> Result<Self, Fault> {
        if force && !undo {
            return Err(Fault::usage("--force is for --undo: it gives up what cannot be undone now")
                .hint("add --undo, or leave --force out"));
        }
        match (before.state.as_str(), keep, undo) {
            (_, true, true) => Err(Fault::usage("--keep and --undo contradict each other: say one of them")),
            ("closing", false, false) => Err(Fault::conflict(format!(
                "the link of main {} to guild {} is closing: what was delivered is being taken back",
                before.main_guild_id, before.child_guild_id
            ))
            .hint("setup dashboard shows how many are left; --keep closes it at once, and leaves those")
            .hint("--undo --force gives up those that cannot be undone now, and then closes it")),
            // Nothing is delivered along what was only proposed.
            ("active" | "closing", _, true) => Ok(Self::Closing { force }),
            _ => Ok(Self::Closed),
        }
    }
}

impl Plan {
    /// Without anything that the child is asked, or answers.
    pub(super) fn new(before: Option<Link>, after: After) -> Self {
        Self { before, after, proposed: None, answer: Answer::None, backfill: true }
    }

    /// Puts the link on these terms as far as its child has accepted them, and proposes the rest; all of it where the child
    /// consents here.
    pub(super) fn to_terms(before: Link, wanted: Terms, consent: bool) -> Self {
        let (mut now, mut proposed) = (wanted, None);
        if let Some(accepted) = before.accepted.as_ref().filter(|accepted| !accepted.covers(&now) && !consent)
        {
            proposed = Some(now.clone());
            now = now.within(accepted);
        }
        let answer = if consent { Answer::Accepts } else { Answer::None };
        Self { proposed, answer, ..Self::new(Some(before), After::Put(LinkState::Active, now)) }
    }

    /// Stores the link as it is to be, and what its child is asked or answers.
    pub(super) fn put(
        &self,
        change: &Change<'_>,
        (main, child): (GuildId, GuildId),
        state: LinkState,
        terms: &Terms,
    ) -> Result<Link, StoreError> {
        let agreed = self.before.as_ref().filter(|link| link.state == LinkState::Active.word());
        let Some(before) = agreed else { return change.put_link(main, child, state, terms) };
        let covered = before.accepted.as_ref().is_none_or(|accepted| accepted.covers(terms));
        let mut link = match self.answer {
            Answer::Declines => return change.decline_terms(before),
            Answer::Accepts if !covered => change.agree_to_terms(main, child, terms)?,
            Answer::Accepts | Answer::None => change.put_link(main, child, state, terms)?,
        };
        if self.answer == Answer::Accepts && link.proposed_level.is_some() {
            link = change.accept_level(&link)?;
        }
        match &self.proposed {
            Some(proposed) => change.propose_terms(main, child, proposed),
            None => Ok(link),
        }
    }

    /// What the child is asked from now on, in words.
    fn asked_afterwards(&self) -> Option<String> {
        let before = self.before.as_ref()?;
        let level = before.proposed_level.filter(|_| self.answer == Answer::None);
        Link { proposed: self.proposed.clone(), proposed_level: level, ..before.clone() }.asked_of_child()
    }

    pub(super) fn state(&self) -> &'static str {
        match &self.after {
            After::Put(state, _) => state.word(),
            After::Closed => "closed",
            After::Closing { .. } => "closing",
        }
    }

    /// What taking back comes to, where that is wanted.
    pub(super) fn undo(&self, view: &View<'_>, now: Timestamp) -> Result<Option<LinkUndo>, Fault> {
        let closing = self.before.as_ref().filter(|_| matches!(self.after, After::Closing { .. }));
        Ok(closing.map(|link| view.link_undo(link, now)).transpose()?)
    }

    /// What is there to keep, and could be taken back, where the link is closed without.
    pub(super) fn kept(&self, view: &View<'_>, now: Timestamp) -> Result<Option<LinkUndo>, Fault> {
        let closed = self.before.as_ref().filter(|_| matches!(self.after, After::Closed));
        Ok(closed.filter(|link| link.is_agreed()).map(|link| view.link_undo(link, now)).transpose()?)
    }

    /// What the link is opened for, where it is for something.
    pub(super) fn opening(&self, main: GuildId, child: GuildId) -> Option<Opening> {
        let After::Put(state, terms) = &self.after else { return None };
        Opening::of((main, child), self.before.as_ref(), *state, terms)
    }

    /// What is delivered of what was decided before.
    pub(super) fn counted(
        &self,
        view: &View<'_>,
        now: Timestamp,
        opening: &Opening,
    ) -> Result<Backfill, Fault> {
        let (to_deliver, to_lift) = (opening.to_deliver(view, now)?, opening.to_lift(view)?);
        Ok(Backfill { job: None, to_deliver, to_lift, left_out: !self.backfill })
    }

    /// Begins that, in the transaction that opens the link.
    pub(super) fn begin(
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
    pub(super) fn stops(&self, link: &Link) -> bool {
        match self.after {
            After::Closed => true,
            After::Closing { .. } => link.state != "closing",
            After::Put(..) => false,
        }
    }

    /// What is another than before, a line each.
    pub(super) fn changes(&self) -> Vec<String> {
        let before = self.before.as_ref();
        let mut changes = Vec::new();
        let mut compare = |what: &str, before: Option<String>, after: String| {
            if before.as_ref() != Some(&after) {
                let before = before.as_deref().unwrap_or("none");
                changes.push(format!("{what}: {before} → {after}"));
            }
        };
        compare("state", before.map(|link| link.state.clone()), self.state().to_owned());
        if let After::Closing { force: true } = self.after {
            compare("undos that cannot be done", None, "given up at once".to_owned());
        }
        if let After::Put(_, terms) = &self.after {
            compare("mode", before.map(|link| link.mode.word().into()), terms.mode.word().into());
            compare("actions", before.map(Link::actions), terms.actions.to_string());
            if let Some(before) = before.filter(|link| link.is_agreed()) {
                let none = || "none".to_owned();
                let asked = self.asked_afterwards().unwrap_or_else(none);
                compare("asked of the child", Some(before.asked_of_child().unwrap_or_else(none)), asked);
                let level = before.proposed_level.filter(|_| self.answer == Answer::Accepts);
                if let Some(level) = level {
                    let accepted = before.accepted_level.map(|level| level.word().to_owned());
                    compare("accepted security level", accepted, level.word().to_owned());
                }
            }
        }
        changes
    }

    /// Whether the caller may learn what the child is called: who stands for the child may, and the main once the
    /// child has agreed.
    pub(super) fn names_child(&self, cx: &Context, child: GuildId) -> bool {
        let agreed = self.before.as_ref().is_some_and(Link::is_agreed);
        let agrees = matches!(self.after, After::Put(LinkState::Active, _));
        !cx.is_member() || cx.scope() == Some(child) || agreed || agrees
    }
}
