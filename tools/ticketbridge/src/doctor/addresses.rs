//! The addresses of the stack: the webhook refuses an unknown source, and the page is there, also at
//! a domain of one's own.

use jiff::Timestamp;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};

use super::examination::Examination;
use super::finding::Finding;
use crate::http_client;

/// Has the form of a source's id, and is none: ids prove themselves.
const UNKNOWN_SOURCE: &str = "src_aaaaaaaaaaaaaaaaaaaaaaaaaa";

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let Ok(operator) = of.target.operator_url() else {
        return vec![Finding::missing("addresses", "the output OperatorUrl")];
    };
    let api = operator.trim_end_matches('/');
    let api = api.strip_suffix("/v1/operator").unwrap_or(api);
    let domain = of.stack.parameter("PageOrigin");
    let origins = [("the API's address", Some(api)), ("PageOrigin", domain)];
    let mut findings = vec![];
    for (name, origin) in origins {
        let Some(origin) = origin else { continue };
        let check = format!("webhook at {name}");
        let answered = post_unknown_source(origin).await;
        findings.push(judge_webhook(check, origin, answered));
        let check = format!("page at {name}");
        findings.push(judge_page(check, origin, read_page(origin).await));
    }
    findings
}

/// Posts as a source that does not exist, and returns the status. The webhook refuses it before it
/// reads anything.
async fn post_unknown_source(origin: &str) -> Result<StatusCode, String> {
    let url = format!("{origin}/v1/events/{UNKNOWN_SOURCE}");
    let client = http_client::create(&url).map_err(|err| format!("{err:#}"))?;
    let request = client
        .post(url)
        .header("webhook-id", "doctor")
        .header("webhook-timestamp", Timestamp::now().as_second())
        .header("webhook-signature", "v1,AA==")
        .body("{}");
    let answer = request.send().await.map_err(|err| cause(&err))?;
    Ok(answer.status())
}

/// Reads the page without a session, and returns the status and whether it is a page, or leads to
/// one of its own.
async fn read_page(origin: &str) -> Result<(StatusCode, bool), String> {
    let url = format!("{origin}/setup");
    let client = http_client::create(&url).map_err(|err| format!("{err:#}"))?;
    let answer = client.get(url).send().await.map_err(|err| cause(&err))?;
    let is = |name, start: &[u8]| {
        let value = answer.headers().get(name);
        value.is_some_and(|value| value.as_bytes().starts_with(start))
    };
    let is_page = is(CONTENT_TYPE, b"text/html") || is(LOCATION, b"/setup");
    Ok((answer.status(), is_page))
}

fn cause(err: &reqwest::Error) -> String {
    domain::text::chain(err)
}

fn judge_webhook(check: String, origin: &str, answered: Result<StatusCode, String>) -> Finding {
    match answered {
        Ok(StatusCode::UNAUTHORIZED) => {
            Finding::ok(check, format!("{origin} refuses an unknown source"))
        }
        Ok(status) => {
            let found = format!("{origin} answers an unknown source {status}, not 401");
            Finding::problem(check, found, WRONG_ANSWER)
        }
        Err(cause) => unreachable(check, origin, &cause),
    }
}

fn judge_page(
    check: String,
    origin: &str,
    answered: Result<(StatusCode, bool), String>,
) -> Finding {
    match answered {
        Ok((status, true)) if !status.is_server_error() => {
            Finding::ok(check, format!("{origin}/setup is there"))
        }
        Ok((status, _)) => {
            let found = format!("{origin}/setup answers {status}, and no page");
            Finding::problem(check, found, WRONG_ANSWER)
        }
        Err(cause) => unreachable(check, origin, &cause),
    }
}

const WRONG_ANSWER: &str = "Map the domain to the stack's HTTP API, stage $default, without a path. \
                            If the API's own address is wrong too, read the log of the function.";

fn unreachable(check: String, origin: &str, cause: &str) -> Finding {
    let to_do = "Check the name in DNS, and the certificate of the custom domain: links in mails \
                 and webhook addresses begin with PageOrigin.";
    Finding::problem(check, format!("{origin} cannot be reached: {cause}"), to_do)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_webhook_that_does_not_refuse_an_unknown_source_is_a_problem() {
        let level =
            |answered| judge_webhook("webhook".to_owned(), "https://tb.example", answered).level;
        assert_eq!(level(Ok(StatusCode::UNAUTHORIZED)), Level::Ok);
        for status in [StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND] {
            assert_eq!(level(Ok(status)), Level::Problem, "{status}");
        }
        assert_eq!(level(Err("no such name".to_owned())), Level::Problem);
    }

    #[test]
    fn a_page_of_another_program_is_a_problem() {
        let level = |answered| judge_page("page".to_owned(), "https://tb.example", answered).level;
        assert_eq!(level(Ok((StatusCode::OK, true))), Level::Ok);
        assert_eq!(level(Ok((StatusCode::SEE_OTHER, true))), Level::Ok);
        assert_eq!(level(Ok((StatusCode::NOT_FOUND, false))), Level::Problem);
        assert_eq!(level(Ok((StatusCode::BAD_GATEWAY, true))), Level::Problem);
    }
}
