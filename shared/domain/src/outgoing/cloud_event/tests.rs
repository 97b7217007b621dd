use super::*;
use crate::fixtures::{at, key};
use crate::outgoing::events::OutgoingEvent;

fn json(what: OutgoingEventKind, link: Option<&str>) -> serde_json::Value {
    let event = OutgoingEvent {
        sequence: 3,
        at: at(0),
        what,
    };
    let link = link.map(str::to_owned);
    let kind = Kind::parse("disk").unwrap();
    let event = OutgoingCloudEvent::new(&key(), Some(&kind), &ReportedEvent { event, link });
    serde_json::to_value(event).unwrap()
}

#[test]
fn a_closed_ticket_is_named_with_its_link_and_who_closed_it() {
    let ticket = ReportedTicket {
        number: 77,
        epoch: 1,
    };
    let by = ClosedBy::Us;
    let closed = json(
        OutgoingEventKind::TicketClosed { ticket, by },
        Some("https://na.myconnectwise.net/77"),
    );
    let key = key();
    let item_key = key.item_key();
    assert_eq!(
        closed,
        serde_json::json!({
            "specversion": "1.0",
            "id": format!("{item_key}-3"),
            "source": "/v1/events/src_0123456789abcdefghijklmnop",
            "type": "ticket.closed",
            "subject": "a",
            "time": at(0).to_string(),
            "datacontenttype": "application/json",
            "data": {
                "partner": "acme",
                "tenant": "contoso",
                "alert_id": "a",
                "alert_key": item_key,
                "kind": "disk",
                "sequence": 3,
                "ticket": { "number": 77, "link": "https://na.myconnectwise.net/77" },
                "closed_by": "resolved_alert",
            },
        })
    );
}

#[test]
fn a_blocked_alert_says_why_and_names_no_ticket() {
    let reason = BlockReason::Unmapped;
    let blocked = json(OutgoingEventKind::AlertBlocked { reason }, None);
    assert_eq!(blocked["type"], "alert.blocked");
    assert_eq!(blocked["data"]["reason"], "unmapped");
    assert!(blocked["data"].get("ticket").is_none());
}

#[test]
fn the_committed_schema_is_the_types_own() {
    let committed = include_str!("../../../../../events/outgoing.schema.json");
    assert_eq!(
        committed.trim(),
        format!("{:#}", schema()),
        "make it anew: cargo run -p domain --example schema outgoing > events/outgoing.schema.json"
    );
}
