//! Programs that come from Debian's packages.

use std::path::Path;

use anyhow::{Result, bail, ensure};
use tokio::process::Command;

use crate::environment::is_on_path;
use crate::process::run_logged;
use crate::progress::step;

/// A program, and the packages that bring it.
#[derive(Debug, Clone, Copy)]
pub struct DebianProgram {
    pub program: &'static str,
    pub packages: &'static [&'static str],
}

impl DebianProgram {
    /// Installs the program where it is missing and we may.
    ///
    /// # Errors
    /// When it is missing and cannot be installed. The error says which command would do it.
    pub async fn ensure(self, folder: &Path) -> Result<()> {
        let Self { program, packages } = self;
        if is_on_path(program) {
            return Ok(());
        }
        let options = ["install", "-y", "--no-install-recommends"];
        let install = [&options[..], packages].concat();
        let shown = format!("apt-get {}", install.join(" "));
        if !rustix::process::geteuid().is_root() {
            bail!("{program} must be installed; on Debian and Ubuntu: sudo {shown}");
        }
        let install = async {
            for arguments in [&["update"][..], &install] {
                let mut apt = Command::new("apt-get");
                apt.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
                let name = format!("apt-get {}", arguments.join(" "));
                run_logged(&name, apt, folder.join("apt.log")).await?;
            }
            Ok(())
        };
        step(&format!("installing {program} (once)"), install).await?;
        ensure!(is_on_path(program), "{shown} brought no {program}");
        Ok(())
    }
}
