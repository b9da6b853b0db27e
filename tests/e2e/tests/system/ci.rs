//! `.ci/test`, which runs the tests in `.ci/run`: it repeats what failed, and hides no failure. It is given a cargo
//! that plays what the real one prints.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a target of `cargo test` prints.
const PASSES: &str = "     Running unittests src/lib.rs (target/debug/deps/shared-1)

running 2 tests
test value::reads ... ok
test value::writes ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

";

const TWO_FAIL: &str = "     Running tests/system/main.rs (target/debug/deps/system-2)

running 3 tests
test socket::fault_28 ... FAILED
test socket::memory ... ok
test leak::echoes ... FAILED

failures:

---- socket::fault_28 stdout ----
thread 'socket::fault_28' panicked at tests/e2e/tests/system/socket.rs:66:9:
assertion failed
failures:
    is::no_name

---- leak::echoes stdout ----
thread 'leak::echoes' panicked


failures:
    leak::echoes
    socket::fault_28

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.01s

error: test failed, to rerun pass `-p wayhaven-e2e --test system`
";

const DOCUMENTATION_FAILS: &str = "   Doc-tests wayhaven_shared

running 1 test
test shared/src/value.rs - value::Span (line 7) ... FAILED

failures:

---- shared/src/value.rs - value::Span (line 7) stdout ----
Test executable failed (exit status: 101).

failures:
    shared/src/value.rs - value::Span (line 7)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.31s

error: doctest failed, to rerun pass `-p wayhaven-shared --doc`
";

const CRASHES: &str = "     Running unittests src/lib.rs (target/debug/deps/daemon-3)

running 2 tests
test clock::goes ... ok
error: test failed, to rerun pass `-p wayhaven-daemon --lib`

Caused by:
  process didn't exit successfully: `daemon-3` (signal: 6, SIGABRT: process abort signal)
";

/// As the crash of a target whose tests had all passed.
const CRASHES_AT_ITS_END: &str = "     Running unittests src/lib.rs (target/debug/deps/daemon-3)

running 1 test
test clock::goes ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s

error: test failed, to rerun pass `-p wayhaven-daemon --lib`
";

const SYSTEM: &str = "-p wayhaven-e2e --test system";
const DOCUMENTATION: &str = "-p wayhaven-shared --doc";
const DAEMON: &str = "-p wayhaven-daemon --lib";

/// The list with which cargo ends.
fn failed(targets: &[&str]) -> String {
    let (count, noun) = (targets.len(), if targets.len() == 1 { "target" } else { "targets" });
    let lines: String = targets.iter().map(|target| format!("    `{target}`\n")).collect();
    format!("error: {count} {noun} failed:\n{lines}")
}

/// A cargo that plays what it is told.
struct Cargo(tempfile::TempDir);

/// What came of a run.
struct Outcome {
    passed: bool,
    flaky: Vec<String>,
    printed: String,
    asked: Vec<String>,
}

impl Cargo {
    /// Prints `text` when all tests run, and ends with `code`.
    fn new(text: &str, code: u8) -> Self {
        let cargo = Self(tempfile::TempDir::new().unwrap());
        let script = "#!/bin/sh\n\
            here=$(dirname \"$0\")\n\
            echo \"$*\" >>\"$here/asked\"\n\
            case \"$*\" in\n\
            'test --no-run') what=compile ;;\n\
            'test --no-fail-fast') what=all ;;\n\
            *) for last; do :; done; what=$(printf %s \"$last\" | tr -c 'a-zA-Z0-9_\\n' -) ;;\n\
            esac\n\
            [ $what = compile ] || [ ! -f \"$here/leaves\" ] || { sleep 600 & echo $! >>\"$here/left\"; }\n\
            [ ! -f \"$here/$what\" ] || cat \"$here/$what\"\n\
            exit \"$(cat \"$here/$what.code\")\"\n";
        let program = cargo.path("cargo");
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        cargo.plays("compile", "", 0).plays("all", text, code)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn plays(self, what: &str, text: &str, code: u8) -> Self {
        std::fs::write(self.path(what), text).unwrap();
        std::fs::write(self.path(&format!("{what}.code")), code.to_string()).unwrap();
        self
    }

    /// When that test runs alone.
    fn alone(self, test: &str, passed: usize, failed: usize) -> Self {
        let word = if failed == 0 { "ok" } else { "FAILED" };
        let result =
            format!("\ntest result: {word}. {passed} passed; {failed} failed; 0 ignored; 0 measured\n");
        let name: String = test
            .chars()
            .map(|letter| if letter.is_alphanumeric() || letter == '_' { letter } else { '-' })
            .collect();
        self.plays(&name, &result, if failed == 0 { 0 } else { 101 })
    }

    fn run(&self) -> Outcome {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/test");
        let path = format!("{}:{}", self.0.path().display(), std::env::var("PATH").unwrap());
        let flaky = self.path("flaky");
        let output = Command::new(script).arg(&flaky).env("PATH", path).output().unwrap();
        let lines = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let printed = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        let asked = lines(&self.path("asked"));
        Outcome { passed: output.status.success(), flaky: lines(&flaky), printed, asked }
    }
}

#[test]
fn what_passes_runs_once() {
    let outcome = Cargo::new(PASSES, 0).run();
    assert!(outcome.passed, "{}", outcome.printed);
    assert_eq!(
        (outcome.flaky, outcome.asked),
        (vec![], vec!["test --no-run".into(), "test --no-fail-fast".into()])
    );
    assert!(outcome.printed.contains("test result: ok. 2 passed"), "its closing lines are shown");
}

#[test]
fn a_process_that_a_test_leaves_behind_does_not_hold_the_run() {
    let cargo = Cargo::new(&[PASSES, TWO_FAIL, &failed(&[SYSTEM])].concat(), 101);
    let cargo = cargo.alone("leak::echoes", 1, 0).alone("socket::fault_28", 1, 0);
    std::fs::write(cargo.path("leaves"), "").unwrap();
    let outcome = cargo.run();
    // It ended although they run on.
    let left = std::fs::read_to_string(cargo.path("left")).unwrap();
    assert_eq!(left.lines().count(), 3);
    for pid in left.lines() {
        let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    assert!(outcome.passed && outcome.flaky.len() == 2, "{}", outcome.printed);
    assert!(outcome.printed.contains("test socket::fault_28 ... FAILED"), "{}", outcome.printed);
}

#[test]
fn what_fails_beside_others_and_passes_alone_is_named_as_flaky() {
    let all = [PASSES, TWO_FAIL, DOCUMENTATION_FAILS, &failed(&[SYSTEM, DOCUMENTATION])].concat();
    let cargo = Cargo::new(&all, 101).alone("leak::echoes", 1, 0).alone("socket::fault_28", 1, 0).plays(
        "--doc",
        "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\n",
        0,
    );
    let outcome = cargo.run();
    assert!(outcome.passed, "{}", outcome.printed);
    assert_eq!(
        outcome.flaky,
        [
            format!("leak::echoes ({SYSTEM})"),
            format!("socket::fault_28 ({SYSTEM})"),
            format!("shared/src/value.rs - value::Span (line 7) ({DOCUMENTATION})"),
        ]
    );
    assert_eq!(
        outcome.asked[2..],
        [
            format!("test {SYSTEM} -- --exact leak::echoes"),
            format!("test {SYSTEM} -- --exact socket::fault_28"),
            // rustdoc takes no names with blanks.
            format!("test {DOCUMENTATION}"),
        ]
    );
}

#[test]
fn what_fails_alone_too_fails_the_run() {
    let all = [PASSES, TWO_FAIL, &failed(&[SYSTEM])].concat();
    let cargo = || Cargo::new(&all, 101).alone("leak::echoes", 1, 0);
    let outcome = cargo().alone("socket::fault_28", 0, 1).run();
    assert!(!outcome.passed);
    assert_eq!(outcome.flaky, [format!("leak::echoes ({SYSTEM})")]);
    assert!(outcome.printed.contains(&format!("    socket::fault_28 ({SYSTEM})")), "{}", outcome.printed);
    // Nothing ran, or more than the one: that proves nothing.
    for passed in [0, 2] {
        assert!(!cargo().alone("socket::fault_28", passed, 0).run().passed, "{passed}");
    }
    // Its process ended badly although the test passed.
    let result = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured\n";
    assert!(!cargo().plays("socket--fault_28", result, 101).run().passed);
}

#[test]
fn what_cannot_be_assigned_to_a_test_fails_the_run() {
    let alone = |all: &str, code: u8| {
        Cargo::new(all, code).alone("leak::echoes", 1, 0).alone("socket::fault_28", 1, 0)
    };
    let miscounted = TWO_FAIL.replace("; 2 failed;", "; 3 failed;");
    let without_result = TWO_FAIL.replace("test result: FAILED", "FAILED");
    let cases = [
        ("a crash", [PASSES, CRASHES, &failed(&[DAEMON])].concat()),
        ("a crash beside a failure", [CRASHES, TWO_FAIL, &failed(&[DAEMON, SYSTEM])].concat()),
        ("a crash behind a failure", [TWO_FAIL, CRASHES, &failed(&[SYSTEM, DAEMON])].concat()),
        ("a crash at the end", [CRASHES_AT_ITS_END, TWO_FAIL, &failed(&[DAEMON, SYSTEM])].concat()),
        ("only a crash at the end", [CRASHES_AT_ITS_END, &failed(&[DAEMON])].concat()),
        ("more failures than names", [miscounted.as_str(), &failed(&[SYSTEM])].concat()),
        ("no result", [without_result.as_str(), &failed(&[SYSTEM])].concat()),
        ("no list of targets", TWO_FAIL.to_owned()),
        ("a list that is cut off", [TWO_FAIL, "error: 2 targets failed:\n    `", SYSTEM, "`\n"].concat()),
        ("a target that nobody ran", [TWO_FAIL, &failed(&[SYSTEM, DAEMON])].concat()),
        ("nothing at all", String::new()),
    ];
    for (what, all) in cases {
        let outcome = alone(&all, 101).run();
        assert!(!outcome.passed, "{what}: {}", outcome.printed);
    }
    let sound = [TWO_FAIL, &failed(&[SYSTEM])].concat();
    assert!(alone(&sound, 101).run().passed, "what the cases stand on");
    assert!(!alone(&sound, 0).run().passed, "cargo says that all is well");
    let outcome = Cargo::new(PASSES, 0).plays("compile", "error[E0308]: mismatched types\n", 101).run();
    assert!(!outcome.passed && outcome.asked.len() == 1, "{}", outcome.printed);
}

#[test]
fn many_failures_at_once_are_no_noise() {
    let names: Vec<String> = (0..21).map(|number| format!("all::of_{number}")).collect();
    let lines: String = names.iter().map(|name| format!("    {name}\n")).collect();
    let all = format!(
        "     Running unittests src/lib.rs (target/debug/deps/daemon-3)\n\nfailures:\n{lines}\n\
         test result: FAILED. 0 passed; 21 failed; 0 ignored; 0 measured\n\n{}",
        failed(&[DAEMON])
    );
    let cargo = names.iter().fold(Cargo::new(&all, 101), |cargo, name| cargo.alone(name, 1, 0));
    let outcome = cargo.run();
    assert!(!outcome.passed && outcome.asked.len() == 2, "{}", outcome.printed);
}
