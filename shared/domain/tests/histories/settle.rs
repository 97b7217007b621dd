//! The end of a history: everything is repaired and delivered.

use domain::alert::event::AlertChange;
use domain::alert::record::Record;
use domain::ticketing::alert_request::AlertRequest;
use jiff::Timestamp;

use crate::model::{Model, at};
use crate::{Delivery, List, Op, PATIENCE, RETENTION, Run, Searches};

impl Model {
    /// A correct snapshot, and a run that reads it and all tickets: after its commands the next run
    /// proposes nothing.
    fn look(&mut self) -> Result<(), String> {
        self.pass(601);
        self.list(&List {
            on_its_way: 0,
            behind: 0,
            is_empty: false,
            is_torn: false,
            is_tidied: false,
            is_counted: false,
            of_disks: None,
        });
        let run = Run {
            copies: 1,
            lists_are_late: false,
            compares: Some(Searches::See),
        };
        self.reconcile(&run)?;
        self.drain()?;
        let again = self.plan(&run)?;
        hold!(
            again.is_empty(),
            "it asks again: {again:?} of {:?}",
            self.stored
        );
        Ok(())
    }

    /// Delivers every event again, in order.
    fn replay(&mut self) -> Result<(), String> {
        self.queue = self
            .sent
            .iter()
            .cloned()
            .map(Box::new)
            .map(AlertRequest::Event)
            .collect();
        self.drain()?;
        Ok(())
    }

    /// Everything is repaired and delivered until the queue is empty. Then ConnectWise must match
    /// the source.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        self.step(&Op::Break(false))?;
        self.step(&Op::Map(true))?;
        self.step(&Op::Enable(true))?;
        self.drain()?;
        if self.is_set_back {
            self.replay()?;
        }
        // Every block ends, a person releases old alerts, and the given-up writes are searched for
        // again.
        if let Some(end) = self.maintenance_ends {
            self.pass((end - self.now).max(0));
        }
        if let Some(end) = self.calm_at().or_else(|| self.no_ticket_until()) {
            self.pass_until(end);
        }
        self.end_storms();
        self.drain()?;
        let storm = self.stored.as_ref().and_then(Record::storm);
        hold!(storm.is_none(), "its storm has ended: {:?}", self.stored);
        self.release_held()?;
        self.queue = vec![AlertRequest::Reconsider, AlertRequest::Release];
        self.drain()?;
        for _ in 0..10 {
            // A history ends before its record is reduced to a tombstone.
            let due = self.stored.as_ref().and_then(|record| {
                let due = record.next_check_at(RETENTION)?;
                Some(due).filter(|due| Some(*due) != record.shrinks_at(RETENTION))
            });
            let Some(due) = due.into_iter().chain(self.calm_at()).min() else {
                break;
            };
            self.pass_until(due);
            self.pass(1);
            self.queue.push(AlertRequest::Reconsider);
            self.drain()?;
        }
        self.look()?;
        // The status of a ticket may be known only now.
        if let Some(until) = self.no_ticket_until() {
            self.pass_until(until);
            self.release_held()?;
            self.queue.push(AlertRequest::Reconsider);
            self.drain()?;
            self.look()?;
        }
        self.check_agreement()?;
        // An update that overtakes the raise of a later occurrence is ignored. It counts when it is
        // delivered again, once.
        if self
            .sent
            .iter()
            .any(|event| matches!(event.change, AlertChange::Updated(_)))
        {
            self.replay()?;
            self.look()?;
            self.check_agreement()?;
        }
        // A note that was too early is written at the next decision.
        self.pass(3700);
        self.queue.push(AlertRequest::Reconsider);
        self.drain()?;
        // While the record is blocked, a text may be stored that was not before.
        let without_text = |record: Option<&Record>| {
            record.map(|record| Record {
                payload: None,
                ..record.clone()
            })
        };
        let (calls, record) = (self.calls, without_text(self.stored.as_ref()));
        self.replay()?;
        hold!(self.calls == calls, "a replay calls ConnectWise");
        let replayed = without_text(self.stored.as_ref());
        hold!(
            replayed == record,
            "a replay changes {record:?}\nto {replayed:?}"
        );
        Ok(())
    }

    fn pass_until(&mut self, end: Timestamp) {
        self.pass((end.as_second() - at(self.now).as_second()).max(0));
    }

    fn drain(&mut self) -> Result<(), String> {
        let undisturbed = Delivery {
            which: 0,
            dies_at: None,
            fates: vec![],
            searches: Searches::See,
        };
        for _ in 0..PATIENCE {
            if self.queue.is_empty() {
                return Ok(());
            }
            self.deliver(&undisturbed)?;
            self.invariants()?;
            if !self.queue.is_empty() {
                self.queue.rotate_left(1);
                self.pass(16);
            }
        }
        Err(format!("it does not terminate: {:?}", self.stored))
    }
}
