//! `cargo xtask try-upgrade`: deploys one release to the emulator, updates it to another while
//! messages wait, and goes back. Each alert must have one ticket in the end.

use std::path::PathBuf;

use anyhow::Result;

use crate::try_release::{existing, run_script};

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TryUpgradeOptions {
    /// The folder of the release that is deployed first
    from: PathBuf,
    /// The folder of the release that it is updated to; it may be the same folder
    to: PathBuf,
}

impl TryUpgradeOptions {
    /// From a release to itself: each function is replaced while messages wait.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self {
            from: folder.clone(),
            to: folder,
        }
    }
}

/// # Errors
/// When a folder is no release for this machine, a deployment fails, or an alert has no ticket or
/// two.
pub(crate) async fn run(options: &TryUpgradeOptions) -> Result<()> {
    let releases = [existing(&options.from)?, existing(&options.to)?];
    let [from, to] = &releases;
    println!("- from {} to {}, and back", from.display(), to.display());
    run_script("try_upgrade.py", "try-upgrade", &releases).await?;
    println!("the upgrade works, and the way back too");
    Ok(())
}
