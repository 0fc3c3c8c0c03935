//! Primitive operations: what `extern "prim"` functions of the standard library and the operators on machine
//! types become, and what codegen must emit inline.
//!
//! An operation is typed by its operands: `IntAdd` on two `u8`s is an 8-bit addition. `name` is the
//! spelling in `extern "prim" fn name(..)`. Reads (`ArrayGet`, `CellGet`, ..) of counted values give a borrow that is only
//! valid until the container changes: the counting pass dups at once unless it can prove more.

/// `extern "prim" fn type_key<T>(value: &T) -> Int`: no operation, since lowering knows the answer.
pub const TYPE_KEY: &str = "type_key";
/// `extern "prim" fn target_description() -> Str`: what the program is compiled for, as [`LowerOptions`](crate::lower::LowerOptions) tells it.
pub const TARGET_DESCRIPTION: &str = "target_description";

/// `extern "prim"` functions about the C layout of their type arguments, which lowering writes out in terms of the operations below
/// (`lower::foreign`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CPrim {
    /// `c_size<T>() -> Int`
    Size,
    /// `c_align<T>() -> Int`
    Align,
    /// `c_load<T>(address: RawPtr) -> T`
    Load,
    /// `c_store<T>(address: RawPtr, value: T)`
    Store,
    /// `c_call<Args, Ret>(code: RawPtr, args: Args) -> Ret`
    Call,
    /// `c_call_variadic<Args, Ret>(code: RawPtr, args: Args) -> Ret`: the function takes `...`, and what goes there is promoted already.
    CallVariadic,
    /// `c_signature<Args, Ret>() -> Str`: what C sees of the types, such as `I32,Ptr->F64`.
    Signature,
    /// `c_wrapper<F, Args, Out>(function: (Args) -> Out) -> F`: the same function, which takes its arguments one by one.
    Wrapper,
    /// `c_callback_entry<Args, Ret>() -> RawPtr`
    CallbackEntry,
    /// `c_callback_stack<Args, Ret>() -> Int`: how many words of its arguments C passes on the stack.
    CallbackStack,
    /// `c_callback_code<F, Args, Ret>(function: F) -> (Never) -> ()`: a closure with the parameters and the result as C passes them.
    CallbackCode,
}

impl CPrim {
    pub fn by_name(name: &str) -> Option<CPrim> {
        Some(match name {
            "c_size" => CPrim::Size,
            "c_align" => CPrim::Align,
            "c_load" => CPrim::Load,
            "c_store" => CPrim::Store,
            "c_call" => CPrim::Call,
            "c_call_variadic" => CPrim::CallVariadic,
            "c_signature" => CPrim::Signature,
            "c_wrapper" => CPrim::Wrapper,
            "c_callback_entry" => CPrim::CallbackEntry,
            "c_callback_stack" => CPrim::CallbackStack,
            "c_callback_code" => CPrim::CallbackCode,
            _ => return None,
        })
    }
}

macro_rules! prims {
    ($($(#[$doc:meta])* $variant:ident $name:literal $modes:ident $effect:ident;)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum PrimOp { $($(#[$doc])* $variant,)* }

        impl PrimOp {
            pub const ALL: &'static [PrimOp] = &[$(PrimOp::$variant,)*];

            /// The spelling in `extern "prim"` declarations.
            pub fn name(self) -> &'static str {
                match self { $(PrimOp::$variant => $name,)* }
            }

            /// How arguments are passed.
            pub fn args(self) -> ArgModes {
                match self { $(PrimOp::$variant => ArgModes::$modes,)* }
            }

            /// What evaluating it may do besides computing its result.
            pub fn effect(self) -> PrimEffect {
                match self { $(PrimOp::$variant => PrimEffect::$effect,)* }
            }
        }
    };
}

/// How a primitive takes counted arguments. Scalars do not care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArgModes {
    /// All operands are borrowed; a counted result is borrowed from the first.
    Borrow,
    /// All operands are borrowed; the result is fresh.
    BorrowFresh,
    /// All operands are consumed.
    Consume,
    /// The first operand is borrowed, the others consumed (`cell_set`).
    BorrowFirst,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PrimEffect {
    /// May be removed, duplicated and reordered.
    Pure,
    /// May panic; otherwise pure.
    Panic,
    /// Allocates or updates in place a value it consumed; may be removed, not duplicated.
    Alloc,
    /// Reads mutable memory.
    Read,
    /// Writes mutable memory or never returns.
    Write,
}

prims! {
    // Integers. `int_*` overflow panics in debug (E7100) and wraps in release; `wrapping_*` always wraps.
    IntAdd "int_add" Borrow Panic;
    IntSub "int_sub" Borrow Panic;
    IntMul "int_mul" Borrow Panic;
    /// Panics on zero, and on MIN / -1 as overflow (wraps in release).
    IntDiv "int_div" Borrow Panic;
    IntRem "int_rem" Borrow Panic;
    IntNeg "int_neg" Borrow Panic;
    /// Panics in debug when the shift amount is not below the width; masks it in release. Right shift is
    /// arithmetic on signed types.
    IntShl "int_shl" Borrow Panic;
    IntShr "int_shr" Borrow Panic;
    WrappingAdd "wrapping_add" Borrow Pure;
    WrappingSub "wrapping_sub" Borrow Pure;
    WrappingMul "wrapping_mul" Borrow Pure;
    WrappingNeg "wrapping_neg" Borrow Pure;
    WrappingShl "wrapping_shl" Borrow Pure;
    WrappingShr "wrapping_shr" Borrow Pure;
    /// Would the operation overflow?
    AddOverflows "add_overflows" Borrow Pure;
    SubOverflows "sub_overflows" Borrow Pure;
    MulOverflows "mul_overflows" Borrow Pure;
    IntAnd "int_and" Borrow Pure;
    IntOr "int_or" Borrow Pure;
    IntXor "int_xor" Borrow Pure;
    IntNot "int_not" Borrow Pure;
    RotateLeft "rotate_left" Borrow Pure;
    RotateRight "rotate_right" Borrow Pure;
    /// Results are `i64`.
    CountOnes "count_ones" Borrow Pure;
    LeadingZeros "leading_zeros" Borrow Pure;
    TrailingZeros "trailing_zeros" Borrow Pure;
    SwapBytes "swap_bytes" Borrow Pure;
    ReverseBits "reverse_bits" Borrow Pure;
    /// 64 x 64 -> high 64 bits, unsigned.
    MulHigh "mul_high" Borrow Pure;

    // Comparison of integers, floats, Bool and Char.
    Eq "eq" Borrow Pure;
    Ne "ne" Borrow Pure;
    Lt "lt" Borrow Pure;
    Le "le" Borrow Pure;
    Gt "gt" Borrow Pure;
    Ge "ge" Borrow Pure;
    BoolNot "bool_not" Borrow Pure;

    // Floats (IEEE 754).
    FloatAdd "float_add" Borrow Pure;
    FloatSub "float_sub" Borrow Pure;
    FloatMul "float_mul" Borrow Pure;
    FloatDiv "float_div" Borrow Pure;
    /// C's `fmod`.
    FloatRem "float_rem" Borrow Pure;
    FloatNeg "float_neg" Borrow Pure;
    FloatAbs "float_abs" Borrow Pure;
    FloatSqrt "float_sqrt" Borrow Pure;
    FloatFloor "float_floor" Borrow Pure;
    FloatCeil "float_ceil" Borrow Pure;
    FloatTrunc "float_trunc" Borrow Pure;
    /// Ties to even.
    FloatRound "float_round" Borrow Pure;
    FloatMin "float_min" Borrow Pure;
    FloatMax "float_max" Borrow Pure;
    FloatCopySign "float_copysign" Borrow Pure;
    FloatFma "float_fma" Borrow Pure;

    // Conversions; the target is the result's type.
    /// `as` with its checks: E7101 narrowing, E7102 float to int, E7103 int to Char.
    Cast "cast" Borrow Panic;
    /// Truncates or extends, never panics (ints, Char, Bool).
    IntConvert "int_convert" Borrow Pure;
    /// Saturates; NaN gives 0.
    FloatToIntSat "float_to_int_sat" Borrow Pure;
    FloatToBits "float_to_bits" Borrow Pure;
    FloatFromBits "float_from_bits" Borrow Pure;

    // Arrays `[T]`. Indices and lengths are `i64`.
    ArrayLen "array_len" Borrow Pure;
    /// Panics out of bounds.
    ArrayGet "array_get" Borrow Panic;
    /// No check: the caller has proved the bound.
    ArrayGetUnchecked "array_get_unchecked" Borrow Pure;
    /// `(xs, i, v) -> xs`; in place when unique, else copies first. Panics out of bounds.
    ArraySet "array_set" Consume Panic;
    ArraySetUnchecked "array_set_unchecked" Consume Alloc;
    /// `(xs, v) -> xs`, amortised O(1) when unique.
    ArrayPush "array_push" Consume Alloc;
    /// `(xs) -> xs` without its last element; unchecked.
    ArrayPop "array_pop" Consume Alloc;
    /// `(capacity) -> []`.
    ArrayWithCapacity "array_with_capacity" Consume Alloc;
    /// `(n, v) -> [v, v, ..]`.
    ArrayFilled "array_filled" Consume Alloc;
    /// `(xs, n) -> xs` cut to its first n elements.
    ArrayTruncate "array_truncate" Consume Alloc;
    /// `(&xs, start, end) -> copy`; unchecked.
    ArraySlice "array_slice" BorrowFresh Alloc;
    /// `(xs, &ys) -> xs ++ ys`.
    ArrayAppend "array_append" Consume Alloc;
    /// `(xs, i, j) -> xs`; checked.
    ArraySwap "array_swap" Consume Panic;
    /// `(xs, i) -> (xs, element)`: the slot is left as a hole that only `ArrayPut` may touch next. Checked.
    ArrayTake "array_take" Consume Panic;
    /// `(xs, i, v) -> xs`: fills the hole of `ArrayTake`, which must not be dropped with the array.
    ArrayPut "array_put" Consume Write;

    // Fixed arrays `[T; N]` are products; dynamic indexing reads memory-shaped copies. Checked.
    FixedGet "fixed_get" Borrow Panic;
    FixedSet "fixed_set" Consume Panic;

    // Strings: a byte view; everything else is in the runtime.
    /// Length in bytes, `i64`.
    StrLen "str_len" Borrow Pure;
    /// Byte at an unchecked offset, `u8`.
    StrByte "str_byte" Borrow Pure;
    /// `(text, offset, wanted) -> bool`: whether the bytes of the second text stand at an unchecked offset of the first, from which on
    /// it has as many.
    StrMatches "str_matches" Borrow Pure;

    // Heap cells: captured variables, `Ref`, `Cell`.
    CellNew "cell_new" Consume Alloc;
    CellGet "cell_get" Borrow Read;
    /// `(&cell, v) -> ()`.
    CellSet "cell_set" BorrowFirst Write;
    /// Takes the value out and leaves a hole that only `CellSet` may touch next.
    CellTake "cell_take" BorrowFresh Write;

    /// A closure, passed off as one of another type: one owner before, one owner after. Whoever calls or drops it must see it as what it
    /// is, or drop it, which every closure knows how to do itself.
    Disguise "disguise" Consume Alloc;

    // Memory that C sees. Addresses are plain numbers; what lies there has the layout of `c_layout`.
    /// `(address, offset) -> scalar` of the result's type.
    RawLoad "raw_load" BorrowFresh Read;
    /// `(address, offset, scalar) -> ()`.
    RawStore "raw_store" Borrow Write;
    /// `(bytes, alignment) -> address` of memory that lasts as long as the call of the function it stands in. Both are constants.
    FrameSlot "frame_slot" Consume Alloc;
    /// `(&xs) -> address` of the first element, which is good as long as the array is neither changed nor dropped.
    ArrayData "array_data" BorrowFresh Read;
    /// `(xs) -> xs` with no other owner.
    ArrayUnique "array_unique" Consume Alloc;
    /// `(&Str) -> address` of the first byte, good as long as the text is not dropped.
    StrData "str_data" BorrowFresh Read;
    /// `(number of the signature) -> address`: what a C callback of this signature jumps to.
    CallbackEntry "callback_entry" Borrow Pure;

    /// Same object?
    PtrEq "ptr_eq" Borrow Pure;
    /// Is this the only owner? Scalars are.
    IsUnique "is_unique" Borrow Read;

    // Control.
    /// `(&Str) -> Never`
    Panic "panic" Borrow Write;
    /// Registers a closure to run if a panic happens before `DeferPop`: `(() -> ()) -> ()`.
    DeferPush "defer_push" Consume Write;
    /// Forgets the innermost registered closure.
    DeferPop "defer_pop" Consume Write;
    // Effects: what handlers and operations become (`lower::effects`; `runtime/rt/src/{handler,fiber}.rs`). Handlers and continuations
    // are closures as far as their ownership goes. A handler that is in force is passed around as a plain `i64`.
    /// `(id, clause, ..) -> handler`: one closure per operation, `(arguments .., i64 handler) -> result`, and what else the handler needs.
    HandlerNew "handler_new" Consume Alloc;
    /// Puts a handler in force.
    HandlerPush "handler_push" Borrow Write;
    /// Puts in force what was before.
    HandlerPop "handler_pop" Borrow Write;
    /// `(id) -> i64`: the innermost handler of the effect.
    HandlerFind "handler_find" Borrow Read;
    /// `(handler) -> i64`: the same for a known one.
    HandlerAddress "handler_address" Borrow Pure;
    /// `(i64 handler, number of the operation) -> clause`.
    HandlerClause "handler_clause" Borrow Pure;
    /// `(&continuation, number) -> clause`: the same of the handler that the continuation keeps alive, with an owner of its own.
    ContinuationClause "continuation_clause" BorrowFresh Read;
    /// `(i64 handler) -> i64`: puts in force what is around a handler; the result is for `HandlerLeave`.
    HandlerEnter "handler_enter" Borrow Write;
    HandlerLeave "handler_leave" Borrow Write;
    /// `(&handler, &computation) -> i64 status`: runs a `() -> T` with the handler in force. Status 0: its result is in the payload;
    /// `n + 1`: operation `n` has left it, and its arguments are in the payload.
    HandlerRun "handler_run" Borrow Write;
    /// `(i64 handler, number of the operation, arguments) -> Never`: leaves the computation.
    HandlerAbort "handler_abort" Consume Write;
    /// `(&handler, computation) -> i64 status`: the same on a fiber. Status `n + 1` comes with a continuation.
    FiberStart "fiber_start" BorrowFirst Write;
    /// `(&continuation, answer) -> i64 status`.
    FiberResume "fiber_resume" BorrowFirst Write;
    /// The same for a continuation that nobody else needs: `(continuation, answer) -> i64 status`.
    FiberResumeLast "fiber_resume_last" Consume Write;
    /// `(i64 handler, number of the operation, 1 if it is reentrant, arguments) -> answer`: stops the fiber.
    FiberSuspend "fiber_suspend" Consume Write;
    /// Takes the continuation that came with a status; before the payload. `(1 if it may be resumed again)`
    ContinuationTake "continuation_take" Consume Write;
    /// `() -> i64`: the fiber that came with a status, not owned: for `FiberContinue`, which must follow before anything that effects
    /// may leave.
    FiberStopped "fiber_stopped" Consume Write;
    /// `(i64 fiber, answer) -> i64 status`: `FiberResume` without a continuation.
    FiberContinue "fiber_continue" Consume Write;
    /// Takes the payload that came with a status.
    PayloadTake "payload_take" Consume Write;

    /// `(&value) -> ()`: a mention, which nothing removes. A cell with a hole lives until it is filled, even if nobody
    /// reads it afterwards.
    KeepAlive "keep_alive" BorrowFresh Write;

    /// Keeps a value from being optimised away (benchmarks).
    BlackBox "black_box" Consume Write;
}

impl PrimOp {
    /// May the call that it is be left by unwinding, or its stack be copied?
    pub fn may_unwind(self) -> bool {
        use PrimOp::*;
        matches!(
            self,
            HandlerRun | HandlerAbort | FiberStart | FiberResume | FiberResumeLast | FiberContinue | FiberSuspend
        )
    }

    /// The operation called `name` in the standard library.
    pub fn by_name(name: &str) -> Option<PrimOp> {
        PrimOp::ALL.iter().copied().find(|op| op.name() == name)
    }
}
