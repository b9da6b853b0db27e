//! Lines on the standard streams. Whether somebody reads them does not matter, and never ends the program that writes
//! them, as `println!` and `eprintln!` would. A line that could not be written is remembered for the exit code.

use std::sync::{Mutex, PoisonError};
use wayhaven_shared::streams::print;

macro_rules! say {
    ($($words:tt)*) => { $crate::say::line(&format!("{}\n", format_args!($($words)*))) };
}

/// Why the first line that is missing could not be written.
static MISSING: Mutex<Option<String>> = Mutex::new(None);

pub(crate) fn line(text: &str) {
    if let Err(error) = print(text) {
        MISSING.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
    }
}

/// Whether every line was written.
///
/// # Errors
/// Why the first that is missing was not.
pub(crate) fn all_written() -> Result<(), String> {
    match MISSING.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        Some(error) => Err(format!("standard output cannot be written: {error}")),
        None => Ok(()),
    }
}

macro_rules! complain {
    ($($words:tt)*) => { wayhaven_shared::streams::print_error(&format!("{}\n", format_args!($($words)*))) };
}
