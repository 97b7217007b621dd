//! The faults and open questions that a test can set through `/_sim/faults`. Only data and its
//! merge rules: `pipeline` and the endpoints apply them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::fault_rules::Rule;
use crate::security;
use crate::tickets::actions::Workflow;

/// All faults. Rates are 0 to 1; 0 means off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// The delay before every call is processed.
    pub(crate) latency_ms: u64,
    /// The rate of 500 responses without execution.
    pub(crate) error_rate: f64,
    /// The rate of executed calls whose connection is closed without a response.
    pub(crate) lost_answer_rate: f64,
    pub(crate) late_commit: LateCommit,
    /// The rate of responses that are truncated below their `Content-Length`.
    pub(crate) truncate_rate: f64,
    /// 0: no limit.
    pub(crate) rate_limit_per_minute: u32,
    /// 503 for every call.
    pub(crate) outage: bool,
    pub(crate) throttle: Throttle,
    /// Effects on the integration's calls that match a pattern. They do not affect technicians. The
    /// list is set as a whole.
    pub(crate) rules: Vec<Rule>,
    /// Actions of ConnectWise on a ticket after a call. The list is set as a whole.
    pub(crate) workflows: Vec<Workflow>,
    pub(crate) required: Required,
    pub(crate) clock: ClockOffsets,
    pub(crate) callbacks: CallbackFaults,
    /// The integration's keys. A technician's keys keep working.
    pub(crate) keys: KeyStatus,
    /// The integration's client id. A technician's calls keep working.
    pub(crate) client_id: ClientId,
    /// Rights that the integration's security role lacks, such as `service_tickets.add`.
    pub(crate) missing_rights: Vec<String>,
    pub(crate) variants: Variants,
}

/// A write that is answered with a failure now and executed later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LateCommit {
    pub(crate) rate: f64,
    pub(crate) seconds: f64,
}

/// 429 for every call of the integration until it is switched off. `variants.retry_after` says how
/// the header is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Throttle {
    pub(crate) all: bool,
    pub(crate) retry_after_seconds: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            all: false,
            retry_after_seconds: 30,
        }
    }
}

/// The offsets of the site's clocks. Negative is behind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClockOffsets {
    /// The offset of every date that is stored from now on: `dateEntered`, `closedDate`,
    /// `lastUpdated`, and those of notes.
    pub(crate) records_seconds: i32,
    /// The offset of the `Date` header, and of a `Retry-After` that is a date.
    pub(crate) date_header_seconds: i32,
}

/// Members of a ticket that the site requires: names such as `subType`, or `customFields/` and a
/// caption.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Required {
    pub(crate) on_create: Vec<String>,
    /// Required at any change, including a close.
    pub(crate) on_update: Vec<String>,
    pub(crate) on_close: Vec<String>,
}

/// Rates of callbacks that are never posted, and that are posted twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CallbackFaults {
    pub(crate) lost_rate: f64,
    pub(crate) doubled_rate: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeyStatus {
    #[default]
    Ok,
    Revoked,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientId {
    #[default]
    Ok,
    Refused,
}

/// Behaviours of ConnectWise that are not known for certain, or that differ between sites.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Variants {
    /// Status of a missing or unknown clientId: 400, 401 or 403.
    pub(crate) client_id_status: u16,
    /// A new ticket that asks for a status with `closedStatus`.
    pub(crate) closed_status_at_creation: ClosedAtCreation,
    /// The type of `IsCloud` in `/login/companyinfo`.
    pub(crate) company_info_is_cloud: CompanyInfoIsCloud,
    /// `/login/companyinfo` of an unknown company: `null` with 200, or 404.
    pub(crate) company_info_unknown: CompanyInfoUnknown,
    /// The rate of PATCHes that answer 200 and change nothing.
    pub(crate) false_200_rate: f64,
    /// Boards that are hidden from the integration's role: lists omit their tickets.
    pub(crate) hidden_board_ids: Vec<i64>,
    /// The immediate response of a late commit.
    pub(crate) late_commit_answer: LateCommitAnswer,
    /// What a company status with `disallowSavingFlag` refuses.
    pub(crate) disallow_saving: DisallowSaving,
    /// Whether `/system/mySecurity` answers at all.
    pub(crate) my_security: MySecurity,
    /// Whether the rows of `/system/mySecurity` name their functions.
    pub(crate) my_security_names: MySecurityNames,
    /// What a board has after its POST.
    pub(crate) new_board_statuses: NewBoardStatuses,
    /// Line breaks in note texts.
    pub(crate) newlines: Newlines,
    /// PATCH of the sub-paths `status/id` and `status/name`.
    pub(crate) patch_status_id: PatchStatusId,
    /// The case of a stored `externalXRef`.
    pub(crate) reference_case: ReferenceCase,
    /// Whether a search by `externalXRef` is case-sensitive.
    pub(crate) reference_search: ReferenceSearch,
    /// White space around a stored `externalXRef`.
    pub(crate) reference_space: ReferenceSpace,
    /// The `Retry-After` of a 429.
    pub(crate) retry_after: RetryAfter,
    /// Rights at the level `My` instead of `All`.
    pub(crate) rights_at_my: Vec<String>,
    /// Whether a missing right is refused before or after a ticket's body is checked.
    pub(crate) rights_checked: RightsChecked,
    /// How long a new ticket stays invisible to lists, counts and searches.
    pub(crate) search_lag_seconds: u64,
    /// Whether reading set-up tables needs the right to them.
    pub(crate) table_setup_inquire: TableSetupInquire,
    /// Whether `/system/info` needs keys.
    pub(crate) system_info_auth: SystemInfoAuth,
    /// Which of the two observed bodies a 401 has.
    pub(crate) unauthorized_body: UnauthorizedBody,
    /// A login company that this site does not have.
    pub(crate) wrong_company: WrongCompany,
}

impl Default for Variants {
    fn default() -> Self {
        Self {
            client_id_status: 400,
            closed_status_at_creation: ClosedAtCreation::default(),
            company_info_is_cloud: CompanyInfoIsCloud::default(),
            company_info_unknown: CompanyInfoUnknown::default(),
            false_200_rate: 0.0,
            hidden_board_ids: Vec::new(),
            late_commit_answer: LateCommitAnswer::default(),
            disallow_saving: DisallowSaving::default(),
            my_security: MySecurity::default(),
            my_security_names: MySecurityNames::default(),
            new_board_statuses: NewBoardStatuses::default(),
            newlines: Newlines::default(),
            patch_status_id: PatchStatusId::default(),
            reference_case: ReferenceCase::default(),
            reference_search: ReferenceSearch::default(),
            reference_space: ReferenceSpace::default(),
            retry_after: RetryAfter::default(),
            rights_at_my: Vec::new(),
            rights_checked: RightsChecked::default(),
            search_lag_seconds: 0,
            table_setup_inquire: TableSetupInquire::default(),
            system_info_auth: SystemInfoAuth::default(),
            unauthorized_body: UnauthorizedBody::default(),
            wrong_company: WrongCompany::default(),
        }
    }
}

/// Declares an enum of variants whose first one is the default.
macro_rules! switch {
    ($name:ident { $first:ident $(= $first_text:literal)?, $($other:ident $(= $other_text:literal)?),+ }) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            #[default]
            $(#[serde(rename = $first_text)])?
            $first,
            $($(#[serde(rename = $other_text)])? $other),+
        }
    };
}

switch!(ClosedAtCreation { Refused, Allowed });
switch!(CompanyInfoIsCloud { Boolean, Text });
switch!(CompanyInfoUnknown { Null, NotFound });
switch!(DisallowSaving {
    NewTickets,
    EveryChange
});
switch!(LateCommitAnswer { ServerError = "500", Timeout });
switch!(MySecurity { Answered, Refused });
switch!(MySecurityNames { Present, Absent });
switch!(NewBoardStatuses { Default, None });
switch!(Newlines { Kept, Flattened });
switch!(PatchStatusId { Works, False200 = "false_200" });
switch!(ReferenceCase { Kept, Lower, Upper });
switch!(ReferenceSearch { IgnoresCase, Exact });
switch!(ReferenceSpace { Kept, Trimmed });
switch!(RetryAfter {
    Seconds,
    Date,
    Absent,
    Absurd
});
switch!(RightsChecked {
    First,
    AfterValidation
});
switch!(SystemInfoAuth { Required, Open });
switch!(TableSetupInquire { Needed, Open });
switch!(UnauthorizedBody {
    Unauthorized,
    UserNotAuthenticated
});
switch!(WrongCompany {
    NotFound,
    Unauthorized,
    CannotRoute,
    NoAnswer
});

impl Faults {
    /// These faults with the members of `change` applied, also inside nested objects. The error
    /// says what to fix.
    pub(crate) fn merged(&self, change: &Value) -> Result<Self, String> {
        let Some(members) = change.as_object() else {
            return Err("the faults must be a JSON object".to_owned());
        };
        let mut leaves = Vec::new();
        for (name, value) in members {
            match (name.as_str(), value.as_object()) {
                (
                    "callbacks" | "clock" | "late_commit" | "required" | "throttle" | "variants",
                    Some(inner),
                ) => {
                    leaves.extend(
                        inner
                            .iter()
                            .map(|(inner, value)| (name, Some(inner), value)),
                    );
                }
                _ => leaves.push((name, None, value)),
            }
        }
        let mut faults = self.clone();
        let mut unknown = Vec::new();
        for (outer, inner, value) in leaves {
            let path = inner.map_or_else(|| outer.clone(), |inner| format!("{outer}.{inner}"));
            let mut json = serde_json::to_value(&faults).map_err(|error| error.to_string())?;
            let parent = if inner.is_some() {
                json.get_mut(outer)
            } else {
                Some(&mut json)
            };
            match parent.and_then(|parent| parent.get_mut(inner.unwrap_or(outer))) {
                // An author of `null` would expect it to mean "no limit".
                Some(slot) if path == "rate_limit_per_minute" && value.is_null() => {
                    *slot = 0.into();
                }
                Some(slot) => *slot = value.clone(),
                None => {
                    unknown.push(path);
                    continue;
                }
            }
            faults = serde_json::from_value(json).map_err(|error| format!("{path}: {error}"))?;
        }
        if !unknown.is_empty() {
            return Err(format!("unknown members: {}", unknown.join(", ")));
        }
        faults.check()?;
        Ok(faults)
    }

    fn check(&self) -> Result<(), String> {
        for (name, rate) in [
            ("error_rate", self.error_rate),
            ("lost_answer_rate", self.lost_answer_rate),
            ("callbacks.lost_rate", self.callbacks.lost_rate),
            ("callbacks.doubled_rate", self.callbacks.doubled_rate),
            ("late_commit.rate", self.late_commit.rate),
            ("truncate_rate", self.truncate_rate),
            ("variants.false_200_rate", self.variants.false_200_rate),
        ] {
            if !(0.0..=1.0).contains(&rate) {
                return Err(format!("{name}: a rate is from 0 to 1"));
            }
        }
        if !(0.0..=86_400.0).contains(&self.late_commit.seconds) {
            return Err("late_commit.seconds: from 0 to 86400".to_owned());
        }
        if ![400, 401, 403].contains(&self.variants.client_id_status) {
            return Err("variants.client_id_status: 400, 401 or 403".to_owned());
        }
        for (number, rule) in self.rules.iter().enumerate() {
            rule.check()
                .map_err(|error| format!("rules[{number}].{error}"))?;
        }
        let mut delays = self.workflows.iter().map(|workflow| workflow.seconds);
        if delays.any(|seconds| !(0.0..=86_400.0).contains(&seconds)) {
            return Err("workflows: seconds from 0 to 86400".to_owned());
        }
        check_rights("missing_rights", &self.missing_rights)?;
        check_rights("variants.rights_at_my", &self.variants.rights_at_my)
    }
}

fn check_rights(member: &str, rights: &[String]) -> Result<(), String> {
    let unknown = rights.iter().find(|right| !security::is_right(right));
    match unknown {
        None => Ok(()),
        Some(right) => Err(format!(
            "{member}: {right} is none; a right is one of {} with .{}",
            security::FUNCTIONS.map(|function| function.key).join(", "),
            security::LEVELS.join(", .")
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn omitted_members_keep_their_value() {
        let faults = Faults::default()
            .merged(&json!({ "latency_ms": 5, "late_commit": { "rate": 1 }, "variants": { "newlines": "flattened" } }))
            .and_then(|faults| faults.merged(&json!({ "late_commit": { "seconds": 3 }, "variants": { "retry_after": "date" } })))
            .expect("good faults");
        assert_eq!(faults.latency_ms, 5);
        assert_eq!(
            faults.late_commit,
            LateCommit {
                rate: 1.0,
                seconds: 3.0
            }
        );
        assert_eq!(faults.variants.newlines, Newlines::Flattened);
        assert_eq!(faults.variants.retry_after, RetryAfter::Date);
        assert_eq!(faults.variants.client_id_status, 400);
    }

    #[test]
    fn invalid_faults_are_named() {
        for (change, words) in [
            (json!([]), "the faults must be a JSON object"),
            (
                json!({ "latency": 5, "variants": { "colour": 1 } }),
                "unknown members: latency, variants.colour",
            ),
            (
                json!({ "error_rate": 1.5 }),
                "error_rate: a rate is from 0 to 1",
            ),
            (
                json!({ "keys": "lost" }),
                "keys: unknown variant `lost`, expected `ok` or `revoked`",
            ),
            (
                json!({ "late_commit": { "rate": "x" } }),
                "late_commit.rate: invalid type: string \"x\", expected f64",
            ),
            (
                json!({ "late_commit": 1 }),
                "late_commit: invalid type: integer `1`, expected struct LateCommit",
            ),
            (
                json!({ "variants": { "client_id_status": 418 } }),
                "variants.client_id_status: 400, 401 or 403",
            ),
        ] {
            assert_eq!(Faults::default().merged(&change), Err(words.to_owned()));
        }
        let error = Faults::default()
            .merged(&json!({ "missing_rights": ["tickets.add"] }))
            .expect_err("refused");
        assert!(
            error.starts_with("missing_rights: tickets.add is none"),
            "{error}"
        );
    }
}
