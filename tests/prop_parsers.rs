//! The parsers: none panics, whatever it is given, and each reads back what was written for it.
//!
//! Texts are drawn in two ways: any at all, and a good one with some of its bytes cut out, doubled or replaced, which
//! gets further. Each parser has a round trip, or a second reader of the same text that it has to agree with.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failure")]

mod parsers {
    pub(crate) mod documents;
    pub(crate) mod draw;
    pub(crate) mod fields;
    pub(crate) mod shell;
    pub(crate) mod words;
}
