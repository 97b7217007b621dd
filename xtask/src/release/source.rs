//! The commit that is released.

use anyhow::{Result, ensure};
use local_stack::environment;
use local_stack::process::capture;
use tokio::process::Command;

#[derive(Debug)]
pub(super) struct Source {
    /// When the commit was made, in seconds since 1970. Files of the release have this time
    /// instead of the present one.
    pub(super) commit_time: String,
    /// The files that git knows, by their paths from the repository's root.
    pub(super) files: Vec<String>,
}

impl Source {
    /// # Errors
    /// When there are changes that no commit has, unless it is a draft.
    pub(super) async fn read(is_draft: bool) -> Result<Self> {
        let changes = git(&["status", "--porcelain"]).await?;
        ensure!(
            is_draft || changes.trim().is_empty(),
            "a release is made from a commit, and these changes are in none: commit them, or use \
             --draft\n{}",
            changes.trim_end()
        );
        let commit_time = git(&["log", "-1", "--format=%ct"]).await?;
        let files = git(&["ls-files", "-z"]).await?;
        Ok(Self {
            commit_time: commit_time.trim().to_owned(),
            files: files.split_terminator('\0').map(str::to_owned).collect(),
        })
    }
}

async fn git(arguments: &[&str]) -> Result<String> {
    let mut git = Command::new("git");
    git.current_dir(environment::root()).args(arguments);
    capture("git", git).await
}
