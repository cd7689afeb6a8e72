//! Findings of rules: consequence, basis, object, field, evidence, and the commands that undo them.

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::command::Command;
use crate::data::own::API_VERSION;
use crate::data::remediations::Remediation;
use crate::data::{Document, Platform, embedded};
use crate::k8s::kinds::Kind;
use crate::k8s::object::{ManagedEntry, Object};
use crate::text;

/// A rule's code, `AA201`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// A code made of `AA` and three digits.
    ///
    /// # Panics
    /// If the text has another form; at compile time, when used in a constant.
    pub const fn new(code: &'static str) -> Self {
        let [b'A', b'A', a, b, c] = code.as_bytes() else { panic!("a rule code is AA and three digits") };
        assert!(a.is_ascii_digit() && b.is_ascii_digit() && c.is_ascii_digit(), "a rule code is AA and three digits");
        Code(code)
    }

    /// The codes joined by a separator, for people.
    pub fn join(codes: &[Code], separator: &str) -> String {
        codes.iter().map(|code| code.0).collect::<Vec<_>>().join(separator)
    }

    /// The digit of the code's family: `2` for AA201.
    pub fn category(self) -> char {
        self.0.chars().nth(2).unwrap_or('0')
    }

    /// The code.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0)
    }
}

impl PartialEq<str> for Code {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Code {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<String> for Code {
    fn eq(&self, other: &String) -> bool {
        self.0 == other
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// A clause of the policy, `C13`, as `data/clauses.yaml` numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Clause(&'static str);

impl Clause {
    /// A clause id made of `C` and two digits.
    ///
    /// # Panics
    /// If the text has another form; at compile time, when used in a constant.
    pub const fn new(id: &'static str) -> Self {
        let [b'C', a, b] = id.as_bytes() else { panic!("a clause is C and two digits") };
        assert!(a.is_ascii_digit() && b.is_ascii_digit(), "a clause is C and two digits");
        Clause(id)
    }

    /// The clauses joined by a separator, for people.
    pub fn join(clauses: &[Clause], separator: &str) -> String {
        clauses.iter().map(|clause| clause.0).collect::<Vec<_>>().join(separator)
    }

    /// The id of the clause, as in the policy data.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl std::fmt::Debug for Clause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::fmt::Display for Clause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.0)
    }
}

impl PartialEq<str> for Clause {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl Serialize for Clause {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

/// The field of an object that a finding is about: `metadata.labels[kubernetes.io/hostname]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct FieldPath(String);

impl FieldPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for FieldPath {
    fn from(path: T) -> Self {
        FieldPath(path.into())
    }
}

impl std::ops::Deref for FieldPath {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for FieldPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl PartialEq<str> for FieldPath {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for FieldPath {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl PartialEq<String> for FieldPath {
    fn eq(&self, other: &String) -> bool {
        self.0 == *other
    }
}

/// The consequence of a finding, heaviest first. There is no score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Consequence {
    /// The published text calls such a cluster unsupported, unsupportable or out of support.
    Voids,
    /// Support, updates or repair are endangered.
    AtRisk,
    /// Microsoft does not cover this part.
    NotCovered,
    /// Good to know; it causes neither a warning nor a denial.
    Info,
}

impl Consequence {
    /// All consequences, heaviest first.
    pub const ALL: [Consequence; 4] =
        [Consequence::Voids, Consequence::AtRisk, Consequence::NotCovered, Consequence::Info];

    /// The name that users type and JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Consequence::Voids => "voids",
            Consequence::AtRisk => "at-risk",
            Consequence::NotCovered => "not-covered",
            Consequence::Info => "info",
        }
    }

    /// The consequence with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Consequence::ALL.into_iter().find(|c| c.as_str() == word)
    }
}

/// The source that a finding rests on, strongest first. It is always shown, so that nobody takes our reading for
/// Microsoft's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The support policy text of the platform.
    Explicit,
    /// Other pages of Microsoft's or the Kubernetes project's, by their ids in `documents.yaml`, at least one.
    Documented(&'static [&'static str]),
    /// Our reading.
    Derived,
    /// No policy: experience shows that it blocks support or upgrades.
    Operational,
}

impl Basis {
    /// The name that JSON carries.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Explicit => "explicit",
            Basis::Documented(_) => "documented",
            Basis::Derived => "derived",
            Basis::Operational => "operational",
        }
    }

    /// The basis as a phrase for people.
    pub fn phrase(self) -> &'static str {
        match self {
            Basis::Explicit => "policy says so",
            Basis::Documented(_) => "another page says so",
            Basis::Derived => "our reading",
            Basis::Operational => "not policy, experience",
        }
    }

    /// The basis in a word or two, for lines with little room.
    pub fn word(self) -> &'static str {
        match self {
            Basis::Explicit => "policy",
            Basis::Documented(_) => "another page",
            Basis::Derived => "our reading",
            Basis::Operational => "experience",
        }
    }

    /// The basis on a platform. Where no policy text is known, nothing is explicit.
    #[must_use]
    pub fn on(self, platform: Platform) -> Self {
        if self == Basis::Explicit && !platform.has_policy_text() { Basis::Derived } else { self }
    }

    /// The pages of a documented basis, in the order given; empty for every other basis.
    pub fn documents(self) -> Vec<&'static Document> {
        let Basis::Documented(ids) = self else { return Vec::new() };
        ids.iter().filter_map(|id| embedded().documents.iter().find(|document| document.id == *id)).collect()
    }
}

impl Serialize for Basis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The identity of the object that a finding is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1`, `apps/v1`; `aksarc.dev/v1alpha1` for the pseudo-kinds Cluster, NodePool and Product.
    pub api_version: String,
    /// `Node`.
    pub kind: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// The name. For a name that has yet to be generated, `generateName` followed by `*`.
    pub name: String,
    /// The uid; empty where unknown and for pseudo-kinds.
    pub uid: String,
}

impl ObjectRef {
    /// A reference to an object that was read.
    pub fn of(object: &Object<'_>, kind: &Kind) -> Self {
        let meta = &object.meta;
        let name = if meta.name.is_empty() { format!("{}*", meta.generate_name) } else { meta.name.to_string() };
        ObjectRef {
            api_version: kind.api_version(),
            kind: kind.kind.to_owned(),
            namespace: meta.namespace.to_string(),
            name,
            uid: meta.uid.to_string(),
        }
    }

    /// A reference to the whole cluster.
    pub fn cluster() -> Self {
        ObjectRef::pseudo("Cluster", "cluster")
    }

    /// A reference to a node pool, by its name on the nodes.
    pub fn pool(name: &str) -> Self {
        ObjectRef::pseudo("NodePool", name)
    }

    /// A reference to a product, by its id in the table of third-party software.
    pub fn product(id: &str) -> Self {
        ObjectRef::pseudo("Product", id)
    }

    /// A reference to a waiver, by its name.
    pub fn waiver(name: &str) -> Self {
        ObjectRef::pseudo("SupportWaiver", name)
    }

    fn pseudo(kind: &str, name: &str) -> Self {
        ObjectRef {
            api_version: API_VERSION.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..ObjectRef::default()
        }
    }

    /// `node/moc-l1` or `kube-system/deployment/coredns`: short, for people.
    pub fn short(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.namespace.is_empty() {
            format!("{kind}/{}", self.name)
        } else {
            format!("{}/{kind}/{}", self.namespace, self.name)
        }
    }
}

/// A piece of evidence: its kind, and the writer and time where there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Evidence {
    /// `managedFields`, `request`, `invariant`, `versionTable`, `signs` …
    pub what: String,
    /// The fieldManager, where there is one.
    pub manager: String,
    /// `Apply`, `Update`, `CREATE` …
    pub operation: String,
    /// RFC 3339, or empty.
    pub time: String,
    /// The fact that it shows, in a sentence.
    pub detail: String,
}

impl Evidence {
    /// Evidence from an entry of managedFields.
    pub fn managed(entry: &ManagedEntry<'_>) -> Self {
        Evidence {
            what: "managedFields".to_owned(),
            manager: entry.manager.to_string(),
            operation: entry.operation.to_string(),
            time: entry.time.as_ref().map(ToString::to_string).unwrap_or_default(),
            detail: String::new(),
        }
    }

    /// Evidence of a fact without an author.
    pub fn seen(what: &str, detail: impl Into<String>) -> Self {
        Evidence { what: what.to_owned(), detail: detail.into(), ..Evidence::default() }
    }
}

/// The condition of the subject of a finding. A subject that does not work is urgent, whatever it means for support.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// Nothing shows that it does not work.
    #[default]
    Working,
    /// It is down, missing or failing at this moment.
    Broken,
}

/// The value that should stand in the place of the one found, as far as the value before does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expected {
    /// Nobody recorded it.
    #[default]
    Unknown,
    /// Nothing should stand there.
    Nothing,
}

/// A finding as a rule returns it. The engine adds code, weight, basis and clauses from the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The object.
    pub object: ObjectRef,
    /// Members, for findings on pools and products.
    pub members: Vec<String>,
    /// The field, `metadata.labels[kubernetes.io/hostname]`.
    pub path: FieldPath,
    /// The value before, or the value expected.
    pub before: Option<String>,
    /// The value found.
    pub after: Option<String>,
    /// One sentence for people.
    pub message: String,
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// Commands that undo the finding. Those that cannot be printed safely are left out.
    pub fix: Vec<Command>,
    /// A lighter weight than the rule's, when only this finding is lighter.
    pub lighter: Option<Consequence>,
    /// Another basis than the rule's, when this finding rests on something else.
    pub basis: Option<Basis>,
    /// Other clauses than the rule's, when this finding is about those alone.
    pub clauses: Option<&'static [Clause]>,
    /// Whether the guard warns at most, because the change may be the cure or the problem exists already.
    pub warn_at_most: bool,
    /// Whether the draft is dropped for an agent, software that keeps metadata of its own.
    pub agents_may: bool,
    /// The condition of the subject.
    pub condition: Condition,
    /// The value that should stand in the place of the one found, where `before` does not say it.
    pub expected: Expected,
}

impl Draft {
    /// A draft for a field of an object.
    pub fn at(object: ObjectRef, path: impl Into<FieldPath>) -> Self {
        Draft {
            object,
            members: Vec::new(),
            path: path.into(),
            before: None,
            after: None,
            message: String::new(),
            evidence: Vec::new(),
            fix: Vec::new(),
            lighter: None,
            basis: None,
            clauses: None,
            warn_at_most: false,
            agents_may: false,
            condition: Condition::Working,
            expected: Expected::Unknown,
        }
    }

    /// Marks the subject of the finding as not working at this moment.
    #[must_use]
    pub fn broken(mut self) -> Self {
        self.condition = Condition::Broken;
        self
    }

    /// Marks the value found as one that should not be there at all.
    #[must_use]
    pub fn surplus(mut self) -> Self {
        self.expected = Expected::Nothing;
        self
    }

    /// Adds the value before and after.
    #[must_use]
    pub fn values(mut self, before: Option<&str>, after: Option<&str>) -> Self {
        self.before = before.map(|text| crate::text::line(text, MAX_VALUE));
        self.after = after.map(|text| crate::text::line(text, MAX_VALUE));
        self
    }

    /// Adds the sentence for people.
    #[must_use]
    pub fn says(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds evidence.
    #[must_use]
    pub fn with(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds a command that undoes the finding, unless its words could steer a program or a terminal.
    #[must_use]
    pub fn fix(mut self, command: Command) -> Self {
        if command.fits() {
            self.fix.push(command);
        }
        self
    }

    /// Adds commands that only work together, or none of them if one cannot be printed safely.
    #[must_use]
    pub fn fixes(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        let commands: Vec<Command> = commands.into_iter().collect();
        if commands.iter().all(Command::fits) {
            self.fix.extend(commands);
        }
        self
    }

    /// Adds a member of the pool or product that the finding is about.
    #[must_use]
    pub fn member(mut self, name: &str) -> Self {
        self.members.push(name.to_owned());
        self
    }

    /// Makes this finding lighter than its rule.
    #[must_use]
    pub fn lighter(mut self, consequence: Consequence) -> Self {
        self.lighter = Some(consequence);
        self
    }

    /// Gives this finding another basis than its rule's.
    #[must_use]
    pub fn basis(mut self, basis: Basis) -> Self {
        self.basis = Some(basis);
        self
    }

    /// Gives this finding other clauses than its rule's.
    #[must_use]
    pub fn clauses(mut self, clauses: &'static [Clause]) -> Self {
        self.clauses = Some(clauses);
        self
    }

    /// Drops this finding where an agent makes the change.
    #[must_use]
    pub fn agents_may(mut self) -> Self {
        self.agents_may = true;
        self
    }

    /// Keeps the guard from denying for this finding.
    #[must_use]
    pub fn warn_at_most(mut self) -> Self {
        self.warn_at_most = true;
        self
    }
}

/// A complete finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// `AA201`.
    pub code: Code,
    /// `system-label-changed`.
    pub slug: &'static str,
    /// The consequence.
    pub consequence: Consequence,
    /// The source of the consequence.
    pub basis: Basis,
    /// The pages that a documented finding rests on.
    pub documents: Vec<&'static Document>,
    /// Clauses of the policy, `C13`.
    pub clauses: &'static [Clause],
    /// The object.
    pub object: ObjectRef,
    /// Members of the pool or product; empty for single objects.
    pub members: Vec<String>,
    /// The field.
    pub path: FieldPath,
    /// The value before or expected.
    pub before: Option<String>,
    /// The value found.
    pub after: Option<String>,
    /// The value that should stand there, where `before` does not say it.
    pub expected: Expected,
    /// The condition of the subject.
    pub condition: Condition,
    /// One sentence for people.
    pub message: String,
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// Commands that undo it.
    pub fix: Vec<Command>,
    /// The waiver that covers it.
    pub waiver: Option<WaiverNote>,
}

impl Finding {
    /// A finding for tests: a system label of a node, without evidence, fix or waiver.
    #[doc(hidden)]
    pub fn example() -> Self {
        let object = ObjectRef { api_version: "v1".to_owned(), kind: "Node".to_owned(), ..ObjectRef::default() };
        Finding {
            code: Code::new("AA201"),
            slug: "system-label-changed",
            consequence: Consequence::Voids,
            basis: Basis::Explicit,
            documents: Vec::new(),
            clauses: const { &[Clause::new("C13")] },
            object: ObjectRef { name: "moc-l1".to_owned(), ..object },
            members: Vec::new(),
            path: "metadata.labels[kubernetes.io/hostname]".into(),
            before: None,
            after: None,
            expected: Expected::Unknown,
            condition: Condition::Working,
            message: "the system label kubernetes.io/hostname was changed".to_owned(),
            evidence: Vec::new(),
            fix: Vec::new(),
            waiver: None,
        }
    }
}

/// The waiver on a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaiverNote {
    /// The waiver's name.
    pub name: String,
    /// The reason for the waiver.
    pub reason: String,
    /// The end of the waiver, RFC 3339. The finding returns then.
    pub expires: String,
    /// The ticket of the waiver.
    pub ticket: Option<String>,
    /// The number of Microsoft's support case.
    pub support_case: Option<String>,
}

/// The identity of an object and a path in it. The uid is no part of it: some know it and others do not.
pub(crate) fn place<'p>(object: &'p ObjectRef, path: &'p str) -> [&'p str; 5] {
    [&object.api_version, &object.kind, &object.namespace, &object.name, path]
}

/// The first 16 bytes of the SHA-256 of code and place, in hex. Stable over runs and versions.
pub fn fingerprint(code: &str, object: &ObjectRef, path: &str) -> String {
    let mut hash = Sha256::new();
    for part in [code].into_iter().chain(place(object, path)) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    text::short_hex(&hash.finalize())
}

/// The longest value that is kept. Values are only shown: a label has 63 bytes at most, but an annotation can have 256
/// KiB.
const MAX_VALUE: usize = 256;

impl Finding {
    /// An id that is stable over runs and versions: see [`fingerprint`].
    pub fn fingerprint(&self) -> String {
        fingerprint(self.code.as_str(), &self.object, &self.path)
    }

    /// The object and the path that the finding is about.
    pub(crate) fn place(&self) -> [&str; 5] {
        place(&self.object, &self.path)
    }

    /// Whether a remediation of Microsoft's support module changes the object and field of the finding.
    pub fn is_like(&self, remediation: &Remediation) -> bool {
        let object = &self.object;
        remediation.objects.iter().any(|touched| {
            touched.rules.iter().any(|code| self.code == *code)
                && touched.kind == object.kind
                && touched.namespace == object.namespace
                && touched.name.as_ref().is_none_or(|name| *name == object.name)
                && touched.path.as_ref().is_none_or(|path| self.path == *path)
                && !(touched.removed && self.after.is_some())
        })
    }
}
