//! How many requests a key or an address may make, where the operator says so.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use kew_engine::identity::{Account, Caller};
use kew_wire::Text;

use super::addresses::origin;
use crate::limits;

/// Whose requests are counted together. An access key may be called as an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    /// An access key or a role, by its id.
    Key(Text),
    /// An account, where nothing was verified.
    Account(Account),
}

/// Both limits, for all workers together.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    keys: Option<Rate<Payer>>,
    addresses: Option<Rate<IpAddr>>,
}

impl Rates {
    /// So many requests in each second; `None`: as many as come.
    pub(crate) fn new(per_key: Option<NonZeroU32>, per_address: Option<NonZeroU32>) -> Self {
        Self { keys: per_key.map(Rate::new), addresses: per_address.map(Rate::new) }
    }

    /// Whether this address may make a request now; an allowed one counts.
    pub(super) fn admit_address(&self, address: IpAddr) -> bool {
        self.addresses.as_ref().is_none_or(|rate| rate.admit(origin(address), Instant::now()))
    }

    /// Whether this caller may. It is counted by its access key or role, whichever session it calls in: whoever has the key can begin as
    /// many as he likes. Where nothing was verified, by its account.
    pub(super) fn admit_caller(&self, caller: &Caller) -> bool {
        let Some(rate) = &self.keys else { return true };
        let key = caller.identity.as_ref().and_then(|identity| identity.counts_as.as_ref());
        let payer = key.map_or(Payer::Account(caller.account), |key| Payer::Key(Text::from(&**key)));
        rate.admit(payer, Instant::now())
    }
}

/// A bucket of tokens for each of those who came lately: it holds what one second allows, and begins full.
///
/// Kept of each is the moment at which its bucket will be full again. Of those who have not come for long nothing is kept: when the
/// young half of the table is full, it becomes the old one, and the old one is forgotten.
#[derive(Debug)]
struct Rate<K> {
    /// The time in which one token comes.
    token: Duration,
    halves: Mutex<Halves<K>>,
}

#[derive(Debug)]
struct Halves<K> {
    young: HashMap<K, Instant>,
    old: HashMap<K, Instant>,
}

impl<K: Hash + Eq> Rate<K> {
    fn new(per_second: NonZeroU32) -> Self {
        let halves = Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() });
        Self { token: Duration::from_secs(1) / per_second.get(), halves }
    }

    fn admit(&self, key: K, now: Instant) -> bool {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        let known = halves.young.get(&key).or_else(|| halves.old.get(&key)).copied();
        let full = known.unwrap_or(now).max(now);
        let is_admitted = full + self.token <= now + Duration::from_secs(1);
        let full = if is_admitted { full + self.token } else { full };
        if halves.young.len() >= limits::RATES_KEPT && !halves.young.contains_key(&key) {
            halves.old = std::mem::take(&mut halves.young);
        }
        halves.young.insert(key, full);
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kew_engine::identity::{Identity, Kind, Principal};

    use super::*;

    fn rate(per_second: u32) -> Rate<u32> {
        Rate::new(NonZeroU32::new(per_second).expect("not zero"))
    }

    #[test]
    fn a_second_allows_so_many_and_not_one_more() {
        let (rate, start) = (rate(10), Instant::now());
        assert_eq!((0..50).filter(|_| rate.admit(1, start)).count(), 10);
        assert!(rate.admit(2, start), "another is not meant");
        // Half a second brings half of it back.
        assert_eq!((0..50).filter(|_| rate.admit(1, start + Duration::from_millis(500))).count(), 5);
        // However long it was quiet, a second's worth is all that it has.
        assert_eq!((0..50).filter(|_| rate.admit(1, start + Duration::from_secs(3600))).count(), 10);
    }

    #[test]
    fn a_key_that_is_called_as_an_account_is_not_counted_with_the_strangers() {
        let caller = |counts_as: Option<&'static str>| {
            let principal = Principal {
                account: Account::DEFAULT,
                arn: "anonymous".into(),
                id: "127.0.0.1".into(),
                kind: Kind::Anonymous,
                tags: Vec::new(),
                issued: None,
            };
            let counts_as = counts_as.map(Text::from_static);
            let identity =
                Identity { principal, permissions: None, access_key: None, counts_as, chain: None };
            Caller::identified(Arc::new(identity), "us-east-1".into(), None)
        };
        let rates = Rates::new(NonZeroU32::new(1), None);
        assert!(rates.admit_caller(&caller(None)));
        assert!(!rates.admit_caller(&caller(None)));
        assert!(rates.admit_caller(&caller(Some("000000000000"))));
    }

    #[test]
    fn one_in_a_second_is_possible() {
        let (rate, start) = (rate(1), Instant::now());
        assert!(rate.admit(1, start));
        assert!(!rate.admit(1, start + Duration::from_millis(999)));
        assert!(rate.admit(1, start + Duration::from_millis(1000)));
    }

    #[test]
    fn the_table_does_not_grow_and_keeps_those_who_come_often() {
        let (rate, now) = (rate(2), Instant::now());
        assert!(rate.admit(0, now) && rate.admit(0, now));
        for other in 1..=3 * limits::RATES_KEPT as u32 {
            assert!(rate.admit(other, now));
            if other % 1000 == 0 {
                assert!(!rate.admit(0, now), "forgotten after {other}");
            }
        }
        let halves = rate.halves.lock().expect("a lock");
        assert!(halves.young.len() + halves.old.len() <= 2 * limits::RATES_KEPT);
    }
}
