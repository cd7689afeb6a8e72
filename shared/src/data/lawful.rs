//! What users may create or touch among managed objects.

use serde::Deserialize;

/// Objects users may create or touch among managed ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lawful {
    /// Kinds that never count.
    pub always: Vec<String>,
    /// Objects.
    pub objects: Vec<LawfulObject>,
}

/// An object users may create or touch.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LawfulObject {
    /// Kind.
    pub kind: String,
    /// Namespace.
    pub namespace: String,
    /// Exact name; or `prefix`.
    #[serde(default)]
    pub name: Option<String>,
    /// How its name begins.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Why it is lawful.
    #[serde(default)]
    pub why: String,
    /// Where it is written.
    #[serde(default)]
    pub source: String,
}

impl Lawful {
    /// Whether an object is lawful.
    pub fn covers(&self, kind: &str, namespace: &str, name: &str) -> bool {
        self.always.iter().any(|own| own == kind)
            || self.objects.iter().any(|row| {
                row.kind == kind
                    && row.namespace == namespace
                    && match (&row.name, &row.prefix) {
                        (Some(own), _) => own == name,
                        (None, Some(prefix)) => name.starts_with(&**prefix),
                        (None, None) => false,
                    }
            })
    }
}
