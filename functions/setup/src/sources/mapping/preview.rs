//! What a mapping makes of the stored samples, and what differs from the saved mapping.

use std::collections::BTreeMap;

use aws::secrets::SourceDocument;
use connections::PartnerConfig;
use domain::alert::kind::{Category, KindInfo};
use domain::source::mapping::EventMapping;
use domain::source::mapping::preview::{
    SampleDetails, SampleEvent, SampleResult, preview, resolves_what_was_raised,
};
use domain::source::presets::SourceFormat;
use domain::wire::webhook::SourcePolicy;
use domain::{AlertKey, PartnerId, RecordId, SourceId};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::target_names::TargetNames;
use crate::backlog::words::describe;
use crate::sources::samples::Sample;

/// The result of a mapping.
#[derive(Serialize)]
pub(super) struct MappingPreview {
    pub(super) samples: Vec<SamplePreview>,
    /// Whether a resolve among the samples belongs to an alert that another sample raises.
    pub(super) resolves_what_was_raised: bool,
    /// What the saved mapping does otherwise.
    pub(super) differences: Vec<Difference>,
}

#[derive(Serialize)]
pub(super) struct SamplePreview {
    pub(super) n: u8,
    pub(super) result: SampleResult,
    /// One for each event of the result.
    pub(super) tickets: Vec<TicketPreview>,
}

/// The ticket of an event.
#[derive(Serialize)]
pub(super) struct TicketPreview {
    pub(super) board: String,
    pub(super) company: String,
    pub(super) type_name: String,
    pub(super) priority: String,
    /// Why there would be no ticket yet.
    pub(super) blocked: Option<String>,
}

/// A member of a result that the saved mapping yields otherwise.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    pub(super) sample: u8,
    pub(super) member: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// What a preview needs to know.
pub(super) struct PreviewContext<'a> {
    pub(super) partner: &'a PartnerId,
    pub(super) source: &'a SourceId,
    pub(super) document: &'a SourceDocument,
    pub(super) config: &'a PartnerConfig,
    pub(super) names: &'a TargetNames,
    pub(super) now: Timestamp,
}

impl PreviewContext<'_> {
    /// Tries a mapping. `kinds` are those of the document with this mapping.
    pub(super) fn try_mapping(
        &self,
        mapping: &EventMapping,
        kinds: &[KindInfo],
        samples: &[Sample],
    ) -> MappingPreview {
        let after = self.results(mapping, kinds, samples);
        let differences = match &self.document.format {
            SourceFormat::Mapped(saved) => {
                let before = self.results(saved, &self.document.kinds_added, samples);
                let pairs = samples.iter().zip(before.iter().zip(&after));
                let differences =
                    pairs.flat_map(|(sample, (before, after))| differ(sample.n, before, after));
                differences.collect()
            }
            SourceFormat::CloudEvents | SourceFormat::Unmapped => vec![],
        };
        MappingPreview {
            resolves_what_was_raised: resolves_what_was_raised(&after),
            differences,
            samples: samples
                .iter()
                .zip(after)
                .map(|(sample, result)| SamplePreview {
                    n: sample.n,
                    tickets: result
                        .events
                        .iter()
                        .map(|event| self.ticket(event))
                        .collect(),
                    result,
                })
                .collect(),
        }
    }

    fn results(
        &self,
        mapping: &EventMapping,
        kinds: &[KindInfo],
        samples: &[Sample],
    ) -> Vec<SampleResult> {
        let policy = SourcePolicy {
            source: self.source.clone(),
            partners: vec![self.partner.clone()],
            kinds_added: kinds.to_vec(),
            webhook: domain::outgoing::scope::WebhookScope::Nothing,
        };
        let results = samples
            .iter()
            .map(|sample| preview(sample.text.as_bytes(), mapping, &policy, self.now));
        results.collect()
    }

    fn ticket(&self, event: &SampleEvent) -> TicketPreview {
        let connection = self.config.items.connection.as_ref();
        let epoch = connection.map(|connection| connection.epoch);
        let mapping = self.config.mappings.get(&event.tenant).cloned();
        let mapping = mapping.map(|mapping| match epoch {
            Some(epoch) => mapping.in_epoch(epoch),
            None => mapping,
        });
        let company = mapping.and_then(|mapping| {
            let id = mapping.company?;
            let name = mapping.company_name;
            Some(name.unwrap_or_else(|| format!("company number {id}")))
        });
        let mut ticket = TicketPreview {
            board: String::new(),
            company: company.unwrap_or_else(|| "tenant not mapped yet".to_owned()),
            type_name: String::new(),
            priority: String::new(),
            blocked: None,
        };
        if let Some(details) = &event.details {
            self.describe(event, details, &mut ticket);
        }
        ticket
    }

    fn describe(&self, event: &SampleEvent, details: &SampleDetails, ticket: &mut TicketPreview) {
        let key = AlertKey {
            partner: self.partner.clone(),
            tenant: event.tenant.clone(),
            source: self.source.clone(),
            alert_id: event.alert_id.clone(),
        };
        let mut views = self.config.views();
        let target = views.of(&key).target(&details.kind);
        ticket.blocked = target.err().map(|reason| describe(&reason));
        let category = match details.category {
            Category::Operations => "operations alerts",
            Category::CyberAlerts => "cyber alerts",
        };
        let settings = self.config.items.settings.as_ref();
        let target = settings.map(|settings| settings.board(details.category));
        let board = target.and_then(|target| target.board);
        let board = name_of(&self.names.boards, board);
        ticket.board = format!("{board}, for {category}");
        let type_id = target.and_then(|target| target.types.get(&details.kind));
        let type_name = name_of(&self.names.types, type_id.copied());
        ticket.type_name = format!("{type_name}, for kind {}", details.kind);
        let priority = settings.and_then(|settings| settings.priorities.get(&details.severity));
        let priority = name_of(&self.names.priorities, priority.copied());
        ticket.priority = format!("{priority}, for severity {}", details.severity);
    }
}

/// The name of a record that was chosen in ConnectWise.
fn name_of(names: &BTreeMap<RecordId, String>, id: Option<RecordId>) -> String {
    match id {
        None => "ConnectWise's default".to_owned(),
        Some(id) => match names.get(&id) {
            Some(name) => name.clone(),
            None => format!("number {id} (its name cannot be read now)"),
        },
    }
}

/// The members that two results of one sample do not share.
fn differ(sample: u8, before: &SampleResult, after: &SampleResult) -> Vec<Difference> {
    let (before, after) = (members(before), members(after));
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let changed = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    changed
        .map(|name| Difference {
            sample,
            member: name.clone(),
            before: before.get(name).cloned(),
            after: after.get(name).cloned(),
        })
        .collect()
}

/// The members of a result by their names for people.
fn members(result: &SampleResult) -> BTreeMap<String, String> {
    let mut members = BTreeMap::new();
    for (n, event) in result.events.iter().enumerate() {
        let mut value = json!(event);
        if let Some(object) = value.as_object_mut() {
            // Its texts are those of the other members.
            object.remove("ticket");
            for (name, member) in object {
                let text = match member {
                    Value::Null => continue,
                    Value::String(text) => text.clone(),
                    other @ (Value::Bool(_)
                    | Value::Number(_)
                    | Value::Array(_)
                    | Value::Object(_)) => other.to_string(),
                };
                let name = name.replace('_', " ");
                members.insert(format!("alert {}: {name}", n + 1), text);
            }
        }
    }
    for (n, problem) in result.unmapped.iter().enumerate() {
        let text = format!("{}: {}", problem.field, problem.problem);
        members.insert(format!("not readable {}", n + 1), text);
    }
    if result.ignored > 0 {
        members.insert("ignored".to_owned(), result.ignored.to_string());
    }
    if result.is_ping {
        members.insert("test message".to_owned(), "yes".to_owned());
    }
    members
}

#[cfg(test)]
mod tests {
    use domain::source::presets;

    use super::*;

    fn result(sample: &str) -> SampleResult {
        let preset = presets::latest("generic").unwrap();
        let policy = SourcePolicy {
            source: SourceId::for_test_alerts(),
            partners: vec![PartnerId::parse("northwind").unwrap()],
            kinds_added: preset.kinds_added.clone(),
            webhook: domain::outgoing::scope::WebhookScope::Nothing,
        };
        preview(
            sample.as_bytes(),
            preset.mapping().unwrap(),
            &policy,
            Timestamp::UNIX_EPOCH,
        )
    }

    #[test]
    fn what_differs_is_named() {
        let before = result(r#"{ "alert_id": "a", "tenant": "fabrikam", "severity": "low" }"#);
        let after = result(r#"{ "alert_id": "a", "tenant": "fabrikam", "severity": "high" }"#);
        let named = |sample, member: &str, before: &str, after: &str| Difference {
            sample,
            member: member.to_owned(),
            before: Some(before.to_owned()),
            after: Some(after.to_owned()),
        };
        assert_eq!(
            differ(2, &before, &after),
            [named(2, "alert 1: severity", "low", "high")]
        );
        assert_eq!(differ(2, &before, &before), []);
        let unreadable = result("{}");
        let differences = differ(1, &before, &unreadable);
        let new = differences.last().unwrap();
        assert_eq!(new.member, "not readable 1");
        assert_eq!(new.before, None);
    }
}
