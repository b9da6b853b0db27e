//! The lanes: one per guild, in order, one request of a guild at a time.
//!
//! Everything in here is also in the store: a lane holds what is open so that it need not be read again. One
//! task owns all lanes; attempts run beside it and report back. What is committed comes from the store's outbox, in
//! the order of the commits.

mod alarms;
mod causes;
mod outcomes;
mod refusals;

use super::attempt::{Fate, NON_MEMBER_WAIT, Next, Tools, Tried, attempt, attempt_together};
use super::batch::Batch;
use super::lane::{Lane, Pick, Refusal, Resumed, Turn};
use crate::store::{Queued, Released, Scope, Settlement};
use futures::FutureExt;
use outcomes::unanswered;
use refusals::{Left, reaches};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use wayhaven_shared::Fault;
use wayhaven_shared::operations::punishment::DeliveryState;
use wayhaven_shared::value::{DeliveryId, GuildId, PunishmentId, RoleId, UserId};

/// Requests on the way at once, over all guilds: each is a connection, and a process has 1,024 files.
const AT_ONCE: usize = 256;

/// How long the children of a punishment wait while nothing can be sent to their main.
const ORIGIN_PATIENCE: Duration = Duration::from_secs(2);

enum Message {
    Finished(Box<Finished>),
    Settled,
    Mended(GuildId, Option<oneshot::Sender<()>>),
    Changed(GuildId),
    Ranked(GuildId, UserId, Option<Vec<RoleId>>),
    LookAgain(GuildId),
    Lost(GuildId),
    Retry(HashMap<GuildId, HashSet<DeliveryId>>, Option<oneshot::Sender<()>>),
    Hurry(GuildId, HashSet<DeliveryId>),
    Landed(GuildId, oneshot::Sender<()>),
    Drain(oneshot::Sender<()>),
    Abandon(oneshot::Sender<()>),
}

struct Finished {
    guild: GuildId,
    tried: Vec<Tried>,
    next: Next,
}

/// What leaves by one request.
#[derive(Clone)]
enum Load {
    One(Queued),
    Together(Arc<Batch>),
}

impl Load {
    fn guild(&self) -> GuildId {
        match self {
            Self::One(delivery) => delivery.guild,
            Self::Together(batch) => batch.guild(),
        }
    }

    fn is_of_origin(&self) -> bool {
        match self {
            Self::One(delivery) => delivery.scope == Scope::Origin,
            Self::Together(batch) => batch.is_of_origin(),
        }
    }

    async fn attempt(self, tools: &Tools) -> (Vec<Tried>, Next) {
        match self {
            Self::One(delivery) => attempt(tools, delivery).await,
            Self::Together(batch) => attempt_together(tools, &batch).await,
        }
    }

    /// What is left of a try that panicked: all of it, as it was before.
    fn untried(self) -> Vec<Tried> {
        let deliveries = match self {
            Self::One(delivery) => vec![delivery],
            Self::Together(batch) => batch.seal(),
        };
        let untried = |delivery| Tried { delivery, settlement: None, fate: Fate::WithTheLane };
        deliveries.into_iter().map(untried).collect()
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    messages: mpsc::UnboundedSender<Message>,
}

struct Lanes {
    tools: Tools,
    messages: mpsc::UnboundedSender<Message>,
    lanes: HashMap<GuildId, Lane>,
    wakes: BinaryHeap<Reverse<(Instant, GuildId)>>,
    at_once: Arc<Semaphore>,
    /// What is on its way, at most one request of a guild.
    on_the_way: HashMap<GuildId, Load>,
    /// How many punishments wait until somebody was told of them, as of the last commit that was taken in.
    holding: u64,
    /// How many outcomes were handed to the store and are not committed: children may follow from a main's own.
    settling: usize,
    /// Punishments whose children were let go because nothing can be sent to the main for now.
    stalled: HashSet<PunishmentId>,
    /// Guilds that Discord stumbles over.
    broken: HashSet<GuildId>,
    halted: bool,
    /// Who waits for what is on its way to a guild.
    landing: HashMap<GuildId, Vec<oneshot::Sender<()>>>,
    drained: Vec<oneshot::Sender<()>>,
}

impl Engine {
    /// Starts the engine with what the store has open.
    ///
    /// # Errors
    /// Where the store cannot be read, or has an engine already.
    pub async fn start(tools: Tools) -> Result<Self, Fault> {
        let outbox = tools
            .services
            .store()
            .outbox()
            .ok_or_else(|| Fault::internal("the store has an engine already"))?;
        let open = tools.services.store().write(|change| {
            change.suspect_open_deliveries()?;
            let ranked = change.blocked_by_rank()?;
            let left = |delivery: Queued| {
                let left = delivery.not_before.map_or(0, |at| at.millis() - change.now().millis());
                // However the clock was set meanwhile, nothing waits longer than it would have.
                let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(NON_MEMBER_WAIT);
                (delivery, left)
            };
            let open = change.open_deliveries()?.into_iter().filter(|one| one.state != DeliveryState::Held);
            let open = open.map(left).collect();
            Ok(Left { open, ranked, refusals: change.refusals(None)?, now: change.now() })
        });
        let left = open.await?;
        let holding = tools.services.store().directs().borrow().holding;
        let (messages, inbox) = mpsc::unbounded_channel();
        let mut lanes = Lanes {
            messages: messages.clone(),
            lanes: HashMap::new(),
            wakes: BinaryHeap::new(),
            at_once: Arc::new(Semaphore::new(AT_ONCE)),
            on_the_way: HashMap::new(),
            holding,
            settling: 0,
            stalled: HashSet::new(),
            broken: HashSet::new(),
            halted: false,
            landing: HashMap::new(),
            drained: Vec::new(),
            tools,
        };
        lanes.take_over(left).await;
        tokio::spawn(lanes.run(inbox, outbox));
        Ok(Self { messages })
    }

    /// What the bot may do in the guild has changed: what is blocked there is tried again.
    pub fn mended(&self, guild: GuildId) {
        let _ = self.messages.send(Message::Mended(guild, None));
    }

    /// The same, and waits until the store was given what is tried again: whoever counts what moves
    /// after the next commit finds it.
    pub async fn mended_recorded(&self, guild: GuildId) {
        let (done, recorded) = oneshot::channel();
        if self.messages.send(Message::Mended(guild, Some(done))).is_ok() {
            let _ = recorded.await;
        }
    }

    /// Something of the guild has changed that may decide what the bot can do there: what waits for that is tried again.
    pub fn changed(&self, guild: GuildId) {
        let _ = self.messages.send(Message::Changed(guild));
    }

    /// The user has these roles in the guild now, or none where they are no member: what was blocked by their rank is tried
    /// again, where the bot may do it by now.
    pub fn ranked(&self, guild: GuildId, user: UserId, roles: Option<Vec<RoleId>>) {
        let _ = self.messages.send(Message::Ranked(guild, user, roles));
    }

    /// Asks once more about those who ranked above the bot in the guild: nothing tells of changes without the members intent,
    /// or between two sessions.
    pub fn look_again(&self, guild: GuildId) {
        let _ = self.messages.send(Message::LookAgain(guild));
    }

    /// The bot may do less in the guild, or is not there any more: what is blocked there says so from now on.
    pub fn lost(&self, guild: GuildId) {
        let _ = self.messages.send(Message::Lost(guild));
    }

    /// Tries these now, whatever they wait for.
    pub fn retry(&self, deliveries: impl IntoIterator<Item = (GuildId, DeliveryId)>) {
        let _ = self.messages.send(Message::Retry(by_guild(deliveries), None));
    }

    /// The same, and waits until the store was given that they are tried again: whoever counts what moves after the
    /// next commit finds them.
    pub async fn retry_recorded(&self, deliveries: impl IntoIterator<Item = (GuildId, DeliveryId)>) {
        let (done, recorded) = oneshot::channel();
        if self.messages.send(Message::Retry(by_guild(deliveries), Some(done))).is_ok() {
            let _ = recorded.await;
        }
    }

    /// Sends these before others of the guild: they concern somebody who is there now.
    pub fn hurry(&self, guild: GuildId, deliveries: impl IntoIterator<Item = DeliveryId>) {
        let _ = self.messages.send(Message::Hurry(guild, deliveries.into_iter().collect()));
    }

    /// Waits until what is on its way to the guild now has come back, and what became of it was handed to the store.
    pub async fn landed(&self, guild: GuildId) {
        let (done, landed) = oneshot::channel();
        if self.messages.send(Message::Landed(guild, done)).is_ok() {
            let _ = landed.await;
        }
    }

    /// Waits until nothing moves any more.
    pub async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.messages.send(Message::Drain(done)).is_ok() {
            let _ = drained.await;
        }
    }

    /// Sends nothing any more, and hands to the store that what is on its way had no answer: the next start asks what
    /// became of it.
    pub async fn abandon(&self) {
        let (done, abandoned) = oneshot::channel();
        if self.messages.send(Message::Abandon(done)).is_ok() {
            let _ = abandoned.await;
        }
    }
}

fn by_guild(
    deliveries: impl IntoIterator<Item = (GuildId, DeliveryId)>,
) -> HashMap<GuildId, HashSet<DeliveryId>> {
    let mut wanted: HashMap<GuildId, HashSet<DeliveryId>> = HashMap::new();
    for (guild, delivery) in deliveries {
        wanted.entry(guild).or_default().insert(delivery);
    }
    wanted
}

impl Lanes {
    async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Message>,
        mut outbox: mpsc::UnboundedReceiver<Released>,
    ) {
        let mut troubles = self.tools.services.rest().troubles();
        loop {
            let wake = self.wakes.peek().map(|Reverse((at, _))| *at);
            tokio::select! {
                // What is committed first: who waits for the lanes to be still waits for it too.
                biased;
                committed = outbox.recv() => match committed {
                    Some(Released { deliveries, holding }) => {
                        self.holding = holding;
                        self.enqueue(deliveries).await;
                    }
                    None => return,
                },
                message = inbox.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => return,
                },
                trouble = troubles.recv() => self.report(trouble).await,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {
                    if let Some(Reverse((_, guild))) = self.wakes.pop() {
                        self.advance(guild).await;
                    }
                }
            }
            if !self.drained.is_empty() && outbox.is_empty() && self.is_still() {
                for done in self.drained.drain(..) {
                    let _ = done.send(());
                }
            }
        }
    }

    async fn enqueue(&mut self, deliveries: Vec<Queued>) {
        let mut settled = Vec::new();
        for delivery in deliveries {
            settled.extend(self.take_in(delivery, None).await);
        }
        self.settle(settled, HashMap::new()).await;
    }

    async fn take_in(
        &mut self,
        delivery: Queued,
        deferred: Option<Instant>,
    ) -> Option<(DeliveryId, Settlement)> {
        let guild = delivery.guild;
        let settled = self.lanes.entry(guild).or_default().enqueue(delivery, deferred);
        self.advance(guild).await;
        settled
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Finished(finished) => self.finish(*finished).await,
            Message::Settled => self.settling -= 1,
            Message::Mended(guild, recorded) => {
                let directory = Arc::clone(self.tools.services.directory());
                if let Some(lane) = self.lanes.get_mut(&guild) {
                    let may = |measure| directory.may(guild, measure).unwrap_or(true);
                    let resumed = lane.mend(may, |_| true, |one| reaches(&directory, one));
                    self.resume(resumed).await;
                    self.reassess(guild).await;
                    self.advance(guild).await;
                }
                if let Some(recorded) = recorded {
                    let _ = recorded.send(());
                }
            }
            Message::Changed(guild) => {
                let directory = Arc::clone(self.tools.services.directory());
                let footing = directory.footing(guild);
                if let Some(lane) = self.lanes.get_mut(&guild) {
                    let may = |measure| directory.may(guild, measure).unwrap_or(true);
                    let answers = |refusal: &Refusal| footing.is_some() && refusal.footing != footing;
                    let resumed = lane.mend(may, answers, |one| reaches(&directory, one));
                    self.resume(resumed).await;
                    self.reassess(guild).await;
                    self.advance(guild).await;
                }
            }
            Message::Ranked(guild, user, roles) => {
                let directory = Arc::clone(self.tools.services.directory());
                self.go_on(guild, |lane| lane.ranked(user, roles.as_deref(), |one| reaches(&directory, one)))
                    .await;
            }
            Message::LookAgain(guild) => self.go_on(guild, Lane::look_again).await,
            Message::Lost(guild) => self.reassess(guild).await,
            Message::Retry(wanted, recorded) => {
                for (guild, deliveries) in wanted {
                    self.go_on(guild, |lane| lane.retry(&deliveries)).await;
                }
                if let Some(recorded) = recorded {
                    let _ = recorded.send(());
                }
            }
            Message::Hurry(guild, deliveries) => {
                if let Some(lane) = self.lanes.get_mut(&guild) {
                    lane.hurry(&deliveries);
                    self.advance(guild).await;
                }
            }
            Message::Landed(guild, done) => {
                if self.lanes.get(&guild).is_some_and(Lane::is_sending) {
                    self.landing.entry(guild).or_default().push(done);
                } else {
                    let _ = done.send(());
                }
            }
            Message::Drain(done) => self.drained.push(done),
            Message::Abandon(done) => {
                self.halted = true;
                // A bulk ban tells by itself who was banned before, so it needs no question.
                let alone = |load: &Load| match load {
                    Load::One(delivery) => Some((delivery.id, unanswered(delivery))),
                    Load::Together(_) => None,
                };
                let unanswered = self.on_the_way.values().filter_map(alone).collect();
                self.settle(unanswered, HashMap::new()).await;
                let _ = done.send(());
            }
        }
    }

    /// Goes on in a lane where something has changed, with what is tried again by that.
    async fn go_on(&mut self, guild: GuildId, change: impl FnOnce(&mut Lane) -> Vec<Resumed>) {
        let Some(lane) = self.lanes.get_mut(&guild) else { return };
        let resumed = change(lane);
        self.resume(resumed).await;
        self.advance(guild).await;
    }

    /// Sends what is next in the lane, if it may.
    async fn advance(&mut self, guild: GuildId) {
        if self.halted {
            return;
        }
        let Some(lane) = self.lanes.get_mut(&guild) else { return };
        let opens = |route| self.tools.services.rest().opens_at(route);
        let together = || {
            // Where roles are protected each user's have to be asked for.
            let asked = self.tools.services.store().topology().protection().has_roles(guild);
            !asked && self.tools.services.directory().may_bulk_ban(guild)
        };
        let pick = lane.pick(Instant::now(), opens, together);
        let resumed = lane.take_resumed();
        self.keep_refusals(guild).await;
        self.resume(resumed).await;
        let Some(lane) = self.lanes.get_mut(&guild) else { return };
        match pick {
            Pick::Send(delivery) => self.send(Load::One(*delivery)),
            Pick::Gather(batch) => self.send(Load::Together(batch)),
            Pick::Wait(at) => {
                let waits_long = at > Instant::now() + ORIGIN_PATIENCE;
                let unanswered = if waits_long { lane.unanswered_origins() } else { Vec::new() };
                self.wakes.push(Reverse((at, guild)));
                self.let_children_go(unanswered);
            }
            Pick::Nothing if lane.is_idle() => drop(self.lanes.remove(&guild)),
            Pick::Nothing if lane.is_away() => {
                let unanswered = lane.unanswered_origins();
                self.let_children_go(unanswered);
            }
            Pick::Nothing => {}
        }
    }

    /// Nothing can be sent to a main for a while: its children do not wait for that.
    fn let_children_go(&mut self, mut unanswered: Vec<PunishmentId>) {
        unanswered.retain(|one| self.stalled.insert(*one));
        if unanswered.is_empty() {
            return;
        }
        let work = move |change: &crate::store::Change<'_>| {
            unanswered.iter().try_for_each(|one| Ok(change.origin_stalls(*one)?))
        };
        self.settling += 1;
        let (store, messages) = (self.tools.services.store().clone(), self.messages.clone());
        tokio::spawn(async move {
            if let Err(fault) = store.write(work).await {
                tracing::error!("children wait for their main: {fault}");
            }
            let _ = messages.send(Message::Settled);
        });
    }

    fn send(&mut self, load: Load) {
        self.on_the_way.insert(load.guild(), load.clone());
        let (tools, messages) = (self.tools.clone(), self.messages.clone());
        let at_once = Arc::clone(&self.at_once);
        tokio::spawn(async move {
            // What a person waits for does not queue behind hundreds of children.
            let _turn = if load.is_of_origin() { None } else { at_once.acquire().await.ok() };
            let (guild, kept) = (load.guild(), load.clone());
            // A panic costs this one try and not the lane; its hook has logged where and why.
            let trying = AssertUnwindSafe(load.attempt(&tools)).catch_unwind().await;
            let (tried, next) = trying.unwrap_or_else(|_| {
                (kept.untried(), Next::Failed("a defect of Wayhaven, which the log tells of".into()))
            });
            let _ = messages.send(Message::Finished(Box::new(Finished { guild, tried, next })));
        });
    }

    async fn finish(&mut self, finished: Finished) {
        let Finished { guild, tried, next } = finished;
        self.on_the_way.remove(&guild);
        for one in &tried {
            self.stalled.remove(&one.delivery.punishment);
        }
        if next == Next::Forward {
            self.broken.remove(&guild);
        }
        let own = |one: &Tried| Some((one.delivery.id, one.settlement.clone()?));
        let own: Vec<_> = tried.iter().filter_map(own).collect();
        let is_own_undo = |one: &&Tried| one.delivery.scope == Scope::Origin && one.delivery.action.is_undo();
        let undos: HashMap<DeliveryId, PunishmentId> =
            tried.iter().filter(is_own_undo).map(|one| (one.delivery.id, one.delivery.punishment)).collect();
        let lane = self.lanes.entry(guild).or_default();
        let Turn { mut settlements, resumed, alarm, halt } = lane.returned(tried, next, Instant::now());
        self.halted |= halt;
        settlements.extend(own);
        self.settle(settlements, undos).await;
        self.resume(resumed).await;
        for landed in self.landing.remove(&guild).unwrap_or_default() {
            let _ = landed.send(());
        }
        if let Some(alarm) = alarm {
            self.alert(guild, alarm).await;
        }
        self.advance(guild).await;
    }

    /// Whether nothing moves, and nothing comes once a user was told or a main has answered: what waits for a person, or for hours, is not waited
    /// for.
    fn is_still(&self) -> bool {
        self.holding == 0
            && self.settling == 0
            && self.on_the_way.is_empty()
            && (self.halted || !self.lanes.values().any(Lane::is_moving))
    }
}
