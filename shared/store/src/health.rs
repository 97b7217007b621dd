//! What is known of a partner's connection, and what a person was told of it: `P#<partner>` with `health`.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::PartnerId;
use domain::monitoring::health::Health;
use serde::Deserialize;
use serde_dynamo::aws_sdk_dynamodb_1::to_attribute_value;

use crate::Error;
use crate::conditional;
use crate::config::ConfigTable;
use crate::table::partner_pk;

const HEALTH: &str = "health";

/// The health as it was read: it is written again only if nobody else wrote it meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct KeptHealth {
    /// What it says.
    #[serde(default)]
    pub health: Health,
    /// How often it was written.
    #[serde(default)]
    rev: u64,
}

impl ConfigTable {
    /// The partner's health, read consistently; that of one whose connection was never tried says nothing.
    ///
    /// # Errors
    /// When DynamoDB fails or the item is unreadable.
    pub async fn health(&self, partner: &PartnerId) -> Result<KeptHealth, Error> {
        Ok(self.table.get(partner, HEALTH).await?.unwrap_or_default())
    }

    /// Writes a health that was made of what was read; none where somebody else wrote one meanwhile, who then is the one to tell a person.
    ///
    /// It is written twice in a run: with what the probe found, before any mail, and with what was told, after SES took the mail. If the
    /// process dies right after the first, the next run finds the same to be told; if it dies before the second, a person is told once
    /// more, and never not at all.
    ///
    /// # Errors
    /// When DynamoDB fails. The write may then have happened: the next run reads what is there.
    pub async fn put_health(
        &self,
        partner: &PartnerId,
        read: &KeptHealth,
        health: Health,
    ) -> Result<Option<KeptHealth>, Error> {
        let malformed = |err| Error::malformed(format!("{partner} {HEALTH}"), &err);
        let value = to_attribute_value(&health).map_err(malformed)?;
        let rev = read.rev + 1;
        let call = self
            .table
            .update_item(&partner_pk(partner), HEALTH)
            .update_expression("SET health = :health, rev = :rev")
            .expression_attribute_values(":health", value)
            .expression_attribute_values(":rev", AttributeValue::N(rev.to_string()));
        let call = match read.rev {
            0 => call.condition_expression("attribute_not_exists(rev)"),
            before => call
                .condition_expression("rev = :before")
                .expression_attribute_values(":before", AttributeValue::N(before.to_string())),
        };
        let written = conditional::update(call).await?.is_some();
        Ok(written.then_some(KeptHealth { health, rev }))
    }
}

#[cfg(test)]
mod tests {
    use domain::alert::event::Severity;
    use domain::alert::kind::Category;
    use domain::alert::record::Op;
    use domain::monitoring::health::Incident;
    use domain::monitoring::issue::{CompanyIssue, ConnectionRefusal, Issue, Outage};
    use domain::setup::choices::TargetIssue;
    use domain::ticketing::refused_writes::{RefusalCause, RefusalGroupId, RefusedTarget};
    use domain::{Kind, TenantId};
    use serde_dynamo::aws_sdk_dynamodb_1::{from_item, to_item};

    use super::*;

    #[test]
    fn every_trouble_comes_back_as_it_was_stored() {
        let (category, why) = (Category::CyberAlerts, TargetIssue::Closes);
        let kind = Kind::parse("disk").unwrap();
        let tenant = TenantId::parse("acme").unwrap();
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
                group: RefusalGroupId {
                    op: Some(Op::Create),
                    cause: RefusalCause::Words("site id is required".into()),
                },
                words: "Site ID is required".into(),
            },
            Issue::Writes {
                group: RefusalGroupId {
                    op: None,
                    cause: RefusalCause::Target(RefusedTarget::Status(category)),
                },
                words: String::new(),
            },
        ];
        let at: jiff::Timestamp = "2026-11-22T07:30:00.123Z".parse().unwrap();
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
            set_up: Some(incident),
            turn: 9,
            taken_at: Some(at),
        };
        let item: crate::Item = to_item(&health).unwrap();
        assert_eq!(from_item::<Health>(item).unwrap(), health);
        let nothing = from_item::<KeptHealth>(crate::Item::new()).unwrap();
        assert_eq!(nothing, KeptHealth::default());
    }
}
