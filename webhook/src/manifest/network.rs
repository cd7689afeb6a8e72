//! The NetworkPolicy of the guard's pods.
//!
//! It must never come between an API server or a kubelet and the guard, which would fail open without a word. Kubelets
//! are safe by the definition of NetworkPolicy: traffic from a pod's own node always passes. API servers are not: no
//! selector names them, and on overlay networks their packets bear an address out of the range of the pods.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use aksarc_shared::data::own::NAMESPACE;

use super::template::{fill, quoted};

/// A range of addresses in the notation of CIDR, such as `10.244.0.0/16`; never all addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    first: IpAddr,
    prefix: u32,
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// The text is no address with a prefix length.
    #[error("expected an address and the length of its prefix, such as 10.244.0.0/16")]
    Form,
    /// The range is every address, the API server's among them.
    #[error("a prefix of 0 is every address, the API server's too")]
    Everything,
    /// The address has bits set beyond its prefix, which the API server refuses or warns of.
    #[error("the address goes beyond its prefix; the range would be {0}/{1}")]
    Beyond(IpAddr, u32),
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address, prefix) = text.split_once('/').ok_or(CidrError::Form)?;
        let address: IpAddr = address.parse().map_err(|_| CidrError::Form)?;
        let digits = prefix.bytes().all(|byte| byte.is_ascii_digit()) && !(prefix.len() > 1 && prefix.starts_with('0'));
        let prefix: u32 = prefix.parse().ok().filter(|_| digits).ok_or(CidrError::Form)?;
        if prefix == 0 {
            return Err(CidrError::Everything);
        }
        // The check for 0 has excluded a shift by the whole width.
        let first = match address {
            IpAddr::V4(address) if prefix <= 32 => {
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << (32 - prefix))))
            }
            IpAddr::V6(address) if prefix <= 128 => {
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << (128 - prefix))))
            }
            _ => return Err(CidrError::Form),
        };
        if first != address {
            return Err(CidrError::Beyond(first, prefix));
        }
        Ok(Cidr { first, prefix })
    }
}

/// The NetworkPolicy as YAML. The port for reviews is open to every address but those of `pods`.
pub(super) fn render(pods: &[Cidr]) -> String {
    let review = if pods.is_empty() {
        include_str!("../../manifest/review-open.yaml").to_owned()
    } else {
        fill(include_str!("../../manifest/review-closed.yaml"), &[("blocks", &blocks(pods))])
    };
    let values = [("namespace", NAMESPACE), ("review", &*review), ("label", METRICS_LABEL)];
    fill(include_str!("../../manifest/network-policy.yaml"), &values)
}

/// The blocks of all addresses but those of `pods`: one for each family, since an exception has to be of its block's
/// family.
fn blocks(pods: &[Cidr]) -> String {
    let mut out = String::new();
    for (all, is_ipv6) in [("0.0.0.0/0", false), ("::/0", true)] {
        let except: Vec<String> = pods
            .iter()
            .filter(|pods| pods.first.is_ipv6() == is_ipv6)
            .map(|pods| format!("\"{}/{}\"", pods.first, pods.prefix))
            .collect();
        // Writing to a string does not fail.
        let _ = writeln!(out, "    - ipBlock:\n        cidr: {}", quoted(all));
        if !except.is_empty() {
            let _ = writeln!(out, "        except: [{}]", except.join(", "));
        }
    }
    out
}

/// The label of a namespace whose pods may read the guard's metrics; its value is `true`.
const METRICS_LABEL: &str = "aksarc.dev/metrics";

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::k8s::read::yaml;
    use serde_json::{Value, json};

    fn policy(pods: &[&str]) -> Value {
        let pods: Vec<Cidr> = pods.iter().map(|pods| pods.parse().unwrap()).collect();
        yaml::documents(&render(&pods)).unwrap().remove(0)
    }

    #[test]
    fn reviews_come_from_everywhere_and_probes_from_the_own_node_alone() {
        let spec = &policy(&[])["spec"];
        assert_eq!(spec["policyTypes"], json!(["Ingress"]));
        assert_eq!(spec["ingress"][0], json!({"ports": [{"protocol": "TCP", "port": 8443}]}));
        let rules = spec["ingress"].as_array().unwrap();
        let ports: Vec<&Value> = rules.iter().flat_map(|rule| rule["ports"].as_array().unwrap()).collect();
        let port = |port: u16| json!({"protocol": "TCP", "port": port});
        assert_eq!(ports, [&port(8443), &port(8080)]);
        let from = json!([
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}},
            {"namespaceSelector": {"matchLabels": {"aksarc.dev/metrics": "true"}}},
        ]);
        assert_eq!(spec["ingress"][1]["from"], from);
    }

    #[test]
    fn ranges_of_pods_are_left_out_of_their_own_family() {
        let from = |pods: &[&str]| policy(pods)["spec"]["ingress"][0]["from"].clone();
        let (ipv4, ipv6) = ("0.0.0.0/0", "::/0");
        assert_eq!(
            from(&["10.244.0.0/16"]),
            json!([{"ipBlock": {"cidr": ipv4, "except": ["10.244.0.0/16"]}}, {"ipBlock": {"cidr": ipv6}}])
        );
        assert_eq!(
            from(&["10.244.0.0/16", "fd00:10:244::/56", "10.8.0.0/14"]),
            json!([
                {"ipBlock": {"cidr": ipv4, "except": ["10.244.0.0/16", "10.8.0.0/14"]}},
                {"ipBlock": {"cidr": ipv6, "except": ["fd00:10:244::/56"]}},
            ])
        );
    }

    #[test]
    fn only_ranges_that_the_api_server_takes_are_taken() {
        for good in ["10.244.0.0/16", "10.244.0.1/32", "128.0.0.0/1", "fd00::/8", "fd00::1/128"] {
            let Cidr { first, prefix } = good.parse().unwrap();
            assert_eq!(format!("{first}/{prefix}"), good);
        }
        for bad in [
            "",
            "10.244.0.0",
            "10.244.0.0/",
            "10.244.0.0/33",
            "10.244.0.0/+8",
            "10.244.0.0/016",
            "fd00::/129",
            "pods/8",
        ] {
            assert_eq!(bad.parse::<Cidr>(), Err(CidrError::Form), "{bad}");
        }
        for all in ["0.0.0.0/0", "::/0"] {
            assert_eq!(all.parse::<Cidr>(), Err(CidrError::Everything), "{all}");
        }
        let beyond = "10.244.3.1/16".parse::<Cidr>().unwrap_err();
        assert_eq!(beyond.to_string(), "the address goes beyond its prefix; the range would be 10.244.0.0/16");
    }
}
