//! Missing shapes and unreachable arms of hand-made matches.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::Span;
use reml_syntax::names::Names;

use super::{Tables, check_body};
use crate::typed::{
    Arm, Body, Expr, ExprId, ExprKind, FieldDef, ModuleId, Pattern, PatternId, PatternKind, TypeDef, TypeDefId,
    TypeDefKind, VariantDef,
};
use crate::types::{Prim, Type, TypeId, TypeStore};

struct Make {
    types: TypeStore,
    defs: PrimaryMap<TypeDefId, TypeDef>,
    names: Names,
    exprs: PrimaryMap<ExprId, Expr>,
    patterns: PrimaryMap<PatternId, Pattern>,
    arms: Vec<Arm>,
}

impl Make {
    fn new() -> Make {
        Make {
            types: TypeStore::new(),
            defs: PrimaryMap::new(),
            names: Names::new(),
            exprs: PrimaryMap::new(),
            patterns: PrimaryMap::new(),
            arms: Vec::new(),
        }
    }

    fn sum(&mut self, name: &str, arity: u32, variants: &[(&str, &[TypeId])]) -> TypeDefId {
        let variants = variants
            .iter()
            .map(|(name, fields)| VariantDef {
                name: self.names.intern(name),
                fields: fields.iter().map(|&ty| FieldDef { name: None, ty }).collect(),
                span: Span::NONE,
            })
            .collect();
        let name = self.names.intern(name);
        let kind = TypeDefKind::Sum(variants);
        self.defs.push(TypeDef { name, module: ModuleId::from_u32(0), span: Span::NONE, arity, kind })
    }

    fn pat(&mut self, ty: TypeId, kind: PatternKind) -> PatternId {
        self.patterns.push(Pattern { kind, ty, span: Span::NONE })
    }

    fn wild(&mut self, ty: TypeId) -> PatternId {
        self.pat(ty, PatternKind::Wildcard)
    }

    fn arm(&mut self, pattern: PatternId) {
        let body = self.exprs.push(Expr { kind: ExprKind::Bool(true), ty: self.types.unit(), span: Span::NONE });
        self.arms.push(Arm { pattern, guard: None, body, span: Span::NONE });
    }

    fn check(mut self, ty: TypeId, list: Option<TypeDefId>) -> Vec<String> {
        let scrutinee = self.exprs.push(Expr { kind: ExprKind::Bool(true), ty, span: Span::NONE });
        let kind = ExprKind::Match { scrutinee, arms: self.arms };
        let root = self.exprs.push(Expr { kind, ty: self.types.unit(), span: Span::NONE });
        let body = Body {
            locals: PrimaryMap::new(),
            exprs: self.exprs,
            patterns: self.patterns,
            params: Vec::new(),
            root,
            escapes: Vec::new(),
        };
        let mut tables = Tables { types: &mut self.types, type_defs: &self.defs, list };
        check_body(&mut tables, &body, &self.names).into_iter().map(|d| d.message).collect()
    }
}

#[test]
fn missing_variants_are_spelled_out() {
    let mut make = Make::new();
    let int = make.types.prim(Prim::I64);
    let def = make.sum("Shape", 0, &[("Circle", &[int]), ("Dot", &[]), ("Rect", &[int, int])]);
    let shape = make.types.intern(Type::Adt(def, [].into()));
    let zero = make.pat(int, PatternKind::Int(0));
    let circle = make.pat(shape, PatternKind::Variant { variant: 0, fields: vec![zero] });
    make.arm(circle);
    assert_eq!(
        make.check(shape, None),
        ["this `match` does not cover `Dot`, `Rect(_, _)`, `Circle(..=-1)` and `Circle(1..)`"]
    );
}

#[test]
fn covered_arms_are_reported() {
    let mut make = Make::new();
    let bool = make.types.prim(Prim::Bool);
    let pair = make.types.intern(Type::Tuple([bool, bool].into()));
    for values in [(Some(true), None), (None, Some(true)), (Some(true), Some(false)), (Some(false), Some(false))] {
        let mut part = |value: Option<bool>| match value {
            Some(value) => make.pat(bool, PatternKind::Bool(value)),
            None => make.wild(bool),
        };
        let fields = vec![part(values.0), part(values.1)];
        let pattern = make.pat(pair, PatternKind::Product(fields));
        make.arm(pattern);
    }
    assert_eq!(make.check(pair, None), ["this arm can never be reached"]);
}

#[test]
fn intervals_are_joined() {
    let mut make = Make::new();
    let byte = make.types.prim(Prim::U8);
    for (start, end) in [(None, Some(9)), (Some(5), Some(99)), (Some(101), None)] {
        let range = make.pat(byte, PatternKind::IntRange { start, end });
        make.arm(range);
    }
    assert_eq!(make.check(byte, None), ["this `match` does not cover `100`"]);
}

#[test]
fn lengths_of_arrays_and_lists() {
    for is_list in [false, true] {
        let mut make = Make::new();
        let int = make.types.prim(Prim::I64);
        let list = make.defs.next_key();
        let param = make.types.intern(Type::Param(0));
        let tail = make.types.intern(Type::Adt(list, [param].into()));
        make.sum("List", 1, &[("Nil", &[]), ("Cons", &[param, tail])]);
        let ty = if is_list { Type::Adt(list, [int].into()) } else { Type::Array(int) };
        let ty = make.types.intern(ty);
        let empty = make.pat(ty, PatternKind::Slice { prefix: vec![], rest: None, suffix: vec![] });
        make.arm(empty);
        let (a, b) = (make.wild(int), make.wild(int));
        let two = make.pat(ty, PatternKind::Slice { prefix: vec![a, b], rest: Some(None), suffix: vec![] });
        make.arm(two);
        assert_eq!(make.check(ty, Some(list)), ["this `match` does not cover `[_]`"]);
    }
}
