//! Random small Core programs: well typed, terminating, and rich in sharing, joins, loops and closures.

use reml_diagnostics::Span;
use reml_semantics::types::TypeId;

use super::world::{World, bind, construct, field, fresh, join_id};
use crate::core::{
    Atom, Block, Callee, Case, End, FuncId, Function, Global, GlobalId, Join, JoinId, Mode, Op, Stmt, StrId, Switch,
    Var,
};
use crate::prim::PrimOp;

const FUNCTIONS: usize = 5;

/// A program for each seed; its entry function sets the globals and calls `f0`.
pub fn program(seed: u64) -> World {
    let mut world = World::new();
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        random.next();
    }
    let pool = [
        world.list,
        world.tree,
        world.pair,
        world.option,
        world.either,
        world.wrap,
        world.record,
        world.array,
        world.cell,
        world.arrow,
        world.list,
        world.tree,
        world.int,
        world.text,
        world.colour,
    ];
    for text in ["", "a", "bc"] {
        world.program.strings.push(text.into());
    }
    for (name, ty) in [("list", world.list), ("text", world.text), ("array", world.array)] {
        world.program.globals.push(Global { name: name.into(), ty });
    }
    let mut signatures = Vec::new();
    let mut functions = Vec::new();
    for at in 0..FUNCTIONS {
        let lambda = at == FUNCTIONS - 1;
        let (params, captures, ret) = if at == 0 {
            (Vec::new(), 0, pool[random.below(pool.len())])
        } else if lambda {
            let captured = [world.list, world.tree, world.pair, world.cell];
            let mut params: Vec<TypeId> = (0..random.below(3)).map(|_| captured[random.below(4)]).collect();
            let captures = params.len();
            params.push(world.int);
            (params, captures, world.list)
        } else {
            let mut params = vec![world.int];
            params.extend((0..1 + random.below(3)).map(|_| pool[random.below(pool.len())]));
            (params, 0, pool[random.below(8)])
        };
        let mut function = world.function(&format!("f{at}"), &params, captures, ret);
        for index in 1..function.params.len() {
            if !lambda && random.below(4) == 0 {
                function.modes[index] = Mode::Borrowed;
            }
        }
        functions.push(function);
        signatures.push((params, captures, ret));
    }
    for (at, slot) in functions.iter_mut().enumerate() {
        let function = slot.clone();
        let mut generator = Generator {
            world: &world,
            random: &mut random,
            pool: &pool,
            signatures: &signatures,
            at,
            scope: function.params.iter().map(|&param| (param, function.vars[param].ty)).collect(),
            joins: Vec::new(),
            fuel: None,
            budget: 50,
            function,
        };
        let body = generator.body();
        generator.function.body = body;
        *slot = generator.function;
    }
    let ret = functions[0].ret;
    for function in functions {
        world.program.funcs.push(function);
    }
    let entry = entry(&world, ret);
    world.program.entry = world.program.funcs.push(entry);
    world
}

/// Fills the globals, calls `f0` and lets the globals go.
fn entry(world: &World, ret: TypeId) -> Function {
    let mut function = world.function("entry", &[], 0, ret);
    let mut out = Vec::new();
    let nil = Atom::Int(0, world.list);
    let list = bind(&mut function, &mut out, world.list, construct(1, vec![world.int_atom(7), nil]));
    let array = bind(&mut function, &mut out, world.array, Op::Array(vec![Atom::Var(list), nil]));
    let values = [Atom::Var(list), Atom::Str(StrId::from_u32(2)), Atom::Var(array)];
    for (at, value) in values.into_iter().enumerate() {
        bind(&mut function, &mut out, world.unit, Op::GlobalSet(GlobalId::from_u32(at as u32), value));
    }
    let result = bind(&mut function, &mut out, ret, Op::Call(Callee::Func(FuncId::from_u32(0)), Vec::new()));
    for (id, global) in &world.program.globals {
        bind(&mut function, &mut out, global.ty, Op::GlobalTake(id));
    }
    function.body = Block::new(out, End::Return(Atom::Var(result)));
    function
}

pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

struct Generator<'a> {
    world: &'a World,
    random: &'a mut Random,
    pool: &'a [TypeId],
    signatures: &'a [(Vec<TypeId>, usize, TypeId)],
    at: usize,
    function: Function,
    scope: Vec<(Var, TypeId)>,
    /// Join points in scope; a loop's first parameter is a counter, given here.
    joins: Vec<(JoinId, Vec<TypeId>, Option<Atom>)>,
    /// The fuel left for calls of this function itself.
    fuel: Option<Atom>,
    budget: usize,
}

impl Generator<'_> {
    fn body(&mut self) -> Block {
        if self.at == 0 || self.at == FUNCTIONS - 1 {
            return self.block(3);
        }
        let mut out = Vec::new();
        let fuel = self.function.params[0];
        let none = self.prim(&mut out, self.world.bool, PrimOp::Le, vec![Atom::Var(fuel), self.world.int_atom(0)]);
        let stop = self.block(0);
        let mut inner = Vec::new();
        let less =
            self.prim(&mut inner, self.world.int, PrimOp::WrappingSub, vec![Atom::Var(fuel), self.world.int_atom(1)]);
        self.fuel = Some(Atom::Var(less));
        let mut go = self.block(3);
        inner.append(&mut go.stmts);
        go.stmts = inner;
        let cases = vec![(Case::Bool(true), stop), (Case::Bool(false), go)];
        Block::new(out, End::Switch(Switch { scrutinee: Atom::Var(none), cases, default: None }))
    }

    fn prim(&mut self, out: &mut Vec<Stmt>, ty: TypeId, prim: PrimOp, args: Vec<Atom>) -> Var {
        let var = bind(&mut self.function, out, ty, Op::Prim(prim, args));
        self.scope.push((var, ty));
        var
    }

    fn bind(&mut self, out: &mut Vec<Stmt>, ty: TypeId, op: Op) -> Var {
        let var = bind(&mut self.function, out, ty, op);
        self.scope.push((var, ty));
        var
    }

    fn existing(&mut self, ty: TypeId) -> Option<Var> {
        let all: Vec<Var> = self.scope.iter().filter(|&&(_, seen)| seen == ty).map(|&(var, _)| var).collect();
        if all.is_empty() { None } else { Some(all[self.random.below(all.len())]) }
    }

    fn value(&mut self, out: &mut Vec<Stmt>, ty: TypeId, depth: usize) -> Atom {
        let wanted = if depth == 0 { 10 } else { 7 };
        if self.random.below(10) < wanted
            && let Some(var) = self.existing(ty)
        {
            return Atom::Var(var);
        }
        let world = self.world;
        let less = depth.saturating_sub(1);
        // Variants without a payload are written in either way.
        let nothing = if ty == world.list || ty == world.tree || ty == world.option {
            Some(0)
        } else if ty == world.either {
            Some(2)
        } else {
            None
        };
        if let Some(variant) = nothing
            && (depth == 0 || self.random.below(6) == 0)
            && self.random.below(2) == 0
        {
            return Atom::Int(variant, ty);
        }
        let op = if ty == world.int {
            return world.int_atom(self.random.below(5) as i64);
        } else if ty == world.colour {
            let variant = self.random.below(3);
            if self.random.below(2) == 0 {
                return Atom::Int(variant as i128, ty);
            }
            construct(variant as u32, Vec::new())
        } else if ty == world.text {
            let literal = Atom::Str(StrId::from_u32(self.random.below(3) as u32));
            if depth == 0 {
                return literal;
            }
            let left = self.value(out, world.text, less);
            Op::CallRuntime(world.concat, vec![left, literal])
        } else if ty == world.list {
            if depth == 0 {
                construct(0, Vec::new())
            } else {
                construct(1, vec![self.value(out, world.int, less), self.value(out, world.list, less)])
            }
        } else if ty == world.tree {
            if depth == 0 {
                construct(0, Vec::new())
            } else {
                let fields = [world.tree, world.list, world.tree];
                construct(1, fields.map(|ty| self.value(out, ty, less)).to_vec())
            }
        } else if ty == world.pair {
            construct(0, vec![self.value(out, world.list, less), self.value(out, world.int, less)])
        } else if ty == world.wrap {
            construct(0, vec![self.value(out, world.pair, less)])
        } else if ty == world.option {
            match self.random.below(3) {
                0 => construct(0, Vec::new()),
                _ => construct(1, vec![self.value(out, world.list, less)]),
            }
        } else if ty == world.either {
            match self.random.below(3) {
                0 => construct(0, vec![self.value(out, world.list, less), self.value(out, world.int, less)]),
                1 => construct(1, vec![self.value(out, world.tree, less)]),
                _ => construct(2, Vec::new()),
            }
        } else if ty == world.record {
            let fields = [world.list, world.int, world.list, world.int, world.tree, world.int];
            construct(0, fields.map(|ty| self.value(out, ty, less)).to_vec())
        } else if ty == world.array {
            Op::Array((0..1 + self.random.below(2)).map(|_| self.value(out, world.list, less)).collect())
        } else if ty == world.cell {
            Op::Prim(PrimOp::CellNew, vec![self.value(out, world.list, less)])
        } else {
            let (params, captures, _) = &self.signatures[FUNCTIONS - 1];
            if self.at == FUNCTIONS - 1 && self.scope.is_empty() {
                panic!("a lambda has a parameter");
            }
            let captured = params[..*captures].iter().map(|&ty| self.value(out, ty, less)).collect();
            Op::Closure(FuncId::from_u32(FUNCTIONS as u32 - 1), captured)
        };
        Atom::Var(self.bind(out, ty, op))
    }

    fn stmt(&mut self, out: &mut Vec<Stmt>) {
        let world = self.world;
        match self.random.below(16) {
            12 => {
                let global = GlobalId::from_u32(self.random.below(3) as u32);
                self.bind(out, world.program.globals[global].ty, Op::GlobalGet(global));
            }
            13 | 14 => {
                // An element is taken out, and another one put into the hole.
                if let Some(var) = self.existing(world.array) {
                    let zero = world.int_atom(0);
                    let take = Op::Prim(PrimOp::ArrayTake, vec![Atom::Var(var), zero]);
                    let taken = bind(&mut self.function, out, world.taken, take);
                    let array = bind(&mut self.function, out, world.array, field(taken, 0, 0));
                    self.bind(out, world.list, field(taken, 0, 1));
                    let value = self.value(out, world.list, 1);
                    self.prim(out, world.array, PrimOp::ArrayPut, vec![Atom::Var(array), zero, value]);
                }
            }
            15 => {
                if let Some(var) = self.existing(world.text) {
                    let length = self.prim(out, world.int, PrimOp::StrLen, vec![Atom::Var(var)]);
                    self.bind(out, world.unit, Op::CallRuntime(world.emit, vec![Atom::Var(length)]));
                }
            }
            0 | 1 => {
                let ty = self.pool[self.random.below(self.pool.len())];
                self.value(out, ty, 2);
            }
            2 => {
                for (product, fields) in [
                    (world.record, vec![world.list, world.int, world.list, world.int, world.tree, world.int]),
                    (world.pair, vec![world.list, world.int]),
                    (world.wrap, vec![world.pair]),
                ] {
                    if let Some(var) = self.existing(product) {
                        let index = self.random.below(fields.len());
                        self.bind(out, fields[index], field(var, 0, index as u32));
                    }
                }
            }
            3 => {
                if let Some(var) = self.existing(world.array) {
                    self.prim(out, world.list, PrimOp::ArrayGet, vec![Atom::Var(var), world.int_atom(0)]);
                }
            }
            4 => {
                if let Some(var) = self.existing(world.array) {
                    let value = self.value(out, world.list, 1);
                    if self.random.below(2) == 0 {
                        self.prim(out, world.array, PrimOp::ArrayPush, vec![Atom::Var(var), value]);
                    } else {
                        let args = vec![Atom::Var(var), world.int_atom(0), value];
                        self.prim(out, world.array, PrimOp::ArraySet, args);
                    }
                }
            }
            5 | 6 => {
                if let Some(var) = self.existing(world.cell) {
                    if self.random.below(2) == 0 {
                        self.prim(out, world.list, PrimOp::CellGet, vec![Atom::Var(var)]);
                    } else {
                        let value = self.value(out, world.list, 1);
                        self.prim(out, world.unit, PrimOp::CellSet, vec![Atom::Var(var), value]);
                    }
                }
            }
            7 | 8 => {
                if let Some((callee, args, ret)) = self.call(out) {
                    self.bind(out, ret, Op::Call(callee, args));
                }
            }
            9 => {
                let value = self.value(out, world.int, 1);
                self.bind(out, world.unit, Op::CallRuntime(world.emit, vec![value]));
            }
            10 => {
                if let Some(var) = self.existing(world.list) {
                    self.bind(out, world.list, Op::Copy(Atom::Var(var)));
                }
            }
            _ => {
                if self.at < FUNCTIONS - 1
                    && let Some(var) = self.existing(world.arrow)
                {
                    let arg = self.value(out, world.int, 1);
                    self.bind(out, world.list, Op::Call(Callee::Closure(Atom::Var(var)), vec![arg]));
                }
            }
        }
    }

    /// A call of a later function, or of this one with less fuel.
    fn call(&mut self, out: &mut Vec<Stmt>) -> Option<(Callee, Vec<Atom>, TypeId)> {
        let callable = FUNCTIONS - 1;
        let again = self.random.below(3) == 0;
        let (target, fuel) = match self.fuel {
            Some(fuel) if again => (self.at, fuel),
            _ if self.at + 1 < callable => {
                (self.at + 1 + self.random.below(callable - self.at - 1), self.world.int_atom(2))
            }
            _ => return None,
        };
        let (params, _, ret) = self.signatures[target].clone();
        let mut args = vec![fuel];
        for &ty in &params[1..] {
            args.push(self.value(out, ty, 2));
        }
        Some((Callee::Func(FuncId::from_u32(target as u32)), args, ret))
    }

    fn block(&mut self, depth: usize) -> Block {
        let scope = self.scope.len();
        let joins = self.joins.len();
        let mut out = Vec::new();
        for _ in 0..self.random.below(5) {
            if self.budget > 0 {
                self.budget -= 1;
                self.stmt(&mut out);
            }
        }
        if depth > 0 && self.budget > 0 && self.random.below(2) == 0 {
            self.budget -= 1;
            self.join(&mut out, depth - 1);
        }
        for _ in 0..self.random.below(3) {
            if self.budget > 0 {
                self.budget -= 1;
                self.stmt(&mut out);
            }
        }
        let end =
            if depth > 0 && self.random.below(3) > 0 { self.switch(&mut out, depth - 1) } else { self.leaf(&mut out) };
        self.scope.truncate(scope);
        self.joins.truncate(joins);
        Block::new(out, end)
    }

    fn join(&mut self, out: &mut Vec<Stmt>, depth: usize) {
        let recursive = self.random.below(2) == 0;
        let id = join_id(&mut self.function);
        let mut types: Vec<TypeId> =
            (0..self.random.below(3)).map(|_| self.pool[self.random.below(self.pool.len())]).collect();
        if recursive {
            types.insert(0, self.world.int);
        }
        let params: Vec<Var> = types.iter().map(|&ty| fresh(&mut self.function, ty)).collect();
        let scope = self.scope.len();
        self.scope.extend(params.iter().copied().zip(types.iter().copied()));
        let body = if recursive {
            let mut start = Vec::new();
            let counter = Atom::Var(params[0]);
            let zero = self.world.int_atom(0);
            let stop = self.prim(&mut start, self.world.bool, PrimOp::Le, vec![counter, zero]);
            let one = self.world.int_atom(1);
            let less = self.prim(&mut start, self.world.int, PrimOp::WrappingSub, vec![counter, one]);
            let done = self.block(depth);
            let hidden = self.fuel.take();
            self.joins.push((id, types.clone(), Some(Atom::Var(less))));
            let again = self.block(depth);
            self.joins.pop();
            self.fuel = hidden;
            let cases = vec![(Case::Bool(true), done), (Case::Bool(false), again)];
            Block::new(start, End::Switch(Switch { scrutinee: Atom::Var(stop), cases, default: None }))
        } else {
            self.block(depth)
        };
        self.scope.truncate(scope);
        out.push(Stmt::Join(Box::new(Join { id, params, recursive, body })));
        let counter = recursive.then(|| self.world.int_atom(2));
        self.joins.push((id, types, counter));
    }

    fn switch(&mut self, out: &mut Vec<Stmt>, depth: usize) -> End {
        let world = self.world;
        let sums = [
            (world.list, vec![vec![], vec![world.int, world.list]]),
            (world.tree, vec![vec![], vec![world.tree, world.list, world.tree]]),
            (world.option, vec![vec![], vec![world.list]]),
            (world.either, vec![vec![world.list, world.int], vec![world.tree], vec![]]),
            (world.colour, vec![vec![], vec![], vec![]]),
        ];
        let (ty, variants) = sums[self.random.below(sums.len())].clone();
        let scrutinee = match self.existing(ty) {
            Some(var) => var,
            None => match self.value(out, ty, 2) {
                Atom::Var(var) => var,
                constant => self.bind(out, ty, Op::Copy(constant)),
            },
        };
        let mut cases = Vec::new();
        let mut default = None;
        let skipped = self.random.below(8);
        for (variant, fields) in variants.into_iter().enumerate() {
            let scope = self.scope.len();
            if skipped == variant {
                default = Some(Box::new(self.block(depth)));
                continue;
            }
            let mut start = Vec::new();
            for (index, &ty) in fields.iter().enumerate() {
                if self.random.below(5) > 0 {
                    self.bind(&mut start, ty, field(scrutinee, variant as u32, index as u32));
                }
            }
            let mut block = self.block(depth);
            start.append(&mut block.stmts);
            block.stmts = start;
            self.scope.truncate(scope);
            cases.push((Case::Variant(variant as u32), block));
        }
        End::Switch(Switch { scrutinee: Atom::Var(scrutinee), cases, default })
    }

    fn leaf(&mut self, out: &mut Vec<Stmt>) -> End {
        let ret = self.signatures[self.at].2;
        if !self.joins.is_empty() && self.random.below(3) > 0 {
            let at = self.random.below(self.joins.len());
            let (id, types, counter) = self.joins[at].clone();
            let mut args = Vec::new();
            for (index, &ty) in types.iter().enumerate() {
                match counter {
                    Some(counter) if index == 0 => args.push(counter),
                    _ => args.push(self.value(out, ty, 1)),
                }
            }
            return End::Jump(id, args);
        }
        if self.random.below(3) == 0
            && let Some((callee, args, result)) = self.call(out)
            && result == ret
        {
            return End::TailCall { callee, args, span: Span::NONE };
        }
        let value = self.value(out, ret, 1);
        End::Return(value)
    }
}

#[cfg(test)]
mod tests {
    use crate::core::Program;
    use crate::core_print;
    use crate::core_verify::{self, Form};
    use crate::opt::{OptLevel, optimise};
    use crate::testing::interpret::{Options, Outcome, run};

    fn setting(name: &str, default: u64) -> u64 {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Runs a pass over random programs; results stay the same.
    fn agree(counted: bool, pass: impl Fn(&mut Program)) -> Vec<Outcome> {
        let first = setting("REML_RANDOM_FIRST", 0);
        let mut outcomes = Vec::new();
        for seed in first..first + setting("REML_RANDOM_PROGRAMS", 1000) {
            let options = |counted| Options { counted, wrapping: true, steps: 5_000_000 };
            let plain = run(&super::program(seed).program, options(false)).unwrap();
            let mut world = super::program(seed);
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pass(&mut world.program);
                let form = if counted { Form::Counted } else { Form::Optimised };
                let verified = core_verify::verify(&world.program, form);
                assert!(verified.is_ok(), "{verified:?}\n{}", core_print::dump(&world.program));
                run(&world.program, options(counted)).unwrap()
            }));
            let Ok(outcome) = outcome else { panic!("seed {seed}") };
            assert_eq!(plain.result, outcome.result, "seed {seed}");
            assert_eq!(plain.stdout, outcome.stdout, "seed {seed}");
            outcomes.push(outcome);
        }
        outcomes
    }

    /// `REML_SHOW=seed cargo test show` prints what the optimiser makes of one program.
    #[test]
    fn show() {
        if let Ok(seed) = std::env::var("REML_SHOW") {
            let mut world = super::program(seed.parse().unwrap_or(0));
            println!("{}\n=====", core_print::dump(&world.program));
            optimise(&mut world.program, OptLevel::Release);
            println!("{}", core_print::dump(&world.program));
            crate::rc::count(&mut world.program);
            println!("=====\n{}", core_print::dump(&world.program));
        }
    }

    #[test]
    fn counted_programs_balance() {
        let outcomes = agree(true, crate::rc::count);
        let reused: u64 = outcomes.iter().map(|outcome| outcome.stats.reused).sum();
        let dups: u64 = outcomes.iter().map(|outcome| outcome.stats.dups).sum();
        // The programs are not all trivial.
        let count = outcomes.len() as u64;
        assert!(reused * 2 > count && dups > count * 20, "{reused} cells reused, {dups} dups in {count} programs");
    }

    #[test]
    fn optimised_programs_do_the_same() {
        agree(false, |program| optimise(program, OptLevel::Release));
        agree(false, |program| optimise(program, OptLevel::Debug));
    }

    #[test]
    fn optimised_and_counted_programs_balance() {
        agree(true, |program| {
            optimise(program, OptLevel::Release);
            crate::rc::count(program);
        });
    }
}
