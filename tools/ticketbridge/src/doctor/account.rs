//! The account: SES may send to anyone, Lambda may run enough at once, and ConnectWise's `clientId`
//! is stored.

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretError;
use aws_sdk_sesv2::operation::get_email_identity::GetEmailIdentityError;

use super::examination::Examination;
use super::finding::Finding;

/// AWS's usual quota is 1,000; a new account has ten. docs/before-you-deploy.md asks for this many.
const FEW_EXECUTIONS: i32 = 200;
/// Mails in 24 hours. The sandbox has 200.
const FEW_MAILS: f64 = 1_000.0;
/// The template's default for the parameter ClientIdSecret.
const DEFAULT_CLIENT_ID_SECRET: &str = "ticketbridge/client-id";

/// What SES says about the account.
#[derive(Debug, Clone, PartialEq)]
struct SendingAccount {
    has_production_access: bool,
    is_sending_enabled: bool,
    /// Mails in 24 hours: the most, and those that were sent.
    quota: Option<(f64, f64)>,
    /// `HEALTHY`, `PROBATION` or `SHUTDOWN`.
    enforcement: Option<String>,
}

pub(super) async fn check_mails(of: &Examination<'_>) -> Vec<Finding> {
    let client = aws_sdk_sesv2::Client::new(&of.target.aws);
    let mut findings = match client.get_account().send().await {
        Err(err) => vec![Finding::unread("SES", "ses:GetAccount", &err)],
        Ok(found) => judge_sending(&SendingAccount {
            has_production_access: found.production_access_enabled,
            is_sending_enabled: found.sending_enabled,
            quota: found
                .send_quota
                .map(|quota| (quota.max24_hour_send, quota.sent_last24_hours)),
            enforcement: found.enforcement_status,
        }),
    };
    findings.push(check_sender(of, &client).await);
    findings
}

fn judge_sending(account: &SendingAccount) -> Vec<Finding> {
    let mut findings = vec![];
    if !account.is_sending_enabled {
        let to_do = "See the account dashboard in SES: no mail is sent.";
        findings.push(Finding::problem("SES", "sending is switched off", to_do));
    }
    if let Some(status) = account.enforcement.as_deref().filter(|of| *of != "HEALTHY") {
        let to_do = "See the reputation metrics in SES, and answer AWS's case.";
        findings.push(Finding::problem(
            "SES",
            format!("its status is {status}"),
            to_do,
        ));
    }
    if !account.has_production_access {
        let to_do = "Request production access in SES: in the sandbox, mails reach verified \
                     addresses only, so partners are not notified.";
        findings.push(Finding::problem(
            "SES",
            "the account is in the sandbox",
            to_do,
        ));
    }
    match account.quota {
        // -1 means no limit.
        Some((max, sent)) if max >= 0.0 && sent >= max * 0.9 => {
            let found = format!("{sent:.0} of {max:.0} mails were sent in 24 hours");
            let to_do = "Request a higher sending quota in SES.";
            findings.push(Finding::problem("SES quota", found, to_do));
        }
        Some((max, _)) if (0.0..FEW_MAILS).contains(&max) => {
            let found = format!("{max:.0} mails in 24 hours");
            let to_do = "Request a higher sending quota in SES if you have many partners.";
            findings.push(Finding::warning("SES quota", found, to_do));
        }
        Some((max, sent)) => {
            let found = format!("{sent:.0} of {max:.0} mails were sent in 24 hours");
            findings.push(Finding::ok("SES quota", found));
        }
        None => {}
    }
    if account.is_sending_enabled && account.has_production_access {
        findings.push(Finding::ok("SES", "production access"));
    }
    findings
}

/// Whether SES has verified the sender's address, or its domain.
async fn check_sender(of: &Examination<'_>, client: &aws_sdk_sesv2::Client) -> Finding {
    let check = "sender of mails";
    let Some(sender) = of.stack.parameter("MailFrom") else {
        return Finding::missing(check, "the parameter MailFrom");
    };
    let domain = sender.split('@').nth(1).unwrap_or_default();
    for identity in [sender, domain] {
        match client
            .get_email_identity()
            .email_identity(identity)
            .send()
            .await
        {
            Ok(found) if found.verified_for_sending_status => {
                return Finding::ok(check, format!("{sender}: SES has verified {identity}"));
            }
            Ok(_) => {}
            Err(err) => {
                let is_unknown = err
                    .as_service_error()
                    .is_some_and(GetEmailIdentityError::is_not_found_exception);
                if !is_unknown {
                    return Finding::unread(check, "ses:GetEmailIdentity", &err);
                }
            }
        }
    }
    let to_do = "Verify the address or its domain in SES, in this account and region: no mail is \
                 sent until then.";
    Finding::problem(check, format!("SES has not verified {sender}"), to_do)
}

pub(super) async fn check_limits_and_secret(of: &Examination<'_>) -> Vec<Finding> {
    let (concurrency, secret) = tokio::join!(check_concurrency(of), check_client_id(of));
    vec![concurrency, secret]
}

async fn check_concurrency(of: &Examination<'_>) -> Finding {
    let check = "Lambda concurrency";
    let client = aws_sdk_lambda::Client::new(&of.target.aws);
    match client.get_account_settings().send().await {
        Err(err) => Finding::unread(check, "lambda:GetAccountSettings", &err),
        Ok(found) => {
            let limit = found.account_limit.map(|limit| limit.concurrent_executions);
            judge_concurrency(limit.unwrap_or_default(), needed_executions(of))
        }
    }
}

/// The executions that the stack's parameters allow at the same time: batches of tickets, 20
/// partners in each invocation of two schedules, and what is reserved for the webhook.
fn needed_executions(of: &Examination<'_>) -> i32 {
    let parameter = |name| {
        let value = of.stack.parameter(name);
        value.and_then(|value| value.parse().ok()).unwrap_or(0)
    };
    let (partners, reserved): (i32, i32) =
        (parameter("PartnersPerTick"), parameter("IngestReserved"));
    parameter("TicketsConcurrency") + partners / 10 + reserved
}

fn judge_concurrency(executions: i32, needed: i32) -> Finding {
    let check = "Lambda concurrency";
    let found = format!(
        "{executions} executions at once in this account and region; the stack's parameters allow {needed}"
    );
    let to_do = "Request a higher quota for concurrent executions in Service Quotas (L-B99A9384): \
                 new accounts have ten, which a burst of alerts uses up.";
    if executions < needed {
        return Finding::problem(check, found, to_do);
    }
    if executions < FEW_EXECUTIONS {
        return Finding::warning(check, found, to_do);
    }
    Finding::ok(check, found)
}

/// Whether the secret with ConnectWise's `clientId` exists. Its value is not read.
async fn check_client_id(of: &Examination<'_>) -> Finding {
    let check = "clientId";
    let name = of
        .stack
        .parameter("ClientIdSecret")
        .unwrap_or(DEFAULT_CLIENT_ID_SECRET);
    let client = aws_sdk_secretsmanager::Client::new(&of.target.aws);
    let to_do = "Store your ConnectWise clientId as plain text in this secret: without it, only \
                 partners with a clientId of their own can connect.";
    match client.describe_secret().secret_id(name).send().await {
        Ok(found) if found.deleted_date.is_some() => Finding::problem(
            check,
            format!("the secret {name} is about to be deleted"),
            to_do,
        ),
        Ok(_) => Finding::ok(check, format!("the secret {name} exists")),
        Err(err) => {
            let service = err.as_service_error();
            if service.is_some_and(DescribeSecretError::is_resource_not_found_exception) {
                let found = format!("there is no secret {name}");
                return Finding::problem(check, found, to_do);
            }
            Finding::unread(check, "secretsmanager:DescribeSecret", &err)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    fn account() -> SendingAccount {
        SendingAccount {
            has_production_access: true,
            is_sending_enabled: true,
            quota: Some((50_000.0, 12.0)),
            enforcement: Some("HEALTHY".to_owned()),
        }
    }

    fn worst(account: &SendingAccount) -> Level {
        let findings = judge_sending(account);
        findings.iter().map(|of| of.level).max().unwrap()
    }

    #[test]
    fn the_sandbox_and_a_used_up_quota_are_problems() {
        assert_eq!(worst(&account()), Level::Ok);
        let sandbox = SendingAccount {
            has_production_access: false,
            ..account()
        };
        assert_eq!(worst(&sandbox), Level::Problem);
        for (quota, level) in [
            ((50_000.0, 45_000.0), Level::Problem),
            ((200.0, 0.0), Level::Warning),
            ((-1.0, 90_000.0), Level::Ok),
        ] {
            let account = SendingAccount {
                quota: Some(quota),
                ..account()
            };
            assert_eq!(worst(&account), level, "{quota:?}");
        }
        let probation = SendingAccount {
            enforcement: Some("PROBATION".to_owned()),
            ..account()
        };
        assert_eq!(worst(&probation), Level::Problem);
    }

    #[test]
    fn a_quota_below_what_the_stack_may_use_is_a_problem() {
        let level = |executions| judge_concurrency(executions, 55).level;
        assert_eq!(level(10), Level::Problem);
        assert_eq!(level(100), Level::Warning);
        assert_eq!(level(1_000), Level::Ok);
    }
}
