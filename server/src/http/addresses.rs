//! How many connections one address may have open.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use crate::limits;
use crate::meters::Meter;

/// Who a limit is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PerAddress {
    /// The operator said nothing: [`limits::CONNECTIONS_PER_ADDRESS`], but this machine's own addresses are free.
    Unsaid,
    /// Nobody.
    Off,
    /// Every address.
    AtMost(NonZeroU32),
}

/// The addresses that have connections open. As many at most as there are connections.
#[derive(Debug)]
pub(crate) struct Addresses {
    limit: PerAddress,
    open: Mutex<HashMap<IpAddr, u32>>,
    /// Connections that were closed at once.
    pub(crate) refused: Meter,
}

/// A connection's place within its address's share, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    addresses: Arc<Addresses>,
}

/// An address has all that it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Addresses {
    pub(crate) fn new(limit: PerAddress) -> Self {
        Self { limit, open: Mutex::default(), refused: Meter::default() }
    }

    /// A place for a connection from there; `None` where nothing is counted.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Option<Place>, Crowded> {
        let address = origin(address);
        let limit = match self.limit {
            PerAddress::Off => return Ok(None),
            PerAddress::Unsaid if address.is_loopback() => return Ok(None),
            PerAddress::Unsaid => limits::CONNECTIONS_PER_ADDRESS,
            PerAddress::AtMost(limit) => limit.get(),
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= limit {
            self.refused.add(1);
            return Err(Crowded);
        }
        *count += 1;
        Ok(Some(Place { address, addresses: Arc::clone(self) }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

/// What is counted as one address: of IPv6 the first 64 bits, for whoever has one has all behind them.
pub(crate) fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_gets_its_share_and_back_what_it_leaves() {
        let addresses = Arc::new(Addresses::new(PerAddress::AtMost(NonZeroU32::MIN)));
        let place = addresses.enter(ip("192.0.2.1")).expect("the first");
        assert_eq!(addresses.enter(ip("192.0.2.1")).err(), Some(Crowded));
        assert!(addresses.enter(ip("192.0.2.2")).is_ok());
        assert_eq!(addresses.refused.get(), 1);
        drop(place);
        assert!(addresses.enter(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn what_nobody_uses_is_not_kept() {
        let addresses = Arc::new(Addresses::new(PerAddress::Unsaid));
        drop(addresses.enter(ip("192.0.2.1")));
        assert!(addresses.open.lock().expect("a lock").is_empty());
    }

    #[test]
    fn this_machine_is_free_unless_the_operator_says_otherwise() {
        for own in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            let unsaid = Arc::new(Addresses::new(PerAddress::Unsaid));
            assert!(unsaid.enter(ip(own)).is_ok_and(|place| place.is_none()), "{own}");
            let said = Arc::new(Addresses::new(PerAddress::AtMost(NonZeroU32::MIN)));
            let _place = said.enter(ip(own)).expect("the first");
            assert_eq!(said.enter(ip(own)).err(), Some(Crowded), "{own}");
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        assert_eq!(origin(ip("2001:db8:1:2:3::4")), origin(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(origin(ip("2001:db8:1:2::1")), origin(ip("2001:db8:1:3::1")));
        assert_eq!(origin(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
