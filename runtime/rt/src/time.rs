//! Clocks and waiting.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reml_capability::policy::{Power, Subject};

use crate::context::Cx;
use crate::gate;
use crate::panic::traced;

/// Nanoseconds since 1970-01-01 UTC, negative before; good until 2262.
fn wall_nanos() -> i64 {
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(error) => -nanos(error.duration()),
    }
}

traced! {
    /// Whole seconds since 1970-01-01 UTC, rounded down.
    reml_time_wall_seconds = time_wall_seconds;
    /// All nanoseconds since 1970-01-01 UTC (not only those within the second).
    reml_time_wall_nanos = time_wall_nanos;
}

extern "C" fn time_wall_seconds(cx: Cx) -> i64 {
    time_wall_nanos(cx).div_euclid(1_000_000_000)
}

extern "C" fn time_wall_nanos(cx: Cx) -> i64 {
    gate::demand(cx, Power::Clock, &Subject::Name("wall"));
    wall_nanos()
}

/// When the first program of the process has begun.
static START: OnceLock<Instant> = OnceLock::new();

/// Lets the monotonic clock begin, if it has not yet.
pub fn begin() {
    START.get_or_init(Instant::now);
}

/// Nanoseconds since the program has begun; never goes back.
#[unsafe(no_mangle)]
pub extern "C" fn reml_time_monotonic_nanos(_: Cx) -> i64 {
    START.get_or_init(Instant::now).elapsed().as_nanos() as i64
}

/// Waits at least this long; not at all for zero and negative durations. Standard output is flushed first.
#[unsafe(no_mangle)]
pub extern "C" fn reml_time_sleep_nanos(cx: Cx, nanos: i64) {
    crate::io::reml_stdout_flush(cx);
    std::thread::sleep(Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Program;

    #[test]
    fn clocks_go_forward() {
        let mut program = Program::new(Vec::new(), None);
        let cx = program.cx();
        let before = reml_time_monotonic_nanos(cx);
        reml_time_sleep_nanos(cx, 2_000_000);
        reml_time_sleep_nanos(cx, -1);
        assert!(reml_time_monotonic_nanos(cx) - before >= 2_000_000);
        assert!(time_wall_seconds(cx) > 1_700_000_000);
        assert!(time_wall_nanos(cx) / 1_000_000_000 - time_wall_seconds(cx) <= 1);
    }
}
