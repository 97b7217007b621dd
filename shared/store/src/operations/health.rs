//! The health of a partner's connection, and what a person was notified of: `P#<partner>` with
//! `health`.

use domain::PartnerId;
use domain::monitoring::health::Health;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const OPTIONAL: &[&str] = &[
    "failing_since",
    "connection",
    "set_up",
    "sources",
    "source_alerts",
    "taken_at",
];

#[derive(Debug, Clone)]
pub struct HealthStore {
    table: Table,
}

impl HealthStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the health consistently. It is empty for a connection that was never probed.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<Health>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.or_default())
    }

    /// Saves a health that was derived from what was read. Returns it with its new version, or `None`
    /// if another run has written the health since; that run then notifies.
    ///
    /// A run saves twice: what the probe found before any mail is sent, and what was notified after
    /// SES accepted the mail. If the process dies right after the first save, the next run finds the
    /// same notifications due. If it dies before the second, a person is notified once more. A
    /// notification is never lost.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: the next run reads the item.
    pub async fn save(
        &self,
        partner: &PartnerId,
        read: &Versioned<Health>,
        health: Health,
    ) -> Result<Option<Versioned<Health>>, Error> {
        let pk = partner_pk(partner);
        let outcome = versions::save(&self.table, item(&pk), &health, read.version).await?;
        Ok(match outcome {
            SaveOutcome::Saved { version } => Some(Versioned {
                value: health,
                version,
            }),
            SaveOutcome::Conflict => None,
        })
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "health",
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::event::Severity;
    use domain::alert::kind::Category;
    use domain::alert::record::Op;
    use domain::monitoring::health::Incident;
    use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, Issue, Outage};
    use domain::monitoring::source_alert::SourceAlert;
    use domain::setup::choices::TargetIssue;
    use domain::ticketing::refused_writes::RefusedTarget;
    use domain::{Kind, SourceId, TenantId};
    use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

    use super::*;
    use crate::table::Item;
    use crate::versions::assert_optional;

    #[test]
    fn every_issue_round_trips_through_the_item() {
        let (category, why) = (Category::CyberAlerts, TargetIssue::Closes);
        let kind = Kind::parse("disk").unwrap();
        let tenant = TenantId::parse("acme").unwrap();
        let at: jiff::Timestamp = "2026-11-22T07:30:00.123Z".parse().unwrap();
        let issues = [
            Issue::Refused(ConnectionRefusal::OwnClientId),
            Issue::Outage(Outage::Slow),
            Issue::Right("service_tickets.add".into()),
            Issue::Board { category, why },
            Issue::StartStatus { category, why },
            Issue::ClosingStatus { category, why },
            Issue::Type {
                category,
                kind,
                why,
            },
            Issue::Priority(Severity::High),
            Issue::Company {
                tenant,
                why: CompanyIssue::Deleted,
            },
            Issue::Writes {
                op: Some(Op::Create),
                target: RefusedTarget::Company(TenantId::parse("acme").unwrap()),
                words: "Company is on hold".into(),
            },
            Issue::Writes {
                op: None,
                target: RefusedTarget::Status(category),
                words: String::new(),
            },
            Issue::InactiveSource {
                source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
                since: at,
            },
            Issue::InactiveTenant {
                source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
                tenant: TenantId::parse("acme").unwrap(),
                since: "2026-11-22".parse().unwrap(),
            },
        ];
        let incident = Incident {
            since: at,
            issues: issues.clone().into(),
            notified: issues.into(),
            notified_at: Some(at),
            good: 2,
            waited: 7,
        };
        let health = Health {
            failing: 2,
            failing_since: Some(at),
            connection: Some(incident.clone()),
            set_up: Some(incident.clone()),
            sources: Some(incident),
            source_alerts: [(
                SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
                SourceAlert {
                    quiet_since: at,
                    raised_at: at,
                    resolved_at: Some(at),
                    sent: true,
                },
            )]
            .into(),
            turn: 9,
            taken_at: Some(at),
        };
        let item: Item = to_item(&health).unwrap();
        assert_eq!(from_item::<Health>(item).unwrap(), health);
        assert_optional(&health, &Health::default(), OPTIONAL);
    }
}
