//! The stack in CloudFormation: its state, parameters and resources.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use aws_sdk_cloudformation::Client;
use domain::text::chain;

use super::finding::Finding;
use crate::target::TargetStack;

pub(super) struct StackDescription {
    status: String,
    /// Whether CloudFormation refuses to delete it.
    is_protected: bool,
    parameters: BTreeMap<String, String>,
    resources: Vec<StackResource>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StackResource {
    pub(super) logical_id: String,
    /// Such as `AWS::SQS::Queue`.
    pub(super) kind: String,
    /// Its name, address or ARN, as the service uses it.
    pub(super) physical_id: String,
}

impl StackDescription {
    pub(super) async fn read(target: &TargetStack) -> Result<Self> {
        let (client, name) = (Client::new(&target.aws), target.stack_name()?);
        let described = client.describe_stacks().stack_name(name).send().await;
        let described = described.map_err(|err| unreadable(name, "DescribeStacks", &err))?;
        let stack = described.stacks.unwrap_or_default().into_iter().next();
        let stack = stack.with_context(|| format!("CloudFormation has no stack {name}"))?;
        let is_protected = stack.enable_termination_protection.unwrap_or_default();
        let parameters = stack.parameters.unwrap_or_default().into_iter();
        let parameters = parameters.filter_map(|of| Some((of.parameter_key?, of.parameter_value?)));
        let status = stack.stack_status.map(|status| status.as_str().to_owned());
        let mut resources = vec![];
        let mut pages = client
            .list_stack_resources()
            .stack_name(name)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|err| unreadable(name, "ListStackResources", &err))?;
            let summaries = page.stack_resource_summaries.unwrap_or_default();
            resources.extend(summaries.into_iter().filter_map(|of| {
                Some(StackResource {
                    logical_id: of.logical_resource_id?,
                    kind: of.resource_type?,
                    physical_id: of.physical_resource_id?,
                })
            }));
        }
        Ok(Self {
            status: status.unwrap_or_default(),
            is_protected,
            parameters: parameters.collect(),
            resources,
        })
    }

    /// A parameter that is set.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let value = self.parameters.get(name)?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn of_kind(&self, kind: &str) -> Vec<StackResource> {
        let resources = self.resources.iter();
        resources.filter(|of| of.kind == kind).cloned().collect()
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        let protection = judge_protection(self.is_protected);
        vec![judge(&self.status), protection]
    }
}

fn unreadable(stack: &str, action: &str, err: &impl std::error::Error) -> anyhow::Error {
    let cause = chain(err);
    let what = format!("cannot read the stack {stack} (cloudformation:{action})");
    anyhow::Error::msg(cause).context(what)
}

fn judge(status: &str) -> Finding {
    let check = "stack";
    if status.ends_with("_IN_PROGRESS") {
        let to_do = "Wait until the deployment has ended, then run this again.";
        return Finding::warning(check, status, to_do);
    }
    if status.ends_with("_COMPLETE") && !status.contains("ROLLBACK") {
        return Finding::ok(check, status);
    }
    let to_do = "The last deployment failed. Read the stack's events in CloudFormation, then \
                 deploy again.";
    if status == "UPDATE_ROLLBACK_COMPLETE" {
        // The stack works, but with the template before.
        return Finding::warning(check, status, to_do);
    }
    Finding::problem(check, status, to_do)
}

fn judge_protection(is_protected: bool) -> Finding {
    let check = "termination protection";
    if is_protected {
        return Finding::ok(check, "on");
    }
    let to_do = "Run aws cloudformation update-termination-protection with \
                 --enable-termination-protection: a deleted stack receives no alerts.";
    Finding::warning(check, "off", to_do)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn only_a_finished_deployment_is_ok() {
        for (status, level) in [
            ("CREATE_COMPLETE", Level::Ok),
            ("UPDATE_COMPLETE", Level::Ok),
            ("UPDATE_IN_PROGRESS", Level::Warning),
            ("UPDATE_ROLLBACK_COMPLETE", Level::Warning),
            ("UPDATE_ROLLBACK_FAILED", Level::Problem),
            ("ROLLBACK_COMPLETE", Level::Problem),
            ("", Level::Problem),
        ] {
            assert_eq!(judge(status).level, level, "{status}");
        }
    }

    #[test]
    fn a_stack_that_can_be_deleted_is_a_warning() {
        assert_eq!(judge_protection(false).level, Level::Warning);
        assert_eq!(judge_protection(true).level, Level::Ok);
    }
}
