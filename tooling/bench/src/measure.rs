//! One child process: its output, CPU time, wall time and peak memory.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub struct Measured {
    pub stdout: Vec<u8>,
    pub success: bool,
    /// User plus system time.
    pub cpu: Duration,
    pub wall: Duration,
    /// Peak resident memory in bytes.
    pub peak: u64,
}

/// Runs `command` to its end; `None` when it cannot be started.
pub fn measure(command: &mut Command) -> Option<Measured> {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    let mut stdout = Vec::new();
    child.stdout.take()?.read_to_end(&mut stdout).ok()?;
    let mut status = 0;
    // SAFETY: rusage is plain data for which all zeros is a valid value; wait4 fills it for our own child, which
    // nobody else waits for.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        if libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage) < 0 {
            return None;
        }
        usage
    };
    Some(Measured {
        stdout,
        success: libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
        wall: start.elapsed(),
        peak: usage.ru_maxrss as u64 * 1024,
    })
}

fn seconds(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
}
