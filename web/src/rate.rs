//! How many requests an address may make.

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

/// Addresses remembered before those that have been quiet are forgotten.
const MANY: usize = 10_000;

/// So many requests a second from each address, and as many at once.
pub struct Rate {
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    clock: DefaultClock,
}

impl Rate {
    /// A limit; at least one a second.
    pub fn new(per_second: u32) -> Rate {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Rate {
            limiter: RateLimiter::keyed(Quota::per_second(per_second)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request; `Err` with the time to wait where it is one too many.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        if self.limiter.len() > MANY {
            self.limiter.retain_recent();
        }
        let checked = self.limiter.check_key(&network(address));
        checked.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

// An IPv6 host has a whole /64 to choose its addresses from.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from(u128::from(v6) >> 64 << 64)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_own_limit_and_a_network_of_ipv6_one_for_all() {
        let rate = Rate::new(2);
        let [one, other]: [IpAddr; 2] = [[192, 0, 2, 1].into(), [192, 0, 2, 2].into()];
        assert!(rate.check(one).is_ok() && rate.check(one).is_ok());
        let wait = rate.check(one).err();
        assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(1)), "{wait:?}");
        assert!(rate.check(other).is_ok());
        let v6 = |low: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, low, 0, 0, 1));
        assert!(rate.check(v6(1)).is_ok() && rate.check(v6(2)).is_ok());
        assert!(rate.check(v6(3)).is_err());
    }
}
