//! What is set about networks, judged.

use super::{BANS, EVERY, KEPT, Reader, UNDOS, USERS, keys};
use crate::network::Budgets;
use crate::network::UNDO_LIMIT;
use std::time::Duration;
use wayhaven_shared::Fault;
use wayhaven_shared::value::Span;

impl Reader {
    pub(super) fn nonmember_bans(&mut self) -> Result<u64, Fault> {
        let bans = self.one(&keys::NONMEMBER_BANS, |text| {
            text.parse()
                .ok()
                .filter(|number| BANS.contains(number))
                .ok_or_else(|| format!("it must be a whole number from {} to {}", BANS.start(), BANS.end()))
        })?;
        Ok(bans.map_or(900, |(number, _)| number))
    }

    pub(super) fn reconcile_every(&mut self) -> Result<Duration, Fault> {
        let every = self.one(&keys::RECONCILE_EVERY, |text| {
            let span = text.parse::<Span>().ok().map(Duration::from);
            span.filter(|span| EVERY.contains(span)).ok_or_else(|| "it must be from 1h to 30d".to_owned())
        })?;
        Ok(every.map_or(Duration::from_secs(86_400), |(span, _)| span))
    }

    pub(super) fn undo_limit(&mut self) -> Result<Duration, Fault> {
        let limit = self.one(&keys::UNDO_LIMIT, |text| {
            let span = text.parse::<Span>().ok().map(Duration::from);
            span.filter(|span| UNDOS.contains(span)).ok_or_else(|| "it must be from 1h to 90d".to_owned())
        })?;
        Ok(limit.map_or(UNDO_LIMIT, |(span, _)| span))
    }

    pub(super) fn keep_names(&mut self) -> Result<Duration, Fault> {
        let kept = self.one(&keys::KEEP_NAMES, |text| {
            let span = text.parse::<Span>().ok().map(Duration::from);
            span.filter(|span| KEPT.contains(span)).ok_or_else(|| "it must be from 1d to 365d".to_owned())
        })?;
        Ok(kept.map_or(Duration::from_secs(30 * 86_400), |(span, _)| span))
    }

    pub(super) fn import_cap(&mut self) -> Result<u32, Fault> {
        let cap = self.one(&keys::IMPORT_CAP, |text| {
            text.parse()
                .ok()
                .filter(|number| USERS.contains(number))
                .ok_or_else(|| format!("it must be a whole number from {} to {}", USERS.start(), USERS.end()))
        })?;
        Ok(cap.map_or(100_000, |(number, _)| number))
    }

    /// Each budget as it was set by itself, or as the preset has it.
    pub(super) fn budgets(&mut self) -> Result<Budgets, Fault> {
        let preset = self.one(&keys::BUDGET, |text| {
            Budgets::preset(text).ok_or_else(|| "it must be standard or strict".to_owned())
        })?;
        let (preset, origin) = preset.map_or((Budgets::STANDARD, None), |(preset, at)| (preset, Some(at)));
        let moderator = self.budget(&keys::MODERATOR_BUDGET, preset.moderator, origin.as_ref())?;
        let network = self.budget(&keys::NETWORK_BUDGET, preset.network, origin.as_ref())?;
        Ok(Budgets { moderator, network })
    }
}
