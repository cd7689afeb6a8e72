//! What a value of an object can be.

/// What a value can be. `null` stands for an absent field everywhere, as for the API server.
#[derive(Debug)]
pub(super) enum Shape {
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
    /// A list of such.
    List(&'static Shape),
    /// A map of such by any key.
    Map(&'static Shape),
    /// A map in which these fields are such; others are not looked at.
    Fields(&'static [(&'static str, Shape)]),
    /// Maps in maps, and nothing else.
    Nested,
}
