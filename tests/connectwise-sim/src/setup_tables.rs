//! Set-up tables for lists, the read-only tables (teams, members, locations, departments), and the
//! site's description of itself.

use axum::http::Method;
use serde_json::{Value, json};

use crate::faults::CompanyInfoIsCloud;
use crate::listing;
use crate::render;
use crate::response::{ApiError, ApiResponse, Body, Outcome};
use crate::schema::Schema;
use crate::site::{Call, Licence, Site};

/// A table's rendered records, in ascending order of ids.
pub(crate) struct Table {
    schema: &'static Schema,
    /// The record's name in the message "… 7 not found".
    record: &'static str,
    rows: Vec<Value>,
}

impl Table {
    pub(crate) fn new(
        schema: &str,
        record: &'static str,
        rows: impl Iterator<Item = Value>,
    ) -> Self {
        let mut rows: Vec<Value> = rows.collect();
        rows.sort_by_key(listing::Row::id);
        Self {
            schema: Schema::named(schema),
            record,
            rows,
        }
    }

    pub(crate) fn list(self, site: &Site, call: &Call) -> Outcome {
        listing::list(call, self.schema, &site.base_url, self.rows.into_iter())
    }

    pub(crate) fn count(self, call: &Call) -> Outcome {
        listing::count(call, self.schema, self.rows.into_iter())
    }

    pub(crate) fn one(self, call: &Call, id: i64) -> Outcome {
        let schema = self.schema;
        listing::one(call, schema, &self.row(id)?)
    }

    pub(crate) fn row(self, id: i64) -> Result<Value, ApiError> {
        let mut rows = self.rows.into_iter();
        rows.find(|row| listing::Row::id(row) == id)
            .ok_or_else(|| ApiError::record_not_found(self.record, id))
    }

    /// The records reduced to the members of a smaller schema.
    pub(crate) fn narrowed(self, schema: &str) -> Self {
        let schema = Schema::named(schema);
        let rows = self.rows.into_iter().map(|row| narrow(&row, schema));
        Self {
            schema,
            record: self.record,
            rows: rows.collect(),
        }
    }

    /// The records without the inactive ones.
    pub(crate) fn active(mut self) -> Self {
        self.rows
            .retain(|row| row.get("inactiveFlag") != Some(&Value::Bool(true)));
        self
    }
}

/// A record's members that a smaller schema has, under its names.
pub(crate) fn narrow(row: &Value, schema: &Schema) -> Value {
    let mut narrowed = serde_json::Map::new();
    for (name, value) in row.as_object().into_iter().flatten() {
        if schema.kind(name).is_some() {
            narrowed.insert(name.clone(), value.clone());
        }
    }
    for (name, of) in [
        ("inactiveFlag", "inactive"),
        ("closedFlag", "closedStatus"),
        ("location_flag", "locationFlag"),
    ] {
        if let Some(value) = row.get(of).filter(|_| schema.kind(name).is_some()) {
            narrowed.insert(name.to_owned(), value.clone());
        }
    }
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    if let (Some(first), Some(last), Some(_)) =
        (text("firstName"), text("lastName"), schema.kind("fullName"))
    {
        narrowed.insert("fullName".to_owned(), json!(format!("{first} {last}")));
    }
    Value::Object(narrowed)
}

pub(crate) fn teams(site: &Site) -> Table {
    let rows = site.setup.teams.iter().map(|row| render::team(site, row));
    Table::new("ServiceTeam", "ServiceTeam", rows)
}

pub(crate) fn locations(site: &Site) -> Table {
    let rows = site.setup.locations.iter().map(render::location);
    Table::new("Location", "Location", rows)
}

pub(crate) fn departments(site: &Site) -> Table {
    let rows = site.setup.departments.iter().map(render::department);
    Table::new("Department", "Department", rows)
}

pub(crate) fn members(site: &Site) -> Table {
    let rows = site
        .setup
        .members
        .iter()
        .map(|row| render::member(site, row));
    Table::new("Member", "Member", rows)
}

/// `/system/members/{identifier}`, or by number.
pub(crate) fn member(site: &Site, call: &Call, key: &str) -> Outcome {
    let mut members = site.setup.members.iter();
    let found =
        members.find(|row| row.identifier.eq_ignore_ascii_case(key) || row.id.to_string() == key);
    match found {
        Some(row) => listing::one(call, Schema::named("Member"), &render::member(site, row)),
        None => Err(ApiError::record_not_found("Member", key)),
    }
}

/// `/system/apiMembers/default`: the defaults of a new API member.
pub(crate) fn default_api_member() -> Outcome {
    Ok(ApiResponse::read(json!({
        "identifier": "",
        "inactiveFlag": false,
        "securityRole": { "id": 64, "name": "Integration" },
        "excludedServiceBoardIds": [],
        "_info": render::seeded(),
    })))
}

/// `/system/info`: every client's first call.
pub(crate) fn info(site: &Site, _call: &Call) -> Outcome {
    Ok(ApiResponse::read(json!({
        "version": site.setup.version,
        "isCloud": true,
        "serverTimeZone": "Eastern Standard Time",
        "licenseBits": [],
        "cloudRegion": "NA",
        "maxWorkFlowRecordsAllowed": 20_000,
    })))
}

/// `/system/myMembers`: the caller itself, one record.
pub(crate) fn my_member(site: &Site, call: &Call) -> Outcome {
    let found = match call.caller.licence {
        Licence::ApiMember => {
            let mut members = site.setup.api_members.iter();
            members
                .find(|row| row.id == call.caller.id)
                .map(|row| render::my_api_member(site, row))
        }
        Licence::Member => {
            let mut members = site.setup.members.iter();
            members
                .find(|row| row.id == call.caller.id)
                .map(|row| render::member(site, row))
        }
        Licence::Anonymous => None,
    };
    found
        .map(ApiResponse::read)
        .ok_or_else(ApiError::unauthorized)
}

/// `/system/myMembers/info`: the caller's `info` form.
pub(crate) fn my_member_info(site: &Site, call: &Call) -> Outcome {
    let mut answer = my_member(site, call)?;
    if let Body::Json(body) = &mut answer.body {
        *body = narrow(body, Schema::named("MyMemberInfo"));
    }
    Ok(answer)
}

/// `/login/companyinfo/{companyId}`, which needs no keys. `None` for an unknown company.
pub(crate) fn company_info(
    site: &Site,
    method: &Method,
    company: &str,
) -> Result<Option<Value>, ApiError> {
    if method != Method::GET {
        return Err(ApiError::wrong_method(method.as_str()));
    }
    if !company.eq_ignore_ascii_case(&site.setup.company_id) {
        return Ok(None);
    }
    let is_cloud = match site.faults.variants.company_info_is_cloud {
        CompanyInfoIsCloud::Boolean => json!(true),
        CompanyInfoIsCloud::Text => json!("True"),
    };
    let site_url = site.base_url.trim_start_matches("http://");
    Ok(Some(json!({
        "CompanyName": site.setup.company_name,
        "Codebase": "v4_6_release/",
        "VersionCode": "v2025.1",
        "VersionNumber": site.setup.version,
        "CompanyID": site.setup.company_id,
        "IsCloud": is_cloud,
        "SiteUrl": site_url,
    })))
}
