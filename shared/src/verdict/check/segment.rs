//! One list of a check, read page by page.

use super::state::Check;
use super::written::Written;
use crate::data::Data;
use crate::facts::baseline::Recorder;
use crate::facts::inventory::{Facts, ReadKey, ReadState, Unjudged};
use crate::facts::notes::Notes;
use crate::k8s::fit;
use crate::k8s::kinds::Kind;
use crate::k8s::object::Object;
use crate::k8s::read::json::{self, ListPage, ReadError};
use crate::rules::derive;
use crate::rules::rule::{Rule, Seen};

/// A list being read. Pages of several lists can be read at the same time; the segment of a list that starts over is
/// dropped.
#[derive(Debug)]
pub struct Segment<'d> {
    key: ReadKey,
    data: &'d Data,
    rules: Vec<&'static Rule>,
    /// Their judgements of single objects, in the same order.
    judges: Vec<fn(&Seen<'_, '_>, &mut Notes)>,
    notes: Vec<Notes>,
    facts: Facts,
    recorder: Option<Recorder>,
    objects: usize,
    unjudged: Option<Unjudged>,
    /// `None` where the absence of managedFields means nothing.
    written: Option<Written>,
}

impl<'d> Check<'d> {
    /// Begins a list.
    pub fn segment(&self, key: &ReadKey) -> Segment<'d> {
        let wanted = self.params.rules.iter().copied().filter(|rule| self.wants(rule, key));
        let (rules, judges): (Vec<_>, Vec<_>) =
            wanted.filter_map(|rule| Some((rule, rule.state().per_object?))).unzip();
        let notes = rules.iter().map(|_| Notes::default()).collect();
        let recorder = (self.params.record || self.params.baseline.is_some()).then(Recorder::default);
        let (key, facts) = (key.clone(), Facts::default());
        let written = (!self.params.as_written).then(Written::default);
        Segment { key, data: self.data, rules, judges, notes, facts, recorder, objects: 0, unjudged: None, written }
    }

    /// Adds a list that was read to its end.
    pub fn complete(&mut self, segment: Segment<'d>) {
        let state = ReadState::Complete { objects: segment.objects };
        self.merge(segment, state);
    }

    /// Adds a list that was cut short. Its findings count, absences do not.
    pub fn cut_short(&mut self, segment: Segment<'d>, why: String) {
        self.merge(segment, ReadState::Failed(why));
    }

    fn merge(&mut self, segment: Segment<'d>, state: ReadState) {
        self.objects += segment.objects;
        segment.facts.into_inventory(&mut self.inventory);
        if let Some(recorder) = segment.recorder {
            self.recorder.merge(recorder);
        }
        for (rule, notes) in segment.rules.iter().zip(segment.notes) {
            self.drafts.entry(rule.code).or_default().extend(notes.drafts);
            self.inventory.kept.entry(rule.code).or_default().merge(notes.kept);
        }
        if let Some(written) = segment.written {
            let (cleared, unwritten) = written.end();
            for (code, draft) in cleared {
                self.drafts.entry(code).or_default().push(draft);
            }
            self.unwritten.extend(unwritten);
        }
        let state = match (state, segment.unjudged) {
            (ReadState::Complete { .. }, Some(unjudged)) => ReadState::Partly(unjudged),
            (state, _) => state,
        };
        self.inventory.reads.insert(segment.key, state);
    }
}

impl Segment<'_> {
    /// Forgets all that was read, for a list that starts over.
    pub fn restart(&mut self) {
        self.notes.fill_with(Notes::default);
        self.facts = Facts::default();
        self.recorder = self.recorder.take().map(|_| Recorder::default());
        self.objects = 0;
        self.unjudged = None;
        self.written = self.written.take().map(|_| Written::default());
    }

    /// Reads one page of the list. Its objects are judged at once and not kept.
    ///
    /// # Errors
    /// [`ReadError`] when the bytes are not a list. Drop the segment then, or pass it to [`Check::cut_short`].
    pub fn page(&mut self, bytes: &[u8]) -> Result<ListPage, ReadError> {
        let kind = self.key.kind;
        json::page(bytes, |object| self.see(&object, kind))
    }

    /// Judges one object of the list.
    pub fn object(&mut self, object: &Object<'_>) {
        self.see(object, self.key.kind);
    }

    /// The number of objects read.
    pub fn objects(&self) -> usize {
        self.objects
    }

    fn see(&mut self, object: &Object<'_>, kind: &'static Kind) {
        self.objects += 1;
        if let Err(misfit) = fit::check(object, kind, "", None) {
            return self.leave(object, &misfit.to_string());
        }
        let seen = derive::seen(object, kind, self.data);
        let mut found: Vec<Notes> = self.rules.iter().map(|_| Notes::default()).collect();
        let mut asked: Vec<&'static Rule> = Vec::new();
        for ((rule, judge), notes) in self.rules.iter().zip(&self.judges).zip(&mut found) {
            object.forget_asking();
            judge(&seen, notes);
            asked.extend(object.was_asked_for_managed().then_some(*rule));
        }
        let mut facts = Facts::default();
        facts.add(object, kind, self.data);
        if let Some(why) = object.unread() {
            // A rule may have taken parts that it was not shown as missing.
            return self.leave(object, &why);
        }
        self.facts.merge(facts);
        if let Some(written) = &mut self.written {
            written.see(object, kind, &self.rules, &asked);
        }
        for (notes, own) in self.notes.iter_mut().zip(found) {
            notes.merge(own);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.add(object, kind, self.data);
            if let Some(why) = object.unread() {
                self.leave(object, &why);
            }
        }
    }

    /// Records that an object is not judged.
    fn leave(&mut self, object: &Object<'_>, why: &str) {
        let one = Unjudged::one(object, why);
        self.unjudged = Some(match self.unjudged.take() {
            Some(others) => others.and(one),
            None => one,
        });
    }
}
