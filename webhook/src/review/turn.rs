//! The right to answer a review, for which the worker that judges it and the deadline compete.

use std::sync::atomic::{AtomicBool, Ordering};

/// The right to answer one review. The first caller that takes it has it.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicBool);

impl Turn {
    /// Takes the turn. Returns whether the caller has it now, since nobody had taken it before.
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
    fn only_the_first_caller_gets_the_turn() {
        let turn = Turn::default();
        assert!(!turn.is_taken() && turn.take());
        assert!(turn.is_taken() && !turn.take());
    }
}
