//! One mail for one incident, with concurrent runs, refused mails and runs that die.

use std::pin::pin;

use domain::monitoring::pipeline::Schedule;
use domain::setup::contacts::Contacts;
use jiff::Timestamp;
use scheduled::RunSummary;
use serde_json::json;
use store::{AccessTable, ConfigTable, Due};

use crate::environment::{
    MAIL_FROM, PROBLEM_MAILS, TestEnvironment, after, minute, numbered_partner, only, partner,
};
use crate::health::incident_test::CONTACT;
use crate::proxy::{Proxy, Stop, When};

async fn broken() -> (TestEnvironment, Timestamp) {
    let env = TestEnvironment::new().await;
    env.set_contact(CONTACT).await;
    env.set_fault("keys", "revoked").await;
    let now = Timestamp::now();
    env.schedule.make_health_due(now).await;
    (env, now)
}

#[tokio::test]
async fn two_concurrent_health_runs_send_one_mail() {
    let (env, now) = broken().await;
    let (one, other) = (env.health(), env.health());
    for minute in 0..3 {
        let at = after(now, minute * 60);
        let (one, other) = tokio::join!(
            env.schedule.tick_health(&one, at),
            env.schedule.tick_health(&other, at)
        );
        assert_eq!(one.completed + other.completed, 1, "one run of the partner");
    }
    assert_eq!(env.account.mails().await.len(), 1);
    // A run that lost its lease detects the other run's write.
    let kept = env.config.health.get(&partner()).await.unwrap();
    let health = kept.value.clone();
    let put = async |health| {
        env.config
            .health
            .save(&partner(), &kept, health)
            .await
            .unwrap()
    };
    assert!(put(health.clone()).await.is_some());
    assert_eq!(put(health).await, None);
}

#[tokio::test]
async fn a_mail_refused_by_ses_is_sent_once_by_a_later_tick() {
    let (env, now) = broken().await;
    let health = env.health();
    let ses = aws_sdk_sesv2::Client::new(&env.aws);
    let forget = ses.delete_email_identity().email_identity(MAIL_FROM);
    forget.send().await.unwrap();
    for minute in 0..3 {
        let at = after(now, minute * 60);
        let tick = env.schedule.tick_health(&health, at).await;
        assert_eq!(
            (tick.completed, tick.totals.mails, tick.totals.mails_failed),
            (1, 0, 1)
        );
    }
    let verify = ses.create_email_identity().email_identity(MAIL_FROM);
    verify.send().await.unwrap();
    let mut sent = vec![];
    for minute in 3..6 {
        let at = after(now, minute * 60);
        let tick = env.schedule.tick_health(&health, at).await;
        sent.push(tick.totals.mails);
    }
    assert_eq!(sent, [1, 0, 0]);
    assert_eq!(env.account.mails().await.len(), 1);
}

#[tokio::test]
async fn due_connections_are_divided_among_invocations() {
    let env = TestEnvironment::new().await;
    let now = Timestamp::now();
    let partners: Vec<_> = (0..45).map(numbered_partner).collect();
    for of in &partners {
        let due = &env.schedule.due;
        due.bring_forward(of, Schedule::Health, now).await.unwrap();
    }
    let health = env.health();
    // No function of that name is deployed in the emulator: partners that got no invocation stay due.
    let tick = env.schedule.tick_health(&health, now).await;
    assert_eq!((tick.due, tick.started, tick.completed), (45, 0, 20));
    let left = env
        .schedule
        .due
        .list(Schedule::Health, now, 100)
        .await
        .unwrap();
    assert_eq!(left.len(), 25);
    for (completed, why) in [(20, "due"), (0, "not due any more")] {
        let run = health.handle(only(&left[..20]), &minute(now)).await;
        let run = run.unwrap();
        assert_eq!((run.due, run.completed), (20, completed), "{why}");
    }
}

/// A `health` process whose calls all go through a proxy, with config and access tables of its own.
struct HealthProcess {
    env: TestEnvironment,
    proxy: Proxy,
    config: health::Config,
    table: ConfigTable,
    due: Due,
}

impl HealthProcess {
    async fn new(name: &str) -> Self {
        let env = TestEnvironment::new().await;
        let proxy = env.proxy().await;
        let connections = env.config_through(name, &proxy).await.connections;
        let table = ConfigTable::new(&env.aws, connections.config_table.clone());
        let due = Due::new(&env.aws, connections.config_table.clone());
        let address = domain::EmailAddress::parse(CONTACT).unwrap();
        let mails = PROBLEM_MAILS.into();
        let contacts = Contacts::confirmed_by_operator([(address, mails)]).unwrap();
        let access = AccessTable::new(&env.aws, connections.access_table.clone());
        let saved = access.contacts.save(&partner(), &contacts, 0).await;
        assert!(saved.unwrap().is_saved());
        let config = health::Config {
            connections,
            ..env.health_config()
        };
        Self {
            env,
            proxy,
            config,
            table,
            due,
        }
    }

    /// Runs one tick in a new process. `None` if the process died at the stop.
    async fn tick(
        &self,
        stop: Option<Stop>,
        at: Timestamp,
    ) -> Option<RunSummary<health::HealthTotals>> {
        let name = self.proxy.count(stop);
        let aws = self
            .env
            .account
            .sdk_config_through(&self.proxy.origin, &name);
        let app = health::driver(&self.config, &aws).unwrap();
        let invocation = minute(at);
        let tick = pin!(app.handle(json!({}), &invocation));
        tokio::select! {
            tick = tick => Some(tick.unwrap()).filter(|_| !self.proxy.is_past_stop()),
            () = self.proxy.stopped() => None,
        }
    }

    async fn mails(&self) -> usize {
        self.env.account.mails().await.len()
    }
}

/// Breaks a connection and kills the run that detects it, once at each of its calls. Then repairs the
/// connection and kills the run that closes the breaker and the run that notifies in the same way.
#[tokio::test]
async fn a_health_run_that_dies_anywhere_repeats_at_most_one_mail() {
    let mut died = 0;
    let mut twice = 0;
    for when in [When::Before, When::Lost, When::After] {
        let lane = HealthProcess::new(&format!("lane-{when:?}").to_lowercase()).await;
        let mut now = Timestamp::now();
        for at in 1.. {
            let details = format!("{when:?} {at}");
            let stop = Some(Stop { at, when });
            let before = lane.mails().await;
            lane.env.set_fault("keys", "revoked").await;
            // Longer than any lease lasts.
            now = after(now, 1200);
            lane.due
                .bring_forward(&partner(), Schedule::Health, now)
                .await
                .unwrap();
            let mut has_died = lane.tick(stop, now).await.is_none();
            for _ in 0..3 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            let notified = lane.mails().await - before;
            assert!(
                (1..=2).contains(&notified),
                "{details}: {notified} mails that it broke"
            );

            lane.env.set_fault("keys", "ok").await;
            now = after(now, 120);
            has_died |= lane.tick(stop, now).await.is_none();
            for _ in 0..2 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            now = after(now, 120);
            has_died |= lane.tick(stop, now).await.is_none();
            for _ in 0..2 {
                now = after(now, 120);
                lane.tick(None, now).await.unwrap();
            }
            let breaker = lane.table.breaker.get(&partner()).await.unwrap();
            assert_eq!(breaker.open, None, "{details}");
            let due = lane.due.list(Schedule::Reconcile, now, 5).await.unwrap();
            assert_eq!(due, [partner()], "{details}: what waited is looked at");
            let health = lane.table.health.get(&partner()).await.unwrap().value;
            assert_eq!(health.connection, None, "{details}");
            let over = lane.mails().await - before - notified;
            assert!(
                (1..=2).contains(&over),
                "{details}: {over} mails that it works"
            );
            twice += usize::from(notified == 2) + usize::from(over == 2);
            if !has_died {
                assert!(at > 15, "{at} calls are no run");
                break;
            }
            died += 1;
        }
    }
    assert!(died > 45, "{died} deaths");
    assert!((1..=12).contains(&twice), "{twice} times one mail more");
}
