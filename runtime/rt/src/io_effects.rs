//! What has a program read and written lately? Counted where it happens, for whoever logs it.

use std::cell::Cell;

use crate::abi::Array;
use crate::array;
use crate::context::Cx;

/// Since somebody has asked last.
#[derive(Default)]
pub struct IoEffects {
    reads: Cell<i64>,
    bytes_read: Cell<i64>,
    writes: Cell<i64>,
    bytes_written: Cell<i64>,
}

impl IoEffects {
    pub fn has_read(&self, bytes: usize) {
        self.reads.set(self.reads.get() + 1);
        self.bytes_read.set(self.bytes_read.get() + bytes as i64);
    }

    pub fn has_written(&self, bytes: usize) {
        self.writes.set(self.writes.get() + 1);
        self.bytes_written.set(self.bytes_written.get() + bytes as i64);
    }
}

/// How often something was read from files and standard input, how many bytes that were, and the same of what was written to files. Counting begins anew.
#[unsafe(no_mangle)]
pub extern "C" fn reml_io_effects_take(cx: Cx) -> *mut Array {
    let effects = &cx.runtime().io_effects;
    let counts = [&effects.reads, &effects.bytes_read, &effects.writes, &effects.bytes_written];
    array::new_ints(cx, &counts.map(Cell::take))
}
