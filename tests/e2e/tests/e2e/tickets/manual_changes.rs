//! Tickets on which a person works, or a workflow rule, when their alerts are resolved.

use crate::environment::{
    TENANT, TestEnvironment, key, raised_event, reconsider, resolved_event, settings,
};
use domain::setup::settings::OnResolve;
use serde_json::{Value, json};

/// An environment whose operations tickets stay open if a person worked on them.
async fn environment() -> TestEnvironment {
    let env = TestEnvironment::new().await;
    let mut own = settings();
    own.operations.on_resolve = OnResolve::CloseUntouched;
    own.lowers_priority = true;
    env.put_settings(&own).await;
    env
}

/// Raises an alert and returns its ticket's number.
async fn raise(env: &mut TestEnvironment, alert: &str) -> u64 {
    let event = raised_event(&format!("{alert}-1"), alert, 0);
    env.deliver(&event).await;
    let record = env.record(alert).await.unwrap();
    record.open().unwrap().ticket_id
}

async fn repeat(env: &mut TestEnvironment, alert: &str) {
    let event = raised_event(&format!("{alert}-2"), alert, 3);
    env.deliver(&event).await;
}

async fn resolve(env: &mut TestEnvironment, alert: &str) {
    let event = resolved_event(&format!("{alert}-9"), alert, 9);
    env.deliver(&event).await;
}

async fn ticket(env: &TestEnvironment, number: u64) -> Value {
    let tickets = env.connectwise.tickets().await;
    let mut tickets = tickets.into_iter();
    tickets.find(|ticket| ticket["id"] == number).unwrap()
}

/// What people do with a ticket, each with the words of the note that says why it stays open.
fn manual_changes() -> Vec<(Vec<Value>, &'static str)> {
    let set = |members: Value| vec![json!({ "set": members })];
    let act = |action: Value| vec![action];
    let status = "its status was changed";
    let details = "its contact, severity, impact or due date";
    let type_ = "its type, subtype or item";
    let hours = "time was entered on it";
    let quoted = "The alert is resolved: really? [tb closing c-1]\nI am still working on it.";
    vec![
        (act(json!({ "status": 222 })), status),
        (act(json!({ "status": 223 })), status),
        (act(json!({ "assign": 152 })), "its owner was changed"),
        (
            set(json!({ "resources": "JMiller" })),
            "members were assigned",
        ),
        (
            set(json!({ "resources": "JMiller, TSmith" })),
            "members were assigned",
        ),
        (
            act(json!({ "note": "Called the customer." })),
            "it has a note of a person",
        ),
        (act(json!({ "note": quoted })), "it has a note of a person"),
        (
            act(json!({ "reply": "It works again, thanks." })),
            "the customer replied",
        ),
        (
            act(json!({ "time_entry": [0.5, "Checked the disk."] })),
            hours,
        ),
        (act(json!({ "time_entry": [0.25, ""] })), hours),
        (act(json!({ "time_entry": [0.0, "No charge."] })), hours),
        (
            set(json!({ "hasChildTicket": true })),
            "it has child tickets",
        ),
        (
            set(json!({ "parentTicketId": 7 })),
            "it is a child of another",
        ),
        (
            set(json!({ "hasMergedChildTicketFlag": true })),
            "another ticket was merged",
        ),
        (
            set(json!({ "customerUpdatedFlag": true })),
            "the customer replied",
        ),
        (act(json!({ "priority": 31 })), "its priority was changed"),
        (act(json!({ "type": 2201 })), type_),
        (
            set(json!({ "subType": { "id": 5, "name": "Volume" } })),
            type_,
        ),
        (set(json!({ "item": { "id": 6, "name": "C:" } })), type_),
        (
            act(json!({ "summary": "Disk of web-1: waits for parts" })),
            "its summary was changed",
        ),
        (
            set(json!({ "team": { "id": 9, "name": "Night shift" } })),
            "its team was changed",
        ),
        (
            set(json!({ "contact": { "id": 3, "name": "Ann" } })),
            details,
        ),
        (set(json!({ "severity": "High" })), details),
        (set(json!({ "impact": "Low" })), details),
        (
            set(json!({ "requiredDate": "2026-12-01T09:00:00Z" })),
            details,
        ),
        (
            act(json!({ "move_to_board": 23 })),
            "it was moved to another board",
        ),
        (act(json!("touch")), "a person updated it last"),
        (
            set(json!({ "budgetHours": 3.0 })),
            "a person updated it last",
        ),
        (
            vec![json!("close"), json!("reopen")],
            "a person updated it last",
        ),
        (
            vec![json!({ "status": 222 }), json!({ "assign": 152 })],
            status,
        ),
        (
            vec![json!({ "status": 222 }), json!({ "status": 221 })],
            "a person updated it last",
        ),
    ]
}

#[tokio::test]
async fn a_ticket_that_a_person_worked_on_stays_open_with_a_note() {
    let mut env = environment().await;
    let changes = manual_changes();
    assert!(changes.len() > 30);
    for (number, (actions, why)) in changes.into_iter().enumerate() {
        let alert = format!("a{number}");
        let id = raise(&mut env, &alert).await;
        for action in &actions {
            env.connectwise.act_on_ticket(id, action).await;
        }
        resolve(&mut env, &alert).await;
        let after = ticket(&env, id).await;
        assert_eq!(after["closedFlag"], false, "{actions:?}");
        let left = "would have closed this ticket, but a person worked on it";
        env.connectwise.assert_noted(&after, &[left, why]).await;
        let notes = env.connectwise.notes(&after).await;
        let closing = |note: &&Value| {
            let text = note["text"].as_str().unwrap();
            text.contains("Ticketbridge closes")
        };
        assert_eq!(notes.iter().filter(closing).count(), 0, "{actions:?}");
        // It is done: another look changes nothing.
        let look = vec![reconsider(&key(TENANT, &alert))];
        env.worker.handle_until_done(look, 1, 1).await;
        assert_eq!(env.connectwise.notes(&after).await.len(), notes.len());
    }
}

#[tokio::test]
async fn a_persons_change_counts_although_ticketbridge_or_a_rule_wrote_last() {
    let mut env = environment().await;
    for (number, action) in [
        json!({ "status": 222 }),
        json!({ "assign": 152 }),
        json!({ "note": "Looking into it." }),
        json!({ "summary": "Disk of web-1" }),
    ]
    .into_iter()
    .enumerate()
    {
        for rule in [
            json!([]),
            json!([{ "after": "note", "do": { "priority": 31 } }]),
        ] {
            let alert = format!("a{number}-{}", rule.as_array().unwrap().len());
            let id = raise(&mut env, &alert).await;
            env.connectwise.act_on_ticket(id, &action).await;
            env.set_fault("workflows", rule).await;
            repeat(&mut env, &alert).await;
            env.set_fault("workflows", json!([])).await;
            resolve(&mut env, &alert).await;
            assert_eq!(ticket(&env, id).await["closedFlag"], false, "{action}");
        }
    }
}

/// What workflow rules do after a call of Ticketbridge.
fn rules() -> Vec<Value> {
    let mut rules = vec![];
    for after in ["create", "note"] {
        for action in [
            json!({ "status": 222 }),
            json!({ "assign": 152 }),
            json!({ "set": { "resources": "JMiller" } }),
            json!({ "set": { "team": { "id": 9, "name": "Night shift" } } }),
            json!({ "priority": 31 }),
            json!({ "type": 2201 }),
            json!({ "summary": "[P1] Disk full" }),
            json!("touch"),
        ] {
            rules.push(json!({ "after": after, "do": action, "times": 1 }));
        }
    }
    rules
}

#[tokio::test]
async fn a_ticket_that_only_ticketbridge_or_a_rule_changed_is_closed() {
    let mut env = environment().await;
    for (number, rule) in rules().into_iter().enumerate() {
        let alert = format!("a{number}");
        env.set_fault("workflows", json!([rule])).await;
        let id = raise(&mut env, &alert).await;
        repeat(&mut env, &alert).await;
        resolve(&mut env, &alert).await;
        assert_eq!(ticket(&env, id).await["closedFlag"], true, "{rule}");
    }
    env.set_fault("workflows", json!([])).await;
    // Notes that customers read, and a priority that follows the alert up and down.
    let mut own = env.settings().await;
    own.notes_for_customers = true;
    env.put_settings(&own).await;
    let id = raise(&mut env, "b").await;
    for (minute, severity) in [(2, "critical"), (4, "low")] {
        let mut changed = raised_event(&format!("b-{minute}"), "b", minute);
        changed["data"]["severity"] = severity.into();
        env.deliver(&changed).await;
    }
    let after = ticket(&env, id).await;
    assert_eq!(after["priority"]["id"], 34);
    resolve(&mut env, "b").await;
    assert_eq!(ticket(&env, id).await["closedFlag"], true);
}

#[tokio::test]
async fn a_reply_between_note_and_close_keeps_the_ticket_open() {
    let mut env = environment().await;
    let id = raise(&mut env, "a").await;
    let reply = json!([{ "after": "note", "do": { "reply": "Please wait." }, "times": 1 }]);
    env.set_fault("workflows", reply).await;
    resolve(&mut env, "a").await;
    let after = ticket(&env, id).await;
    assert_eq!(after["closedFlag"], false);
    let words = ["the customer replied"];
    env.connectwise.assert_noted(&after, &words).await;
}

#[tokio::test]
async fn a_site_that_hides_notes_or_audit_trail_keeps_its_tickets_open() {
    let mut env = environment().await;
    for (path, action, why) in [
        (
            "/service/tickets/*/allNotes",
            json!("touch"),
            "ConnectWise does not show its notes",
        ),
        (
            "/system/audittrail",
            json!({ "status": 222 }),
            "its status was changed",
        ),
    ] {
        for status in [400, 403, 404] {
            let alert = format!("{}-{status}", path.len());
            let rule = json!([{ "after": "create", "do": action, "times": 1 }]);
            env.set_fault("workflows", rule).await;
            let id = raise(&mut env, &alert).await;
            let answer = json!({ "answer": { "status": status, "body": "json" } });
            let refuse = json!([{ "when": { "path": path }, "then": answer }]);
            env.set_fault("rules", refuse).await;
            resolve(&mut env, &alert).await;
            env.set_fault("rules", json!([])).await;
            let after = ticket(&env, id).await;
            assert_eq!(after["closedFlag"], false, "{path} {status}");
            env.connectwise.assert_noted(&after, &[why]).await;
        }
    }
    // The connection works as before.
    raise(&mut env, "last").await;
}

#[tokio::test]
async fn a_lower_severity_leaves_a_priority_that_a_person_chose() {
    let mut env = environment().await;
    let id = raise(&mut env, "a").await;
    let urgent = json!({ "priority": 31 });
    env.connectwise.act_on_ticket(id, &urgent).await;
    let mut low = raised_event("a-2", "a", 3);
    low["data"]["severity"] = "low".into();
    env.deliver(&low).await;
    assert_eq!(ticket(&env, id).await["priority"]["id"], 31);
}

/// A repeat that says that the alert is of another kind, with other words.
fn changed(alert: &str, kind: &str, second: i64) -> Value {
    let mut event = raised_event(&format!("{alert}-{kind}"), alert, second);
    event["data"]["kind"] = kind.into();
    event["data"]["title"] = "Processor at its limit".into();
    event["data"]["tenant_name"] = "Acme Dental Group".into();
    event
}

#[tokio::test]
async fn a_changed_alert_changes_the_type_of_its_ticket_and_is_noted() {
    let mut env = environment().await;
    let id = raise(&mut env, "a").await;
    assert_eq!(ticket(&env, id).await["type"]["id"], 2203);
    env.deliver(&changed("a", "cpu", 3)).await;
    assert_eq!(ticket(&env, id).await["type"]["id"], 2201);
    let notes = env.connectwise.notes(&ticket(&env, id).await).await;
    let noted = notes.last().unwrap()["text"].as_str().unwrap();
    for words in ["Processor at its limit", "Tenant: Acme Dental Group"] {
        assert!(noted.contains(words), "{noted}");
    }
    // Ticketbridge wrote that type, so the ticket is still untouched.
    resolve(&mut env, "a").await;
    assert_eq!(ticket(&env, id).await["closedFlag"], true);
    assert_eq!(env.connectwise.tickets().await.len(), 1);
}

#[tokio::test]
async fn a_type_that_does_not_follow_the_kind() {
    let mut env = environment().await;
    // A person chose a type or worked on the ticket.
    let types = json!({ "set": { "type": { "id": 2202 } } });
    for (alert, action, kept) in [("a", types, 2202), ("b", json!({ "assign": 152 }), 2203)] {
        let id = raise(&mut env, alert).await;
        env.connectwise.act_on_ticket(id, &action).await;
        env.deliver(&changed(alert, "cpu", 3)).await;
        assert_eq!(ticket(&env, id).await["type"]["id"], kept, "{alert}");
    }
    // The new kind has no type, or belongs to another board.
    for (alert, kind) in [("c", "microsoft_updates"), ("d", "ransomware_encryption")] {
        let id = raise(&mut env, alert).await;
        env.deliver(&changed(alert, kind, 3)).await;
        assert_eq!(ticket(&env, id).await["type"]["id"], 2203, "{alert}");
    }
}
