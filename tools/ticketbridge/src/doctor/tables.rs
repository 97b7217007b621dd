//! The tables: each has point-in-time recovery, expiry of items and deletion protection, and its
//! indexes are active.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    IndexStatus, PointInTimeRecoveryStatus, TableDescription, TimeToLiveStatus,
};

use super::examination::{Examination, each};
use super::finding::Finding;
use super::stack::StackResource;

#[derive(Debug, Clone, PartialEq, Eq)]
struct TableSettings {
    is_active: bool,
    /// Indexes that cannot be read.
    inactive_indexes: Vec<String>,
    has_recovery: bool,
    has_expiry: bool,
    is_protected: bool,
}

pub(super) async fn check(of: &Examination<'_>) -> Vec<Finding> {
    let tables = of.stack.of_kind("AWS::DynamoDB::Table");
    if tables.is_empty() {
        return vec![Finding::missing("tables", "AWS::DynamoDB::Table")];
    }
    let client = Client::new(&of.target.aws);
    each(&tables, async |table| check_one(&client, table).await).await
}

async fn check_one(client: &Client, table: &StackResource) -> Vec<Finding> {
    let check = format!("table {}", table.logical_id);
    match read(client, &table.physical_id, &check).await {
        Ok(settings) => judge(&check, &table.physical_id, &settings),
        Err(finding) => vec![finding],
    }
}

async fn read(client: &Client, table: &str, check: &str) -> Result<TableSettings, Finding> {
    let described = client.describe_table().table_name(table).send().await;
    let described =
        described.map_err(|err| Finding::unread(check, "dynamodb:DescribeTable", &err))?;
    let described = described.table;
    let backups = client.describe_continuous_backups().table_name(table);
    let backups = backups
        .send()
        .await
        .map_err(|err| Finding::unread(check, "dynamodb:DescribeContinuousBackups", &err))?;
    let expiry = client
        .describe_time_to_live()
        .table_name(table)
        .send()
        .await;
    let expiry =
        expiry.map_err(|err| Finding::unread(check, "dynamodb:DescribeTimeToLive", &err))?;
    let backups = backups.continuous_backups_description;
    let recovery = backups.and_then(|of| of.point_in_time_recovery_description);
    let recovery = recovery.and_then(|of| of.point_in_time_recovery_status);
    let expiry = expiry.time_to_live_description;
    let expiry = expiry.and_then(|of| of.time_to_live_status);
    let status = described.as_ref().and_then(|of| of.table_status.as_ref());
    let protected = described
        .as_ref()
        .and_then(|of| of.deletion_protection_enabled);
    let indexes = described
        .as_ref()
        .map(TableDescription::global_secondary_indexes);
    let indexes = indexes.unwrap_or_default().iter();
    let is_active = |status: &IndexStatus| *status == IndexStatus::Active;
    let inactive = indexes.filter(|of| !of.index_status.as_ref().is_none_or(is_active));
    let inactive = inactive.map(|of| of.index_name().unwrap_or_default().to_owned());
    Ok(TableSettings {
        is_active: status.is_some_and(|status| status.as_str() == "ACTIVE"),
        inactive_indexes: inactive.collect(),
        has_recovery: recovery == Some(PointInTimeRecoveryStatus::Enabled),
        has_expiry: expiry == Some(TimeToLiveStatus::Enabled),
        is_protected: protected.unwrap_or(false),
    })
}

fn judge(check: &str, table: &str, settings: &TableSettings) -> Vec<Finding> {
    let mut findings = vec![];
    if !settings.is_active {
        let to_do = "See the table in DynamoDB: the functions cannot use it until it is ACTIVE.";
        findings.push(Finding::problem(check, "not active", to_do));
    }
    if !settings.inactive_indexes.is_empty() {
        let found = format!("not active: {}", settings.inactive_indexes.join(", "));
        let to_do = "See the table's indexes in DynamoDB: lists that use them are empty or fail \
                     until they are ACTIVE.";
        findings.push(Finding::problem(check, found, to_do));
    }
    if !settings.has_recovery {
        let to_do = format!(
            "Without it, a lost table cannot be restored. Run `aws dynamodb \
             update-continuous-backups --table-name {table} \
             --point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`."
        );
        findings.push(Finding::problem(check, "no point-in-time recovery", to_do));
    }
    if !settings.has_expiry {
        let to_do = format!(
            "Old items are not deleted. Run `aws dynamodb update-time-to-live --table-name {table} \
             --time-to-live-specification Enabled=true,AttributeName=ttl`."
        );
        findings.push(Finding::warning(check, "items do not expire", to_do));
    }
    if !settings.is_protected {
        let to_do = format!(
            "Run `aws dynamodb update-table --table-name {table} --deletion-protection-enabled`."
        );
        findings.push(Finding::warning(check, "no deletion protection", to_do));
    }
    if findings.is_empty() {
        let found = "active with its indexes, point-in-time recovery, expiry, deletion protection";
        findings.push(Finding::ok(check, found));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn each_setting_that_is_off_is_a_finding() {
        let all = TableSettings {
            is_active: true,
            inactive_indexes: vec![],
            has_recovery: true,
            has_expiry: true,
            is_protected: true,
        };
        let levels = |settings: &TableSettings| -> Vec<_> {
            let findings = judge("table AlertsTable", "alerts", settings).into_iter();
            findings.map(|of| of.level).collect()
        };
        assert_eq!(levels(&all), [Level::Ok]);
        let none = TableSettings {
            is_active: false,
            inactive_indexes: vec!["due".to_owned()],
            has_recovery: false,
            has_expiry: false,
            is_protected: false,
        };
        use Level::{Problem, Warning};
        assert_eq!(levels(&none), [Problem, Problem, Problem, Warning, Warning]);
        let unprotected = TableSettings {
            is_protected: false,
            ..all
        };
        assert_eq!(levels(&unprotected), [Warning]);
    }
}
