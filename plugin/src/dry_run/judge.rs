//! The judgement of a change by the engine that guard and check use, in this process.

use aksarc_shared::facts::change::{Beside, Change, Operation};
use aksarc_shared::finding::{Consequence, Draft, Evidence, Finding, ObjectRef};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::k8s::object::Object;
use aksarc_shared::k8s::read::json;
use aksarc_shared::k8s::user::User;
use aksarc_shared::people::waiver;
use aksarc_shared::rules::catalogue;
use aksarc_shared::verdict::check::alone;
use aksarc_shared::verdict::guard::{Decision, Guard, Judged, Judgement, Settings};
use aksarc_shared::verdict::review::NotEvaluated;
use aksarc_shared::verdict::weigh::{lightest, merge};
use serde::Serialize;
use serde_json::Value;

use super::refusal::Cause;

/// An object before and after a change, as documents.
#[derive(Clone, Debug)]
pub struct Sides {
    /// The operation of the request.
    pub operation: Operation,
    /// API group of the resource.
    pub group: String,
    /// `deployments`.
    pub plural: String,
    /// Empty for the object itself.
    pub subresource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// The name of the object.
    pub name: String,
    /// The object before the change.
    pub before: Option<Value>,
    /// The object after the change.
    pub after: Option<Value>,
    /// Facts that were looked up beside it.
    pub beside: Beside,
}

impl Sides {
    /// The kind, if any rule knows it.
    pub fn kind(&self) -> Option<&'static Kind> {
        kinds::by_resource(&self.group, &self.plural)
    }

    /// Whether every side is there that an operation of this kind has.
    pub(crate) fn are_complete(&self) -> bool {
        match self.operation {
            Operation::Create => self.after.is_some(),
            Operation::Delete => self.before.is_some(),
            Operation::Update => self.before.is_some() && self.after.is_some(),
        }
    }

    /// The guard's judgement of the change by a user. `None` for kinds without rules.
    pub fn judge(&self, guard: &Guard, user: &User, now: Timestamp) -> Option<Judgement> {
        let kind = self.kind()?;
        let (before, after) = (bytes(self.before.as_ref()), bytes(self.after.as_ref()));
        let (before, after) = match (object(before.as_deref()), object(after.as_deref())) {
            (Ok(before), Ok(after)) => (before.map(Box::new), after.map(Box::new)),
            (Err(error), _) | (_, Err(error)) => {
                return Some(Judgement {
                    actor: guard.actor(user),
                    preset: guard.settings().mode,
                    judged: Vec::new(),
                    not_evaluated: Some(NotEvaluated::Unreadable(error.to_string())),
                });
            }
        };
        let mut change = Change::new(self.operation, kind, &self.subresource, before, after);
        change.name.clone_from(&self.name);
        change.namespace.clone_from(&self.namespace);
        change.beside.clone_from(&self.beside);
        Some(guard.judge(&change, user, now))
    }

    /// The object of a finding made from a cause of a denial.
    fn target(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.kind().map(Kind::api_version).unwrap_or_default(),
            kind: self.kind().map(|kind| kind.kind.to_owned()).unwrap_or_default(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
            uid: String::new(),
        }
    }
}

fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    value.map(|value| value.to_string().into_bytes())
}

fn object(bytes: Option<&[u8]>) -> Result<Option<Object<'_>>, json::ReadError> {
    bytes.map(json::object).transpose()
}

/// Findings that our guard named in its denial and that the judgement in this process lacks: after a patch that the
/// server did not show, the object can only be computed.
pub fn from_causes(
    causes: &[Cause],
    sides: &Sides,
    found: &[Judged],
    settings: &Settings,
    now: Timestamp,
) -> Vec<Judged> {
    let mut judged: Vec<Judged> = Vec::new();
    for cause in causes {
        let Some(rule) = catalogue::find(&cause.reason) else { continue };
        let known = |own: &Judged| {
            let finding = &own.finding;
            finding.code == rule.code.as_str() && (cause.field.is_empty() || finding.path == cause.field)
        };
        if found.iter().any(known) || judged.iter().any(known) {
            continue;
        }
        let draft = Draft::at(sides.target(), cause.field.clone())
            .says(cause.message.clone())
            .with(Evidence::seen("denial", "named by the guard in its denial"));
        let platform = lightest(rule, &settings.platforms());
        for finding in merge(rule, platform, vec![draft]) {
            judged.push(Judged {
                finding,
                decision: Decision::Deny,
                in_enforce: Decision::Deny,
                instead: rule.instead,
            });
        }
    }
    let mut findings: Vec<Finding> = judged.iter().map(|own| own.finding.clone()).collect();
    waiver::apply(&mut findings, &settings.waivers, now);
    for (own, finding) in judged.iter_mut().zip(findings) {
        own.finding = finding;
    }
    judged
}

/// Whether an object is inside the published policy, as far as it shows on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// The object alone does not show it.
    NotJudged,
    /// No finding voids support.
    Within,
    /// A finding voids support and is not waived.
    Outside,
}

impl Support {
    /// The answer as a phrase for people.
    pub fn phrase(self) -> &'static str {
        match self {
            Support::NotJudged => "not judged",
            Support::Within => "within",
            Support::Outside => "outside",
        }
    }
}

/// Whether an object on its own has a finding that voids support. Drafts that depend on the rest of the cluster do not
/// count, and kinds that no rule reads are not judged.
pub fn support_of(value: &Value, sides: &Sides, settings: &Settings, now: Timestamp) -> Support {
    let (Some(kind), true) = (sides.kind(), sides.subresource.is_empty() || sides.subresource == "status") else {
        return Support::NotJudged;
    };
    let bytes = value.to_string().into_bytes();
    let Ok(object) = json::object(&bytes) else { return Support::NotJudged };
    match alone(&object, kind, &sides.namespace, settings, now) {
        None => Support::NotJudged,
        Some(findings) if findings.iter().any(is_void) => Support::Outside,
        Some(_) => Support::Within,
    }
}

/// Whether a finding voids support and is not waived.
pub fn is_void(finding: &Finding) -> bool {
    finding.consequence == Consequence::Voids && finding.waiver.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aksarc_shared::data::Platform;
    use aksarc_shared::verdict::guard::Preset;
    use serde_json::json;

    fn node(size: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "moc-l1", "labels": {
            "kubernetes.io/hostname": "moc-l1", "node.kubernetes.io/instance-type": size,
        }}, "spec": {"providerID": "moc://moc-l1"}})
    }

    fn sides(before: Option<Value>, after: Option<Value>, operation: Operation) -> Sides {
        Sides {
            operation,
            group: String::new(),
            plural: "nodes".to_owned(),
            subresource: String::new(),
            namespace: String::new(),
            name: "moc-l1".to_owned(),
            before,
            after,
            beside: Beside::default(),
        }
    }

    fn settings() -> Settings {
        Settings { mode: Preset::Enforce, platform: Some(Platform::AzureLocal), ..Settings::default() }
    }

    fn guard() -> Guard {
        Guard::new(aksarc_shared::data::embedded(), settings()).unwrap()
    }

    fn alice() -> User {
        User { name: "alice".to_owned(), field_manager: "kubectl-label".to_owned(), ..User::default() }
    }

    #[test]
    fn a_system_label_is_denied_as_the_guard_denies_it() {
        let sides = sides(Some(node("Standard_A4_v2")), Some(node("edge-big")), Operation::Update);
        let judgement = sides.judge(&guard(), &alice(), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(judgement.decision(), Decision::Deny);
        assert_eq!(judgement.judged[0].finding.code, "AA201");
        assert!(is_void(&judgement.judged[0].finding));
    }

    #[test]
    fn kinds_without_rules_are_not_judged() {
        let mut widget = sides(None, Some(json!({"metadata": {"name": "w"}})), Operation::Create);
        widget.plural = "widgets".to_owned();
        assert!(widget.judge(&guard(), &alice(), Timestamp::UNIX_EPOCH).is_none());
        assert_eq!(support_of(&json!({}), &widget, &settings(), Timestamp::UNIX_EPOCH), Support::NotJudged);
    }

    #[test]
    fn an_object_that_cannot_be_read_as_its_kind_is_not_judged() {
        let mut broken = node("edge-big");
        broken["spec"]["taints"] = json!({});
        let mut worse = node("edge-big");
        worse["metadata"]["labels"] = json!(["a"]);
        for bad in [broken, worse] {
            let sides = sides(Some(node("a")), Some(bad.clone()), Operation::Update);
            let judgement = sides.judge(&guard(), &alice(), Timestamp::UNIX_EPOCH).unwrap();
            assert!(judgement.judged.is_empty(), "{bad}");
            assert_eq!(judgement.not_evaluated.map(|why| why.reason()), Some("unreadable"), "{bad}");
            assert_eq!(support_of(&bad, &sides, &settings(), Timestamp::UNIX_EPOCH), Support::NotJudged, "{bad}");
        }
    }

    #[test]
    fn an_object_alone_shows_what_contradicts_itself() {
        let sides = sides(None, None, Operation::Update);
        let support = |value: &Value| support_of(value, &sides, &settings(), Timestamp::UNIX_EPOCH);
        assert_eq!(support(&node("Standard_A4_v2")), Support::Within);
        let mut bad = node("Standard_A4_v2");
        bad["metadata"]["labels"]["kubernetes.io/hostname"] = json!("other");
        assert_eq!(support(&bad), Support::Outside);
    }

    #[test]
    fn causes_of_a_denial_supply_findings_that_were_not_computed() {
        let sides = sides(Some(node("a")), Some(node("b")), Operation::Update);
        let own = sides.judge(&guard(), &alice(), Timestamp::UNIX_EPOCH).unwrap().judged;
        let cause = |reason: &str, field: &str| Cause {
            reason: reason.to_owned(),
            message: "m".to_owned(),
            field: field.to_owned(),
        };
        let causes = [
            cause("AA201", "metadata.labels[node.kubernetes.io/instance-type]"),
            cause("AA201", "metadata.labels[kubernetes.io/os]"),
            cause("FieldValueInvalid", "spec"),
        ];
        let more = from_causes(&causes, &sides, &own, &settings(), Timestamp::UNIX_EPOCH);
        assert_eq!(
            more.iter().map(|own| own.finding.path.as_str()).collect::<Vec<_>>(),
            ["metadata.labels[kubernetes.io/os]"]
        );
        assert!(is_void(&more[0].finding));
    }
}
