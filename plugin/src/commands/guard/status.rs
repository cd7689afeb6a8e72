//! `guard status`: what the guard in a cluster is and does.

use std::fmt::Write as _;

use aksarc_shared::data::own;
use aksarc_shared::facts::actor::Ambiguous;
use aksarc_shared::facts::digest;
use aksarc_shared::k8s::read::metrics::samples;
use aksarc_shared::text;
use aksarc_shared::verdict::guard::Preset;
use aksarc_shared::verdict::report::exit;
use serde::Serialize;
use serde_json::Value;

use super::attempt::{Attempt, SeenAnswer};
use super::installed::{GuardSite, ReadObject, config};
use super::replica::{Replica, ReplicaMetrics, whole};
use crate::cli::exit::{ExitResult, Failure};
use crate::cli::flags::KubeFlags;
use crate::cli::tool;
use crate::dry_run::gate::{FRESH, Gate};
use crate::screen::format::{self, ListFormat};
use crate::screen::grid::Grid;
use crate::screen::ui::{Ui, UiFlags};

/// Arguments of `guard status`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Format
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: ListFormat,
    /// Display.
    #[command(flatten)]
    pub ui: UiFlags,
    /// Cluster.
    #[command(flatten)]
    pub kube: KubeFlags,
}

/// Runs `guard status`: exit 0 when the guard does what it is set to, 1 when it does not or is not there, 5 when that cannot
/// be seen.
pub(super) async fn run(args: &Args, ui: &Ui) -> ExitResult {
    let site = GuardSite::connect(&args.kube, ui).await?;
    let status = GuardStatus::of(&site).await?;
    let text = match args.output {
        ListFormat::Table => status.table(ui),
        ListFormat::Json => format::json(&status)?,
        ListFormat::Yaml => format::yaml(&status)?,
    };
    ui.print(&ui.look().fit(text))?;
    Ok(status.exit_code)
}

/// The state of the guard in a cluster.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct GuardStatus {
    api_version: &'static str,
    kind: &'static str,
    armed: Armed,
    exit_code: u8,
    /// The mode in the ConfigMap; `None` where it cannot be seen.
    mode: Option<&'static str>,
    /// What is done about requests that could be the platform's or a person's.
    ambiguous: Option<&'static str>,
    contact: Option<String>,
    image: Option<String>,
    /// Replicas that are wanted, and that are ready.
    wanted: Option<u64>,
    ready: Option<u64>,
    replicas: Vec<Replica>,
    /// How the webhooks are registered, for people.
    webhooks: String,
    /// Changes that went through because the guard did not answer, since the API server that was asked started.
    fail_open: Option<u64>,
    /// Trouble that a person should look at.
    trouble: Vec<String>,
    /// What could not be seen, and why.
    unseen: Vec<String>,
    /// The version of this program.
    tool: &'static str,
}

/// Whether the guard was seen to refuse.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Armed {
    state: ArmedState,
    why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum ArmedState {
    /// It was seen to refuse.
    Armed,
    /// It is set to refuse nothing, and does what it is set to, as far as shows.
    AsSet,
    /// It does not do what it is set to.
    NotArmed,
    NotProved,
}

impl GuardStatus {
    async fn of(site: &GuardSite) -> Result<Self, Failure> {
        let (mut trouble, mut unseen) = (Vec::new(), Vec::new());
        let namespace = own::NAMESPACE;
        let map = site.config_map().await?;
        let settings = map.there().and_then(config).map(aksarc_shared::verdict::guard::GuardConfig::settings);
        let mode = match (&map, &settings) {
            (ReadObject::Absent, _) => Some(Preset::Observe),
            (_, Some(settings)) => Some(settings.mode),
            (ReadObject::There(_), None) => {
                trouble.push("the ConfigMap guard holds no configuration that the guard can use".to_owned());
                None
            }
            (ReadObject::Unseen(why), None) => {
                unseen.push(why.clone());
                None
            }
        };
        let path =
            format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{}", own::CONFIGURATION);
        let configuration = site.object(&path, "its webhook configuration").await?;
        let (registered, webhooks) = webhooks(&configuration, &mut trouble, &mut unseen);
        let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/{}", own::SERVICE);
        let deployment = site.object(&path, "its Deployment").await?;
        let part = |pointer: &str| deployment.there().and_then(|own| own.pointer(pointer));
        let image =
            part("/spec/template/spec/containers/0/image").and_then(Value::as_str).map(|image| text::line(image, 200));
        let (wanted, ready) = match &deployment {
            ReadObject::There(_) => (
                part("/spec/replicas").and_then(Value::as_u64),
                Some(part("/status/readyReplicas").and_then(Value::as_u64).unwrap_or(0)),
            ),
            ReadObject::Absent => {
                trouble.push(format!("there is no Deployment {} in {namespace}", own::SERVICE));
                (None, Some(0))
            }
            ReadObject::Unseen(why) => {
                unseen.push(why.clone());
                (None, None)
            }
        };
        if ready == Some(0) && deployment.there().is_some() {
            trouble.push("no replica is ready, so nothing is guarded".to_owned());
        }
        let replicas = replicas(site, &mut unseen).await?;
        compare(&replicas, mode, &mut trouble);
        let fail_open = fail_open(site, &mut unseen).await;
        if fail_open.is_some_and(|count| count > 0) {
            trouble.push("changes went through without the guard; the API server's log says why".to_owned());
        }
        let armed = if registered == Some(false) {
            Armed { state: ArmedState::NotArmed, why: "it is not registered, so it is not asked".to_owned() }
        } else {
            armed(site, mode).await?
        };
        let exit_code = match armed.state {
            _ if registered == Some(false) || ready == Some(0) => exit::FAILED,
            ArmedState::NotArmed => exit::FAILED,
            ArmedState::NotProved => exit::INCONCLUSIVE,
            ArmedState::Armed | ArmedState::AsSet => 0,
        };
        Ok(GuardStatus {
            api_version: own::API_VERSION,
            kind: "GuardStatus",
            armed,
            exit_code,
            mode: mode.map(Preset::as_str),
            ambiguous: settings.as_ref().map(|settings| settings.actors.ambiguous.as_str()),
            contact: settings.and_then(|settings| settings.contact),
            image,
            wanted,
            ready,
            replicas,
            webhooks,
            fail_open,
            trouble,
            unseen,
            tool: tool::VERSION,
        })
    }

    fn table(&self, ui: &Ui) -> String {
        let unseen = || "not seen".to_owned();
        let mut grid = Grid::plain();
        let mut row = |name: &str, value: String| grid.row([name.to_owned(), value]);
        let armed = match self.armed.state {
            ArmedState::Armed => "yes",
            ArmedState::AsSet => "no",
            ArmedState::NotArmed => "NO",
            ArmedState::NotProved => "not proved",
        };
        row("armed", format!("{armed}: {}", self.armed.why));
        let price = match self.ambiguous {
            Some(word) if word == Ambiguous::Warn.as_str() => {
                "; deletes and `kubectl scale` by cluster administrators are warned about, never refused (actors.ambiguous: warn)"
            }
            _ => "",
        };
        row("mode", self.mode.map_or_else(unseen, |mode| format!("{mode}{price}")));
        row("webhooks", self.webhooks.clone());
        row("image", self.image.clone().unwrap_or_else(unseen));
        let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        row("replicas", format!("{} of {} ready", number(self.ready), number(self.wanted)));
        row(
            "went through",
            self.fail_open.map_or_else(unseen, |count| {
                format!("{count} changes without an answer of the guard, since the API server that was asked started")
            }),
        );
        if let Some(contact) = &self.contact {
            row("contact", contact.clone());
        }
        let mut out = grid.lines(" ", ui.width);
        if !self.replicas.is_empty() {
            let headings = [
                "REPLICA",
                "READY",
                "VERSION",
                "MODE",
                "CERTIFICATE UNTIL",
                "REVIEWS",
                "DENIED",
                "WARNED",
                "NOT JUDGED",
                "WAIVERS",
            ];
            let mut grid = Grid::under(ui.headings, &headings);
            for replica in &self.replicas {
                let ready = if replica.ready { "yes" } else { "no" };
                match &replica.told {
                    Some(told) => grid.row([
                        replica.pod.clone(),
                        ready.to_owned(),
                        told.version.clone(),
                        told.mode.clone(),
                        told.certificate_ends.clone().unwrap_or_else(|| "none".to_owned()),
                        told.reviews.to_string(),
                        told.denied.to_string(),
                        told.warned.to_string(),
                        told.not_evaluated.to_string(),
                        told.waivers.to_string(),
                    ]),
                    None => grid.row([replica.pod.clone(), ready.to_owned(), format!("not seen: {}", replica.unseen)]),
                }
            }
            let _ = write!(out, "\n{}", grid.lines(" ", ui.width));
        }
        for (heading, lines) in [("look at", &self.trouble), ("not seen", &self.unseen)] {
            if !lines.is_empty() {
                let _ = writeln!(out, "\n{heading}:");
                out.extend(lines.iter().map(|line| format!("  {line}\n")));
            }
        }
        let _ = writeln!(
            out,
            "\nnext: {} guard {}",
            ui.name,
            if self.armed.state == ArmedState::Armed { "observed" } else { "test" }
        );
        out
    }
}

/// Whether the webhooks are registered, and how, for people.
fn webhooks(found: &ReadObject, trouble: &mut Vec<String>, unseen: &mut Vec<String>) -> (Option<bool>, String) {
    let configuration = match found {
        ReadObject::Absent => {
            trouble.push(format!("there is no webhook configuration {}, so nothing is guarded", own::CONFIGURATION));
            return (Some(false), "not registered".to_owned());
        }
        ReadObject::Unseen(why) => {
            unseen.push(why.clone());
            return (None, "not seen".to_owned());
        }
        ReadObject::There(configuration) => configuration,
    };
    let empty = Value::Array(Vec::new());
    let webhooks = configuration.get("webhooks").unwrap_or(&empty);
    let annotation = |key: &str| configuration.get("metadata")?.get("annotations")?.get(key)?.as_str();
    let as_generated = annotation(own::GENERATED) == Some(digest::digest(webhooks).as_str());
    if !as_generated {
        trouble.push("the webhooks are not registered as the manifest says: support-check, AA903".to_owned());
    }
    if let Some(reason) = annotation(own::OPEN) {
        trouble.push(format!("the webhook configuration is open for changes: {}", text::line(reason, 120)));
    }
    let count = webhooks.as_array().map_or(0, Vec::len);
    (Some(count > 0), format!("{count} registered, {}", if as_generated { "as the manifest says" } else { "CHANGED" }))
}

/// The guard's pods, each with what its metrics tell.
async fn replicas(site: &GuardSite, unseen: &mut Vec<String>) -> Result<Vec<Replica>, Failure> {
    let namespace = own::NAMESPACE;
    let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=app.kubernetes.io%2Fname%3Daksarc-guard");
    let list = match site.object(&path, &format!("pods in {namespace}")).await? {
        ReadObject::There(list) => list,
        ReadObject::Absent => return Ok(Vec::new()),
        ReadObject::Unseen(why) => {
            unseen.push(why);
            return Ok(Vec::new());
        }
    };
    let mut replicas = Vec::new();
    for pod in list.get("items").and_then(Value::as_array).into_iter().flatten().take(MAX_REPLICAS) {
        let Some(name) = pod.pointer("/metadata/name").and_then(Value::as_str) else { continue };
        let conditions = pod.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
        let is =
            |condition: &Value, field: &str, word: &str| condition.get(field).and_then(Value::as_str) == Some(word);
        let ready =
            conditions.into_iter().any(|condition| is(condition, "type", "Ready") && is(condition, "status", "True"));
        let name = text::line(name, 253);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:{METRICS_PORT}/proxy/metrics");
        let scrape = site.text(&path, &format!("the metrics of {name}")).await;
        let told = scrape.and_then(|scrape| {
            ReplicaMetrics::of(&scrape).ok_or_else(|| "its metrics are none of the guard's".to_owned())
        });
        let (told, why) = match told {
            Ok(told) => (Some(told), String::new()),
            Err(why) => (None, why),
        };
        replicas.push(Replica { pod: name, ready, told, unseen: why });
    }
    Ok(replicas)
}

/// What replicas tell that does not fit together.
fn compare(replicas: &[Replica], mode: Option<Preset>, trouble: &mut Vec<String>) {
    let told: Vec<(&str, &ReplicaMetrics)> =
        replicas.iter().filter_map(|replica| Some((&*replica.pod, replica.told.as_ref()?))).collect();
    for (pod, metrics) in &told {
        if mode.is_some_and(|mode| mode.as_str() != metrics.mode) {
            trouble.push(format!(
                "{pod} goes by the mode {}, and the ConfigMap says another; it takes a minute or so",
                metrics.mode
            ));
        }
        if !metrics.config_loaded {
            trouble.push(format!("{pod} cannot use the configuration that is there, and goes by an older one"));
        }
        if metrics.certificate_ends.is_none() {
            trouble.push(format!("{pod} has no certificate"));
        }
        if metrics.certificate_trusted == Some(false) {
            trouble.push(format!("API servers do not trust the certificate of {pod}"));
        }
        if metrics.not_evaluated > 0 {
            trouble.push(format!("{pod} allowed {} reviews that it could not judge", metrics.not_evaluated));
        }
        if metrics.waivers_ignored > 0 {
            trouble.push(format!(
                "{} SupportWaivers do not count: waivers list --waivers cluster",
                metrics.waivers_ignored
            ));
        }
    }
    let differ = |of: fn(&ReplicaMetrics) -> String| {
        told.windows(2).any(|pair| matches!(pair, [(_, one), (_, other)] if of(one) != of(other)))
    };
    if differ(|metrics| metrics.version.clone()) {
        trouble.push("replicas have different versions".to_owned());
    }
    if differ(|metrics| metrics.config_hash.to_string()) {
        trouble.push("replicas go by different configurations".to_owned());
    }
}

/// The API server's count of changes that it let through without an answer of the guard.
async fn fail_open(site: &GuardSite, unseen: &mut Vec<String>) -> Option<u64> {
    match site.text("/metrics", "the API server's metrics").await {
        Ok(scrape) => {
            let own = samples(&scrape, FAIL_OPEN).filter(|sample| sample.label("name").ends_with(own::CONFIGURATION));
            Some(whole(own.map(|sample| sample.value).sum()))
        }
        Err(why) => {
            unseen.push(why);
            None
        }
    }
}

/// Whether the guard refuses, by one request in dry run.
async fn armed(site: &GuardSite, mode: Option<Preset>) -> Result<Armed, Failure> {
    let attempt = Attempt::workload();
    let mut gate = Gate::new(&site.session, FRESH);
    let what = &attempt.what;
    let (state, why) = match attempt.send(site, &mut gate).await? {
        SeenAnswer::Denied(webhook, rules) => {
            (ArmedState::Armed, format!("{webhook} refused to {what} in dry run ({})", rules.join(", ")))
        }
        SeenAnswer::NotTried(why) => (ArmedState::NotProved, format!("to {what} in dry run: {why}")),
        SeenAnswer::Warned(rules) => {
            let is_set = mode == Some(Preset::Warn);
            let state = if is_set { ArmedState::AsSet } else { ArmedState::NotArmed };
            (state, format!("it only warns ({})", rules.join(", ")))
        }
        SeenAnswer::Passed | SeenAnswer::Protected => match mode {
            Some(Preset::Observe) => (ArmedState::AsSet, "it only observes".to_owned()),
            _ => (
                ArmedState::NotArmed,
                format!("to {what} in dry run passed: it is not asked, does not answer, or takes you for the platform"),
            ),
        },
    };
    Ok(Armed { state, why })
}

const METRICS_PORT: u16 = 8080;
/// Two are usual.
const MAX_REPLICAS: usize = 20;
const FAIL_OPEN: &str = "apiserver_admission_webhook_fail_open_count";

pub(super) const EXAMPLES: &str = "\
Exit codes: 0 the guard does what it is set to, 1 it does not, or is not there, 5 that cannot be seen.

Examples:
  kubectl aksarc guard status
  kubectl aksarc guard status -o json

  # The rights for it
  kubectl aksarc guard roles | kubectl apply -f -";
