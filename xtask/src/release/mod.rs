//! `cargo xtask release`: makes a folder with everything that a deployment without a tool chain
//! needs. Two runs on one commit make the same bytes. See docs/releasing.md.

mod changelog;
mod checksums;
mod inventory;
mod licenses;
mod source;
pub(crate) mod template;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use local_stack::deployment::FUNCTIONS;
use local_stack::environment;
use local_stack::run_folder::RunFolder;

use crate::package::pack_function;
use crate::programs::{Architecture, OPERATOR_PROGRAM, build_functions, build_operator_program};
use source::Source;

/// The version of the workspace.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Files of the repository that each release has.
const COPIED: [&str; 3] = ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT"];
/// The Terraform module, from the repository's root.
const TERRAFORM: &str = "infra/terraform";

#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ReleaseOptions {
    /// An architecture to build for; can be repeated. By default each that this machine can build
    #[arg(long = "architecture", value_enum, value_name = "ARCHITECTURE")]
    architectures: Vec<Architecture>,
    /// A further file for the release, such as ticketbridge built on a Mac; can be repeated
    #[arg(long = "add", value_name = "FILE")]
    added: Vec<PathBuf>,
    /// Makes a release that is not published: changes need no commit, and the section Unreleased
    /// of the CHANGELOG is taken
    #[arg(long)]
    draft: bool,
}

impl ReleaseOptions {
    /// For a test: what this machine can build, of the files as they are.
    pub(crate) fn draft() -> Self {
        Self {
            draft: true,
            ..Self::default()
        }
    }
}

/// Makes the folder and returns its path.
pub(crate) async fn run(options: &ReleaseOptions) -> Result<PathBuf> {
    let work = RunFolder::create("release")?;
    let version = if options.draft {
        format!("{VERSION}-draft")
    } else {
        VERSION.to_owned()
    };
    // What can be wrong is checked before the builds, which take long.
    let source = Source::read(options.draft).await?;
    let heading = if options.draft { "Unreleased" } else { VERSION };
    let changes = changelog::section(&read("CHANGELOG.md")?, heading)?;
    for file in &options.added {
        ensure!(file.is_file(), "--add {}: not a file", file.display());
    }
    let choice = Choice::make(&options.architectures).await?;

    let files = work.path().join("files");
    fs::create_dir(&files)?;
    fs::write(files.join("CHANGELOG.md"), changes)?;
    for name in COPIED {
        fs::copy(environment::root().join(name), files.join(name))?;
    }
    copy_folder(
        &environment::root().join(TERRAFORM),
        &files.join("terraform"),
    )?;
    let released = template::released(&read("infra/template.yaml")?, &version, &choice.built)?;
    fs::write(files.join("template.yaml"), released)?;
    for architecture in &choice.built {
        build(*architecture, &files).await?;
    }
    inventory::write_sboms(work.path(), &files, &source).await?;
    inventory::write_licenses(&files).await?;
    for file in &options.added {
        let name = file.file_name().context("--add names no file")?;
        fs::copy(file, files.join(name))?;
    }
    checksums::write(&files)?;

    let released = environment::target(&format!("release-{version}"));
    if released.exists() {
        fs::remove_dir_all(&released)?;
    }
    fs::rename(&files, &released)?;
    println!("\nThe release is in {}", released.display());
    for reason in choice.left_out {
        eprintln!("NOT IN IT: {reason}");
    }
    Ok(released)
}

/// Which architectures this machine builds.
struct Choice {
    built: Vec<Architecture>,
    /// What is missing, and why.
    left_out: Vec<String>,
}

impl Choice {
    /// An architecture that was asked for must be built. Without a choice, those are left out that
    /// this machine cannot build.
    async fn make(asked: &[Architecture]) -> Result<Self> {
        let mut choice = Self {
            built: Vec::new(),
            left_out: Vec::new(),
        };
        for architecture in Architecture::ALL {
            if !asked.is_empty() && !asked.contains(&architecture) {
                let name = architecture.name();
                let reason = format!("{name}, which was not among the chosen architectures");
                choice.left_out.push(reason);
                continue;
            }
            match architecture.require_std().await {
                Ok(()) => choice.built.push(architecture),
                Err(reason) if asked.is_empty() => {
                    let name = architecture.name();
                    choice.left_out.push(format!("{name}: {reason}"));
                }
                Err(reason) => return Err(reason),
            }
        }
        ensure!(
            !choice.built.is_empty(),
            "this machine can build for no architecture: {}",
            choice.left_out.join("; ")
        );
        choice.left_out.push(format!(
            "{OPERATOR_PROGRAM} for macOS, unless it was added: only a Mac can link it. \
             docs/releasing.md has the commands"
        ));
        Ok(choice)
    }
}

/// Builds the functions and the operator's program for one architecture.
async fn build(architecture: Architecture, files: &Path) -> Result<()> {
    let functions = build_functions(architecture).await?;
    for function in FUNCTIONS {
        let program = functions.join(function).join("bootstrap");
        let archive = files.join(format!("{function}-{}.zip", architecture.name()));
        pack_function(function, &program, &archive)?;
    }
    let program = build_operator_program(architecture).await?;
    let name = format!("{OPERATOR_PROGRAM}-{}", architecture.target());
    fs::copy(program, files.join(name))?;
    Ok(())
}

/// The text of a file, by its path from the repository's root.
fn read(path: &str) -> Result<String> {
    let path = environment::root().join(path);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// Copies the files of a folder that has no folders.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
