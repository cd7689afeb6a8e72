//! Whose turn it is to answer a review: the one who judges it, or the one whose patience is over.

use std::sync::atomic::{AtomicBool, Ordering};

/// The right to answer one review, which only the first to take it has.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicBool);

impl Turn {
    /// Whether it was still to be had, and now is the caller's.
    pub(crate) fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_taken(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_has_it() {
        let turn = Turn::default();
        assert!(!turn.is_taken() && turn.take());
        assert!(turn.is_taken() && !turn.take());
    }
}
