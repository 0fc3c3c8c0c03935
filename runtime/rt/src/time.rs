//! Clocks and waiting.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::context::Cx;

/// Nanoseconds since 1970-01-01 UTC, negative before; good until 2262.
fn wall_nanos() -> i64 {
    let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(error) => -nanos(error.duration()),
    }
}

/// Whole seconds since 1970-01-01 UTC, rounded down.
#[unsafe(no_mangle)]
pub extern "C" fn reml_time_wall_seconds(_: Cx) -> i64 {
    wall_nanos().div_euclid(1_000_000_000)
}

/// All nanoseconds since 1970-01-01 UTC (not only those within the second).
#[unsafe(no_mangle)]
pub extern "C" fn reml_time_wall_nanos(_: Cx) -> i64 {
    wall_nanos()
}

/// Nanoseconds since some moment before the first call; never goes back.
#[unsafe(no_mangle)]
pub extern "C" fn reml_time_monotonic_nanos(_: Cx) -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
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
        let mut program = Program::new(Vec::new());
        let cx = program.cx();
        let before = reml_time_monotonic_nanos(cx);
        reml_time_sleep_nanos(cx, 2_000_000);
        reml_time_sleep_nanos(cx, -1);
        assert!(reml_time_monotonic_nanos(cx) - before >= 2_000_000);
        assert!(reml_time_wall_seconds(cx) > 1_700_000_000);
        assert!(reml_time_wall_nanos(cx) / 1_000_000_000 - reml_time_wall_seconds(cx) <= 1);
    }
}
