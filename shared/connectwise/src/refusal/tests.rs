use domain::setup::rights;
use domain::{Blocked, Reaction};

use super::*;
use crate::WriteOutcome;

const NOW: &str = "2026-04-01T08:00:00Z";

fn refused(path: &str, status: u16, body: &str) -> Error {
    let response = ErrorResponse {
        path,
        right: rights::TICKETS_ADD,
        status,
        retry_after: None,
        body: Some(body.as_bytes()),
    };
    error_for(response, NOW.parse().unwrap())
}

/// One line: the error's variant and main field, its reaction, and whether a write may have taken
/// effect.
fn summary(error: &Error) -> String {
    let failure = error.classify();
    let debug = format!("{error:?}");
    let name = debug.split([' ', '{']).next().unwrap();
    let of = match error {
        Error::TargetMissing { target, .. } => format!("({target})"),
        Error::MissingRight { right } | Error::Forbidden { right, .. } => format!("({right})"),
        Error::Throttled { retry_after } => format!("({retry_after:?})"),
        Error::EndpointMissing { path } => format!("({path})"),
        Error::NotSent { .. }
        | Error::DeadlineTooShort
        | Error::TimedOut { .. }
        | Error::NoAnswer { .. }
        | Error::ServerError { .. }
        | Error::KeysRefused
        | Error::ClientIdRefused
        | Error::NotRouted { .. }
        | Error::NotFound { .. }
        | Error::Rejected { .. }
        | Error::Conflict { .. }
        | Error::RedirectRefused { .. }
        | Error::HostRefused { .. }
        | Error::AnswerTooLarge { .. }
        | Error::AnswerUnreadable { .. } => String::new(),
    };
    let asks = match failure.reaction {
        Reaction::Retry { after: None } => "retry".to_owned(),
        Reaction::Retry { after: Some(time) } => format!("retry after {time:?}"),
        Reaction::Block {
            reason: Blocked::Rejected(_),
        } => "block rejected".to_owned(),
        Reaction::Block { reason } => format!("block {reason}"),
        Reaction::DeadLetter { .. } => "dead letter".to_owned(),
    };
    let done = match failure.write {
        WriteOutcome::Unknown => "uncertain",
        WriteOutcome::NotDone => "not done",
    };
    format!("{name}{of}, {asks}, {done}")
}

#[test]
fn each_known_response_is_classified() {
    let broken = "block connection_broken, not done";
    // A proxy answered: an outage, unless only this call is refused.
    let away = "retry, not done";
    let table: Vec<(u16, &str, String)> = vec![
        // Keys and routing, from the guide and from reports.
        (
            401,
            r#"{"code":"Unauthorized","message":"The supplied authentication is incorrect."}"#,
            format!("KeysRefused, {broken}"),
        ),
        (
            401,
            r#"{"code":"ConnectWiseApi","message":"UserNotAuthenticated"}"#,
            format!("KeysRefused, {broken}"),
        ),
        (401, "", format!("KeysRefused, {broken}")),
        (
            400,
            "Cannot route. Codebase/company is invalid",
            format!("NotRouted, {away}"),
        ),
        (
            404,
            "Cannot route. Codebase/company is invalid",
            format!("NotRouted, {away}"),
        ),
        (
            400,
            r#"{"code":"ConnectWiseApi","message":"Cannot route. Codebase/company is invalid","errors":null}"#,
            format!("NotRouted, {away}"),
        ),
        (400, "", format!("NotRouted, {away}")),
        (404, "", format!("NotRouted, {away}")),
        (
            404,
            "<!DOCTYPE html><title>404</title>",
            format!("NotRouted, {away}"),
        ),
        (
            400,
            "\u{feff}\r\n<html>company board status</html>",
            format!("NotRouted, {away}"),
        ),
        (
            403,
            r#"{"code":"Security","message":"SSL is required.","errors":null}"#,
            format!("NotRouted, {away}"),
        ),
        (
            403,
            "<html>Access denied by the firewall</html>",
            format!("NotRouted, {away}"),
        ),
        (
            404,
            r#"{"code":"ConnectWiseApi","message":"The endpoint does not exist."}"#,
            format!("EndpointMissing(/service/tickets), {away}"),
        ),
        (
            405,
            r#"{"code":"ConnectWiseApi","message":"Method not allowed"}"#,
            format!("EndpointMissing(/service/tickets), {away}"),
        ),
        // The clientId: three statuses in three reports.
        (
            400,
            r#"{"code":"ConnectWiseApi","message":"clientId is missing"}"#,
            format!("ClientIdRefused, {broken}"),
        ),
        (
            401,
            r#"{"code":"Unauthorized","message":"Invalid ClientID header"}"#,
            format!("ClientIdRefused, {broken}"),
        ),
        (
            403,
            "A valid clientId is required",
            format!("ClientIdRefused, {broken}"),
        ),
        (
            400,
            r#"{"code":"InvalidObject","message":"header","errors":[{"code":"X","message":"bad","field":"clientId"}]}"#,
            format!("ClientIdRefused, {broken}"),
        ),
        // A ticket title that holds "clientId" says nothing about the connection.
        (
            400,
            r#"{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"code":"X","message":"'clientId leaked' is not allowed","field":"summary"}]}"#,
            "Rejected, block rejected, not done".into(),
        ),
        // Rights.
        (
            403,
            r#"{"code":"Security","message":"You do not have security permission to perform this action."}"#,
            "MissingRight(service_tickets.add), block missing_right(service_tickets.add), not done"
                .into(),
        ),
        (403, "", format!("Forbidden(service_tickets.add), {away}")),
        (
            403,
            "Forbidden",
            format!("Forbidden(service_tickets.add), {away}"),
        ),
        (
            403,
            r#"{"message":"Forbidden"}"#,
            format!("Forbidden(service_tickets.add), {away}"),
        ),
        (
            403,
            r#"{"code":"Forbidden","message":"The request was blocked by a policy."}"#,
            format!("Forbidden(service_tickets.add), {away}"),
        ),
        // Records and a ticket's references.
        (
            404,
            r#"{"code":"NotFound","message":"Ticket 1255787 not found"}"#,
            "NotFound, block rejected, not done".into(),
        ),
        (
            404,
            r#"{"code":"NotFound","message":"Company 250 not found"}"#,
            "TargetMissing(company), block target_missing(company), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"code":"NotFound","message":"Service Status 17 not found for Service Board 21","resource":"ticket","field":"status/id"}]}"#,
            "TargetMissing(status), block target_missing(status), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"code":"NotFound","message":"Service Status 17 not found for Service Board 21"}]}"#,
            "TargetMissing(status), block target_missing(status), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"NotFound","field":"status/id"},{"code":"NotFound","field":"Board/id"}]}"#,
            "TargetMissing(board), block target_missing(board), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"MissingRequiredField","message":"The company/id field is required.","field":"company"}]}"#,
            "TargetMissing(company), block target_missing(company), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"NotFound","message":"Service Type 3 not found","field":"type/id"}]}"#,
            "TargetMissing(type), block target_missing(type), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"NotFound","message":"Priority 8 not found","field":"priority/id"}]}"#,
            "TargetMissing(priority), block target_missing(priority), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"NotFound","message":"Service Team 41 not found for Service Board 21","field":"team/id"}]}"#,
            "TargetMissing(team), block target_missing(team), not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"code":"NotFound","message":"Member 153 not found"}]}"#,
            "TargetMissing(owner), block target_missing(owner), not done".into(),
        ),
        (
            400,
            r#"{"code":"NotFound","message":"Board 21 not found","field":"board"}"#,
            "TargetMissing(board), block target_missing(board), not done".into(),
        ),
        // Other fields of the request.
        (
            400,
            r#"{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"code":"MaxLengthField","message":"The field summary must be a string with a maximum length of 100."}]}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"MaxLengthField","message":"The field summary must be a string with a maximum length of 100."}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"MissingRequiredField","message":"The assignTo/id field is required.","field":"assignTo"}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","message":"serviceNote object is invalid","errors":[{"message":"Please choose where to display the notes in order to save this record."}]}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"ApiFindCondition","message":"resources/identifier is not a recognized name."}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"ConnectWiseApi","message":"Could not find member 'page' on object of type 'FilterValues'. Path 'page', line 1, position 50."}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            400,
            r#"{"code":"InvalidObject","errors":[{"field":"subType/id","message":"x"}]}"#,
            "Rejected, block rejected, not done".into(),
        ),
        (
            409,
            r#"{"code":"Conflict","message":"The record is in use."}"#,
            "Conflict, retry, not done".into(),
        ),
        // Rate limit, failure, redirect.
        (
            429,
            r#"{"error":"ConnectWiseAPI","message":"Too many requests. Please try again in 30 seconds."}"#,
            "Throttled(30s), retry after 30s, not done".into(),
        ),
        (
            500,
            r#"{"code":"ConnectWiseApi","message":"A timeout has occured. Please try again."}"#,
            "ServerError, retry, uncertain".into(),
        ),
        (503, "", "ServerError, retry, uncertain".into()),
        (
            520,
            "<html>cloud</html>",
            "ServerError, retry, uncertain".into(),
        ),
        (408, "", "ServerError, retry, uncertain".into()),
        (302, "", "RedirectRefused, retry, uncertain".into()),
        (308, "", "RedirectRefused, retry, not done".into()),
    ];
    for (status, body, expected) in table {
        let error = refused("/service/tickets", status, body);
        assert_eq!(summary(&error), expected, "{status} {body}");
    }
}

#[test]
fn an_unanswered_write_is_not_done_only_if_nothing_was_sent() {
    let cause = || "x".to_owned();
    let table = [
        (
            Error::NotSent { cause: cause() },
            "NotSent, retry, not done",
        ),
        (Error::DeadlineTooShort, "DeadlineTooShort, retry, not done"),
        (
            Error::TimedOut { after: MIN_WAIT },
            "TimedOut, retry, uncertain",
        ),
        (
            Error::NoAnswer { cause: cause() },
            "NoAnswer, retry, uncertain",
        ),
        (
            Error::AnswerTooLarge { limit: 1 },
            "AnswerTooLarge, retry, uncertain",
        ),
        (
            Error::AnswerUnreadable {
                status: 201,
                cause: cause(),
            },
            "AnswerUnreadable, retry, uncertain",
        ),
        (
            Error::AnswerUnreadable {
                status: 400,
                cause: cause(),
            },
            "AnswerUnreadable, retry, not done",
        ),
        (
            Error::HostRefused { cause: cause() },
            "HostRefused, block connection_broken, not done",
        ),
    ];
    for (error, expected) in table {
        assert_eq!(summary(&error), expected);
    }
}

#[test]
fn a_refusal_that_is_cut_off_is_classified_by_its_status() {
    for (status, expected) in [
        (400, "AnswerUnreadable, retry, not done"),
        (403, "AnswerUnreadable, retry, not done"),
        (404, "AnswerUnreadable, retry, not done"),
        (401, "KeysRefused, block connection_broken, not done"),
        (429, "Throttled(30s), retry after 30s, not done"),
        (500, "ServerError, retry, uncertain"),
    ] {
        let response = ErrorResponse {
            path: "/service/tickets",
            right: rights::TICKETS_ADD,
            status,
            retry_after: None,
            body: None,
        };
        assert_eq!(
            summary(&error_for(response, NOW.parse().unwrap())),
            expected
        );
    }
}

#[test]
fn only_a_new_tickets_missing_record_is_a_target() {
    let body = r#"{"code":"NotFound","message":"Board 21 not found"}"#;
    let error = refused("/service/boards/21/statuses", 404, body);
    let what = "Board 21 not found".to_owned();
    assert_eq!(error, Error::NotFound { what });
}

#[test]
fn a_quotation_is_one_line_of_limited_length() {
    let two = r#"{"code":"InvalidObject","message":"ticket object is invalid","errors":[{"message":"one\r\nline"},{"message":""},{"message":"two"}]}"#;
    let words = "one line; two".to_owned();
    assert_eq!(refused("/x", 400, two), Error::Rejected { words });

    let long = format!(
        r#"{{"code":"InvalidObject","message":"{}"}}"#,
        "ä".repeat(5_000)
    );
    let Error::Rejected { words } = refused("/x", 400, &long) else {
        panic!("not rejected");
    };
    assert_eq!(words.chars().count(), MAX_WORDS);
    // A web page is never quoted.
    let page = refused("/x", 404, "<html>secret</html>").to_string();
    assert!(!page.contains("secret"), "{page}");
}

#[test]
fn retry_after_is_read_and_limited() {
    let table = [
        (None, 30),
        (Some(""), 30),
        (Some("17"), 17),
        (Some(" 17 "), 17),
        (Some("0"), 1),
        (Some("3600"), 3600),
        (Some("3601"), 3600),
        (Some("99999999999999999999999999"), 3600),
        (Some("-5"), 30),
        (Some("1.5"), 30),
        (Some("soon"), 30),
        (Some("Wed, 01 Apr 2026 08:01:30 GMT"), 90),
        (Some("Wed, 01 Apr 2026 07:00:00 GMT"), 1),
        (Some("Wed, 01 Apr 2026 23:00:00 GMT"), 3600),
        (Some("Thu, 31 Dec 2099 23:59:59 GMT"), 3600),
    ];
    for (header, seconds) in table {
        let wait = retry_after(header, NOW.parse().unwrap());
        assert_eq!(wait, Duration::from_secs(seconds), "{header:?}");
    }
}
