//! Input besides clusters: files, directories, archives and standard input.

pub mod config;
pub mod documents;
mod kustomize;
pub mod manifests;
pub mod places;
pub(crate) mod result;
pub(crate) mod settings;
pub(crate) mod waivers;
