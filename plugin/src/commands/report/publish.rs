//! `report publish`: writes a saved result into its cluster. Besides `guard mode`, no other command changes anything in a cluster.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use aksarc_shared::data::own;
use aksarc_shared::k8s::kinds::escaped;
use aksarc_shared::text;
use aksarc_shared::verdict::report::v1::{InputKindV1, ReportV1};
use anyhow::anyhow;
use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::api::{self, ApiRequest, RequestError, SendLimits, Sender};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::flags::KubeFlags;
use crate::formats::escape;
use crate::formats::openreports::{NAME, OPEN_REPORTS, SOURCE, object};
use crate::input::result;
use crate::screen::progress::Progress;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `report publish`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", required_unless_present = "print_role", value_hint = clap::ValueHint::FilePath)]
    pub result: Option<PathBuf>,
    /// Namespace of the ConfigMap with the result, which has to exist
    #[arg(short, long, value_name = "NAME", default_value = own::NAMESPACE)]
    pub namespace: String,
    /// Print the roles with the rights to publish, as YAML, and publish nothing
    #[arg(long)]
    pub print_role: bool,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// Runs `report publish`.
///
/// # Errors
/// [`Failure`] when the result cannot be read, or the cluster does not take an object.
pub async fn run(args: &Args, ui: &Ui) -> ExitResult {
    if args.print_role {
        ui.print(&roles(&args.namespace))?;
        return Ok(0);
    }
    let Some(path) = &args.result else { return Err(Failure::input(anyhow!("name the result to publish"))) };
    let report = result::read(path).map_err(Failure::input)?;
    if report.input.kind == InputKindV1::Manifests {
        return Err(Failure::input(anyhow!(
            "{} is a result of manifests, which says nothing of a cluster: publish a result of a cluster or of its snapshot",
            path.display()
        )));
    }
    let kept = config_map(&report, &args.namespace)?;
    let connection = api::connect(&args.kube).await?;
    let limits = SendLimits::per_request(args.kube.request_timeout.duration());
    let sender = Sender::new(connection, limits, Progress::new(ui));
    let reports = format!("/apis/{OPEN_REPORTS}/clusterreports/{NAME}");
    apply(&sender, &reports, &object(&report), CLUSTER_REPORT, ui).await.map_err(|why| why.before("nothing"))?;
    let namespace = &args.namespace;
    let maps = format!("/api/v1/namespaces/{}/configmaps/{RESULT}", escaped(namespace));
    let what = format!("configmaps {RESULT} in the namespace {}", text::line(namespace, 200));
    apply(&sender, &maps, &kept, &what, ui)
        .await
        .map_err(|why| why.before("the ClusterReport, but not the ConfigMap"))?;
    ui.print(&format!(
        "published: clusterreport.openreports.io/{NAME}, and configmap/{RESULT} in {}\n",
        text::line(namespace, 200)
    ))?;
    Ok(0)
}

/// An object that was not published.
struct NotPublished {
    why: String,
}

impl NotPublished {
    /// The failure, with what was published before it.
    fn before(self, published: &str) -> Failure {
        Failure::run(anyhow!("{}. Published was {published}", self.why))
    }
}

impl From<RequestError> for NotPublished {
    fn from(error: RequestError) -> Self {
        NotPublished { why: error.to_string() }
    }
}

/// Applies an object as the owner of all its fields, also of those that other managers own.
#[expect(clippy::disallowed_methods, reason = "one of the two commands that write")]
async fn apply(sender: &Sender, path: &str, object: &Value, what: &str, ui: &Ui) -> Result<(), NotPublished> {
    let request = ApiRequest::apply(path, SOURCE, object).named(format!("publish {what}"));
    let reply = sender.ask(&request).await?;
    if reply.status.is_success() {
        return Ok(());
    }
    let words = text::line(&reply.message(), MAX_WORDS);
    let advice = match reply.status.as_u16() {
        403 => format!(
            "the rights are in the roles that `{} report publish --print-role` prints; bind both, as the first lines say",
            ui.name
        ),
        404 if what == CLUSTER_REPORT => {
            "install the definitions of OpenReports first: helm install openreports openreports/openreports".to_owned()
        }
        404 => "create the namespace, or name another one with --namespace".to_owned(),
        _ => String::new(),
    };
    let advice = if advice.is_empty() { advice } else { format!("; {advice}") };
    Err(NotPublished { why: format!("cannot publish {what}: the server answered {}: {words}{advice}", reply.status) })
}

/// A ConfigMap with the result, compressed where it would be too large for an object.
fn config_map(report: &ReportV1, namespace: &str) -> Result<Value, Failure> {
    let json = escape::json(&serde_json::to_string(report).map_err(Failure::run)?);
    let mut map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": RESULT, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": SOURCE}},
        "data": {
            "verdict": report.verdict.as_str(), "exitCode": report.exit_code.to_string(), "asOf": report.policy.as_of,
        },
    });
    let (field, key, value) = if json.len() <= MAX_BYTES {
        ("data", "result.json", Value::from(json))
    } else {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        let packed = encoder.write_all(json.as_bytes()).and_then(|()| encoder.finish()).map_err(Failure::run)?;
        if packed.len() > MAX_BYTES / 4 * 3 {
            let (size, most) = (packed.len() >> 10, MAX_BYTES >> 10);
            return Err(Failure::input(anyhow!(
                "the result has {size} KiB compressed, and a ConfigMap holds {most}: check with --only, or keep it elsewhere"
            )));
        }
        ("binaryData", "result.json.gz", serde_json::to_value(ByteString(packed)).map_err(Failure::run)?)
    };
    if let Some(fields) = map.as_object_mut() {
        let entry = fields.entry(field).or_insert_with(|| json!({}));
        if let Some(entries) = entry.as_object_mut() {
            entries.insert(key.to_owned(), value);
        }
    }
    Ok(map)
}

/// The roles with the rights to publish: two objects by name, and nothing else.
pub fn roles(namespace: &str) -> String {
    let mut text = format!(
        "# The rights of `kubectl aksarc report publish`: its two objects, and nothing else. Generated; bind both to whoever publishes:\n\
         #   kubectl create clusterrolebinding {ROLE} --clusterrole={ROLE} --user=NAME\n\
         #   kubectl -n {namespace} create rolebinding {ROLE} --role={ROLE} --user=NAME\n"
    );
    let cluster = ("ClusterRole", String::new(), "openreports.io", "clusterreports", NAME);
    let in_namespace = ("Role", format!("\n  namespace: {namespace}"), "", "configmaps", RESULT);
    for (number, (kind, place, group, resource, name)) in [cluster, in_namespace].into_iter().enumerate() {
        let separator = if number == 0 { "" } else { "---\n" };
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "{separator}apiVersion: rbac.authorization.k8s.io/v1\nkind: {kind}\nmetadata:\n  name: {ROLE}{place}\nrules:\n\
             - apiGroups: [\"{group}\"]\n  resources: [{resource}]\n  resourceNames: [{name}]\n  verbs: [create, patch]\n"
        );
    }
    text
}

const CLUSTER_REPORT: &str = "clusterreports.openreports.io aksarc";

/// The name of the ConfigMap.
const RESULT: &str = "aksarc-result";

/// The name of both roles.
const ROLE: &str = "aksarc-publisher";

/// The most bytes of the result: an object has 1.5 MiB at most, a ConfigMap one.
const MAX_BYTES: usize = 900 << 10;

/// The longest message of a server, in bytes.
const MAX_WORDS: usize = 400;

const EXAMPLES: &str = "\
Examples:
  # Write the result of a check into its cluster, where dashboards for policy reports show it
  kubectl aksarc support-check --save result.json
  kubectl aksarc report publish result.json

  # The rights for it
  kubectl aksarc report publish --print-role | kubectl apply -f -";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples::drifted;

    #[test]
    fn a_large_result_is_compressed_and_a_larger_one_refused() {
        let mut report = drifted();
        let map = config_map(&report, "a").unwrap();
        assert!(map["data"]["result.json"].is_string() && map.get("binaryData").is_none());
        let reason = report.rules[0].clone();
        report.rules = (0..20_000).map(|_| reason.clone()).collect();
        let map = config_map(&report, "a").unwrap();
        assert!(map["binaryData"]["result.json.gz"].is_string() && map["data"].get("result.json").is_none());
        assert!(map.to_string().len() < 1 << 20);
        // Random text, which does not compress.
        let mut state = 1_u64;
        report.policy.platform_evidence = (0..200_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                format!("{state:x}")
            })
            .collect();
        assert!(config_map(&report, "a").unwrap_err().to_string().contains("a ConfigMap holds 900"));
    }
}
