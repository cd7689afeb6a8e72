//! The commands that can be rehearsed, with kubectl's arguments and flags.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::flags::Common;
use crate::dry_run::gate::SUBRESOURCES;
use crate::input::documents::Depth;

/// The commands that can be rehearsed, with kubectl's arguments and flags.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Rehearse `kubectl annotate`
    #[command(after_help = ANNOTATE)]
    Annotate(Metadata),
    /// Rehearse `kubectl apply`
    #[command(after_help = APPLY)]
    Apply(Apply),
    /// Rehearse `kubectl delete`
    #[command(after_help = DELETE)]
    Delete(Delete),
    /// Rehearse `kubectl label`
    #[command(after_help = LABEL)]
    Label(Metadata),
    /// Rehearse `kubectl patch`
    #[command(after_help = PATCH)]
    Patch(Patch),
    /// Rehearse `kubectl scale`
    #[command(after_help = SCALE)]
    Scale(Scale),
    /// Rehearse `kubectl taint`
    #[command(after_help = TAINT)]
    Taint(Taint),
}

/// Arguments of `label` and `annotate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Metadata {
    /// TYPE NAME... or TYPE/NAME..., then KEY=VALUE to set and KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace values that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub resource_version: String,
    /// Name under which the server records who changed what; kubectl's own by default
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Choice.
    #[command(flatten)]
    pub choose: Choose,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `taint`.
#[derive(Clone, Debug, clap::Args)]
pub struct Taint {
    /// node NAME..., then KEY=VALUE:EFFECT to set and KEY:EFFECT- or KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace taints that are there already
    #[arg(long)]
    pub overwrite: bool,
    /// All nodes
    #[arg(long)]
    pub all: bool,
    /// Nodes with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Name under which the server records who changed what
    #[arg(long, value_name = "NAME", default_value = "kubectl-taint")]
    pub field_manager: String,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `patch`.
#[derive(Clone, Debug, clap::Args)]
pub struct Patch {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// The patch, JSON or YAML
    #[arg(short, long, value_name = "PATCH", required_unless_present = "patch_file", conflicts_with = "patch_file")]
    pub patch: Option<String>,
    /// A file with the patch
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub patch_file: Option<PathBuf>,
    /// How to read the patch
    #[arg(long = "type", value_name = "TYPE", default_value = "strategic", ignore_case = true)]
    pub patch_type: PatchType,
    /// Patch a subresource
    #[arg(long, value_name = "NAME", value_parser = SUBRESOURCES)]
    pub subresource: Option<String>,
    /// Name under which the server records who changed what
    #[arg(long, value_name = "NAME", default_value = "kubectl-patch")]
    pub field_manager: String,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// How to read a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchType {
    /// A list of operations (RFC 6902)
    Json,
    /// A JSON merge patch (RFC 7386)
    Merge,
    /// Kubernetes' strategic merge patch
    Strategic,
}

/// Arguments of `scale`.
#[derive(Clone, Debug, clap::Args)]
pub struct Scale {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// How many replicas there shall be
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=2_147_483_647))]
    pub replicas: u32,
    /// Only if there are this many now; -1 for no condition
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=2_147_483_647))]
    pub current_replicas: i64,
    /// Only if the object is at this version
    #[arg(long, value_name = "VERSION", default_value = "", hide_default_value = true)]
    pub resource_version: String,
    /// All of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct Delete {
    /// TYPE NAME... or TYPE/NAME...
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// What becomes of dependents: background, orphan or foreground
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", value_parser = ["background", "orphan", "foreground", "true", "false"])]
    pub cascade: String,
    /// Seconds the object has to end; negative for its own
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    pub grace_period: i64,
    /// As --grace-period=1
    #[arg(long)]
    pub now: bool,
    /// Remove without waiting for it to end
    #[arg(long)]
    pub force: bool,
    /// Pass over what is not there; the default with --all and selectors
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Accepted for habit's sake: a rehearsal never waits
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub wait: Option<bool>,
    /// Choice.
    #[command(flatten)]
    pub choose: Choose,
    /// Files.
    #[command(flatten)]
    pub files: Files,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct Apply {
    /// Let the server merge
    #[arg(long)]
    pub server_side: bool,
    /// Take over fields of other managers
    #[arg(long, requires = "server_side")]
    pub force_conflicts: bool,
    /// Name under which the server records who changed what; kubectl's own by default
    #[arg(long, value_name = "NAME")]
    pub field_manager: Option<String>,
    /// Manifests: a file, a directory, or - for stdin; repeat for several
    #[arg(short, long, value_name = "FILE|DIR|-", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<PathBuf>,
    /// Read directories all the way down
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// All else.
    #[command(flatten)]
    pub common: Common,
}

/// Choosing objects by other means than a name.
#[derive(Clone, Debug, clap::Args)]
pub struct Choose {
    /// All of the type in the namespace
    #[arg(long)]
    pub all: bool,
    /// Objects with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// Objects with these fields
    #[arg(long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub field_selector: String,
    /// In all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// Choosing objects by manifests.
#[derive(Clone, Debug, clap::Args)]
pub struct Files {
    /// Objects by manifest: a file, a directory, or - for stdin; repeat for several
    #[arg(short, long, value_name = "FILE|DIR|-", value_hint = clap::ValueHint::AnyPath)]
    pub filename: Vec<PathBuf>,
    /// Read directories all the way down
    #[arg(short = 'R', long)]
    pub recursive: bool,
}

impl Files {
    /// How deep directories are searched.
    pub(super) fn depth(&self) -> Depth {
        if self.recursive { Depth::Recursive } else { Depth::Flat }
    }
}

impl Command {
    /// The flags that every command has.
    pub fn common(&self) -> &Common {
        match self {
            Command::Annotate(args) | Command::Label(args) => &args.common,
            Command::Apply(args) => &args.common,
            Command::Delete(args) => &args.common,
            Command::Patch(args) => &args.common,
            Command::Scale(args) => &args.common,
            Command::Taint(args) => &args.common,
        }
    }
}

const ANNOTATE: &str = "\
Examples:
  kubectl aksarc dry-run annotate node moc-l7x2 contoso.com/owner=ops
  kubectl aksarc dry-run annotate ns kube-system example.com/note- --overwrite";

const APPLY: &str = "\
Examples:
  kubectl aksarc dry-run apply -f app.yaml
  kubectl aksarc dry-run apply -f deploy/ -R --server-side
  kustomize build . | kubectl aksarc dry-run apply -f -";

const DELETE: &str = "\
Examples:
  kubectl aksarc dry-run delete node moc-l7x2
  kubectl aksarc dry-run delete deploy -n kube-system -l k8s-app=kube-dns
  kubectl aksarc dry-run delete -f app.yaml --cascade=orphan";

const LABEL: &str = "\
Examples:
  kubectl aksarc dry-run label node moc-l7x2 contoso.com/size=edge
  kubectl aksarc dry-run label nodes -l kubernetes.io/os=linux site=bonn --overwrite
  kubectl aksarc dry-run label node/moc-l7x2 site-";

const PATCH: &str = "\
Examples:
  kubectl aksarc dry-run patch node moc-l7x2 -p '{\"spec\":{\"unschedulable\":true}}'
  kubectl aksarc dry-run patch deploy/coredns -n kube-system --type json -p '[{\"op\":\"remove\",\"path\":\"/spec/template/spec/affinity\"}]'
  kubectl aksarc dry-run patch node moc-l7x2 --subresource status --type merge --patch-file labels.yaml";

const SCALE: &str = "\
Examples:
  kubectl aksarc dry-run scale deploy/coredns -n kube-system --replicas=0
  kubectl aksarc dry-run scale statefulset web --current-replicas=2 --replicas=3";

const TAINT: &str = "\
Examples:
  kubectl aksarc dry-run taint node moc-l7x2 dedicated=gpu:NoSchedule
  kubectl aksarc dry-run taint nodes -l pool=a dedicated-";
