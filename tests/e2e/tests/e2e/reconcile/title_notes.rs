//! A title that changes shortly after a note gets a note of its own, although nothing repeats it.

use domain::alert::event::AlertChange;
use domain::wire::message::Message;
use jiff::SignedDuration;

use crate::environment::{partner, settings};
use crate::proxy::{Stop, When};
use crate::reconcile::dying_runs::DyingRuns;
use crate::tickets::crash_run::{event, process_message};
use crate::tickets::crash_scenario::EventKind;

const NEW_TITLE: &str = "Disk C: of web-1 is about to fail";

/// Raises an alert, repeats it, which is noted, and repeats it with another title soon after.
async fn raise_and_rename(runs: &mut DyingRuns, alert: &str) {
    for number in 0..3 {
        let mut event = event(alert, EventKind::Raised, number);
        if let AlertChange::Raised(particulars) = &mut event.change
            && number == 2
        {
            particulars.payload.title = NEW_TITLE.to_owned();
        }
        let body = Message::Event(event).to_json();
        process_message(&runs.lane, &body, None, &mut runs.now).await;
    }
}

/// The only ticket's notes about repeats.
async fn notes(runs: &DyingRuns) -> Vec<String> {
    let tickets = runs.lane.env.connectwise.tickets().await;
    assert_eq!(tickets.len(), 1);
    let notes = runs.lane.env.connectwise.notes(&tickets[0]).await;
    let texts = notes.iter().filter_map(|note| note["text"].as_str());
    let repeats = texts.filter(|text| text.starts_with("The alert was repeated"));
    repeats.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_run_that_dies_at_any_call_has_a_changed_title_noted_once() {
    let mut runs = DyingRuns::new().await;
    let mut own = settings();
    own.note_interval_minutes = 60;
    runs.table.settings.put(&partner(), &own).await.unwrap();
    for at in 1.. {
        runs.lane.env.connectwise.reset().await;
        raise_and_rename(&mut runs, &format!("renamed-{at}")).await;
        runs.reconcile(None).await;
        let before = notes(&runs).await;
        assert_eq!(before.len(), 1, "{at}: {before:#?}");
        runs.now += SignedDuration::from_hours(1);
        let stop = Stop {
            at,
            when: When::Lost,
        };
        let has_died = runs.reconcile(Some(stop)).await;
        runs.now += SignedDuration::from_hours(2);
        runs.reconcile(None).await;
        let notes = notes(&runs).await;
        let named = notes.iter().filter(|text| text.contains(NEW_TITLE));
        assert_eq!((notes.len(), named.count()), (2, 1), "{at}: {notes:#?}");
        if !has_died {
            assert!(at > 4, "{at} calls are no run");
            break;
        }
    }
}
