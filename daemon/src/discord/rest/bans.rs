//! A guild's ban list.

use super::calls::read;
use super::{LIST_PAGE, Rest, RestError};
use crate::discord::budget::Priority;
use crate::discord::routes::Route;
use serde::Deserialize;
use serde_json::Value;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};

/// A ban as Discord lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedBan {
    /// Whom.
    pub user: UserId,
    /// Why.
    pub reason: Option<Untrusted>,
    /// What the user is called.
    pub name: Option<String>,
}

/// A page of a ban list. An entry that cannot be read (Discord may give one without its user) is skipped and counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanPage {
    /// The bans that can be read, as Discord orders them.
    pub bans: Vec<ListedBan>,
    /// How many entries before the last of them cannot be read.
    pub skipped: u64,
    /// How many entries behind the last of them cannot be read: a page that begins there may show them again.
    pub skipped_behind: u64,
}

impl BanPage {
    /// Reads a page. An entry is read by itself, so that one that is malformed costs no other.
    fn read(entries: Vec<Value>) -> Self {
        let mut page = Self::default();
        for entry in entries {
            let user = UserId::deserialize(&entry["user"]["id"]);
            let Ok(user) = user else {
                page.skipped_behind += 1;
                continue;
            };
            page.skipped += std::mem::take(&mut page.skipped_behind);
            let reason = entry["reason"].as_str().map(Untrusted::clipped);
            let name = entry["user"]["username"].as_str().map(ToOwned::to_owned);
            page.bans.push(ListedBan { user, reason, name });
        }
        page
    }

    /// Whether nothing of a whole page can be read, so that nobody can tell where the next begins.
    pub fn leads_nowhere(&self) -> bool {
        self.bans.is_empty() && self.skipped_behind >= LIST_PAGE as u64
    }
}

impl Rest {
    /// A page of a guild's ban list: those of the least ids behind `after`, in order, none behind the last. Of a long list
    /// Discord shows one page a minute, which the route waits for (FACTS C2).
    ///
    /// # Errors
    /// [`RestError`].
    pub async fn bans_after(&self, guild: GuildId, after: Option<UserId>) -> Result<BanPage, RestError> {
        let route = Route { template: "GET /guilds/{guild}/bans", major: guild.get() };
        let after = after.map_or(0, UserId::get);
        let path = format!("/guilds/{guild}/bans?limit={LIST_PAGE}&after={after}");
        Ok(BanPage::read(read(self.read(Priority::Backfill, route, &path).await?)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_entry_that_cannot_be_read_is_skipped_and_counted() {
        let good = |id: &str| json!({ "user": { "id": id }, "reason": null });
        let entries = vec![
            json!({ "user": null, "reason": "x" }),
            good("5"),
            json!(null),
            json!({ "reason": "x" }),
            json!({ "user": { "id": 7 }, "reason": "x" }),
            json!({ "user": { "id": "8" }, "reason": 5 }),
            json!({ "user": {} }),
        ];
        let page = BanPage::read(entries);
        let users: Vec<_> = page.bans.iter().map(|ban| ban.user.get()).collect();
        assert_eq!((users, page.skipped, page.skipped_behind), (vec![5, 8], 4, 1));
        assert!(!page.leads_nowhere());
        assert!(BanPage::read(vec![json!(null); LIST_PAGE]).leads_nowhere());
    }
}
