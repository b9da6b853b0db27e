//! What keys do, and above all what they cannot do.

mod marks;
mod unread;

use super::*;
use crate::tui::operator::Operator;
use crate::tui::samples::{counts, delivery, punishment};
use crossterm::event::{KeyCode, KeyModifiers};
use serde_json::{Value, json};
use shared::control::{Envelope, Role};
use shared::event::{Change, Event};
use shared::operations::punishment::Action;
use shared::operations::reversal::Reverted;
use shared::{FaultKind, grammar};

fn seated() -> Operator {
    Operator::seated((80, 24), true, false)
}

fn changes(envelope: &Envelope) -> bool {
    let name = envelope.request["operation"].as_str().unwrap();
    grammar::find(name).unwrap().effect.changes() && !envelope.dry_run
}

fn preview() -> Value {
    json!({"punishment": null, "dry_run": true, "network": true, "deliveries": counts(2, 0, 0),
           "origin": {"guild_id": "1000", "state": "pending", "reason": null}, "plan": []})
}

fn events(changes: Vec<Change>) -> News {
    let at = Timestamp::from_millis(0);
    News::Changed(changes.into_iter().map(|change| Event { sequence: 1, at, change }).collect())
}

#[test]
fn observe_mode_refuses_what_changes_something_and_says_how_to_arm() {
    let mut operator = seated();
    operator.enters("ban 77 --guild 1000");
    assert!(operator.asked().is_empty());
    assert!(operator.toast().contains(":write"), "{}", operator.toast());
    operator.enters("ban 77 --guild 1000 --dry-run");
    assert!(operator.asked().iter().all(|envelope| envelope.dry_run));
}

#[test]
fn write_mode_previews_and_sends_only_after_y() {
    let mut operator = seated();
    operator.enters("write");
    operator.enters("ban 77 --guild 1000");
    assert!(operator.asked().iter().all(|envelope| envelope.dry_run), "the preview comes first");
    operator.is_answered(Ok(preview()));
    operator.presses(KeyCode::Enter);
    assert_eq!(operator.asked().len(), 1, "Enter presses Cancel");
    operator.enters("ban 77 --guild 1000");
    operator.is_answered(Ok(preview()));
    operator.types("y");
    let asked = operator.asked();
    assert!(changes(asked[2]) && asked[2].guild.as_ref().unwrap().id().unwrap().get() == 1000);
}

#[test]
fn what_is_severe_wants_its_name_typed_and_sends_it_along() {
    let mut operator = seated();
    operator.enters("write");
    operator.enters("setup unset-main --guild 1000");
    let plan =
        json!({"guild_id": "1000", "guild_name": null, "dry_run": true, "already": false, "is_main": false});
    operator.is_answered(Ok(plan.clone()));
    operator.types("y");
    operator.presses(KeyCode::Enter);
    assert!(!operator.asked().into_iter().any(changes), "a letter is not its name");
    operator.enters("setup unset-main --guild 1000");
    operator.is_answered(Ok(plan));
    operator.types("setup unset-main");
    operator.presses(KeyCode::Enter);
    let asked = operator.asked();
    let sent: Vec<_> = asked.into_iter().filter(|envelope| changes(envelope)).collect();
    assert_eq!((sent.len(), sent[0].confirm.as_deref()), (1, Some("setup unset-main")));
}

#[test]
fn write_mode_ends_after_15_minutes_even_under_an_open_question() {
    let mut operator = seated();
    operator.enters("write");
    operator.enters("ban 77 --guild 1000");
    operator.is_answered(Ok(preview()));
    operator.waits(15 * 60);
    operator.types("y");
    assert_eq!(operator.app.mode, Mode::Observe);
    assert!(!operator.asked().into_iter().any(changes));
}

#[test]
fn a_preview_that_fails_asks_nothing_and_says_why() {
    let mut operator = seated();
    operator.enters("write");
    operator.enters("ban 77 --guild 1000");
    operator.is_answered(Err(Fault::denied("you may not")));
    assert!(matches!(operator.app.overlay, Overlay::Nothing));
    assert_eq!(operator.toast(), "you may not");
}

#[test]
fn an_observer_cannot_arm_and_a_lost_daemon_turns_changes_off() {
    let mut operator = seated();
    operator.welcome(Role::Observer);
    operator.enters("write");
    assert_eq!(operator.app.mode, Mode::Observe);
    let mut operator = seated();
    operator.enters("write");
    operator.hears(News::Lost(Fault::new(FaultKind::Unreachable, "gone")));
    operator.enters("ban 77 --guild 1000");
    operator.types("x");
    assert!(operator.asked().is_empty());
}

/// A small generator of our own: the same keys for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

#[test]
fn no_random_keys_make_observe_mode_send_a_change() {
    let lines = [
        "ban 77 --guild 1000",
        "unban 77",
        "setup remove-child 2001 --guild 1000",
        "daemon stop",
        "status",
        "setup add-child 5 --guild=1000 --confirm=x",
        "setup unset-main --guild 1000",
        "ban 77 --dry-run",
        "observe",
        "network",
        "config logchannel 5",
    ];
    let codes = [
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::PageDown,
        KeyCode::PageUp,
        KeyCode::Backspace,
        KeyCode::Delete,
    ];
    let mut sent = 0;
    for seed in 0..25 {
        let mut random = Random(seed);
        let mut operator = seated();
        for _ in 0..200 {
            let before = operator.orders.len();
            match random.below(10) {
                0 => operator.enters(lines[random.below(lines.len())]),
                1 => operator.control(char::from(b'a' + u8::try_from(random.below(26)).unwrap())),
                2 | 3 => operator.presses(codes[random.below(codes.len())]),
                4 if !operator.asked().is_empty() => operator.is_answered(Ok(preview())),
                5 => operator.takes(Input::Paste("y\n:ban 77\n".into())),
                _ => operator.types(&char::from(b' ' + u8::try_from(random.below(95)).unwrap()).to_string()),
            }
            // Nobody armed it: the keys spell no `:write` in these seeds, and if they did this would say so.
            assert_eq!(operator.app.mode, Mode::Observe, "seed {seed}");
            for order in &operator.orders[before..] {
                if let Order::Ask(_, envelope) = order {
                    sent += 1;
                    assert!(!changes(envelope), "seed {seed}: {envelope:?}");
                }
            }
        }
    }
    assert!(sent > 40, "the test would prove nothing: {sent} requests");
}

#[test]
fn keys_that_change_something_go_through_preview_and_question() {
    let mut operator = seated();
    operator.types("jx");
    assert!(operator.asked().is_empty() && operator.toast().contains("observe"));
    operator.enters("write");
    operator.types("x");
    assert!(operator.asked().is_empty(), "what becomes of what was delivered is asked first");
    operator.types("undo");
    operator.presses(KeyCode::Enter);
    let asked = operator.asked();
    assert_eq!(asked[0].request["arguments"], json!({"child": "2001", "undo": true}));
    assert!(asked[0].dry_run && asked[0].guild.as_ref().unwrap().id().unwrap().get() == 1000);
    operator.types("2a");
    assert!(
        matches!(&operator.app.prompt, Some(Prompt::Palette { editor, .. }) if editor.text() == "setup add-child --guild=1000 ")
    );
}

#[test]
fn people_and_guilds_are_shown_by_their_names_once_those_have_come() {
    let mut operator = seated();
    operator.types("3g");
    assert!(operator.selected_text().contains("912345678901234567"), "{}", operator.selected_text());
    let names = json!({
        "users": { "912345678901234567": "rai\u{202e}der", "812345678901234567": "mod" },
        "guilds": { "1000": "Wayhaven" },
    });
    operator.hears(News::Names(serde_json::from_value(names).unwrap()));
    let row = operator.selected_text();
    assert!(row.contains("raider (912345678901234567)") && row.contains("by mod"), "{row}");
    let detail =
        crate::tui::screens::deliveries::detail(operator.app.shown(), operator.app.list().current().unwrap());
    let fields: Vec<_> = detail.unwrap().fields.iter().map(|(_, cell)| cell.text.line()).collect();
    for named in ["raider (912345678901234567)", "mod (812345678901234567)", "Wayhaven (1000)"] {
        assert!(fields.iter().any(|field| field == named), "{named} in {fields:?}");
    }
}

#[test]
fn a_palette_line_takes_a_guild_by_name_and_the_variable_where_it_has_none() {
    let mut operator = seated();
    operator.enters("config show --guild='Pixel Forge'");
    operator.app.guild = Some("Wayhaven".parse().unwrap());
    operator.enters("config show");
    let asked: Vec<_> = operator.asked().iter().map(|one| one.guild.clone().map(String::from)).collect();
    assert_eq!(asked, [Some("Pixel Forge".to_owned()), Some("Wayhaven".to_owned())]);
}

#[test]
fn u_reverts_a_punishment_of_any_action_after_its_number_is_typed() {
    let mut timeout = punishment(43, "shouting");
    timeout.action = Action::Timeout;
    let mut undo = punishment(44, "sorry");
    undo.action = Action::Unban;
    let mut operator = seated();
    operator.enters("write");
    let changed = [timeout, undo].map(|punishment| Change::Punishment { punishment });
    operator.hears(events(changed.into()));
    operator.types("3gu");
    assert!(operator.asked().is_empty() && operator.toast().contains("decide anew"), "{}", operator.toast());
    operator.types("ju");
    let asked = operator.asked();
    assert_eq!(asked[0].request["operation"], "punishment revert");
    assert_eq!(asked[0].request["arguments"], json!({"punishments": ["43"]}));
    assert!(asked[0].dry_run && asked[0].guild.as_ref().unwrap().id().unwrap().get() == 1000);
    operator.is_answered(Ok(serde_json::to_value(Reverted::none("1000".parse().unwrap(), true)).unwrap()));
    operator.types("y");
    operator.presses(KeyCode::Enter);
    assert_eq!(operator.asked().len(), 1, "a letter is not its number");
    operator.types("u");
    operator.is_answered(Ok(serde_json::to_value(Reverted::none("1000".parse().unwrap(), true)).unwrap()));
    operator.types("43");
    operator.presses(KeyCode::Enter);
    let sent: Vec<_> = operator.asked().into_iter().filter(|envelope| changes(envelope)).collect();
    assert_eq!((sent.len(), sent[0].confirm.as_deref()), (1, Some("43")));
}

#[test]
fn enter_opens_the_punishment_behind_a_delivery() {
    let mut operator = seated();
    operator.types("3j");
    assert!(operator.selected_text().contains("blocked"), "{}", operator.selected_text());
    operator.presses(KeyCode::Enter);
    assert_eq!(
        operator.asked()[0].request,
        json!({"operation": "punishment show", "arguments": {"id": "42"}})
    );
}

#[test]
fn copying_gives_id_json_and_the_command_line() {
    let mut operator = seated();
    operator.types("jyYw");
    let copied: Vec<&String> = operator
        .orders
        .iter()
        .filter_map(|order| match order {
            Order::Copy(text) => Some(text),
            _ => None,
        })
        .collect();
    assert_eq!(copied[0], "2001");
    assert_eq!(serde_json::from_str::<Value>(copied[1]).unwrap()["presence"], "ok");
    assert_eq!(copied[2], "wayhaven sync deliveries --child=2001");
    operator.types("  y");
    assert!(matches!(operator.orders.last(), Some(Order::Copy(text)) if text == "2001\n2004"));
}

#[test]
fn a_frozen_view_takes_changes_in_and_shows_them_afterwards() {
    let mut operator = seated();
    operator.types("3p");
    let rows = operator.app.list().rows.len();
    operator
        .hears(events(vec![Change::Delivery { delivery: delivery(990, 43, 2002, "failed", Some("404")) }]));
    assert_eq!((operator.app.list().rows.len(), operator.app.frozen.as_ref().unwrap().missed), (rows, 1));
    operator.types("p");
    assert!(operator.app.list().rows.len() > rows);
}

#[test]
fn folding_goes_to_what_a_row_is_part_of() {
    let mut operator = seated();
    let rows = |operator: &Operator| operator.app.list().rows.len();
    let all = rows(&operator);
    operator.types("jjh");
    assert!(rows(&operator) == 1 && operator.selected_text().contains("main"));
    operator.types("l");
    assert_eq!(rows(&operator), all);
    operator.types("3");
    let before = rows(&operator);
    operator.types("jjjjl");
    assert_eq!(rows(&operator), before + 38, "the successes unfold");
}

#[test]
fn a_filter_narrows_and_escape_takes_it_away() {
    let mut operator = seated();
    operator.types("/fr-");
    operator.presses(KeyCode::Enter);
    // The row, and the main that it belongs to.
    assert_eq!(operator.app.list().rows.len(), 2);
    operator.types("/");
    operator.presses(KeyCode::Esc);
    assert_eq!(operator.app.list().rows.len(), 5);
}

#[test]
fn leaving_is_asked_and_control_c_closes_what_is_open_first() {
    let mut operator = seated();
    operator.types("q");
    operator.presses(KeyCode::Enter);
    assert!(operator.orders.is_empty(), "Enter presses Cancel");
    operator.types(":ban");
    operator.control('c');
    assert!(operator.app.prompt.is_none());
    operator.control('c');
    assert!(matches!(operator.app.overlay, Overlay::Dialog(_)));
    operator.control('c');
    assert!(matches!(operator.app.overlay, Overlay::Nothing));
    operator.types("qy");
    assert!(matches!(operator.orders.last(), Some(Order::Quit)));
}

#[test]
fn a_gap_is_shown_until_somebody_resynchronises() {
    let mut operator = seated();
    operator.hears(News::Gap);
    assert!(operator.app.gap.is_some() && operator.toast().contains("missed"));
    operator.control('r');
    assert!(operator.app.gap.is_none() && matches!(operator.orders.last(), Some(Order::Resync)));
}

#[test]
fn a_changed_network_is_read_anew_and_a_key_release_is_nothing() {
    let mut operator = seated();
    operator.hears(events(vec![Change::Network { link: None }, Change::Network { link: None }]));
    assert_eq!(operator.orders.len(), 1);
    let mut release = KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE);
    release.kind = KeyEventKind::Release;
    operator.takes(Input::Key(release));
    assert!(matches!(operator.app.overlay, Overlay::Nothing));
}

#[test]
fn the_palette_keeps_a_wrong_line_and_remembers_the_right_ones() {
    let mut operator = seated();
    operator.enters("ban nobody");
    assert!(
        operator.app.prompt.is_some() && operator.toast().contains("a user id is"),
        "{}",
        operator.toast()
    );
    operator.control('c');
    operator.enters("deliveries");
    assert_eq!(operator.app.screen, Screen::Deliveries);
    operator.types(":");
    operator.presses(KeyCode::Up);
    assert!(
        matches!(&operator.app.prompt, Some(Prompt::Palette { editor, .. }) if editor.text() == "deliveries")
    );
    operator.control('c');
    operator.types(":se");
    operator.presses(KeyCode::Tab);
    assert!(
        matches!(&operator.app.prompt, Some(Prompt::Palette { editor, .. }) if editor.text() == "setup ")
    );
    operator.control('c');
    operator.types("-");
    assert_eq!(operator.app.screen, Screen::Network);
}

#[test]
fn an_unanswered_request_is_told_when_the_daemon_goes() {
    let mut operator = seated();
    operator.enters("status");
    assert!(operator.app.is_asking());
    operator.hears(News::Lost(Fault::new(FaultKind::Unreachable, "gone")));
    assert!(!operator.app.is_asking() && operator.toast().contains("no answer"));
    operator.welcome(Role::Owner);
    assert!(operator.toast().contains("answers again"));
}
