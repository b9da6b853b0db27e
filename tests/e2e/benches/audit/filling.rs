//! A year's audit of a large network, written by the store as in earnest: rows that somebody asked for, in time.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;
use wayhaven_daemon::clock::Clock;
use wayhaven_daemon::store::{AuditRow, Personal, Store};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::audit::AuditResult;
use wayhaven_shared::value::GuildId;

/// How many rows there are; `WAYHAVEN_BENCH_ROWS` says otherwise.
const ROWS: u64 = 1_000_000;

/// How many are written in one transaction here.
const TOGETHER: u64 = 1_000;

/// How many are written each by itself, as of somebody who asks for one thing after the other.
const ALONE: u64 = 500;

/// Over which time.
const YEAR: i64 = 365 * 86_400_000;

/// Users to whom something is done now and then.
pub(super) const FEW: Range<u64> = 300_000_000_000_000_000..300_000_000_000_050_000;

/// A user to whom every tenth thing is done.
pub(super) const MANY_TARGET: u64 = 200_000_000_000_000_001;

/// A moderator, or rather a bot of one, who asks for every third.
pub(super) const MANY_ACTOR: u64 = 100_000_000_000_000_001;

/// The rows of one thing that was asked for, the `asked`th: of a change its intent too, which gets the number `next`.
fn rows(asked: u64, next: u64) -> Vec<AuditRow> {
    // Spread without a pattern that an index would see.
    let dice = |sides: u64, salt: u64| {
        let mixed = (asked + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) ^ salt;
        (mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> 33) % sides
    };
    let actor = if dice(3, 1) == 0 { MANY_ACTOR } else { MANY_ACTOR + 1 + dice(200, 2) };
    let target = if dice(10, 3) == 0 { MANY_TARGET } else { FEW.start + dice(FEW.end - FEW.start, 4) };
    let (operation, family) = match dice(10, 5) {
        0..=2 => ("ban", "punishment"),
        3 => ("timeout", "punishment"),
        4..=6 => ("punishment list", "punishment"),
        _ => ("audit log", "audit"),
    };
    let changes = matches!(operation, "ban" | "timeout");
    let denied = dice(20, 6) == 0;
    let personal = Personal {
        actor: Some(actor.to_string()),
        target: Some(target.to_string()),
        parameters: Some(format!("{{\"user\":\"{target}\",\"reason\":\"raid of the {asked}th\"}}")),
        message: None,
    };
    let outcome = AuditRow {
        intent: None,
        result: Some(if denied { AuditResult::Denied } else { AuditResult::Success }),
        operation,
        family,
        surface: "discord",
        guild: GuildId::new(400_000_000_000_000_000 + dice(20, 7)),
        channel: None,
        fault: denied.then_some("denied"),
        micros: Some(500 + dice(5_000, 8)),
        personal: Personal {
            message: denied.then(|| "that takes the permission to ban".to_owned()),
            ..personal.clone()
        },
    };
    if denied || !changes {
        return vec![outcome];
    }
    // What was asked for stands in the intent alone.
    let intent = AuditRow { result: None, micros: None, personal, ..outcome.clone() };
    let personal = Personal { parameters: None, ..outcome.personal };
    vec![intent, AuditRow { intent: Some(next), personal, ..outcome }]
}

/// How many rows there are to be.
pub(super) fn wanted() -> u64 {
    let asked = std::env::var("WAYHAVEN_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok());
    asked.unwrap_or(ROWS).max(10 * TOGETHER)
}

/// Writes them all, over a year that ends now.
pub(super) async fn fill(path: &Path, rows_wanted: u64) -> Result<(), Fault> {
    let clock = Clock::default();
    clock.shift(-YEAR);
    let store = Store::open(path, clock.clone())?;
    let mut asked = 0;
    let start = Instant::now();
    let first = store.read(|view| Ok(view.chain_head()?.rows)).await?;
    let mut written = first;
    while written < rows_wanted - ALONE {
        let from = asked;
        (asked, written) = store
            .write(move |change| {
                let (mut asked, mut next) = (from, change.chain_head()?.rows + 1);
                let end = next + TOGETHER;
                while next < end {
                    for row in rows(asked, next) {
                        next = change.audit(&row)? + 1;
                    }
                    asked += 1;
                }
                Ok((asked, next - 1))
            })
            .await?;
        clock.shift(YEAR / i64::try_from(rows_wanted / TOGETHER).unwrap_or(i64::MAX));
    }
    let took = start.elapsed();
    let micros = took.as_secs_f64() * 1e6 / (written - first) as f64;
    println!("  {micros:.1} µs each, {TOGETHER} in a transaction");
    let mut took = Vec::new();
    for asked in asked..asked + ALONE {
        let start = Instant::now();
        store
            .write(move |change| {
                let next = change.chain_head()?.rows + 1;
                rows(asked, next).iter().try_for_each(|row| change.audit(row).map(drop))?;
                Ok(())
            })
            .await?;
        took.push(start.elapsed().as_secs_f64() * 1e6);
    }
    took.sort_by(f64::total_cmp);
    println!(
        "  {:.0} µs at p50 for a request of one or two, with its commit to this disk",
        took[took.len() / 2]
    );
    Ok(())
}
