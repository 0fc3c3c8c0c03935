//! Does native code compute what LLVM says, on every way to run it? Does bad native code get the right answer?

mod support;

use std::fmt::Write as _;
use std::process::Command;

use support::{Ran, remlc, run, scratch};

const ADMITTED: [&str; 2] = ["--cfg", "feature=native-unstable"];
const ALLOWED: &str = "--allow-ffi";

/// Writes a program and runs remlc on it.
fn with_program(text: &str, args: &[&str]) -> Ran {
    let directory = scratch();
    std::fs::write(directory.path().join("main.reml"), text).unwrap();
    let mut command = remlc();
    run(command.current_dir(directory.path()).args(args).args(ADMITTED).arg("main.reml"), "").unwrap()
}

/// What a program prints: the same under `run`, `run --release` and as an executable of either kind.
fn output(text: &str) -> String {
    let directory = scratch();
    std::fs::write(directory.path().join("main.reml"), text).unwrap();
    let mut outputs = Vec::new();
    for release in [&[][..], &["--release"]] {
        let mut command = remlc();
        command.current_dir(directory.path()).args(["run", ALLOWED]).args(release).args(ADMITTED).arg("main.reml");
        outputs.push(run(&mut command, "").unwrap());
        let mut command = remlc();
        command.current_dir(directory.path()).args(["build", ALLOWED]).args(release).args(ADMITTED);
        let built = run(command.args(["main.reml", "-o", "program"]), "").unwrap();
        assert_eq!(built.exit, Some(0), "{}", built.stderr);
        let mut program = Command::new(directory.path().join("program"));
        outputs.push(run(program.env("REML_LEAK_CHECK", "1"), "").unwrap());
    }
    for ran in &outputs {
        assert_eq!(ran.exit, Some(0), "{}", ran.stderr);
        assert_eq!(ran.stdout, outputs[0].stdout);
    }
    outputs.remove(0).stdout
}

/// What `check` says, a line for each diagnostic, without the file's name.
fn said(text: &str) -> String {
    let ran = with_program(text, &["check", "--format", "short"]);
    assert!(matches!(ran.exit, Some(0 | 1)), "{ran:?}");
    ran.stderr.lines().fold(String::new(), |text, line| text + line.trim_start_matches("main.reml:") + "\n")
}

/// A function of this text with the gates open.
fn llvm(signature: &str, ty: &str, text: &str, inputs: &str) -> String {
    format!(
        "@unstable(\"llvm_ir\")\n@cfg(not(target_arch = \"wasm32\"))\nfn {signature} = unsafe {{ llvm_ir!({ty}) {{ \
         r\"{text}\", inputs({inputs}) }} }}\n"
    )
}

#[test]
fn intrinsics_compute_what_llvm_says() {
    // Name, parameters, result, arguments, and what comes out.
    let cases: &[(&str, &[&str], &str, &str, String)] = &[
        ("sqrt.f64", &["f64"], "f64", "2.0", format!("{:?}", 2f64.sqrt())),
        ("sqrt.f32", &["f32"], "f32", "2.0", format!("{:?}", 2f32.sqrt())),
        ("floor.f64", &["f64"], "f64", "-1.5", "-2.0".into()),
        ("ceil.f32", &["f32"], "f32", "1.25", "2.0".into()),
        ("trunc.f64", &["f64"], "f64", "-1.75", "-1.0".into()),
        ("rint.f64", &["f64"], "f64", "2.5", "2.0".into()),
        ("nearbyint.f64", &["f64"], "f64", "3.5", "4.0".into()),
        ("roundeven.f32", &["f32"], "f32", "0.5", "0.0".into()),
        ("round.f64", &["f64"], "f64", "2.5", "3.0".into()),
        ("round.f64", &["f64"], "f64", "-2.5", "-3.0".into()),
        ("round.f64", &["f64"], "f64", "0.49999999999999994", "0.0".into()),
        ("round.f64", &["f64"], "f64", "4503599627370497.0", "4503599627370497.0".into()),
        ("round.f32", &["f32"], "f32", "0.49999997", "0.0".into()),
        ("round.f32", &["f32"], "f32", "8388609.0", "8388609.0".into()),
        ("fabs.f64", &["f64"], "f64", "-3.5", "3.5".into()),
        ("copysign.f64", &["f64", "f64"], "f64", "3.0, -0.0", "-3.0".into()),
        ("fma.f64", &["f64", "f64", "f64"], "f64", "0.1, 10.0, -1.0", format!("{:?}", 0.1f64.mul_add(10.0, -1.0))),
        ("fma.f32", &["f32", "f32", "f32"], "f32", "2.0, 3.0, 4.0", "10.0".into()),
        ("minnum.f64", &["f64", "f64"], "f64", "0.0 / 0.0, 1.0", "1.0".into()),
        ("maxnum.f64", &["f64", "f64"], "f64", "1.0, 0.0 / 0.0", "1.0".into()),
        ("minnum.f64", &["f64", "f64"], "f64", "2.0, 1.0", "1.0".into()),
        ("minimum.f64", &["f64", "f64"], "f64", "2.0, -1.0", "-1.0".into()),
        ("maximum.f32", &["f32", "f32"], "f32", "2.0, -1.0", "2.0".into()),
        ("ctpop.i8", &["u8"], "u8", "255", "8".into()),
        ("ctpop.i64", &["i64"], "i64", "-1", "64".into()),
        ("ctlz.i16", &["u16", "Bool"], "u16", "1, true", "15".into()),
        ("ctlz.i32", &["i32", "Bool"], "i32", "0, false", "32".into()),
        ("cttz.i32", &["i32", "Bool"], "i32", "8, true", "3".into()),
        ("cttz.i8", &["u8", "Bool"], "u8", "0, false", "8".into()),
        ("bswap.i16", &["u16"], "u16", "258", "513".into()),
        ("bswap.i64", &["i64"], "i64", "1", 1i64.swap_bytes().to_string()),
        ("bitreverse.i8", &["u8"], "u8", "1", "128".into()),
        ("bitreverse.i16", &["i16"], "i16", "1", "-32768".into()),
        ("bitreverse.i32", &["u32"], "u32", "305419896", 305419896u32.reverse_bits().to_string()),
        ("bitreverse.i64", &["i64"], "i64", "3", 3i64.reverse_bits().to_string()),
        ("abs.i32", &["i32", "Bool"], "i32", "-5, false", "5".into()),
        ("abs.i8", &["i8", "Bool"], "i8", "-128, false", "-128".into()),
        ("smin.i8", &["i8", "i8"], "i8", "-1, 1", "-1".into()),
        ("smax.i64", &["i64", "i64"], "i64", "-1, 1", "1".into()),
        ("umin.i8", &["u8", "u8"], "u8", "255, 1", "1".into()),
        ("umax.i32", &["i32", "i32"], "i32", "-1, 1", "-1".into()),
        ("fshl.i32", &["u32", "u32", "u32"], "u32", "305419896, 2596069104, 8", 0x3456789au32.to_string()),
        ("fshl.i8", &["u8", "u8", "u8"], "u8", "129, 255, 0", "129".into()),
        ("fshl.i8", &["u8", "u8", "u8"], "u8", "129, 255, 12", "31".into()),
        ("fshr.i32", &["u32", "u32", "u32"], "u32", "305419896, 2596069104, 8", 0x789abcdeu32.to_string()),
        ("fshr.i16", &["u16", "u16", "u16"], "u16", "1, 2, 16", "2".into()),
        ("sadd.with.overflow.i8", &["i8", "i8"], "(i8, Bool)", "127, 1", "(-128, true)".into()),
        ("sadd.with.overflow.i64", &["i64", "i64"], "(i64, Bool)", "1, 2", "(3, false)".into()),
        ("uadd.with.overflow.i32", &["u32", "u32"], "(u32, Bool)", "4294967295, 1", "(0, true)".into()),
        ("ssub.with.overflow.i16", &["i16", "i16"], "(i16, Bool)", "-32768, 1", "(32767, true)".into()),
        ("usub.with.overflow.i8", &["u8", "u8"], "(u8, Bool)", "1, 2", "(255, true)".into()),
        ("smul.with.overflow.i32", &["i32", "i32"], "(i32, Bool)", "65536, 65536", "(0, true)".into()),
        ("umul.with.overflow.i64", &["u64", "u64"], "(u64, Bool)", "3, 4", "(12, false)".into()),
        ("sadd.sat.i8", &["i8", "i8"], "i8", "100, 100", "127".into()),
        ("sadd.sat.i8", &["i8", "i8"], "i8", "-100, -100", "-128".into()),
        ("uadd.sat.i16", &["u16", "u16"], "u16", "65535, 1", "65535".into()),
        ("ssub.sat.i64", &["i64", "i64"], "i64", "-9223372036854775807, 2", i64::MIN.to_string()),
        ("usub.sat.i32", &["u32", "u32"], "u32", "1, 2", "0".into()),
    ];
    let (mut declarations, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for (index, (name, params, result, args, value)) in cases.iter().enumerate() {
        let params: Vec<String> = params.iter().enumerate().map(|(i, ty)| format!("p{i}: {ty}")).collect();
        let params = params.join(", ");
        let _ = writeln!(declarations, "@intrinsic(\"llvm.{name}\")\nfn f{index}({params}) -> {result} ! {{native}}\n");
        let _ = writeln!(calls, "  println(\"{name} {{}}\", unsafe {{ f{index}({args}) }})");
        let _ = writeln!(expected, "{name} {value}");
    }
    let found = output(&format!("{declarations}fn main() {{\n{calls}}}\n"));
    assert_eq!(found, expected, "{}", support::diff(&expected, &found));
}

#[test]
fn instructions_compute_what_llvm_says() {
    // Types of the inputs and of the result, text, arguments, and what comes out.
    let cases: &[(&[&str], &str, &str, &str, &str)] = &[
        (&["i8", "i8"], "i8", "%r = add nuw nsw i8 $0, $1", "127, 1", "-128"),
        (&["u16", "u16"], "u16", "%r = sub i16 $0, $1", "0, 1", "65535"),
        (&["i32", "i32"], "i32", "%r = mul i32 $0, $1", "65537, 65537", "131073"),
        (&["i32", "i32"], "i32", "%r = sdiv i32 $0, $1", "-7, 2", "-3"),
        (&["i32", "i32"], "i32", "%r = udiv i32 $0, $1", "-2, 2", "2147483647"),
        (&["i64", "i64"], "i64", "%r = srem i64 $0, $1", "-7, 3", "-1"),
        (&["u8", "u8"], "u8", "%r = urem i8 $0, $1", "255, 7", "3"),
        (&["i32"], "i32", "%r = and i32 $0, 255", "511", "255"),
        (&["i32"], "i32", "%r = xor i32 $0, -1", "5", "-6"),
        (&["i32", "i32"], "i32", "%r = shl i32 $0, $1", "1, 33", "2"),
        (&["i8"], "i8", "%r = lshr i8 $0, 1", "-2", "127"),
        (&["i8"], "i8", "%r = ashr i8 $0, 1", "-2", "-1"),
        (&["u8"], "u8", "%r = ashr i8 $0, 1", "254", "255"),
        (&["i32", "i32"], "Bool", "%r = icmp ult i32 $0, $1", "-1, 1", "false"),
        (&["u32", "u32"], "Bool", "%r = icmp slt i32 $0, $1", "4294967295, 1", "true"),
        (&["Bool", "Bool"], "Bool", "%r = icmp ugt i1 $0, $1", "true, false", "true"),
        (&["Bool", "Bool"], "Bool", "%r = icmp sgt i1 $0, $1", "true, false", "false"),
        (&["Bool", "Bool"], "Bool", "%r = xor i1 $0, $1", "true, true", "false"),
        (&["Bool", "Bool"], "Bool", "%r = and i1 $0, $1", "true, false", "false"),
        (&["f64", "f64"], "Bool", "%r = fcmp olt double $0, $1", "0.0 / 0.0, 1.0", "false"),
        (&["f64", "f64"], "Bool", "%r = fcmp ult double $0, $1", "0.0 / 0.0, 1.0", "true"),
        (&["f64", "f64"], "Bool", "%r = fcmp one double $0, $1", "0.0 / 0.0, 1.0", "false"),
        (&["f64", "f64"], "Bool", "%r = fcmp ueq double $0, $1", "0.0 / 0.0, 1.0", "true"),
        (&["f64", "f64"], "Bool", "%r = fcmp ord double $0, $1", "2.0, 1.0", "true"),
        (&["f64", "f64"], "Bool", "%r = fcmp uno double $0, $1", "2.0, 1.0", "false"),
        (&["Bool", "i32"], "i32", "%r = select i1 $0, i32 $1, i32 7", "false, 1", "7"),
        (&["f64", "f64"], "f64", "%r = fadd fast double $0, $1", "0.5, 0.25", "0.75"),
        (&["f32", "f32"], "f32", "%r = fdiv float $0, $1", "1.0, 4.0", "0.25"),
        (&["f64", "f64"], "f64", "%r = frem double $0, $1", "7.5, 2.0", "1.5"),
        (&["f64"], "f64", "%r = fneg double $0", "0.0", "-0.0"),
        (&["f64"], "f64", "%r = fmul double $0, 0x4000000000000000", "1.5", "3.0"),
        (&["i32"], "i8", "%r = trunc i32 $0 to i8", "511", "-1"),
        (&["i32"], "Bool", "%r = trunc i32 $0 to i1", "2", "false"),
        (&["i8"], "i32", "%r = zext i8 $0 to i32", "-1", "255"),
        (&["u8"], "i32", "%r = sext i8 $0 to i32", "255", "-1"),
        (&["Bool"], "i32", "%r = zext i1 $0 to i32", "true", "1"),
        (&["Bool"], "i32", "%r = sext i1 $0 to i32", "true", "-1"),
        (&["f64"], "f32", "%r = fptrunc double $0 to float", "0.1", "0.1"),
        (&["f32"], "f64", "%r = fpext float $0 to double", "0.5", "0.5"),
        (&["f64"], "i32", "%r = fptosi double $0 to i32", "-1.9", "-1"),
        (&["f64"], "i8", "%r = fptosi double $0 to i8", "1e9", "127"),
        (&["f64"], "u8", "%r = fptoui double $0 to i8", "300.0", "255"),
        (&["f64"], "i32", "%r = fptosi double $0 to i32", "0.0 / 0.0", "0"),
        (&["i32"], "f64", "%r = sitofp i32 $0 to double", "-3", "-3.0"),
        (&["i32"], "f64", "%r = uitofp i32 $0 to double", "-1", "4294967295.0"),
        (&["i8"], "f32", "%r = uitofp i8 $0 to float", "-1", "255.0"),
        (&["Bool"], "f64", "%r = uitofp i1 $0 to double", "true", "1.0"),
        (&["f64"], "i64", "%r = bitcast double $0 to i64", "1.0", "4607182418800017408"),
        (&["u32"], "f32", "%r = bitcast i32 $0 to float", "1065353216", "1.0"),
        (&["i32"], "i32", "%r = freeze i32 $0", "9", "9"),
        (&["isize"], "usize", "%r = add i64 $0, 1", "41", "42"),
        (&["f64"], "f64", "%r = tail call double @llvm.sqrt.f64(double $0)", "9.0", "3.0"),
    ];
    let (mut functions, mut calls, mut expected) = (String::new(), String::new(), String::new());
    for (index, (inputs, result, text, args, value)) in cases.iter().enumerate() {
        let names: Vec<String> = (0..inputs.len()).map(|i| format!("p{i}")).collect();
        let params: Vec<String> = names.iter().zip(*inputs).map(|(name, ty)| format!("{name}: {ty}")).collect();
        let signature = format!("f{index}({}) -> {result}", params.join(", "));
        functions.push_str(&llvm(&signature, result, text, &names.join(", ")));
        let _ = writeln!(calls, "  println(r\"{text}: {{}}\", f{index}({args}))");
        let _ = writeln!(expected, "{text}: {value}");
    }
    let found = output(&format!("{functions}\nfn main() {{\n{calls}}}\n"));
    assert_eq!(found, expected, "{}", support::diff(&expected, &found));
}

#[test]
fn division_panics_and_never_traps() {
    for op in ["sdiv", "udiv", "srem", "urem"] {
        let function = llvm("f(a: i32, b: i32) -> i32", "i32", &format!("%r = {op} i32 $0, $1"), "a, b");
        let program =
            format!("{function}fn main(args: List<Str>) = println(\"{{}}\", f(1, List.length(args) as i32))\n");
        for release in [&["run", ALLOWED][..], &["run", ALLOWED, "--release"]] {
            let ran = with_program(&program, release);
            assert_eq!(ran.exit, Some(101), "{op}: {ran:?}");
            assert!(ran.stderr.contains("by zero"), "{op}: {}", ran.stderr);
        }
    }
    // The smallest number by -1: overflow where that is looked for, and wraps elsewhere.
    let function = llvm("f(a: i32, b: i32) -> i32", "i32", "%r = sdiv i32 $0, $1", "a, b");
    let program = format!(
        "{function}fn main(args: List<Str>) = println(\"{{}}\", f(-2147483648, List.length(args) as i32 - 1))\n"
    );
    let ran = with_program(&program, &["run", ALLOWED]);
    assert!(ran.exit == Some(101) && ran.stderr.contains("E7100"), "{ran:?}");
    let ran = with_program(&program, &["run", ALLOWED, "--release"]);
    assert_eq!((ran.exit, ran.stdout.as_str()), (Some(0), "-2147483648\n"));
}

#[test]
fn mistakes_in_llvm_code_are_placed_in_the_text() {
    let text = r#"@unstable("llvm_ir")
@cfg(not(target_arch = "wasm32"))
fn f(a: i32, b: i64) -> i32 = unsafe {
  llvm_ir!(i32) {
    """
    %a = ad i32 $0, 1
    %b = add i33 $0, 1
    %c = add i32 $0, %nothing
    %d = add i32 $0, 4294967296
    %e = fadd i32 $0, $0
    %f = zext i32 $0 to i8
    %g = add i64 $1, 1
    %h = add i32 %g, 1
    %c = add i32 $0
    %i = call float @llvm.sqrt.f64(double 1.0)
    %j = call double @llvm.sqr.f64(double 1.0)
    br label %k
    %l = fadd float 1, 2.0
    %m = add i32 $2, 1
    """,
    "ret i64 %g\nfreeze i32 $0",
    inputs(a, b)
  }
}
"#;
    let expected = "\
4:12: error[native.llvm_ir.verify_failed]: the value is to be `i32`, and the last line gives `i64`
6:10: error[native.llvm_ir.unsupported]: `llvm_ir!` has no instruction `ad`
7:14: error[native.llvm_ir.unsupported]: `llvm_ir!` has no type `i33`
8:22: error[native.llvm_ir.verify_failed]: no line before defines `%nothing`
9:22: error[native.llvm_ir.verify_failed]: `4294967296` does not fit in `i32`
10:15: error[native.llvm_ir.verify_failed]: this works on floats, found `i32`
11:10: error[native.llvm_ir.verify_failed]: `zext` does not go from `i32` to `i8`
13:18: error[native.llvm_ir.verify_failed]: `%g` is an `i64`, used here as `i32`
14:5: error[native.llvm_ir.verify_failed]: `%c` is defined twice
14:20: error[native.llvm_ir.verify_failed]: expected `,`, found the end of the line
15:15: error[native.llvm_ir.verify_failed]: `llvm.sqrt.f64` gives `double`
16:22: error[native.llvm_ir.unsupported]: there is no intrinsic `llvm.sqr.f64`
17:5: error[native.llvm_ir.unsupported]: `llvm_ir!` has no instruction `br`
18:21: error[native.llvm_ir.verify_failed]: a number of type `float` is written with a point
19:18: error[native.llvm_ir.invalid_placeholder]: `$2` is not among the inputs: they are `$0` and `$1`
21:18: error[native.llvm_ir.verify_failed]: nothing may follow `ret`
";
    assert_eq!(said(text), expected);
}

#[test]
fn every_closed_gate_is_named() {
    let text = "fn f() -> Int ! {io} {\n  inline_asm(\"nop\")\n  llvm_ir!(i64) { \"ret i64 1\" }\n}\n";
    let directory = scratch();
    std::fs::write(directory.path().join("main.reml"), text).unwrap();
    let mut command = remlc();
    let ran = run(command.current_dir(directory.path()).args(["check", "--format", "short", "main.reml"]), "").unwrap();
    for (line, form) in [(2, "inline_asm"), (3, "llvm_ir")] {
        for code in ["missing_effect", "missing_cfg"] {
            let wanted = format!("main.reml:{line}:3: error[native.{form}.{code}]");
            assert!(ran.stderr.contains(&wanted), "{wanted}\n{}", ran.stderr);
        }
        assert!(ran.stderr.contains(&format!("main.reml:{line}:3: error[effects.unsafe.required]")), "{}", ran.stderr);
        let disabled = ran.stderr.matches(&format!("main.reml:{line}:3: error[native.unstable.disabled]")).count();
        assert_eq!(disabled, 2, "{}", ran.stderr);
    }
}

#[test]
fn gates_may_be_around_a_block() {
    let text = "fn f() {\n  @unstable(\"inline_asm\")\n  @cfg(not(target_arch = \"wasm32\"))\n  {\n    unsafe { inline_asm(\"nop\") }\n  }\n}\n\nfn main() = f()\n";
    assert_eq!(said(text), "");
}

#[test]
fn native_is_an_effect() {
    let intrinsic = "@intrinsic(\"llvm.sqrt.f64\")\nfn root(x: f64) -> f64 ! {native}\n";
    let found = said(&format!("{intrinsic}@pure\nfn f(x: f64) -> f64 = unsafe {{ root(x) }}\n"));
    assert!(found.contains("[effects.purity.violated]"), "{found}");
    let found = said(&format!("{intrinsic}fn f(x: f64) -> f64 = root(x)\n"));
    assert!(found.contains("[effects.unsafe.required]") && found.contains("the intrinsic `root`"), "{found}");
    // As a value, too.
    let program = format!("{intrinsic}fn main() = println(\"{{}}\", [4.0, 9.0].map(unsafe {{ root }}))\n");
    assert_eq!(output(&program), "[2.0, 3.0]\n");
}

/// Numbers that look random, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Texts that are nearly right never end the compiler, and what passes the checks compiles and runs.
#[test]
fn mutated_texts_are_survived() {
    let lines = [
        "%s = add nsw i32 $0, $1",
        "%q = sdiv i32 %s, 3",
        "%c = icmp sgt i32 %q, 10",
        "%r = select i1 %c, i32 %q, i32 -7",
        "%p = call {i32, i1} @llvm.sadd.with.overflow.i32(i32 %r, i32 $0)",
        "%v = extractvalue {i32, i1} %p, 0",
        "%d = sitofp i32 %v to double",
        "%e = fcmp olt double %d, 1.5",
        "ret i32 %v",
    ];
    let words: Vec<&str> = lines.iter().flat_map(|line| line.split(' ')).collect();
    let templates = ["rdtsc", "cpuid", "pause", "nop", "rdrand $0", "mrs $0, cntvct_el0", "dmb ish"];
    let mut random = Random(1);
    for _ in 0..6 {
        let mut program = String::new();
        for index in 0..60 {
            let mut text: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            for _ in 0..=random.below(3) {
                let at = random.below(text.len());
                let mut parts: Vec<&str> = text[at].split(' ').collect();
                let part = random.below(parts.len());
                match random.below(5) {
                    0 => drop(parts.remove(part)),
                    1 => parts[part] = words[random.below(words.len())],
                    2 => parts.insert(part, words[random.below(words.len())]),
                    3 => parts.swap(part, 0),
                    _ => {
                        parts[part] =
                            ["§", "$9999999999999999999999", "%", "@", "{", "-", "0x", "1e", "i1", "))", "=", ";"]
                                [random.below(12)]
                    }
                }
                text[at] = parts.join(" ");
            }
            program.push_str(&llvm(&format!("f{index}(a: i32, b: i32) -> i32"), "i32", &text.join("\n"), "a, b"));
            let mut template = templates[random.below(templates.len())].to_owned();
            if random.below(2) == 0 {
                template.truncate(random.below(template.len() + 1));
                template.push_str([";", "\\n", " ", "%", "$1", ""][random.below(6)]);
            }
            let operands = [
                "",
                ", outputs(\"=a\", x, \"=d\", y)",
                ", outputs(\"=a\")",
                ", inputs(x)",
                ", outputs()",
                ", x",
                ", options(\"fast\")",
            ][random.below(7)];
            let _ = writeln!(
                program,
                "@unstable(\"inline_asm\")\n@cfg(not(target_arch = \"wasm32\"))\nfn g{index}() {{\n  var x: u32 = 0\n  var y: u32 = 0\n  \
                 unsafe {{ inline_asm(\"{template}\"{operands}) }}\n}}"
            );
        }
        program.push_str("fn main() = ()\n");
        let ran = with_program(&program, &["check", "--format", "short"]);
        assert!(matches!(ran.exit, Some(0 | 1)), "{ran:?}\n{program}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}
