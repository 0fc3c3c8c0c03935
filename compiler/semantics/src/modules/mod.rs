//! Which definitions each module has, and what its imports bring.

mod collect;
mod cycles;
mod effects;
mod imports;
mod lookup;
mod signatures;
mod type_expr;
mod types;

pub(crate) use collect::pattern_names;
pub(crate) use lookup::Container;
pub(crate) use type_expr::{RowMode, TypeScope};
