//! The signs that a node is the platform's.

use crate::data::Data;
use crate::facts::inventory::NodeFact;

/// Every sign that a node is the platform's; one is enough not to accuse.
pub(crate) fn platform_signs(node: &NodeFact, data: &Data) -> Vec<&'static str> {
    let mut signs = Vec::new();
    if node.is_moc(data) {
        signs.push("providerID");
    }
    if node.pool_label.is_some() {
        signs.push("pool label");
    }
    if node.machine {
        signs.push("Cluster API machine");
    }
    if node.name.starts_with(&*data.products.node_name_prefix) {
        signs.push("name");
    }
    signs
}
