//! What the writes of one rehearsal share, and what each of them comes to.

use std::collections::HashMap;

use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Guard;

use super::rehearsal::Rehearsal;
use crate::dry_run::discover::Discovery;
use crate::dry_run::gate::Gate;
use crate::dry_run::judge::Sides;
use crate::dry_run::refusal::Refusal;
use crate::dry_run::session::Session;
use crate::dry_run::strategic::Document;

/// The installed Arc extensions: the names of their releases, or why they are not known.
pub(super) type Extensions = Result<Vec<String>, String>;

/// What all writes of a rehearsal share.
pub(super) struct Runner<'r> {
    pub(super) session: &'r Session,
    pub(super) gate: Gate<'r>,
    pub(super) rehearsal: &'r Rehearsal,
    /// What would be asked, with the settings of the rehearsal.
    pub(super) guard: &'r Guard,
    pub(super) user: &'r User,
    pub(super) documents: HashMap<String, Option<Document>>,
    pub(super) discovery: &'r Discovery,
    /// Asked for once, where they matter.
    pub(super) extensions: Option<Extensions>,
    pub(super) single: bool,
    /// Writes that the gate has let through.
    pub(super) rehearsed: usize,
}

/// The result of one rehearsal, known once the server has replied or was not asked.
pub(super) struct Aftermath {
    pub(super) sides: Sides,
    pub(super) refusal: Option<Refusal>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Whether kubectl would send nothing.
    pub(super) unsent: bool,
    /// Why the gate did not let the write through; empty when it did, or was not asked to.
    pub(super) not_rehearsed: String,
}

impl Aftermath {
    /// Nothing but the sides.
    pub(super) fn of(sides: Sides) -> Self {
        let (warnings, notes) = (Vec::new(), Vec::new());
        Aftermath { sides, refusal: None, warnings, notes, unsent: false, not_rehearsed: String::new() }
    }
}
