//! `guard roles`: the rights of whoever looks at the guard, and of whoever sets its mode.

use std::fmt::Write as _;

use aksarc_shared::data::own;
use aksarc_shared::verdict::observed;

use crate::cli::exit::ExitResult;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard roles`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
}

/// Runs `guard roles`.
pub(super) fn run(_: &Args, ui: &Ui) -> ExitResult {
    ui.print(&roles())?;
    Ok(0)
}

/// The roles: one to look, one to set the mode.
pub fn roles() -> String {
    let (namespace, guard) = (own::NAMESPACE, own::SERVICE);
    let mut text = format!(
        "# The rights of `kubectl aksarc guard`. Generated. {VIEWER} is for `status` and `observed`, {OPERATOR} for `mode` besides.\n\
         # `test` sends requests in dry run as the caller, who needs the rights to the requests themselves; no role can limit a right to\n\
         # dry runs, so none has them. Bind what is needed:\n\
         #   kubectl create clusterrolebinding {VIEWER} --clusterrole={VIEWER} --user=NAME\n\
         #   kubectl -n {namespace} create rolebinding {VIEWER} --role={VIEWER} --user=NAME\n\
         #   kubectl -n {namespace} create rolebinding {OPERATOR} --role={OPERATOR} --user=NAME\n"
    );
    let rule = |groups: &str, resources: &str, names: &[&str], verbs: &str| {
        let names = if names.is_empty() { String::new() } else { format!("\n  resourceNames: [{}]", names.join(", ")) };
        format!("- apiGroups: [{groups}]\n  resources: [{resources}]{names}\n  verbs: [{verbs}]\n")
    };
    let metrics = "# The API server's own count of changes that went through because a webhook did not answer.\n\
                   - nonResourceURLs: [/metrics]\n  verbs: [get]\n";
    let proxy = "# The metrics of each replica. RBAC cannot limit this to a port: it reaches what else listens in the pods of this namespace.\n";
    let viewer_of_cluster = [
        rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", &[own::CONFIGURATION], "get"),
        metrics.to_owned(),
    ];
    let viewer = [
        rule("\"\"", "configmaps", &[guard, observed::NAME], "get"),
        rule("apps", "deployments", &[guard], "get"),
        rule("\"\"", "pods", &[], "list"),
        format!("{proxy}{}", rule("\"\"", "pods/proxy", &[], "get")),
    ];
    let operator = [rule("\"\"", "configmaps", &[guard], "get, create, patch")];
    let object = |kind: &str, name: &str, place: &str, rules: &[String]| {
        format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {name}{place}\nrules:\n{}",
            rules.concat()
        )
    };
    let place = format!("\n  namespace: {namespace}");
    let roles = [
        object("ClusterRole", VIEWER, "", &viewer_of_cluster),
        object("Role", VIEWER, &place, &viewer),
        object("Role", OPERATOR, &place, &operator),
    ];
    // Writing to a string does not fail.
    let _ = write!(text, "{}", roles.join("---\n"));
    text
}

const VIEWER: &str = "aksarc-guard-viewer";
const OPERATOR: &str = "aksarc-guard-operator";

pub(super) const EXAMPLES: &str = "\
Examples:
  kubectl aksarc guard roles | kubectl apply -f -";
