//! What Arc extensions bring: `data/extensions.yaml`.

use jiff::civil::Date;
use serde::Deserialize;

/// What Arc extensions of one type bring.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// `spec.extensionType`, in lower case.
    #[serde(rename = "type")]
    pub name: String,
    /// The namespaces their release lives in, unless the installer chose another.
    pub namespaces: Vec<String>,
    /// Ids of products among third-party software that they ship.
    #[serde(default)]
    pub products: Vec<String>,
    /// Whether they put parts of themselves into pods of all namespaces.
    #[serde(default)]
    pub everywhere: bool,
    /// How well it is known.
    pub confidence: super::confidence::Confidence,
    /// Where it is written.
    pub source: String,
    /// When it was last looked up.
    pub checked: Date,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::data::embedded;

    #[test]
    fn a_type_has_one_row_and_is_written_as_it_is_compared() {
        let mut types = BTreeSet::new();
        for row in embedded().extensions.iter() {
            assert!(types.insert(&row.name), "{} is there twice", row.name);
            assert_eq!(row.name, row.name.to_lowercase());
        }
    }
}
