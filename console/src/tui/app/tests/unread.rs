//! Errors that stay until they were read, and screens on which nobody can read.

use super::*;
use shared::operations::status::{Connection, ConnectionState};

fn stopped() -> Change {
    Change::Discord {
        connection: Connection { state: ConnectionState::Stopped, reason: Some("refused".into()) },
    }
}

#[test]
fn an_event_does_not_replace_an_error_that_was_not_read() {
    let mut operator = seated();
    operator.enters("status");
    operator.is_answered(Err(Fault::denied("you may not").hint("ask an owner")));
    operator.hears(News::Gap);
    operator.hears(events(vec![stopped()]));
    operator.waits(3_600);
    assert_eq!(operator.toast(), "you may not");
    operator.types("/fr-");
    operator.presses(KeyCode::Enter);
    operator.presses(KeyCode::Esc);
    assert_eq!(operator.toast(), "", "it was dismissed");
    assert_eq!(operator.app.list().filter.text, "fr-", "and nothing else");
    operator.presses(KeyCode::Esc);
    assert_eq!(operator.app.list().filter.text, "");

    operator.enters("status");
    operator.is_answered(Err(Fault::denied("you may not")));
    operator.enters("messages");
    operator.waits(10);
    assert_eq!(operator.toast(), "", "it was read in the list");
}

#[test]
fn typing_in_the_palette_dismisses_what_is_wrong_with_its_line_and_no_other_error() {
    let mut operator = seated();
    operator.enters("status");
    operator.types(":");
    operator.is_answered(Err(Fault::denied("you may not")));
    operator.types("ban nobody");
    assert_eq!(operator.toast(), "you may not");
    operator.presses(KeyCode::Enter);
    assert!(operator.toast().contains("a user id is"), "{}", operator.toast());
    operator.presses(KeyCode::Backspace);
    assert_eq!(operator.toast(), "you may not");
    operator.presses(KeyCode::Enter);
    assert!(operator.toast().contains("a user id is"), "{}", operator.toast());
    operator.presses(KeyCode::Esc);
    assert_eq!(operator.toast(), "you may not", "the line is gone, and its error with it");
}

#[test]
fn a_terminal_that_is_too_small_takes_no_key_but_the_one_that_leaves() {
    let mut operator = seated();
    for size in [(39, 24), (80, 9), (1, 1)] {
        operator.takes(Input::Resize(size.0, size.1));
        operator.enters("write");
        operator.types("3u jx");
        operator.takes(Input::Paste(":write".into()));
        assert!(operator.orders.is_empty() && operator.app.prompt.is_none(), "{size:?}");
        assert_eq!((operator.app.mode, operator.app.screen), (Mode::Observe, Screen::Network));
    }
    operator.takes(Input::Resize(0, 0));
    assert_eq!(operator.app.size, (80, 24), "a size that is missing is assumed");
    operator.enters("write");
    assert_ne!(operator.app.mode, Mode::Observe);
    // A question that is open while the terminal shrinks is not answered blindly.
    operator.enters("ban 77 --guild 1000");
    operator.is_answered(Ok(preview()));
    operator.takes(Input::Resize(20, 5));
    operator.types("y");
    assert!(!operator.asked().into_iter().any(changes));
    operator.types("q");
    assert!(!matches!(operator.orders.last(), Some(Order::Quit)), "leaving is asked twice");
    operator.types("q");
    assert!(matches!(operator.orders.last(), Some(Order::Quit)));
}

#[test]
fn a_reason_that_begins_with_a_hyphen_is_a_reason_in_the_palette_too() {
    let mut operator = seated();
    for line in
        ["ban 77 --reason -spam --guild 1000 --dry-run", "ban 77 --dry-run --guild 1000 --reason=-spam"]
    {
        operator.enters(line);
        let asked = operator.asked();
        let last = asked.last().unwrap();
        assert_eq!(last.request["arguments"], json!({"user": "77", "reason": "-spam"}));
        assert!(last.dry_run);
    }
    operator.enters("ban 77 --guild 1000 --reason --dry-run");
    assert_eq!(operator.asked().len(), 2);
    assert!(operator.toast().contains("--reason needs a text"), "{}", operator.toast());
}
