//! The heartbeat record: the times at which a guard saw the cluster running. The guard writes it, and the check reads
//! it to find long stops (clauses C30, C31, C34).
//!
//! The record is a list of intervals of sight, in one ConfigMap. A gap between two intervals shows only that no guard
//! wrote. An uninstalled guard, a crash loop or a missing right leave the same gap, and a wrong clock can invent one.
//! So the record keeps what is known about each gap, and [`Gap::meaning`] says which gaps are worth a question. A check
//! looks for other signs of life in a gap before it reports anything. These decisions keep the record from inventing
//! gaps:
//!
//! - **Time.** Beats carry the API server's time, which all replicas share, never the pod's.
//! - **Clocks.** Each guard compares that time with a steady clock ([`life::SteadyClock`]). A clock that moved while
//!   the guard ran marks its gap as moved; a guard that ran through a gap, unable to write, records for how long.
//!   Neither kind of gap counts. A suspended machine looks like a moved clock, and is given the benefit of the doubt.
//! - **Wrong clocks.** Beats only add sight, in their place in time: a beat from the future lets later, true beats
//!   continue where the record ended, and its own gap is marked. A beat that does more than continue the end of the
//!   record waits until its clock was steady for [`life::HOLD`], so that a clock which is corrected minutes after a
//!   boot leaves no trace.
//! - **Short gaps.** Up to [`SLACK`] a gap counts as seen: restarts, upgrades, clocks of several API servers.
//! - **Replicas.** Two replicas write the same record under optimistic concurrency; on a conflict the loser reads again
//!   and adds its beat to the new record. Beats commute, so no other merging is needed.
//! - **Size.** Past [`MAX_INTERVALS`] the shortest gap of at most a day is closed; if there is none, the oldest
//!   interval is dropped. Both are counted in the record.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, error::Category};

pub use crate::data::own::NAMESPACE;

pub mod life;

/// The ConfigMap that holds the record, in the guard's own [`NAMESPACE`].
pub const NAME: &str = "guard-heartbeat";
/// The key of its `data` that holds the record.
pub const KEY: &str = "record";

/// The times at which guards saw the cluster. Intervals are sorted and more than [`SLACK`] apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    intervals: Vec<Interval>,
    joined: u64,
    dropped: Option<Dropped>,
    behind: Option<Behind>,
    lost: Option<Lost>,
}

/// A period of continuous sight, and the facts about the gap before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// The first sight.
    pub from: Timestamp,
    /// The last sight.
    pub to: Timestamp,
    /// The reason why it began.
    pub began: Began,
    /// The seconds of the gap before it in which a guard is known to have run.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub ran: i64,
    /// Whether the clock is known to have moved in the gap before it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub moved: bool,
}

/// The reason why an interval began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Began {
    /// It is the record's first.
    First,
    /// A guard that had just started found an older record.
    Restart,
    /// A guard that had seen the cluster before saw it again.
    Resumed,
}

/// The intervals that were dropped to keep the record small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropped {
    /// Their number.
    pub count: u64,
    /// The end of the last of them.
    pub until: Timestamp,
}

/// The time that guards ran while the API server's clock was behind the record's end, so that their beats had no place
/// in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Behind {
    /// Seconds, by steady clocks.
    ran: i64,
    /// The last time that the API server's clock showed.
    at: Timestamp,
}

/// An earlier record that could not be read and was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lost {
    /// The time of the replacement.
    pub at: Timestamp,
    /// The fault of the earlier record.
    pub why: String,
}

/// The reason why a text is not accepted as a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The text is larger than any record that a guard writes.
    #[error("the heartbeat record has {0} bytes, more than any guard writes ({MAX_BYTES})")]
    TooLarge(usize),
    /// The text ends early.
    #[error("the heartbeat record ends in the middle: {0}")]
    Truncated(String),
    /// The text is not JSON, or not of this shape.
    #[error("the heartbeat record cannot be read: {0}")]
    Malformed(String),
    /// The text is JSON without a version, written by another program.
    #[error("the text in place of the heartbeat record was not written by a guard: it has no version")]
    Foreign,
    /// The text has a version of the format that this program does not know.
    #[error("the heartbeat record has format version {0}, and this program knows {VERSION}: use a newer one")]
    Version(u64),
}

impl RecordError {
    /// Whether a guard may replace the record. A record of a newer guard or of another program is left alone.
    pub fn may_be_replaced(&self) -> bool {
        matches!(self, RecordError::TooLarge(_) | RecordError::Truncated(_) | RecordError::Malformed(_))
    }
}

/// A period in which no guard wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last sight before it.
    pub from: Timestamp,
    /// The first sight after it, or the time of asking when there is none yet.
    pub to: Timestamp,
    /// The part of it in which a guard is known to have run.
    pub ran: SignedDuration,
    /// The interpretation of the gap.
    pub meaning: Meaning,
}

/// The interpretation of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Unexplained: the cluster was stopped, or no guard ran. Other signs of life decide.
    Unseen(Began),
    /// A guard ran through it without being able to write, so nodes were running.
    GuardRan,
    /// The clock moved, so the length of the gap is unknown.
    ClockMoved,
    /// The gap ends after the time of asking, so one of the clocks is wrong.
    EndsInTheFuture,
    /// No guard has written since, while the cluster answers: the guard is missing, not the cluster.
    StillOpen,
}

impl Gap {
    /// Whether the gap may stand for a stopped cluster.
    pub fn counts(&self) -> bool {
        matches!(self.meaning, Meaning::Unseen(_))
    }

    /// The length of the gap without the time in which a guard is known to have run: the longest stop it can contain.
    pub fn unseen(&self) -> SignedDuration {
        self.to.duration_since(self.from).saturating_sub(self.ran).max(SignedDuration::ZERO)
    }

    /// The facts about the gap, for people.
    pub fn evidence(&self) -> String {
        let Gap { from, to, .. } = self;
        let days = |time: SignedDuration| time.as_hours() / 24;
        let length = days(to.duration_since(*from));
        let seen = format!("no guard saw the cluster from {from} to {to}, {length} days");
        let known = match self.meaning {
            Meaning::Unseen(Began::Resumed) => "a guard that had seen it before then saw it again".to_owned(),
            Meaning::Unseen(_) => "a guard that had just started then found it".to_owned(),
            Meaning::GuardRan => "a guard ran in that time and could not write".to_owned(),
            Meaning::ClockMoved => "the API server's clock moved, so its real length is unknown".to_owned(),
            Meaning::EndsInTheFuture => "its end lies in the future, so a clock was wrong".to_owned(),
            Meaning::StillOpen => "no guard has written since".to_owned(),
        };
        if self.counts() && self.ran > SLACK {
            return format!("{seen}; {known}; for {} days of it a guard is known to have run", days(self.ran));
        }
        format!("{seen}; {known}")
    }
}

impl Record {
    /// Reads the text under [`KEY`]. An empty text is an empty record.
    ///
    /// # Errors
    /// [`RecordError`]; nothing of such a text is used.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        if text.len() > MAX_BYTES {
            return Err(RecordError::TooLarge(text.len()));
        }
        if text.trim().is_empty() {
            return Ok(Record::default());
        }
        let value: Value = serde_json::from_str(text).map_err(|error| match error.classify() {
            Category::Eof => RecordError::Truncated(error.to_string()),
            _ => RecordError::Malformed(error.to_string()),
        })?;
        match value.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(version) => return Err(RecordError::Version(version)),
            None => return Err(RecordError::Foreign),
        }
        let wire: Wire = serde_json::from_value(value).map_err(|error| RecordError::Malformed(error.to_string()))?;
        wire.record()
    }

    /// The record as the text that goes under [`KEY`].
    pub fn text(&self) -> String {
        let Record { intervals, joined, dropped, behind, lost } = self.clone();
        let wire = Wire { version: VERSION, intervals, joined, dropped, behind, lost };
        // Times, numbers and strings always serialize.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// An empty record that replaces one that cannot be read.
    pub fn in_place_of(error: &RecordError, at: Timestamp) -> Self {
        let why = error.to_string().chars().take(MAX_REASON).collect();
        Record { lost: Some(Lost { at: whole(at), why }), ..Record::default() }
    }

    /// All intervals, oldest first.
    pub fn intervals(&self) -> &[Interval] {
        &self.intervals
    }

    /// The number of short gaps, each of at most [`JOINED_AT_MOST`], that were closed to keep the record small.
    pub fn joined(&self) -> u64 {
        self.joined
    }

    /// The intervals that were dropped at the old end to keep the record small.
    pub fn dropped(&self) -> Option<Dropped> {
        self.dropped
    }

    /// The unreadable record that this one replaced.
    pub fn lost(&self) -> Option<&Lost> {
        self.lost.as_ref()
    }

    /// The period that the record covers, as of `now`: from the first sight after the clock last moved to the last one.
    /// `None` when there is no sight, or only in the future.
    pub fn covers(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let past: Vec<&Interval> = self.past(now).collect();
        let first = past.iter().rev().find(|interval| interval.moved).or(past.first())?;
        Some((first.from, past.last()?.to.min(now).max(first.from)))
    }

    /// All gaps, oldest first, as of `now`.
    pub fn gaps(&self, now: Timestamp) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for (before, after) in self.intervals.iter().zip(self.intervals.iter().skip(1)) {
            let ran = SignedDuration::from_secs(after.ran);
            let mut gap = Gap { from: before.to, to: after.from, ran, meaning: Meaning::Unseen(after.began) };
            if later(after.from, now) > SLACK {
                // The following intervals lie in the future, too.
                gap.meaning = Meaning::EndsInTheFuture;
                gaps.push(gap);
                return gaps;
            }
            if after.moved {
                gap.meaning = Meaning::ClockMoved;
            } else if gap.unseen() <= SLACK {
                gap.meaning = Meaning::GuardRan;
            }
            gaps.push(gap);
        }
        if let Some(last) = self.intervals.last()
            && later(now, last.to) > SLACK
        {
            gaps.push(Gap { from: last.to, to: now, ran: SignedDuration::ZERO, meaning: Meaning::StillOpen });
        }
        gaps
    }

    /// The gaps that may stand for a stop longer than `threshold`.
    pub fn stops_longer_than(&self, threshold: SignedDuration, now: Timestamp) -> Vec<Gap> {
        self.gaps(now).into_iter().filter(|gap| gap.counts() && gap.unseen() > threshold).collect()
    }

    fn past(&self, now: Timestamp) -> impl Iterator<Item = &Interval> {
        self.intervals.iter().take_while(move |interval| later(interval.from, now) <= SLACK)
    }

    /// The place of a beat at `at` in the record.
    fn place(&self, at: Timestamp) -> BeatPlace {
        for (index, interval) in self.intervals.iter().enumerate() {
            if later(interval.from, at) > SLACK {
                return BeatPlace::Outside(index);
            }
            // The end's slack comes first: a beat a little before the end continues the last interval.
            if later(at, interval.to) <= SLACK {
                let deep = later(interval.to, at) > SLACK;
                return if deep { BeatPlace::Inside } else { BeatPlace::Continues(index) };
            }
        }
        if self.intervals.is_empty() { BeatPlace::Empty } else { BeatPlace::Outside(self.intervals.len()) }
    }

    /// Joins intervals that touch, and keeps the size.
    fn tidy(&mut self) {
        self.intervals.sort_by_key(|interval| interval.from);
        let mut tidy: Vec<Interval> = Vec::with_capacity(self.intervals.len());
        for interval in self.intervals.drain(..) {
            match tidy.last_mut() {
                Some(last) if later(interval.from, last.to) <= SLACK => last.to = last.to.max(interval.to),
                _ => tidy.push(interval),
            }
        }
        self.intervals = tidy;
        while self.intervals.len() > MAX_INTERVALS {
            self.shrink();
        }
        if let Some(first) = self.intervals.first_mut() {
            (first.began, first.ran, first.moved) = (Began::First, 0, false);
        }
    }

    fn shrink(&mut self) {
        let lengths = self.intervals.iter().zip(self.intervals.iter().skip(1)).enumerate();
        // A gap of unknown length stays: closing it could stretch the record into the future.
        let shortest = lengths
            .filter(|(_, (_, after))| !after.moved)
            .map(|(index, (before, after))| (later(after.from, before.to), index))
            .min()
            .filter(|(length, _)| *length <= JOINED_AT_MOST);
        let Some((_, index)) = shortest else {
            let oldest = self.intervals.remove(0);
            let count = self.dropped.map_or(0, |dropped| dropped.count).saturating_add(1);
            self.dropped = Some(Dropped { count, until: oldest.to });
            return;
        };
        let after = self.intervals.remove(index + 1);
        if let Some(before) = self.intervals.get_mut(index) {
            before.to = before.to.max(after.to);
        }
        self.joined = self.joined.saturating_add(1);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BeatPlace {
    /// The record is empty.
    Empty,
    /// At the end of the interval with this index.
    Continues(usize),
    /// Inside an interval, well before its end.
    Inside,
    /// Outside all intervals; a new one would get this index.
    Outside(usize),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    version: u64,
    intervals: Vec<Interval>,
    #[serde(default, skip_serializing_if = "is_none_left")]
    joined: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<Dropped>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<Behind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lost: Option<Lost>,
}

impl Wire {
    fn record(self) -> Result<Record, RecordError> {
        let refuse = |what: String| Err(RecordError::Malformed(what));
        if self.intervals.len() > MAX_INTERVALS {
            return refuse(format!("{} intervals, at most {MAX_INTERVALS} are written", self.intervals.len()));
        }
        for interval in &self.intervals {
            if interval.from > interval.to {
                return refuse(format!("an interval that ends before it begins, at {}", interval.from));
            }
            if interval.ran < 0 {
                return refuse(format!("a negative time before {}", interval.from));
            }
        }
        for (before, after) in self.intervals.iter().zip(self.intervals.iter().skip(1)) {
            if before.to.cmp(&after.from) != Ordering::Less {
                return refuse(format!("intervals out of order at {}", after.from));
            }
            if after.began == Began::First {
                return refuse(format!("a second first interval at {}", after.from));
            }
        }
        if self.behind.is_some_and(|behind| behind.ran < 0) {
            return refuse("a negative time behind the record".to_owned());
        }
        let Wire { intervals, joined, dropped, behind, lost, version: _ } = self;
        Ok(Record { intervals, joined, dropped, behind, lost })
    }
}

/// The time from `b` to `a`; negative when `a` is earlier.
fn later(a: Timestamp, b: Timestamp) -> SignedDuration {
    a.duration_since(b)
}

/// The moment cut to whole seconds, as the record counts them.
fn whole(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_none_left(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The format's version.
const VERSION: u64 = 1;

/// The longest gap that counts as seen. Two replicas that write at least every hour, a node that is drained, and API
/// servers an hour apart stay below it; the shortest stop in a clause is two hundred times as long.
pub const SLACK: SignedDuration = SignedDuration::from_hours(3);

/// The most intervals: one gap of more than three hours every other day for a year. At some hundred bytes each that is
/// 20 KB.
pub const MAX_INTERVALS: usize = 200;

/// The longest gap that may be closed to save space, far below the thirty days of the shortest limit.
pub const JOINED_AT_MOST: SignedDuration = SignedDuration::from_hours(24);

/// The largest record that is read: three times the size of the fullest one.
pub const MAX_BYTES: usize = 64 << 10;

/// The longest reason that is kept, enough for any of our own messages.
const MAX_REASON: usize = 200;

#[cfg(test)]
mod tests;
