//! How well a fact is known.

use serde::Deserialize;

/// How well a fact is known. A fact that is only `Seen` never voids support on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Confidence {
    /// Documentation or code of Microsoft or the upstream project.
    Doc,
    /// Seen once, in a sample, an issue or a public copy of code.
    Seen,
    /// Our conclusion.
    Inferred,
}
