//! Companies, read from ConnectWise, and which of them cannot be used.

use aws::invocation::Invocation;
use connectwise::{
    Client, CompanyRecord, CompanyStatus, Error, RecordCursor, RecordPage, SearchText,
};
use domain::RecordId;
use domain::monitoring::issue::CompanyIssue;

use crate::http::problem::Problem;

/// The statuses of companies. An API member without the right to read them chooses without them;
/// ConnectWise then rejects the ticket, and that is reported.
pub(crate) async fn company_statuses(
    client: &Client,
    invocation: &Invocation,
) -> Result<Vec<CompanyStatus>, Problem> {
    match client.company_statuses(invocation.call_ends()).await {
        Ok(statuses) => Ok(statuses),
        Err(err @ (Error::MissingRight { .. } | Error::Forbidden { .. })) => {
            tracing::warn!(error = %err, "failed to read the statuses of companies");
            Ok(vec![])
        }
        Err(err) => Err(err.into()),
    }
}

/// The companies that match, from the cursor on. If none is left there, the first ones.
pub(super) async fn find_companies(
    client: &Client,
    text: &SearchText,
    after: Option<RecordCursor>,
    invocation: &Invocation,
) -> Result<RecordPage<CompanyRecord>, Error> {
    let from = after.unwrap_or(RecordCursor::START);
    let ends = invocation.call_ends();
    let companies = client.companies_matching(text, from, ends).await?;
    if companies.items.is_empty() && after.is_some() {
        let ends = invocation.call_ends();
        return client
            .companies_matching(text, RecordCursor::START, ends)
            .await;
    }
    Ok(companies)
}

/// Reads a company.
///
/// # Errors
/// Also when no ticket can be created for it.
pub(super) async fn usable_company(
    client: &Client,
    id: RecordId,
    invocation: &Invocation,
) -> Result<CompanyRecord, Problem> {
    let company = match client.company(id, invocation.call_ends()).await {
        Ok(company) => company,
        Err(Error::NotFound { .. }) => {
            let words = "ConnectWise has no such company.";
            return Err(Problem::invalid("company", words));
        }
        Err(err) => return Err(err.into()),
    };
    let statuses = company_statuses(client, invocation).await?;
    match company.unfit(&statuses).map(describe_issue) {
        None => Ok(company),
        Some(why) => Err(Problem::invalid(
            "company",
            format!(
                "{} is {why}, so no ticket can be created for it. Choose another company, or change this one in ConnectWise first.",
                company.name
            ),
        )),
    }
}

/// Why no ticket can be created for a company.
pub(crate) fn describe_issue(issue: CompanyIssue) -> &'static str {
    match issue {
        CompanyIssue::Missing => "not found in ConnectWise",
        CompanyIssue::Deleted => "deleted in ConnectWise",
        CompanyIssue::Disallowed => "in a status with which ConnectWise saves no tickets",
        CompanyIssue::Inactive => "inactive in ConnectWise",
    }
}
