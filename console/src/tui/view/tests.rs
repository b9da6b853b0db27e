//! What the screens look like: text and styles, in three sizes, with colour, without and in ASCII.

use super::*;
use crate::tui::input::News;
use crate::tui::operator::Operator;
use crate::tui::samples::{self, counts};
use crossterm::event::KeyCode;
use ratatui::style::{Color, Modifier};
use serde_json::json;
use shared::{Fault, FaultKind};
use std::fmt::Write;
use wayhaven_shared as shared;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (50, 20)];

fn cells(app: &App) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, app.size.0, app.size.1));
    draw(app, &mut buffer);
    buffer
}

fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut covered = 0;
        for x in 0..buffer.area.width {
            // The cell behind a wide letter holds nothing of its own.
            if covered == 0 {
                let symbol = buffer[(x, y)].symbol();
                line.push_str(symbol);
                covered = unicode_width::UnicodeWidthStr::width(symbol);
            }
            covered = covered.saturating_sub(1);
        }
        writeln!(text, "|{}", line.trim_end()).unwrap();
    }
    text
}

/// Every run of cells that is not plain: row, columns, style, text.
fn styles(buffer: &Buffer) -> String {
    let mut runs = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let (colour, modifier) = (buffer[(x, y)].fg, buffer[(x, y)].modifier);
            let start = x;
            let mut run = String::new();
            while x < buffer.area.width && (buffer[(x, y)].fg, buffer[(x, y)].modifier) == (colour, modifier)
            {
                assert_eq!(buffer[(x, y)].bg, Color::Reset, "the terminal's own background");
                run.push_str(buffer[(x, y)].symbol());
                x += 1;
            }
            if (colour, modifier) != (Color::Reset, Modifier::empty()) && !run.trim().is_empty() {
                writeln!(runs, "{y}:{start}-{x} {colour} {modifier:?} {:?}", run.trim()).unwrap();
            }
        }
    }
    runs
}

fn scene(name: &str, play: impl Fn(&mut Operator)) {
    for size in SIZES {
        let look = |colour: bool, ascii: bool| {
            let mut operator = Operator::seated(size, colour, ascii);
            play(&mut operator);
            cells(&operator.app)
        };
        let (coloured, plain, ascii) = (look(true, false), look(false, false), look(true, true));
        assert_eq!(text(&coloured), text(&plain), "colour is never alone");
        let uncoloured = styles(&plain);
        assert!(uncoloured.lines().all(|run| run.contains(" Reset ")), "{uncoloured}");
        let ascii = text(&ascii);
        assert!(ascii.is_ascii(), "{ascii}");
        let all = format!(
            "{}\n== styles, colour\n{}\n== styles, NO_COLOR\n{uncoloured}\n== ascii\n{ascii}",
            text(&coloured),
            styles(&coloured)
        );
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), all);
    }
}

#[test]
fn network() {
    scene("network", |operator| operator.types("j"));
}

#[test]
fn deliveries() {
    scene("deliveries", |operator| operator.types("3j"));
}

#[test]
fn help_says_why_a_key_is_disabled() {
    scene("help", |operator| operator.types("?"));
}

#[test]
fn palette_completes() {
    scene("palette", |operator| operator.types(":sync deliveries --st"));
}

#[test]
fn a_wrong_line_is_told_whole_above_itself_until_it_is_mended() {
    let wrong = |operator: &mut Operator| operator.enters("setup mode 12 quiet");
    scene("wrong", wrong);
    scene("mended", |operator| {
        wrong(operator);
        operator.presses(KeyCode::Backspace);
    });
}

#[test]
fn a_change_is_confirmed_with_its_counts() {
    scene("confirm", |operator| {
        operator.enters("write");
        operator.enters("ban 77 --guild 1000 --reason=raid");
        let planned = |id: u64, state: &str, reason: Option<&str>| json!({"guild_id": id.to_string(), "guild_name": "日本語サーバー", "state": state, "reason": reason});
        operator.is_answered(Ok(json!({
            "punishment": null, "dry_run": true, "network": true, "deliveries": counts(2, 1, 0),
            "origin": {"guild_id": "1000", "state": "pending", "reason": null},
            "plan": [planned(2001, "blocked", Some("403 missing permission")), planned(2002, "pending", None)],
        })));
    });
}

#[test]
fn a_daemon_that_is_gone_dims_the_last_frame_and_nothing_stays_green() {
    scene("stale", |operator| {
        operator.hears(News::Lost(Fault::new(FaultKind::Unreachable, "the daemon closed the connection")));
        operator.waits(12);
    });
    let mut operator = Operator::seated((80, 24), true, false);
    operator.hears(News::Lost(Fault::new(FaultKind::Unreachable, "gone")));
    assert!(!styles(&cells(&operator.app)).contains("Green"));
}

#[test]
fn a_reply_is_shown_as_a_report() {
    scene("report", |operator| {
        operator.enters("punishment show 42");
        let deliveries = samples::snapshot().deliveries;
        let origin = json!({"guild_id": "1000", "state": "applied", "reason": null});
        let punishment = samples::punishment(42, "raid");
        operator
            .is_answered(Ok(json!({"punishment": punishment, "origin": origin, "deliveries": deliveries})));
    });
}

#[test]
fn a_start_without_a_daemon_says_where_it_looked() {
    let mut operator = Operator::new((80, 24), true, false);
    assert!(text(&cells(&operator.app)).contains("asking the daemon"));
    let fault = Fault::new(FaultKind::Unreachable, "no daemon answers at /run/wayhaven/control.sock")
        .hint("start it with: wayhavend run");
    operator.hears(News::Lost(fault));
    let shown = text(&cells(&operator.app));
    assert!(shown.contains("no daemon answers at /run/wayhaven/control.sock; retrying"), "{shown}");
    assert!(shown.contains("hint: start it with"), "{shown}");
}

#[test]
fn too_small_is_said_and_every_size_can_be_drawn() {
    let mut operator = Operator::seated((38, 9), true, false);
    insta::assert_snapshot!(text(&cells(&operator.app)).lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    |38x9 is too small
    |40x10 at least
    |q leaves
    ");
    let shown = |operator: &Operator| text(&cells(&operator.app));
    operator.types("q");
    assert!(shown(&operator).contains("q again to leave"), "{}", shown(&operator));
    for keys in ["", "3", "?", ":ban 1 --", "/日", "q"] {
        let mut operator = Operator::seated((80, 24), true, false);
        operator.types(keys);
        for width in (0..130).step_by(13) {
            for height in (0..30).step_by(3) {
                operator.takes(crate::tui::input::Input::Resize(width, height));
                cells(&operator.app);
            }
        }
    }
    operator.presses(KeyCode::Enter);
}

#[test]
fn the_question_of_the_demo_says_that_its_daemon_ends() {
    for (is_demo, then) in [(true, "the demo ends, and its daemon with it"), (false, "the daemon continues")]
    {
        let mut operator = Operator::seated((80, 24), true, false);
        operator.app.is_demo = is_demo;
        operator.types("q");
        let shown = text(&cells(&operator.app));
        assert!(shown.contains("leave the console?") && shown.contains(then), "{shown}");
    }
}

#[test]
fn nothing_that_somebody_else_wrote_reaches_a_cell_unclean() {
    for keys in ["", "3", "3l"] {
        let mut operator = Operator::seated((120, 40), true, false);
        operator.types(keys);
        let shown = text(&cells(&operator.app));
        assert!(!shown.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{shown:?}");
    }
}
