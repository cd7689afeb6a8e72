//! The specification of a pod, wherever a kind keeps it: its power over the node, and its containers.

use std::cell::OnceCell;
use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::k8s::kinds::Kind;
use crate::k8s::text::Text;

/// A pod's specification, without the fields that no rule uses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pod<'a> {
    /// `hostNetwork`.
    #[serde(deserialize_with = "flag")]
    pub host_network: bool,
    /// `hostPID`.
    #[serde(rename = "hostPID", deserialize_with = "flag")]
    pub host_pid: bool,
    /// `hostIPC`.
    #[serde(rename = "hostIPC", deserialize_with = "flag")]
    pub host_ipc: bool,
    /// `nodeName`: set by the scheduler, or by a writer that bypasses it.
    #[serde(borrow)]
    pub node_name: Option<Text<'a>>,
    /// `serviceAccountName`.
    #[serde(borrow)]
    pub service_account_name: Option<Text<'a>>,
    #[serde(borrow)]
    init_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    ephemeral_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    volumes: Option<Vec<Volume<'a>>>,
    security_context: Option<PodSecurityContext>,
    /// The places of the hostPath volumes, by the name that mounts use.
    #[serde(skip)]
    host_paths: OnceCell<HashMap<String, usize>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PodSecurityContext {
    windows_options: Option<WindowsOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WindowsOptions {
    #[serde(deserialize_with = "flag")]
    host_process: bool,
}

/// A container of any sort.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container<'a> {
    /// Name.
    #[serde(borrow)]
    pub name: Text<'a>,
    /// Image, as written.
    #[serde(borrow)]
    pub image: Option<Text<'a>>,
    #[serde(borrow)]
    restart_policy: Option<Text<'a>>,
    #[serde(borrow)]
    security_context: Option<SecurityContext<'a>>,
    #[serde(borrow)]
    volume_mounts: Option<Vec<Mount<'a>>>,
    #[serde(borrow)]
    command: Option<&'a RawValue>,
    #[serde(borrow)]
    args: Option<&'a RawValue>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SecurityContext<'a> {
    #[serde(deserialize_with = "flag")]
    privileged: bool,
    #[serde(borrow)]
    capabilities: Option<Capabilities<'a>>,
    windows_options: Option<WindowsOptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Capabilities<'a> {
    #[serde(borrow)]
    add: Option<Vec<Text<'a>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Mount<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(deserialize_with = "flag")]
    read_only: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Volume<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    host_path: Option<HostPath<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct HostPath<'a> {
    #[serde(borrow)]
    path: Text<'a>,
}

/// The flags of static pods that rules read. A snapshot keeps these flags of a command line and nothing else, so a rule
/// that needs another one adds it here.
pub const READ_FLAGS: [&str; 3] = ["--audit-log-maxbackup", "--authorization-mode", "--feature-gates"];

/// A path of the node that is mounted into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostMount<'p> {
    /// The container.
    pub container: &'p str,
    /// The path on the node.
    pub path: &'p str,
    /// Whether the container may write there.
    pub writable: bool,
}

/// The JSON of the pod specification in the `spec` of an object: its own, or that of its template. `None` where the
/// kind or the object has none.
///
/// # Errors
/// The `spec` has another shape.
pub(crate) fn spec<'a>(kind: &Kind, spec: &'a str) -> serde_json::Result<Option<&'a str>> {
    #[derive(Deserialize)]
    struct Template<'a> {
        #[serde(borrow)]
        spec: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Templated<'a> {
        #[serde(borrow)]
        template: Option<Template<'a>>,
    }
    #[derive(Deserialize)]
    struct Scheduled<'a> {
        #[serde(borrow)]
        spec: Option<Templated<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Cron<'a> {
        #[serde(borrow)]
        job_template: Option<Scheduled<'a>>,
    }
    let template = match kind.kind {
        "Pod" => return Ok(Some(spec)),
        "DaemonSet" | "Deployment" | "Job" | "ReplicaSet" | "ReplicationController" | "StatefulSet" => {
            serde_json::from_str::<Option<Templated<'a>>>(spec)?.and_then(|spec| spec.template)
        }
        "CronJob" => serde_json::from_str::<Option<Cron<'a>>>(spec)?.and_then(|cron| cron.job_template?.spec?.template),
        _ => None,
    };
    Ok(template.and_then(|template| template.spec).map(RawValue::get))
}

impl<'a> Pod<'a> {
    /// All containers: init containers, ordinary ones and ephemeral ones.
    pub fn all_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        [&self.init_containers, &self.containers, &self.ephemeral_containers].into_iter().flatten().flatten()
    }

    /// The ordinary containers.
    pub fn containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.containers.iter().flatten()
    }

    /// The init containers.
    pub fn init_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.init_containers.iter().flatten()
    }

    /// The ephemeral containers.
    pub fn ephemeral_containers(&self) -> impl Iterator<Item = &Container<'a>> {
        self.ephemeral_containers.iter().flatten()
    }

    /// Images, in the order of the containers.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.all_containers().filter_map(|container| container.image.as_deref())
    }

    /// Whether a container is privileged, or `HostProcess` on Windows.
    pub fn is_privileged(&self) -> bool {
        self.all_containers().any(Container::is_privileged) || self.is_host_process()
    }

    /// Whether the whole pod is `HostProcess` on Windows.
    pub fn is_host_process(&self) -> bool {
        let options = self.security_context.as_ref().and_then(|context| context.windows_options.as_ref());
        options.is_some_and(|options| options.host_process)
    }

    /// Whether it has hostPath volumes.
    pub fn has_host_paths(&self) -> bool {
        self.volumes.iter().flatten().any(|volume| volume.host_path.is_some())
    }

    /// Whether it shares a namespace of the host.
    pub fn shares_the_host(&self) -> bool {
        self.host_network || self.host_pid || self.host_ipc
    }

    /// The node's paths that are mounted into containers.
    pub fn host_mounts(&self) -> Vec<HostMount<'_>> {
        if !self.has_host_paths() {
            return Vec::new();
        }
        self.all_containers().flat_map(|container| self.host_mounts_of(container).map(|(_, mount)| mount)).collect()
    }

    /// The node's paths that are mounted into one container, each with its index among the container's mounts.
    pub fn host_mounts_of<'p>(&'p self, container: &'p Container<'a>) -> impl Iterator<Item = (usize, HostMount<'p>)> {
        container.volume_mounts.iter().flatten().enumerate().filter_map(|(at, mount)| {
            let path = self.host_path(&mount.name)?;
            Some((at, HostMount { container: &container.name, path, writable: !mount.read_only }))
        })
    }
}

impl Pod<'_> {
    fn host_path(&self, volume: &str) -> Option<&str> {
        let volumes = self.volumes.as_deref().unwrap_or_default();
        let places = self.host_paths.get_or_init(|| {
            let own = volumes.iter().enumerate().filter(|(_, volume)| volume.host_path.is_some());
            // Of several volumes of one name the first counts, so it is inserted last.
            own.rev().map(|(at, volume)| (volume.name.to_string(), at)).collect()
        });
        let volume = volumes.get(*places.get(volume)?)?;
        volume.host_path.as_ref().map(|host| &*host.path)
    }
}

impl Container<'_> {
    /// Whether the container is privileged, or `HostProcess` on Windows.
    pub fn is_privileged(&self) -> bool {
        self.security_context.as_ref().is_some_and(|context| context.privileged) || self.is_host_process()
    }

    /// Whether the container is `HostProcess` on Windows.
    pub fn is_host_process(&self) -> bool {
        let options = self.security_context.as_ref().and_then(|context| context.windows_options.as_ref());
        options.is_some_and(|options| options.host_process)
    }

    /// Whether an init container runs as long as the pod, which makes it a sidecar.
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }

    /// The capabilities that the container adds, without `CAP_`.
    pub fn capabilities(&self) -> impl Iterator<Item = &str> {
        let capabilities = self.security_context.as_ref().and_then(|context| context.capabilities.as_ref());
        let added = capabilities.and_then(|capabilities| capabilities.add.as_ref());
        added.into_iter().flatten().map(|own| own.strip_prefix("CAP_").unwrap_or(own))
    }

    /// Whether the container adds a capability; `SYS_ADMIN` is found with and without `CAP_`.
    pub fn has_capability(&self, name: &str) -> bool {
        self.capabilities().any(|own| own == name || own == "ALL")
    }

    /// Its command and arguments, a space between each two.
    pub fn words(&self) -> String {
        let words = |raw: Option<&RawValue>| -> Vec<String> {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        };
        let all: Vec<String> = words(self.command).into_iter().chain(words(self.args)).collect();
        all.join(" ")
    }

    /// The value of a flag, `--feature-gates=…`, in its command or arguments; the last one wins, as with Go's flags.
    pub fn flag(&self, name: &str) -> Option<String> {
        let words = |raw: Option<&RawValue>| -> Vec<String> {
            raw.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
        };
        let mut words = words(self.command).into_iter().chain(words(self.args));
        let mut found = None;
        while let Some(word) = words.next() {
            let Some(rest) = word.strip_prefix(name) else { continue };
            if let Some(value) = rest.strip_prefix('=') {
                found = Some(value.to_owned());
            } else if rest.is_empty() {
                found = words.next();
            }
        }
        found
    }
}

/// Reads a flag. `null` and absence are `false`, as for the API server.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::<bool>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::kinds;
    use crate::k8s::object::Object;

    const SPEC: &str = r#"{"hostPID":true,"hostIPC":null,"volumes":[{"name":"root","hostPath":{"path":"/"}},{"name":"tmp","emptyDir":{}}],
        "initContainers":[{"name":"i","image":"a:1","securityContext":{"privileged":true}}],
        "containers":[{"name":"c","image":"b:2","volumeMounts":[{"name":"root","mountPath":"/host","readOnly":true},{"name":"tmp","mountPath":"/tmp"}],
            "command":["x","--feature-gates=A=true"],"args":["--feature-gates","B=true"],"securityContext":{"capabilities":{"add":["CAP_SYS_ADMIN"]}}}]}"#;

    fn check(json: &str, kind: &Kind) {
        let object: Object<'_> = serde_json::from_str(json).unwrap();
        let pod = object.pod(kind).unwrap();
        assert!(pod.host_pid && !pod.host_ipc && pod.shares_the_host() && pod.is_privileged());
        assert_eq!(pod.images().collect::<Vec<_>>(), ["a:1", "b:2"]);
        assert_eq!(pod.host_mounts(), [HostMount { container: "c", path: "/", writable: false }]);
        let container = pod.all_containers().last().unwrap();
        assert_eq!(container.flag("--feature-gates").as_deref(), Some("B=true"));
        assert!(container.has_capability("SYS_ADMIN") && !container.has_capability("NET_ADMIN"));
    }

    #[test]
    fn a_pod_is_found_wherever_a_kind_keeps_it() {
        check(&format!(r#"{{"spec":{SPEC}}}"#), &kinds::POD);
        check(&format!(r#"{{"spec":{{"template":{{"spec":{SPEC}}}}}}}"#), &kinds::DEPLOYMENT);
        check(
            &format!(r#"{{"spec":{{"jobTemplate":{{"spec":{{"template":{{"spec":{SPEC}}}}}}}}}}}"#),
            &kinds::CRON_JOB,
        );
        for (json, kind) in
            [("{}", &kinds::POD), (r#"{"spec":{"a":1}}"#, &kinds::SERVICE), (r#"{"spec":"x"}"#, &kinds::POD)]
        {
            let object: Object<'_> = serde_json::from_str(json).unwrap();
            assert!(object.pod(kind).is_none(), "{json}");
        }
    }
}
