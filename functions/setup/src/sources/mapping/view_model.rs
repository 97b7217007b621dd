//! What the page of the mapping editor shows.

use domain::SourceId;
use domain::alert::kind::KindInfo;
use serde::Serialize;
use serde_json::json;

use super::form::{Edited, FIELDS};
use super::preview::{Difference, MappingPreview};
use crate::http::problem::Problem;
use crate::sources::samples::Sample;

pub(super) struct EditorView {
    pub(super) id: SourceId,
    pub(super) name: String,
    pub(super) version: u64,
    pub(super) kinds: Vec<KindInfo>,
    pub(super) edited: Edited,
    /// The digest of the mapping that was tried.
    pub(super) digest: Option<String>,
    /// Whether that mapping is the saved one.
    pub(super) is_saved: bool,
    pub(super) samples: Vec<Sample>,
    pub(super) preview: Option<MappingPreview>,
    /// A sample that could not be stored.
    pub(super) typed_sample: String,
    pub(super) problem: Option<Problem>,
    pub(super) preset: Option<PresetChange>,
}

/// A newer version of the source's preset.
#[derive(Serialize)]
pub(super) struct PresetChange {
    pub(super) version: u32,
    /// How it proves itself, if that is another way.
    pub(super) authentication: Option<String>,
    pub(super) differences: Vec<Difference>,
}

impl Serialize for EditorView {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let samples = self.samples.iter();
        let samples = samples.map(|sample| json!({ "n": sample.n, "text": sample.text }));
        json!({
            "source": self.id,
            "version": self.version,
            "mapping": self.edited.value().ok(),
            "checked": self.digest,
            "samples": samples.collect::<Vec<_>>(),
            "preview": self.preview,
            "newer_preset": self.preset,
        })
        .serialize(serializer)
    }
}

impl EditorView {
    /// The problem of this field.
    pub(super) fn problem_of(&self, field: &str) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        let at = problem.field.as_deref()?;
        // `mapping.tenant.at` and `tenant` belong to the row of the tenant.
        let at = at.strip_prefix("mapping.").unwrap_or(at);
        let at = at.strip_prefix("fields[").unwrap_or(at);
        let at = at.split(['.', '[', ']']).next().unwrap_or_default();
        (at == field).then_some(problem.detail.as_str())
    }

    /// The id of the text beside the field that the problem is about. `None` if no field of the
    /// form shows it.
    pub(super) fn problem_place(&self) -> Option<String> {
        let others = [
            ("each", "each"),
            ("change_at", "change"),
            ("change", "change"),
            ("expires_after_hours", "expires"),
            ("rest", "rest"),
        ];
        let fields = match &self.edited {
            Edited::Form(_) => FIELDS
                .iter()
                .map(|field| (field.name, field.name))
                .chain(others)
                .collect(),
            Edited::Json(_) => vec![],
        };
        let mut fields = fields.into_iter().chain([("sample", "sample")]);
        let (_, place) = fields.find(|(field, _)| self.problem_of(field).is_some())?;
        Some(format!("problem-{place}"))
    }

    /// The problem, unless a field of the form shows it.
    pub(super) fn other_problem(&self) -> Option<&str> {
        let problem = self.problem.as_ref()?;
        self.problem_place()
            .is_none()
            .then_some(problem.detail.as_str())
    }
}
