//! The proof that the gate has cleared a write.

use crate::dry_run::write::Write;

/// A write that may be sent now. Only a [`super::Gate`] makes one, and sending consumes it.
#[derive(Debug)]
pub struct Cleared(Write);

impl Cleared {
    /// A cleared write. Only the gate can call this.
    pub(super) fn new(write: Write) -> Self {
        Cleared(write)
    }

    /// The write.
    pub fn write(&self) -> &Write {
        &self.0
    }
}
