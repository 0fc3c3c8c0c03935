//! What does a Core program look like? A text form for people and snapshot tests: numbered, deterministic, one
//! statement per line.
//!
//! ```text
//! fn main.count(n: i64, sum: i64) -> i64 {
//!   v2: Bool = eq(n, 0)
//!   switch v2 {
//!     true -> return sum
//!     false -> {
//!       v3: i64 = int_sub(n, 1)
//!       v4: i64 = int_add(sum, 1)
//!       tail main.count(v3, v4)
//!     }
//!   }
//! }
//! ```

use std::fmt::Write as _;

use reml_semantics::types::{Type, TypeId};

use crate::core::{
    Atom, Block, Callee, Case, End, FuncId, Function, Inline, Join, Mode, Op, Program, Stmt, Switch, Var,
};

/// The whole program: globals, then functions.
pub fn dump(program: &Program) -> String {
    let mut text = String::new();
    for global in program.globals.values() {
        let _ = writeln!(text, "global {}: {}", global.name, type_text(program, global.ty));
    }
    if !program.globals.is_empty() {
        text.push('\n');
    }
    for id in program.funcs.keys() {
        text.push_str(&function(program, id));
        text.push('\n');
    }
    text
}

/// One function.
pub fn function(program: &Program, id: FuncId) -> String {
    let function = &program.funcs[id];
    let mut printer = Printer { program, function, text: String::new(), depth: 0 };
    printer.function(id);
    printer.text
}

/// A type as a Reml programmer would write it; fields of structural records go without names.
pub fn type_text(program: &Program, ty: TypeId) -> String {
    let list = |types: &[TypeId]| types.iter().map(|&ty| type_text(program, ty)).collect::<Vec<_>>().join(", ");
    match program.types.get(ty) {
        Type::Prim(prim) => prim.name().to_owned(),
        Type::Tuple(items) if items.len() == 1 => format!("({},)", list(items)),
        Type::Tuple(items) => format!("({})", list(items)),
        Type::Record(fields) => {
            let types: Vec<TypeId> = fields.iter().map(|&(_, ty)| ty).collect();
            format!("{{{}}}", list(&types))
        }
        Type::Fn { params, ret } => format!("({}) -> {}", list(params), type_text(program, *ret)),
        Type::Adt(def, args) if args.is_empty() => program.type_names[*def].to_string(),
        Type::Adt(def, args) => format!("{}<{}>", program.type_names[*def], list(args)),
        Type::Array(element) => format!("[{}]", type_text(program, *element)),
        Type::FixedArray(element, len) => format!("[{}; {len}]", type_text(program, *element)),
        Type::Ref { mutable, inner } => {
            format!("&{}{}", if *mutable { "mut " } else { "" }, type_text(program, *inner))
        }
        Type::VarCell(inner) => format!("__Cell<{}>", type_text(program, *inner)),
        Type::Param(index) => format!("'{index}"),
        Type::Error => "<error>".to_owned(),
    }
}

struct Printer<'a> {
    program: &'a Program,
    function: &'a Function,
    text: String,
    depth: usize,
}

impl Printer<'_> {
    fn line(&mut self, line: &str) {
        for _ in 0..self.depth {
            self.text.push_str("  ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn function(&mut self, id: FuncId) {
        let function = self.function;
        let mut head = String::new();
        if id == self.program.entry {
            head.push_str("entry ");
        }
        match function.inline {
            Inline::Auto => {}
            Inline::Always => head.push_str("inline "),
            Inline::Never => head.push_str("noinline "),
            Inline::Once => head.push_str("once "),
        }
        let _ = write!(head, "fn {}(", function.name);
        for (index, &param) in function.params.iter().enumerate() {
            if index > 0 {
                head.push_str(if index == function.captures { "; " } else { ", " });
            }
            let borrowed = function.modes.get(index) == Some(&Mode::Borrowed);
            let _ = write!(head, "{}: {}{}", self.var(param), if borrowed { "&" } else { "" }, self.var_type(param));
        }
        if function.captures > 0 && function.captures == function.params.len() {
            head.push(';');
        }
        let _ = write!(head, ") -> {} {{", type_text(self.program, function.ret));
        self.line(&head);
        self.depth += 1;
        self.block(&function.body);
        self.depth -= 1;
        self.line("}");
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
        match &block.end {
            End::Switch(switch) => self.switch(switch),
            other => {
                let line = self.end(other);
                self.line(&line);
            }
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        let line = match stmt {
            Stmt::Let(var, op) => {
                let roots = self.function.roots.get(var).map_or_else(String::new, |roots| {
                    let roots: Vec<String> = roots.iter().map(|&root| self.var(root)).collect();
                    format!(" owning [{}]", roots.join(", "))
                });
                format!("{}: {} = {}{roots}", self.var(*var), self.var_type(*var), self.op(op))
            }
            Stmt::Join(join) => return self.join(join),
            Stmt::Fill { addr, value } => format!("fill {} with {}", self.var(*addr), self.atom(*value)),
            Stmt::Dup(var) => format!("dup {}", self.var(*var)),
            Stmt::Drop(var) => format!("drop {}", self.var(*var)),
            Stmt::Release { var, variant, moved, token } => {
                let moved: Vec<String> =
                    moved.iter().map(|(index, var)| format!(".{index} = {}", self.var(*var))).collect();
                let token = token.map_or_else(String::new, |token| format!("{}: token = ", self.var(token)));
                format!("{token}release {}#{variant} moving [{}]", self.var(*var), moved.join(", "))
            }
            Stmt::FreeToken(var) => format!("free token {}", self.var(*var)),
        };
        self.line(&line);
    }

    fn join(&mut self, join: &Join) {
        let params: Vec<String> =
            join.params.iter().map(|&var| format!("{}: {}", self.var(var), self.var_type(var))).collect();
        let word = if join.recursive { "loop" } else { "join" };
        self.line(&format!("{word} {}({}) {{", join.id, params.join(", ")));
        self.depth += 1;
        self.block(&join.body);
        self.depth -= 1;
        self.line("}");
    }

    fn switch(&mut self, switch: &Switch) {
        let head = format!("switch {} {{", self.atom(switch.scrutinee));
        self.line(&head);
        self.depth += 1;
        for (case, block) in &switch.cases {
            let case = match case {
                Case::Variant(index) => format!("#{index}"),
                Case::Int(value) => value.to_string(),
                Case::Bool(value) => value.to_string(),
            };
            self.branch(&case, block);
        }
        if let Some(default) = &switch.default {
            self.branch("_", default);
        }
        self.depth -= 1;
        self.line("}");
    }

    fn branch(&mut self, case: &str, block: &Block) {
        match (&block.stmts[..], &block.end) {
            ([], End::Switch(_)) | ([_, ..], _) => {
                self.line(&format!("{case} -> {{"));
                self.depth += 1;
                self.block(block);
                self.depth -= 1;
                self.line("}");
            }
            ([], end) => {
                let line = format!("{case} -> {}", self.end(end));
                self.line(&line);
            }
        }
    }

    fn end(&self, end: &End) -> String {
        match end {
            End::Return(atom) => format!("return {}", self.atom(*atom)),
            End::Jump(id, args) => format!("jump {id}({})", self.atoms(args)),
            End::TailCall { callee, args, .. } => format!("tail {}({})", self.callee(*callee), self.atoms(args)),
            End::Switch(switch) => format!("switch {}", self.atom(switch.scrutinee)),
            End::Unreachable => "unreachable".to_owned(),
        }
    }

    fn op(&self, op: &Op) -> String {
        match op {
            Op::Copy(atom) => self.atom(*atom),
            Op::Prim(prim, args) => format!("{}({})", prim.name(), self.atoms(args)),
            Op::Call(callee, args) => format!("{}({})", self.callee(*callee), self.atoms(args)),
            Op::CallRuntime(id, args) => format!("rt {}({})", self.program.runtime[*id].symbol, self.atoms(args)),
            Op::CallForeign(id, args) => format!("c {}({})", self.program.foreign[*id].name(), self.atoms(args)),
            Op::Closure(id, captures) => {
                format!("closure {}[{}]", self.program.funcs[*id].name, self.atoms(captures))
            }
            Op::Construct { variant, args, token } => {
                let token = token.map_or_else(String::new, |token| format!(" at {}", self.var(token)));
                format!("new #{variant}({}){token}", self.atoms(args))
            }
            Op::Field { base, variant, index } => format!("{}#{variant}.{index}", self.atom(*base)),
            Op::Tag(atom) => format!("tag({})", self.atom(*atom)),
            Op::Array(items) => format!("[{}]", self.atoms(items)),
            Op::GlobalGet(id) => format!("global {}", self.program.globals[*id].name),
            Op::GlobalSet(id, atom) => format!("global {} := {}", self.program.globals[*id].name, self.atom(*atom)),
            Op::GlobalTake(id) => format!("take global {}", self.program.globals[*id].name),
            Op::FieldAddr { base, variant, index } => format!("addr {}#{variant}.{index}", self.var(*base)),
        }
    }

    fn callee(&self, callee: Callee) -> String {
        match callee {
            Callee::Func(id) => self.program.funcs[id].name.to_string(),
            Callee::Closure(atom) => format!("({})", self.atom(atom)),
            Callee::Consumed(atom) => format!("(own {})", self.atom(atom)),
        }
    }

    fn atoms(&self, atoms: &[Atom]) -> String {
        atoms.iter().map(|&atom| self.atom(atom)).collect::<Vec<_>>().join(", ")
    }

    fn atom(&self, atom: Atom) -> String {
        match atom {
            Atom::Var(var) => self.var(var),
            Atom::Int(value, ty) => match self.program.types.get(ty) {
                Type::Adt(..) => format!("#{value}"),
                _ => value.to_string(),
            },
            Atom::Float(value, _) => format!("{value:?}"),
            Atom::Bool(value) => value.to_string(),
            Atom::Unit => "()".to_owned(),
            Atom::Str(id) => format!("{:?}", &*self.program.strings[id]),
            Atom::Hole => "hole".to_owned(),
        }
    }

    /// `v3`, or `v3_name` when the source has a name for it.
    fn var(&self, var: Var) -> String {
        match &self.function.vars[var].name {
            Some(name) => format!("{var}_{name}"),
            None => var.to_string(),
        }
    }

    fn var_type(&self, var: Var) -> String {
        type_text(self.program, self.function.vars[var].ty)
    }
}
