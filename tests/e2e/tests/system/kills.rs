//! kill -9 at random moments of a burst: nothing is lost, and nothing is sent that need not be.

use crate::setting::{Setting, options};
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;
use wayhaven_e2e::process::{PATIENCE, ask, settled, watching};
use wayhaven_sandbox::{Discord, Effect, Options};
use wayhaven_shared::operations::ban::Ban;
use wayhaven_shared::operations::punishment::PunishmentList;
use wayhaven_shared::operations::status::ConnectionState;
use wayhaven_shared::value::UserId;

const CHILDREN: usize = 100;
const BANS: usize = 20;
const KILLS: usize = 20;

/// Requests a second, so that a burst lasts for twenty kills.
const RATE: u32 = 400;

/// What may be on the way, or answered and not yet committed, at a kill, on average: requests of 50 ms.
const UNKNOWN_AT_A_KILL: usize = RATE as usize / 20;

/// Repeats a run: the seed of one that failed is printed.
pub(crate) const SEED: &str = "WAYHAVEN_TEST_SEED";

/// Enough randomness to choose moments with (xorshift64*).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }
}

pub(crate) fn seed() -> u64 {
    let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_micros()).unwrap_or(1).max(1)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_at_random_moments_of_a_burst_of_twenty_bans_lose_nothing_and_repeat_nothing_needlessly()
{
    let seed = seed();
    println!("{SEED}={seed}");
    let mut dice = Dice(seed);
    let options = Options { global_limit: 0, ..options(CHILDREN) };
    let mut setting = Setting::with(options, &[("DISCORD_REQUESTS_PER_SECOND", &RATE.to_string())]).await;
    // The last request of each life, by its place in the log.
    let mut lives = Vec::new();
    let mut made = 0;
    for kill in 0..KILLS {
        // The burst begins at once and goes on through half of the kills. What people do by hand they do while the
        // daemon is up, and each ban is stored before the kill: an answer to a command, or a punishment that is listed.
        while made < (6 + 2 * kill).min(BANS) {
            make(&setting, made).await;
            made += 1;
        }
        let more = usize::try_from(dice.below(110)).unwrap();
        let there = setting.sandbox.effect_count();
        // All of what is open may be fewer than that; then nothing moves, which is a moment too.
        let moment = setting
            .sandbox
            .wait_until(|sandbox| sandbox.effect_count() >= there + more, Duration::from_millis(700));
        let _ = moment.await;
        tokio::time::sleep(Duration::from_micros(dice.below(3_000))).await;
        setting.daemon.kill().unwrap();
        // What had left is answered, though nobody hears it.
        lives.push(quiet(&setting.sandbox).await);
        setting.daemon = setting.home.start().unwrap();
        setting.client = match dice.below(3) {
            // The next kill may come before Discord is ready.
            0 => setting.daemon.client().await.unwrap(),
            _ => setting.daemon.ready().await.unwrap(),
        };
    }
    setting.client = setting.daemon.ready().await.unwrap();
    check(&setting, &lives, seed).await;
}

/// Bans one more, by a command or by hand, and waits until it is stored.
async fn make(setting: &Setting, member: usize) {
    let user = setting.member(member);
    if member.is_multiple_of(2) {
        let ban = Ban::new(UserId::new(user).unwrap());
        ask(&setting.client, setting.main, ban).await.unwrap();
        return;
    }
    setting.daemon.until(&setting.client, ConnectionState::Ready).await.unwrap();
    setting.sandbox.people().ban(setting.main.get(), setting.sandbox.admin(), user, None).unwrap();
    watching(&setting.client, async |client| {
        let asked = PunishmentList { user: UserId::new(user), ..PunishmentList::default() };
        let found = ask(client, setting.main, asked).await?.punishments;
        Ok((!found.is_empty()).then_some(()))
    })
    .await
    .unwrap();
}

/// Waits until what the killed daemon had sent has arrived; how many requests there are by then.
pub(crate) async fn quiet(sandbox: &Discord) -> usize {
    loop {
        let there = sandbox.effect_count();
        let another =
            sandbox.wait_until(|sandbox| sandbox.effect_count() > there, Duration::from_millis(100));
        if another.await.is_err() {
            return there;
        }
    }
}

async fn check(setting: &Setting, lives: &[usize], seed: u64) {
    let sandbox = &setting.sandbox;
    let children = sandbox.children();
    let users: Vec<u64> = (0..BANS).map(|member| setting.member(member)).collect();
    let everywhere =
        |sandbox: &Discord| users.iter().all(|user| sandbox.banned_in(&children, *user) == CHILDREN);
    sandbox.wait_until(everywhere, PATIENCE).await.unwrap_or_else(|timeout| panic!("seed {seed}: {timeout}"));
    for user in &users {
        let asked = PunishmentList { user: UserId::new(*user), ..PunishmentList::default() };
        let found = ask(&setting.client, setting.main, asked).await.unwrap().punishments;
        assert_eq!(found.len(), 1, "seed {seed}: stored once");
        let detail = settled(&setting.client, found[0].id).await.unwrap();
        assert_eq!(detail.counts().applied, CHILDREN as u64, "seed {seed}: {}", detail.counts().words());
        assert!(sandbox.is_banned(setting.main.get(), *user));
    }
    for child in &children {
        let entries = sandbox.audit_log(*child);
        assert_eq!(entries.len(), BANS, "seed {seed}: each child's log has one entry for each user");
        let targets: HashSet<_> = entries.iter().map(|entry| entry["target_id"].to_string()).collect();
        assert_eq!(targets.len(), BANS, "seed {seed}");
    }
    let repeats = repeats(&sandbox.effects(), lives, seed);
    println!("{} requests, {repeats} of them repeats, {} kills", sandbox.effect_count(), lives.len());
    assert!(repeats <= lives.len() * UNKNOWN_AT_A_KILL, "seed {seed}: {repeats} repeats");
}

/// How many requests were sent again. Each of them has a reason: a kill lies between it and the one before.
fn repeats(effects: &[Effect], lives: &[usize], seed: u64) -> usize {
    let life = |position: usize| lives.iter().filter(|end| **end <= position).count();
    let mut asked: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (position, effect) in effects.iter().enumerate() {
        assert_eq!(effect.method, "PUT", "seed {seed}: {effect:?}");
        asked.entry((effect.guild, effect.user)).or_default().push(life(position));
    }
    for (what, lives) in &asked {
        assert!(
            lives.windows(2).all(|two| two[0] < two[1]),
            "seed {seed}: {what:?} twice in one life: {lives:?}"
        );
    }
    effects.len() - asked.len()
}
