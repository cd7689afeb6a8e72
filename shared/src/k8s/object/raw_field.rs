//! Top-level fields as text.

use crate::k8s::fit::shape::Shape;
use crate::k8s::fit::walk::walk;
use crate::k8s::read::scan;

/// The text of a top-level field.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawField<'a> {
    pub(super) raw: &'a str,
    /// The shape that the text was found to have while it was read, if any.
    pub(super) fits: Option<&'static Shape>,
}

impl<'a> RawField<'a> {
    /// Reads the value at the beginning of `rest`. `shape` is the one that it probably has: most of an object is read
    /// once then, and not a second time for its check.
    pub(super) fn scan(rest: &'a str, shape: Option<&'static Shape>, twin: Option<RawField<'a>>) -> Option<Self> {
        if let Some(twin) = twin.filter(|twin| scan::repeats(rest, twin.raw)) {
            return Some(RawField { raw: rest.get(..twin.raw.len())?, fits: twin.fits });
        }
        match shape.and_then(|shape| walk(shape, rest).ok()) {
            Some(length) => Some(RawField { raw: rest.get(..length)?, fits: shape }),
            None => Some(RawField { raw: scan::value(rest, None)?, fits: None }),
        }
    }
}
