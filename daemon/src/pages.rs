//! Pages of a guild's lists, from Discord, however long they take.

use crate::backoff::backoff;
use crate::discord::directory::Presence;
use crate::discord::rest::{BanPage, ListedBan, ListedMember, Outcome, RestError, TOO_MANY_BAN_LISTS};
use crate::jobs::{Running, Stop};
use crate::store::{AlertFilter, BY_ITSELF, Change, Severity, Store};
use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::value::{GuildId, Untrusted, UserId};
use wayhaven_shared::{Fault, FaultKind};

/// The kind of alert about entries of a ban list that name no user.
const UNREADABLE: &str = "ban_list_unreadable";

/// Entries of a ban list that cannot be read: they are skipped, and counted once however the pages overlap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unreadable {
    counted: u64,
    /// Those at the end of the last page, which the next page may begin with.
    pending: u64,
}

impl Unreadable {
    /// Counts those of the next page.
    pub(crate) fn see(&mut self, page: &BanPage) {
        if page.bans.is_empty() {
            self.pending = self.pending.max(page.skipped_behind);
        } else {
            self.counted += self.pending.max(page.skipped);
            self.pending = page.skipped_behind;
        }
    }

    /// How many there were so far.
    pub(crate) fn total(self) -> u64 {
        self.counted + self.pending
    }

    /// Raises one alert for all of them, where there were some.
    pub(crate) async fn alert(self, running: &Running, guild: GuildId) {
        Self::alert_of(self.total(), running, guild).await;
    }

    async fn alert_of(count: u64, running: &Running, guild: GuildId) {
        if count == 0 {
            return;
        }
        let entries = if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
        let details =
            format!("Discord's ban list of guild {guild} has {entries} without a readable user: skipped");
        tracing::warn!(%guild, "{details}");
        let alert = move |change: &Change<'_>| {
            Ok(change.alert(UNREADABLE, Severity::Low, Some(guild), None, &details)?)
        };
        running.services.store().write_later("an alert", alert).await;
    }

    /// The same after the whole list was read, which also shows where an earlier alert is over.
    /// `before` counts those that were seen before a restart.
    pub(crate) async fn conclude(self, running: &Running, guild: GuildId, before: u64) {
        match before + self.total() {
            0 => resolve(running.services.store(), guild).await,
            all => Self::alert_of(all, running, guild).await,
        }
    }
}

/// Resolves the alert about a list whose every entry could be read by now.
async fn resolve(store: &Store, guild: GuildId) {
    let filter =
        AlertFilter { guild: Some(guild), kind: Some(UNREADABLE.to_owned()), ..AlertFilter::default() };
    // Nearly always there is none, and nothing has to be written.
    let open = store.read(move |view| Ok(view.alerts(&filter, 1)?)).await;
    if open.is_ok_and(|open| open.is_empty()) {
        return;
    }
    let note = Untrusted::clipped("the whole ban list was read, and every entry names its user");
    let resolve = move |change: &Change<'_>| Ok(change.resolve_alerts(UNREADABLE, guild, BY_ITSELF, &note)?);
    store.write_later("an alert that is over", resolve).await;
}

/// How long a ban list is left alone after Discord has said that it was read too often: it counts for hours (FACTS A9).
const LIST_WAIT: Duration = Duration::from_secs(3_600);

/// How long at most before it is looked again at what is waited for.
const LOOK: Duration = Duration::from_secs(60);

/// How often in a row Discord may fail before the job gives up: with the waits between them about an hour.
const TRIES: u32 = 20;

/// For whom pages are read: it decides what is waited for, and when the reading is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody waits for a list, of whatever guild.
    List,
    /// Somebody waits for a child's comparison: it is over where the guild is no child any more.
    Comparison,
    /// A comparison for which nobody waits: it also waits for what the bot lacks in the guild.
    Background,
}

impl Reader {
    /// Whether what the bot lacks in the guild is waited for.
    fn waits(self) -> bool {
        self == Self::Background
    }
}

/// A page of members; nothing where Discord does not let us see them.
///
/// # Errors
/// [`Stop`].
pub(super) async fn members(
    running: &mut Running,
    guild: GuildId,
    after: Option<UserId>,
    reader: Reader,
) -> Result<Option<Vec<ListedMember>>, Stop> {
    let rest = running.services.rest().clone();
    reach(running, guild, reader).await?;
    match patiently(running, "its members", || rest.members_after(guild, after)).await {
        Ok(mut page) => {
            // Discord's order is not ours to rely on, and a page that does not go on would be asked for without an end.
            page.retain(|member| Some(member.user) > after);
            page.sort_by_key(|member| member.user);
            page.dedup_by_key(|member| member.user);
            Ok(Some(page))
        }
        Err(Ended::Refused(_)) => Ok(None),
        Err(Ended::Stop(stop)) => Err(stop),
    }
}

/// A page of bans, in the order of their users, each once; an empty one is the end. A reader in the
/// background waits for what the bot lacks for it.
///
/// # Errors
/// [`Stop`].
pub(crate) async fn bans(
    running: &mut Running,
    guild: GuildId,
    after: Option<UserId>,
    reader: Reader,
    unreadable: &mut Unreadable,
) -> Result<Vec<ListedBan>, Stop> {
    let (rest, waits) = (running.services.rest().clone(), reader.waits());
    loop {
        reach(running, guild, reader).await?;
        // A refusal that is foreseen is not asked for: Discord counts them (FACTS C1).
        if running.services.directory().may(guild, Action::Ban) != Some(false) || !waits {
            match patiently(running, "its ban list", || rest.bans_after(guild, after)).await {
                Ok(page) if page.leads_nowhere() => {
                    let words = format!("no entry of a page of guild {guild}'s ban list names its user");
                    let hint = format!("wayhaven setup doctor {guild}");
                    return Err(Stop::Failed(Fault::new(FaultKind::Unavailable, words).hint(hint)));
                }
                Ok(page) => {
                    unreadable.see(&page);
                    let mut page = page.bans;
                    let names = running.services.directory().accounts().names();
                    for ban in &mut page {
                        ban.name.take().iter().for_each(|name| names.learn_of_list(ban.user, name));
                    }
                    page.retain(|ban| Some(ban.user) > after);
                    page.sort_by_key(|ban| ban.user);
                    page.dedup_by_key(|ban| ban.user);
                    running.go_on().await;
                    return Ok(page);
                }
                Err(Ended::Refused(error)) if !waits => {
                    let reason = error.reason();
                    let words = format!("Discord does not give the ban list of guild {guild}: {reason}");
                    let hint = format!("setup doctor {guild} tells what the bot lacks there");
                    return Err(Stop::Failed(Fault::new(FaultKind::Unavailable, words).hint(hint)));
                }
                Err(Ended::Refused(_)) => {}
                Err(Ended::Stop(stop)) => return Err(stop),
            }
        }
        mended(running, guild).await?;
    }
}

/// Waits until the bot may do something else in the guild than now, or it is worth another try even so.
async fn mended(running: &mut Running, guild: GuildId) -> Result<(), Stop> {
    let mut news = News::of(running);
    let before = running.services.directory().my_permissions(guild);
    let note = format!("Discord does not give its ban list: setup doctor {guild} tells what the bot lacks");
    running.wait_for(note).await;
    let since = Instant::now();
    while running.services.directory().my_permissions(guild) == before && since.elapsed() < LIST_WAIT {
        refuse_former(running, guild)?;
        news.wait(running, LOOK).await?;
    }
    Ok(())
}

/// What waits may wait in vain: its link is closed meanwhile.
fn refuse_former(running: &Running, guild: GuildId) -> Result<(), Stop> {
    match running.services.store().topology().is_child(guild) {
        true => Ok(()),
        false => Err(Stop::Over("the guild is no child any more".to_owned())),
    }
}

/// What may change what is waited for: what the bot may do somewhere, and the network.
struct News {
    touched: watch::Receiver<HashSet<GuildId>>,
    sequence: watch::Receiver<u64>,
}

impl News {
    /// From now on.
    fn of(running: &Running) -> Self {
        let (directory, store) = (running.services.directory(), running.services.store());
        Self { touched: directory.touched(), sequence: store.sequence() }
    }

    /// Waits for some, or so long.
    async fn wait(&mut self, running: &Running, at_most: Duration) -> Result<(), Stop> {
        let change = async {
            tokio::select! {
                _ = self.touched.changed() => {}
                _ = self.sequence.changed() => {}
                () = tokio::time::sleep(at_most) => {}
            }
        };
        running.unless_cancelled(change).await
    }
}

/// Waits for the end of an outage of the guild, and a reader in the background also until the bot is in it.
///
/// # Errors
/// [`Stop`].
pub(crate) async fn reach(running: &mut Running, guild: GuildId, reader: Reader) -> Result<(), Stop> {
    let (mut news, mut told) = (News::of(running), false);
    loop {
        let why = match running.services.directory().presence(guild) {
            Some(Presence::Here) => {
                if told {
                    running.go_on().await;
                }
                return Ok(());
            }
            Some(Presence::Absent) if !reader.waits() => {
                let fault = Fault::new(FaultKind::Unavailable, format!("the bot is not in guild {guild}"));
                return Err(Stop::Failed(fault.hint(format!("setup doctor {guild} gives the invite link"))));
            }
            Some(Presence::Absent) => "the bot is not in the guild",
            Some(Presence::Outage) => "Discord has an outage for the guild",
            None => "Discord has not told of the guild yet",
        };
        if reader != Reader::List {
            refuse_former(running, guild)?;
        }
        running.wait_for(why.to_owned()).await;
        told = true;
        news.wait(running, LOOK).await?;
    }
}

enum Ended {
    Refused(RestError),
    Stop(Stop),
}

/// Asks until Discord answers; what it refuses is given back.
async fn patiently<T, F: Future<Output = Result<T, RestError>>>(
    running: &mut Running,
    what: &str,
    ask: impl Fn() -> F,
) -> Result<T, Ended> {
    let mut failures = 0;
    loop {
        let error = match running.unless_cancelled(ask()).await.map_err(Ended::Stop)? {
            Ok(page) => return Ok(page),
            Err(error) => error,
        };
        let wait = if error.code() == Some(TOO_MANY_BAN_LISTS) {
            running.wait_for(format!("Discord gives {what} again in an hour")).await;
            LIST_WAIT
        } else if matches!(error.outcome(), Outcome::Retry | Outcome::Unknown) && failures < TRIES {
            failures += 1;
            if failures > 3 {
                running.wait_for(format!("Discord does not give {what}: {}", error.reason())).await;
            }
            backoff(failures)
        } else {
            return Err(Ended::Refused(error));
        };
        running.unless_cancelled(tokio::time::sleep(wait)).await.map_err(Ended::Stop)?;
    }
}
