//! How is a library loaded, and where is a function of it?
//!
//! A library stays loaded until the process ends: addresses of its functions are plain numbers, which nobody counts.

use std::ffi::{CStr, CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;

/// A library in this process, for good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Library(*mut c_void);

/// A function or a variable of a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symbol {
    pub address: NonNull<c_void>,
    /// The file that has it: of the library, or of one that the library is linked with.
    pub file: Option<PathBuf>,
}

impl Library {
    /// Loads a library, and with it those that it is linked with. A path without a slash is looked for by the loader of the system.
    ///
    /// # Errors
    ///
    /// Why it cannot be loaded, in the loader's words.
    pub fn open(path: &Path) -> Result<Library, String> {
        let name = CString::new(path.as_os_str().as_bytes()).map_err(|_| "a name with a zero byte".to_owned())?;
        // SAFETY: loading a library runs its initialisers, which is what is asked for.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        if handle.is_null() {
            // SAFETY: `dlerror` gives a C string after a failure, or null.
            let said = unsafe { libc::dlerror() };
            return Err(match said.is_null() {
                true => "it cannot be loaded".to_owned(),
                // SAFETY: not null, so a C string.
                false => unsafe { CStr::from_ptr(said) }.to_string_lossy().into_owned(),
            });
        }
        Ok(Library(handle))
    }

    /// All libraries that the process was linked with.
    pub fn everywhere() -> Library {
        Library(libc::RTLD_DEFAULT)
    }

    /// The address of a function, in this library or one that it is linked with.
    pub fn address(self, name: &str) -> Option<NonNull<c_void>> {
        let name = CString::new(name).ok()?;
        // SAFETY: the handle is open, or stands for the process; the name is a C string.
        NonNull::new(unsafe { libc::dlsym(self.0, name.as_ptr()) })
    }

    /// The same, and where it was found.
    pub fn symbol(self, name: &str) -> Option<Symbol> {
        let address = self.address(name)?;
        // SAFETY: a struct of numbers and pointers, which may be zero; it is filled by `dladdr`, which accepts any address.
        let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let known = unsafe { libc::dladdr(address.as_ptr(), &mut info) } != 0 && !info.dli_fname.is_null();
        let file = known.then(|| {
            // SAFETY: a C string that lives as long as the library.
            let name = unsafe { CStr::from_ptr(info.dli_fname) };
            PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()))
        });
        Some(Symbol { address, file })
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_with_the_file_that_has_them() {
        let libm = Library::open(Path::new("libm.so.6")).unwrap();
        let file = |name| libm.symbol(name).and_then(|symbol| symbol.file?.file_name()?.to_str().map(str::to_owned));
        assert_eq!(file("cos").as_deref(), Some("libm.so.6"));
        assert_eq!(file("malloc").as_deref(), Some("libc.so.6"));
        assert_eq!(libm.symbol("no_such_function"), None);
        assert_eq!(libm.symbol("a\0b"), None);
        assert!(Library::everywhere().address("malloc").is_some());
    }

    #[test]
    fn what_cannot_be_loaded_says_why() {
        let said = Library::open(Path::new("/no/such/library.so")).unwrap_err();
        assert!(said.contains("/no/such/library.so"), "{said}");
        assert!(Library::open(Path::new("a\0b")).is_err());
    }
}
