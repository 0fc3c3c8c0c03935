//! Inference types: which types, with variables and effect rows, exist while checking.
//!
//! Nodes live in two arenas behind one index space. Signatures are *permanent*; what the check of one group of
//! definitions makes is *temporary* and dropped with the group. Nodes without parameters, variables or rows are
//! marked, so that instantiation returns them untouched.

use reml_syntax::names::Symbol;
use rustc_hash::FxHashMap;

use crate::effects::Rows;
use crate::typed::TypeDefId;
use crate::types::Prim;

/// An inference type: an index into [`Types`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Ty(pub u32);

const TEMP: u32 = 1 << 31;

/// A run of types in [`Types`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct List {
    start: u32,
    pub len: u32,
}

impl List {
    pub const EMPTY: List = List { start: 0, len: 0 };

    pub fn range(self) -> std::ops::Range<usize> {
        0..self.len as usize
    }
}

/// An effect row as it occurs in a type: absent, the n-th row of the enclosing signature, a closed set, or a
/// variable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Row(u32);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RowKind {
    None,
    Sig(u32),
    Const(u32),
    Var(u32),
}

impl Row {
    pub const NONE: Row = Row(0);

    pub fn sig(index: u32) -> Row {
        Row(1 << 30 | index)
    }

    pub fn constant(index: u32) -> Row {
        Row(2 << 30 | index)
    }

    pub fn var(index: u32) -> Row {
        Row(3 << 30 | index)
    }

    pub fn kind(self) -> RowKind {
        let index = self.0 & ((1 << 30) - 1);
        match self.0 >> 30 {
            0 => RowKind::None,
            1 => RowKind::Sig(index),
            2 => RowKind::Const(index),
            _ => RowKind::Var(index),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Node {
    Var(u32),
    Prim(Prim),
    Tuple(List),
    /// Fields in name order; `shape` is their interned name list.
    Record {
        shape: u32,
        fields: List,
    },
    /// Parameters, then the result.
    Fn {
        sig: List,
        row: Row,
    },
    Adt(TypeDefId, List, Row),
    Array(Ty),
    Fixed(Ty, u32),
    Ref {
        mutable: bool,
        inner: Ty,
    },
    Cell(Ty),
    Param(u32),
    Error,
}

/// What an unbound variable may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VarKind {
    Any,
    /// An integer literal: any number type, `i64` by default.
    Int,
    /// A float literal: `f32` or `f64`.
    Float,
    /// An array literal with elements of a type: an array or a `List`, an array by default.
    Seq(Ty),
}

#[derive(Clone, Copy)]
struct Var {
    bound: Option<Ty>,
    kind: VarKind,
}

const HAS_PARAM: u8 = 1;
const HAS_ROW: u8 = 2;
const HAS_VAR: u8 = 4;

#[derive(Default)]
struct Arena {
    nodes: Vec<Node>,
    flags: Vec<u8>,
    lists: Vec<Ty>,
}

pub(crate) struct Types {
    perm: Arena,
    temp: Arena,
    vars: Vec<Var>,
    shapes: Vec<Box<[Symbol]>>,
    shape_index: FxHashMap<Box<[Symbol]>, u32>,
    pub rows: Rows,
    /// New nodes go to the permanent arena.
    pub permanent: bool,
    trail: Vec<u32>,
    speculating: bool,
    /// The library's `List`, which array literals can be.
    pub list_def: Option<TypeDefId>,
}

/// Why two types do not unify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clash {
    Mismatch,
    Infinite,
    /// It would have more than [`LARGEST`] parts.
    TooLarge,
}

/// How many parts a type that is not known altogether may have. Types that double in size from line to line would need all memory.
pub(crate) const LARGEST: u32 = 1 << 18;

/// What a signature is instantiated with.
pub(crate) struct Instance<'i> {
    pub args: &'i [Ty],
    pub rows: &'i [Row],
}

impl Types {
    pub fn new() -> Self {
        let mut types = Types {
            perm: Arena::default(),
            temp: Arena::default(),
            vars: Vec::new(),
            shapes: Vec::new(),
            shape_index: FxHashMap::default(),
            rows: Rows::default(),
            permanent: true,
            trail: Vec::new(),
            speculating: false,
            list_def: None,
        };
        for prim in Prim::ALL {
            types.node(Node::Prim(prim));
        }
        types.node(Node::Tuple(List::EMPTY));
        types.node(Node::Error);
        types
    }

    pub fn prim(&self, prim: Prim) -> Ty {
        Ty(prim as u32)
    }

    pub const UNIT: Ty = Ty(17);
    pub const ERROR: Ty = Ty(18);
    pub const BOOL: Ty = Ty(Prim::Bool as u32);
    pub const STR: Ty = Ty(Prim::Str as u32);
    pub const CHAR: Ty = Ty(Prim::Char as u32);
    pub const INT: Ty = Ty(Prim::I64 as u32);
    pub const FLOAT: Ty = Ty(Prim::F64 as u32);
    pub const NEVER: Ty = Ty(Prim::Never as u32);

    fn arena(&self, index: u32) -> (&Arena, usize) {
        if index & TEMP != 0 { (&self.temp, (index & !TEMP) as usize) } else { (&self.perm, index as usize) }
    }

    pub fn get(&self, ty: Ty) -> Node {
        let (arena, index) = self.arena(ty.0);
        arena.nodes[index]
    }

    fn flags(&self, ty: Ty) -> u8 {
        let (arena, index) = self.arena(ty.0);
        arena.flags[index]
    }

    pub fn at(&self, list: List, index: usize) -> Ty {
        let (arena, start) = self.arena(list.start);
        arena.lists[start + index]
    }

    pub fn items(&self, list: List) -> &[Ty] {
        let (arena, start) = self.arena(list.start);
        &arena.lists[start..start + list.len as usize]
    }

    pub fn list(&mut self, items: &[Ty]) -> List {
        if items.is_empty() {
            return List::EMPTY;
        }
        let (arena, tag) = if self.permanent { (&mut self.perm, 0) } else { (&mut self.temp, TEMP) };
        let start = arena.lists.len() as u32;
        arena.lists.extend_from_slice(items);
        List { start: start | tag, len: items.len() as u32 }
    }

    pub fn node(&mut self, node: Node) -> Ty {
        let list_flags = |types: &Types, list: List| types.items(list).iter().fold(0, |all, &t| all | types.flags(t));
        let row_flags = |row: Row| match row.kind() {
            RowKind::None => 0,
            RowKind::Sig(_) | RowKind::Const(_) => HAS_ROW,
            RowKind::Var(_) => HAS_VAR,
        };
        let flags = match node {
            Node::Var(_) => HAS_VAR,
            Node::Prim(_) | Node::Error => 0,
            Node::Param(_) => HAS_PARAM,
            Node::Tuple(list) => list_flags(self, list),
            Node::Record { fields, .. } => list_flags(self, fields),
            Node::Fn { sig, row } => list_flags(self, sig) | row_flags(row),
            Node::Adt(_, list, row) => list_flags(self, list) | row_flags(row),
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } | Node::Cell(t) => self.flags(t),
        };
        let (arena, tag) = if self.permanent { (&mut self.perm, 0) } else { (&mut self.temp, TEMP) };
        let index = arena.nodes.len() as u32;
        arena.nodes.push(node);
        arena.flags.push(flags);
        Ty(index | tag)
    }

    pub fn var(&mut self, kind: VarKind) -> Ty {
        let index = self.vars.len() as u32;
        self.vars.push(Var { bound: None, kind });
        self.node(Node::Var(index))
    }

    pub fn fresh(&mut self) -> Ty {
        self.var(VarKind::Any)
    }

    pub fn tuple(&mut self, items: &[Ty]) -> Ty {
        if items.is_empty() {
            return Types::UNIT;
        }
        let list = self.list(items);
        self.node(Node::Tuple(list))
    }

    pub fn func(&mut self, params: &[Ty], ret: Ty, row: Row) -> Ty {
        let mut sig: Vec<Ty> = Vec::with_capacity(params.len() + 1);
        sig.extend_from_slice(params);
        sig.push(ret);
        let sig = self.list(&sig);
        self.node(Node::Fn { sig, row })
    }

    pub fn adt(&mut self, def: TypeDefId, args: &[Ty], row: Row) -> Ty {
        let list = self.list(args);
        self.node(Node::Adt(def, list, row))
    }

    pub fn array(&mut self, element: Ty) -> Ty {
        self.node(Node::Array(element))
    }

    pub fn reference(&mut self, mutable: bool, inner: Ty) -> Ty {
        self.node(Node::Ref { mutable, inner })
    }

    pub fn param(&mut self, index: u32) -> Ty {
        self.node(Node::Param(index))
    }

    /// A structural record; `fields` must be in name order.
    pub fn record(&mut self, names: &[Symbol], fields: &[Ty]) -> Ty {
        let shape = match self.shape_index.get(names) {
            Some(&shape) => shape,
            None => {
                let shape = self.shapes.len() as u32;
                self.shapes.push(names.into());
                self.shape_index.insert(names.into(), shape);
                shape
            }
        };
        let fields = self.list(fields);
        self.node(Node::Record { shape, fields })
    }

    pub fn shape(&self, shape: u32) -> &[Symbol] {
        &self.shapes[shape as usize]
    }

    /// The type a variable stands for, as far as it is known.
    pub fn resolve(&self, mut ty: Ty) -> Ty {
        while let Node::Var(var) = self.get(ty) {
            match self.vars[var as usize].bound {
                Some(bound) => ty = bound,
                None => return ty,
            }
        }
        ty
    }

    /// The resolved type's outermost node.
    pub fn head(&self, ty: Ty) -> Node {
        self.get(self.resolve(ty))
    }

    pub fn is_var(&self, ty: Ty) -> bool {
        matches!(self.head(ty), Node::Var(_))
    }

    pub fn var_kind(&self, ty: Ty) -> Option<VarKind> {
        match self.head(ty) {
            Node::Var(var) => Some(self.vars[var as usize].kind),
            _ => None,
        }
    }

    /// The resolved type without an outer reference.
    pub fn peel(&self, ty: Ty) -> Ty {
        let ty = self.resolve(ty);
        match self.get(ty) {
            Node::Ref { inner, .. } => self.peel(inner),
            _ => ty,
        }
    }

    /// The resolved type without an outer reference that cannot be written through.
    pub fn viewed(&self, ty: Ty) -> Ty {
        let ty = self.resolve(ty);
        match self.get(ty) {
            Node::Ref { mutable: false, inner } => self.resolve(inner),
            _ => ty,
        }
    }

    pub fn bind(&mut self, var: u32, ty: Ty) {
        if self.speculating {
            self.trail.push(var);
        }
        self.vars[var as usize].bound = Some(ty);
    }

    /// Drops everything temporary. Nothing permanent may refer to it.
    pub fn reset_temporary(&mut self) {
        self.temp.nodes.clear();
        self.temp.flags.clear();
        self.temp.lists.clear();
        self.vars.clear();
    }

    pub fn speculates(&self) -> bool {
        self.speculating
    }

    /// Runs `test` and takes back every binding it made.
    pub fn speculate<R>(&mut self, test: impl FnOnce(&mut Types) -> R) -> R {
        let (was, mark) = (self.speculating, self.trail.len());
        self.speculating = true;
        let result = test(self);
        for var in self.trail.split_off(mark) {
            self.vars[var as usize].bound = None;
        }
        self.speculating = was;
        result
    }

    pub fn can_unify(&mut self, a: Ty, b: Ty) -> bool {
        self.speculate(|types| types.unify(a, b).is_ok())
    }

    pub fn unify(&mut self, a: Ty, b: Ty) -> Result<(), Clash> {
        if a == b {
            return Ok(());
        }
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return Ok(());
        }
        match (self.get(a), self.get(b)) {
            (Node::Error, _) | (_, Node::Error) => Ok(()),
            (Node::Var(x), Node::Var(y)) => {
                match (self.vars[x as usize].kind, self.vars[y as usize].kind) {
                    (VarKind::Any, VarKind::Seq(element)) => {
                        self.check_occurs(x, element)?;
                        self.bind(x, b);
                    }
                    (VarKind::Seq(element), VarKind::Any) => {
                        self.check_occurs(y, element)?;
                        self.bind(y, a);
                    }
                    (VarKind::Any, _) | (VarKind::Int, VarKind::Float) => self.bind(x, b),
                    (VarKind::Seq(p), VarKind::Seq(q)) => {
                        self.bind(y, a);
                        return self.unify(p, q);
                    }
                    (VarKind::Seq(_), VarKind::Int | VarKind::Float)
                    | (VarKind::Int | VarKind::Float, VarKind::Seq(_)) => {
                        return Err(Clash::Mismatch);
                    }
                    _ => self.bind(y, a),
                }
                Ok(())
            }
            (Node::Var(x), _) => self.bind_checked(x, b),
            (_, Node::Var(y)) => self.bind_checked(y, a),
            (Node::Prim(p), Node::Prim(q)) if p == q => Ok(()),
            (Node::Param(p), Node::Param(q)) if p == q => Ok(()),
            (Node::Tuple(p), Node::Tuple(q)) => self.unify_lists(p, q),
            (Node::Record { shape: s, fields: p }, Node::Record { shape: r, fields: q }) if s == r => {
                self.unify_lists(p, q)
            }
            (Node::Fn { sig: p, row: r }, Node::Fn { sig: q, row: s }) => {
                self.unify_lists(p, q)?;
                self.unify_rows(r, s);
                Ok(())
            }
            (Node::Adt(d, p, r), Node::Adt(e, q, s)) if d == e => {
                self.unify_lists(p, q)?;
                self.unify_rows(r, s);
                Ok(())
            }
            (Node::Array(p), Node::Array(q)) | (Node::Cell(p), Node::Cell(q)) => self.unify(p, q),
            (Node::Fixed(p, n), Node::Fixed(q, m)) if n == m => self.unify(p, q),
            (Node::Ref { mutable: m, inner: p }, Node::Ref { mutable: n, inner: q }) if m == n => self.unify(p, q),
            _ => Err(Clash::Mismatch),
        }
    }

    fn unify_lists(&mut self, p: List, q: List) -> Result<(), Clash> {
        if p.len != q.len {
            return Err(Clash::Mismatch);
        }
        // All parts are unified even after a clash, so that later errors are about later things.
        let mut result = Ok(());
        for i in p.range() {
            if let Err(clash) = self.unify(self.at(p, i), self.at(q, i)) {
                result = Err(clash);
            }
        }
        result
    }

    fn bind_checked(&mut self, var: u32, ty: Ty) -> Result<(), Clash> {
        match (self.vars[var as usize].kind, self.get(ty)) {
            (VarKind::Any, _) => {}
            (VarKind::Int, Node::Prim(p)) if p.is_integer() || p.is_float() => {}
            (VarKind::Float, Node::Prim(p)) if p.is_float() => {}
            (VarKind::Seq(element), Node::Array(found)) => {
                self.check_occurs(var, ty)?;
                self.bind(var, ty);
                return self.unify(element, found);
            }
            (VarKind::Seq(element), Node::Adt(def, args, _)) if Some(def) == self.list_def => {
                self.check_occurs(var, ty)?;
                let found = self.at(args, 0);
                self.bind(var, ty);
                return self.unify(element, found);
            }
            _ => return Err(Clash::Mismatch),
        }
        self.check_occurs(var, ty)?;
        self.bind(var, ty);
        Ok(())
    }

    /// May a variable stand for a type? Not when it is a part of it, nor when the type is too large: sharing hides that from all but
    /// those who look at every part, as the rest of the checker does.
    fn check_occurs(&self, var: u32, ty: Ty) -> Result<(), Clash> {
        let mut left = LARGEST;
        match self.occurs(var, ty, &mut left) {
            _ if left == 0 => Err(Clash::TooLarge),
            true => Err(Clash::Infinite),
            false => Ok(()),
        }
    }

    /// Stops when nothing is `left` of the parts it may look at.
    fn occurs(&self, var: u32, ty: Ty, left: &mut u32) -> bool {
        if self.flags(ty) & HAS_VAR == 0 || *left == 0 {
            return false;
        }
        *left -= 1;
        match self.get(ty) {
            Node::Var(v) => {
                let info = self.vars[v as usize];
                let inside = match (info.bound, info.kind) {
                    (Some(bound), _) => Some(bound),
                    (None, VarKind::Seq(element)) => Some(element),
                    _ => None,
                };
                v == var || inside.is_some_and(|inside| self.occurs(var, inside, left))
            }
            Node::Prim(_) | Node::Param(_) | Node::Error => false,
            Node::Tuple(list)
            | Node::Record { fields: list, .. }
            | Node::Fn { sig: list, .. }
            | Node::Adt(_, list, _) => list.range().any(|i| self.occurs(var, self.at(list, i), left)),
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } | Node::Cell(t) => {
                self.occurs(var, t, left)
            }
        }
    }

    /// Does a type contain a type parameter?
    pub fn mentions_param(&self, ty: Ty, param: u32) -> bool {
        let ty = self.resolve(ty);
        if self.flags(ty) & (HAS_PARAM | HAS_VAR) == 0 {
            return false;
        }
        match self.get(ty) {
            Node::Param(index) => index == param,
            Node::Var(_) | Node::Prim(_) | Node::Error => false,
            Node::Tuple(list)
            | Node::Record { fields: list, .. }
            | Node::Fn { sig: list, .. }
            | Node::Adt(_, list, _) => list.range().any(|i| self.mentions_param(self.at(list, i), param)),
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } | Node::Cell(t) => {
                self.mentions_param(t, param)
            }
        }
    }

    /// `ty` with parameters and signature rows replaced.
    pub fn instantiate(&mut self, ty: Ty, with: &Instance<'_>) -> Ty {
        if self.flags(ty) & (HAS_PARAM | HAS_ROW) == 0 {
            return ty;
        }
        match self.get(ty) {
            Node::Param(index) => with.args.get(index as usize).copied().unwrap_or(ty),
            Node::Var(_) | Node::Prim(_) | Node::Error => match self.resolve(ty) {
                same if same == ty => ty,
                bound => self.instantiate(bound, with),
            },
            Node::Tuple(list) => {
                let list = self.instantiate_list(list, with);
                self.node(Node::Tuple(list))
            }
            Node::Record { shape, fields } => {
                let fields = self.instantiate_list(fields, with);
                self.node(Node::Record { shape, fields })
            }
            Node::Fn { sig, row } => {
                let sig = self.instantiate_list(sig, with);
                let row = self.instantiate_row(row, with);
                self.node(Node::Fn { sig, row })
            }
            Node::Adt(def, list, row) => {
                let list = self.instantiate_list(list, with);
                let row = self.instantiate_row(row, with);
                self.node(Node::Adt(def, list, row))
            }
            Node::Array(t) => {
                let t = self.instantiate(t, with);
                self.node(Node::Array(t))
            }
            Node::Fixed(t, n) => {
                let t = self.instantiate(t, with);
                self.node(Node::Fixed(t, n))
            }
            Node::Ref { mutable, inner } => {
                let inner = self.instantiate(inner, with);
                self.node(Node::Ref { mutable, inner })
            }
            Node::Cell(t) => {
                let t = self.instantiate(t, with);
                self.node(Node::Cell(t))
            }
        }
    }

    fn instantiate_list(&mut self, list: List, with: &Instance<'_>) -> List {
        let mut items = [Types::ERROR; 8];
        if list.len as usize <= items.len() {
            for i in list.range() {
                items[i] = self.instantiate(self.at(list, i), with);
            }
            return self.list(&items[..list.len as usize]);
        }
        let items: Vec<Ty> = list.range().map(|i| self.instantiate(self.at(list, i), with)).collect();
        self.list(&items)
    }

    fn instantiate_row(&mut self, row: Row, with: &Instance<'_>) -> Row {
        match row.kind() {
            RowKind::Sig(index) => with.rows.get(index as usize).copied().unwrap_or(Row::NONE),
            RowKind::Const(index) if !self.permanent => self.open_row(index, with),
            RowKind::Const(index) => self.closed_row(index, |types, arg| types.instantiate(arg, with)),
            _ => row,
        }
    }

    /// A closed row with the arguments of its effects changed.
    fn closed_row(&mut self, index: u32, mut change: impl FnMut(&mut Types, Ty) -> Ty) -> Row {
        if self.rows.closed(index).args.is_empty() {
            return Row::constant(index);
        }
        let mut closed = self.rows.closed(index).clone();
        for (_, args) in &mut closed.args {
            let changed: Vec<Ty> = args.range().map(|i| change(self, self.at(*args, i))).collect();
            *args = self.list(&changed);
        }
        self.rows.constant(closed)
    }

    /// Every unbound variable of `ty`, in order of appearance, each once.
    pub fn free_vars(&self, ty: Ty, out: &mut Vec<u32>) {
        if self.flags(ty) & HAS_VAR == 0 {
            return;
        }
        match self.get(ty) {
            Node::Var(var) => match self.vars[var as usize].bound {
                Some(bound) => self.free_vars(bound, out),
                None if !out.contains(&var) => out.push(var),
                None => {}
            },
            Node::Prim(_) | Node::Param(_) | Node::Error => {}
            Node::Tuple(list)
            | Node::Record { fields: list, .. }
            | Node::Fn { sig: list, .. }
            | Node::Adt(_, list, _) => {
                for i in list.range() {
                    self.free_vars(self.at(list, i), out);
                }
            }
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } | Node::Cell(t) => self.free_vars(t, out),
        }
    }

    pub fn kind_of_var(&self, var: u32) -> VarKind {
        self.vars[var as usize].kind
    }

    /// A permanent copy of a type whose variables are all bound. `rows` maps row variables to signature rows,
    /// growing as new ones are met.
    pub fn freeze(&mut self, ty: Ty, rows: &mut Vec<u32>) -> Ty {
        let ty = self.resolve(ty);
        if ty.0 & TEMP == 0 && self.flags(ty) & HAS_VAR == 0 {
            return ty;
        }
        let was = std::mem::replace(&mut self.permanent, true);
        let frozen = self.freeze_node(ty, rows);
        self.permanent = was;
        frozen
    }

    fn freeze_node(&mut self, ty: Ty, rows: &mut Vec<u32>) -> Ty {
        let ty = self.resolve(ty);
        if ty.0 & TEMP == 0 && self.flags(ty) & HAS_VAR == 0 {
            return ty;
        }
        let freeze_list = |types: &mut Types, list: List, rows: &mut Vec<u32>| {
            let items: Vec<Ty> = list.range().map(|i| types.freeze_node(types.at(list, i), rows)).collect();
            types.list(&items)
        };
        let freeze_row = |types: &mut Types, row: Row, rows: &mut Vec<u32>| match row.kind() {
            RowKind::Var(var) => {
                let var = types.rows.find(var);
                let index = rows.iter().position(|&known| known == var).unwrap_or_else(|| {
                    rows.push(var);
                    rows.len() - 1
                });
                Row::sig(index as u32)
            }
            RowKind::Const(index) => types.closed_row(index, |types, arg| types.freeze_node(arg, &mut Vec::new())),
            _ => row,
        };
        let node = match self.get(ty) {
            Node::Var(_) => return Types::UNIT,
            Node::Prim(_) | Node::Error | Node::Param(_) => self.get(ty),
            Node::Tuple(list) => Node::Tuple(freeze_list(self, list, rows)),
            Node::Record { shape, fields } => Node::Record { shape, fields: freeze_list(self, fields, rows) },
            Node::Fn { sig, row } => Node::Fn { sig: freeze_list(self, sig, rows), row: freeze_row(self, row, rows) },
            Node::Adt(def, list, row) => Node::Adt(def, freeze_list(self, list, rows), freeze_row(self, row, rows)),
            Node::Array(t) => Node::Array(self.freeze_node(t, rows)),
            Node::Fixed(t, n) => Node::Fixed(self.freeze_node(t, rows), n),
            Node::Ref { mutable, inner } => Node::Ref { mutable, inner: self.freeze_node(inner, rows) },
            Node::Cell(t) => Node::Cell(self.freeze_node(t, rows)),
        };
        self.node(node)
    }
}

impl Types {
    /// Are two types equal as far as they are known, rows apart?
    pub fn same(&self, a: Ty, b: Ty) -> bool {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return true;
        }
        let lists = |p: List, q: List| p.len == q.len && p.range().all(|i| self.same(self.at(p, i), self.at(q, i)));
        match (self.get(a), self.get(b)) {
            (Node::Error, _) | (_, Node::Error) => true,
            (Node::Tuple(p), Node::Tuple(q)) => lists(p, q),
            (Node::Record { shape: s, fields: p }, Node::Record { shape: r, fields: q }) => s == r && lists(p, q),
            (Node::Fn { sig: p, .. }, Node::Fn { sig: q, .. }) => lists(p, q),
            (Node::Adt(d, p, _), Node::Adt(e, q, _)) => d == e && lists(p, q),
            (Node::Array(p), Node::Array(q)) | (Node::Cell(p), Node::Cell(q)) => self.same(p, q),
            (Node::Fixed(p, n), Node::Fixed(q, m)) => n == m && self.same(p, q),
            (Node::Ref { mutable: m, inner: p }, Node::Ref { mutable: n, inner: q }) => m == n && self.same(p, q),
            (p, q) => p == q,
        }
    }

    /// A type without outer references; a reference is never inferred.
    pub fn decay(&self, ty: Ty) -> Ty {
        self.peel(ty)
    }
}

impl Ty {
    /// Is it temporary, and its index in its arena?
    pub fn split(self) -> (bool, usize) {
        (self.0 & TEMP != 0, (self.0 & !TEMP) as usize)
    }
}

impl Types {
    /// The type of a literal that nothing else decides; other variables are left alone.
    pub fn settle(&mut self, ty: Ty) {
        let ty = self.resolve(ty);
        let Node::Var(var) = self.get(ty) else { return };
        match self.kind_of_var(var) {
            VarKind::Any => {}
            VarKind::Int => self.bind(var, Types::INT),
            VarKind::Float => self.bind(var, Types::FLOAT),
            VarKind::Seq(element) => {
                let array = self.array(element);
                self.bind(var, array);
            }
        }
    }

    pub fn is_number_literal(&self, ty: Ty) -> bool {
        matches!(self.var_kind(ty), Some(VarKind::Int | VarKind::Float))
    }

    pub fn is_open(&self, ty: Ty) -> bool {
        self.var_kind(ty) == Some(VarKind::Any)
    }

    pub fn is_sequence_literal(&self, ty: Ty) -> bool {
        matches!(self.var_kind(ty), Some(VarKind::Seq(_)))
    }

    /// The row variables inside a type.
    pub fn rows_in(&self, ty: Ty, out: &mut Vec<u32>) {
        if self.flags(ty) & HAS_VAR == 0 {
            return;
        }
        let (list, row) = match self.get(self.resolve(ty)) {
            Node::Fn { sig, row } => (sig, row),
            Node::Adt(_, list, row) => (list, row),
            Node::Tuple(list) | Node::Record { fields: list, .. } => (list, Row::NONE),
            Node::Array(t) | Node::Fixed(t, _) | Node::Ref { inner: t, .. } | Node::Cell(t) => {
                return self.rows_in(t, out);
            }
            Node::Var(_) | Node::Prim(_) | Node::Param(_) | Node::Error => return,
        };
        if let RowKind::Var(row) = row.kind() {
            out.push(row);
        }
        for i in list.range() {
            self.rows_in(self.at(list, i), out);
        }
    }

    /// Gives the literals inside a type their default types.
    pub fn settle_all(&mut self, ty: Ty) {
        loop {
            let mut vars = Vec::new();
            self.free_vars(ty, &mut vars);
            let literal = vars.into_iter().find(|&var| self.kind_of_var(var) != VarKind::Any);
            let Some(var) = literal else { return };
            match self.kind_of_var(var) {
                VarKind::Int => self.bind(var, Types::INT),
                VarKind::Float => self.bind(var, Types::FLOAT),
                VarKind::Seq(element) => {
                    let array = self.array(element);
                    self.bind(var, array);
                }
                VarKind::Any => return,
            }
        }
    }
}
