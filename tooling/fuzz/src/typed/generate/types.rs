//! Random types, what can be done with them, and a literal of each.

use super::Generator;
use crate::typed::tree::{Expr, Ty};

pub fn printable(ty: &Ty) -> bool {
    match ty {
        Ty::Fun(..) => false,
        Ty::Opt(ty) | Ty::Res(ty) | Ty::List(ty) | Ty::Arr(ty) => printable(ty),
        Ty::Pair(a, b) => printable(a) && printable(b),
        _ => true,
    }
}

pub fn comparable(ty: &Ty) -> bool {
    printable(ty)
}

pub fn has_result(ty: &Ty) -> bool {
    match ty {
        Ty::Res(_) => true,
        Ty::Opt(ty) | Ty::List(ty) | Ty::Arr(ty) => has_result(ty),
        Ty::Pair(a, b) => has_result(a) || has_result(b),
        _ => false,
    }
}

/// What [`Expr::MatchDeep`] takes apart.
pub fn deep_ty(item: &Ty) -> Ty {
    Ty::Opt(Box::new(Ty::Pair(Box::new(Ty::Int), Box::new(Ty::List(Box::new(item.clone()))))))
}

pub fn is_int(ty: &Ty) -> bool {
    matches!(ty, Ty::Int | Ty::I16 | Ty::I32 | Ty::U8 | Ty::U32 | Ty::U64)
}

/// Types with a `size`.
pub fn is_sized(ty: &Ty) -> bool {
    match ty {
        Ty::Pair(a, b) => is_sized(a) && is_sized(b),
        _ => matches!(ty, Ty::Tree | Ty::Rec | Ty::List(_) | Ty::Opt(_)),
    }
}

impl Generator {
    pub fn base_ty(&mut self) -> Ty {
        match self.random.below(12) {
            0..=3 => Ty::Int,
            4 => self.random.pick(&[Ty::I32, Ty::I32, Ty::I16]).clone(),
            5 => self.random.pick(&[Ty::U8, Ty::U8, Ty::U32, Ty::U64]).clone(),
            6 => Ty::Bool,
            7 | 8 => Ty::Str,
            9 => Ty::Tree,
            10 => Ty::Shape,
            _ => Ty::Rec,
        }
    }

    pub fn ty(&mut self, depth: usize) -> Ty {
        if depth == 0 {
            return self.base_ty();
        }
        match self.random.below(12) {
            0 if self.random.chance(1, 3) => Ty::Res(Box::new(self.ty(depth - 1))),
            0 => Ty::Opt(Box::new(self.ty(depth - 1))),
            1 | 2 => Ty::List(Box::new(self.ty(depth - 1))),
            3 | 4 => Ty::Arr(Box::new(self.ty(depth - 1))),
            5 => Ty::Pair(Box::new(self.ty(depth - 1)), Box::new(self.ty(depth - 1))),
            6 => Ty::Fun(Box::new(self.base_ty()), Box::new(self.base_ty())),
            _ => self.base_ty(),
        }
    }

    pub fn literal(&mut self, ty: &Ty) -> Expr {
        let r = &mut self.random;
        match ty {
            Ty::Int => Expr::Int(
                match r.below(20) {
                    0 => i64::MAX,
                    1 => i64::MIN,
                    2 => r.word() as i64,
                    _ => r.below(20) as i64 - 5,
                },
                Ty::Int,
            ),
            Ty::I32 => {
                let value = if r.chance(1, 10) { i64::from(i32::MAX) } else { r.below(30) as i64 };
                Expr::Int(value, Ty::I32)
            }
            Ty::I16 => Expr::Int(if r.chance(1, 10) { i64::from(i16::MAX) } else { r.below(30) as i64 }, Ty::I16),
            Ty::U32 => Expr::Int(if r.chance(1, 10) { i64::from(u32::MAX) } else { r.below(30) as i64 }, Ty::U32),
            Ty::U64 => Expr::Int(if r.chance(1, 10) { i64::MAX } else { r.below(30) as i64 }, Ty::U64),
            Ty::U8 => Expr::Int(if r.chance(1, 8) { 255 } else { r.below(40) as i64 }, Ty::U8),
            Ty::Bool => Expr::Bool(r.chance(1, 2)),
            Ty::Str => Expr::Str((*r.pick(&["", "a", "bc", "xyz", "ü", "long enough to be on the heap"])).into()),
            Ty::Tree => Expr::Leaf,
            Ty::Shape => Expr::Dot,
            Ty::Rec => {
                let (a, b, c) = (self.literal(&Ty::Int), self.literal(&Ty::Bool), self.literal(&Ty::Str));
                Expr::Rec(Box::new(a), Box::new(b), Box::new(c))
            }
            Ty::Opt(ty) => Expr::None((**ty).clone()),
            Ty::Res(ty) => {
                if r.chance(1, 2) {
                    return Expr::Err(Box::new(self.literal(&Ty::Str)));
                }
                Expr::Ok(Box::new(self.literal(ty)))
            }
            Ty::List(ty) => Expr::List(Vec::new(), (**ty).clone()),
            Ty::Arr(item) => {
                let first = self.literal(item);
                Expr::Array(vec![first], (**item).clone())
            }
            Ty::Pair(a, b) => {
                let (a, b) = (self.literal(a), self.literal(b));
                Expr::Pair(Box::new(a), Box::new(b))
            }
            Ty::Fun(a, b) => {
                let id = self.fresh();
                Expr::Lambda(id, (**a).clone(), Box::new(self.literal(b)))
            }
        }
    }
}
