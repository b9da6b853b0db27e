//! The sandbox as a program; see [`wayhaven_sandbox::serve`].

fn main() -> std::process::ExitCode {
    wayhaven_sandbox::main()
}
