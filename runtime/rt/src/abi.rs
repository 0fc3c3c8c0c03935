//! The contract between compiled code and the runtime: object layouts, the per-thread context, and the list of
//! runtime functions with their signatures. `codegen` reads this file and nothing else of the runtime.
//!
//! ## Values
//! Machine types are themselves: integers, floats, `Bool` (one byte, 0 or 1), `Char` (u32). Everything counted is a pointer to
//! an object that starts with a [`Header`]. Compiled code keeps the address of the thread's [`Context`] in the
//! pinned register (r15 on x86-64, x21 on aarch64) at all times.
//!
//! ## Calls into the runtime
//! Platform C convention; the context is the first argument of every function. `Str` and arrays are single pointers.
//! A parameter is borrowed or consumed as its entry says; results are owned. Values that are flattened into several
//! machine words do not cross this border.

use std::ptr::NonNull;

/// First word of every heap object.
#[repr(C)]
pub struct Header {
    /// Number of owners. Negative: never freed (static data), or, later, shared between threads.
    pub count: i32,
    /// Constructor tag of a sum's cell; 0 otherwise.
    pub tag: u8,
    /// Size class of the memory it was taken from; [`LARGE`] when it came from the system allocator.
    pub class: u8,
    /// Free for the object kind.
    pub aux: u16,
}

pub const HEADER_SIZE: usize = 8;
/// A count that `dup` and `drop` leave alone.
pub const IMMORTAL: i32 = i32::MIN / 2;

/// Size classes are multiples of 16 bytes: class `c` holds objects of up to `16 * c` bytes, for `c` in `1..CLASSES`.
/// (Class 0 is unused.)
pub const CLASS_UNIT: usize = 16;
pub const CLASSES: usize = 33;
/// Largest object served from a size class.
pub const MAX_SMALL: usize = CLASS_UNIT * (CLASSES - 1);
/// `Header::class` of objects from the system allocator.
pub const LARGE: u8 = 255;

/// Per-thread state of compiled code. Compiled code touches only `free`: allocation takes the head of
/// `free[class]` (calling `reml_alloc_slow` when it is null), freeing puts the object back. The link to the next
/// free object is in the object's second word (offset 8), so that a count of a dangling object stays readable in debug builds.
#[repr(C)]
pub struct Context {
    pub free: [*mut Header; CLASSES],
    /// Address below which the stack must not grow; for messages only, the guard page does the checking.
    pub stack_limit: usize,
    /// Everything else is the runtime's own.
    pub private: *mut u8,
    /// Frame pointer and return address of the compiled code that last called a runtime function that may
    /// panic; the runtime's entry stubs fill them, backtraces start there.
    pub caller_frame: *const u8,
    pub caller_code: *const u8,
    /// Stack pointer of the host while compiled code runs on its own stack.
    pub host_stack: *mut u8,
    /// The innermost handler in force; never null: the chain ends in a handler of no effect ([`NO_EFFECT`]).
    pub handlers: *mut Handler,
    /// What passes between a computation and its handler: the slots of one value, a word each.
    pub payload: [u64; PAYLOAD_SLOTS],
    /// The fiber that runs; null on the program's own stack.
    pub fiber: *mut Fiber,
    /// The fiber that came with the last request: the one whose computation waits for an answer.
    pub stopped: *mut Fiber,
    /// While deferred code runs in place of a computation that has ended: the innermost handler it was deferred under. No computation of
    /// that handler or of one around it can be left or stopped now. Null at other times.
    pub barrier: *mut Handler,
    /// Not 0 once the globals are being dropped. No code of the program runs any more: it could look at one.
    pub ending: u64,
    /// The function that `reml_variadic` goes on to.
    pub foreign_code: *const u8,
    /// The callback of the program that runs for C, the innermost one; null when none does. Its entry sets it and sets it back.
    pub callback: *mut CallbackData,
    /// The callback that C has just called, from `rt::callback` to its entry.
    pub called: *mut CallbackData,
    /// Not 0 while closures of callbacks that have been dropped wait for the end of the outermost callback that runs.
    pub waiting_closures: u64,
    /// Stack pointer of the program while it has paused and its host runs.
    pub paused_stack: *mut u8,
}

/// A function of the program that C can call. The code that C calls (`rt::callback`) finds it from its own address.
#[repr(C)]
pub struct CallbackData {
    /// The context that it belongs to, and the thread that this runs on.
    pub context: *mut Context,
    pub thread: usize,
    /// Platform C convention, called with the pinned register set: the entry of callbacks of its signature; where an end is made of
    /// the program, once the callback has been dropped.
    pub entry: *const u8,
    /// Takes its arguments as `Symbol::CallbackEntry` passes them on. Null once it has been dropped.
    pub closure: *mut Closure,
    /// How many words of arguments lie on the stack.
    pub stack_words: u64,
    /// Its number in the runtime's table.
    pub id: u64,
}

/// Words of [`Context::payload`]: the most slots a value has.
pub const PAYLOAD_SLOTS: usize = 8;

/// A handler in force: what `handler_new` makes. Compiled code writes the id and the clauses, the runtime the rest.
/// It looks like a closure, so that it is dropped like one.
#[repr(C)]
pub struct Handler {
    pub header: Header,
    pub code: *const u8,
    pub info: *const ClosureInfo,
    /// Which effect, at which arguments.
    pub id: u64,
    /// The handler around this one.
    pub parent: *mut Handler,
    /// Frame pointer of the `reml_handle` that waits for the computation; null on a fiber.
    pub frame: *mut u8,
    /// The fiber that runs the computation; for a handler without one, the fiber it is itself on.
    pub fiber: *mut Fiber,
    /// How many closures were deferred outside.
    pub defers: u64,
    // closures of the operations
}

pub const HANDLER_CLAUSES: usize = 64;
pub const NO_EFFECT: u64 = u64::MAX;

/// A stack for a computation that may be stopped, and where it has stopped. All but the first three fields are the runtime's.
#[repr(C)]
pub struct Fiber {
    pub handler: *mut Handler,
    /// Changes whenever the computation is stopped or goes on, so that a continuation knows whether it is still about this stop. A
    /// multiple of 4 while it runs; else plus 2, and plus 1 when the operation it has stopped at is reentrant.
    pub stamp: u64,
    /// How many computations that were stopped here had to make room for others.
    pub evicted: u64,
    /// Stack pointer of the computation when it is stopped: that of `top`.
    pub stack: *mut u8,
    /// The fiber that was running then: this one, or one that waits for its own computation.
    pub top: *mut Fiber,
    /// The innermost handler then.
    pub handlers: *mut Handler,
    /// Frame pointer and return address of the compiled code then.
    pub frame: usize,
    pub code: usize,
    /// Stack pointer of the code that waits for the computation, and the fiber it is on.
    pub resumer: *mut u8,
    pub parent: *mut Fiber,
    /// The frame record at the top of the stack: frame pointer and return address of the code that waits.
    pub record: *mut [usize; 2],
}

/// What can resume a stopped computation: dropped like a closure, never called. Compiled code makes it, from `Context::stopped`.
#[repr(C)]
pub struct Continuation {
    pub header: Header,
    pub code: *const u8,
    pub info: *const ClosureInfo,
    pub fiber: *mut Fiber,
    /// That of the fiber when it was stopped.
    pub stamp: u64,
    /// Null, or the runtime's copy of the stacks.
    pub image: *mut u8,
}

/// What a program holds of something outside of its heap, such as an open file: the runtime makes it, and closes the thing when the last
/// owner is gone. It is dropped like a closure; its type is that of functions of `Never`, so that nobody can call it.
#[repr(C)]
pub struct Resource {
    pub header: Header,
    pub code: *const u8,
    pub info: *const ClosureInfo,
    /// Its number in the runtime's table.
    pub id: u64,
}

/// Offset of the free-list link in a free object.
pub const FREE_LINK: usize = 8;

/// `Str`: immutable UTF-8. 32 bytes, then the text when the object owns it.
/// A slice has `owner` set and `data` pointing into the owner's text; a literal is a static object.
#[repr(C)]
pub struct Str {
    pub header: Header,
    /// Length in bytes.
    pub len: u64,
    pub data: *const u8,
    /// The string that holds the text (counted), or null when it follows this struct or is static.
    pub owner: *mut Str,
    // capacity of the inline text: derived from the size class, or stored after `owner` for large objects (whose
    // text then starts 8 bytes later); see `string.rs`. Compiled code reads only `len` and `data`.
}

/// `[T]`: length, capacity, then the elements inline, each `stride` bytes as its layout says.
#[repr(C)]
pub struct Array {
    pub header: Header,
    /// Number of elements.
    pub len: u64,
    /// Number of elements there is room for.
    pub capacity: u64,
    // elements from offset 24, aligned to 8
}

pub const ARRAY_DATA: usize = 24;

/// A closure: code, then what all closures over the function share, then the captures as a layout of their own.
/// Code is called with the closure's own parameters first and the closure object last.
#[repr(C)]
pub struct Closure {
    pub header: Header,
    pub code: *const u8,
    /// Null when nothing looks at it: static closures are not dropped.
    pub info: *const ClosureInfo,
    // captures from offset 24
}

/// How closures over one function end.
#[repr(C)]
pub struct ClosureInfo {
    /// `extern "tail" fn(closure)`: drops the captures and frees the object; null when static.
    pub drop: *const u8,
    /// Called like `Closure::code`, but ends the object, whose captures the code takes over; null in programs without
    /// such calls.
    pub consume: *const u8,
}

pub const CLOSURE_DATA: usize = 24;

/// A heap cell (`VarCell`): header, then the value.
pub const CELL_DATA: usize = 8;

/// What a compiled program hands to the runtime: `reml_start` in an executable, `run_program` in the JIT.
#[repr(C)]
pub struct ProgramInfo {
    /// Platform C convention `fn(context) -> i32`, called with the pinned register set: runs the program and returns its exit status.
    pub main: *const u8,
    /// Platform C convention `fn(context, closure: *mut Closure)`, called with the pinned register set: calls a closure of
    /// type `() -> ()` (in its own convention). The closure is borrowed.
    pub invoke: *const u8,
    /// Platform C convention `fn(context, closure: *mut Closure)`, called with the pinned register set: one owner less.
    pub drop_closure: *const u8,
    /// `ClosureInfo::drop` of every [`Resource`]: in the convention of compiled code, ends in `reml_resource_free`.
    pub drop_resource: *const u8,
    /// Null when there is no table.
    pub frames: *const FrameTable,
    /// [`FLAG_LEAK_CHECK`] or 0.
    pub flags: u64,
    /// What the program may do, as `reml_capability::policy::portable` prints it. Null: its host decides.
    pub policy: *const u8,
    pub policy_len: u64,
    /// What the program has that is not of the language, as [`native`](crate::native) prints it.
    pub native: NonNull<u8>,
    pub native_len: u64,
}

#[cfg(test)]
impl ProgramInfo {
    /// A program that is this function and nothing else.
    pub fn of_test(main: extern "C" fn(crate::context::Cx) -> i32) -> ProgramInfo {
        ProgramInfo {
            main: main as *const u8,
            invoke: std::ptr::null(),
            drop_closure: std::ptr::null(),
            drop_resource: std::ptr::null(),
            frames: std::ptr::null(),
            flags: 0,
            policy: std::ptr::null(),
            policy_len: 0,
            native: NonNull::dangling(),
            native_len: 0,
        }
    }
}

/// Report objects still alive at a normal exit: a line on stderr and exit status [`LEAK_EXIT`].
pub const FLAG_LEAK_CHECK: u64 = 1;
pub const LEAK_EXIT: i32 = 120;
/// Exit status of a program that panicked.
pub const PANIC_EXIT: i32 = 101;
/// Exit status of a program whose standard output was closed by its reader.
pub const BROKEN_PIPE_EXIT: i32 = 141;

/// Where compiled functions are and what they are called, for locations of panics and for backtraces.
///
/// Everything is an array; nothing needs to be sorted but the sites within one function. An object file emits it as data with
/// one relocation per function (`FrameFunction::start`) and one per array below.
#[repr(C)]
pub struct FrameTable {
    pub functions: *const FrameFunction,
    pub function_count: u64,
    pub sites: *const FrameSite,
    pub site_count: u64,
    /// File names.
    pub files: *const FrameText,
    pub file_count: u64,
    /// UTF-8 text that the names below are ranges of.
    pub text: *const u8,
    pub text_len: u64,
    /// The calls that effects may leave by unwinding while their caller owns something.
    pub root_sites: *const RootSite,
    pub root_site_count: u64,
    pub roots: *const Root,
    pub root_count: u64,
    pub root_kinds: *const RootKind,
    pub root_kind_count: u64,
    /// The calls of C functions.
    pub foreign_sites: *const ForeignSite,
    pub foreign_site_count: u64,
}

/// A return address of a call of a C function, for reports of what happens in there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ForeignSite {
    /// Index into `FrameTable::functions`.
    pub function: u32,
    /// Offset of the return address from the function's start.
    pub offset: u32,
    /// Bytes between the stack pointer, as it is at the call, and what the frame pointer points to.
    pub frame: u32,
    /// Empty when the function is called through a pointer.
    pub symbol: FrameText,
    pub library: FrameText,
}

/// A return address at which the frame owns values.
#[repr(C)]
pub struct RootSite {
    /// Index into `FrameTable::functions`.
    pub function: u32,
    /// Offset of the return address from the function's start.
    pub offset: u32,
    /// Its part of `FrameTable::roots`.
    pub first: u32,
    pub count: u32,
}

/// A value that a frame owns: its slots, a word each, lie in the frame.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Root {
    /// From the frame pointer.
    pub offset: i32,
    /// Index into `FrameTable::root_kinds`.
    pub kind: u32,
}

/// How values of a type are owned. Both are platform C convention `fn(context, slots)`, called with the pinned register set.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RootKind {
    pub drop: *const u8,
    pub dup: *const u8,
}

/// A compiled function: its code range, its name, its return addresses.
#[repr(C)]
pub struct FrameFunction {
    pub start: *const u8,
    /// Bytes of code.
    pub size: u32,
    /// As a Reml programmer would write it, `main.lookup`.
    pub name: FrameText,
    /// Its part of `FrameTable::sites`, sorted by `offset`.
    pub first_site: u32,
    pub site_count: u32,
    /// Zero: nothing. One: leave it out of backtraces (entry and invoke stubs, reference counting helpers).
    pub hidden: u32,
}

/// A return address: the offset from the function's start of the instruction after a call, and the place of the call.
#[repr(C)]
pub struct FrameSite {
    pub offset: u32,
    /// Index into `FrameTable::files`; [`NO_FILE`] when there is no source.
    pub file: u32,
    /// From 1.
    pub line: u32,
    /// From 1, in Unicode scalar values.
    pub column: u32,
}

pub const NO_FILE: u32 = u32::MAX;

/// A range of `FrameTable::text`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct FrameText {
    pub start: u32,
    pub len: u32,
}

/// How `reml_panic_overflow` and the cast panics name integer types, in the order of `Prim`; an operand is passed
/// sign- or zero-extended to 64 bits, as its type says.
pub const INT_TYPES: [&str; 10] = ["i8", "i16", "i32", "i64", "isize", "u8", "u16", "u32", "u64", "usize"];

/// First argument of `reml_panic_overflow`.
pub const OVERFLOW_ADD: u64 = 0;
pub const OVERFLOW_SUB: u64 = 1;
pub const OVERFLOW_MUL: u64 = 2;
pub const OVERFLOW_DIV: u64 = 3;
pub const OVERFLOW_REM: u64 = 4;
pub const OVERFLOW_NEG: u64 = 5;
pub const OVERFLOW_SHL: u64 = 6;
pub const OVERFLOW_SHR: u64 = 7;

/// A machine word at the C border.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// A pointer or a 64-bit integer.
    I64,
    F64,
}

/// A runtime function that compiled code calls without being asked to by an `extern "rt"` declaration.
pub struct CodegenFunction {
    pub name: &'static str,
    /// All parameters, the context first.
    pub params: &'static [Word],
    pub ret: Option<Word>,
    /// Never returns.
    pub diverges: bool,
}

const fn function(name: &'static str, params: &'static [Word], ret: Option<Word>) -> CodegenFunction {
    CodegenFunction { name, params, ret, diverges: false }
}

const fn panics(name: &'static str, params: &'static [Word]) -> CodegenFunction {
    CodegenFunction { name, params, ret: None, diverges: true }
}

use Word::{F64, I64};

/// The runtime functions codegen calls on its own account. All take the context first.
///
/// A panic finds its source location in the frame table through its return address: every call of a `reml_panic_*`
/// function needs a call instruction of its own, with a [`FrameSite`].
pub const CODEGEN_FUNCTIONS: &[CodegenFunction] = &[
    // (context). A callback has ended, and closures wait: drops them, if no other callback runs.
    function("reml_callback_ended", &[I64], None),
    // (context, class) -> *mut Header. Refills the free list of `class` and takes one object of it, header uninitialised.
    function("reml_alloc_slow", &[I64, I64], Some(I64)),
    // (context, bytes) -> *mut Header. For objects above MAX_SMALL bytes (header included); the caller writes the header, with
    // class LARGE.
    function("reml_alloc_large", &[I64, I64], Some(I64)),
    // (context, *mut Header). Gives the memory of a LARGE object back.
    function("reml_free_large", &[I64, I64], None),
    // (context, *mut Header). Gives the memory of an object of any class back; its fields are not dropped.
    function("reml_free", &[I64, I64], None),
    // (context, stride, capacity) -> *mut Array. A new array, count 1, length 0, room for at least `capacity` elements.
    function("reml_array_new", &[I64, I64, I64], Some(I64)),
    // (context, *mut Array, stride, min_capacity) -> *mut Array. Consumes a unique array and moves its elements to a
    // larger one (at least twice the capacity, so that pushing is amortised O(1)).
    function("reml_array_grow", &[I64, I64, I64, I64], Some(I64)),
    // (context, data, stride, bits, count). Fills `count` elements of 1, 2, 4 or 8 bytes with the low bits of `bits`.
    function("reml_fill", &[I64, I64, I64, I64, I64], None),
    // (context, to, from, bytes). Copies bytes that may overlap.
    function("reml_copy", &[I64, I64, I64, I64], None),
    // (context, x, y). C's `fmod`.
    function("reml_float_rem", &[I64, F64, F64], Some(F64)),
    // (context, *mut Str). The last owner of a string is gone: drops what it slices and frees it. Not for immortal strings.
    function("reml_str_free", &[I64, I64], None),
    // (context, text, offset, wanted) -> 1 or 0. Whether the bytes of `wanted` stand at an offset of a text.
    function("reml_str_matches", &[I64, I64, I64, I64], Some(I64)),
    // (context, *mut Closure). Consumes a `() -> ()` to run should the program panic before the matching pop.
    function("reml_defer_push", &[I64, I64], None),
    // (context) -> *mut Closure. The innermost deferred closure, owned by the caller again (who drops it).
    function("reml_defer_pop", &[I64], Some(I64)),
    // (context, *mut Handler, *mut Closure, entry) -> status. Runs the computation with the handler in force, on the same stack. `entry`
    // (platform C convention, `fn(context, closure)`) calls the closure and leaves its result in the payload. Status 0: it has
    // ended; `n + 1`: operation `n` gave up the computation, and its arguments are in the payload. Borrows both.
    function("reml_handle", &[I64, I64, I64, I64], Some(I64)),
    // (context, *mut Handler, operation). Leaves the computation of a `reml_handle`: what its frames own is dropped.
    panics("reml_unwind", &[I64, I64, I64]),
    // Like `reml_handle`, on a fiber; owns the closure. With status `n + 1`, `Context::stopped` waits for an answer.
    function("reml_fiber_start", &[I64, I64, I64, I64], Some(I64)),
    // (context, *mut Continuation, answer in the payload) -> status, as `reml_fiber_start`.
    function("reml_fiber_resume", &[I64, I64], Some(I64)),
    // The same; consumes the continuation.
    function("reml_fiber_resume_last", &[I64, I64], Some(I64)),
    // (context, *mut Fiber, answer in the payload) -> status: resumes a computation that nothing else can.
    function("reml_fiber_continue", &[I64, I64], Some(I64)),
    // (context, *mut Handler, operation, 1 if it is reentrant). Stops the fiber with a request; returns when it is resumed, the answer in the payload.
    function("reml_fiber_suspend", &[I64, I64, I64, I64], None),
    // (context, *mut Continuation). The last owner of a continuation is gone: what it has not run yet is dropped.
    function("reml_continuation_free", &[I64, I64], None),
    // (context, *mut Resource). The last owner of a resource is gone: it is closed.
    function("reml_resource_free", &[I64, I64], None),
    // (context). An operation finds no handler.
    panics("reml_panic_unhandled", &[I64]),
    // (context, index, length), both i64.
    panics("reml_panic_index", &[I64, I64, I64]),
    // (context, OVERFLOW_*, index into INT_TYPES, left, right). For negation `right` is ignored. For shifts `right` is the
    // amount. E7100.
    panics("reml_panic_overflow", &[I64, I64, I64, I64, I64]),
    // (context, 0 for `/`, 1 for `%`).
    panics("reml_panic_div_zero", &[I64, I64]),
    // (context, value, from, to): indices into INT_TYPES. E7101.
    panics("reml_panic_cast_int", &[I64, I64, I64, I64]),
    // (context, value, to): to an integer type. E7102.
    panics("reml_panic_cast_float", &[I64, F64, I64]),
    // (context, value, from): to Char. E7103.
    panics("reml_panic_cast_char", &[I64, I64, I64]),
    // (the arguments of a C function with `...`). Goes on to `Context::foreign_code`, which is told that there may be arguments in all
    // vector registers. Compiled code calls it with the signature of that function.
    function("reml_variadic", &[], None),
    // (context). No arm of a match applies.
    panics("reml_panic_match", &[I64]),
    // (context, &Str): `panic(..)` and everything the library reports.
    panics("reml_panic_str", &[I64, I64]),
    // (context, code, code_len, text, text_len): any other message; a code of length 0 is none.
    panics("reml_panic_text", &[I64, I64, I64, I64, I64]),
];
