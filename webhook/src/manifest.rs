//! The manifest that installs the guard, generated from the changes that rules judge and from the platform's
//! identities.
//!
//! The API server has to ask the guard about every change that a rule judges: a kind that is missing here is a rule
//! that never speaks. It should not ask about many others, since every review delays the request that waits for it.

mod certificate;
pub mod chart;
mod conditions;
mod namespaces;
mod network;
mod notes;
mod options;
pub mod protection;
pub mod rules;
mod template;

use std::collections::BTreeSet;
use std::fmt::Write;

use aksarc_shared::data::{self, Data};
use aksarc_shared::facts::{digest, heartbeat};
use aksarc_shared::k8s::kinds::Kind;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::rules::derive;
use aksarc_shared::rules::rule::Watched;
use aksarc_shared::verdict::guard::Settings;
use aksarc_shared::verdict::observed;
use aksarc_shared::verdict::published;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conditions::{MatchCondition, node_status_with_a_change, not_the_platform, power_over_nodes, protected_namespace};
use namespaces::protected;
use serde::Serialize;
use template::{fill, indent, multiline, name, quoted};

use aksarc_shared::data::own::{CERTIFICATES, OPEN};
pub use aksarc_shared::data::own::{CONFIGURATION, NAMESPACE, SERVICE};
pub use network::{Cidr, CidrError};
pub use notes::notes;
pub use options::{IMAGE, ManifestCertificate, ManifestConfig, ManifestOptions};

/// The webhook for nodes and namespaces.
pub const CLUSTER_WEBHOOK: &str = "cluster.guard.aksarc.dev";
/// The webhook for objects in system namespaces.
pub const SYSTEM_WEBHOOK: &str = "system.guard.aksarc.dev";
/// The webhook for objects in all other namespaces but the guard's own.
pub const USER_WEBHOOK: &str = "user.guard.aksarc.dev";
/// The webhook for objects of alpha versions. The API server must not convert objects of stable versions for it.
pub const ALPHA_WEBHOOK: &str = "alpha.guard.aksarc.dev";

/// The whole manifest as YAML.
pub fn render(options: &ManifestOptions) -> String {
    let certificate = certificate::parts(&options.certificate);
    let mut out = fill(
        include_str!("../manifest/install.yaml"),
        &[
            ("certificate", certificate.head),
            ("and-certificates", certificate.and_certificates),
            ("rights", certificate.rights),
            ("without-rights", certificate.without_rights),
            ("tls-argument", certificate.argument),
            ("replica", certificate.environment),
            ("tls-mount", certificate.mount),
            ("tls-volume", certificate.volume),
            ("secret", CERTIFICATES),
            ("namespace", NAMESPACE),
            ("service", SERVICE),
            ("configuration", CONFIGURATION),
            ("open", OPEN),
            ("heartbeat", heartbeat::NAME),
            ("observed", observed::NAME),
            ("result", published::NAME),
            ("image", &options.image),
            ("networkpolicy", &network::render(&options.pods)),
            // Last, since it holds what others wrote.
            ("configmap", &options.config.as_ref().map(configmap).unwrap_or_default()),
        ],
    );
    out.push_str("---\n");
    out.push_str(&webhooks(options));
    out
}

fn configmap(config: &ManifestConfig) -> String {
    let values = [("namespace", NAMESPACE), ("config", &multiline(&config.text, 4))];
    fill(include_str!("../manifest/configmap.yaml"), &values)
}

/// The ValidatingWebhookConfiguration alone.
pub fn webhooks(options: &ManifestOptions) -> String {
    let data = data::embedded();
    let settings = options.config.as_ref().map(|config| config.settings.clone()).unwrap_or_default();
    let (watched, everywhere) = (derive::watched(&settings.rules), derive::watched_everywhere(&settings.rules));
    let authority = match &options.certificate {
        ManifestCertificate::Secret { authority: Some(authority) } => {
            format!("    caBundle: {}\n", STANDARD.encode(authority))
        }
        ManifestCertificate::Own | ManifestCertificate::Secret { authority: None } => String::new(),
    };
    let identity = not_the_platform(data, &settings);
    let head = include_str!("../manifest/webhook.yaml");
    let webhook = |name: &str, policy: &str, selector: &str, rules: &[&Watched], conditions: &[MatchCondition]| {
        if rules.is_empty() {
            return String::new();
        }
        let rules = rules.iter().copied().map(rule).collect::<String>();
        let conditions = conditions.iter().map(MatchCondition::render).collect::<String>();
        fill(
            head,
            &[
                ("name", name),
                ("policy", policy),
                ("namespace", NAMESPACE),
                ("service", SERVICE),
                ("authority", &authority),
                ("selector", selector),
                ("rules", &rules),
                ("conditions", &conditions),
            ],
        )
    };
    let mut out = fill(include_str!("../manifest/webhooks.yaml"), &[("configuration", CONFIGURATION)]);
    let judged = judged_namespaces(data, &settings, &watched);
    // Another webhook asks about the judged namespaces already, and none asks about the guard's own.
    let mut elsewhere = judged.clone();
    elsewhere.insert(NAMESPACE.to_owned());
    for WebhookShape { name, match_policy, namespaces, conditions } in shapes(data) {
        let selector = match namespaces {
            AskedNamespaces::None => String::new(),
            AskedNamespaces::Judged => namespace_selector("In", &judged),
            AskedNamespaces::Others => namespace_selector("NotIn", &elsewhere),
            AskedNamespaces::AllButOwn => namespace_selector("NotIn", &BTreeSet::from([NAMESPACE.to_owned()])),
        };
        let rules = namespaces.of(&watched, &everywhere).iter().filter(|watched| namespaces.asks(watched.kind));
        let conditions = [&[identity.clone()][..], &conditions].concat();
        out.push_str(&webhook(name, match_policy, &indent(&selector, 2), &rules.collect::<Vec<_>>(), &conditions));
    }
    fill(&out, &[("generated", &digest(&out))])
}

/// A webhook, but for what a configuration changes of it.
struct WebhookShape {
    name: &'static str,
    match_policy: &'static str,
    namespaces: AskedNamespaces,
    /// Its conditions besides the one that leaves the platform out.
    conditions: Vec<MatchCondition>,
}

/// The namespaces whose objects a webhook is asked about.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum AskedNamespaces {
    /// All but the guard's own.
    AllButOwn,
    /// Those in which rules judge objects.
    Judged,
    /// None: its kinds live in no namespace.
    None,
    /// All others but the guard's own.
    Others,
}

impl AskedNamespaces {
    /// Whether the webhook is asked about objects of a kind.
    fn asks(self, kind: &Kind) -> bool {
        match self {
            AskedNamespaces::AllButOwn => kind.is_alpha(),
            AskedNamespaces::Judged | AskedNamespaces::Others => kind.namespaced && !kind.is_alpha(),
            AskedNamespaces::None => !kind.namespaced && !kind.is_alpha(),
        }
    }

    /// What the webhook is asked about, of what rules watch in the system's namespaces and what they watch everywhere.
    fn of<T>(self, system: T, everywhere: T) -> T {
        if matches!(self, AskedNamespaces::Others) { everywhere } else { system }
    }
}

/// The webhooks, in order.
fn shapes(data: &Data) -> [WebhookShape; 4] {
    let shape =
        |name, match_policy, namespaces, conditions| WebhookShape { name, match_policy, namespaces, conditions };
    let of_cluster = vec![node_status_with_a_change(), protected_namespace(data)];
    [
        shape(CLUSTER_WEBHOOK, "Equivalent", AskedNamespaces::None, of_cluster),
        shape(SYSTEM_WEBHOOK, "Equivalent", AskedNamespaces::Judged, Vec::new()),
        shape(USER_WEBHOOK, "Equivalent", AskedNamespaces::Others, vec![power_over_nodes(data)]),
        shape(ALPHA_WEBHOOK, "Exact", AskedNamespaces::AllButOwn, Vec::new()),
    ]
}

/// The digest of a generated configuration, with which a check compares the one in the cluster.
fn digest(configuration: &str) -> String {
    let documents = yaml::documents(configuration).unwrap_or_default();
    let webhooks = documents.first().and_then(|document| document.get("webhooks"));
    webhooks.map(digest::digest).unwrap_or_default()
}

/// The namespaces in which rules judge objects of the watched kinds: the protected ones, and those of components.
fn judged_namespaces(data: &Data, settings: &Settings, watched: &[Watched]) -> BTreeSet<String> {
    let asked = || watched.iter().filter(|watched| AskedNamespaces::Judged.asks(watched.kind));
    let is_watched = |kind: &String| asked().any(|watched| watched.kind.kind == kind);
    let components = data.components.iter().chain(&settings.components);
    let of_components = components
        .filter(|component| component.kinds.iter().any(is_watched))
        .flat_map(|component| &component.namespaces);
    let mut names: BTreeSet<String> = protected(data).into_iter().map(str::to_owned).collect();
    names.extend(of_components.cloned());
    names.remove(NAMESPACE);
    names
}

/// A selector of namespaces by their names, as the field of a webhook or of a policy's constraints.
fn namespace_selector(operator: &str, namespaces: &BTreeSet<String>) -> String {
    let mut out = format!(
        "namespaceSelector:\n  matchExpressions:\n  - key: kubernetes.io/metadata.name\n    operator: {operator}\n    \
         values:\n"
    );
    for namespace in namespaces {
        // Writing to a string does not fail.
        let _ = writeln!(out, "    - {}", name(namespace));
    }
    out
}

fn rule(watched: &Watched) -> String {
    let scope = if watched.kind.namespaced { "Namespaced" } else { "Cluster" };
    let operations: Vec<String> = watched.operations.iter().map(|operation| operation.as_str().to_owned()).collect();
    let text = format!(
        "# {}\n- apiGroups: [{}]\n  apiVersions: [{}]\n  resources: [{}]\n  operations: [{}]\n  scope: {scope}\n",
        watched.codes.join(", "),
        quoted(watched.kind.group),
        watched.kind.versions().collect::<Vec<_>>().join(", "),
        watched.resource(),
        operations.join(", "),
    );
    indent(&text, 2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde_json::Value;

    fn webhooks_of(options: &ManifestOptions) -> Vec<Value> {
        let documents = yaml::documents(&render(options)).unwrap();
        documents.last().unwrap()["webhooks"].as_array().unwrap().clone()
    }

    fn strings(value: &Value) -> Vec<&str> {
        value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
    }

    #[test]
    fn every_watched_kind_is_in_the_webhooks_of_its_reach_with_its_operations() {
        let webhooks = webhooks_of(&ManifestOptions::default());
        let everywhere = derive::watched_everywhere(&BTreeMap::new());
        for watched in derive::watched(&BTreeMap::new()) {
            let rules = webhooks.iter().flat_map(|webhook| webhook["rules"].as_array().unwrap());
            let found: Vec<&Value> = rules
                .filter(|rule| {
                    strings(&rule["apiGroups"]) == [watched.kind.group]
                        && strings(&rule["apiVersions"]) == watched.kind.versions().collect::<Vec<_>>()
                        && strings(&rule["resources"]) == [watched.resource()]
                })
                .collect();
            // In the system's namespaces with all that is asked there, in all others with what is asked everywhere.
            let asks = |rule: &&Value, own: &Watched| {
                let operations: Vec<&str> = own.operations.iter().map(|operation| operation.as_str()).collect();
                strings(&rule["operations"]) == operations
            };
            let elsewhere =
                everywhere.iter().find(|own| (own.kind, own.subresource) == (watched.kind, watched.subresource));
            let elsewhere = elsewhere.filter(|own| own.kind.namespaced && !own.kind.is_alpha());
            assert_eq!(found.len(), 1 + usize::from(elsewhere.is_some()), "{}", watched.resource());
            assert!(found.iter().any(|rule| asks(rule, &watched)), "{}", watched.resource());
            assert!(elsewhere.is_none_or(|own| found.iter().any(|rule| asks(rule, own))), "{}", watched.resource());
            for rule in found {
                assert_eq!(rule["scope"], if watched.kind.namespaced { "Namespaced" } else { "Cluster" });
            }
        }
    }

    #[test]
    fn webhooks_fail_open_quickly_and_never_match_what_a_cluster_needs_to_live() {
        for webhook in webhooks_of(&ManifestOptions::default()) {
            assert_eq!(webhook["failurePolicy"], "Ignore");
            assert_eq!(webhook["timeoutSeconds"], 3);
            assert_eq!(webhook["sideEffects"], "None");
            assert_eq!(webhook["matchPolicy"], if webhook["name"] == ALPHA_WEBHOOK { "Exact" } else { "Equivalent" });
            assert_eq!(strings(&webhook["admissionReviewVersions"]), ["v1"]);
            for rule in webhook["rules"].as_array().unwrap() {
                for field in ["apiGroups", "apiVersions", "resources", "operations"] {
                    assert!(strings(&rule[field]).iter().all(|word| !word.contains('*')), "{rule}");
                }
                for taboo in ["leases", "events", "pods/eviction", "endpointslices", "tokenreviews"] {
                    assert!(!strings(&rule["resources"]).contains(&taboo));
                }
            }
        }
    }

    #[test]
    fn the_system_webhook_reaches_every_judged_namespace_but_never_its_own() {
        let webhooks = webhooks_of(&ManifestOptions::default());
        let values = strings(&webhooks[1]["namespaceSelector"]["matchExpressions"][0]["values"]);
        for row in &data::embedded().namespaces.namespaces {
            if data::embedded().namespaces.protected(&row.name).is_some() {
                assert!(values.contains(&&*row.name), "{}", row.name);
            }
        }
        assert!(!values.contains(&NAMESPACE));
    }

    #[test]
    fn a_kind_whose_rule_is_off_is_asked_about_once_a_configuration_asks_for_it() {
        let asked = |options: &ManifestOptions, name: &str| -> Vec<String> {
            let webhooks = webhooks_of(options);
            let webhook = webhooks.iter().find(|webhook| webhook["name"] == name).unwrap();
            let rules = webhook["rules"].as_array().unwrap();
            rules.iter().flat_map(|rule| strings(&rule["resources"])).map(str::to_owned).collect()
        };
        let quiet = asked(&ManifestOptions::default(), USER_WEBHOOK);
        assert!(quiet.contains(&"pods/ephemeralcontainers".to_owned()) && quiet.contains(&"deployments".to_owned()));
        let text = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nrules: {AA406: warn}\n";
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        let options = ManifestOptions {
            config: Some(ManifestConfig { text: text.to_owned(), settings }),
            ..ManifestOptions::default()
        };
        assert!(asked(&options, USER_WEBHOOK).contains(&"daemonsets".to_owned()));
        let codes = |modes: &BTreeMap<String, aksarc_shared::rules::rule::Mode>| {
            derive::watched(modes).into_iter().flat_map(|watched| watched.codes).filter(|code| *code == "AA406").count()
        };
        assert_eq!(codes(&BTreeMap::new()), 0);
        assert!(codes(&options.config.unwrap().settings.rules) > 0);
    }

    #[test]
    fn conditions_name_every_built_in_identity_exactly() {
        let webhooks = webhooks_of(&ManifestOptions::default());
        for webhook in &webhooks {
            let condition = webhook["matchConditions"][0]["expression"].as_str().unwrap();
            let identities = &data::embedded().identities;
            for row in identities.users.iter().chain(&identities.groups) {
                assert!(condition.contains(&format!("{:?}", row.name)), "{}", row.name);
            }
            for ambiguous in &identities.ambiguous_groups {
                assert!(!condition.contains(&**ambiguous));
            }
        }
    }

    #[test]
    fn there_is_a_configuration_only_where_one_is_given() {
        let text = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nmode: enforce\n";
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        let config = Some(ManifestConfig { text: text.to_owned(), settings });
        let maps = |options: &ManifestOptions| -> Vec<Value> {
            let mut documents = yaml::documents(&render(options)).unwrap();
            documents.retain(|document| document["kind"] == "ConfigMap" && document["metadata"]["name"] == SERVICE);
            documents
        };
        assert_eq!(maps(&ManifestOptions::default()), Vec::<Value>::new());
        let given = maps(&ManifestOptions { config, ..ManifestOptions::default() });
        assert_eq!((given.len(), &given[0]["data"]["guard.yaml"]), (1, &Value::from(text)));
    }

    #[test]
    fn a_configuration_without_a_last_newline_ends_before_the_next_document() {
        let text = r#"{"apiVersion": "aksarc.dev/v1alpha1", "kind": "GuardConfig", "mode": "warn"}"#;
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        let options = ManifestOptions {
            config: Some(ManifestConfig { text: text.to_owned(), settings }),
            ..ManifestOptions::default()
        };
        let documents = yaml::documents(&render(&options)).unwrap();
        let held = documents.iter().find_map(|document| document["data"]["guard.yaml"].as_str()).unwrap();
        assert_eq!(held.trim(), text);
    }

    #[test]
    fn configured_people_are_sent_whatever_group_they_are_in() {
        let text = "apiVersion: aksarc.dev/v1alpha1\nkind: GuardConfig\nactors:\n  people:\n    \
            users: ['system:serviceaccount:kube-system:ours']\n    credentialIds: [X509SHA256=00]\n\
            components: [{name: a, kinds: [Deployment], namespaces: [further], product: A}]\n";
        let settings = crate::config::guard(text.as_bytes()).unwrap().settings().clone();
        let options = ManifestOptions {
            config: Some(ManifestConfig { text: text.to_owned(), settings }),
            ..ManifestOptions::default()
        };
        let webhooks = webhooks_of(&options);
        let condition = webhooks[0]["matchConditions"][0]["expression"].as_str().unwrap();
        let (people, platform) = condition.split_once("!(").unwrap();
        assert!(people.contains("system:serviceaccount:kube-system:ours") && people.contains("X509SHA256=00"));
        assert!(platform.contains("system:serviceaccounts:kube-system"));
        let values = strings(&webhooks[1]["namespaceSelector"]["matchExpressions"][0]["values"]);
        assert!(values.contains(&"further"));
    }

    #[test]
    fn a_manifest_trusts_a_given_authority_and_says_nothing_where_others_write_it() {
        let with = |certificate| ManifestOptions { certificate, ..ManifestOptions::default() };
        let given = with(ManifestCertificate::Secret { authority: Some(b"foob".to_vec()) });
        for webhook in webhooks_of(&given) {
            assert_eq!(webhook["clientConfig"]["caBundle"], "Zm9vYg==");
        }
        for options in [ManifestOptions::default(), with(ManifestCertificate::Secret { authority: None })] {
            assert!(!render(&options).contains("caBundle:"));
        }
    }

    #[test]
    fn a_manifest_mounts_a_certificate_or_gives_the_rights_to_make_one() {
        for (certificate, own) in [
            (ManifestCertificate::Own, true),
            (ManifestCertificate::Secret { authority: None }, false),
            (ManifestCertificate::Secret { authority: Some(b"foob".to_vec()) }, false),
        ] {
            let manifest = render(&ManifestOptions { certificate, ..ManifestOptions::default() });
            assert_eq!(manifest.contains("guard-certificates"), own);
            assert_eq!(manifest.contains("AKSARC_REPLICA"), own);
            for mounted in ["--tls-dir=", "mountPath: /etc/aksarc/tls", "secretName: guard-tls"] {
                assert_eq!(manifest.contains(mounted), !own, "{mounted}");
            }
            let documents = yaml::documents(&manifest).unwrap();
            assert!(documents.iter().all(|document| document["kind"] != "Secret"));
            assert!(!manifest.contains("BEGIN") && !manifest.contains("{{"), "{manifest}");
        }
    }
}
