//! What must hold of a mapping before it is stored.

use super::apply::severity;
use super::rule::Rule;
use super::{EventMapping, MAX_DOCUMENT};
use crate::alert::kind::{KindInfo, category_of};
use crate::wire::invalid_field::InvalidField;
use crate::wire::particulars::known_kind;

/// The most rules of a mapping, those inside other rules included.
const MAX_RULES: usize = 200;
/// The deepest nesting of rules.
const MAX_DEPTH: usize = 8;
/// The longest expiry: a year.
const MAX_EXPIRY_HOURS: u32 = 24 * 366;

impl EventMapping {
    /// Reads a document. An error names the member.
    ///
    /// # Errors
    /// When it is too long, is no mapping, or cannot be relied on: see [`Self::check`].
    pub fn parse(text: &str, kinds_added: &[KindInfo]) -> Result<Self, InvalidField> {
        if text.len() > MAX_DOCUMENT {
            return Err(InvalidField::new(
                "mapping",
                format!("has more than {MAX_DOCUMENT} bytes"),
            ));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let mapping: Self = serde_path_to_error::deserialize(&mut reader).map_err(|err| {
            let path = err.path().to_string();
            let field = match path.as_str() {
                "." => "mapping".to_owned(),
                path => path.to_owned(),
            };
            InvalidField::new(field, err.inner().to_string())
        })?;
        reader
            .end()
            .map_err(|err| InvalidField::new("mapping", err.to_string()))?;
        mapping.check(kinds_added)?;
        Ok(mapping)
    }

    /// Checks that each alert gets a tenant, a kind and a severity whatever it contains, that all
    /// kinds are known, and that the mapping's size is bounded.
    ///
    /// # Errors
    /// Names the member and what is wrong with it.
    pub fn check(&self, kinds_added: &[KindInfo]) -> Result<(), InvalidField> {
        for (field, rule) in [
            ("tenant", &self.tenant),
            ("kind", &self.kind),
            ("severity", &self.severity),
        ] {
            if !rule.is_total() {
                return Err(InvalidField::new(
                    field,
                    "needs an `otherwise` for messages without it",
                ));
            }
        }
        for text in self.kind.constants() {
            if known_kind(text).is_none_or(|kind| category_of(&kind, kinds_added).is_none()) {
                return Err(InvalidField::new(
                    "kind",
                    format!("`{text}` is no known kind"),
                ));
            }
        }
        for text in self.severity.constants() {
            if severity(text).is_none() {
                return Err(InvalidField::new(
                    "severity",
                    format!("`{text}` is not one of critical, high, medium, low, informational"),
                ));
            }
        }
        if self.alert_id.is_constant() {
            return Err(InvalidField::new(
                "alert_id",
                "is the same for all alerts, which would share one ticket",
            ));
        }
        let conditions = self.change.iter().map(|rule| ("change", &rule.when));
        let conditions = conditions.chain(self.ping.iter().map(|ping| ("ping", ping)));
        for (field, condition) in conditions {
            condition
                .check()
                .map_err(|problem| InvalidField::new(field, problem))?;
        }
        if let Some(hours) = self.expires_after_hours
            && !(1..=MAX_EXPIRY_HOURS).contains(&hours)
        {
            return Err(InvalidField::new(
                "expires_after_hours",
                format!("is from 1 to {MAX_EXPIRY_HOURS}"),
            ));
        }
        let mut rules = self.change.len() + self.ping.len();
        for (field, rule) in self.rules() {
            let (count, depth) = rule.size();
            if depth > MAX_DEPTH {
                return Err(InvalidField::new(
                    field,
                    format!("rules are nested at most {MAX_DEPTH} deep"),
                ));
            }
            rules += count;
        }
        if rules > MAX_RULES {
            return Err(InvalidField::new(
                "mapping",
                format!("has {rules} rules, and at most {MAX_RULES} are allowed"),
            ));
        }
        Ok(())
    }

    fn rules(&self) -> impl Iterator<Item = (&'static str, &Rule)> {
        let needed = [
            ("alert_id", &self.alert_id),
            ("tenant", &self.tenant),
            ("kind", &self.kind),
            ("severity", &self.severity),
            ("title", &self.title),
        ];
        let optional = [
            ("tenant_name", &self.tenant_name),
            ("description", &self.description),
            ("device", &self.device),
            ("user", &self.user),
            ("link", &self.link),
            ("time", &self.time),
            ("resolved_time", &self.resolved_time),
        ];
        let optional = optional
            .into_iter()
            .filter_map(|(field, rule)| Some((field, rule.as_ref()?)));
        needed.into_iter().chain(optional)
    }
}
