//! Tenants as a CSV file: written for a spreadsheet, and read back as changes.

use std::collections::HashMap;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Writer};
use domain::TenantId;
use domain::monitoring::issue::CompanyIssue;
use domain::setup::company_index::{CompanyIndex, FoundCompany, ListedCompany};
use domain::setup::tenant_changes::{LineError, TenantChange};

use crate::tenants::companies::describe_issue;
use crate::tenants::row::StoredTenant;

/// Most lines of one file.
pub(super) const MAX_LINES: usize = 10_000;

const TENANT_ID: &str = "Tenant id";
const TENANT_NAME: &str = "Tenant name";
const COMPANY_ID: &str = "Company id";
const COMPANY_NAME: &str = "Company name";
const TICKETS: &str = "Tickets";
const HEADER: [&str; 5] = [TENANT_ID, TENANT_NAME, COMPANY_ID, COMPANY_NAME, TICKETS];
/// Without it, spreadsheets read UTF-8 as another encoding.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What a file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CsvChanges {
    pub(super) changes: Vec<TenantChange>,
    /// Lines that change nothing.
    pub(super) unchanged: usize,
    pub(super) errors: Vec<LineError>,
}

/// Why a file cannot be read at all.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidFile {
    #[error(
        "The first line must name the columns: \"Tenant id\", and \"Company id\" or \"Company name\". Download the list, and change that file."
    )]
    Header,
    #[error("The file has more than {MAX_LINES} lines. Send it in several parts.")]
    TooManyLines,
}

/// The tenants as a file.
///
/// # Errors
/// When writing to memory fails, which it does not.
pub(super) fn write<'a>(
    tenants: impl IntoIterator<Item = &'a StoredTenant>,
) -> Result<String, csv::Error> {
    let mut file = Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    file.write_record(HEADER)?;
    for of in tenants {
        let mapping = &of.mapping;
        let company = mapping.company.map(|id| id.to_string());
        let tickets = match (mapping.company, mapping.enabled) {
            (None, _) => "",
            (Some(_), true) => "on",
            (Some(_), false) => "off",
        };
        let cells = [
            of.id.as_str(),
            mapping.name.as_deref().unwrap_or_default(),
            company.as_deref().unwrap_or_default(),
            mapping.company_name.as_deref().unwrap_or_default(),
            tickets,
        ];
        file.write_record(cells.map(escape))?;
    }
    let bytes = file.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A cell that a spreadsheet does not take for a formula: one that begins like a formula gets an
/// apostrophe before it, and so does one that already has apostrophes there.
fn escape(cell: &str) -> String {
    match is_formula(cell.trim_start_matches('\'')) {
        true => format!("'{cell}"),
        false => cell.to_owned(),
    }
}

/// The cell before [`escape`].
fn unescape(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_formula(rest.trim_start_matches('\'')) => rest,
        Some(_) | None => cell,
    }
}

fn is_formula(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The changes that a file asks for. A line that cannot be used is named, and the others count.
///
/// # Errors
/// When the file has no header or too many lines.
pub(super) fn read(
    file: &[u8],
    tenants: &HashMap<TenantId, StoredTenant>,
    companies: &CompanyIndex,
) -> Result<CsvChanges, InvalidFile> {
    let file = file
        .strip_prefix(BYTE_ORDER_MARK.as_bytes())
        .unwrap_or(file);
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(file))
        .flexible(true)
        .has_headers(false)
        .from_reader(file);
    let mut record = ByteRecord::new();
    let is_read = reader.read_byte_record(&mut record);
    let columns = is_read.ok().filter(|is_read| *is_read);
    let columns = columns
        .and_then(|_| Columns::of(&record))
        .ok_or(InvalidFile::Header)?;
    let mut found = CsvChanges::default();
    let mut seen = HashMap::new();
    let mut lines = 0;
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        lines += 1;
        if lines > MAX_LINES {
            return Err(InvalidFile::TooManyLines);
        }
        let line = record
            .position()
            .map_or(0, |start| line_number(file, start));
        let change = line_of(&columns, &record).and_then(|cells| {
            if let Some(first) = seen.insert(cells.tenant.clone(), line) {
                return Err(format!("Line {first} is about this tenant too."));
            }
            change_of(&cells, tenants, companies)
        });
        match change {
            Ok(Some(change)) => found.changes.push(change),
            Ok(None) => found.unchanged += 1,
            Err(problem) => found.errors.push(LineError { line, problem }),
        }
    }
    Ok(found)
}

/// The line of a record. It may begin with empty lines, which are skipped.
fn line_number(file: &[u8], start: &csv::Position) -> u64 {
    let start_of = usize::try_from(start.byte()).unwrap_or(usize::MAX);
    let rest = file.get(start_of..).unwrap_or_default().iter();
    let ends = rest.take_while(|byte| matches!(byte, b'\r' | b'\n'));
    start.line() + ends.filter(|byte| **byte == b'\n').count() as u64
}

/// Spreadsheets separate cells by what the system's region uses.
fn delimiter(file: &[u8]) -> u8 {
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let has = |byte| first.contains(&byte);
    match (has(b','), has(b';'), has(b'\t')) {
        (false, true, _) => b';',
        (false, false, true) => b'\t',
        (_, _, _) => b',',
    }
}

/// Where each column is.
struct Columns {
    tenant: usize,
    company_id: Option<usize>,
    company_name: Option<usize>,
    tickets: Option<usize>,
}

impl Columns {
    fn of(header: &ByteRecord) -> Option<Self> {
        let header = StringRecord::from_byte_record(header.clone()).ok()?;
        let at = |name: &str| {
            let mut columns = header.iter();
            columns.position(|column| column.trim().eq_ignore_ascii_case(name))
        };
        let columns = Self {
            tenant: at(TENANT_ID)?,
            company_id: at(COMPANY_ID),
            company_name: at(COMPANY_NAME),
            tickets: at(TICKETS),
        };
        Some(columns).filter(|of| of.company_id.is_some() || of.company_name.is_some())
    }
}

/// The cells of a line that count.
struct LineCells {
    tenant: TenantId,
    company_id: String,
    company_name: String,
    tickets: String,
}

fn line_of(columns: &Columns, record: &ByteRecord) -> Result<LineCells, String> {
    let record = StringRecord::from_byte_record(record.clone())
        .map_err(|_| "It is not in UTF-8. Save the file as \"CSV UTF-8\".".to_owned())?;
    let cell = |column: Option<usize>| {
        let cell = column
            .and_then(|column| record.get(column))
            .unwrap_or_default();
        unescape(cell).trim().to_owned()
    };
    let tenant = TenantId::parse(cell(Some(columns.tenant)))
        .map_err(|err| format!("The tenant id cannot be used: {err}."))?;
    Ok(LineCells {
        tenant,
        company_id: cell(columns.company_id),
        company_name: cell(columns.company_name),
        tickets: cell(columns.tickets),
    })
}

/// The change of a line; `None` if the mapping is so already.
fn change_of(
    cells: &LineCells,
    tenants: &HashMap<TenantId, StoredTenant>,
    companies: &CompanyIndex,
) -> Result<Option<TenantChange>, String> {
    let Some(stored) = tenants.get(&cells.tenant) else {
        return Err(format!(
            "There is no tenant with the id \"{}\".",
            cells.tenant
        ));
    };
    let mapping = &stored.mapping;
    let enabled = match cells.tickets.to_ascii_lowercase().as_str() {
        "" => stored.on_after_choice,
        "on" => true,
        "off" => false,
        _ => return Err("The column Tickets is \"on\", \"off\" or empty.".to_owned()),
    };
    let named = named_company(cells, companies)?;
    let (company, company_name, issue) = match (named, mapping.company) {
        (Some(of), _) => (of.id, of.name.clone(), of.issue),
        // A line without a company keeps the present one.
        (None, Some(id)) => {
            let name = mapping.company_name.clone().unwrap_or_default();
            (id, name, companies.get(id).and_then(|of| of.issue))
        }
        (None, None) if cells.tickets.eq_ignore_ascii_case("on") => {
            return Err("It has no company, so it cannot be switched on.".to_owned());
        }
        (None, None) => return Ok(None),
    };
    if mapping.company == Some(company) && mapping.enabled == enabled {
        return Ok(None);
    }
    // A tenant can be switched off whatever the state of its company.
    let is_switched_off = mapping.company == Some(company) && !enabled;
    if let Some(issue) = issue.filter(|_| !is_switched_off) {
        return Err(unusable(&company_name, issue));
    }
    Ok(Some(TenantChange {
        tenant: stored.id.clone(),
        name: mapping.name.clone(),
        version: stored.version,
        company,
        company_name,
        enabled,
        outcome: None,
    }))
}

/// The company that a line names, by its number or identifier, else by its name.
fn named_company<'a>(
    cells: &LineCells,
    companies: &'a CompanyIndex,
) -> Result<Option<&'a ListedCompany>, String> {
    let (text, found) = match (cells.company_id.as_str(), cells.company_name.as_str()) {
        ("", "") => return Ok(None),
        ("", name) => (name, companies.by_name(name)),
        (id, _) => (id, companies.by_number_or_identifier(id)),
    };
    match found {
        FoundCompany::One(company) => Ok(Some(company)),
        FoundCompany::None => Err(format!("ConnectWise has no company \"{text}\".")),
        FoundCompany::Ambiguous => Err(format!(
            "\"{text}\" is more than one company in ConnectWise. Give the number of the company."
        )),
    }
}

fn unusable(name: &str, issue: CompanyIssue) -> String {
    format!("The company {name} is {}.", describe_issue(issue))
}

#[cfg(test)]
mod tests;
