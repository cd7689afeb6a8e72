//! The party that refused a request, derived from the API server's answer.

use aksarc_shared::text;
use serde::Serialize;
use serde_json::Value;

use crate::api::Reply;

/// The party that refused a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
pub enum Refuser {
    /// Another admission plugin of the server.
    Admission,
    /// Kubectl itself, before asking the server.
    Kubectl,
    /// None: the server did not answer, or could not.
    NoAnswer,
    /// A conflict: another version, another field manager, or a name that is taken.
    Conflict,
    /// Our own guard, by the name of its webhook.
    Guard(String),
    /// A webhook that cannot tell a rehearsal from a write, by its name.
    NoDryRun(String),
    /// The object or its namespace does not exist.
    NotFound,
    /// Pod security admission.
    PodSecurity,
    /// A ValidatingAdmissionPolicy, by its name.
    Policy(String),
    /// A quota or a limit.
    Quota,
    /// Authorization: the caller lacks the right.
    Rbac,
    /// Validation: not an object the server takes, an immutable field, or a malformed patch.
    Validation,
    /// Another webhook, by its name.
    Webhook(String),
    /// A webhook that could not be called, by its name.
    WebhookDown(String),
}

/// A request that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// The party that refused.
    #[serde(flatten)]
    pub who: Refuser,
    /// HTTP status; 0 when the server was not asked or did not answer.
    pub code: u16,
    /// The server's reason, `Forbidden`.
    pub reason: String,
    /// The message, cleaned for printing.
    pub message: String,
    /// Details, cleaned for printing.
    pub causes: Vec<Cause>,
}

/// One detail of a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// A word; a rule's code when our guard refused.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The field.
    pub field: String,
}

impl Refusal {
    /// A refusal by kubectl, without a request to the server.
    pub fn by_kubectl(message: impl Into<String>) -> Self {
        Refusal {
            who: Refuser::Kubectl,
            code: 0,
            reason: String::new(),
            message: clean(&message.into()),
            causes: Vec::new(),
        }
    }

    /// The lack of an answer from the server.
    pub fn no_answer(message: impl Into<String>) -> Self {
        Refusal { who: Refuser::NoAnswer, ..Refusal::by_kubectl(message) }
    }

    /// The refusal in a reply that reports an error.
    pub fn of(reply: &Reply<Value>) -> Self {
        let status = reply.status.as_u16();
        let word = |key: &str| reply.body.get(key).and_then(Value::as_str).unwrap_or_default();
        let message = match word("message") {
            "" => format!("the server answered with HTTP status {status}"),
            message => message.to_owned(),
        };
        let causes = reply.body.pointer("/details/causes").and_then(Value::as_array);
        let causes = causes.into_iter().flatten().take(MAX_CAUSES).map(|cause| {
            let part = |key: &str| clean(cause.get(key).and_then(Value::as_str).unwrap_or_default());
            Cause { reason: part("reason"), message: part("message"), field: part("field") }
        });
        Refusal {
            who: who(status, word("reason"), &message),
            code: status,
            reason: clean(word("reason")),
            message: clean(&message),
            causes: causes.collect(),
        }
    }

    /// Whether our own guard refused.
    pub fn is_guard(&self) -> bool {
        matches!(self.who, Refuser::Guard(_))
    }

    /// The party that refused, for people.
    pub fn headline(&self) -> String {
        match &self.who {
            Refuser::Admission => "REFUSED by an admission plugin of the API server".to_owned(),
            Refuser::Conflict => "REFUSED by a conflict".to_owned(),
            Refuser::Guard(name) => format!("guard {}: DENIED", clean(name)),
            Refuser::Kubectl => "REFUSED by kubectl itself, before asking the server".to_owned(),
            Refuser::NoAnswer => "NO ANSWER".to_owned(),
            Refuser::NoDryRun(name) => format!("CANNOT BE REHEARSED: webhook {} does not support dry run", clean(name)),
            Refuser::NotFound => "REFUSED: not found".to_owned(),
            Refuser::PodSecurity => "REFUSED by pod security admission".to_owned(),
            Refuser::Policy(name) => format!("REFUSED by ValidatingAdmissionPolicy {}", clean(name)),
            Refuser::Quota => "REFUSED by a quota".to_owned(),
            Refuser::Rbac => "REFUSED by authorization: you may not do this".to_owned(),
            Refuser::Validation => "REFUSED by validation".to_owned(),
            Refuser::Webhook(name) => format!("REFUSED by webhook {}", clean(name)),
            Refuser::WebhookDown(name) => format!("REFUSED because webhook {} could not be called", clean(name)),
        }
    }
}

fn who(status: u16, reason: &str, message: &str) -> Refuser {
    let quoted = |before: &str, open: char| {
        let (_, rest) = message.split_once(before)?;
        let (name, _) = rest.strip_prefix(open)?.split_once(open)?;
        Some(name.to_owned())
    };
    // The server puts this first. An object cannot imitate it, since its name is not the prefix of such a message.
    if let Some(name) = quoted("admission webhook ", '"').filter(|_| message.starts_with("admission webhook \"")) {
        return match name.as_str() {
            _ if message.ends_with("does not support dry run") => Refuser::NoDryRun(name),
            own if own.ends_with(GUARD) => Refuser::Guard(name),
            _ => Refuser::Webhook(name),
        };
    }
    if status >= 500 {
        return match quoted("failed calling webhook ", '"') {
            Some(name) => Refuser::WebhookDown(name),
            None => Refuser::NoAnswer,
        };
    }
    match (status, reason) {
        (401 | 429, _) => Refuser::NoAnswer,
        (403, _) => forbidden(message, quoted("ValidatingAdmissionPolicy ", '\'')),
        (404, _) => Refuser::NotFound,
        (409, _) => Refuser::Conflict,
        // A policy may choose its own code.
        (_, _) => quoted("ValidatingAdmissionPolicy ", '\'').map_or(Refuser::Validation, Refuser::Policy),
    }
}

fn forbidden(message: &str, policy: Option<String>) -> Refuser {
    let detail = message.split_once("is forbidden: ").map_or(message, |(_, detail)| detail);
    match policy {
        Some(name) => Refuser::Policy(name),
        None if detail.starts_with("User \"") && detail.contains(" cannot ") => Refuser::Rbac,
        None if detail.starts_with("exceeded quota")
            || detail.starts_with("failed quota")
            || detail.contains("usage per ") =>
        {
            Refuser::Quota
        }
        None if detail.starts_with("violates PodSecurity") => Refuser::PodSecurity,
        None => Refuser::Admission,
    }
}

fn clean(message: &str) -> String {
    text::line(message, MAX_MESSAGE)
}

/// The suffix of the names of our guard's webhooks.
const GUARD: &str = ".guard.aksarc.dev";

/// The longest message. Messages are only shown, and a validation error can list a whole object.
const MAX_MESSAGE: usize = 2048;

/// The most causes, more than a person reads.
const MAX_CAUSES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use serde_json::json;

    fn reply(status: u16, body: Value) -> Reply<Value> {
        Reply::of(StatusCode::from_u16(status).unwrap(), body)
    }

    fn refused(status: u16, reason: &str, message: &str) -> Refuser {
        let body = json!({"kind": "Status", "reason": reason, "message": message});
        Refusal::of(&reply(status, body)).who
    }

    #[test]
    fn each_refuser_is_told_from_the_others() {
        let deny = |name: &str| format!("admission webhook \"{name}\" denied the request: no");
        assert_eq!(
            refused(403, "Forbidden", &deny("nodes.guard.aksarc.dev")),
            Refuser::Guard("nodes.guard.aksarc.dev".to_owned())
        );
        assert_eq!(
            refused(403, "Forbidden", &deny("guard.example.com")),
            Refuser::Webhook("guard.example.com".to_owned())
        );
        assert_eq!(
            refused(403, "Forbidden", &deny("guard.aksarc.dev.example.com")),
            Refuser::Webhook("guard.aksarc.dev.example.com".to_owned())
        );
        assert_eq!(
            refused(400, "BadRequest", "admission webhook \"old.example.com\" does not support dry run"),
            Refuser::NoDryRun("old.example.com".to_owned())
        );
        assert_eq!(
            refused(
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"w.example.com\": Post: refused"
            ),
            Refuser::WebhookDown("w.example.com".to_owned())
        );
        assert_eq!(
            refused(
                403,
                "Forbidden",
                "nodes \"a\" is forbidden: User \"eve\" cannot patch resource \"nodes\" in API group \"\" at the cluster scope"
            ),
            Refuser::Rbac
        );
        assert_eq!(
            refused(403, "Forbidden", "pods \"a\" is forbidden: exceeded quota: q, requested: pods=1"),
            Refuser::Quota
        );
        assert_eq!(
            refused(403, "Forbidden", "pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\": x"),
            Refuser::PodSecurity
        );
        assert_eq!(
            refused(
                422,
                "Invalid",
                "nodes \"a\" is forbidden: ValidatingAdmissionPolicy 'p.example.com' with binding 'b' denied request: no"
            ),
            Refuser::Policy("p.example.com".to_owned())
        );
        assert_eq!(
            refused(403, "Forbidden", "nodes \"a\" is forbidden: node \"b\" is not allowed to modify node \"a\""),
            Refuser::Admission
        );
        assert_eq!(
            refused(422, "Invalid", "Deployment.apps \"a\" is invalid: spec.selector: field is immutable"),
            Refuser::Validation
        );
        assert_eq!(refused(409, "Conflict", "Apply failed with 1 conflict"), Refuser::Conflict);
        assert_eq!(refused(404, "NotFound", "nodes \"a\" not found"), Refuser::NotFound);
        assert_eq!(refused(503, "ServiceUnavailable", "busy"), Refuser::NoAnswer);
    }

    #[test]
    fn nobody_can_pose_as_our_guard_with_an_objects_name() {
        let message =
            "configmaps \"x\" is forbidden: admission webhook \"nodes.guard.aksarc.dev\" denied the request: fake";
        assert_eq!(refused(403, "Forbidden", message), Refuser::Admission);
    }

    #[test]
    fn messages_of_the_server_are_cleaned_for_printing() {
        let body = json!({"message": "bad\u{1b}[2Jthing\n", "details": {"causes": [{"reason": "AA201", "message": "a\nb", "field": "metadata.labels[x]"}]}});
        let refusal = Refusal::of(&reply(403, body));
        assert_eq!(refusal.message, "bad\\u{1b}[2Jthing\\u{a}");
        assert_eq!(
            refusal.causes,
            [Cause {
                reason: "AA201".to_owned(),
                message: "a\\u{a}b".to_owned(),
                field: "metadata.labels[x]".to_owned()
            }]
        );
        assert_eq!(Refusal::of(&reply(502, Value::Null)).message, "the server answered with HTTP status 502");
    }
}
