//! How many calls has the bridge to C made, and how have they gone?
//!
//! The counters are those of the process. Calls that the runtime makes by signatures that are data count themselves, as do results that the compiler
//! wraps; C code that is linked with a program counts through the functions below, which `include/reml_ffi_bridge.h` declares. Counting is exact with any
//! number of threads. Numbers that are read while others count are each right, and never tell of more successes than calls.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// What has been counted.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BridgeMetrics {
    pub total_calls: u64,
    pub success_calls: u64,
    pub borrowed_results: u64,
    pub transferred_results: u64,
    pub null_results: u64,
}

impl BridgeMetrics {
    /// The part of the calls that have succeeded; 1 when there was none.
    pub fn pass_rate(self) -> f64 {
        if self.total_calls == 0 { 1.0 } else { self.success_calls as f64 / self.total_calls as f64 }
    }
}

#[derive(Default)]
struct Counters {
    total: AtomicU64,
    success: AtomicU64,
    borrowed: AtomicU64,
    transferred: AtomicU64,
    null: AtomicU64,
}

static COUNTERS: Counters = Counters {
    total: AtomicU64::new(0),
    success: AtomicU64::new(0),
    borrowed: AtomicU64::new(0),
    transferred: AtomicU64::new(0),
    null: AtomicU64::new(0),
};

impl Counters {
    fn record(&self, success: bool) {
        // Whoever sees the success sees the call.
        self.total.fetch_add(1, Ordering::Relaxed);
        if success {
            self.success.fetch_add(1, Ordering::Release);
        }
    }

    fn read(&self) -> BridgeMetrics {
        let success_calls = self.success.load(Ordering::Acquire);
        BridgeMetrics {
            success_calls,
            total_calls: self.total.load(Ordering::Relaxed),
            borrowed_results: self.borrowed.load(Ordering::Relaxed),
            transferred_results: self.transferred.load(Ordering::Relaxed),
            null_results: self.null.load(Ordering::Relaxed),
        }
    }

    fn reset(&self) {
        for counter in [&self.success, &self.total, &self.borrowed, &self.transferred, &self.null] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    fn result(&self, address: *mut c_void, counter: &AtomicU64) -> *mut c_void {
        let counter = if address.is_null() { &self.null } else { counter };
        counter.fetch_add(1, Ordering::Relaxed);
        address
    }
}

/// What has been counted so far.
pub fn metrics() -> BridgeMetrics {
    COUNTERS.read()
}

/// Counts a call.
pub fn record_call(success: bool) {
    COUNTERS.record(success);
}

/// What the bridge has counted.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_bridge_get_metrics() -> BridgeMetrics {
    metrics()
}

/// The part of the calls that have succeeded; 1 when there was none.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_bridge_pass_rate() -> f64 {
    metrics().pass_rate()
}

/// Counts from 0 again.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_bridge_reset_metrics() {
    COUNTERS.reset();
}

/// Counts a call: 0 for one that has succeeded, anything else for one that has not.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_bridge_record_status(status: c_int) {
    record_call(status == 0);
}

/// Marks where a pointer is borrowed for a call. Memory of C has no counts, so it is the pointer itself.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_acquire_borrowed(address: *mut c_void) -> *mut c_void {
    address
}

/// Marks where a pointer becomes the caller's, who gives it back by [`reml_ffi_release_transferred`].
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_acquire_transferred(address: *mut c_void) -> *mut c_void {
    address
}

/// Frees memory that came from `malloc`; null is none.
///
/// # Safety
/// The memory must be the caller's, and have come from C's allocator.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_ffi_release_transferred(address: *mut c_void) {
    // SAFETY: per the contract.
    unsafe { libc::free(address) }
}

/// Counts a result that stays C's.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_acquire_borrowed_result(address: *mut c_void) -> *mut c_void {
    COUNTERS.result(address, &COUNTERS.borrowed)
}

/// Counts a result that is the program's from now on.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_acquire_transferred_result(address: *mut c_void) -> *mut c_void {
    COUNTERS.result(address, &COUNTERS.transferred)
}

/// Bytes of memory, `reml_span_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub data: *mut c_void,
    pub length: usize,
}

/// A text in UTF-8, without a zero byte at its end, `reml_string_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    pub data: *const u8,
    pub length: i64,
}

/// The bytes of a text, where they are. Without data, or with a length that none can have, there are no bytes.
///
/// # Safety
/// `text` must be null or point to a text.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_ffi_box_string(text: *const Text) -> Span {
    // SAFETY: per the contract.
    match unsafe { text.as_ref() } {
        Some(text) if !text.data.is_null() => {
            Span { data: text.data.cast_mut().cast(), length: usize::try_from(text.length).unwrap_or(0) }
        }
        _ => Span { data: ptr::null_mut(), length: 0 },
    }
}

/// The text of bytes, where they are. Without data, its length is 0.
///
/// # Safety
/// `span` must be null or point to a span.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_ffi_unbox_span(span: *const Span) -> Text {
    // SAFETY: per the contract.
    match unsafe { span.as_ref() } {
        Some(span) if !span.data.is_null() => {
            Text { data: span.data.cast_const().cast(), length: i64::try_from(span.length).unwrap_or(i64::MAX) }
        }
        _ => Text { data: ptr::null(), length: 0 },
    }
}

/// What C code can call, by name: for programs that are compiled into memory, whose libraries look for them in this process.
pub fn exported() -> [(&'static str, *const u8); 11] {
    [
        ("reml_ffi_bridge_get_metrics", reml_ffi_bridge_get_metrics as *const u8),
        ("reml_ffi_bridge_pass_rate", reml_ffi_bridge_pass_rate as *const u8),
        ("reml_ffi_bridge_reset_metrics", reml_ffi_bridge_reset_metrics as *const u8),
        ("reml_ffi_bridge_record_status", reml_ffi_bridge_record_status as *const u8),
        ("reml_ffi_acquire_borrowed", reml_ffi_acquire_borrowed as *const u8),
        ("reml_ffi_acquire_transferred", reml_ffi_acquire_transferred as *const u8),
        ("reml_ffi_release_transferred", reml_ffi_release_transferred as *const u8),
        ("reml_ffi_acquire_borrowed_result", reml_ffi_acquire_borrowed_result as *const u8),
        ("reml_ffi_acquire_transferred_result", reml_ffi_acquire_transferred_result as *const u8),
        ("reml_ffi_box_string", reml_ffi_box_string as *const u8),
        ("reml_ffi_unbox_span", reml_ffi_unbox_span as *const u8),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pointer that nobody follows.
    fn somewhere() -> *mut c_void {
        ptr::without_provenance_mut(8)
    }

    #[test]
    fn counting_is_exact_with_many_threads() {
        const THREADS: u64 = 16;
        const CALLS: u64 = 20_000;
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for call in 0..CALLS {
                        counters.record(call % 4 != 0);
                        counters.result(if call % 2 == 0 { somewhere() } else { ptr::null_mut() }, &counters.borrowed);
                        let seen = counters.read();
                        assert!(seen.success_calls <= seen.total_calls);
                    }
                });
            }
        });
        let seen = counters.read();
        assert_eq!((seen.total_calls, seen.success_calls), (THREADS * CALLS, THREADS * CALLS * 3 / 4));
        assert_eq!((seen.borrowed_results, seen.null_results), (THREADS * CALLS / 2, THREADS * CALLS / 2));
        assert_eq!(seen.transferred_results, 0);
        assert_eq!(seen.pass_rate(), 0.75);
        counters.reset();
        assert_eq!(counters.read(), BridgeMetrics::default());
    }

    #[test]
    fn without_calls_all_have_passed() {
        assert_eq!(BridgeMetrics::default().pass_rate(), 1.0);
    }

    #[test]
    fn texts_and_spans_are_views_of_each_other() {
        let text = Text { data: "four".as_ptr(), length: 4 };
        // SAFETY: both are there.
        let (span, back) = unsafe {
            let span = reml_ffi_box_string(&text);
            (span, reml_ffi_unbox_span(&span))
        };
        assert_eq!((span.data.cast_const().cast(), span.length), (text.data, 4));
        assert_eq!((back.data, back.length), (text.data, 4));
        // SAFETY: null is allowed.
        let (none, empty) = unsafe {
            (reml_ffi_box_string(ptr::null()), reml_ffi_unbox_span(&Span { data: ptr::null_mut(), length: 7 }))
        };
        assert!(none.data.is_null() && none.length == 0 && empty.data.is_null() && empty.length == 0);
        let negative = Text { data: "x".as_ptr(), length: -1 };
        // SAFETY: it is there.
        assert_eq!(unsafe { reml_ffi_box_string(&negative) }.length, 0);
    }
}
