//! The dearest reviews of a size: those whose writer made large what costs the most to judge. They are judged in this
//! process, since the servers' share of their cost is small.

use std::time::Duration;

use aksarc_shared::facts::change::Operation;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::Watched;
use aksarc_webhook::review::Reviewer;
use anyhow::Context;

use crate::objects::{AXES, Axis};
use crate::reviews::{Sides, Texts, all_on, review, reviewer, sides, thread_time};

/// The dearest review of a size.
pub(crate) struct Worst {
    /// The change, and what is large in it.
    pub(crate) what: String,
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// The dearest review of about each of `sizes`. All kinds of reviews are judged at the first size, and the dearest of
/// them at the others.
///
/// # Errors
/// No review of a size can be made.
pub(crate) fn of_each(sizes: &[usize]) -> anyhow::Result<Vec<Worst>> {
    let reviewer = reviewer();
    let watched = derive::watched(&all_on());
    let mut shapes = Vec::new();
    let first = *sizes.first().context("no size")?;
    for watched in &watched {
        for axis in AXES.iter().filter(|axis| (axis.is_of)(watched.kind)) {
            for operation in &watched.operations {
                for sides in sides(*operation, watched.subresource) {
                    let shape = LargeReview { watched, axis, operation: *operation, sides };
                    if let Some(worst) = shape.judge(&reviewer, first) {
                        shapes.push((worst.time, shape));
                    }
                }
            }
        }
    }
    shapes.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
    let worst = |size: &usize| {
        // A large one takes long to make, and not every part of an object can be made that large.
        let candidates = if *size > LARGE { FEW } else { MANY };
        let judged = shapes.iter().filter_map(|(_, shape)| shape.judge(&reviewer, *size)).take(candidates);
        judged.max_by_key(|worst| worst.time).with_context(|| format!("no review of {size} bytes"))
    };
    sizes.iter().map(worst).collect()
}

struct LargeReview<'w> {
    watched: &'w Watched,
    axis: &'static Axis,
    operation: Operation,
    sides: &'static Sides,
}

impl LargeReview<'_> {
    /// The cost of the review with about `bytes`; `None` where its large part cannot be made that large.
    fn judge(&self, reviewer: &Reviewer, bytes: usize) -> Option<Worst> {
        let (small, twice) = (self.body(STEP)?.len(), self.body(2 * STEP)?.len());
        let each = twice.checked_sub(small)?.div_ceil(STEP);
        let items = bytes.checked_sub(small)?.checked_div(each)? + STEP;
        // Deep objects are built by recursion.
        if self.axis.name.starts_with("depth") && items > DEEP {
            return None;
        }
        let body = self.body(items)?.into_bytes();
        if body.len() > bytes + bytes / 8 || body.len() < bytes / 2 {
            return None;
        }
        let runs = if bytes > LARGE { 1 } else { RUNS };
        let time = (0..runs).map(|_| {
            let begun = thread_time();
            // An answer of any kind.
            drop(reviewer.answer(&body));
            thread_time().saturating_sub(begun)
        });
        let what = format!(
            "{} {} with {} {}",
            self.operation.as_str(),
            self.watched.resource(),
            self.axis.name,
            self.sides.name
        );
        Some(Worst { what, bytes: body.len(), time: time.min()? })
    }

    fn body(&self, items: usize) -> Option<String> {
        let texts = Texts::of(self.watched, self.axis, items)?;
        Some(review(self.watched, self.operation, texts.side(self.sides.before), texts.side(self.sides.after)))
    }
}

/// The number of items by which the bytes of one are found.
const STEP: usize = 16;
const DEEP: usize = 1_000;
const RUNS: usize = 5;
/// A review of more bytes is large.
const LARGE: usize = 4 << 20;
/// The kinds of reviews that are judged at the further sizes.
const MANY: usize = 24;
const FEW: usize = 3;
