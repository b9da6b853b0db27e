//! Lines on the standard streams. Whether somebody reads them does not matter, and never ends the program that writes
//! them, as `println!` and `eprintln!` would.

macro_rules! say {
    ($($words:tt)*) => { drop(wayhaven_shared::streams::print(&format!("{}\n", format_args!($($words)*)))) };
}

macro_rules! complain {
    ($($words:tt)*) => { wayhaven_shared::streams::print_error(&format!("{}\n", format_args!($($words)*))) };
}
