//! What a confirmation says first, in one sentence: what is done to whom, in which guild, and in how many children.

use crate::tui::model::Model;
use shared::control::Envelope;
use shared::operations::punishment::DeliveryCounts;
use shared::operations::reconcile::Reconciling;
use shared::operations::reversal::{PunishmentRevert, words};
use shared::value::GuildId;
use shared::{Reply, Request};
use std::collections::BTreeSet;
use wayhaven_shared as shared;

/// How many punishments are named one by one.
const NAMED: usize = 5;

/// The sentence for a request and the reply to its dry run.
pub(super) fn of(envelope: &Envelope, reply: &Reply, model: &Model) -> String {
    let arguments = &envelope.request["arguments"];
    let operation = envelope.request["operation"].as_str().unwrap_or_default();
    let what = match serde_json::from_value::<Request>(envelope.request.clone()) {
        Ok(Request::PunishmentRevert(revert)) => reverted(&revert, reply, model),
        _ => {
            let mut what = capitalised(operation);
            if arguments["child"].is_string() || arguments["main"].is_string() {
                what.push(':');
            }
            if let Some(user) = arguments["user"].as_str() {
                what.push_str(&format!(" user {user}"));
            }
            for role in ["child", "main"] {
                if let Some(guild) = arguments[role].as_str().and_then(|id| id.parse().ok()) {
                    what.push_str(&format!(" {role} {}", named(guild, model)));
                }
            }
            what
        }
    };
    let guild = envelope.guild.as_ref().map_or_else(String::new, |guild| match guild.id() {
        Some(id) => format!(" in {}", named(id, model)),
        None => format!(" in {guild}"),
    });
    let counts = match reply {
        Reply::PunishmentRevert(reverted) => {
            let (undone, stay) = (reverted.deliveries.open(), reverted.deliveries.skipped);
            format!("; children: {undone} undone, {stay} unchanged")
        }
        Reply::SetupRemoveChild(changed) | Reply::SetupLeave(changed) => match &changed.undo {
            Some(undo) => format!("; undone in the child: {}", words(&undo.taken_back)),
            None => format!("; nothing is undone, {} open deliveries stop", changed.stopped),
        },
        Reply::SetupAddChild(changed)
        | Reply::SetupAccept(changed)
        | Reply::SetupMode(changed)
        | Reply::SetupActions(changed) => match &changed.backfill {
            Some(backfill) if backfill.left_out => "; nothing of before is delivered".to_owned(),
            Some(backfill) => {
                let (up_to, lifted) = (backfill.to_deliver, backfill.to_lift);
                format!("; delivered in the child: up to {up_to}, lifted: up to {lifted}")
            }
            None => "; nothing is delivered at once".to_owned(),
        },
        Reply::SyncResume(changed) => format!("; held deliveries sent: {}", changed.deliveries),
        Reply::IncidentClose(changed) => changed
            .deliveries
            .map_or_else(String::new, |deliveries| format!("; held deliveries sent: {deliveries}")),
        Reply::SyncReconcile(plan) => repairs(plan),
        reply => reply
            .punished()
            .filter(|punished| punished.network)
            .map_or_else(String::new, |punished| children(&punished.deliveries)),
    };
    format!("{what}{guild}{counts}.")
}

/// `; would repair 12 in 2 of 3 guilds, 1 could not be compared`.
fn repairs(plan: &Reconciling) -> String {
    let ((compared, repairs), running, all) = (plan.compared(), plan.running(), plan.jobs.len());
    let mut words = match (compared == all, all) {
        (true, 1) => format!("; would repair {repairs} in 1 guild"),
        (true, _) => format!("; would repair {repairs} in {all} guilds"),
        (false, _) => format!("; would repair {repairs} in {compared} of {all} guilds"),
    };
    if running > 0 {
        words.push_str(&format!(", {running} still being compared"));
    }
    let failed = all - compared - running;
    if failed > 0 {
        words.push_str(&format!(", {failed} could not be compared"));
    }
    words
}

/// `Revert 3 punishments of 2 users (ban 41 of 77, …)`.
fn reverted(revert: &PunishmentRevert, reply: &Reply, model: &Model) -> String {
    let Reply::PunishmentRevert(plan) = reply else { return "Revert punishments".to_owned() };
    let count = match revert.punishments.len() {
        0 => plan.changed(),
        named => named as u64,
    };
    let noun = if count == 1 { "punishment" } else { "punishments" };
    let known: Vec<_> =
        revert.punishments.iter().filter_map(|id| model.groups.get(id)?.punishment.as_ref()).collect();
    let whose = match (known.as_slice(), revert.moderator) {
        ([], Some(moderator)) => format!(" of moderator {moderator}"),
        ([], None) => String::new(),
        (known, _) => {
            let users: BTreeSet<_> = known.iter().map(|one| one.user_id).collect();
            let users = if users.len() == 1 { "1 user".to_owned() } else { format!("{} users", users.len()) };
            let mut names: Vec<String> = known
                .iter()
                .take(NAMED)
                .map(|one| format!("{} {} of {}", one.action, one.id, one.user_id))
                .collect();
            if known.len() > NAMED {
                names.push(format!("{} more", known.len() - NAMED));
            }
            format!(" of {users} ({})", names.join(", "))
        }
    };
    format!("Revert {count} {noun}{whose}")
}

/// `, and in 3 children: 2 pending, 1 blocked`.
fn children(counts: &DeliveryCounts) -> String {
    match counts.total() {
        0 => ", and in no child".to_owned(),
        1 => format!(", and in 1 child: {}", counts.words()),
        more => format!(", and in {more} children: {}", counts.words()),
    }
}

fn named(guild: GuildId, model: &Model) -> String {
    let name = model.guild_name(guild);
    if name == guild.to_string() { name } else { format!("{name} ({guild})") }
}

fn capitalised(operation: &str) -> String {
    let mut letters = operation.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
