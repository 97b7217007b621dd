//! Stored links and sessions: who is signed in, and until when.

use crate::environment::partner;
use crate::setup::stored_items::{at, environment_with_partner, northwind, saved};
use domain::setup::access::{Invitation, PageSession, Partner, TokenHash};
use domain::{PartnerId, Secret};
use jiff::Timestamp;
use store::{AccessTable, SaveOutcome};
use tokio::task::JoinSet;

fn hash(token: &str) -> TokenHash {
    TokenHash::new(&Secret::new(token))
}

fn link(made_at: i64, expires_at: i64) -> Invitation {
    Invitation {
        partner: partner(),
        made_at: at(made_at),
        expires_at: at(expires_at),
    }
}

fn session(linked_at: i64, expires_at: i64) -> PageSession {
    link(linked_at, expires_at).session(at(expires_at))
}

async fn is_in(access: &AccessTable, token: &str, now: Timestamp) -> bool {
    access
        .sessions
        .get(&hash(token), now)
        .await
        .unwrap()
        .is_some()
}

#[tokio::test]
async fn a_link_followed_concurrently_opens_once() {
    let env = environment_with_partner().await;
    let link = link(10, 100);
    env.access
        .sessions
        .put_link(&hash("one"), &link)
        .await
        .unwrap();
    let mut consumers = JoinSet::new();
    for _ in 0..8 {
        let access = env.access.clone();
        consumers.spawn(async move {
            access
                .sessions
                .consume_link(&hash("one"), at(20))
                .await
                .unwrap()
        });
    }
    let taken: Vec<_> = consumers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken, [link]);
}

#[tokio::test]
async fn an_expired_or_ended_link_opens_nothing() {
    let env = environment_with_partner().await;
    let access = &env.access;
    let consumed = async |token: &str, second| {
        let link = access.sessions.consume_link(&hash(token), at(second)).await;
        link.unwrap().is_some()
    };
    for token in ["old", "ended", "off"] {
        access
            .sessions
            .put_link(&hash(token), &link(10, 100))
            .await
            .unwrap();
    }
    assert!(!consumed("unknown", 20).await);
    assert!(!consumed("old", 100).await);
    assert!(
        consumed("old", 99).await,
        "the old link was not deleted yet"
    );
    access
        .partners
        .end_sessions(&partner(), at(10))
        .await
        .unwrap();
    assert!(!consumed("ended", 20).await);
    access
        .sessions
        .put_link(&hash("new"), &link(11, 100))
        .await
        .unwrap();
    assert!(consumed("new", 20).await);
    let read = access.partners.get(&partner()).await.unwrap();
    let off = read.value.unwrap().with_enabled(false, at(30));
    let off = access.partners.save(&partner(), &off, read.version).await;
    assert_eq!(off.unwrap(), saved(3));
    access
        .sessions
        .put_link(&hash("off"), &link(40, 100))
        .await
        .unwrap();
    assert!(!consumed("off", 50).await);
}

#[tokio::test]
async fn a_session_is_valid_until_it_expires_or_ends() {
    let env = environment_with_partner().await;
    let access = &env.access;
    let mine = session(10, 100);
    for token in ["mine", "hers"] {
        access.sessions.put(&hash(token), &mine).await.unwrap();
    }
    let read = access.sessions.get(&hash("mine"), at(99)).await.unwrap();
    let read = read.map(|(session, _)| session);
    assert_eq!(read, Some(mine));
    assert!(!is_in(access, "mine", at(100)).await);
    assert!(!is_in(access, "unknown", at(20)).await);
    for _ in 0..2 {
        access.sessions.end(&hash("mine")).await.unwrap();
        assert!(!is_in(access, "mine", at(20)).await);
        assert!(is_in(access, "hers", at(20)).await);
    }
}

#[tokio::test]
async fn the_table_stores_only_token_hashes() {
    let env = environment_with_partner().await;
    let access = &env.access;
    let (link_token, session_token) = (hash("token-of-a-link"), hash("token-of-a-session"));
    access
        .sessions
        .put_link(&link_token, &link(10, 100))
        .await
        .unwrap();
    let put = access.sessions.put(&session_token, &session(10, 100)).await;
    put.unwrap();
    assert!(!is_in(access, "token-of-a-link", at(20)).await);
    let consumed = access
        .sessions
        .consume_link(&session_token, at(20))
        .await
        .unwrap();
    assert_eq!(consumed, None);
    assert!(is_in(access, "token-of-a-session", at(20)).await);

    let table = aws_sdk_dynamodb::Client::new(&env.aws);
    let items = table.scan().table_name("access").send().await.unwrap();
    let items = items.items.unwrap();
    let of_tokens = |name: &str| {
        let ends = items
            .iter()
            .filter(|item| item["pk"].as_s().unwrap().starts_with("S#"));
        let ends = ends.map(|item| item[name].as_n().unwrap().clone());
        ends.collect::<Vec<_>>()
    };
    assert_eq!(of_tokens("ttl"), ["1790000100", "1790000100"]);
    assert!(!format!("{items:?}").contains("token-of-a"));
}

#[tokio::test]
async fn all_sessions_of_a_partner_can_be_ended() {
    let env = environment_with_partner().await;
    let (access, partner) = (&env.access, partner());
    let other = PartnerId::parse("contoso").unwrap();
    let stored = access.partners.save(&other, &northwind(), 0).await;
    assert!(stored.unwrap().is_saved());
    let theirs = PageSession {
        partner: other,
        ..session(10, 900)
    };
    access.sessions.put(&hash("theirs"), &theirs).await.unwrap();
    let put = async |token: &str, linked_at| {
        let session = session(linked_at, 900);
        access.sessions.put(&hash(token), &session).await.unwrap();
    };
    put("first", 10).await;
    access
        .sessions
        .put_link(&hash("link"), &link(11, 900))
        .await
        .unwrap();
    let followed = access
        .sessions
        .consume_link(&hash("link"), at(20))
        .await
        .unwrap();

    access
        .partners
        .end_sessions(&partner, at(30))
        .await
        .unwrap();
    assert!(!is_in(access, "first", at(31)).await);
    assert!(is_in(access, "theirs", at(31)).await);
    // The link was used before the end of all sessions, and its session is created after it.
    let late = followed.unwrap().session(at(900));
    access.sessions.put(&hash("late"), &late).await.unwrap();
    assert!(!is_in(access, "late", at(32)).await);
    put("second", 40).await;
    assert!(is_in(access, "second", at(41)).await);
    // A process whose clock is behind.
    access
        .partners
        .end_sessions(&partner, at(29))
        .await
        .unwrap();
    put("third", 30).await;
    assert!(!is_in(access, "third", at(41)).await);

    for (enabled, version) in [(false, 2), (true, 3)] {
        let read = access.partners.get(&partner).await.unwrap();
        assert_eq!(read.version, version);
        let switched = read.value.unwrap().with_enabled(enabled, at(50));
        let switched = access.partners.save(&partner, &switched, version).await;
        assert_eq!(switched.unwrap(), saved(version + 1));
        assert!(!is_in(access, "second", at(51)).await, "{enabled}");
        put("fourth", 60).await;
        assert_eq!(is_in(access, "fourth", at(61)).await, enabled);
    }
}

#[tokio::test]
async fn a_stale_save_does_not_revive_ended_sessions() {
    let env = environment_with_partner().await;
    let (access, partner) = (&env.access, partner());
    let read = access.partners.get(&partner).await.unwrap();
    access
        .partners
        .end_sessions(&partner, at(30))
        .await
        .unwrap();
    let renamed = Partner {
        name: "Northwind Traders".into(),
        ..read.value.unwrap()
    };
    let save = access.partners.save(&partner, &renamed, read.version).await;
    assert_eq!(save.unwrap(), SaveOutcome::Conflict);
    let unknown = PartnerId::parse("unknown").unwrap();
    access
        .partners
        .end_sessions(&unknown, at(30))
        .await
        .unwrap();
    assert_eq!(access.partners.get(&unknown).await.unwrap().value, None);
}
