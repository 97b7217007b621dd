//! What each function's role must deny: every call that the role does not need, made with the
//! deployed role's session on a stack that enforces permissions.
//!
//! Three things keep the result meaningful. A call counts as denied only if the answer is AWS's
//! "access denied" and names the action: a wrong parameter, a missing table or a bad signature is
//! no denial. Each role also makes calls that it may make, to each kind of its resources, so that
//! broken credentials fail, and so does an emulator that mistakes the resource of a call. At the
//! end every denied call is allowed and made again: if it is denied even then, the role did not
//! deny it before.
//!
//! The calls are checked against AWS's own models (botocore) before they are sent.

mod call;
mod requests;
mod resources;
mod roles;

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use aws_credential_types::Credentials;
use local_stack::empty_stack::StackTimes;
use local_stack::emulator::{CallResult, Emulator, RoleSession, http_client};
use local_stack::operator::OperatorClient;
use local_stack::progress::step;
use local_stack::stack::Stack;
use local_stack::table;
use serde_json::json;

use call::{IamCall, call};
use resources::resource_names;
use roles::RolePermissions;

/// Makes every call as every function, and prints the answers. At the end the calls are allowed
/// and delete tables and queues, so the stack is used for nothing else.
///
/// # Errors
/// When a call that must be denied is not, or one that must be allowed is.
pub async fn run() -> Result<()> {
    let stack = Stack::start("iam-denials", StackTimes::DEMO).await?;
    let results = step("calls that roles must deny", check(&stack)).await?;
    table::print(&results.rows);
    let wrong = results.wrong;
    ensure!(wrong.is_empty(), "roles are wrong:\n{}", wrong.join("\n"));
    println!("must be denied: {} denied, 0 allowed", results.denied);
    Ok(())
}

#[derive(Default)]
struct Results {
    /// The function, the call, its resource, and the answer.
    rows: Vec<[String; 4]>,
    denied: usize,
    wrong: Vec<String>,
}

/// A role whose calls were made.
struct TestedRole {
    arn: String,
    session: RoleSession,
    denied: Vec<IamCall>,
}

async fn check(stack: &Stack) -> Result<Results> {
    let names = resource_names(stack).await?;
    let mut results = Results {
        rows: vec![["function", "call", "on", "answer"].map(str::to_owned)],
        ..Results::default()
    };
    let mut roles = Vec::new();
    for (function, permissions) in [
        ("ingest", roles::ingest(&names)),
        ("tickets", roles::tickets(&names)),
        ("reconcile", roles::reconcile(&names)),
        ("health", roles::health(&names)),
        ("deliveries", roles::deliveries(&names)),
        ("setup", roles::setup(&names)),
    ] {
        let arn = role_of(stack, function).await?;
        let session = assume(&stack.emulator, &arn).await?;
        results
            .check_role(&stack.emulator, function, &session, &permissions)
            .await?;
        roles.push(TestedRole {
            arn,
            session,
            denied: permissions.denied,
        });
    }
    let wrong = callers_of_the_operator_api(stack, &roles).await?;
    results.wrong.extend(wrong);
    for role in roles {
        let wrong = denied_when_allowed(&stack.emulator, role).await?;
        results.wrong.extend(wrong);
    }
    Ok(results)
}

impl Results {
    async fn check_role(
        &mut self,
        emulator: &Emulator,
        function: &str,
        session: &RoleSession,
        permissions: &RolePermissions,
    ) -> Result<()> {
        for result in emulator.call(&permissions.prepare, None).await? {
            ensure!(
                matches!(result, CallResult::Success { .. }),
                "root cannot prepare the calls of {function}: {result:?}"
            );
        }
        let answers = emulator.call(&permissions.allowed, Some(session)).await?;
        for (call, answer) in permissions.allowed.iter().zip(answers) {
            let verdict = match answer {
                CallResult::Success { .. } => "allowed, as it must be".to_owned(),
                CallResult::Error { code, message } => {
                    let operation = call.operation;
                    self.wrong
                        .push(format!("{function} cannot {operation}: {code}: {message}"));
                    code
                }
            };
            self.add(function, call, verdict);
        }
        let answers = emulator.call(&permissions.denied, Some(session)).await?;
        for (call, answer) in permissions.denied.iter().zip(answers) {
            self.denied += 1;
            let verdict = match denial(call, &answer) {
                Ok(code) => code,
                Err(reason) => {
                    let (operation, on) = (call.operation, &call.on);
                    self.wrong
                        .push(format!("{function}, {operation} on {on}: {reason}"));
                    format!("WRONG: {reason}")
                }
            };
            self.add(function, call, verdict);
        }
        Ok(())
    }

    fn add(&mut self, function: &str, call: &IamCall, verdict: String) {
        let row = [function.to_owned(), call.action(), call.on.clone(), verdict];
        self.rows.push(row);
    }
}

/// The error code of a denial, or why the answer is none.
fn denial(call: &IamCall, result: &CallResult) -> Result<String, String> {
    match result {
        CallResult::Success { .. } => Err("was allowed".to_owned()),
        CallResult::Error { code, message } => {
            if !matches!(code.as_str(), "AccessDenied" | "AccessDeniedException") {
                return Err(format!("failed, but was not denied: {code}: {message}"));
            }
            let action = call.action();
            let named = message
                .split_once(" is not authorized to perform: ")
                .and_then(|(_, rest)| rest.split_whitespace().next())
                .unwrap_or_default();
            if named == action {
                Ok(code.clone())
            } else {
                Err(format!("not denied as {action}: {message}"))
            }
        }
    }
}

/// Calls the operator API as callers who must not: with a guessed secret, as each function, and
/// unsigned. The operator calls it last, so that an API that denies everyone is noticed too.
async fn callers_of_the_operator_api(
    stack: &Stack,
    functions: &[TestedRole],
) -> Result<Vec<String>> {
    let (emulator, api_id) = (&stack.emulator, &stack.deployed.api_id);
    let operator = stack.operator.keys();
    let guessed = Credentials::new(operator.access_key_id(), "guessed", None, None, "guessed");
    let mut callers = vec![("a guessed secret", guessed)];
    for TestedRole { arn, session, .. } in functions {
        let token = Some(session.session_token.clone());
        let (id, secret) = (&session.access_key_id, &session.secret_access_key);
        callers.push((arn, Credentials::new(id, secret, token, None, "role")));
    }
    let mut wrong = Vec::new();
    for (who, keys) in callers {
        let client = OperatorClient::with_keys(emulator, api_id, keys)?;
        let status = client.try_partners().await?;
        if status != 403 {
            wrong.push(format!("the operator API answers {status} to {who}"));
        }
    }
    let through_proxy = format!("{}/v1/operator/partners", stack.proxy.origin());
    for url in [format!("{}/partners", stack.operator.url()), through_proxy] {
        let status = http_client()?.get(url).send().await?.status();
        if status != 403 {
            wrong.push(format!(
                "the operator API answers {status} to an unsigned request"
            ));
        }
    }
    let status = stack.operator.try_partners().await?;
    if status != 200 {
        wrong.push(format!("the operator API answers {status} to the operator"));
    }
    Ok(wrong)
}

/// Allows the calls that were denied, makes them again, and returns those that are still denied.
async fn denied_when_allowed(emulator: &Emulator, role: TestedRole) -> Result<Vec<String>> {
    let mut calls = role.denied;
    // It would delete the roles too.
    calls.retain(|call| call.operation != "DeleteStack");
    let (_, name) = role
        .arn
        .rsplit_once('/')
        .context("a role's ARN ends with its name")?;
    let actions: BTreeSet<_> = calls.iter().map(IamCall::action).collect();
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    });
    let allow = json!({ "service": "iam", "operation": "PutRolePolicy", "parameters": {
        "RoleName": name,
        "PolicyName": "everything-tried",
        "PolicyDocument": policy.to_string(),
    } });
    emulator.call_all(&[allow]).await?;
    let answers = emulator.call(&calls, Some(&role.session)).await?;
    let denied = calls.iter().zip(answers).filter_map(|(call, answer)| {
        let code = denial(call, &answer).ok()?;
        Some(format!(
            "{} on {} as {name} is denied even when it is allowed ({code}), so its denial by the \
             role is not proved",
            call.action(),
            call.on
        ))
    });
    Ok(denied.collect())
}

/// The ARN of a deployed function's role.
async fn role_of(stack: &Stack, function: &str) -> Result<String> {
    let command = [
        "lambda",
        "get-function-configuration",
        "--function-name",
        &stack.deployed.functions[function],
        "--query",
        "Role",
        "--output",
        "text",
    ];
    Ok(stack.emulator.aws(&command).await?.trim().to_owned())
}

/// A session of a role. In an account only Lambda could assume it. The emulator lets root assume
/// any role, which proves nothing: `tests/template` checks whom the roles trust.
async fn assume(emulator: &Emulator, role: &str) -> Result<RoleSession> {
    let parameters = json!({ "RoleArn": role, "RoleSessionName": "iam-denials" });
    let assume = [call("sts", "AssumeRole", role, parameters)];
    let Some(CallResult::Success { answer }) = emulator.call(&assume, None).await?.pop() else {
        bail!("root cannot assume {role}")
    };
    let member = |name: &str| {
        let value = answer["Credentials"][name].as_str();
        value
            .map(str::to_owned)
            .with_context(|| format!("the session has no {name}"))
    };
    Ok(RoleSession {
        access_key_id: member("AccessKeyId")?,
        secret_access_key: member("SecretAccessKey")?,
        session_token: member("SessionToken")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_access_denied_that_names_the_action_is_a_denial() {
        let invoke = call("lambda", "Invoke", "tickets", json!({}));
        let error = |code: &str, action: &str| CallResult::Error {
            code: code.to_owned(),
            message: format!("User: x is not authorized to perform: {action} because of y"),
        };
        let action = "lambda:InvokeFunction";
        for code in ["AccessDenied", "AccessDeniedException"] {
            assert_eq!(denial(&invoke, &error(code, action)), Ok(code.to_owned()));
        }
        for result in [
            CallResult::Success { answer: json!({}) },
            error("ResourceNotFoundException", action),
            error("ValidationException", action),
            error("InvalidClientTokenId", action),
            error("SignatureDoesNotMatch", action),
            error("AccessDenied", "lambda:ListFunctions"),
            CallResult::Error {
                code: "AccessDenied".to_owned(),
                message: "no".to_owned(),
            },
        ] {
            assert!(denial(&invoke, &result).is_err(), "{result:?}");
        }
    }
}
