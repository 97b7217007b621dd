//! Mails about waiting alerts and messages: at most one an hour, to the contacts that chose them, and
//! nothing twice.

use domain::setup::contacts::MailKind;
use domain::setup::mapping::Mapping;
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::environment::{COMPANY, PROBLEM_MAILS, TENANT, event, partner, raised_event, tenant};
use crate::health::incident_test::IncidentTest;

const ANNA: &str = "anna@northwind.example";
const BEN: &str = "ben@northwind.example";

/// An alert of another tenant than the mapped one.
fn alert_of(tenant: &str, alert: &str, severity: &str) -> Value {
    let mut raised = raised_event(&format!("raise-{tenant}-{alert}"), alert, 0);
    raised["data"]["tenant"] = tenant.into();
    raised["data"]["tenant_name"] = format!("Name of {tenant}").into();
    raised["data"]["severity"] = severity.into();
    raised
}

/// Recipients and subjects of all mails.
async fn sent(test: &IncidentTest) -> Vec<(String, String)> {
    let mails = test.env.account.mails().await.into_iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mails = mails.map(|mail| (text(&mail["To"][0]), text(&mail["Subject"])));
    mails.collect()
}

#[tokio::test]
async fn new_unmapped_tenants_are_one_mail_an_hour() {
    let mut test = IncidentTest::new().await;
    test.minute().await;
    assert_eq!(test.subjects().await, [""; 0]);
    test.hand(&[
        alert_of("grove", "a1", "low"),
        alert_of("elm", "a1", "medium"),
        alert_of("elm", "a2", "critical"),
    ])
    .await;
    test.minutes(20).await;
    let two = "Ticketbridge: 2 tenants sent alerts and are not mapped (1 critical) (northwind)";
    assert_eq!(test.subjects().await, [two]);
    test.assert_text(&[
        "- 2 tenants sent alerts and are not mapped: Name of elm (2 alerts, 1 of them critical), Name of grove (1 alert, severity: low).",
        "No tickets are created for these alerts until the tenants are mapped.",
        "What to do: choose the ConnectWise company of each tenant, under Tenants.",
        "https://setup.example/setup/partners/northwind/tenants\n",
        "receives mails of the kind \"Waiting alerts\"",
        "https://setup.example/setup/partners/northwind/contacts\n",
    ])
    .await;
    // Another tenant within the hour is in the next mail.
    test.hand(&[alert_of("oak", "a1", "high")]).await;
    test.minutes(30).await;
    assert_eq!(test.subjects().await.len(), 1);
    test.minutes(45).await;
    let oak = "Ticketbridge: Name of oak sent alerts and is not mapped (1 high) (northwind)";
    assert_eq!(test.subjects().await, [two, oak]);
    test.assert_text(&["2 more problems of earlier mails still wait."])
        .await;
    // Nothing is new for days.
    for _ in 0..48 {
        test.minutes += 60;
        test.make_due().await;
        test.minute().await;
    }
    assert_eq!(test.subjects().await.len(), 2);
    // A week after its mail, an item that still waits is named again.
    test.minutes = 7 * 24 * 60 + 150;
    test.make_due().await;
    test.minute().await;
    let subjects = test.subjects().await;
    assert_eq!(subjects.len(), 3);
    assert!(
        subjects[2].starts_with("Ticketbridge: still, "),
        "{subjects:?}"
    );
}

#[tokio::test]
async fn all_that_waits_is_in_one_mail() {
    let mut test = IncidentTest::new().await;
    let required = json!({ "required": { "on_create": ["customFields/Site ID"] } });
    test.env.connectwise.set_faults(required).await;
    let mut old = alert_of("grove", "old", "low");
    old["time"] = (test.begun - SignedDuration::from_hours(7 * 24))
        .to_string()
        .into();
    test.hand(&[
        raised_event("e1", "a1", 0),
        alert_of("elm", "a1", "critical"),
        old,
    ])
    .await;
    // Once its tenant is mapped, this alert is too old.
    let mapped = Mapping {
        company: Some(COMPANY),
        enabled: true,
        name: Some("Grove".into()),
        enabled_at: Some(test.begun),
        ..Mapping::default()
    };
    let tenants = &test.env.config.tenants;
    let grove = tenant("grove");
    tenants.put(&partner(), &grove, &mapped).await.unwrap();
    test.minutes(20).await;
    let subject = "Ticketbridge: Name of elm sent alerts and is not mapped (1 critical), and 1 other problem (northwind)";
    assert_eq!(test.subjects().await, [subject]);
    test.assert_text(&[
        "- 1 alert has no ticket (severity: ",
        "because ConnectWise refused the request. It says: \"The Site ID field is required.",
        "https://setup.example/setup/partners/northwind/waiting\n",
    ])
    .await;
    test.minutes(60).await;
    let old = "Ticketbridge: 1 alert is too old to become a ticket automatically (northwind)";
    assert_eq!(test.subjects().await, [subject, old]);
    test.assert_text(&[
        "- 1 alert was raised more than 48 hours before tickets could be created: Grove (1 alert, severity: low).",
    ])
    .await;
    // A rejected ticket does not mean that no ticket is created.
    let mut browser = test.env.setup.signed_in().await;
    let overview = browser.get_json("overview").await.expect(200).json();
    assert_eq!(overview["live"]["incidents"], json!([]), "{overview}");
}

#[tokio::test]
async fn what_a_person_switched_off_is_in_no_mail() {
    let mut test = IncidentTest::new().await;
    let off = Mapping {
        company: Some(COMPANY),
        enabled: false,
        ..Mapping::default()
    };
    let tenants = &test.env.config.tenants;
    let (northwind, acme) = (partner(), tenant(TENANT));
    tenants.put(&northwind, &acme, &off).await.unwrap();
    test.hand(&[event("alert.raised", "e1", "a1", 0)]).await;
    assert_eq!(test.blocked().await, 1);
    test.minutes(80).await;
    assert_eq!(test.subjects().await, [""; 0]);
}

#[tokio::test]
async fn each_contact_gets_only_the_mails_that_it_chose() {
    let mut test = IncidentTest::new().await;
    test.env
        .set_contacts(&[
            (ANNA, &[MailKind::BrokenConnection]),
            (BEN, &[MailKind::WaitingAlerts]),
        ])
        .await;
    test.hand(&[alert_of("elm", "a1", "high")]).await;
    test.minutes(3).await;
    test.env.set_fault("keys", "revoked").await;
    test.make_due().await;
    test.minutes(3).await;
    let waiting = "Ticketbridge: Name of elm sent alerts and is not mapped (1 high) (northwind)";
    let broken = "Ticketbridge: ConnectWise refuses the keys (northwind)";
    let expected = [(BEN, waiting), (ANNA, broken)];
    let expected = expected.map(|(to, subject)| (to.to_owned(), subject.to_owned()));
    assert_eq!(sent(&test).await, expected);
}

#[tokio::test]
async fn a_contact_that_chooses_the_mails_later_gets_what_waits() {
    let mut test = IncidentTest::new().await;
    let broken = [MailKind::BrokenConnection];
    test.env.set_contacts(&[(ANNA, &broken)]).await;
    test.hand(&[alert_of("elm", "a1", "high")]).await;
    test.minutes(20).await;
    assert_eq!(test.subjects().await, [""; 0]);
    test.env.set_contact(ANNA).await;
    test.make_due().await;
    test.minutes(1).await;
    assert_eq!(test.subjects().await.len(), 1);
}

#[tokio::test]
async fn nothing_is_mailed_before_the_partner_is_live() {
    let mut test = IncidentTest::new().await;
    let connections = &test.env.access.connections;
    let read = connections.get(&partner()).await.unwrap();
    let connection = store::Connection {
        confirmed: false,
        ..read.value.unwrap()
    };
    let saved = connections
        .save(&partner(), &connection, read.version)
        .await;
    assert!(saved.unwrap().is_saved());
    test.hand(&[alert_of("elm", "a1", "high")]).await;
    test.minutes(20).await;
    assert_eq!(test.subjects().await, [""; 0]);
}

#[tokio::test]
async fn a_contact_that_ses_refuses_repeats_no_mail_to_the_others() {
    let mut test = IncidentTest::new().await;
    // In the sandbox SES refuses addresses that are not verified.
    let ses = aws_sdk_sesv2::Client::new(&test.env.aws);
    let verify = ses.create_email_identity().email_identity(ANNA);
    verify.send().await.unwrap();
    let details = ses.put_account_details().production_access_enabled(false);
    let details = details.mail_type(aws_sdk_sesv2::types::MailType::Transactional);
    let details = details.website_url("https://ticketbridge.example");
    details.send().await.unwrap();
    let both = [(BEN, &PROBLEM_MAILS[..]), (ANNA, &PROBLEM_MAILS[..])];
    test.env.set_contacts(&both).await;
    test.hand(&[alert_of("elm", "a1", "high")]).await;
    test.env.set_fault("keys", "revoked").await;
    test.make_due().await;
    test.minutes(10).await;
    let to: Vec<_> = sent(&test).await.into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, [ANNA, ANNA], "one mail of each kind");
}
