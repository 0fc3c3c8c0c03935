//! Is this Core program well formed? Run between passes in debug builds: a pass that breaks an invariant is named at
//! once, instead of failing three stages later.
//!
//! Checked: variables are assigned once and used in scope; joins are jumped to in scope, with the right arguments;
//! arguments, results and fields have the types they should; counting statements occur only in counted programs.
//! Ownership itself is checked by `rc`'s own tests.

use cranelift_entity::EntitySet;
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};

use crate::core::{
    Atom, Block, Callee, Case, End, FuncId, Function, Join, JoinId, Mode, Op, Program, Stmt, Switch, Var,
};
use crate::core_print::type_text;
use crate::layout::field_types;
use crate::walk;

/// Which of its three forms a program is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Lowered,
    Optimised,
    Counted,
}

/// The first thing that is wrong.
pub fn verify(program: &Program, form: Form) -> Result<(), String> {
    let mut types = program.types.clone();
    for id in program.funcs.keys() {
        let mut verifier = Verifier {
            program,
            types: &mut types,
            function: &program.funcs[id],
            form,
            assigned: EntitySet::new(),
            scope: EntitySet::new(),
            joins: Vec::new(),
        };
        verifier
            .function()
            .map_err(|problem| format!("{problem}\nin:\n{}", crate::core_print::function(program, id)))?;
    }
    let entry = &program.funcs[program.entry];
    if !entry.params.is_empty() {
        return Err(format!("the entry `{}` has parameters", entry.name));
    }
    Ok(())
}

struct Verifier<'a> {
    program: &'a Program,
    /// A copy, since field types may have to be interned.
    types: &'a mut TypeStore,
    function: &'a Function,
    form: Form,
    assigned: EntitySet<Var>,
    scope: EntitySet<Var>,
    /// The joins in scope.
    joins: Vec<(JoinId, Vec<Var>)>,
}

type Check = Result<(), String>;

impl Verifier<'_> {
    fn function(&mut self) -> Check {
        let function = self.function;
        if function.modes.len() != function.params.len() {
            return Err(format!("{} parameters, {} modes", function.params.len(), function.modes.len()));
        }
        if function.captures > function.params.len() {
            return Err("more captures than parameters".into());
        }
        let mut scope = Vec::new();
        for &param in &function.params {
            self.define(param, &mut scope)?;
        }
        self.block(&function.body)
    }

    fn define(&mut self, var: Var, scope: &mut Vec<Var>) -> Check {
        if !self.assigned.insert(var) {
            return Err(format!("{var} is assigned twice"));
        }
        self.scope.insert(var);
        scope.push(var);
        Ok(())
    }

    fn block(&mut self, block: &Block) -> Check {
        let mut scope = Vec::new();
        let joins = self.joins.len();
        for stmt in &block.stmts {
            self.stmt(stmt, &mut scope)?;
        }
        self.end(&block.end)?;
        self.joins.truncate(joins);
        for var in scope {
            self.scope.remove(var);
        }
        Ok(())
    }

    fn stmt(&mut self, stmt: &Stmt, scope: &mut Vec<Var>) -> Check {
        let counting = matches!(stmt, Stmt::Dup(_) | Stmt::Drop(_) | Stmt::Release { .. } | Stmt::FreeToken(_));
        if counting && self.form != Form::Counted {
            return Err("a counting statement before counting".into());
        }
        match stmt {
            Stmt::Let(var, op) => {
                self.op(*var, op)?;
                self.define(*var, scope)
            }
            Stmt::Join(join) => self.join(join),
            Stmt::Fill { addr, value } => {
                self.var_used(*addr)?;
                self.atom_used(*value)
            }
            Stmt::Dup(var) | Stmt::Drop(var) | Stmt::FreeToken(var) => self.var_used(*var),
            Stmt::Release { var, moved, token, .. } => {
                self.var_used(*var)?;
                for (_, var) in moved {
                    self.var_used(*var)?;
                }
                match token {
                    Some(token) => self.define(*token, scope),
                    None => Ok(()),
                }
            }
        }
    }

    fn join(&mut self, join: &Join) -> Check {
        let mut scope = Vec::new();
        for &param in &join.params {
            self.define(param, &mut scope)?;
        }
        let entry = (join.id, join.params.clone());
        if join.recursive {
            self.joins.push(entry.clone());
        }
        self.block(&join.body)?;
        if join.recursive {
            self.joins.pop();
        }
        for var in scope {
            self.scope.remove(var);
        }
        self.joins.push(entry);
        Ok(())
    }

    fn end(&mut self, end: &End) -> Check {
        match end {
            End::Return(atom) => {
                self.atom_used(*atom)?;
                self.atom_is(*atom, self.function.ret, "the result")
            }
            End::Jump(id, args) => {
                let Some((_, params)) = self.joins.iter().rev().find(|(join, _)| join == id).cloned() else {
                    return Err(format!("jump to {id}, which is not in scope"));
                };
                let types: Vec<TypeId> = params.iter().map(|&var| self.function.vars[var].ty).collect();
                self.arguments(args, &types, &format!("jump {id}"))
            }
            End::TailCall { callee, args, .. } => {
                let ret = self.call(*callee, args)?;
                self.same(ret, self.function.ret, "the result of a tail call")
            }
            End::Switch(switch) => self.switch(switch),
            End::Unreachable => Ok(()),
        }
    }

    fn switch(&mut self, switch: &Switch) -> Check {
        self.atom_used(switch.scrutinee)?;
        let ty = self.atom_type(switch.scrutinee);
        for (index, (case, _)) in switch.cases.iter().enumerate() {
            if switch.cases[..index].iter().any(|(other, _)| other == case) {
                return Err(format!("the case {case:?} occurs twice"));
            }
            let fits = match (case, ty.map(|ty| self.types.get(ty))) {
                (_, None) => true,
                (Case::Bool(_), Some(Type::Prim(Prim::Bool))) => true,
                (Case::Int(_), Some(Type::Prim(prim))) => prim.is_integer() || *prim == Prim::Char,
                (Case::Variant(_), Some(Type::Adt(..))) => true,
                _ => false,
            };
            if !fits {
                return Err(format!("the case {case:?} for a scrutinee of another kind"));
            }
        }
        for block in walk::switch_blocks(switch) {
            self.block(block)?;
        }
        Ok(())
    }

    fn op(&mut self, var: Var, op: &Op) -> Check {
        let ty = self.function.vars[var].ty;
        match op {
            Op::Copy(atom) => {
                self.atom_used(*atom)?;
                self.atom_is(*atom, ty, &format!("{var}"))
            }
            Op::Prim(_, args) | Op::Array(args) => args.iter().try_for_each(|&atom| self.atom_used(atom)),
            Op::Call(callee, args) => {
                let ret = self.call(*callee, args)?;
                self.same(ret, ty, &format!("{var}"))
            }
            Op::CallRuntime(id, args) => {
                let function = &self.program.runtime[*id];
                let params: Vec<TypeId> = function.params.iter().map(|&(ty, _)| ty).collect();
                self.arguments(args, &params, &function.symbol)?;
                self.same(function.ret, ty, &format!("{var}"))
            }
            Op::CallForeign(id, args) => {
                let function = &self.program.foreign[*id];
                let params = function.arguments(self.types.prim(Prim::RawPtr));
                if function.variadic && args.len() > params.len() {
                    let (fixed, rest) = args.split_at(params.len());
                    self.arguments(fixed, &params, function.name())?;
                    return rest.iter().try_for_each(|&atom| self.atom_used(atom));
                }
                self.arguments(args, &params, function.name())?;
                self.same(function.signature.ret.ty, ty, &format!("{var}"))
            }
            Op::Closure(id, captures) => {
                let code = &self.program.funcs[*id];
                if captures.len() != code.captures {
                    return Err(format!(
                        "{} captures for `{}`, which has {}",
                        captures.len(),
                        code.name,
                        code.captures
                    ));
                }
                if self.form == Form::Counted && code.modes[..code.captures].contains(&Mode::Owned) {
                    return Err(format!("`{}` owns its captures", code.name));
                }
                let types = self.param_types(*id);
                self.arguments(captures, &types[..captures.len()], &code.name)
            }
            Op::Construct { variant, args, token } => {
                if let Some(token) = token {
                    self.var_used(*token)?;
                }
                let fields = field_types(self.types, &self.program.type_defs, ty, *variant);
                if fields.len() != args.len() {
                    return Err(format!("{var} is built of {} fields instead of {}", args.len(), fields.len()));
                }
                for (&arg, &field) in args.iter().zip(&fields) {
                    if arg != Atom::Hole {
                        self.atom_used(arg)?;
                        self.atom_is(arg, field, &format!("a field of {var}"))?;
                    }
                }
                Ok(())
            }
            Op::Field { base, variant, index } => {
                self.atom_used(*base)?;
                let Some(base) = self.atom_type(*base) else { return Ok(()) };
                let fields = field_types(self.types, &self.program.type_defs, base, *variant);
                match fields.get(*index as usize) {
                    Some(&field) => self.same(field, ty, &format!("{var}")),
                    None => Err(format!("{var} is a field that `{}` does not have", type_text(self.program, base))),
                }
            }
            Op::Tag(atom) => self.atom_used(*atom),
            Op::GlobalGet(id) | Op::GlobalTake(id) => self.same(self.program.globals[*id].ty, ty, &format!("{var}")),
            Op::GlobalSet(id, atom) => {
                self.atom_used(*atom)?;
                self.atom_is(*atom, self.program.globals[*id].ty, "a global")
            }
            Op::FieldAddr { base, .. } => self.var_used(*base),
        }
    }

    /// Checks a call's arguments; its result type.
    fn call(&mut self, callee: Callee, args: &[Atom]) -> Result<TypeId, String> {
        match callee {
            Callee::Func(id) => {
                let function = &self.program.funcs[id];
                if function.captures > 0 {
                    return Err(format!("`{}` has captures and is called directly", function.name));
                }
                let types = self.param_types(id);
                self.arguments(args, &types, &function.name)?;
                Ok(function.ret)
            }
            Callee::Consumed(_) if self.form != Form::Counted => Err("a consuming call before counting".into()),
            Callee::Closure(atom) | Callee::Consumed(atom) => {
                self.atom_used(atom)?;
                let ty = self.atom_type(atom).ok_or("a constant is called")?;
                let Type::Fn { params, ret } = self.types.get(ty).clone() else {
                    return Err(format!("a value of type `{}` is called", type_text(self.program, ty)));
                };
                self.arguments(args, &params, "a closure")?;
                Ok(ret)
            }
        }
    }

    fn param_types(&self, id: FuncId) -> Vec<TypeId> {
        let function = &self.program.funcs[id];
        function.params.iter().map(|&var| function.vars[var].ty).collect()
    }

    fn arguments(&self, args: &[Atom], types: &[TypeId], of: &str) -> Check {
        if args.len() != types.len() {
            return Err(format!("{} arguments instead of {} for {of}", args.len(), types.len()));
        }
        for (&arg, &ty) in args.iter().zip(types) {
            self.atom_used(arg)?;
            self.atom_is(arg, ty, &format!("an argument of {of}"))?;
        }
        Ok(())
    }

    fn atom_used(&self, atom: Atom) -> Check {
        match atom {
            Atom::Var(var) => self.var_used(var),
            Atom::Hole => Err("a hole outside of a construction".into()),
            _ => Ok(()),
        }
    }

    fn var_used(&self, var: Var) -> Check {
        if self.scope.contains(var) { Ok(()) } else { Err(format!("{var} is used out of its scope")) }
    }

    fn atom_type(&self, atom: Atom) -> Option<TypeId> {
        match atom {
            Atom::Var(var) => Some(self.function.vars[var].ty),
            Atom::Int(_, ty) | Atom::Float(_, ty) => Some(ty),
            Atom::Bool(_) => Some(self.types.prim(Prim::Bool)),
            Atom::Unit => Some(self.types.unit()),
            Atom::Str(_) => Some(self.types.prim(Prim::Str)),
            Atom::Hole => None,
        }
    }

    fn atom_is(&self, atom: Atom, ty: TypeId, what: &str) -> Check {
        match self.atom_type(atom) {
            Some(found) => self.same(found, ty, what),
            None => Ok(()),
        }
    }

    fn same(&self, found: TypeId, expected: TypeId, what: &str) -> Check {
        // A value of type `Never` does not come to be.
        if found == expected || self.types.is_never(found) {
            return Ok(());
        }
        let (found, expected) = (type_text(self.program, found), type_text(self.program, expected));
        Err(format!("{what} has type `{found}` instead of `{expected}`"))
    }
}
