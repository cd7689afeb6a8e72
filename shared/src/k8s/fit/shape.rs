//! The shapes that values of objects can have.

/// A shape of a value. `null` counts as an absent field everywhere, as for the API server.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything.
    Any,
    /// `true` or `false`.
    Flag,
    /// A number.
    Number,
    /// A number or a string, such as a port or a share.
    Amount,
    /// A string.
    Text,
    /// A string of bytes in base64.
    Bytes,
    /// A moment, RFC 3339.
    Time,
    /// A list of such values.
    List(&'static Shape),
    /// A map of such values, by any key.
    Map(&'static Shape),
    /// A map in which these fields have these shapes. Other fields are not checked.
    Fields(&'static [(&'static str, Shape)]),
    /// Maps in maps, without any other value.
    Nested,
}
