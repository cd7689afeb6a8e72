//! The verbs that can be rehearsed, with kubectl's arguments and flags.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::flags::{ChoiceFlags, CommonFlags, FileFlags, ManagerFlag, SelectionFlags, ValidationFlag, VersionFlag};
use crate::dry_run::gate::SUBRESOURCES;
use crate::dry_run::selector::LabelSelector;

/// The verbs that can be rehearsed, with kubectl's arguments and flags.
#[derive(Clone, Debug, Subcommand)]
pub enum VerbArgs {
    /// Rehearse `kubectl annotate`
    #[command(after_help = ANNOTATE)]
    Annotate(MetadataArgs),
    /// Rehearse `kubectl apply`
    #[command(after_help = APPLY)]
    Apply(ApplyArgs),
    /// Rehearse `kubectl cordon`
    #[command(after_help = CORDON)]
    Cordon(CordonArgs),
    /// Rehearse `kubectl delete`
    #[command(after_help = DELETE)]
    Delete(DeleteArgs),
    /// Rehearse `kubectl label`
    #[command(after_help = LABEL)]
    Label(MetadataArgs),
    /// Rehearse `kubectl patch`
    #[command(after_help = PATCH)]
    Patch(PatchArgs),
    /// Rehearse `kubectl scale`
    #[command(after_help = SCALE)]
    Scale(ScaleArgs),
    /// Rehearse `kubectl taint`
    #[command(after_help = TAINT)]
    Taint(TaintArgs),
    /// Rehearse `kubectl uncordon`
    #[command(after_help = UNCORDON)]
    Uncordon(CordonArgs),
}

/// Arguments of `label` and `annotate`.
#[derive(Clone, Debug, clap::Args)]
pub struct MetadataArgs {
    /// TYPE NAME... or TYPE/NAME..., then KEY=VALUE to set and KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace existing values
    #[arg(long)]
    pub overwrite: bool,
    /// Version.
    #[command(flatten)]
    pub version: VersionFlag,
    /// Field manager.
    #[command(flatten)]
    pub manager: ManagerFlag,
    /// Choice.
    #[command(flatten)]
    pub choice: ChoiceFlags,
    /// Files.
    #[command(flatten)]
    pub files: FileFlags,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Arguments of `taint`.
#[derive(Clone, Debug, clap::Args)]
#[command(
    mut_arg("all", |arg| arg.help("All nodes")),
    mut_arg("selector", |arg| arg.help("Nodes with these labels")),
    mut_arg("field_manager", |arg| arg.help(MANAGER).default_value("kubectl-taint"))
)]
pub struct TaintArgs {
    /// node NAME..., then KEY=VALUE:EFFECT to set and KEY:EFFECT- or KEY- to remove
    #[arg(required = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Replace existing taints
    #[arg(long)]
    pub overwrite: bool,
    /// Validation.
    #[command(flatten)]
    pub validation: ValidationFlag,
    /// Selection.
    #[command(flatten)]
    pub selection: SelectionFlags,
    /// Field manager.
    #[command(flatten)]
    pub manager: ManagerFlag,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Arguments of `cordon` and `uncordon`.
#[derive(Clone, Debug, clap::Args)]
pub struct CordonArgs {
    /// Names of nodes
    #[arg(value_name = "NODE", required_unless_present = "selector", conflicts_with = "selector")]
    pub nodes: Vec<String>,
    /// Nodes with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true)]
    pub selector: String,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Arguments of `patch`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("field_manager", |arg| arg.help(MANAGER).default_value("kubectl-patch")))]
pub struct PatchArgs {
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
    /// Field manager.
    #[command(flatten)]
    pub manager: ManagerFlag,
    /// Files.
    #[command(flatten)]
    pub files: FileFlags,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// How to read a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PatchType {
    /// A list of operations (RFC 6902)
    Json,
    /// A JSON merge patch (RFC 7386)
    Merge,
    /// A strategic merge patch of Kubernetes
    Strategic,
}

/// Arguments of `scale`.
#[derive(Clone, Debug, clap::Args)]
pub struct ScaleArgs {
    /// TYPE NAME or TYPE/NAME
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// New number of replicas
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=2_147_483_647))]
    pub replicas: u32,
    /// Scale only if this is the present number; -1 for no condition
    #[arg(long, value_name = "COUNT", default_value_t = -1, allow_negative_numbers = true, value_parser = clap::value_parser!(i64).range(-1..=2_147_483_647))]
    pub current_replicas: i64,
    /// Version.
    #[command(flatten)]
    pub version: VersionFlag,
    /// Selection.
    #[command(flatten)]
    pub selection: SelectionFlags,
    /// Files.
    #[command(flatten)]
    pub files: FileFlags,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Arguments of `delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct DeleteArgs {
    /// TYPE NAME... or TYPE/NAME...
    #[arg(value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Deletion of dependents: background, orphan or foreground
    #[arg(long, value_name = "HOW", default_value = "background", num_args = 0..=1, require_equals = true, default_missing_value = "background", value_parser = ["background", "orphan", "foreground", "true", "false"])]
    pub cascade: String,
    /// Seconds that the object gets to terminate; negative for its own setting
    #[arg(long, value_name = "SECONDS", default_value_t = -1, allow_negative_numbers = true)]
    pub grace_period: i64,
    /// Same as --grace-period=1
    #[arg(long)]
    pub now: bool,
    /// Delete without waiting for the object to terminate
    #[arg(long)]
    pub force: bool,
    /// Skip missing objects; the default with --all and selectors
    #[arg(long)]
    pub ignore_not_found: bool,
    /// Choice.
    #[command(flatten)]
    pub choice: ChoiceFlags,
    /// Files.
    #[command(flatten)]
    pub files: FileFlags,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

/// Arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
#[command(mut_arg("filename", |arg| arg.help(MANIFESTS).required_unless_present("kustomize")))]
pub struct ApplyArgs {
    /// Let the server merge (server-side apply)
    #[arg(long)]
    pub server_side: bool,
    /// Take over fields of other managers
    #[arg(long, requires = "server_side")]
    pub force_conflicts: bool,
    /// Only the manifests with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "", hide_default_value = true, value_parser = LabelSelector::parse)]
    pub selector: LabelSelector,
    /// Validation.
    #[command(flatten)]
    pub validation: ValidationFlag,
    /// Field manager.
    #[command(flatten)]
    pub manager: ManagerFlag,
    /// Files.
    #[command(flatten)]
    pub files: FileFlags,
    /// All else.
    #[command(flatten)]
    pub common: CommonFlags,
}

impl VerbArgs {
    /// The flags that every verb has.
    pub fn common(&self) -> &CommonFlags {
        match self {
            VerbArgs::Annotate(args) | VerbArgs::Label(args) => &args.common,
            VerbArgs::Apply(args) => &args.common,
            VerbArgs::Cordon(args) | VerbArgs::Uncordon(args) => &args.common,
            VerbArgs::Delete(args) => &args.common,
            VerbArgs::Patch(args) => &args.common,
            VerbArgs::Scale(args) => &args.common,
            VerbArgs::Taint(args) => &args.common,
        }
    }

    /// The flags that choose objects by other means than a name, for verbs that have all of them.
    pub(super) fn choice(&self) -> Option<&ChoiceFlags> {
        match self {
            VerbArgs::Annotate(args) | VerbArgs::Label(args) => Some(&args.choice),
            VerbArgs::Delete(args) => Some(&args.choice),
            VerbArgs::Apply(_)
            | VerbArgs::Cordon(_)
            | VerbArgs::Patch(_)
            | VerbArgs::Scale(_)
            | VerbArgs::Taint(_)
            | VerbArgs::Uncordon(_) => None,
        }
    }
}

/// Help of `--field-manager` where the default stands beside it.
const MANAGER: &str = "Field manager that the server records for the change";

/// The help of `-f` where it is the only way to name objects.
const MANIFESTS: &str = "Manifests: a file, a directory, or - for stdin; repeat for several";

const ANNOTATE: &str = "\
Examples:
  kubectl aksarc dry-run annotate node moc-l7x2 contoso.com/owner=ops
  kubectl aksarc dry-run annotate ns kube-system example.com/note- --overwrite";

const APPLY: &str = "\
Examples:
  kubectl aksarc dry-run apply -f app.yaml
  kubectl aksarc dry-run apply -f deploy/ -R --server-side
  kubectl aksarc dry-run apply -k overlays/edge";

const CORDON: &str = "\
Examples:
  kubectl aksarc dry-run cordon moc-l7x2
  kubectl aksarc dry-run cordon -l pool=a";

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

const UNCORDON: &str = "\
Examples:
  kubectl aksarc dry-run uncordon moc-l7x2
  kubectl aksarc dry-run uncordon -l pool=a";
