//! A source that sends no messages: one mail, shown on Overview, and over with its next message.

use serde_json::json;

use crate::health::source_test::SourceTest;

const QUIET: &str = "Ticketbridge: no messages from Scanner (Northwind)";
const OVER: &str = "Ticketbridge: no source is inactive any more (Northwind)";

/// An environment with a source that is inactive after two days.
async fn quiet_source() -> SourceTest {
    SourceTest::new(json!({ "inactive_after_hours": 48 })).await
}

#[tokio::test]
async fn a_quiet_source_is_one_mail_and_its_next_message_ends_it() {
    let mut quiet = quiet_source().await;
    quiet.post("a1").await;
    quiet.wait_hours(47).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    assert_eq!(quiet.overview().await["live"]["inactive"], json!([]));

    quiet.wait_hours(1).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);
    let text = quiet.test.text().await;
    for said in [
        "A source of Northwind is quiet for longer than it should be.",
        "- No message from Scanner has arrived since ",
        "What to do: check at the vendor that it is switched on",
        "The other sources are not affected.",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
    let overview = quiet.overview().await;
    assert_eq!(
        overview["live"]["inactive"][0]["name"], "Scanner",
        "{overview}"
    );
    assert_eq!(overview["live"]["incidents"], json!([]), "{overview}");
    quiet.test.minutes(40).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);

    quiet.post("a2").await;
    quiet.test.minutes(20).await;
    assert_eq!(quiet.test.subjects().await, [QUIET, OVER]);
    assert_eq!(quiet.overview().await["live"]["inactive"], json!([]));
    assert_eq!(quiet.test.env.connectwise.tickets().await.len(), 2);
}

#[tokio::test]
async fn a_source_that_is_switched_off_is_never_inactive() {
    let mut quiet = quiet_source().await;
    let changed = quiet.change(&json!({ "enabled": false })).await;
    assert_eq!(changed["inactive_after_hours"], 48, "{changed}");
    quiet.wait_hours(500).await;
    quiet.test.minutes(5).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    // Switched on again, its time begins anew.
    quiet.change(&json!({ "enabled": true })).await;
    quiet.wait_hours(47).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
    quiet.wait_hours(1).await;
    assert_eq!(quiet.test.subjects().await, [QUIET]);
    // Switching it off ends the incident.
    quiet.change(&json!({ "enabled": false })).await;
    quiet.test.minutes(20).await;
    assert_eq!(quiet.test.subjects().await, [QUIET, OVER]);
}

#[tokio::test]
async fn a_quiet_source_is_notified_while_connectwise_refuses_the_keys() {
    let mut quiet = quiet_source().await;
    let faults = json!({ "keys": "revoked" });
    quiet.test.env.connectwise.set_faults(faults).await;
    quiet.wait_hours(49).await;
    let refused = "Ticketbridge: ConnectWise refuses the keys (Northwind)";
    assert_eq!(quiet.test.subjects().await, [refused, QUIET]);
}

#[tokio::test]
async fn the_operator_sets_and_removes_the_time() {
    let mut quiet = quiet_source().await;
    for wrong in [json!(0), json!(9000), json!(-1), json!("48"), json!(1.5)] {
        let change = json!({ "inactive_after_hours": wrong });
        let setup = &quiet.test.env.setup;
        let refused = setup.operator("PATCH", &quiet.path(), &change).await;
        let problem = refused.expect(422).json();
        assert_eq!(problem["field"], "inactive_after_hours", "{problem}");
    }
    let changed = quiet.change(&json!({ "name": "Scanner" })).await;
    assert_eq!(changed["inactive_after_hours"], 48, "{changed}");
    let changed = quiet.change(&json!({ "inactive_after_hours": null })).await;
    assert!(changed.get("inactive_after_hours").is_none(), "{changed}");
    // It has not posted for long enough to know what is usual.
    quiet.post("a1").await;
    quiet.wait_hours(1000).await;
    assert_eq!(quiet.test.subjects().await, [""; 0]);
}
