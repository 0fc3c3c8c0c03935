//! What do handlers do to the stack? Which one is in force, how a computation is left, stopped, and goes on.
//!
//! The stack is a list of *segments*: the program's own, and one for each computation that a handler may stop. Stopping takes the
//! segments from the handler's on off the stack, as a [`Chain`]; resuming puts them back. Each segment lists the handlers put in force
//! there, so what is in force is found by walking the list from the end.

use super::deferred::{Deferred, Then};
use super::frames::Frame;
use super::value::{Contents, Value};
use super::{Eval, Machine, broken, panics};
use crate::core::{Atom, Var};
use crate::prim::PrimOp;

/// A part of the stack that can be taken off.
#[derive(Clone, Debug)]
pub struct Segment<'p> {
    /// The handler whose computation runs here; none for the program itself.
    pub handler: Option<usize>,
    /// The computation, which the segment owns.
    pub closure: Value,
    pub frames: Vec<Frame<'p>>,
    pub entries: Vec<Entry>,
    pub defers: Vec<Deferred>,
    /// Nothing further out is in force: the computation has been dropped.
    pub isolated: bool,
}

impl Segment<'_> {
    pub fn new(handler: Option<usize>, closure: Value) -> Self {
        Segment {
            handler,
            closure,
            frames: Vec::new(),
            entries: handler.map(Entry::Handler).into_iter().collect(),
            defers: Vec::new(),
            isolated: false,
        }
    }
}

/// What changes which handlers are in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entry {
    Handler(usize),
    /// A clause runs: only what is around this handler is in force.
    Around(usize),
    /// Deferred code runs: in force is what was so in that segment, when it had so many entries.
    Deferred {
        segment: Option<usize>,
        entries: usize,
    },
}

/// A computation that is stopped.
#[derive(Clone, Debug)]
pub struct Chain<'p> {
    pub segments: Vec<Segment<'p>>,
}

#[derive(Clone, Debug)]
pub struct Continuation<'p> {
    handler: usize,
    reentrant: bool,
    pub resumed: bool,
    /// None when the computation has gone on.
    pub chain: Option<Chain<'p>>,
}

impl Contents<'_> {
    /// Is this a computation that has deferred something, and has never gone on?
    pub fn is_abandoned(&self) -> bool {
        match self {
            Contents::Continuation(continuation) => {
                let chain = continuation.chain.iter().filter(|_| !continuation.resumed);
                chain.flat_map(|chain| &chain.segments).any(|segment| !segment.defers.is_empty())
            }
            _ => false,
        }
    }
}

/// Where a handler in force was found.
struct Place {
    handler: usize,
    segment: usize,
    entry: usize,
    /// It was in force where the code that runs was deferred.
    barred: bool,
}

const BARRED: &str = "this operation cannot be answered here: its clause does not resume last, and the computation that \
                      deferred it is over";
const DROPPED: &str = "this operation has no handler here: the computation that deferred it has been dropped";
const REUSED: &str = "this computation has been resumed already; only `@reentrant` operations can be resumed again";
const ACTIVE: &str = "a computation cannot be resumed again from within itself";

impl<'p> Machine<'p> {
    pub fn top(&mut self) -> &mut Segment<'p> {
        self.segments.last_mut().expect("the program's own segment")
    }

    /// The innermost handler in force that is wanted.
    fn find(&self, wanted: impl Fn(usize) -> bool) -> Option<Place> {
        let mut segment = self.segments.len() - 1;
        let mut entry = self.segments[segment].entries.len();
        let (mut barred, mut inside) = (false, None);
        loop {
            if entry == 0 {
                if segment == 0 || self.segments[segment].isolated {
                    return None;
                }
                segment -= 1;
                entry = self.segments[segment].entries.len();
                continue;
            }
            entry -= 1;
            match self.segments[segment].entries[entry] {
                Entry::Handler(handler) if inside == Some(handler) => inside = None,
                Entry::Handler(handler) if inside.is_none() && wanted(handler) => {
                    return Some(Place { handler, segment, entry, barred });
                }
                Entry::Handler(_) => {}
                Entry::Around(handler) => inside = inside.or(Some(handler)),
                Entry::Deferred { segment: other, entries } => {
                    barred = true;
                    segment = self.segments[..=segment].iter().rposition(|segment| segment.handler == other)?;
                    entry = entries;
                }
            }
        }
    }

    /// The innermost handler of an effect.
    fn find_effect(&mut self, effect: i128) -> Eval<Place> {
        let is_of = |handler| match self.heap.peek(handler) {
            Some(Contents::Handler { effect: its, .. }) => *its == effect,
            // One that has been freed may be of any effect.
            _ => true,
        };
        let Some(place) = self.find(is_of) else { return panics("effects.unhandled", DROPPED) };
        self.heap.live(place.handler)?;
        Ok(place)
    }

    /// Where a handler is that an operation wants to leave or stop the computation of.
    fn place_of(&self, handler: usize) -> Eval<Place> {
        match self.find(|other| other == handler) {
            Some(place) if place.barred => panics("effects.unhandled", BARRED),
            Some(place) => Ok(place),
            None => broken(format!("handler {handler} is not in force")),
        }
    }

    /// What a handler keeps at this number.
    fn clause(&mut self, handler: usize, number: &Value) -> Eval<Value> {
        let number = number.int()? as usize;
        match &self.heap.live(handler)?.contents {
            Contents::Handler { clauses, .. } if number < clauses.len() => Ok(clauses[number].clone()),
            other => broken(format!("{other:?} has no clause {number}")),
        }
    }

    /// A primitive about handlers, fibers and what passes between them.
    pub fn effect_prim(&mut self, var: Var, prim: PrimOp, atoms: &[Atom]) -> Eval<Option<Value>> {
        let args = self.atoms(atoms)?;
        Ok(Some(match prim {
            PrimOp::HandlerNew => {
                let effect = args[0].int()?;
                self.heap.allocate(Contents::Handler { effect, clauses: args[1..].to_vec() })
            }
            PrimOp::HandlerPush => {
                let handler = args[0].object()?;
                self.top().entries.push(Entry::Handler(handler));
                Value::Unit
            }
            PrimOp::HandlerPop => {
                let handler = args[0].object()?;
                match self.top().entries.pop() {
                    Some(Entry::Handler(last)) if last == handler => Value::Unit,
                    other => return broken(format!("{other:?} is in force instead of handler {handler}")),
                }
            }
            PrimOp::HandlerFind => {
                let effect = args[0].int()?;
                Value::Int(self.find_effect(effect)?.handler as i128)
            }
            PrimOp::HandlerAddress => Value::Int(args[0].object()? as i128),
            PrimOp::HandlerClause => self.clause(args[0].int()? as usize, &args[1])?,
            PrimOp::ContinuationClause => {
                let Contents::Continuation(continuation) = self.heap.contents(&args[0])? else {
                    return broken("a clause of no continuation");
                };
                let handler = continuation.handler;
                let clause = self.clause(handler, &args[1])?;
                self.heap.dup(&clause)?;
                clause
            }
            PrimOp::HandlerEnter => {
                let handler = args[0].int()? as usize;
                let entries = &mut self.top().entries;
                entries.push(Entry::Around(handler));
                Value::Int(entries.len() as i128 - 1)
            }
            PrimOp::HandlerLeave => {
                let entries = args[0].int()? as usize;
                self.top().entries.truncate(entries);
                Value::Unit
            }
            PrimOp::HandlerRun => {
                let handler = args[0].object()?;
                let top = self.top();
                let (entries, defers) = (top.entries.len(), top.defers.len());
                top.frames.push(Frame::Handle { handler, entries, defers });
                top.entries.push(Entry::Handler(handler));
                self.enter_closure(&args[1], Vec::new())?;
                return Ok(None);
            }
            PrimOp::FiberStart => {
                let handler = args[0].object()?;
                self.segments.push(Segment::new(Some(handler), args[1].clone()));
                self.enter_closure(&args[1], Vec::new())?;
                return Ok(None);
            }
            PrimOp::HandlerAbort => {
                self.abort(args[0].int()? as usize, args[1].int()?, args[2].clone())?;
                return Ok(None);
            }
            PrimOp::FiberSuspend => {
                self.suspend(args[0].int()? as usize, args[1].int()?, args[3].clone())?;
                return Ok(None);
            }
            PrimOp::ContinuationTake => {
                let Some(chain) = self.stopped.take() else { return broken("no computation has been stopped") };
                let Some(handler) = chain.segments[0].handler else { return broken("the program has been stopped") };
                let reentrant = args[0].int()? != 0;
                let continuation = Continuation { handler, reentrant, resumed: false, chain: Some(chain) };
                self.heap.allocate(Contents::Continuation(Box::new(continuation)))
            }
            PrimOp::FiberResume | PrimOp::FiberResumeLast => {
                let chain = self.chain_of(&args[0])?;
                if prim == PrimOp::FiberResumeLast {
                    self.heap.drop(&args[0])?;
                }
                self.go_on(chain, args[1].clone())?;
                return Ok(None);
            }
            PrimOp::FiberStopped => {
                let Some(chain) = self.stopped.take() else { return broken("no computation has been stopped") };
                let key = self.steps.into();
                self.parked.insert(key, chain);
                Value::Int(key)
            }
            PrimOp::FiberContinue => {
                let Some(chain) = self.parked.remove(&args[0].int()?) else {
                    return broken("a computation goes on that has not been stopped");
                };
                self.go_on(chain, args[1].clone())?;
                return Ok(None);
            }
            PrimOp::PayloadTake => match self.payload.take() {
                Some(value) => value,
                None => return broken(format!("nothing is there to be taken for {var}")),
            },
            _ => return broken(format!("{prim:?} is not about effects")),
        }))
    }

    /// Leaves the computation of a handler, once what it has deferred has run.
    fn abort(&mut self, handler: usize, operation: i128, payload: Value) -> Eval<()> {
        let place = self.place_of(handler)?;
        let at = place.segment;
        let segment = &self.segments[at];
        let whole = place.entry == 0 && segment.handler == Some(handler);
        let frame = segment.frames.iter().rposition(|frame| match frame {
            Frame::Handle { handler: other, .. } => *other == handler,
            _ => false,
        });
        let (frame, mark) = match (whole, frame.map(|frame| (frame, &segment.frames[frame]))) {
            (true, _) => (None, 0),
            (false, Some((frame, Frame::Handle { defers, .. }))) => (Some(frame), *defers),
            _ => return broken(format!("no computation of handler {handler} is to be left")),
        };
        let mut closures = self.segments[at].defers.split_off(mark);
        for inner in &mut self.segments[at + 1..] {
            closures.append(&mut inner.defers);
        }
        self.payload = Some(payload);
        self.start_deferring(closures, Then::Leave { segment: at, frame, status: operation + 1 });
        Ok(())
    }

    /// Ends what has been left, and says so to whoever ran it.
    pub fn leave(&mut self, segment: usize, frame: Option<usize>, status: i128) -> Eval<()> {
        let kept = segment + usize::from(frame.is_some());
        let gone = self.segments.split_off(kept);
        self.drop_segments(gone)?;
        if let Some(frame) = frame {
            let frames = self.top().frames.split_off(frame);
            let Some(&Frame::Handle { entries, .. }) = frames.first() else {
                return broken("a computation is left that does not run");
            };
            self.drop_frames(&frames)?;
            self.top().entries.truncate(entries);
        }
        self.returned(Value::Int(status))
    }

    /// Drops what calls own that never go on.
    fn drop_frames(&mut self, frames: &[Frame<'p>]) -> Eval<()> {
        for frame in frames.iter().rev() {
            if let Frame::Code(code) = frame {
                self.heap.drop_all(&code.roots())?;
            }
        }
        Ok(())
    }

    pub fn drop_segments(&mut self, segments: Vec<Segment<'p>>) -> Eval<()> {
        for segment in segments.iter().rev() {
            self.drop_frames(&segment.frames)?;
        }
        for segment in segments.into_iter().rev() {
            self.heap.drop(&segment.closure)?;
        }
        Ok(())
    }

    /// Stops the computation of a handler.
    fn suspend(&mut self, handler: usize, operation: i128, payload: Value) -> Eval<()> {
        let place = self.place_of(handler)?;
        if self.segments[place.segment].handler != Some(handler) || place.entry != 0 {
            return broken(format!("the computation of handler {handler} cannot be stopped"));
        }
        self.stopped = Some(Chain { segments: self.segments.split_off(place.segment) });
        self.payload = Some(payload);
        self.returned(Value::Int(operation + 1))
    }

    /// The computation to go on with: itself, or a copy of it.
    fn chain_of(&mut self, continuation: &Value) -> Eval<Chain<'p>> {
        let Contents::Continuation(continuation) = self.heap.contents(continuation)? else {
            return broken("what is resumed is no continuation");
        };
        let (again, first) = (continuation.reentrant, !continuation.resumed);
        continuation.resumed = true;
        let chain = if again { continuation.chain.clone() } else { continuation.chain.take() };
        let Some(chain) = chain else { return panics("effects.resume.reused", REUSED) };
        let active = |segment: &Segment| self.segments.iter().any(|other| other.handler == segment.handler);
        if chain.segments.iter().any(active) {
            return if first && !again {
                broken("a computation is stopped and runs")
            } else {
                panics("effects.resume.active", ACTIVE)
            };
        }
        if again {
            self.charge(chain.segments.iter().map(|segment| segment.frames.len()).sum::<usize>() * 16)?;
            self.own_again(&chain)?;
        }
        Ok(chain)
    }

    /// Everything that a computation owns gets an owner more.
    fn own_again(&mut self, chain: &Chain<'p>) -> Eval<()> {
        for segment in &chain.segments {
            self.heap.dup(&segment.closure)?;
            for frame in &segment.frames {
                if let Frame::Code(code) = frame {
                    self.heap.dup_all(&code.roots())?;
                }
            }
            for deferred in &segment.defers {
                self.heap.dup(&deferred.closure)?;
            }
        }
        Ok(())
    }

    fn go_on(&mut self, chain: Chain<'p>, answer: Value) -> Eval<()> {
        self.segments.extend(chain.segments);
        self.returned(answer)
    }

    /// A continuation has no owners any more.
    pub fn give_up(&mut self, continuation: Continuation<'p>) -> Eval<()> {
        let Some(mut chain) = continuation.chain else { return Ok(()) };
        let mut closures = Vec::new();
        for segment in &mut chain.segments {
            closures.append(&mut segment.defers);
        }
        if continuation.resumed || self.ending {
            // A copy has gone on and runs what was deferred; at the end of the program nothing does.
            for deferred in closures {
                self.heap.drop(&deferred.closure)?;
            }
            return self.drop_segments(chain.segments);
        }
        self.freeing = true;
        let segment = self.segments.len();
        chain.segments[0].isolated = true;
        self.segments.append(&mut chain.segments);
        self.start_deferring(closures, Then::GiveUp { segment });
        Ok(())
    }
}
