//! What runs on the ways out? Deferred code, when a computation is left or dropped, and when the program panics.
//!
//! Deferred closures lie on their segment's list. Whoever ends something moves them to the end of the innermost list and runs them from
//! there, so that a panic of one of them finds the others.

use super::frames::Frame;
use super::handlers::{Chain, Entry};
use super::value::Value;
use super::{Ended, Eval, Machine, Panic, broken};

/// A closure, and what was in force where it was deferred.
#[derive(Clone, Debug)]
pub struct Deferred {
    pub closure: Value,
    segment: Option<usize>,
    entries: usize,
}

/// Runs what was deferred beyond `mark`.
#[derive(Clone)]
pub struct Deferring<'p> {
    mark: usize,
    /// So many entries are in force apart from the deferred code's.
    entries: usize,
    running: Option<Value>,
    payload: Option<Value>,
    stopped: Option<Chain<'p>>,
    then: Then,
}

/// What ends when deferred code has run.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// A computation: a segment, or what is from a frame of it on.
    Leave {
        segment: usize,
        frame: Option<usize>,
        status: i128,
    },
    /// A dropped computation, which has been put on the stack from this segment on.
    GiveUp {
        segment: usize,
    },
    Program,
}

/// The status of programs that have panicked.
const PANICKED: i32 = 101;

impl<'p> Machine<'p> {
    pub fn defer_push(&mut self, closure: Value) {
        let top = self.top();
        let (segment, entries) = (top.handler, top.entries.len());
        top.defers.push(Deferred { closure, segment, entries });
    }

    pub fn defer_pop(&mut self) -> Eval<Value> {
        match self.top().defers.pop() {
            Some(deferred) => Ok(deferred.closure),
            None => broken("nothing is deferred"),
        }
    }

    pub fn start_panic(&mut self, panic: Panic) {
        self.panic.get_or_insert(panic);
        self.start_deferring(Vec::new(), Then::Program);
    }

    pub fn start_deferring(&mut self, closures: Vec<Deferred>, then: Then) {
        let (payload, stopped) = (self.payload.take(), self.stopped.take());
        let top = self.top();
        let mark = if let Then::Program = then { 0 } else { top.defers.len() };
        let entries = top.entries.len();
        top.defers.extend(closures);
        let deferring = Deferring { mark, entries, running: None, payload, stopped, then };
        top.frames.push(Frame::Deferring(Box::new(deferring)));
    }

    pub fn go_on_deferring(&mut self) -> Eval<()> {
        let top = self.top();
        let Some(Frame::Deferring(deferring)) = top.frames.last_mut() else { return broken("no deferred code runs") };
        let (mark, then) = (deferring.mark, deferring.then);
        let ran = deferring.running.take();
        top.entries.truncate(deferring.entries);
        if let Some(deferred) = if top.defers.len() > mark { top.defers.pop() } else { None } {
            deferring.running = Some(deferred.closure.clone());
            top.entries.push(Entry::Deferred { segment: deferred.segment, entries: deferred.entries });
            self.enter_closure(&deferred.closure, Vec::new())?;
        } else if let Then::Program = then {
            return self.next_segment();
        } else if let Some(Frame::Deferring(deferring)) = top.frames.pop() {
            (self.payload, self.stopped) = (deferring.payload, deferring.stopped);
            match then {
                Then::Leave { segment, frame, status } => self.leave(segment, frame, status)?,
                Then::GiveUp { segment } => {
                    let gone = self.segments.split_off(segment);
                    self.freeing = false;
                    self.drop_segments(gone)?;
                }
                Then::Program => {}
            }
        }
        match (ran, then) {
            // A panic drops no values.
            (None, _) | (_, Then::Program) => Ok(()),
            (Some(closure), _) => self.heap.drop(&closure),
        }
    }

    /// The code deferred around the segment comes next; when there is none, the program ends.
    fn next_segment(&mut self) -> Eval<()> {
        let around = self.segments.len() - 1;
        match self.segments[..around].iter_mut().rev().find(|segment| !segment.defers.is_empty()) {
            Some(segment) => {
                let closures = std::mem::take(&mut segment.defers);
                self.top().defers.extend(closures);
            }
            None => self.ended = Some(Ended::CutShort(PANICKED)),
        }
        Ok(())
    }
}
