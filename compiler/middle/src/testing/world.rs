//! A small world of types to write Core tests in.

use cranelift_entity::{PrimaryMap, SecondaryMap};
use reml_diagnostics::Span;
use reml_semantics::typed::{FieldDef, ModuleId, TypeDef, TypeDefId, TypeDefKind, VariantDef};
use reml_semantics::types::{Prim, Type, TypeId, TypeStore};
use reml_syntax::names::Symbol;

use crate::core::{
    Atom, Block, End, FuncId, Function, Inline, JoinId, Mode, Op, Program, RuntimeFn, RuntimeId, Stmt, Var, VarInfo,
};

/// The types that tests use.
pub struct World {
    pub program: Program,
    pub int: TypeId,
    pub bool: TypeId,
    pub unit: TypeId,
    /// `List = Nil | Cons(i64, List)`
    pub list: TypeId,
    /// `Tree = Leaf | Node(Tree, List, Tree)`
    pub tree: TypeId,
    /// `(List, i64)`, unboxed.
    pub pair: TypeId,
    /// `None | Some(List)`, nullable.
    pub option: TypeId,
    /// `A(List, i64) | B(Tree) | C`, unboxed.
    pub either: TypeId,
    /// `Wrap(pair)`, a newtype.
    pub wrap: TypeId,
    /// Six fields, boxed: `{ List, i64, List, i64, Tree, i64 }`.
    pub record: TypeId,
    /// `[List]`
    pub array: TypeId,
    /// A mutable cell of `List`.
    pub cell: TypeId,
    /// `i64 -> List`
    pub arrow: TypeId,
    /// `Red | Green | Blue`, a number.
    pub colour: TypeId,
    pub text: TypeId,
    /// `([List], List)`: what is left of an array, and the element that was taken out.
    pub taken: TypeId,
    /// `emit(i64)`: what a program is observed by.
    pub emit: RuntimeId,
    /// `concat(&Str, &Str) -> Str`
    pub concat: RuntimeId,
}

impl World {
    pub fn new() -> World {
        let mut types = TypeStore::new();
        let mut defs: PrimaryMap<TypeDefId, TypeDef> = PrimaryMap::new();
        let mut names: SecondaryMap<TypeDefId, Box<str>> = SecondaryMap::new();
        let int = types.prim(Prim::I64);
        let unit = types.unit();
        let declare = |types: &mut TypeStore, defs: &mut PrimaryMap<TypeDefId, TypeDef>, index: u32| {
            let id = TypeDefId::from_u32(index);
            assert_eq!(id, defs.next_key());
            types.intern(Type::Adt(id, Box::new([])))
        };
        let sum = |variants: &[&[TypeId]]| {
            let variants = variants.iter().map(|fields| VariantDef {
                name: Symbol(0),
                fields: fields.iter().map(|&ty| FieldDef { name: None, ty }).collect(),
                span: Span::NONE,
            });
            TypeDefKind::Sum(variants.collect())
        };
        let mut define = |defs: &mut PrimaryMap<TypeDefId, TypeDef>, name: &str, kind: TypeDefKind| {
            let id = defs.push(TypeDef {
                name: Symbol(0),
                module: ModuleId::from_u32(0),
                span: Span::NONE,
                arity: 0,
                kind,
                repr: None,
            });
            names[id] = name.into();
        };
        let list = declare(&mut types, &mut defs, 0);
        define(&mut defs, "List", sum(&[&[], &[int, list]]));
        let tree = declare(&mut types, &mut defs, 1);
        define(&mut defs, "Tree", sum(&[&[], &[tree, list, tree]]));
        let pair = types.intern(Type::Tuple(Box::new([list, int])));
        let option = declare(&mut types, &mut defs, 2);
        define(&mut defs, "Option", sum(&[&[], &[list]]));
        let either = declare(&mut types, &mut defs, 3);
        define(&mut defs, "Either", sum(&[&[list, int], &[tree], &[]]));
        let wrap = declare(&mut types, &mut defs, 4);
        define(&mut defs, "Wrap", TypeDefKind::Newtype(pair));
        let record = declare(&mut types, &mut defs, 5);
        let fields = [list, int, list, int, tree, int].map(|ty| FieldDef { name: Some(Symbol(0)), ty });
        define(&mut defs, "Record", TypeDefKind::Record(fields.into()));
        let colour = declare(&mut types, &mut defs, 6);
        define(&mut defs, "Colour", sum(&[&[], &[], &[]]));
        let array = types.intern(Type::Array(list));
        let taken = types.intern(Type::Tuple(Box::new([array, list])));
        let text = types.prim(Prim::Str);
        let cell = types.intern(Type::VarCell(list));
        let arrow = types.intern(Type::Fn { params: Box::new([int]), ret: list });
        let mut runtime = PrimaryMap::new();
        let emit =
            runtime.push(RuntimeFn { symbol: "emit".into(), params: vec![(int, Mode::Owned)], ret: unit, pure: false });
        let params = vec![(text, Mode::Borrowed), (text, Mode::Borrowed)];
        let concat = runtime.push(RuntimeFn { symbol: "reml_str_concat".into(), params, ret: text, pure: true });
        let bool = types.prim(Prim::Bool);
        let program = Program {
            types,
            type_defs: defs,
            type_names: names,
            funcs: PrimaryMap::new(),
            globals: PrimaryMap::new(),
            strings: PrimaryMap::new(),
            runtime,
            foreign: PrimaryMap::new(),
            callbacks: PrimaryMap::new(),
            native: Vec::new(),
            entry: FuncId::from_u32(0),
            library: Vec::new(),
            dispatcher: None,
            version: None,
        };
        World {
            program,
            int,
            bool,
            unit,
            list,
            tree,
            pair,
            option,
            either,
            wrap,
            record,
            array,
            cell,
            arrow,
            colour,
            text,
            taken,
            emit,
            concat,
        }
    }

    pub fn int_atom(&self, value: i64) -> Atom {
        Atom::Int(value.into(), self.int)
    }

    /// Starts a function; `finish` completes it.
    pub fn function(&self, name: &str, params: &[TypeId], captures: usize, ret: TypeId) -> Function {
        let mut vars = PrimaryMap::new();
        let params: Vec<Var> =
            params.iter().map(|&ty| vars.push(VarInfo { ty, name: None, span: Span::NONE })).collect();
        Function {
            name: name.into(),
            span: Span::NONE,
            captures,
            modes: (0..params.len()).map(|at| if at < captures { Mode::Borrowed } else { Mode::Owned }).collect(),
            params,
            ret,
            vars,
            joins: PrimaryMap::new(),
            body: Block::new(Vec::new(), End::Unreachable),
            inline: Inline::Auto,
            consuming: None,
            roots: Default::default(),
        }
    }
}

/// Adds `let v: ty = op` and gives `v`.
pub fn bind(function: &mut Function, out: &mut Vec<Stmt>, ty: TypeId, op: Op) -> Var {
    let var = function.vars.push(VarInfo { ty, name: None, span: Span::NONE });
    out.push(Stmt::Let(var, op));
    var
}

pub fn join_id(function: &mut Function) -> JoinId {
    function.joins.push(crate::core::JoinInfo::default())
}

pub fn fresh(function: &mut Function, ty: TypeId) -> Var {
    function.vars.push(VarInfo { ty, name: None, span: Span::NONE })
}

pub fn construct(variant: u32, args: Vec<Atom>) -> Op {
    Op::Construct { variant, args, token: None }
}

pub fn field(base: Var, variant: u32, index: u32) -> Op {
    Op::Field { base: Atom::Var(base), variant, index }
}
