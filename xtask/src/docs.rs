//! `cargo xtask docs`: builds the documentation as a site, and checks its links.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use local_stack::environment;
use local_stack::process::{capture, run as run_program};
use local_stack::progress::step;

use crate::tool::{LYCHEE, MDBOOK};

/// The whole site, below `target`. The pages are in its folder `docs`, as `book.toml` says.
const SITE: &str = "site";
/// Files beside `docs` to which its pages link.
const LINKED: &str = "events";

/// Builds the site and returns its first page.
///
/// # Errors
/// When `docs/SUMMARY.md` names a missing page, or a link leads nowhere.
pub(crate) async fn build() -> Result<PathBuf> {
    let site = environment::target(SITE);
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    let mut build = MDBOOK.command().await?;
    build.arg("build");
    step("the documentation", capture("mdbook", build)).await?;
    copy(&environment::root().join(LINKED), &site.join(LINKED))?;
    let mut check = LYCHEE.command().await?;
    check
        .args(["--offline", "--include-fragments", "--no-progress"])
        .arg(site.join("docs"));
    step(
        "the links of the documentation",
        run_program("lychee", check),
    )
    .await?;
    Ok(site.join("docs/index.html"))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
