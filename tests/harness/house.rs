//! The house as its source says it: rooms, files, the arrows between them, and names that stand for several types.
//!
//! An arrow goes from a file to a file that it uses: by a `use`, by a qualified path, or by a name that another file
//! hands on with `use`; then it goes to the file that defines the name. Tests are no part of the house: what
//! `#[cfg(test)]` leaves out of a build is left out here. Nothing is compiled, so an older checkout can be read too.

mod listing;
mod paths;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

pub use source::{Import, Source};

/// The crates of the product: their folder, and their name in paths.
pub const CRATES: [(&str, &str); 3] =
    [("shared", "aksarc_shared"), ("plugin", "kubectl_aksarc"), ("webhook", "aksarc_webhook")];

/// The rooms of `shared/src`, from the ground up. A room uses its own floor and those below it.
pub const FLOORS: [&[&str]; 9] = [
    &["chain", "moment", "text"],
    &["k8s"],
    &["data"],
    &["command"],
    &["finding"],
    &["facts"],
    &["rules"],
    &["people"],
    &["verdict"],
];

/// The most names that may stand for several types. The bar only falls.
pub const NAMES: usize = 4;

/// The source of the product, read and resolved.
#[derive(Debug)]
pub struct House {
    /// The files, by path.
    pub sources: Vec<Source>,
    /// Pairs of files, by their place in `sources`: the first uses the second.
    pub arrows: BTreeSet<(usize, usize)>,
    /// The types of every name that has more than one definition: the files that define it.
    pub names: BTreeMap<String, Vec<usize>>,
    /// The files that import two types of one name, with that name.
    pub twice: Vec<(usize, String)>,
}

impl House {
    /// The house of a checkout, by the folder that holds its `Cargo.toml`.
    ///
    /// # Errors
    /// A crate of the product is missing, or a file cannot be read or is no Rust.
    pub fn read(root: &Path) -> anyhow::Result<Self> {
        let mut texts = Vec::new();
        for (folder, _) in CRATES {
            let source = root.join(folder).join("src");
            ensure!(source.is_dir(), "{} is no folder of this checkout", source.display());
            collect(&source, &format!("{folder}/src"), &mut texts)?;
        }
        texts.sort();
        House::of(texts.iter().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// The house of made-up files: path and text of each.
    ///
    /// # Errors
    /// A text is no Rust.
    pub fn of<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> anyhow::Result<Self> {
        let mut sources = Vec::new();
        for (path, text) in texts {
            sources.push(Source::parse(path, text).with_context(|| path.to_owned())?);
        }
        sources.sort_by(|one, other| one.path.cmp(&other.path));
        source::leave_out_tests(&mut sources);
        let paths = paths::Paths::new(&sources);
        let (arrows, twice) = (paths.arrows(), paths.imported_twice());
        let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, source) in sources.iter().enumerate() {
            for name in &source.types {
                names.entry(name.clone()).or_default().push(at);
            }
        }
        // Arguments of a command are called so in every program that uses clap.
        names.retain(|name, files| files.len() > 1 && name != "Args");
        Ok(House { sources, arrows, names, twice })
    }

    /// The groups of files of one crate that use each other in a circle, by path. Each file stands in at most one.
    pub fn circles(&self) -> Vec<Vec<&str>> {
        let reached: Vec<BTreeSet<usize>> = (0..self.sources.len()).map(|from| self.reached(from)).collect();
        let both = |one: usize, other: usize| {
            reached.get(one).is_some_and(|all| all.contains(&other))
                && reached.get(other).is_some_and(|all| all.contains(&one))
        };
        let mut seen: BTreeSet<usize> = BTreeSet::new();
        let mut circles = Vec::new();
        for file in 0..self.sources.len() {
            if seen.contains(&file) || !both(file, file) {
                continue;
            }
            let circle: Vec<usize> = (0..self.sources.len()).filter(|other| both(file, *other)).collect();
            seen.extend(&circle);
            circles.push(circle.into_iter().map(|at| self.path(at)).collect());
        }
        circles
    }

    /// The arrows from one rule's file to another's: `from -> to` of each.
    pub fn rules_that_use_rules(&self) -> Vec<String> {
        let between = |&(from, to): &(usize, usize)| is_rule(self.path(from)) && is_rule(self.path(to));
        self.arrows.iter().filter(|arrow| between(arrow)).map(|arrow| self.shown(*arrow)).collect()
    }

    /// The arrows in `shared/src` from a lower room to a higher one, and the rooms without a floor.
    pub fn upward(&self) -> Vec<String> {
        let mut wrong = BTreeSet::new();
        for source in self.sources.iter().filter(|source| source.path.starts_with("shared/")) {
            if floor(&source.path).is_none() && !source.module.is_empty() {
                wrong.insert(format!("{} has no floor", room(&source.path)));
            }
        }
        for (from, to) in &self.arrows {
            let (lower, higher) = (self.path(*from), self.path(*to));
            if let (Some(own), Some(other)) = (floor(lower), floor(higher))
                && own < other
            {
                wrong.insert(self.shown((*from, *to)));
            }
        }
        wrong.into_iter().collect()
    }

    fn reached(&self, from: usize) -> BTreeSet<usize> {
        let (mut reached, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(file) = next.pop() {
            for (_, to) in self.arrows.range((file, 0)..(file + 1, 0)) {
                if reached.insert(*to) {
                    next.push(*to);
                }
            }
        }
        reached
    }

    fn path(&self, at: usize) -> &str {
        self.sources.get(at).map_or("", |source| &source.path)
    }

    fn shown(&self, (from, to): (usize, usize)) -> String {
        format!("{} -> {}", self.path(from), self.path(to))
    }
}

/// The room of a file: its crate, and the folder or file right below `src`.
pub fn room(path: &str) -> String {
    let mut parts = path.split('/');
    let (folder, below) = (parts.next().unwrap_or_default(), parts.nth(1).unwrap_or_default());
    format!("{folder}/{}", below.strip_suffix(".rs").unwrap_or(below))
}

fn floor(path: &str) -> Option<usize> {
    let room = room(path);
    let own = room.strip_prefix("shared/")?;
    FLOORS.iter().position(|rooms| rooms.contains(&own))
}

/// Whether a file is a rule's own, `aaNNN.rs`.
fn is_rule(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let digits = name.strip_prefix("aa").and_then(|rest| rest.strip_suffix(".rs"));
    path.starts_with("shared/src/rules/") && digits.is_some_and(|own| own.bytes().all(|byte| byte.is_ascii_digit()))
}

fn collect(folder: &Path, name: &str, texts: &mut Vec<(String, String)>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let below = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &below, texts)?;
        } else if entry.path().extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(entry.path()).with_context(|| below.clone())?;
            texts.push((below, text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house(texts: &[(&str, &str)]) -> House {
        House::of(texts.iter().copied()).unwrap()
    }

    fn arrows(texts: &[(&str, &str)]) -> Vec<String> {
        let house = house(texts);
        house.arrows.iter().map(|arrow| house.shown(*arrow)).collect()
    }

    const ROOT: (&str, &str) = ("shared/src/lib.rs", "pub mod data; pub mod k8s; pub mod text; mod rules;");

    #[test]
    fn an_arrow_is_a_use_or_a_qualified_path() {
        let target = ("shared/src/text.rs", "pub fn line() {} pub struct Text;");
        for user in [
            "use crate::text::line;",
            "use crate::{text::Text, data};",
            "use crate::text; fn f() { text::line() }",
            "fn f() { crate::text::line() }",
            "fn f() { super::text::line() }",
            "fn f(_: super::text::Text) {}",
            "fn f() { println!(\"{:?}\", crate::text::line()) }",
            "fn f() { use crate::text::line; }",
            "mod inner { use super::super::text::line; }",
            "struct S { #[serde(with = \"crate::text\")] field: u8 }",
        ] {
            let arrows = arrows(&[ROOT, target, ("shared/src/data.rs", user)]);
            assert_eq!(arrows, ["shared/src/data.rs -> shared/src/text.rs"], "{user}");
        }
    }

    #[test]
    fn an_arrow_of_another_crate_is_by_the_crates_name() {
        let texts = [
            ROOT,
            ("shared/src/text.rs", "pub fn line() {}"),
            ("plugin/src/lib.rs", "mod ui;"),
            ("plugin/src/ui.rs", "use aksarc_shared::text;\nfn f() { text::line() }"),
            ("plugin/src/main.rs", "fn main() { kubectl_aksarc::ui::f() }"),
        ];
        let expected = ["plugin/src/main.rs -> plugin/src/ui.rs", "plugin/src/ui.rs -> shared/src/text.rs"];
        let mut arrows = arrows(&texts);
        arrows.sort();
        assert_eq!(arrows, expected);
    }

    #[test]
    fn a_path_through_another_files_use_goes_to_the_file_that_defines_the_name() {
        let parent = ("shared/src/data.rs", "mod platform; pub use platform::Platform; pub fn own() {}");
        let child = ("shared/src/data/platform.rs", "pub enum Platform { Local }");
        for (user, to) in [
            ("use crate::data::Platform;", "shared/src/data/platform.rs"),
            ("use crate::data; fn f() -> data::Platform { data::Platform::Local }", "shared/src/data/platform.rs"),
            ("fn f() { crate::data::own() }", "shared/src/data.rs"),
        ] {
            let arrows = arrows(&[ROOT, parent, child, ("shared/src/k8s.rs", user)]);
            assert_eq!(arrows, [format!("shared/src/k8s.rs -> {to}")], "{user}");
        }
        let sibling = ("shared/src/data/versions.rs", "use super::Platform;");
        assert_eq!(
            arrows(&[ROOT, parent, child, sibling]),
            ["shared/src/data/versions.rs -> shared/src/data/platform.rs"]
        );
        let all = ("shared/src/data.rs", "mod platform; pub use platform::*;");
        let user = ("shared/src/k8s.rs", "use crate::data::Platform;");
        assert_eq!(arrows(&[ROOT, all, child, user]), ["shared/src/k8s.rs -> shared/src/data/platform.rs"]);
    }

    #[test]
    fn handing_on_a_childs_name_is_no_arrow_and_using_it_is_one() {
        let child = ("shared/src/data/platform.rs", "pub enum Platform { Local }");
        let only = ("shared/src/data.rs", "mod platform; pub use platform::Platform;");
        assert_eq!(arrows(&[ROOT, only, child]), Vec::<String>::new());
        let used = ("shared/src/data.rs", "mod platform; pub use platform::Platform; fn f(_: Platform) {}");
        assert_eq!(arrows(&[ROOT, used, child]), ["shared/src/data.rs -> shared/src/data/platform.rs"]);
        let foreign = ("shared/src/k8s.rs", "pub use crate::data::Platform;");
        assert_eq!(arrows(&[ROOT, only, child, foreign]), ["shared/src/k8s.rs -> shared/src/data/platform.rs"]);
    }

    #[test]
    fn tests_are_no_part_of_the_house() {
        let texts = [
            ROOT,
            (
                "shared/src/text.rs",
                "#[cfg(test)] mod samples; #[cfg(test)] mod tests { struct Text; use crate::data; }",
            ),
            ("shared/src/text/samples.rs", "struct Text; fn f() { crate::data::own() }"),
            (
                "shared/src/data.rs",
                "struct Text; #[cfg(test)] use crate::text; #[cfg(test)] fn f() { crate::text::g() }",
            ),
        ];
        let house = house(&texts);
        assert!(house.arrows.is_empty() && house.names.is_empty(), "{house:?}");
        assert!(!house.sources.iter().any(|source| source.path.ends_with("samples.rs")));
    }

    #[test]
    fn files_that_use_each_other_are_a_circle_and_one_way_is_none() {
        let (data, text) = (("shared/src/data.rs", "use crate::text::line;"), ("shared/src/text.rs", "fn line() {}"));
        assert_eq!(house(&[ROOT, data, text]).circles(), Vec::<Vec<&str>>::new());
        let back = ("shared/src/text.rs", "fn line() { crate::k8s::f() }");
        let (k8s, rules) =
            (("shared/src/k8s.rs", "use crate::data::own;"), ("shared/src/rules.rs", "use crate::data;"));
        let house = house(&[ROOT, data, back, k8s, rules]);
        assert_eq!(house.circles(), [["shared/src/data.rs", "shared/src/k8s.rs", "shared/src/text.rs"]]);
    }

    #[test]
    fn a_rule_that_uses_another_rule_is_reported() {
        let rules = ("shared/src/rules.rs", "mod aa101; mod aa102; mod parts;");
        let (one, parts) = (("shared/src/rules/aa101.rs", "pub fn f() {}"), ("shared/src/rules/parts.rs", "fn f() {}"));
        let by = |text| house(&[ROOT, rules, one, ("shared/src/rules/aa102.rs", text), parts]).rules_that_use_rules();
        assert_eq!(by("use super::parts::f;"), Vec::<String>::new());
        let expected = ["shared/src/rules/aa102.rs -> shared/src/rules/aa101.rs"];
        assert_eq!(by("use super::aa101::f;"), expected);
        assert_eq!(by("fn g() { crate::rules::aa101::f() }"), expected);
    }

    #[test]
    fn a_room_that_uses_a_higher_one_is_reported_and_so_is_one_without_a_floor() {
        let (data, k8s) = ("shared/src/data/platform.rs", "shared/src/k8s/node.rs");
        let root = ("shared/src/lib.rs", "pub mod data; pub mod k8s;");
        assert_eq!(
            house(&[root, (data, "use crate::k8s::node::N;"), (k8s, "struct N;")]).upward(),
            Vec::<String>::new()
        );
        let up = house(&[root, (k8s, "use crate::data::platform::P;"), (data, "struct P;")]).upward();
        assert_eq!(up, ["shared/src/k8s/node.rs -> shared/src/data/platform.rs"]);
        assert_eq!(house(&[root, ("shared/src/attic/a.rs", "")]).upward(), ["shared/attic has no floor"]);
    }

    #[test]
    fn a_name_of_several_types_is_reported_but_no_associated_type_and_no_arguments() {
        let one = "struct Text; struct Args; trait T { type Own; } impl T for Text { type Own = u8; }";
        let two = "pub type Text = u8; struct Args; fn f() { enum Own {} }";
        let builds = "#[cfg(unix)] type Stream = u8; #[cfg(windows)] type Stream = u16;";
        let texts = [("shared/src/data.rs", one), ("shared/src/k8s.rs", two), ("shared/src/rules.rs", builds)];
        let house = house(&[&[ROOT], &texts[..]].concat());
        assert_eq!(house.names.keys().collect::<Vec<_>>(), ["Text"]);
    }

    #[test]
    fn a_file_that_imports_two_types_of_one_name_is_reported() {
        let (one, two) = (("shared/src/data.rs", "pub struct Text;"), ("shared/src/k8s.rs", "pub struct Text;"));
        let by = |text| house(&[ROOT, one, two, ("shared/src/rules.rs", text)]).twice.len();
        assert_eq!(by("use crate::data::Text; use crate::k8s::f;"), 0);
        assert_eq!(by("use crate::data::Text; use crate::k8s::Text as Other;"), 1);
        assert_eq!(by("use crate::k8s::Text as Other; struct Text;"), 1);
        assert_eq!(by("use crate::data::Text as One; use crate::data::Text as Same;"), 0);
    }
}
