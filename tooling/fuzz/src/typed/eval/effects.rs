//! Handlers, evaluated without a stack of their own.
//!
//! A clause that resumes once is evaluated where the operation is performed. One that resumes twice, or whose continuation is kept, stops
//! the computation; whoever resumes it runs it again from its start.

use std::collections::VecDeque;
use std::rc::Rc;

use super::value::{Env, Value, int};
use super::{Eval, Machine, Stop};
use crate::typed::tree::{Clause, Drive, Expr, Handle, VarId};

/// A handler in force.
pub struct Installed {
    pub number: u32,
    pub handle: Rc<Handle>,
    pub env: Env,
    /// The operation's argument at every resume whose clause goes on when the computation has ended.
    pub waiting: Vec<i128>,
    /// What its operations were answered before the computation was stopped.
    pub answers: VecDeque<i128>,
    /// It ends at the operation after those.
    pub dropped: bool,
}

/// How far a computation has come that can be stopped.
enum Ran {
    Ended(Value),
    /// At an operation that was performed with this.
    Stopped(i128),
    Dropped,
}

impl Machine<'_> {
    /// Runs a computation that can be stopped, from its start: what it has done before it does again, in silence, up to the operation
    /// after those that have been answered. It has no effects on anything outside but what it prints, so nobody can tell.
    fn run_stoppable(&mut self, handle: &Rc<Handle>, env: &Env, answers: &[i128], dropped: bool) -> Eval<Ran> {
        self.installed += 1;
        let number = self.installed;
        let outside = self.handlers.len();
        self.repeating += u32::from(dropped || !answers.is_empty());
        let answers = answers.iter().copied().collect();
        let waiting = Vec::new();
        self.handlers.push(Installed { number, handle: handle.clone(), env: env.clone(), waiting, answers, dropped });
        let result = self.expr(&handle.body, &mut env.clone());
        self.handlers.truncate(outside);
        match (result, &handle.ret) {
            (Ok(value), Some((id, ret))) => Ok(Ran::Ended(self.with(env, &[(*id, value)], ret)?)),
            (Ok(value), None) => Ok(Ran::Ended(value)),
            (Err(Stop::Suspended(to, arg)), _) if to == number => Ok(Ran::Stopped(arg)),
            (Err(Stop::Abort(to, _)), _) if to == number => Ok(Ran::Dropped),
            (Err(stop), _) => Err(stop),
        }
    }

    /// What a computation whose clauses may resume twice comes to when its first operations are answered so.
    fn branch(&mut self, handle: &Rc<Handle>, env: &Env, answers: &[i128]) -> Eval<Value> {
        let arg = match self.run_stoppable(handle, env, answers, false)? {
            Ran::Ended(value) => return Ok(value),
            Ran::Stopped(arg) => arg,
            Ran::Dropped => unreachable!("it is not dropped"),
        };
        let Clause::Branch { unless, instead, plainly, answers: next, results, then } = &handle.clause else {
            unreachable!("no other clause stops it")
        };
        let bound = [(handle.arg, Value::Int(arg))];
        if self.decide(env, &bound, unless)? {
            self.run_stoppable(handle, env, answers, true)?;
            return self.with(env, &bound, instead);
        }
        let plainly = self.decide(env, &bound, plainly)?;
        let resumed = |machine: &mut Self, answer: &Expr| {
            let answer = int(&machine.with(env, &bound, answer)?);
            machine.branch(handle, env, &[answers, &[answer]].concat())
        };
        let first = resumed(self, &next[0])?;
        if plainly {
            return Ok(first);
        }
        let second = resumed(self, &next[1])?;
        self.with(env, &[bound[0].clone(), (results[0], first), (results[1], second)], then)
    }

    pub fn drive(&mut self, drive: &Drive, env: &Env) -> Eval<Value> {
        let mut answers = Vec::new();
        loop {
            match self.run_stoppable(&drive.handle, env, &answers, false)? {
                Ran::Ended(value) => return self.with(env, &[(drive.value, value)], &drive.done),
                Ran::Stopped(_) if answers.len() as i64 >= drive.fuel => {
                    self.run_stoppable(&drive.handle, env, &answers, true)?;
                    return self.with(env, &[], &drive.instead);
                }
                Ran::Stopped(arg) => {
                    let answer = self.with(env, &[(drive.handle.arg, Value::Int(arg))], &drive.answer)?;
                    answers.push(int(&answer));
                }
                Ran::Dropped => unreachable!("it is not dropped"),
            }
        }
    }

    /// Handlers are deep, and each resume is the last but for what its clause does with the result. So a computation is evaluated in
    /// place, and what the clauses do afterwards is done in turn when it has ended.
    pub fn handle(&mut self, handle: &Rc<Handle>, env: &Env) -> Eval<Value> {
        if let Clause::Branch { .. } = handle.clause {
            return self.branch(handle, env, &[]);
        }
        self.installed += 1;
        let number = self.installed;
        let outside = self.handlers.len();
        self.handlers.push(Installed {
            number,
            handle: handle.clone(),
            env: env.clone(),
            waiting: Vec::new(),
            answers: VecDeque::new(),
            dropped: false,
        });
        let result = self.expr(&handle.body, &mut env.clone());
        self.handlers.truncate(outside + 1);
        let waiting = self.handlers.pop().map(|installed| installed.waiting).unwrap_or_default();
        let mut value = match (result, &handle.ret, &handle.clause) {
            (Ok(value), Some((id, ret)), _) => self.with(env, &[(*id, value)], ret)?,
            (Ok(value), None, _) => value,
            (Err(Stop::Abort(to, arg)), _, Clause::Abort(value) | Clause::Resume { instead: value, .. })
                if to == number =>
            {
                self.with(env, &[(handle.arg, Value::Int(arg))], value)?
            }
            (Err(Stop::PanicOutside(to, what)), ..) if to == number => return Err(Stop::Panic(what)),
            (Err(stop), ..) => return Err(stop),
        };
        if let Clause::Resume { result, then, .. } = &handle.clause {
            for arg in waiting.into_iter().rev() {
                value = self.with(env, &[(handle.arg, Value::Int(arg)), (*result, value)], then)?;
            }
        }
        Ok(value)
    }

    fn decide(&mut self, env: &Env, bound: &[(VarId, Value)], condition: &Expr) -> Eval<bool> {
        Ok(matches!(self.with(env, bound, condition)?, Value::Bool(true)))
    }

    /// Clauses run under what is around their handler.
    pub fn perform(&mut self, effect: usize, arg: i128) -> Eval<Value> {
        let at = self.handlers.iter().rposition(|installed| installed.handle.effect == effect);
        let at = at.expect("the program is typed");
        if let Clause::Branch { .. } | Clause::Store { .. } = self.handlers[at].handle.clause {
            return self.perform_stopping(at, arg);
        }
        let mut inside = self.handlers.split_off(at);
        let Installed { number, handle, env, waiting, .. } = &mut inside[0];
        let bound = [(handle.arg, Value::Int(arg))];
        let result = match &handle.clause {
            Clause::Tail(answer) => self.with(env, &bound, answer),
            Clause::Abort(_) | Clause::Branch { .. } | Clause::Store { .. } => Err(Stop::Abort(*number, arg)),
            Clause::Resume { unless, plainly, answer, .. } => {
                let result = self.decide(env, &bound, unless).and_then(|ends| {
                    if ends {
                        return Err(Stop::Abort(*number, arg));
                    }
                    if !self.decide(env, &bound, plainly)? {
                        waiting.push(arg);
                    }
                    self.with(env, &bound, answer)
                });
                match result {
                    Err(Stop::Panic(what)) => Err(Stop::PanicOutside(*number, what)),
                    result => result,
                }
            }
        };
        self.handlers.append(&mut inside);
        result
    }

    /// An operation whose clause is not evaluated in place.
    fn perform_stopping(&mut self, at: usize, arg: i128) -> Eval<Value> {
        let Installed { number, answers, dropped, .. } = &mut self.handlers[at];
        match answers.pop_front() {
            Some(answer) => {
                self.repeating -= u32::from(answers.is_empty() && !*dropped);
                Ok(Value::Int(answer))
            }
            None if *dropped => {
                self.repeating -= 1;
                Err(Stop::Abort(*number, arg))
            }
            None => Err(Stop::Suspended(*number, arg)),
        }
    }
}
