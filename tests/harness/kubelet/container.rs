//! From the container of a pod to a process: its program, its arguments and its environment.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvVar, EnvVarSource, Pod, PodSpec, Secret};
use serde::de::DeserializeOwned;

use super::{NOT_FOUND, Site};
use crate::{pod_network, product};

/// A program with all that it is started with.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: BTreeMap<String, String>,
}

/// A path in the container, and what stands for it.
#[derive(Clone, Debug)]
pub(super) struct Mounted {
    pub(super) path: String,
    pub(super) place: PathBuf,
}

/// The programs of our images: their last part in an image's name, and their file in it.
const PROGRAMS: [&str; 2] = ["aksarc-webhook", "kubectl-aksarc"];

/// The guard's subcommands that have no argument for a kubeconfig.
const WITHOUT_CLUSTER: [&str; 3] = ["check-config", "config-schema", "manifest"];

/// Whether a pod has an image of ours.
pub(super) fn is_ours(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.containers.iter().any(|container| image(container).is_some()))
}

/// The one container of a pod.
///
/// # Errors
/// The pod asks for something that is not played.
pub(super) fn only(spec: &PodSpec) -> anyhow::Result<&Container> {
    ensure!(spec.init_containers.as_ref().is_none_or(Vec::is_empty), "init containers are not played");
    let [container] = &*spec.containers else { bail!("pods with several containers are not played") };
    ensure!(container.lifecycle.is_none(), "lifecycle hooks are not played");
    ensure!(container.startup_probe.is_none(), "startup probes are not played");
    ensure!(container.env_from.as_ref().is_none_or(Vec::is_empty), "envFrom is not played");
    Ok(container)
}

impl Command {
    /// The process that stands for `container` in `pod`. `kubeconfig` is its service account's, where a token is mounted.
    pub(super) fn new(
        site: &Site,
        pod: &Pod,
        container: &Container,
        mounts: &[Mounted],
        kubeconfig: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let address = super::address_of(pod);
        let program = program(container)?;
        let mut declared = BTreeMap::new();
        for variable in container.env.iter().flatten() {
            if let Some(value) = value(site, pod, variable)? {
                declared.insert(variable.name.clone(), expanded(&value, &declared));
            }
        }
        let here = |text: &str| placed(&listening(text, address), mounts);
        let words = container.command.iter().flatten().skip(1).chain(container.args.iter().flatten());
        let mut arguments: Vec<String> = words.map(|word| here(&expanded(word, &declared))).collect();
        let mut environment = BTreeMap::new();
        let (host, port) =
            site.server.trim_start_matches("https://").split_once(':').context("a server without a port")?;
        environment.insert("KUBERNETES_SERVICE_HOST".to_owned(), host.to_owned());
        environment.insert("KUBERNETES_SERVICE_PORT".to_owned(), port.to_owned());
        if program == "aksarc-webhook" {
            // Its defaults are every address of the machine.
            let listen = pod_network::loopback(address);
            for (name, port) in [("AKSARC_LISTEN", 8443), ("AKSARC_ADMIN_LISTEN", 8080), ("AKSARC_PROBE_LISTEN", 8081)]
            {
                environment.insert(name.to_owned(), format!("{listen}:{port}"));
            }
        }
        environment.extend(declared.iter().map(|(name, value)| (name.clone(), here(value))));
        if let Some(kubeconfig) = kubeconfig {
            let kubeconfig = kubeconfig.display().to_string();
            // The guard has an argument for it, unless it does something that takes no cluster.
            let takes_none = arguments.first().is_some_and(|first| WITHOUT_CLUSTER.contains(&first.as_str()));
            if program == "aksarc-webhook" && !takes_none {
                arguments.extend(["--kubeconfig".to_owned(), kubeconfig.clone()]);
            }
            environment.insert("KUBECONFIG".to_owned(), kubeconfig);
        }
        let program = if program == "aksarc-webhook" { product::webhook()? } else { product::plugin()? };
        Ok(Command { program, arguments, environment })
    }
}

/// The program that an image of ours starts; `None` for another image.
fn image(container: &Container) -> Option<&'static str> {
    let name = container.image.as_deref()?.split('@').next()?.rsplit('/').next()?;
    let name = name.split(':').next()?;
    PROGRAMS.into_iter().find(|program| *program == name)
}

fn program(container: &Container) -> anyhow::Result<&'static str> {
    let Some(command) = container.command.as_ref().and_then(|command| command.first()) else {
        return image(container).context("not an image of ours");
    };
    let found = PROGRAMS.into_iter().find(|program| command.strip_prefix('/') == Some(program));
    found.with_context(|| format!("exec: {command:?}: no such file in the image"))
}

/// The value of a variable; `None` where an optional source has none.
fn value(site: &Site, pod: &Pod, variable: &EnvVar) -> anyhow::Result<Option<String>> {
    let Some(EnvVarSource { field_ref, config_map_key_ref, secret_key_ref, .. }) = &variable.value_from else {
        return Ok(Some(variable.value.clone().unwrap_or_default()));
    };
    if let Some(field) = field_ref {
        return self::field(pod, &field.field_path).map(Some);
    }
    if let Some(key) = config_map_key_ref {
        let map: Option<ConfigMap> = read(site, "configmaps", &key.name)?;
        let found = map.and_then(|map| map.data?.remove(&key.key));
        ensure!(found.is_some() || key.optional == Some(true), "no key {} in ConfigMap {}", key.key, key.name);
        return Ok(found);
    }
    if let Some(key) = secret_key_ref {
        let secret: Option<Secret> = read(site, "secrets", &key.name)?;
        let found = secret.and_then(|secret| secret.data?.remove(&key.key));
        ensure!(found.is_some() || key.optional == Some(true), "no key {} in Secret {}", key.key, key.name);
        return Ok(found.map(|value| String::from_utf8_lossy(&value.0).into_owned()));
    }
    bail!("the source of the variable {} is not played", variable.name)
}

/// A field of a pod, as `fieldRef` and the downward API name it.
pub(super) fn field(pod: &Pod, path: &str) -> anyhow::Result<String> {
    let meta = &pod.metadata;
    let spec = pod.spec.as_ref().context("a pod without a spec")?;
    let found = match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => spec.node_name.clone(),
        "spec.serviceAccountName" => spec.service_account_name.clone(),
        "status.podIP" => Some(super::address_of(pod).to_string()),
        "status.hostIP" => Some(super::HOST.to_string()),
        _ => bail!("the field {path} is not played"),
    };
    Ok(found.unwrap_or_default())
}

/// An object of the pod's namespace; `None` if there is none.
pub(super) fn read<T: DeserializeOwned>(site: &Site, resource: &str, name: &str) -> anyhow::Result<Option<T>> {
    let answer = site.http.get(&format!("/api/v1/namespaces/{}/{resource}/{name}", site.namespace))?;
    if answer.code == NOT_FOUND {
        return Ok(None);
    }
    Ok(Some(serde_json::from_value(answer.object()?)?))
}

/// A text with the values of variables in place of `$(NAME)`.
fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}

/// A text in which every address to listen on is the pod's one on loopback.
fn listening(text: &str, pod: Ipv4Addr) -> String {
    let own = format!("{}:", pod_network::loopback(pod));
    ["0.0.0.0:".to_owned(), "[::]:".to_owned(), format!("{pod}:")]
        .iter()
        .fold(text.to_owned(), |text, from| text.replace(from, &own))
}

/// A text in which every path of a mount is the place that stands for it.
fn placed(text: &str, mounts: &[Mounted]) -> String {
    // The longest that fits: one mount may be inside another.
    let fits = |mount: &&Mounted| {
        let rest = text.split_once(&mount.path).map(|(_, rest)| rest);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match mounts.iter().filter(fits).max_by_key(|mount| mount.path.len()) {
        Some(mount) => text.replacen(&mount.path, &mount.place.display().to_string(), 1),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_of_ours_is_known_by_the_last_part_of_its_name() {
        let program = |image: &str| super::image(&Container { image: Some(image.to_owned()), ..Container::default() });
        assert_eq!(program("registry.example:5000/edge/aksarc-webhook:0.1.0"), Some("aksarc-webhook"));
        assert_eq!(program("aksarc-webhook@sha256:00"), Some("aksarc-webhook"));
        assert_eq!(program("registry.example/kubectl-aksarc"), Some("kubectl-aksarc"));
        assert_eq!(program("registry.example/aksarc-webhook/proxy:1"), None);
    }

    #[test]
    fn a_command_is_a_program_at_the_root_of_the_image() {
        let of = |command: &str| {
            let image = Some("aksarc-webhook".to_owned());
            program(&Container { image, command: Some(vec![command.to_owned()]), ..Container::default() })
        };
        assert_eq!(of("/kubectl-aksarc").unwrap(), "kubectl-aksarc");
        for wrong in ["kubectl-aksarc", "/bin/sh"] {
            assert!(of(wrong).unwrap_err().to_string().contains("no such file"), "{wrong}");
        }
    }

    #[test]
    fn addresses_variables_and_paths_lead_to_what_stands_for_them() {
        let pod = Ipv4Addr::new(10, 200, 1, 2);
        assert_eq!(listening("--listen=0.0.0.0:8443", pod), "--listen=127.200.1.2:8443");
        assert_eq!(listening("--listen=10.200.1.2:8443", pod), "--listen=127.200.1.2:8443");
        assert_eq!(listening("10.200.1.2", pod), "10.200.1.2");
        let variables = BTreeMap::from([("NAME".to_owned(), "guard".to_owned())]);
        assert_eq!(expanded("--replica=$(NAME)-1", &variables), "--replica=guard-1");
        let mount = |path: &str, place: &str| Mounted { path: path.to_owned(), place: place.into() };
        let mounts = [mount("/etc/aksarc", "/tmp/a"), mount("/etc/aksarc/config", "/tmp/b")];
        assert_eq!(placed("--config=/etc/aksarc/config/guard.yaml", &mounts), "--config=/tmp/b/guard.yaml");
        assert_eq!(placed("/etc/aksarc/tls", &mounts), "/tmp/a/tls");
        assert_eq!(placed("/etc/aksarc-other", &mounts), "/etc/aksarc-other");
    }
}
