//! Which types could never have a value, because every value would contain another one? `type Node = { next: Node }`.
//!
//! A type is *finite* when some value of it can be built; the finite types are the least solution, found by repeating
//! one pass over all declarations until nothing changes.

use cranelift_entity::SecondaryMap;
use reml_diagnostics::{Diagnostic, codes};
use reml_syntax::names::Names;

use crate::typed::{FieldDef, Program, TypeDefId, TypeDefKind};
use crate::types::{Type, TypeId};

pub(crate) fn check(program: &Program, names: &Names) -> Vec<Diagnostic> {
    let mut finite: SecondaryMap<TypeDefId, bool> = SecondaryMap::new();
    loop {
        let mut changed = false;
        for (id, def) in &program.type_defs {
            let all = |fields: &[FieldDef]| fields.iter().all(|field| is_finite(program, &finite, field.ty));
            let now = finite[id]
                || match &def.kind {
                    // A type that is meant to have no values is not this pass's business.
                    TypeDefKind::Sum(variants) => {
                        variants.is_empty() || variants.iter().any(|variant| all(&variant.fields))
                    }
                    TypeDefKind::Record(fields) => all(fields),
                    TypeDefKind::Newtype(inner) => is_finite(program, &finite, *inner),
                    TypeDefKind::Opaque => true,
                };
            changed |= now != finite[id];
            finite[id] = now;
        }
        if !changed {
            break;
        }
    }
    let endless = program.type_defs.iter().filter(|(id, _)| !finite[*id]);
    endless
        .map(|(_, def)| {
            let name = names.text(def.name);
            Diagnostic::error(
                codes::TYPE_RECURSIVE_VALUE,
                def.span,
                format!("a value of the type `{name}` would contain another one without end"),
            )
            .with_help("let it end somewhere: with an `Option`, a list, or a variant without the type in it")
        })
        .collect()
}

fn is_finite(program: &Program, finite: &SecondaryMap<TypeDefId, bool>, ty: TypeId) -> bool {
    match program.types.get(ty) {
        Type::Tuple(items) => items.iter().all(|&item| is_finite(program, finite, item)),
        Type::Record(fields) => fields.iter().all(|&(_, ty)| is_finite(program, finite, ty)),
        Type::FixedArray(element, len) => *len == 0 || is_finite(program, finite, *element),
        Type::VarCell(inner) | Type::Ref { inner, .. } => is_finite(program, finite, *inner),
        Type::Adt(def, _) => finite[*def],
        // Empty arrays, functions, and whatever a parameter will be.
        Type::Prim(_) | Type::Fn { .. } | Type::Array(_) | Type::Param(_) | Type::Error => true,
    }
}
