//! A small builder of counted Core programs, so that the tests do not need the compiler's earlier stages.
#![allow(dead_code)]

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_codegen::{CodegenOptions, RunOptions, RunOutcome, jit};
use reml_diagnostics::{SourceMap, Span};
use reml_middle::core::*;
use reml_middle::prim::PrimOp;
use reml_semantics::typed::{FieldDef, ModuleId, TypeDef, TypeDefId, TypeDefKind, VariantDef};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use reml_syntax::names::Symbol;

pub struct Builder {
    pub program: Program,
    pub int: TypeId,
    pub i32: TypeId,
    pub f64: TypeId,
    pub bool: TypeId,
    pub str: TypeId,
    pub unit: TypeId,
}

impl Builder {
    pub fn new() -> Self {
        let types = TypeStore::new();
        let prim = |prim| types.prim(prim);
        let (int, i32, f64, bool, str) =
            (prim(Prim::I64), prim(Prim::I32), prim(Prim::F64), prim(Prim::Bool), prim(Prim::Str));
        let unit = types.unit();
        let program = Program {
            types,
            type_defs: PrimaryMap::new(),
            type_names: SecondaryMap::new(),
            funcs: PrimaryMap::new(),
            globals: PrimaryMap::new(),
            strings: PrimaryMap::new(),
            runtime: PrimaryMap::new(),
            foreign: PrimaryMap::new(),
            callbacks: PrimaryMap::new(),
            native: Vec::new(),
            entry: FuncId::from_u32(0),
            library: Vec::new(),
            dispatcher: None,
            version: None,
        };
        Builder { program, int, i32, f64, bool, str, unit }
    }

    pub fn prim(&self, prim: Prim) -> TypeId {
        self.program.types.prim(prim)
    }

    pub fn ty(&mut self, ty: Type) -> TypeId {
        self.program.types.intern(ty)
    }

    /// A sum with these variants' field types; `Param(0)` and so on stand for its generics.
    pub fn sum(&mut self, arity: u32, variants: impl Fn(TypeDefId, &mut TypeStore) -> Vec<Vec<TypeId>>) -> TypeDefId {
        let id = self.program.type_defs.next_key();
        let variants = variants(id, &mut self.program.types);
        let variants = variants
            .into_iter()
            .map(|fields| VariantDef {
                name: Symbol(0),
                fields: fields.into_iter().map(|ty| FieldDef { name: None, ty }).collect(),
                span: Span::NONE,
            })
            .collect();
        self.program.type_defs.push(TypeDef {
            name: Symbol(0),
            module: ModuleId::from_u32(0),
            span: Span::NONE,
            arity,
            kind: TypeDefKind::Sum(variants),
            repr: None,
        })
    }

    /// `Nil | Cons(Int, List)`
    pub fn int_list(&mut self) -> TypeId {
        let int = self.int;
        let def = self.sum(0, |id, types| {
            let list = types.intern(Type::Adt(id, Box::new([])));
            vec![vec![], vec![int, list]]
        });
        self.ty(Type::Adt(def, Box::new([])))
    }

    /// Reserves an id, so that functions can refer to each other.
    pub fn declare(&mut self, name: &str, ret: TypeId) -> FuncId {
        self.program.funcs.push(Function {
            name: name.into(),
            span: Span::NONE,
            params: Vec::new(),
            captures: 0,
            modes: Vec::new(),
            ret,
            vars: PrimaryMap::new(),
            joins: PrimaryMap::new(),
            body: Block::new(Vec::new(), End::Unreachable),
            inline: Inline::Auto,
            consuming: None,
            roots: Default::default(),
        })
    }

    pub fn define(&mut self, id: FuncId, params: &[TypeId], body: impl FnOnce(&mut Body, &[Var]) -> End) {
        let mut function = Body { vars: PrimaryMap::new(), joins: PrimaryMap::new(), stmts: Vec::new(), line: 0 };
        let vars: Vec<Var> = params.iter().map(|&ty| function.var(ty)).collect();
        let end = body(&mut function, &vars);
        let target = &mut self.program.funcs[id];
        target.modes = vec![Mode::Owned; vars.len()];
        target.params = vars;
        target.vars = function.vars;
        target.joins = function.joins;
        target.body = Block::new(function.stmts, end);
    }

    pub fn string(&mut self, text: &str) -> Atom {
        Atom::Str(self.program.strings.push(text.into()))
    }

    pub fn runtime(&mut self, symbol: &str, params: &[(TypeId, Mode)], ret: TypeId) -> RuntimeId {
        self.program.runtime.push(RuntimeFn { symbol: symbol.into(), params: params.to_vec(), ret, pure: false })
    }

    /// Runs in debug and release; both must end alike.
    pub fn run(&self) -> RunOutcome {
        let sources = sources();
        let outcome = |release| {
            let options = CodegenOptions { release, verify: true, ..CodegenOptions::default() };
            let loaded = jit::load(&self.program, &sources, &options).expect("the program is well-formed");
            loaded.run_with(&[], &RunOptions { count_live: true, ..RunOptions::default() })
        };
        let debug = outcome(false);
        let release = outcome(true);
        assert_eq!(debug, release, "debug and release differ");
        debug
    }

    /// Runs and expects this exit status and no leaked object.
    pub fn expect(&self, exit_code: i32) {
        assert_eq!(self.run(), RunOutcome { exit_code, live_objects: Some(0) });
    }

    /// An entry that returns `value(..)` truncated to `i32`.
    pub fn entry(&mut self, body: impl FnOnce(&mut Body) -> Atom) {
        let i32 = self.i32;
        let id = self.declare("main.<entry>", i32);
        self.program.entry = id;
        self.define(id, &[], |b, _| {
            let value = body(b);
            let status = b.prim(i32, PrimOp::IntConvert, &[value]);
            End::Return(status)
        });
    }
}

pub fn sources() -> SourceMap {
    let mut sources = SourceMap::new();
    let text: String = (1..100).map(|line| format!("line {line:04}\n")).collect();
    sources.add("test.reml", text).expect("it is small");
    sources
}

pub struct Body {
    pub vars: PrimaryMap<Var, VarInfo>,
    pub joins: PrimaryMap<JoinId, JoinInfo>,
    pub stmts: Vec<Stmt>,
    /// The next operations stand on this line of `test.reml`; 0 for none.
    pub line: u32,
}

impl Body {
    pub fn var(&mut self, ty: TypeId) -> Var {
        // Lines are ten bytes long.
        let span = match self.line {
            0 => Span::NONE,
            line => Span::new(1 + (line - 1) * 10, 2 + (line - 1) * 10),
        };
        self.vars.push(VarInfo { ty, name: None, span })
    }

    pub fn bind(&mut self, ty: TypeId, op: Op) -> Var {
        let var = self.var(ty);
        self.stmts.push(Stmt::Let(var, op));
        var
    }

    pub fn op(&mut self, ty: TypeId, op: Op) -> Atom {
        Atom::Var(self.bind(ty, op))
    }

    pub fn prim(&mut self, ty: TypeId, prim: PrimOp, args: &[Atom]) -> Atom {
        self.op(ty, Op::Prim(prim, args.to_vec()))
    }

    pub fn call(&mut self, ty: TypeId, callee: FuncId, args: &[Atom]) -> Atom {
        self.op(ty, Op::Call(Callee::Func(callee), args.to_vec()))
    }

    /// A nested block.
    pub fn block(&mut self, body: impl FnOnce(&mut Body) -> End) -> Block {
        let outer = std::mem::take(&mut self.stmts);
        let end = body(self);
        Block::new(std::mem::replace(&mut self.stmts, outer), end)
    }

    pub fn join(
        &mut self,
        params: &[TypeId],
        recursive: bool,
        body: impl FnOnce(&mut Body, JoinId, &[Var]) -> End,
    ) -> JoinId {
        let id = self.joins.push(JoinInfo::default());
        let params: Vec<Var> = params.iter().map(|&ty| self.var(ty)).collect();
        let block = self.block(|b| body(b, id, &params));
        self.stmts.push(Stmt::Join(Box::new(Join { id, params, recursive, body: block })));
        id
    }
}

pub fn var(var: Var) -> Atom {
    Atom::Var(var)
}

pub fn branch(condition: Atom, yes: Block, no: Block) -> End {
    End::Switch(Switch {
        scrutinee: condition,
        cases: vec![(Case::Bool(true), yes), (Case::Bool(false), no)],
        default: None,
    })
}

pub fn variants(scrutinee: Atom, blocks: Vec<Block>) -> End {
    let cases = blocks.into_iter().enumerate().map(|(tag, block)| (Case::Variant(tag as u32), block)).collect();
    End::Switch(Switch { scrutinee, cases, default: None })
}

pub fn construct(variant: u32, args: &[Atom]) -> Op {
    Op::Construct { variant, args: args.to_vec(), token: None }
}
