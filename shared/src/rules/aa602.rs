//! AA602: the identity of the Arc agents has expired.

use jiff::Timestamp;
use serde_json::Value;

use crate::data::Platform;
use crate::facts::answers::day;
use crate::facts::inventory::Inventory;
use crate::facts::notes::Notes;
use crate::finding::{Basis, Clause, Code, Consequence, Draft, Evidence, ObjectRef};
use crate::k8s::kinds;
use crate::rules::parts::ways;
use crate::rules::rule::{
    Context, Due, Grounds, ManifestUse, Mode, Reach, Read, Rule, Scope, Seen, StateCheck, Verdict, Voiding, Weight,
};

pub(super) static RULE: Rule = Rule {
    code: Code::new("AA602"),
    slug: "arc-identity-certificate",
    summary: "the identity of the Azure Arc agents has expired",
    consequence: Weight::On {
        platforms: &[Platform::WindowsServer, Platform::Hci22h2],
        consequence: Consequence::Info,
        elsewhere: Consequence::AtRisk,
    },
    basis: Grounds::By(|platform| match platform {
        Platform::AzureLocal => Basis::Documented(&["arc-connectivity-modes"]),
        Platform::WindowsServer | Platform::Hci22h2 | Platform::BareMetal => Basis::Derived,
    }),
    clauses: &[Clause::new("C32")],
    platforms: &[Platform::WindowsServer, Platform::Hci22h2, Platform::AzureLocal],
    reads: &[
        Read { kind: &kinds::ARC_IDENTITY_REQUEST, scope: Scope::ArcNamespaces },
        Read { kind: &kinds::CONNECTED_CLUSTER, scope: Scope::ArcNamespaces },
    ],
    probes: &[],
    guards: &[],
    reach: Reach::System,
    mode: Mode::Off,
    instead: "renew it: connect the cluster to Azure",
    change: None,
    claim: None,
    manifests: ManifestUse::AsCreation,
    voiding: Voiding::AnyList,
};

pub(super) static STATE: StateCheck =
    StateCheck { per_object: Some(per_object), per_cluster: Some(per_cluster), deadlines: Some(deadlines) };

fn per_object(seen: &Seen<'_, '_>, notes: &mut Notes) {
    let object = seen.object;
    if !seen.data.namespaces.is_arc(&object.meta.namespace) {
        return;
    }
    let field = match seen.kind.kind {
        "ConnectedCluster" => CERTIFICATE,
        "AzureClusterIdentityRequest" => TOKEN,
        _ => return,
    };
    let status: Value = object.field("status").unwrap_or_default();
    let of = format!("{} {}", seen.kind.kind, object.meta.name);
    match status.get(field) {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(value) => match value.as_str().and_then(|text| text.parse::<Timestamp>().ok()) {
            Some(until) => notes.remark(End { field, until, of }),
            None => notes.remark(NoEnd(format!("status.{field} of {of}"))),
        },
    }
}

fn untold(inventory: &Inventory) -> Option<String> {
    inventory.remarks(RULE.code).next().map(|NoEnd(place)| format!("{place} is no time"))
}

/// The end of an identity from Azure, in a field of an object.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    field: &'static str,
    until: Timestamp,
    of: String,
}

/// A field that should hold a moment and does not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct NoEnd(String);

fn ends(inventory: &Inventory) -> impl Iterator<Item = (&'static str, Timestamp, &str)> {
    inventory.remarks::<End>(RULE.code).map(|end| (end.field, end.until, &*end.of))
}

fn per_cluster(inventory: &Inventory, context: &Context<'_>) -> Verdict {
    let untold = untold(inventory);
    if ends(inventory).next().is_none() && untold.is_none() {
        return Verdict::NotObservable("no object of the Arc agents says when its identity expires".to_owned());
    }
    let over = ends(inventory).filter(|(_, until, _)| *until <= context.now);
    let drafts = over.map(|(field, until, of)| {
        let known =
            if field == CERTIFICATE { "the field was seen once and is not documented" } else { "a documented field" };
        Draft::at(ObjectRef::cluster(), format!("{}.status.{field}", of.replace(' ', "/")))
            .broken()
            .values(Some("a time to come"), Some(&until.to_string()))
            .says(format!("the identity in {of} expired on {}", day(until)))
            .with(Evidence {
                time: until.to_string(),
                ..Evidence::seen("expiry", format!("{of} status.{field}; {known}"))
            })
            .fix(
                ways::arc("show")
                    .word("--query")
                    .word("{state:connectivityStatus,expires:managedIdentityCertificateExpirationTime}")
                    .only("shows the connection as Azure sees it"),
            )
    });
    match untold {
        Some(why) => Verdict::FoundPartly(drafts.collect(), why),
        None => Verdict::Found(drafts.collect()),
    }
}

/// The end of the certificate. Tokens are renewed all the time and have no deadline.
fn deadlines(inventory: &Inventory, context: &Context<'_>) -> Vec<Due> {
    let due = ends(inventory).filter(|(field, until, _)| *field == CERTIFICATE && *until > context.now);
    due.map(|(_, until, _)| Due {
        on: day(until),
        what: "the certificate of the Azure Arc agents expires".to_owned(),
        subject: String::new(),
    })
    .collect()
}

const CERTIFICATE: &str = "managedIdentityCertificateExpirationTime";

const TOKEN: &str = "expirationTime";
