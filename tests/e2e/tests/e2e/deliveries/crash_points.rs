//! A worker of `tickets` or of `deliveries` may die at any of its calls: its source still gets each
//! outgoing event, those of an alert in order.

use std::collections::BTreeSet;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use deliveries::DeliveriesHandler;
use domain::AlertKey;
use domain::alert::command::{Command, CommandAction};
use domain::alert::source_answer::SourceAnswer;
use domain::outgoing::events::{OutgoingEvent, OutgoingEventKind, ReportedTicket};
use domain::outgoing::request::{DeliveryRequest, ReportedEvent};
use domain::outgoing::scope::WebhookScope;
use domain::setup::settings::Settings;
use domain::setup::status_action::{ActionKind, StatusAction};
use domain::wire::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::{ConfigTable, DeliveryState};

use crate::environment::{TENANT, TestEnvironment, key, minute, partner, settings};
use crate::proxy::{Proxy, Stop, When};
use crate::tickets::crash_run::{Lane, VISIBILITY, event, process_message};
use crate::tickets::crash_scenario::EventKind;

/// A status of the board of operations.
const IN_PROGRESS: u64 = 222;

pub(super) const WHENS: [When; 3] = [When::Before, When::Lost, When::After];

/// The numbers of the events that were queued for a source's webhook.
async fn queued(lane: &Lane, key: &AlertKey) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for message in lane.env.delivery_queue.take_records().await {
        let request = DeliveryRequest::from_json(message.body.as_deref().unwrap()).unwrap();
        assert_eq!(&request.key, key);
        numbers.extend(
            request
                .events
                .iter()
                .map(|reported| reported.event.sequence),
        );
    }
    numbers
}

#[tokio::test]
async fn a_worker_of_tickets_that_dies_at_any_call_queues_every_event() {
    let lane = Lane::new().await;
    let mut deaths = 0;
    for when in WHENS {
        for at in 1.. {
            let stop = Stop { at, when };
            let alert = format!("{when:?}-{at}").to_lowercase();
            let mut now = Timestamp::now();
            let mut has_died = false;
            for (number, what) in [EventKind::Raised, EventKind::Resolved]
                .into_iter()
                .enumerate()
            {
                let mut event = event(&alert, what, number);
                event.webhook = WebhookScope::EventsAndActions;
                let body = Message::Event(event).to_json();
                has_died |= process_message(&lane, &body, Some(stop), &mut now).await;
            }
            let record = lane.env.record(&alert).await.unwrap();
            let outgoing = record.outgoing.unwrap();
            let events = outgoing.after(0).iter().map(|event| &event.what);
            let events: Vec<_> = events.collect();
            assert!(
                matches!(
                    events[..],
                    [
                        OutgoingEventKind::TicketCreated(_),
                        ..,
                        OutgoingEventKind::TicketClosed { .. },
                    ]
                ),
                "{when:?} {at}: {events:?}"
            );
            let all: BTreeSet<_> = (1..=outgoing.last_sequence()).collect();
            let queued = queued(&lane, &key(TENANT, &alert)).await;
            assert_eq!(queued, all, "{when:?} {at}: {events:?}");
            if !has_died {
                assert!(at > 10, "{at} calls are no run");
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths, each event queued");
}

/// Puts settings into the tables of a lane's workers.
async fn put_settings(lane: &Lane, settings: &Settings) {
    for seat in &lane.seats {
        let table = seat.config.connections.config_table.clone();
        let config = ConfigTable::new(&lane.env.aws, table);
        config.settings.put(&partner(), settings).await.unwrap();
    }
}

/// The actions that were queued for a source's webhook, by their numbers.
async fn queued_actions(lane: &Lane) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    for message in lane.env.delivery_queue.take_records().await {
        let request = DeliveryRequest::from_json(message.body.as_deref().unwrap()).unwrap();
        let actions = request.events.iter().map(|reported| &reported.event);
        let actions =
            actions.filter(|event| matches!(event.what, OutgoingEventKind::TicketAction { .. }));
        numbers.extend(actions.map(|event| event.sequence));
    }
    numbers
}

/// How often the answer of the source is on a ticket.
async fn count_answers(lane: &Lane, ticket: u64) -> usize {
    let notes = lane.env.connectwise.notes(&json!({ "id": ticket })).await;
    let texts = notes.iter().filter_map(|note| note["text"].as_str());
    texts
        .filter(|text| text.contains("It is isolated."))
        .count()
}

/// The worker of the message about the moved ticket dies, and so does that of the answer.
#[tokio::test]
async fn a_worker_of_tickets_that_dies_at_any_call_asks_once_and_notes_the_answer_once() {
    let lane = Lane::new().await;
    let mut own = settings();
    own.operations.actions = [(ActionKind::Act, IN_PROGRESS)].into();
    put_settings(&lane, &own).await;
    let mut deaths = 0;
    for when in WHENS {
        for at in 1.. {
            let alert = format!("{when:?}-{at}").to_lowercase();
            let stop = Some(Stop { at, when });
            let mut now = Timestamp::now();
            let mut raised = event(&alert, EventKind::Raised, 0);
            raised.webhook = WebhookScope::EventsAndActions;
            let body = Message::Event(raised).to_json();
            process_message(&lane, &body, None, &mut now).await;
            let record = lane.env.record(&alert).await.unwrap();
            let ticket_id = record.open().unwrap().ticket_id;

            let status = json!({ "status": IN_PROGRESS });
            lane.env.connectwise.act_on_ticket(ticket_id, &status).await;
            let look = Message::Command(Command {
                key: key(TENANT, &alert),
                occurrence: record.occurrence,
                ticket_id: Some(ticket_id),
                action: CommandAction::Look,
            });
            let has_died = process_message(&lane, &look.to_json(), stop, &mut now).await;

            let record = lane.env.record(&alert).await.unwrap();
            let asked = record.open().unwrap().action.as_ref().unwrap().at;
            let answer = Message::Answer(SourceAnswer {
                key: key(TENANT, &alert),
                ticket_id,
                asked_at: asked,
                text: "It is isolated.".to_owned(),
            });
            let body = answer.to_json();
            let has_died = process_message(&lane, &body, stop, &mut now).await || has_died;
            // The answer comes again.
            process_message(&lane, &body, None, &mut now).await;
            assert_eq!(count_answers(&lane, ticket_id).await, 1, "{when:?} {at}");
            // A worker that dies queues its events again, with the same numbers.
            assert_eq!(queued_actions(&lane).await.len(), 1, "{when:?} {at}");
            if !has_died {
                assert!(at > 5, "{at} calls are no run");
                break;
            }
            deaths += 1;
        }
    }
    println!("{deaths} deaths, each action asked once and each answer noted once");
}

/// The answers in the queue of `tickets`.
async fn queued_answers(env: &TestEnvironment) -> Vec<SourceAnswer> {
    let records = env.queue.take_records().await.into_iter();
    let answers = records.map(|record| {
        let message = Message::from_json(&record.body.unwrap()).unwrap();
        let Message::Answer(answer) = message else {
            unreachable!("deliveries send nothing else: {message:?}");
        };
        answer
    });
    answers.collect()
}

/// A message with the creation of a ticket, an action and the closing.
fn request(alert: &str) -> DeliveryRequest {
    let ticket = ReportedTicket {
        number: 77,
        epoch: 1,
    };
    let by = domain::alert::record::ClosedBy::Us;
    let events = [
        OutgoingEventKind::TicketCreated(ticket),
        OutgoingEventKind::TicketAction {
            ticket,
            action: StatusAction::Act,
        },
        OutgoingEventKind::TicketClosed { ticket, by },
    ];
    let reported = |(sequence, what)| ReportedEvent {
        event: OutgoingEvent {
            sequence,
            at: Timestamp::UNIX_EPOCH,
            what,
        },
        link: None,
    };
    DeliveryRequest {
        key: key(TENANT, alert),
        kind: None,
        events: (1..).zip(events).map(reported).collect(),
    }
}

/// A process of `deliveries` whose calls to AWS go through a proxy.
pub(super) struct DeliveriesProcess<'a> {
    pub(super) env: &'a TestEnvironment,
    pub(super) proxy: &'a Proxy,
    pub(super) config: &'a deliveries::Config,
}

impl DeliveriesProcess<'_> {
    /// Handles an input in a new process. `None` if it died at the stop.
    pub(super) async fn handle(
        &self,
        input: &Value,
        stop: Option<Stop>,
        at: Timestamp,
    ) -> Option<Value> {
        let name = self.proxy.count(stop);
        let aws = self
            .env
            .account
            .sdk_config_through(&self.proxy.origin, &name);
        let app = DeliveriesHandler::build(self.config, &aws).unwrap();
        let invocation = minute(at);
        let run = Box::pin(app.handle(input.clone(), &invocation));
        tokio::select! {
            biased;
            answer = run => Some(answer.unwrap()).filter(|_| !self.proxy.is_past_stop()),
            () = self.proxy.stopped() => None,
        }
    }
}

/// The worker of a message dies, and so does the tick after it, at the same call.
#[tokio::test]
async fn a_worker_of_deliveries_that_dies_at_any_call_delivers_every_event_in_order() {
    let env = TestEnvironment::new().await;
    let webhook = env.webhook().await;
    let proxy = env.proxy().await;
    let process = DeliveriesProcess {
        env: &env,
        proxy: &proxy,
        config: &webhook.config,
    };
    let (mut deaths, mut repeated) = (0, 0);
    let mut now = Timestamp::now();
    for is_down in [false, true] {
        for when in WHENS {
            for at in 1.. {
                let alert = format!("{is_down}-{when:?}-{at}").to_lowercase();
                let body = request(&alert).to_json();
                let mut record = SqsMessage::default();
                record.message_id = Some("1".to_owned());
                record.body = Some(body);
                let mut batch = SqsEvent::default();
                batch.records.push(record);
                let batch = serde_json::to_value(batch).unwrap();
                let stop = Some(Stop { at, when });
                match is_down {
                    true => webhook.receiver.answer_always(Some(503)),
                    false => webhook
                        .receiver
                        .confirm_with(r#"{"note": "It is isolated."}"#),
                }
                let mut has_died = false;
                let mut stop_of_batch = stop;
                loop {
                    let answer = process.handle(&batch, stop_of_batch.take(), now).await;
                    has_died |= answer.is_none();
                    now += VISIBILITY;
                    if answer.is_some() {
                        break;
                    }
                }
                let tick = serde_json::json!({});
                has_died |= process.handle(&tick, stop, now).await.is_none();
                webhook
                    .receiver
                    .confirm_with(r#"{"note": "It is isolated."}"#);
                for _ in 0..20 {
                    now += SignedDuration::from_mins(1);
                    process.handle(&tick, None, now).await.unwrap();
                }
                let mut confirmed = webhook.receiver.confirmed_of(&alert);
                let all = confirmed.len();
                confirmed.dedup();
                repeated += all - confirmed.len();
                let expected = ["ticket.created", "ticket.action", "ticket.closed"];
                assert_eq!(confirmed, expected, "{is_down} {when:?} {at}");
                let answers = queued_answers(&env).await;
                let is_own = |answer: &SourceAnswer| {
                    answer.key == key(TENANT, &alert) && answer.text == "It is isolated."
                };
                assert!(
                    !answers.is_empty() && answers.iter().all(is_own),
                    "{is_down} {when:?} {at}: {answers:?}"
                );
                let pending = webhook.log(DeliveryState::Pending).await;
                assert_eq!(pending, [], "{is_down} {when:?} {at}");
                if !has_died {
                    assert!(at > 5, "{at} calls are no run");
                    break;
                }
                deaths += 1;
            }
        }
    }
    println!("{deaths} deaths, {repeated} events delivered again");
    assert!(repeated > 0, "no worker died after its receiver confirmed");
}
