use super::*;
use crate::{AlertId, AlertKey};

/// The time of the last event about the alert, in minutes; the tests' clock begins a good while before it.
const LAST: i64 = 2000;
/// When it is asked.
const NOW: i64 = LAST + 30;

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

/// A snapshot as a source sent it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) heads: Vec<PartHead>,
    pub(crate) lists: Vec<String>,
}

/// One part, of all kinds.
pub(crate) fn sent(id: &str, taken: i64, lists: &[&str]) -> Sent {
    let AlertKey {
        partner,
        tenant,
        source,
        ..
    } = alert("contoso", "a");
    let head = PartHead {
        pk: format!("snapshot-{id}-1"),
        partner,
        tenant,
        source,
        snapshot_id: SnapshotId::parse(id).unwrap(),
        taken_at: minute(taken),
        kinds: None,
        part: 1,
        parts: 1,
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

    pub(crate) fn in_parts(mut self, parts: u32) -> Self {
        let first = self.heads.remove(0);
        self.heads = (1..=parts)
            .map(|part| PartHead {
                pk: format!("snapshot-{}-{part}", first.snapshot_id),
                part,
                parts,
                ..first.clone()
            })
            .collect();
        self
    }

    pub(crate) fn without(mut self, part: u32) -> Self {
        self.heads.retain(|head| head.part != part);
        self
    }

    /// Its second part says something else.
    fn but(mut self, change: impl FnOnce(&mut PartHead)) -> Self {
        change(&mut self.heads[1]);
        self
    }
}

/// The heads as reconcile reads them: from the newest on, as long as they are of use.
pub(crate) fn newest(snapshots: &[Sent], kinds: &[Kind], now: Timestamp) -> Newest {
    let heads = snapshots.iter().flat_map(|sent| &sent.heads);
    let mut heads: Vec<PartHead> = heads.cloned().collect();
    heads.sort_by_key(|head| std::cmp::Reverse(head.taken_at));
    let mut newest = Newest::default();
    for head in heads {
        if !newest.add(head, kinds, now) {
            break;
        }
    }
    newest
}

/// The snapshots as reconcile reads them: heads, and lists of what is whole.
pub(crate) fn read(snapshots: &[Sent], kinds: &[Kind], now: Timestamp) -> (Newest, Lists) {
    let newest = newest(snapshots, kinds, now);
    let lists = newest.whole().map(|(id, parts)| {
        let is_it = |sent: &&Sent| sent.heads.iter().any(|head| head.snapshot_id == *id);
        let sent = snapshots.iter().find(is_it).unwrap();
        let keys = sent.lists.iter().map(|alert_id| {
            let mut key = alert(parts[0].tenant.as_str(), alert_id);
            key.source = parts[0].source.clone();
            item(&key)
        });
        (id.clone(), keys.collect())
    });
    let lists = lists.collect();
    (newest, lists)
}

fn read_of_disk(snapshots: &[Sent], now: i64) -> (Newest, Lists) {
    read(snapshots, &[kind("disk")], minute(now))
}

/// Which snapshot shows that alert `a`, a full disk, is gone.
fn shows_at(now: i64, snapshots: &[Sent]) -> Option<String> {
    let (newest, lists) = read_of_disk(snapshots, now);
    let a = item(&alert("contoso", "a"));
    let disk = kind("disk");
    let shown = absent(a, &disk, minute(LAST), &newest, &lists);
    shown.map(|heads| heads.snapshot_id.to_string())
}

fn shows(snapshots: &[Sent]) -> Option<String> {
    shows_at(NOW, snapshots)
}

#[test]
fn a_list_without_the_alert_shows_that_it_is_gone_ten_minutes_after_its_last_event() {
    assert_eq!(shows(&[sent("s", LAST + 10, &["b"])]).unwrap(), "s");
    assert_eq!(shows(&[sent("s", LAST + 9, &["b"])]), None);
    assert_eq!(shows(&[sent("s", LAST + 10, &["b", "a"])]), None);
    assert_eq!(shows(&[]), None);
}

#[test]
fn within_ten_minutes_it_takes_two_lists_in_a_row() {
    let (first, second) = (sent("1", LAST + 1, &["b"]), sent("2", LAST + 2, &["b"]));
    assert_eq!(shows(&[first.clone(), second.clone()]).unwrap(), "2");
    assert_eq!(
        shows(&[sent("0", LAST + 1, &["a"]), second.clone()]),
        None,
        "the one before has it"
    );
    assert_eq!(
        shows(&[first.clone(), sent("2", LAST + 2, &["a"])]),
        None,
        "the newest has it"
    );
    assert_eq!(
        shows(&[first.clone(), sent("m", LAST + 2, &["a"]), second.clone()]),
        None,
        "not in a row"
    );
    assert_eq!(
        shows(&[sent("0", LAST, &["b"]), second.clone()]),
        None,
        "the one before is not younger than the event"
    );
    assert_eq!(
        shows(&[first, sent("again", LAST + 1, &["b"])]),
        None,
        "one listing that was sent twice is one"
    );
}

#[test]
fn a_list_that_was_taken_before_the_last_event_shows_nothing() {
    for taken in [LAST - 30, LAST - 1, LAST] {
        let lists = [sent("1", taken - 1, &["b"]), sent("2", taken, &["b"])];
        assert_eq!(shows(&lists), None, "{}", taken - LAST);
    }
}

#[test]
fn what_may_not_be_believed_shows_nothing() {
    let taken = LAST + 10;
    let two = || sent("s", taken, &["b"]).in_parts(2);
    assert_eq!(shows(&[two()]).unwrap(), "s");
    let mut reused = two().but(|head| head.taken_at = minute(taken - 60));
    reused.heads[0].parts = 1;
    let cases = [
        ("an empty list", sent("s", taken, &[])),
        ("an empty list in parts", sent("s", taken, &[]).in_parts(2)),
        ("the first part missing", two().without(1)),
        ("the last part missing", two().without(2)),
        ("a part in between missing", two().in_parts(3).without(2)),
        (
            "parts of two times",
            two().but(|head| head.taken_at = minute(taken - 1)),
        ),
        (
            "parts of other kinds",
            two().but(|head| head.kinds = Some(vec![kind("disk")])),
        ),
        ("parts of two counts", two().but(|head| head.parts = 3)),
        (
            "a part too many",
            two().in_parts(3).but(|head| head.parts = 2),
        ),
        ("an id that was used before, for more", reused),
        ("other kinds", sent("s", taken, &["b"]).of(&["cpu"])),
        ("no kinds", sent("s", taken, &["b"]).of(&[])),
    ];
    for (what, snapshot) in cases {
        assert_eq!(shows(&[snapshot]), None, "{what}");
    }
}

/// What the newest would say is not known: an older one may not speak in its place.
#[test]
fn an_older_list_does_not_speak_for_a_newer_one_that_may_not_be_believed() {
    let old = sent("old", LAST + 10, &["b"]);
    let newer = sent("new", LAST + 12, &["b"]).in_parts(2);
    let mixed = || newer.clone().of(&["cpu"]).but(|head| head.kinds = None);
    let cases = [
        ("torn", newer.clone().without(2)),
        ("mixed", newer.clone().but(|head| head.parts = 3)),
        ("mixed, of other kinds in its first part", mixed()),
        ("empty", sent("new", LAST + 12, &[])),
        ("with the alert", sent("new", LAST + 12, &["a"])),
    ];
    for (what, newest) in cases {
        assert_eq!(shows(&[old.clone(), newest]), None, "{what}");
    }
    let others = sent("new", LAST + 12, &["b"]).of(&["cpu"]).in_parts(2);
    for newest in [others.clone(), others.without(1)] {
        let shown = shows(&[old.clone(), newest]);
        assert_eq!(shown.unwrap(), "old", "the newer does not speak of disks");
    }
}

#[test]
fn two_lists_are_not_in_a_row_with_one_between_that_may_not_be_believed() {
    let (first, last) = (sent("1", LAST + 1, &["b"]), sent("3", LAST + 3, &["b"]));
    let middle = sent("2", LAST + 2, &["b"]);
    let torn = middle.clone().in_parts(2).without(1);
    for between in [torn.clone(), sent("2", LAST + 2, &[])] {
        assert_eq!(shows(&[first.clone(), between, last.clone()]), None);
    }
    for between in [middle.clone(), middle.of(&["cpu"]), torn.of(&["cpu"])] {
        let shown = shows(&[first.clone(), between, last.clone()]);
        assert_eq!(shown.unwrap(), "3");
    }
}

#[test]
fn a_list_of_yesterday_shows_nothing() {
    let taken = LAST + 10;
    let list = [sent("s", taken, &["b"])];
    assert_eq!(shows_at(taken + 24 * 60, &list).unwrap(), "s");
    assert_eq!(shows_at(taken + 24 * 60 + 1, &list), None);
    let one_is_old = [sent("1", LAST + 1, &["b"]), sent("2", LAST + 9, &["b"])];
    assert_eq!(shows_at(LAST + 24 * 60, &one_is_old).unwrap(), "2");
    assert_eq!(shows_at(LAST + 24 * 60 + 2, &one_is_old), None);
}

#[test]
fn a_list_speaks_of_the_kinds_that_it_names() {
    let list = [sent("s", LAST + 10, &["b"]).of(&["cpu", "disk"])];
    assert_eq!(shows(&list).unwrap(), "s");
    let (newest, lists) = read(&list, &[kind("memory")], minute(NOW));
    let a = item(&alert("contoso", "a"));
    let memory = kind("memory");
    let shown = absent(a, &memory, minute(LAST), &newest, &lists);
    assert_eq!(shown, None);
}

#[test]
fn a_list_that_was_read_otherwise_than_its_heads_say_shows_nothing() {
    let (newest, mut lists) = read_of_disk(&[sent("s", LAST + 10, &["b"])], NOW);
    let a = item(&alert("contoso", "a"));
    let disk = kind("disk");
    let shown = |lists: &Lists| absent(a, &disk, minute(LAST), &newest, lists).is_some();
    assert!(shown(&lists));
    assert!(!newest.is_in_doubt(&[kind("disk")], &lists));
    lists.clear();
    assert!(!shown(&lists), "a part changed meanwhile");
    assert!(newest.is_in_doubt(&[kind("disk")], &lists));

    let torn = sent("s", LAST + 10, &["b"]).in_parts(2).without(2);
    let (newest, mut lists) = read_of_disk(std::slice::from_ref(&torn), NOW);
    let list = HashSet::from([item(&alert("contoso", "b"))]);
    lists.insert(torn.heads[0].snapshot_id.clone(), list);
    assert_eq!(absent(a, &disk, minute(LAST), &newest, &lists), None);
    assert!(
        newest.is_in_doubt(&[kind("disk")], &lists),
        "a list of a torn one"
    );
    let b = item(&alert("contoso", "b"));
    assert!(!is_there(b, &disk, minute(LAST), &newest, &lists));
}

#[test]
fn the_newest_of_any_kind_that_may_not_be_believed_is_in_doubt() {
    let whole = sent("s", LAST, &["b"]);
    let in_doubt = |snapshots: &[Sent], kinds: &[&str]| {
        let kinds: Vec<Kind> = kinds.iter().map(|name| kind(name)).collect();
        let (newest, lists) = read(snapshots, &kinds, minute(NOW));
        newest.is_in_doubt(&kinds, &lists)
    };
    let torn = sent("t", LAST + 1, &["b"]).in_parts(2).without(2);
    let cases: [(&str, &[Sent], &[&str], bool); 8] = [
        ("nothing is there", &[], &["disk"], false),
        ("whole", std::slice::from_ref(&whole), &["disk"], false),
        ("torn", std::slice::from_ref(&torn), &["disk"], true),
        ("empty", &[sent("e", LAST, &[])], &["disk"], true),
        (
            "torn before whole",
            &[whole.clone(), torn.clone()],
            &["disk"],
            true,
        ),
        (
            "whole after torn",
            &[sent("w", LAST + 2, &["b"]), torn.clone()],
            &["disk"],
            false,
        ),
        (
            "torn, of another kind",
            &[whole.clone(), torn.clone().of(&["cpu"])],
            &["disk"],
            false,
        ),
        (
            "torn, of one of two kinds",
            &[whole.clone(), torn.clone().of(&["cpu"])],
            &["disk", "cpu"],
            true,
        ),
    ];
    for (what, snapshots, kinds, expected) in cases {
        assert_eq!(in_doubt(snapshots, kinds), expected, "{what}");
    }
}

/// Years of snapshots are not read: of each kind that stands, two.
#[test]
fn no_more_is_read_than_has_a_say() {
    let kinds = [kind("disk"), kind("cpu")];
    let mut newest = Newest::default();
    let of = |sent: Sent| sent.heads[0].clone();
    let mut add = |head: PartHead| newest.add(head, &kinds, minute(NOW));
    assert!(add(of(sent("5", NOW - 1, &[]).of(&["disk"]))));
    assert!(add(of(sent("4", NOW - 2, &[]).of(&["memory"]))));
    assert!(add(of(sent("3", NOW - 3, &[]).of(&["disk"]))));
    assert!(
        add(of(sent("2", NOW - 4, &[]).of(&["disk"]))),
        "cpu is open"
    );
    assert!(add(of(sent("1", NOW - 5, &[]))));
    assert!(add(of(sent("0", NOW - 6, &[]))));
    assert!(!add(of(sent("y", NOW - 7, &[]))), "both have two");
    let second_part = PartHead {
        part: 2,
        ..of(sent("0", NOW - 6, &[]))
    };
    assert!(add(second_part), "of a snapshot that has a say");
    let of_disk: Vec<_> = newest
        .of(&kinds[0])
        .map(|heads| heads.snapshot_id.as_str())
        .collect();
    assert_eq!(of_disk, ["5", "3"]);

    let mut newest = Newest::default();
    let old = of(sent("old", NOW - 24 * 60 - 1, &[]));
    assert!(
        !newest.add(old, &kinds, minute(NOW)),
        "all that follow are older still"
    );
    assert_eq!(newest.of(&kinds[0]).count(), 0);
    let young = of(sent("young", NOW, &[]));
    assert!(!newest.add(young, &[], minute(NOW)), "nothing stands");
}
