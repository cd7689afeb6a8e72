//! Kubernetes objects and their kinds, and the parsers that read them.

pub mod certificate;
pub mod fit;
pub mod image;
pub mod kinds;
pub mod node;
pub mod object;
pub mod pod;
pub mod quantity;
pub mod read;
pub(crate) mod selector;
pub mod text;
pub mod user;
pub mod version;
