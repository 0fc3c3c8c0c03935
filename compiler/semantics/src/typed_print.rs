//! What does a typed tree look like? A text form for people and snapshot tests, close to Reml: signatures with their
//! inferred types and effects, bodies without sugar, locals with their types.
//!
//! ```text
//! fn main.double(local0_x: i64) -> i64 ! {} =
//!   Mul(local0_x, 2)
//! ```

use std::fmt::Write as _;

use reml_syntax::names::Names;

use crate::typed::{
    Body, ExprId, ExprKind, FnDef, FnId, FnKind, Handle, LocalId, ModuleId, PatternId, PatternKind, Perform, Place,
    PlaceStep, Program, Stmt, TypeDefKind,
};
use crate::types::{Type, TypeId};

/// The functions and globals of the modules that `only` picks, in the order of their ids.
pub fn dump(program: &Program, names: &Names, only: impl Fn(ModuleId) -> bool) -> String {
    let mut text = String::new();
    for global in program.globals.values().filter(|global| only(global.module)) {
        let mut printer = Printer { program, names, body: &global.body, text: String::new(), depth: 1 };
        let _ = write!(printer.text, "let {}: {} =\n  ", global.path, type_text(program, names, global.ty));
        printer.expr(global.body.root);
        printer.text.push_str("\n\n");
        text.push_str(&printer.text);
    }
    for def in program.fns.values().filter(|def| only(def.module)) {
        text.push_str(&function(program, names, def));
        text.push('\n');
    }
    text
}

/// A type as its author would write it; generics are `'0`, `'1`.
pub fn type_text(program: &Program, names: &Names, ty: TypeId) -> String {
    let show = |ty: TypeId| type_text(program, names, ty);
    let list = |types: &[TypeId]| types.iter().map(|&ty| show(ty)).collect::<Vec<_>>().join(", ");
    match program.types.get(ty) {
        Type::Prim(prim) => prim.name().to_owned(),
        Type::Tuple(items) if items.len() == 1 => format!("({},)", list(items)),
        Type::Tuple(items) => format!("({})", list(items)),
        Type::Record(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|&(name, ty)| format!("{}: {}", names.text(name), show(ty))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Type::Fn { params, ret } => format!("({}) -> {}", list(params), show(*ret)),
        Type::Adt(def, args) => {
            let name = names.text(program.type_defs[*def].name);
            if args.is_empty() { name.to_owned() } else { format!("{name}<{}>", list(args)) }
        }
        Type::Array(element) => format!("[{}]", show(*element)),
        Type::FixedArray(element, len) => format!("[{}; {len}]", show(*element)),
        Type::Ref { mutable, inner } => format!("&{}{}", if *mutable { "mut " } else { "" }, show(*inner)),
        Type::VarCell(inner) => format!("__Cell<{}>", show(*inner)),
        Type::Param(index) => format!("'{index}"),
        Type::Error => "<error>".to_owned(),
    }
}

fn function(program: &Program, names: &Names, def: &FnDef) -> String {
    let mut head = String::from("fn ");
    head.push_str(&def.path);
    if def.arity > 0 {
        let generics: Vec<String> = (0..def.arity).map(|index| format!("'{index}")).collect();
        let _ = write!(head, "<{}>", generics.join(", "));
    }
    let params: Vec<String> = def
        .params
        .iter()
        .map(|param| {
            let name = param.name.map_or("_", |name| names.text(name));
            format!("{name}: {}", type_text(program, names, param.ty))
        })
        .collect();
    let ret = type_text(program, names, def.ret);
    let _ = write!(head, "({}) -> {ret} ! {{{}}}", params.join(", "), def.effects.join(", "));
    match &def.kind {
        FnKind::Reml(body) => {
            let mut printer = Printer { program, names, body, text: head, depth: 1 };
            printer.text.push_str(" =\n");
            let wildcards = body.params.iter().all(|&id| matches!(body.patterns[id].kind, PatternKind::Wildcard));
            if !wildcards {
                let patterns: Vec<String> = body.params.iter().map(|&id| printer.pattern(id)).collect();
                let _ = writeln!(printer.text, "  with ({})", patterns.join(", "));
            }
            printer.text.push_str("  ");
            printer.expr(body.root);
            printer.text.push('\n');
            printer.text
        }
        FnKind::Primitive(name) => format!("{head} = prim {name}\n"),
        FnKind::Runtime(name) => format!("{head} = rt {name}\n"),
        FnKind::Foreign(foreign) => format!("{head} = c {}\n", foreign.symbol),
        FnKind::Required => format!("{head}\n"),
    }
}

struct Printer<'a> {
    program: &'a Program,
    names: &'a Names,
    body: &'a Body,
    text: String,
    depth: usize,
}

impl Printer<'_> {
    fn newline(&mut self) {
        self.text.push('\n');
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn exprs(&mut self, open: &str, ids: &[ExprId], close: &str) {
        self.push(open);
        for (index, &id) in ids.iter().enumerate() {
            if index > 0 {
                self.push(", ");
            }
            self.expr(id);
        }
        self.push(close);
    }

    /// `word(operand)`
    fn unary(&mut self, word: &str, operand: ExprId) {
        self.exprs(&format!("{word}("), &[operand], ")");
    }

    fn optional(&mut self, word: &str, operand: Option<ExprId>) {
        self.push(word);
        if let Some(operand) = operand {
            self.push(" ");
            self.expr(operand);
        }
    }

    fn expr(&mut self, id: ExprId) {
        let body = self.body;
        let expr = &body.exprs[id];
        match &expr.kind {
            ExprKind::Int(value) => self.push(&value.to_string()),
            ExprKind::Float(value) => self.push(&format!("{value:?}")),
            ExprKind::Bool(value) => self.push(&value.to_string()),
            ExprKind::Char(value) => self.push(&format!("{value:?}")),
            ExprKind::Str(value) => self.push(&format!("{value:?}")),
            ExprKind::Local(local) => self.push(&self.local(*local)),
            ExprKind::Global(global) | ExprKind::InitialisedGlobal(global) => {
                self.push(&self.program.globals[*global].path)
            }
            ExprKind::Fn(function, args) => self.push(&self.instance(*function, args)),
            ExprKind::Method { trait_, method, args } => {
                let def = &self.program.traits[*trait_];
                let name = self.names.text(def.methods[*method as usize].name);
                let text = format!("{}.{name}{}", self.names.text(def.name), self.type_args(args));
                self.push(&text);
            }
            ExprKind::ConstructorFn { variant } => {
                let ret = match self.program.types.get(expr.ty) {
                    Type::Fn { ret, .. } => *ret,
                    _ => expr.ty,
                };
                self.push(&self.variant(ret, *variant));
            }
            ExprKind::Call { callee, args } => {
                self.expr(*callee);
                self.exprs("(", args, ")");
            }
            ExprKind::Binary { op, left, right } => self.exprs(&format!("{op:?}("), &[*left, *right], ")"),
            ExprKind::Unary { op, operand } => self.unary(&format!("{op:?}"), *operand),
            ExprKind::And(left, right) => self.exprs("and(", &[*left, *right], ")"),
            ExprKind::Or(left, right) => self.exprs("or(", &[*left, *right], ")"),
            ExprKind::Construct { variant, args } => {
                self.push(&self.variant(expr.ty, *variant));
                self.exprs("(", args, ")");
            }
            ExprKind::Record(fields) => self.exprs("{", fields, "}"),
            ExprKind::Tuple(items) => self.exprs("(", items, ")"),
            ExprKind::Array(items) => self.exprs("[", items, "]"),
            ExprKind::Field { base, index } => {
                self.expr(*base);
                self.push(&format!(".{index}"));
            }
            ExprKind::Update { base, fields } => {
                self.push("{..");
                self.expr(*base);
                for (index, value) in fields {
                    self.push(&format!(", {index}: "));
                    self.expr(*value);
                }
                self.push("}");
            }
            ExprKind::Unwrap(inner) => self.unary("unwrap", *inner),
            ExprKind::Index { base, index } => {
                self.expr(*base);
                self.exprs("[", &[*index], "]");
            }
            ExprKind::Cast(operand) => {
                let ty = self.ty(expr.ty);
                self.unary(&format!("cast<{ty}>"), *operand);
            }
            ExprKind::Lambda { params, body } => {
                let params: Vec<String> = params.iter().map(|&param| self.pattern(param)).collect();
                self.push(&format!("|{}| ", params.join(", ")));
                self.expr(*body);
            }
            ExprKind::LetRec { bindings, rest } => {
                self.push("{");
                self.depth += 1;
                for (local, value) in bindings {
                    self.newline();
                    let local = self.typed_local(*local);
                    self.push(&format!("rec {local} = "));
                    self.expr(*value);
                }
                self.newline();
                self.expr(*rest);
                self.depth -= 1;
                self.newline();
                self.push("}");
            }
            ExprKind::Block { stmts, result } => self.block(stmts, *result),
            ExprKind::If { cond, then, els } => {
                self.push("if ");
                self.expr(*cond);
                self.push(" then ");
                self.expr(*then);
                self.push(" else ");
                self.expr(*els);
            }
            ExprKind::Match { scrutinee, arms } => {
                self.push("match ");
                self.expr(*scrutinee);
                self.push(" {");
                self.depth += 1;
                for arm in arms {
                    self.newline();
                    let pattern = self.pattern(arm.pattern);
                    self.push(&pattern);
                    if let Some(guard) = arm.guard {
                        self.push(" when ");
                        self.expr(guard);
                    }
                    self.push(" -> ");
                    self.expr(arm.body);
                }
                self.depth -= 1;
                self.newline();
                self.push("}");
            }
            ExprKind::Loop { body } => {
                self.push("loop ");
                self.expr(*body);
            }
            ExprKind::Break(value) => self.optional("break", *value),
            ExprKind::Continue => self.push("continue"),
            ExprKind::Return(value) => self.optional("return", *value),
            ExprKind::Assign { place, value } => {
                self.place(place);
                self.push(" := ");
                self.expr(*value);
            }
            ExprKind::Borrow(inner) => {
                self.push("&");
                self.expr(*inner);
            }
            ExprKind::BorrowMut(place) => {
                self.push("&mut ");
                self.place(place);
            }
            ExprKind::Deref(inner) => {
                self.push("*");
                self.expr(*inner);
            }
            ExprKind::Perform(perform) => {
                let Perform { effect, effect_args, operation, type_args, args } = &**perform;
                let def = &self.program.effects[*effect];
                let operation = self.names.text(def.operations[*operation as usize].name);
                let (effect_args, type_args) = (self.type_args(effect_args), self.type_args(type_args));
                self.push(&format!("perform {}{effect_args}.{operation}{type_args}", def.path));
                self.exprs("(", args, ")");
            }
            ExprKind::Handle(handle) => self.handle(handle),
            ExprKind::Panic { code, message } => self.push(&format!("panic({code:?}, {message:?})")),
            ExprKind::Error => self.push("<error>"),
        }
    }

    fn handle(&mut self, handle: &Handle) {
        let def = &self.program.effects[handle.effect];
        self.push("handle ");
        self.expr(handle.body);
        let args = self.type_args(&handle.effect_args);
        self.push(&format!(" with {}{args} {{", def.path));
        self.depth += 1;
        for (clause, operation) in handle.clauses.iter().zip(&def.operations) {
            self.newline();
            let reentrant = if clause.reentrant { "@reentrant " } else { "" };
            let name = self.names.text(operation.name);
            self.push(&format!("{reentrant}{:?} {name} = ", clause.kind));
            self.expr(clause.function);
        }
        if let Some(ret) = handle.ret {
            self.newline();
            self.push("return = ");
            self.expr(ret);
        }
        self.depth -= 1;
        self.newline();
        self.push("}");
    }

    fn block(&mut self, stmts: &[Stmt], result: Option<ExprId>) {
        if stmts.is_empty() && result.is_none() {
            return self.push("()");
        }
        self.push("{");
        self.depth += 1;
        for stmt in stmts {
            self.newline();
            match stmt {
                Stmt::Let { pattern, value } => {
                    let pattern = self.pattern(*pattern);
                    self.push(&format!("let {pattern} = "));
                    self.expr(*value);
                }
                Stmt::Expr(value) => self.expr(*value),
                Stmt::Defer(value) => {
                    self.push("defer ");
                    self.expr(*value);
                }
            }
        }
        if let Some(result) = result {
            self.newline();
            self.push("=> ");
            self.expr(result);
        }
        self.depth -= 1;
        self.newline();
        self.push("}");
    }

    fn place(&mut self, place: &Place) {
        self.push(&self.local(place.local));
        for step in &place.path {
            match step {
                PlaceStep::Field { index, .. } => self.push(&format!(".{index}")),
                PlaceStep::Index { index, .. } => self.exprs("[", &[*index], "]"),
            }
        }
    }

    fn pattern(&self, id: PatternId) -> String {
        let pattern = &self.body.patterns[id];
        let list = |ids: &[PatternId]| ids.iter().map(|&id| self.pattern(id)).collect::<Vec<_>>().join(", ");
        match &pattern.kind {
            PatternKind::Wildcard => "_".to_owned(),
            PatternKind::Bind(local, None) => self.typed_local(*local),
            PatternKind::Bind(local, Some(inner)) => {
                format!("{} @ {}", self.typed_local(*local), self.pattern(*inner))
            }
            PatternKind::Int(value) => value.to_string(),
            PatternKind::Float(value) => format!("{value:?}"),
            PatternKind::Bool(value) => value.to_string(),
            PatternKind::Char(value) => format!("{value:?}"),
            PatternKind::Str(value) => format!("{value:?}"),
            PatternKind::Product(fields) => format!("({})", list(fields)),
            PatternKind::Variant { variant, fields } => {
                format!("{}({})", self.variant(pattern.ty, *variant), list(fields))
            }
            PatternKind::Slice { prefix, rest, suffix } => {
                let mut parts: Vec<String> = prefix.iter().map(|&id| self.pattern(id)).collect();
                if let Some(rest) = rest {
                    parts.push(format!("..{}", rest.map_or_else(String::new, |local| self.local(local))));
                }
                parts.extend(suffix.iter().map(|&id| self.pattern(id)));
                format!("[{}]", parts.join(", "))
            }
            PatternKind::IntRange { start, end } => {
                let bound = |bound: &Option<i128>| bound.map_or_else(String::new, |bound| bound.to_string());
                format!("{}..={}", bound(start), bound(end))
            }
            PatternKind::FloatRange { start, end, inclusive } => {
                let bound = |bound: &Option<f64>| bound.map_or_else(String::new, |bound| format!("{bound:?}"));
                format!("{}..{}{}", bound(start), if *inclusive { "=" } else { "" }, bound(end))
            }
            PatternKind::Regex { source, groups } => {
                let groups: Vec<String> =
                    groups.iter().map(|(group, local)| format!("{group}: {}", self.local(*local))).collect();
                format!("r{source:?}({})", groups.join(", "))
            }
            PatternKind::Active { view, partial, arg } => {
                let mut printer = Printer { text: String::new(), ..*self };
                printer.expr(*view);
                format!("(|{}{}|)({})", printer.text, if *partial { "|_" } else { "" }, self.pattern(*arg))
            }
            PatternKind::Or(alternatives) => {
                alternatives.iter().map(|&id| self.pattern(id)).collect::<Vec<_>>().join(" | ")
            }
            PatternKind::Error => "<error>".to_owned(),
        }
    }

    fn local(&self, id: LocalId) -> String {
        match self.body.locals[id].name {
            Some(name) => format!("{id}_{}", self.names.text(name)),
            None => id.to_string(),
        }
    }

    fn typed_local(&self, id: LocalId) -> String {
        let local = &self.body.locals[id];
        let mutable = if local.mutable { "var " } else { "" };
        let boxed = if local.boxed { "boxed " } else { "" };
        format!("{boxed}{mutable}{}: {}", self.local(id), self.ty(local.ty))
    }

    fn ty(&self, ty: TypeId) -> String {
        type_text(self.program, self.names, ty)
    }

    fn instance(&self, function: FnId, args: &[TypeId]) -> String {
        format!("{}{}", self.program.fns[function].path, self.type_args(args))
    }

    fn type_args(&self, args: &[TypeId]) -> String {
        if args.is_empty() {
            return String::new();
        }
        format!("<{}>", args.iter().map(|&ty| self.ty(ty)).collect::<Vec<_>>().join(", "))
    }

    fn variant(&self, ty: TypeId, variant: u32) -> String {
        let Type::Adt(def, _) = self.program.types.get(ty) else { return format!("#{variant}") };
        let def = &self.program.type_defs[*def];
        match &def.kind {
            TypeDefKind::Sum(variants) => variants
                .get(variant as usize)
                .map_or_else(|| format!("#{variant}"), |variant| self.names.text(variant.name).to_owned()),
            _ => self.names.text(def.name).to_owned(),
        }
    }
}
