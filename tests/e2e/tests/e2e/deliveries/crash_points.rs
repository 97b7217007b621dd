//! A worker of `tickets` or of `deliveries` may die at any of its calls: its source still gets each
//! outgoing event, those of an alert in order.

use std::collections::BTreeSet;

use aws_lambda_events::sqs::{SqsEvent, SqsMessage};
use deliveries::DeliveriesHandler;
use domain::AlertKey;
use domain::outgoing::events::{OutgoingEvent, OutgoingEventKind, ReportedTicket};
use domain::outgoing::request::{DeliveryRequest, ReportedEvent};
use domain::wire::message::Message;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use store::DeliveryState;

use crate::environment::{TENANT, TestEnvironment, key, minute};
use crate::proxy::{Proxy, Stop, When};
use crate::tickets::crash_run::{Lane, VISIBILITY, event, process_message};
use crate::tickets::crash_scenario::EventKind;

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
                event.webhook = domain::outgoing::scope::WebhookScope::EventsAndActions;
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

/// A message with the creation and the closing of a ticket.
fn request(alert: &str) -> DeliveryRequest {
    let ticket = ReportedTicket {
        number: 77,
        epoch: 1,
    };
    let by = domain::alert::record::ClosedBy::Us;
    let events = [
        OutgoingEventKind::TicketCreated(ticket),
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
                webhook.receiver.answer_always(is_down.then_some(503));
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
                webhook.receiver.answer_always(None);
                for _ in 0..20 {
                    now += SignedDuration::from_mins(1);
                    process.handle(&tick, None, now).await.unwrap();
                }
                let mut confirmed = webhook.receiver.confirmed_of(&alert);
                let all = confirmed.len();
                confirmed.dedup();
                repeated += all - confirmed.len();
                let expected = ["ticket.created", "ticket.closed"];
                assert_eq!(confirmed, expected, "{is_down} {when:?} {at}");
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
