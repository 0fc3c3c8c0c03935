//! Is what C has transferred given back, whatever happens in between, and does the log learn of it?
//!
//! A function that gets a plain pointer from a foreign function that is declared `@ownership("transferred")`, and keeps it to itself, has to see to that:
//! with `defer`, because a panic leaves the function, too, and with a record, because nobody else knows. Only pointers that stay in the function are looked
//! at: one that is returned, stored, or given to a function of the program is somebody else's business. `ForeignPtr` does both by itself.

use cranelift_entity::{EntitySet, PrimaryMap, SecondaryMap};
use reml_diagnostics::{Diagnostic, Span, codes};
use reml_syntax::names::Names;

use crate::infer::clauses::children;
use crate::typed::{
    Body, ExprId, ExprKind, FnDef, FnId, FnKind, ForeignContract, LocalId, Module, ModuleId, Ownership, PatternKind,
    Stmt,
};
use crate::types::TypeStore;

/// What has to be known of the program.
pub struct Tables<'a> {
    pub types: &'a TypeStore,
    pub fns: &'a PrimaryMap<FnId, FnDef>,
    pub modules: &'a PrimaryMap<ModuleId, Module>,
}

/// Looks at one body.
pub fn check_body(tables: &Tables<'_>, body: &Body, names: &Names) -> Vec<Diagnostic> {
    let owned: Vec<(LocalId, FnId)> = body.exprs.values().flat_map(|expr| bound(tables, body, &expr.kind)).collect();
    if owned.is_empty() {
        return Vec::new();
    }
    let uses = Uses::of(body);
    let recorded = body.exprs.values().any(|expr| records(tables, &expr.kind));
    let judge = |(local, maker): (LocalId, FnId)| {
        let fate = uses.fate(tables, body, local);
        let name = body.locals[local].name.map_or("_", |name| names.text(name));
        let maker = maker_name(tables, maker);
        let span = body.locals[local].span;
        match fate {
            Fate::Escapes => None,
            Fate::Kept => Some(unreleased(span, format!("`{name}`, which `{maker}` has transferred, is never given back"))),
            Fate::Released(at) => Some(
                unreleased(span, format!("`{name}`, which `{maker}` has transferred, is not given back after a panic"))
                    .with_label(at, "only reached when nothing fails before"),
            ),
            Fate::Deferred if !recorded => Some(
                Diagnostic::warning(
                    codes::FFI_UNRECORDED,
                    span,
                    format!("nothing records what becomes of `{name}`, which `{maker}` has transferred"),
                )
                .with_help(
                    "do the work in `audited_unsafe_block`, or log it; or declare the result as `ForeignPtr<T>`, which records its release itself",
                ),
            ),
            Fate::Deferred => None,
        }
    };
    owned.into_iter().filter_map(judge).collect()
}

fn unreleased(span: Span, message: String) -> Diagnostic {
    Diagnostic::warning(codes::FFI_UNRELEASED, span, message).with_help(
        "give it back with `defer` right after the call; or declare the result as `ForeignPtr<T>`, which gives itself back",
    )
}

fn maker_name<'a>(tables: &Tables<'a>, id: FnId) -> &'a str {
    let path: &str = &tables.fns[id].path;
    path.rsplit('.').next().unwrap_or(path)
}

/// The variables that a block binds to pointers that it owns.
fn bound(tables: &Tables<'_>, body: &Body, kind: &ExprKind) -> Vec<(LocalId, FnId)> {
    let ExprKind::Block { stmts, .. } = kind else { return Vec::new() };
    let bound = |stmt: &Stmt| match *stmt {
        Stmt::Let { pattern, value } => match body.patterns[pattern].kind {
            PatternKind::Bind(local, None) => Some((local, transferred(tables, body, value)?)),
            _ => None,
        },
        _ => None,
    };
    stmts.iter().filter_map(bound).collect()
}

/// The foreign function whose result this is, if that is a plain pointer that the program owns.
fn transferred(tables: &Tables<'_>, body: &Body, value: ExprId) -> Option<FnId> {
    match &body.exprs[value].kind {
        ExprKind::Block { stmts, result: Some(result) } if stmts.is_empty() => transferred(tables, body, *result),
        ExprKind::Call { callee, .. } => {
            let ExprKind::Fn(id, _) = body.exprs[*callee].kind else { return None };
            let FnKind::Foreign(foreign) = &tables.fns[id].kind else { return None };
            let raw = matches!(foreign.contract, Some(ForeignContract { result: "raw", .. }));
            (raw && foreign.ownership == Ownership::Transferred).then_some(id)
        }
        _ => None,
    }
}

/// Does this call write to the log, or under a name that the log gets?
fn records(tables: &Tables<'_>, kind: &ExprKind) -> bool {
    let ExprKind::Fn(id, _) = kind else { return false };
    let module: &str = &tables.modules[tables.fns[*id].module].name;
    module == "Core.Audit" || module.starts_with("Core.Audit.") || module == "Core.Unsafe.Account"
}

/// What becomes of a pointer.
enum Fate {
    /// Others know it.
    Escapes,
    /// It is looked at, and that is all.
    Kept,
    /// It is given back on the way, here.
    Released(Span),
    /// It is given back whatever happens.
    Deferred,
}

/// Where variables are mentioned: which expression is around each, and what is deferred.
struct Uses {
    parents: SecondaryMap<ExprId, Option<ExprId>>,
    deferred: EntitySet<ExprId>,
}

impl Uses {
    fn of(body: &Body) -> Uses {
        let mut parents = SecondaryMap::new();
        let mut deferred = EntitySet::new();
        for (id, expr) in body.exprs.iter() {
            children(&expr.kind, &mut |child| parents[child] = Some(id));
            if let ExprKind::Block { stmts, .. } = &expr.kind {
                deferred.extend(stmts.iter().filter_map(|stmt| match *stmt {
                    Stmt::Defer(value) => Some(value),
                    _ => None,
                }));
            }
        }
        Uses { parents, deferred }
    }

    fn fate(&self, tables: &Tables<'_>, body: &Body, local: LocalId) -> Fate {
        let mut fate = Fate::Kept;
        for (id, expr) in body.exprs.iter() {
            if !matches!(expr.kind, ExprKind::Local(mentioned) if mentioned == local) {
                continue;
            }
            let deferred = self.is_deferred(id);
            match self.mention(tables, body, id) {
                Mention::Escape => return Fate::Escapes,
                Mention::Given | Mention::Lent if deferred => fate = Fate::Deferred,
                Mention::Given if !matches!(fate, Fate::Deferred) => fate = Fate::Released(expr.span),
                Mention::Given | Mention::Lent | Mention::Look => {}
            }
        }
        fate
    }

    fn is_deferred(&self, id: ExprId) -> bool {
        let around = std::iter::successors(Some(id), |&id| self.parents[id]);
        around.into_iter().any(|id| self.deferred.contains(id))
    }

    fn mention(&self, tables: &Tables<'_>, body: &Body, id: ExprId) -> Mention {
        let Some(parent) = self.parents[id] else { return Mention::Escape };
        match &body.exprs[parent].kind {
            ExprKind::Call { callee, .. } => match body.exprs[*callee].kind {
                ExprKind::Fn(callee, _) => call(tables, callee),
                _ => Mention::Escape,
            },
            ExprKind::Binary { .. } | ExprKind::Unwrap(_) => Mention::Look,
            // A statement of its own, whose value nobody has.
            ExprKind::Block { stmts, .. }
                if stmts.iter().any(|stmt| matches!(stmt, Stmt::Expr(value) if *value == id)) =>
            {
                Mention::Look
            }
            _ => Mention::Escape,
        }
    }
}

enum Mention {
    /// The program looks at it, or at what it points to.
    Look,
    /// A foreign function is given it, for the call; or, deferred, for good.
    Lent,
    /// A foreign function takes it back.
    Given,
    Escape,
}

/// What becomes of a pointer that a function is given.
fn call(tables: &Tables<'_>, callee: FnId) -> Mention {
    let def = &tables.fns[callee];
    match &def.kind {
        FnKind::Foreign(foreign) if foreign.ownership == Ownership::Transferred => Mention::Given,
        // Without a result and with nothing but the pointer: that is how C takes things back.
        FnKind::Foreign(_) if def.params.len() == 1 && tables.types.is_unit(def.ret) => Mention::Given,
        FnKind::Foreign(_) => Mention::Lent,
        _ if &*tables.modules[def.module].name == "Core.Unsafe.Ptr" => {
            // Those that give a pointer on, under another type or at another place.
            let passes_on = ["cast", "cast_mut", "as_ptr", "as_mut_ptr", "require_non_null", "add", "offset", "tag"];
            if passes_on.contains(&maker_name(tables, callee)) { Mention::Escape } else { Mention::Look }
        }
        _ => Mention::Escape,
    }
}
