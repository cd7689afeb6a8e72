//! Reviews of edits of a node, with the answer that each is owed.

use anyhow::Context;
use hyper::body::Bytes;
use serde_json::{Value, json};

use crate::review::{Edit, review};

/// A review with its answer.
pub(crate) struct Owed {
    pub(crate) what: &'static str,
    pub(crate) body: Bytes,
    pub(crate) answer: Answer,
}

/// The answer to a review.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    Allowed,
    Denied,
}

/// The review that is measured: a person cordons the node.
pub(crate) fn lawful() -> Bytes {
    Bytes::from(review(Edit::Lawful, BYTES))
}

/// The review of a person who changes a system label.
pub(crate) fn unlawful() -> Bytes {
    Bytes::from(review(Edit::Denied, BYTES))
}

/// All reviews on which everybody has to agree.
pub(crate) fn all() -> anyhow::Result<Vec<Owed>> {
    let mut all = vec![
        Owed { what: "a cordon", body: lawful(), answer: Answer::Allowed },
        Owed { what: "another instance type", body: unlawful(), answer: Answer::Denied },
    ];
    let label = |key: &str| format!("/request/object/metadata/labels/{}", key.replace('/', "~1"));
    let change = |key: &str, value: &str| json!([{"op": "add", "path": label(key), "value": value}]);
    let removal = |key: &str| json!([{"op": "remove", "path": label(key)}]);
    let by = |name: &str, groups: &[&str], manager: &str| {
        json!([
            {"op": "replace", "path": "/request/userInfo", "value": {"username": name, "groups": groups}},
            {"op": "replace", "path": "/request/options/fieldManager", "value": manager},
        ])
    };
    let kubelet = by("system:node:moc-l7x2", &["system:nodes", "system:authenticated"], "kubelet");
    let controller = by(
        "system:serviceaccount:kube-system:node-controller",
        &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"],
        "kube-controller-manager",
    );
    let cloud = by("system:cloud-controller-manager", &["system:authenticated"], "cloud-controller-manager");
    let deployer = by(
        "system:serviceaccount:flux-system:kustomize-controller",
        &["system:serviceaccounts", "system:serviceaccounts:flux-system", "system:authenticated"],
        "kustomize-controller",
    );
    let instance_type = || change("node.kubernetes.io/instance-type", "edge-big");
    let edits: [(&'static str, &[Value], Answer); 14] = [
        ("another name of the host", &[change("kubernetes.io/hostname", "edge-7")], Answer::Denied),
        ("another pool", &[change("msft.microsoft/nodepool-name", "edge-1a2b3c4d-pool2")], Answer::Denied),
        ("no pool", &[removal("msft.microsoft/nodepool-name")], Answer::Denied),
        ("no architecture", &[removal("kubernetes.io/arch")], Answer::Denied),
        ("all labels gone", &[json!([{"op": "remove", "path": "/request/object/metadata/labels"}])], Answer::Denied),
        (
            "an own label changed with a system label",
            &[change("contoso.example/site", "rtm"), instance_type()],
            Answer::Denied,
        ),
        ("another instance type, by a deployment tool", &[deployer.clone(), instance_type()], Answer::Denied),
        ("an own label changed", &[change("contoso.example/site", "rtm")], Answer::Allowed),
        ("an own label removed", &[removal("contoso.example/site")], Answer::Allowed),
        ("an own label added", &[change("contoso.example/rack", "r1")], Answer::Allowed),
        ("an own label, by a deployment tool", &[deployer, change("contoso.example/site", "rtm")], Answer::Allowed),
        ("another instance type, by the kubelet", &[kubelet, instance_type()], Answer::Allowed),
        ("another instance type, by a controller", &[controller, instance_type()], Answer::Allowed),
        ("another instance type, by the cloud's controller", &[cloud, instance_type()], Answer::Allowed),
    ];
    let original: Value = serde_json::from_str(&review(Edit::Lawful, BYTES))?;
    for (what, patches, answer) in edits {
        let mut changed = original.clone();
        for patch in patches {
            json_patch::patch(&mut changed, &serde_json::from_value::<json_patch::Patch>(patch.clone())?)
                .with_context(|| what.to_owned())?;
        }
        all.push(Owed { what, body: Bytes::from(changed.to_string()), answer });
    }
    Ok(all)
}

/// The size of the reviews: a node of a cluster in use.
const BYTES: usize = 23 << 10;
