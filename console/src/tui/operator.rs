//! Somebody at the console, for tests: presses keys and sees what leaves, without a terminal and without time.

use super::app::App;
use super::input::{Input, Moment, News, Order};
use super::samples;
use super::theme::Theme;
use crate::render::signs::Signs;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;
use shared::Fault;
use shared::control::{Envelope, Outcome, PROTOCOL, Role, Welcome};
use shared::value::Timestamp;
use wayhaven_shared as shared;

/// 2026-01-02 10:31:00 UTC.
const WALL: i64 = 1_767_349_860_000;

pub(crate) struct Operator {
    pub(crate) app: App,
    pub(crate) elapsed: u64,
    /// Every order so far.
    pub(crate) orders: Vec<Order>,
}

impl Operator {
    /// In front of a console that has just started.
    pub(crate) fn new(size: (u16, u16), colour: bool, ascii: bool) -> Self {
        let theme = Theme { colour, signs: Signs { ascii }, faded: false };
        let now = Moment { elapsed: 0, wall: Timestamp::from_millis(WALL) };
        Self { app: App::new(now, size, theme), elapsed: 0, orders: Vec::new() }
    }

    /// In front of a console that shows the sample network.
    pub(crate) fn seated(size: (u16, u16), colour: bool, ascii: bool) -> Self {
        let mut operator = Self::new(size, colour, ascii);
        operator.welcome(Role::Owner);
        operator.hears(News::Snapshot(Box::new(samples::snapshot())));
        operator
    }

    pub(crate) fn welcome(&mut self, role: Role) {
        let version = "0.1.0".into();
        self.hears(News::Connected(Welcome {
            protocol: PROTOCOL,
            version,
            role,
            capabilities: Vec::new(),
            start: String::new(),
        }));
    }

    pub(crate) fn hears(&mut self, news: News) {
        self.takes(Input::News(news));
    }

    pub(crate) fn takes(&mut self, input: Input) {
        let wall = Timestamp::from_millis(WALL + i64::try_from(self.elapsed).unwrap());
        let now = Moment { elapsed: self.elapsed, wall };
        let orders = self.app.update(now, input);
        self.orders.extend(orders);
    }

    pub(crate) fn waits(&mut self, seconds: u64) {
        self.elapsed += seconds * 1_000;
        self.takes(Input::Tick);
    }

    pub(crate) fn presses(&mut self, code: KeyCode) {
        self.takes(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }

    pub(crate) fn control(&mut self, letter: char) {
        self.takes(Input::Key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL)));
    }

    /// Presses each letter as a key.
    pub(crate) fn types(&mut self, text: &str) {
        text.chars().for_each(|letter| self.presses(KeyCode::Char(letter)));
    }

    /// Enters a palette line.
    pub(crate) fn enters(&mut self, line: &str) {
        self.types(":");
        self.types(line);
        self.presses(KeyCode::Enter);
    }

    /// What was asked of the daemon so far, oldest first.
    pub(crate) fn asked(&self) -> Vec<&Envelope> {
        self.orders
            .iter()
            .filter_map(|order| match order {
                Order::Ask(_, envelope) => Some(envelope),
                _ => None,
            })
            .collect()
    }

    /// Answers the latest request.
    pub(crate) fn is_answered(&mut self, data: Result<Value, Fault>) {
        let latest = self.orders.iter().rev().find_map(|order| match order {
            Order::Ask(ticket, envelope) => {
                Some((*ticket, envelope.request["operation"].as_str()?.to_owned()))
            }
            _ => None,
        });
        let (ticket, operation) = latest.expect("something was asked");
        let names = shared::Names::default();
        let warnings = Vec::new();
        let outcome =
            data.map(|data| Outcome { operation, data, next_cursor: None, warnings, names, at: None });
        self.hears(News::Answered(ticket, outcome));
    }

    pub(crate) fn toast(&self) -> String {
        self.app.messages.toast(self.app.now).map(|toast| toast.text.clone()).unwrap_or_default()
    }

    pub(crate) fn selected_text(&self) -> String {
        let list = self.app.list();
        let place = (0..list.rows.len()).find(|place| list.is_current(*place));
        place
            .map_or_else(String::new, |at| list.rows[at].line.iter().map(|span| span.text.as_str()).collect())
    }
}
