//! Times, and the identity of events.

use super::*;

#[test]
fn no_event_happened_after_it_was_received() {
    let mut body = raised();
    for (time, occurred_at, bounds_time) in [
        ("2026-11-22T07:30:01Z", "2026-11-22T07:30:01Z", false),
        ("2026-11-22T07:30:02Z", "2026-11-22T07:30:02Z", false),
        ("2026-11-22T07:30:03Z", "2026-11-22T07:30:02Z", true),
        ("2026-11-22T07:34:00Z", "2026-11-22T07:30:02Z", true),
        ("9999-12-30T00:00:00Z", "2026-11-22T07:30:02Z", true),
    ] {
        body["time"] = time.into();
        let event = event(&body);
        assert_eq!(event.occurred_at.to_string(), occurred_at, "{time}");
        assert_eq!(event.receipt.at, times().received_at);
        assert_eq!(event.receipt.bounds_time, bounds_time, "{time}");
    }
    body.as_object_mut().unwrap().remove("time");
    let ahead = RequestTimes {
        sent_at: "2026-11-22T07:33:00Z".parse().unwrap(),
        ..times()
    };
    let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &policy(), ahead)
    else {
        panic!("no event")
    };
    assert_eq!(event.occurred_at, times().received_at);
    assert!(event.receipt.bounds_time);
}

#[test]
fn a_missing_or_zero_time_is_the_webhooks_own() {
    let mut body = raised();
    for zero in [
        "0001-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
    ] {
        body["time"] = zero.into();
        assert_eq!(event(&body).occurred_at, times().sent_at, "{zero}");
    }
    body.as_object_mut().unwrap().remove("time");
    assert_eq!(event(&body).occurred_at, times().sent_at);
}

#[test]
fn an_implausible_expiry_is_dropped() {
    let mut body = raised();
    body["time"] = "2026-11-22T07:00:00Z".into();
    for (end, is_meant) in [
        ("0001-01-01T00:00:00Z", false),
        ("1970-01-01T00:00:00Z", false),
        ("2026-11-22T06:00:00Z", false),
        ("2026-11-22T07:00:00Z", false),
        ("2026-11-22T07:00:01Z", true),
        ("2026-11-22T09:00:00Z", true),
    ] {
        body["data"]["expires_at"] = end.into();
        let (AlertChange::Raised(particulars) | AlertChange::Updated(particulars)) =
            event(&body).change
        else {
            panic!("no raise")
        };
        assert_eq!(particulars.expires_at.is_some(), is_meant, "{end}");
    }
}

#[test]
fn a_snapshot_without_a_time_is_rejected() {
    for zero in ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z"] {
        let mut body = snapshot_part();
        body["data"]["taken_at"] = zero.into();
        let err = parse_event(body.to_string().as_bytes(), &policy(), times()).unwrap_err();
        assert_eq!(err.field, "data.taken_at");
        assert!(err.problem.contains("before 2000"), "{}", err.problem);
    }
}

#[test]
fn only_a_retry_has_the_same_digest() {
    let later = RequestTimes {
        sent_at: "2026-11-22T08:30:00Z".parse().unwrap(),
        received_at: "2026-11-22T08:30:02Z".parse().unwrap(),
    };
    let mut body = raised();
    let digest = |body: &serde_json::Value, times| {
        let Ok(Message::Event(event)) = parse_event(body.to_string().as_bytes(), &policy(), times)
        else {
            panic!("no event")
        };
        event.digest
    };
    for time in [
        "2026-11-22T07:00:00Z",
        "2026-11-22T09:00:00Z",
        "0001-01-01T00:00:00Z",
    ] {
        body["time"] = time.into();
        assert_eq!(digest(&body, times()), digest(&body, later), "{time}");
    }
    body.as_object_mut().unwrap().remove("time");
    assert_eq!(digest(&body, times()), digest(&body, later));

    let first = digest(&body, times());
    for (member, value) in [
        ("id", "another"),
        ("source", "/another/collector"),
        ("type", "alert.updated"),
        ("time", "2026-11-22T07:00:00Z"),
    ] {
        let mut other = body.clone();
        other[member] = value.into();
        assert_ne!(digest(&other, times()), first, "{member}");
    }
}

#[test]
fn events_of_a_batch_are_received_in_its_order() {
    let batch = serde_json::json!([raised(), raised(), raised()]).to_string();
    let parsed = crate::wire::webhook::parse(batch.as_bytes(), &policy(), times()).unwrap();
    let messages = parsed.messages;
    let events = messages.iter().filter_map(|message| match message {
        Message::Event(event) => Some(event.receipt.index),
        Message::Snapshot(_)
        | Message::Rejected(_)
        | Message::Quarantine(_)
        | Message::SourceReport(_)
        | Message::Tenants(_)
        | Message::Reconsider(_)
        | Message::Release(_)
        | Message::Command(_)
        | Message::Answer(_) => None,
    });
    assert_eq!(events.collect::<Vec<_>>(), [0, 1, 2]);
}
