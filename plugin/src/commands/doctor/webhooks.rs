//! Admission webhooks that break dry runs or have no endpoints, and the guard if it is installed.

use aksarc_shared::data::own;
use aksarc_shared::text;
use http::StatusCode;
use serde_json::Value;

use super::ask::{Asker, items};
use super::report::{Symptom, SymptomState};

pub(super) async fn examine(asker: &Asker) -> Vec<Symptom> {
    let mut hooks = Vec::new();
    let mut refused = Vec::new();
    for resource in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"] {
        let answer = asker.get(&format!("/apis/admissionregistration.k8s.io/v1/{resource}")).await;
        match answer.as_ref().map(items) {
            Ok(Some(items)) => hooks.extend(items.iter().flat_map(|item| hooks_of(item, resource))),
            Ok(None) => refused.push(format!("you may not list {resource}")),
            Err(error) => refused.push(format!("could not list {resource}: {}", text::line(&error.reason(), 200))),
        }
    }
    let mut foreign = Symptom::new("webhooks", SymptomState::Fine, String::new());
    let mut untried = Vec::new();
    let own = |hook: &&Hook| hook.configuration == own::CONFIGURATION;
    for hook in hooks.iter().filter(|hook| !own(hook)) {
        let shown = format!("{} of {} {}", hook.name, hook.resource.trim_end_matches('s'), hook.configuration);
        if !matches!(&*hook.side_effects, "None" | "NoneOnDryRun") {
            let why =
                format!("{shown} has sideEffects {}: dry runs of matching requests are refused", hook.side_effects);
            foreign.details.push(why);
        }
        match hook.presence(asker).await {
            Presence::Absent(why) if hook.fails_closed => {
                foreign.details.push(format!("{shown}: {why}; it fails closed and stops {}", hook.stops));
            }
            Presence::Absent(why) => {
                foreign.details.push(format!("{shown}: {why}; matching requests wait for it until they time out"));
            }
            Presence::Untried(why) if hook.fails_closed => {
                untried.push(format!("{shown}: {why}; while it does not answer, it stops {}", hook.stops));
            }
            Presence::Untried(_) | Presence::There => {}
        }
    }
    foreign.summary = match (foreign.details.len(), refused.is_empty()) {
        (0, true) if !untried.is_empty() => {
            format!("none is seen to block a dry run; the state of {} cannot be seen", untried.len())
        }
        (0, true) => "none blocks a dry run".to_owned(),
        (0, false) => refused.join("; "),
        (1, _) => "one problem affects dry runs or writes".to_owned(),
        (count, _) => format!("{count} problems affect dry runs or writes"),
    };
    if !foreign.details.is_empty() {
        foreign.state = SymptomState::Warned;
        foreign = foreign.next("tell the owners of these webhooks; dry-run names the one that refuses a request");
    } else if !refused.is_empty() {
        foreign.state = SymptomState::Unknown;
        foreign = foreign.next("kubectl auth can-i list validatingwebhookconfigurations");
    }
    foreign.details.extend(untried);
    let ours: Vec<&Hook> = hooks.iter().filter(own).collect();
    vec![foreign, installed(asker, &ours, refused.is_empty()).await]
}

/// The state of the guard: its webhooks, its image, its mode.
async fn installed(asker: &Asker, hooks: &[&Hook], listed: bool) -> Symptom {
    if hooks.is_empty() {
        return if listed {
            Symptom::new("guard", SymptomState::Fine, "not installed; checks and dry runs need none")
        } else {
            Symptom::new("guard", SymptomState::Unknown, "cannot see whether it is installed")
        };
    }
    let namespace = own::NAMESPACE;
    let word = |value: Option<&Value>| value.and_then(Value::as_str).map(|word| text::line(word, 120));
    let deployment = asker.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{}", own::SERVICE)).await;
    let deployment = deployment.ok().filter(|reply| reply.status == StatusCode::OK);
    let image = word(deployment.as_ref().and_then(|own| own.body.pointer("/spec/template/spec/containers/0/image")));
    let ready = deployment.as_ref().and_then(|own| own.body.pointer("/status/readyReplicas")).and_then(Value::as_u64);
    let config = asker.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{}", own::SERVICE)).await;
    let config = config.ok().filter(|reply| reply.status == StatusCode::OK);
    let mode = config.as_ref().and_then(|own| {
        let files = own.body.get("data")?.as_object()?.values().filter_map(Value::as_str);
        files.flat_map(str::lines).find_map(|line| Some(text::line(line.strip_prefix("mode:")?.trim(), 40)))
    });
    let unseen = || "cannot be seen".to_owned();
    let summary = format!(
        "installed, {} webhooks; image {}; mode {}; ready replicas {}",
        hooks.len(),
        image.unwrap_or_else(unseen),
        mode.unwrap_or_else(unseen),
        if deployment.is_some() { ready.unwrap_or(0).to_string() } else { unseen() },
    );
    if deployment.is_some() && ready.unwrap_or(0) == 0 {
        return Symptom::new("guard", SymptomState::Warned, format!("{summary}: nothing is guarded"))
            .next(format!("kubectl -n {namespace} get pods"));
    }
    Symptom::new("guard", SymptomState::Fine, summary)
}

/// One webhook.
struct Hook {
    resource: &'static str,
    configuration: String,
    name: String,
    side_effects: String,
    fails_closed: bool,
    service: Option<(String, String)>,
    /// The port of the service.
    port: u64,
    /// Its URL, if it is not called by way of a Service.
    address: Option<String>,
    /// The requests that it is asked about, for people.
    stops: String,
}

/// Whether a webhook has endpoints that can answer.
enum Presence {
    /// It has, as far as the cluster shows.
    There,
    /// It has none, for this reason.
    Absent(String),
    /// Unknown, for this reason.
    Untried(String),
}

impl Hook {
    /// Whether the webhook has endpoints, by Services and EndpointSlices alone. Both are listed instead of read by
    /// name, because roles for readers grant that right. An address outside of the cluster cannot be tried from here.
    async fn presence(&self, asker: &Asker) -> Presence {
        let Some((namespace, name)) = &self.service else {
            let address = self.address.as_deref().unwrap_or("an address that cannot be read");
            return Presence::Untried(format!("it is at {address}, which cannot be tried from here"));
        };
        let shown = format!("its service {namespace}/{name}");
        let unread = || Presence::Untried(format!("{shown} or its endpoints cannot be read"));
        let path = format!("/api/v1/namespaces/{namespace}/services?fieldSelector=metadata.name%3D{name}");
        let Some(services) = list(asker, &path).await else { return unread() };
        let is_it = |service: &&Value| service.pointer("/metadata/name").and_then(Value::as_str) == Some(name);
        let Some(spec) = services.iter().find(is_it).and_then(|service| service.get("spec")) else {
            return Presence::Absent(format!("{shown} does not exist"));
        };
        // The cluster does not show the destination of a name outside of it.
        if spec.get("type").and_then(Value::as_str) == Some("ExternalName") {
            return Presence::Untried(format!("{shown} leads out of the cluster"));
        }
        let ports = spec.get("ports").and_then(Value::as_array);
        let is_port = |port: &Value| port.get("port").and_then(Value::as_u64) == Some(self.port);
        if ports.is_some_and(|ports| !ports.iter().any(is_port)) {
            return Presence::Absent(format!("{shown} has no port {}", self.port));
        }
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{name}"
        );
        let Some(slices) = list(asker, &path).await else { return unread() };
        let mut endpoints = slices.iter().filter_map(|slice| slice.get("endpoints")?.as_array()).flatten();
        let is_ready = |endpoint: &Value| endpoint.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
        if endpoints.any(is_ready) {
            Presence::There
        } else {
            Presence::Absent(format!("{shown} has no endpoint that is ready"))
        }
    }
}

/// The items of a list; `None` where it cannot be read.
async fn list(asker: &Asker, path: &str) -> Option<Vec<Value>> {
    let reply = asker.get(path).await.ok()?;
    items(&reply).cloned()
}

/// The requests that a webhook is asked about, as `CREATE|UPDATE nodes, pods/exec`.
fn stops(hook: &Value) -> String {
    let words = |value: &Value, field: &str| -> Vec<String> {
        let each = value.get(field).and_then(Value::as_array).into_iter().flatten();
        each.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let rules = hook.get("rules").and_then(Value::as_array).into_iter().flatten();
    let rule = |rule: &Value| {
        let groups = words(rule, "apiGroups");
        let qualified = |resource: String| match &*groups {
            [group] if !group.is_empty() && group != "*" => {
                let (resource, sub) =
                    resource.split_once('/').map_or((&*resource, None), |(own, sub)| (own, Some(sub)));
                format!("{resource}.{group}{}", sub.map(|sub| format!("/{sub}")).unwrap_or_default())
            }
            _ => resource,
        };
        let resources: Vec<String> = words(rule, "resources").into_iter().map(qualified).collect();
        format!("{} {}", words(rule, "operations").join("|"), resources.join(", "))
    };
    let rules: Vec<String> = rules.map(rule).collect();
    let is_set = |field: &str| match hook.get(field) {
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(Value::Array(conditions)) => !conditions.is_empty(),
        _ => false,
    };
    let selected = ["namespaceSelector", "objectSelector", "matchConditions"].into_iter().any(is_set);
    let part = if selected { " (those that its selectors or conditions match)" } else { "" };
    if rules.is_empty() { "nothing".to_owned() } else { text::line(&rules.join("; "), MAX_STOPS) + part }
}

fn hooks_of(item: &Value, resource: &'static str) -> Vec<Hook> {
    let word =
        |value: &Value, path: &str| text::line(value.pointer(path).and_then(Value::as_str).unwrap_or_default(), 253);
    // The name becomes part of a path, so only valid names are used.
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let configuration = word(item, "/metadata/name");
    let webhooks = item.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let hook = |hook: &Value| {
        let service = (word(hook, "/clientConfig/service/namespace"), word(hook, "/clientConfig/service/name"));
        Hook {
            resource,
            configuration: configuration.clone(),
            name: word(hook, "/name"),
            side_effects: word(hook, "/sideEffects"),
            fails_closed: word(hook, "/failurePolicy") != "Ignore",
            service: Some(service).filter(|(namespace, name)| is_name(namespace) && is_name(name)),
            port: hook.pointer("/clientConfig/service/port").and_then(Value::as_u64).unwrap_or(443),
            address: Some(word(hook, "/clientConfig/url")).filter(|url| !url.is_empty()),
            stops: stops(hook),
        }
    };
    webhooks.map(hook).collect()
}

/// Rules of a webhook may name a hundred resources.
const MAX_STOPS: usize = 160;
