//! `wayhavend check`: what a start would find, one line each.

use super::{answer, token};
use crate::disk;
use crate::health;
use crate::secrets::{modes, trust};
use crate::settings::{Settings, Sources};
use crate::startup;
use crate::store::{self, Inspection};
use serde_json::json;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::process::ExitCode;
use wayhaven_shared::paths::Layout;
use wayhaven_shared::{Fault, FaultKind};

/// One thing that was looked at: what it is like, or what is wrong with it.
struct Looked {
    at: &'static str,
    found: Result<String, Fault>,
}

/// Looks at everything, and says it. 1 where something is wrong.
pub(super) fn run(layout: &Layout, config: Option<&Path>, discord: bool, as_json: bool) -> ExitCode {
    let all = look(layout, config, discord);
    let healthy = all.iter().all(|looked| looked.found.is_ok());
    let code = if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if as_json {
        let checks: Vec<_> = all
            .iter()
            .map(|Looked { at, found }| match found {
                Ok(detail) => json!({ "check": at, "ok": true, "detail": detail, "hints": [] }),
                Err(fault) => {
                    json!({ "check": at, "ok": false, "detail": fault.message, "hints": fault.hints })
                }
            })
            .collect();
        return answer::print(
            &[answer::document("check", &json!({ "ok": healthy, "checks": checks }))],
            code,
        );
    }
    let mut lines = Vec::new();
    for Looked { at, found } in &all {
        match found {
            Ok(detail) => lines.push(format!("ok    {at:<12} {detail}")),
            Err(fault) => {
                lines.push(format!("fail  {at:<12} {}", fault.message));
                lines.extend(fault.hints.iter().map(|hint| format!("      {:<12} {hint}", "hint:")));
            }
        }
    }
    answer::print(&lines, code)
}

fn look(layout: &Layout, config: Option<&Path>, discord: bool) -> Vec<Looked> {
    let mut all = Vec::new();
    let mut settings = None;
    let loaded = Sources::of_process(config, layout).and_then(|sources| {
        let loaded = Settings::load(&sources)?;
        loaded.check_files()?;
        Ok((sources, loaded))
    });
    match loaded {
        Ok((sources, mut loaded)) => {
            let file = sources.file.as_ref().map_or_else(
                || {
                    format!(
                        "{} is not there, so the defaults hold",
                        config.unwrap_or(&layout.config).display()
                    )
                },
                |(path, _)| path.display().to_string(),
            );
            all.push(Looked { at: "settings", found: Ok(file) });
            let warnings = loaded
                .warnings
                .iter()
                .map(|one| Looked { at: "settings", found: Ok(format!("note: {one}")) });
            all.extend(warnings);
            let found = loaded.find_token(&sources, layout).and_then(|()| loaded.check_token());
            let is_there = found.is_ok();
            let found = found.map(|()| loaded.token_place().unwrap_or_default());
            all.push(Looked { at: "token", found });
            settings = Some(loaded).filter(|_| is_there);
        }
        Err(fault) => all.push(Looked { at: "settings", found: Err(fault) }),
    }
    all.extend(directories(layout));
    all.push(Looked { at: "lock", found: lock(layout) });
    all.push(Looked { at: "socket", found: socket(layout) });
    all.push(Looked { at: "store", found: look_at_store(layout) });
    if discord {
        let found = match &settings {
            Some(settings) => token::whose(settings).map(|identity| identity.line()),
            None => Err(Fault::usage("not asked: there is no token to ask with")),
        };
        all.push(Looked { at: "discord", found });
    }
    all
}

/// The directories, and whatever in them is open to others.
fn directories(layout: &Layout) -> Vec<Looked> {
    let looked = |found| Looked { at: "directories", found };
    let mut faults: Vec<Fault> = modes::guarded(layout).iter().filter_map(|one| one.check().err()).collect();
    faults.extend(modes::ways(layout).into_iter().filter_map(|path| trust::check_way(path).err()));
    let directories = [&layout.data, &layout.state, &layout.logs];
    faults.extend(directories.iter().filter_map(|path| disk::probe(path).err()));
    faults.dedup();
    if !faults.is_empty() {
        return faults.into_iter().map(|fault| looked(Err(fault))).collect();
    }
    let absent = directories.iter().filter(|path| !path.exists()).count();
    let words: Vec<_> = directories.iter().map(|path| path.display().to_string()).collect();
    let to_come = if absent > 0 { format!("; {absent} of them will be made") } else { String::new() };
    let mut room: Vec<_> = directories
        .iter()
        .filter_map(|path| Some(format!("{} on the disk of {}", health::room(path).1?, path.display())))
        .collect();
    room.extend(modes::loose_logs(layout));
    let notes = room.into_iter().map(|one| looked(Ok(format!("note: {one}"))));
    std::iter::once(looked(Ok(format!("{}{to_come}", words.join(", "))))).chain(notes).collect()
}

fn lock(layout: &Layout) -> Result<String, Fault> {
    let path = layout.lock();
    let unusable = |error: &std::io::Error| {
        disk::fault(&path, "cannot be used", error).hint("run this as the daemon's user")
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok("free: no daemon has run here yet".into());
        }
        Err(error) => return Err(unusable(&error)),
    };
    // Shared and for a moment: whoever has it keeps it.
    match file.try_lock_shared() {
        Ok(()) => Ok("free: no daemon runs here".into()),
        Err(TryLockError::WouldBlock) => {
            let pid = std::io::read_to_string(file).unwrap_or_default();
            Ok(format!("held by the daemon that runs here, pid {}", pid.trim()))
        }
        Err(TryLockError::Error(error)) => Err(unusable(&error)),
    }
}

fn socket(layout: &Layout) -> Result<String, Fault> {
    let path = layout.socket.display();
    if std::os::unix::net::UnixStream::connect(&layout.socket).is_ok() {
        return Ok(format!("{path}: a daemon answers"));
    }
    let directory = layout.socket.parent().unwrap_or(Path::new("/"));
    disk::probe(directory)?;
    Ok(match layout.daemon_pid() {
        None => path.to_string(),
        Some(pid) => format!(
            "note: {path}: no daemon answers, although one runs, pid {pid}; create the socket again: kill -HUP {pid}"
        ),
    })
}

fn look_at_store(layout: &Layout) -> Result<String, Fault> {
    let path = layout.store();
    match store::inspect(&path).map_err(|error| startup::unopened(layout, error))? {
        None => Ok(format!("{} will be made", path.display())),
        Some(Inspection { version, known, defects }) if defects.is_empty() => Ok(match version == known {
            true => format!("{}: whole, schema {version}", path.display()),
            false => {
                format!("{}: whole, schema {version}, which the next start makes {known}", path.display())
            }
        }),
        Some(Inspection { defects, .. }) => {
            let message = format!("{} is damaged: {}", path.display(), defects.join("; "));
            Err(Fault::new(FaultKind::Verification, message)
                .hint("stop the daemon, keep a copy of the file with its -wal, and put back a backup"))
        }
    }
}
