//! The cluster and user to use: kubeconfig files merged as kubectl merges them, overridden by flags.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use kube::Config;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};

use super::proxy;
use crate::cli::flags::KubeFlags;

/// The cluster and user that flags and files select.
pub(super) struct Selected {
    pub(super) context: String,
    pub(super) user: String,
    pub(super) config: Config,
}

/// Reads the kubeconfig and applies the flags.
pub(super) async fn select(flags: &KubeFlags) -> anyhow::Result<Selected> {
    let files = read(flags.kubeconfig.as_deref())?;
    let wanted = flags.context.clone().or_else(|| files.current_context.clone()).filter(|name| !name.is_empty());
    let (context_name, context) = match wanted {
        Some(name) => {
            let found = files.contexts.iter().find(|context| context.name == name);
            let known = files.contexts.iter().map(|context| &*context.name);
            let context = found.and_then(|named| named.context.clone());
            (name.clone(), context.with_context(|| unknown("context", &name, known))?)
        }
        None => (String::new(), Context::default()),
    };
    let cluster_name = flags.cluster.clone().unwrap_or_else(|| context.cluster.clone());
    let user_name = flags.user.clone().or_else(|| context.user.clone()).unwrap_or_default();
    if cluster_name.is_empty() && flags.server.is_none() {
        return in_cluster(flags).unwrap_or_else(|| {
            bail!("no cluster is configured: set a current context in the kubeconfig, or give --context, --kubeconfig or --server")
        });
    }
    let cluster =
        files.clusters.iter().find(|cluster| cluster.name == cluster_name).and_then(|named| named.cluster.clone());
    let cluster = match cluster {
        Some(cluster) => cluster,
        None if cluster_name.is_empty() => Cluster::default(),
        None => bail!(unknown("cluster", &cluster_name, files.clusters.iter().map(|cluster| &*cluster.name))),
    };
    let user = files.auth_infos.iter().find(|user| user.name == user_name).and_then(|named| named.auth_info.clone());
    if user.is_none() && flags.user.is_some() {
        bail!(unknown("user", &user_name, files.auth_infos.iter().map(|user| &*user.name)));
    }
    let cluster = with_cluster_flags(cluster, flags);
    let user = with_user_flags(user.unwrap_or_default(), flags)?;
    let proxy = proxy::of(&cluster)?;
    let shown_user = user.impersonate.clone().unwrap_or(user_name);
    let mut config = build(cluster, user, context.namespace).await?;
    config.proxy_url = proxy;
    Ok(Selected { context: context_name, user: shown_user, config })
}

/// The name of the current context; `None` where there is none, or the kubeconfig cannot be read.
pub(crate) fn current_context(file: Option<&Path>) -> Option<String> {
    read(file).ok()?.current_context.filter(|name| !name.is_empty())
}

/// The names of the contexts; none where the kubeconfig cannot be read.
pub(crate) fn known_contexts(file: Option<&Path>) -> Vec<String> {
    read(file).map(|files| files.contexts.into_iter().map(|own| own.name).collect()).unwrap_or_default()
}

/// The names of the clusters; none where the kubeconfig cannot be read.
pub(crate) fn known_clusters(file: Option<&Path>) -> Vec<String> {
    read(file).map(|files| files.clusters.into_iter().map(|own| own.name).collect()).unwrap_or_default()
}

/// The names of the users; none where the kubeconfig cannot be read.
pub(crate) fn known_users(file: Option<&Path>) -> Vec<String> {
    read(file).map(|files| files.auth_infos.into_iter().map(|own| own.name).collect()).unwrap_or_default()
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = aksarc_shared::text::nearest(name, known).map(|near| format!("; did you mean {near:?}?"));
    format!("the kubeconfig has no {what} {name:?}{}", near.unwrap_or_default())
}

/// The kubeconfig files, first one first. As in kubectl, a missing file of $KUBECONFIG is skipped, and one given by
/// flag must exist.
fn read(flag: Option<&Path>) -> anyhow::Result<Kubeconfig> {
    if let Some(path) = flag {
        return one(path);
    }
    let paths: Vec<PathBuf> = match std::env::var_os("KUBECONFIG") {
        Some(list) if !list.is_empty() => {
            std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect()
        }
        _ => std::env::home_dir().map(|home| home.join(".kube").join("config")).into_iter().collect(),
    };
    let mut merged = Kubeconfig::default();
    for path in paths.iter().filter(|path| path.exists()) {
        merged = merged.merge(one(path)?).with_context(|| format!("cannot merge kubeconfig {}", path.display()))?;
    }
    Ok(merged)
}

fn one(path: &Path) -> anyhow::Result<Kubeconfig> {
    // The file is opened here, since the reader's own error lacks the path.
    std::fs::File::open(path).with_context(|| format!("cannot read kubeconfig {}", path.display()))?;
    Kubeconfig::read_from(path).with_context(|| format!("cannot use kubeconfig {}", path.display()))
}

fn with_cluster_flags(mut cluster: Cluster, flags: &KubeFlags) -> Cluster {
    if let Some(server) = &flags.server {
        let has_scheme = server.contains("://");
        cluster.server = Some(if has_scheme { server.clone() } else { format!("https://{server}") });
    }
    if flags.insecure_skip_tls_verify {
        cluster.insecure_skip_tls_verify = Some(true);
        cluster.certificate_authority = None;
        cluster.certificate_authority_data = None;
    }
    if let Some(path) = &flags.certificate_authority {
        cluster.certificate_authority = Some(path.to_string_lossy().into_owned());
        cluster.certificate_authority_data = None;
        cluster.insecure_skip_tls_verify = None;
    }
    if let Some(name) = &flags.tls_server_name {
        cluster.tls_server_name = Some(name.clone());
    }
    cluster
}

fn with_user_flags(mut user: AuthInfo, flags: &KubeFlags) -> anyhow::Result<AuthInfo> {
    if let Some(path) = &flags.client_certificate {
        user.client_certificate = Some(path.to_string_lossy().into_owned());
        user.client_certificate_data = None;
    }
    if let Some(path) = &flags.client_key {
        user.client_key = Some(path.to_string_lossy().into_owned());
        user.client_key_data = None;
    }
    if let Some(token) = &flags.token {
        user = with_token(user, token)?;
        user.token_file = None;
        user.auth_provider = None;
        user.exec = None;
        user.username = None;
        user.password = None;
    }
    if flags.username.is_some() || flags.password.is_some() {
        let given = serde_json::json!({"username": flags.username, "password": flags.password});
        let given: AuthInfo = serde_json::from_value(given)?;
        user =
            AuthInfo { username: given.username.or(user.username), password: given.password.or(user.password), ..user };
        user.token = None;
        user.token_file = None;
        user.auth_provider = None;
        user.exec = None;
    }
    if let Some(path) = user.token_file.take() {
        // As in kubectl the file takes precedence over a token beside it, and its final line break is dropped. It is
        // read once: a check is over before a valid token expires.
        let token = std::fs::read_to_string(&path).with_context(|| format!("cannot read token file {path}"))?;
        user = with_token(user, token.trim())?;
    }
    if let Some(name) = &flags.impersonate {
        user.impersonate = Some(name.clone());
        user.impersonate_groups = Some(flags.as_group.clone());
        user.impersonate_uid.clone_from(&flags.as_uid);
        let mut extra: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in &flags.as_user_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        user.impersonate_user_extra = Some(extra).filter(|extra| !extra.is_empty());
    }
    Ok(user)
}

/// The user with a token. Only the parser can make the type of secrets.
fn with_token(mut user: AuthInfo, token: &str) -> anyhow::Result<AuthInfo> {
    let parsed: AuthInfo = serde_json::from_value(serde_json::json!({ "token": token }))?;
    user.token = parsed.token;
    Ok(user)
}

async fn build(cluster: Cluster, user: AuthInfo, namespace: Option<String>) -> anyhow::Result<Config> {
    let name = || "selected".to_owned();
    let kubeconfig = Kubeconfig {
        clusters: vec![NamedCluster { name: name(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: name(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext {
            name: name(),
            context: Some(Context {
                cluster: name(),
                user: Some(name()),
                namespace: namespace.filter(|n| !n.is_empty()),
                ..Context::default()
            }),
            ..NamedContext::default()
        }],
        current_context: Some(name()),
        ..Kubeconfig::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let config = config.context("cannot use the kubeconfig")?;
    if config.cluster_url.host().is_none() {
        bail!("the server address {:?} has no host", config.cluster_url.to_string());
    }
    Ok(config)
}

/// The service account of the pod, for a process inside a pod without a kubeconfig.
fn in_cluster(flags: &KubeFlags) -> Option<anyhow::Result<Selected>> {
    std::env::var_os("KUBERNETES_SERVICE_HOST")?;
    let select = || {
        let mut config = Config::incluster().context("cannot use the pod's service account")?;
        config.auth_info = with_user_flags(config.auth_info, flags)?;
        let user = config.auth_info.impersonate.clone().unwrap_or_else(|| "the pod's service account".to_owned());
        Ok(Selected { context: "in-cluster".to_owned(), user, config })
    };
    Some(select())
}
