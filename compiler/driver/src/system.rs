//! What the compiler asks of the world outside: files, environment, clock. The compiler proper goes through [`System`],
//! so that tests, editors and embedders can give it files that exist only in memory.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub trait System: Send + Sync {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    fn is_file(&self, path: &Path) -> bool;
    fn is_dir(&self, path: &Path) -> bool;
    /// What lies in a directory, sorted.
    fn entries(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// An environment variable; `None` when unset or not text.
    fn env(&self, name: &str) -> Option<String>;
    /// The environment variables whose names start with `prefix`, by name.
    fn env_starting_with(&self, prefix: &str) -> BTreeMap<String, String>;
    fn current_dir(&self) -> io::Result<PathBuf>;
    fn now(&self) -> SystemTime;
    /// What the compiler has used so far.
    fn usage(&self) -> Usage;
}

/// What a process has used of its machine.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// The time that all its threads have computed, and the processes that it has waited for, such as the linker.
    pub cpu: Duration,
    /// The most memory it has had at a time, in bytes.
    pub peak_memory: u64,
}

/// The machine the compiler runs on.
pub struct OsSystem;

impl System for OsSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        // Devices may have no end. More than this has no spans.
        let limit = u64::from(u32::MAX);
        let file = std::fs::File::open(path)?;
        let mut bytes = Vec::with_capacity(file.metadata()?.len().min(limit) as usize);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn is_file(&self, path: &Path) -> bool {
        path.is_file()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        entries.sort();
        Ok(entries)
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn env_starting_with(&self, prefix: &str) -> BTreeMap<String, String> {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with(prefix)).collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        std::env::current_dir()
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn usage(&self) -> Usage {
        let (own, children) = (resources(libc::RUSAGE_SELF), resources(libc::RUSAGE_CHILDREN));
        let time = |it: libc::timeval| Duration::new(it.tv_sec as u64, it.tv_usec as u32 * 1_000);
        // Linux counts it in KiB, macOS in bytes.
        let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
        Usage {
            cpu: [own, children].map(|it| time(it.ru_utime) + time(it.ru_stime)).iter().sum(),
            peak_memory: own.ru_maxrss as u64 * unit,
        }
    }
}

/// What the system has written down of this process, or of those it has waited for.
fn resources(whose: libc::c_int) -> libc::rusage {
    // SAFETY: zeros are a valid `rusage`, which the call overwrites; with these arguments it does not fail.
    unsafe {
        let mut found = std::mem::zeroed();
        libc::getrusage(whose, &mut found);
        found
    }
}

/// Files and an environment in memory; the clock stands still.
#[derive(Clone, Default)]
pub struct MemorySystem {
    files: BTreeMap<PathBuf, Vec<u8>>,
    environment: BTreeMap<String, String>,
}

impl MemorySystem {
    pub fn new() -> Self {
        Self::default()
    }

    /// The system with one more file.
    pub fn with(mut self, path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }

    /// The system with one more environment variable.
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }
}

impl System for MemorySystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if self.is_dir(path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.files.get(&normal(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn is_file(&self, path: &Path) -> bool {
        self.files.contains_key(&normal(path))
    }

    fn is_dir(&self, path: &Path) -> bool {
        let path = normal(path);
        self.files.keys().any(|file| file != &path && file.starts_with(&path))
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let path = normal(path);
        let below = self.files.keys().filter_map(|file| file.strip_prefix(&path).ok()?.components().next());
        let mut entries: Vec<PathBuf> = below.map(|first| path.join(first)).collect();
        entries.dedup();
        Ok(entries)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn env_starting_with(&self, prefix: &str) -> BTreeMap<String, String> {
        let found = self.environment.iter().filter(|(name, _)| name.starts_with(prefix));
        found.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(PathBuf::new())
    }

    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_750_000_000)
    }

    fn usage(&self) -> Usage {
        Usage::default()
    }
}

/// The path without `.` and `..`, as far as they can be resolved by looking at the path alone.
pub fn normal(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(result.components().next_back(), Some(Component::Normal(_))) => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// `2025-07-01T00:00:00Z`.
pub fn timestamp(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days to civil date, Howard Hinnant's algorithm: years start in March, so that leap days come last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3_600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_civil_dates() {
        let at = |seconds| timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(at(1_751_328_000), "2025-07-01T00:00:00Z");
    }

    #[test]
    fn memory_files_have_directories() {
        let system = MemorySystem::new().with("app/src/main.reml", "x");
        assert!(system.is_dir(Path::new("app")) && system.is_dir(Path::new("./app/src/../src")));
        assert!(system.is_file(Path::new("app/./src/main.reml")) && !system.is_file(Path::new("app")));
        assert_eq!(system.read(Path::new("app")).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
