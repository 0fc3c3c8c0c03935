//! A test's own process: a fork of this one, whose output goes to files.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::time::Duration;

pub struct Child {
    pid: libc::pid_t,
    stdout: File,
    stderr: File,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Exit(i32),
    Signal(i32),
}

impl Child {
    /// Runs `work` in a copy of this process, which ends with the status that `work` answers.
    pub fn start(work: impl FnOnce() -> i32) -> io::Result<Child> {
        let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        let input = File::open("/dev/null")?;
        // SAFETY: only this thread compiles and starts tests; the others of the process wait for it and hold no lock
        // that the child could need. The child never returns from here.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                for (file, target) in [(&input, 0), (&stdout, 1), (&stderr, 2)] {
                    // SAFETY: both are open descriptors.
                    unsafe { libc::dup2(file.as_raw_fd(), target) };
                }
                let status = work();
                // SAFETY: ends the process at once, without what the parent has registered for its own end.
                unsafe { libc::_exit(status) }
            }
            pid => Ok(Child { pid, stdout, stderr }),
        }
    }

    /// Whether it has ended, and how.
    fn poll(&mut self) -> io::Result<Option<Ended>> {
        let mut status = 0;
        // SAFETY: `pid` is a child that has not been waited for, and `status` is written before it is read.
        match unsafe { libc::waitpid(self.pid, &mut status, libc::WNOHANG) } {
            -1 => Err(io::Error::last_os_error()),
            0 => Ok(None),
            _ if libc::WIFEXITED(status) => Ok(Some(Ended::Exit(libc::WEXITSTATUS(status)))),
            _ if libc::WIFSIGNALED(status) => Ok(Some(Ended::Signal(libc::WTERMSIG(status)))),
            _ => Ok(None),
        }
    }

    /// What it has written to standard output and standard error.
    pub fn output(mut self) -> io::Result<(String, String)> {
        let read = |file: &mut File| -> io::Result<String> {
            let mut bytes = Vec::new();
            file.rewind()?;
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok((read(&mut self.stdout)?, read(&mut self.stderr)?))
    }
}

/// Waits until one of the children has ended; which, and how.
pub fn wait_any<'c>(children: impl Iterator<Item = &'c mut Child>) -> io::Result<(usize, Ended)> {
    let mut children: Vec<&mut Child> = children.collect();
    let mut pause = Duration::from_micros(100);
    loop {
        for (at, child) in children.iter_mut().enumerate() {
            if let Some(ended) = child.poll()? {
                return Ok((at, ended));
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
}
