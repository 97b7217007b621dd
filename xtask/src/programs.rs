//! Builds the functions and the operator's program as they are released: with zig as the linker,
//! for any Linux architecture whose standard library is installed, and without paths of this
//! machine in them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use local_stack::deployment::FUNCTIONS;
use local_stack::environment;
use local_stack::process::{capture, run as run_program};
use local_stack::progress::step;
use local_stack::venv::{PythonTools, Venv};
use tokio::process::Command;

/// Builds programs with zig, which it brings.
const CARGO_LAMBDA: PythonTools = PythonTools {
    name: "cargo-lambda",
    requirements: &["cargo-lambda==1.9.2"],
    file: "",
};

/// The program for operators, by the name of its package.
pub(crate) const OPERATOR_PROGRAM: &str = "ticketbridge";

/// An architecture of Lambda, by its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Architecture {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    pub(crate) const ALL: [Self; 2] = [Self::Arm64, Self::X86_64];

    /// That of this machine.
    pub(crate) fn host() -> Self {
        match std::env::consts::ARCH {
            "aarch64" => Self::Arm64,
            _ => Self::X86_64,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    /// The name of the target in Rust.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Self::Arm64 => "aarch64-unknown-linux-gnu",
            Self::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// Only rustup installs the standard library of another architecture.
    ///
    /// # Errors
    /// When it is missing, with the command that installs it.
    pub(crate) async fn require_std(self) -> Result<()> {
        let target = self.target();
        let mut rustc = Command::new("rustc");
        rustc.current_dir(environment::root()).args([
            "--print",
            "target-libdir",
            "--target",
            target,
        ]);
        let folder = capture("rustc", rustc).await?;
        ensure!(
            Path::new(folder.trim()).is_dir(),
            "the standard library for {target} is not installed: run `rustup target add {target}`"
        );
        Ok(())
    }
}

/// Builds all functions and returns the folder that has `NAME/bootstrap` for each.
///
/// # Errors
/// When the build fails, or a program has a path of this machine in it.
pub(crate) async fn build_functions(architecture: Architecture) -> Result<PathBuf> {
    build("functions", &FUNCTIONS, architecture).await
}

/// Builds the operator's program for Linux and returns its path. A build of its own keeps the
/// functions free of the features that it needs.
///
/// # Errors
/// As [`build_functions`].
pub(crate) async fn build_operator_program(architecture: Architecture) -> Result<PathBuf> {
    let folder = build(OPERATOR_PROGRAM, &[OPERATOR_PROGRAM], architecture).await?;
    Ok(folder.join(OPERATOR_PROGRAM).join("bootstrap"))
}

async fn build(what: &str, packages: &[&str], architecture: Architecture) -> Result<PathBuf> {
    architecture.require_std().await?;
    let venv = Venv::ensure(CARGO_LAMBDA).await?;
    let paths = MachinePaths::find().await?;
    let folder = environment::target(&format!("lambda-{}", architecture.name()));
    let mut build = environment::cargo(&["lambda", "build", "--release", "--locked"]);
    build
        .args(["--target", architecture.target()])
        .args(["--output-format", "binary", "--lambda-dir"])
        .arg(&folder)
        .env("PATH", environment::path_with(&venv.bin()))
        .env("RUSTFLAGS", paths.rustflags());
    for package in packages {
        build.args(["--package", package]);
    }
    let what = format!("building {what} for {}", architecture.name());
    step(&what, run_program("cargo lambda build", build)).await?;
    for package in packages {
        paths.require_none_in(&folder.join(package).join("bootstrap"))?;
    }
    Ok(folder)
}

/// Folders of this machine that the compiler would write into programs, for the messages of
/// panics. With other names for them, every machine makes the same programs.
#[derive(Debug)]
struct MachinePaths {
    /// Each folder with its name in programs.
    names: Vec<(PathBuf, &'static str)>,
}

impl MachinePaths {
    async fn find() -> Result<Self> {
        run_program("cargo fetch", environment::cargo(&["fetch", "--locked"])).await?;
        let mut names = vec![(environment::root().to_owned(), "/ticketbridge")];
        let sources = environment::cargo_home()?.join("registry/src");
        let registries =
            fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
        for registry in registries {
            names.push((registry?.path(), "/crates"));
        }
        for (folder, _) in &names {
            let folder = folder.display().to_string();
            ensure!(
                !folder.contains([' ', '=']),
                "the compiler cannot rename {folder:?}: use a folder without blanks and ="
            );
        }
        Ok(Self { names })
    }

    fn rustflags(&self) -> String {
        let flags = self
            .names
            .iter()
            .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()));
        flags.collect::<Vec<_>>().join(" ")
    }

    fn require_none_in(&self, program: &Path) -> Result<()> {
        let bytes =
            fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
        for (folder, _) in &self.names {
            if contains(&bytes, folder.as_os_str().as_encoded_bytes()) {
                bail!(
                    "{} has the path {} in it, so another machine would make another program",
                    program.display(),
                    folder.display()
                );
            }
        }
        Ok(())
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_machine_is_found_in_a_program() {
        let program = std::env::temp_dir().join(format!("ticketbridge-{}", std::process::id()));
        fs::write(&program, b"\x7fELF at /home/me/clone/src/lib.rs:1").unwrap();
        let paths = |folder: &str| MachinePaths {
            names: vec![(folder.into(), "/ticketbridge")],
        };
        let err = paths("/home/me/clone").require_none_in(&program);
        assert!(err.unwrap_err().to_string().contains("/home/me/clone"));
        paths("/home/other").require_none_in(&program).unwrap();
        fs::remove_file(program).unwrap();
    }

    #[test]
    fn each_folder_gets_another_name() {
        let paths = MachinePaths {
            names: vec![("/a".into(), "/ticketbridge"), ("/b/c".into(), "/crates")],
        };
        assert_eq!(
            paths.rustflags(),
            "--remap-path-prefix=/a=/ticketbridge --remap-path-prefix=/b/c=/crates"
        );
    }
}
