//! Which snapshots are read.

use super::*;

#[test]
fn a_snapshot_that_was_not_read_completely_proves_nothing() {
    let (snapshots, found) = read_of_disk(&[sent("s", LAST + 10, &["b"])], NOW);
    let a = item(&alert("contoso", "a"));
    let shows = |found: &SnapshotMatches| {
        let shown = snapshots.verdict(a, &kind("disk"), minute(LAST), found, LAG);
        matches!(shown, SnapshotVerdict::Absent(_))
    };
    assert!(shows(&found));
    assert!(!snapshots.is_uncertain(&found));
    let nothing = SnapshotMatches::default();
    assert!(!shows(&nothing), "a part changed meanwhile");
    assert!(snapshots.is_uncertain(&nothing));
}

#[test]
fn the_newest_is_uncertain_if_it_is_incomplete_for_a_kind() {
    let whole = sent("s", LAST, &["b"]);
    let is_uncertain = |sent: &[Sent], kinds: &[&str]| {
        let kinds: Vec<Kind> = kinds.iter().map(|name| kind(name)).collect();
        let (snapshots, found) = read(sent, &kinds, &watched(&["a"]), minute(NOW));
        snapshots.is_uncertain(&found)
    };
    let torn = sent("t", LAST + 1, &["b"]).in_parts(2).without(2);
    let cases: [(&str, &[Sent], &[&str], bool); 9] = [
        ("nothing is there", &[], &["disk"], false),
        ("whole", std::slice::from_ref(&whole), &["disk"], false),
        ("torn", std::slice::from_ref(&torn), &["disk"], true),
        ("empty", &[sent("e", LAST, &[])], &["disk"], true),
        (
            "none stated",
            &[sent("e", LAST, &[]).with_total(0)],
            &["disk"],
            false,
        ),
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
    for (what, sent, kinds, expected) in cases {
        assert_eq!(is_uncertain(sent, kinds), expected, "{what}");
    }
}

/// Old snapshots are not read: only the newest for each active kind.
#[test]
fn no_more_is_read_than_counts() {
    let kinds = vec![kind("disk"), kind("cpu")];
    let of = |sent: Sent| sent.heads[0].clone();
    let full = |id: &str, at: i64| of(sent(id, at, &["b"]));
    let mut snapshots = Snapshots::new(kinds.clone());
    let mut add = |head: SnapshotPartHead| snapshots.add(head, minute(NOW));
    let only = |head: SnapshotPartHead, name: &str| SnapshotPartHead {
        kinds: Some([kind(name)].into()),
        ..head
    };
    assert!(add(only(full("5", NOW - 1), "disk")));
    assert!(add(only(full("4", NOW - 2), "memory")));
    assert!(add(only(full("3", NOW - 3), "disk")), "cpu is open");
    assert!(add(full("2", NOW - 4)));
    assert!(!add(full("1", NOW - 5)), "both have one");
    let ids: Vec<_> = snapshots
        .to_read()
        .iter()
        .map(|read| read.id().as_str())
        .collect();
    assert_eq!(ids, ["5", "2"]);

    // The parts of an incomplete one can be an hour apart because of a fast clock.
    let torn = SnapshotPartHead {
        parts: 2,
        ..full("t", NOW - 1)
    };
    let mut snapshots = Snapshots::new(kinds.clone());
    assert!(snapshots.add(torn.clone(), minute(NOW)));
    assert!(snapshots.add(full("0", NOW - 60), minute(NOW)));
    assert!(!snapshots.add(full("x", NOW - 62), minute(NOW)));

    // Of empty ones as many as a row needs.
    let mut snapshots = Snapshots::new(kinds.clone());
    let row = (0..)
        .take_while(|at| snapshots.add(of(sent(&format!("e{at}"), NOW - at, &[])), minute(NOW)));
    assert_eq!(row.count(), 31);

    let mut snapshots = Snapshots::new(kinds);
    let old = full("old", NOW - 24 * 60 - 1);
    assert!(
        !snapshots.add(old, minute(NOW)),
        "all that follow are older"
    );
    assert!(snapshots.to_read().is_empty());
    let mut nothing_active = Snapshots::new(vec![]);
    assert!(!nothing_active.add(full("young", NOW), minute(NOW)));
}

/// The size of a part does not affect how much of it is kept.
#[test]
fn a_head_holds_each_kind_once() {
    let head = sent("s", LAST, &["b"]).heads.remove(0);
    let mut json = serde_json::json!({
        "pk": head.pk, "partner": head.partner, "tenant": head.tenant, "source": head.source, "snapshot_id": "s",
        "taken_at": head.taken_at, "received_at": head.received_at, "part": 1, "parts": 1, "listed": 1,
    });
    json["kinds"] = vec!["cpu"; 43_000].into();
    let read: SnapshotPartHead = serde_json::from_value(json).unwrap();
    assert_eq!(read.kinds.unwrap().len(), 1);
}

#[test]
fn the_keys_of_a_snapshots_parts_are_those_of_their_items() {
    let mut part = crate::closing::snapshot_part::SnapshotPart {
        partner: PartnerId::parse("acme").unwrap(),
        tenant: TenantId::parse("contoso").unwrap(),
        source: alert("contoso", "a").source,
        snapshot_id: SnapshotId::parse("s").unwrap(),
        taken_at: minute(LAST),
        received_at: minute(LAST),
        kinds: None,
        active: vec![],
        part: 1,
        parts: 12,
        total: None,
    };
    let mut sent = sent("s", LAST, &[]).in_parts(12);
    let mut keys = vec![];
    for head in &mut sent.heads {
        part.part = head.part;
        head.pk = part.item_key();
        keys.push(part.item_key());
    }
    let (snapshots, _) = read_of_disk(&[sent], NOW);
    let read: Vec<String> = snapshots.snapshots[0].part_keys().collect();
    assert_eq!(read, keys);
    part.taken_at = minute(LAST + 1);
    assert!(!keys.contains(&part.item_key()), "an id that is used again");
}
