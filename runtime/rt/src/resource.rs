//! What does a program hold of the world outside, and when is it given back?
//!
//! A [`Resource`] is a counted object with a number; the thing it stands for is in a table under this number. It is closed when the last
//! owner drops the object, when the program asks, or at the end. Writers send on what they hold first; an error that nobody can be given
//! any more is reported on standard error, like one of standard output.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::File;
use std::ptr;

use reml_ffi::CallPlan;
use tempfile::{TempDir, TempPath};

use crate::abi::{ClosureInfo, Resource};
use crate::array::StrArray;
use crate::callback::Callback;
use crate::context::Cx;
use crate::entry;
use crate::foreign::Foreign;
use crate::heap;
use crate::io::errno_of;
use crate::stream::Writer;
use crate::string::{StrOwned, new_lossy, new_str};
use crate::taken::{Taken, give};

/// What a resource can be.
pub enum Content {
    Reader(File),
    Writer(Writer),
    /// A file that is removed.
    TempFile(TempPath),
    /// A folder that is removed with everything in it.
    TempFolder(TempDir),
    /// A function that C can call.
    Callback(Callback),
    /// What only C knows, and how it wants it back.
    Foreign(Foreign),
    /// How functions of a signature are called.
    CallPlan(Box<CallPlan>),
}

impl Content {
    fn kind(&self) -> &'static str {
        match self {
            Content::Reader(_) => "reader",
            Content::Writer(_) => "writer",
            Content::TempFile(_) => "temporary file",
            Content::TempFolder(_) => "temporary folder",
            Content::Callback(_) => "callback",
            Content::Foreign(_) => "foreign object",
            Content::CallPlan(_) => "signature",
        }
    }

    /// 0 or errno.
    fn close(self) -> i64 {
        match self {
            Content::Reader(_) | Content::Callback(_) | Content::Foreign(_) | Content::CallPlan(_) => 0,
            Content::Writer(mut writer) => writer.flush().map_or_else(i64::from, |()| 0),
            Content::TempFile(path) => path.close().map_or_else(|error| errno_of(&error), |()| 0),
            Content::TempFolder(folder) => folder.close().map_or_else(|error| errno_of(&error), |()| 0),
        }
    }
}

/// An open resource and where it is.
pub struct Entry {
    pub content: Content,
    path: Vec<u8>,
}

/// The open resources of a program, by number.
pub struct Resources {
    open: RefCell<BTreeMap<u64, Entry>>,
    next: Cell<u64>,
    /// How all resource objects are dropped; boxed, because they point to it.
    info: Box<Cell<ClosureInfo>>,
    /// A resource could not be closed, and only standard error was told.
    failed: Cell<bool>,
}

impl Default for Resources {
    fn default() -> Resources {
        let info = ClosureInfo { drop: ptr::null(), consume: ptr::null() };
        Resources {
            open: RefCell::default(),
            // 0 is the number of what was never open.
            next: Cell::new(1),
            info: Box::new(Cell::new(info)),
            failed: Cell::new(false),
        }
    }
}

impl Resources {
    /// `drop` is `ProgramInfo::drop_resource`.
    pub fn load(&self, drop: *const u8) {
        self.info.set(ClosureInfo { drop, consume: ptr::null() });
    }

    /// What is open under a number, which is not open any more.
    pub fn take(&self, id: u64) -> Option<Content> {
        self.open.borrow_mut().remove(&id).map(|entry| entry.content)
    }

    /// Runs `act` on what is open under a number; EBADF when that has been closed.
    pub fn with<T>(&self, id: u64, act: impl FnOnce(&mut Entry) -> Result<T, i32>) -> Result<T, i32> {
        self.open.borrow_mut().get_mut(&id).map_or(Err(libc::EBADF), act)
    }
}

fn resources<'a>(cx: Cx) -> &'a Resources {
    &cx.runtime().resources
}

fn new_object(cx: Cx, id: u64) -> *mut Resource {
    let object = heap::alloc(cx, size_of::<Resource>()).cast::<Resource>();
    // SAFETY: the object is fresh and has room for the struct.
    unsafe {
        (*object).code = ptr::null();
        (*object).info = resources(cx).info.as_ptr();
        (*object).id = id;
    }
    object
}

/// A resource that is not open.
pub fn closed(cx: Cx) -> *mut Resource {
    new_object(cx, 0)
}

/// Opens a resource.
pub fn new_resource(cx: Cx, content: Content, path: Vec<u8>) -> *mut Resource {
    let resources = resources(cx);
    let id = resources.next.get();
    resources.next.set(id + 1);
    resources.open.borrow_mut().insert(id, Entry { content, path });
    new_object(cx, id)
}

/// Opens a resource and hands it out.
pub fn give_resource(cx: Cx, content: Content, path: Vec<u8>) {
    give(cx, Taken::Resource(new_resource(cx, content, path)));
}

/// Is it still open?
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_is_open(cx: Cx, object: &Resource) -> bool {
    resources(cx).open.borrow().contains_key(&object.id)
}

fn report(cx: Cx, entry_path: &[u8], errno: i64) {
    resources(cx).failed.set(true);
    entry::report_lost_output(&String::from_utf8_lossy(entry_path), i32::try_from(errno).unwrap_or(libc::EIO));
}

/// Closes what nobody holds any more, and frees the object.
///
/// # Safety
/// `object` must be a resource without owners.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reml_resource_free(cx: Cx, object: *mut Resource) {
    // SAFETY: per the contract.
    let id = unsafe { (*object).id };
    let entry = resources(cx).open.borrow_mut().remove(&id);
    if let Some(Entry { content, path }) = entry {
        match content.close() {
            0 => {}
            errno => report(cx, &path, errno),
        }
    }
    // SAFETY: per the contract.
    unsafe { heap::reml_free(cx, object.cast()) };
}

/// Closes a resource now: 0 or errno. One that is closed already stays so.
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_close(cx: Cx, object: &Resource) -> i64 {
    let entry = resources(cx).open.borrow_mut().remove(&object.id);
    entry.map_or(0, |entry| entry.content.close())
}

/// Where the resource is; empty when it is closed.
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_path(cx: Cx, object: &Resource) -> StrOwned {
    let path = resources(cx).with(object.id, |entry| Ok(entry.path.clone()));
    new_lossy(cx, &path.unwrap_or_default())
}

/// What is open, as `number kind path`, in the order of opening.
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_list(cx: Cx) -> *mut crate::abi::Array {
    let mut list = StrArray::new(cx);
    for (id, entry) in resources(cx).open.borrow().iter() {
        let path = String::from_utf8_lossy(&entry.path);
        list.push(new_str(cx, &format!("{id}\t{}\t{path}", entry.content.kind())));
    }
    list.finish()
}

/// Closes everything: how many resources there were, or a negative errno when one could not send on what it held.
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_close_all(cx: Cx) -> i64 {
    let open = resources(cx).open.take();
    let count = open.len() as i64;
    let errors = open.into_values().map(|entry| entry.content.close()).filter(|&errno| errno != 0);
    // All are closed; the first error is the one to tell.
    errors.collect::<Vec<_>>().first().map_or(count, |&errno| -errno)
}

/// Keeps what is temporary: it is not removed, and no resource any more.
#[unsafe(no_mangle)]
pub extern "C" fn reml_resource_keep(cx: Cx, object: &Resource) -> i64 {
    let entry = resources(cx).open.borrow_mut().remove(&object.id);
    match entry.map(|entry| entry.content) {
        Some(Content::TempFile(path)) => path.keep().map_or_else(|error| errno_of(&error.error), |_| 0),
        Some(Content::TempFolder(folder)) => {
            let _ = folder.keep();
            0
        }
        _ => i64::from(libc::EBADF),
    }
}

/// Closes what the program has left open at its end; false when something was lost, then or before.
pub fn close_remaining(cx: Cx) -> bool {
    for entry in resources(cx).open.take().into_values() {
        let Entry { content, path } = entry;
        match content.close() {
            0 => {}
            errno => report(cx, &path, errno),
        }
    }
    !resources(cx).failed.get()
}
