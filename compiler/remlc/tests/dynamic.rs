//! Are functions whose signature is data called as C wants it? The random structs and signatures of `foreign.rs`, by plans; and what happens to wrong
//! names, wrong signatures and calls that nobody has allowed.

mod support;

use std::fmt::Write as _;
use std::process::Command;

use reml_audit::Value as Json;
use support::c::{C_HEADER, Function, Type, World, field_name, library, printed};
use support::{Ran, remlc, run, scratch};

/// The variant of `FfiType` for a type of `support::c::SCALARS`.
const FFI_NAMES: [&str; 11] = ["I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "F32", "F64", "Bool"];

/// The fields of a struct as `FfiField`s. An array is its elements.
fn ffi_fields(fields: &[Type]) -> String {
    let mut text = Vec::new();
    for (at, field) in fields.iter().enumerate() {
        match field {
            Type::Array(element, len) => {
                for index in 0..*len {
                    let name = format!("{}{index}", field_name(at));
                    text.push(format!("FfiField {{ name: \"{name}\", ty: {} }}", ffi_type(element)));
                }
            }
            field => text.push(format!("FfiField {{ name: \"{}\", ty: {} }}", field_name(at), ffi_type(field))),
        }
    }
    text.join(", ")
}

fn ffi_type(ty: &Type) -> String {
    match ty {
        Type::Scalar(index) => format!("FfiType.{}", FFI_NAMES[*index]),
        Type::Struct(index) => format!("FfiType.Struct(described{index}())"),
        Type::Array(..) => unreachable!("arrays are only fields"),
    }
}

#[test]
fn random_signatures_agree_with_c() {
    let mut world = World::new(0x5EED_0FF1, 40);
    let mut c = C_HEADER.to_owned();
    let mut reml = "use Core.Ffi.{FfiField, FfiFnSig, FfiRepr, FfiStruct, FfiType, LibraryHandle, auto_bind, bind_library, call_values}\n\n".to_owned();
    for index in 0..world.structs.len() {
        let (fields, packed) = world.structs[index].clone();
        world.declare_struct(index, &mut c, &mut reml);
        let repr = if packed { "Packed" } else { "C" };
        writeln!(
            reml,
            "fn described{index}() -> FfiStruct = FfiStruct {{ name: \"S{index}\", fields: [{}], repr: FfiRepr.{repr} }}\n",
            ffi_fields(&fields)
        )
        .unwrap();
    }
    let (mut calls, mut expected) = (String::new(), String::new());
    for index in 0..120 {
        let function = world.function();
        world.define(&format!("f{index}"), &function, &mut c);
        let Function { params, ret, given, result } = function;

        let types: Vec<String> = params.iter().map(ffi_type).collect();
        writeln!(calls, "fn test{index}(library: LibraryHandle) -> () {{").unwrap();
        let mut names = Vec::new();
        for (at, (ty, value)) in params.iter().zip(&given).enumerate() {
            writeln!(calls, "  let a{at}: {} = {}", world.reml_type(ty), world.reml_value(ty, value)).unwrap();
            names.push(format!("a{at}"));
        }
        let args = if names.len() == 1 { names[0].clone() } else { format!("({})", names.join(", ")) };
        writeln!(
            calls,
            "  let signature = FfiFnSig {{ params: [{}], returns: {} }}\n  let f = auto_bind(library, \"f{index}\", signature).unwrap()",
            types.join(", "),
            ffi_type(&ret)
        )
        .unwrap();
        writeln!(
            calls,
            "  let result: {} = unsafe {{ call_values(f.symbol, {args}) }}.unwrap()",
            world.reml_type(&ret)
        )
        .unwrap();
        writeln!(calls, "  println(\"{index}: \" + {})\n}}\n", world.reml_shown(&ret, "result")).unwrap();
        writeln!(expected, "{index}: {}", World::shown(&result)).unwrap();
    }
    reml.push_str(&calls);
    reml.push_str("fn main() {\n  let library = bind_library(\"random\").unwrap()\n");
    (0..120).for_each(|index| writeln!(reml, "  test{index}(library)").unwrap());
    reml.push_str(
        "  let errors = auto_bind(library, \"error_count\", FfiFnSig { params: [], returns: FfiType.I32 }).unwrap()\n  \
         let count: i32 = unsafe { call_values(errors.symbol, ()) }.unwrap()\n  println(\"{count} errors\")\n}\n",
    );
    expected.push_str("0 errors\n");
    assert_eq!(printed("random", &c, &reml), expected);
}

/// The functions that the tests below call.
const PLAIN: &str = r#"
    #include <stdarg.h>
    #include <stdint.h>
    struct Empty {};
    struct Pair { int a; double b; };
    struct Odd { char a, b, c; };
    int next(int n) { return n + 1; }
    int after(struct Empty e, int n, struct Empty f) { return n + 1; }
    double total(int n, ...) {
        va_list args; va_start(args, n); double t = 0;
        for (int i = 0; i < n; i++) t += i % 2 ? va_arg(args, double) : va_arg(args, int);
        va_end(args); return t;
    }
    int twice(int (*f)(int), int n) { return f(f(n)); }
    void *nothing(void) { return 0; }
    __attribute__((ms_abi)) double windows(int a, double b, struct Pair c, struct Odd d, float e, int64_t f) {
        return a + b + c.a + c.b + d.a + d.b + d.c + e + f;
    }
"#;

const PLAIN_HEADER: &str = r#"use Core.Ffi.{
  F32, F64, FfiError, FfiField, FfiFnSig, FfiStruct, FfiType, Fn, I32, I64, I8, Ptr, StdCall, Struct, Void, auto_bind, bind_library,
  call_ffi, call_values, get_function, with_abi_adaptation,
}
"#;

#[test]
fn what_is_empty_variadic_or_of_windows_is_passed_as_c_wants_it() {
    let reml = format!(
        "{PLAIN_HEADER}
use Core.Unsafe.Ptr.{{FnPtr, VoidPtr, bind_fn_ptr}}

@repr(C)
struct Pair {{ a: i32, b: f64 }}

@repr(C)
struct Odd {{ a: i8, b: i8, c: i8 }}

fn field(name: Str, ty: FfiType) -> FfiField = FfiField {{ name, ty }}

fn main() {{
  let plain = bind_library(\"plain\").unwrap()

  let empty = Struct(FfiStruct {{ name: \"Empty\", fields: [] }})
  let after = auto_bind(plain, \"after\", FfiFnSig {{ params: [empty, I32, empty], returns: I32 }}).unwrap()
  println(\"{{:?}}\", unsafe {{ after.call([41, 0, 0, 0]) }})

  let sum = FfiFnSig {{ params: [I32], returns: F64, variadic: true }}
  let total = get_function(plain, \"total\").unwrap()
  let of_four = total.with_signature(sum, [I32, F64, I32, F64]).unwrap()
  let four: f64 = unsafe {{ call_values(of_four, (4 as i32, 1 as i32, 2.5, 10 as i32, 0.25)) }}.unwrap()
  let of_none = total.with_signature(sum).unwrap()
  let none: f64 = unsafe {{ call_values(of_none, 0 as i32) }}.unwrap()
  println(\"{{four}} {{none}}\")
  println(\"{{}}\", total.with_signature(sum, [F32]).unwrap_err())

  let unary = Fn(FfiFnSig {{ params: [I32], returns: I32 }})
  let twice = auto_bind(plain, \"twice\", FfiFnSig {{ params: [unary, I32], returns: I32 }}).unwrap()
  let next = auto_bind(plain, \"next\", FfiFnSig {{ params: [I32], returns: I32 }}).unwrap()
  var calls = 0
  let back = bind_fn_ptr(|n: i32| -> i32 {{
    calls := calls + 1
    unsafe {{ call_values(next.symbol, n) }}.unwrap()
  }})
  let result: i32 = unsafe {{ call_values(twice.symbol, (back.raw, 40 as i32)) }}.unwrap()
  println(\"{{result}} {{calls}}\")

  let nothing = auto_bind(plain, \"nothing\", FfiFnSig {{ params: [], returns: Ptr(Void) }}).unwrap()
  let pointer: VoidPtr = unsafe {{ call_values(nothing.symbol, ()) }}.unwrap()
  println(\"{{}}\", pointer.is_null())

  let pair = Struct(FfiStruct {{ name: \"Pair\", fields: [field(\"a\", I32), field(\"b\", F64)] }})
  let odd = Struct(FfiStruct {{ name: \"Odd\", fields: [field(\"a\", I8), field(\"b\", I8), field(\"c\", I8)] }})
  let windows = with_abi_adaptation(get_function(plain, \"windows\").unwrap(), StdCall).unwrap()
    .with_signature(FfiFnSig {{ params: [I32, F64, pair, odd, F32, I64], returns: F64 }})
    .unwrap()
  let single: f32 = 100.0
  let all: f64 = unsafe {{
    call_values(windows, (1 as i32, 2.0, Pair {{ a: 4, b: 8.0 }}, Odd {{ a: 1, b: 2, c: 3 }}, single, 1000))
  }}.unwrap()
  println(\"{{all}}\")
}}
"
    );
    let expected = "Ok([42, 0, 0, 0])\n13.75 0.0\n\
                    behind `...`, C makes F64 of F32; pass that\n42 2\ntrue\n1121.0\n";
    assert_eq!(printed("plain", PLAIN, &reml), expected);
}

#[test]
fn two_hundred_arguments_reach_c() {
    let params: Vec<String> = (0..200).map(|at| format!("{} p{at}", ["int", "double"][at % 2])).collect();
    let weighed: Vec<String> = (0..200).map(|at| format!("{} * p{at}", at + 1)).collect();
    let c = format!("double many({}) {{ return {}; }}\n", params.join(", "), weighed.join(" + "));
    // As the fields of a struct lie: a double is aligned.
    let reml = format!(
        "{PLAIN_HEADER}
fn main() {{
  let types: [FfiType] = Array.init(200, |at| if at % 2 == 0 {{ I32 }} else {{ F64 }})
  let many = auto_bind(bind_library(\"many\").unwrap(), \"many\", FfiFnSig {{ params: types.to_list(), returns: F64 }}).unwrap()
  let int = FfiFnSig {{ params: [I32], returns: Void }}
  var bytes: Bytes = []
  for at in 0..100 {{
    bytes := bytes ++ [at as u8, 0, 0, 0, 0, 0, 0, 0] ++ [0, 0, 0, 0, 0, 0, 0xe0, 0x3f]
  }}
  println(\"{{:?}}\", unsafe {{ many.call(bytes) }}.map(|raw| {{
    let value: Result<f64, FfiError> = decode_result(many.symbol, raw)
    value
  }}))
}}
",
    )
    .replace("call_ffi, ", "call_ffi, decode_result, ");
    let sum: f64 = (0..100).map(|at| f64::from((2 * at + 1) * at) + f64::from(2 * at + 2) * 0.5).sum();
    assert_eq!(printed("many", &c, &reml), format!("Ok(Ok({sum:?}))\n"));
}

#[test]
fn mistakes_say_what_is_wrong() {
    let reml = format!(
        "{PLAIN_HEADER}
use Core.Unsafe.Ptr.{{FnPtr}}

fn said<T>(what: Str, result: Result<T, FfiError>) -> () =
  match result with
  | Ok(_) -> println(\"{{what}}: fine\")
  | Err(error) -> println(\"{{what}}: {{:?}} {{}}\", error.kind, error.message.split(\"\\n\").get(0).unwrap())

fn main() {{
  let plain = bind_library(\"plain\").unwrap()
  let int = FfiFnSig {{ params: [I32], returns: I32 }}
  said(\"no library\", bind_library(\"plainer\").map(|_| ()).map_err(|error| {{ ..error, message: Str.take(error.message, 31) }}))
  said(\"not a library\", bind_library(\"./plain.c\").map(|_| ()).map_err(|error| {{ ..error, message: \"..\" }}))
  said(\"no file\", bind_library(\"./gone.so\").map_err(|error| {{ ..error, message: Str.take(error.message, 16) }}))
  said(\"no name\", bind_library(\"\"))
  said(\"no function\", get_function(plain, \"nexte\"))
  said(\"blank\", get_function(plain, \" \"))
  let next = get_function(plain, \"next\").unwrap()
  said(\"void\", next.with_signature(FfiFnSig {{ params: [Void], returns: I32 }}))
  said(\"no variadic\", next.with_signature(int, [I32]))
  said(\"unsigned\", unsafe {{ call_ffi(next, [0, 0, 0, 0]) }})
  let typed = next.with_signature(int).unwrap()
  said(\"short\", unsafe {{ call_ffi(typed, [0]) }})
  let wide: Result<i32, FfiError> = unsafe {{ call_values(typed, 7) }}
  said(\"wide\", wide)
  let many: Result<i32, FfiError> = unsafe {{ call_values(typed, (7 as i32, 7 as i32)) }}
  said(\"many\", many)
  let result: Result<f32, FfiError> = unsafe {{ call_values(typed, 7 as i32) }}
  said(\"result\", result)
  said(\"null\", unsafe {{ call_ffi({{ ..typed, pointer: FnPtr.null() }}, [0, 0, 0, 0]) }})
  said(\"right\", unsafe {{ call_ffi(typed, [0, 0, 0, 0]) }})
}}
"
    );
    let expected = "no library: LibraryNotFound there is no library `plainer`; \n\
        not a library: LibraryNotFound ..\n\
        no file: LibraryNotFound there is no file\n\
        no name: LibraryNotFound a library needs a name\n\
        no function: SymbolNotFound the library `libplain` has no function `nexte`; mind its spelling\n\
        blank: SymbolNotFound a function needs a name\n\
        void: InvalidSignature the parameter 1 is `void`, which only a result can be\n\
        no variadic: InvalidSignature only a function with `...` takes more arguments than it says\n\
        unsigned: InvalidSignature `next` cannot be called: it has no signature; give it one with `with_signature`\n\
        short: InvalidSignature `next` cannot be called: its arguments are 4 bytes (`int32_t (int32_t)`), and these are 1\n\
        wide: InvalidSignature `next` is not of this type: it takes `(I32)`, and these are `(I64)`\n\
        many: InvalidSignature `next` is not of this type: it takes `(I32)`, and these are `(I32,I32)`\n\
        result: InvalidSignature `next` is not of this type: it gives `I32`, and this is `F32`\n\
        null: InvalidArgument `next` cannot be called: its address is null\n\
        right: fine\n";
    assert_eq!(printed("plain", PLAIN, &reml), expected);
}

/// A program that loads a library of its folder, run with these flags and a log, in memory and as an executable.
fn with_policy(reml: &str, flags: &[&str]) -> [(Ran, Vec<Json>); 2] {
    let directory = scratch();
    let here = directory.path();
    library(here, "plain", PLAIN, &[]);
    std::fs::write(here.join("main.reml"), reml).unwrap();
    let mut command = remlc();
    command.current_dir(here).env("REML_LIBRARY_PATH", here);
    let ran = run(command.args(["run", "--audit", "run.log"]).args(flags).arg("main.reml"), "").unwrap();
    let built =
        run(remlc().current_dir(here).arg("build").args(flags).args(["main.reml", "-o", "program"]), "").unwrap();
    assert_eq!(built.exit, Some(0), "{}", built.stderr);
    let mut command = Command::new(here.join("program"));
    command.current_dir(here).env("REML_LIBRARY_PATH", here).env("REML_AUDIT", "built.log");
    let executed = run(command.env("REML_LEAK_CHECK", "1"), "").unwrap();
    [(ran, "run.log"), (executed, "built.log")].map(|(ran, log)| {
        let text = std::fs::read_to_string(here.join(log)).unwrap();
        let events = text.lines().map(|line| line.parse::<Json>().unwrap()["envelope"].clone());
        (ran, events.filter(|event| support::audit::is_of_run(&event["metadata"])).collect())
    })
}

#[test]
fn the_gate_is_asked_before_a_library_is_loaded_and_for_each_function() {
    let reml = format!(
        "{PLAIN_HEADER}
fn main() {{
  let tried = bind_library(\"plain\").and_then(|plain| {{
    get_function(plain, \"next\")?
    get_function(plain, \"nothing\")
  }})
  println(\"{{:?}}\", tried.map(|_| ()).map_err(|error| error.kind))
  println(\"{{:?}}\", bind_library(\"./libplain.so\").map(|_| ()).map_err(|error| error.kind))
}}
"
    );
    let denied = "Err(SecurityViolation)\n";
    for (flags, printed, asked) in [
        (&[][..], format!("{denied}{denied}"), vec!["libplain denied", "PATH denied"]),
        // Its code would run.
        (&["--allow-ffi=libplain:next"], format!("{denied}{denied}"), vec!["libplain denied", "PATH denied"]),
        (
            &["--allow-ffi=plain", "--deny-ffi=libplain.so:nothing"],
            format!("{denied}{denied}"),
            vec!["libplain allowed", "libplain:next allowed", "libplain:nothing denied", "PATH denied"],
        ),
        (
            &["--allow-ffi"],
            "Ok(())\nOk(())\n".to_owned(),
            vec!["libplain allowed", "libplain:next allowed", "libplain:nothing allowed", "PATH allowed"],
        ),
    ] {
        for (ran, events) in with_policy(&reml, flags) {
            assert_eq!(ran.stdout, printed, "{flags:?} {}", ran.stderr);
            let decisions = events.iter().map(|event| {
                let metadata = &event["metadata"];
                let subject = metadata["gate.subject"].as_str().unwrap();
                let subject = if subject.ends_with("/libplain.so") { "PATH" } else { subject };
                format!("{subject} {}", metadata["gate.decision"].as_str().unwrap())
            });
            assert_eq!(decisions.collect::<Vec<_>>(), asked, "{flags:?}");
        }
    }
}

#[test]
fn a_program_cannot_lead_itself_to_other_libraries() {
    let reml = format!(
        "{PLAIN_HEADER}
use Core.Env

fn main() {{
  println(\"{{:?}}\", Env.set(\"REML_LIBRARY_PATH\", \"/tmp\"))
  println(\"{{:?}}\", bind_library(\"plain\").is_ok())
}}
"
    );
    for (ran, _) in with_policy(&reml, &["--allow-ffi", "--allow-env-write"]) {
        assert_eq!(ran.stdout, "true\ntrue\n", "{}", ran.stderr);
    }
}

#[test]
fn calls_are_recorded_with_what_became_of_them() {
    let reml = format!(
        "{PLAIN_HEADER}
use Core.Capability.{{CapabilityRegistry}}
use Core.Ffi.{{call_with_capability}}
use Core.Unsafe.Ptr.{{errno, set_errno}}

fn main() {{
  let next = auto_bind(bind_library(\"plain\").unwrap(), \"next\", FfiFnSig {{ params: [I32], returns: I32 }}).unwrap()
  set_errno(7)
  let given = unsafe {{ next.call([1, 0, 0, 0]) }}
  println(\"{{}} {{:?}}\", errno(), given)
  println(\"{{}}\", unsafe {{ next.call([1]) }}.is_err())
  let capability = CapabilityRegistry.get(\"runtime.ffi.default\").unwrap().as_ffi().unwrap()
  println(\"{{}}\", call_with_capability(capability, next.symbol, [1, 0, 0, 0]).is_ok())
  let wrong: Result<i16, FfiError> = unsafe {{ call_values(next.symbol, 1 as i32) }}
  println(\"{{}}\", wrong.is_err())
}}
"
    );
    for (ran, events) in with_policy(&reml, &["--allow-ffi"]) {
        assert_eq!(ran.stdout, "7 Ok([2, 0, 0, 0])\ntrue\ntrue\ntrue\n", "{}", ran.stderr);
        let kind = |event: &Json| event["metadata"]["event.kind"].as_str().unwrap().to_owned();
        let said: Vec<&Json> = events.iter().filter(|event| kind(event) != "gate.decision").collect();
        let kinds: Vec<String> = said.iter().map(|event| kind(event)).collect();
        assert_eq!(kinds, ["ffi.call", "ffi.call", "ffi.call", "ffi.call", "ffi.decode_failed"]);
        let call = |at: usize| &said[at]["metadata"]["ffi"];
        assert_eq!(call(0)["event"], "ffi.call");
        assert_eq!((&call(0)["library"], &call(0)["symbol"]), (&Json::from("plain"), &Json::from("next")));
        assert_eq!(call(0)["call_site"], "main:13");
        assert_eq!(call(0)["effect_flags"], Json::from(vec!["ffi", "unsafe"]));
        assert!(call(0)["latency_ns"].as_u64().is_some_and(|latency| latency > 0));
        assert_eq!(call(0)["status"], "success");
        assert_eq!(call(1)["status"], "failed");
        assert_eq!(said[1]["metadata"]["error.code"], "ffi.call.failed");
        assert_eq!(said[1]["change_set"]["error"]["kind"], "InvalidSignature");
        assert_eq!(call(2)["effect_flags"], Json::from(vec!["ffi"]));
        assert_eq!(
            (&call(2)["capability"], &call(2)["capability_stage"]),
            (&"runtime.ffi.default".into(), &"beta".into())
        );
        assert_eq!(said[4]["metadata"]["event"]["symbol"], "next");
    }
}
