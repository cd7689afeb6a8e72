//! What several rules share.

pub(crate) mod across;
pub(crate) mod add_ons;
pub(crate) mod attested;
pub(crate) mod differences;
pub(crate) mod effect;
pub(crate) mod egress;
pub(crate) mod foreign;
pub(crate) mod health;
pub(crate) mod installed;
pub(crate) mod names;
pub(crate) mod network_policy;
pub(crate) mod node_metadata;
pub(crate) mod node_power;
pub(crate) mod pools;
pub(crate) mod put_back;
pub(crate) mod system_namespace;
pub(crate) mod third_party;
pub(crate) mod ways;
