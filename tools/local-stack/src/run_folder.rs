//! The folder of one run's logs and packages.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::environment;

/// `target/local/<run>`, emptied at the start and locked while this value lives.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// # Errors
    /// When a run of this name is in progress in this clone.
    pub fn create(run: &str) -> Result<Self> {
        let local = environment::target("local");
        fs::create_dir_all(&local)?;
        let lock = File::create(local.join(format!("{run}.lock")))?;
        if lock.try_lock().is_err() {
            bail!("`{run}` is already running in this clone: stop it first");
        }
        let path = local.join(run);
        if path.exists() {
            fs::remove_dir_all(&path)?;
        }
        fs::create_dir_all(&path)?;
        Ok(Self { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
