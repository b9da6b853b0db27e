//! Backfills: what a main had decided before a link could carry it is delivered to the child once it can.

use super::{Cursor, Resolve, new_job};
use crate::network::LinkState;
use crate::store::{Change, StoreError, Terms, View};
use crate::sync::desired::LASTING;
use wayhaven_shared::operations::job::JobKind;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{Link, Mode};
use wayhaven_shared::value::{GuildId, JobId, Timestamp};

/// What a change of a link opens it for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    main: GuildId,
    child: GuildId,
    measures: Vec<Action>,
    /// Whether the link was there, and only recorded: what its main took back meanwhile is made good too.
    from_monitor: bool,
}

impl Opening {
    /// What is let through by a link in this state on these terms that was not before; nothing where there is nothing.
    pub fn of(
        (main, child): (GuildId, GuildId),
        before: Option<&Link>,
        state: LinkState,
        terms: &Terms,
    ) -> Option<Self> {
        let open = state == LinkState::Active && terms.mode == Mode::Active;
        let was_active = before.filter(|link| link.state == LinkState::Active.word());
        let had = |measure: &Action| {
            was_active.is_some_and(|link| link.mode == Mode::Active && link.allowed_actions.contains(measure))
        };
        let opened = |measure: &Action| open && terms.actions.as_slice().contains(measure) && !had(measure);
        let measures: Vec<Action> = LASTING.into_iter().filter(opened).collect();
        let from_monitor = was_active.is_some_and(|link| link.mode == Mode::Monitor);
        (!measures.is_empty()).then_some(Self { main, child, measures, from_monitor })
    }

    /// How much there is to deliver, at most: what the guild has already shows when it is looked at.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn to_deliver(&self, view: &View<'_>, now: Timestamp) -> Result<u64, StoreError> {
        let of = |measure: &Action| view.count_undelivered(self.main, self.child, *measure, now);
        self.measures.iter().map(of).sum()
    }

    /// How many undos were kept back while the link only recorded.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn to_lift(&self, view: &View<'_>) -> Result<u64, StoreError> {
        if !self.from_monitor || !self.measures.contains(&Action::Ban) {
            return Ok(0);
        }
        let kept = view.undos_kept_back(self.child, self.main, Action::Ban, Default::default())?;
        Ok(kept.len() as u64)
    }

    /// Stores the job that delivers it, where there is anything, or adds to one that waits for its turn. It is taken up when
    /// the transaction is committed, and after any restart until it is done.
    ///
    /// # Errors
    /// Where the store fails.
    pub fn begin(&self, change: &Change<'_>, asked_by: &str) -> Result<Option<JobId>, StoreError> {
        let lifts = self.to_lift(change)? > 0;
        if !lifts && self.to_deliver(change, change.now())? == 0 {
            return Ok(None);
        }
        let of_main = change
            .running_jobs(JobKind::Backfill, self.child)?
            .into_iter()
            .filter(|job| job.main_guild_id == Some(self.main));
        for job in of_main {
            let Ok(mut cursor) = serde_json::from_value::<Cursor>(change.job_cursor(job.id)?) else {
                continue;
            };
            // One that has begun may be behind what is new by now.
            if !cursor.begun_at_all {
                cursor.lifts |= lifts;
                change.save_job_cursor(job.id, &cursor.to_json())?;
                return Ok(Some(job.id));
            }
        }
        let mut cursor = Cursor::new(Resolve::ByItself, Some(self.main));
        cursor.lifts = lifts;
        let new = new_job(JobKind::Backfill, self.child, asked_by.to_owned(), &cursor);
        change.begin_job(&new).map(Some)
    }
}
