//! The format of a proof; `proofs/README.md` explains it to authors.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aksarc_shared::rules::catalogue;
use aksarc_shared::rules::rule::Rule;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::control_plane::Builder;

/// One rule's proof.
pub(super) struct Proof {
    /// `aa203.yaml`, for messages.
    pub(super) file: String,
    pub(super) rule: &'static Rule,
    pub(super) header: Header,
    pub(super) cases: Vec<Case>,
}

/// The first document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Header {
    pub(super) rule: String,
    #[serde(default = "healthy")]
    pub(super) cluster: String,
    /// A row of `profiles.yaml`.
    pub(super) control_plane: Option<String>,
    /// Flags of `support-check` for all cases.
    pub(super) check: Option<Vec<String>>,
    /// The reason why no state makes this rule find anything.
    pub(super) finds_nothing: Option<String>,
    /// The reason why no printed command can be rehearsed here, although there is one.
    pub(super) no_rehearsal: Option<String>,
}

/// Every other document.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Case {
    state: Option<String>,
    change: Option<String>,
    look_alike: Option<String>,

    #[serde(default)]
    pub(super) steps: Vec<Value>,
    /// Another control plane than the header's.
    cluster: Option<String>,
    control_plane: Option<String>,
    /// The reason why its change cannot be taken back.
    pub(super) stays: Option<String>,
    #[serde(default = "yes")]
    pub(super) settle: bool,
    #[serde(default)]
    pub(super) undo: Vec<Value>,

    pub(super) check: Option<Vec<String>>,
    /// Waivers for the check, as in a file.
    #[serde(default)]
    pub(super) waivers: Vec<Value>,
    pub(super) finds: Option<Vec<Expected>>,
    pub(super) outcome: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) fix: Option<Fix>,
    pub(super) why: Option<String>,

    #[serde(default = "person")]
    pub(super) who: String,
    #[serde(default)]
    pub(super) kubectl: Vec<String>,
    #[serde(default)]
    pub(super) stdin: Vec<Value>,
    pub(super) send: Option<Send>,
    pub(super) answer: Option<Wanted>,
    /// Whether the API server asks the guard at all.
    pub(super) asked: Option<bool>,
    pub(super) path: Option<String>,
    /// Not as a dry run: some verbs of kubectl have none.
    #[serde(default)]
    pub(super) really: bool,
    #[serde(default)]
    pub(super) mode: BTreeMap<String, String>,
}

/// A sample on a control plane, by their names.
pub(super) type Place<'p> = (&'p str, Option<&'p str>);

impl Proof {
    /// The control plane on which the rule must find nothing before any case.
    pub(super) fn home(&self) -> Place<'_> {
        (&self.header.cluster, self.header.control_plane.as_deref())
    }

    /// The control plane that a case is played on.
    pub(super) fn place<'p>(&'p self, case: &'p Case) -> Place<'p> {
        match (&case.cluster, &case.control_plane) {
            (None, None) => self.home(),
            (cluster, profile) => (cluster.as_ref().unwrap_or(&self.header.cluster), profile.as_deref()),
        }
    }
}

/// The claim that a case proves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Change,
    LookAlike,
    State,
}

/// A finding that must be there. Fields that are not given are not compared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    /// Its name, or `Kind/name`.
    pub(super) object: String,
    pub(super) path: String,
    pub(super) consequence: Option<String>,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
    pub(super) members: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fix {
    None,
    Rehearse,
}

/// A request without kubectl.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    pub(super) verb: Verb,
    pub(super) path: String,
    #[serde(default)]
    pub(super) kind: PatchWord,
    #[serde(default)]
    pub(super) body: Value,
    pub(super) manager: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verb {
    Create,
    Delete,
    Patch,
    Replace,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum PatchWord {
    Apply,
    Json,
    #[default]
    Merge,
    Strategic,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Wanted {
    Denied,
    Recorded,
    Silent,
    Warned,
}

/// The parts that a control plane has besides those of the plain one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Profile {
    /// For the API server.
    flags: Vec<String>,
    /// Whether Secrets are encrypted by a key management provider.
    key_provider: bool,
}

impl Profile {
    pub(super) fn add(self, mut builder: Builder) -> Builder {
        for flag in &self.flags {
            builder = builder.api_server_flag(flag);
        }
        if self.key_provider { builder.key_provider() } else { builder }
    }
}

/// All proofs in the order of their rules, and what is wrong with those that cannot be read.
pub(super) fn all(only: &[String]) -> anyhow::Result<(Vec<Proof>, Vec<String>)> {
    let (mut proofs, mut failures) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(FOLDER).context(FOLDER)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let code = name.trim_end_matches(".yaml").to_uppercase();
        if !name.starts_with("aa") || !(only.is_empty() || only.contains(&code)) {
            continue;
        }
        match read(&path, &name) {
            Ok(proof) => proofs.push(proof),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    proofs.sort_by_key(|proof| proof.rule.code);
    failures.sort();
    Ok((proofs, failures))
}

pub(super) fn profiles() -> anyhow::Result<BTreeMap<String, Profile>> {
    let path = Path::new(FOLDER).join("profiles.yaml");
    serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| path.display().to_string())
}

fn read(path: &Path, file: &str) -> anyhow::Result<Proof> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(path)?)?;
    ensure!(!documents.is_empty(), "an empty file");
    let header: Header = serde_json::from_value(documents.remove(0)).context("the header")?;
    ensure!(file == format!("{}.yaml", header.rule.to_lowercase()), "the header says {}", header.rule);
    let rule = catalogue::find(&header.rule).with_context(|| format!("no rule {}", header.rule))?;
    let mut cases: Vec<Case> = Vec::new();
    for (index, document) in documents.into_iter().enumerate() {
        let what = format!("case {}: {}", index + 1, document.to_string().chars().take(80).collect::<String>());
        let case: Case = serde_json::from_value(document).context(what.clone())?;
        case.check(rule).context(what)?;
        ensure!(!cases.iter().any(|other| other.title() == case.title()), "two cases are called {:?}", case.title());
        cases.push(case);
    }
    Ok(Proof { file: file.to_owned(), rule, header, cases })
}

impl Case {
    pub(super) fn kind(&self) -> Kind {
        if self.state.is_some() {
            Kind::State
        } else if self.change.is_some() {
            Kind::Change
        } else {
            Kind::LookAlike
        }
    }

    pub(super) fn title(&self) -> &str {
        self.state.as_deref().or(self.change.as_deref()).or(self.look_alike.as_deref()).unwrap_or_default()
    }

    /// Whether something is sent past the guard.
    pub(super) fn asks(&self) -> bool {
        !self.kubectl.is_empty() || self.send.is_some()
    }

    /// Whether a state is judged.
    pub(super) fn judges(&self) -> bool {
        match self.kind() {
            Kind::State => true,
            Kind::Change => false,
            Kind::LookAlike => !self.asks() || !self.steps.is_empty(),
        }
    }

    pub(super) fn fix(&self) -> Fix {
        self.fix.unwrap_or(Fix::Rehearse)
    }

    fn check(&self, rule: &Rule) -> anyhow::Result<()> {
        let titles = [&self.state, &self.change, &self.look_alike].into_iter().flatten();
        ensure!(titles.count() == 1, "a case is one of state, change and look-alike");
        ensure!(self.kubectl.is_empty() || self.send.is_none(), "both kubectl and send");
        let (kind, of_state) = (self.kind(), self.finds.is_some() || self.outcome.is_some() || self.fix.is_some());
        ensure!(self.waivers.is_empty() || self.judges(), "waivers are for a check of a state");
        match kind {
            Kind::State => {
                ensure!(
                    !self.asks() && self.answer.is_none(),
                    "a state sends nothing past the guard: that is a change"
                );
                ensure!(self.finds.is_some() != self.outcome.is_some(), "a state has one of finds and outcome");
                ensure!(self.outcome.is_none() || self.reason.is_some(), "an outcome has a reason, in part");
                ensure!(self.fix() == Fix::Rehearse || self.why.is_some(), "fix: none needs a why");
                let kept = self.outcome.is_some() || self.fix() == Fix::None;
                let taken_back = !self.undo.is_empty() || self.stays.is_some();
                ensure!(self.steps.is_empty() || !kept || taken_back, "undo: nothing else takes it back");
                ensure!(self.undo.is_empty() || self.stays.is_none(), "either undo or stays");
            }
            Kind::Change => {
                ensure!(!of_state, "a change has no findings of a state");
                ensure!(self.asks(), "a change needs kubectl or send");
                ensure!(self.answer.is_some(), "a change has an answer: denied, warned, recorded or silent");
                ensure!(rule.change.is_some(), "{} judges no change", rule.code);
            }
            Kind::LookAlike => {
                ensure!(!of_state && self.answer.is_none(), "a look-alike finds nothing and is answered in silence");
                let sees = rule.state().per_object.is_some() || rule.state().per_cluster.is_some();
                ensure!(sees || self.asks(), "{} judges no state: send something", rule.code);
                ensure!(self.steps.is_empty() || !self.undo.is_empty(), "undo: nothing else takes it back");
            }
        }
        if self.path.is_some() && (self.answer != Some(Wanted::Denied) || self.send.is_none()) {
            bail!("a path is in the answer only when a plain request (send) is denied");
        }
        ensure!(self.stays.is_none() || kind == Kind::State, "stays is a state's");
        ensure!(self.asked.is_none() || self.asks(), "asked is of what is sent");
        ensure!(!self.really || !self.undo.is_empty(), "undo: what is really done has to be taken back");
        Ok(())
    }
}

fn healthy() -> String {
    "healthy-azure-local".to_owned()
}

fn person() -> String {
    "person".to_owned()
}

fn yes() -> bool {
    true
}

pub(super) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proofs");
