//! Signs that a node is the platform's.

use crate::data::Data;
use crate::facts::inventory::NodeFact;

/// Every sign that a node is the platform's. One is enough: the node is then not reported as foreign.
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
