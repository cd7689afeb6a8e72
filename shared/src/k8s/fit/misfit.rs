//! The reason why an object does not fit its kind.

use std::fmt;

use super::shape::Shape;

/// The reason why an object does not fit its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The object names another type.
    Type(String),
    /// A field has another shape.
    Field {
        /// The path of the field.
        path: String,
        /// The expected shape: `a list`.
        expected: &'static str,
    },
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Type(found) => write!(f, "the object is a {found}"),
            Misfit::Field { path, expected } => write!(f, "{path} is not {expected}"),
        }
    }
}

impl Misfit {
    /// The value at hand has not this shape.
    pub(super) fn of(shape: &Shape) -> Self {
        let expected = match shape {
            Shape::Any => "JSON",
            Shape::Flag => "true or false",
            Shape::Number => "a number",
            Shape::Amount => "a number or a string",
            Shape::Text => "a string",
            Shape::Bytes => "bytes in base64",
            Shape::Time => "a time",
            Shape::List(_) => "a list",
            Shape::Map(_) | Shape::Fields(_) => "a map",
            Shape::Nested => "a set of fields",
        };
        Misfit::Field { path: String::new(), expected }
    }

    /// The same misfit, of the field `name` of a value.
    pub(super) fn below(self, name: &str) -> Self {
        match self {
            Misfit::Field { path, expected } if path.is_empty() || path.starts_with('[') => {
                Misfit::Field { path: format!("{name}{path}"), expected }
            }
            Misfit::Field { path, expected } => Misfit::Field { path: format!("{name}.{path}"), expected },
            other @ Misfit::Type(_) => other,
        }
    }

    /// The same misfit, of an item of a list.
    pub(super) fn below_item(self, at: usize) -> Self {
        match self {
            Misfit::Field { path, expected } if path.is_empty() => Misfit::Field { path: format!("[{at}]"), expected },
            Misfit::Field { path, expected } => Misfit::Field { path: format!("[{at}].{path}"), expected },
            other @ Misfit::Type(_) => other,
        }
    }
}
