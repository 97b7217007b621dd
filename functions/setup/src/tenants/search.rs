//! One tenant that a person typed, where a list of all would be too long to choose from.

use std::collections::HashMap;

use domain::TenantId;
use domain::setup::mapping::Mapping;
use domain::text::folded_name;

use crate::http::problem::Problem;

/// The most tenants that a form offers to choose from.
pub(crate) const MAX_OPTIONS: usize = 100;
/// Tenants that a problem names.
const MAX_NAMED: usize = 5;
/// What the field accepts, for people.
pub(crate) const HELP: &str = "The name of a tenant or a part of it, or its id.";

/// The tenant with this id or name, or the only one whose name or id contains the text.
///
/// # Errors
/// When no tenant or several match. The problem is about `field`.
pub(crate) fn find_tenant(
    field: &str,
    text: &str,
    mappings: &HashMap<TenantId, Mapping>,
) -> Result<TenantId, Problem> {
    let text = text.trim();
    let by_id = mappings.keys().find(|id| id.as_str() == text);
    if let Some(id) = by_id {
        return Ok(id.clone());
    }
    let search = folded_name(text);
    let all = mappings.iter();
    let folded = all.map(|(id, mapping)| (id, folded_name(mapping.title(id))));
    let mut found: Vec<_> = folded.filter(|(_, name)| *name == search).collect();
    if found.is_empty() && !search.is_empty() {
        let all = mappings.iter();
        let folded = all.map(|(id, mapping)| (id, folded_name(mapping.title(id))));
        let contains = |id: &TenantId, name: &str| {
            name.contains(&search) || folded_name(id.as_str()).contains(&search)
        };
        found = folded.filter(|(id, name)| contains(id, name)).collect();
    }
    match found.as_slice() {
        [] => Err(Problem::invalid(
            field,
            format!("No tenant matches \"{text}\". Type its name or its id."),
        )),
        [(only, _)] => Ok((*only).clone()),
        several => Err(Problem::invalid(field, ambiguous(text, several, mappings))),
    }
}

fn ambiguous(
    text: &str,
    several: &[(&TenantId, String)],
    mappings: &HashMap<TenantId, Mapping>,
) -> String {
    let name = |id: &TenantId| match mappings.get(id).and_then(|of| of.name.as_ref()) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_string(),
    };
    let mut names: Vec<_> = several.iter().map(|(id, _)| name(id)).collect();
    names.sort();
    let count = names.len();
    names.truncate(MAX_NAMED);
    let more = match count.saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{count} tenants match \"{text}\": {}{more}. Type more of the name, or the id.",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mappings(tenants: &[(&str, Option<&str>)]) -> HashMap<TenantId, Mapping> {
        let mapping = |(id, name): &(&str, Option<&str>)| {
            let mapping = Mapping {
                name: name.map(str::to_owned),
                ..Mapping::default()
            };
            (TenantId::parse(*id).unwrap(), mapping)
        };
        tenants.iter().map(mapping).collect()
    }

    #[test]
    fn a_tenant_is_found_by_its_id_its_name_or_a_part_that_only_it_has() {
        let mappings = mappings(&[
            ("t-1", Some("Acme")),
            ("t-2", Some("Acme Dental")),
            ("t-3", Some("Grove & Sons")),
            ("acme", Some("Harbor")),
            ("t-5", None),
        ]);
        for (text, expected) in [
            ("t-1", "t-1"),
            ("acme", "acme"),
            (" ACME ", "t-1"),
            ("dental", "t-2"),
            ("grove", "t-3"),
            ("t-5", "t-5"),
            ("T-5", "t-5"),
        ] {
            let found = find_tenant("tenant", text, &mappings).unwrap();
            assert_eq!(found.as_str(), expected, "{text}");
        }
        for text in ["unknown", "", "t-"] {
            let problem = find_tenant("tenant", text, &mappings).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("tenant"), "{text}");
        }
    }

    #[test]
    fn several_matches_are_named() {
        let names: Vec<_> = (0..8)
            .map(|n| (format!("t-{n}"), format!("Store {n}")))
            .collect();
        let tenants: Vec<_> = names
            .iter()
            .map(|(id, name)| (id.as_str(), Some(name.as_str())))
            .collect();
        let problem = find_tenant("tenant", "store", &mappings(&tenants)).unwrap_err();
        assert_eq!(
            problem.detail,
            "8 tenants match \"store\": Store 0 (t-0), Store 1 (t-1), Store 2 (t-2), Store 3 (t-3), \
             Store 4 (t-4) and 3 more. Type more of the name, or the id."
        );
    }
}
