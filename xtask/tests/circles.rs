//! No files of a crate import each other in a circle, so that each file can be read with only the
//! files below it in mind.
//!
//! A name counts for the file that defines it. So a file that only declares modules and exports
//! their items again imports nothing.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemUse, Macro, UseTree, Visibility};

/// An inline module is a part of its file.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// The paths of what it imports, by the names that they have in it.
    imports: BTreeMap<String, String>,
    /// The paths in its code.
    paths: BTreeSet<String>,
}

/// The modules of a crate, by their paths, such as `crate::alert::record`.
type Modules = BTreeMap<String, Module>;
/// The files that each file imports, each with a path that it takes from there.
type Imports = BTreeMap<PathBuf, BTreeSet<(PathBuf, String)>>;

impl<'a> Visit<'a> for Module {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        // What is only exported again is not used here.
        let is_used = matches!(item.vis, Visibility::Inherited);
        self.add_imports(&item.tree, "", is_used);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names = path.segments.iter().map(|of| of.ident.to_string());
        self.paths.insert(names.collect::<Vec<_>>().join("::"));
        visit::visit_path(self, path);
    }

    /// `pub(in crate::module)` takes nothing from there.
    fn visit_visibility(&mut self, _: &'a Visibility) {}

    fn visit_macro(&mut self, called: &'a Macro) {
        let text = called.tokens.to_string().replace(" :: ", "::");
        let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let paths = text.split(|c| !is_of_path(c)).map(str::to_owned);
        self.paths.extend(paths);
    }
}

impl Module {
    fn add_imports(&mut self, tree: &UseTree, before: &str, is_used: bool) {
        let (name, path) = match tree {
            UseTree::Path(of) => {
                return self.add_imports(&of.tree, &format!("{before}{}::", of.ident), is_used);
            }
            UseTree::Group(of) => {
                let trees = of.items.iter();
                return trees.for_each(|tree| self.add_imports(tree, before, is_used));
            }
            UseTree::Name(of) if of.ident == "self" => {
                let path = before.trim_end_matches("::");
                let name = path.rsplit("::").next().unwrap_or(path);
                (name.to_owned(), path.to_owned())
            }
            UseTree::Name(of) => (of.ident.to_string(), format!("{before}{}", of.ident)),
            UseTree::Rename(of) => (of.rename.to_string(), format!("{before}{}", of.ident)),
            UseTree::Glob(_) => (format!("{before}*"), format!("{before}*")),
        };
        if is_used {
            self.paths.insert(name.clone());
        }
        self.imports.insert(name, path);
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    let mut conditions = attributes.iter().filter(|of| of.path().is_ident("cfg"));
    conditions.any(|of| of.parse_args::<Ident>().is_ok_and(|name| name == "test"))
}

/// Reads a module, and the modules below it, which have their files in `folder`.
fn read(at: &str, file: &Path, folder: &Path, items: &[Item], modules: &mut Modules) {
    let mut module = Module::default();
    for item in items {
        if let Item::Mod(of) = item {
            let at = format!("{at}::{}", of.ident);
            let folder = folder.join(of.ident.to_string());
            let files = [folder.with_extension("rs"), folder.join("mod.rs")];
            match (&of.content, files.iter().find(|file| file.exists())) {
                _ if is_test(&of.attrs) => {}
                (Some((_, items)), _) => read(&at, file, &folder, items, modules),
                (None, file) => read(&at, file.unwrap(), &folder, &parse(file.unwrap()), modules),
            }
        } else if !matches!(item, Item::Use(ItemUse { attrs, .. }) if is_test(attrs)) {
            module.visit_item(item);
        }
    }
    module.file = file.to_owned();
    module.imports.retain(|_, path| {
        let absolute = absolute(at, path, modules);
        absolute.map(|absolute| *path = absolute).is_some()
    });
    let absolute = |path: &String| {
        let first = path.split("::").next()?;
        match module.imports.get(first) {
            Some(import) => Some(path.replacen(first, import, 1)),
            None => absolute(at, path, modules),
        }
    };
    module.paths = module.paths.iter().filter_map(absolute).collect();
    modules.insert(at.to_owned(), module);
}

fn parse(file: &Path) -> Vec<Item> {
    let text = fs::read_to_string(file).unwrap();
    syn::parse_file(&text).unwrap().items
}

/// The path from the crate's root. `None` for an item of another crate or of the module itself.
fn absolute(at: &str, path: &str, modules: &Modules) -> Option<String> {
    let (first, rest) = path.split_once("::").unwrap_or((path, "*"));
    let parent = || at.rsplit_once("::").map(|(parent, _)| parent);
    match first {
        "crate" => Some(path.to_owned()),
        "self" => Some(format!("{at}::{rest}")),
        "super" if rest.starts_with("super") => absolute(parent()?, rest, modules),
        "super" => Some(format!("{}::{rest}", parent()?)),
        child => modules
            .contains_key(&format!("{at}::{child}"))
            .then(|| format!("{at}::{path}")),
    }
}

/// The file that defines an item, found through the modules that export it again. `None` for a
/// module.
fn definition<'a>(path: &str, modules: &'a Modules) -> Option<&'a Path> {
    let (parent, name) = path.rsplit_once("::")?;
    let Some(module) = modules.get(parent) else {
        return definition(parent, modules);
    };
    match module.imports.get(name) {
        Some(import) if import != path => definition(import, modules),
        Some(_) | None => (!modules.contains_key(path)).then_some(&module.file),
    }
}

/// The imports between the files of a crate.
fn imports(root: &Path) -> Imports {
    let mut modules = Modules::new();
    let folder = root.parent().unwrap();
    read("crate", root, folder, &parse(root), &mut modules);
    let mut imports = Imports::new();
    for module in modules.values() {
        let taken = imports.entry(module.file.clone()).or_default();
        for path in &module.paths {
            let file = definition(path, &modules).filter(|file| *file != module.file);
            taken.extend(file.map(|file| (file.to_owned(), path.clone())));
        }
    }
    imports
}

fn add_below(file: &Path, imports: &Imports, below: &mut BTreeSet<PathBuf>) {
    for (imported, _) in &imports[file] {
        if below.insert(imported.clone()) {
            add_below(imported, imports, below);
        }
    }
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut crates = vec![PathBuf::from("../xtask")];
    for group in ["../functions", "../shared", "../tools"] {
        let folders = fs::read_dir(group).unwrap();
        crates.extend(folders.map(|folder| folder.unwrap().path()));
    }
    let roots =
        ["src/lib.rs", "src/main.rs"].map(|root| crates.iter().map(move |of| of.join(root)));
    let (mut files, mut circles) = (0, BTreeSet::new());
    for root in roots.into_iter().flatten().filter(|root| root.exists()) {
        let imports = imports(&root);
        files += imports.len();
        for file in imports.keys() {
            let mut below = BTreeSet::new();
            add_below(file, &imports, &mut below);
            for from in &below {
                let back = imports[from].iter().filter(|(of, _)| of == file);
                let (from, of) = (from.display(), file.display());
                circles.extend(back.map(|(_, path)| format!("{from} takes {path} from {of}")));
            }
        }
    }
    assert!(files > 500, "only {files} files were read");
    assert!(circles.is_empty(), "files import each other: {circles:#?}");
}
