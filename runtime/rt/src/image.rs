//! How can a computation go on more than once?
//!
//! Frames hold addresses into their own stack, so a copy can only run where the original did: an image keeps the bytes of the stacks
//! aside, and they are put back before the computation goes on. What the frames own has an owner for each copy. Its fibers are not given
//! to others while an image claims them.

use crate::abi::{Fiber, Handler};
use crate::defer::{DeferStack, Deferred};
use crate::fiber::{self, FiberStack};
use crate::handler;
use crate::roots::Call;

pub struct Image {
    /// Of the fiber that the computation is stopped at.
    stack: *mut u8,
    top: *mut Fiber,
    handlers: *mut Handler,
    call: Call,
    /// From the fiber that was running to the one it is stopped at.
    parts: Vec<Part>,
}

/// The used part of one stack, and what the fiber remembers.
struct Part {
    fiber: *mut Fiber,
    low: usize,
    words: Vec<usize>,
    parent: *mut Fiber,
    resumer: *mut u8,
    /// What was around the fiber's handler.
    around: *mut Handler,
    defers: DeferStack,
}

impl Image {
    /// Copies the stacks of a computation; its deferred closures get an owner more.
    ///
    /// # Safety
    /// It must be in place, stopped at this fiber.
    pub unsafe fn of(last: *mut Fiber) -> Image {
        let mut parts = Vec::new();
        // SAFETY: fibers live until the program ends; the memory from the stack pointer up is the stack's.
        unsafe {
            let mut low = (*last).stack.addr();
            for fiber in fiber::chain(last) {
                let top = (*fiber).record.addr() + size_of::<[usize; 2]>();
                let words = std::slice::from_raw_parts(low as *const usize, (top - low) / size_of::<usize>()).to_vec();
                parts.push(Part {
                    fiber,
                    low,
                    words,
                    parent: (*fiber).parent,
                    resumer: (*fiber).resumer,
                    around: (*(*fiber).handler).parent,
                    defers: (*fiber.cast::<FiberStack>()).defers.borrow().duplicate(),
                });
                low = (*fiber).resumer.addr();
            }
            Image {
                stack: (*last).stack,
                top: (*last).top,
                handlers: (*last).handlers,
                call: Call { frame: (*last).frame, code: (*last).code },
                parts,
            }
        }
    }

    pub fn fibers(&self) -> impl Iterator<Item = *mut Fiber> {
        self.parts.iter().map(|part| part.fiber)
    }

    /// The innermost call.
    pub fn call(&self) -> Call {
        self.call
    }

    /// One claim more to each fiber.
    pub fn claim(&self) {
        for fiber in self.fibers() {
            // SAFETY: fibers live until the program ends.
            unsafe { (*fiber.cast::<FiberStack>()).claims += 1 };
        }
    }

    /// The stacks are about to be overwritten: what was deferred there is the image's alone.
    ///
    /// # Safety
    /// The computation that the image is of must be in place.
    pub unsafe fn move_defers(&mut self) {
        for part in &mut self.parts {
            // SAFETY: fibers live until the program ends.
            let original = unsafe { (*part.fiber.cast::<FiberStack>()).defers.take() };
            part.defers.forget_duplicates();
            part.defers = original;
        }
    }

    /// Puts the bytes back; the deferred closures with an owner more if the image is to be kept.
    ///
    /// # Safety
    /// Nothing may be running or stopped on the fibers.
    pub unsafe fn restore(&mut self, keep: bool) {
        for part in &mut self.parts {
            // SAFETY: the fibers are not in use, and the bytes come from there.
            unsafe {
                std::ptr::copy_nonoverlapping(part.words.as_ptr(), part.low as *mut usize, part.words.len());
                let fiber = part.fiber;
                (*fiber).parent = part.parent;
                (*fiber).resumer = part.resumer;
                (*(*fiber).handler).parent = part.around;
                let whole: *mut FiberStack = fiber.cast();
                let defers = if keep { part.defers.duplicate() } else { std::mem::take(&mut part.defers) };
                (*whole).defers.replace(defers);
                (*whole).occupied = true;
            }
        }
        if let Some(part) = self.parts.last() {
            // SAFETY: as above.
            unsafe {
                let last = part.fiber;
                (*last).stack = self.stack;
                (*last).top = self.top;
                (*last).handlers = self.handlers;
                (*last).frame = self.call.frame;
                (*last).code = self.call.code;
            }
        }
    }

    /// Where the memory of a stack address is in the image.
    pub fn at(&self, address: usize) -> *mut u8 {
        for part in &self.parts {
            let offset = address.wrapping_sub(part.low);
            if offset < part.words.len() * size_of::<usize>() {
                return part.words.as_ptr().cast::<u8>().wrapping_add(offset).cast_mut();
            }
        }
        address as *mut u8
    }

    /// All deferred closures, those of the innermost stack last.
    pub fn take_defers(&mut self) -> Vec<Deferred> {
        self.parts.iter_mut().rev().flat_map(|part| part.defers.detach()).collect()
    }

    /// Runs something with the handlers of the fibers linked as when the computation stopped, and nothing around the last one.
    pub fn under_its_handlers(&mut self, run: impl FnOnce()) {
        if let Some(last) = self.parts.last_mut() {
            last.around = handler::outermost();
        }
        self.swap_around();
        run();
        self.swap_around();
    }

    fn swap_around(&mut self) {
        for part in &mut self.parts {
            // SAFETY: fibers live until the program ends, and own the handlers while images claim them.
            unsafe { std::mem::swap(&mut part.around, &mut (*(*part.fiber).handler).parent) };
        }
    }
}
