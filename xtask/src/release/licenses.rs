//! The licences of the crates that are in the programs, with the texts that the crates bring.
//! `deny.toml` says which licences are allowed; this only collects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use local_stack::environment;
use local_stack::process::capture_stdout;
use local_stack::progress::step;
use serde_json::Value;

/// How the names of files with a licence begin.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "UNLICENSE"];
const HEAD: &str = "Licences of the crates on which the programs of Ticketbridge depend\n\
    ===================================================================\n\n\
    The SBOM of each program (*.cdx.json) lists which of them it contains.\n";
const LINE: &str =
    "--------------------------------------------------------------------------------";

/// A crate from a registry.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    license: String,
    folder: PathBuf,
}

/// Writes the licences of all crates that `programs` need for `target`.
pub(super) async fn write(file: &Path, programs: &[&str], target: &str) -> Result<()> {
    let mut metadata = environment::cargo(&["metadata", "--locked", "--format-version", "1"]);
    metadata.args(["--filter-platform", target]);
    let text = step("collecting the licences", async {
        let metadata = capture_stdout("cargo metadata", metadata).await?;
        let metadata = serde_json::from_str(&metadata).context("not the metadata of cargo")?;
        text_of(&crates_of(&metadata, programs)?)
    })
    .await?;
    fs::write(file, text)?;
    Ok(())
}

/// The crates that the programs contain. What only builds or tests need is in none of them.
fn crates_of(metadata: &Value, programs: &[&str]) -> Result<BTreeSet<Crate>> {
    let packages = by_id(&metadata["packages"]);
    let nodes = by_id(&metadata["resolve"]["nodes"]);
    let is_program = |package: &&Value| {
        package["source"].is_null()
            && package["name"]
                .as_str()
                .is_some_and(|name| programs.contains(&name))
    };
    let roots = packages.values().copied().filter(is_program);
    let mut open: Vec<&str> = roots.filter_map(|package| package["id"].as_str()).collect();
    ensure!(
        open.len() == programs.len(),
        "cargo does not know all of {programs:?}"
    );
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let node = nodes
            .get(id)
            .with_context(|| format!("cargo did not resolve {id}"))?;
        for dependency in list(&node["deps"]) {
            let is_normal = list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
            open.extend(dependency["pkg"].as_str().filter(|_| is_normal));
        }
    }
    let found = seen.into_iter().filter_map(|id| packages.get(id));
    let external = found.filter(|package| !package["source"].is_null());
    external.map(|package| read(package)).collect()
}

fn read(package: &Value) -> Result<Crate> {
    let text = |member: &str| {
        let value = package[member].as_str().map(str::to_owned);
        value.with_context(|| format!("{} has no {member}", package["id"]))
    };
    let manifest = PathBuf::from(text("manifest_path")?);
    let folder = manifest.parent().context("a manifest is in no folder")?;
    Ok(Crate {
        name: text("name")?,
        version: text("version")?,
        license: text("license")?,
        folder: folder.to_owned(),
    })
}

/// One list of the crates, then each text once, with the crates that bring it.
fn text_of(crates: &BTreeSet<Crate>) -> Result<String> {
    let mut text = HEAD.to_owned();
    let mut users: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    text.push('\n');
    for one in crates {
        let name = format!("{} {}", one.name, one.version);
        let files = texts(&one.folder)?;
        let note = if files.is_empty() {
            " (the crate brings no text)"
        } else {
            ""
        };
        writeln!(text, "{name}: {}{note}", one.license)?;
        for file in files {
            users.entry(file).or_default().insert(name.clone());
        }
    }
    let mut texts: Vec<_> = users.into_iter().collect();
    texts.sort_by(|one, other| one.1.cmp(&other.1).then_with(|| one.0.cmp(&other.0)));
    for (license, users) in texts {
        let users: Vec<_> = users.into_iter().collect();
        write!(
            text,
            "\n{LINE}\n{}\n{LINE}\n\n{license}\n",
            users.join("\n")
        )?;
    }
    Ok(text)
}

/// The texts of a crate's licences. Differences in the ends of lines make no other text.
fn texts(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_uppercase();
        if path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin)) {
            let bytes = fs::read(&path)?;
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<_> = text.trim().lines().map(str::trim_end).collect();
            texts.insert(lines.join("\n"));
        }
    }
    Ok(texts)
}

fn by_id(values: &Value) -> BTreeMap<&str, &Value> {
    let values = list(values);
    values
        .filter_map(|value| Some((value["id"].as_str()?, value)))
        .collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, source: Option<&str>) -> Value {
        json!({
            "id": name, "name": name, "version": "1.0.0", "license": "MIT", "source": source,
            "manifest_path": format!("/crates/{name}/Cargo.toml"),
        })
    }

    fn node(name: &str, dependencies: &[(&str, Option<&str>)]) -> Value {
        let deps: Vec<_> = dependencies
            .iter()
            .map(|(name, kind)| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] }))
            .collect();
        json!({ "id": name, "deps": deps })
    }

    #[test]
    fn only_what_a_program_contains_is_listed() {
        let registry = Some("registry");
        let metadata = json!({
            "packages": [
                package("ingest", None), package("domain", None), package("xtask", None),
                package("serde", registry), package("cc", registry), package("clap", registry),
            ],
            "resolve": { "nodes": [
                node("ingest", &[("domain", None), ("cc", Some("build"))]),
                node("domain", &[("serde", None)]),
                node("xtask", &[("clap", None)]),
                node("serde", &[]), node("cc", &[]), node("clap", &[]),
            ] },
        });
        let found = crates_of(&metadata, &["ingest"]).unwrap();
        let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["serde"]);
        let err = crates_of(&metadata, &["ingest", "lost"]).unwrap_err();
        assert!(err.to_string().contains("lost"));
    }

    #[test]
    fn a_text_is_written_once_with_the_crates_that_bring_it() {
        let folder = std::env::temp_dir().join(format!("ticketbridge-lic-{}", std::process::id()));
        let mut crates = BTreeSet::new();
        for (name, text) in [
            ("one", "Be kind.\n"),
            ("two", "Be kind.  \r\n"),
            ("three", ""),
        ] {
            let crate_folder = folder.join(name);
            fs::create_dir_all(&crate_folder).unwrap();
            if !text.is_empty() {
                fs::write(crate_folder.join("License-MIT"), text).unwrap();
            }
            crates.insert(Crate {
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                license: "MIT".to_owned(),
                folder: crate_folder,
            });
        }
        let text = text_of(&crates).unwrap();
        assert_eq!(text.matches("Be kind.").count(), 1);
        assert!(text.contains("one 1.0.0\ntwo 1.0.0\n"));
        assert!(text.contains("three 1.0.0: MIT (the crate brings no text)"));
        fs::remove_dir_all(folder).unwrap();
    }
}
