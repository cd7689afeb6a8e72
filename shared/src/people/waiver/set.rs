//! Waivers in a set: the status of each at a moment, with the uniqueness of names.

use jiff::Timestamp;

use super::{Invalid, Waiver};

/// The status of a single waiver at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaiverStatus {
    /// It counts.
    Valid,
    /// It has not begun.
    NotYet,
    /// It is over.
    Expired,
    /// It breaks terms, and never counted.
    Invalid(Vec<Invalid>),
}

impl WaiverStatus {
    /// The word JSON carries.
    pub fn as_str(&self) -> &'static str {
        match self {
            WaiverStatus::Valid => "valid",
            WaiverStatus::NotYet => "not-yet",
            WaiverStatus::Expired => "expired",
            WaiverStatus::Invalid(_) => "invalid",
        }
    }
}

/// The status of a waiver at `now`. Terms come before time: a waiver that breaks a term never counted.
pub fn status(waiver: &Waiver, now: Timestamp) -> WaiverStatus {
    status_with(waiver.problems(), waiver, now)
}

/// Every waiver of a set, with the terms that it breaks, unique names included.
pub fn all_problems(waivers: &[Waiver]) -> impl Iterator<Item = (&Waiver, Vec<Invalid>)> {
    waivers.iter().map(|waiver| (waiver, problems_among(waiver, waivers)))
}

/// Splits `more` into the waivers that break no term beside `known`, and the others with the terms that they break. The
/// waivers in `known` count whatever `more` contains.
pub fn split_valid(known: &[Waiver], more: Vec<Waiver>) -> (Vec<Waiver>, Vec<(Waiver, Vec<Invalid>)>) {
    let of = |waiver: &Waiver| {
        let mut problems = problems_among(waiver, &more);
        if known.iter().any(|own| own.name == waiver.name) {
            problems.push(Invalid::NameTaken);
        }
        problems
    };
    let problems: Vec<Vec<Invalid>> = more.iter().map(of).collect();
    let (valid, invalid): (Vec<_>, Vec<_>) =
        more.into_iter().zip(problems).partition(|(_, problems)| problems.is_empty());
    (valid.into_iter().map(|(waiver, _)| waiver).collect(), invalid)
}

/// The waivers of a set that count at `now`.
pub fn in_force(waivers: &[Waiver], now: Timestamp) -> impl Iterator<Item = &Waiver> {
    waivers.iter().filter(move |waiver| counts(waiver, waivers, now))
}

fn counts(waiver: &Waiver, among: &[Waiver], now: Timestamp) -> bool {
    waiver.is_current(now) && problems_among(waiver, among).is_empty()
}

pub(crate) fn problems_among(waiver: &Waiver, among: &[Waiver]) -> Vec<Invalid> {
    let mut problems = waiver.problems();
    if among.iter().filter(|other| other.name == waiver.name).nth(1).is_some() {
        problems.push(Invalid::SameName);
    }
    problems
}

pub(crate) fn status_with(problems: Vec<Invalid>, waiver: &Waiver, now: Timestamp) -> WaiverStatus {
    if !problems.is_empty() {
        WaiverStatus::Invalid(problems)
    } else if waiver.is_over(now) {
        WaiverStatus::Expired
    } else if waiver.is_current(now) {
        WaiverStatus::Valid
    } else {
        WaiverStatus::NotYet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::waiver::samples::{NOVEMBER, finding, shown_on, time, waiver};

    #[test]
    fn terms_come_before_time() {
        let mut own = waiver();
        assert_eq!(status(&own, time("2026-10-31T23:59:59Z")), WaiverStatus::NotYet);
        assert_eq!(status(&own, time("2026-11-01T00:00:00Z")), WaiverStatus::Valid);
        assert_eq!(status(&own, time("2026-11-28T23:59:59Z")), WaiverStatus::Valid);
        assert_eq!(status(&own, time("2026-11-29T00:00:00Z")), WaiverStatus::Expired);
        own.ticket = None;
        assert_eq!(
            status(&own, time("2027-11-29T00:00:00Z")),
            WaiverStatus::Invalid(vec![Invalid::NoTicket("AA303".to_owned())])
        );
    }

    #[test]
    fn two_of_one_name_both_do_not_count() {
        let found = finding("log-agent", "u1", None);
        let other = Waiver { reason: "another".to_owned(), ..waiver() };
        let two = [waiver(), other];
        assert_eq!(shown_on(&found, &two, NOVEMBER), None);
        assert!(all_problems(&two).all(|(_, problems)| problems == [Invalid::SameName]));
        assert_eq!(in_force(&two, time(NOVEMBER)).count(), 0);
        assert_eq!(in_force(&two[..1], time(NOVEMBER)).count(), 1);
    }

    #[test]
    fn known_waivers_count_whatever_is_added() {
        let named = |name: &str| Waiver { name: name.to_owned(), ..waiver() };
        let known = [named("a"), named("b")];
        let more = vec![named("c"), named("b"), named("d"), named("d"), Waiver { ticket: None, ..named("a") }];
        let (valid, invalid) = split_valid(&known, more);
        assert_eq!(valid, [named("c")]);
        let said: Vec<(&str, &[Invalid])> =
            invalid.iter().map(|(waiver, problems)| (&*waiver.name, &**problems)).collect();
        let no_ticket = Invalid::NoTicket("AA303".to_owned());
        let expected: [(&str, &[Invalid]); 4] = [
            ("b", &[Invalid::NameTaken]),
            ("d", &[Invalid::SameName]),
            ("d", &[Invalid::SameName]),
            ("a", &[no_ticket, Invalid::NameTaken]),
        ];
        assert_eq!(said, expected);
        let joined: Vec<Waiver> = known.into_iter().chain(valid).collect();
        assert_eq!(in_force(&joined, time(NOVEMBER)).count(), 3);
    }
}
