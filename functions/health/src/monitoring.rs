//! Watches Ticketbridge itself at each tick: dead letters, unfinished messages, the other schedule,
//! mails, held closings. The operator gets one mail when something is wrong, one a day while it
//! lasts, and one when it is over.
//!
//! It sees received messages and ticks. It does not see events that no consumer receives, nor that
//! this function does not run: CloudWatch alarms report those.

use std::collections::BTreeSet;

use aws::invocation::Invocation;
use aws::mail::Mailer;
use aws::metrics::{Metric, count};
use aws::queue::DeadLetters;
use aws_types::SdkConfig;
use domain::EmailAddress;
use domain::monitoring::pipeline::{
    PipelineIncident, PipelineIssue, PipelineNotification, PipelineState, Schedule, issues,
    notified, transition,
};
use domain::time::later;
use jiff::{SignedDuration, Timestamp};
use store::{ConfigTable, MonitoringState, OperatorEvent, Versioned};

use crate::Config;
use crate::monitoring_mail::operator_mail;

/// How long one tick alone may notify the operator: longer than sending a mail takes.
const LEASE: SignedDuration = SignedDuration::from_mins(2);

/// Notifies the operator of incidents of Ticketbridge itself.
#[derive(Debug)]
pub(crate) struct Monitor {
    table: ConfigTable,
    dead_letters: DeadLetters,
    mailer: Mailer,
    /// `None` if the operator has no address: the log is the only notification.
    address: Option<EmailAddress>,
    stack: String,
}

impl Monitor {
    pub(crate) fn new(config: &Config, aws: &SdkConfig) -> Self {
        Self {
            table: ConfigTable::new(aws, config.connections.config_table.clone()),
            dead_letters: DeadLetters::new(aws, config.dead_letter_queue_url.clone()),
            mailer: Mailer::new(aws, config.mail_from.clone()),
            address: config.operator_mail.clone(),
            stack: config.stack.clone(),
        }
    }

    /// Records the tick, checks the pipeline, and notifies the operator. A failure here delays no
    /// partner: the next tick tries again.
    pub(crate) async fn watch(&self, invocation: &Invocation) {
        count(Metric::HealthTicks, 1);
        if let Err(err) = self.check(invocation.name(), invocation.now()).await {
            tracing::error!(error = %err, "failed to read pipeline status");
        }
    }

    async fn check(&self, lease_id: &str, now: Timestamp) -> Result<(), store::Error> {
        self.table
            .monitoring
            .record_tick(Schedule::Health, now)
            .await?;
        let (pipeline, dead_letters) =
            tokio::join!(self.table.monitoring.read(), self.dead_letters.waiting());
        let MonitoringState {
            mut state,
            incident:
                Versioned {
                    value: before,
                    version,
                },
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
        let until = later(now, LEASE);
        let lease = self
            .table
            .monitoring
            .lease_incident(version, lease_id, now, until);
        let Some(lease) = lease.await? else {
            return Ok(());
        };
        // A notification counts as sent once SES has accepted it. If the process dies in between,
        // it is sent again.
        let incident = match (incident, notification) {
            (Some(incident), Some(notification)) => {
                let sent = self
                    .notify(&state, &issues, &incident, notification, now)
                    .await;
                if sent {
                    notified(incident, notification, &issues, now)
                } else {
                    Some(incident)
                }
            }
            (incident, _) => incident,
        };
        self.table
            .monitoring
            .save_incident(incident.as_ref(), &lease)
            .await?;
        Ok(())
    }

    async fn notify(
        &self,
        state: &PipelineState,
        issues: &BTreeSet<PipelineIssue>,
        incident: &PipelineIncident,
        notification: PipelineNotification,
        now: Timestamp,
    ) -> bool {
        tracing::error!(notification = ?notification, issues = ?issues, "pipeline incident changed");
        let Some(address) = &self.address else {
            return true;
        };
        let mail = operator_mail(
            address.clone(),
            &self.stack,
            state,
            issues,
            incident,
            notification,
            now,
        );
        let Err(err) = self.mailer.send(&mail).await else {
            return true;
        };
        tracing::error!(error = %err, "failed to mail the operator");
        let failed = self
            .table
            .monitoring
            .record_event(OperatorEvent::MailFailed, now)
            .await;
        if let Err(err) = failed {
            tracing::warn!(error = %err, "failed to record an operator event");
        }
        false
    }
}
