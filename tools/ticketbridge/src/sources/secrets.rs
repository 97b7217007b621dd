//! Secrets of sources and of their webhooks: how they are read, and shown once.

use std::io::{self, IsTerminal as _, Read as _};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Secrets that are valid at once: another rotation ends the oldest.
pub(super) const MAX_SECRETS: usize = 2;
/// No vendor issues a longer secret.
const MAX_SECRET_BYTES: u64 = 4_096;

/// Reads a secret from standard input, since arguments are visible to other processes. `name` is
/// what a person calls it.
pub(super) fn read_secret(name: &str) -> Result<String> {
    let input = io::stdin();
    if input.is_terminal() {
        eprintln!("Paste the {name}, then press Enter and Ctrl-D:");
    }
    let mut text = String::new();
    let read = input
        .lock()
        .take(MAX_SECRET_BYTES + 1)
        .read_to_string(&mut text);
    read.with_context(|| format!("cannot read the {name} from standard input"))?;
    ensure!(
        text.len() as u64 <= MAX_SECRET_BYTES,
        "the {name} on standard input is longer than {MAX_SECRET_BYTES} bytes"
    );
    let secret = text.trim();
    ensure!(!secret.is_empty(), "there is no {name} on standard input");
    Ok(secret.to_owned())
}

/// The text for people. If it cannot be made, the whole answer is shown, since its secret is in no
/// later one.
pub(super) fn with_secret(text: Result<String>, answer: &Value) -> Result<String> {
    match text {
        Ok(text) => Ok(text),
        Err(_) => Ok(serde_json::to_string_pretty(answer)?),
    }
}
