//! How are arrays made and grown?
//!
//! Only unique arrays are moved here: copying a shared one needs to dup the elements, which compiled code does.

use std::ptr;

use crate::abi::{ARRAY_DATA, Array, Header, LARGE};
use crate::context::Cx;
use crate::heap;
use crate::panic;
use crate::string::StrOwned;

/// Smallest capacity that growing gives.
const MIN_GROWTH: u64 = 4;

/// A borrowed `[u8]`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BytesRef<'a>(&'a Array);

impl<'a> BytesRef<'a> {
    pub fn as_slice(self) -> &'a [u8] {
        // SAFETY: an array's elements follow it, and these are bytes.
        unsafe { elements(self.0) }
    }
}

/// A borrowed `[Str]`.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct StrsRef<'a>(&'a Array);

impl<'a> StrsRef<'a> {
    pub fn as_slice(self) -> &'a [crate::string::StrRef<'a>] {
        // SAFETY: an array's elements follow it, and these are pointers to live strings.
        unsafe { elements(self.0) }
    }
}

/// # Safety
/// The elements must have type `T`.
unsafe fn elements<T>(array: &Array) -> &[T] {
    // SAFETY: `len` elements are initialised; the offset keeps to the ABI.
    unsafe { std::slice::from_raw_parts(ptr::from_ref(array).byte_add(ARRAY_DATA).cast(), array.len as usize) }
}

/// The first element's place.
///
/// # Safety
/// `array` must be alive.
pub unsafe fn data(array: *mut Array) -> *mut u8 {
    // SAFETY: the elements are part of the object.
    unsafe { array.cast::<u8>().add(ARRAY_DATA) }
}

/// Size of an array object; ends the program when no machine has that much.
fn object_bytes(cx: Cx, stride: u64, capacity: u64) -> usize {
    let bytes = stride.checked_mul(capacity).and_then(|bytes| bytes.checked_add(ARRAY_DATA as u64));
    match bytes {
        Some(bytes) if bytes <= isize::MAX as u64 => bytes as usize,
        _ => panic::out_of_memory(cx, format_args!("an array of {capacity} elements is too large")),
    }
}

/// How many elements fit in the memory of an object of `bytes` bytes.
fn room(object: *mut Header, bytes: usize, stride: u64, capacity: u64) -> u64 {
    // SAFETY: called on fresh objects.
    let class = unsafe { (*object).class };
    if class == LARGE || stride == 0 {
        return capacity;
    }
    let usable = usize::from(class) * crate::abi::CLASS_UNIT;
    debug_assert!(usable >= bytes);
    (usable - ARRAY_DATA) as u64 / stride
}

/// An empty array with room for at least `capacity` elements of `stride` bytes.
#[unsafe(no_mangle)]
pub extern "C" fn reml_array_new(cx: Cx, stride: u64, capacity: u64) -> *mut Array {
    let bytes = object_bytes(cx, stride, capacity);
    let object = heap::alloc(cx, bytes);
    let array = object.cast::<Array>();
    // SAFETY: the object is fresh and has room for the struct.
    unsafe {
        (*array).len = 0;
        (*array).capacity = room(object, bytes, stride, capacity);
    }
    array
}

/// Moves the elements of a unique array to a larger one.
///
/// # Safety
/// `array` must have one owner, who uses the result instead, and elements of `stride` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_array_grow(cx: Cx, array: *mut Array, stride: u64, min_capacity: u64) -> *mut Array {
    // SAFETY: the array is alive and ours alone until its memory is freed or resized; both objects hold `len` elements.
    unsafe {
        let capacity = min_capacity.max((*array).capacity.saturating_mul(2)).max(MIN_GROWTH);
        if (*array).header.class == LARGE {
            let moved = heap::resize_large(cx, array.cast(), object_bytes(cx, stride, capacity)).cast::<Array>();
            (*moved).capacity = capacity;
            return moved;
        }
        let grown = reml_array_new(cx, stride, capacity);
        let len = (*array).len;
        ptr::copy_nonoverlapping(data(array), data(grown), (len * stride) as usize);
        (*grown).len = len;
        heap::reml_free(cx, array.cast());
        grown
    }
}

/// Fills `count` elements with the low bits of `bits`.
///
/// # Safety
/// `data` must be the place of `count` elements of `stride` bytes: 1, 2, 4 or 8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_fill(_: Cx, data: *mut u8, stride: u64, bits: u64, count: usize) {
    // SAFETY: per the contract; elements of these strides are aligned to them.
    unsafe {
        match stride {
            1 => data.write_bytes(bits as u8, count),
            2 => std::slice::from_raw_parts_mut(data.cast::<u16>(), count).fill(bits as u16),
            4 => std::slice::from_raw_parts_mut(data.cast::<u32>(), count).fill(bits as u32),
            _ => std::slice::from_raw_parts_mut(data.cast::<u64>(), count).fill(bits),
        }
    }
}

/// Copies bytes that may overlap.
///
/// # Safety
/// Both places must have `bytes` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_copy(_: Cx, to: *mut u8, from: *const u8, bytes: usize) {
    // SAFETY: per the contract.
    unsafe { ptr::copy(from, to, bytes) }
}

/// A new `[u8]`.
pub fn new_bytes(cx: Cx, bytes: &[u8]) -> *mut Array {
    let array = reml_array_new(cx, 1, bytes.len() as u64);
    // SAFETY: the array is fresh with room for all bytes.
    unsafe {
        ptr::copy_nonoverlapping(bytes.as_ptr(), data(array), bytes.len());
        (*array).len = bytes.len() as u64;
    }
    array
}

/// A new `[Int]`.
pub fn new_ints(cx: Cx, ints: &[i64]) -> *mut Array {
    let array = reml_array_new(cx, 8, ints.len() as u64);
    // SAFETY: the array is fresh with room for all of them.
    unsafe {
        ptr::copy_nonoverlapping(ints.as_ptr(), data(array).cast(), ints.len());
        (*array).len = ints.len() as u64;
    }
    array
}

/// A `[Str]` in the making.
pub struct StrArray {
    cx: Cx,
    array: *mut Array,
}

impl StrArray {
    pub fn new(cx: Cx) -> StrArray {
        StrArray { cx, array: reml_array_new(cx, 8, MIN_GROWTH) }
    }

    pub fn push(&mut self, text: StrOwned) {
        // SAFETY: the array is ours alone; there is room at `len` after growing.
        unsafe {
            let len = (*self.array).len;
            if len == (*self.array).capacity {
                self.array = reml_array_grow(self.cx, self.array, 8, len + 1);
            }
            data(self.array).cast::<StrOwned>().add(len as usize).write(text);
            (*self.array).len = len + 1;
        }
    }

    pub fn finish(self) -> *mut Array {
        self.array
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    #[test]
    fn growing_moves_the_elements() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let mut array = reml_array_new(cx, 8, 0);
        // SAFETY: the array is ours alone, and written only below its capacity.
        unsafe {
            for index in 0..10_000u64 {
                if (*array).len == (*array).capacity {
                    array = reml_array_grow(cx, array, 8, index + 1);
                }
                data(array).cast::<u64>().add(index as usize).write(index);
                (*array).len += 1;
            }
            assert!((*array).capacity < 20_000);
            let items = elements::<u64>(&*array);
            assert!(items.iter().enumerate().all(|(index, &item)| index as u64 == item));
            heap::reml_free(cx, array.cast());
        }
        assert_eq!(heap::live_objects(cx), 0);
    }

    #[test]
    fn capacity_uses_the_whole_size_class() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let array = reml_array_new(cx, 8, 2);
        // SAFETY: alive and ours.
        unsafe {
            assert_eq!((*array).capacity, 3);
            heap::reml_free(cx, array.cast());
        }
        let units = reml_array_new(cx, 0, 1 << 40);
        // SAFETY: alive and ours.
        unsafe {
            assert_eq!((*units).capacity, 1 << 40);
            heap::reml_free(cx, units.cast());
        }
    }

    #[test]
    fn filling_by_width() {
        let mut words = [0u64; 3];
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        // SAFETY: `words` has 24 bytes.
        unsafe {
            reml_fill(cx, words.as_mut_ptr().cast(), 8, 7, 3);
            assert_eq!(words, [7; 3]);
            reml_fill(cx, words.as_mut_ptr().cast(), 2, 0x1_0001, 4);
            assert_eq!(words, [0x0001_0001_0001_0001, 7, 7]);
        }
    }
}
