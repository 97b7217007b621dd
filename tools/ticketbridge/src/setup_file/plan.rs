//! What an import changes: the difference between a stage and a file. It changes nothing itself.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use domain::{PartnerId, WindowId};
use serde_json::{Value, json};

use super::state::PartnerState;
use super::{ContactPart, SetupFile, SitePart, SourcePart, TenantPart};
use crate::output::counted;

/// Tenants of one request.
const TENANTS_AT_ONCE: usize = 500;

/// One request of an import.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    Partner {
        body: Value,
        what: String,
    },
    Contacts(Vec<ContactPart>),
    NewSource(Value),
    Source {
        id: String,
        body: Value,
        what: String,
    },
    Configuration {
        body: Value,
        what: String,
    },
    MaintenanceWindow {
        id: WindowId,
        body: Value,
    },
}

/// The changes, in the order in which they are made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    /// What is in the file and not imported, or on the stage and not in the file.
    pub(super) remarks: Vec<String>,
}

impl Change {
    /// For people.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Partner { what, .. }
            | Self::Source { what, .. }
            | Self::Configuration { what, .. } => what.clone(),
            Self::Contacts(contacts) => {
                let addresses = contacts.iter().map(|of| of.address.as_str());
                let addresses = addresses.collect::<Vec<_>>().join(", ");
                format!("replace the contacts by: {addresses}")
            }
            Self::MaintenanceWindow { id, .. } => format!("save the maintenance window {id}"),
            Self::NewSource(body) => {
                format!("create the source {} with a new secret", body["name"])
            }
        }
    }
}

/// Compares the stage with the file. `without_connectwise` leaves out settings and tenants.
///
/// # Errors
/// When the file does not fit the stage.
pub(super) fn plan(
    partner: &PartnerId,
    state: Option<&PartnerState>,
    file: &SetupFile,
    without_connectwise: bool,
) -> Result<Plan> {
    let mut plan = Plan {
        changes: vec![],
        remarks: vec![],
    };
    plan.changes.extend(partner_change(partner, state, file));
    let has_contacts = state.map(|state| &state.setup.contacts);
    if !file.contacts.is_empty() && has_contacts != Some(&file.contacts) {
        plan.changes.push(Change::Contacts(file.contacts.clone()));
    }
    sources(partner, state, file, &mut plan)?;
    maintenance_windows(state, file, &mut plan);
    if without_connectwise {
        plan.remarks
            .push("settings and tenants are left out".to_owned());
    } else {
        configuration(state, file, &mut plan)?;
    }
    Ok(plan)
}

fn partner_change(
    partner: &PartnerId,
    state: Option<&PartnerState>,
    file: &SetupFile,
) -> Option<Change> {
    let of = &file.partner;
    let body = json!({ "name": of.name, "manages_sources": of.manages_sources });
    let what = match state.map(|state| &state.setup.partner) {
        None => format!("create the partner {partner}, {}", of.name),
        Some(is) if (&is.name, is.manages_sources) == (&of.name, of.manages_sources) => {
            return None;
        }
        Some(is) if is.name != of.name => {
            format!("rename the partner from {} to {}", is.name, of.name)
        }
        Some(_) => format!("set manages_sources to {}", of.manages_sources),
    };
    Some(Change::Partner { body, what })
}

fn sources(
    partner: &PartnerId,
    state: Option<&PartnerState>,
    file: &SetupFile,
    plan: &mut Plan,
) -> Result<()> {
    let mut names = BTreeSet::new();
    for source in &file.sources {
        ensure!(
            names.insert(source.name.as_str()),
            "the file has two sources with the name {}: rename one of them, since sources are \
             matched by name",
            source.name
        );
        let ids = state.map(|state| &state.source_ids[..]).unwrap_or_default();
        let ids: Vec<_> = ids
            .iter()
            .filter(|(name, _)| *name == source.name)
            .collect();
        match ids[..] {
            [] => plan
                .changes
                .push(Change::NewSource(new_source(partner, source))),
            [(_, id)] => {
                let present = state.iter().flat_map(|state| &state.setup.sources);
                let mut present = present.filter(|present| present.name == source.name);
                let changed = present.next().map(|is| changed_members(is, source));
                let changed = changed.unwrap_or_default();
                if !changed.is_empty() {
                    plan.changes.push(Change::Source {
                        id: id.clone(),
                        body: source_body(source),
                        what: format!(
                            "change {} of the source {}",
                            changed.join(", "),
                            source.name
                        ),
                    });
                }
            }
            [..] => bail!(
                "the stage has {} sources of {partner} with the name {}: rename them, since \
                 sources are matched by name",
                ids.len(),
                source.name
            ),
        }
    }
    let others = state.iter().flat_map(|state| &state.source_ids);
    for (name, _) in others.filter(|(name, _)| !names.contains(name.as_str())) {
        let remark = format!("the source {name} is not in the file and stays as it is");
        plan.remarks.push(remark);
    }
    Ok(())
}

/// Windows of the file that the stage has not, or has otherwise. Others stay.
fn maintenance_windows(state: Option<&PartnerState>, file: &SetupFile, plan: &mut Plan) {
    for (id, body) in &file.maintenance_windows {
        let known = state.and_then(|state| state.setup.maintenance_windows.get(id));
        if known != Some(body) {
            let (id, body) = (id.clone(), body.clone());
            plan.changes.push(Change::MaintenanceWindow { id, body });
        }
    }
    let known = state
        .into_iter()
        .flat_map(|state| state.setup.maintenance_windows.keys());
    for id in known.filter(|id| !file.maintenance_windows.contains_key(*id)) {
        plan.remarks.push(format!(
            "the maintenance window {id} is not in the file, and stays"
        ));
    }
}

fn new_source(partner: &PartnerId, source: &SourcePart) -> Value {
    let mut body = source_body(source);
    body["partner"] = json!(partner);
    body
}

/// The request that gives a source these members.
fn source_body(source: &SourcePart) -> Value {
    let mut body = json!({
        "name": source.name,
        "enabled": source.enabled,
        "inactive_after_hours": source.inactive_after_hours,
        "tenant_inactive_after_days": source.tenant_inactive_after_days,
        "inactive_ticket": source.inactive_ticket,
        "authentication": source.authentication,
        "networks": source.networks,
        "response": source.response,
        "kinds_added": source.kinds_added,
    });
    if let Some(preset) = &source.preset {
        body["preset"] = json!(preset.name);
        body["preset_version"] = json!(preset.version);
    }
    // A source without a mapping posts CloudEvents, unless its mapping is still to be made.
    if let Some(mapping) = source.format.get("mapped") {
        body["mapping"] = mapping.clone();
    } else if source.format == "unmapped" {
        body["mapping"] = Value::Null;
    }
    body
}

/// The names of the members that differ.
fn changed_members(is: &SourcePart, desired: &SourcePart) -> Vec<String> {
    let (is, desired) = (json!(is), json!(desired));
    let members = |of: &Value| -> BTreeSet<String> {
        of.as_object()
            .into_iter()
            .flat_map(|of| of.keys().cloned())
            .collect()
    };
    let all = &members(&is) | &members(&desired);
    all.into_iter()
        .filter(|member| is[member] != desired[member])
        .collect()
}

/// Settings and tenants, which fit only the same ConnectWise.
fn configuration(state: Option<&PartnerState>, file: &SetupFile, plan: &mut Plan) -> Result<()> {
    if file.settings.is_none() && file.tenants.is_empty() {
        return Ok(());
    }
    let Some(desired) = &file.connectwise else {
        ensure!(
            file.settings.is_none() && file.tenants.iter().all(|of| of.company.is_none()),
            "the file has settings or companies, and does not say of which ConnectWise"
        );
        return Ok(());
    };
    let is = state.and_then(|state| state.setup.connectwise.as_ref());
    let Some(is) = is else {
        plan.remarks.push(format!(
            "settings and {} are left out: the partner is not connected yet. Send it a \
             link, have it connect {} ({}), then run this again",
            counted(file.tenants.len() as u64, "tenant"),
            desired.origin,
            desired.company_id
        ));
        return Ok(());
    };
    require_same(is, desired)?;
    let present = state.map(|state| &state.setup);
    let settings = file.settings.as_ref();
    let settings = settings.filter(|of| present.and_then(|is| is.settings.as_ref()) != Some(*of));
    let is_new = |tenant: &&TenantPart| {
        let mut tenants = present.into_iter().flat_map(|is| &is.tenants);
        let found = tenants.find(|is| is.id == tenant.id);
        found.is_none_or(|is| choice(is) != choice(tenant))
    };
    let tenants: Vec<_> = file.tenants.iter().filter(is_new).collect();
    if let Some(settings) = settings {
        plan.changes.push(Change::Configuration {
            body: json!({ "connectwise": desired, "settings": settings, "tenants": [] }),
            what: "change boards and how tickets look".to_owned(),
        });
    }
    for some in tenants.chunks(TENANTS_AT_ONCE) {
        let named = some.iter().take(5).map(|of| of.id.as_str());
        let more = if some.len() > 5 { " and others" } else { "" };
        let named = named.collect::<Vec<_>>().join(", ");
        let tenants = counted(some.len() as u64, "tenant");
        plan.changes.push(Change::Configuration {
            body: json!({ "connectwise": desired, "tenants": some }),
            what: format!("map or change {tenants}: {named}{more}"),
        });
    }
    Ok(())
}

/// What a person chose for a tenant. The company's name is only for people.
fn choice(of: &TenantPart) -> (Option<u64>, bool, Option<&str>, Option<&Value>) {
    let (name, assignment) = (of.name.as_deref(), of.assignment.as_ref());
    (of.company, of.enabled, name, assignment)
}

fn require_same(is: &SitePart, desired: &SitePart) -> Result<()> {
    ensure!(
        is == desired,
        "the file belongs to the ConnectWise {} ({}), and the partner is connected to {} ({}): \
         boards and companies have other ids there. Give --without-connectwise to import the rest",
        desired.origin,
        desired.company_id,
        is.origin,
        is.company_id
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn northwind() -> PartnerId {
        PartnerId::parse("northwind").unwrap()
    }

    fn state() -> PartnerState {
        PartnerState {
            setup: file(),
            source_ids: vec![("Scanner".to_owned(), "src_1".to_owned())],
            shared_sources: vec![],
        }
    }

    fn described(state: Option<&PartnerState>, file: &SetupFile) -> String {
        let plan = plan(&northwind(), state, file, false).unwrap();
        let changes = plan.changes.iter().map(Change::describe);
        let remarks = plan.remarks.iter().map(|remark| format!("({remark})"));
        changes.chain(remarks).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn an_import_into_the_same_state_changes_nothing() {
        assert_eq!(described(Some(&state()), &file()), "");
    }

    #[test]
    fn a_new_partner_gets_all_but_what_needs_its_connection() {
        insta::assert_snapshot!(described(None, &file()));
    }

    #[test]
    fn only_what_differs_is_changed() {
        let mut desired = file();
        desired.partner.name = "Northwind".to_owned();
        desired.contacts[0].address = "oncall@northwind.example".to_owned();
        desired.sources[0].enabled = false;
        desired.sources[0].inactive_after_hours = None;
        desired.settings = Some(json!({ "operations": { "board": 23 } }));
        desired.tenants[0].company = Some(302);
        let mut state = state();
        let other = ("Manual".to_owned(), "src_2".to_owned());
        state.source_ids.push(other);
        insta::assert_snapshot!(described(Some(&state), &desired));
    }

    #[test]
    fn maintenance_windows_that_differ_are_saved_and_others_stay() {
        let id = |id: &str| WindowId::parse(id).unwrap();
        let mut state = state();
        let windows = &mut state.setup.maintenance_windows;
        windows.insert(id("same"), json!({ "name": "Same" }));
        windows.insert(id("other"), json!({ "name": "Other" }));
        windows.insert(id("stays"), json!({ "name": "Stays" }));
        let mut desired = file();
        desired.maintenance_windows = [
            (id("same"), json!({ "name": "Same" })),
            (id("other"), json!({ "name": "Another" })),
            (id("new"), json!({ "name": "New" })),
        ]
        .into();
        assert_eq!(
            described(Some(&state), &desired),
            "save the maintenance window new\nsave the maintenance window other\n\
             (the maintenance window stays is not in the file, and stays)"
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refusal = |state: &PartnerState, file: &SetupFile| {
            let err = plan(&northwind(), Some(state), file, false).unwrap_err();
            err.to_string()
        };
        let mut other = state();
        other.setup.connectwise = Some(SitePart {
            origin: "https://eu.myconnectwise.net".to_owned(),
            company_id: "northwind".to_owned(),
        });
        let err = refusal(&other, &file());
        assert!(err.contains("boards and companies have other ids"), "{err}");
        let rest = plan(&northwind(), Some(&other), &file(), true).unwrap();
        assert_eq!(rest.changes, []);

        let mut twice = file();
        twice.sources.push(twice.sources[0].clone());
        let err = refusal(&state(), &twice);
        assert!(err.contains("two sources with the name Scanner"), "{err}");

        let mut ambiguous = state();
        ambiguous
            .source_ids
            .push(("Scanner".to_owned(), "src_2".to_owned()));
        let err = refusal(&ambiguous, &file());
        assert!(err.contains("2 sources of northwind"), "{err}");
    }

    #[test]
    fn a_format_becomes_the_mapping_of_a_request() {
        let mut source = file().sources.remove(0);
        assert!(source_body(&source).get("mapping").is_none());
        source.format = json!("unmapped");
        assert_eq!(source_body(&source)["mapping"], Value::Null);
        assert!(source_body(&source).get("mapping").is_some());
        source.format = json!({ "mapped": { "events": [] } });
        assert_eq!(source_body(&source)["mapping"], json!({ "events": [] }));
    }
}
