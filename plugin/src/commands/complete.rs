//! Names for completion: from the kubeconfig, and from the cluster where it answers at once.

use std::time::Duration;

use aksarc_shared::k8s::kinds::{self, Kind};
use clap::Parser;
use serde_json::Value;

use crate::api::{self, ApiRequest, SendLimits, Sender};
use crate::cli::complete::{NameSource, Names};
use crate::cli::flags::KubeFlags;
use crate::screen::progress::Progress;

/// The kubeconfig and the cluster that the flags lead to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Live;

/// The flags of which names depend.
#[derive(Debug, Parser)]
struct Typed {
    #[arg(long)]
    namespace: Option<String>,
    #[command(flatten)]
    kube: KubeFlags,
}

impl Typed {
    /// The flags that were typed. Flags that do not concern the cluster are left out.
    fn of(flags: &[String]) -> Option<Self> {
        let known: Vec<String> = {
            let command = <Self as clap::CommandFactory>::command();
            let is_known = |flag: &&String| {
                let long = flag.trim_start_matches("--").split('=').next();
                command.get_arguments().any(|arg| arg.get_long() == long)
            };
            flags.iter().filter(is_known).cloned().collect()
        };
        Typed::try_parse_from(std::iter::once("complete".to_owned()).chain(known)).ok()
    }
}

impl NameSource for Live {
    fn names(&self, wanted: Names<'_>, flags: &[String]) -> Vec<String> {
        let Some(typed) = Typed::of(flags) else { return Vec::new() };
        let known = match wanted {
            Names::Contexts => api::known_contexts(typed.kube.kubeconfig.as_deref()),
            Names::Clusters => api::known_clusters(typed.kube.kubeconfig.as_deref()),
            Names::Users => api::known_users(typed.kube.kubeconfig.as_deref()),
            Names::Namespaces => listed(&kinds::NAMESPACE, &typed),
            Names::Objects(word) => kind(word).map(|kind| listed(kind, &typed)).unwrap_or_default(),
        };
        known.into_iter().filter(|name| name.chars().all(|own| !own.is_control())).collect()
    }
}

/// The kind of a word as people type it: `node`, `nodes`, `no`, `deployments.apps`.
pub(super) fn kind(word: &str) -> Option<&'static Kind> {
    let word = word.to_lowercase();
    let long = SHORT_NAMES.iter().find(|(short, _)| *short == word).map_or(&*word, |(_, long)| long);
    let is_it = |kind: &&&Kind| kind.resource == long || kind.kind.to_lowercase() == long || kind.qualified() == long;
    kinds::ALL.iter().find(is_it).copied()
}

/// Names of objects; none where the cluster does not answer in time.
fn listed(kind: &'static Kind, typed: &Typed) -> Vec<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(kind, typed)).await.ok().flatten() });
    // A credential plugin that hangs must not hold up the shell.
    runtime.shutdown_background();
    names.unwrap_or_default()
}

async fn ask(kind: &'static Kind, typed: &Typed) -> Option<Vec<String>> {
    let connection = api::connect(&typed.kube).await.ok()?;
    let own = typed.namespace.clone().unwrap_or_else(|| connection.namespace.clone());
    let namespace = kind.namespaced.then_some(&*own);
    let request = ApiRequest::get(kind.page_path(namespace, MOST, None)).accepting(NAMES_ONLY);
    let sender = Sender::new(connection, SendLimits::new(PATIENCE, PATIENCE), Progress::silent());
    let reply = sender.send(&request).await.ok()?.json_or_null();
    let items = reply.body.get("items")?.as_array()?;
    let name = |item: &Value| item.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    Some(items.iter().filter_map(name).collect())
}

/// Waiting longer for a completion is worse than none.
const PATIENCE: Duration = Duration::from_secs(1);

/// Nobody chooses from a longer list.
const MOST: usize = 500;

/// Objects without spec and status, where the server can do that.
const NAMES_ONLY: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";

/// kubectl's short names that people type most.
const SHORT_NAMES: [(&str, &str); 14] = [
    ("cm", "configmaps"),
    ("crd", "customresourcedefinitions"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("ing", "ingresses"),
    ("netpol", "networkpolicies"),
    ("no", "nodes"),
    ("ns", "namespaces"),
    ("pdb", "poddisruptionbudgets"),
    ("po", "pods"),
    ("rs", "replicasets"),
    ("sa", "serviceaccounts"),
    ("sts", "statefulsets"),
    ("svc", "services"),
];
