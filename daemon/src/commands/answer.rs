//! What the subcommands write: for people, or as the command line's JSON.

use serde_json::{Value, json};
use std::process::ExitCode;
use wayhaven_shared::Fault;

/// One answer in the form of `wayhaven --json`.
pub(super) fn document(kind: &str, data: &Value) -> String {
    json!({ "schema": 1, "kind": kind, "data": data, "next_cursor": null, "warnings": [] }).to_string()
}

/// A fault on standard error, and its exit code.
pub(super) fn fault(fault: &Fault, as_json: bool) -> ExitCode {
    match as_json {
        true => eprintln!("{}", json!({ "schema": 1, "kind": "fault", "fault": fault })),
        false => eprintln!("error: {fault}"),
    }
    ExitCode::FAILURE
}
