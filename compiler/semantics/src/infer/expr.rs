//! Expressions: from syntax to typed nodes, with what the surroundings expect as a hint.

use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::ast::{self, ExprKind as Ast};
use reml_syntax::names::Symbol;

use super::body::{FrameKind, Want, Why};
use super::call::Arg;
use super::ty::{Node, Row, Ty, Types, VarKind};
use crate::cx::*;
use crate::effects::{Event, TagSet, What, tags};
use crate::typed::*;
use crate::types::Prim;

impl<'a> Checker<'a> {
    /// An expression that must have a type.
    pub fn check(&mut self, e: &ast::Expr, ty: Ty, why: Why) -> ExprId {
        self.check_want(e, ty, Want { ty: Some(ty), why, tail: false })
    }

    pub fn check_want(&mut self, e: &ast::Expr, ty: Ty, want: Want) -> ExprId {
        let id = self.expr(e, want);
        self.coerce(id, ty, want.why)
    }

    /// An expression as a value: never a reference.
    pub fn value(&mut self, e: &ast::Expr, want: Want) -> ExprId {
        let id = self.expr(e, want);
        self.deref(id)
    }

    pub fn expr(&mut self, e: &ast::Expr, want: Want) -> ExprId {
        let id = self.expr_of_kind(e, want);
        if !self.t.rows.families.conflicts.is_empty() {
            self.report_effect_conflicts(e.span);
        }
        id
    }

    fn expr_of_kind(&mut self, e: &ast::Expr, want: Want) -> ExprId {
        let span = e.span;
        match &*e.kind {
            Ast::Int(value) => self.int_literal(*value, false, want, span),
            Ast::Float(value) => {
                let ty = self.number_type(VarKind::Float, want);
                self.b.expr(ExprKind::Float(*value), ty, span)
            }
            Ast::Bool(value) => self.b.expr(ExprKind::Bool(*value), Types::BOOL, span),
            Ast::Char(value) => self.b.expr(ExprKind::Char(*value), Types::CHAR, span),
            Ast::Str(text) => self.b.expr(ExprKind::Str(text.clone()), Types::STR, span),
            Ast::Unit => self.b.unit(span),
            Ast::Path(path) => self.path_expr(path, want),
            Ast::Tuple(items) => self.tuple_expr(items, want, span),
            Ast::Array(items) => self.array_expr(items, want, span),
            Ast::Record { path, fields, base } => self.record_expr(path.as_ref(), fields, base.as_ref(), want, span),
            Ast::JsonObject(fields) => self.json_object(fields, span),
            Ast::JsonArray(items) => self.json_array(items, span),
            Ast::JsonValue(value) => self.json_value(value),
            Ast::Field { base, name } => self.field_expr(e, base, *name, want),
            Ast::TupleField { base, index, .. } => self.tuple_field(base, *index, span),
            Ast::Index { base, index } => self.index_expr(base, index, span),
            Ast::Call { callee, args } => self.call_expr(callee, args, None, want, span),
            Ast::Try(operand) => self.try_expr(operand, want, span),
            Ast::Await(operand) => self.await_expr(operand, want, span),
            Ast::Unary { op, operand } => self.unary_expr(*op, operand, want, span),
            Ast::Binary { op, op_span, left, right } => self.binary_expr(*op, *op_span, left, right, want, span),
            Ast::Range { start, end, inclusive } => {
                self.range_expr(start.as_ref(), end.as_ref(), *inclusive, want, span)
            }
            Ast::Pipe { left, right } => self.pipe_expr(left, right, want, span),
            Ast::Cast { operand, ty } => self.cast_expr(operand, ty, span),
            Ast::Lambda { params, ret, body } => self.lambda_expr(params, ret.as_ref(), body, want, span),
            Ast::If { cond, then, els } => self.if_expr(cond, then, els.as_ref(), want, span),
            Ast::Match { scrutinee, arms } => self.match_expr(scrutinee, arms, want, span),
            Ast::While { cond, body } => self.while_expr(cond, body, span),
            Ast::For { pattern, iterable, body } => self.for_expr(pattern, iterable, body, span),
            Ast::Loop(body) => self.loop_expr(body, want, span),
            Ast::Block(block) => self.block(block, want),
            Ast::Unsafe(block) => {
                self.b.unsafe_depth += 1;
                let id = self.block(block, want);
                self.b.unsafe_depth -= 1;
                let row = self.b.row();
                self.effect_event(row, tags::UNSAFE, span, What::Text("an `unsafe` block"));
                id
            }
            Ast::EffectBlock { tags: row, body } => {
                let declared = self.body_effect_row(row).tags;
                let permits = declared.meets(&tags::FFI) || declared.meets(&tags::UNSAFE);
                self.b.unsafe_depth += u32::from(permits);
                let id = self.block(body, want);
                self.b.unsafe_depth -= u32::from(permits);
                id
            }
            Ast::Async { body, .. } => self.async_block(body, want, span),
            Ast::Return(value) => self.return_expr(value.as_ref(), span),
            Ast::Break(value) => self.break_expr(value.as_ref(), span),
            Ast::Continue => {
                if self.b.frame().loops.is_empty() {
                    return self.outside_loop("continue", span);
                }
                self.b.expr(ExprKind::Continue, Types::NEVER, span)
            }
            Ast::Perform { operation, args } => self.perform_expr(operation, args, want, span),
            Ast::Handle { body, handler } => self.handle_expr(body, handler, want, span),
            Ast::InlineAsm(args) => self.inline_asm(args, span),
            Ast::LlvmIr { ty, template, inputs } => self.llvm_ir(ty, template, inputs, span),
            Ast::Placeholder => {
                self.error(
                    codes::PARSE_PIPE_PLACEHOLDER,
                    span,
                    "`_` stands for a value only in the arguments of a pipe's call",
                );
                self.b.error(span)
            }
            Ast::Error => self.b.error(span),
        }
    }

    pub fn effect_event(&mut self, row: u32, tags: TagSet, span: Span, what: What) {
        self.t.rows.events.push(Event { row, tags, span, what });
    }

    /// Something is made on the heap here.
    pub fn allocates(&mut self, span: Span) {
        let row = self.b.row();
        if self.b.allocates != Some(row) {
            self.b.allocates = Some(row);
            self.effect_event(row, tags::ALLOC, span, What::Text("this value"));
        }
    }

    fn tuple_expr(&mut self, items: &[ast::Expr], want: Want, span: Span) -> ExprId {
        let expected = match want.ty.map(|ty| self.t.head(ty)) {
            Some(Node::Tuple(list)) if list.len as usize == items.len() => Some(list),
            _ => None,
        };
        let mut ids = Vec::with_capacity(items.len());
        let mut types = Vec::with_capacity(items.len());
        for (i, item) in items.iter().enumerate() {
            let id = match expected {
                Some(list) => {
                    let ty = self.t.at(list, i);
                    self.check(item, ty, want.why)
                }
                None => self.value(item, Want::NOTHING),
            };
            ids.push(id);
            types.push(match expected {
                Some(list) => self.t.at(list, i),
                None => self.b.ty(id),
            });
        }
        let ty = match (expected, want.ty) {
            (Some(_), Some(ty)) => ty,
            _ => self.t.tuple(&types),
        };
        self.b.expr(ExprKind::Tuple(ids), ty, span)
    }

    /// The element type and shape that an array literal is expected to have.
    fn array_expr(&mut self, items: &[ast::Expr], want: Want, span: Span) -> ExprId {
        let head = want.ty.map(|ty| self.t.head(ty));
        let element = match head {
            Some(Node::Array(element)) => element,
            Some(Node::Fixed(element, len)) => {
                if len as usize != items.len() {
                    let plural = if len == 1 { "" } else { "s" };
                    self.error(
                        codes::ARRAY_LENGTH,
                        span,
                        format!("expected an array of {len} element{plural}, found {}", items.len()),
                    );
                }
                element
            }
            Some(Node::Adt(def, args, _)) if Some(def) == self.lang.list => self.t.at(args, 0),
            Some(Node::Adt(def, ..)) => match self.collection_literal(items, want, span) {
                Some(id) => return id,
                None => {
                    let text = self.names.text(self.adts[def].name).to_owned();
                    self.error(codes::ARRAY_CONFLICT, span, format!("expected `{text}`, found an array literal"));
                    for item in items {
                        self.expr(item, Want::NOTHING);
                    }
                    return self.b.error(span);
                }
            },
            Some(Node::Var(_)) if self.t.is_sequence_literal(want.ty.unwrap_or(Types::ERROR)) => {
                match want.ty.and_then(|ty| self.t.var_kind(ty)) {
                    Some(VarKind::Seq(element)) => element,
                    _ => self.t.fresh(),
                }
            }
            _ => self.t.fresh(),
        };
        if items.is_empty() && self.t.is_var(element) {
            self.b.empty_arrays.push((element, span));
        }
        if !items.is_empty() && !matches!(head, Some(Node::Fixed(..))) {
            self.allocates(span);
        }
        let mut ids = Vec::with_capacity(items.len());
        let mut first = Span::NONE;
        for (index, item) in items.iter().enumerate() {
            let why = if index == 0 { want.why } else { Why::Element(first) };
            if index == 0 {
                first = item.span;
            }
            let id = self.expr(item, Want::of(element, why));
            let id = self.deref(id);
            ids.push(self.coerce(id, element, why));
        }
        let ty = match (head, want.ty) {
            (Some(Node::Array(_) | Node::Fixed(..) | Node::Adt(..)), Some(ty)) => ty,
            // An array or a list, as its uses tell.
            _ => self.t.var(VarKind::Seq(element)),
        };
        self.b.expr(ExprKind::Array(ids), ty, span)
    }

    /// Can the expression be moved over others: no effect, nothing that another could change?
    pub fn is_simple(&self, id: ExprId) -> bool {
        match &self.b.exprs[id].kind {
            ExprKind::Int(_)
            | ExprKind::Float(_)
            | ExprKind::Bool(_)
            | ExprKind::Char(_)
            | ExprKind::Str(_)
            | ExprKind::Fn(..)
            | ExprKind::Method { .. }
            | ExprKind::Global(_)
            | ExprKind::ConstructorFn { .. }
            | ExprKind::Lambda { .. } => true,
            ExprKind::Local(local) => !self.b.locals[*local].mutable,
            ExprKind::Borrow(inner) | ExprKind::Deref(inner) => self.is_simple(*inner),
            ExprKind::Tuple(items) => items.iter().all(|&item| self.is_simple(item)),
            ExprKind::Construct { args, .. } => args.iter().all(|&item| self.is_simple(item)),
            _ => false,
        }
    }

    pub fn variant_named(&self, def: TypeDefId, name: Symbol) -> Option<u32> {
        match &self.adts[def].kind {
            AdtKind::Sum(variants) => variants.iter().position(|v| v.name == name).map(|i| i as u32),
            AdtKind::Record(_) | AdtKind::Newtype(_) => (self.adts[def].name == name).then_some(0),
            AdtKind::Opaque => None,
        }
    }

    fn collection_literal(&mut self, items: &[ast::Expr], want: Want, span: Span) -> Option<ExprId> {
        let trait_ = self.lang_traits.from_array?;
        let subject = want.ty?;
        let head = self.head_of(subject)?;
        if !self.impl_index.contains_key(&(trait_, head)) {
            return None;
        }
        let element = self.t.fresh();
        let array_ty = self.t.array(element);
        // The impl tells the element type before the elements are looked at.
        let reference = TraitRefTy { trait_, args: vec![subject, element], span };
        self.require(reference, span);
        let array = self.array_expr(items, Want::of(array_ty, want.why), span);
        Some(self.method_call_on(trait_, 0, vec![subject, element], vec![array], subject, span))
    }

    // -----------------------------------------------------------------------------------------------
    // Pipes

    fn pipe_expr(&mut self, left: &ast::Expr, right: &ast::Expr, want: Want, span: Span) -> ExprId {
        // `x |> f? ` is `(x |> f)?`.
        if let Ast::Try(inner) = &*right.kind {
            let operand = self.pipe_expr(left, inner, Want::NOTHING, left.span.to(inner.span));
            return self.try_value(operand, want, span);
        }
        match &*right.kind {
            Ast::Call { callee, args } if !matches!(*callee.kind, Ast::Lambda { .. }) => {
                let slots = args.iter().filter(|arg| matches!(*arg.value.kind, Ast::Placeholder)).count();
                if slots > 1 {
                    self.error(
                        codes::PARSE_PIPE_PLACEHOLDER,
                        right.span,
                        "a pipe's value can fill only one `_`; bind it with `let` to use it twice",
                    );
                    self.expr(left, Want::NOTHING);
                    return self.b.error(span);
                }
                if slots == 1 {
                    // The piped value is evaluated first, wherever its slot is.
                    let value = self.value(left, Want::NOTHING);
                    let (bind, local) = self.temporary(value);
                    let piped = self.b.use_local(local, left.span);
                    let call = self.call_expr(callee, args, Some(Arg::done(piped, left.span)), want, span);
                    let ty = self.b.ty(call);
                    return self.b.expr(ExprKind::Block { stmts: vec![bind], result: Some(call) }, ty, span);
                }
                self.call_expr(callee, args, Some(Arg::ast(left)), want, span)
            }
            _ => self.call_expr(right, &[], Some(Arg::ast(left)), want, span),
        }
    }

    // -----------------------------------------------------------------------------------------------
    // `?`

    fn try_expr(&mut self, operand: &ast::Expr, want: Want, span: Span) -> ExprId {
        let operand = self.value(operand, Want::NOTHING);
        self.try_value(operand, want, span)
    }

    /// Whether what is being checked is the value of a top-level `let`, outside of any lambda.
    pub(crate) fn outside_function(&self) -> bool {
        matches!(self.b.def, Some(Def::Global(_)))
            && self.b.frames.iter().skip(1).all(|frame| frame.kind == FrameKind::Handled)
    }

    fn try_value(&mut self, operand: ExprId, _want: Want, span: Span) -> ExprId {
        if self.outside_function() {
            self.error(
                codes::CONTROL_OUTSIDE_FUNCTION,
                span,
                "`?` stands outside of a function that it could return from",
            );
            return self.b.error(span);
        }
        let ty = self.b.ty(operand);
        self.force(ty);
        self.t.settle(ty);
        let (ret, _why) = {
            let frame = self.b.return_frame();
            (frame.ret, frame.why)
        };
        match self.t.head(ty) {
            Node::Error => self.b.error(span),
            Node::Adt(def, args, row) if Some(def) == self.lang.result => {
                let (value_ty, error_ty) = (self.t.at(args, 0), self.t.at(args, 1));
                let (ok, err) = (self.variant_named(def, self.sym.ok), self.variant_named(def, self.sym.err));
                let (Some(ok), Some(err)) = (ok, err) else { return self.b.error(span) };
                let target_error = match self.t.head(ret) {
                    Node::Adt(other, ret_args, _) if other == def => self.t.at(ret_args, 1),
                    Node::Var(_) => {
                        let (value, error) = (self.t.fresh(), self.t.fresh());
                        let result = self.t.adt(def, &[value, error], row);
                        let _ = self.t.unify(ret, result);
                        error
                    }
                    Node::Error => Types::ERROR,
                    _ => return self.try_outside(ret, "Result", span),
                };
                let failure = self.b.local(None, error_ty, span, false);
                let carried = self.b.use_local(failure, span);
                let converted = self.convert_error(carried, target_error, span);
                let rebuilt = self.b.expr(ExprKind::Construct { variant: err, args: vec![converted] }, ret, span);
                self.try_match(operand, ty, ok, value_ty, err, Some(failure), rebuilt, span)
            }
            Node::Adt(def, args, row) if Some(def) == self.lang.option => {
                let value_ty = self.t.at(args, 0);
                let (some, none) = (self.variant_named(def, self.sym.some), self.variant_named(def, self.sym.none));
                let (Some(some), Some(none)) = (some, none) else { return self.b.error(span) };
                match self.t.head(ret) {
                    Node::Adt(other, ..) if other == def => {}
                    Node::Var(_) => {
                        let value = self.t.fresh();
                        let option = self.t.adt(def, &[value], row);
                        let _ = self.t.unify(ret, option);
                    }
                    Node::Error => {}
                    _ => return self.try_outside(ret, "Option", span),
                }
                let rebuilt = self.b.expr(ExprKind::Construct { variant: none, args: Vec::new() }, ret, span);
                self.try_match(operand, ty, some, value_ty, none, None, rebuilt, span)
            }
            Node::Var(_) => {
                self.error(
                    codes::TYPE_AMBIGUOUS,
                    span,
                    "the type of the value before `?` is not known here; annotate it",
                );
                self.b.error(span)
            }
            _ => {
                let text = self.show(ty);
                self.report(
                    Diagnostic::error(
                        codes::TRY_INVALID,
                        span,
                        format!("`?` works on `Result` and `Option`, found `{text}`"),
                    )
                    .with_help("remove the `?`"),
                );
                self.b.error(span)
            }
        }
    }

    fn try_outside(&mut self, ret: Ty, what: &str, span: Span) -> ExprId {
        let text = self.show(ret);
        let mut diagnostic = Diagnostic::error(
            codes::TRY_INVALID,
            span,
            format!("`?` on `{what}` needs a function that returns `{what}`, but this one returns `{text}`"),
        );
        if let Why::Return(at) = self.b.return_frame().why {
            diagnostic = diagnostic.with_label(at, "the result is declared here");
        }
        self.report(diagnostic.with_help("handle the failure with `match`, or change the result type"));
        self.b.error(span)
    }

    #[allow(clippy::too_many_arguments)]
    fn try_match(
        &mut self,
        operand: ExprId,
        ty: Ty,
        good: u32,
        value_ty: Ty,
        bad: u32,
        failure: Option<LocalId>,
        rebuilt: ExprId,
        span: Span,
    ) -> ExprId {
        let value = self.b.local(None, value_ty, span, false);
        let bind = self.b.bind_pattern(value, span);
        let good_pattern = self.b.pattern(PatternKind::Variant { variant: good, fields: vec![bind] }, ty, span);
        let good_body = self.b.use_local(value, span);
        let bad_fields = match failure {
            Some(local) => vec![self.b.bind_pattern(local, span)],
            None => Vec::new(),
        };
        let bad_pattern = self.b.pattern(PatternKind::Variant { variant: bad, fields: bad_fields }, ty, span);
        let bad_body = self.leave(Some(rebuilt), span);
        let arms = vec![
            Arm { pattern: good_pattern, guard: None, body: good_body, span },
            Arm { pattern: bad_pattern, guard: None, body: bad_body, span },
        ];
        self.b.expr(ExprKind::Match { scrutinee: operand, arms }, value_ty, span)
    }

    // -----------------------------------------------------------------------------------------------
    // Ranges and casts

    fn range_expr(
        &mut self,
        start: Option<&ast::Expr>,
        end: Option<&ast::Expr>,
        inclusive: bool,
        want: Want,
        span: Span,
    ) -> ExprId {
        let Some(def) = self.lang.range else {
            self.error(codes::NOT_SUPPORTED, span, "ranges need the standard library");
            return self.b.error(span);
        };
        let element = match want.ty.map(|ty| self.t.head(ty)) {
            Some(Node::Adt(d, args, _)) if d == def => self.t.at(args, 0),
            _ => self.t.fresh(),
        };
        let start_id = match start {
            Some(e) => {
                let id = self.expr(e, Want::of(element, Why::None));
                let id = self.deref(id);
                self.coerce(id, element, Why::None)
            }
            None => {
                let _ = self.t.unify(element, Types::INT);
                self.b.expr(ExprKind::Int(0), element, span.shrink_to_start())
            }
        };
        let end_id = match end {
            Some(e) => {
                let why = start.map_or(Why::None, |s| Why::Operand(s.span));
                let id = self.expr(e, Want::of(element, why));
                let id = self.deref(id);
                self.coerce(id, element, why)
            }
            None => {
                let _ = self.t.unify(element, Types::INT);
                self.b.expr(ExprKind::Int(i128::from(i64::MAX)), element, span.shrink_to_end())
            }
        };
        let flag = self.b.expr(ExprKind::Bool(inclusive), Types::BOOL, span);
        let row = if self.adts[def].has_row { Row::var(self.t.rows.fresh()) } else { Row::NONE };
        let ty = self.t.adt(def, &[element], row);
        // Stored order is by field name: end, inclusive, start.
        let (bind, local) = if self.is_simple(start_id) || self.is_simple(end_id) {
            (None, start_id)
        } else {
            let (bind, local) = self.temporary(start_id);
            (Some(bind), self.b.use_local(local, span))
        };
        let made = self.b.expr(ExprKind::Construct { variant: 0, args: vec![end_id, flag, local] }, ty, span);
        match bind {
            None => made,
            Some(bind) => self.b.expr(ExprKind::Block { stmts: vec![bind], result: Some(made) }, ty, span),
        }
    }

    fn cast_expr(&mut self, operand: &ast::Expr, ty: &ast::Type, span: Span) -> ExprId {
        let target = self.body_type(ty);
        let operand = self.value(operand, Want::NOTHING);
        let id = self.b.expr(ExprKind::Error, target, span);
        self.defer(id, super::body::DeferredKind::Cast { operand });
        id
    }

    /// Is the cast in the table of section 4.1? And can it fail?
    pub fn cast_rule(from: Prim, to: Prim) -> Option<bool> {
        use Prim::*;
        let number = |p: Prim| p.is_integer() || p.is_float();
        match (from, to) {
            _ if from == to => Some(false),
            (Bool, to) if number(to) => Some(false),
            (from, Bool) if number(from) => Some(false),
            (Char, to) if to.is_integer() => Some(!matches!(to, U32 | I32 | I64 | U64 | Isize | Usize)),
            (from, Char) if from.is_integer() => Some(from != U8),
            (from, to) if from.is_float() && to.is_float() => Some(false),
            (from, to) if from.is_integer() && to.is_float() => Some(false),
            (from, to) if from.is_float() && to.is_integer() => Some(true),
            (from, to) if from.is_integer() && to.is_integer() => {
                let (a, b) = (from.bits()?, to.bits()?);
                let widens = match (from.is_signed(), to.is_signed()) {
                    (true, true) | (false, false) => a <= b,
                    (false, true) => a < b,
                    (true, false) => false,
                };
                Some(!widens)
            }
            (RawPtr, to) if to.is_integer() => Some(false),
            (from, RawPtr) if from.is_integer() => Some(false),
            _ => None,
        }
    }
}
