//! The functions' dependencies: none may gather entropy or scan the system at each start.

use std::process::Command;

/// All crates that a function links, as cargo resolves them for it alone: one `name version` a line.
fn linked(function: &str) -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--package", function])
        .current_dir("../..")
        .output()
        .unwrap();
    assert!(
        tree.status.success(),
        "{}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let name = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    String::from_utf8(tree.stdout)
        .unwrap()
        .lines()
        .map(name)
        .collect()
}

/// aws-lc gathers jitter entropy for some 25 ms at a start, OpenSSL needs the system's libraries, and the provider chain of
/// aws-config asks for what Lambda hands over in variables.
const UNWANTED: [&str; 8] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "aws-lc-fips-sys",
    "openssl",
    "openssl-sys",
    "native-tls",
    "rand",
    "aws-config",
];

#[test]
fn no_function_links_a_crate_that_gathers_entropy_at_start() {
    for function in ["ingest", "tickets", "reconcile", "health"] {
        let linked = linked(function);
        assert!(
            linked.iter().any(|name| name == "ring"),
            "{function}: {linked:?}"
        );
        let found: Vec<_> = UNWANTED
            .iter()
            .filter(|name| linked.iter().any(|linked| linked == *name))
            .collect();
        assert!(found.is_empty(), "{function} links {found:?}");
    }
}

#[test]
fn ingest_links_neither_tables_nor_connectwise() {
    let linked = linked("ingest");
    for name in [
        "aws-sdk-dynamodb",
        "connectwise",
        "store",
        "reqwest",
        "rustls-platform-verifier",
    ] {
        assert!(
            !linked.iter().any(|linked| linked == name),
            "ingest links {name}"
        );
    }
}
