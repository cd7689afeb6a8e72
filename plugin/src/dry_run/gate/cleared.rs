//! The proof that the gate has let a write through.

use crate::dry_run::write::Write;

/// A write that may be sent now. Only a [`super::Gate`] makes one, and sending uses it up.
#[derive(Debug)]
pub struct Cleared(Write);

impl Cleared {
    /// A write that was let through. Only the gate sees this.
    pub(super) fn new(write: Write) -> Self {
        Cleared(write)
    }

    /// The write.
    pub fn write(&self) -> &Write {
        &self.0
    }
}
