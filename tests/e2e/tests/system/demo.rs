//! The demo without a terminal: it tells its story and ends with 0.

use crate::room::{Beside, room_now};
use crate::setting::program;
use std::process::{Command, Stdio};

#[test]
fn the_demo_tells_its_story_and_everything_happens() {
    let _room = room_now(Beside::One);
    let output = Command::new(program()).stdin(Stdio::null()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    for what in ["\"applied\":10", "monitor mode", "contained", "audit", "Everything happened as told."] {
        assert!(told.contains(what), "{what} is missing:\n{told}");
    }
}

#[test]
fn a_story_that_cannot_be_told_ends_with_1() {
    let _room = room_now(Beside::One);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(program()).stdin(Stdio::null()).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("standard output cannot be written"), "{said}");
}
