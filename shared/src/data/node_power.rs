//! What gives a pod power over its node: `data/node-power.yaml`.

use serde::Deserialize;

/// What gives a pod power over its node, besides privilege and writable host paths.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePower {
    /// Capabilities that reach beyond the pod.
    pub capabilities: Vec<Capability>,
    /// Sockets whose reader is the node's master.
    pub sockets: Vec<Socket>,
    /// How kubectl names the pods of `kubectl debug node/…`.
    pub debug_pods: DebugPods,
}

/// A capability that reaches beyond the pod.
#[derive(Clone, Debug, Deserialize)]
pub struct Capability {
    /// Its name, without `CAP_`.
    pub name: String,
    /// The namespace of the host it needs for that; none where it needs none.
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

/// A socket, or the directory it stands in.
#[derive(Clone, Debug, Deserialize)]
pub struct Socket {
    /// Its path on the node.
    pub path: String,
}

/// The pods of `kubectl debug node/…`.
#[derive(Clone, Debug, Deserialize)]
pub struct DebugPods {
    /// How their names begin.
    pub prefix: String,
}

impl NodePower {
    /// Whether a path is a socket that grants everything, or a directory of one.
    pub fn is_socket(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.sockets
            .iter()
            .any(|socket| path.strip_prefix(&*socket.path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}
