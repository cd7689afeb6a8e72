//! The policies that stand in for rules, in a form that the chart completes with a configuration.

use std::collections::{BTreeMap, BTreeSet};

use aksarc_shared::data::{self, Platform};
use aksarc_shared::facts::actor::Matchers;
use aksarc_shared::k8s::read::yaml;
use aksarc_shared::verdict::guard::{Guard, Settings, SettingsError};
use serde_json::{Map, Value, json};

use super::pretty;
use crate::manifest::conditions::{IdentityTerms, PersonTerms, shared_with_people};
use crate::manifest::protection::sealed;
use crate::manifest::rules::{self, NamedObjects};

/// The policies as JSON, with places in braces. Beside them are the parts for these places, by platform, and the rules that
/// deny there; the key of a configuration without a platform is empty.
///
/// # Errors
/// None: the settings of each platform alone are valid.
pub fn policies() -> Result<String, SettingsError> {
    let data = data::embedded();
    let (mut denies, mut names) = (BTreeMap::new(), BTreeMap::new());
    for platform in [None].into_iter().chain(Platform::ALL.into_iter().map(Some)) {
        let guard = Guard::new(data, Settings { platform, ..Settings::default() })?;
        let objects = NamedObjects::of(guard.data());
        let all = rules::policies(guard.data(), &objects);
        let codes = all.iter().flat_map(|policy| policy.codes().filter(|code| guard.denial(code).is_some()));
        let platform = platform.map(Platform::as_str).unwrap_or_default();
        denies.insert(platform, codes.collect::<BTreeSet<_>>());
        names.insert(platform, objects);
    }
    let guard = Guard::new(data, Settings::default())?;
    let places = NamedObjects {
        managed: one("{managed}"),
        managed_prefixes: one("{managedPrefixes}"),
        known: one("{known}"),
        known_prefixes: one("{knownPrefixes}"),
    };
    let person = PersonTerms {
        people: terms_for("people"),
        platform: terms_for("platform"),
        ambiguous: "{ambiguous}".to_owned(),
    };
    let policies = rules::policies(data, &places);
    let policies: Vec<Value> = policies
        .iter()
        .map(|policy| {
            let text = sealed(&policy.render(&guard, &person));
            let mut objects = yaml::documents(&text).unwrap_or_default().into_iter().filter(|object| !object.is_null());
            let (mut made, binding) = (objects.next().unwrap_or_default(), objects.next().unwrap_or_default());
            let spec = made.get_mut("spec").and_then(Value::as_object_mut);
            let validations = spec.and_then(|spec| spec.remove("validations")).unwrap_or_default();
            let validations: Vec<Value> = policy
                .codes()
                .zip(validations.as_array().into_iter().flatten())
                .map(|(code, validation)| json!({"code": code, "validation": validation}))
                .collect();
            if let Some(meta) = made.get_mut("metadata").and_then(Value::as_object_mut) {
                // Its annotation is the digest of the completed policy.
                meta.remove("annotations");
            }
            json!({"policy": made, "validations": validations, "binding": binding})
        })
        .collect();
    let name = || vec!["{names}".to_owned()];
    let identities = Matchers { users: name(), groups: name(), credential_ids: name() };
    let runs: Map<String, Value> = rules::RUN.iter().map(|kind| (kind.kind.to_owned(), json!(kind.resource))).collect();
    Ok(pretty(&json!({
        "ambiguous": shared_with_people(data),
        "denies": denies,
        "identities": IdentityTerms::of(&identities),
        "names": names,
        "policies": policies,
        "runs": runs,
    })))
}

fn one(place: &str) -> BTreeSet<String> {
    BTreeSet::from([place.to_owned()])
}

/// A place for each sort of identities of an actor.
fn terms_for(actor: &str) -> IdentityTerms {
    let place = |field: &str| format!("{{{actor}.{field}}}");
    IdentityTerms { credential_ids: place("credentialIds"), groups: place("groups"), users: place("users") }
}
