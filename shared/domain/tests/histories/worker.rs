//! One worker with one message, as `tickets` works.

use domain::adopt::{Found, adopt, recall, rechecked};
use domain::command::Ask;
use domain::decide::{Decision, Step, decide, may_look};
use domain::done::{Done, after};
use domain::event::{Event, Severity};
use domain::fold::fold;
use domain::memory::MemoryState;
use domain::record::{Claim, ClosedBy, Ended, Open, Record};
use domain::settings::ConnectionView;
use domain::{Blocked, ClaimId, Token};
use jiff::Timestamp;

use crate::model::{Died, Message, Model, Ticket, at, found, key};
use crate::{BEHIND, BOARD, CLAIM, COMPANY, Delivery, Fate, SETTLE, Searches};

/// One worker with one message, as `tickets` works.
pub(crate) struct Worker<'a> {
    pub(crate) view: ConnectionView,
    pub(crate) model: &'a mut Model,
    pub(crate) message: &'a Message,
    pub(crate) event: Option<&'a Event>,
    pub(crate) delivery: &'a Delivery,
    pub(crate) touches: usize,
    pub(crate) writes: usize,
}

type Alive<T> = Result<T, Died>;
/// A call was done, or what came of it instead.
type Heard = Result<(), Called>;

/// What came of a call.
enum Called {
    Made(u64),
    Done(Done),
    Uncertain,
    Refused,
    Throttled,
}

/// What came of a search.
enum Looked {
    Shown(Vec<Found>),
    Blind,
    Failed,
    Refused,
}

/// What a write goes by.
struct Attempt<'a> {
    claim: &'a Claim,
    takeover: bool,
    standing: bool,
}

impl Worker<'_> {
    /// Whether the message may go; or the worker died.
    pub(crate) fn run(&mut self) -> Result<Alive<bool>, String> {
        // What a command asks for is done once.
        let mut obeyed = false;
        for _ in 0..30 {
            if self.touch().is_err() {
                return Ok(Err(Died));
            }
            let stored = self.model.stored.clone();
            let stored = stored.unwrap_or_else(|| Record::new(key()));
            let record = match self.message {
                Message::Event(event) => fold(stored.clone(), event),
                Message::Command(command) if !obeyed => {
                    command.taken_in(stored.clone(), at(self.model.now))
                }
                Message::Command(_) | Message::Reconsider => stored.clone(),
                Message::Release => stored.clone().released(),
            };
            let record = record.in_epoch(self.model.epoch());
            let now = at(self.model.now);
            if let Some(open) = self.to_look_at(&record).filter(|_| !obeyed) {
                if self.look_at(&stored, record, &open).is_err() {
                    return Ok(Err(Died));
                }
                obeyed = true;
                continue;
            }
            let went_on = match decide(&record, &self.view, SETTLE, now) {
                Decision::Nothing(_) => {
                    return Ok(self.save(&stored, record.at_rest()).map(|()| true));
                }
                Decision::Wait { .. } => return Ok(self.save(&stored, record).map(|()| false)),
                Decision::Block(reason) => {
                    return Ok(self.block(&stored, record, reason).map(|()| true));
                }
                Decision::Search => self.search(&stored, record),
                Decision::Recheck(recheck) => self.look(Some(&recheck.token)).and_then(|looked| {
                    let looked = match looked {
                        Looked::Shown(found) => rechecked(record, &recheck, &found, now),
                        Looked::Blind | Looked::Failed | Looked::Refused => {
                            record.with_recheck_put_off(&recheck.token, now)
                        }
                    };
                    self.save(&stored, looked).map(|()| None)
                }),
                Decision::Recall => self.recall(&stored, record),
                Decision::Remember => self.remember(&stored, record),
                Decision::Write(step) => {
                    if matches!(step, Step::Create(_)) && record.text(self.event).is_none() {
                        // The message that raised it is still in the queue and has the text.
                        return Ok(Ok(false));
                    }
                    self.may_write(&step)?;
                    if matches!(step, Step::Close { .. }) {
                        self.model.may_close(&record)?;
                    }
                    self.write(&step, record)
                }
            };
            match went_on {
                Ok(None) => obeyed |= self.model.stored.as_ref() != Some(&stored),
                Ok(Some(goes)) => return Ok(Ok(goes)),
                Err(Died) => return Ok(Err(Died)),
            }
        }
        Err(format!("no end in sight: {:?}", self.model.stored))
    }

    /// The ticket that is to be looked at, if it still is, and may be.
    fn to_look_at(&self, record: &Record) -> Option<Open> {
        let Message::Command(command) = self.message else {
            return None;
        };
        let here = |open: &&Open| open.epoch == self.model.epoch();
        let open = record.open().filter(here)?;
        let looks = command.ask == Ask::Look && command.fits(record) && record.claim.is_none();
        let may = may_look(&self.view, at(self.model.now));
        (looks && may).then(|| open.clone())
    }

    /// Looks at a ticket, and records what a person did with it.
    fn look_at(&mut self, stored: &Record, record: Record, open: &Open) -> Alive<()> {
        let Ok(ended) = self.read(open.ticket_id, &record.ticket_token())? else {
            return Ok(());
        };
        let board = self.model.ticket(open.ticket_id).board;
        let now = at(self.model.now);
        let seen = match ended {
            Some(by) => {
                let closed_at = self.model.ticket(open.ticket_id).closed_at.map(at);
                let ended = Ended { by, at: closed_at };
                record.with_closed(open.ticket_id, open.epoch, ended, now)
            }
            None => record.with_board(Some(board)),
        };
        self.save(stored, seen)
    }

    /// The worker touches the table or ConnectWise, unless it dies just before.
    fn touch(&mut self) -> Alive<()> {
        if self.delivery.dies_at == Some(self.touches) {
            return Err(Died);
        }
        self.touches += 1;
        Ok(())
    }

    fn save(&mut self, before: &Record, record: Record) -> Alive<()> {
        if *before != record {
            self.touch()?;
            self.model.stored = Some(record);
        }
        Ok(())
    }

    fn block(&mut self, stored: &Record, record: Record, reason: Blocked) -> Alive<()> {
        let text = record.text(self.event).cloned();
        let text = text.filter(|_| record.wanted.standing);
        let blocked = record.with_blocked(reason, text.as_ref(), at(self.model.now));
        self.save(stored, blocked)
    }

    /// Nobody writes where nobody may, as the worker saw it when it began.
    fn may_write(&self, step: &Step) -> Result<(), String> {
        let model = &*self.model;
        let breaker = &self.view.breaker;
        hold!(breaker.open.is_none(), "a call though nobody may call");
        hold!(breaker.pause(at(model.now)).is_none(), "a call in a pause");
        let ticket = match step {
            Step::Create(_) => {
                let mapping = model.view.mapping.as_ref().unwrap();
                let may = mapping.company == Some(COMPANY) && mapping.enabled;
                hold!(may, "a ticket for a tenant that has none");
                return Ok(());
            }
            Step::NoteRepeats { ticket_id, .. }
            | Step::NoteGone { ticket_id }
            | Step::Patch { ticket_id, .. }
            | Step::Close { ticket_id } => *ticket_id,
            Step::Reopen(reopen) => reopen.ticket_id,
            Step::Repair { duplicate, .. } => duplicate.ticket_id,
        };
        let site = model.ticket(ticket).site;
        hold!(
            site == model.epoch(),
            "a ticket of another ConnectWise: {step:?}"
        );
        Ok(())
    }

    /// Looks for tickets that carry a token, or any.
    fn look(&mut self, token: Option<&Token>) -> Alive<Looked> {
        self.touch()?;
        let model = &mut *self.model;
        if model.broken {
            model.refuse();
            return Ok(Looked::Refused);
        }
        let shown_until = match self.delivery.searches {
            Searches::Fail => return Ok(Looked::Failed),
            Searches::Blind if token.is_some() => return Ok(Looked::Blind),
            Searches::See | Searches::Blind => model.now,
            Searches::Stale => model.now - BEHIND,
        };
        let there = (1..).zip(&model.tickets).filter(|(_, ticket)| {
            let asked = token.is_none_or(|token| *token == ticket.token);
            asked
                && !ticket.deleted
                && ticket.site == model.epoch()
                && ticket.entered <= shown_until
        });
        Ok(Looked::Shown(there.map(found).collect()))
    }

    fn search(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        let claim = record.claim.clone().unwrap();
        let now = at(self.model.now);
        let record = match self.look(Some(&claim.token))? {
            Looked::Failed => return self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                return blocked.map(|()| Some(true));
            }
            Looked::Blind => record.with_blind_visit(now),
            Looked::Shown(found) if found.is_empty() => record.with_empty_visit(SETTLE, now),
            Looked::Shown(found) => adopt(record, &claim, &found, now),
        };
        self.save(stored, record)?;
        Ok(None)
    }

    fn recall(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        let now = at(self.model.now);
        match self.look(None)? {
            Looked::Failed | Looked::Blind => self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            Looked::Shown(found) => {
                let recalled = recall(record.clone(), &found, self.model.epoch(), now);
                if recalled == record {
                    self.view.memory = Some(MemoryState::Complete);
                    return Ok(None);
                }
                self.save(stored, recalled).map(|()| None)
            }
        }
    }

    fn remember(&mut self, stored: &Record, record: Record) -> Alive<Option<bool>> {
        match self.look(None)? {
            Looked::Failed | Looked::Blind => self.save(stored, record).map(|()| Some(false)),
            Looked::Refused => {
                let blocked = self.block(stored, record, Blocked::ConnectionBroken);
                blocked.map(|()| Some(true))
            }
            Looked::Shown(found) => {
                self.touch()?;
                let memory = match found.is_empty() {
                    true => MemoryState::Complete,
                    false => MemoryState::Rebuilding,
                };
                self.model.view.memory = Some(memory);
                self.view.memory = Some(memory);
                Ok(None)
            }
        }
    }

    /// Claims, calls, and records; tells whether the message may go where that is known.
    fn write(&mut self, step: &Step, record: Record) -> Alive<Option<bool>> {
        let text = record.text(self.event).cloned();
        let takeover = record.claim.clone().filter(|claim| claim.op == step.op());
        let claim = self.claim(step, &record, takeover.as_ref());
        let before = record.clone();
        let record = record.with_claim(claim.clone());
        self.save(&before, record.clone())?;
        let now = at(self.model.now);
        let attempt = Attempt {
            claim: &claim,
            takeover: takeover.is_some(),
            standing: record.wanted.standing,
        };
        let called = match step {
            Step::Create(create) => self.create(&claim, create.raised_at)?,
            Step::Close { ticket_id } => self.close(*ticket_id, &attempt)?,
            Step::Patch { ticket_id, .. } => self.patch(*ticket_id)?,
            Step::NoteRepeats { ticket_id, .. } | Step::NoteGone { ticket_id } => {
                self.note_on(*ticket_id, &attempt)?
            }
            Step::Reopen(reopen) => self.reopen(reopen.ticket_id, &attempt)?,
            Step::Repair { duplicate, kept } => {
                self.repair(duplicate.ticket_id, *kept, &attempt)?
            }
        };
        let recorded = match &called {
            Called::Made(ticket) => {
                let open = Open::new(*ticket, Some(BOARD), &claim, now);
                record.clone().with_made(open, &claim)
            }
            Called::Done(done) => after(record.clone(), step, done, now),
            Called::Uncertain => record.clone().with_uncertain(text.as_ref(), now),
            Called::Throttled => Record {
                claim: takeover,
                ..record.clone()
            },
            Called::Refused => {
                let undone = Record {
                    claim: takeover,
                    ..record.clone()
                };
                undone.with_blocked(Blocked::ConnectionBroken, text.as_ref(), now)
            }
        };
        self.save(&record, recorded)?;
        Ok(match called {
            Called::Made(_) | Called::Done(_) | Called::Uncertain => None,
            Called::Refused => Some(true),
            Called::Throttled => Some(false),
        })
    }

    fn claim(&mut self, step: &Step, record: &Record, before: Option<&Claim>) -> Claim {
        self.model.claims += 1;
        let id = ClaimId::parse(format!("c{}", self.model.claims)).unwrap();
        let about = record.wanted.about.as_ref();
        Claim {
            marker: before.map_or_else(|| id.clone(), |before| before.marker.clone()),
            id,
            op: step.op(),
            reason: "test".into(),
            token: match step {
                Step::Create(_) => record.token(),
                Step::Reopen(reopen) => reopen.token.clone(),
                Step::Repair { duplicate, .. } => duplicate.token.clone(),
                Step::NoteRepeats { .. }
                | Step::NoteGone { .. }
                | Step::Patch { .. }
                | Step::Close { .. } => record.ticket_token(),
            },
            board_id: None,
            company_id: COMPANY,
            epoch: self.model.epoch(),
            severity: about.map_or(Severity::Informational, |about| about.severity),
            began_at: at(self.model.now),
            until: at(self.model.now + CLAIM),
            uncertain_at: None,
            attempts: 1,
            visits: 0,
            visited_at: None,
            empty_visits: 0,
        }
    }

    /// A write reaches ConnectWise, and its fate is known: what is heard of it, and when it is done, if it is.
    fn call(&mut self) -> Alive<(Heard, Option<i64>)> {
        self.touch()?;
        self.model.calls += 1;
        let fate = self.delivery.fates.get(self.writes).copied();
        self.writes += 1;
        let now = self.model.now;
        if self.model.broken {
            self.model.refuse();
            return Ok((Err(Called::Refused), None));
        }
        Ok(match fate.unwrap_or(Fate::Answered) {
            Fate::Answered => (Ok(()), Some(now)),
            Fate::Lost => (Err(Called::Uncertain), Some(now)),
            Fate::False500 => (Err(Called::Uncertain), None),
            Fate::Late(seconds) => (Err(Called::Uncertain), Some(now + seconds)),
            Fate::Throttled => {
                self.model.view.breaker.paused_until = Some(at(now + 30));
                (Err(Called::Throttled), None)
            }
        })
    }

    fn create(&mut self, claim: &Claim, raised_at: Timestamp) -> Alive<Called> {
        let (heard, done) = self.call()?;
        if let Some(entered) = done {
            let ticket = Ticket {
                token: claim.token.clone(),
                site: self.model.epoch(),
                open: true,
                raised_at,
                entered,
                too_late: entered - self.model.now > SETTLE.as_secs(),
                closed_at: None,
                touched: false,
                company: COMPANY,
                board: BOARD,
                deleted: false,
                merged: false,
                ended_at: None,
                notes: vec![],
            };
            self.model.coming.push(ticket);
            self.model.pass(0);
        }
        Ok(match heard {
            Ok(()) => Called::Made(self.model.tickets.len() as u64),
            Err(called) => called,
        })
    }

    /// Reads a ticket: whether a person ended it.
    fn read(&mut self, ticket: u64, token: &Token) -> Alive<Result<Option<ClosedBy>, Called>> {
        self.touch()?;
        if self.model.broken {
            self.model.refuse();
            return Ok(Err(Called::Refused));
        }
        Ok(Ok(self.model.ticket(ticket).ended(token)))
    }

    /// Sets a ticket's status. A late one of these is done at once and heard of as if it were not.
    fn set_open(&mut self, ticket: u64, open: bool) -> Alive<Heard> {
        let (heard, done) = self.call()?;
        let now = self.model.now;
        if done.is_some() {
            let ticket = self.model.ticket_mut(ticket);
            ticket.open = open;
            ticket.closed_at = (!open).then_some(now);
        }
        Ok(heard)
    }

    fn close(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket, &attempt.claim.token)? {
            Err(called) => return Ok(called),
            Ok(Some(ClosedBy::Technician)) if attempt.takeover => {}
            Ok(Some(by)) => return Ok(Called::Done(Done::Ended(by))),
            Ok(None) if attempt.standing => return Ok(Called::Done(Done::Dropped)),
            Ok(None) => {
                if let Err(called) = self.set_open(ticket, false)? {
                    return Ok(called);
                }
            }
        }
        self.say_why(ticket, attempt, Done::Ended(ClosedBy::Us))
    }

    /// The status is set: a note that is refused does not undo that.
    fn say_why(&mut self, ticket: u64, attempt: &Attempt<'_>, done: Done) -> Alive<Called> {
        Ok(match self.note(ticket, attempt)? {
            Err(Called::Uncertain) => Called::Uncertain,
            Ok(()) | Err(_) => Called::Done(done),
        })
    }

    fn reopen(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket, &attempt.claim.token)? {
            Err(called) => return Ok(called),
            Ok(None) => {}
            Ok(Some(by @ (ClosedBy::Moved | ClosedBy::Deleted | ClosedBy::Us))) => {
                return Ok(Called::Done(Done::Ended(by)));
            }
            Ok(Some(ClosedBy::Technician)) if !attempt.standing => {
                return Ok(Called::Done(Done::Dropped));
            }
            Ok(Some(ClosedBy::Technician)) => {
                if let Err(called) = self.set_open(ticket, true)? {
                    return Ok(called);
                }
            }
        }
        let board_id = Some(self.model.ticket(ticket).board);
        self.say_why(ticket, attempt, Done::Reopened { board_id })
    }

    fn repair(&mut self, ticket: u64, kept: Option<u64>, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket, &attempt.claim.token)? {
            Err(called) => return Ok(called),
            Ok(Some(ClosedBy::Technician)) if attempt.takeover => {}
            Ok(Some(_)) => return Ok(Called::Done(Done::Repaired)),
            Ok(None) => {
                if let Err(called) = self.note(ticket, attempt)? {
                    return Ok(called);
                }
                if let Err(called) = self.set_open(ticket, false)? {
                    return Ok(called);
                }
            }
        }
        if let Some(kept) = kept
            && let Err(called) = self.note(kept, attempt)?
        {
            return Ok(called);
        }
        Ok(Called::Done(Done::Repaired))
    }

    fn patch(&mut self, ticket: u64) -> Alive<Called> {
        let (heard, _) = self.call()?;
        let there = self.model.ticket(ticket);
        let done = match (there.deleted, there.open) {
            (true, _) => Done::Ended(ClosedBy::Deleted),
            (false, true) => Done::Patched,
            (false, false) => Done::Ended(ClosedBy::Technician),
        };
        Ok(heard.map_or_else(|called| called, |()| Called::Done(done)))
    }

    fn note_on(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Called> {
        match self.read(ticket, &attempt.claim.token)? {
            Err(called) => return Ok(called),
            Ok(Some(by)) => return Ok(Called::Done(Done::Ended(by))),
            Ok(None) => {}
        }
        let noted = self.note(ticket, attempt)?;
        Ok(noted.map_or_else(|called| called, |()| Called::Done(Done::Noted)))
    }

    /// A takeover looks for the mark first.
    fn note(&mut self, ticket: u64, attempt: &Attempt<'_>) -> Alive<Heard> {
        let mark = &attempt.claim.marker;
        if attempt.takeover && self.model.ticket(ticket).notes.contains(mark) {
            return Ok(Ok(()));
        }
        let (heard, done) = self.call()?;
        if done.is_some() {
            self.model.ticket_mut(ticket).notes.push(mark.clone());
        }
        Ok(heard)
    }
}
