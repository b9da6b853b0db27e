//! What an audit of a million rows costs: to write, to search, to count, to verify and to export. A real daemon answers;
//! `cargo bench --bench audit` runs all.
//!
//! Nothing is asserted: ARCHITECTURE.md of the first design, section 12, has the budget, 5 ms at p99 for a search by user.

// A bench prints its figures, and whoever runs it reads them.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod filling;

use filling::{FEW, MANY_ACTOR, MANY_TARGET, fill, wanted};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use wayhaven_e2e::{DaemonProcess, Home};
use wayhaven_sandbox::{Options, Sandbox};
use wayhaven_shared::client::Client;
use wayhaven_shared::control::Envelope;
use wayhaven_shared::operations::audit::{AuditExport, AuditLog, AuditResult, AuditStats, AuditVerify};
use wayhaven_shared::operations::job::{Job, JobResult, JobShow};
use wayhaven_shared::operations::status::ConnectionState;
use wayhaven_shared::operations::sync::ListFormat;
use wayhaven_shared::value::{GuildId, JobId, UserId, WindowDays};
use wayhaven_shared::{Fault, Operation};

/// How often each search is made.
const SEARCHES: usize = 400;

fn broken(error: impl std::fmt::Display) -> Fault {
    Fault::unavailable(error.to_string())
}

fn user(id: u64) -> Result<UserId, Fault> {
    UserId::new(id).ok_or_else(|| broken("a user without id"))
}

fn days(days: u64) -> Option<WindowDays> {
    WindowDays::try_from(days).ok()
}

/// What is measured: a daemon on that store.
struct Ground {
    client: Client,
    daemon: DaemonProcess,
}

impl Ground {
    /// Its resident memory and the most it ever was, in MiB.
    fn memory(&self) -> Result<(f64, f64), Fault> {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid())).map_err(broken)?;
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib / 1_024.0)
        };
        of("VmRSS:").zip(of("VmHWM:")).ok_or_else(|| broken("no memory in /proc"))
    }

    /// Asks so often, each time for another, and tells how long an answer took.
    async fn ask<O: Operation>(
        &self,
        what: &str,
        times: usize,
        guild: Option<GuildId>,
        asked: impl Fn(usize) -> Result<O, Fault>,
    ) -> Result<(), Fault> {
        let (mut took, mut bytes) = (Vec::new(), 0);
        for round in 0..times {
            let envelope = Envelope { guild: guild.map(Into::into), ..Envelope::new(&asked(round)?.into()) };
            let start = Instant::now();
            let outcome = self.client.run(envelope).await?;
            took.push(start.elapsed().as_secs_f64() * 1_000.0);
            bytes += outcome.data.to_string().len();
        }
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        println!(
            "  {what}: p50 {:.2} ms, p99 {:.2} ms, the longest {:.2} ms; {times} times, {} bytes each",
            at(0.5),
            at(0.99),
            at(1.0),
            bytes / times
        );
        Ok(())
    }

    /// Waits for a job's end; how long it took, and what came of it.
    async fn until_done(&self, begun: Instant, id: JobId) -> Result<(Duration, JobResult), Fault> {
        // However long that takes: it is what is measured.
        let mut cursor = self.client.watch(None, Duration::ZERO).await?.cursor;
        let job: Job = loop {
            let job = self.client.call(JobShow { id }).await?;
            if !job.is_running() {
                break job;
            }
            cursor = self.client.watch(Some(cursor), Duration::from_secs(5)).await?.cursor;
        };
        let took = begun.elapsed();
        Ok((took, job.result.ok_or_else(|| broken("a job without a result"))?))
    }
}

async fn searches(ground: &Ground) -> Result<(), Fault> {
    let log = AuditLog::default;
    let few = |round: usize| user(FEW.start + (round as u64 * 61) % (FEW.end - FEW.start));
    let year = days(400);
    ground
        .ask("audit log --user, of few rows", SEARCHES, None, |round| {
            Ok(AuditLog { user: Some(few(round)?), ..log() })
        })
        .await?;
    ground
        .ask("audit log --user --days=400, of few rows", SEARCHES, None, |round| {
            Ok(AuditLog { user: Some(few(round)?), days: year, ..log() })
        })
        .await?;
    let many = user(MANY_TARGET)?;
    ground
        .ask("audit log --user, of very many", SEARCHES, None, |_| Ok(AuditLog { user: Some(many), ..log() }))
        .await?;
    ground
        .ask("audit log --user --days=400, of very many", SEARCHES, None, |_| {
            Ok(AuditLog { user: Some(many), days: year, ..log() })
        })
        .await?;
    let actor = user(MANY_ACTOR)?;
    ground
        .ask("audit log --by, of very many", SEARCHES, None, |_| Ok(AuditLog { by: Some(actor), ..log() }))
        .await?;
    ground
        .ask("audit log --by --user, of very many and few", SEARCHES, None, |round| {
            Ok(AuditLog { by: Some(actor), user: Some(few(round)?), days: year, ..log() })
        })
        .await?;
    ground
        .ask("audit log --by --user, both of very many", SEARCHES / 4, None, |_| {
            Ok(AuditLog { by: Some(actor), user: Some(many), days: year, ..log() })
        })
        .await?;
    let interrupted = Some(AuditResult::Interrupted);
    ground
        .ask("audit log --user --result --days=400, of very many and none so", SEARCHES / 20, None, |_| {
            Ok(AuditLog { user: Some(many), result: interrupted, days: year, ..log() })
        })
        .await?;
    ground.ask("audit log", SEARCHES, None, |_| Ok(log())).await?;
    ground.ask("audit log --days=1", SEARCHES, None, |_| Ok(AuditLog { days: days(1), ..log() })).await?;
    ground
        .ask("audit log --result of which there is none", SEARCHES / 20, None, |_| {
            Ok(AuditLog { result: interrupted, ..log() })
        })
        .await?;
    ground
        .ask("audit log --result of which there is none, --days=400", SEARCHES / 40, None, |_| {
            Ok(AuditLog { result: interrupted, days: year, ..log() })
        })
        .await?;
    ground
        .ask("audit log in a guild without any, --days=400", SEARCHES / 40, GuildId::new(1), |_| {
            Ok(AuditLog { days: year, ..log() })
        })
        .await
}

async fn figures(ground: &Ground) -> Result<(), Fault> {
    ground.ask("audit stats", SEARCHES / 10, None, |_| Ok(AuditStats::default())).await?;
    ground.ask("audit stats --days=400", 5, None, |_| Ok(AuditStats { days: days(400) })).await
}

async fn verification(ground: &Ground) -> Result<(), Fault> {
    let ((before, _), begun) = (ground.memory()?, Instant::now());
    let job = ground.client.call(AuditVerify::default()).await?;
    let (took, result) = ground.until_done(begun, job.id).await?;
    let JobResult::AuditVerified(verified) = result else { return Err(broken("another job's result")) };
    if verified.broken.is_some() || verified.cut.is_some() {
        return Err(broken("the chain does not hold"));
    }
    let (after, most) = ground.memory()?;
    println!(
        "  audit verify: {} rows in {:.1} s, {:.0} a second; {before:.0} MiB before, {after:.0} after, {most:.0} at most",
        verified.rows,
        took.as_secs_f64(),
        verified.rows as f64 / took.as_secs_f64()
    );
    Ok(())
}

async fn exports(ground: &Ground) -> Result<(), Fault> {
    for format in [ListFormat::Json, ListFormat::Csv] {
        let ((before, _), begun) = (ground.memory()?, Instant::now());
        let job = ground.client.call(AuditExport { format: Some(format), ..AuditExport::default() }).await?;
        let (took, result) = ground.until_done(begun, job.id).await?;
        let JobResult::AuditExported(exported) = result else { return Err(broken("another job's result")) };
        let (after, most) = ground.memory()?;
        println!(
            "  audit export, {format:?}: {} entries, {:.0} MiB, in {:.1} s, {:.0} a second; {before:.0} MiB before, {after:.0} \
             after, {most:.0} at most",
            exported.entries,
            exported.bytes as f64 / 1_048_576.0,
            took.as_secs_f64(),
            exported.entries as f64 / took.as_secs_f64()
        );
    }
    Ok(())
}

async fn run() -> Result<(), Fault> {
    let sandbox = Sandbox::start(Options { children: 1, ..Options::default() }).await.map_err(broken)?;
    let home = Home::new(Path::new(env!("CARGO_BIN_EXE_demo")), &sandbox).map_err(broken)?;
    // Lays the directories and the store.
    home.start().map_err(broken)?.ready().await?;
    let rows = wanted();
    println!("writing {rows} rows");
    fill(&home.layout().map_err(broken)?.store(), rows).await?;
    let start = Instant::now();
    let mut daemon = home.start().map_err(broken)?;
    let client = daemon.client().await?;
    println!("  a start with them: answers after {:.2} s", start.elapsed().as_secs_f64());
    daemon.until(&client, ConnectionState::Ready).await?;
    let ground = Ground { client, daemon };
    println!("searching (budget: 5 ms at p99 for a search by user)");
    searches(&ground).await?;
    println!("counting");
    figures(&ground).await?;
    println!("verifying and exporting");
    verification(&ground).await?;
    exports(&ground).await
}

fn main() -> ExitCode {
    // `cargo bench -- WORD` is for all benchmarks: this one is one piece.
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    if !"audit".contains(&wanted) {
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("  {fault}");
            ExitCode::FAILURE
        }
    }
}
