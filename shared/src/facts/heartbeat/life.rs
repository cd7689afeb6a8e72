//! What one guard process knows, from its start to its end, about the clock it reads.

use jiff::{SignedDuration, Timestamp};

use super::{BeatPlace, Began, Behind, Interval, Record, SLACK, later, whole};

/// One sight of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The API server's time.
    pub at: Timestamp,
    /// How long this process has run, by a steady clock that nobody sets.
    pub alive: SignedDuration,
}

/// What became of a sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Beat {
    /// The record changed and is to be written.
    Write,
    /// Somebody wrote less than an interval ago; the next write is due in this time.
    Recent(SignedDuration),
    /// The clock must be steady for a while before this is believed.
    Held,
}

/// The memory of one process. A caller that fails to write the record puts an earlier copy back.
#[derive(Clone, Debug, Default)]
pub struct SteadyClock {
    /// The sight before this one.
    last: Option<Sight>,
    /// Since when the clock is steady, while something waits for that.
    waiting: Option<Sight>,
    /// The last sight that is in the record, by us or as good as by us.
    placed: Option<Sight>,
    /// Up to where our running is in the record as running behind it.
    claimed: Option<SignedDuration>,
}

impl SteadyClock {
    /// Puts a sight into `record`, unless somebody wrote less than `every` ago.
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
            // What we know of a gap waits for our turn to write: `placed` stays where it is until then.
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

    /// A new interval, from where the clock became steady.
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

    /// Corrects gaps that others wrote while we were running: one longer than the time we counted is a moved clock, and
    /// through any other we ran. Answers whether there was something to correct.
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

    /// For how long, until `alive`, we ran without that being in the record.
    fn unclaimed(&self, alive: SignedDuration) -> SignedDuration {
        let placed = self.placed.map_or(SignedDuration::ZERO, |placed| placed.alive);
        alive.saturating_sub(self.claimed.unwrap_or(placed).max(placed)).max(SignedDuration::ZERO)
    }
}

impl Sight {
    /// Whether as much time passed between both by the API server's clock as by ours.
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
    // Somebody wrote the next one before this time came: from the future.
    if let Some(next) = record.intervals.get_mut(index + 1) {
        next.moved = true;
    }
}

/// When the next write is due, if not now.
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

/// How long the clock must have been steady before a gap is opened or a moved clock is followed: long enough for time
/// synchronisation after a boot.
pub const HOLD: SignedDuration = SignedDuration::from_hours(1);

/// Several API servers may answer in turn, each with its own clock, and nobody's are further apart than this for long.
const JUMP: SignedDuration = SignedDuration::from_mins(30);
