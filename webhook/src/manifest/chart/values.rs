//! The values of the Helm chart: the type from which values.yaml and its schema are made.

use std::collections::BTreeMap;
use std::fmt::Write;

use aksarc_shared::verdict::guard::GuardConfig;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::pods::{Affinity, PodResources, Toleration};
use super::pretty;

/// The values of the chart.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ChartValues {
    /// Rules for the nodes of the guard's pods, which take the place of the chart's own: one replica for each node if
    /// possible.
    affinity: Affinity,
    /// Annotations of all objects.
    annotations: BTreeMap<String, String>,
    /// The certificate that the guard serves.
    certificates: CertificateValues,
    /// support-check as a CronJob, which publishes its result as a ConfigMap and, where the cluster has the definitions of
    /// OpenReports, as a ClusterReport. The guard's metrics show it.
    check: CheckValues,
    /// The guard's configuration, as in deploy/guard-config.example.yaml; apiVersion and kind may be left out. While it is
    /// empty the chart has no ConfigMap, and `kubectl aksarc guard mode` sets the mode. Once it has anything in it, Helm is
    /// the only writer.
    #[schemars(with = "GuardConfig")]
    config: Map<String, Value>,
    /// The resource SupportWaiver.
    crds: CrdValues,
    /// Whether to install the dashboard as a ConfigMap for Grafana's sidecar; `auto` where the Prometheus operator's
    /// resources exist.
    dashboard: TriState,
    /// Whether to keep the guard's requests apart from others when an API server is overloaded; `auto` from Kubernetes 1.29
    /// on.
    flow_schema: TriState,
    /// Values that a parent chart shares with all its charts.
    global: GlobalValues,
    /// Whether to open the protection before an upgrade, a rollback or a removal, and to close it afterwards; `auto` from
    /// Kubernetes 1.30 on.
    hooks: TriState,
    /// Whether pods use the network of their nodes, for API servers that do not reach pods. The namespace then permits
    /// privileged pods, since Pod Security permits this to no others.
    host_network: bool,
    /// The image of the guard.
    image: ImageValues,
    /// Names of the Secrets with which images are pulled.
    image_pull_secrets: Vec<String>,
    /// Labels of all objects.
    labels: BTreeMap<String, String>,
    /// The least weight of a line in the log.
    log_level: LogLevel,
    /// Whether to limit the peers of the guard's ports; `auto` is on.
    network_policy: TriState,
    /// Labels of the nodes on which pods may run, besides kubernetes.io/os: linux.
    node_selector: BTreeMap<String, String>,
    /// Annotations of the guard's pods.
    pod_annotations: BTreeMap<String, String>,
    /// Ranges of pods' addresses from which no review is taken, such as 10.244.0.0/16; only for networks in which API
    /// servers come from the addresses of nodes.
    pod_cidrs: Vec<String>,
    /// Labels of the guard's pods.
    pod_labels: BTreeMap<String, String>,
    /// The ports of the guard's pods; 0 is the usual one.
    ports: PortValues,
    /// The priority class of the guard's pods. Without one they never push out other pods; outside kube-system the class
    /// system-cluster-critical needs a ResourceQuota that permits it.
    priority_class_name: String,
    /// Whether to install the alerts; `auto` where the resource PrometheusRule exists.
    prometheus_rule: TriState,
    /// Whether to protect the guard's objects by policies; `auto` from Kubernetes 1.30 on.
    protection: TriState,
    /// The number of pods.
    replicas: ReplicaCount,
    /// Memory and CPU of each pod of the guard. Without a limit of the CPU, which would delay answers until changes go
    /// through unjudged. The memory is enough for two reviews of the largest objects at once; more of them wait.
    resources: PodResources,
    /// Whether policies refuse the gravest changes also while the guard is down: `auto` from Kubernetes 1.30 on, `off` unless
    /// set. They pay no attention to the mode and to waivers, and know no other configuration than `config`.
    rule_policies: OptIn,
    /// Whether to have the Prometheus operator scrape the guard; `auto` where the resource ServiceMonitor exists.
    service_monitor: TriState,
    /// Taints of nodes that pods tolerate.
    tolerations: Vec<Toleration>,
}

/// A number of pods, two unless set.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
struct ReplicaCount(u32);

impl Default for ReplicaCount {
    fn default() -> Self {
        ReplicaCount(2)
    }
}

/// A part that is on, off, or on where the cluster can have it. YAML reads an unquoted `on` or `off` as true or false.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
enum TriState {
    #[default]
    Auto,
}

impl JsonSchema for TriState {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TriState".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"enum": ["auto", "on", "off", true, false]})
    }
}

/// As [`TriState`], and off unless set.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "lowercase")]
enum OptIn {
    #[default]
    Off,
}

impl JsonSchema for OptIn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        TriState::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        TriState::json_schema(generator)
    }
}

/// The certificate that the guard serves.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CertificateValues {
    /// For `provided`: the authority of the certificate in PEM.
    authority: String,
    /// For `cert-manager`.
    cert_manager: CertManagerValues,
    /// The maker of the certificate: `self`, the guard itself; `cert-manager`; or `provided`, a Secret guard-tls of type
    /// kubernetes.io/tls that somebody else writes.
    mode: CertificateMode,
}

/// The maker of the certificate.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "the other words are for the schema")]
enum CertificateMode {
    CertManager,
    Provided,
    #[default]
    #[serde(rename = "self")]
    Own,
}

/// A check of the cluster at intervals.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CheckValues {
    /// The seconds after which a check that has not ended is given up.
    #[schemars(range(min = 30))]
    active_deadline_seconds: u32,
    /// Further arguments of `kubectl aksarc report publish --live`, such as --platform-release=2602. --platform is
    /// config.platform where that is set, and --waivers=cluster where the resource SupportWaiver is installed.
    args: Vec<String>,
    /// Whether to install it, with an account that may read what the rules read and write the result.
    enabled: bool,
    /// The number of failed Jobs to keep.
    failed_jobs_history_limit: u32,
    /// The image of the plugin. Registry and tag are those of the guard's image unless set.
    image: ImageValues,
    /// Memory and CPU of its pod. The memory is enough for thousands of nodes and tens of thousands of pods.
    resources: PodResources,
    /// When it runs, as a schedule of cron.
    schedule: Schedule,
    /// The hours after which the alert AksarcCheckStale tells that no result was published, where the alerts are
    /// installed: twice the time between two checks, and a little more.
    #[schemars(range(min = 1))]
    stale_after_hours: u32,
    /// The number of successful Jobs to keep.
    successful_jobs_history_limit: u32,
    /// The time zone of the schedule, such as Europe/Berlin; that of the controllers unless set.
    time_zone: String,
}

impl Default for CheckValues {
    fn default() -> Self {
        CheckValues {
            active_deadline_seconds: 600,
            args: Vec::new(),
            enabled: false,
            failed_jobs_history_limit: 3,
            image: ImageValues::of("kubectl-aksarc"),
            resources: PodResources::new("256Mi", "100m", "64Mi"),
            schedule: Schedule("23 4 * * *".to_owned()),
            stale_after_hours: 50,
            successful_jobs_history_limit: 1,
            time_zone: String::new(),
        }
    }
}

/// A schedule of cron: five fields, or a word such as @daily.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Schedule(String);

impl JsonSchema for Schedule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Schedule".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": r"^(@(hourly|daily|midnight|weekly|monthly|yearly|annually)|@every [0-9hms.]+|[^\s@]+( +[^\s@]+){4})$"})
    }
}

/// The issuer of cert-manager, and its accounts.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CertManagerValues {
    /// The users as which cert-manager writes the Secret and the authority, which the protection lets pass.
    accounts: Vec<String>,
    /// The issuer that signs the certificate.
    issuer: IssuerValues,
}

impl Default for CertManagerValues {
    fn default() -> Self {
        let account = |name: &str| format!("system:serviceaccount:cert-manager:{name}");
        CertManagerValues {
            accounts: vec![account("cert-manager"), account("cert-manager-cainjector")],
            issuer: IssuerValues::default(),
        }
    }
}

/// An issuer of cert-manager.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct IssuerValues {
    /// Its API group.
    group: String,
    /// Its kind.
    kind: String,
    /// Its name.
    name: String,
}

impl Default for IssuerValues {
    fn default() -> Self {
        IssuerValues { group: "cert-manager.io".to_owned(), kind: "ClusterIssuer".to_owned(), name: String::new() }
    }
}

/// The resource SupportWaiver.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct CrdValues {
    /// Whether to install it, and the roles for it.
    install: bool,
    /// Whether it stays, with the waivers, when the chart is removed.
    keep: bool,
}

impl Default for CrdValues {
    fn default() -> Self {
        CrdValues { install: true, keep: true }
    }
}

/// Values that a parent chart shares with all its charts.
#[derive(Debug, Default, Serialize, JsonSchema)]
// Those of a parent's other charts arrive here too.
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("additionalProperties" = true))]
struct GlobalValues {
    /// Names of further Secrets with which images are pulled.
    image_pull_secrets: Vec<String>,
    /// The registry of all images, unless an image names its own.
    image_registry: String,
}

/// An image.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ImageValues {
    /// Its digest, sha256:…, which takes precedence over the tag.
    #[schemars(regex(pattern = r"^(sha256:[0-9a-f]{64})?$"))]
    digest: String,
    /// When it is pulled.
    pull_policy: PullPolicy,
    /// Its registry.
    registry: String,
    /// Its repository.
    repository: String,
    /// Its tag; the chart's appVersion unless set.
    tag: String,
}

impl ImageValues {
    /// The image of this name, by the version of the chart.
    fn of(repository: &str) -> Self {
        ImageValues {
            digest: String::new(),
            pull_policy: PullPolicy::IfNotPresent,
            registry: String::new(),
            repository: repository.to_owned(),
            tag: String::new(),
        }
    }
}

impl Default for ImageValues {
    fn default() -> Self {
        ImageValues::of("aksarc-webhook")
    }
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[expect(dead_code, reason = "the other words are for the schema")]
enum PullPolicy {
    Always,
    IfNotPresent,
    Never,
}

/// The least weight of a line in the log.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "the other words are for the schema")]
enum LogLevel {
    Debug,
    Error,
    #[default]
    Info,
    Trace,
    Warn,
}

/// The ports of the guard's pods.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PortValues {
    /// For metrics: 8080, and 29080 in the nodes' network.
    metrics: u16,
    /// For probes: 8081, and 29081 in the nodes' network.
    probe: u16,
    /// For reviews: 8443, and 29443 in the nodes' network.
    review: u16,
}

/// The JSON schema of the values, of draft 7, which every Helm reads.
pub fn schema() -> String {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema = generator.into_root_schema_for::<ChartValues>().to_value();
    close(&mut schema);
    if let Some(config) = schema.pointer_mut("/definitions/GuardConfig").and_then(Value::as_object_mut) {
        // The chart fills in the two fields that every configuration has to have.
        config.remove("required");
    }
    pretty(&schema)
}

/// Has each object take no other fields than its own, and none of the values be required.
fn close(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(close),
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        _ => {}
    }
}

/// values.yaml: every value with its default and its description.
pub fn defaults() -> String {
    let schema: Value = serde_json::from_str(&schema()).unwrap_or_default();
    // A struct of plain fields, which always serialises.
    let values = serde_json::to_value(ChartValues::default()).unwrap_or_default();
    let mut out = String::from(
        "# The values of the chart and their defaults. Generated with values.schema.json by `cargo xtask generate`.\n",
    );
    print(&mut out, &schema, &schema, &values, 0);
    out
}

/// Prints the fields of an object, each below its description.
fn print(out: &mut String, root: &Value, schema: &Value, values: &Value, depth: usize) {
    let indent = "  ".repeat(depth);
    for (name, value) in values.as_object().into_iter().flatten() {
        let field = schema.get("properties").and_then(|own| own.get(name)).unwrap_or(&Value::Null);
        let description = field.get("description").and_then(Value::as_str).unwrap_or_default();
        out.push('\n');
        for line in wrapped(description, WIDTH - indent.len()) {
            // Writing to a string does not fail.
            let _ = writeln!(out, "{indent}# {line}");
        }
        match value.as_object() {
            Some(inner) if !inner.is_empty() => {
                let _ = write!(out, "{indent}{name}:");
                let mut fields = String::new();
                print(&mut fields, root, resolved(root, field), value, depth + 1);
                out.push_str(&fields);
            }
            _ => {
                let _ = writeln!(out, "{indent}{name}: {value}");
            }
        }
    }
}

/// The schema to which a field refers.
fn resolved<'s>(root: &'s Value, field: &'s Value) -> &'s Value {
    let reference = field.get("$ref").or_else(|| field.pointer("/allOf/0/$ref")).and_then(Value::as_str);
    reference.and_then(|path| root.pointer(path.trim_start_matches('#'))).unwrap_or(field)
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Columns of a comment in values.yaml.
const WIDTH: usize = 118;
