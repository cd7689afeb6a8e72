//! Third-party software for the rules on it: the products that run, their namespaces, and the signs of each.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::data::tables;
use crate::data::third_party::{Licence, ThirdPartyProduct};
use crate::data::{Confidence, Platform};
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::k8s::object::Object;
use crate::k8s::pod::Pod;
use crate::k8s::text::Text;
use crate::rules::parts::installed::{self, EXTENSIONS, Installed};
use crate::rules::parts::node_power;
use crate::rules::rule::{Context, Read, Scope, Seen, Verdict};
use crate::text::line;

/// The lists that show third-party software.
pub(crate) const READS: &[Read] = &[
    Read { kind: &kinds::POD, scope: Scope::Cluster },
    Read { kind: &kinds::CUSTOM_RESOURCE_DEFINITION, scope: Scope::Cluster },
    Read { kind: &kinds::INGRESS_CLASS, scope: Scope::Cluster },
    EXTENSIONS,
];

/// The sort of a sign, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// A pod runs one of the product's images.
    Image,
    /// A pod runs one of the product's images, from a registry that only Microsoft fills.
    Microsofts,
    /// A pod has the label of the product's chart.
    Chart,
    /// The product's custom resources are defined.
    Definition,
    /// An ingress class names the product.
    Class,
}

/// A sign of a product. Pods with the same sign give equal values, so that they are kept once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ProductTrace {
    /// The product's id.
    product: String,
    sign: Sign,
    /// The namespace; empty for cluster-scoped objects.
    namespace: String,
    /// The version in the image's tag or the chart's label; may be empty.
    version: String,
    /// The repository, chart, group or controller.
    mark: String,
    /// The Helm release, where an Arc extension could have brought the product.
    release: String,
}

/// A served API group with which the platform may have installed a product.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct ServedGroup(String);

/// Notes the signs of products of one licence in an object.
pub(crate) fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes, licence: Licence) {
    let object = seen.object;
    if seen.pod().is_some() {
        pod(seen, notes, licence);
    } else if *seen.kind == kinds::CUSTOM_RESOURCE_DEFINITION {
        let Some(Definition { group }) = object.field("spec") else { return };
        let products = tables::third_party().products();
        if products.iter().any(|product| product.perhaps_platform_with.as_deref() == Some(&*group)) {
            notes.remark(ServedGroup(group.to_string()));
        }
        let product = tables::third_party().of_definition(&group, &object.meta.name);
        note(notes, product.filter(|product| product.licence == licence), Sign::Definition, &group);
    } else if *seen.kind == kinds::INGRESS_CLASS {
        let Some(Class { controller }) = object.field("spec") else { return };
        let product = tables::third_party().of_controller(&controller);
        note(notes, product.filter(|product| product.licence == licence), Sign::Class, &controller);
    } else {
        installed::note(seen, notes);
    }
}

/// One finding for each product that is not the platform's.
pub(crate) fn per_cluster(inventory: &Inventory, context: &Context<'_>, code: Code) -> Verdict {
    let data = context.data;
    let extensions = Installed::of(inventory, code, data);
    let served: BTreeSet<&str> = inventory.remarks::<ServedGroup>(code).map(|group| &*group.0).collect();
    // Where the served groups could not be read, any group may be served.
    let unknown = context.unread(&[&kinds::CUSTOM_RESOURCE_DEFINITION]).is_some();
    let mut products: BTreeMap<&str, Vec<&ProductTrace>> = BTreeMap::new();
    for trace in inventory.remarks::<ProductTrace>(code) {
        let id = &*trace.product;
        let shipped = match trace.sign {
            Sign::Definition | Sign::Class => extensions.has(id),
            Sign::Image | Sign::Microsofts | Sign::Chart => extensions.ships(id, &trace.namespace, &trace.release),
        };
        if !shipped {
            products.entry(id).or_default().push(trace);
        }
    }
    let found = products.iter().filter_map(|(id, traces)| {
        let product = tables::third_party().product(id)?;
        let platform = product.perhaps_platform_with.as_deref().and_then(|group| {
            if unknown {
                return Some(format!("whether {group} is served could not be read"));
            }
            served.contains(group).then(|| format!("{group} is served"))
        });
        let draft = draft(product, traces, platform, if context.manifests { "would run" } else { "runs" })?;
        // The texts of these two platforms count ingress controllers among what is supported, too.
        let listed = product.ingress && matches!(context.platform, Platform::WindowsServer | Platform::Hci22h2);
        Some(if listed { supported_too(draft) } else { draft })
    });
    Verdict::Found(found.collect())
}

/// The draft with the sentence that stands against the clause on third-party software.
fn supported_too(mut draft: Draft) -> Draft {
    draft.message.push_str("; setting up ingress controllers is among what is supported (C14)");
    draft.lighter(Consequence::Info).clauses(const { &[Clause::new("C14"), Clause::new("C16")] })
}

/// The draft on a product. Only its surest signs count.
fn draft<'t>(
    product: &ThirdPartyProduct,
    traces: &[&'t ProductTrace],
    platform: Option<String>,
    runs: &str,
) -> Option<Draft> {
    let surest = traces.iter().map(|trace| trace.sign).min()?;
    let traces = || traces.iter().filter(|trace| trace.sign == surest);
    let set = |of: fn(&'t ProductTrace) -> &'t str| -> BTreeSet<&'t str> {
        traces().copied().map(of).filter(|text| !text.is_empty()).collect()
    };
    let (namespaces, versions) = (set(|trace| &trace.namespace), set(|trace| &trace.version));
    let marks = set(|trace| &trace.mark);
    let place = match namespaces.len() {
        1 => format!("namespace {}", namespaces.iter().next()?),
        count => format!("{count} namespaces"),
    };
    let ThirdPartyProduct { name, supported_by, .. } = product;
    let guessed = product.confidence == Confidence::Inferred;
    let message = match surest {
        Sign::Image if guessed => format!("{name} seems to run in {place}: its images are known by hearsay only"),
        Sign::Image if platform.is_some() => {
            format!("{name} {runs} in {place}; the platform may have installed it together with Cluster API")
        }
        Sign::Image => {
            format!(
                "{name} {runs} in {place}: allowed, supported by {supported_by}, and not covered by support for AKS Arc"
            )
        }
        Sign::Microsofts => {
            format!("{name} {runs} in {place}, from Microsoft's registry: its installer is not recognised")
        }
        Sign::Chart => format!("pods in {place} have the chart name of {name}, but none of its images was seen"),
        Sign::Definition => format!("custom resources of {name} are defined, but none of its pods was seen"),
        Sign::Class => format!("an ingress class names {name}, but none of its pods was seen"),
    };
    let sign_name = match surest {
        Sign::Image | Sign::Microsofts => "image",
        Sign::Chart => "chart",
        Sign::Definition => "customResourceDefinition",
        Sign::Class => "ingressClass",
    };
    let named: Vec<&str> = versions.iter().take(MAX_VERSIONS).copied().collect();
    let mut draft = Draft::at(ObjectRef::product(&product.id), "version")
        .values(None, (!named.is_empty()).then(|| named.join(", ")).as_deref())
        .says(message);
    for mark in marks.iter().take(MAX_MARKS) {
        draft = draft.with(Evidence::seen(sign_name, format!("{mark} is {name}: {}", product.source)));
    }
    let certain = surest == Sign::Image && platform.is_none() && !guessed;
    if let Some(says) = platform {
        draft = draft.with(Evidence::seen("customResourceDefinition", says));
    }
    draft.members = namespaces.into_iter().take(MAX_MEMBERS).map(str::to_owned).collect();
    Some(if certain { draft } else { draft.lighter(Consequence::Info) })
}

fn pod(seen: &Seen<'_, '_>, notes: &mut Notes, licence: Licence) {
    let (object, data) = (seen.object, seen.data);
    let of_licence = |product: &&ThirdPartyProduct| product.licence == licence;
    let images = seen.pod().into_iter().flat_map(Pod::images);
    let of_image = images.filter_map(|image| {
        let (product, path) = tables::third_party().of_image(image)?;
        of_licence(&product).then_some((product, image, path))
    });
    let of_chart = object.meta.labels.get("helm.sh/chart").and_then(|chart| tables::third_party().of_chart(chart));
    let of_chart = of_chart.filter(|(product, _)| of_licence(product));
    // The ownership test is costly, so it runs only for the few pods that show a sign.
    let mut asked = None;
    let mut platforms = || *asked.get_or_insert_with(|| is_platforms(seen));
    for (product, image, path) in of_image {
        if platforms() {
            return;
        }
        let microsoft = data.provenance.is_microsofts(image);
        let version = line(crate::k8s::image::tag(image).unwrap_or_default(), MAX_TEXT);
        notes.remark(ProductTrace {
            product: product.id.clone(),
            sign: if microsoft { Sign::Microsofts } else { Sign::Image },
            namespace: object.meta.namespace.to_string(),
            version,
            mark: path.to_owned(),
            release: release(product, object).to_owned(),
        });
    }
    if let Some((product, version)) = of_chart
        && !platforms()
    {
        notes.remark(ProductTrace {
            product: product.id.clone(),
            sign: Sign::Chart,
            namespace: object.meta.namespace.to_string(),
            version: line(version, MAX_TEXT),
            mark: "helm.sh/chart".to_owned(),
            release: release(product, object).to_owned(),
        });
    }
}

/// Whether a pod is static, a component of the platform, or in a namespace of the Arc agents: other rules judge these.
fn is_platforms(seen: &Seen<'_, '_>) -> bool {
    let (object, data, meta) = (seen.object, seen.data, &seen.object.meta);
    data.namespaces.is_arc(&meta.namespace)
        || meta.annotations.get("kubernetes.io/config.mirror").is_some()
        || node_power::is_component(object, seen.kind.kind, &meta.name, data)
}

/// The Helm release of a pod: by its chart's marks, or, for products that an Arc extension can bring, by its labels.
/// For other products a label may differ from pod to pod, which would only multiply the remarks.
fn release<'o>(product: &ThirdPartyProduct, object: &'o Object<'_>) -> &'o str {
    let shipped = tables::extensions().iter().any(|row| row.products.contains(&product.id));
    let label = || object.meta.labels.get("app.kubernetes.io/instance").or_else(|| object.meta.labels.get("release"));
    match installed::release(object) {
        "" if shipped => label().unwrap_or_default(),
        release => release,
    }
}

fn note(notes: &mut Notes, product: Option<&ThirdPartyProduct>, sign: Sign, mark: &str) {
    if let Some(product) = product {
        let (namespace, version, release) = (String::new(), String::new(), String::new());
        notes.remark(ProductTrace {
            product: product.id.clone(),
            sign,
            namespace,
            version,
            mark: line(mark, MAX_TEXT),
            release,
        });
    }
}

#[derive(Deserialize)]
struct Definition<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
}

#[derive(Deserialize)]
struct Class<'a> {
    #[serde(borrow, default)]
    controller: Text<'a>,
}

/// The most namespaces shown of one product: a mesh is in all of them.
const MAX_MEMBERS: usize = 50;

/// The most versions shown of one product.
const MAX_VERSIONS: usize = 8;

/// The most marks shown of one product.
const MAX_MARKS: usize = 4;

/// The most characters kept of a tag or controller.
const MAX_TEXT: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::embedded;

    fn noted(json: &str) -> Notes {
        let object: Object<'_> = serde_json::from_str(json).unwrap();
        let mut notes = Notes::default();
        per_object(&crate::rules::derive::seen(&object, &kinds::POD, embedded()), &mut notes, Licence::Open);
        notes
    }

    fn pod_json(name: &str, image: &str) -> String {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"shop","labels":{{"app.kubernetes.io/instance":"{name}"}}}},
                 "spec":{{"containers":[{{"name":"app","image":"registry.example/shop:1"}},{{"name":"s","image":"{image}"}}]}}}}"#
        )
    }

    /// The sign of Istio's sidecar in a namespace.
    fn trace(namespace: &str, version: &str) -> ProductTrace {
        ProductTrace {
            product: "istio".to_owned(),
            sign: Sign::Image,
            namespace: namespace.to_owned(),
            version: version.to_owned(),
            mark: "istio/proxyv2".to_owned(),
            release: String::new(),
        }
    }

    #[test]
    fn a_thousand_pods_with_the_same_sidecar_are_one_remark() {
        let mut all = Notes::default();
        for pod in 0..1000 {
            all.merge(noted(&pod_json(&format!("web-{pod}"), "docker.io/istio/proxyv2:1.24.2")));
        }
        let expected = trace("shop", "1.24.2");
        assert_eq!(all.kept.remarks::<ProductTrace>().collect::<Vec<_>>(), [&expected]);
    }

    #[test]
    fn a_tag_is_kept_as_one_line() {
        let notes = noted(&pod_json("web", r"istio/proxyv2:1\tquay"));
        assert_eq!(notes.kept.remarks::<ProductTrace>().next(), Some(&trace("shop", r"1\u{9}quay")));
    }

    #[test]
    fn an_object_without_a_pod_or_a_sign_leaves_no_remark() {
        for json in [
            "{}",
            r#"{"spec":null}"#,
            r#"{"spec":{"containers":[{"name":"a"}]}}"#,
            r#"{"spec":{"containers":[{"image":""}]}}"#,
        ] {
            assert_eq!(noted(json).kept.remarks::<ProductTrace>().next(), None, "{json}");
        }
        let notes = noted(&pod_json("web", "registry.example/web:istio-proxyv2"));
        assert_eq!(notes.kept.remarks::<ProductTrace>().next(), None);
    }

    #[test]
    fn only_some_namespaces_are_listed_and_all_are_counted() {
        let names: Vec<String> = (0..70).map(|n| format!("team-{n:02}")).collect();
        let traces: Vec<ProductTrace> = names.iter().map(|name| trace(name, "1")).collect();
        let traces: Vec<&ProductTrace> = traces.iter().collect();
        let draft = draft(tables::third_party().product("istio").unwrap(), &traces, None, "runs").unwrap();
        assert_eq!(draft.members.len(), MAX_MEMBERS);
        assert!(draft.message.contains("70 namespaces"), "{}", draft.message);
    }
}
