//! The contents of Arc extensions: `data/extensions.yaml`.

use jiff::civil::Date;
use serde::Deserialize;

/// The contents of Arc extensions of one type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// `spec.extensionType`, in lower case.
    #[serde(rename = "type")]
    pub name: String,
    /// The namespaces of its Helm release, unless the installer chose another one.
    pub namespaces: Vec<String>,
    /// Ids of the third-party products that it ships.
    #[serde(default)]
    pub products: Vec<String>,
    /// Whether it injects parts of itself into pods of all namespaces.
    #[serde(default)]
    pub everywhere: bool,
    /// How well it is known.
    pub confidence: super::confidence::Confidence,
    /// The source.
    pub source: String,
    /// The day on which the source was last read.
    pub checked: Date,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::data::tables;

    #[test]
    fn a_type_has_one_row_and_is_written_as_it_is_compared() {
        let mut types = BTreeSet::new();
        for row in tables::extensions() {
            assert!(types.insert(&row.name), "{} is there twice", row.name);
            assert_eq!(row.name, row.name.to_lowercase());
        }
    }
}
