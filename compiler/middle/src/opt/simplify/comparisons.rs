//! Which tests are one? A value that is compared with one constant after the other is switched on instead.

use reml_semantics::types::{Prim, Type};

use super::Simplifier;
use crate::core::{Atom, Block, Case, End, Op, Stmt, Switch, Var};

/// A few comparisons are as fast as a switch.
const SHORTEST: usize = 4;

/// `if x == 1 { a } else if x == 2 { b } .. else { z }` becomes a switch on `x`.
pub fn merge(simplifier: &mut Simplifier, switch: &mut Switch) {
    let Some(test) = Test::of(simplifier, switch) else { return };
    let further = match further(&switch.cases, &switch.default, test) {
        Some(block) => length(simplifier, block, test.value),
        None => return,
    };
    if further + 1 < SHORTEST || !is_integer(simplifier, test.value) {
        return;
    }
    let (equal, mut rest) = take_apart(switch, test);
    simplifier.unmention(switch.scrutinee);
    simplifier.mention(Atom::Var(test.value));
    let mut cases = vec![(Case::Int(test.constant), equal)];
    loop {
        let Block { stmts, end } = rest;
        let mut inner = match end {
            End::Switch(inner) => inner,
            end => {
                rest = Block::new(stmts, end);
                break;
            }
        };
        if stmts.is_empty() && inner.scrutinee == Atom::Var(test.value) {
            simplifier.unmention(inner.scrutinee);
            for (case, block) in inner.cases {
                add(simplifier, &mut cases, case, block);
            }
            let Some(block) = inner.default else { unreachable!("a switch on an integer has a default") };
            rest = *block;
            break;
        }
        let Some(next) = next_test(simplifier, &stmts, &inner, test.value) else {
            rest = Block::new(stmts, End::Switch(inner));
            break;
        };
        // The comparison goes, and with it what it mentions.
        simplifier.unmention(inner.scrutinee);
        simplifier.unmention(Atom::Var(test.value));
        let (equal, other) = take_apart(&mut inner, next);
        add(simplifier, &mut cases, Case::Int(next.constant), equal);
        rest = other;
    }
    *switch = Switch { scrutinee: Atom::Var(test.value), cases, default: Some(Box::new(rest)) };
    simplifier.changed = true;
}

/// A comparison that a switch is on.
#[derive(Clone, Copy)]
struct Test {
    value: Var,
    constant: i128,
    /// The case of the switch for equal values.
    equal: bool,
}

impl Test {
    fn of(simplifier: &Simplifier, switch: &Switch) -> Option<Test> {
        let Atom::Var(truth) = switch.scrutinee else { return None };
        let (value, constant, equal) = simplifier.knowledge.compared(truth)?;
        let both = switch.cases.len() + usize::from(switch.default.is_some()) == 2;
        (both && switch.cases.iter().all(|(case, _)| matches!(case, Case::Bool(_)))).then_some(Test {
            value,
            constant,
            equal,
        })
    }
}

/// The branch for values that are not equal.
fn further<'a>(cases: &'a [(Case, Block)], default: &'a Option<Box<Block>>, test: Test) -> Option<&'a Block> {
    let other = cases.iter().find(|(case, _)| *case == Case::Bool(!test.equal)).map(|(_, block)| block);
    other.or(default.as_deref())
}

/// The branches for equal and for other values.
fn take_apart(switch: &mut Switch, test: Test) -> (Block, Block) {
    let mut equal = None;
    let mut other = switch.default.take().map(|block| *block);
    for (case, block) in switch.cases.drain(..) {
        if case == Case::Bool(test.equal) {
            // A default stands for the other case.
            equal = Some(block);
        } else {
            if other.is_some() {
                equal = other.take();
            }
            other = Some(block);
        }
    }
    match (equal, other) {
        (Some(equal), Some(other)) => (equal, other),
        _ => unreachable!("a truth value has two cases"),
    }
}

/// How many further tests of the value a block begins with.
fn length(simplifier: &Simplifier, mut block: &Block, value: Var) -> usize {
    let mut count = 0;
    while let End::Switch(switch) = &block.end {
        if block.stmts.is_empty() && switch.scrutinee == Atom::Var(value) {
            let integers = switch.cases.iter().all(|(case, _)| matches!(case, Case::Int(_)));
            return if integers && switch.default.is_some() { count + switch.cases.len() } else { count };
        }
        let Some(test) = next_test(simplifier, &block.stmts, switch, value) else { return count };
        let Some(next) = further(&switch.cases, &switch.default, test) else { return count };
        count += 1;
        block = next;
    }
    count
}

/// The test of the value that is all a block does before it branches.
fn next_test(simplifier: &Simplifier, stmts: &[Stmt], switch: &Switch, value: Var) -> Option<Test> {
    let [Stmt::Let(truth, Op::Prim(..))] = stmts else { return None };
    let test = Test::of(simplifier, switch)?;
    (switch.scrutinee == Atom::Var(*truth) && test.value == value && simplifier.uses[*truth] == 1).then_some(test)
}

/// Adds a case, unless an earlier one takes its values.
fn add(simplifier: &mut Simplifier, cases: &mut Vec<(Case, Block)>, case: Case, mut block: Block) {
    if cases.iter().any(|(other, _)| *other == case) {
        simplifier.discount(&mut block);
    } else {
        cases.push((case, block));
    }
}

fn is_integer(simplifier: &Simplifier, value: Var) -> bool {
    match simplifier.types.get(simplifier.vars[value].ty) {
        Type::Prim(prim) => prim.is_integer() || *prim == Prim::Char,
        _ => false,
    }
}
