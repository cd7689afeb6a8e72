//! Cluster API objects of AKS Arc.

use crate::data::Data;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;

/// Whether a Cluster API object is AKS Arc's: of a kind of its provider, or naming one. Users run Cluster API for other
/// clusters too.
pub(crate) fn is_aks_arc(object: &Object<'_>, kind: &Kind, data: &Data) -> bool {
    let prefix = &*data.capi_keys.provider_kind_prefix;
    kind.kind.starts_with(prefix) || object.raw("spec").is_some_and(|spec| spec.contains(&format!("\"{prefix}")))
}
