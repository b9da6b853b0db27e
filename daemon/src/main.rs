//! The binary `wayhavend`; everything is in the library.

fn main() -> std::process::ExitCode {
    wayhaven_daemon::main()
}
