//! What do the frames of a computation own?
//!
//! Where effects may unwind a call, or copy the stack it is on, compiled code keeps what it owns in its frame, and the frame
//! table says where ([`RootSite`]). The sites are indexed by return address when they are first needed; frames are found along
//! the chain of frame pointers.

use std::cell::RefCell;

use crate::abi::{FrameTable, Root, RootKind, RootSite};
use crate::context::Cx;
use crate::switch;

/// The sites of all tables, by return address.
#[derive(Default)]
pub struct RootIndex(RefCell<Sites>);

#[derive(Default)]
struct Sites {
    /// How many tables there were: a program may get further code while it runs.
    tables: usize,
    /// Open addressing, a power of two of entries.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Return address; 0 when the entry is free.
    code: usize,
    roots: &'static [Root],
    kinds: &'static [RootKind],
}

const FREE: Entry = Entry { code: 0, roots: &[], kinds: &[] };

impl RootIndex {
    fn find(&self, cx: Cx, code: usize) -> Option<Entry> {
        let frames = cx.runtime().frames.borrow();
        let tables = frames.tables();
        if self.0.borrow().tables != tables.len() || tables.is_empty() {
            *self.0.borrow_mut() = Sites { tables: tables.len(), entries: build(tables) };
        }
        let entries = &self.0.borrow().entries;
        let mask = entries.len() - 1;
        let mut at = slot(code, mask);
        loop {
            let entry = entries[at];
            if entry.code == code {
                return Some(entry);
            }
            if entry.code == 0 {
                return None;
            }
            at = (at + 1) & mask;
        }
    }
}

fn slot(code: usize, mask: usize) -> usize {
    (code.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) & mask
}

fn build(tables: &[&'static FrameTable]) -> Vec<Entry> {
    let count: u64 = tables.iter().map(|table| table.root_site_count).sum();
    let size = (2 * count as usize + 1).next_power_of_two();
    let mut entries = vec![FREE; size];
    for table in tables {
        // SAFETY: registered tables are as `abi` says and live as long as the program.
        let (sites, roots, kinds, functions) = unsafe {
            (
                array::<RootSite>(table.root_sites, table.root_site_count),
                array::<Root>(table.roots, table.root_count),
                array::<RootKind>(table.root_kinds, table.root_kind_count),
                array(table.functions, table.function_count),
            )
        };
        for site in sites {
            let code = functions[site.function as usize].start.addr() + site.offset as usize;
            let first = site.first as usize;
            let mut at = slot(code, size - 1);
            while entries[at].code != 0 {
                at = (at + 1) & (size - 1);
            }
            entries[at] = Entry { code, roots: &roots[first..first + site.count as usize], kinds };
        }
    }
    entries
}

/// # Safety
/// `start` must point to `count` elements that live as long as the program, or `count` be 0.
unsafe fn array<T>(start: *const T, count: u64) -> &'static [T] {
    // SAFETY: per the contract.
    if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(start, count as usize) } }
}

/// A call in progress: the frame pointer of the caller and the address it returns to.
#[derive(Clone, Copy)]
pub struct Call {
    pub frame: usize,
    pub code: usize,
}

impl Call {
    /// The compiled code that last called a traced runtime function.
    pub fn caller(cx: Cx) -> Call {
        // SAFETY: a context is alive while its program runs.
        unsafe { Call { frame: (*cx.as_ptr()).caller_frame.addr(), code: (*cx.as_ptr()).caller_code.addr() } }
    }
}

/// What is done with an owned value.
#[derive(Clone, Copy)]
pub enum Act {
    Drop,
    Dup,
}

/// Drops or dups what the frames own from `call` out to the frame at `end`, which is left out. `at` says where the memory of a stack
/// address is: itself, or a place in a copy.
///
/// # Safety
/// The frames must be those of compiled code that is stopped, whole and reachable through `at`; when they are dropped, they must not run again.
pub unsafe fn visit(cx: Cx, call: Call, end: usize, act: Act, at: impl Fn(usize) -> *mut u8) {
    let index = &cx.runtime().roots;
    let mut call = call;
    while call.frame != end {
        if let Some(entry) = index.find(cx, call.code) {
            for root in entry.roots {
                let kind = &entry.kinds[root.kind as usize];
                let slots = at(call.frame.wrapping_add_signed(root.offset as isize));
                let function = match act {
                    Act::Drop => kind.drop,
                    Act::Dup => kind.dup,
                };
                // SAFETY: the table says that a value of this kind lies there.
                unsafe { switch::call(cx, function, slots) };
            }
        }
        // SAFETY: a frame pointer points to the caller's frame pointer and the return address.
        let [frame, code] = unsafe { *at(call.frame).cast::<[usize; 2]>() };
        call = Call { frame, code };
    }
}
