//! What does a program need of the runtime to live with C: whose things it gives back, and the last error of the C library.

use std::ffi::c_void;

use crate::abi::Resource;
use crate::callback::Callback;
use crate::context::Cx;
use crate::resource::{Content, closed, new_resource};

/// Something of C's, and the callback that gives it back.
pub struct Foreign {
    cx: Cx,
    address: *mut c_void,
    release: Callback,
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // Code of the program does not run any more once globals are dropped.
        // SAFETY: the context is alive.
        if unsafe { (*self.cx.as_ptr()).ending } == 0 {
            // SAFETY: the callback is alive, and of this signature; whoever wrapped the pointer vouched for what it does, in an `unsafe` block.
            unsafe {
                let release: unsafe extern "C" fn(*mut c_void) = std::mem::transmute(self.release.code());
                release(self.address);
            }
        }
    }
}

/// A resource that stands for something of C's. `release`, a callback that takes an address, is its own from now on.
#[unsafe(no_mangle)]
pub extern "C" fn reml_foreign_new(cx: Cx, address: *mut c_void, release: &Resource) -> *mut Resource {
    match cx.runtime().resources.take(release.id) {
        Some(Content::Callback(release)) => {
            new_resource(cx, Content::Foreign(Foreign { cx, address, release }), Vec::new())
        }
        _ => closed(cx),
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
