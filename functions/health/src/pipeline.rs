//! How Ticketbridge itself does, at each tick: dead letters, what is unfinished, the other schedule, mails, closings that were stopped.
//! Its operator gets one mail when something is wrong, one a day while it is, and one when it is over.
//!
//! It covers what is seen of messages that were received, and of ticks. It does not see events that nobody takes from the queue at all,
//! nor that this very function does not run: alarms of CloudWatch's own tell of those.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::mail::{Mail, Mailer};
use aws::metrics::{Metric, count};
use aws::queue::DeadLetters;
use aws_types::SdkConfig;
use domain::EmailAddress;
use domain::pipeline::{
    PipelineIncident, PipelineIssue, PipelineNotification, PipelineState, Schedule, issues, minute,
    notified, transition,
};
use jiff::{SignedDuration, Timestamp};
use maud::{DOCTYPE, html};
use store::{OperatorEvent, Pipeline};

use crate::{App, Config};

/// So long one tick keeps others from telling the operator too: longer than a mail takes.
const TELLING: SignedDuration = SignedDuration::from_mins(2);

/// Whoever runs this Ticketbridge, and what they need to know.
#[derive(Debug)]
pub(crate) struct Operator {
    address: Option<EmailAddress>,
    stage: String,
    mailer: Mailer,
    dead_letters: DeadLetters,
}

impl Operator {
    pub(crate) fn new(config: &Config, aws: &SdkConfig) -> Self {
        Self {
            address: config.operator_mail.clone(),
            stage: config.stage.clone(),
            mailer: Mailer::new(aws, config.mail_from.clone()),
            dead_letters: DeadLetters::new(aws, config.dead_letter_queue_url.clone()),
        }
    }
}

impl App {
    /// Leaves a sign of this tick, looks at all signs, and tells the operator what it does not know. Whatever fails here is tried again
    /// at the next tick, and keeps no partner waiting.
    pub(crate) async fn watch_pipeline(&self, invocation: &Invocation) {
        count(Metric::HealthTicks, 1);
        if let Err(err) = self.check_pipeline(invocation).await {
            tracing::error!(error = %err, "failed to read pipeline status");
        }
    }

    async fn check_pipeline(&self, invocation: &Invocation) -> Result<(), store::Error> {
        let (table, now) = (&self.connections.table, invocation.now());
        table.ticked(Schedule::Health, now).await?;
        let (pipeline, dead_letters) =
            tokio::join!(table.pipeline(), self.operator.dead_letters.waiting());
        let Pipeline {
            mut state,
            incident: before,
            notifying_until,
        } = pipeline?;
        match dead_letters {
            Ok(count) => state.dead_letters = Some(count),
            Err(err) => tracing::error!(error = %err, "failed to count dead letters"),
        }
        let issues = issues(&state, now);
        if issues.contains(&PipelineIssue::ScheduleMissed) {
            count(Metric::SchedulesMissed, 1);
        }
        let (incident, notification) = transition(before.clone(), &issues, now);
        if incident == before && notification.is_none() {
            return Ok(());
        }
        let until = now.saturating_add(TELLING).unwrap_or(Timestamp::MAX);
        if !table.tell_the_operator(notifying_until, now, until).await? {
            return Ok(());
        }
        // It counts as told once SES took it. If the process dies in between, it is told again.
        let incident = match (incident, notification) {
            (Some(incident), Some(notification)) => {
                match self
                    .tell_operator(&state, &issues, &incident, notification, now)
                    .await
                {
                    true => notified(incident, notification, &issues, now),
                    false => Some(incident),
                }
            }
            (incident, _) => incident,
        };
        table.put_episode(incident.as_ref(), until, now).await?;
        Ok(())
    }

    async fn tell_operator(
        &self,
        state: &PipelineState,
        issues: &BTreeSet<PipelineIssue>,
        incident: &PipelineIncident,
        notification: PipelineNotification,
        now: Timestamp,
    ) -> bool {
        tracing::error!(notification = ?notification, issues = ?issues, "pipeline incident changed");
        let operator = &self.operator;
        let Some(address) = &operator.address else {
            // The log is all that there is.
            return true;
        };
        let written = Written::new(&operator.stage, state, issues, incident, notification, now);
        let sent = operator.mailer.send(&written.to(address.clone())).await;
        let Err(err) = sent else {
            return true;
        };
        tracing::error!(error = %err, "failed to mail the operator");
        self.connections
            .report_event(OperatorEvent::MailFailed, now)
            .await;
        false
    }
}

/// What a mail says.
struct Written {
    subject: String,
    opening: String,
    /// What is wrong, each with its entry in the runbook.
    wrong: Vec<(String, &'static str)>,
    closing: &'static str,
}

impl Written {
    fn new(
        stage: &str,
        state: &PipelineState,
        issues: &BTreeSet<PipelineIssue>,
        incident: &PipelineIncident,
        notification: PipelineNotification,
        now: Timestamp,
    ) -> Self {
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
        Self {
            subject: format!("Ticketbridge {stage}: {what}"),
            opening,
            wrong: issues
                .iter()
                .map(|issue| (issue.describe(state, now), issue.runbook()))
                .collect(),
            closing,
        }
    }

    fn to(&self, address: EmailAddress) -> Mail {
        let wrong: String = self
            .wrong
            .iter()
            .map(|(words, entry)| format!("- {words}\n  What to do: docs/runbook.md, {entry}\n"))
            .collect();
        let space = if wrong.is_empty() { "" } else { "\n" };
        let html = html! {
            (DOCTYPE)
            html lang="en" {
                head { meta charset="utf-8"; title { (self.subject) } }
                body {
                    p { (self.opening) }
                    @if !self.wrong.is_empty() {
                        ul {
                            @for (words, entry) in &self.wrong {
                                li { (words) br; "What to do: docs/runbook.md, " (entry) }
                            }
                        }
                    }
                    p { (self.closing) }
                }
            }
        };
        Mail {
            to: address,
            subject: self.subject.clone(),
            text: format!("{}\n\n{wrong}{space}{}\n", self.opening, self.closing),
            html: html.into_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(notification: PipelineNotification, issues: &[PipelineIssue]) -> Mail {
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
        Written::new("prod", &state, &issues, &incident, notification, now)
            .to(EmailAddress::parse("oncall@example.com").unwrap())
    }

    #[test]
    fn the_operators_mail_is_read_with_and_without_html() {
        let mail = written(PipelineNotification::Started, &[PipelineIssue::DeadLetters]);
        assert_eq!(mail.subject, "Ticketbridge prod: something is wrong");
        assert_eq!(
            mail.text,
            "Something is wrong with Ticketbridge itself, since 22 November 2026, 07:30 UTC:\n\n\
             - 3 messages are in the dead-letter queue: they can never be processed as they are.\n  \
             What to do: docs/runbook.md, DeadLettersAlarm\n\n\
             You get one mail a day while it lasts, another if more goes wrong, and one when it is over.\n"
        );
        assert!(mail.html.contains("<li>3 messages are"), "{}", mail.html);
        let over = written(PipelineNotification::Resolved, &[]);
        assert_eq!(
            over.text,
            "What was wrong with Ticketbridge since 22 November 2026, 07:30 UTC is over.\n\nThere is nothing to do.\n"
        );
    }
}
