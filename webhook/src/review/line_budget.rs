//! Budgets for the lines of the log that reviews cause. A user who can cause one line can cause many.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The budgets of all users: [`MAX_LINES`] a second for each user, and as many for all dry runs together, so that
/// nobody can crowd out the lines of what another user does for real. The number of budgets is fixed, so a few users
/// share one.
#[derive(Debug)]
pub(super) struct LineBudgets {
    of_users: Vec<LineBudget>,
    of_dry_runs: LineBudget,
    /// Seeded at random, so that nobody can choose a name that shares the budget of another.
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
    /// The budget for reviews of dry runs, whoever sends them.
    pub(super) fn of_dry_runs(&self) -> &LineBudget {
        &self.of_dry_runs
    }

    /// The budget for reviews of a user's changes.
    pub(super) fn of_user(&self, user: &str) -> &LineBudget {
        let share = usize::try_from(self.hasher.hash_one(user) % SHARES).unwrap_or_default();
        self.of_users.get(share).unwrap_or(&self.of_dry_runs)
    }
}

/// A budget of `MAX_LINES` lines a second, counted without a lock: the high bits hold the second, the low ones its
/// lines.
#[derive(Debug, Default)]
pub(super) struct LineBudget {
    state: AtomicU64,
    suppressed: AtomicU64,
}

impl LineBudget {
    /// Takes a line, if one is left in this second. Returns how many were suppressed since the last one.
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

/// Budgets for all users.
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
    fn nobody_crowds_out_the_lines_of_another_user() {
        let budgets = LineBudgets::default();
        for _ in 0..1_000 {
            budgets.of_dry_runs().take(1_700_000_000);
        }
        assert_eq!(budgets.of_user("bob").take(1_700_000_000), Some(0), "rehearsals have a budget of their own");
        for _ in 0..1_000 {
            budgets.of_user("bob").take(1_700_000_000);
        }
        let free = (0..100).filter(|n| budgets.of_user(&format!("user-{n}")).take(1_700_000_000) == Some(0)).count();
        assert!(free > 50, "{free} of 100 users still have lines");
    }
}
