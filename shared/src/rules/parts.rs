//! Functions and types that several rules share.

pub(crate) mod add_ons;
pub(crate) mod attested;
pub(crate) mod changed;
pub(crate) mod cluster_api;
pub(crate) mod components;
pub(crate) mod differences;
pub(crate) mod effect;
pub(crate) mod egress;
pub(crate) mod foreign;
pub(crate) mod forged;
pub(crate) mod health;
pub(crate) mod installed;
pub(crate) mod names;
pub(crate) mod network_policy;
pub(crate) mod network_software;
pub(crate) mod node_metadata;
pub(crate) mod node_power;
pub(crate) mod platform_signs;
pub(crate) mod pools;
pub(crate) mod put_back;
pub(crate) mod rest;
pub(crate) mod system_namespace;
pub(crate) mod third_party;
pub(crate) mod version_table;
pub(crate) mod ways;
pub(crate) mod written;
