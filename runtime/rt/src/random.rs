//! Where do unpredictable numbers come from? From the operating system; generators are the library's.

use reml_capability::policy::{Power, Subject};

use crate::array;
use crate::context::Cx;
use crate::gate;
use crate::panic::traced;
use crate::taken::{Taken, give};

traced! {
    /// 0 or errno; so many bytes through `take_bytes`.
    reml_random_bytes = random_bytes;
}

extern "C" fn random_bytes(cx: Cx, count: i64) -> i64 {
    if let Err(errno) = gate::ask(cx, Power::Random, &Subject::Name("os")) {
        return errno;
    }
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
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        assert_eq!(random_bytes(cx, 32), 0);
        let bytes = reml_take_bytes(cx);
        // SAFETY: alive and ours.
        unsafe {
            assert_eq!((*bytes).len, 32);
            heap::reml_free(cx, bytes.cast());
        }
    }
}
