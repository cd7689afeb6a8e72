//! How many lines of the log reviews may cause: whoever can cause one can cause many.

use std::sync::atomic::{AtomicU64, Ordering};

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
}
