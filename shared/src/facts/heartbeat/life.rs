//! The knowledge of one guard process about the clock it reads, from its start to its end.

use jiff::{SignedDuration, Timestamp};

use super::{BeatPlace, Began, Behind, Interval, Record, SLACK, later, whole};

/// One sight of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The API server's time at that moment.
    pub at: Timestamp,
    /// The time that this process has run, by a steady clock that nobody sets.
    pub alive: SignedDuration,
}

/// The effect of a sight on the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Beat {
    /// The record changed and has to be written.
    Write,
    /// The last write was less than an interval ago; the next one is due in this time.
    Recent(SignedDuration),
    /// The sight is held back until the clock has been steady for a while.
    Held,
}

/// The memory of one process. A caller that fails to write the record restores an earlier copy.
#[derive(Clone, Debug, Default)]
pub struct SteadyClock {
    /// The previous sight.
    last: Option<Sight>,
    /// The moment since which the clock is steady, while a sight is held back.
    waiting: Option<Sight>,
    /// The last sight that is in the record, whether we or another guard wrote it.
    placed: Option<Sight>,
    /// The part of our running time that the record counts as running behind its end.
    claimed: Option<SignedDuration>,
}

impl SteadyClock {
    /// Adds a sight to `record`, unless the last write is less than `every` ago.
    pub fn beat(&mut self, record: &mut Record, sight: Sight, every: SignedDuration) -> Beat {
        let now = Sight { at: whole(sight.at), ..sight };
        if self.last.replace(now).is_some_and(|last| !last.agrees(now)) {
            self.waiting = None;
        }
        let place = record.place(now.at);
        let moved = self.placed.is_some_and(|placed| !placed.agrees(now));
        let goes_on = match place {
            BeatPlace::Empty => true,
            BeatPlace::Continues(index) => index + 1 == record.intervals.len(),
            BeatPlace::Inside | BeatPlace::Outside(_) => false,
        };
        let mut since = now;
        if moved || !goes_on {
            since = *self.waiting.get_or_insert(now);
            if now.alive.saturating_sub(since.alive) < HOLD {
                return Beat::Held;
            }
        }
        if let Some(due) = due(record, place, now.at, every) {
            // Our knowledge about a gap waits until it is our turn to write: `placed` stays unchanged until then.
            if !matches!(place, BeatPlace::Inside) && !self.witness(&mut record.clone(), now) {
                (self.placed, self.waiting, self.claimed) = (Some(now), None, None);
            }
            return Beat::Recent(due);
        }
        self.witness(record, now);
        match place {
            BeatPlace::Inside => {
                let before = record.behind.map_or(0, |behind| behind.ran);
                let ran = before.saturating_add(self.unclaimed(now.alive).as_secs());
                record.behind = Some(Behind { ran, at: now.at });
                self.claimed = Some(now.alive);
                return Beat::Write;
            }
            BeatPlace::Continues(index) => go_on(record, index, now.at),
            BeatPlace::Empty => {
                let (from, to) = (now.at, now.at);
                record.intervals.push(Interval { from, to, began: Began::First, ran: 0, moved: false });
            }
            BeatPlace::Outside(index) => self.open(record, index, since, now, moved),
        }
        (self.placed, self.waiting, self.claimed) = (Some(now), None, None);
        record.tidy();
        Beat::Write
    }

    /// Opens a new interval at the moment since which the clock is steady.
    fn open(&self, record: &mut Record, index: usize, since: Sight, now: Sight, moved: bool) {
        let is_last = index == record.intervals.len();
        let before = index.checked_sub(1).and_then(|index| record.intervals.get(index));
        let from = since.at.min(now.at);
        let gap = before.map_or(SignedDuration::ZERO, |before| later(from, before.to)).max(SignedDuration::ZERO);
        let behind = if is_last { record.behind.take().map_or(0, |behind| behind.ran) } else { 0 };
        let ran = behind.saturating_add(self.unclaimed(since.alive).as_secs()).min(gap.as_secs());
        let began = if self.placed.is_some() { Began::Resumed } else { Began::Restart };
        // A later interval was there first: between it and us somebody's clock was wrong.
        if let Some(after) = record.intervals.get_mut(index) {
            (after.moved, after.ran) = (true, 0);
            if after.began == Began::First {
                after.began = Began::Restart;
            }
        }
        record.intervals.insert(index, Interval { from, to: now.at, began, ran, moved });
    }

    /// Corrects gaps that other guards wrote while we were running: a gap longer than our own running time shows a
    /// moved clock, and through any other gap we ran. Returns whether anything was corrected.
    fn witness(&self, record: &mut Record, now: Sight) -> bool {
        let Some(placed) = self.placed else { return false };
        let counted = now.alive.saturating_sub(placed.alive);
        let mut corrected = false;
        let mut before: Option<Timestamp> = None;
        for interval in &mut record.intervals {
            let from = before.replace(interval.to).filter(|to| later(placed.at, *to) <= SLACK);
            let Some(from) = from.filter(|_| !interval.moved) else { continue };
            let gap = later(interval.from, from);
            if gap.saturating_sub(counted) > SLACK {
                interval.moved = true;
                corrected = true;
            } else if gap.as_secs() > interval.ran {
                interval.ran = gap.as_secs();
                corrected = true;
            }
        }
        corrected
    }

    /// Our running time until `alive` that the record does not count yet.
    fn unclaimed(&self, alive: SignedDuration) -> SignedDuration {
        let placed = self.placed.map_or(SignedDuration::ZERO, |placed| placed.alive);
        alive.saturating_sub(self.claimed.unwrap_or(placed).max(placed)).max(SignedDuration::ZERO)
    }
}

impl Sight {
    /// Whether the API server's clock and ours show the same time between two sights.
    fn agrees(self, later_one: Sight) -> bool {
        let (theirs, ours) = (later(later_one.at, self.at), later_one.alive.saturating_sub(self.alive));
        theirs.saturating_sub(ours).abs() <= JUMP
    }
}

fn go_on(record: &mut Record, index: usize, at: Timestamp) {
    let is_last = index + 1 == record.intervals.len();
    if let Some(interval) = record.intervals.get_mut(index) {
        interval.to = interval.to.max(at);
        interval.from = interval.from.min(at);
    }
    if is_last {
        record.behind = None;
    }
    // Another guard wrote the next interval before this time came, so it was in the future.
    if let Some(next) = record.intervals.get_mut(index + 1) {
        next.moved = true;
    }
}

/// The time until the next write, unless it is due now.
fn due(record: &Record, place: BeatPlace, now: Timestamp, every: SignedDuration) -> Option<SignedDuration> {
    let written = match place {
        BeatPlace::Continues(index) => record.intervals.get(index)?.to,
        BeatPlace::Inside => record.behind?.at,
        BeatPlace::Empty | BeatPlace::Outside(_) => return None,
    };
    let passed = later(now, written);
    let recent = if matches!(place, BeatPlace::Inside) { passed.abs() < every } else { passed < every };
    recent.then(|| every.saturating_sub(passed.max(SignedDuration::ZERO)))
}

/// The time for which the clock must have been steady before a gap is opened or a moved clock is followed: long enough
/// for time synchronisation after a boot.
pub const HOLD: SignedDuration = SignedDuration::from_hours(1);

/// The largest lasting difference between clocks. Several API servers may answer in turn, each with its own clock.
const JUMP: SignedDuration = SignedDuration::from_mins(30);
