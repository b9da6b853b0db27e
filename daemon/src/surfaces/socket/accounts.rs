//! What each user of this machine has of the socket, so that none takes it from another.

use super::limits::{
    CONNECTIONS, CONNECTIONS_OF_ONE, CONNECTIONS_OF_OTHERS, LARGE, LARGE_OF_ONE, LONGEST_TURN, Limits, RATE,
    RATE_OF_ALL_MODEST, Rate, STRANGERS, WORK, WORK_OF_ONE, WORK_OF_OTHERS,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wayhaven_shared::Fault;

/// All users', and what there is in all.
pub(super) struct Accounts {
    all: Mutex<HashMap<u32, Arc<Account>>>,
    rate: Rate,
    places: Shares,
    strangers: Arc<Semaphore>,
    work: Shares,
    large: Arc<Semaphore>,
}

/// A number of something, and how many of them those may have who are no owners.
#[derive(Clone)]
struct Shares {
    all: Arc<Semaphore>,
    others: Arc<Semaphore>,
}

impl Shares {
    fn new(all: usize, others: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(all)), others: Arc::new(Semaphore::new(others)) }
    }
}

/// One user's.
pub(super) struct Account {
    pub(super) uid: u32,
    owner: bool,
    bucket: Mutex<Bucket>,
    /// What those connections have that ask for little.
    modest: Mutex<Bucket>,
    places: Arc<Semaphore>,
    own_work: Arc<Semaphore>,
    work: Shares,
    large: Arc<Semaphore>,
}

/// A connection's place; it is given back with it.
pub(super) struct Place {
    pub(super) account: Arc<Account>,
    _permits: Vec<OwnedSemaphorePermit>,
}

/// Leave to work; it is given back when the work is done.
pub(super) struct Turn {
    _permits: Vec<OwnedSemaphorePermit>,
}

impl Accounts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            all: Mutex::default(),
            rate: limits.rate,
            places: Shares::new(CONNECTIONS, CONNECTIONS_OF_OTHERS),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            work: Shares::new(WORK, WORK_OF_OTHERS),
            large: Arc::new(Semaphore::new(LARGE)),
        }
    }

    /// A place for a connection of this user, where there is one.
    pub(super) fn place(&self, uid: u32, owner: bool) -> Option<Place> {
        let account = self.account(uid, owner);
        let own = [Some(&account.places), (!owner).then_some(&self.places.others), Some(&self.places.all)];
        let taken = own.into_iter().flatten().map(|of| Arc::clone(of).try_acquire_owned());
        let permits = taken.collect::<Result<_, _>>().ok()?;
        Some(Place { account, _permits: permits })
    }

    /// A place for somebody who will only be refused.
    pub(super) fn stranger(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.strangers).try_acquire_owned().ok()
    }

    /// Room for large frames, of all.
    pub(super) fn large(&self) -> Arc<Semaphore> {
        Arc::clone(&self.large)
    }

    /// Waits until every connection is gone.
    pub(super) async fn gone(&self) {
        drop(self.places.all.acquire_many(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX)).await);
    }

    fn account(&self, uid: u32, owner: bool) -> Arc<Account> {
        let mut all = self.lock();
        // Somebody who was here a moment ago finds the buckets as they were; who has rested is forgotten.
        let now = Instant::now();
        all.retain(|_, account| {
            let rested = account.bucket().is_full(now) && account.modest().is_full(now);
            Arc::strong_count(account) > 1 || !rested
        });
        let new = || {
            Arc::new(Account {
                uid,
                owner,
                bucket: Mutex::new(Bucket::new(self.rate)),
                modest: Mutex::new(Bucket::new(RATE_OF_ALL_MODEST)),
                places: Arc::new(Semaphore::new(CONNECTIONS_OF_ONE)),
                own_work: Arc::new(Semaphore::new(WORK_OF_ONE)),
                work: self.work.clone(),
                large: Arc::new(Semaphore::new(LARGE_OF_ONE)),
            })
        };
        Arc::clone(all.entry(uid).or_insert_with(new))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<Account>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn modest(&self) -> MutexGuard<'_, Bucket> {
        self.modest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Room for this user's large frames.
    pub(super) fn large(&self) -> Arc<Semaphore> {
        Arc::clone(&self.large)
    }

    /// Waits for leave to work: the user's own share first, so that whoever has much waiting waits for themselves.
    pub(super) async fn turn(&self) -> Result<Turn, Fault> {
        let of = [Some(&self.own_work), (!self.owner).then_some(&self.work.others), Some(&self.work.all)];
        let mut permits = Vec::with_capacity(of.len());
        for share in of.into_iter().flatten() {
            let permit = Arc::clone(share).acquire_owned().await;
            permits.push(permit.map_err(|_| Fault::unavailable("the socket is closed"))?);
        }
        Ok(Turn { _permits: permits })
    }
}

/// How fast one connection may call.
pub(super) struct Pace {
    /// All its calls.
    all: Bucket,
    /// Those which are its own, however much the user's other connections ask.
    modest: Bucket,
}

impl Pace {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { all: Bucket::new(RATE), modest: Bucket::new(limits.modest) }
    }

    /// Takes one call: how long it has to wait for its turn.
    ///
    /// # Errors
    /// It would be too long: when to come again.
    pub(super) fn take(&mut self, account: &Account, now: Instant) -> Result<Duration, Fault> {
        let own = self.all.take(now)?;
        if self.modest.take_at_once(now) && account.modest().take_at_once(now) {
            return Ok(own);
        }
        Ok(own.max(account.bucket().take(now)?))
    }
}

/// Calls that may be made: they come back with time, and no more are kept than the burst.
pub(super) struct Bucket {
    rate: Rate,
    /// When all that was taken will have come back.
    full: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, full: Instant::now() }
    }

    /// Takes one call where it has not to wait; whether it was taken.
    fn take_at_once(&mut self, now: Instant) -> bool {
        let one = Duration::from_secs(1) / self.rate.a_second.max(1);
        let full = self.full.max(now) + one;
        let fits = full - now <= one * self.rate.burst.max(1);
        if fits {
            self.full = full;
        }
        fits
    }

    fn is_full(&self, now: Instant) -> bool {
        self.full <= now
    }

    /// Takes one call: how long it has to wait for its turn.
    ///
    /// # Errors
    /// It would be too long, and nothing is taken: when to come again.
    pub(super) fn take(&mut self, now: Instant) -> Result<Duration, Fault> {
        let one = Duration::from_secs(1) / self.rate.a_second.max(1);
        let full = self.full.max(now) + one;
        let wait = (full - now).saturating_sub(one * self.rate.burst.max(1));
        if wait > LONGEST_TURN {
            let seconds = (wait - LONGEST_TURN).as_secs() + 1;
            return Err(Fault::rate_limited(format!(
                "more is asked at once than the socket takes: come again in {seconds} s"
            ))
            .hint(format!("each user has {} calls a second", self.rate.a_second)));
        }
        self.full = full;
        Ok(wait)
    }
}
