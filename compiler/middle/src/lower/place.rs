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
#[derive(Clone)]
pub struct Location {
    pub local: LocalId,
    steps: Vec<Step>,
    span: Span,
}

#[derive(Clone)]
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

/// How a place that a call changes is written back after it. Several places of one variable share a way back, so that none undoes another.
pub enum Access {
    /// Taken out of its variable.
    Taken(Opened),
    /// Taken out of what the place `other` of the same call has left: of the field in a step of its way back.
    Beside { other: usize, depth: usize, field: usize, opened: Opened },
    /// Perhaps part of another place, or around it: only read. It is stored when the others are back.
    Read(Location, TypeId),
}

impl Access {
    /// Source type of the part.
    pub fn source(&self) -> TypeId {
        match self {
            Access::Taken(opened) | Access::Beside { opened, .. } => opened.ty,
            Access::Read(_, ty) => *ty,
        }
    }

    /// The local that the place is the whole of.
    pub fn whole(&self) -> Option<LocalId> {
        match self {
            Access::Taken(opened) if opened.rebuild.is_empty() => Some(opened.local),
            _ => None,
        }
    }

    fn way_back(&mut self) -> Option<&mut Vec<Rebuild>> {
        match self {
            Access::Taken(opened) | Access::Beside { opened, .. } => Some(&mut opened.rebuild),
            Access::Read(..) => None,
        }
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
        let ty = self.l.deref(source);
        let whole = self.read(local, span);
        self.open_from(local, whole, ty, steps, span)
    }

    /// The same from a part of source type `ty` on.
    fn open_from(&mut self, local: LocalId, part: Atom, ty: TypeId, steps: Vec<Step>, span: Span) -> Opened {
        let (mut part, mut ty) = (part, ty);
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

    /// Takes out the next place that a call changes: the part, and how it goes back.
    pub fn take(&mut self, before: &mut [Option<Access>], location: Location) -> (Atom, Access) {
        let same =
            |access: &Option<Access>| matches!(access, Some(Access::Taken(opened)) if opened.local == location.local);
        let Some(mut other) = before.iter().position(same) else {
            let opened = self.open(location);
            return (opened.part, Access::Taken(opened));
        };
        let mut depth = 0;
        for (n, step) in location.steps.iter().enumerate() {
            let way_back = before[other].as_mut().and_then(Access::way_back);
            match (way_back.and_then(|way_back| way_back.get(depth)), step) {
                (Some(Rebuild::Same), Step::Field(..)) => depth += 1,
                (Some(Rebuild::Product { index, .. }), Step::Field(field, _)) if index == field => depth += 1,
                (Some(Rebuild::Product { fields, .. }), &Step::Field(field, ty)) => {
                    let (at, field) = ((other, depth), field as usize);
                    let base = fields[field];
                    let inner = before.iter().position(|access| {
                        matches!(access, Some(Access::Beside { other, depth, field: its, .. })
                            if (*other, *depth) == at && *its == field)
                    });
                    if let Some(inner) = inner {
                        (other, depth) = (inner, 0);
                        continue;
                    }
                    let ty = self.l.deref(ty);
                    let rest = location.steps[n + 1..].to_vec();
                    let opened = self.open_from(location.local, base, ty, rest, location.span);
                    return (opened.part, Access::Beside { other, depth, field, opened });
                }
                _ => break,
            }
        }
        let (part, ty) = self.peek(&location);
        (part, Access::Read(location, ty))
    }

    /// Reads a part and leaves it where it is.
    fn peek(&mut self, location: &Location) -> (Atom, TypeId) {
        let source = self.source(self.body.locals[location.local].ty);
        let mut ty = self.l.deref(source);
        let mut part = self.read(location.local, location.span);
        for step in &location.steps {
            match *step {
                Step::Field(index, field) => {
                    let core = self.l.core_type(field);
                    if !self.l.is_erased_newtype(ty) {
                        part = self.emit(core, Op::Field { base: part, variant: 0, index }, location.span);
                    }
                    ty = self.l.deref(field);
                }
                Step::Index(index, element, span) => {
                    let whole = self.l.core_type(ty);
                    let item = self.l.core_type(element);
                    let fixed = matches!(self.l.types.get(whole), Type::FixedArray(..));
                    let op = if fixed { PrimOp::FixedGet } else { PrimOp::ArrayGet };
                    part = self.emit(item, Op::Prim(op, vec![part, index]), span);
                    ty = self.l.deref(element);
                }
            }
        }
        (part, ty)
    }

    /// Writes the places of a call back: those that were taken out of others first.
    pub fn give_back(&mut self, mut places: Vec<(Access, Atom)>, positions: &[usize]) {
        let mut read = Vec::new();
        while let Some((access, part)) = places.pop() {
            match access {
                Access::Taken(opened) => self.close(opened, part),
                Access::Beside { other, depth, field, opened } => {
                    let span = opened.span;
                    let value = self.rebuild(opened.rebuild, part, span);
                    let place = positions.iter().position(|&position| position == other);
                    let around = place.and_then(|place| places.get_mut(place)?.0.way_back());
                    if let Some(Rebuild::Product { fields, .. }) = around.and_then(|around| around.get_mut(depth)) {
                        fields[field] = value;
                    }
                }
                Access::Read(location, _) => read.push((location, part)),
            }
        }
        for (location, part) in read.into_iter().rev() {
            self.store(location, part);
        }
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
        let value = self.rebuild(opened.rebuild, part, opened.span);
        self.write(opened.local, value, opened.span);
    }

    /// The whole around a part.
    fn rebuild(&mut self, way_back: Vec<Rebuild>, part: Atom, span: Span) -> Atom {
        let mut value = part;
        for step in way_back.into_iter().rev() {
            value = match step {
                Rebuild::Same => value,
                Rebuild::Product { ty, mut fields, index } => {
                    fields[index as usize] = value;
                    self.emit(ty, Op::Construct { variant: 0, args: fields, token: None }, span)
                }
                Rebuild::Element { array, ty, index, span } => {
                    self.emit(ty, Op::Prim(PrimOp::ArrayPut, vec![array, index, value]), span)
                }
                Rebuild::Fixed { array, ty, index, span } => {
                    self.emit(ty, Op::Prim(PrimOp::FixedSet, vec![array, index, value]), span)
                }
            };
        }
        value
    }
}
