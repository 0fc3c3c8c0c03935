//! Which context does a host mean? What it holds is a number in the form of a pointer.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use crate::context::Context;

struct Handles {
    contexts: HashMap<usize, Arc<Context>>,
    next: usize,
}

/// Numbers are not used twice, so one that was disposed of is no other's.
static HANDLES: LazyLock<Mutex<Handles>> =
    LazyLock::new(|| Mutex::new(Handles { contexts: HashMap::new(), next: STEP }));
/// Looks aligned to whoever prints it.
const STEP: usize = 16;

pub fn add(context: Context) -> usize {
    let mut handles = HANDLES.lock().unwrap_or_else(PoisonError::into_inner);
    let handle = handles.next;
    handles.next += STEP;
    handles.contexts.insert(handle, Arc::new(context));
    handle
}

pub fn find(handle: usize) -> Option<Arc<Context>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner).contexts.get(&handle).cloned()
}

pub fn remove(handle: usize) -> Option<Arc<Context>> {
    HANDLES.lock().unwrap_or_else(PoisonError::into_inner).contexts.remove(&handle)
}
