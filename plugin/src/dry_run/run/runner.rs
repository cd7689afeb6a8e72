//! The state that all writes of a rehearsal share, and the results of single writes.

use std::collections::HashMap;

use aksarc_shared::k8s::user::User;
use aksarc_shared::verdict::guard::Guard;

use super::rehearsal::Rehearsal;
use crate::dry_run::discover::Discovery;
use crate::dry_run::gate::Gate;
use crate::dry_run::judge::Sides;
use crate::dry_run::refusal::Refusal;
use crate::dry_run::session::Session;
use crate::dry_run::strategic::OpenApiDocument;

/// The Helm releases of the installed Arc extensions, or the reason why they are not known.
pub(super) type Extensions = Result<Vec<String>, String>;

/// The state that all writes of a rehearsal share.
pub(super) struct Runner<'r> {
    pub(super) session: &'r Session,
    pub(super) gate: Gate<'r>,
    pub(super) rehearsal: &'r Rehearsal,
    /// The engine of a guard with the settings of the rehearsal.
    pub(super) guard: &'r Guard,
    pub(super) user: &'r User,
    pub(super) documents: HashMap<String, Option<OpenApiDocument>>,
    pub(super) discovery: &'r Discovery,
    /// Requested once, where they matter.
    pub(super) extensions: Option<Extensions>,
    pub(super) single: bool,
    /// The number of writes that the gate has cleared.
    pub(super) rehearsed: usize,
}

/// The result of one write, known once the server has replied, or when it was not sent.
pub(super) struct Aftermath {
    pub(super) sides: Sides,
    pub(super) refusal: Option<Refusal>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
    /// Whether kubectl would send nothing.
    pub(super) unsent: bool,
    /// The reason why the gate did not clear the write; empty when it did, or when it was not asked.
    pub(super) not_rehearsed: String,
}

impl Aftermath {
    /// A result with nothing but the sides.
    pub(super) fn of(sides: Sides) -> Self {
        let (warnings, notes) = (Vec::new(), Vec::new());
        Aftermath { sides, refusal: None, warnings, notes, unsent: false, not_rehearsed: String::new() }
    }
}
