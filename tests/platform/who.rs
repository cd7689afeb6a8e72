//! The identities of the table.

use std::collections::{BTreeSet, HashMap};

use aksarc_tests::{ControlPlane, Http, Identity};
use serde_json::json;

/// The clients of all identities, made once.
pub(crate) struct Who {
    clients: HashMap<String, Http>,
}

impl Who {
    /// Clients for these identities, with the rights that they need:
    /// - `cluster-api`: the certificate that the guard's configuration names,
    /// - `administrator`: another certificate of the same user and group,
    /// - `person`: a named user,
    /// - `kubelet:NODE`: with its own certificate,
    /// - `account:NAMESPACE/NAME`: a service account, impersonated,
    /// - `user:NAME`: a user without groups, impersonated.
    pub(crate) fn new<'w>(cluster: &ControlPlane, names: impl IntoIterator<Item = &'w str>) -> Self {
        let names: BTreeSet<&str> = names.into_iter().collect();
        let admin = cluster.http(&Identity::Admin).unwrap();
        let subjects: Vec<_> = names
            .iter()
            .filter_map(|name| {
                if let Some((namespace, name)) = name.strip_prefix("account:").and_then(|name| name.split_once('/')) {
                    return Some(json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}));
                }
                let user = name.strip_prefix("user:")?;
                Some(json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}))
            })
            .collect();
        // Rights are no part of what is proved here, and most of these programs may do anything anyway.
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "platform"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": subjects,
        });
        admin.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding).unwrap().object().unwrap();
        let client = |name: &&str| ((*name).to_owned(), client(cluster, &admin, name));
        Who { clients: names.iter().map(client).collect() }
    }

    /// Requests as an identity, from a program of this user agent.
    pub(crate) fn client(&self, name: &str, agent: &str) -> Http {
        self.clients[name].with_headers(&[("user-agent", agent)]).unwrap()
    }
}

fn client(cluster: &ControlPlane, admin: &Http, name: &str) -> Http {
    let own = |identity: &Identity| cluster.http(identity).unwrap();
    match name.split_once(':') {
        None if name == "cluster-api" => own(&Identity::SecondAdmin),
        None if name == "administrator" => own(&Identity::Admin),
        None if name == "person" => own(&Identity::Person),
        Some(("kubelet", node)) => own(&Identity::kubelet(node)),
        Some(("account", account)) => {
            let (namespace, name) = account.split_once('/').unwrap();
            let user = format!("system:serviceaccount:{namespace}:{name}");
            let own = format!("system:serviceaccounts:{namespace}");
            let groups = ["system:serviceaccounts", &own, "system:authenticated"];
            let mut headers = vec![("impersonate-user", &*user)];
            headers.extend(groups.map(|group| ("impersonate-group", group)));
            admin.with_headers(&headers).unwrap()
        }
        Some(("user", user)) => {
            admin.with_headers(&[("impersonate-user", user), ("impersonate-group", "system:authenticated")]).unwrap()
        }
        _ => panic!("no identity: {name}"),
    }
}
