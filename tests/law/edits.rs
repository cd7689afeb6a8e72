//! Attempted writes, drawn at random over everything that the rules judge, by every sort of user.

use std::collections::BTreeSet;

use aksarc_shared::data::Platform;
use aksarc_shared::facts::change::Operation;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::rules::catalogue;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::law::fields;
use crate::law::objects::{MAKERS, Maker, POWERS, empower, has_pod, made, object, places, pod_spec, touched};
use crate::law::world::{BORN, CHANGED, NAMESPACES, NODES, World};

/// A user, and the client that they use.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) user: &'static str,
    pub(crate) groups: &'static [&'static str],
    /// The field manager of the request; the server takes the user agent where there is none.
    pub(crate) manager: &'static str,
    /// Whether the manager's name is that of a people's tool, so that a state shows the user.
    pub(crate) is_known_tool: bool,
}

/// A kind of request that some rule watches.
pub(crate) type Asked = (&'static Kind, &'static str, Operation);

/// An object before and after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sides {
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// An attempted write.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) who: Who,
    pub(crate) asked: Asked,
    pub(crate) platform: Platform,
    /// The object of the request: a Scale where one is scaled.
    pub(crate) request: Sides,
    /// The object that is stored.
    pub(crate) stored: Sides,
    /// Whether it takes back an earlier change.
    pub(crate) undoes: bool,
}

/// One attempted write on a healthy cluster, or on one that somebody has changed already.
pub(crate) fn edits() -> impl Strategy<Value = Edit> {
    (who(), what()).prop_map(|(who, what)| what.by(who))
}

/// Every request that rules watch.
pub(crate) fn all_asked() -> BTreeSet<Asked> {
    let rules = catalogue::ALL.iter().filter(|rule| rule.change.is_some());
    let guards = rules.flat_map(|rule| rule.guards);
    guards.flat_map(|guard| guard.operations.iter().map(|own| (guard.kind, guard.subresource, *own))).collect()
}

fn who() -> impl Strategy<Value = Who> {
    const AUTHENTICATED: &[&str] = &["system:authenticated"];
    const MASTERS: &[&str] = &["system:masters", "system:authenticated"];
    const ADMINS: &[&str] = &["kubeadm:cluster-admins", "system:authenticated"];
    const ARGO: &[&str] = &["system:serviceaccounts", "system:serviceaccounts:argocd", "system:authenticated"];
    const PLATFORM: &[&str] = &["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"];
    const NODES: &[&str] = &["system:nodes", "system:authenticated"];
    let who = |user, groups, manager, is_known_tool| Just(Who { user, groups, manager, is_known_tool });
    prop_oneof![
        5 => who("alice@contoso.example", AUTHENTICATED, "kubectl-edit", true),
        3 => who("alice@contoso.example", AUTHENTICATED, "helm", true),
        1 => who("alice@contoso.example", AUTHENTICATED, "a-script", false),
        2 => who("system:serviceaccount:argocd:argocd-application-controller", ARGO, "argocd-controller", true),
        2 => who("kubernetes-admin", MASTERS, "kubectl-label", true),
        1 => who("kubernetes-admin", MASTERS, "", false),
        1 => who("kubernetes-admin", ADMINS, "manager", false),
        1 => who("", &[], "", false),
        1 => who("system:node:moc-l1", NODES, "kubelet", false),
        1 => who("system:serviceaccount:kube-system:node-controller", PLATFORM, "kube-controller-manager", false),
    ]
}

/// A change and the object that it is tried on.
#[derive(Clone, Debug)]
struct What {
    asked: Asked,
    place: usize,
    maker: Maker,
    /// The change that somebody made before, and their tool.
    earlier: Option<(&'static str, Mutation)>,
    mutation: Mutation,
    windows_server: bool,
}

/// One thing done to an object.
#[derive(Clone, Debug, PartialEq)]
enum Mutation {
    AddContent,
    AddOwner,
    ChangeContent,
    Cordon,
    DropContent,
    DropFinalizers,
    DropOwners,
    Empower(usize),
    Ephemeral(bool),
    Image(&'static str),
    Nothing,
    Nowhere,
    Paused,
    PodCidr(Option<&'static str>),
    ProviderId(Option<&'static str>),
    Restart,
    Scale(u64),
    Set { annotation: bool, key: &'static str, value: Option<&'static str> },
    Taint { key: &'static str, effect: Option<&'static str> },
    Undo,
}

fn what() -> impl Strategy<Value = What> {
    let of =
        |wanted: fn(&Asked) -> bool| prop::sample::select(all_asked().into_iter().filter(wanted).collect::<Vec<_>>());
    let nodes = prop_oneof![
        4 => of(|asked| *asked.0 == kinds::NODE && asked.2 == Operation::Update),
        1 => of(|asked| *asked.0 == kinds::NODE && asked.2 != Operation::Update),
    ];
    let nodes = (nodes, node_mutation(), node_mutation());
    let spaces = (of(|asked| *asked.0 == kinds::NAMESPACE), namespace_mutation(), namespace_mutation());
    let pods = (of(|asked| has_pod(asked.0)), (0..POWERS).prop_map(Mutation::Empower), mutation());
    let others = (of(|asked| *asked.0 != kinds::NODE && *asked.0 != kinds::NAMESPACE), mutation(), mutation());
    let asked = prop_oneof![5 => nodes, 2 => spaces, 3 => pods, 9 => others];
    let hand = prop::sample::select(vec![
        None,
        None,
        Some("kubectl-edit"),
        Some("kubectl-edit"),
        Some("helm"),
        Some("operator"),
    ]);
    let rest = (any::<prop::sample::Index>(), prop::sample::select(MAKERS.to_vec()), hand, 0..3_u8, any::<bool>());
    (asked, rest).prop_map(|((asked, mutation, before), (place, maker, hand, undo, windows_server))| {
        let mutation = if hand.is_some() && undo == 0 { Mutation::Undo } else { mutation };
        let earlier = hand.map(|hand| (hand, before));
        What { asked, place: place.index(1 << 16), maker, earlier, mutation, windows_server }
    })
}

fn node_mutation() -> impl Strategy<Value = Mutation> {
    let key = prop::sample::select(vec![
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "msft.microsoft/nodepool-name",
        "shop.example/zone",
        "vendor.example/tunnel",
        "topology.kubernetes.io/zone",
        "node-role.kubernetes.io/control-plane",
        "node-role.kubernetes.io/shop",
        "kubernetes.azure.com/team",
        "team.kubernetes.io/x",
        "contoso.com/size",
        "plain",
        "kubectl.kubernetes.io/last-applied-configuration",
        "node.kubernetes.io/out-of-service",
        "node.alpha.kubernetes.io/ttl",
        "volumes.kubernetes.io/controller-managed-attach-detach",
        "cluster.x-k8s.io/machine",
        "kubernetes.azure.com/mode",
    ]);
    let value = prop::sample::select(vec![
        None,
        Some("edge-big"),
        Some("moc-l1"),
        Some("MOC-L1"),
        Some("linux"),
        Some("Standard_A4_v2"),
        Some("edge-1a2b3c4d-linux"),
        Some("true"),
        Some(""),
    ]);
    let taint = prop::sample::select(vec![
        "contoso.com/gpu",
        "node.kubernetes.io/out-of-service",
        "kubernetes.azure.com/mine",
        "node.kubernetes.io/unschedulable",
        "node.kubernetes.io/unreachable",
        "node-role.kubernetes.io/control-plane",
        "node.cluster.x-k8s.io/outdated-revision",
    ]);
    let effect = prop::sample::select(vec![None, Some("NoSchedule"), Some("NoExecute")]);
    let provider =
        prop::sample::select(vec![None, Some("moc://edge-1a2b3c4d-linux-md-x7k2p-moc-l1"), Some("aws://i-1")]);
    prop_oneof![
        8 => (any::<bool>(), key, value).prop_map(|(annotation, key, value)| Mutation::Set { annotation, key, value }),
        3 => (taint, effect).prop_map(|(key, effect)| Mutation::Taint { key, effect }),
        1 => provider.prop_map(Mutation::ProviderId),
        1 => prop::sample::select(vec![None, Some("10.9.0.0/24")]).prop_map(Mutation::PodCidr),
        1 => prop::sample::select(vec![Mutation::AddOwner, Mutation::Cordon, Mutation::Nothing]),
    ]
}

fn namespace_mutation() -> impl Strategy<Value = Mutation> {
    let key = prop::sample::select(vec![
        "kubernetes.io/metadata.name",
        "control-plane",
        "vendor.example/tier",
        "contoso.com/x",
        "pod-security.kubernetes.io/enforce",
        "kubernetes.azure.com/x",
    ]);
    let value = prop::sample::select(vec![None, Some("kube-system"), Some("true"), Some("x")]);
    prop_oneof![
        5 => (any::<bool>(), key, value).prop_map(|(annotation, key, value)| Mutation::Set { annotation, key, value }),
        3 => prop::sample::select(vec![Mutation::DropFinalizers, Mutation::AddOwner, Mutation::DropContent, Mutation::Nothing]),
    ]
}

fn mutation() -> impl Strategy<Value = Mutation> {
    const MARKS: [(&str, bool); 9] = [
        ("contoso.com/x", false),
        ("contoso.com/x", true),
        ("rbac.authorization.kubernetes.io/autoupdate", true),
        ("kubernetes.io/bootstrapping", false),
        ("apf.kubernetes.io/autoupdate-spec", true),
        ("storageclass.kubernetes.io/is-default-class", true),
        ("cluster.x-k8s.io/paused", true),
        ("cluster.x-k8s.io/cluster-name", false),
        ("argocd.argoproj.io/instance", false),
    ];
    let value = prop::sample::select(vec![None, Some("true"), Some("false")]);
    let image = prop::sample::select(vec![
        "contoso.example/x:2",
        "mcr.microsoft.com/x:2",
        "ghcr.io/k8snetworkplumbingwg/multus-cni:v4",
    ]);
    prop_oneof![
        3 => (prop::sample::select(MARKS.to_vec()), value)
            .prop_map(|((key, annotation), value)| Mutation::Set { annotation, key, value }),
        3 => Just(Mutation::ChangeContent),
        2 => (0..POWERS).prop_map(Mutation::Empower),
        2 => any::<bool>().prop_map(Mutation::Ephemeral),
        1 => image.prop_map(Mutation::Image),
        2 => prop::sample::select(vec![0, 2, 5]).prop_map(Mutation::Scale),
        5 => prop::sample::select(vec![
            Mutation::AddContent, Mutation::AddOwner, Mutation::DropContent, Mutation::DropFinalizers, Mutation::DropOwners,
            Mutation::Nothing, Mutation::Nowhere, Mutation::Paused, Mutation::Restart,
        ]),
    ]
}

impl What {
    fn by(self, who: Who) -> Edit {
        let (kind, subresource, operation) = self.asked;
        let manager = if who.manager.is_empty() { "curl" } else { who.manager };
        let platform = if self.windows_server { Platform::WindowsServer } else { Platform::AzureLocal };
        let stored = match operation {
            Operation::Create => Sides { before: None, after: Some(self.creation(manager, who.is_known_tool)) },
            Operation::Delete => Sides { before: Some(self.standing()), after: None },
            Operation::Update => {
                let before = self.standing();
                let mut after = before.clone();
                self.mutation.apply(&mut after, &self.original());
                if subresource == "ephemeralcontainers" && !matches!(self.mutation, Mutation::Ephemeral(_)) {
                    Mutation::Ephemeral(true).apply(&mut after, &before);
                }
                keep_what_stays(kind, subresource, &before, &mut after);
                fields::update(&before, &mut after, manager, subresource, CHANGED);
                Sides { before: Some(before), after: Some(after) }
            }
        };
        let request = if subresource == "scale" {
            Sides { before: stored.before.as_ref().map(scale_of), after: stored.after.as_ref().map(scale_of) }
        } else {
            stored.clone()
        };
        Edit {
            who,
            asked: self.asked,
            platform,
            request,
            stored,
            undoes: self.mutation == Mutation::Undo && operation == Operation::Update,
        }
    }

    /// The object as it first was.
    fn original(&self) -> Value {
        let kind = self.asked.0;
        if *kind == kinds::NODE || *kind == kinds::NAMESPACE {
            let world = World::healthy();
            let names: &[&str] = if *kind == kinds::NODE { &NODES } else { &NAMESPACES };
            let key = (kind.kind.to_owned(), String::new(), names[self.place % names.len()].to_owned());
            let object = world.objects[&key].clone();
            return if self.maker == Maker::Unknown { unclaimed(object) } else { object };
        }
        let places = places(kind);
        let (namespace, name) = &places[self.place % places.len()];
        made(object(kind, namespace, name), kind, self.maker, BORN)
    }

    /// The object as it stands before the write.
    fn standing(&self) -> Value {
        let original = self.original();
        match &self.earlier {
            None => original,
            Some((hand, mutation)) => {
                let mutate = |object: &mut Value| {
                    mutation.apply(object, &original);
                    keep_what_stays(self.asked.0, "", &original, object);
                };
                touched(&original, &mutate, hand)
            }
        }
    }

    fn creation(&self, manager: &'static str, by_person: bool) -> Value {
        let kind = self.asked.0;
        let mut new = if *kind == kinds::NODE {
            let mut node = self.original();
            let name = ["rack-7", "rack-8", "rack-9", "moc-l9"][self.place % 4];
            node["metadata"] = json!({"name": name, "labels": {"kubernetes.io/hostname": name}});
            node["spec"] = json!({});
            node["status"] = json!({});
            if name == "rack-8" {
                node["metadata"]["labels"]["msft.microsoft/nodepool-name"] = json!("edge-1a2b3c4d-linux");
            }
            if name == "rack-9" {
                node["spec"]["providerID"] = json!("moc://edge-1a2b3c4d-linux-md-x7k2p-moc-l9");
            }
            node
        } else {
            let places = places(kind);
            let (namespace, name) = &places[self.place % places.len()];
            object(kind, namespace, name)
        };
        // Makers can be feigned: the owner, the release and the image are the client's to write.
        let maker = if by_person && matches!(self.maker, Maker::Unrecorded | Maker::Unknown) {
            Maker::Person
        } else {
            self.maker
        };
        if let Mutation::Empower(_) | Mutation::Scale(_) | Mutation::Image(_) = self.mutation {
            let plain = new.clone();
            self.mutation.apply(&mut new, &plain);
        }
        let image = pod_spec(&mut new).map(|pod| pod["containers"][0]["image"].clone());
        let mut new = made(new, kind, maker, CHANGED);
        if let (Mutation::Image(_) | Mutation::Empower(_), Some(pod), Some(image)) =
            (&self.mutation, pod_spec(&mut new), image)
        {
            pod["containers"][0]["image"] = image;
        }
        fields::create(&mut new, manager, CHANGED);
        new
    }
}

impl Mutation {
    fn apply(&self, object: &mut Value, original: &Value) {
        match self {
            Mutation::Nothing => {}
            Mutation::Undo => {
                let fields = object["metadata"].get("managedFields").cloned();
                *object = original.clone();
                if let Some(fields) = fields {
                    object["metadata"]["managedFields"] = fields;
                }
            }
            Mutation::Set { annotation, key, value } => set(object, *annotation, key, *value),
            Mutation::AddOwner => {
                let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "no-such-uid"});
                match object["metadata"]["ownerReferences"].as_array_mut() {
                    Some(owners) => owners.push(owner),
                    None => object["metadata"]["ownerReferences"] = json!([owner]),
                }
            }
            Mutation::DropOwners => {
                drop(object["metadata"].as_object_mut().and_then(|own| own.remove("ownerReferences")))
            }
            Mutation::DropFinalizers => {
                object["metadata"].as_object_mut().and_then(|own| own.remove("finalizers"));
                if object["spec"].get("finalizers").is_some() {
                    object["spec"] = json!({});
                }
            }
            Mutation::ChangeContent => first_scalar(object, &mut |value| *value = other(value)),
            Mutation::AddContent => {
                if let Some(content) = roots(object).next() {
                    match content {
                        Value::Object(map) => drop(map.insert("extra".to_owned(), json!("x"))),
                        Value::Array(items) => {
                            let again = items.first().cloned().unwrap_or_default();
                            items.push(again);
                        }
                        scalar => *scalar = other(scalar),
                    }
                }
            }
            Mutation::DropContent => {
                if let Some(content) = roots(object).next() {
                    drop_first(content);
                }
            }
            Mutation::Restart => {
                if let Some(template) = object.pointer_mut("/spec/template/metadata") {
                    template["annotations"] = json!({"kubectl.kubernetes.io/restartedAt": CHANGED});
                }
            }
            Mutation::Scale(replicas) => {
                if let Some(own) = object.pointer_mut("/spec/replicas") {
                    *own = json!(replicas);
                }
            }
            Mutation::Nowhere => {
                if let Some(pod) = pod_spec(object) {
                    pod["nodeSelector"] = json!({"contoso": "never"});
                }
            }
            Mutation::Empower(how) => drop(pod_spec(object).map(|pod| empower(pod, *how))),
            Mutation::Image(image) => drop(pod_spec(object).map(|pod| pod["containers"][0]["image"] = json!(image))),
            Mutation::Ephemeral(privileged) => {
                if let Some(pod) = pod_spec(object) {
                    pod["ephemeralContainers"] = json!([{"name": "debugger", "image": "contoso.example/sh:1",
                        "securityContext": {"privileged": privileged}}]);
                }
            }
            Mutation::Paused => {
                if object["spec"].get("clusterName").is_some() {
                    object["spec"]["paused"] = json!(true);
                }
            }
            Mutation::Cordon => object["spec"]["unschedulable"] = json!(true),
            Mutation::PodCidr(cidr) => {
                let spec = object["spec"].as_object_mut().expect("a spec");
                match cidr {
                    Some(cidr) => {
                        spec.insert("podCIDR".to_owned(), json!(cidr));
                        spec.insert("podCIDRs".to_owned(), json!([cidr]));
                    }
                    None => spec.retain(|key, _| !key.starts_with("podCIDR")),
                }
            }
            Mutation::ProviderId(id) => {
                let spec = object["spec"].as_object_mut().expect("a spec");
                match id {
                    Some(id) => drop(spec.insert("providerID".to_owned(), json!(id))),
                    None => drop(spec.remove("providerID")),
                }
            }
            Mutation::Taint { key, effect } => taint(object, key, *effect),
        }
    }
}

fn taint(node: &mut Value, key: &str, effect: Option<&str>) {
    let mut taints = node["spec"]["taints"].as_array().cloned().unwrap_or_default();
    taints.retain(|taint| taint["key"] != *key);
    taints.extend(effect.map(|effect| json!({"key": key, "effect": effect})));
    let spec = node["spec"].as_object_mut().expect("a spec");
    if taints.is_empty() {
        spec.remove("taints");
    } else {
        spec.insert("taints".to_owned(), json!(taints));
    }
}

/// A node as its kubelet has made it, before anybody has claimed it; other objects as they are.
fn unclaimed(mut object: Value) -> Value {
    if object["kind"] == "Node" {
        fields::only(&mut object, "kubelet");
    }
    object
}

/// Gives `after` the fields that the API server leaves as they were, whatever the request says.
fn keep_what_stays(kind: &Kind, subresource: &str, before: &Value, after: &mut Value) {
    match (kind.kind, subresource) {
        (_, "status") => restore(before, after, |name| !matches!(name, "metadata" | "status")),
        (_, "scale") => {
            let replicas = after["spec"]["replicas"].clone();
            *after = before.clone();
            after["spec"]["replicas"] = replicas;
        }
        ("Node", "") => {
            // What ties a node to its machine and its network is set once.
            for field in ["podCIDR", "podCIDRs", "providerID"] {
                if let Some(own) = before["spec"].get(field) {
                    after["spec"][field] = own.clone();
                }
            }
            restore(before, after, |name| name == "status");
        }
        ("Namespace", "") => restore(before, after, |name| name == "spec" || name == "status"),
        ("Pod", "") => {
            let image = after["spec"]["containers"][0]["image"].clone();
            restore(before, after, |name| name == "spec" || name == "status");
            after["spec"]["containers"][0]["image"] = image;
        }
        ("Pod", "ephemeralcontainers") => {
            let debuggers = after["spec"]["ephemeralContainers"].clone();
            *after = before.clone();
            after["spec"]["ephemeralContainers"] = debuggers;
        }
        ("Pod", "resize") => {
            *after = before.clone();
            after["spec"]["containers"][0]["resources"] = json!({"limits": {"cpu": "2"}});
        }
        _ => restore(before, after, |name| name == "status"),
    }
}

/// Puts the top-level fields that `keep` names back to what they were.
fn restore(before: &Value, after: &mut Value, keep: impl Fn(&str) -> bool) {
    let (old, new) = (before.as_object().expect("an object"), after.as_object_mut().expect("an object"));
    new.retain(|name, _| !keep(name));
    new.extend(old.iter().filter(|(name, _)| keep(name)).map(|(name, value)| (name.clone(), value.clone())));
}

fn scale_of(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({"apiVersion": "autoscaling/v1", "kind": "Scale",
           "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
           "spec": {"replicas": object["spec"]["replicas"]}, "status": {"replicas": 2}})
}

fn set(object: &mut Value, annotation: bool, key: &str, value: Option<&str>) {
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    let map = if annotation { "annotations" } else { "labels" };
    let map = metadata.entry(map).or_insert_with(|| json!({})).as_object_mut().expect("a map");
    match value {
        Some(value) => drop(map.insert(key.to_owned(), json!(value))),
        None => drop(map.remove(key)),
    }
}

/// The parts of an object that users decide on.
fn roots(object: &mut Value) -> impl Iterator<Item = &mut Value> {
    let map = object.as_object_mut().expect("an object");
    let content = |name: &str| !matches!(name, "apiVersion" | "kind" | "metadata" | "status");
    map.iter_mut().filter(move |(name, _)| content(name)).map(|(_, value)| value)
}

fn first_scalar(object: &mut Value, edit: &mut dyn FnMut(&mut Value)) {
    fn find(value: &mut Value, edit: &mut dyn FnMut(&mut Value)) -> bool {
        match value {
            Value::Object(map) => map.iter_mut().any(|(_, inner)| find(inner, edit)),
            Value::Array(items) => items.iter_mut().any(|inner| find(inner, edit)),
            scalar => {
                edit(scalar);
                true
            }
        }
    }
    let _ = roots(object).any(|root| find(root, edit));
}

fn other(value: &Value) -> Value {
    match value {
        Value::Bool(is) => json!(!is),
        Value::Number(number) => json!(number.as_u64().unwrap_or_default() + 1),
        Value::String(text) => json!(format!("{text}-other")),
        _ => json!("other"),
    }
}

fn drop_first(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let deep = map.values_mut().find(|inner| inner.as_object().is_some_and(|inner| !inner.is_empty()));
            if let Some(inner) = deep {
                drop_first(inner);
            } else if let Some(key) = map.keys().next().cloned() {
                map.remove(&key);
            }
        }
        Value::Array(items) => drop(items.pop()),
        _ => {}
    }
}
