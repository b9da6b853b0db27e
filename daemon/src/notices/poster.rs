//! Posts what waits: one message in each channel at a time, oldest first.
//!
//! A channel that Discord refuses is shut: what is for it is forgotten, until the guild sets something or the bot's
//! permissions there become others. What fails for a passing reason is tried a few times, then forgotten.

use crate::backoff::backoff;
use crate::discord::budget::Priority;
use crate::discord::rest::RestError;
use crate::network::GuildChannel;
use crate::services::Services;
use crate::store::{BY_ITSELF, Notice, Place, Severity};
use futures::StreamExt;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::value::{ChannelId, GuildId, Timestamp, Untrusted};

/// How many messages are on their way at once.
const AT_ONCE: usize = 8;

/// How often a message is tried before it is forgotten.
const TRIES: u32 = 5;

/// How long one try may take, waiting for its turn included: one channel must not hold up the others.
const WITHIN: Duration = Duration::from_secs(30);

/// What a channel was refused under; where it is another one now, it may be tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Standing {
    configured: Option<Timestamp>,
    permissions: Option<u64>,
    /// How often a channel of the guild was changed.
    channel_changes: u64,
}

impl Standing {
    /// Whether it is worth another try. What is not known at the moment says nothing.
    fn differs_from(self, refused: Self) -> bool {
        self.configured != refused.configured
            || self.channel_changes != refused.channel_changes
            || (self.permissions.is_some() && self.permissions != refused.permissions)
    }
}

/// What is known of a channel in a guild's settings.
#[derive(Debug, Default)]
struct Door {
    /// Leave to post there: a channel stays in its guild for good, so it is asked for once.
    leave: Option<GuildChannel>,
    shut: Option<Standing>,
    failures: u32,
    not_before: Option<Instant>,
}

/// What became of one try.
enum Tried {
    Posted,
    /// Nothing can be posted there; why, for an operator.
    Refused(String),
    /// It may be different in a moment.
    Passing(RestError),
    /// This message is refused, and another may not be.
    Malformed(RestError),
    /// Nothing at all leaves any more.
    Stopped,
}

/// What is forgotten, and what is told of it.
#[derive(Default)]
struct Ending {
    one: Vec<i64>,
    all: Vec<(GuildId, Place)>,
    /// Guilds in which something was posted, and no channel is refused.
    answered: HashSet<GuildId>,
    alerts: Vec<(GuildId, String)>,
}

/// Posts messages, and knows the channels.
#[derive(Default)]
pub(super) struct Poster {
    doors: HashMap<(GuildId, ChannelId), Door>,
    /// Ended, and perhaps still in the store: where that takes no changes they are not posted again and again.
    ended: HashSet<i64>,
}

impl Poster {
    /// Posts the oldest message of each channel; whether others wait.
    pub(super) async fn post(&mut self, services: &Services) -> Result<bool, Fault> {
        let oldest = services.store().read(|view| {
            let oldest = view.oldest_notices()?.into_iter();
            let with = oldest.map(|notice| {
                let guild = notice.new.guild;
                Ok::<_, Fault>((notice, view.config(guild)?, view.configured_at(guild)?))
            });
            with.collect::<Result<Vec<_>, Fault>>()
        });
        let oldest = oldest.await?;
        if oldest.is_empty() {
            return Ok(false);
        }
        let mut ending = Ending::default();
        let mut jobs = Vec::new();
        let mut taken = HashSet::new();
        for (notice, config, configured) in oldest {
            if let Some(channel) = self.door_for(services, &notice, &config, configured, &mut ending)
                && taken.insert(channel)
            {
                let leave = self.doors.get(&(notice.new.guild, channel)).and_then(|door| door.leave);
                jobs.push((notice, channel, leave, configured));
            }
        }
        let tries = jobs.into_iter().map(|(notice, channel, leave, configured)| async move {
            let tried = attempt(services, &notice, channel, leave);
            let late = RestError::Lost(format!("it took longer than {} s", WITHIN.as_secs()));
            let tried = timeout(WITHIN, tried).await.unwrap_or((leave, Tried::Passing(late)));
            (notice, channel, configured, tried)
        });
        let tried: Vec<_> = futures::stream::iter(tries).buffer_unordered(AT_ONCE).collect().await;
        for (notice, channel, configured, (leave, tried)) in tried {
            self.settle(services, &notice, channel, leave, configured, tried, &mut ending);
        }
        self.end(services, ending).await?;
        Ok(true)
    }

    /// The channel that a message is to be posted in now; where it is not to be posted at all it ends.
    fn door_for(
        &mut self,
        services: &Services,
        notice: &Notice,
        config: &GuildConfig,
        configured: Option<Timestamp>,
        ending: &mut Ending,
    ) -> Option<ChannelId> {
        let (guild, place) = (notice.new.guild, notice.new.place);
        if self.ended.contains(&notice.id) {
            ending.one.push(notice.id);
            return None;
        }
        let Some(channel) = place.channel(config) else {
            // It was turned off meanwhile.
            ending.all.push((guild, place));
            return None;
        };
        let door = self.doors.entry((guild, channel)).or_default();
        let standing = standing(services, guild, configured);
        if door.shut.is_some_and(|shut| !standing.differs_from(shut)) {
            ending.all.push((guild, place));
            return None;
        }
        door.shut = None;
        door.not_before.is_none_or(|at| at <= Instant::now()).then_some(channel)
    }

    #[allow(clippy::too_many_arguments)]
    fn settle(
        &mut self,
        services: &Services,
        notice: &Notice,
        channel: ChannelId,
        leave: Option<GuildChannel>,
        configured: Option<Timestamp>,
        tried: Tried,
        ending: &mut Ending,
    ) {
        let guild = notice.new.guild;
        let door = self.doors.entry((guild, channel)).or_default();
        door.leave = leave;
        door.not_before = None;
        let failures = std::mem::take(&mut door.failures) + 1;
        match tried {
            Tried::Posted => {
                ending.one.push(notice.id);
                if !self.doors.iter().any(|((of, _), door)| *of == guild && door.shut.is_some()) {
                    ending.answered.insert(guild);
                }
            }
            Tried::Refused(why) => {
                door.shut = Some(standing(services, guild, configured));
                ending.all.push((guild, notice.new.place));
                ending.alerts.push((
                    guild,
                    format!(
                        "nothing can be posted in channel {channel} ({why}): set it again once that is mended"
                    ),
                ));
            }
            Tried::Passing(error) if failures < TRIES => {
                tracing::debug!(%guild, %channel, "a notice is tried again: {error}");
                door.failures = failures;
                door.not_before = Some(Instant::now() + backoff(failures));
            }
            Tried::Passing(error) | Tried::Malformed(error) => {
                tracing::warn!(%guild, %channel, "a notice is not posted: {error}");
                ending.one.push(notice.id);
            }
            Tried::Stopped => {}
        }
    }

    async fn end(&mut self, services: &Services, ending: Ending) -> Result<(), Fault> {
        let Ending { one, all, answered, alerts } = ending;
        if one.is_empty() && all.is_empty() && alerts.is_empty() {
            return Ok(());
        }
        self.ended.extend(&one);
        let work = move |change: &crate::store::Change<'_>| {
            change.drop_notices(&one)?;
            for (guild, place) in all {
                change.drop_notices_of(guild, place)?;
            }
            let note = Untrusted::clipped("a notice was posted there again");
            for guild in answered {
                change.resolve_alerts("notices_refused", guild, BY_ITSELF, &note)?;
            }
            for (guild, details) in alerts {
                change.alert("notices_refused", Severity::Low, Some(guild), None, &details)?;
            }
            Ok(())
        };
        services.store().write(work).await?;
        self.ended.clear();
        Ok(())
    }
}

fn standing(services: &Services, guild: GuildId, configured: Option<Timestamp>) -> Standing {
    let directory = services.directory();
    let (permissions, channel_changes) = (directory.my_permissions(guild), directory.channel_changes(guild));
    Standing { configured, permissions, channel_changes }
}

/// One try: is it the guild's own channel, and then the message.
async fn attempt(
    services: &Services,
    notice: &Notice,
    channel: ChannelId,
    leave: Option<GuildChannel>,
) -> (Option<GuildChannel>, Tried) {
    let leave = match leave {
        Some(leave) => leave,
        None => match services.rest().channel(Priority::Upkeep, channel).await {
            Ok(None) => return (None, Tried::Refused("the bot does not see it".into())),
            // Whose it is says nothing to this guild.
            Ok(Some(view)) => match GuildChannel::of(notice.new.guild, channel, view.guild_id) {
                Some(leave) => leave,
                None => return (None, Tried::Refused("it is not this guild's".into())),
            },
            Err(error) => return (None, judge(error)),
        },
    };
    let mut message = notice.new.body.clone();
    // Should it be sent twice, Discord knows it by this for a few minutes (FACTS A6: at most 25 characters).
    let epoch: String = services.store().epoch().chars().take(8).collect();
    message["nonce"] = format!("{epoch}{}", notice.id).into();
    message["enforce_nonce"] = true.into();
    let tried = services.rest().post(leave, message).await.map_or_else(judge, |()| Tried::Posted);
    (Some(leave), tried)
}

fn judge(error: RestError) -> Tried {
    match error {
        RestError::Unauthorised | RestError::Stopped => Tried::Stopped,
        RestError::Refused { status: 403 | 404, .. } => Tried::Refused(error.to_string()),
        error if error.is_passing() => Tried::Passing(error),
        error => Tried::Malformed(error),
    }
}
