//! Which code does a call run? Known functions are inlined, or cloned for the closures that they are given.

use reml_diagnostics::Span;
use reml_semantics::types::Type;

use super::{Simplifier, UNROLLED};
use crate::core::{Atom, Block, Callee, End, FuncId, GlobalId, Op, Stmt};
use crate::opt::copy::Copier;
use crate::opt::inline::Site;
use crate::opt::known::operand;
use crate::opt::specialise::{Known, Lambda, Value};

/// Functions are specialised for no more lambdas at once.
const MOST_LAMBDAS: usize = 200;

impl Simplifier<'_, '_> {
    /// The body to put in place of a call, or else whom to call: a known closure's function is called directly.
    pub(super) fn call(
        &mut self,
        callee: Callee,
        args: Vec<Atom>,
        span: Span,
    ) -> std::result::Result<Block, (Callee, Vec<Atom>)> {
        match callee {
            Callee::Func(func) => match self.inline(func, &args, span) {
                Some(body) => Ok(body),
                None => Err(self.specialised(func, args)),
            },
            Callee::Closure(Atom::Var(closure)) => {
                if let Some(global) = self.knowledge.global(closure)
                    && let Some(body) = self.call_global(global, &args, span)
                {
                    return Ok(body);
                }
                if let Some(runner) = self.knowledge.given_by(closure).and_then(|maker| self.inliner.runner(maker)) {
                    self.changed = true;
                    return self.call(Callee::Func(runner), args, span);
                }
                let Some((func, captures)) = self.knowledge.closure(closure) else { return Err((callee, args)) };
                let all: Vec<Atom> = captures.iter().chain(&args).copied().collect();
                if let Some(body) = self.inline(func, &all, span) {
                    return Ok(body);
                }
                match self.inliner.direct(func, captures.len(), self.funcs) {
                    Some(func) => {
                        self.changed = true;
                        Err(self.specialised(func, all))
                    }
                    None => Err((callee, args)),
                }
            }
            Callee::Closure(_) | Callee::Consumed(_) => Err((callee, args)),
        }
    }

    /// A call with known lambdas calls a function made for them, where that pays.
    fn specialised(&mut self, func: FuncId, args: Vec<Atom>) -> (Callee, Vec<Atom>) {
        let mut known = Vec::new();
        for (param, &arg) in args.iter().enumerate() {
            let value = self.known_value(arg, &mut { MOST_LAMBDAS });
            if value.functions() > 0 {
                known.push(Known { param, value });
            }
        }
        if known.is_empty() {
            return (Callee::Func(func), args);
        }
        let Some((clone, known)) = self.inliner.specialise(func, known, self.funcs) else {
            return (Callee::Func(func), args);
        };
        self.changed = true;
        let mut all = Vec::with_capacity(args.len());
        for (param, arg) in args.into_iter().enumerate() {
            match known.iter().find(|known| known.param == param) {
                Some(known) => self.unknown_parts(arg, &known.value, &mut all),
                None => all.push(arg),
            }
        }
        (Callee::Func(clone), all)
    }

    /// What is known of a value, with at most `left` lambdas in it.
    fn known_value(&self, atom: Atom, left: &mut usize) -> Value {
        let Atom::Var(var) = atom else { return Value::Constant(operand(atom)) };
        if let Some(global) = self.knowledge.global(var) {
            return if self.inliner.initialiser(global).is_some() { Value::Global(global) } else { Value::Unknown };
        }
        if let Some(maker) = self.knowledge.given_by(var).filter(|&maker| self.inliner.runner(maker).is_some()) {
            return Value::Made(maker);
        }
        if let Some(items) = self.knowledge.array(var)
            && items.len() <= UNROLLED
            && let Type::Array(element) = *self.types.get(self.vars[var].ty)
        {
            return Value::Array(element, items.iter().map(|&item| self.known_value(item, left)).collect());
        }
        let Some((inner, func, captures)) = self.knowledge.lambda(var) else { return Value::Unknown };
        if *left == 0 || !self.is_whole(func) {
            return Value::Unknown;
        }
        *left -= 1;
        let captures = captures.iter().map(|&capture| self.known_value(capture, left)).collect();
        Value::Lambda(Lambda { func, wrapped: (inner != var).then(|| self.vars[inner].ty), captures })
    }

    /// What of a value is left to be passed when the rest is known.
    fn unknown_parts(&self, atom: Atom, value: &Value, out: &mut Vec<Atom>) {
        let (parts, values) = match (atom, value) {
            (atom, Value::Unknown) => return out.push(atom),
            (Atom::Var(var), Value::Lambda(lambda)) => match self.knowledge.lambda(var) {
                Some((_, _, captures)) => (captures, &lambda.captures),
                None => return,
            },
            (Atom::Var(var), Value::Array(_, values)) => match self.knowledge.array(var) {
                Some(items) => (items, values),
                None => return,
            },
            _ => return,
        };
        for (&part, value) in parts.iter().zip(values) {
            self.unknown_parts(part, value, out);
        }
    }

    /// The function that is being optimised has no parts at present.
    fn is_whole(&self, func: FuncId) -> bool {
        self.funcs.get(func).is_some_and(|function| !function.name.is_empty())
    }

    /// Makes the closure that a global holds, and calls it: then it is known what is called.
    fn call_global(&mut self, global: GlobalId, args: &[Atom], call: Span) -> Option<Block> {
        let initialiser = self.inliner.initialiser(global)?;
        let [.., Stmt::Let(_, Op::Closure(func, _))] = initialiser.body.stmts[..] else { return None };
        if !self.is_whole(func) {
            return None;
        }
        let inliner = &*self.inliner;
        let place = |span| inliner.place(span, call);
        let mut copier = Copier::new(Some(&initialiser.vars), self.vars, self.join_table).placed(&place);
        let mut body = copier.block(&initialiser.body);
        let End::Return(closure) = body.end else { return None };
        body.end = End::TailCall { callee: Callee::Closure(closure), args: args.to_vec(), span: call };
        Some(body)
    }

    fn inline(&mut self, func: FuncId, args: &[Atom], call: Span) -> Option<Block> {
        let refused = args.iter().any(|arg| match arg {
            Atom::Var(var) => {
                let lambda = self.knowledge.lambda(*var);
                lambda.is_some_and(|(_, lambda, _)| !self.inliner.may_be_given(func, lambda))
            }
            _ => false,
        });
        if refused {
            return None;
        }
        let closures = args.iter().any(|&arg| self.is_closure(arg));
        let site = Site { closures };
        let callee = self.inliner.choose(func, site)?;
        let inliner = &*self.inliner;
        let place = |span| inliner.place(span, call);
        let mut copier = Copier::new(Some(&callee.vars), self.vars, self.join_table).placed(&place);
        for (&param, &arg) in callee.params.iter().zip(args) {
            copier.replace(param, arg);
        }
        let body = copier.block(&callee.body);
        Some(body)
    }

    fn is_closure(&self, atom: Atom) -> bool {
        let Atom::Var(var) = atom else { return false };
        let global = self.knowledge.global(var).and_then(|global| self.inliner.initialiser(global));
        let made = self.knowledge.given_by(var).and_then(|maker| self.inliner.runner(maker));
        global.is_some() || made.is_some() || self.knowledge.holds_closure(var)
    }
}
