//! The seeded partner and its settings, and the events that tests send.

use std::collections::BTreeMap;

use aws::secrets::{SourceDocument, SourceSecret};
use domain::alert::event::Severity;
use domain::setup::settings::{BoardTarget, OnResolve, Settings};
use domain::{AlertId, AlertKey, Kind, PartnerId, Secret, SourceId, TenantId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// The key that makes the ids of all sources in these tests (`domain::SourceKeys`).
pub(crate) const SOURCE_KEY: &str = "the-key-by-which-the-end-to-end-tests-make-ids";
pub(crate) const SOURCE: &str = "src_northwind0000drq5zip5s8rgz";
pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const PARTNER: &str = "northwind";
/// A tenant that is mapped and enabled.
pub(crate) const TENANT: &str = "acme-dental";
/// The company of `TENANT` in the simulator's seed.
pub(crate) const COMPANY: u64 = 301;
/// A tenant that is mapped and disabled.
pub(crate) const DISABLED: &str = "grove-legal";
/// The company of `DISABLED` in the simulator's seed.
pub(super) const DISABLED_COMPANY: u64 = 308;
/// Board, start status and closing status of operations alerts in the simulator's seed.
pub(crate) const OPERATIONS: (u64, u64, u64) = (22, 221, 224);
/// Board, start status and closing status of cyber alerts in the simulator's seed.
pub(crate) const CYBER_ALERTS: (u64, u64, u64) = (23, 231, 234);
/// The sender of all mails.
pub(crate) const MAIL_FROM: &str = "ticketbridge@mail.example";

pub(crate) fn partner() -> PartnerId {
    PartnerId::parse(PARTNER).unwrap()
}

/// A partner that is not seeded.
pub(crate) fn numbered_partner(n: usize) -> PartnerId {
    PartnerId::parse(format!("partner-{n}")).unwrap()
}

pub(crate) fn tenant(id: &str) -> TenantId {
    TenantId::parse(id).unwrap()
}

pub(crate) fn key(tenant_id: &str, alert: &str) -> AlertKey {
    AlertKey {
        partner: partner(),
        tenant: tenant(tenant_id),
        source: SourceId::parse(SOURCE).unwrap(),
        alert_id: AlertId::parse(alert).unwrap(),
    }
}

/// The document of an enabled source of the seeded partner, whose secret is `SECRET`.
pub(crate) fn source_document() -> SourceDocument {
    SourceDocument {
        partner: Some(partner()),
        enabled: true,
        secrets: vec![SourceSecret {
            value: Secret::new(SECRET),
            not_after: None,
        }],
        ..SourceDocument::default()
    }
}

/// An event of `TENANT`. Its time is `second` seconds after ten minutes ago.
pub(crate) fn event(kind: &str, id: &str, alert: &str, second: i64) -> Value {
    let time = Timestamp::now() - SignedDuration::from_mins(10) + SignedDuration::from_secs(second);
    json!({
        "specversion": "1.0", "id": id, "source": "/test", "type": kind, "time": time.to_string(),
        "data": {
            "tenant": TENANT, "tenant_name": "Acme Dental", "alert_id": alert, "kind": "disk", "severity": "medium",
            "title": "Disk C: of web-1 is full", "description": "1 % is left", "device": "web-1", "link": "https://example.com/a"
        }
    })
}

pub(crate) fn raised_event(id: &str, alert: &str, second: i64) -> Value {
    event("alert.raised", id, alert, second)
}

pub(crate) fn resolved_event(id: &str, alert: &str, second: i64) -> Value {
    event("alert.resolved", id, alert, second)
}

/// Raises of the alerts a0, a1 and so on, whose ids are e0, e1 and so on.
pub(crate) fn raises(alerts: std::ops::Range<usize>) -> Vec<Value> {
    alerts
        .map(|n| raised_event(&format!("e{n}"), &format!("a{n}"), 0))
        .collect()
}

/// The raise and the resolve of alert a{n}.
pub(crate) fn raise_and_resolve(n: usize) -> [Value; 2] {
    let alert = format!("a{n}");
    [
        raised_event(&format!("e{n}"), &alert, 0),
        resolved_event(&format!("r{n}"), &alert, 5),
    ]
}

/// The seeded partner's settings.
pub(crate) fn settings() -> Settings {
    let operations = [("disk", 2203), ("cpu", 2201)];
    let cyber_alerts = [("ransomware_encryption", 2302)];
    Settings {
        operations: board(OPERATIONS, &operations, OnResolve::Close),
        cyber_alerts: board(CYBER_ALERTS, &cyber_alerts, OnResolve::Note),
        kinds_off: [Kind::parse("memory").unwrap()].into(),
        priorities: BTreeMap::from([
            (Severity::Critical, 31),
            (Severity::High, 32),
            (Severity::Medium, 33),
            (Severity::Low, 34),
        ]),
        ..Settings::default()
    }
}

fn board(
    (board, start, closing): (u64, u64, u64),
    types: &[(&str, u64)],
    on_resolve: OnResolve,
) -> BoardTarget {
    let types = types.iter();
    BoardTarget {
        board: Some(board),
        start_status: Some(start),
        closing_status: Some(closing),
        types: types
            .map(|(kind, id)| (Kind::parse(*kind).unwrap(), *id))
            .collect(),
        on_resolve,
        ..BoardTarget::default()
    }
}
