//! What the subcommands write: for people, or as the command line's JSON.

use serde_json::{Value, json};
use std::process::ExitCode;
use wayhaven_shared::{Fault, streams};

/// One answer in the form of `wayhaven --json`.
pub(super) fn document(kind: &str, data: &Value) -> String {
    json!({ "schema": 1, "kind": kind, "data": data, "next_cursor": null, "warnings": [] }).to_string()
}

/// Lines on standard output; the exit code, which is another where they cannot be written.
pub(super) fn print(lines: &[String], code: ExitCode) -> ExitCode {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    match streams::print(&text) {
        Ok(()) => code,
        Err(error) => {
            fault(&Fault::unavailable(format!("standard output cannot be written: {error}")), false)
        }
    }
}

/// A fault on standard error, and its exit code.
pub(super) fn fault(fault: &Fault, as_json: bool) -> ExitCode {
    match as_json {
        true => {
            streams::print_error(&format!("{}\n", json!({ "schema": 1, "kind": "fault", "fault": fault })))
        }
        false => streams::print_error(&format!("error: {fault}\n")),
    }
    ExitCode::FAILURE
}
