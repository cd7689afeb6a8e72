use super::life::{Beat, HOLD, Sight, SteadyClock};
use super::*;

const EVERY: SignedDuration = SignedDuration::from_mins(10);
const DAY: i64 = 24 * 60;
const THRESHOLD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The moment so many minutes after a fixed day.
fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

/// A guard process in a world whose clock may be wrong.
struct Guard {
    life: SteadyClock,
    started: i64,
}

impl Guard {
    fn started(at: i64) -> Self {
        Guard { life: SteadyClock::default(), started: at }
    }

    /// A beat at the true minute `now`, while the API server's clock is wrong by `wrong` minutes.
    fn beat(&mut self, record: &mut Record, now: i64, wrong: i64) -> Beat {
        let sight = Sight { at: minute(now + wrong), alive: SignedDuration::from_mins(now - self.started) };
        let beat = self.life.beat(record, sight, EVERY);
        // A written record can always be read and says the same. Checking that for every beat would take most of the
        // test's time.
        if beat == Beat::Write && now % 490 == 0 {
            assert_eq!(Record::parse(&record.text()).as_ref(), Ok(&*record));
        }
        beat
    }

    fn run(&mut self, record: &mut Record, minutes: std::ops::Range<i64>, wrong: i64) {
        for now in minutes.step_by(10) {
            let _ = self.beat(record, now, wrong);
        }
    }
}

fn spans(record: &Record) -> Vec<(i64, i64)> {
    let minutes = |at: Timestamp| (at.as_second() - 1_800_000_000) / 60;
    record.intervals().iter().map(|interval| (minutes(interval.from), minutes(interval.to))).collect()
}

fn meanings(record: &Record, now: i64) -> Vec<Meaning> {
    record.gaps(minute(now)).into_iter().map(|gap| gap.meaning).collect()
}

#[test]
fn steady_beats_are_one_interval_and_no_gap() {
    let (mut record, mut guard) = (Record::default(), Guard::started(0));
    guard.run(&mut record, 0..5 * DAY, 0);
    assert_eq!(spans(&record), [(0, 5 * DAY - 10)]);
    assert_eq!(record.gaps(minute(5 * DAY)), []);
    assert_eq!(record.covers(minute(5 * DAY)), Some((minute(0), minute(5 * DAY - 10))));
}

#[test]
fn a_second_replica_writes_only_when_the_first_has_not() {
    let mut record = Record::default();
    let (mut one, mut two) = (Guard::started(0), Guard::started(0));
    let mut writes = 0;
    for now in (0..DAY).step_by(5) {
        let guard = if now % 10 == 0 { &mut one } else { &mut two };
        match guard.beat(&mut record, now, 0) {
            Beat::Write => writes += 1,
            Beat::Recent(due) => assert_eq!(due, SignedDuration::from_mins(5)),
            Beat::Held => panic!("held at {now}"),
        }
    }
    assert_eq!(writes, DAY / 10);
    // The first is gone: the second carries on, and nothing shows.
    two.run(&mut record, DAY..2 * DAY, 0);
    assert_eq!(spans(&record), [(0, 2 * DAY - 10)]);
}

#[test]
fn a_restart_within_the_slack_is_no_gap() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..DAY, 0);
    Guard::started(DAY + 170).run(&mut record, DAY + 170..2 * DAY, 0);
    assert_eq!(record.intervals().len(), 1);
}

#[test]
fn a_long_stop_counts_and_is_found_an_hour_after_the_restart() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..DAY, 0);
    let back = 41 * DAY;
    assert_eq!(meanings(&record, back), [Meaning::StillOpen]);
    let mut guard = Guard::started(back);
    for now in (back..back + 60).step_by(10) {
        assert_eq!(guard.beat(&mut record, now, 0), Beat::Held);
    }
    guard.run(&mut record, back + 60..back + DAY, 0);
    assert_eq!(spans(&record), [(0, DAY - 10), (back, back + DAY - 10)]);
    let stops = record.stops_longer_than(THRESHOLD, minute(back + DAY));
    assert_eq!(stops.len(), 1);
    assert_eq!(
        stops[0].evidence(),
        "no guard saw the cluster from 2027-01-16T07:50:00Z to 2027-02-25T08:00:00Z, 40 days; \
         a guard that had just started then found it"
    );
    assert_eq!(record.stops_longer_than(SignedDuration::from_hours(41 * 24), minute(back + DAY)), []);
}

#[test]
fn a_guard_that_ran_but_could_not_write_explains_its_gap() {
    // It saw the cluster before.
    let (mut record, mut guard) = (Record::default(), Guard::started(0));
    guard.run(&mut record, 0..DAY, 0);
    guard.run(&mut record, 41 * DAY..42 * DAY, 0);
    assert_eq!(meanings(&record, 42 * DAY), [Meaning::GuardRan]);
    // It started in the middle and got through to nobody until the end.
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..DAY, 0);
    Guard::started(35 * DAY).run(&mut record, 80 * DAY..81 * DAY, 0);
    let gap = &record.gaps(minute(81 * DAY))[0];
    assert_eq!((gap.unseen().as_hours() / 24, gap.counts()), (34, true));
    assert!(gap.evidence().ends_with("for 45 days of it a guard is known to have run"), "{}", gap.evidence());
}

#[test]
fn a_clock_that_jumps_ahead_and_back_leaves_no_gap_that_counts() {
    for wrong in [2 * 60, 5 * 60, 40 * DAY, 400 * DAY] {
        for minutes in [30, 55, 65, 5 * 60, 3 * DAY] {
            let (mut record, mut guard) = (Record::default(), Guard::started(0));
            guard.run(&mut record, 0..DAY, 0);
            guard.run(&mut record, DAY..DAY + minutes, wrong);
            guard.run(&mut record, DAY + minutes..60 * DAY, 0);
            let what = format!("{wrong} for {minutes}: {:?}", spans(&record));
            assert!(record.gaps(minute(60 * DAY)).iter().all(|gap| !gap.counts()), "{what}");
            assert!(later(minute(60 * DAY), record.intervals().last().unwrap().to) <= EVERY, "{what}");
            if minutes < 60 {
                assert_eq!(record.intervals().len(), 1, "{what}");
            }
        }
    }
}

#[test]
fn a_clock_that_jumps_ahead_and_stays_is_followed_and_its_gap_never_counts() {
    let (mut record, mut guard) = (Record::default(), Guard::started(0));
    guard.run(&mut record, 0..DAY, 0);
    guard.run(&mut record, DAY..3 * DAY, 40 * DAY);
    assert_eq!(spans(&record), [(0, DAY - 10), (41 * DAY, 43 * DAY - 10)]);
    assert_eq!(meanings(&record, 43 * DAY), [Meaning::ClockMoved]);
    // The covered period begins anew.
    assert_eq!(record.covers(minute(43 * DAY)).unwrap().0, minute(41 * DAY));
}

#[test]
fn a_clock_that_jumps_back_damages_nothing() {
    for wrong in [-60, -5 * 60, -40 * DAY, -4000 * DAY] {
        for minutes in [30, 5 * 60, 35 * DAY] {
            // In the same process, and in one that starts with the wrong clock and lives on.
            for restarted in [false, true] {
                let (mut record, mut guard) = (Record::default(), Guard::started(0));
                guard.run(&mut record, 0..50 * DAY, 0);
                if restarted {
                    guard = Guard::started(50 * DAY);
                }
                guard.run(&mut record, 50 * DAY..50 * DAY + minutes, wrong);
                guard.run(&mut record, 50 * DAY + minutes..100 * DAY, 0);
                let what = format!("{wrong} for {minutes}, {restarted}: {:?}", spans(&record));
                assert_eq!(record.stops_longer_than(SignedDuration::from_hours(24), minute(100 * DAY)), [], "{what}");
                assert_eq!(*spans(&record).last().unwrap(), (spans(&record).last().unwrap().0, 100 * DAY - 10));
                assert!(spans(&record).iter().any(|(from, to)| *from <= 0 && *to >= 50 * DAY - 10), "{what}");
            }
        }
    }
}

#[test]
fn running_behind_the_record_is_remembered_across_a_restart() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..50 * DAY, 0);
    // 35 days with a clock that is 40 days behind; it is set right while the guard restarts.
    Guard::started(50 * DAY).run(&mut record, 50 * DAY..85 * DAY, -40 * DAY);
    assert_eq!(record.intervals().len(), 1);
    Guard::started(85 * DAY).run(&mut record, 85 * DAY..86 * DAY, 0);
    assert_eq!(meanings(&record, 86 * DAY), [Meaning::GuardRan]);
}

#[test]
fn a_first_beat_from_the_future_does_not_silence_the_true_ones() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..10, 2000 * DAY);
    Guard::started(20).run(&mut record, 20..90 * DAY - 10, 0);
    assert_eq!(spans(&record), [(20, 90 * DAY - 20), (2000 * DAY, 2000 * DAY)]);
    assert_eq!(meanings(&record, 90 * DAY), [Meaning::EndsInTheFuture]);
    assert_eq!(meanings(&record, 2100 * DAY)[0], Meaning::ClockMoved);
    assert_eq!(record.covers(minute(90 * DAY)), Some((minute(20), minute(90 * DAY - 20))));
    assert_eq!(record.covers(minute(0)).map(|(from, _)| from), Some(minute(20)));
    assert_eq!(record.covers(minute(-DAY)), None);
}

#[test]
fn a_boot_with_a_wrong_clock_that_is_soon_set_right_hides_no_stop() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..DAY, 0);
    let mut guard = Guard::started(50 * DAY);
    guard.run(&mut record, 50 * DAY..50 * DAY + 30, -4000 * DAY);
    guard.run(&mut record, 50 * DAY + 30..51 * DAY, 0);
    assert_eq!(record.stops_longer_than(THRESHOLD, minute(51 * DAY)).len(), 1);
    assert_eq!(record.intervals().len(), 2);
}

#[test]
fn a_replica_that_lived_on_corrects_what_a_restarted_one_believed() {
    let mut record = Record::default();
    let (mut one, mut two) = (Guard::started(0), Guard::started(DAY));
    one.run(&mut record, 0..DAY, 0);
    // The clock jumps 40 days while the second starts; it can't know.
    two.run(&mut record, DAY..DAY + 70, 40 * DAY);
    assert_eq!(meanings(&record, 41 * DAY + 80), [Meaning::Unseen(Began::Restart)]);
    // The first replica does, at its next write.
    one.run(&mut record, DAY + 80..DAY + 200, 40 * DAY);
    assert_eq!(meanings(&record, 41 * DAY + 200), [Meaning::ClockMoved]);
}

#[test]
fn the_record_stays_small_and_says_what_it_gave_up() {
    let mut record = Record::default();
    let (mut at, mut restarts) = (0, 0);
    // Every restart loses half a day, and every fiftieth forty.
    while restarts < 1000 {
        Guard::started(at).run(&mut record, at..at + 120, 0);
        at += if restarts % 50 == 0 { 40 * DAY } else { DAY / 2 };
        restarts += 1;
    }
    assert_eq!(record.intervals().len(), MAX_INTERVALS);
    assert_eq!((record.joined(), record.dropped()), (1000 - 200, None));
    assert_eq!(record.stops_longer_than(THRESHOLD, minute(at)).len(), 20);
    assert!(record.text().len() < MAX_BYTES / 2, "{}", record.text().len());
    // No short gap is left to join, so the oldest interval goes.
    let mut record = Record::default();
    for restart in 0..300 {
        Guard::started(restart * 31 * DAY).run(&mut record, restart * 31 * DAY..restart * 31 * DAY + 120, 0);
    }
    assert_eq!((record.intervals().len(), record.joined()), (MAX_INTERVALS, 0));
    let dropped = record.dropped().unwrap();
    assert_eq!((dropped.count, dropped.until), (100, minute(99 * 31 * DAY + 110)));
    assert_eq!(record.covers(minute(300 * 31 * DAY)).unwrap().0, minute(100 * 31 * DAY));
    assert!(record.text().len() < MAX_BYTES / 2, "{}", record.text().len());
}

#[test]
fn the_text_is_what_a_person_can_read() {
    let mut record = Record::default();
    Guard::started(0).run(&mut record, 0..60, 0);
    insta::assert_snapshot!(record.text(), @r#"{"version":1,"intervals":[{"from":"2027-01-15T08:00:00Z","to":"2027-01-15T08:50:00Z","began":"first"}]}"#);
    assert_eq!(Record::parse(""), Ok(Record::default()));
    assert_eq!(Record::parse(" \n"), Ok(Record::default()));
}

#[test]
fn a_text_that_is_no_record_is_refused_with_its_reason() {
    let interval = |from: &str, to: &str, rest: &str| format!(r#"{{"from":"{from}","to":"{to}"{rest}}}"#);
    let record = |intervals: &[String]| format!(r#"{{"version":1,"intervals":[{}]}}"#, intervals.join(","));
    let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    let first = interval(early, late, r#","began":"first""#);
    assert!(Record::parse(&record(std::slice::from_ref(&first))).is_ok());
    let many: Vec<String> = vec![interval(early, early, r#","began":"restart""#); MAX_INTERVALS + 1];
    for (text, reason) in [
        ("7".to_owned(), "has no version"),
        (r#"{"a":1}"#.to_owned(), "has no version"),
        (r#"{"version":"1"}"#.to_owned(), "has no version"),
        (r#"{"version":2,"beats":[]}"#.to_owned(), "format version 2"),
        (r#"{"version":1}"#.to_owned(), "missing field"),
        (r#"{"version":1,"intervals":[],"more":1}"#.to_owned(), "unknown field"),
        ("heartbeat".to_owned(), "cannot be read"),
        (record(&[interval("yesterday", late, r#","began":"first""#)]), "cannot be read"),
        (record(&[interval(late, early, r#","began":"first""#)]), "ends before it begins"),
        (record(&[first.clone(), first.clone()]), "out of order"),
        (
            record(&[first.clone(), interval("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", r#","began":"first""#)]),
            "second first",
        ),
        (record(&[interval(early, late, r#","began":"first","ran":-1"#)]), "negative time"),
        (r#"{"version":1,"intervals":[],"behind":{"ran":-5,"at":"2026-01-01T00:00:00Z"}}"#.to_owned(), "negative time"),
        (record(&many), "at most 200"),
        ("x".repeat(MAX_BYTES + 1), "more than any guard writes"),
    ] {
        let error = Record::parse(&text).unwrap_err();
        assert!(error.to_string().contains(reason), "{text:.100}: {error}");
    }
    let whole = record(&[first]);
    for end in 1..whole.len() {
        assert!(matches!(Record::parse(&whole[..end]), Err(RecordError::Truncated(_))), "{}", &whole[..end]);
    }
}

#[test]
fn only_an_unreadable_record_is_replaced() {
    for (text, replaced) in [("{", true), ("heartbeat", true), (r#"{"version":2}"#, false), ("[]", false)] {
        let error = Record::parse(text).unwrap_err();
        assert_eq!(error.may_be_replaced(), replaced, "{text}");
    }
    let error = Record::parse("{").unwrap_err();
    let mut record = Record::in_place_of(&error, minute(0));
    Guard::started(0).run(&mut record, 0..60, 0);
    assert_eq!(record.lost().unwrap().at, minute(0));
    assert!(record.lost().unwrap().why.contains("in the middle"));
}

#[test]
fn extreme_times_never_panic() {
    let text = format!(
        r#"{{"version":1,"intervals":[{{"from":"{min}","to":"{min}","began":"first"}},
            {{"from":"{max}","to":"{max}","began":"restart","ran":{ran}}}],
            "joined":{big},"behind":{{"ran":{ran},"at":"{min}"}},"dropped":{{"count":{big},"until":"{min}"}}}}"#,
        min = Timestamp::MIN,
        max = Timestamp::MAX,
        ran = i64::MAX,
        big = u64::MAX,
    );
    for at in [Timestamp::MIN, Timestamp::UNIX_EPOCH, minute(0), Timestamp::MAX] {
        let mut record = Record::parse(&text).unwrap();
        let _ = (record.gaps(at), record.covers(at), record.stops_longer_than(THRESHOLD, at));
        let mut life = SteadyClock::default();
        for alive in [SignedDuration::ZERO, HOLD, SignedDuration::MAX] {
            let _ = life.beat(&mut record, Sight { at, alive }, EVERY);
        }
        let gaps = record.gaps(at);
        assert!(gaps.iter().all(|gap| !gap.evidence().is_empty()));
    }
}

/// A cluster that never stops, with replicas that restart at any time and a clock that is wrong for days, by any
/// amount.
#[test]
fn no_run_of_a_cluster_that_never_stopped_holds_a_long_gap() {
    for seed in 0..30 {
        let mut dice = Dice(seed);
        let mut record = Record::default();
        let mut guards = [Guard::started(0), Guard::started(0)];
        let (mut wrong, mut until) = (0, 0);
        let end = 150 * DAY;
        for now in (0..end).step_by(20) {
            if now >= until {
                // Five days wrong at most, then right for a day at least, at both ends.
                (wrong, until) = if wrong == 0 && (DAY..end - 10 * DAY).contains(&now) && dice.roll(3) == 0 {
                    (dice.roll(200 * DAY) - 100 * DAY, now + dice.roll(5 * DAY))
                } else {
                    (0, now + DAY + dice.roll(4 * DAY))
                };
            }
            for guard in &mut guards {
                if dice.roll(400) == 0 {
                    *guard = Guard::started(now);
                }
                // One of its requests fails now and then.
                if dice.roll(10) > 0 {
                    let _ = guard.beat(&mut record, now, wrong + dice.roll(3));
                }
            }
        }
        let stops = record.stops_longer_than(SignedDuration::from_hours(10 * 24), minute(end));
        assert_eq!(stops, [], "seed {seed}: {record:#?}");
        assert!(later(minute(end), record.covers(minute(end)).unwrap().1) < SLACK, "seed {seed}");
    }
}

/// A small random number generator with a fixed seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % below
    }
}
