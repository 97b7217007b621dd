//! The weekly report: one mail each Monday, to the contacts that chose it.

use domain::setup::contacts::MailKind;
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::environment::raised_event;
use crate::health::incident_test::IncidentTest;

const ANNA: &str = "anna@northwind.example";
const BEN: &str = "ben@northwind.example";

/// The minutes from a time until the next Monday at 07:00 UTC.
fn minutes_until_monday(from: Timestamp) -> i64 {
    let now = from.to_zoned(TimeZone::UTC);
    let monday = now.nth_weekday(1, Weekday::Monday).unwrap();
    let due = monday
        .date()
        .at(7, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .unwrap();
    due.timestamp().duration_since(from).as_mins() + 1
}

#[tokio::test]
async fn the_weekly_report_is_mailed_each_monday_to_those_who_chose_it() {
    let mut test = IncidentTest::new().await;
    test.env
        .set_contacts(&[
            (BEN, &[MailKind::WeeklyReport]),
            (ANNA, &[MailKind::BrokenConnection]),
        ])
        .await;
    test.hand(&[raised_event("e1", "a1", 0)]).await;
    test.minutes(2).await;
    assert_eq!(test.subjects().await, [""; 0]);
    test.minutes = minutes_until_monday(test.begun);
    for _ in 0..3 {
        test.make_due().await;
        test.minute().await;
    }
    let mails = test.env.account.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["To"], serde_json::json!([BEN]));
    let text = mails[0]["BodyText"].as_str().unwrap();
    for part in [
        "- Alerts raised: ",
        "- Tickets created: ",
        "- Tenants: 2 mapped, 0 not mapped",
        "Nothing waits for a person.",
        "receives mails of the kind \"Weekly report\"",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    test.minutes += 7 * 24 * 60;
    test.make_due().await;
    test.minute().await;
    assert_eq!(test.subjects().await.len(), 2);
}
