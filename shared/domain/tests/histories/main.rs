//! Thousands of histories of one alert against a small model of ConnectWise and of what its user expects.
//!
//! A history is a list of operations made from a number: events of a source that tells the truth, in any order and any number of
//! times; answers that are lost, false, or given of something that happens later; workers that die at any step; set-up that changes
//! meanwhile. Whatever it is, an alert never has two tickets for one life, every accepted event ends as something, nobody calls
//! where nobody may, and at the end ConnectWise looks as the source does.
//!
//! A failure prints the history's number, its shortest form that still fails, and the command that plays it again.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

/// What every step must leave as it is; the words say what is not.
macro_rules! hold {
    ($that:expr, $($words:tt)+) => {
        if !$that {
            return Err(format!($($words)+));
        }
    };
}

mod model;
mod reconcile;
mod worker;

use domain::event::Severity;
use jiff::SignedDuration;

use crate::model::Model;

const HISTORIES: u64 = 30_000;
const SETTLE: SignedDuration = SignedDuration::from_mins(10);
/// A claim runs for so many seconds: an invocation and its margin.
const CLAIM: i64 = 65;
/// More deliveries than any history needs to come to rest.
const PATIENCE: usize = 400;
const COMPANY: u64 = 19;
const BOARD: u64 = 2;

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Op {
    /// The source says something new, if it can: it resolves and updates only what is there.
    Say(Say),
    /// What it says next ends by itself so many seconds later.
    EndsIn(i64),
    /// The alert is gone, and the source says nothing.
    Vanish,
    /// The source lists what is active.
    List(List),
    /// A run of reconcile.
    Reconcile(Run),
    /// An event that was said before comes again.
    Again(usize),
    /// The sender had no answer to an event and sends it again: the same body with a new timestamp.
    Retry(usize),
    /// Somebody asks to decide again.
    Reconsider,
    /// A person or reconcile retries what ConnectWise refused.
    Release,
    /// One of the messages in the queue is handed to a worker.
    Deliver(Delivery),
    /// So many seconds pass.
    Pass(i64),
    Map(bool),
    Enable(bool),
    /// ConnectWise refuses the connection, or takes it again and a probe has seen it.
    Break(bool),
    /// The table is lost, or set back to what it was at the last back-up.
    Lose {
        restored: bool,
    },
    /// The table as it is now can be restored later.
    BackUp,
    /// The connection points at another ConnectWise, or at the same one behind another address.
    Repoint {
        same: bool,
    },
    /// A technician does this with what is open.
    Technician(Deed),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Close,
    /// To another company.
    Move,
    ToOtherBoard,
    Delete,
    Merge,
}

/// A list of active alerts, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct List {
    /// It was taken so many seconds ago.
    on_its_way: i64,
    /// And shows what was so many seconds before that.
    behind: i64,
    is_empty: bool,
    is_torn: bool,
    /// Its ids are written in capitals.
    is_tidied: bool,
    /// It states how many alerts it lists.
    is_counted: bool,
    /// It names the kinds that it speaks of.
    of_disks: Option<bool>,
}

/// A run of reconcile.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// So often each command comes.
    copies: usize,
    lists_are_late: bool,
    /// It reads ConnectWise's open tickets, and what that is worth.
    compares: Option<Searches>,
}

/// What time a source writes into its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    True,
    /// None, or one that cannot be meant: the time of the webhook stands for it.
    None,
    /// One that is ahead of the receipt, which stands for it.
    Fast,
    /// In every event the time at which the alert first was raised.
    Creation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Say {
    Raised(Severity),
    Updated,
    Resolved,
}

/// One delivery, and how it is disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Delivery {
    /// Which of the waiting messages.
    which: usize,
    /// The worker dies before it touches the table or ConnectWise for the time of this number.
    dies_at: Option<usize>,
    /// How its writes to ConnectWise end, in turn; the rest is answered.
    fates: Vec<Fate>,
    searches: Searches,
}

/// What a worker's searches are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Searches {
    See,
    /// They are not answered.
    Fail,
    /// They do not even show what they must.
    Blind,
    /// They are a moment behind.
    Stale,
}

/// How a write to ConnectWise ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Answered,
    /// Done, and the answer is lost.
    Lost,
    /// Not done, and answered as if it might have been.
    False500,
    /// Answered as if it might have been done, and done so many seconds later.
    Late(i64),
    /// Not done, and said so: later, please.
    Throttled,
}

/// A search may not yet show what is younger than this.
const BEHIND: i64 = 29;

/// Numbers that look like chance and come from one: the same again for the same seed.
struct Dice(u64);

impl Dice {
    /// `SplitMix64`.
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).unwrap()
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

fn history(seed: u64) -> Vec<Op> {
    let mut dice = Dice(seed);
    let length = 3 + dice.below(30);
    // Half of them know no set-up that changes, so that more of them get far.
    let set_up = dice.one_in(2);
    // A third has no lists.
    let lists = !dice.one_in(3);
    let ops = (0..length).map(|_| match lists && dice.one_in(3) {
        true => listing(&mut dice),
        false => op(&mut dice, set_up),
    });
    ops.collect()
}

fn listing(dice: &mut Dice) -> Op {
    match dice.below(10) {
        0..=2 => Op::List(List {
            on_its_way: dice.pick(&[0, 0, 0, 60, 900]),
            behind: dice.pick(&[0, 0, 0, 30, 590]),
            is_empty: dice.one_in(8),
            is_torn: dice.one_in(8),
            is_tidied: dice.one_in(8),
            is_counted: dice.one_in(4),
            of_disks: dice.pick(&[None, None, Some(true), Some(false)]),
        }),
        3..=6 => Op::Reconcile(Run {
            copies: dice.pick(&[0, 1, 1, 1, 2]),
            lists_are_late: dice.one_in(3),
            compares: dice.pick(&[
                None,
                Some(Searches::See),
                Some(Searches::See),
                Some(Searches::Fail),
                Some(Searches::Stale),
                Some(Searches::Blind),
            ]),
        }),
        7 => Op::EndsIn(dice.pick(&[20, 300, 700])),
        8 => Op::Vanish,
        // More than a day.
        9 if dice.one_in(3) => Op::Pass(90_000),
        _ => Op::Technician(dice.pick(&[
            Deed::Close,
            Deed::Move,
            Deed::ToOtherBoard,
            Deed::Delete,
            Deed::Merge,
        ])),
    }
}

fn op(dice: &mut Dice, set_up: bool) -> Op {
    match dice.below(if set_up { 22 } else { 17 }) {
        0..=2 => Op::Say(Say::Raised(dice.pick(&[
            Severity::Medium,
            Severity::Medium,
            Severity::Critical,
        ]))),
        3 => Op::Say(Say::Updated),
        4..=5 => Op::Say(Say::Resolved),
        6 if dice.one_in(2) => Op::Retry(dice.below(8)),
        6 => Op::Again(dice.below(8)),
        7 if dice.one_in(4) => Op::Technician(Deed::Close),
        7 if dice.one_in(3) => Op::Release,
        7 => Op::Reconsider,
        8..=13 => Op::Deliver(delivery(dice)),
        14..=16 => Op::Pass(dice.pick(&[1, 16, 31, 66, 250, 400, 601, 700, 3700])),
        17 => Op::Map(dice.one_in(2)),
        18 => Op::Enable(dice.one_in(2)),
        19 if dice.one_in(4) => Op::Repoint {
            same: dice.one_in(2),
        },
        20 if dice.one_in(3) => Op::Lose {
            restored: dice.one_in(2),
        },
        20 => Op::BackUp,
        _ => Op::Break(dice.one_in(2)),
    }
}

fn delivery(dice: &mut Dice) -> Delivery {
    let fates = [
        Fate::Answered,
        Fate::Answered,
        Fate::Lost,
        Fate::False500,
        Fate::Late(20),
        Fate::Late(300),
        Fate::Late(590),
        Fate::Late(1500),
        Fate::Late(9000),
        Fate::Throttled,
    ];
    let disturbed = dice.one_in(2);
    Delivery {
        which: dice.below(8),
        dies_at: dice.one_in(4).then(|| dice.below(9)),
        fates: match disturbed {
            true => (0..=dice.below(2)).map(|_| dice.pick(&fates)).collect(),
            false => vec![],
        },
        searches: dice.pick(&[
            Searches::See,
            Searches::See,
            Searches::See,
            Searches::See,
            Searches::Fail,
            Searches::Blind,
            Searches::Stale,
        ]),
    }
}

fn play(seed: u64, ops: &[Op]) -> Result<(), String> {
    let mut model = Model::new(seed);
    for op in ops {
        model.step(op)?;
    }
    model.come_to_rest()
}

/// Leaves out what is not needed for the history to fail.
fn shortest(seed: u64, mut ops: Vec<Op>) -> Vec<Op> {
    let mut at = 0;
    while at < ops.len() {
        let mut fewer = ops.clone();
        fewer.remove(at);
        if play(seed, &fewer).is_err() {
            (ops, at) = (fewer, 0);
        } else {
            at += 1;
        }
    }
    ops
}

#[expect(clippy::disallowed_methods, reason = "how a failure is played again")]
fn only() -> Option<u64> {
    std::env::var("TICKETBRIDGE_TEST_HISTORY")
        .ok()?
        .parse()
        .ok()
}

#[test]
fn whatever_happens_each_life_of_an_alert_has_one_ticket() {
    let seeds = only().map_or(0..HISTORIES, |seed| seed..seed + 1);
    for seed in seeds {
        let ops = history(seed);
        let Err(_) = play(seed, &ops) else { continue };
        let ops = shortest(seed, ops);
        let words = play(seed, &ops).unwrap_err();
        let list: String = ops.iter().map(|op| format!("  {op:?}\n")).collect();
        let again = "cargo test -p domain --test histories";
        panic!("history {seed}: {words}\n{list}again: TICKETBRIDGE_TEST_HISTORY={seed} {again}");
    }
}
