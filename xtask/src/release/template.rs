//! The template of a release: that of the repository, with packages in a bucket instead of
//! sources.

use anyhow::{Context, Result, ensure};
use local_stack::deployment::{FUNCTIONS, replace_code_uris};

use crate::programs::Architecture;

/// The template for packages named `FUNCTION-ARCHITECTURE.zip` below a prefix with the version.
///
/// # Errors
/// When the template does not have the expected parts.
pub(crate) fn released(
    template: &str,
    version: &str,
    architectures: &[Architecture],
) -> Result<String> {
    let template = replace_code_uris(template, |function| {
        let key = format!("${{ArtifactPrefix}}{function}-${{Architecture}}.zip");
        format!("{{ Bucket: !Ref ArtifactBucket, Key: !Sub \"{key}\" }}")
    })?;
    let template = without_build_settings(&template)?;
    let template = with_header(&template, version);
    let template = with_architectures(&template, architectures)?;
    with_parameters(&template, version)
}

/// Without the settings of `sam build`, which would try to build the packages.
fn without_build_settings(template: &str) -> Result<String> {
    let lines: Vec<&str> = template.lines().collect();
    let (mut kept, mut removed, mut at) = (Vec::new(), 0, 0);
    while let Some(line) = lines.get(at) {
        let after = &lines[at + 1..];
        let inner = after
            .iter()
            .take_while(|line| indent(line) > indent(lines[at]));
        let block: Vec<_> = inner.collect();
        let is_build = block
            .iter()
            .any(|line| line.trim().starts_with("BuildMethod:"));
        if line.trim() == "Metadata:" && indent(line) > 0 && is_build {
            removed += 1;
            at += block.len();
        } else {
            kept.push(*line);
        }
        at += 1;
    }
    ensure!(
        removed == FUNCTIONS.len(),
        "the template has build settings for {removed} functions, there are {}",
        FUNCTIONS.len()
    );
    Ok(text(&kept))
}

/// With a header for who deploys the release.
fn with_header(template: &str, version: &str) -> String {
    let rest = template.lines().skip_while(|line| line.starts_with('#'));
    let header = [
        format!("# Ticketbridge {version}: signed alerts in, ConnectWise tickets out, exactly once."),
        "#".to_owned(),
        "# Upload the packages (*.zip) to a bucket in the region of the stack, below ArtifactPrefix, and deploy this template.".to_owned(),
        "# docs/releasing.md and README.md of the repository have the commands.".to_owned(),
    ];
    let lines = header.into_iter().chain(rest.map(str::to_owned));
    lines.map(|line| format!("{line}\n")).collect()
}

/// With only those values for the parameter Architecture for which there are packages.
fn with_architectures(template: &str, architectures: &[Architecture]) -> Result<String> {
    let names: Vec<_> = architectures.iter().map(|one| one.name()).collect();
    let default = names.first().context("a release needs an architecture")?;
    let (mut is_inside, mut changed) = (false, 0);
    let mut lines = Vec::new();
    for line in template.lines() {
        if indent(line) <= 2 {
            is_inside = line == "  Architecture:";
        }
        let member = line.trim().split(':').next().filter(|_| is_inside);
        let new = match member {
            Some("Default") => format!("    Default: {default}"),
            Some("AllowedValues") => format!("    AllowedValues: [{}]", names.join(", ")),
            Some("Description") => {
                "    Description: Which packages are deployed, and what the functions run on"
                    .to_owned()
            }
            _ => {
                lines.push(line.to_owned());
                continue;
            }
        };
        changed += 1;
        lines.push(new);
    }
    ensure!(
        changed == 3,
        "the template's parameter Architecture has {changed} of Default, AllowedValues and \
         Description"
    );
    Ok(text(&lines))
}

/// With parameters that say where the packages are.
fn with_parameters(template: &str, version: &str) -> Result<String> {
    let parameters = format!(
        "Parameters:
  ArtifactBucket:
    Type: String
    AllowedPattern: \"[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]\"
    ConstraintDescription: the name of a bucket
    Description: The bucket, in the region of the stack, to which the packages of the release were uploaded
  ArtifactPrefix:
    Type: String
    Default: ticketbridge/{version}/
    AllowedPattern: \"([A-Za-z0-9!_.*'()-]+/)*\"
    ConstraintDescription: the names of folders, each with a / after it, or nothing
    Description: Where in the bucket the packages are. It contains the version, because CloudFormation updates a function only if the name of its package changes
"
    );
    let (before, after) = template
        .split_once("\nParameters:\n")
        .context("the template has no Parameters")?;
    let (groups, rest) = before
        .split_once("        Parameters: [")
        .context("the template has no group of parameters")?;
    Ok(format!(
        "{groups}        Parameters: [ArtifactBucket, ArtifactPrefix, {rest}\n{parameters}{after}"
    ))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn text(lines: &[impl AsRef<str>]) -> String {
    let lines = lines.iter().map(AsRef::as_ref);
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use yaml_serde::Value;

    use super::*;

    fn template() -> String {
        std::fs::read_to_string("../infra/template.yaml").unwrap()
    }

    fn lines_of(text: &str) -> BTreeSet<&str> {
        text.lines().collect()
    }

    #[test]
    fn a_release_changes_only_where_packages_are() {
        let source = template();
        let released = released(&source, "1.2.3", &Architecture::ALL).unwrap();
        let (old, new) = (lines_of(&source), lines_of(&released));
        let group = "        Parameters: [";
        let changed = new.difference(&old).filter(|line| !line.starts_with(group));
        let changed: Vec<_> = changed.copied().collect();
        insta::assert_snapshot!(changed.join("\n"));
        let removed = old
            .difference(&new)
            .filter(|line| !line.starts_with(['#', ' ']));
        assert_eq!(removed.count(), 0);
        let removed = old.difference(&new).filter(|line| line.starts_with(' '));
        let removed = removed.filter(|line| !line.starts_with(group));
        let removed: Vec<_> = removed.map(|line| line.trim()).collect();
        insta::assert_snapshot!(removed.join("\n"));
    }

    #[test]
    fn each_function_has_the_package_of_its_architecture() {
        let released = released(&template(), "1.2.3", &Architecture::ALL).unwrap();
        let parsed: Value = yaml_serde::from_str(&released).unwrap();
        let resources = parsed["Resources"].as_mapping().unwrap();
        let functions = resources
            .values()
            .filter(|resource| resource["Type"] == "AWS::Serverless::Function");
        let mut packages = 0;
        for function in functions {
            assert!(function.get("Metadata").is_none());
            assert!(function["Properties"]["CodeUri"]["Bucket"] != Value::Null);
            packages += 1;
        }
        assert_eq!(packages, FUNCTIONS.len());
    }

    #[test]
    fn only_built_architectures_can_be_chosen() {
        let released = released(&template(), "1.2.3", &[Architecture::X86_64]).unwrap();
        let parsed: Value = yaml_serde::from_str(&released).unwrap();
        let parameter = &parsed["Parameters"]["Architecture"];
        assert_eq!(parameter["Default"], "x86_64");
        assert_eq!(parameter["AllowedValues"].as_sequence().unwrap().len(), 1);
    }

    #[test]
    fn a_template_without_an_expected_part_is_an_error() {
        for part in [
            "\nParameters:\n",
            "  Architecture:\n",
            "      BuildMethod: rust-cargolambda\n",
        ] {
            let source = template();
            assert!(source.contains(part), "{part}");
            let broken = source.replacen(part, "\n", 1);
            assert!(
                released(&broken, "1", &Architecture::ALL).is_err(),
                "{part}"
            );
        }
    }

    /// The names that get a value in the block after `start`.
    fn names_in<'a>(text: &'a str, start: &str) -> BTreeSet<&'a str> {
        let block = text.split(start).nth(1).unwrap();
        let block = block.split('}').next().unwrap();
        let members = block.lines().filter_map(|line| line.split_once(" ="));
        members.map(|(name, _)| name.trim()).collect()
    }

    #[test]
    fn the_terraform_module_knows_the_parameters_and_outputs_of_a_release() {
        let released = released(&template(), "1.2.3", &Architecture::ALL).unwrap();
        let parsed: Value = yaml_serde::from_str(&released).unwrap();
        let parameters = parsed["Parameters"].as_mapping().unwrap();
        let known: BTreeSet<_> = parameters.keys().filter_map(Value::as_str).collect();
        let read =
            |file: &str| std::fs::read_to_string(format!("../infra/terraform/{file}")).unwrap();
        let (module, example) = (read("main.tf"), read("README.md"));
        let mut passed = names_in(&module, "merge(var.parameters, {");
        passed.extend(names_in(&example, "parameters = {"));
        let unknown: Vec<_> = passed.difference(&known).collect();
        assert!(unknown.is_empty(), "the template lacks {unknown:?}");
        // A parameter without a default must be given.
        let required = parameters
            .iter()
            .filter(|(_, parameter)| parameter.get("Default").is_none());
        for name in required.filter_map(|(name, _)| name.as_str()) {
            assert!(
                passed.contains(name),
                "neither module nor example has {name}"
            );
        }
        let outputs: Vec<_> = example.split("outputs[\"").skip(1).collect();
        assert!(!outputs.is_empty());
        for rest in outputs {
            let name = rest.split('"').next().unwrap();
            assert!(parsed["Outputs"].get(name).is_some(), "no output {name}");
        }
    }
}
