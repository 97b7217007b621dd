//! A ticket that a POST or a PATCH requests, checked against the site by one set of rules. A
//! failing draft is dropped, so that an error never leaves half a change.

use serde_json::{Map, Value};

use super::custom_fields;
use crate::faults::{ReferenceCase, ReferenceSpace};
use crate::listing::Row;
use crate::references;
use crate::references::Key;
use crate::response::Problem;
use crate::schema::{Kind, Schema};
use crate::seed::{Board, BoardStatus};
use crate::site::Site;
use crate::storage;
use crate::storage::WritableTable;

/// Used at creation only; never stored nor returned.
const SPENT: [&str; 8] = [
    "initialDescription",
    "initialDescriptionFrom",
    "initialInternalAnalysis",
    "initialResolution",
    "contactEmailLookup",
    "processNotifications",
    "skipCallback",
    "mobileGuid",
];

/// Computed by ConnectWise; a sent value is ignored silently.
const READ_ONLY: [&str; 15] = [
    "id",
    "_info",
    "closedFlag",
    "closedDate",
    "closedBy",
    "dateResolved",
    "dateResplan",
    "dateResponded",
    "resolvedBy",
    "respondedBy",
    "resplanBy",
    "slaStatus",
    "isInSla",
    "hasChildTicket",
    "mergedParentTicket",
];

/// A ticket that is being created or changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Draft {
    pub(super) summary: String,
    pub(super) board: Option<i64>,
    pub(super) status: Option<i64>,
    pub(super) company: Option<i64>,
    pub(super) kind: Option<i64>,
    pub(super) priority: Option<i64>,
    pub(super) external_x_ref: Option<String>,
    pub(super) other: Map<String, Value>,
}

impl Draft {
    /// Applies the members of `changes` to the draft. Types, lengths and required members were
    /// checked before.
    pub(super) fn apply(
        &mut self,
        site: &Site,
        changes: &Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) {
        let key = |member: &str| changes.get(member).and_then(Key::of);
        if let Some(key) = key("board") {
            let found = site
                .setup
                .boards
                .iter()
                .find(|board| key.fits(board.id, "", &board.name));
            match found.filter(|board| !board.inactive_flag) {
                Some(board) => self.move_to(board),
                None => {
                    problems.push(key.missing("Service Board", "board"));
                    return;
                }
            }
        }
        if let Some(board) = self.board.and_then(|board| site.setup.board(board)) {
            self.choose_on(board, changes, problems);
        }
        if let Some(key) = key("priority") {
            let mut priorities = site.setup.priorities.iter();
            match priorities.find(|row| key.fits(row.id, "", &row.name)) {
                Some(priority) => self.priority = Some(priority.id),
                None => problems.push(key.missing("Priority", "priority")),
            }
        }
        if let Some(key) = key("company") {
            let mut companies = site
                .setup
                .companies
                .iter()
                .filter(|company| !company.deleted_flag);
            match companies.find(|row| key.fits(row.id, &row.identifier, &row.name)) {
                Some(company) => self.company = Some(company.id),
                None => problems.push(key.missing("Company", "company")),
            }
        }
        for (member, value) in changes {
            self.set_plain(site, member, value, problems);
        }
    }

    /// A board has its own statuses and types: those of the previous board are dropped.
    fn move_to(&mut self, board: &Board) {
        if self.board == Some(board.id) {
            return;
        }
        self.board = Some(board.id);
        self.status = None;
        self.kind = None;
    }

    fn choose_on(
        &mut self,
        board: &Board,
        changes: &Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) {
        if let Some(key) = changes.get("status").and_then(Key::of) {
            let found = board
                .statuses
                .iter()
                .find(|row| key.fits(row.id, "", &row.name));
            match found.filter(|status| !status.inactive) {
                Some(status) => self.status = Some(status.id),
                None => problems.push(key.missing_on("Service Status", "status", board.id)),
            }
        }
        match changes.get("type").map(Key::of) {
            None => {}
            Some(None) => self.kind = None,
            Some(Some(key)) => {
                let found = board
                    .types
                    .iter()
                    .find(|row| key.fits(row.id, "", &row.name));
                match found.filter(|kind| !kind.inactive_flag) {
                    Some(kind) => self.kind = Some(kind.id),
                    None => problems.push(key.missing_on("Service Type", "type", board.id)),
                }
            }
        }
    }

    fn set_plain(&mut self, site: &Site, member: &str, value: &Value, problems: &mut Vec<Problem>) {
        match member {
            "board" | "status" | "company" | "type" | "priority" => {}
            "summary" => value
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut self.summary),
            "customFields" => match custom_fields::expanded(site, value) {
                Ok(fields) => {
                    self.other.insert(member.to_owned(), fields);
                }
                Err(problem) => problems.push(problem),
            },
            "externalXRef" => {
                self.external_x_ref = value
                    .as_str()
                    .map(|text| kept_reference(site, text))
                    .filter(|text| !text.is_empty());
            }
            _ if SPENT.contains(&member) || READ_ONLY.contains(&member) => {}
            _ if value.is_null() => {
                self.other.remove(member);
            }
            _ => match expanded(site, member, value, self.parent_of(member)) {
                Ok(value) => {
                    self.other.insert(member.to_owned(), value);
                }
                Err(problem) => problems.push(problem),
            },
        }
    }

    /// The board or company that the record of a member must belong to.
    fn parent_of(&self, member: &str) -> Option<i64> {
        match member {
            "subType" | "item" | "team" => self.board,
            "site" => self.company,
            _ => None,
        }
    }

    /// The required members that have no value.
    pub(super) fn missing(&self, required: &[String]) -> Vec<Problem> {
        let is_absent = |member: &&String| match member.strip_prefix("customFields/") {
            Some(caption) => !self.has_custom_field(caption),
            None => match member.as_str() {
                "summary" => self.summary.is_empty(),
                "board" => self.board.is_none(),
                "status" => self.status.is_none(),
                "company" => self.company.is_none(),
                "type" => self.kind.is_none(),
                "priority" => self.priority.is_none(),
                "externalXRef" => self.external_x_ref.is_none(),
                other => !self.other.contains_key(other),
            },
        };
        let problem = |member: &String| match member.strip_prefix("customFields/") {
            Some(caption) => Problem::missing("customFields", caption),
            None => match Schema::named("Ticket").kind(member) {
                Some(Kind::Reference(_)) => Problem::missing(member, &format!("{member}/id")),
                _ => Problem::missing(member, member),
            },
        };
        required.iter().filter(is_absent).map(problem).collect()
    }

    /// The problems with a subtype that does not belong to the type, and with an item that does not
    /// belong to both.
    pub(super) fn misplaced_children(&self, site: &Site) -> Vec<Problem> {
        let id = |member: &str| self.other.get(member)?.get("id")?.as_i64();
        let (sub_type, item) = (id("subType"), id("item"));
        let mut problems = Vec::new();
        if let Some(sub_type) = sub_type {
            let row = storage::rows(site, WritableTable::SubType, self.board);
            let mut row = row.iter().filter(|row| Row::id(*row) == sub_type);
            let row = row.find(|row| row.get("inactiveFlag") != Some(&Value::Bool(true)));
            let types = row.and_then(|row| row.get("typeAssociationIds")?.as_array());
            match self.kind {
                None => problems.push(Problem::missing("type", "type/id")),
                Some(kind) if types.is_some_and(|types| types.contains(&kind.into())) => {}
                Some(kind) => problems.push(Problem::not_found(
                    format!("Service SubType {sub_type} not found for Service Type {kind}"),
                    "subType/id".to_owned(),
                )),
            }
        }
        match (item, sub_type, self.kind) {
            (None, _, _) | (Some(_), Some(_), None) => {}
            (Some(_), None, _) => problems.push(Problem::missing("subType", "subType/id")),
            (Some(item), Some(sub_type), Some(kind)) => {
                let known = site.stored.subtypes_of_item(item, kind);
                if !known.contains(&sub_type) {
                    problems.push(Problem::not_found(
                        format!("Service Item {item} not found for Service SubType {sub_type}"),
                        "item/id".to_owned(),
                    ));
                }
            }
        }
        problems
    }

    pub(super) fn has_custom_field(&self, caption: &str) -> bool {
        let fields = self.other.get("customFields").and_then(Value::as_array);
        fields.into_iter().flatten().any(|field| {
            let is_it = field.get("caption").and_then(Value::as_str) == Some(caption);
            is_it && field.get("value").is_some_and(|value| !value.is_null())
        })
    }

    /// The problem with the company's status, if it does not allow saving.
    pub(super) fn refused_by_company(&self, site: &Site) -> Option<Problem> {
        let company = site.setup.company(self.company?)?;
        let mut statuses = site.setup.company_statuses.iter();
        let status = statuses.find(|status| status.id == company.status.id)?;
        status.disallow_saving_flag.then(|| Problem {
            code: "InvalidObject",
            message: format!(
                "Company {} has the status {}, which does not allow saving.",
                company.name, status.name
            ),
            field: "company/id".to_owned(),
        })
    }

    /// The draft's present status.
    pub(super) fn status<'w>(&self, site: &'w Site) -> Option<&'w BoardStatus> {
        site.setup.board(self.board?)?.status(self.status?)
    }
}

/// An `externalXRef` as this site stores it.
fn kept_reference(site: &Site, text: &str) -> String {
    let variants = &site.faults.variants;
    let text = match variants.reference_space {
        ReferenceSpace::Kept => text,
        ReferenceSpace::Trimmed => text.trim(),
    };
    match variants.reference_case {
        ReferenceCase::Kept => text.to_owned(),
        ReferenceCase::Lower => text.to_lowercase(),
        ReferenceCase::Upper => text.to_uppercase(),
    }
}

/// A member without its own rule: stored as it is, with references expanded.
fn expanded(
    site: &Site,
    member: &str,
    value: &Value,
    parent: Option<i64>,
) -> Result<Value, Problem> {
    match Schema::named("Ticket").kind(member) {
        Some(Kind::Reference(shape)) => references::referred(site, shape, member, value, parent),
        _ => Ok(value.clone()),
    }
}
