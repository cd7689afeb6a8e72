//! The id of a cluster's resource in Azure, as the Azure Arc agents keep it in the cluster.

use serde_json::Value;

use crate::data::Data;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::Object;
use crate::text;

/// The id of a cluster's resource in Azure, and the object that names it. Of several the surest comes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AzureResource {
    /// How sure the object is.
    sureness: Sureness,
    /// `/subscriptions/…/providers/Microsoft.Kubernetes/connectedClusters/…`.
    pub id: String,
    /// The object: `ConfigMap azure-arc/azure-clusterconfig`.
    pub source: String,
}

/// How sure it is that an object names the resource of the cluster, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sureness {
    /// The settings of the agents, whose keys are published.
    Settings,
    /// What the agents report on the cluster. The name of the field was seen, and is not published.
    Report,
    /// A request of an agent for an identity of the cluster.
    Request,
}

impl AzureResource {
    /// The resource that an object in a namespace of the agents names.
    pub(crate) fn of(object: &Object<'_>, kind: &Kind, data: &Data) -> Option<Self> {
        let meta = &object.meta;
        if !data.namespaces.is_arc(&meta.namespace) {
            return None;
        }
        let field = |part: &str, field: &str| Some(object.field::<Value>(part)?.get(field)?.as_str()?.to_owned());
        let (sureness, id) = if *kind == kinds::CONFIG_MAP && meta.name.as_str() == SETTINGS {
            (Sureness::Settings, composed(&object.field("data")?)?)
        } else if *kind == kinds::CONNECTED_CLUSTER {
            (Sureness::Report, field("spec", "azureResourceId")?)
        } else if *kind == kinds::ARC_IDENTITY_REQUEST {
            (Sureness::Request, field("spec", "resourceId")?)
        } else {
            return None;
        };
        let is_cluster = id.to_ascii_lowercase().contains(OF_CLUSTERS) && id.starts_with("/subscriptions/");
        let source = format!("{} {}/{}", kind.kind, meta.namespace.as_str(), meta.name.as_str());
        let line = |word: &str| text::line(word, MAX_ID);
        is_cluster.then(|| AzureResource { sureness, id: line(&id), source: line(&source) })
    }
}

/// The parts of a ConfigMap that name the resource.
pub const NAMING: [&str; 3] = ["AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZURE_RESOURCE_NAME"];

/// The ConfigMap with the settings of the agents.
pub const SETTINGS: &str = "azure-clusterconfig";

/// The id that the settings of the agents make together.
fn composed(settings: &Value) -> Option<String> {
    let [subscription, group, name] =
        NAMING.map(|key| settings.get(key).and_then(Value::as_str).filter(|word| !word.is_empty()));
    Some(format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Kubernetes/connectedClusters/{}",
        subscription?, group?, name?
    ))
}

/// What stands in the id of a cluster, in lower case: Azure does not distinguish cases.
const OF_CLUSTERS: &str = "/providers/microsoft.kubernetes/connectedclusters/";

/// The longest id. Azure's limits for its parts come to less than 300.
const MAX_ID: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    fn of(kind: &Kind, object: &serde_json::Value) -> Option<(String, String)> {
        let bytes = object.to_string();
        let object = crate::k8s::read::json::object(bytes.as_bytes()).unwrap();
        AzureResource::of(&object, kind, embedded()).map(|own| (own.id, own.source))
    }

    const ID: &str =
        "/subscriptions/1b2c/resourceGroups/contoso/providers/Microsoft.Kubernetes/connectedClusters/contoso-edge";

    #[test]
    fn the_agents_settings_report_and_requests_name_the_resource() {
        let meta = |name: &str| serde_json::json!({"name": name, "namespace": "azure-arc"});
        let settings = serde_json::json!({"metadata": meta(SETTINGS), "data": {
            "AZURE_SUBSCRIPTION_ID": "1b2c", "AZURE_RESOURCE_GROUP": "contoso", "AZURE_RESOURCE_NAME": "contoso-edge",
        }});
        let found = of(&kinds::CONFIG_MAP, &settings);
        assert_eq!(found, Some((ID.to_owned(), "ConfigMap azure-arc/azure-clusterconfig".to_owned())));
        let report = serde_json::json!({"metadata": meta("clustermetadata"), "spec": {"azureResourceId": ID}});
        let found = of(&kinds::CONNECTED_CLUSTER, &report);
        assert_eq!(found, Some((ID.to_owned(), "ConnectedCluster azure-arc/clustermetadata".to_owned())));
        let request =
            serde_json::json!({"metadata": meta("config-agent-identity-request"), "spec": {"resourceId": ID}});
        assert_eq!(of(&kinds::ARC_IDENTITY_REQUEST, &request).map(|(id, _)| id), Some(ID.to_owned()));
    }

    #[test]
    fn what_is_incomplete_or_elsewhere_or_no_cluster_names_none() {
        let map = |namespace: &str, name: &str, data: serde_json::Value| {
            let object = serde_json::json!({"metadata": {"name": name, "namespace": namespace}, "data": data});
            of(&kinds::CONFIG_MAP, &object)
        };
        let whole = serde_json::json!({
            "AZURE_SUBSCRIPTION_ID": "a", "AZURE_RESOURCE_GROUP": "b", "AZURE_RESOURCE_NAME": "c",
        });
        assert!(map("azure-arc", SETTINGS, whole.clone()).is_some());
        assert_eq!(map("azure-arc", "other", whole.clone()), None);
        assert_eq!(map("shop", SETTINGS, whole), None);
        assert_eq!(map("azure-arc", SETTINGS, serde_json::json!({"AZURE_RESOURCE_NAME": "c"})), None);
        let other = "/subscriptions/a/resourceGroups/b/providers/Microsoft.Compute/virtualMachines/c";
        let report = serde_json::json!({"metadata": {"name": "c", "namespace": "azure-arc"}, "spec": {"azureResourceId": other}});
        assert_eq!(of(&kinds::CONNECTED_CLUSTER, &report), None);
    }

    #[test]
    fn of_several_the_surest_counts() {
        let own = |sureness, id: &str| AzureResource { sureness, id: id.to_owned(), source: String::new() };
        let all = [own(Sureness::Request, "a"), own(Sureness::Settings, "c"), own(Sureness::Report, "b")];
        assert_eq!(all.into_iter().min().map(|own| own.id), Some("c".to_owned()));
    }
}
