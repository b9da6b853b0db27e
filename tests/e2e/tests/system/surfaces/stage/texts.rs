//! A row's texts for whoever asks.

use super::{Asker, Stage};
use serde_json::{Value, json};
use std::path::PathBuf;
use wayhaven_shared::operations::hold::SyncHolds;
use wayhaven_shared::operations::job::JobList;
use wayhaven_shared::operations::punishment::PunishmentList;
use wayhaven_shared::value::{PageSize, UserId};

impl Stage {
    /// A file of whoever asks.
    pub(super) fn file(&self, asker: Asker, ending: &str) -> PathBuf {
        self.setting.home.path().join(format!("{asker:?}.{ending}"))
    }

    /// The row's text for whoever asks.
    pub(super) async fn text(&self, template: &str, asker: Asker) -> String {
        let user = self.user(asker);
        let (main, muted) = self.guilds[0];
        let values = [("{user}", user), ("{muted}", muted), ("{main}", main), ("{child}", self.child())];
        let filled = |text: String, (name, value): (&str, u64)| text.replace(name, &value.to_string());
        let mut text = values.into_iter().fold(template.to_owned(), filled);
        if text.contains("{punishment}") {
            let limit = PageSize::try_from(1).ok();
            let list = PunishmentList { user: UserId::new(user), limit, cursor: None };
            let latest = self.setting.client.call(list).await.unwrap().punishments;
            text = text.replace("{punishment}", &latest[0].id.to_string());
        }
        if text.contains("{hold}") {
            let holds = self.setting.client.call(SyncHolds {}).await.unwrap().holds;
            text = text.replace("{hold}", &holds[holds.len() - 1].id.to_string());
        }
        if text.contains("{job}") {
            let jobs = self.setting.client.call(JobList::default()).await.unwrap().jobs;
            text = text.replace("{job}", &jobs[0].id.to_string());
        }
        for (name, line, list) in [
            ("{alert}", "alert list --all --limit=1", "alerts"),
            ("{incident}", "incident list --limit=1", "incidents"),
            ("{drill}", "drill list --limit=1", "drills"),
        ] {
            if text.contains(name) {
                let newest = self.run(line, Some(main))["data"][list][0]["id"].take();
                text = text.replace(name, newest.as_str().unwrap());
            }
        }
        let path = |ending| self.file(asker, ending).display().to_string();
        text.replace("{list}", &path("csv")).replace("{file}", &path("json"))
    }
}

/// A text as the value of an option, as Discord's client sends it; a file with what is in it.
pub(super) fn option(name: &str, text: &str) -> Value {
    match (name, text) {
        (_, "true") => json!(true),
        ("file", path) => {
            json!({ "filename": "bans.csv", "content": std::fs::read_to_string(path).unwrap() })
        }
        ("limit" | "delete-days" | "days", number) => json!(number.parse::<u64>().unwrap()),
        (_, text) => json!(text),
    }
}
