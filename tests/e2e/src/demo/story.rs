//! The story line by line, for pipes and for CI: what was done, what came of it, and whether it is so.

use super::stage::{CHILDREN, MONITOR, Stage, WITHOUT_PERMISSION};
use crate::process::watching;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::audit::AuditLog;
use wayhaven_shared::operations::punishment::PunishmentDetail;
use wayhaven_shared::value::Untrusted;

/// Children that a ban reaches: all but the one that lacks the permission and the one that only records.
const REACHED: u64 = CHILDREN as u64 - 2;

/// Tells it. The first thing that is not as it should be ends it.
pub(super) async fn tell(stage: Stage) -> Result<(), Fault> {
    say!("A sandbox Discord with one main guild and {CHILDREN} children, and a real daemon on it.");
    say!(
        "{} lacks the permission Ban Members; {} is in monitor mode.",
        stage.name(stage.children[WITHOUT_PERMISSION]),
        stage.name(stage.children[MONITOR])
    );
    a_slash_command(&stage).await?;
    by_hand(&stage).await?;
    an_unban(&stage).await?;
    a_childs_own(&stage).await?;
    audit(&stage).await?;
    stop(stage).await
}

fn chapter(title: &str) {
    say!("\n{title}");
}

fn must(holds: bool, what: &str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::internal(format!("it did not happen: {what}"))) }
}

fn deliveries(detail: &PunishmentDetail) {
    for delivery in &detail.deliveries {
        say!(
            "  {} {:<10} {:<16} {}",
            delivery.state.glyph(),
            delivery.state,
            delivery.guild_name.as_ref().map(Untrusted::line).unwrap_or_default(),
            delivery.reason.as_deref().unwrap_or_default()
        );
    }
}

async fn a_slash_command(stage: &Stage) -> Result<(), Fault> {
    let (user, moderator) = (stage.member(3), stage.sandbox.moderator());
    chapter(&format!("Moderator {moderator} types /ban {user} in the main guild:"));
    let (detail, reply) = stage.slash_ban(user, "raid").await?;
    deliveries(&detail);
    say!("  the reply on Discord: {}", reply["embeds"][0]["title"].as_str().unwrap_or("(none)"));
    let counts = detail.counts();
    must(
        counts.applied == REACHED && counts.blocked == 1 && counts.skipped == 1,
        "ten applied, one blocked, one skipped",
    )?;
    must(detail.deliveries[0].guild_id == stage.children[WITHOUT_PERMISSION], "the blocked one comes first")?;
    must(stage.sandbox.is_banned(stage.main.get(), user), "banned in the main guild")?;
    must(stage.sandbox.banned_in(&stage.sandbox.children(), user) as u64 == REACHED, "banned in ten children")
}

async fn by_hand(stage: &Stage) -> Result<(), Fault> {
    let (user, admin) = (stage.member(7), stage.sandbox.admin());
    chapter(&format!("Administrator {admin} bans {user} by hand, in Discord's own UI:"));
    let detail = stage
        .leads_to(async |stage| {
            stage.sandbox.people().ban(stage.main.get(), stage.sandbox.admin(), user, Some("scam links"))
        })
        .await?;
    deliveries(&detail);
    let by = detail.punishment.moderator_id.map(|by| by.get());
    must(by == Some(admin), "the administrator is named")?;
    must(
        detail.punishment.reason.as_ref().is_some_and(|reason| reason.raw() == "scam links"),
        "with the reason",
    )?;
    must(detail.counts().applied == REACHED, "ten applied")
}

async fn an_unban(stage: &Stage) -> Result<(), Fault> {
    let user = stage.member(3).to_string();
    let main = stage.main.to_string();
    chapter(&format!("An operator runs: wayhaven unban {user} --guild {main} --reason 'appeal' --wait"));
    let home = &stage.home;
    let ran = tokio::task::block_in_place(|| {
        home.wayhaven(&["unban", &user, "--guild", &main, "--reason", "appeal", "--wait", "--json"])
    });
    let ran = ran.map_err(|error| Fault::internal(error.to_string()))?;
    let data = &ran.json()["data"];
    say!("  deliveries: {}", data["deliveries"]);
    must(data["deliveries"]["applied"] == REACHED, "ten lifted")?;
    must(stage.sandbox.banned_in(&stage.sandbox.children(), stage.member(3)) == 0, "banned nowhere any more")
}

async fn a_childs_own(stage: &Stage) -> Result<(), Fault> {
    let child = stage.children[0];
    let (user, moderator) = (stage.member(11), stage.sandbox.child_moderator(child.get()));
    chapter(&format!("In {}, a child, its own moderator {moderator} bans {user}:", stage.name(child)));
    let elsewhere = stage.effects_elsewhere(child.get());
    let cursor = stage.client.watch(None, std::time::Duration::ZERO).await?.cursor;
    let banned = stage.sandbox.people().ban(child.get(), moderator, user, Some("rude"));
    banned.map_err(|error| Fault::unavailable(format!("the sandbox refused: {error}")))?;
    let contained = watching(&stage.client, async |client| {
        let events = client.watch(Some(cursor.clone()), std::time::Duration::ZERO).await?.events;
        Ok(events.into_iter().find(|event| {
            matches!(&event.change, wayhaven_shared::event::Change::Contained { guild_id, .. } if *guild_id == child)
        }))
    });
    contained.await?;
    say!("  contained: it stays there, and no request went to any other guild");
    must(stage.effects_elsewhere(child.get()) == elsewhere, "zero requests to other guilds")?;
    must(!stage.sandbox.is_banned(stage.main.get(), user), "not banned in the main guild")
}

async fn audit(stage: &Stage) -> Result<(), Fault> {
    chapter("The tail of the audit:");
    let log = AuditLog {
        limit: Some("8".parse().map_err(|_| Fault::internal("a page size"))?),
        ..AuditLog::default()
    };
    let entries = stage.client.call(log).await?.entries;
    for entry in &entries {
        say!(
            "  {}  {:<16} {:<8} {:<20} {}",
            entry.at.short(),
            entry.operation,
            entry.surface,
            entry.actor.as_ref().map(Untrusted::line).unwrap_or_default(),
            entry.result.word()
        );
    }
    let told = |surface: &str, operation: &str| {
        entries.iter().any(|entry| entry.surface == surface && entry.operation == operation)
    };
    must(
        told("cli", "unban") && told("gateway", "ban"),
        "the audit tells of the unban and of the bans by hand",
    )
}

async fn stop(stage: Stage) -> Result<(), Fault> {
    chapter("SIGTERM to the daemon:");
    let Stage { sandbox, mut daemon, client, .. } = stage;
    drop(client);
    let status = daemon.terminate().await.map_err(|error| Fault::internal(error.to_string()))?;
    say!(
        "  it ended with {status}, after {} requests to Discord, {} a second at most",
        sandbox.log().len(),
        sandbox.max_in_one_second()
    );
    must(status.success(), "exit 0")?;
    say!("\nEverything happened as told.");
    Ok(())
}
