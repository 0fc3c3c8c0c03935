//! What does a program need of the runtime to live with C: whose things it gives back, and the last error of the C library.

use std::ffi::c_void;

use reml_audit::{EventKind, Field, Record};
use reml_capability::policy::Power;
use reml_ffi::metrics;

use crate::abi::Resource;
use crate::callback::Callback;
use crate::context::Cx;
use crate::gate;
use crate::resource::{Content, closed, new_resource};

/// Something of C's, and the callback that gives it back.
pub struct Foreign {
    cx: Cx,
    address: *mut c_void,
    /// `None` for what C keeps, or has got back.
    release: Option<Callback>,
    /// Nobody has said how, but it has to be given back.
    owed: bool,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let Some(release) = self.release.take() else {
            if self.owed {
                record_release(self.cx, "leak");
            }
            return;
        };
        // Code of the program does not run any more once globals are dropped.
        // SAFETY: the context is alive.
        let ending = unsafe { (*self.cx.as_ptr()).ending } != 0;
        record_release(self.cx, if ending { "leak" } else { "success" });
        if !ending {
            // SAFETY: the callback is alive, and of this signature; whoever wrapped the pointer vouched for what it does, in an `unsafe` block.
            unsafe {
                let release: unsafe extern "C" fn(*mut c_void) = std::mem::transmute(release.code());
                release(self.address);
            }
        }
    }
}

/// Tells the log what becomes of something that C has given.
fn record_release(cx: Cx, status: &str) {
    if let Some(sink) = gate::sink(cx) {
        let told = format!(r#"{{"event":"ffi.ptr.release","ownership":"transferred","status":"{status}"}}"#);
        let fields = &[("ffi", Field::Json(&told))];
        let record = Record { kind: &EventKind::FfiPtrRelease, capability: Some(Power::Ffi.capability()), fields };
        // A log that cannot be written says so at the end of the run.
        let _ = sink.record(&record);
    }
}

/// A resource that stands for something of C's. `release`, a callback that takes an address, is its own from now on.
#[unsafe(no_mangle)]
pub extern "C" fn reml_foreign_new(cx: Cx, address: *mut c_void, release: &Resource) -> *mut Resource {
    match cx.runtime().resources.take(release.id) {
        Some(Content::Callback(release)) => {
            metrics::reml_ffi_acquire_transferred_result(address);
            new_resource(cx, Content::Foreign(Foreign { cx, address, release: Some(release), owed: false }), Vec::new())
        }
        _ => closed(cx),
    }
}

/// The same for something that nobody has said how to give back: C keeps it, or it is `owed`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_foreign_held(cx: Cx, address: *mut c_void, owed: bool) -> *mut Resource {
    if owed {
        metrics::reml_ffi_acquire_transferred_result(address);
    } else {
        metrics::reml_ffi_acquire_borrowed_result(address);
    }
    new_resource(cx, Content::Foreign(Foreign { cx, address, release: None, owed }), Vec::new())
}

/// C has got it back, or gets it now: the resource is closed, and nothing is released. Was it open?
#[unsafe(no_mangle)]
pub extern "C" fn reml_foreign_take(cx: Cx, object: &Resource) -> bool {
    match cx.runtime().resources.take(object.id) {
        Some(Content::Foreign(mut foreign)) => {
            if foreign.owed {
                record_release(cx, "success");
            }
            (foreign.release, foreign.owed) = (None, false);
            true
        }
        _ => false,
    }
}

/// The C library's `errno`, as the last C function has left it.
#[unsafe(no_mangle)]
pub extern "C" fn reml_errno(_cx: Cx) -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Sets `errno`, for functions that only tell failure from success by it.
#[unsafe(no_mangle)]
pub extern "C" fn reml_set_errno(_cx: Cx, value: i32) {
    // SAFETY: the address of this thread's `errno`.
    unsafe {
        #[cfg(target_os = "linux")]
        libc::__errno_location().write(value);
        #[cfg(target_os = "macos")]
        libc::__error().write(value);
    }
}
