//! How does a runtime function hand out more than a number?
//!
//! Functions that can fail return 0 or an errno (or its negative, where positive numbers have a meaning). What they produce waits here until
//! the `take_*` function of its type fetches it; the next product replaces one that nobody has fetched.

use crate::abi::{Array, Resource};
use crate::array;
use crate::context::Cx;
use crate::heap;
use crate::resource;
use crate::string::{StrOwned, empty, new_str};

/// The product of the last call that had one.
#[derive(Default)]
pub enum Taken {
    #[default]
    Nothing,
    Text(StrOwned),
    Bytes(*mut Array),
    Ints(*mut Array),
    Texts(*mut Array),
    Resource(*mut Resource),
}

impl Taken {
    pub fn drop(self, cx: Cx) {
        match self {
            Taken::Nothing => {}
            Taken::Text(text) => text.drop(cx),
            // SAFETY: nobody else has the array, whose elements are plain.
            Taken::Bytes(array) | Taken::Ints(array) => unsafe { heap::reml_free(cx, array.cast()) },
            // SAFETY: nobody else has the array, which owns its strings.
            Taken::Texts(array) => unsafe {
                for index in 0..(*array).len as usize {
                    array::data(array).cast::<StrOwned>().add(index).read().drop(cx);
                }
                heap::reml_free(cx, array.cast());
            },
            // SAFETY: nobody else has the resource.
            Taken::Resource(resource) => unsafe { resource::reml_resource_free(cx, resource) },
        }
    }
}

pub fn give(cx: Cx, product: Taken) {
    cx.runtime().taken.replace(product).drop(cx);
}

/// Hands out text that must be UTF-8; 0 or EILSEQ.
pub fn give_text(cx: Cx, bytes: &[u8]) -> i64 {
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            give(cx, Taken::Text(new_str(cx, text)));
            0
        }
        Err(_) => i64::from(libc::EILSEQ),
    }
}

/// Hands out numbers.
pub fn give_ints(cx: Cx, numbers: &[i64]) {
    let array = array::reml_array_new(cx, 8, numbers.len() as u64);
    // SAFETY: the array is fresh with room for all numbers.
    unsafe {
        std::ptr::copy_nonoverlapping(numbers.as_ptr(), array::data(array).cast(), numbers.len());
        (*array).len = numbers.len() as u64;
    }
    give(cx, Taken::Ints(array));
}

/// The text that the last call has produced; empty when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_str(cx: Cx) -> StrOwned {
    match cx.runtime().taken.take() {
        Taken::Text(text) => text,
        other => {
            other.drop(cx);
            empty()
        }
    }
}

/// The bytes that the last call has produced; empty when there are none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_bytes(cx: Cx) -> *mut Array {
    match cx.runtime().taken.take() {
        Taken::Bytes(bytes) => bytes,
        other => {
            other.drop(cx);
            array::new_bytes(cx, &[])
        }
    }
}

/// The `[Int]` that the last call has produced; empty when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_ints(cx: Cx) -> *mut Array {
    match cx.runtime().taken.take() {
        Taken::Ints(numbers) => numbers,
        other => {
            other.drop(cx);
            array::reml_array_new(cx, 8, 0)
        }
    }
}

/// The `[Str]` that the last call has produced; empty when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_strs(cx: Cx) -> *mut Array {
    match cx.runtime().taken.take() {
        Taken::Texts(texts) => texts,
        other => {
            other.drop(cx);
            array::reml_array_new(cx, 8, 0)
        }
    }
}

/// The resource that the last call has opened; one that is closed when there is none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_take_resource(cx: Cx) -> *mut Resource {
    match cx.runtime().taken.take() {
        Taken::Resource(resource) => resource,
        other => {
            other.drop(cx);
            resource::closed(cx)
        }
    }
}

#[cfg(test)]
pub mod testing {
    use super::*;

    /// The text that the last call has produced.
    pub fn text_taken(cx: Cx) -> String {
        let text = reml_take_str(cx);
        let copy = text.borrow().as_str().to_string();
        text.drop(cx);
        copy
    }
}
