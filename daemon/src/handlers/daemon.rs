//! `daemon`: the daemon itself.

use super::Handle;
use crate::context::Context;
use crate::restart;
use std::path::Path;
use wayhaven_shared::Fault;
use wayhaven_shared::operations::daemon::{
    DaemonProcess, DaemonReload, DaemonReloaded, DaemonRestart, DaemonRestarting, DaemonShow, DaemonShown,
    DaemonStop, DaemonStopping, DaemonStore,
};
use wayhaven_shared::operations::paths::PathList;
use wayhaven_shared::operations::status::Status;
use wayhaven_shared::value::Untrusted;

impl Handle for DaemonShow {
    async fn handle(self, cx: &Context) -> Result<DaemonShown, Fault> {
        let services = &cx.services;
        let status = Status {}.handle(cx).await?;
        let store = services.store();
        let schema = store.read(|view| Ok(view.schema()?)).await?;
        let path = store.path().to_owned();
        let wal = path.with_extension("db-wal");
        let looked = tokio::task::spawn_blocking(move || {
            let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
            ((size(&path), size(&wal)), std::fs::read_to_string("/proc/self/status").unwrap_or_default())
        });
        let ((bytes, wal_bytes), process) =
            looked.await.map_err(|_| Fault::internal("looking at the process failed unexpectedly"))?;
        let text = |path: &Path| Untrusted::clipped(&path.display().to_string());
        Ok(DaemonShown {
            status,
            process: DaemonProcess {
                started_at: services.lifecycle().started_at(),
                start: services.lifecycle().start().to_owned(),
                build: build(),
                machine: Untrusted::clipped(&rustix::system::uname().nodename().to_string_lossy()),
                program: services.lifecycle().program().map_or_else(|| Untrusted::clipped("not known"), text),
                resident_bytes: number(&process, "VmRSS:").map(|kibibytes| kibibytes * 1_024),
                threads: number(&process, "Threads:"),
            },
            store: DaemonStore {
                path: text(store.path()),
                bytes,
                wal_bytes,
                schema,
                epoch: store.epoch().to_owned(),
            },
            paths: PathList::from(services.layout()),
            settings_files: services.settings().files().iter().map(|path| text(path)).collect(),
        })
    }
}

/// What it was built for, and how.
fn build() -> String {
    let how = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{} {}, {how}", std::env::consts::OS, std::env::consts::ARCH)
}

/// A number of `/proc/self/status`.
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

impl Handle for DaemonReload {
    async fn handle(self, cx: &Context) -> Result<DaemonReloaded, Fault> {
        cx.systems.reload.again("daemon reload", cx.invocation.dry_run).await
    }
}

impl Handle for DaemonStop {
    async fn handle(self, cx: &Context) -> Result<DaemonStopping, Fault> {
        let counts = cx.services.store().read(|view| Ok(view.delivery_counts(None)?)).await?;
        let dry_run = cx.invocation.dry_run;
        if !dry_run {
            cx.services.lifecycle().stop();
        }
        Ok(DaemonStopping { pid: std::process::id(), dry_run, open_deliveries: counts.open() })
    }
}

impl Handle for DaemonRestart {
    async fn handle(self, cx: &Context) -> Result<DaemonRestarting, Fault> {
        let services = &cx.services;
        // A daemon that would not come back does not go.
        let program = restart::check(services.lifecycle().program())?;
        let would_not = |fault: Fault| Fault {
            message: format!("it would not start again: {}", fault.message),
            ..fault.hint("the daemon goes on as it is")
        };
        cx.systems.reload.next_start().await.map_err(would_not)?;
        let counts = services.store().read(|view| Ok(view.delivery_counts(None)?)).await?;
        let dry_run = cx.invocation.dry_run;
        if !dry_run {
            services.lifecycle().restart(program.clone())?;
        }
        Ok(DaemonRestarting {
            pid: std::process::id(),
            start: services.lifecycle().start().to_owned(),
            program: Untrusted::clipped(&program.display().to_string()),
            open_deliveries: counts.open(),
            dry_run,
            away_ms: None,
            version: None,
        })
    }
}
