//! A gate that holds judging back until a test opens it.

use std::sync::{Condvar, Mutex};

use super::DEADLINE;

/// A gate, closed at first.
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    open: bool,
    came: usize,
}

impl Gate {
    pub(crate) const fn new() -> Self {
        Gate { state: Mutex::new(State { open: false, came: 0 }), changed: Condvar::new() }
    }

    /// Waits until the gate is open. It panics after a while, for a gate that holds back the test that should open it.
    pub(crate) fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.came += 1;
        let (state, waited) = self.changed.wait_timeout_while(state, DEADLINE, |state| !state.open).unwrap();
        drop(state);
        assert!(!waited.timed_out(), "nobody opened the gate");
    }

    pub(crate) fn open(&self) {
        self.state.lock().unwrap().open = true;
        self.changed.notify_all();
    }

    /// How many calls have come to the gate so far.
    pub(crate) fn came(&self) -> usize {
        self.state.lock().unwrap().came
    }
}
