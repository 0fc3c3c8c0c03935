//! Where do unpredictable numbers come from? From the operating system; generators are the library's.

use crate::array;
use crate::context::Cx;
use crate::taken::{Taken, give};

/// 0 or errno; so many bytes through `take_bytes`.
#[unsafe(no_mangle)]
pub extern "C" fn reml_random_bytes(cx: Cx, count: i64) -> i64 {
    let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
    match getrandom::fill(&mut bytes) {
        Ok(()) => {
            give(cx, Taken::Bytes(array::new_bytes(cx, &bytes)));
            0
        }
        Err(error) => i64::from(error.raw_os_error().unwrap_or(libc::EIO)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;
    use crate::heap;
    use crate::taken::reml_take_bytes;

    #[test]
    fn as_many_bytes_as_asked_for() {
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        assert_eq!(reml_random_bytes(cx, 32), 0);
        let bytes = reml_take_bytes(cx);
        // SAFETY: alive and ours.
        unsafe {
            assert_eq!((*bytes).len, 32);
            heap::reml_free(cx, bytes.cast());
        }
    }
}
