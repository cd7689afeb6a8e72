//! The parts of a node's `spec` and `status` that rules use.

use crate::k8s::read::scan;
use crate::k8s::text::Text;

/// `spec` of a node, without the fields that no rule uses.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeSpec<'a> {
    /// `moc://…`.
    #[serde(borrow, default, rename = "providerID")]
    pub provider_id: Option<Text<'a>>,
    /// The first of `podCIDRs`.
    #[serde(borrow, default, rename = "podCIDR")]
    pub pod_cidr: Option<Text<'a>>,
    /// `10.244.3.0/24`, one of each family.
    #[serde(borrow, default, rename = "podCIDRs")]
    pub pod_cidrs: Option<Vec<Text<'a>>>,
    /// The taints, in the order in which they were written.
    #[serde(borrow, default)]
    pub taints: Option<Vec<Taint<'a>>>,
    /// Whether it is cordoned.
    #[serde(default)]
    pub unschedulable: Option<bool>,
}

impl<'a> NodeSpec<'a> {
    /// Reads a spec without the parser, which is called for taints alone. `None` leaves it to the parser, for its errors.
    pub(super) fn scan(raw: &'a str) -> Option<Self> {
        let mut spec = NodeSpec::default();
        let length = scan::fields(raw, |key, value| {
            match key {
                "providerID" => scan::nullable(value, &mut spec.provider_id)?,
                "podCIDR" => scan::nullable(value, &mut spec.pod_cidr)?,
                "podCIDRs" => scan::texts(value, &mut spec.pod_cidrs)?,
                "taints" => spec.taints = serde_json::from_str(value).ok()?,
                "unschedulable" => spec.unschedulable = serde_json::from_str(value).ok()?,
                _ => {}
            }
            Some(())
        });
        (length == Some(raw.len())).then_some(spec)
    }
}

/// `status` of a node, without the fields that no rule uses.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeStatus<'a> {
    #[serde(borrow, default)]
    pub(crate) node_info: Option<NodeInfo<'a>>,
    #[serde(borrow, default)]
    pub(crate) capacity: Option<Capacity<'a>>,
    #[serde(borrow, default)]
    pub(crate) conditions: Option<Vec<NodeCondition<'a>>>,
}

impl<'a> NodeStatus<'a> {
    /// Reads a status without parsing the list of images, which is most of it. `None` leaves it to the parser, for its
    /// errors. What is known to be a status to its end, `is_whole`, is read only as far as there are fields to read: the
    /// API server writes the images behind them.
    pub(super) fn scan(raw: &'a str, is_whole: bool) -> Option<Self> {
        let mut status = NodeStatus::default();
        let mut is_read = false;
        let length = scan::members(raw, |key, rest| {
            let value = scan::value(rest, None)?;
            match key {
                "nodeInfo" => status.node_info = serde_json::from_str(value).ok()?,
                "capacity" => status.capacity = serde_json::from_str(value).ok()?,
                "conditions" => status.conditions = serde_json::from_str(value).ok()?,
                _ => {}
            }
            is_read =
                is_whole && status.node_info.is_some() && status.capacity.is_some() && status.conditions.is_some();
            (!is_read).then_some(value.len())
        });
        (is_read || length == Some(raw.len())).then_some(status)
    }
}

#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Capacity<'a> {
    #[serde(borrow, default)]
    pub(crate) cpu: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) memory: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) ephemeral_storage: Text<'a>,
}

#[derive(Clone, Debug, serde::Deserialize)]
pub(crate) struct NodeCondition<'a> {
    #[serde(borrow, default, rename = "type")]
    pub(crate) name: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) status: Text<'a>,
    #[serde(borrow, default, rename = "lastTransitionTime")]
    pub(crate) last_transition_time: Option<Text<'a>>,
}

/// `status.nodeInfo`, without the fields that no rule uses.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeInfo<'a> {
    /// `v1.33.5`.
    #[serde(borrow, default)]
    pub kubelet_version: Text<'a>,
    /// `Azure Linux 3.0`.
    #[serde(borrow, default)]
    pub os_image: Text<'a>,
    /// `amd64`.
    #[serde(borrow, default)]
    pub architecture: Text<'a>,
    /// `linux`.
    #[serde(borrow, default)]
    pub operating_system: Text<'a>,
    /// `6.6.96.1-1.azl3`.
    #[serde(borrow, default)]
    pub kernel_version: Text<'a>,
    /// `containerd://2.0.0`.
    #[serde(borrow, default)]
    pub container_runtime_version: Text<'a>,
    /// The version of kube-proxy, where reported.
    #[serde(borrow, default)]
    pub kube_proxy_version: Text<'a>,
    /// The UUID of the machine.
    #[serde(borrow, default, rename = "systemUUID")]
    pub system_uuid: Text<'a>,
}

/// One taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Taint<'a> {
    /// Key.
    #[serde(borrow)]
    pub key: Text<'a>,
    /// Value; often empty.
    #[serde(borrow, default)]
    pub value: Text<'a>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    #[serde(borrow, default)]
    pub effect: Text<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_read_as_by_the_parser_and_one_of_another_shape_is_left_to_it() {
        let read = |raw: &str| {
            let parsed = serde_json::from_str::<NodeSpec<'_>>(raw).ok().map(|spec| format!("{spec:?}"));
            assert_eq!(NodeSpec::scan(raw).map(|spec| format!("{spec:?}")), parsed, "{raw}");
            parsed.is_some()
        };
        for own in [
            "{}",
            r#"{"providerID":"moc://a","podCIDR":"10.0.0.0/24","podCIDRs":["10.0.0.0/24"],"unschedulable":true}"#,
            r#"{ "taints" : [{"key":"a","effect":"NoSchedule"}], "externalID" : 1, "unschedulable" : false }"#,
            r#"{"providerID":null,"podCIDR":null,"podCIDRs":null,"taints":null,"unschedulable":null}"#,
        ] {
            assert!(read(own), "{own}");
        }
        for other in ["1", "{", r#"{"taints":{}}"#, r#"{"providerID":1}"#, r#"{"unschedulable":"x"}"#, "{} x"] {
            assert!(!read(other), "{other}");
        }
    }

    #[test]
    fn a_status_is_read_as_by_the_parser_in_any_order_and_with_any_part_missing() {
        let mut parts = [
            r#""capacity":{"cpu":"4","memory":"8Gi"}"#,
            r#""images":[{"names":["a"]}]"#,
            r#""conditions":[{"type":"Ready","status":"True"}]"#,
            r#""nodeInfo":{"kubeletVersion":"v1.33.5"}"#,
        ];
        for _ in 0..parts.len() {
            parts.rotate_left(1);
            for count in 0..=parts.len() {
                let (some, _) = parts.split_at(count);
                let raw = format!("{{{}}}", some.join(","));
                let parsed: NodeStatus<'_> = serde_json::from_str(&raw).unwrap();
                for is_whole in [false, true] {
                    let scanned = NodeStatus::scan(&raw, is_whole).unwrap();
                    assert_eq!(format!("{scanned:?}"), format!("{parsed:?}"), "{raw}");
                }
            }
        }
        // What may be cut short is read to its end.
        assert!(NodeStatus::scan(r#"{"nodeInfo":{},"capacity":{},"conditions":[],"images":["#, false).is_none());
    }
}
