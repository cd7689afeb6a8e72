//! Capabilities and sockets that give a pod power over its node: `data/node-power.yaml`.

use serde::Deserialize;

/// Capabilities and sockets that give a pod power over its node, besides privilege and writable host paths.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePower {
    /// Capabilities that reach beyond the pod.
    pub capabilities: Vec<Capability>,
    /// Sockets that give their reader control of the node.
    pub sockets: Vec<Socket>,
    /// The pods of `kubectl debug node/…`.
    pub debug_pods: DebugPods,
}

/// A capability that reaches beyond the pod.
#[derive(Clone, Debug, Deserialize)]
pub struct Capability {
    /// Its name, without `CAP_`.
    pub name: String,
    /// The host namespace that it needs for that, if any.
    #[serde(default, rename = "with")]
    pub needs: Option<HostNamespace>,
}

/// A namespace of the host that a pod can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum HostNamespace {
    /// `hostNetwork`.
    #[serde(rename = "hostNetwork")]
    Network,
    /// `hostPID`.
    #[serde(rename = "hostPID")]
    Pid,
}

impl HostNamespace {
    /// The field of a pod's specification.
    pub fn field(self) -> &'static str {
        match self {
            HostNamespace::Network => "hostNetwork",
            HostNamespace::Pid => "hostPID",
        }
    }
}

/// A socket, or its directory.
#[derive(Clone, Debug, Deserialize)]
pub struct Socket {
    /// Its path on the node.
    pub path: String,
}

/// The pods of `kubectl debug node/…`.
#[derive(Clone, Debug, Deserialize)]
pub struct DebugPods {
    /// The prefix of their names.
    pub prefix: String,
}

impl NodePower {
    /// Whether a path is a socket that grants everything, or the directory of one.
    pub fn is_socket(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.sockets
            .iter()
            .any(|socket| path.strip_prefix(&*socket.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}
