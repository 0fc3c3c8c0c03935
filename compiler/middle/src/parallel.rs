//! Work on all functions at once, for passes in which no function depends on another.

use std::sync::{Mutex, PoisonError};

/// Passes recurse as deep as blocks nest.
const WORKER_STACK: usize = 256 << 20;
/// Items handed out at a time.
const CHUNK: usize = 64;

/// Calls `work` with the index of every item and the item, on as many threads as the machine has. The order of the calls
/// is not defined; a panic in one of them is passed on.
pub fn for_each<Item: Send>(items: &mut [Item], work: impl Fn(usize, &mut Item) + Sync) {
    let threads = match items.len() {
        0..=CHUNK => 1,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let chunks = Mutex::new(items.chunks_mut(CHUNK).enumerate());
    let share = || {
        loop {
            let chunk = chunks.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((number, chunk)) = chunk else { return };
            for (index, item) in chunk.iter_mut().enumerate() {
                work(number * CHUNK + index, item);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // A thread that cannot be started leaves its share to the others.
            let _ = std::thread::Builder::new().stack_size(WORKER_STACK).spawn_scoped(scope, share);
        }
        share();
    });
}
