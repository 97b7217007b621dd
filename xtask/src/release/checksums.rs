//! `SHA256SUMS`, as `sha256sum --check` reads it.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

const NAME: &str = "SHA256SUMS";

/// Writes the checksums of all files of the folder into it, sorted by name.
pub(super) fn write(folder: &Path) -> Result<()> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.sort();
    let mut sums = String::new();
    for file in files {
        let name = file.strip_prefix(folder)?.display();
        for byte in Sha256::digest(fs::read(&file)?) {
            write!(sums, "{byte:02x}")?;
        }
        writeln!(sums, "  {name}")?;
    }
    fs::write(folder.join(NAME), sums)?;
    Ok(())
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_its_checksum_in_order_of_names() {
        let folder = std::env::temp_dir().join(format!("ticketbridge-sums-{}", std::process::id()));
        fs::create_dir_all(folder.join("b")).unwrap();
        fs::write(folder.join("b/empty"), "").unwrap();
        fs::write(folder.join("a"), "abc").unwrap();
        write(&folder).unwrap();
        let sums = fs::read_to_string(folder.join(NAME)).unwrap();
        // The test vectors of FIPS 180-2, and of the empty message.
        assert_eq!(
            sums,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b/empty\n"
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
