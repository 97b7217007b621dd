//! When a partner's weekly report was last sent: `P#<partner>` with `weekly_report`. Only `health`
//! writes it.

use domain::PartnerId;
use domain::monitoring::weekly_report::WeeklyReport;

use crate::Error;
use crate::table::{Table, partner_pk};
use crate::versions::{self, SaveOutcome, Versioned, VersionedItem};

const OPTIONAL: &[&str] = &["sent_at"];

#[derive(Debug, Clone)]
pub struct WeeklyReportStore {
    table: Table,
}

impl WeeklyReportStore {
    pub(crate) fn new(table: &Table) -> Self {
        Self {
            table: table.clone(),
        }
    }

    /// Reads the item consistently. It is empty for a partner without a report so far.
    pub async fn get(&self, partner: &PartnerId) -> Result<Versioned<WeeklyReport>, Error> {
        let read = versions::get(&self.table, item(&partner_pk(partner))).await?;
        Ok(read.or_default())
    }

    /// Saves that a report was sent, after SES accepted it. If the process dies before, the report
    /// is sent again.
    pub async fn save(
        &self,
        partner: &PartnerId,
        report: &WeeklyReport,
        version: u64,
    ) -> Result<SaveOutcome, Error> {
        versions::save(&self.table, item(&partner_pk(partner)), report, version).await
    }
}

fn item(pk: &str) -> VersionedItem<'_> {
    VersionedItem {
        pk,
        sk: "weekly_report",
        optional: OPTIONAL,
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::versions::assert_optional;

    #[test]
    fn optional_attributes_are_those_that_may_be_absent() {
        let sent = WeeklyReport::sent(Timestamp::UNIX_EPOCH);
        assert_optional(&sent, &WeeklyReport::default(), OPTIONAL);
    }
}
