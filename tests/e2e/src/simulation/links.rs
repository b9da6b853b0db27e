//! What changes where decisions go, and what keeps them from getting there.

use super::mishaps::{Break, Mishap, Trouble};
use super::model::{Guild, Model, UNLINKED, User};
use super::steps::Ending;
use super::{Failure, Simulation, unix_ms};
use std::time::Duration;
use wayhaven_sandbox::fault::Scope;
use wayhaven_sandbox::{At, EventFate, Fault, Trouble as GatewayTrouble, permissions};
use wayhaven_shared::operations::Request;
use wayhaven_shared::operations::reconcile::SyncReconcile;
use wayhaven_shared::operations::setup::{Mode, SetupAddChild, SetupLeave, SetupMode, SetupRemoveChild};
use wayhaven_shared::operations::sync::{SyncFreeze, SyncResume};

impl Simulation {
    /// Changes gates by an operation. What hangs on whether it was on its way by then is lost; mostly everything has come to
    /// rest before.
    async fn gates(
        &mut self,
        concerned: &[Guild],
        (guild, request): (Guild, Request),
        change: impl FnOnce(&mut Model),
    ) -> Result<(), Failure> {
        let racing: Vec<User> = self.touched_by(concerned);
        if !racing.is_empty() && !self.dice.once_in(6) {
            self.settle().await?;
        } else {
            racing.iter().for_each(|user| self.lose(*user));
        }
        let mut after = self.model.clone();
        change(&mut after);
        self.look()?;
        self.judge.gates_change(&after);
        self.network.ask(guild, request).await?;
        self.look()?;
        self.judge.gates_changed(&after, self.network.deaths);
        self.model = after;
        Ok(())
    }

    /// Waits until no link is closing any more.
    async fn until_closed(&mut self) -> Result<(), Failure> {
        if self.network.open()?.closing > 0 { self.settle().await } else { Ok(()) }
    }

    fn touched_by(&self, guilds: &[Guild]) -> Vec<User> {
        let racing = self.touched.iter().filter(|(_, (source, _))| guilds.contains(source));
        racing.map(|(user, _)| *user).collect()
    }

    pub(super) async fn freeze(&mut self, main: Guild) -> Result<(), Failure> {
        // It would hold what is being taken back until its end.
        self.until_closed().await?;
        let asked = (main, SyncFreeze::default().into());
        self.gates(&[main], asked, |model| model.frozen.extend([main])).await
    }

    pub(super) async fn resume(&mut self, main: Guild) -> Result<(), Failure> {
        let asked = (main, SyncResume {}.into());
        let mut freed = Vec::new();
        self.gates(&[main], asked, |model| freed = model.resume(main)).await?;
        // Nobody else can know whether it has arrived.
        self.touched.extend(freed.iter().map(|user| (*user, (main, true))));
        Ok(())
    }

    pub(super) async fn link(
        &mut self,
        main: Guild,
        child: Guild,
        monitor: bool,
        backfill: bool,
    ) -> Result<(), Failure> {
        // A link that is closing is made anew only when it is closed.
        self.until_closed().await?;
        let no_backfill = !backfill;
        let id = self.network.guild(child)?;
        let mode = if monitor { Mode::Monitor } else { Mode::Active };
        let request = match self.model.links.contains_key(&(main, child)) {
            true => SetupMode { child: id, mode, no_backfill }.into(),
            false if self.crippled.contains(&child) => return Ok(()),
            false => SetupAddChild { child: id, mode: Some(mode), actions: None, no_backfill }.into(),
        };
        if backfill && !monitor {
            let is_linked = self.model.links.contains_key(&(main, child));
            self.count_kept(main, child, if is_linked { "change of mode" } else { "backfill" });
        }
        let change = |model: &mut Model| model.link(main, child, monitor, backfill);
        self.gates(&[main, child], (main, request), change).await?;
        if backfill {
            self.is_brought(main);
        }
        Ok(())
    }

    /// Nobody can know when the child is looked at: whomever the main has banned, nobody touches meanwhile.
    fn is_brought(&mut self, main: Guild) {
        self.touched.extend(self.model.decided_by(main).into_iter().map(|user| (user, (main, true))));
        self.retire_lost();
    }

    pub(super) async fn compare_children(&mut self, main: Guild) -> Result<(), Failure> {
        if self.model.links.keys().any(|(of, _)| *of == main) {
            self.network.ask(main, SyncReconcile::default().into()).await?;
        }
        Ok(())
    }

    pub(super) async fn mend(&mut self, main: Guild, child: Guild) -> Result<(), Failure> {
        // What is on its way is no difference, and what is compared beside it would be found before or after.
        self.settle().await?;
        if self.model.is_open(main, child) {
            let request = SyncReconcile { child: Some(self.network.guild(child)?), apply: true };
            self.network.ask(main, request.into()).await?;
            self.count_kept(main, child, "mend");
            self.model.make_good(main, child);
            self.is_brought(main);
        }
        Ok(())
    }

    pub(super) async fn unlink(&mut self, main: Guild, child: Guild, ending: Ending) -> Result<(), Failure> {
        let undo = ending == Ending::Undo;
        if undo {
            // Whatever is on its way there may come before or after.
            self.settle().await?;
            if !self.model.is_open(main, child) {
                return Ok(());
            }
            self.judge.closes(main, child);
        }
        let (id, source) = (self.network.guild(child)?, self.network.guild(main)?);
        let asked = match ending {
            Ending::Keep | Ending::Undo => {
                (main, SetupRemoveChild { child: id, keep: !undo, undo, force: false }.into())
            }
            Ending::Leave => (child, SetupLeave::new(source).into()),
        };
        let mut lifted = Vec::new();
        let change = |model: &mut Model| lifted = model.unlink(main, child, undo);
        self.gates(&[main, child], asked, change).await?;
        self.touched.extend(lifted.iter().map(|user| (*user, (child, true))));
        if undo && self.dice.once_in(3) {
            self.network.kill()?;
        }
        Ok(())
    }

    pub(super) async fn forbid(&mut self, child: Guild) -> Result<(), Failure> {
        let bits = self.network.bits(child) & !permissions::BAN_MEMBERS;
        self.cripple(child, |simulation, id| {
            simulation.network.sandbox.people().set_bot_permissions(id, bits)
        })
        .await
    }

    pub(super) async fn remove_bot(&mut self, child: Guild) -> Result<(), Failure> {
        self.cripple(child, |simulation, id| simulation.network.sandbox.people().remove_bot(id)).await
    }

    pub(super) async fn outage(&mut self, child: Guild) -> Result<(), Failure> {
        self.cripple(child, |simulation, id| simulation.network.sandbox.people().outage(id)).await
    }

    async fn cripple(
        &mut self,
        child: Guild,
        take: impl FnOnce(&Self, u64) -> Result<(), String>,
    ) -> Result<(), Failure> {
        if self.crippled.contains(&child) {
            return Ok(());
        }
        if !self.touched_by(&[child]).is_empty() {
            self.settle().await?;
        }
        take(self, self.network.guilds[child]).map_err(Failure::broken)?;
        self.crippled.push(child);
        Ok(())
    }

    /// The bot is, and may, in the child what it was and might.
    pub(super) fn give_back(&mut self, child: Guild) -> Result<(), Failure> {
        self.crippled.retain(|crippled| *crippled != child);
        let (id, people) = (self.network.guilds[child], self.network.sandbox.people());
        let (is_out, is_gone) = self.network.sandbox.read(|world| {
            let guild = &world.guilds[&id];
            (guild.unavailable, !guild.members.contains_key(&world.bot))
        });
        let given = match (is_out, is_gone) {
            (true, _) => people.restore(id),
            (_, true) => people.invite_bot(id),
            _ => people.set_bot_permissions(id, self.network.bits(child)),
        };
        if is_out || is_gone {
            // What happened there meanwhile is read from its log.
            self.network.unread_since[child] = unix_ms();
        }
        given.map_err(Failure::broken)
    }

    pub(super) fn trouble(&mut self, guild: Option<Guild>, kind: Trouble, times: u32) {
        // One of the routes, or everything there.
        let route = match self.dice.below(3) {
            0 => At::route("PUT", "/guilds/{guild_id}/bans/{user_id}"),
            1 => At::route("DELETE", "/guilds/{guild_id}/bans/{user_id}"),
            _ => At::route("POST", "/guilds/{guild_id}/bulk-ban"),
        };
        let at = At { guild: guild.map(|guild| self.network.guilds[guild]), ..route }.times(times);
        let answer = |at, status, code| Fault::Answer { at, status, code, message: String::new() };
        let limit = |at, scope| Fault::RateLimit { at, scope, retry_after: 0.05, headers: None };
        let fault = match kind {
            Trouble::Slow => Fault::Latency { at: at.times(10), by: Duration::from_millis(40) },
            Trouble::Stumbles => answer(at, 500, 0),
            Trouble::Page => Fault::Page { at, status: 503, body: "<html>busy</html>".into() },
            Trouble::Limited => limit(at, Scope::User),
            Trouble::Shared => limit(at, Scope::Shared),
            Trouble::CutBefore => Fault::CutBefore { at },
            Trouble::CutAfter => Fault::CutAfter { at },
            Trouble::Reset => Fault::ResetInBody { at },
            Trouble::Hang => Fault::Hang { at },
            Trouble::HangInside => Fault::HangAfterHeaders { at },
            Trouble::Late => {
                self.late = true;
                Fault::AppliedLater { at, by: Some(Duration::from_millis(20)) }
            }
            Trouble::Outranked => answer(at, 403, 50013),
            Trouble::NoAccess => answer(at, 403, 50001),
        };
        self.faults.push(self.network.sandbox.inject(fault));
    }

    pub(super) fn mishap(&mut self, guild: Guild, kind: Mishap, times: u32) {
        let names = ["GUILD_BAN_ADD", "GUILD_BAN_REMOVE", "GUILD_AUDIT_LOG_ENTRY_CREATE"];
        let name = self.dice.pick(&names).map(str::to_owned);
        let id = self.network.guilds[guild];
        let events = |fate| Fault::Events { name, guild: Some(id), times: Some(times), fate };
        let fault = match kind {
            Mishap::Lost => {
                // Nothing tells of it; the next session has the logs read.
                self.must_begin_anew = true;
                events(EventFate::Drop)
            }
            Mishap::Twice => events(EventFate::Twice),
            Mishap::Delayed => events(EventFate::After(Duration::from_millis(30))),
            Mishap::EntryFirst => Fault::Order { names: vec!["GUILD_AUDIT_LOG_ENTRY_CREATE".to_owned()] },
        };
        self.faults.push(self.network.sandbox.inject(fault));
    }

    pub(super) fn break_gateway(&mut self, kind: Break) {
        if !self.network.is_up() {
            return;
        }
        // What follows may be a new session: a slash command could be lost on the way, and the logs are read.
        self.shaky = true;
        let trouble = match kind {
            Break::Drop => GatewayTrouble::DropTcp,
            Break::Reset => GatewayTrouble::Reset,
            Break::Reconnect => GatewayTrouble::Reconnect,
            Break::Close => GatewayTrouble::Close(4000),
            Break::Invalid => GatewayTrouble::InvalidSession(false),
            Break::Resumable => GatewayTrouble::InvalidSession(true),
            Break::Malformed => GatewayTrouble::MalformedJson,
            Break::UnknownEvent => GatewayTrouble::UnknownEvent,
            Break::Storm => GatewayTrouble::GuildStorm,
        };
        if matches!(kind, Break::Invalid | Break::Malformed) {
            self.must_begin_anew = true;
        }
        self.network.sandbox.inject(Fault::Gateway { trouble });
    }

    /// Somebody whom nobody ever decided anything about is banned where no network is: when the daemon knows of that, it
    /// knows of everything before.
    pub(super) fn mark(&self) -> Result<(u64, u64), Failure> {
        let (id, marker) = (self.network.guilds[UNLINKED], self.network.sandbox.stranger());
        let (people, by) = (self.network.sandbox.people(), self.network.owner(UNLINKED));
        people.ban(id, by, marker, None).map_err(Failure::broken)?;
        Ok((id, marker))
    }
}
