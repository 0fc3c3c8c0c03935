//! The allocator of the compiler: mimalloc, reached without its aligned entry points.
//!
//! `mi_malloc_aligned` refills a page only for sizes that are powers of two; every other size falls back to a larger
//! block once its page is full. Ordinary alignments need none of that: `mi_malloc` aligns to 16 already.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

pub struct Allocator;

/// What `mi_malloc` guarantees (`MI_MAX_ALIGN_SIZE`) for blocks of at least this size.
const NATURAL_ALIGNMENT: usize = 16;

/// Smaller blocks are aligned to their word.
fn is_natural(alignment: usize, size: usize) -> bool {
    alignment <= size_of::<usize>() || (alignment <= NATURAL_ALIGNMENT && size >= NATURAL_ALIGNMENT)
}

// SAFETY: mimalloc is a correct allocator for any number of threads; blocks of either family of entry points are freed
// and resized by the same functions; `is_natural` chooses the plain family only where it aligns well enough.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the C functions accept every size, and every power of two as alignment.
        unsafe {
            match is_natural(layout.align(), layout.size()) {
                true => mi_malloc(layout.size()).cast(),
                false => mi_malloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        unsafe {
            match is_natural(layout.align(), layout.size()) {
                true => mi_zalloc(layout.size()).cast(),
                false => mi_zalloc_aligned(layout.size(), layout.align()).cast(),
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller passes a block of this allocator.
        unsafe { mi_free(block.cast()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller passes a block of this allocator. A block that stays where it is keeps its alignment.
        unsafe {
            match is_natural(layout.align(), size) {
                true => mi_realloc(block.cast(), size).cast(),
                false => mi_realloc_aligned(block.cast(), size, layout.align()).cast(),
            }
        }
    }
}
