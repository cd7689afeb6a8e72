//! How many lines of the log reviews may cause: whoever can cause one can cause many.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The lines that reviews may cause: so many a second for each user, and as many for all rehearsals together, so that nobody can
/// crowd out what somebody else does for real. Of a size that does not grow with the number of users: a few of them share.
#[derive(Debug)]
pub(super) struct LineBudgets {
    of_users: Vec<LineBudget>,
    of_dry_runs: LineBudget,
    /// Seeded at random, so that nobody can choose a name that shares with another.
    hasher: RandomState,
}

impl Default for LineBudgets {
    fn default() -> Self {
        LineBudgets {
            of_users: (0..SHARES).map(|_| LineBudget::default()).collect(),
            of_dry_runs: LineBudget::default(),
            hasher: RandomState::new(),
        }
    }
}

impl LineBudgets {
    /// The budget of a review by a user.
    pub(super) fn of(&self, user: &str, dry_run: bool) -> &LineBudget {
        if dry_run {
            return &self.of_dry_runs;
        }
        let share = usize::try_from(self.hasher.hash_one(user) % SHARES).unwrap_or_default();
        self.of_users.get(share).unwrap_or(&self.of_dry_runs)
    }
}

/// At most `MAX_LINES` log lines a second, counted without a lock: the second above, the lines in it below.
#[derive(Debug, Default)]
pub(super) struct LineBudget {
    state: AtomicU64,
    suppressed: AtomicU64,
}

impl LineBudget {
    /// Takes a line if there is one left in this second, and tells how many were suppressed since the last one.
    pub(super) fn take(&self, second: i64) -> Option<u64> {
        let second = second.unsigned_abs() << LINE_BITS;
        let next = |state: u64| {
            let state = if state >> LINE_BITS << LINE_BITS == second { state } else { second };
            (state - second < MAX_LINES).then_some(state + 1)
        };
        if self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok() {
            return Some(self.suppressed.swap(0, Ordering::Relaxed));
        }
        self.suppressed.fetch_add(1, Ordering::Relaxed);
        None
    }
}

/// A person causes a few findings a second, a controller in a fight with us thousands.
const MAX_LINES: u64 = 20;
const LINE_BITS: u32 = 16;

/// So many budgets for all users.
const SHARES: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_by_the_second_and_the_rest_is_counted() {
        let budget = LineBudget::default();
        let taken = (0..50).filter(|_| budget.take(1_700_000_000).is_some()).count();
        assert_eq!(taken, 20);
        assert_eq!(budget.take(1_700_000_001), Some(30));
        assert_eq!(budget.take(1_700_000_001), Some(0));
    }

    #[test]
    fn nobody_crowds_out_what_another_does_for_real() {
        let budgets = LineBudgets::default();
        for _ in 0..1_000 {
            budgets.of("bob", true).take(1_700_000_000);
        }
        assert_eq!(budgets.of("bob", false).take(1_700_000_000), Some(0), "rehearsals have a budget of their own");
        for _ in 0..1_000 {
            budgets.of("bob", false).take(1_700_000_000);
        }
        let free = (0..100).filter(|n| budgets.of(&format!("user-{n}"), false).take(1_700_000_000) == Some(0)).count();
        assert!(free > 50, "{free} of 100 users still have lines");
    }
}
