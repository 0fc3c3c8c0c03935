//! How are `Str` objects made, shared, extended and freed?
//!
//! A string either holds its text behind its fields (it *owns* it), or points into the text of another
//! (a slice; `owner` is never itself a slice), or into static memory. Text is immutable as long as a
//! string has several owners; a unique string that owns its text is extended in place, with capacity doubling.
//! Large strings keep their capacity in the 8 bytes before the text.

use std::marker::PhantomData;
use std::ptr;

use crate::abi::{CLASS_UNIT, Header, IMMORTAL, LARGE, MAX_SMALL, Str};
use crate::context::Cx;
use crate::heap;
use crate::panic::{self, traced};

/// Text starts here in objects of a size class.
const SMALL_TEXT: usize = size_of::<Str>();
/// Capacity and text of large objects.
const LARGE_CAPACITY: usize = size_of::<Str>();
pub const LARGE_TEXT: usize = LARGE_CAPACITY + 8;
/// Slices up to this length are copies: as small as a slice object and its share of the owner's memory.
const COPIED_SLICE: usize = 16;

/// What is known of a string's characters: `Header::aux`. Fresh objects start as `Unknown`.
#[derive(Clone, Copy)]
enum Encoding {
    Unknown = 0,
    Ascii = 1,
    Other = 2,
}

/// A borrowed string, as runtime functions take it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct StrRef<'a> {
    object: *mut Str,
    life: PhantomData<&'a Str>,
}

/// A string with one owner more than those elsewhere: consumed by whom it is passed to.
/// It is not dropped by itself, since that needs the context.
#[must_use = "the string leaks otherwise"]
#[repr(transparent)]
pub struct StrOwned(*mut Str);

impl<'a> StrRef<'a> {
    /// # Safety
    /// `object` must stay alive for `'a`.
    pub unsafe fn new(object: *mut Str) -> StrRef<'a> {
        StrRef { object, life: PhantomData }
    }

    pub fn as_str(self) -> &'a str {
        // SAFETY: a string holds UTF-8.
        unsafe { std::str::from_utf8_unchecked(self.as_bytes()) }
    }

    pub fn as_bytes(self) -> &'a [u8] {
        // SAFETY: `data` has `len` bytes as long as the string lives, which is `'a`.
        unsafe { std::slice::from_raw_parts((*self.object).data, (*self.object).len as usize) }
    }

    /// One more owner of the same string.
    pub fn share(self) -> StrOwned {
        // SAFETY: alive for `'a`.
        unsafe { heap::dup(self.object.cast()) };
        StrOwned(self.object)
    }

    /// The string of bytes `start..end`, which must be character boundaries, sharing memory where that pays.
    pub fn slice(self, cx: Cx, start: usize, end: usize) -> StrOwned {
        let text = &self.as_str()[start..end];
        if text.len() == self.as_bytes().len() {
            return self.share();
        }
        if text.len() <= COPIED_SLICE {
            return new_str(cx, text);
        }
        let object = heap::alloc(cx, size_of::<Str>()).cast::<Str>();
        // SAFETY: the new object is fresh; `self` and its owner are alive, and the owner keeps the text.
        unsafe {
            let mut owner = if (*self.object).owner.is_null() { self.object } else { (*self.object).owner };
            if (*owner).header.count < 0 {
                owner = ptr::null_mut();
            } else {
                heap::dup(owner.cast());
            }
            (*object).len = text.len() as u64;
            (*object).data = text.as_ptr();
            (*object).owner = owner;
            if (*self.object).header.aux == Encoding::Ascii as u16 {
                (*object).header.aux = Encoding::Ascii as u16;
            }
        }
        StrOwned(object)
    }

    /// Is every character ASCII? The answer is kept in the header, so that asking again costs nothing.
    pub fn is_ascii(self) -> bool {
        // SAFETY: the object is alive; only immortal objects may be in read-only or shared memory, and they are
        // left alone.
        unsafe {
            let header = &raw mut (*self.object).header;
            if (*header).aux == Encoding::Ascii as u16 {
                return true;
            }
            if (*header).aux == Encoding::Other as u16 {
                return false;
            }
            let ascii = self.as_bytes().is_ascii();
            if (*header).count > 0 {
                (*header).aux = if ascii { Encoding::Ascii } else { Encoding::Other } as u16;
            }
            ascii
        }
    }

    /// The string of a part of this string's text.
    pub fn slice_of(self, cx: Cx, part: &str) -> StrOwned {
        let start = part.as_ptr().addr() - self.as_bytes().as_ptr().addr();
        self.slice(cx, start, start + part.len())
    }
}

impl StrOwned {
    /// # Safety
    /// The caller must hand over one ownership of `object`.
    pub unsafe fn from_raw(object: *mut Str) -> StrOwned {
        StrOwned(object)
    }

    pub fn into_raw(self) -> *mut Str {
        self.0
    }

    pub fn borrow(&self) -> StrRef<'_> {
        StrRef { object: self.0, life: PhantomData }
    }

    /// Gives the ownership up.
    pub fn drop(self, cx: Cx) {
        // SAFETY: we are an owner.
        unsafe {
            if heap::release(self.0.cast()) {
                reml_str_free(cx, self.0);
            }
        }
    }

    /// This string followed by `text`; in place when nobody else has it.
    pub fn append(self, cx: Cx, text: &[u8]) -> StrOwned {
        if text.is_empty() {
            return self;
        }
        let object = self.0;
        // SAFETY: the object is alive. Text is written only behind the text of a unique string that owns it, which
        // `text` can then not be a part of: a slice would be an owner too.
        unsafe {
            let len = (*object).len as usize;
            let total = len + text.len();
            let growing = (*object).header.count == 1 && owns_text(object);
            if growing && total <= capacity(object) {
                ptr::copy_nonoverlapping(text.as_ptr(), (*object).data.cast_mut().add(len), text.len());
                (*object).len = total as u64;
                if (*object).header.aux == Encoding::Ascii as u16 && !text.is_ascii() {
                    (*object).header.aux = Encoding::Other as u16;
                }
                return self;
            }
            let room = if growing { total.max(len * 2) } else { total };
            if growing && (*object).header.class == LARGE {
                let moved = heap::resize_large(cx, object.cast(), LARGE_TEXT + room).cast::<Str>();
                moved.cast::<u8>().add(LARGE_CAPACITY).cast::<u64>().write(room as u64);
                let start = moved.cast::<u8>().add(LARGE_TEXT);
                (*moved).data = start;
                ptr::copy_nonoverlapping(text.as_ptr(), start.add(len), text.len());
                (*moved).len = total as u64;
                (*moved).header.aux = Encoding::Unknown as u16;
                return StrOwned(moved);
            }
            let joined = with_capacity(cx, room);
            let start = (*joined.0).data.cast_mut();
            ptr::copy_nonoverlapping((*object).data, start, len);
            ptr::copy_nonoverlapping(text.as_ptr(), start.add(len), text.len());
            (*joined.0).len = total as u64;
            self.drop(cx);
            joined
        }
    }
}

/// Is the text behind the fields of this object?
///
/// # Safety
/// `object` must be alive.
unsafe fn owns_text(object: *mut Str) -> bool {
    // SAFETY: alive per the contract; addresses are only compared.
    unsafe {
        let offset = if (*object).header.class == LARGE { LARGE_TEXT } else { SMALL_TEXT };
        (*object).data.addr() == object.addr() + offset
    }
}

/// How many bytes of text fit in an object that owns its text.
///
/// # Safety
/// `object` must be alive and own its text.
unsafe fn capacity(object: *mut Str) -> usize {
    // SAFETY: alive; large objects that own their text hold the capacity before it.
    unsafe {
        match (*object).header.class {
            LARGE => object.cast::<u8>().add(LARGE_CAPACITY).cast::<u64>().read() as usize,
            class => usize::from(class) * CLASS_UNIT - SMALL_TEXT,
        }
    }
}

/// An empty string with room for `bytes` bytes.
pub fn with_capacity(cx: Cx, bytes: usize) -> StrOwned {
    let large = SMALL_TEXT + bytes > MAX_SMALL;
    let text = if large { LARGE_TEXT } else { SMALL_TEXT };
    let object = heap::alloc(cx, text + bytes).cast::<Str>();
    // SAFETY: the object is fresh and has room for its fields, and for the capacity where it is large.
    unsafe {
        (*object).len = 0;
        (*object).data = object.cast::<u8>().add(text);
        (*object).owner = ptr::null_mut();
        if large {
            object.cast::<u8>().add(LARGE_CAPACITY).cast::<u64>().write(bytes as u64);
        }
    }
    StrOwned(object)
}

/// The string that a large object becomes in which everything behind its header and before [`LARGE_TEXT`] is still to be written.
///
/// # Safety
/// The object must have one owner, who gives it up, and room for `capacity` bytes of text, of which `len` are there and valid.
pub unsafe fn from_large(object: *mut Header, len: usize, capacity: usize) -> StrOwned {
    let object = object.cast::<Str>();
    // SAFETY: as promised.
    unsafe {
        (*object).len = len as u64;
        (*object).data = object.cast::<u8>().add(LARGE_TEXT);
        (*object).owner = ptr::null_mut();
        object.cast::<u8>().add(LARGE_CAPACITY).cast::<u64>().write(capacity as u64);
    }
    StrOwned(object)
}

/// A string of this text.
pub fn new_str(cx: Cx, text: &str) -> StrOwned {
    match text.as_bytes() {
        [] => empty(),
        &[byte] => ascii(byte),
        bytes => {
            let string = with_capacity(cx, bytes.len());
            // SAFETY: the string is fresh and has room for these bytes.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), (*string.0).data.cast_mut(), bytes.len());
                (*string.0).len = bytes.len() as u64;
            }
            string
        }
    }
}

/// Bytes that become UTF-8, lossily where they are not.
pub fn new_lossy(cx: Cx, bytes: &[u8]) -> StrOwned {
    new_str(cx, &String::from_utf8_lossy(bytes))
}

/// Static strings: never freed, text elsewhere.
#[repr(transparent)]
struct Static(std::cell::UnsafeCell<Str>);

// SAFETY: nobody writes to immortal strings.
unsafe impl Sync for Static {}

impl Static {
    const fn new(text: &'static [u8]) -> Static {
        Static(std::cell::UnsafeCell::new(Str {
            header: Header { count: IMMORTAL, tag: 0, class: 0, aux: 0 },
            len: text.len() as u64,
            data: text.as_ptr(),
            owner: ptr::null_mut(),
        }))
    }
}

static EMPTY: Static = Static::new(b"");

static ASCII_BYTES: [u8; 128] = {
    let mut bytes = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        bytes[byte] = byte as u8;
        byte += 1;
    }
    bytes
};

static ASCII: [Static; 128] = {
    let mut strings = [const { Static::new(b"") }; 128];
    let mut byte = 0;
    while byte < 128 {
        strings[byte] = Static::new(ASCII_BYTES.split_at(byte).1.split_at(1).0);
        byte += 1;
    }
    strings
};

/// The empty string.
pub fn empty() -> StrOwned {
    StrOwned(EMPTY.0.get())
}

/// The string of one ASCII character.
fn ascii(byte: u8) -> StrOwned {
    StrOwned(ASCII[usize::from(byte)].0.get())
}

/// Frees a string whose last owner is gone.
///
/// # Safety
/// `object` must be a string of this context's heap, and nobody may use it again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_str_free(cx: Cx, object: *mut Str) {
    // SAFETY: alive until now; a slice is an owner of its `owner`, which is no slice itself.
    unsafe {
        let owner = (*object).owner;
        heap::reml_free(cx, object.cast());
        if !owner.is_null() && heap::release(owner.cast()) {
            heap::reml_free(cx, owner.cast());
        }
    }
}

/// `left ++ right`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_concat(cx: Cx, left: StrOwned, right: StrRef) -> StrOwned {
    if left.borrow().as_bytes().is_empty() && !is_roomy(&left) {
        left.drop(cx);
        return right.share();
    }
    left.append(cx, right.as_bytes())
}

/// Has this string been made to append to?
fn is_roomy(text: &StrOwned) -> bool {
    // SAFETY: alive.
    unsafe { (*text.0).header.count == 1 && owns_text(text.0) }
}

/// An empty string with room for `bytes` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_str_with_capacity(cx: Cx, bytes: i64) -> StrOwned {
    if bytes <= 0 { empty() } else { with_capacity(cx, bytes as usize) }
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_from_char(cx: Cx, char: u32) -> StrOwned {
    new_str(cx, scalar(char).encode_utf8(&mut [0; 4]))
}

#[unsafe(no_mangle)]
pub extern "C" fn reml_str_push_char(cx: Cx, text: StrOwned, char: u32) -> StrOwned {
    text.append(cx, scalar(char).encode_utf8(&mut [0; 4]).as_bytes())
}

/// A `Char` argument.
pub fn scalar(char: u32) -> char {
    char::from_u32(char).unwrap_or(char::REPLACEMENT_CHARACTER)
}

traced! {
    /// `text[start..end]` in bytes, sharing storage; panics off a character boundary or out of bounds.
    reml_str_slice = str_slice;
    /// `count` copies of a string; panics when `count` is negative or the result too long.
    reml_str_repeat = str_repeat;
}

extern "C" fn str_slice(cx: Cx, text: StrRef, start: i64, end: i64) -> StrOwned {
    let content = text.as_str();
    let (Ok(from), Ok(to)) = (usize::try_from(start), usize::try_from(end)) else {
        panic::raise(cx, "", format_args!("string slice out of bounds: the range is {start}..{end}"));
    };
    if from > to || to > content.len() {
        panic::raise(
            cx,
            "",
            format_args!("string slice out of bounds: the length is {} but the range is {start}..{end}", content.len()),
        );
    }
    for offset in [from, to] {
        if !content.is_char_boundary(offset) {
            panic::raise(
                cx,
                "",
                format_args!("string slice inside a character: byte {offset} is not a character boundary"),
            );
        }
    }
    text.slice(cx, from, to)
}

extern "C" fn str_repeat(cx: Cx, text: StrRef, count: i64) -> StrOwned {
    let bytes = text.as_bytes();
    let Ok(times) = usize::try_from(count) else {
        panic::raise(cx, "", format_args!("cannot repeat a string {count} times"));
    };
    let Some(total) = bytes.len().checked_mul(times).filter(|&total| total <= isize::MAX as usize) else {
        panic::raise(cx, "", format_args!("a string of {} bytes repeated {count} times is too long", bytes.len()));
    };
    match (total, times) {
        (0, _) => return empty(),
        (_, 1) => return text.share(),
        _ => {}
    }
    let mut result = with_capacity(cx, total);
    for _ in 0..times {
        result = result.append(cx, bytes);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap::live_objects;

    #[test]
    fn appending_to_a_unique_string_keeps_its_place() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let start = with_capacity(cx, 100);
        let place = start.0;
        let mut text = start;
        for _ in 0..10 {
            text = text.append(cx, b"0123456789");
        }
        assert_eq!(text.0, place);
        assert_eq!(text.borrow().as_bytes().len(), 100);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn appending_grows_from_small_to_large() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let mut text = empty();
        let mut expected = String::new();
        for index in 0..5_000 {
            let piece = index.to_string();
            let part = new_str(cx, &piece);
            text = reml_str_concat(cx, text, part.borrow());
            part.drop(cx);
            expected.push_str(&piece);
        }
        assert_eq!(text.borrow().as_str(), expected);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn appending_to_a_shared_string_copies() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let first = new_str(cx, "shared");
        let second = first.borrow().share().append(cx, b" no more");
        assert_eq!(first.borrow().as_str(), "shared");
        assert_eq!(second.borrow().as_str(), "shared no more");
        first.drop(cx);
        second.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn slices_share_and_keep_their_owner() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let whole = new_str(cx, "the quick brown fox jumps over the lazy dog");
        let slice = whole.borrow().slice(cx, 4, 40);
        let nested = slice.borrow().slice(cx, 6, 30);
        let short = whole.borrow().slice(cx, 4, 9);
        // SAFETY: all are alive.
        unsafe {
            assert_eq!((*slice.0).data.addr(), (*whole.0).data.addr() + 4);
            assert_eq!((*nested.0).owner, whole.0);
            assert!((*short.0).owner.is_null());
        }
        whole.drop(cx);
        slice.drop(cx);
        assert_eq!(nested.borrow().as_str(), "brown fox jumps over the");
        // A slice never grows into its owner's text.
        let nested = nested.append(cx, b"!");
        assert_eq!(nested.borrow().as_str(), "brown fox jumps over the!");
        nested.drop(cx);
        assert_eq!(short.borrow().as_str(), "quick");
        short.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn static_strings_cost_nothing() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        for text in ["", "x", "\n"] {
            let string = new_str(cx, text);
            assert_eq!(string.borrow().as_str(), text);
            string.borrow().share().drop(cx);
            string.drop(cx);
        }
        assert_eq!(live_objects(cx), 0);
        let text = reml_str_push_char(cx, reml_str_from_char(cx, 'ä' as u32), 'b' as u32);
        assert_eq!(text.borrow().as_str(), "äb");
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn slices_of_static_text_have_no_owner() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        static TEXT: Static = Static::new(b"a literal that is longer than sixteen bytes");
        // SAFETY: static.
        let literal = unsafe { StrRef::new(TEXT.0.get()) };
        let slice = literal.slice(cx, 2, 30);
        assert_eq!(slice.borrow().as_str(), "literal that is longer than ");
        // SAFETY: alive.
        assert!(unsafe { (*slice.0).owner.is_null() });
        slice.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn repeating() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let text = new_str(cx, "ab");
        let many = str_repeat(cx, text.borrow(), 1_000);
        assert_eq!(many.borrow().as_str(), "ab".repeat(1_000));
        many.drop(cx);
        text.drop(cx);
        assert_eq!(live_objects(cx), 0);
    }
}
