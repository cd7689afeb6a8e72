//! The guard's configuration, as bytes of a file: one that is taken makes a manifest that holds it, and whose webhooks
//! all fail open.

use aksarc_shared::k8s::read::yaml;
use aksarc_webhook::config;
use aksarc_webhook::manifest::{self, ManifestConfig, ManifestOptions, protection};
use serde_json::Value;

pub(crate) fn run(bytes: &[u8]) {
    // A ConfigMap that holds one, as people keep it.
    if let Ok(Some(text)) = config::in_configmap(bytes) {
        taken(text.as_bytes());
    }
    taken(bytes);
}

fn taken(bytes: &[u8]) {
    let guard = match config::guard(bytes) {
        Ok(guard) => guard,
        Err(why) => {
            assert!(!why.to_string().is_empty(), "a refusal without a word");
            return;
        }
    };
    // Lines for people, made of what the configuration says.
    guard.notes();
    guard.summary(jiff::Timestamp::UNIX_EPOCH);
    let settings = guard.settings();
    let text = String::from_utf8(bytes.to_vec()).expect("a configuration is text");
    let config = Some(ManifestConfig { text, settings: settings.clone() });
    let printed = manifest::render(&ManifestOptions { config, ..ManifestOptions::default() });
    let documents = yaml::documents(&printed).expect("a manifest is YAML");
    let of_kind = |kind: &str| documents.iter().filter(move |document| document["kind"] == kind).collect::<Vec<_>>();
    let webhooks = of_kind("ValidatingWebhookConfiguration");
    let webhooks: Vec<&Value> = webhooks.iter().filter_map(|one| one["webhooks"].as_array()).flatten().collect();
    assert!(webhooks.len() > 1 && webhooks.iter().all(|webhook| webhook["failurePolicy"] == "Ignore"), "{printed}");
    let held = of_kind("ConfigMap").into_iter().find_map(|map| map["data"]["guard.yaml"].as_str());
    let held = config::guard(held.expect("the configuration is in it").as_bytes());
    assert_eq!(held.expect("it is taken from the manifest too").settings(), settings);
    let policies = yaml::documents(&protection::render(settings)).expect("policies are YAML");
    assert!(policies.len() > 3, "{} policies and bindings", policies.len());
}
