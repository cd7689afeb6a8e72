//! The lines on which objects and their fields stand in files of manifests.

use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};

use serde_json::value::RawValue;
use serde_saphyr::granit_parser::{Event, Parser, Span};

use super::documents;

/// A line and a column of a file, both from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilePosition {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// An object in a file: its document, and the items of lists that lead to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectInFile {
    /// The number of the document, from 1 on; empty ones are not counted.
    pub document: usize,
    /// The number of the item in each list, from 0 on.
    pub items: Vec<usize>,
}

/// The positions in one file of manifests.
pub struct FilePositions {
    documents: Vec<Node>,
}

/// A value with its position. What it stands for does not matter, so that aliases are leaves.
struct Node {
    at: FilePosition,
    value: NodeValue,
}

enum NodeValue {
    Map(Vec<(Node, Node)>),
    List(Vec<Node>),
    Leaf(String),
}

impl FilePositions {
    /// The positions in a text, YAML or JSON; as many documents as can be read.
    pub fn of(text: &str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let documents = if text.trim_start().starts_with('{') { json(text) } else { yaml(text, 0) };
        FilePositions { documents }
    }

    /// The positions in a file; none where it cannot be read.
    pub(crate) fn in_file(path: &Path) -> Self {
        let bytes = documents::whole(path).unwrap_or_default();
        let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= MAX_TEXT);
        FilePositions::of(text.unwrap_or_default())
    }

    /// The position of a field of an object: of its key, or of the nearest key above it, or of the object.
    pub fn field(&self, object: &ObjectInFile, path: &str) -> Option<FilePosition> {
        let mut node = self.documents.get(object.document.checked_sub(1)?)?;
        for number in &object.items {
            let (_, items) = node.entry("items")?;
            node = items.item(*number)?;
        }
        let mut at = node.at;
        for step in steps(path) {
            let found = match &step {
                PathStep::Field(name) => node.entry(name),
                PathStep::Inner(name) => node.entry(name).or_else(|| node.named_item(name).map(|item| (item.at, item))),
            };
            let Some((position, next)) = found else { break };
            (at, node) = (position, next);
        }
        Some(at)
    }
}

impl Node {
    /// The value of a key, with the position of the key.
    fn entry(&self, key: &str) -> Option<(FilePosition, &Node)> {
        let NodeValue::Map(entries) = &self.value else { return None };
        // Of a key that is there twice the last counts.
        let found = entries.iter().rev().find(|(own, _)| own.text() == Some(key));
        found.map(|(own, value)| (own.at, value))
    }

    fn item(&self, number: usize) -> Option<&Node> {
        let NodeValue::List(items) = &self.value else { return None };
        items.get(number)
    }

    /// The item of a list that a path calls `name=coredns`, `coredns` or `2`.
    fn named_item(&self, name: &str) -> Option<&Node> {
        let NodeValue::List(items) = &self.value else { return None };
        let has = |item: &&Node, key: Option<&str>, value: &str| match &item.value {
            NodeValue::Map(entries) => entries
                .iter()
                .any(|(own, held)| key.is_none_or(|key| own.text() == Some(key)) && held.text() == Some(value)),
            NodeValue::List(_) => false,
            NodeValue::Leaf(text) => key.is_none() && text == value,
        };
        let by_key =
            name.split_once('=').and_then(|(key, value)| items.iter().find(|item| has(item, Some(key), value)));
        let by_name = || items.iter().find(|item| has(item, Some("name"), name));
        let by_value = || items.iter().find(|item| has(item, None, name));
        by_key.or_else(by_name).or_else(by_value).or_else(|| items.get(name.parse::<usize>().ok()?))
    }

    fn text(&self) -> Option<&str> {
        if let NodeValue::Leaf(text) = &self.value { Some(text) } else { None }
    }
}

/// A step of a finding's path: `spec`, or `[name=coredns]`.
enum PathStep<'p> {
    Field(&'p str),
    Inner(&'p str),
}

/// The steps of a path such as `spec.containers[name=coredns].image`.
fn steps(path: &str) -> Vec<PathStep<'_>> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (name, after) = inner.split_once(']').unwrap_or((inner, ""));
            steps.push(PathStep::Inner(name));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            if !name.is_empty() {
                steps.push(PathStep::Field(name));
            }
            rest = after.strip_prefix('.').unwrap_or(after);
        }
    }
    steps
}

/// The documents of a JSON text, which is YAML too, each read by itself.
fn json(text: &str) -> Vec<Node> {
    let mut documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut nodes = Vec::new();
    let (mut read, mut line, mut column) = (0, 0, 0);
    while let Some(Ok(document)) = documents.next() {
        let begins = documents.byte_offset().saturating_sub(document.get().len());
        // Only what was not read before is looked at: there can be as many documents as bytes.
        let between = text.get(read..begins).unwrap_or_default();
        let last = between.rsplit('\n').next().unwrap_or_default();
        column = last.chars().count() + if last.len() == between.len() { column } else { 0 };
        line += between.matches('\n').count();
        read = begins;
        let whole = Node { at: FilePosition { line: line + 1, column: column + 1 }, value: NodeValue::Map(Vec::new()) };
        nodes.push(yaml(document.get(), line).into_iter().next().unwrap_or(whole));
    }
    nodes
}

/// The documents of a YAML text that begins `above` lines further down. What cannot be read ends them.
fn yaml(text: &str, above: usize) -> Vec<Node> {
    let mut documents = Vec::new();
    let mut open: Vec<OpenNode> = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, span)) = event else { break };
        let at = position(&span, above);
        let done = match event {
            Event::MappingStart(..) => {
                open.push(OpenNode { at, key: None, value: NodeValue::Map(Vec::new()) });
                None
            }
            Event::SequenceStart(..) => {
                open.push(OpenNode { at, key: None, value: NodeValue::List(Vec::new()) });
                None
            }
            Event::MappingEnd | Event::SequenceEnd => open.pop().map(|node| Node { at: node.at, value: node.value }),
            Event::Scalar(text, ..) => Some(Node { at, value: NodeValue::Leaf(text.into_owned()) }),
            Event::Alias(_) => Some(Node { at, value: NodeValue::Leaf(String::new()) }),
            _ => None,
        };
        let Some(node) = done else { continue };
        match open.last_mut() {
            Some(above) => above.put(node),
            // A document of nothing is none.
            None if node.text().is_some_and(is_null) => {}
            None => documents.push(node),
        }
    }
    documents
}

/// A map or list that is not complete.
struct OpenNode {
    at: FilePosition,
    key: Option<Node>,
    value: NodeValue,
}

impl OpenNode {
    fn put(&mut self, node: Node) {
        match &mut self.value {
            NodeValue::Map(entries) => match self.key.take() {
                None => self.key = Some(node),
                Some(key) => entries.push((key, node)),
            },
            NodeValue::List(items) => items.push(node),
            NodeValue::Leaf(_) => {}
        }
    }
}

fn position(span: &Span, above: usize) -> FilePosition {
    FilePosition { line: span.start.line() + above, column: span.start.col() + 1 }
}

fn is_null(text: &str) -> bool {
    ["", "~", "null", "Null", "NULL"].contains(&text)
}

/// The name of a file as reports have it: relative to `directory` where it is below it, and with `/` between its parts.
pub(crate) fn file_name(path: &str, directory: Option<&Path>) -> String {
    let path = Path::new(path);
    let path = directory.and_then(|directory| path.strip_prefix(directory).ok()).unwrap_or(path);
    let parts: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    parts.to_string_lossy().replace(MAIN_SEPARATOR, "/")
}

/// The longest text whose lines are looked for: nobody reviews a longer one, and its positions would take much memory.
const MAX_TEXT: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFESTS: &str = "\
# The first document is empty.
---
---
apiVersion: v1
kind: Node
metadata:
  name: moc-l1
  labels:
    kubernetes.io/hostname: other
    \"example.com/a\": b
spec:
  taints:
  - key: example.com/reserved
    effect: NoSchedule
---
apiVersion: v1
kind: List
items:
- {kind: A}
- kind: Deployment
  spec:
    template:
      spec:
        containers:
        - image: a
          name: web
        - name: log
          image: b
          args: [one, two]
";

    #[track_caller]
    fn assert_at(text: &str, (document, items): (usize, &[usize]), path: &str, expected: (usize, usize)) {
        let object = ObjectInFile { document, items: items.to_vec() };
        let found = FilePositions::of(text).field(&object, path);
        assert_eq!(found, Some(FilePosition { line: expected.0, column: expected.1 }), "{path}");
    }

    #[test]
    fn a_field_is_where_its_key_stands() {
        let node = (1, &[][..]);
        assert_at(MANIFESTS, node, "", (4, 1));
        assert_at(MANIFESTS, node, "metadata.labels[kubernetes.io/hostname]", (9, 5));
        assert_at(MANIFESTS, node, "metadata.labels[example.com/a]", (10, 5));
        assert_at(MANIFESTS, node, "spec.taints[example.com/reserved]", (13, 5));
        let deployment = (2, &[1][..]);
        assert_at(MANIFESTS, deployment, "", (20, 3));
        assert_at(MANIFESTS, deployment, "spec.template.spec.containers[name=log].image", (28, 11));
        assert_at(MANIFESTS, deployment, "spec.template.spec.containers[web].image", (25, 11));
        assert_at(MANIFESTS, deployment, "spec.template.spec.containers[1].args[two]", (29, 23));
        assert_at(MANIFESTS, (2, &[0]), "kind", (19, 4));
    }

    #[test]
    fn what_is_not_there_is_where_it_would_be() {
        assert_at(MANIFESTS, (1, &[]), "metadata.namespace", (6, 1));
        assert_at(MANIFESTS, (1, &[]), "status.conditions[Ready]", (4, 1));
        let object = |document, items: &[usize]| ObjectInFile { document, items: items.to_vec() };
        for object in [object(0, &[]), object(3, &[]), object(2, &[2]), object(1, &[0])] {
            assert_eq!(FilePositions::of(MANIFESTS).field(&object, ""), None, "{object:?}");
        }
    }

    #[test]
    fn json_is_read_by_its_documents() {
        let text = "\u{feff}\n{\"a\": \"\\ud83d\\ude00\",\n \"b\": 1}\n  {\n\t\"c\": {\"d\": [1]}\n}";
        assert_at(text, (1, &[]), "", (2, 1));
        assert_at(text, (2, &[]), "c.d", (5, 8));
    }

    #[test]
    fn files_are_named_from_the_directory_of_the_check() {
        let below = std::env::temp_dir();
        let of = |path: &str| file_name(path, Some(&below));
        assert_eq!(of("./deploy/./a.yaml"), "deploy/a.yaml");
        assert_eq!(of("../a.yaml"), "../a.yaml");
        assert_eq!(of(&below.join("deploy").join("a.yaml").to_string_lossy()), "deploy/a.yaml");
        assert_eq!(of("/somewhere/else/a.yaml"), "/somewhere/else/a.yaml");
    }
}
