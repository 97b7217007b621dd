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

/// Builds functions, and brings zig.
const CARGO_LAMBDA: PythonTools = PythonTools {
    name: "cargo-lambda",
    requirements: &["cargo-lambda==1.9.2"],
    file: "",
};

/// Builds programs that run on older systems too, and brings zig.
const CARGO_ZIGBUILD: PythonTools = PythonTools {
    name: "cargo-zigbuild",
    requirements: &["cargo-zigbuild==0.24.1"],
    file: "",
};

/// The program for operators, by the name of its package.
pub(crate) const OPERATOR_PROGRAM: &str = "ticketbridge";
/// The oldest glibc that it runs on: Debian 8 and Red Hat 7 have it.
const OLDEST_GLIBC: &str = "2.17";

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
    for function in FUNCTIONS {
        build.args(["--package", function]);
    }
    let what = format!("building the functions for {}", architecture.name());
    step(&what, run_program("cargo lambda build", build)).await?;
    for function in FUNCTIONS {
        paths.require_none_in(&folder.join(function).join("bootstrap"))?;
    }
    Ok(folder)
}

/// Builds the operator's program for Linux and returns its path.
///
/// # Errors
/// As [`build_functions`].
pub(crate) async fn build_operator_program(architecture: Architecture) -> Result<PathBuf> {
    architecture.require_std().await?;
    let venv = Venv::ensure(CARGO_ZIGBUILD).await?;
    let paths = MachinePaths::find().await?;
    let target = architecture.target();
    let mut build = environment::cargo(&["zigbuild", "--release", "--locked"]);
    build
        .args(["--package", OPERATOR_PROGRAM])
        .args(["--target", &format!("{target}.{OLDEST_GLIBC}")])
        .arg("--target-dir")
        .arg(environment::target(""))
        .env("PATH", environment::path_with(&venv.bin()))
        .env("RUSTFLAGS", paths.rustflags());
    let what = format!("building {OPERATOR_PROGRAM} for {target}");
    step(&what, run_program("cargo zigbuild", build)).await?;
    let program = environment::target(target)
        .join("release")
        .join(OPERATOR_PROGRAM);
    paths.require_none_in(&program)?;
    Ok(program)
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
