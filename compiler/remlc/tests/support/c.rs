//! What the tests of foreign functions share: random structs and values in the words of both languages, and a C library that a program calls. Where the C compiler has
//! the sanitizers of addresses and of undefined behaviour, C files are compiled with them once more, and programs must do the same, and nothing that they report.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::{Ran, remlc, run, scratch};

/// Numbers that are the same each time.
pub struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 11) as usize % limit
    }
}

/// Reml's name, C's name, bits of an integer, or 0 for a float and 1 for a truth value; is it signed?
pub const SCALARS: [(&str, &str, u32, bool); 11] = [
    ("i8", "int8_t", 8, true),
    ("u8", "uint8_t", 8, false),
    ("i16", "int16_t", 16, true),
    ("u16", "uint16_t", 16, false),
    ("i32", "int32_t", 32, true),
    ("u32", "uint32_t", 32, false),
    ("i64", "int64_t", 64, true),
    ("u64", "uint64_t", 64, false),
    ("f32", "float", 0, true),
    ("f64", "double", 0, true),
    ("Bool", "bool", 1, false),
];

#[derive(Clone)]
pub enum Type {
    Scalar(usize),
    Struct(usize),
    /// Only in structs.
    Array(Box<Type>, usize),
}

pub enum Value {
    Text(String),
    Parts(Vec<Value>),
}

pub struct World {
    pub random: Random,
    /// The fields of each struct, and whether it is packed.
    pub structs: Vec<(Vec<Type>, bool)>,
}

/// What a function takes and gives, and what it is given and gives in a test.
pub struct Function {
    pub params: Vec<Type>,
    pub ret: Type,
    pub given: Vec<Value>,
    pub result: Value,
}

impl World {
    pub fn new(seed: u64, count: usize) -> World {
        let mut world = World { random: Random(seed), structs: Vec::new() };
        for _ in 0..count {
            let packed = world.random.below(8) == 0;
            let mut fields = Vec::new();
            for _ in 0..1 + world.random.below(6) {
                let field = match world.random.below(8) {
                    0 if !world.structs.is_empty() => Type::Struct(world.random.below(world.structs.len())),
                    1 => {
                        let element = Type::Scalar(world.random.below(SCALARS.len()));
                        Type::Array(Box::new(element), 1 + world.random.below(4))
                    }
                    // Floats more often: their classes are where mistakes are.
                    2 | 3 => Type::Scalar(8 + world.random.below(2)),
                    _ => Type::Scalar(world.random.below(SCALARS.len())),
                };
                fields.push(field);
            }
            world.structs.push((fields, packed));
        }
        world
    }

    pub fn passed(&mut self) -> Type {
        match self.random.below(5) {
            0 | 1 => Type::Scalar(self.random.below(SCALARS.len())),
            _ => Type::Struct(self.random.below(self.structs.len())),
        }
    }

    pub fn value(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Scalar(index) => Value::Text(match SCALARS[*index] {
                (_, _, 0, _) => format!("{:?}", self.random.below(4000) as f64 / 4.0 - 500.0),
                (_, _, 1, _) => (self.random.below(2) == 1).to_string(),
                (_, _, bits, true) => {
                    let value = (self.random.next() as i64) >> (64 - bits);
                    // C has no literal for the least number.
                    value.max(-(i64::MAX >> (64 - bits))).to_string()
                }
                (_, _, bits, false) => (self.random.next() >> (64 - bits)).to_string(),
            }),
            Type::Struct(index) => {
                let fields = self.structs[*index].0.clone();
                Value::Parts(fields.iter().map(|field| self.value(field)).collect())
            }
            Type::Array(element, len) => Value::Parts((0..*len).map(|_| self.value(element)).collect()),
        }
    }

    pub fn reml_type(&self, ty: &Type) -> String {
        match ty {
            Type::Scalar(index) => SCALARS[*index].0.to_owned(),
            Type::Struct(index) => format!("S{index}"),
            Type::Array(element, len) => format!("[{}; {len}]", self.reml_type(element)),
        }
    }

    pub fn c_type(&self, ty: &Type) -> String {
        match ty {
            Type::Scalar(index) => SCALARS[*index].1.to_owned(),
            Type::Struct(index) => format!("struct S{index}"),
            Type::Array(..) => unreachable!("arrays are only fields"),
        }
    }

    pub fn reml_value(&self, ty: &Type, value: &Value) -> String {
        match (ty, value) {
            (Type::Struct(index), Value::Parts(parts)) => {
                let fields = self.structs[*index].0.iter().zip(parts).enumerate();
                let fields: Vec<String> = fields
                    .map(|(at, (field, part))| format!("{}: {}", field_name(at), self.reml_value(field, part)))
                    .collect();
                format!("S{index} {{ {} }}", fields.join(", "))
            }
            (Type::Array(element, _), Value::Parts(parts)) => {
                let items: Vec<String> = parts.iter().map(|part| self.reml_value(element, part)).collect();
                format!("[{}]", items.join(", "))
            }
            (_, Value::Text(text)) => text.clone(),
            _ => unreachable!("values fit their types"),
        }
    }

    pub fn c_value(&self, ty: &Type, value: &Value) -> String {
        let inner = self.c_initialiser(ty, value);
        match ty {
            Type::Struct(_) => format!("({}){inner}", self.c_type(ty)),
            _ => inner,
        }
    }

    fn c_initialiser(&self, ty: &Type, value: &Value) -> String {
        match (ty, value) {
            (Type::Struct(index), Value::Parts(parts)) => {
                let fields = self.structs[*index].0.iter().zip(parts);
                let fields: Vec<String> = fields.map(|(field, part)| self.c_initialiser(field, part)).collect();
                format!("{{ {} }}", fields.join(", "))
            }
            (Type::Array(element, _), Value::Parts(parts)) => {
                let items: Vec<String> = parts.iter().map(|part| self.c_initialiser(element, part)).collect();
                format!("{{ {} }}", items.join(", "))
            }
            (Type::Scalar(index), Value::Text(text)) => match SCALARS[*index] {
                (_, _, 64, true) => format!("{text}LL"),
                (_, _, 64, false) => format!("{text}ULL"),
                _ => text.clone(),
            },
            _ => unreachable!("values fit their types"),
        }
    }

    /// Declares a struct in both languages, and a function in Reml that shows one.
    pub fn declare_struct(&self, index: usize, c: &mut String, reml: &mut String) {
        let (fields, packed) = &self.structs[index];
        let attribute = if *packed { "__attribute__((packed)) " } else { "" };
        writeln!(c, "struct {attribute}S{index} {{").unwrap();
        writeln!(reml, "@repr(C{})\nstruct S{index} {{", if *packed { ", packed" } else { "" }).unwrap();
        let mut shown = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let name = field_name(at);
            match field {
                Type::Array(element, len) => writeln!(c, "  {} {name}[{len}];", self.c_type(element)).unwrap(),
                field => writeln!(c, "  {} {name};", self.c_type(field)).unwrap(),
            }
            writeln!(reml, "  {name}: {},", self.reml_type(field)).unwrap();
            shown.push(self.reml_shown(field, &format!("s.{name}")));
        }
        c.push_str("};\n");
        writeln!(reml, "}}\n\nfn show{index}(s: S{index}) -> Str = {}\n", shown.join(" + \" \" + ")).unwrap();
    }

    /// The parts of a value as both programs print them.
    pub fn shown(value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            Value::Parts(parts) => parts.iter().map(World::shown).collect::<Vec<_>>().join(" "),
        }
    }

    /// An expression that gives the text of a value.
    pub fn reml_shown(&self, ty: &Type, place: &str) -> String {
        match ty {
            Type::Scalar(_) => format!("format(\"{{}}\", {place})"),
            Type::Struct(index) => format!("show{index}({place})"),
            Type::Array(element, len) => {
                let items: Vec<String> =
                    (0..*len).map(|at| self.reml_shown(element, &format!("{place}[{at}]"))).collect();
                items.join(" + \" \" + ")
            }
        }
    }

    /// A function of C that is called with values which somebody chose: it counts those that are others, and gives one back.
    pub fn function(&mut self) -> Function {
        let params: Vec<Type> = (0..self.random.below(11)).map(|_| self.passed()).collect();
        let ret = self.passed();
        let given: Vec<Value> = params.iter().map(|ty| self.value(ty)).collect();
        let result = self.value(&ret);
        Function { params, ret, given, result }
    }

    /// Its parameters, in C.
    pub fn c_params(&self, function: &Function) -> String {
        let params = function.params.iter().enumerate();
        let params: Vec<String> = params.map(|(at, ty)| format!("{} p{at}", self.c_type(ty))).collect();
        if params.is_empty() { "void".to_owned() } else { params.join(", ") }
    }

    /// Writes it in C.
    pub fn define(&self, name: &str, function: &Function, c: &mut String) {
        let mut checks = String::new();
        for (at, (ty, value)) in function.params.iter().zip(&function.given).enumerate() {
            writeln!(checks, "  {} e{at} = {};", self.c_type(ty), self.c_value(ty, value)).unwrap();
            self.c_compared(ty, &format!("p{at}"), &format!("e{at}"), &mut checks);
        }
        let (ret, result) = (self.c_type(&function.ret), self.c_value(&function.ret, &function.result));
        writeln!(c, "{ret} {name}({}) {{\n{checks}  return {result};\n}}", self.c_params(function)).unwrap();
    }

    /// C code that counts where two values differ.
    pub fn c_compared(&self, ty: &Type, a: &str, b: &str, out: &mut String) {
        match ty {
            Type::Scalar(_) => writeln!(out, "  errors += {a} != {b};").unwrap(),
            Type::Struct(index) => {
                for (at, field) in self.structs[*index].0.iter().enumerate() {
                    let name = field_name(at);
                    self.c_compared(field, &format!("{a}.{name}"), &format!("{b}.{name}"), out);
                }
            }
            Type::Array(element, len) => {
                for at in 0..*len {
                    self.c_compared(element, &format!("{a}[{at}]"), &format!("{b}[{at}]"), out);
                }
            }
        }
    }
}

/// Names whose order is not the declared one: Reml keeps fields by name.
pub fn field_name(at: usize) -> &'static str {
    ["m", "c", "z", "a", "q", "b", "y", "d"][at]
}

/// What the C compiler is told for a library that reports what it does wrong.
pub const SANITIZED: [&str; 3] = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"];

/// The library that must be in a process first, where there are sanitizers.
pub fn sanitizer() -> Option<&'static Path> {
    static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let directory = scratch();
        let (c, program) = (directory.path().join("empty.c"), directory.path().join("empty"));
        std::fs::write(&c, "int main(void) { return 0; }\n").ok()?;
        let compiled = Command::new("cc").args(SANITIZED).arg(&c).arg("-o").arg(&program).output().ok()?;
        // Of GCC, and of Clang.
        let names = ["libasan.so", "libclang_rt.asan-x86_64.so", "libclang_rt.asan.so"];
        let path = names.iter().find_map(|name| {
            let found = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
            let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim_end());
            path.is_absolute().then_some(path)
        })?;
        let works = compiled.status.success()
            && Command::new(program).env("LD_PRELOAD", &path).status().is_ok_and(|status| status.success());
        works.then_some(path)
    };
    let found = FOUND.get_or_init(find);
    if found.is_none() {
        eprintln!("not run with sanitizers: the C compiler `cc` has none, or they do not work here");
    }
    found.as_deref()
}

/// Compiles C code into a library `libNAME.so`.
pub fn library(directory: &Path, name: &str, source: &str, arguments: &[&str]) {
    let c = directory.join(format!("{name}.c"));
    std::fs::write(&c, source).unwrap();
    let output = directory.join(format!("lib{name}.so"));
    let mut cc = Command::new("cc");
    let ran = cc.args(["-O2", "-w", "-shared", "-fPIC"]).args(arguments).arg("-o").arg(output).arg(c).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// What a program does that calls this library: the same under `run`, `run --release` and as an executable, with sanitizers and without.
pub fn output(name: &str, c: &str, reml: &str) -> Ran {
    let directory = scratch();
    library(directory.path(), name, c, &[]);
    std::fs::write(directory.path().join("main.reml"), reml).unwrap();
    let mut outputs = Vec::new();
    for release in [&[][..], &["--release"]] {
        outputs.push(run(&mut running(directory.path(), release), "").unwrap());
        let mut command = remlc();
        command.current_dir(directory.path()).env("REML_LIBRARY_PATH", directory.path());
        command.args(["build", "--allow-ffi"]).args(release).args(["main.reml", "-o"]);
        let built = run(command.arg(format!("program{}", release.concat())), "").unwrap();
        assert_eq!(built.exit, Some(0), "{}", built.stderr);
        outputs.push(run(&mut executable(directory.path(), release), "").unwrap());
    }
    if let Some(first) = sanitizer() {
        library(directory.path(), name, c, &SANITIZED);
        for release in [&[][..], &["--release"]] {
            for mut command in [running(directory.path(), release), executable(directory.path(), release)] {
                let ran = run(command.env("LD_PRELOAD", first), "").unwrap();
                let reported = ["AddressSanitizer", "runtime error"].iter().any(|report| ran.stderr.contains(report));
                assert!(!reported, "{}", ran.stderr);
                outputs.push(ran);
            }
        }
    }
    for ran in &outputs {
        assert_eq!(ran.stdout, outputs[0].stdout, "{}{}", ran.stderr, outputs[0].stderr);
        assert_eq!(ran.exit, outputs[0].exit, "{}{}", ran.stderr, outputs[0].stderr);
    }
    outputs.remove(0)
}

/// Runs the program of a folder in memory.
pub fn running(directory: &Path, release: &[&str]) -> Command {
    let mut command = remlc();
    command.current_dir(directory).env("REML_LIBRARY_PATH", directory);
    command.args(["run", "--allow-ffi"]).args(release).arg("main.reml");
    command
}

/// The program that [`output`] has built.
pub fn executable(directory: &Path, release: &[&str]) -> Command {
    let mut command = Command::new(directory.join(format!("program{}", release.concat())));
    command.env("REML_LEAK_CHECK", "1").env("REML_LIBRARY_PATH", directory);
    command
}

/// The whole output of a program that must end well.
pub fn printed(name: &str, c: &str, reml: &str) -> String {
    let ran = output(name, c, reml);
    assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
    ran.stdout
}

/// What all C files of random signatures begin with.
pub const C_HEADER: &str =
    "#include <stdint.h>\n#include <stdbool.h>\nstatic int errors;\nint error_count(void) { return errors; }\n";
