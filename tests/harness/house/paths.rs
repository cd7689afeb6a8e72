//! From the paths of a file to the files that define what they name.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Import, Source};

/// The modules of all crates, and what is known in each.
pub(super) struct Paths<'s> {
    sources: &'s [Source],
    /// The file of each module, by crate and module.
    modules: BTreeMap<(&'s str, Vec<String>), usize>,
    /// The names that a module's `use`s bring in.
    imports: BTreeMap<(&'s str, &'s [String]), Vec<&'s Import>>,
}

/// The place where a name is defined: the file, and its whole path, which tells two types of one name apart.
type Home = (usize, String);

impl<'s> Paths<'s> {
    pub(super) fn new(sources: &'s [Source]) -> Self {
        let mut modules = BTreeMap::new();
        let mut imports: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (at, source) in sources.iter().enumerate() {
            let name = source.crate_name.as_str();
            if !name.is_empty() {
                modules.insert((name, source.module.clone()), at);
                modules.extend(source.inline.iter().map(|inline| ((name, inline.clone()), at)));
            }
            for import in &source.imports {
                imports.entry((name, import.within.as_slice())).or_default().push(import);
            }
        }
        Paths { sources, modules, imports }
    }

    /// Pairs of files of which the first uses the second.
    pub(super) fn arrows(&self) -> BTreeSet<(usize, usize)> {
        let mut arrows = BTreeSet::new();
        for (at, source) in self.sources.iter().enumerate() {
            let imports = source.imports.iter().filter(|import| self.is_use(source, import));
            let imports = imports.map(|import| (&import.within, &import.path));
            let paths = source.paths.iter().map(|(within, path)| (within, path));
            for (within, path) in imports.chain(paths) {
                if let Some((to, _)) = self.home(source, within, path)
                    && to != at
                {
                    arrows.insert((at, to));
                }
            }
        }
        arrows
    }

    /// The files that import two types of one name, or one beside a type of that name of their own.
    pub(super) fn imported_twice(&self) -> Vec<(usize, String)> {
        let mut twice = Vec::new();
        for (at, source) in self.sources.iter().enumerate() {
            let mut homes: BTreeMap<&str, BTreeSet<Home>> = BTreeMap::new();
            for import in source.imports.iter().filter(|import| import.name.is_some()) {
                let Some(name) = import.path.last() else { continue };
                let home = self.home(source, &import.within, &import.path);
                if let Some(home) = home.filter(|(file, _)| self.types(*file).any(|own| own == name)) {
                    homes.entry(name).or_default().insert(home);
                }
            }
            for (name, mut homes) in homes {
                if source.types.iter().any(|own| own == name) {
                    homes.insert((at, name.to_owned()));
                }
                // An own type that is handed on from here counts once.
                if homes.iter().map(|(file, _)| file).collect::<BTreeSet<_>>().len() > 1 {
                    twice.push((at, name.to_owned()));
                }
            }
        }
        twice
    }

    fn types(&self, file: usize) -> impl Iterator<Item = &'s String> {
        self.sources.get(file).into_iter().flat_map(|source| &source.types)
    }

    /// Whether an import is more than the way to a module or a name handed on from a child.
    fn is_use(&self, source: &Source, import: &Import) -> bool {
        let Some((krate, path)) = self.whole(source, &import.within, &import.path, DEPTH) else { return false };
        // A module by itself: the paths that begin with it say what of it is used.
        if import.name.is_some() && self.modules.contains_key(&(krate, path.clone())) {
            return false;
        }
        let own_child = krate == source.crate_name && path.starts_with(&source.module);
        let used = import.name.as_ref().is_some_and(|name| source.words.contains(name));
        !import.handed_on || !own_child || used
    }

    /// The file that defines what a path names.
    fn home(&self, source: &Source, within: &[String], path: &[String]) -> Option<Home> {
        let (krate, path) = self.whole(source, within, path, DEPTH)?;
        self.defined(krate, &path, DEPTH)
    }

    /// The crate of a path and the way from its root; `None` for what is no part of the house.
    fn whole(
        &self,
        source: &Source,
        within: &[String],
        path: &[String],
        depth: usize,
    ) -> Option<(&'s str, Vec<String>)> {
        let depth = depth.checked_sub(1)?;
        let own = crate_of(&source.crate_name);
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some((own?, rest.to_vec())),
            "self" => Some((own?, [within, rest].concat())),
            "super" => {
                let ups = path.iter().take_while(|part| *part == "super").count();
                let kept = within.get(..within.len().checked_sub(ups)?)?;
                Some((own?, [kept, path.get(ups..)?].concat()))
            }
            name => {
                if let Some(other) = crate_of(name) {
                    return Some((other, rest.to_vec()));
                }
                let child = [within, std::slice::from_ref(first)].concat();
                if let Some(own) = own
                    && self.modules.contains_key(&(own, child.clone()))
                {
                    return Some((own, [&child, rest].concat()));
                }
                let import = source.imports.iter().find(|import| {
                    import.within == within && import.name.as_ref() == Some(first) && import.path.first() != Some(first)
                })?;
                self.whole(source, within, &[&import.path, rest].concat(), depth)
            }
        }
    }

    /// The file that defines what stands at a path of a crate, whoever hands it on.
    fn defined(&self, krate: &'s str, path: &[String], depth: usize) -> Option<Home> {
        let depth = depth.checked_sub(1)?;
        let length = (0..=path.len()).rev().find(|length| {
            path.get(..*length).is_some_and(|module| self.modules.contains_key(&(krate, module.to_vec())))
        })?;
        let (module, rest) = path.split_at(length);
        let file = *self.modules.get(&(krate, module.to_vec()))?;
        let source = self.sources.get(file)?;
        let Some((name, below)) = rest.split_first() else { return Some((file, path.join("::"))) };
        if source.items.contains(&[module, std::slice::from_ref(name)].concat().join("::")) {
            return Some((file, path.join("::")));
        }
        let imports = self.imports.get(&(krate, module)).map(Vec::as_slice).unwrap_or_default();
        let named = imports.iter().find(|import| import.name.as_ref() == Some(name));
        if let Some(import) = named {
            let (krate, path) = self.whole(source, module, &import.path, DEPTH)?;
            return self.defined(krate, &[&path, below].concat(), depth);
        }
        for import in imports.iter().filter(|import| import.name.is_none()) {
            if let Some((krate, path)) = self.whole(source, module, &import.path, DEPTH)
                && let Some((home, whole)) = self.defined(krate, &[&path, rest].concat(), depth)
                && self.sources.get(home).is_some_and(|source| source.items.contains(&whole))
            {
                return Some((home, whole));
            }
        }
        Some((file, path.join("::")))
    }
}

/// The name of a crate of the house, if it is one.
fn crate_of<'a>(name: &str) -> Option<&'a str> {
    super::CRATES.iter().map(|(_, own)| *own).find(|own| *own == name)
}

/// More names than this never hand one on to the next.
const DEPTH: usize = 16;
