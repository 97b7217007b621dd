//! The builds on a developer's machine choose the same features, so that each dependency is
//! compiled once. What is deployed is built apart, with the features of the functions alone.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::process::Command;

/// Each dependency with its features, as a build of these packages chooses them.
fn features(packages: &[&str], kinds: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--prefix", "none"])
        .args(["--edges", kinds, "--format", "{lib} {p} {f}"])
        .args(packages)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{errors}");
    let text = String::from_utf8(tree.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.map(str::to_owned).collect()
}

#[test]
fn all_builds_share_their_dependencies() {
    let tests = features(&["--workspace"], "normal,build,dev");
    assert!(tests.len() > 300, "only {} dependencies", tests.len());
    let commands = ["-p", "xtask"];
    let system_tests = ["-p", "xtask", "-p", "system"];
    let programs = [
        &["-p", "xtask", "-p", "connectwise-sim"][..],
        &["-p", "ingest", "-p", "tickets", "-p", "reconcile"],
        &["-p", "health", "-p", "setup"],
    ]
    .concat();
    for (packages, kinds) in [
        (&commands[..], "normal,build"),
        (&programs, "normal,build"),
        (&system_tests, "normal,build,dev"),
    ] {
        let built = features(packages, kinds);
        let others: Vec<_> = built.difference(&tests).collect();
        assert!(
            others.is_empty(),
            "`cargo build {}` compiles these once more. Add the features that they have in \
             `cargo tree --workspace` to xtask/Cargo.toml: {others:#?}",
            packages.join(" ")
        );
    }
}
