//! Where does the memory of objects come from?
//!
//! Small objects: one free list per size class, in the context, popped and pushed by compiled code without a
//! call. An empty list is refilled from a chunk of a large mapped region, threaded in address order. Chunks of a class
//! grow from 4 to 64 KiB, so that small programs touch few pages and large ones call rarely. Large objects: malloc.
//!
//! Nothing counts allocations: what is alive is what was carved minus what lies in the free lists.

use std::cell::{Cell, RefCell};
use std::ptr;

use crate::abi::{CLASS_UNIT, CLASSES, FREE_LINK, HEADER_SIZE, Header, LARGE, MAX_SMALL};
use crate::context::Cx;
use crate::panic;

const FIRST_CHUNK: usize = 4 << 10;
const LAST_CHUNK: usize = 64 << 10;
const FIRST_REGION: usize = 1 << 20;
const LAST_REGION: usize = 64 << 20;
/// Regions from this size on ask for huge pages.
const HUGE_REGION: usize = 16 << 20;

pub struct Heap {
    /// Mapped regions, start and length.
    regions: RefCell<Vec<(*mut u8, usize)>>,
    /// The part of the newest region that has not been carved.
    next: Cell<*mut u8>,
    room: Cell<usize>,
    /// Per class: objects ever made, and bytes of the next chunk.
    carved: [Cell<u64>; CLASSES],
    chunk: [Cell<usize>; CLASSES],
    /// Large objects alive.
    large: Cell<u64>,
}

impl Default for Heap {
    fn default() -> Heap {
        Heap {
            regions: RefCell::default(),
            next: Cell::new(ptr::null_mut()),
            room: Cell::new(0),
            carved: [const { Cell::new(0) }; CLASSES],
            chunk: [const { Cell::new(FIRST_CHUNK) }; CLASSES],
            large: Cell::new(0),
        }
    }
}

impl Heap {
    /// Fresh memory for objects of `size` bytes: its start and how many fit.
    fn carve(&self, cx: Cx, class: usize) -> (*mut u8, usize) {
        let size = class * CLASS_UNIT;
        if self.room.get() < size {
            self.map_region(cx);
        }
        let chunk = self.chunk[class].get();
        self.chunk[class].set((chunk * 2).min(LAST_CHUNK));
        let count = chunk.min(self.room.get()) / size;
        let start = self.next.get();
        let bytes = count * size;
        // SAFETY: `bytes <= room`, the uncarved rest of the region that `next` points into.
        self.next.set(unsafe { start.add(bytes) });
        self.room.set(self.room.get() - bytes);
        self.carved[class].set(self.carved[class].get() + count as u64);
        (start, count)
    }

    fn map_region(&self, cx: Cx) {
        let mut regions = self.regions.borrow_mut();
        let mut bytes = regions.last().map_or(FIRST_REGION, |&(_, len)| (len * 4).min(LAST_REGION));
        let start = loop {
            match map(bytes, 0) {
                Some(start) => break start,
                // The address space may be limited, or in pieces.
                None if bytes > FIRST_REGION => bytes = (bytes / 4).max(FIRST_REGION),
                None => {
                    drop(regions);
                    out_of_memory(cx, bytes);
                }
            }
        };
        #[cfg(target_os = "linux")]
        if bytes >= HUGE_REGION {
            // SAFETY: advice on the mapping just made; failing is harmless.
            unsafe { libc::madvise(start.cast(), bytes, libc::MADV_HUGEPAGE) };
        }
        regions.push((start, bytes));
        self.next.set(start);
        self.room.set(bytes);
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        for (start, bytes) in self.regions.take() {
            // SAFETY: the region was mapped by `map_region`; the program that used it has ended.
            unsafe { libc::munmap(start.cast(), bytes) };
        }
    }
}

/// Fresh memory that costs nothing until it is touched.
pub fn map(bytes: usize, flags: libc::c_int) -> Option<*mut u8> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: an anonymous private mapping at an address of the kernel's choice touches no existing memory.
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if start == libc::MAP_FAILED { None } else { Some(start.cast()) }
}

#[cold]
fn out_of_memory(cx: Cx, bytes: usize) -> ! {
    panic::out_of_memory(cx, format_args!("cannot allocate {bytes} bytes"))
}

/// Address of the free-list link of a free object.
///
/// # Safety
/// `object` must point to at least 16 bytes of object memory.
unsafe fn link(object: *mut Header) -> *mut *mut Header {
    // SAFETY: in bounds per the contract; objects are aligned to 16.
    unsafe { object.byte_add(FREE_LINK).cast() }
}

/// Refills the free list of `class` and takes an object from it. Its header is not initialised.
#[unsafe(no_mangle)]
pub extern "C" fn reml_alloc_slow(cx: Cx, class: usize) -> *mut Header {
    let (start, count) = cx.runtime().heap.carve(cx, class);
    let size = class * CLASS_UNIT;
    let first = start.cast::<Header>();
    // SAFETY: `start` begins `count >= 1` fresh objects of `size` bytes; each link is written inside its object.
    unsafe {
        let mut rest = (*cx.as_ptr()).free[class];
        for index in (1..count).rev() {
            let object = start.add(index * size).cast::<Header>();
            *link(object) = rest;
            rest = object;
        }
        (*cx.as_ptr()).free[class] = rest;
    }
    first
}

/// Memory for an object of `bytes` bytes, more than `MAX_SMALL`. Its header is not initialised.
#[unsafe(no_mangle)]
pub extern "C" fn reml_alloc_large(cx: Cx, bytes: usize) -> *mut Header {
    take_large(cx, bytes).unwrap_or_else(|| out_of_memory(cx, bytes))
}

/// The same, if there is that much memory.
fn take_large(cx: Cx, bytes: usize) -> Option<*mut Header> {
    // SAFETY: malloc has no preconditions.
    let object = unsafe { libc::malloc(bytes.max(HEADER_SIZE)) };
    if object.is_null() {
        return None;
    }
    let large = &cx.runtime().heap.large;
    large.set(large.get() + 1);
    Some(object.cast())
}

/// A new large object with a count of one, tag 0, whatever its size, if there is that much memory.
pub fn try_alloc_large(cx: Cx, bytes: usize) -> Option<*mut Header> {
    let object = take_large(cx, bytes)?;
    // SAFETY: the object is fresh, aligned and large enough for its header.
    unsafe { object.write(Header { count: 1, tag: 0, class: LARGE, aux: 0 }) };
    Some(object)
}

/// Frees a large object.
///
/// # Safety
/// `object` must be a large object without owners.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_free_large(cx: Cx, object: *mut Header) {
    let large = &cx.runtime().heap.large;
    large.set(large.get() - 1);
    // SAFETY: large objects come from malloc, and nobody uses this one any more.
    unsafe { libc::free(object.cast()) };
}

/// Resizes a large object; its bytes move with it.
///
/// # Safety
/// `object` must be a large object with one owner, who uses the result instead.
pub unsafe fn resize_large(cx: Cx, object: *mut Header, bytes: usize) -> *mut Header {
    // SAFETY: as promised to us.
    unsafe { try_resize_large(object, bytes) }.unwrap_or_else(|| out_of_memory(cx, bytes))
}

/// The same, if there is that much memory; otherwise the object stays as it is.
///
/// # Safety
/// As for [`resize_large`].
pub unsafe fn try_resize_large(object: *mut Header, bytes: usize) -> Option<*mut Header> {
    // SAFETY: large objects come from malloc.
    let moved = unsafe { libc::realloc(object.cast(), bytes) };
    if moved.is_null() { None } else { Some(moved.cast()) }
}

/// Frees the memory of an object; what it refers to is not dropped.
///
/// # Safety
/// `object` must be an object of this context's heap without owners.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_free(cx: Cx, object: *mut Header) {
    // SAFETY: the object is ours alone; its class says which list it belongs to.
    unsafe {
        let class = (*object).class;
        if class == LARGE {
            reml_free_large(cx, object);
        } else {
            let head = &raw mut (*cx.as_ptr()).free[usize::from(class)];
            *link(object) = *head;
            *head = object;
        }
    }
}

/// The class of small objects of so many bytes.
pub const fn class_of(bytes: usize) -> usize {
    let classes = bytes.div_ceil(CLASS_UNIT);
    if classes == 0 { 1 } else { classes }
}

/// A new object of `bytes` bytes with a count of one, tag 0.
pub fn alloc(cx: Cx, bytes: usize) -> *mut Header {
    let (object, class) = if bytes <= MAX_SMALL {
        let class = class_of(bytes);
        // SAFETY: the head of a free list is a free object of its class, whose link is the rest of the list.
        let object = unsafe {
            let head = &raw mut (*cx.as_ptr()).free[class];
            if (*head).is_null() {
                reml_alloc_slow(cx, class)
            } else {
                let object = *head;
                *head = *link(object);
                object
            }
        };
        (object, class as u8)
    } else {
        (reml_alloc_large(cx, bytes), LARGE)
    };
    // SAFETY: the object is fresh, aligned and large enough for its header.
    unsafe { object.write(Header { count: 1, tag: 0, class, aux: 0 }) };
    object
}

/// One more owner.
///
/// # Safety
/// `object` must be alive.
pub unsafe fn dup(object: *mut Header) {
    // SAFETY: alive per the contract.
    unsafe {
        if (*object).count > 0 {
            (*object).count = (*object).count.wrapping_add(1);
        }
    }
}

/// One owner less; true when that was the last one and the caller has to free the object.
///
/// # Safety
/// `object` must be alive, and the caller one of its owners.
pub unsafe fn release(object: *mut Header) -> bool {
    // SAFETY: alive per the contract.
    unsafe {
        match (*object).count {
            1 => true,
            count if count > 1 => {
                (*object).count = count - 1;
                false
            }
            _ => false,
        }
    }
}

/// How many objects are alive.
pub fn live_objects(cx: Cx) -> u64 {
    let heap = &cx.runtime().heap;
    let mut live = heap.large.get();
    for class in 1..CLASSES {
        live += heap.carved[class].get();
        // SAFETY: free lists link free objects and end in null.
        unsafe {
            let mut free = (*cx.as_ptr()).free[class];
            while !free.is_null() {
                live -= 1;
                free = *link(free);
            }
        }
    }
    live
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    #[test]
    fn freed_memory_is_taken_again_and_counted() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(live_objects(cx), 0);
        let first = alloc(cx, 40);
        let second = alloc(cx, 48);
        assert_eq!(second.addr() - first.addr(), 48);
        assert_eq!(live_objects(cx), 2);
        // SAFETY: `first` has no owner but us.
        unsafe { reml_free(cx, first) };
        assert_eq!(live_objects(cx), 1);
        assert_eq!(alloc(cx, 33), first);
        let large = alloc(cx, 10_000);
        assert_eq!(live_objects(cx), 3);
        // SAFETY: all three are ours alone.
        unsafe {
            assert_eq!((*large).class, LARGE);
            reml_free(cx, large);
            reml_free(cx, second);
            reml_free(cx, first);
        }
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn many_objects_of_every_class() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let mut objects = Vec::new();
        for round in 0..2_000 {
            for class in 1..CLASSES {
                let object = alloc(cx, class * CLASS_UNIT);
                // SAFETY: the object is fresh and has `class * 16` bytes.
                unsafe {
                    let body = object.cast::<u8>().add(HEADER_SIZE);
                    body.write_bytes(round as u8, class * CLASS_UNIT - HEADER_SIZE);
                }
                objects.push(object);
            }
        }
        assert_eq!(live_objects(cx), objects.len() as u64);
        for object in objects {
            // SAFETY: ours alone.
            unsafe { reml_free(cx, object) };
        }
        assert_eq!(live_objects(cx), 0);
    }

    #[test]
    fn owners_are_counted_and_immortals_left_alone() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let object = alloc(cx, 16);
        // SAFETY: the object is alive until the last release says so.
        unsafe {
            dup(object);
            assert!(!release(object));
            assert!(release(object));
            (*object).count = crate::abi::IMMORTAL;
            dup(object);
            assert!(!release(object));
            assert_eq!((*object).count, crate::abi::IMMORTAL);
        }
    }
}
