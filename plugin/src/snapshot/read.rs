//! The judgement of a snapshot: the same lists in the same order as from a cluster, read from files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aksarc_shared::data::own;
use aksarc_shared::facts::inventory::{ReadKey, ReadState};
use aksarc_shared::facts::probe::{Probe, ProbeState, api_groups};
use aksarc_shared::jiff::Timestamp;
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::k8s::object::Object;
use aksarc_shared::k8s::read::json;
use aksarc_shared::text;
use aksarc_shared::verdict::check::{Check, Segment};
use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::index::{self, Index, ListEntry, ListState, ProbeDocument, RecordedProbe};
use crate::input::documents::{self, Depth};

/// The metadata of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The time at which it was taken, where it says so.
    pub taken: Option<String>,
}

impl About {
    /// The time at which it was taken, if it can be parsed.
    pub fn moment(&self) -> Option<Timestamp> {
        self.taken.as_deref()?.parse().ok()
    }
}

/// Passes a snapshot to a check. Files are read once per phase, so that memory holds one of them at a time.
///
/// # Errors
/// The snapshot is missing, empty, damaged or of another kind.
pub fn judge(path: &Path, check: &mut Check<'static>) -> anyhow::Result<About> {
    if path == Path::new("-") {
        bail!("a snapshot is read twice, so that standard input cannot hold one: write it to a file first");
    }
    let meta = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !meta.is_file() && !meta.is_dir() {
        bail!(
            "cannot use snapshot {}: it is neither a file nor a directory, and a snapshot is read twice: write it to a file first",
            path.display()
        );
    }
    if let Some(few) = several(path) {
        bail!("cannot use snapshot {}: it holds snapshots of its own, such as {few}: give one of them", path.display());
    }
    let mut contents = Contents::default();
    let first = check.plan_first();
    let mut segments = begin(check, first);
    pass(path, &mut |document| contents.take(document, &mut segments))?;
    contents.verify(path)?;
    if let Some(version) = &contents.server_version {
        check.server_version(version);
    }
    end(check, segments, &contents);
    for probe in check.probes() {
        let state = contents.probe(probe);
        check.probe(probe, state);
    }
    let then = check.plan_then();
    if !then.is_empty() {
        let mut segments = begin(check, then);
        pass(path, &mut |document| Contents::default().take(document, &mut segments))?;
        end(check, segments, &contents);
    }
    Ok(About { taken: contents.index.map(|index| index.taken_at).or(contents.taken) })
}

/// The name of a snapshot in a directory that is none itself.
fn several(directory: &Path) -> Option<String> {
    let has_index = |path: &Path| path.join("index.json").is_file();
    if has_index(directory) {
        return None;
    }
    let within = std::fs::read_dir(directory).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let first = within.filter(|path| has_index(path)).min()?;
    Some(text::line(&first.display().to_string(), 200))
}

type Segments = Vec<(ReadKey, Segment<'static>)>;

fn begin(check: &Check<'static>, keys: Vec<ReadKey>) -> Segments {
    keys.into_iter().map(|key| (key.clone(), check.segment(&key))).collect()
}

fn end(check: &mut Check<'static>, segments: Segments, contents: &Contents) {
    for (key, segment) in segments {
        match contents.state(&key) {
            None => check.complete(segment),
            Some(state) => check.not_read(key, state),
        }
    }
}

fn pass(path: &Path, each: &mut dyn FnMut(&SnapshotDocument<'_>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let texts: Vec<&str> = index::TEXTS.map(index::file_of).into_iter().chain([index::TAKEN]).collect();
    documents::files(path, Depth::Recursive, &texts, &mut |name, bytes| {
        if let Some(text) = text_file(name) {
            return each(&SnapshotDocument { bytes: &bytes, text: Some(text), list_of: None });
        }
        let list_of = resource_of(name);
        let shown = if path.is_dir() { path.join(name).display().to_string() } else { name.to_owned() };
        documents::each_document(&shown, &bytes, &mut |_, bytes| each(&SnapshotDocument { bytes, text: None, list_of }))
    })
    .with_context(|| format!("cannot use snapshot {}", path.display()))
}

/// The meaning of a text file, by its name.
fn text_file(name: &str) -> Option<PlainText> {
    let name = Path::new(name).file_name()?;
    if name == index::TAKEN {
        return Some(PlainText::Taken);
    }
    index::TEXTS.into_iter().find(|probe| name == index::file_of(*probe)).map(PlainText::Answer)
}

/// The kind of a file that is named after a resource as kubectl is asked for it: `nodes.json`, `deployments.apps.json`,
/// `ipaddresses.v1alpha1.networking.k8s.io.json`. The group may be left out where only one kind has the name.
fn resource_of(name: &str) -> Option<&'static Kind> {
    let stem = Path::new(name).file_stem()?.to_str()?.to_lowercase();
    let (resource, rest) = stem.split_once('.').unwrap_or((&stem, ""));
    let is_version =
        |word: &str| word.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let group = match rest.split_once('.') {
        Some((version, group)) if is_version(version) => group,
        None if is_version(rest) => "",
        _ => rest,
    };
    if let Some(kind) = kinds::by_resource(group, resource) {
        return Some(kind);
    }
    let mut named = kinds::ALL.iter().copied().filter(|kind| rest.is_empty() && kind.resource == resource);
    named.next().filter(|_| named.next().is_none())
}

struct SnapshotDocument<'a> {
    bytes: &'a [u8],
    /// The meaning, for plain text.
    text: Option<PlainText>,
    /// The kind in the name of the file.
    list_of: Option<&'static Kind>,
}

#[derive(Clone, Copy)]
enum PlainText {
    /// An answer to a probe.
    Answer(Probe),
    /// The time of the snapshot.
    Taken,
}

/// The contents of a snapshot.
#[derive(Debug, Default)]
struct Contents {
    index: Option<Index>,
    server_version: Option<String>,
    recorded: BTreeSet<&'static Kind>,
    counts: BTreeMap<&'static Kind, usize>,
    documents: usize,
    probes: BTreeMap<Probe, String>,
    /// The time of the snapshot, from a file of its own.
    taken: Option<String>,
    /// The names of the CustomResourceDefinitions in it.
    definitions: BTreeSet<String>,
    /// The names of the APIServices in it.
    services: BTreeSet<String>,
}

impl Contents {
    fn take(&mut self, document: &SnapshotDocument<'_>, segments: &mut Segments) -> anyhow::Result<()> {
        self.documents += 1;
        let text = || String::from_utf8_lossy(document.bytes).trim_start_matches('\u{feff}').to_owned();
        match document.text {
            Some(PlainText::Answer(probe)) => return self.answer(probe, &text()),
            Some(PlainText::Taken) => {
                self.taken = Some(text().trim().to_owned());
                return Ok(());
            }
            None => {}
        }
        let (api_version, kind) = json::type_of(document.bytes)?;
        if kind == index::KIND {
            let index: Index = serde_json::from_slice(document.bytes).context("this version cannot read the index")?;
            if index.api_version != own::API_VERSION {
                bail!("an index of {}, and this version reads {}", index.api_version, own::API_VERSION);
            }
            if !index.server_version.is_empty() {
                self.server_version.get_or_insert_with(|| index.server_version.clone());
            }
            self.index = Some(index);
            return Ok(());
        }
        if kind == index::API_GROUPS {
            return self.answer(Probe::ApiGroups, &String::from_utf8_lossy(document.bytes));
        }
        if kind == index::PROBE_KIND {
            let recorded: ProbeDocument =
                serde_json::from_slice(document.bytes).context("this version cannot read the answer")?;
            // A probe of a newer version; no rule here uses it.
            return match Probe::parse(&recorded.probe) {
                Some(probe) => self.answer(probe, &recorded.text),
                None => Ok(()),
            };
        }
        if kind.is_empty() {
            let version = version_of(document.bytes).context("it is neither a Kubernetes object nor a version")?;
            self.server_version = Some(version);
            return Ok(());
        }
        let Some(single) = kind.strip_suffix("List") else {
            let object = json::object(document.bytes)?;
            self.object(&object, kinds::of(&api_version, &kind), segments);
            return Ok(());
        };
        // A typed list records its kind even when it is empty. An anonymous empty list does so where its file is named
        // after a resource; otherwise it says nothing.
        let of_list = kinds::of(&api_version, single);
        self.recorded.extend(of_list);
        self.recorded.extend(document.list_of.filter(|_| single.is_empty()));
        let mut anonymous = false;
        json::page(document.bytes, |object| {
            let known = if object.kind.is_empty() { of_list } else { kinds::of(&object.api_version, &object.kind) };
            anonymous |= object.kind.is_empty() && single.is_empty();
            self.object(&object, known, segments);
        })?;
        if anonymous {
            bail!("an item of its list has no `kind`");
        }
        Ok(())
    }

    fn answer(&mut self, probe: Probe, text: &str) -> anyhow::Result<()> {
        if self.probes.insert(probe, probe.keep(text)).is_some() {
            bail!("it holds {} twice", index::file_of(probe));
        }
        Ok(())
    }

    fn object(&mut self, object: &Object<'_>, kind: Option<&'static Kind>, segments: &mut Segments) {
        let Some(kind) = kind else { return };
        self.recorded.insert(kind);
        if *kind == kinds::CUSTOM_RESOURCE_DEFINITION {
            self.definitions.insert(object.meta.name.to_string());
        } else if *kind == kinds::API_SERVICE {
            self.services.insert(object.meta.name.to_string());
        }
        *self.counts.entry(kind).or_default() += 1;
        let here = |key: &ReadKey| {
            key.kind == kind && key.namespace.as_ref().is_none_or(|own| **own == *object.meta.namespace)
        };
        for (_, segment) in segments.iter_mut().filter(|(key, _)| here(key)) {
            segment.object(object);
        }
    }

    /// Checks that the files in the index exist.
    fn verify(&self, path: &Path) -> anyhow::Result<()> {
        let shown = path.display();
        if self.documents == 0 {
            bail!("snapshot {shown} is empty: it contains no JSON or YAML documents");
        }
        let Some(index) = &self.index else {
            if self.recorded.is_empty() && self.server_version.is_none() && self.probes.is_empty() {
                bail!("snapshot {shown} contains no objects that rules read");
            }
            return Ok(());
        };
        for entry in index.probes.iter().filter(|entry| entry.state == RecordedProbe::Complete) {
            if Probe::parse(&entry.probe).is_some_and(|probe| !self.probes.contains_key(&probe)) {
                bail!("snapshot {shown} is damaged: its index names {}, which is missing", entry.file);
            }
        }
        for kind in kinds::ALL {
            let of_kind = |list: &&ListEntry| kinds::of(&list.api_version, &list.kind) == Some(kind);
            let lists: Vec<_> =
                index.lists.iter().filter(of_kind).filter(|list| list.state == ListState::Complete).collect();
            let told: usize = lists.iter().map(|list| list.objects).sum();
            let found = self.counts.get(kind).copied().unwrap_or(0);
            if !lists.is_empty() && told != found {
                bail!(
                    "snapshot {shown} is damaged: its index names {told} {}, and it contains {found}",
                    kind.qualified()
                );
            }
        }
        Ok(())
    }

    /// The result of a probe. An answer that was added to a snapshot later counts.
    fn probe(&self, probe: Probe) -> ProbeState {
        if let Some(text) = self.probes.get(&probe) {
            return ProbeState::Read(text.trim_end_matches('\n').to_owned());
        }
        let entries = self.index.iter().flat_map(|index| &index.probes);
        match entries.into_iter().find(|entry| entry.probe == probe.as_str()) {
            Some(entry) if entry.state == RecordedProbe::Failed => {
                ProbeState::Failed(text::line(&entry.reason, MAX_REASON))
            }
            Some(entry) if entry.state == RecordedProbe::Forbidden => ProbeState::Forbidden,
            _ => ProbeState::NotRecorded,
        }
    }

    /// The reason why a list is missing; `None` when it is there.
    fn state(&self, key: &ReadKey) -> Option<ReadState> {
        let Some(index) = &self.index else {
            return (!self.recorded.contains(key.kind)).then(|| self.untold(key.kind));
        };
        let covers = |list: &&ListEntry| {
            kinds::of(&list.api_version, &list.kind) == Some(key.kind)
                && (list.namespace.is_empty() || Some(&list.namespace) == key.namespace.as_ref())
        };
        let lists: Vec<&ListEntry> = index.lists.iter().filter(covers).collect();
        let states: Vec<ListState> = lists.iter().map(|list| list.state).collect();
        if states.contains(&ListState::Complete) {
            None
        } else if states.contains(&ListState::Forbidden) {
            Some(ReadState::Forbidden)
        } else if let Some(failed) = lists.iter().find(|list| list.state == ListState::Failed) {
            Some(ReadState::Failed(text::line(&failed.reason, MAX_REASON)))
        } else if states.contains(&ListState::NotServed) {
            Some(ReadState::NotServed)
        } else {
            Some(self.untold(key.kind))
        }
    }

    /// Whether the cluster does not define a kind, for snapshots with all definitions. Kubernetes' own kinds need no
    /// definition; kinds of an aggregated API server are known from the list of APIServices.
    fn is_undefined(&self, kind: &'static Kind) -> bool {
        let has_all = |kind: &'static Kind| {
            let all = ReadKey { kind, namespace: None };
            self.recorded.contains(kind) && self.state(&all).is_none()
        };
        if kind.is_alpha() || self.definitions.contains(&kind.qualified()) {
            return false;
        }
        if kind.group == AGGREGATED {
            let own = |name: &String| name.ends_with(&format!(".{AGGREGATED}"));
            // The list of groups is more reliable, where there is one.
            let told = self.probes.contains_key(&Probe::ApiGroups);
            return !told && has_all(&kinds::API_SERVICE) && !self.services.iter().any(own);
        }
        has_all(&kinds::CUSTOM_RESOURCE_DEFINITION)
    }

    /// The state of a list that nobody recorded. An older version did not ask for kinds that it did not know. Where the
    /// served groups are recorded, a kind of no served group had no objects, and neither had one of an alpha version
    /// that is not served.
    fn untold(&self, kind: &'static Kind) -> ReadState {
        let groups = self.probes.get(&Probe::ApiGroups).and_then(|text| api_groups(text));
        let is_own = |group: &str, version: &str| group == kind.group && (!kind.is_alpha() || version == kind.version);
        let absent = groups.is_some_and(|groups| groups.iter().all(|(group, version)| !is_own(group, version)));
        if (absent || self.is_undefined(kind)) && !kind.builtin { ReadState::NotServed } else { ReadState::NotRecorded }
    }
}

/// The server's version, from the output of `kubectl version -o json` or `/version`.
fn version_of(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Info {
        git_version: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Both {
        server_version: Info,
    }
    let both = serde_json::from_slice::<Both>(bytes).map(|both| both.server_version);
    both.or_else(|_| serde_json::from_slice::<Info>(bytes)).ok().map(|info| info.git_version)
}

/// The group of Calico's own API server, whose objects definitions of another group contain.
const AGGREGATED: &str = "projectcalico.org";

/// The longest reason. Reasons are short, but a snapshot may contain anything.
const MAX_REASON: usize = 200;
