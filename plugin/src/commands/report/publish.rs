//! `report publish`: writes a result into its cluster, a saved one or that of a check which it makes itself. Besides `guard mode`, no
//! other command changes anything in a cluster.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use aksarc_shared::data::own;
use aksarc_shared::k8s::kinds::escaped;
use aksarc_shared::text;
use aksarc_shared::verdict::published::{self, ResultSummary};
use aksarc_shared::verdict::report::v1::{InputKindV1, ReportV1};
use anyhow::anyhow;
use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::api::{self, ApiRequest, RequestError, SendLimits, Sender};
use crate::cli::exit::{ExitResult, Failure};
use crate::commands::cluster::ClusterFlags;
use crate::commands::support_check::{self, Judging};
use crate::formats::escape;
use crate::formats::openreports::{NAME, OPEN_REPORTS, SOURCE, object};
use crate::input::result;
use crate::screen::progress::Progress;
use crate::screen::ui::Ui;

/// Arguments of `report publish`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct Args {
    /// A result as `support-check --save` and `support-check -o json` write it; - reads standard input
    #[arg(value_name = "RESULT", required_unless_present_any = ["live", "print_role"], conflicts_with = "live", value_hint = clap::ValueHint::FilePath)]
    pub result: Option<PathBuf>,
    /// Check the cluster now, and publish the result
    #[arg(long)]
    pub live: bool,
    /// Namespace of the ConfigMap with the result, which has to exist
    #[arg(short, long, value_name = "NAME", default_value = own::NAMESPACE)]
    pub namespace: String,
    /// Print the roles with the rights to publish, as YAML, and publish nothing
    #[arg(long)]
    pub print_role: bool,
    /// Rules, waivers and platform, with --live.
    #[command(flatten)]
    pub judging: Judging,
    /// Reading, display and cluster; reading with --live.
    #[command(flatten)]
    pub flags: ClusterFlags,
}

/// Runs `report publish`.
///
/// # Errors
/// [`Failure`] when the result cannot be read or made, or the cluster does not take an object.
pub async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let namespace = &args.namespace;
    if args.print_role {
        ui.print(&roles(namespace))?;
        return Ok(0);
    }
    let report = match &args.result {
        Some(path) => saved(path)?,
        None => support_check::of_cluster(&args.judging, &args.flags, None, ui).await?,
    };
    let kept = config_map(&report, namespace)?;
    let kube = &args.flags.kube;
    let connection = api::connect(kube).await?;
    let limits = SendLimits::per_request(kube.request_timeout.duration());
    let sender = Sender::new(connection, limits, Progress::new(ui));
    let maps = format!("/api/v1/namespaces/{}/configmaps/{}", escaped(namespace), published::NAME);
    let what = format!("configmaps {} in the namespace {}", published::NAME, text::line(namespace, 200));
    apply(&sender, &maps, &kept, &what, ui).await.map_err(|why| why.after("nothing"))?;
    let reports = format!("/apis/{OPEN_REPORTS}/clusterreports/{NAME}");
    let map = format!("configmap/{} in {}", published::NAME, text::line(namespace, 200));
    let done = match apply(&sender, &reports, &object(&report), CLUSTER_REPORT, ui).await {
        Ok(()) => format!("{map}, and clusterreport.openreports.io/{NAME}"),
        Err(NotPublished { status: Some(404), .. }) => {
            ui.note(NO_DEFINITIONS);
            map
        }
        Err(why) => return Err(why.after("the ConfigMap, but not the ClusterReport")),
    };
    ui.print(&format!("{}\npublished: {done}\n", verdict(&report)))?;
    Ok(0)
}

/// A saved result of a cluster.
fn saved(path: &Path) -> Result<ReportV1, Failure> {
    let report = result::read(path).map_err(Failure::input)?;
    if report.input.kind == InputKindV1::Manifests {
        return Err(Failure::input(anyhow!(
            "{} is a result of manifests, which says nothing of a cluster: publish a result of a cluster or of its snapshot",
            path.display()
        )));
    }
    Ok(report)
}

/// The verdict and the counts of a report, in a line.
fn verdict(report: &ReportV1) -> String {
    let counts: Vec<String> = report.summary.iter().map(|(word, count)| format!("{word} {count}")).collect();
    text::line(&format!("verdict: {} ({})", report.verdict.as_str(), counts.join(", ")), MAX_WORDS)
}

/// An object that was not published.
struct NotPublished {
    /// The server's answer; none where none came.
    status: Option<u16>,
    why: String,
}

impl NotPublished {
    /// The failure, with what was published before it.
    fn after(self, published: &str) -> Failure {
        Failure::run(anyhow!("{}. Published was {published}", self.why))
    }
}

impl From<RequestError> for NotPublished {
    fn from(error: RequestError) -> Self {
        NotPublished { status: None, why: error.to_string() }
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
        404 => "create the namespace, or name another one with --namespace".to_owned(),
        _ => String::new(),
    };
    let advice = if advice.is_empty() { advice } else { format!("; {advice}") };
    Err(NotPublished {
        status: Some(reply.status.as_u16()),
        why: format!("cannot publish {what}: the server answered {}: {words}{advice}", reply.status),
    })
}

/// A ConfigMap with the result, compressed where it would be too large for an object.
fn config_map(report: &ReportV1, namespace: &str) -> Result<Value, Failure> {
    let json = escape::json(&serde_json::to_string(report).map_err(Failure::run)?);
    let mut map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": published::NAME,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": SOURCE},
            "annotations": {published::SUMMARY: ResultSummary::of(report).text()},
        },
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
    let in_namespace = ("Role", format!("\n  namespace: {namespace}"), "", "configmaps", published::NAME);
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

/// A ClusterReport is for the dashboards of others; all of the result is in the ConfigMap.
const NO_DEFINITIONS: &str = "note: there is no ClusterReport, since the cluster lacks the definitions of OpenReports: helm install openreports \
                              openreports/openreports brings them";

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

  # Check the cluster and publish the result, as a CronJob does
  kubectl aksarc report publish --live --waivers cluster

  # The rights for it
  kubectl aksarc report publish --print-role | kubectl apply -f -";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::samples::drifted;
    use aksarc_shared::verdict::report::v1::{ConsequenceV1, WaiverV1};

    #[test]
    fn the_summary_has_the_numbers_of_the_result_and_stays_small() {
        let mut report = drifted();
        let (name, reason, expires) = ("w".to_owned(), "known".to_owned(), "2099-01-01T00:00:00Z".to_owned());
        report.findings[0].waiver = Some(WaiverV1 { name, reason, expires, ticket: None, support_case: None });
        let text = config_map(&report, "a").unwrap()["metadata"]["annotations"][published::SUMMARY].clone();
        let summary = ResultSummary::parse(text.as_str().unwrap()).unwrap();
        assert_eq!((summary.waived, summary.verdict), (1, report.verdict));
        assert_eq!(summary.taken_at.map(|moment| moment.to_string()), report.input.taken_at);
        for consequence in ConsequenceV1::ALL {
            let counts = summary.findings.values().filter_map(|counts| counts.get(&consequence));
            let count = usize::try_from(counts.sum::<u32>()).unwrap();
            assert_eq!(count, report.unwaived(consequence).count(), "{consequence:?}");
        }
        let rules = usize::try_from(summary.rules.values().sum::<u32>()).unwrap();
        assert_eq!(rules, report.catalogue.rules);
        // Kubernetes takes 256 KiB of annotations.
        assert!(summary.text().len() < 16 << 10, "{}", summary.text().len());
    }

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
