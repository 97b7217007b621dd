//! The functions: each is active and of this program's version, and those with a queue read it.

use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{LastUpdateStatus, State};
use serde_json::Value;

use super::examination::{Examination, each};
use super::finding::Finding;
use super::stack::StackResource;
use crate::operator_api::OperatorApi;

/// What to do about functions of another release.
const OTHER_VERSION: &str = "Use the program of the functions' release, or deploy this release.";

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let functions = of.stack.of_kind("AWS::Lambda::Function");
    if functions.is_empty() {
        return vec![Finding::missing("functions", "AWS::Lambda::Function")];
    }
    let client = Client::new(&of.target.aws);
    each(&functions, async |function| {
        vec![check_one(&client, function).await]
    })
    .await
}

async fn check_one(client: &Client, function: &StackResource) -> Finding {
    let check = format!("function {}", function.logical_id);
    let call = client.get_function_configuration();
    match call.function_name(&function.physical_id).send().await {
        Err(err) => Finding::unread(check, "lambda:GetFunctionConfiguration", &err),
        Ok(found) => {
            let variables = found.environment.and_then(|of| of.variables);
            let version = variables.and_then(|mut of| of.remove("VERSION"));
            let deployed = DeployedFunction {
                state: found.state,
                last_update: found.last_update_status,
                version,
                at: found.last_modified.unwrap_or_default(),
            };
            judge(check, &deployed)
        }
    }
}

/// What Lambda says about a function.
struct DeployedFunction {
    state: Option<State>,
    last_update: Option<LastUpdateStatus>,
    /// The version of the template that deployed it.
    version: Option<String>,
    at: String,
}

fn judge(check: String, function: &DeployedFunction) -> Finding {
    let to_do = "See the function in Lambda, and deploy the template again.";
    match (&function.state, &function.last_update) {
        (Some(State::Failed), _) => Finding::problem(check, "its state is Failed", to_do),
        (_, Some(LastUpdateStatus::Failed)) => {
            Finding::problem(check, "its last update failed", to_do)
        }
        // Lambda makes an idle function inactive, and active again with its next call.
        (Some(State::Active | State::Inactive), _) => judge_deployed(check, function),
        (state, _) => {
            let state = state.as_ref().map_or("unknown", State::as_str);
            let to_do = "Wait a minute, then run this again.";
            Finding::warning(check, format!("its state is {state}"), to_do)
        }
    }
}

/// Whether an active function was deployed with the release of this program.
fn judge_deployed(check: String, function: &DeployedFunction) -> Finding {
    let version = function.version.as_deref().unwrap_or("unknown");
    let found = format!("version {version}, deployed {}", function.at);
    if version == env!("CARGO_PKG_VERSION") {
        return Finding::ok(check, found);
    }
    Finding::warning(check, found, OTHER_VERSION)
}

/// The event source mappings: Lambda reads the queues for `tickets` and `deliveries`.
pub(super) async fn check_event_sources(of: &Examination<'_>) -> Vec<Finding> {
    let mappings = of.stack.of_kind("AWS::Lambda::EventSourceMapping");
    if mappings.is_empty() {
        let kind = "AWS::Lambda::EventSourceMapping";
        return vec![Finding::missing("event source mapping", kind)];
    }
    let client = Client::new(&of.target.aws);
    each(&mappings, async |mapping| {
        let check = format!("event source mapping {}", mapping.logical_id);
        let call = client.get_event_source_mapping().uuid(&mapping.physical_id);
        vec![match call.send().await {
            Err(err) => Finding::unread(check, "lambda:GetEventSourceMapping", &err),
            Ok(found) => judge_event_source(check, &found.state.unwrap_or_default()),
        }]
    })
    .await
}

fn judge_event_source(check: String, state: &str) -> Finding {
    match state {
        "Enabled" => Finding::ok(check, state),
        "Creating" | "Enabling" | "Updating" => {
            Finding::warning(check, state, "Wait a minute, then run this again.")
        }
        state => Finding::problem(
            check,
            state,
            "Enable it with `aws lambda update-event-source-mapping --enabled`: while the queue is \
             not read, no alert becomes a ticket, or no webhook is notified. During a restore that \
             of `tickets` is disabled on purpose.",
        ),
    }
}

/// Whether the function `setup` has this program's version. All functions are deployed together.
pub(super) async fn check_version(api: Option<&OperatorApi>) -> Vec<Finding> {
    let check = "version";
    let Some(api) = api else {
        return vec![Finding::missing(check, "the operator's API")];
    };
    vec![match api.get("version", &[]).await {
        Ok(answer) => judge_version(&answer),
        Err(err) => Finding::warning(
            check,
            format!("could not be read: {err:#}"),
            "Check that your credentials may call the operator's API (execute-api:Invoke).",
        ),
    }]
}

fn judge_version(answer: &Value) -> Finding {
    let own = env!("CARGO_PKG_VERSION");
    match answer["version"].as_str() {
        Some(version) if version == own => Finding::ok("version", own),
        version => Finding::warning(
            "version",
            format!(
                "the functions have version {}, this program {own}",
                version.unwrap_or("unknown")
            ),
            OTHER_VERSION,
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    fn own() -> Option<String> {
        Some(env!("CARGO_PKG_VERSION").to_owned())
    }

    fn function(
        state: State,
        last_update: LastUpdateStatus,
        version: Option<String>,
    ) -> DeployedFunction {
        DeployedFunction {
            state: Some(state),
            last_update: Some(last_update),
            version,
            at: "2026-11-27".to_owned(),
        }
    }

    #[test]
    fn a_function_of_another_release_is_a_warning() {
        let judged = |version| {
            let function = function(State::Active, LastUpdateStatus::Successful, version);
            judge("f".into(), &function)
        };
        assert_eq!(judged(own()).level, Level::Ok);
        let older = judged(Some("0.0.1".to_owned()));
        assert_eq!(older.level, Level::Warning);
        assert!(older.found.contains("0.0.1"), "{}", older.found);
        assert_eq!(judged(None).level, Level::Warning);
    }

    #[test]
    fn a_failed_function_is_a_problem() {
        let level = |state, updated| judge("f".into(), &function(state, updated, own())).level;
        let success = LastUpdateStatus::Successful;
        assert_eq!(level(State::Active, success.clone()), Level::Ok);
        assert_eq!(level(State::Inactive, success.clone()), Level::Ok);
        assert_eq!(level(State::Pending, success.clone()), Level::Warning);
        assert_eq!(level(State::Failed, success), Level::Problem);
        let failed = LastUpdateStatus::Failed;
        assert_eq!(level(State::Active, failed), Level::Problem);
    }

    #[test]
    fn a_queue_that_is_not_read_is_a_problem() {
        for (state, level) in [
            ("Enabled", Level::Ok),
            ("Enabling", Level::Warning),
            ("Disabled", Level::Problem),
            ("Disabling", Level::Problem),
            ("", Level::Problem),
        ] {
            assert_eq!(
                judge_event_source("m".into(), state).level,
                level,
                "{state}"
            );
        }
    }

    #[test]
    fn another_version_is_a_warning() {
        let of = |version: &str| judge_version(&json!({ "version": version })).level;
        assert_eq!(of(env!("CARGO_PKG_VERSION")), Level::Ok);
        assert_eq!(of("0.0.1"), Level::Warning);
        assert_eq!(judge_version(&json!({})).level, Level::Warning);
    }
}
