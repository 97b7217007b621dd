mod reading;

use super::*;
use crate::AlertId;

/// The time of the last event about the alert, in minutes. The tests' clock starts well before it.
const LAST: i64 = 2000;

const NOW: i64 = LAST + 60;

pub(crate) const LAG: SignedDuration = SignedDuration::from_mins(10);

pub(crate) fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + 60 * minute).unwrap()
}

pub(crate) fn alert(tenant: &str, id: &str) -> AlertKey {
    AlertKey {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse(tenant).unwrap(),
        source: SourceId::parse("src_0123456789abcdefghijklmnop").unwrap(),
        alert_id: AlertId::parse(id).unwrap(),
    }
}

pub(crate) fn item(key: &AlertKey) -> ItemKey {
    ItemKey::parse(&key.item_key()).unwrap()
}

pub(crate) fn kind(name: &str) -> Kind {
    Kind::parse(name).unwrap()
}

#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) heads: Vec<SnapshotPartHead>,
    pub(crate) lists: Vec<String>,
}

/// One part, for all kinds, received when it was taken.
pub(crate) fn sent(id: &str, taken: i64, lists: &[&str]) -> Sent {
    let AlertKey {
        partner,
        tenant,
        source,
        ..
    } = alert("contoso", "a");
    let head = SnapshotPartHead {
        pk: format!("snapshot-{id}-1"),
        partner,
        tenant,
        source,
        snapshot_id: SnapshotId::parse(id).unwrap(),
        taken_at: minute(taken),
        received_at: minute(taken),
        kinds: None,
        part: 1,
        parts: 1,
        listed: u32::try_from(lists.len()).unwrap(),
        total: None,
        conflicting: false,
    };
    Sent {
        heads: vec![head],
        lists: lists.iter().map(ToString::to_string).collect(),
    }
}

impl Sent {
    pub(crate) fn of(mut self, kinds: &[&str]) -> Self {
        for head in &mut self.heads {
            head.kinds = Some(kinds.iter().map(|name| kind(name)).collect());
        }
        self
    }

    /// All entries are in the first part.
    pub(crate) fn in_parts(mut self, parts: u32) -> Self {
        let first = self.heads.remove(0);
        self.heads = (1..=parts)
            .map(|part| SnapshotPartHead {
                pk: format!("snapshot-{}-{part}", first.snapshot_id),
                part,
                parts,
                listed: if part == 1 { first.listed } else { 0 },
                ..first.clone()
            })
            .collect();
        self
    }

    pub(crate) fn without(mut self, part: u32) -> Self {
        self.heads.retain(|head| head.part != part);
        self
    }

    pub(crate) fn received(mut self, at: i64) -> Self {
        for head in &mut self.heads {
            head.received_at = minute(at);
        }
        self
    }

    pub(crate) fn with_total(mut self, total: u32) -> Self {
        for head in &mut self.heads {
            head.total = Some(total);
        }
        self
    }

    /// Its second part has other content.
    fn but(mut self, change: impl FnOnce(&mut SnapshotPartHead)) -> Self {
        change(&mut self.heads[1]);
        self
    }
}

/// Reads snapshots as reconcile does: heads from the newest on, while they can count, and lists of
/// complete ones.
pub(crate) fn read(
    sent: &[Sent],
    kinds: &[Kind],
    watched: &WatchedAlerts,
    now: Timestamp,
) -> (Snapshots, SnapshotMatches) {
    let heads = sent.iter().flat_map(|sent| &sent.heads);
    let mut heads: Vec<SnapshotPartHead> = heads.cloned().collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.taken()));
    let mut snapshots = Snapshots::new(kinds.to_vec());
    for head in heads {
        if !snapshots.add(head, now) {
            break;
        }
    }
    let mut found = SnapshotMatches::default();
    for snapshot in snapshots.to_read() {
        let is_it = |sent: &&Sent| {
            let mut heads = sent.heads.iter();
            heads.any(|head| head.is_same_snapshot(&snapshot.first))
        };
        let sent = sent.iter().find(is_it).unwrap();
        let mut list = HashMap::new();
        for alert_id in &sent.lists {
            let mut key = alert(snapshot.first.tenant.as_str(), alert_id);
            key.source = snapshot.first.source.clone();
            watched.find(&key, &mut list);
        }
        found.add(snapshot, list);
    }
    (snapshots, found)
}

fn watched(ids: &[&str]) -> WatchedAlerts {
    let mut watched = WatchedAlerts::default();
    for id in ids {
        let key = alert("contoso", id);
        watched.add(item(&key), key.similar_key());
    }
    watched
}

fn read_of_disk(sent: &[Sent], now: i64) -> (Snapshots, SnapshotMatches) {
    read(sent, &[kind("disk")], &watched(&["a"]), minute(now))
}

/// What snapshots say about alert `a`, a full disk.
fn shown_at(now: i64, sent: &[Sent]) -> String {
    let (snapshots, found) = read_of_disk(sent, now);
    let a = item(&alert("contoso", "a"));
    match snapshots.verdict(a, &kind("disk"), minute(LAST), &found, LAG) {
        SnapshotVerdict::Nothing => "nothing".to_owned(),
        SnapshotVerdict::Listed(_) => "listed".to_owned(),
        SnapshotVerdict::Similar(_) => "similar".to_owned(),
        SnapshotVerdict::Absent(snapshot) => snapshot.id().to_string(),
    }
}

fn shown(sent: &[Sent]) -> String {
    shown_at(NOW, sent)
}

#[test]
fn absence_counts_once_the_snapshot_cannot_lag() {
    assert_eq!(shown(&[sent("s", LAST + 10, &["b"])]), "s");
    assert_eq!(shown(&[sent("s", LAST + 9, &["b"])]), "nothing");
    assert_eq!(shown(&[sent("s", LAST + 10, &["b", "a"])]), "listed");
    assert_eq!(shown(&[]), "nothing");
}

#[test]
fn several_lagging_snapshots_prove_no_more_than_one() {
    let lag = [1, 2, 5, 9].map(|at| sent(&format!("s{at}"), LAST + at, &["b"]));
    assert_eq!(shown(&lag), "nothing");
}

/// A fast clock makes no snapshot newer than its receipt.
#[test]
fn a_snapshot_was_taken_before_it_was_received() {
    let ahead = sent("s", LAST + 30, &["b"]);
    assert_eq!(shown(&[ahead.clone().received(LAST + 9)]), "nothing");
    assert_eq!(shown(&[ahead.clone().received(LAST + 10)]), "s");
    let late = sent("s", LAST + 9, &["b"]).received(LAST + 40);
    assert_eq!(shown(&[late]), "nothing");
    // Of several parts, the first received one gives the time.
    let mut parts = ahead.in_parts(2).received(LAST + 12);
    assert_eq!(shown(&[parts.clone()]), "s");
    parts.heads[1].received_at = minute(LAST + 9);
    assert_eq!(shown(&[parts]), "nothing");
    // A clock that was once a year ahead does not hide later snapshots.
    let year = sent("y", LAST + 525_600, &["a"]).received(LAST + 20);
    assert_eq!(shown(&[year, sent("s", LAST + 21, &["b"])]), "s");
}

#[test]
fn an_incomplete_snapshot_proves_nothing() {
    let taken = LAST + 10;
    let two = || sent("s", taken, &["b"]).in_parts(2);
    assert_eq!(shown(&[two()]), "s");
    let conflicting = |mut sent: Sent| {
        sent.heads[0].conflicting = true;
        sent
    };
    let cases = [
        ("empty", sent("s", taken, &[])),
        ("empty, in parts", sent("s", taken, &[]).in_parts(2)),
        ("the first part missing", two().without(1)),
        ("the last part missing", two().without(2)),
        ("a part in between missing", two().in_parts(3).without(2)),
        (
            "parts of two times",
            two().but(|head| head.taken_at = minute(taken - 1)),
        ),
        (
            "parts of other kinds",
            two().but(|head| head.kinds = Some([kind("disk")].into())),
        ),
        ("parts of two counts", two().but(|head| head.parts = 3)),
        (
            "a part too many",
            two().in_parts(3).but(|head| head.parts = 2),
        ),
        (
            "parts of two totals",
            two().but(|head| head.total = Some(1)),
        ),
        ("one part twice", two().but(|head| head.part = 1)),
        ("a part with two contents", conflicting(two())),
        (
            "fewer than the total",
            sent("s", taken, &["b"]).with_total(2),
        ),
        (
            "more than the total",
            sent("s", taken, &["b"]).with_total(0),
        ),
        ("empty, with a total", sent("s", taken, &[]).with_total(3)),
        ("other kinds", sent("s", taken, &["b"]).of(&["cpu"])),
        ("no kinds", sent("s", taken, &["b"]).of(&[])),
    ];
    for (what, snapshot) in cases {
        assert_eq!(shown(&[snapshot]), "nothing", "{what}");
    }
    assert_eq!(shown(&[sent("s", taken, &["b"]).with_total(1)]), "s");
    let mut parts = two();
    parts.heads[1].listed = 1;
    assert_eq!(shown(&[parts.clone().with_total(1)]), "nothing");
    assert_eq!(shown(&[parts.with_total(2)]), "s", "over all parts");
}

#[test]
fn parts_that_are_received_apart_are_one_snapshot() {
    let whole = sent("s", LAST + 10, &["b"]).in_parts(3);
    let mut apart = whole.clone();
    apart.heads[1].received_at = minute(LAST + 40);
    apart.heads[2].received_at = minute(LAST + 12);
    assert_eq!(shown(&[apart]), "s");
    // Also with a fast clock, so that others lie between.
    let mut ahead = sent("s", LAST + 55, &["b"]).in_parts(2).received(LAST + 30);
    ahead.heads[1].received_at = minute(LAST + 26);
    let between = sent("m", LAST + 25, &["a"]);
    assert_eq!(shown(&[ahead.clone(), between]), "s");
    let between = sent("m", LAST + 28, &["a"]);
    assert_eq!(shown(&[ahead, between]), "listed");
}

/// The content of the newest is unknown, and an older one does not replace it.
#[test]
fn an_older_snapshot_does_not_replace_an_incomplete_one() {
    let old = sent("old", LAST + 10, &["b"]);
    let newer = sent("new", LAST + 12, &["b"]).in_parts(2);
    let mixed = || newer.clone().of(&["cpu"]).but(|head| head.kinds = None);
    let cases = [
        ("torn", newer.clone().without(2)),
        ("mixed", newer.clone().but(|head| head.parts = 3)),
        ("mixed, of other kinds in its first part", mixed()),
        ("empty", sent("new", LAST + 12, &[])),
        ("cut", sent("new", LAST + 12, &["b"]).with_total(9)),
    ];
    for (what, newest) in cases {
        assert_eq!(shown(&[old.clone(), newest.clone()]), "nothing", "{what}");
        assert_eq!(shown(&[newest, old.clone()]), "nothing", "{what}, first");
    }
    let with_it = sent("new", LAST + 12, &["a"]);
    assert_eq!(shown(&[old.clone(), with_it.clone()]), "listed");
    assert_eq!(shown(&[with_it, old.clone()]), "listed", "received before");
    let others = sent("new", LAST + 12, &["b"]).of(&["cpu"]).in_parts(2);
    for newest in [others.clone(), others.without(1)] {
        let shown = shown(&[old.clone(), newest]);
        assert_eq!(shown, "old", "the newer one does not cover disks");
    }
}

#[test]
fn of_several_snapshots_of_one_time_all_must_lack_the_alert() {
    let taken = LAST + 12;
    let (one, other) = (sent("1", taken, &["b"]), sent("2", taken, &["b"]));
    assert_eq!(shown(&[one.clone(), other.clone()]), "1");
    let cases = [
        ("with it", sent("2", taken, &["a"]), "listed"),
        ("torn", other.clone().in_parts(2).without(2), "nothing"),
        ("empty", sent("2", taken, &[]), "nothing"),
        ("of other kinds", other.of(&["cpu"]), "1"),
    ];
    for (what, other, expected) in cases {
        assert_eq!(shown(&[one.clone(), other.clone()]), expected, "{what}");
        assert_eq!(shown(&[other, one.clone()]), expected, "{what}, first");
    }
}

/// A source that reuses an id sends another snapshot. Neither uses parts of the other.
#[test]
fn an_id_that_is_used_again_is_another_snapshot() {
    let again = |taken| sent("s", taken, &["b"]).in_parts(2);
    assert_eq!(shown(&[again(LAST + 10), again(LAST + 20)]), "s");
    let torn = again(LAST + 20).without(1);
    assert_eq!(
        shown(&[again(LAST + 10).without(2), torn.clone()]),
        "nothing"
    );
    assert_eq!(shown(&[again(LAST + 10), torn]), "nothing");
    let with_it = sent("s", LAST + 10, &["a"]);
    assert_eq!(shown(&[with_it, again(LAST + 20)]), "s");
}

#[test]
fn empty_snapshots_count_after_three_in_half_an_hour() {
    let empty = |at: i64| sent(&format!("s{at}"), LAST + at, &[]);
    let row = |times: &[i64]| -> Vec<Sent> { times.iter().map(|at| empty(*at)).collect() };
    for (times, expected) in [
        (&[10, 25, 40][..], "s40"),
        (&[10, 40], "nothing"),
        (&[10, 25, 39], "nothing"),
        // The row must start after snapshots can no longer lag behind the last event.
        (&[9, 25, 39], "nothing"),
        (&[9, 10, 25, 40], "s40"),
        (&[5, 20, 35, 50], "s50"),
        (&[10, 11, 12, 13, 40], "s40"),
        (&[10, 10, 40], "nothing"),
    ] {
        assert_eq!(shown(&row(times)), expected, "{times:?}");
    }
    let with = |other: Sent| {
        let mut all = row(&[10, 25, 40]);
        all.push(other);
        all
    };
    for (what, other, expected) in [
        (
            "one in the row has it",
            sent("x", LAST + 30, &["a"]),
            "nothing",
        ),
        (
            "one in the row lists others",
            sent("x", LAST + 30, &["b"]),
            "nothing",
        ),
        (
            "one in the row is torn",
            empty(30).in_parts(2).without(1),
            "nothing",
        ),
        (
            "one in the row is of other kinds",
            sent("x", LAST + 30, &["b"]).of(&["cpu"]),
            "s40",
        ),
        ("the newest lists others", sent("x", LAST + 41, &["b"]), "x"),
        (
            "the newest is torn",
            empty(41).in_parts(2).without(1),
            "nothing",
        ),
        (
            "one before the row has it",
            sent("x", LAST + 9, &["a"]),
            "s40",
        ),
    ] {
        assert_eq!(shown(&with(other)), expected, "{what}");
    }
    let at_once = row(&[10, 25, 40]);
    let at_once: Vec<Sent> = at_once
        .into_iter()
        .map(|sent| sent.received(LAST + 45))
        .collect();
    assert_eq!(shown(&at_once), "nothing", "received at once");
}

#[test]
fn an_empty_snapshot_with_a_stated_total_counts_at_once() {
    let none = |at: i64| sent("s", LAST + at, &[]).with_total(0);
    assert_eq!(shown(&[none(10)]), "s");
    assert_eq!(shown(&[none(9)]), "nothing", "it may lag");
    assert_eq!(shown(&[none(10).in_parts(2)]), "s");
    assert_eq!(shown(&[none(10).in_parts(2).without(2)]), "nothing");
    assert_eq!(shown(&[none(10).of(&["cpu"])]), "nothing");
    let torn = none(10).in_parts(2).but(|head| head.total = None);
    assert_eq!(shown(&[torn]), "nothing");
}

#[test]
fn a_similar_id_keeps_an_alert_active() {
    // The endpoint removes white space and invisible characters from an id: these name the alert
    // itself.
    for id in ["a\u{200b}", "a\u{ad}", " a "] {
        assert_eq!(shown(&[sent("s", LAST + 10, &[id])]), "listed", "{id:?}");
    }
    for id in ["A", "ａ"] {
        assert_eq!(shown(&[sent("s", LAST + 10, &[id])]), "similar", "{id:?}");
        assert_eq!(shown(&[sent("s", LAST + 10, &[id, "b"])]), "similar");
    }
    for id in ["aa", "а", "á"] {
        assert_eq!(shown(&[sent("s", LAST + 10, &[id])]), "s", "{id:?}");
    }
    assert_eq!(shown(&[sent("s", LAST + 10, &["A"])]), "similar");
    assert_eq!(shown(&[sent("s", LAST + 10, &["A", "a"])]), "listed");
    assert_eq!(shown(&[sent("s", LAST + 10, &["a", "A"])]), "listed");
}

#[test]
fn a_snapshot_of_yesterday_proves_nothing() {
    let taken = LAST + 10;
    let list = [sent("s", taken, &["b"])];
    assert_eq!(shown_at(taken + 24 * 60, &list), "s");
    assert_eq!(shown_at(taken + 24 * 60 + 1, &list), "nothing");
}

#[test]
fn a_snapshot_covers_the_kinds_that_it_names() {
    let list = [sent("s", LAST + 10, &["b"]).of(&["cpu", "disk"])];
    assert_eq!(shown(&list), "s");
    let ticket_index = kind("memory");
    let kinds = std::slice::from_ref(&ticket_index);
    let (snapshots, found) = read(&list, kinds, &watched(&["a"]), minute(NOW));
    let a = item(&alert("contoso", "a"));
    let shown = snapshots.verdict(a, &ticket_index, minute(LAST), &found, LAG);
    assert!(matches!(shown, SnapshotVerdict::Nothing), "{shown:?}");
}
