//! Many partners: twenty an invocation, each further twenty in one of their own, and none waits for another.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_types::SdkConfig;
use domain::PartnerId;
use domain::pipeline::Schedule;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ticks::{after, minute, only};
use crate::world::World;

fn partners(count: usize) -> Vec<PartnerId> {
    (0..count)
        .map(|n| PartnerId::parse(format!("partner-{n}")).unwrap())
        .collect()
}

/// A way to the emulator that answers for Lambda itself, and that can lose what is about one partner.
#[derive(Clone)]
pub(crate) struct Way {
    url: String,
    emulator: String,
    /// What functions were asked to run with, and how.
    pub(crate) asked: Arc<Mutex<Vec<(String, Value)>>>,
    lambda_answers: u16,
    /// What is never answered: all that holds both texts.
    lost: Option<[&'static str; 2]>,
}

impl Way {
    pub(crate) async fn open(
        world: &World,
        lambda_answers: u16,
        lost: Option<[&'static str; 2]>,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let way = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            emulator: world.aws.endpoint_url().unwrap().to_owned(),
            asked: Arc::default(),
            lambda_answers,
            lost,
        };
        let serving = way.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let way = serving.clone();
                tokio::spawn(async move { way.serve(stream).await });
            }
        });
        way
    }

    pub(crate) fn aws(&self, world: &World) -> SdkConfig {
        let aws = world.aws.clone().into_builder();
        aws.endpoint_url(self.url.clone()).build()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .unwrap();
        let mut read = vec![];
        loop {
            let head = loop {
                if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break String::from_utf8(read[..end + 4].to_vec()).unwrap();
                }
                if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
            };
            let headers: Vec<_> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .collect();
            let header = |name: &str| {
                let named = headers.iter().find(|(is, _)| is.eq_ignore_ascii_case(name));
                named.map(|(_, value)| (*value).to_owned())
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            while read.len() < head.len() + length {
                if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
                    return;
                }
            }
            let body = String::from_utf8(read[head.len()..head.len() + length].to_vec()).unwrap();
            read.drain(..head.len() + length);
            if self
                .lost
                .is_some_and(|lost| lost.iter().all(|text| body.contains(text)))
            {
                return std::future::pending().await;
            }
            let (status, answer) = if head.starts_with("POST /2015-03-31/functions/") {
                let kind = header("x-amz-invocation-type").unwrap_or_default();
                let function = head.split('/').nth(3).unwrap();
                let input = serde_json::from_str(&body).unwrap();
                let mut asked = self.asked.lock().unwrap();
                asked.push((format!("{function} {kind}"), input));
                (self.lambda_answers, "{}".to_owned())
            } else {
                let mut words = head.split(' ');
                let method = words.next().unwrap().parse().unwrap();
                let url = format!("{}{}", self.emulator, words.next().unwrap());
                let mut call = http.request(method, url).body(body);
                for (name, value) in &headers {
                    if !["host", "content-length", "connection"]
                        .contains(&name.to_ascii_lowercase().as_str())
                    {
                        call = call.header(*name, *value);
                    }
                }
                let answer = call.send().await.unwrap();
                (answer.status().as_u16(), answer.text().await.unwrap())
            };
            let head = format!(
                "HTTP/1.1 {status} Said\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            let answer = format!("{head}{answer}");
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test]
async fn each_twenty_partners_beyond_the_first_have_an_invocation_of_their_own() {
    let world = World::new().await;
    let way = Way::open(&world, 202, None).await;
    let reconcile = reconcile::driver(&world.reconcile_config(), &way.aws(&world)).unwrap();
    let now = Timestamp::now();
    let all = partners(45);
    world.make_all_due(&all, now).await;
    let tick = world.tick(&reconcile, now).await;
    assert_eq!((tick.due, tick.started, tick.completed), (45, 2, 20));
    let asked = way.asked.lock().unwrap().clone();
    let mut sizes = vec![];
    let mut named = HashSet::new();
    for (function, input) in &asked {
        assert_eq!(function, "reconcile Event");
        let group: Vec<PartnerId> = serde_json::from_value(input["partners"].clone()).unwrap();
        sizes.push(group.len());
        named.extend(group);
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 20]);
    assert_eq!(named.len(), 25);
    // Those that were asked for work off the rest, and a copy of one of them finds nothing to do.
    let mut done = 0;
    for (_, input) in asked.iter().chain(asked.first()) {
        done += reconcile
            .handle(input.clone(), &minute(now))
            .await
            .unwrap()
            .completed;
    }
    assert_eq!(done, 25);
    assert_eq!(world.tick(&reconcile, now).await.due, 0);
}

#[tokio::test]
async fn partners_for_whom_no_invocation_is_had_are_as_due_at_the_next_tick() {
    let world = World::new().await;
    let way = Way::open(&world, 403, None).await;
    let reconcile = reconcile::driver(&world.reconcile_config(), &way.aws(&world)).unwrap();
    let now = Timestamp::now();
    world.make_all_due(&partners(25), now).await;
    let first = world.tick(&reconcile, now).await;
    assert_eq!((first.due, first.started, first.completed), (25, 0, 20));
    let second = world.tick(&reconcile, now).await;
    assert_eq!((second.due, second.completed), (5, 5));
}

#[tokio::test]
async fn a_partner_that_takes_all_the_time_there_is_delays_no_other_and_comes_back() {
    let world = World::new().await;
    let way = Way::open(&world, 202, Some(["P#partner-1", "begins_with"])).await;
    let reconcile = reconcile::driver(&world.reconcile_config(), &way.aws(&world)).unwrap();
    let now = Timestamp::now();
    let all = partners(3);
    world.make_all_due(&all, now).await;
    let short = aws::invocation::Invocation::at("short", now, after(now, 9));
    let run = reconcile.handle(only(&all), &short).await.unwrap();
    assert_eq!((run.completed, run.failed), (2, 1));
    // It gave its lease back, and is tried again a minute later.
    let due = world.due();
    let due = async |seconds| due.list(Schedule::Reconcile, after(now, seconds), 9).await;
    assert!(!due(50).await.unwrap().contains(&all[1]));
    assert!(due(70).await.unwrap().contains(&all[1]));
    let world_again = world.reconcile();
    let again = minute(after(now, 70));
    let again = world_again.handle(only(&all[1..2]), &again).await.unwrap();
    assert_eq!(again.completed, 1);
}

#[tokio::test]
async fn an_input_that_names_no_partners_as_it_should_is_refused() {
    let world = World::new().await;
    let reconcile = world.reconcile();
    let now = minute(Timestamp::now());
    for wrong in [r#"{"partners": 1}"#, r#"{"partners": ["UPPER"]}"#] {
        let wrong = serde_json::from_str(wrong).unwrap();
        assert!(reconcile.handle(wrong, &now).await.is_err());
    }
}

#[tokio::test]
async fn a_partner_whose_run_died_is_run_apart_from_others() {
    let world = World::new().await;
    let way = Way::open(&world, 202, None).await;
    let reconcile = reconcile::driver(&world.reconcile_config(), &way.aws(&world)).unwrap();
    let now = Timestamp::now();
    let all = partners(3);
    world.make_all_due(&all, now).await;
    let table = world.due();
    let lease = table.lease(
        &all[0],
        domain::pipeline::Schedule::Reconcile,
        "dead",
        now,
        after(now, 300),
    );
    lease.await.unwrap().unwrap();

    let later = after(now, 400);
    let tick = world.tick(&reconcile, later).await;
    assert_eq!((tick.due, tick.started, tick.completed), (3, 1, 2));
    let (_, input) = way.asked.lock().unwrap().pop().unwrap();
    assert_eq!(input, serde_json::json!({ "partners": [all[0]] }));
    // It is due until that invocation runs it, which it does itself.
    let second = minute(after(later, 1));
    let apart = reconcile.handle(input.clone(), &second).await.unwrap();
    assert_eq!((apart.completed, apart.started), (1, 0));
    let again = reconcile.handle(input, &second).await.unwrap();
    assert_eq!(again.completed, 0);
    // After a run that ended it is one of many again.
    world.make_all_due(&all, after(now, 500)).await;
    let tick = world.tick(&reconcile, after(now, 500)).await;
    assert_eq!((tick.started, tick.completed), (0, 3));
}
