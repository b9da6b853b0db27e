//! The points that the doctor looks at, one function each.

use super::{LEAST, MANAGE_GUILD, Need, Needed};
use crate::clock::Skew;
use crate::discord::directory::{ADMINISTRATOR, Directory, Presence};
use crate::discord::rest::NO_TWO_FACTOR;
use crate::store::GuildRefusal;
use wayhaven_shared::operations::config::GuildConfig;
use wayhaven_shared::operations::punishment::Action;
use wayhaven_shared::operations::setup::{Check, CheckResult};
use wayhaven_shared::operations::status::{MAX_CLOCK_OFFSET_MS, clock_words};
use wayhaven_shared::value::{GuildId, RoleId};

/// What is known of a guild before it is looked at.
pub struct Chart<'a> {
    /// What the gateway has told.
    pub directory: &'a Directory,
    /// Which guild.
    pub guild: GuildId,
    /// The bot's roles there, where a request has just told them.
    pub roles: Option<&'a [RoleId]>,
    /// What the guild has set.
    pub config: &'a GuildConfig,
    /// The measures that are delivered there, or decided there.
    pub uses: &'a [Action],
    /// Whether a main of it has set its own mute role, and so means to mute.
    pub mutes: bool,
    /// How many bans wait since the guild's daily budget of bans of non-members is spent.
    pub deferred: u64,
    /// How many deliveries are blocked, and why one of them is.
    pub blocked: Option<(u64, String)>,
    /// What Discord refuses there although the bot has the permission.
    pub refusals: &'a [GuildRefusal],
}

impl Chart<'_> {
    /// What the bot may do there; nothing where that is not known.
    pub fn permissions(&self) -> Option<u64> {
        let here = self.directory.presence(self.guild) == Some(Presence::Here);
        match self.directory.me().zip(self.roles).filter(|_| here) {
            Some((me, roles)) => self.directory.permissions(self.guild, me, roles),
            None => self.directory.my_permissions(self.guild),
        }
    }

    fn posts(&self) -> bool {
        self.config.notification_channel_id.is_some() || self.config.log_channel_id.is_some()
    }
}

/// Everything about one guild that can be told without a request, in the order in which one would mend it.
pub fn examine(chart: &Chart<'_>) -> Vec<Check> {
    let mut found = vec![presence(chart)];
    // Where the bot is not, there is nothing else to look at.
    if found[0].result == CheckResult::Fail {
        return found;
    }
    found.extend(standing(chart));
    if chart.uses.contains(&Action::Mute) {
        found.push(mute_role(chart));
    }
    found.extend(waits(chart));
    found
}

/// What waits there, and what Discord refuses.
pub fn waits(chart: &Chart<'_>) -> Vec<Check> {
    refused(chart).into_iter().chain(budget(chart)).chain(blocked(chart)).collect()
}

/// What Discord refuses although the bot has the permission: one line for each cause.
fn refused(chart: &Chart<'_>) -> Vec<Check> {
    let mut causes: Vec<(&GuildRefusal, Vec<&str>)> = Vec::new();
    for refusal in chart.refusals.iter().filter(|refusal| refusal.bars) {
        match causes.iter_mut().find(|(known, _)| known.reason == refusal.reason) {
            Some((_, actions)) => actions.push(refusal.action.word()),
            None => causes.push((refusal, vec![refusal.action.word()])),
        }
    }
    let check = |(refusal, actions): (&GuildRefusal, Vec<&str>)| {
        let detail = format!(
            "Discord refuses {} since {}: {}. One delivery is retried at {} (UTC), or when the guild changes",
            actions.join(", "),
            refusal.since.short(),
            refusal.reason,
            refusal.probe_at.short()
        );
        let mend = match refusal.reason == NO_TWO_FACTOR {
            true => "switch on two-factor authentication for the account that owns the bot".to_owned(),
            false => format!("wayhaven sync retry --child {} retries it at once", chart.guild),
        };
        Check::new("requests", CheckResult::Fail, detail).mended_by(mend)
    };
    causes.into_iter().map(check).collect()
}

/// What the bot may do there, and whom it outranks.
pub fn standing(chart: &Chart<'_>) -> Vec<Check> {
    let mut found: Vec<_> = LEAST.iter().map(|needed| permission(chart, needed)).collect();
    found.extend(beyond(chart));
    found.push(height(chart));
    found
}

/// Whether the bot is there.
pub fn presence(chart: &Chart<'_>) -> Check {
    let check = |result, detail| Check::new("bot in the guild", result, detail);
    match chart.directory.presence(chart.guild) {
        Some(Presence::Here) => check(CheckResult::Ok, "the bot is in the guild"),
        Some(Presence::Outage) => check(CheckResult::Warn, "Discord has an outage for the guild"),
        Some(Presence::Absent) => check(CheckResult::Fail, "the bot is not in the guild")
            .mended_by_invite("invite it by the link, and check the number"),
        None => check(CheckResult::Warn, "not known: Discord has not told of this guild")
            .mended_by_invite("invite the bot by the link, and check the number"),
    }
}

/// One permission: it fails what an allowed action needs, and is no matter where nothing needs it.
fn permission(chart: &Chart<'_>, needed: &Needed) -> Check {
    let check = |result, detail: &str| Check::new(needed.name, result, detail);
    let Some(bits) = chart.permissions() else {
        return check(CheckResult::Warn, "not known: Discord has not told of the guild's roles");
    };
    if bits & needed.bit != 0 {
        return check(CheckResult::Ok, "the bot has it");
    }
    let (result, needless) = match needed.need {
        Need::Measure(measure) if chart.uses.contains(&measure) => (CheckResult::Fail, None),
        Need::Measure(_) => (CheckResult::Ok, Some("not there, and not needed: no link allows it")),
        Need::Log => (CheckResult::Warn, None),
        Need::Posting if chart.posts() => (CheckResult::Warn, None),
        Need::Posting => (CheckResult::Ok, Some("not there, and not needed: the guild has set no channel")),
    };
    match needless {
        Some(why) => check(result, why),
        None => check(result, &format!("missing: {}", needed.without))
            .mended_by_invite(format!("give the bot's role {}, or use the invite", needed.name)),
    }
}

/// What the bot has, or may have, beyond the least.
fn beyond(chart: &Chart<'_>) -> Vec<Check> {
    let Some(bits) = chart.permissions() else { return Vec::new() };
    let ok = |name, detail| Check::new(name, CheckResult::Ok, detail);
    let mut found = vec![match bits & MANAGE_GUILD {
        0 => {
            ok("Manage Server", "not there, and not needed: bans go one by one instead of up to 200 at once")
        }
        _ => ok("Manage Server", "the bot has it: up to 200 bans go at once"),
    }];
    if bits & ADMINISTRATOR != 0 {
        found.push(ok("Administrator", "the bot has it and needs it for nothing: the invite asks for less"));
    }
    found
}

/// Whom the bot outranks. Roles with a moderator's permissions above it are usual; others belong to those whom a punishment
/// is meant for.
fn height(chart: &Chart<'_>) -> Check {
    let check = |result, detail: String| Check::new("role height", result, detail);
    let Some(height) = chart.directory.my_height(chart.guild, chart.roles) else {
        return check(CheckResult::Warn, "not known: Discord has not told of the guild's roles".into());
    };
    let place = format!("the bot's highest role stands at {} of {}", height.position, height.highest);
    let mend = "Server Settings, Roles: drag the bot's role above them";
    match (height.position, height.ordinary, height.above) {
        (0, ..) => {
            check(CheckResult::Fail, "the bot has no role of its own, and outranks no member with one".into())
                .mended_by("give it a role, and drag that up in Server Settings, Roles")
        }
        (_, 0, 0) => check(CheckResult::Ok, format!("{place}, and no role above it")),
        (_, 0, staff) => check(CheckResult::Ok, format!("{place}, and only roles of staff above it: {staff}")),
        (_, ordinary, above) => check(
            CheckResult::Warn,
            format!(
                "{place}, and {above} above it, {ordinary} of them not of staff: nobody who has one of those can be punished"
            ),
        )
        .mended_by(mend),
    }
}

/// Whether people can be muted there: the check is that of every mute.
pub fn mute_role(chart: &Chart<'_>) -> Check {
    let check = |result, detail: &str| Check::new("mute role", result, detail);
    let Some(role) = chart.config.mute_role_id else {
        if !chart.mutes {
            return check(CheckResult::Ok, "not set, and not needed: no main of it has one either");
        }
        return check(CheckResult::Warn, "not set: mutes wait until it is")
            .mended_by("config muterole ROLE, in that guild");
    };
    match chart.directory.judge_mute_role(chart.guild, role) {
        Some(Ok(())) => check(CheckResult::Ok, "set, and below the bot's role"),
        Some(Err(unfit)) => {
            let reason = unfit.reason(role);
            check(CheckResult::Fail, &format!("{reason}: no mute is delivered"))
                .mended_by(unfit.repair(chart.guild))
        }
        None => check(CheckResult::Warn, "not known: Discord has not told of the guild's roles"),
    }
}

fn budget(chart: &Chart<'_>) -> Option<Check> {
    let check = |detail: String| Check::new("ban budget", CheckResult::Warn, detail);
    (chart.deferred > 0).then(|| {
        check(format!(
            "the guild's daily budget of bans of non-members is spent: {} bans wait, and one of them is tried each hour",
            chart.deferred
        ))
        .mended_by("nothing to do: Discord lets more through each day, and who joins is a member")
    })
}

fn blocked(chart: &Chart<'_>) -> Option<Check> {
    let (count, why) = chart.blocked.as_ref()?;
    let check = Check::new("deliveries", CheckResult::Warn, format!("{count} blocked: {why}"));
    Some(check.mended_by(
        "they go on by themselves when that is mended; sync deliveries --state blocked lists them",
    ))
}

/// Whether this machine's clock agrees with Discord's: in no guild in particular.
pub fn clock(skew: Skew) -> Check {
    let words = clock_words(skew.millis());
    if skew.millis().abs() <= MAX_CLOCK_OFFSET_MS {
        return Check::new("clock", CheckResult::Ok, words);
    }
    let detail = format!("{words}: the ends of timeouts are corrected by that");
    Check::new("clock", CheckResult::Warn, detail).mended_by("timedatectl set-ntp true")
}

/// Whether the application is told who joins and leaves and who has which role: in no guild in particular.
pub fn members_intent(granted: Result<bool, String>) -> Check {
    let check = |result, detail: String| Check::new("members intent", result, detail);
    match granted {
        Err(why) => check(CheckResult::Warn, format!("not known: {why}")),
        Ok(true) => check(CheckResult::Ok, "granted".into()),
        Ok(false) => check(
            CheckResult::Warn,
            "not granted: who joins is not seen, and whoever was muted and joins again stays unmuted".into(),
        )
        .mended_by("switch on Server Members Intent on the application's page Bot, and restart the daemon"),
    }
}
