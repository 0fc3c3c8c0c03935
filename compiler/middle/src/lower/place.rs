//! How is a part of a variable changed?
//!
//! Values are immutable in Core, so `p.x[i].y := v` takes `p` apart along the path, and puts it together again around
//! the new part. Nothing else refers to the old pieces then, so the counting pass finds them unique and updates in
//! place: records are rebuilt into their own memory, and array elements are taken out of their slots and put back.

use reml_diagnostics::Span;
use reml_semantics::typed::{LocalId, Place, PlaceStep};
use reml_semantics::types::{Type, TypeId};

use super::function::FnLower;
use crate::core::{Atom, Op};
use crate::prim::PrimOp;

/// A place whose indices have been evaluated.
pub struct Location {
    pub local: LocalId,
    steps: Vec<Step>,
    span: Span,
}

enum Step {
    /// Source type of the part.
    Field(u32, TypeId),
    Index(Atom, TypeId, Span),
}

/// How to put the whole together again around a part, innermost last.
enum Rebuild {
    /// The parts of a product of this Core type; the one at the index is replaced.
    Product {
        ty: TypeId,
        fields: Vec<Atom>,
        index: u32,
    },
    /// An array without its element.
    Element {
        array: Atom,
        ty: TypeId,
        index: Atom,
        span: Span,
    },
    Fixed {
        array: Atom,
        ty: TypeId,
        index: Atom,
        span: Span,
    },
    /// The part is the whole (newtypes).
    Same,
}

/// A place taken apart: the part, and the way back.
pub struct Opened {
    pub local: LocalId,
    pub part: Atom,
    /// Source type of the part.
    ty: TypeId,
    rebuild: Vec<Rebuild>,
    span: Span,
}

impl Opened {
    /// Source type of the part.
    pub fn source(&self) -> TypeId {
        self.ty
    }

    /// Is the part the whole local?
    pub fn is_whole(&self) -> bool {
        self.rebuild.is_empty()
    }
}

impl FnLower<'_, '_> {
    /// Evaluates the indices of a place. `None` when control does not get past them.
    pub fn locate(&mut self, place: &Place, span: Span) -> Option<Location> {
        let mut steps = Vec::with_capacity(place.path.len());
        for step in &place.path {
            steps.push(match *step {
                PlaceStep::Field { index, ty } => Step::Field(index, self.source(ty)),
                PlaceStep::Index { index, ty, span } => {
                    let atom = self.index(index)?;
                    Step::Index(atom, self.source(ty), span)
                }
            });
        }
        Some(Location { local: place.local, steps, span })
    }

    /// A location that is a whole local.
    pub fn whole(&self, local: LocalId, span: Span) -> Location {
        Location { local, steps: Vec::new(), span }
    }

    /// `location := value`.
    pub fn store(&mut self, mut location: Location, value: Atom) {
        let Some(last) = location.steps.pop() else {
            return self.write(location.local, value, location.span);
        };
        let mut opened = self.open(location);
        let updated = match last {
            Step::Index(index, _, span) => {
                let ty = self.l.core_type(opened.ty);
                let fixed = matches!(self.l.types.get(ty), Type::FixedArray(..));
                let op = if fixed { PrimOp::FixedSet } else { PrimOp::ArraySet };
                self.emit(ty, Op::Prim(op, vec![opened.part, index, value]), span)
            }
            Step::Field(index, _) => {
                let Opened { part, ty, span, .. } = opened;
                self.take_field(&mut opened.rebuild, part, ty, index, span, false);
                value
            }
        };
        self.close(opened, updated);
    }

    /// Takes a location apart; the part must be given back by [`FnLower::close`].
    pub fn open(&mut self, location: Location) -> Opened {
        let Location { local, steps, span } = location;
        let source = self.source(self.body.locals[local].ty);
        let mut ty = self.l.deref(source);
        let mut part = self.read(local, span);
        let mut rebuild = Vec::with_capacity(steps.len());
        for step in steps {
            match step {
                Step::Field(index, field) => {
                    part = self.take_field(&mut rebuild, part, ty, index, span, true);
                    ty = self.l.deref(field);
                }
                Step::Index(index, element, span) => {
                    let core = self.l.core_type(ty);
                    let item = self.l.core_type(element);
                    if matches!(self.l.types.get(core), Type::FixedArray(..)) {
                        let array = part;
                        part = self.emit(item, Op::Prim(PrimOp::FixedGet, vec![array, index]), span);
                        rebuild.push(Rebuild::Fixed { array, ty: core, index, span });
                    } else {
                        let pair = self.l.types.intern(Type::Tuple([core, item].into()));
                        let taken = self.emit(pair, Op::Prim(PrimOp::ArrayTake, vec![part, index]), span);
                        let array = self.emit(core, Op::Field { base: taken, variant: 0, index: 0 }, span);
                        part = self.emit(item, Op::Field { base: taken, variant: 0, index: 1 }, span);
                        rebuild.push(Rebuild::Element { array, ty: core, index, span });
                    }
                    ty = self.l.deref(element);
                }
            }
        }
        Opened { local, part, ty, rebuild, span }
    }

    /// Reads all fields of `whole` so that it can be rebuilt with another field `index`, which is the result.
    fn take_field(
        &mut self,
        rebuild: &mut Vec<Rebuild>,
        whole: Atom,
        ty: TypeId,
        index: u32,
        span: Span,
        wanted: bool,
    ) -> Atom {
        if self.l.is_erased_newtype(ty) {
            rebuild.push(Rebuild::Same);
            return whole;
        }
        let core = self.l.core_type(ty);
        let fields = self.l.field_types(ty, 0);
        let mut atoms = Vec::with_capacity(fields.len());
        for (i, field) in fields.into_iter().enumerate() {
            if i as u32 == index && !wanted {
                atoms.push(Atom::Unit);
                continue;
            }
            let field = self.l.core_type(field);
            atoms.push(self.emit(field, Op::Field { base: whole, variant: 0, index: i as u32 }, span));
        }
        let part = atoms[index as usize];
        rebuild.push(Rebuild::Product { ty: core, fields: atoms, index });
        part
    }

    /// Writes `part` back to where it was taken from.
    pub fn close(&mut self, opened: Opened, part: Atom) {
        let mut value = part;
        for step in opened.rebuild.into_iter().rev() {
            value = match step {
                Rebuild::Same => value,
                Rebuild::Product { ty, mut fields, index } => {
                    fields[index as usize] = value;
                    self.emit(ty, Op::Construct { variant: 0, args: fields, token: None }, opened.span)
                }
                Rebuild::Element { array, ty, index, span } => {
                    self.emit(ty, Op::Prim(PrimOp::ArrayPut, vec![array, index, value]), span)
                }
                Rebuild::Fixed { array, ty, index, span } => {
                    self.emit(ty, Op::Prim(PrimOp::FixedSet, vec![array, index, value]), span)
                }
            };
        }
        self.write(opened.local, value, opened.span);
    }
}
