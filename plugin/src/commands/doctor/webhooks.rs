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
    let own = |hook: &&Hook| hook.configuration == own::CONFIGURATION;
    for hook in hooks.iter().filter(|hook| !own(hook)) {
        let shown = format!("{} of {} {}", hook.name, hook.resource.trim_end_matches('s'), hook.configuration);
        if !matches!(&*hook.side_effects, "None" | "NoneOnDryRun") {
            let why =
                format!("{shown} has sideEffects {}: dry runs of matching requests are refused", hook.side_effects);
            foreign.details.push(why);
        }
        if let Some(why) = hook.absent(asker).await {
            let what = if hook.fails_closed {
                "matching requests are refused"
            } else {
                "matching requests wait for it until they time out"
            };
            foreign.details.push(format!("{shown}: {why}; {what}"));
        }
    }
    foreign.summary = match (foreign.details.len(), refused.is_empty()) {
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
}

impl Hook {
    /// The reason why the webhook has no server; `None` where it may have one. An address outside the cluster cannot be
    /// tried from here.
    async fn absent(&self, asker: &Asker) -> Option<String> {
        let (namespace, name) = self.service.as_ref()?;
        let service = asker.get(&format!("/api/v1/namespaces/{namespace}/services/{name}")).await.ok()?;
        if service.status == StatusCode::NOT_FOUND {
            return Some(format!("its service {namespace}/{name} does not exist"));
        }
        // A Service that leads elsewhere by name, or without a selector, has no endpoints to look at.
        let spec = service.body.get("spec").filter(|_| service.status == StatusCode::OK)?;
        if spec.get("selector").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty) {
            return None;
        }
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{name}"
        );
        let slices = asker.get(&path).await.ok()?;
        let endpoints = items(&slices)?.iter().filter_map(|slice| slice.get("endpoints")?.as_array()).flatten();
        let is_ready = |endpoint: &Value| endpoint.pointer("/conditions/ready").and_then(Value::as_bool) != Some(false);
        let ready = endpoints.filter(|endpoint| is_ready(endpoint)).count();
        (ready == 0).then(|| format!("its service {namespace}/{name} has no endpoint that is ready"))
    }
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
        }
    };
    webhooks.map(hook).collect()
}
