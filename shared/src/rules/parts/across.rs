//! What a set of manifests tells that none of them tells alone.

use crate::finding::Draft;
use crate::facts::inventory::Inventory;
use crate::rules::rule::{Code, Context, Notes, Seen};
use crate::rules::{aa301, aa303};

/// How a rule that judges changes looks across manifests.
pub(crate) struct Across {
    pub(crate) code: Code,
    /// Notes what one of them tells.
    pub(crate) note: fn(&Seen<'_, '_>, &mut Notes),
    /// Adds to what was found of each alone. What stays undecided is returned, for people.
    pub(crate) settle: fn(&Inventory, &Context<'_>, &mut Vec<Draft>) -> Option<String>,
}

impl Across {
    /// How a rule looks across manifests, if it does.
    pub(crate) fn of(code: Code) -> Option<&'static Across> {
        [&aa301::ACROSS, &aa303::ACROSS].into_iter().find(|own| own.code == code)
    }
}
