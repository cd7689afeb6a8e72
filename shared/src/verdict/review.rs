//! The AdmissionReview (admission.k8s.io/v1, Kubernetes API reference), read in one borrowed pass.

use crate::facts::change::{Change, Operation};
use crate::k8s::fit::Misfit;
use crate::k8s::kinds::{self, Kind};
use crate::k8s::object::{MAX_ENTRIES, MAX_NAME, Object};
use crate::k8s::read::scan;
use crate::k8s::text::Text;
use crate::k8s::user::User;
use crate::rules::derive;

/// The reason why a request is not a review that can be answered. The caller gets a 400.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReviewError {
    /// The bytes are not JSON, or cut short.
    #[error("the body is not an AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// The review has another version or kind; an answer in v1 would not be understood.
    #[error("this is {api_version:?} {kind:?}; only admission.k8s.io/v1 AdmissionReview is answered")]
    Version {
        /// The apiVersion found.
        api_version: String,
        /// The kind found.
        kind: String,
    },
    /// The review has no request, or no uid to answer with.
    #[error("the review has no request.uid")]
    NoUid,
}

/// The reason why a valid review was not judged, or not as a whole. It is counted, and noted in the audit annotations.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEvaluated {
    /// The object, or another part of the request, is not of the shape Kubernetes documents.
    #[error("the object does not fit its kind: {0}")]
    Unreadable(String),
    /// An operation that is not judged: CONNECT, or one that Kubernetes adds later.
    #[error("no rule judges the operation {0}")]
    Operation(String),
    /// A kind without rules.
    #[error("no rule judges changes of {0}")]
    Resource(String),
    /// A subresource without rules.
    #[error("no rule judges changes of {0}")]
    Subresource(String),
    /// A version for which no rule was written. The API server converts objects to the versions that a webhook
    /// registered for.
    #[error("no rule was written for the version {0}")]
    Version(String),
    /// An update or create without the object, a delete without the old one.
    #[error("the request has no {0}")]
    MissingObject(&'static str),
    /// More entries in managedFields than are looked at. The change is judged, but rules that looked at managedFields
    /// cannot deny, since the other entries may make it lawful.
    #[error("metadata.managedFields has {0} entries, and {MAX_ENTRIES} at most are looked at")]
    ManagedFields(usize),
}

impl NotEvaluated {
    /// The name for metrics and audit annotations. Users cannot influence it.
    pub fn reason(&self) -> &'static str {
        match self {
            NotEvaluated::Unreadable(_) => "unreadable",
            NotEvaluated::Operation(_) => "operation",
            NotEvaluated::Resource(_) => "resource",
            NotEvaluated::Subresource(_) => "subresource",
            NotEvaluated::Version(_) => "version",
            NotEvaluated::MissingObject(_) => "missing-object",
            NotEvaluated::ManagedFields(_) => "managed-fields",
        }
    }
}

impl From<Misfit> for NotEvaluated {
    fn from(misfit: Misfit) -> Self {
        NotEvaluated::Unreadable(misfit.to_string())
    }
}

/// A review that can be answered.
#[derive(Debug)]
pub struct Review<'a> {
    /// The uid to send back.
    pub uid: String,
    /// The user.
    pub user: User,
    /// The change, or the reason why it cannot be judged.
    pub change: Result<Change<'a>, NotEvaluated>,
    /// Whether the request is a dry run, so that nothing would be stored.
    pub dry_run: bool,
}

/// Reads a review.
///
/// # Errors
/// [`ReviewError`] when there is no uid to answer to.
pub fn review(bytes: &[u8]) -> Result<Review<'_>, ReviewError> {
    // Reviews as the API server writes them take the shortcut; all others go to the parser, for its errors.
    let scanned = std::str::from_utf8(bytes).ok().and_then(Envelope::scan);
    let envelope = match scanned.map_or_else(|| serde_json::from_slice::<Envelope<'_>>(bytes), Ok) {
        Ok(envelope) => envelope,
        Err(error) => return unreadable(bytes, &error),
    };
    envelope.check()?;
    let request = envelope.request.ok_or(ReviewError::NoUid)?;
    let uid = request.uid()?;
    let user = request.user();
    let dry_run = request.dry_run.unwrap_or_default();
    Ok(Review { uid, user, dry_run, change: request.change() })
}

/// The slow path for a request whose object cannot be read: it reads only the parts that an answer needs.
fn unreadable<'a>(bytes: &[u8], error: &serde_json::Error) -> Result<Review<'a>, ReviewError> {
    #[derive(serde::Deserialize)]
    struct UidOnly<'a> {
        #[serde(borrow, default)]
        uid: Option<Text<'a>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct BareMeta<'a> {
        #[serde(borrow, default)]
        api_version: Text<'a>,
        #[serde(borrow, default)]
        kind: Text<'a>,
        #[serde(borrow, default)]
        request: Option<UidOnly<'a>>,
    }
    let bare: BareMeta<'_> = serde_json::from_slice(bytes)?;
    check_type(&bare.api_version, &bare.kind)?;
    let uid = bare.request.and_then(|request| request.uid).filter(|uid| !uid.is_empty()).ok_or(ReviewError::NoUid)?;
    let change = Err(NotEvaluated::Unreadable(error.to_string()));
    Ok(Review { uid: uid.to_string(), user: User::default(), change, dry_run: false })
}

fn check_type(api_version: &str, kind: &str) -> Result<(), ReviewError> {
    if api_version == "admission.k8s.io/v1" && kind == "AdmissionReview" {
        return Ok(());
    }
    Err(ReviewError::Version { api_version: api_version.to_owned(), kind: kind.to_owned() })
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Text<'a>,
    #[serde(borrow, default)]
    kind: Text<'a>,
    #[serde(borrow, default)]
    request: Option<ReviewRequest<'a>>,
}

impl<'a> Envelope<'a> {
    fn scan(json: &'a str) -> Option<Self> {
        let mut envelope = Envelope::default();
        let end = scan::members(json, |key, rest| {
            if key == "request" && rest.starts_with('{') {
                return envelope.request.insert(ReviewRequest::default()).scan(rest);
            }
            let value = scan::value(rest, None)?;
            match key {
                "apiVersion" => envelope.api_version = scan::text(value)?,
                "kind" => envelope.kind = scan::text(value)?,
                _ => {}
            }
            Some(value.len())
        })?;
        scan::is_end(json, end).then_some(envelope)
    }

    fn check(&self) -> Result<(), ReviewError> {
        check_type(&self.api_version, &self.kind)
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewRequest<'a> {
    #[serde(borrow, default)]
    uid: Option<Text<'a>>,
    #[serde(borrow, default)]
    kind: Option<Type<'a>>,
    #[serde(borrow, default)]
    resource: Option<ReviewResource<'a>>,
    #[serde(borrow, default)]
    sub_resource: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    operation: Option<Text<'a>>,
    #[serde(borrow, default)]
    user_info: Option<UserInfo<'a>>,
    #[serde(borrow, default)]
    object: Option<Box<Object<'a>>>,
    #[serde(borrow, default)]
    old_object: Option<Box<Object<'a>>>,
    #[serde(default)]
    dry_run: Option<bool>,
    #[serde(borrow, default)]
    options: Option<ReviewOptions<'a>>,
}

/// The type of the object, after the API server has converted it to a version that the webhook registered for.
#[derive(Default, serde::Deserialize)]
struct Type<'a> {
    #[serde(borrow, default)]
    version: Text<'a>,
}

impl<'a> Type<'a> {
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::fields(rest, |key, value| {
            if key == "version" {
                self.version = scan::text(value)?;
            }
            Some(())
        })
    }
}

#[derive(Default, serde::Deserialize)]
struct ReviewResource<'a> {
    #[serde(borrow, default)]
    group: Text<'a>,
    #[serde(borrow, default)]
    version: Text<'a>,
    #[serde(borrow, default, rename = "resource")]
    plural: Text<'a>,
}

impl<'a> ReviewResource<'a> {
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::fields(rest, |key, value| {
            match key {
                "group" => self.group = scan::text(value)?,
                "version" => self.version = scan::text(value)?,
                "resource" => self.plural = scan::text(value)?,
                _ => {}
            }
            Some(())
        })
    }
}

#[derive(Default, serde::Deserialize)]
struct UserInfo<'a> {
    #[serde(borrow, default)]
    username: Option<Text<'a>>,
    #[serde(borrow, default)]
    groups: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    extra: Option<Extra<'a>>,
}

impl<'a> UserInfo<'a> {
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::members(rest, |key, rest| {
            if key == "extra" && rest.starts_with('{') {
                return self.extra.insert(Extra::default()).scan(rest);
            }
            let value = scan::value(rest, None)?;
            match key {
                "username" => scan::nullable(value, &mut self.username)?,
                "groups" => scan::texts(value, &mut self.groups)?,
                "extra" if value != "null" => return None,
                _ => {}
            }
            Some(value.len())
        })
    }
}

#[derive(Default, serde::Deserialize)]
struct Extra<'a> {
    #[serde(borrow, default, rename = "authentication.kubernetes.io/credential-id")]
    credential_id: Option<Vec<Text<'a>>>,
}

impl<'a> Extra<'a> {
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::fields(rest, |key, value| match key {
            "authentication.kubernetes.io/credential-id" => scan::texts(value, &mut self.credential_id),
            _ => Some(()),
        })
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReviewOptions<'a> {
    #[serde(borrow, default)]
    field_manager: Option<Text<'a>>,
}

impl<'a> ReviewOptions<'a> {
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::fields(rest, |key, value| match key {
            "fieldManager" => scan::nullable(value, &mut self.field_manager),
            _ => Some(()),
        })
    }
}

impl<'a> ReviewRequest<'a> {
    /// Reads the request at the beginning of `rest` into `self`, and returns its length.
    fn scan(&mut self, rest: &'a str) -> Option<usize> {
        scan::members(rest, |key, rest| {
            if rest.starts_with('{') {
                match key {
                    // The two sides of an update are mostly the same text.
                    "object" => return self.object.insert(Box::default()).scan(rest, None),
                    "oldObject" => return self.old_object.insert(Box::default()).scan(rest, self.object.as_deref()),
                    "kind" => return self.kind.insert(Type::default()).scan(rest),
                    "resource" => return self.resource.insert(ReviewResource::default()).scan(rest),
                    "userInfo" => return self.user_info.insert(UserInfo::default()).scan(rest),
                    "options" => return self.options.insert(ReviewOptions::default()).scan(rest),
                    _ => {}
                }
            }
            let value = scan::value(rest, None)?;
            match key {
                "uid" => scan::nullable(value, &mut self.uid)?,
                "subResource" => scan::nullable(value, &mut self.sub_resource)?,
                "name" => scan::nullable(value, &mut self.name)?,
                "namespace" => scan::nullable(value, &mut self.namespace)?,
                "operation" => scan::nullable(value, &mut self.operation)?,
                "dryRun" if value == "true" => self.dry_run = Some(true),
                "dryRun" if value == "false" => self.dry_run = Some(false),
                "dryRun" | "object" | "oldObject" | "kind" | "resource" | "userInfo" | "options" if value != "null" => {
                    return None;
                }
                _ => {}
            }
            Some(value.len())
        })
    }

    fn uid(&self) -> Result<String, ReviewError> {
        self.uid.as_ref().filter(|uid| !uid.is_empty()).map(ToString::to_string).ok_or(ReviewError::NoUid)
    }

    fn user(&self) -> User {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(ToString::to_string).unwrap_or_default();
        let texts = |texts: &Option<Vec<Text<'_>>>| texts.iter().flatten().map(ToString::to_string).collect();
        // The name stands in every finding; the API server allows no longer one.
        let manager = self.options.as_ref().and_then(|options| options.field_manager.clone());
        let field_manager = text(&manager.map(|manager| manager.cut(MAX_MANAGER)));
        let Some(info) = &self.user_info else {
            return User { field_manager, ..User::default() };
        };
        User {
            name: text(&info.username),
            groups: texts(&info.groups),
            credential_ids: info.extra.as_ref().map(|extra| texts(&extra.credential_id)).unwrap_or_default(),
            field_manager,
        }
    }

    fn change(self) -> Result<Change<'a>, NotEvaluated> {
        let operation = self.operation.unwrap_or_default();
        let operation = Operation::parse(&operation).ok_or_else(|| NotEvaluated::Operation(operation.to_string()))?;
        let subresource = self.sub_resource.unwrap_or_default();
        let resource = self.resource.ok_or(NotEvaluated::MissingObject("resource"))?;
        let kind = resource.kind(&subresource)?;
        is_known(kind, &resource.version)?;
        // The object of a `scale` request has a kind of its own.
        if &*subresource != SCALE {
            if let Some(own) = &self.kind {
                is_known(kind, &own.version)?;
            }
            let sides = [&self.object, &self.old_object].into_iter().flatten().map(|side| &*side.api_version);
            for own in sides.filter(|own| !own.is_empty()) {
                is_known(kind, own.rsplit_once('/').map_or(own, |(_, version)| version))?;
            }
        }
        match operation {
            Operation::Create | Operation::Update if self.object.is_none() => {
                return Err(NotEvaluated::MissingObject("object"));
            }
            Operation::Update | Operation::Delete if self.old_object.is_none() => {
                return Err(NotEvaluated::MissingObject("oldObject"));
            }
            _ => {}
        }
        let mut change = Change::new(operation, kind, &subresource, self.old_object, self.object);
        // The request's own name and namespace count; the objects' are used where it has none (deletecollection).
        let own = |text: Option<Text<'_>>, slot: &mut String| {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                *slot = text.cut(MAX_NAME).to_string();
            }
        };
        own(self.name, &mut change.name);
        own(self.namespace, &mut change.namespace);
        // In a review of a namespace the object has no namespace; the request repeats its name there.
        if !kind.namespaced {
            change.namespace.clear();
        }
        Ok(change)
    }
}

impl ReviewResource<'_> {
    /// The kind, if a rule judges changes of it or of this subresource.
    fn kind(&self, subresource: &str) -> Result<&'static Kind, NotEvaluated> {
        let named = |text: &str| text.chars().take(MAX_SHOWN).collect::<String>();
        let unknown = || NotEvaluated::Resource(format!("{}.{}", named(&self.plural), named(&self.group)));
        let kind = kinds::by_resource(&self.group, &self.plural).ok_or_else(unknown)?;
        if derive::guards(kind).any(|guard| guard.subresource == subresource) {
            return Ok(kind);
        }
        derive::guards(kind).next().ok_or_else(unknown)?;
        Err(NotEvaluated::Subresource(format!("{}/{}", kind.qualified(), named(subresource))))
    }
}

/// Whether the version of an object is one that the guard registers for: rules know objects only in these versions.
fn is_known(kind: &Kind, version: &str) -> Result<(), NotEvaluated> {
    if kind.versions().any(|known| known == version) {
        return Ok(());
    }
    let version: String = version.chars().take(MAX_SHOWN).collect();
    Err(NotEvaluated::Version(format!("{version} of {}", kind.qualified())))
}

/// The subresource that shows another kind of object.
const SCALE: &str = "scale";

/// The longest fieldManager that the API server allows.
const MAX_MANAGER: usize = 128;

/// The longest text that is shown, enough to identify it.
const MAX_SHOWN: usize = 64;
