//! The recorder of snapshots: pages go to a staging directory as they arrive, which gets its final name at the end.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use aksarc_shared::data::own::API_VERSION;
use aksarc_shared::facts::inventory::ReadKey;
use aksarc_shared::facts::probe::{Probe, ProbeState};
use aksarc_shared::k8s::kinds::{self, Kind};
use aksarc_shared::k8s::read::json::ListPage;
use aksarc_shared::verdict::check::Check;
use anyhow::{Context as _, bail};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::index::{
    Index, KIND, ListEntry, ListState, PROBE_KIND, ProbeDocument, ProbeEntry, RecordedProbe, TEXTS, file_of,
};
use super::reduce;
use crate::api::RequestError;
use crate::collect::{JudgedList, ListReceiver, Listed, PageError, Pages};
use crate::screen::output::{self, Place, Staged};

/// The form of a snapshot, by its file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// `NAME.tar.gz` or `NAME.tgz`.
    Archive(PathBuf),
    /// Anything else.
    Directory(PathBuf),
    /// `NAME.json`, a device or a pipe: one document after the other.
    File(PathBuf),
}

impl Form {
    /// The form for a path, if a snapshot can be written there.
    ///
    /// # Errors
    /// A directory exists and is not empty, or the parent is missing.
    pub fn of(path: &Path) -> anyhow::Result<Self> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        let parent = output::directory(path);
        if !parent.is_dir() {
            bail!("there is no directory {} to put the snapshot into", parent.display());
        }
        if [".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) {
            return Ok(Form::Archive(path.to_owned()));
        }
        match path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).as_deref() {
            Some("json") => return Ok(Form::File(path.to_owned())),
            Some("yaml" | "yml" | "zip" | "tar") => bail!("a snapshot is NAME.json, NAME.tar.gz or a directory"),
            _ => {}
        }
        if matches!(Place::of(path), Ok(Place::Straight(_) | Place::Stdout | Place::Stderr)) {
            return Ok(Form::File(path.to_owned()));
        }
        if path.is_file() {
            bail!("{} is a file; a snapshot is NAME.json, NAME.tar.gz or a directory", path.display());
        }
        if path.is_dir() && fs::read_dir(path)?.next().is_some() {
            bail!("{} is not empty; a snapshot needs a directory of its own", path.display());
        }
        Ok(Form::Directory(path.to_owned()))
    }

    /// Whether a file that is there already would be replaced.
    pub fn replaces(&self) -> bool {
        let is_file = |path: &Path| matches!(Place::of(path), Ok(Place::File(file)) if file.exists());
        match self {
            Form::Archive(path) | Form::File(path) => is_file(path),
            Form::Directory(_) => false,
        }
    }

    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            Form::Archive(path) | Form::Directory(path) | Form::File(path) => path,
        }
    }
}

/// A snapshot in progress.
pub struct SnapshotRecorder<'c> {
    check: &'c mut Check<'static>,
    staging: Staging,
    lists: Vec<ListEntry>,
    probes: Vec<ProbeEntry>,
}

impl<'c> SnapshotRecorder<'c> {
    /// Begins a snapshot, beside its final path.
    ///
    /// # Errors
    /// Nothing can be written there.
    pub fn new(check: &'c mut Check<'static>, form: &Form) -> io::Result<Self> {
        let place = Place::of(form.path())?;
        let staging = tempfile::Builder::new().prefix(".kubectl-aksarc-").tempdir_in(place.beside())?;
        let staging = Staging(Writable(Arc::new(RwLock::new(Some(staging)))));
        Ok(SnapshotRecorder { check, staging, lists: Vec::new(), probes: Vec::new() })
    }

    /// Completes the index and gives the snapshot its name.
    ///
    /// # Errors
    /// It cannot be written; nothing is left then.
    pub fn finish(mut self, form: &Form, context: &str, taken_at: &str) -> anyhow::Result<Index> {
        self.lists.sort_by(|a, b| (&a.namespace, &a.kind).cmp(&(&b.namespace, &b.kind)));
        self.probes.sort_by(|a, b| a.probe.cmp(&b.probe));
        let index = Index {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            tool_version: crate::cli::tool::VERSION.to_owned(),
            taken_at: taken_at.to_owned(),
            context: context.to_owned(),
            server_version: self.check.inventory().server_version.clone().unwrap_or_default(),
            lists: self.lists,
            probes: self.probes,
        };
        // All lists have ended, so no other task writes.
        let staging = self.staging.0.close()?;
        let root = staging.path();
        fs::write(root.join("index.json"), format!("{}\n", serde_json::to_string_pretty(&index)?))?;
        let mut files = vec!["index.json".to_owned()];
        files.extend(index.probes.iter().map(|probe| probe.file.clone()).filter(|file| !file.is_empty()));
        files.extend(index.lists.iter().flat_map(|list| list.files.clone()));
        match form {
            Form::Archive(path) => {
                let staged = Staged::at(Place::of(path)?)?;
                let mut archive = tar::Builder::new(GzEncoder::new(BufWriter::new(staged), Compression::default()));
                for name in &files {
                    archive.append_path_with_name(root.join(name), name)?;
                }
                let staged = archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
                staged.keep()?;
            }
            Form::File(path) => {
                let mut staged = Staged::at(Place::of(path)?)?;
                for name in &files {
                    if let Some(probe) = TEXTS.into_iter().find(|probe| file_of(*probe) == name) {
                        let text = fs::read_to_string(root.join(name))?;
                        serde_json::to_writer(&mut staged, &document(probe, text))?;
                        staged.write_all(b"\n")?;
                    } else {
                        io::copy(&mut File::open(root.join(name))?, &mut staged)?;
                    }
                }
                staged.keep()?;
            }
            Form::Directory(path) => {
                let Place::File(target) = Place::of(path)? else { bail!("{} is no directory", path.display()) };
                if target.is_dir() {
                    fs::set_permissions(root, fs::metadata(&target)?.permissions())?;
                    fs::remove_dir(&target)?;
                }
                let staged = staging.keep();
                if let Err(error) = fs::rename(&staged, &target) {
                    let _left = fs::remove_dir_all(&staged);
                    return Err(error).with_context(|| format!("cannot name it {}", path.display()));
                }
            }
        }
        Ok(index)
    }
}

impl ListReceiver for SnapshotRecorder<'_> {
    type Sink = RecordedList;

    fn start(&mut self, key: &ReadKey) -> RecordedList {
        let folder = key.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        RecordedList {
            judged: JudgedList::start(self.check, key),
            root: self.staging.0.clone(),
            stem: format!("{folder}{}", name_of(key.kind)),
            api_version: key.kind.api_version(),
            key: key.clone(),
            files: Vec::new(),
            objects: 0,
        }
    }

    fn end(&mut self, key: ReadKey, listed: Listed, mut sink: RecordedList) -> Result<(), RequestError> {
        let (state, reason) = match &listed {
            Listed::Complete => (ListState::Complete, String::new()),
            Listed::Forbidden => (ListState::Forbidden, String::new()),
            Listed::NotServed => (ListState::NotServed, String::new()),
            Listed::Unknown(why) => (ListState::Failed, why.clone()),
        };
        let complete = listed == Listed::Complete;
        if !complete {
            sink.forget();
        }
        self.lists.push(ListEntry {
            api_version: sink.api_version.clone(),
            kind: key.kind.kind.to_owned(),
            namespace: key.namespace.clone().unwrap_or_default(),
            state,
            reason,
            objects: sink.objects,
            files: sink.files,
        });
        sink.judged.end(self.check, key, listed);
        Ok(())
    }

    fn probe(&mut self, probe: Probe, state: ProbeState) -> Result<(), RequestError> {
        let mut entry = ProbeEntry {
            probe: probe.as_str().to_owned(),
            state: RecordedProbe::Complete,
            reason: String::new(),
            file: String::new(),
        };
        match &state {
            ProbeState::Read(text) => {
                file_of(probe).clone_into(&mut entry.file);
                let text = with_end(probe.keep(text));
                let written = self.staging.0.write(|root| fs::write(root.join(&entry.file), text));
                written.map_err(|error| RequestError::ours(&error))?;
            }
            ProbeState::Forbidden => entry.state = RecordedProbe::Forbidden,
            ProbeState::Failed(why) => {
                entry.state = RecordedProbe::Failed;
                entry.reason.clone_from(why);
            }
            // Requests to a server never lead here.
            ProbeState::NotRecorded => return Ok(()),
        }
        self.probes.push(entry);
        self.check.probe(probe, state);
        Ok(())
    }

    fn check(&mut self) -> &mut Check<'static> {
        self.check
    }
}

fn document(probe: Probe, text: String) -> ProbeDocument {
    ProbeDocument {
        api_version: API_VERSION.to_owned(),
        kind: PROBE_KIND.to_owned(),
        probe: probe.as_str().to_owned(),
        text,
    }
}

/// The name of a kind's files: its resource, with the group where several kinds share the resource's name.
fn name_of(kind: &'static Kind) -> String {
    let is_shared = kinds::ALL.iter().any(|other| other.resource == kind.resource && other.group != kind.group);
    if is_shared { kind.qualified() } else { kind.resource.to_owned() }
}

fn with_end(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The staging directory, which is removed together with this value.
///
/// Lists are read by tasks of their own, and a snapshot that is given up (an interrupt, a deadline, a list that fails)
/// does not wait for them: one may be writing a page on another thread. Files that it creates during or after the
/// removal would be left behind. So the removal waits for the page in progress, and lets no other begin.
struct Staging(Writable);

impl Drop for Staging {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// The staging directory, shared by the tasks that write into it.
#[derive(Clone)]
struct Writable(Arc<RwLock<Option<tempfile::TempDir>>>);

impl Writable {
    /// Passes the directory to `write`, which it outlives.
    fn write<T, E: From<io::Error>>(&self, write: impl FnOnce(&Path) -> Result<T, E>) -> Result<T, E> {
        match &*self.0.read().unwrap_or_else(PoisonError::into_inner) {
            Some(directory) => write(directory.path()),
            None => Err(given_up().into()),
        }
    }

    /// Takes the directory from all writers, once they have finished their current page.
    fn close(&self) -> io::Result<tempfile::TempDir> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(given_up)
    }
}

fn given_up() -> io::Error {
    io::Error::other("the snapshot was given up")
}

/// A list being recorded. It is judged too, since the next lists depend on it.
pub struct RecordedList {
    judged: JudgedList,
    root: Writable,
    stem: String,
    api_version: String,
    key: ReadKey,
    files: Vec<String>,
    objects: usize,
}

impl Pages for RecordedList {
    fn page(&mut self, bytes: &[u8]) -> Result<ListPage, PageError> {
        let page = self.judged.page(bytes)?;
        let number = self.files.len() + 1;
        let name = if number == 1 { format!("{}.json", self.stem) } else { format!("{}-{number}.json", self.stem) };
        if !page.api_version.is_empty() {
            self.api_version.clone_from(&page.api_version);
        }
        self.root.write(|root| {
            let path = root.join(&name);
            fs::create_dir_all(output::directory(&path))?;
            let mut file = BufWriter::new(File::create(path)?);
            reduce::page(bytes, self.key.kind.kind, &self.api_version, &mut file)?;
            Ok::<_, PageError>(file.flush()?)
        })?;
        self.files.push(name);
        self.objects += page.items;
        Ok(page)
    }

    fn restart(&mut self) {
        self.judged.restart();
        self.forget();
    }
}

impl RecordedList {
    fn forget(&mut self) {
        for name in self.files.drain(..) {
            // A file that cannot be removed is overwritten, or reported by the index as surplus.
            let _left = self.root.write(|root| fs::remove_file(root.join(name)));
        }
        self.objects = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use aksarc_shared::data::embedded;
    use aksarc_shared::k8s::kinds;
    use aksarc_shared::verdict::check::Params;
    use jiff::Timestamp;

    use super::*;

    const PAGE: &[u8] = br#"{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[]}"#;

    /// A list in a namespace, whose pages need a directory of their own, and its recorder.
    fn recording(within: &Path, act: impl FnOnce(SnapshotRecorder<'_>, RecordedList)) {
        let mut check = Check::new(embedded(), Params::at(Timestamp::UNIX_EPOCH));
        let mut recorder = SnapshotRecorder::new(&mut check, &Form::Directory(within.join("s"))).unwrap();
        let key = ReadKey { kind: &kinds::SERVICE, namespace: Some("kube-system".to_owned()) };
        let list = recorder.start(&key);
        act(recorder, list);
    }

    #[test]
    fn a_list_that_outlives_its_snapshot_writes_nothing() {
        let within = tempfile::tempdir().unwrap();
        recording(within.path(), |recorder, mut list| {
            list.page(PAGE).unwrap();
            drop(recorder);
            assert!(matches!(list.page(PAGE), Err(PageError::Write(_))));
            list.restart();
        });
        assert_eq!(fs::read_dir(within.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_snapshot_that_is_given_up_waits_for_the_page_that_is_being_written() {
        let within = tempfile::tempdir().unwrap();
        recording(within.path(), |recorder, mut list| {
            let (tell, told) = mpsc::channel();
            let writer = std::thread::spawn(move || {
                (0..MANY).take_while(|_| list.page(PAGE).is_ok()).inspect(|_| tell.send(()).unwrap_or_default()).count()
            });
            told.recv().unwrap();
            drop(recorder);
            assert_eq!(fs::read_dir(within.path()).unwrap().count(), 0);
            assert!(writer.join().unwrap() < MANY, "it went on writing");
        });
        assert_eq!(fs::read_dir(within.path()).unwrap().count(), 0);
    }

    /// More pages than are written before the recorder is dropped.
    const MANY: usize = 10_000;
}
