//! Is a piece of code the same as in another version? Compared is what it has been lowered to, as text, without places.

use std::hash::{DefaultHasher, Hash, Hasher};

use cranelift_entity::{EntityRef, EntitySet, SecondaryMap};

use super::Facts;
use crate::core::{Callee, End, FuncId, GlobalId, Op, Program};
use crate::core_print;
use crate::walk;

pub struct Fingerprints {
    /// Of each function's own text.
    texts: Vec<u64>,
    mentions: Vec<Vec<FuncId>>,
    globals: Vec<Vec<GlobalId>>,
    /// The program's own functions, which are called through slots.
    own: EntitySet<FuncId>,
    initialisers: SecondaryMap<GlobalId, Option<FuncId>>,
}

impl Fingerprints {
    pub fn of(program: &Program, facts: &Facts) -> Fingerprints {
        let mut mentions = vec![Vec::new(); program.funcs.len()];
        let mut globals = vec![Vec::new(); program.funcs.len()];
        let mut texts = Vec::with_capacity(program.funcs.len());
        for (id, function) in &program.funcs {
            walk::each_op(&function.body, &mut |_, op| match op {
                Op::Call(Callee::Func(func), _) | Op::Closure(func, _) => mentions[id.index()].push(*func),
                Op::GlobalGet(global) => globals[id.index()].push(*global),
                _ => {}
            });
            walk::each_end(&function.body, &mut |end| {
                if let End::TailCall { callee: Callee::Func(func), .. } = end {
                    mentions[id.index()].push(*func);
                }
            });
            texts.push(hash(&core_print::function(program, id)));
        }
        let mut initialisers = SecondaryMap::new();
        facts.globals.iter().for_each(|own| initialisers[own.global] = Some(own.initialiser));
        let mut own = EntitySet::new();
        own.extend(facts.functions.iter().map(|function| function.func));
        Fingerprints { texts, mentions, globals, own, initialisers }
    }

    /// Of a function with what belongs to it: calls of other functions of the program's own count by name.
    pub fn of_function(&self, func: FuncId) -> u64 {
        self.reached(func, |callee| !self.own.contains(callee), false)
    }

    /// Of everything that a value is computed from.
    pub fn of_value(&self, initialiser: FuncId) -> u64 {
        self.reached(initialiser, |_| true, true)
    }

    fn reached(&self, from: FuncId, follow: impl Fn(FuncId) -> bool, globals: bool) -> u64 {
        let mut seen = EntitySet::new();
        let mut work = vec![from];
        seen.insert(from);
        let mut all = DefaultHasher::new();
        // The order is that of the text, so it is the same where the text is.
        while let Some(func) = work.pop() {
            self.texts[func.index()].hash(&mut all);
            let read =
                self.globals[func.index()].iter().filter(|_| globals).filter_map(|&global| self.initialisers[global]);
            for callee in self.mentions[func.index()].iter().copied().chain(read) {
                if follow(callee) && seen.insert(callee) {
                    work.push(callee);
                }
            }
        }
        all.finish()
    }
}

fn hash(text: &str) -> u64 {
    // Without keys of the process's own, unlike a hash map's.
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
