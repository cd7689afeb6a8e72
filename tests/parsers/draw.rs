//! The texts that are drawn, and the number of draws.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Tries a property on `cases` values. They are the same in every run, so that no run fails for what another has not
/// seen.
pub(crate) fn each<S: Strategy>(cases: u32, drawn: S, holds: impl Fn(S::Value)) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config { cases, failure_persistence: None, ..Config::default() }, rng);
    let held = runner.run(&drawn, |value| {
        holds(value);
        Ok(())
    });
    if let Err(failed) = held {
        panic!("{failed}");
    }
}

/// Any text, and mangled forms of good ones.
pub(crate) fn texts(good: &'static [&'static str]) -> impl Strategy<Value = String> {
    let mangled = prop::sample::select(good).prop_flat_map(mangled);
    prop_oneof![1 => "\\PC{0,40}", 1 => any::<String>(), 6 => mangled]
}

/// A good text after up to four mishaps.
pub(crate) fn mangled(good: &str) -> impl Strategy<Value = String> + use<> {
    let good = good.to_owned();
    let piece = prop_oneof![
        4 => "[ -~\n]{0,3}",
        1 => any::<char>().prop_map(String::from),
        1 => prop::sample::select(vec!["99999999999999999999", "-1", "null", "[[[[", "{", "\"", "\\u0000", ": ", "\t", "&a *a", "é"])
            .prop_map(str::to_owned),
    ];
    let mishap = (any::<prop::sample::Index>(), 0..6_usize, piece);
    prop::collection::vec(mishap, 0..4).prop_map(move |mishaps| {
        mishaps.into_iter().fold(good.clone(), |text, (at, length, piece)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len() + 1);
            let (head, rest) = chars.split_at(at);
            head.iter().copied().chain(piece.chars()).chain(rest.iter().skip(length).copied()).collect()
        })
    })
}

/// Words as people write them in a file: anything that can be printed.
pub(crate) fn printed() -> impl Strategy<Value = String> {
    "\\PC{1,24}"
}
