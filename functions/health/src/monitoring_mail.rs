//! The mail to the operator about Ticketbridge itself. Pure.

use std::collections::BTreeSet;

use aws::mail::Mail;
use domain::EmailAddress;
use domain::monitoring::pipeline::{
    PipelineIncident, PipelineIssue, PipelineNotification, PipelineState, minute,
};
use jiff::Timestamp;
use maud::{DOCTYPE, html};

/// The mail for a notification. Each issue names its entry in the runbook.
pub(crate) fn operator_mail(
    to: EmailAddress,
    stack: &str,
    state: &PipelineState,
    issues: &BTreeSet<PipelineIssue>,
    incident: &PipelineIncident,
    notification: PipelineNotification,
    now: Timestamp,
) -> Mail {
    let since = minute(incident.since);
    let (what, opening, closing) = match notification {
        PipelineNotification::Started => (
            "something is wrong",
            format!("Something is wrong with Ticketbridge itself, since {since}:"),
            "You get one mail a day while it lasts, another if more goes wrong, and one when it is over.",
        ),
        PipelineNotification::Reminder => (
            "something is still wrong",
            format!("Something is still wrong with Ticketbridge itself, since {since}:"),
            "You get this mail once a day until it is over.",
        ),
        PipelineNotification::Resolved => (
            "all is well again",
            format!("What was wrong with Ticketbridge since {since} is over."),
            "There is nothing to do.",
        ),
    };
    let subject = format!("Ticketbridge stack {stack}: {what}");
    let issues: Vec<(String, &str)> = issues
        .iter()
        .map(|issue| (issue.describe(state, now), issue.runbook()))
        .collect();
    let list: String = issues
        .iter()
        .map(|(words, entry)| format!("- {words}\n  What to do: docs/runbook.md, {entry}\n"))
        .collect();
    let space = if list.is_empty() { "" } else { "\n" };
    let html = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { (subject) } }
            body {
                p { (opening) }
                @if !issues.is_empty() {
                    ul {
                        @for (words, entry) in &issues {
                            li { (words) br; "What to do: docs/runbook.md, " (entry) }
                        }
                    }
                }
                p { (closing) }
            }
        }
    };
    Mail {
        to,
        subject,
        text: format!("{opening}\n\n{list}{space}{closing}\n"),
        html: html.into_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(notification: PipelineNotification, issues: &[PipelineIssue]) -> Mail {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let state = PipelineState {
            dead_letters: Some(3),
            ..PipelineState::default()
        };
        let incident = PipelineIncident {
            since: at("2026-11-22T07:30:00Z"),
            notified: BTreeSet::new(),
            notified_at: None,
            calm_since: None,
        };
        let issues = issues.iter().copied().collect();
        let now = at("2026-11-22T08:00:00Z");
        let to = EmailAddress::parse("oncall@example.com").unwrap();
        operator_mail(to, "prod", &state, &issues, &incident, notification, now)
    }

    #[test]
    fn the_mail_says_the_same_as_text_and_html() {
        let wrong = mail(PipelineNotification::Started, &[PipelineIssue::DeadLetters]);
        assert_eq!(wrong.subject, "Ticketbridge stack prod: something is wrong");
        assert_eq!(
            wrong.text,
            "Something is wrong with Ticketbridge itself, since 22 November 2026, 07:30 UTC:\n\n\
             - 3 messages are in the dead-letter queue: they can never be processed as they are.\n  \
             What to do: docs/runbook.md, DeadLettersAlarm\n\n\
             You get one mail a day while it lasts, another if more goes wrong, and one when it is over.\n"
        );
        assert!(wrong.html.contains("<li>3 messages are"), "{}", wrong.html);
        let over = mail(PipelineNotification::Resolved, &[]);
        assert_eq!(
            over.text,
            "What was wrong with Ticketbridge since 22 November 2026, 07:30 UTC is over.\n\nThere is nothing to do.\n"
        );
    }
}
