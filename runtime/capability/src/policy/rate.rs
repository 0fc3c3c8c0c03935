//! How often may something be done?

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const SECOND: u64 = 1_000_000_000;

/// So many times in a second, evenly or all at once. Any number of threads ask, and none waits.
///
/// The state is the time at which what was admitted would be through if it went evenly; this is the generic cell rate
/// algorithm of ATM networks.
#[derive(Debug)]
pub(super) struct RateLimit {
    pub per_second: u32,
    started: Instant,
    through_at: AtomicU64,
}

impl RateLimit {
    pub fn new(per_second: u32) -> RateLimit {
        RateLimit { per_second, started: Instant::now(), through_at: AtomicU64::new(0) }
    }

    pub fn admits(&self) -> bool {
        self.admits_at(u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    fn admits_at(&self, now: u64) -> bool {
        let Some(each) = SECOND.checked_div(self.per_second.into()) else { return false };
        let next = |through_at: u64| {
            let through_at = through_at.max(now).saturating_add(each);
            (through_at - now <= SECOND).then_some(through_at)
        };
        self.through_at.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admits_so_many_in_a_second() {
        let limit = RateLimit::new(4);
        let admitted = |now: u64| (0..10).filter(|_| limit.admits_at(now)).count();
        assert_eq!(admitted(0), 4);
        assert_eq!(admitted(SECOND / 2), 2);
        assert_eq!(admitted(100 * SECOND), 4);
        assert!(!RateLimit::new(0).admits());
    }
}
