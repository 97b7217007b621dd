//! Writes the OpenAPI document: `cargo run -p api`.

use std::fs;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let text = api::text();
    if fs::read_to_string(api::FILE).is_ok_and(|before| before == text) {
        println!("docs/api/openapi.json is up to date");
        return Ok(());
    }
    fs::write(api::FILE, text).context("cannot write docs/api/openapi.json")?;
    println!("docs/api/openapi.json was written: commit it");
    Ok(())
}
