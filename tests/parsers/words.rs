//! Parsers of one word: quantities, images, durations, versions, moments, the ends of certificates, headers.

use std::time::Duration;

use aksarc_shared::jiff::civil::Date;
use aksarc_shared::jiff::{SignedDuration, Timestamp};
use aksarc_shared::k8s::certificate::Validity;
use aksarc_shared::k8s::version::Version;
use aksarc_shared::k8s::{image, quantity};
use aksarc_shared::moment::Moment;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, RETRY_AFTER, WARNING};
use kubectl_aksarc::api::Reply;
use kubectl_aksarc::cli::duration;
use proptest::prelude::*;

use super::draw::{each, texts};

/// Quick ones: a million would be seconds.
const CASES: u32 = 4_000;

#[test]
fn a_quantity_is_the_number_times_its_suffix() {
    const SUFFIXES: [(&str, f64); 15] = [
        ("", 1.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("e3", 1e3),
        ("E-2", 1e-2),
    ];
    each(CASES, (-1.0e6..1.0e6, prop::sample::select(&SUFFIXES[..])), |(number, (suffix, factor)): (f64, _)| {
        let read = quantity::parse(&format!("{number}{suffix}")).unwrap();
        assert!((read - number * factor).abs() <= (number * factor).abs() * 1e-9, "{number}{suffix} is {read}");
    });
    each(CASES, texts(&["3860m", "8138224Ki", "1.5Gi", "1e3", "-0.5E"]), |text| {
        if let Some(number) = quantity::parse(&text) {
            assert!(number.is_finite(), "{text:?} is {number}");
        }
    });
}

#[test]
fn an_image_is_taken_apart_into_what_it_was_made_of() {
    let name = "[a-z0-9][a-z0-9._-]{0,8}[a-z0-9]";
    let registry = prop::option::of(("[a-z][a-z0-9.-]{0,8}[a-z]", prop::option::of(1..65_535_u16)));
    let parts = prop::collection::vec(name, 1..4);
    let tag = prop::option::of("[A-Za-z0-9_][A-Za-z0-9._-]{0,12}");
    let digest = prop::option::of("[0-9a-f]{64}");
    each(CASES, (registry, parts, tag, digest), |(registry, parts, tag, digest)| {
        let registry = registry.map(|(host, port)| match port {
            Some(port) => format!("{host}:{port}/"),
            None => format!("{host}/"),
        });
        let path = parts.join("/");
        let repository = format!("{}{path}", registry.unwrap_or_default());
        let colon = tag.as_ref().map(|tag| format!(":{tag}")).unwrap_or_default();
        let image = format!("{repository}{colon}{}", digest.map(|hex| format!("@sha256:{hex}")).unwrap_or_default());
        assert_eq!((image::repository(&image), image::tag(&image)), (&*repository, tag.as_deref()), "{image}");
        assert!(image::is_of(&image, &path), "{image} is of {path}");
        assert!(!image::is_of(&image, &format!("x{path}")), "{image} is not of x{path}");
    });
    each(CASES, texts(&["quay.io/calico/node:v3.30.2@sha256:00", "localhost:5000/a/b:c"]), |text| {
        // Both are parts of the text, so neither can be longer than it.
        assert!(image::repository(&text).len() + image::tag(&text).map_or(0, str::len) <= text.len(), "{text:?}");
    });
}

#[test]
fn a_duration_is_the_sum_of_its_parts() {
    each(CASES, (0..100_u64, 0..100_u64, 0..100_u64, 0..1000_u64), |(hours, minutes, seconds, millis)| {
        let sum = Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
        let read = duration::parse(&format!("{hours}h{minutes}m{seconds}s{millis}ms")).unwrap();
        assert!(sum.is_zero() || read.duration() == sum, "{read:?} is not {sum:?}");
        assert_eq!(duration::parse(&format!("{seconds}")).ok(), duration::parse(&format!("{seconds}s")).ok());
    });
    each(CASES, texts(&["30s", "1m30s", "500ms", "1.5h", "7"]), |text| {
        // Whatever is read is what jiff reads, or plain seconds.
        if duration::parse(&text).is_ok() {
            let seconds = text.parse::<u32>().is_ok();
            assert!(seconds || text.parse::<SignedDuration>().is_ok_and(|own| !own.is_negative()), "{text:?}");
        }
    });
}

#[test]
fn a_version_is_read_back_with_whatever_stands_behind_it() {
    let drawn = (any::<u32>(), any::<u32>(), any::<u32>(), "(|[-+][0-9A-Za-z.-]{0,8})");
    each(CASES, drawn, |(major, minor, patch, rest)| {
        let version = Version { major, minor, patch };
        assert_eq!(Version::parse(&format!("v{version}{rest}")), Some(version));
        assert_eq!(Version::parse(&version.minor_text()), Some(Version { patch: 0, ..version }));
    });
    each(CASES, texts(&["v1.33.5", "1.30.0-rc.1+build", "1.33"]), |text| {
        if let Some(version) = Version::parse(&text) {
            assert_eq!(Version::parse(&version.to_string()), Some(version), "{text:?}");
        }
    });
}

#[test]
fn a_moment_is_read_back_and_a_day_is_its_first_second() {
    let seconds = Timestamp::MIN.as_second()..Timestamp::MAX.as_second();
    each(CASES, seconds, |second| {
        let moment = Timestamp::from_second(second).unwrap();
        assert_eq!(moment.to_string().parse(), Ok(Moment(moment)));
    });
    each(CASES, (0..=9999_i16, 1..=12_i8, 1..=28_i8), |(year, month, day)| {
        let date = Date::new(year, month, day).unwrap();
        let read: Moment = date.to_string().parse().unwrap();
        assert_eq!(read.0.to_string(), format!("{date}T00:00:00Z"));
    });
    each(CASES, texts(&["2026-12-31", "2026-12-31T10:00:00+02:00", "9999-12-31"]), |text| {
        if let Ok(moment) = text.parse::<Moment>() {
            assert_eq!(moment.0.to_string().parse(), Ok(moment), "{text:?}");
        }
    });
}

#[test]
fn the_validity_of_a_certificate_is_read_back_and_bytes_that_are_none_have_none() {
    each(CASES, texts(&["2026-06-01T00:00:00Z/2027-06-01T00:00:00Z", "2027-06-01T00:00:00Z"]), |text| {
        if let Some(validity) = Validity::parse(&text) {
            assert_eq!(Validity::parse(&validity.to_string()), Some(validity), "{text:?}");
        }
    });
    each(CASES, prop::collection::vec(any::<u8>(), 0..200), |bytes| {
        assert!(Validity::of(&bytes).unwrap_err().starts_with("cannot read it: "), "{bytes:?}");
    });
}

#[test]
fn a_busy_server_is_waited_for_as_long_as_it_asks_within_a_year() {
    let wait = |text: &str| {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_str(text).ok()?)]);
        Reply { headers, ..Reply::of(StatusCode::TOO_MANY_REQUESTS, ()) }.retry_after()
    };
    each(CASES, any::<u64>(), |seconds| {
        let year = 365 * 24 * 3600;
        let asked = Duration::from_secs(seconds.min(year));
        assert!(wait(&seconds.to_string()).is_some_and(|wait| wait == asked || seconds == 0), "{seconds}");
    });
    each(CASES, texts(&["120", " 7 ", "Wed, 21 Oct 2026 07:28:00 GMT"]), |text| {
        let is_header = HeaderValue::from_str(&text).is_ok();
        assert_eq!(wait(&text).is_some(), is_header && text.trim().parse::<u64>().is_ok(), "{text:?}");
    });
}

#[test]
fn a_warning_is_read_back_and_no_header_is_too_odd() {
    let warnings = |text: &str| {
        let headers = HeaderMap::from_iter([(WARNING, HeaderValue::from_str(text).ok()?)]);
        Some(Reply { headers, ..Reply::of(StatusCode::OK, ()) }.warnings())
    };
    each(CASES, "[ -~]{1,40}", |message| {
        let quoted = message.replace('\\', r"\\").replace('"', "\\\"");
        assert_eq!(warnings(&format!("299 - \"{quoted}\"")), Some(vec![message]));
    });
    each(CASES, texts(&["299 - \"a\", 299 agent \"b\\\"c\"", "299 -"]), |text| drop(warnings(&text)));
}
