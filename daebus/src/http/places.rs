//! The limits of concurrent connections: of a server, and of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};

use super::limits::HttpLimits;
use crate::runtime::EpisodeCount;

/// Connections beyond the limit, for health probes: a busy service is not a dead one.
const SPARE: usize = 16;

/// Marks the requests of a connection beyond the limit, of which only those for the service's own paths are answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct OnSpareConnection;

/// The limits of concurrent connections of one server.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    regular: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    addresses: Option<Addresses>,
    /// The connections that got a spare place since all regular places were taken.
    overflowed: EpisodeCount,
}

/// The place of one connection, free again when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    _permit: OwnedSemaphorePermit,
    /// Whether only the service's own paths are answered.
    pub(super) is_spare: bool,
}

impl Places {
    pub(super) fn new(limits: &HttpLimits) -> Self {
        let limit = limits.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            limit,
            regular: Arc::new(Semaphore::new(limit)),
            spare: Arc::new(Semaphore::new(SPARE)),
            addresses: limits.connections_per_address.map(Addresses::new),
            overflowed: EpisodeCount::default(),
        }
    }

    /// Waits for a place, regular if there is one.
    pub(super) async fn next(&self) -> Option<ConnectionPlace> {
        tokio::select! {
            biased;
            permit = Arc::clone(&self.regular).acquire_owned() => permit.ok().map(regular),
            permit = Arc::clone(&self.spare).acquire_owned() => permit.ok().map(spare),
        }
    }

    /// Returns a place if there is one at once.
    pub(super) fn try_next(&self) -> Option<ConnectionPlace> {
        let permit = Arc::clone(&self.regular).try_acquire_owned().map(regular);
        permit.or_else(|_| Arc::clone(&self.spare).try_acquire_owned().map(spare)).ok()
    }

    /// Returns the place of a connection that has been accepted: a regular one if one has become free meanwhile. Logs when
    /// connections begin to overflow, and when they no longer do.
    pub(super) fn accepted(&self, place: ConnectionPlace) -> ConnectionPlace {
        let place = match Arc::clone(&self.regular).try_acquire_owned() {
            Ok(permit) if place.is_spare => ConnectionPlace { _permit: permit, is_spare: false },
            _ => place,
        };
        if place.is_spare {
            if self.overflowed.count() {
                let connections = self.limit;
                warn!(
                    connections,
                    "as many HTTP connections as max_connections allows; more are answered with 503"
                );
            }
        } else if self.regular.available_permits() >= self.limit / 8
            && let Some(refused) = self.overflowed.end()
        {
            info!(refused, "HTTP connections are accepted again");
        }
        place
    }

    /// Returns the place of a connection among those of its address. `Err` if they are all taken.
    pub(super) fn of_address(&self, address: IpAddr) -> Result<Option<AddressPlace>, TooManyConnections> {
        self.addresses.as_ref().map(|addresses| addresses.enter(address)).transpose()
    }
}

fn regular(permit: OwnedSemaphorePermit) -> ConnectionPlace {
    ConnectionPlace { _permit: permit, is_spare: false }
}

fn spare(permit: OwnedSemaphorePermit) -> ConnectionPlace {
    ConnectionPlace { _permit: permit, is_spare: true }
}

/// An address has as many connections as it may have.
#[derive(Debug)]
pub(super) struct TooManyConnections;

/// The connections of each address.
#[derive(Debug, Clone)]
struct Addresses {
    limit: usize,
    counts: Arc<Mutex<HashMap<IpAddr, AddressCount>>>,
}

#[derive(Debug, Default)]
struct AddressCount {
    connections: usize,
    refused: u64,
}

/// The place of one connection among those of its address.
#[derive(Debug)]
pub(super) struct AddressPlace {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), counts: Arc::default() }
    }

    fn enter(&self, address: IpAddr) -> Result<AddressPlace, TooManyConnections> {
        let address = network(address);
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if count.connections >= self.limit {
            count.refused += 1;
            if count.refused == 1 {
                let connections = self.limit;
                warn!(%address, connections, "connection closed: max_connections_per_address is reached");
            }
            return Err(TooManyConnections);
        }
        count.connections += 1;
        Ok(AddressPlace { addresses: self.clone(), address })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock();
        let Some(count) = counts.get_mut(&self.address) else { return };
        count.connections -= 1;
        if count.connections == 0 {
            let refused = count.refused;
            counts.remove(&self.address);
            if refused > 0 {
                info!(address = %self.address, refused, "the address has no connection any more");
            }
        }
    }
}

/// Returns what counts as one address: an IPv4 address, or a network of 64 bits, which one host of IPv6 has to itself.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        IpAddr::V4(address) => IpAddr::V4(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(connections: usize) -> Places {
        Places::new(&HttpLimits { connections, ..HttpLimits::default() })
    }

    #[tokio::test]
    async fn an_episode_begins_with_the_first_spare_place_and_ends_with_free_ones() {
        let places = places(16);
        let mut taken = Vec::new();
        for _ in 0..18 {
            let place = places.next().await.unwrap();
            taken.push(places.accepted(place));
        }
        assert_eq!(taken.iter().filter(|place| place.is_spare).count(), 2);
        assert_eq!(places.overflowed.current(), 2);
        // One free place is taken at once, which is no end of it.
        taken.remove(0);
        let place = places.next().await.unwrap();
        taken.push(places.accepted(place));
        assert_eq!(places.overflowed.current(), 2);
        taken.clear();
        let place = places.next().await.unwrap();
        assert!(!places.accepted(place).is_spare);
        assert_eq!(places.overflowed.current(), 0);
    }

    #[tokio::test]
    async fn a_connection_that_waited_gets_a_place_that_has_become_free() {
        let places = places(1);
        let first = places.next().await.unwrap();
        let second = places.next().await.unwrap();
        assert!(second.is_spare);
        drop(first);
        assert!(!places.accepted(second).is_spare);
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let addresses = Addresses::new(1);
        let first = addresses.enter("2001:db8::1".parse().unwrap()).unwrap();
        assert!(addresses.enter("2001:db8::2".parse().unwrap()).is_err());
        let _other = addresses.enter("2001:db8:0:1::1".parse().unwrap()).unwrap();
        drop(first);
        let _again = addresses.enter("2001:db8::2".parse().unwrap()).unwrap();
        let _mapped = addresses.enter("::ffff:10.0.0.1".parse().unwrap()).unwrap();
        assert!(addresses.enter("10.0.0.1".parse().unwrap()).is_err());
    }
}
