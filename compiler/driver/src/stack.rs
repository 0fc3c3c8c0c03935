//! Runs the compiler where recursion cannot end the process.
//!
//! The parser bounds how deeply a program may nest, and passes recurse no deeper than that. The stack is reserved
//! generously, since only the part that is used ever costs memory.

use std::sync::Mutex;
use std::thread;

/// Tried in this order: a machine may refuse to reserve the largest.
const SIZES: [usize; 4] = [4 << 30, 1 << 30, 256 << 20, SMALLEST];
const SMALLEST: usize = 64 << 20;

/// Runs `work` on a thread with a very large stack and returns its result; a panic passes through.
pub fn with_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // A refused thread must give the closure back.
    let slot = Mutex::new(Some(work));
    let take = || {
        let work = slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        work.map(|work| work())
    };
    let largest = reml_rt::largest_reservation().max(SMALLEST);
    for size in SIZES.into_iter().filter(|&size| size <= largest) {
        let result = thread::scope(|scope| {
            let builder = thread::Builder::new().name("remlc".into()).stack_size(size);
            builder.spawn_scoped(scope, take).ok().map(|handle| handle.join())
        });
        match result {
            Some(Ok(Some(value))) => return value,
            Some(Ok(None)) => unreachable!("the closure is taken by the one thread that starts"),
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => {}
        }
    }
    take().expect("no thread could take it")
}

#[cfg(test)]
mod tests {
    #[test]
    fn deep_recursion_fits() {
        fn depth(n: u64) -> u64 {
            let frame = std::hint::black_box([n; 64]);
            if n == 0 { 0 } else { 1 + depth(n - 1) + frame[0] - n }
        }
        assert_eq!(super::with_large_stack(|| depth(100_000)), 100_000);
    }
}
