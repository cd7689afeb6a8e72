//! One file: its module, what it imports, the paths it uses, and the types it defines.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemMod, ItemUse, UseTree, Visibility};

/// A file of the product, without its tests.
#[derive(Debug)]
pub struct Source {
    /// `shared/src/data/platform.rs`.
    pub path: String,
    /// The number of its lines, its tests among them.
    pub lines: usize,
    /// The crate's name in paths; empty for a program beside the crate's library.
    pub(super) crate_name: String,
    /// Its module path in its crate: `data`, `platform`. Empty for the root.
    pub(super) module: Vec<String>,
    /// The modules written out in it, below `module`.
    pub(super) inline: BTreeSet<Vec<String>>,
    /// The names that its `use`s bring in.
    pub(super) imports: Vec<Import>,
    /// The qualified paths in it, with the module each stands in.
    pub(super) paths: Vec<(Vec<String>, Vec<String>)>,
    /// Every word in it outside of `use`.
    pub(super) words: BTreeSet<String>,
    /// The items that it defines at the top of a module: `data`, `platform`, `Platform` below `module`.
    pub(super) items: BTreeSet<String>,
    /// The types that it defines.
    pub(super) types: Vec<String>,
    /// The child modules that only tests have.
    tests: Vec<String>,
}

/// One name that a `use` brings in.
#[derive(Debug)]
pub struct Import {
    /// The module that it stands in.
    pub(super) within: Vec<String>,
    /// The path as written.
    pub(super) path: Vec<String>,
    /// The name it has here; `None` for `*`.
    pub(super) name: Option<String>,
    /// Whether it is handed on to others.
    pub(super) handed_on: bool,
}

impl Source {
    pub(super) fn parse(path: &str, text: &str) -> syn::Result<Self> {
        let file = syn::parse_file(text)?;
        let (crate_name, module) = place(path);
        let mut source = Source {
            path: path.to_owned(),
            lines: text.lines().count(),
            crate_name,
            module: module.clone(),
            inline: BTreeSet::new(),
            imports: Vec::new(),
            paths: Vec::new(),
            words: BTreeSet::new(),
            items: BTreeSet::new(),
            types: Vec::new(),
            tests: Vec::new(),
        };
        Reader { source: &mut source, module }.visit_file(&file);
        Ok(source)
    }
}

/// Removes the files of modules that only tests have.
pub(super) fn leave_out_tests(sources: &mut Vec<Source>) {
    let below = |source: &Source, name: &String| [source.module.clone(), vec![name.clone()]].concat();
    let tests: Vec<(String, Vec<String>)> = sources
        .iter()
        .flat_map(|source| source.tests.iter().map(|name| (source.crate_name.clone(), below(source, name))))
        .collect();
    sources.retain(|source| {
        !tests.iter().any(|(of, module)| *of == source.crate_name && source.module.starts_with(module))
    });
}

/// Crate and module of a file, by its path.
fn place(path: &str) -> (String, Vec<String>) {
    let (folder, below) = path.split_once("/src/").unwrap_or((path, ""));
    let name = super::CRATES.iter().find(|(own, _)| *own == folder).map_or("", |(_, name)| *name);
    let mut module: Vec<String> = below.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if below == "main.rs" || below.starts_with("bin/") {
        return (String::new(), Vec::new());
    }
    if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
        module.pop();
    }
    (name.to_owned(), module)
}

struct Reader<'s> {
    source: &'s mut Source,
    module: Vec<String>,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = of(item);
        if is_test(attributes) {
            if let Item::Mod(module) = item {
                self.source.tests.push(module.ident.to_string());
            }
            return;
        }
        if let Some(name) = name {
            self.source.items.insert([self.module.clone(), vec![name.to_string()]].concat().join("::"));
            let name = name.to_string();
            // One of several that builds choose from is one type: each build has one.
            let other_build = is_conditional(attributes) && self.source.types.contains(&name);
            if matches!(item, Item::Enum(_) | Item::Struct(_) | Item::Trait(_) | Item::Type(_) | Item::Union(_))
                && !other_build
            {
                self.source.types.push(name);
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_test(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if module.content.is_some() {
            self.module.push(module.ident.to_string());
            self.source.inline.insert(self.module.clone());
            visit::visit_item_mod(self, module);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let handed_on = !matches!(item.vis, Visibility::Inherited);
        self.import(&item.tree, Vec::new(), handed_on);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.path(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, makro: &'ast syn::Macro) {
        self.tokens(makro.tokens.clone());
        visit::visit_macro(self, makro);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        // A path of serde's stands in a text: `#[serde(with = "crate::text")]`.
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

impl Reader<'_> {
    fn import(&mut self, tree: &UseTree, mut path: Vec<String>, handed_on: bool) {
        let within = self.module.clone();
        let name = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.import(&part.tree, path, handed_on);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, path.clone(), handed_on));
                return;
            }
            UseTree::Glob(_) => None,
            UseTree::Name(own) if own.ident == "self" => path.last().cloned(),
            UseTree::Name(own) => {
                path.push(own.ident.to_string());
                Some(own.ident.to_string())
            }
            UseTree::Rename(own) => {
                if own.ident != "self" {
                    path.push(own.ident.to_string());
                }
                Some(own.rename.to_string())
            }
        };
        self.source.imports.push(Import { within, path, name, handed_on });
    }

    fn path(&mut self, path: Vec<String>) {
        self.source.words.extend(path.first().cloned());
        if path.len() > 1 {
            self.source.paths.push((self.module.clone(), path));
        }
    }

    /// Reads the paths in what is not parsed: the arguments of macros and attributes.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(word) => {
                    if colons != 2 && !path.is_empty() {
                        self.path(std::mem::take(&mut path));
                    }
                    path.push(word.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => colons += 1,
                other => {
                    self.path(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group)
                            if group.delimiter() != Delimiter::None || !group.stream().is_empty() =>
                        {
                            self.tokens(group.stream());
                        }
                        TokenTree::Literal(text) => self.text(&text.to_string()),
                        _ => {}
                    }
                }
            }
        }
        self.path(path);
    }

    fn text(&mut self, literal: &str) {
        let words = literal.trim_matches('"');
        let is_word = |word: &str| !word.is_empty() && word.chars().all(|own| own.is_alphanumeric() || own == '_');
        if words.contains("::") && words.split("::").all(is_word) {
            self.path(words.split("::").map(str::to_owned).collect());
        }
    }
}

/// Whether an item with these attributes is part of a build of the tests alone.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// Whether only some builds have what bears these attributes.
fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}

/// Attributes and name of an item.
fn of(item: &Item) -> (&[Attribute], Option<&Ident>) {
    match item {
        Item::Const(own) => (&own.attrs, Some(&own.ident)),
        Item::Enum(own) => (&own.attrs, Some(&own.ident)),
        Item::Fn(own) => (&own.attrs, Some(&own.sig.ident)),
        Item::Impl(own) => (&own.attrs, None),
        Item::Macro(own) => (&own.attrs, own.ident.as_ref()),
        Item::Mod(own) => (&own.attrs, None),
        Item::Static(own) => (&own.attrs, Some(&own.ident)),
        Item::Struct(own) => (&own.attrs, Some(&own.ident)),
        Item::Trait(own) => (&own.attrs, Some(&own.ident)),
        Item::Type(own) => (&own.attrs, Some(&own.ident)),
        Item::Union(own) => (&own.attrs, Some(&own.ident)),
        Item::Use(own) => (&own.attrs, None),
        _ => (&[], None),
    }
}
