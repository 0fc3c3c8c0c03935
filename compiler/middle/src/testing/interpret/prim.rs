//! What do primitive operations give? Which file knows, and those on arrays, cells and texts.

use cranelift_entity::EntityRef;
use reml_semantics::types::Prim;

use super::number::{self, IntType};
use super::value::{Contents, Value};
use super::{Eval, Machine, broken, panics, unknown};
use crate::core::{Atom, Var};
use crate::prim::PrimOp;

impl Machine<'_> {
    /// The value of a primitive, unless that comes later.
    pub fn prim(&mut self, var: Var, prim: PrimOp, atoms: &[Atom]) -> Eval<Option<Value>> {
        use PrimOp::*;
        Ok(Some(match prim {
            IntAdd | IntSub | IntMul | IntDiv | IntRem | IntShl | IntShr | WrappingAdd | WrappingSub | WrappingMul
            | WrappingShl | WrappingShr | IntAnd | IntOr | IntXor | RotateLeft | RotateRight | MulHigh => {
                let (ty, a, b) = self.two_ints(atoms)?;
                match (number::binary(prim, ty, a, b, self.options.wrapping)?, self.atom(atoms[0])?) {
                    (result, Value::Bool(_)) => Value::Bool(result != 0),
                    (result, _) => Value::Int(result),
                }
            }
            AddOverflows | SubOverflows | MulOverflows => {
                let (ty, a, b) = self.two_ints(atoms)?;
                Value::Bool(number::overflows(prim, ty, a, b))
            }
            IntNeg | WrappingNeg | IntNot | CountOnes | LeadingZeros | TrailingZeros | SwapBytes | ReverseBits => {
                let ty = IntType::of(self.atom_prim(atoms[0])?);
                let value = self.atom(atoms[0])?.int()?;
                Value::Int(number::unary(prim, ty, value, self.options.wrapping)?)
            }
            BoolNot => Value::Bool(!self.atom(atoms[0])?.bool()?),
            Eq | Ne | Lt | Le | Gt | Ge => self.compare(prim, atoms)?,
            FloatAdd | FloatSub | FloatMul | FloatDiv | FloatRem | FloatNeg | FloatAbs | FloatSqrt | FloatFloor
            | FloatCeil | FloatTrunc | FloatRound | FloatMin | FloatMax | FloatCopySign | FloatFma => {
                let single = self.atom_prim(atoms[0])? == Some(Prim::F32);
                let operands: Vec<f64> = self.atoms(atoms)?.iter().map(Value::float).collect::<Eval<_>>()?;
                let at = |at: usize| operands.get(at).copied().unwrap_or(0.0);
                Value::Float(number::float(prim, single, at(0), at(1), at(2))?)
            }
            Cast | IntConvert | FloatToIntSat | FloatToBits | FloatFromBits => self.convert(var, prim, atoms[0])?,
            HandlerNew | HandlerPush | HandlerPop | HandlerFind | HandlerAddress | HandlerClause
            | ContinuationClause | HandlerEnter | HandlerLeave | HandlerRun | HandlerAbort | FiberStart
            | FiberResume | FiberResumeLast | FiberSuspend | FiberStopped | FiberContinue | ContinuationTake
            | PayloadTake => {
                return self.effect_prim(var, prim, atoms);
            }
            _ => self.memory_prim(var, prim, atoms)?,
        }))
    }

    fn two_ints(&mut self, atoms: &[Atom]) -> Eval<(IntType, i128, i128)> {
        let ty = IntType::of(self.atom_prim(atoms[0])?);
        Ok((ty, self.atom(atoms[0])?.int()?, self.atom(atoms[1])?.int()?))
    }

    fn compare(&mut self, prim: PrimOp, atoms: &[Atom]) -> Eval<Value> {
        let (a, b) = (self.atom(atoms[0])?, self.atom(atoms[1])?);
        let order = match (&a, &b) {
            (Value::Unit, Value::Unit) => Some(std::cmp::Ordering::Equal),
            (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
            _ => Some(a.int()?.cmp(&b.int()?)),
        };
        Ok(Value::Bool(match prim {
            PrimOp::Eq => order.is_some_and(|order| order.is_eq()),
            PrimOp::Ne => order.is_none_or(|order| order.is_ne()),
            PrimOp::Lt => order.is_some_and(|order| order.is_lt()),
            PrimOp::Le => order.is_some_and(|order| order.is_le()),
            PrimOp::Gt => order.is_some_and(|order| order.is_gt()),
            _ => order.is_some_and(|order| order.is_ge()),
        }))
    }

    fn convert(&mut self, var: Var, prim: PrimOp, atom: Atom) -> Eval<Value> {
        let from = self.atom_prim(atom)?;
        let value = self.atom(atom)?;
        let ty = self.var_type(var)?;
        let Some(to) = self.prim_of(ty) else { return Ok(Value::Int(value.int()?)) };
        let rounded = |value: f64| Value::Float(if to == Prim::F32 { f64::from(value as f32) } else { value });
        let typed = |value: i128| if to == Prim::Bool { Value::Bool(value != 0) } else { Value::Int(value) };
        Ok(match (prim, &value) {
            (PrimOp::IntConvert, _) => typed(IntType::of(Some(to)).wrap(value.int()?)),
            (PrimOp::FloatToIntSat, _) => Value::Int(number::saturate(value.float()?, to)),
            (PrimOp::FloatToBits, _) if from == Some(Prim::F32) => {
                Value::Int(IntType::of(Some(to)).wrap(i128::from((value.float()? as f32).to_bits())))
            }
            (PrimOp::FloatToBits, _) => Value::Int(IntType::of(Some(to)).wrap(i128::from(value.float()?.to_bits()))),
            (PrimOp::FloatFromBits, _) if to == Prim::F32 => {
                Value::Float(f64::from(f32::from_bits(value.int()? as u32)))
            }
            (PrimOp::FloatFromBits, _) => Value::Float(f64::from_bits(value.int()? as u64)),
            (_, Value::Float(value)) if to.is_float() => rounded(*value),
            (_, Value::Float(value)) => Value::Int(number::float_to_int(*value, to)?),
            (_, value) if to == Prim::F32 => Value::Float(f64::from(value.int()? as f32)),
            (_, value) if to == Prim::F64 => Value::Float(value.int()? as f64),
            (_, value) => typed(number::int_to_int(value.int()?, IntType::of(from), to)?),
        })
    }

    fn index(&mut self, array: &Value, index: &Value) -> Eval<usize> {
        let len = self.heap.array(array)?.len();
        in_bounds(len, index)
    }

    /// The same where the program has made sure of it.
    fn known_index(&mut self, array: &Value, index: &Value) -> Eval<usize> {
        let len = self.heap.array(array)?.len();
        match usize::try_from(index.int()?) {
            Ok(at) if at < len => Ok(at),
            _ => broken(format!("element {index:?} of {len} is used without a check")),
        }
    }

    /// Arrays, texts, cells, and what is left.
    fn memory_prim(&mut self, var: Var, prim: PrimOp, atoms: &[Atom]) -> Eval<Value> {
        use PrimOp::*;
        let args = self.atoms(atoms)?;
        Ok(match prim {
            ArrayLen => Value::Int(self.heap.array(&args[0])?.len() as i128),
            ArrayGet => {
                let at = self.index(&args[0], &args[1])?;
                whole(self.heap.array(&args[0])?[at].clone())?
            }
            ArrayGetUnchecked => {
                let at = self.known_index(&args[0], &args[1])?;
                whole(self.heap.array(&args[0])?[at].clone())?
            }
            ArraySet | ArraySetUnchecked => {
                let at = match prim {
                    ArraySet => self.index(&args[0], &args[1])?,
                    _ => self.known_index(&args[0], &args[1])?,
                };
                let (mut items, place) = self.items(&args[0])?;
                let old = std::mem::replace(&mut items[at], args[2].clone());
                self.heap.drop(&whole(old)?)?;
                self.heap.put_array(items, place)
            }
            ArrayPush => {
                let (mut items, place) = self.items(&args[0])?;
                items.push(args[1].clone());
                self.heap.put_array(items, place)
            }
            ArrayPop => {
                let (mut items, place) = self.items(&args[0])?;
                let Some(last) = items.pop() else { return broken("an empty array has no last element") };
                self.heap.drop(&last)?;
                self.heap.put_array(items, place)
            }
            ArrayWithCapacity => self.heap.allocate(Contents::Array(Vec::new())),
            ArrayFilled => {
                let count = usize::try_from(args[0].int()?).unwrap_or(0);
                self.charge(count)?;
                for _ in 1..count {
                    self.heap.dup(&args[1])?;
                }
                if count == 0 {
                    self.heap.drop(&args[1])?;
                }
                self.heap.allocate(Contents::Array(vec![args[1].clone(); count]))
            }
            ArrayTruncate => {
                let count = usize::try_from(args[1].int()?).unwrap_or(0);
                let (mut items, place) = self.items(&args[0])?;
                let rest = items.split_off(count.min(items.len()));
                self.heap.drop_all(&rest)?;
                self.heap.put_array(items, place)
            }
            ArraySlice => {
                let (start, end) = (args[1].int()? as usize, args[2].int()? as usize);
                let Some(items) = self.heap.array(&args[0])?.get(start..end).map(<[Value]>::to_vec) else {
                    return broken(format!("there is no slice {start}..{end}"));
                };
                self.charge(items.len())?;
                self.heap.dup_all(&items)?;
                self.heap.allocate(Contents::Array(items))
            }
            ArrayAppend => {
                let more = self.heap.array(&args[1])?.clone();
                self.heap.dup_all(&more)?;
                let (mut items, place) = self.items(&args[0])?;
                items.extend(more);
                let result = self.heap.put_array(items, place);
                self.heap.drop(&args[1])?;
                result
            }
            ArraySwap => {
                let (a, b) = (self.index(&args[0], &args[1])?, self.index(&args[0], &args[2])?);
                let (mut items, place) = self.items(&args[0])?;
                items.swap(a, b);
                self.heap.put_array(items, place)
            }
            ArrayTake => {
                let at = self.index(&args[0], &args[1])?;
                let (mut items, place) = self.items(&args[0])?;
                let item = whole(std::mem::replace(&mut items[at], Value::Hole))?;
                Value::unboxed(0, vec![self.heap.put_array(items, place), item])
            }
            ArrayPut => {
                let at = self.known_index(&args[0], &args[1])?;
                let (mut items, place) = self.items(&args[0])?;
                if std::mem::replace(&mut items[at], args[2].clone()) != Value::Hole {
                    return broken("there is no hole to put an element into");
                }
                self.heap.put_array(items, place)
            }
            FixedGet => {
                let fields = self.fixed(&args[0])?;
                fields[in_bounds(fields.len(), &args[1])?].clone()
            }
            FixedSet => self.fixed_set(&args)?,
            StrLen => Value::Int(self.text(&args[0])?.len() as i128),
            StrByte => match self.text(&args[0])?.as_bytes().get(args[1].int()? as usize) {
                Some(&byte) => Value::Int(byte.into()),
                None => return broken("a byte is read that does not exist"),
            },
            StrMatches => {
                let (text, wanted) = (self.text(&args[0])?, self.text(&args[2])?);
                let at = args[1].int()? as usize;
                match text.as_bytes().get(at..at + wanted.len()) {
                    Some(bytes) => Value::Bool(bytes == wanted.as_bytes()),
                    None => return broken("bytes are compared that do not exist"),
                }
            }
            Disguise => args[0].clone(),
            CellNew => self.heap.allocate(Contents::Var(args[0].clone())),
            CellGet => whole(self.heap.cell(&args[0])?.clone())?,
            CellSet => {
                let old = std::mem::replace(self.heap.cell(&args[0])?, args[1].clone());
                self.heap.drop(&old)?;
                Value::Unit
            }
            // Where effects may leave, counting makes this a `CellGet`; without counts nothing is gained by a hole.
            CellTake if !self.options.counted => self.heap.cell(&args[0])?.clone(),
            CellTake => whole(std::mem::replace(self.heap.cell(&args[0])?, Value::Hole))?,
            PtrEq => Value::Bool(args[0] == args[1]),
            IsUnique => Value::Bool(match args[0] {
                Value::Object(object) => self.options.counted && self.heap.live(object)?.count == 1,
                _ => true,
            }),
            Panic => {
                let message = self.text(&args[0])?;
                return panics("", &*message);
            }
            DeferPush => {
                self.defer_push(args[0].clone());
                Value::Unit
            }
            DeferPop => {
                let closure = self.defer_pop()?;
                let ty = self.var_type(var)?;
                if self.program.types.is_unit(ty) {
                    self.heap.drop(&closure)?;
                    Value::Unit
                } else {
                    closure
                }
            }
            KeepAlive => Value::Unit,
            BlackBox => args[0].clone(),
            RawLoad | RawStore | FrameSlot | ArrayData | ArrayUnique | StrData | CallbackEntry => {
                return unknown(format!("memory that C sees (`{}`)", prim.name()));
            }
            _ => return broken(format!("{prim:?} (for variable {}) is not about memory", var.index())),
        })
    }

    fn items(&mut self, array: &Value) -> Eval<(Vec<Value>, Option<usize>)> {
        let (items, place) = self.heap.take_array(array)?;
        if place.is_none() {
            self.charge(items.len())?;
        }
        Ok((items, place))
    }

    /// The elements of a fixed array.
    fn fixed(&mut self, array: &Value) -> Eval<Vec<Value>> {
        match array {
            Value::Unboxed(_, fields) => Ok(fields.to_vec()),
            other => match self.heap.contents(other)? {
                Contents::Cell { fields, .. } => Ok(fields.clone()),
                other => broken(format!("{other:?} is no fixed array")),
            },
        }
    }

    fn fixed_set(&mut self, args: &[Value]) -> Eval<Value> {
        let mut fields = self.fixed(&args[0])?;
        let at = in_bounds(fields.len(), &args[1])?;
        let Value::Object(object) = args[0] else {
            let old = std::mem::replace(&mut fields[at], args[2].clone());
            self.heap.drop(&old)?;
            return Ok(Value::unboxed(0, fields));
        };
        let shared = !self.options.counted || self.heap.live(object)?.count > 1;
        let place = if shared {
            self.heap.dup_all(&fields)?;
            let contents = self.heap.live(object)?.contents.clone();
            self.heap.drop(&args[0])?;
            self.heap.allocate(contents)
        } else {
            args[0].clone()
        };
        let Contents::Cell { fields, .. } = self.heap.contents(&place)? else { return broken("no fixed array") };
        let old = std::mem::replace(&mut fields[at], args[2].clone());
        self.heap.drop(&old)?;
        Ok(place)
    }
}

fn in_bounds(len: usize, index: &Value) -> Eval<usize> {
    let index = index.int()?;
    match usize::try_from(index) {
        Ok(at) if at < len => Ok(at),
        _ => panics("", format!("index out of bounds: the length is {len} but the index is {index}")),
    }
}

fn whole(value: Value) -> Eval<Value> {
    if value == Value::Hole { broken("a hole is looked into") } else { Ok(value) }
}
