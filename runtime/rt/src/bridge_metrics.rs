//! How does a program read and feed the counters of the bridge to C? They are those of the process, in `reml_ffi`.

use reml_ffi::metrics;

use crate::abi::Array;
use crate::array;
use crate::context::Cx;

/// Calls, those that have succeeded, and results that were borrowed, transferred and null.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_metrics(cx: Cx) -> *mut Array {
    let seen = metrics::metrics();
    let counted =
        [seen.total_calls, seen.success_calls, seen.borrowed_results, seen.transferred_results, seen.null_results];
    array::new_ints(cx, &counted.map(|count| count as i64))
}

/// Counts from 0 again.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_metrics_reset(_cx: Cx) {
    metrics::reml_ffi_bridge_reset_metrics();
}

/// Counts a call.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_metrics_record(_cx: Cx, success: bool) {
    metrics::record_call(success);
}

/// Counts a result that was null where it should have been something.
#[unsafe(no_mangle)]
pub extern "C" fn reml_ffi_metrics_null(_cx: Cx) {
    metrics::reml_ffi_acquire_borrowed_result(std::ptr::null_mut());
}
