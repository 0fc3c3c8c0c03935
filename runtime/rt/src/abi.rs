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
    // capacity of the inline text: derived from the size class, or stored after `owner` for large objects;
    // see `string.rs`.
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

/// A closure: code, then how to drop the captures, then the captures as a layout of their own.
/// Code is called with the closure's own parameters first and the closure object last.
#[repr(C)]
pub struct Closure {
    pub header: Header,
    pub code: *const u8,
    /// `extern "tail" fn(closure)`: drops the captures and frees the object; null when static.
    pub drop: *const u8,
    // captures from offset 24
}

pub const CLOSURE_DATA: usize = 24;

/// A heap cell (`VarCell`): header, then the value.
pub const CELL_DATA: usize = 8;
