//! Copying: ids, rows as JSON, and the command line that shows the same. By OSC 52, which works over SSH.

use super::App;
use super::requests::command_line;
use crate::tui::input::Order;
use crate::tui::list::RowId;
use crate::tui::screens::network;
use serde_json::{Value, json};
use shared::report::Tone;
use wayhaven_shared as shared;

impl App {
    fn copy(&mut self, what: &str, texts: Vec<String>) {
        if texts.is_empty() {
            return self.tell(Tone::Plain, "there is nothing to copy here");
        }
        let many = if texts.len() == 1 { String::new() } else { format!(" ({})", texts.len()) };
        self.orders.push(Order::Copy(texts.join("\n")));
        self.tell(Tone::Plain, format!("copied {what}{many}"));
    }

    pub(super) fn copy_id(&mut self) {
        let chosen = if self.panes.is_empty() { self.list().chosen() } else { Vec::new() };
        let ids = chosen.into_iter().filter_map(|row| self.id_of(row)).collect();
        self.copy("the id", ids);
    }

    fn id_of(&self, row: RowId) -> Option<String> {
        Some(match row {
            RowId::Main(guild) | RowId::Child(_, guild) => guild.to_string(),
            RowId::Punishment(id) | RowId::Origin(id) | RowId::Applied(id) => id.to_string(),
            RowId::Delivery(_, id) => id.to_string(),
            RowId::Message(number) => self.messages.iter().find(|one| one.number == number)?.text.clone(),
        })
    }

    pub(super) fn copy_json(&mut self) {
        let values: Vec<Value> = match self.panes.last() {
            Some(pane) => vec![pane.data.clone()],
            None => self.list().chosen().into_iter().filter_map(|row| self.json_of(row)).collect(),
        };
        self.copy("JSON", values.iter().map(Value::to_string).collect());
    }

    fn json_of(&self, row: RowId) -> Option<Value> {
        let model = self.shown();
        let value = match row {
            RowId::Main(main) => serde_json::to_value(network::network(model, main)?),
            RowId::Child(main, child) => serde_json::to_value(network::child(model, main, child)?),
            RowId::Punishment(id) | RowId::Applied(id) => {
                let group = model.groups.get(&id)?;
                Ok(json!({"punishment": group.punishment, "deliveries": group.counts()}))
            }
            RowId::Origin(id) => serde_json::to_value(model.groups.get(&id)?.origin.as_ref()?),
            RowId::Delivery(number, id) => {
                serde_json::to_value(model.groups.get(&number)?.deliveries.get(&id)?)
            }
            RowId::Message(number) => {
                let message = self.messages.iter().find(|one| one.number == number)?;
                Ok(json!({"at": message.at, "text": message.text}))
            }
        };
        value.ok()
    }

    pub(super) fn copy_line(&mut self) {
        let lines = match self.panes.last() {
            Some(pane) => vec![pane.line.clone()].into_iter().filter(|line| !line.is_empty()).collect(),
            None => {
                let requests = self.list().chosen().into_iter().filter_map(|row| self.request_of(row));
                let mut lines: Vec<String> =
                    requests.map(|request| command_line(&request, None, false)).collect();
                lines.dedup();
                lines
            }
        };
        self.copy("the command line", lines);
    }
}
