//! What runs `main`: the executor for an `async` one, and the default handler of `Console`, by which what a program prints
//! through the effect, and nobody handles, goes to the standard streams.
//!
//! It is for an effect called `Console` whose operations are `log` and its kin, each of type `Str -> ()`. Where such an
//! effect leaves `main`, the program starts with a function that handles it around `main`.

use cranelift_entity::PrimaryMap;
use reml_diagnostics::Span;

use crate::cx::*;
use crate::infer::ty::Types;
use crate::typed::*;
use crate::types::{Type, TypeId};

/// Operations, and the functions of `Core.Lang` that do them.
const OPERATIONS: &[(&str, &str)] = &[
    ("log", "println_str"),
    ("println", "println_str"),
    ("print", "print_str"),
    ("error", "eprintln_str"),
    ("eprintln", "eprintln_str"),
    ("eprint", "eprint_str"),
];

impl<'a> Checker<'a> {
    /// The functions that do the operations of an effect by default, when all have one.
    pub fn default_handler(&self, effect: EffectId) -> Option<Vec<FnId>> {
        let info = &self.effect_decls[effect];
        if self.names.text(info.name) != "Console" || !info.generics.is_empty() || info.operations.is_empty() {
            return None;
        }
        let text = |ty| self.t.resolve(ty) == Types::STR;
        info.operations
            .iter()
            .map(|operation| {
                let fits = operation.generics.is_empty()
                    && matches!(&operation.params[..], [only] if text(only.ty))
                    && self.t.resolve(operation.ret) == Types::UNIT;
                let name = self.names.text(operation.name);
                let (_, does) = OPERATIONS.iter().find(|(known, _)| fits && *known == name)?;
                self.lang_fn(does)
            })
            .collect()
    }

    /// The effects that leave a function and have a default handler.
    fn left_to_default(&self, id: FnId) -> Vec<(EffectId, Vec<FnId>)> {
        let tags = self.effects_of(id).union(&self.effects_of_future(id));
        self.effect_decls
            .iter()
            .filter(|(_, info)| tags.has(info.tag))
            .filter_map(|(effect, _)| Some((effect, self.default_handler(effect)?)))
            .collect()
    }

    /// `main`, or a function that runs it: the future it gives, under the default handlers it needs.
    pub fn handled_main(&mut self, main: FnId, fns: &mut PrimaryMap<FnId, FnDef>) -> FnId {
        let run = self.awaited(main, fns).unwrap_or(main);
        self.left_to_default(main).into_iter().fold(run, |inner, (effect, does)| {
            let made = self.main_under(inner, effect, &does, fns);
            fns.push(made)
        })
    }

    fn main_under(&mut self, main: FnId, effect: EffectId, does: &[FnId], fns: &PrimaryMap<FnId, FnDef>) -> FnDef {
        let def = &fns[main];
        let mut body = Builder::new(def.span);
        let (params, call) = self.call_of_main(&mut body, main, def);
        let thunk_ty = self.store.intern(Type::Fn { params: Box::default(), ret: def.ret });
        let thunk = body.expr(ExprKind::Lambda { params: Vec::new(), body: call }, thunk_ty);
        let clauses = does
            .iter()
            .enumerate()
            .map(|(index, &does)| {
                let operation = &self.effect_decls[effect].operations[index];
                let (name, reentrant, span) = (operation.params[0].name, operation.reentrant, operation.span);
                let function = self.default_clause(&mut body, &fns[does], does, name);
                Clause { kind: ClauseKind::Tail, function, reentrant, first_generic: 0, span }
            })
            .collect();
        let handle = Handle { effect, effect_args: Vec::new(), body: thunk, clauses, ret: None };
        let root = body.expr(ExprKind::Handle(Box::new(handle)), def.ret);
        let name = self.names.text(self.effect_decls[effect].name);
        let effects = def.effects.iter().filter(|effect| ***effect != *name).cloned().collect();
        around(def, format!("{}.<{name}>", def.path).into(), def.ret, effects, body.finish(params, root))
    }

    /// A function of the same name that runs the future which an `async` one gives: `block_on(main())`.
    pub fn awaited(&mut self, main: FnId, fns: &mut PrimaryMap<FnId, FnDef>) -> Option<FnId> {
        let block_on = self.lang_fn("block_on").filter(|_| self.is_async(main))?;
        let def = &fns[main];
        let (Type::Adt(found, answer), Type::Adt(result, of_block_on)) =
            (self.store.get(def.ret).clone(), self.store.get(fns[block_on].ret).clone())
        else {
            return None;
        };
        debug_assert_eq!(Some(found), self.lang.future);
        // `Result<T, AsyncError>`, for the `T` of the future.
        let args = [answer[0], of_block_on[1]];
        let ret = self.store.intern(Type::Adt(result, Box::new(args)));
        let mut body = Builder::new(def.span);
        let (params, call) = self.call_of_main(&mut body, main, def);
        let callee_ty = self.store.intern(Type::Fn { params: Box::new([def.ret]), ret });
        let callee = body.expr(ExprKind::Fn(block_on, vec![answer[0]]), callee_ty);
        let root = body.expr(ExprKind::Call { callee, args: vec![call] }, ret);
        let made = around(def, def.path.clone(), ret, def.effects.clone(), body.finish(params, root));
        Some(fns.push(made))
    }

    /// The parameters of a function around `main`, and the call of `main` with them.
    fn call_of_main(&mut self, body: &mut Builder, main: FnId, def: &FnDef) -> (Vec<PatternId>, ExprId) {
        let params: Vec<PatternId> = def.params.iter().map(|param| body.param(param.name, param.ty)).collect();
        let args: Vec<ExprId> = body.locals.keys().collect::<Vec<_>>().into_iter().map(|l| body.local(l)).collect();
        let types = def.params.iter().map(|param| param.ty).collect();
        let callee_ty = self.store.intern(Type::Fn { params: types, ret: def.ret });
        let callee = body.expr(ExprKind::Fn(main, Vec::new()), callee_ty);
        let call = body.expr(ExprKind::Call { callee, args }, def.ret);
        (params, call)
    }

    /// `|text| println_str(text)`
    fn default_clause(
        &mut self,
        body: &mut Builder,
        def: &FnDef,
        does: FnId,
        name: Option<reml_syntax::names::Symbol>,
    ) -> ExprId {
        let (text, unit) = (self.store.prim(crate::types::Prim::Str), self.store.unit());
        let pattern = body.param(name, text);
        let PatternKind::Bind(local, _) = body.patterns[pattern].kind else { unreachable!("it has just been bound") };
        let mut arg = body.local(local);
        let wanted = def.params[0].ty;
        if wanted != text {
            arg = body.expr(ExprKind::Borrow(arg), wanted);
        }
        let callee_ty = self.store.intern(Type::Fn { params: Box::new([wanted]), ret: unit });
        let callee = body.expr(ExprKind::Fn(does, Vec::new()), callee_ty);
        let call = body.expr(ExprKind::Call { callee, args: vec![arg] }, unit);
        let lambda_ty = self.store.intern(Type::Fn { params: Box::new([text]), ret: unit });
        body.expr(ExprKind::Lambda { params: vec![pattern], body: call }, lambda_ty)
    }
}

/// A function around `main`, with its parameters.
fn around(main: &FnDef, path: Box<str>, ret: TypeId, effects: Vec<Box<str>>, body: Body) -> FnDef {
    FnDef {
        name: main.name,
        path,
        module: main.module,
        span: main.span,
        arity: 0,
        params: main.params.iter().map(|param| ParamDef { name: param.name, ty: param.ty }).collect(),
        ret,
        effects,
        inline: InlineHint::Auto,
        kind: FnKind::Reml(Box::new(body)),
    }
}

/// A body made from nothing, whose types are known.
struct Builder {
    span: Span,
    locals: PrimaryMap<LocalId, Local>,
    exprs: PrimaryMap<ExprId, Expr>,
    patterns: PrimaryMap<PatternId, Pattern>,
}

impl Builder {
    fn new(span: Span) -> Builder {
        Builder { span, locals: PrimaryMap::new(), exprs: PrimaryMap::new(), patterns: PrimaryMap::new() }
    }

    fn expr(&mut self, kind: ExprKind, ty: TypeId) -> ExprId {
        self.exprs.push(Expr { kind, ty, span: self.span })
    }

    fn local(&mut self, local: LocalId) -> ExprId {
        let ty = self.locals[local].ty;
        self.expr(ExprKind::Local(local), ty)
    }

    fn param(&mut self, name: Option<reml_syntax::names::Symbol>, ty: TypeId) -> PatternId {
        let span = self.span;
        let local = self.locals.push(Local { name, ty, span, mutable: false, boxed: false, global: None });
        self.patterns.push(Pattern { kind: PatternKind::Bind(local, None), ty, span })
    }

    fn finish(self, params: Vec<PatternId>, root: ExprId) -> Body {
        Body { locals: self.locals, exprs: self.exprs, patterns: self.patterns, params, root, escapes: Vec::new() }
    }
}
