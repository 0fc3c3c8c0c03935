//! A system with a few files of our own in front of it: programs that the compiler writes for itself.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::system::{System, Usage, normal};

pub struct Overlay<'s> {
    below: &'s dyn System,
    files: Vec<(PathBuf, String)>,
}

impl<'s> Overlay<'s> {
    /// `below`, in which this one file exists with this text.
    pub fn new(below: &'s dyn System, path: &Path, text: String) -> Self {
        let mut overlay = Overlay { below, files: Vec::new() };
        overlay.files.push((overlay.absolute(path), text));
        overlay
    }

    /// However it is spelled.
    fn absolute(&self, path: &Path) -> PathBuf {
        normal(&self.below.current_dir().unwrap_or_default().join(path))
    }

    fn find(&self, path: &Path) -> Option<&str> {
        let path = self.absolute(path);
        self.files.iter().find(|(file, _)| *file == path).map(|(_, text)| text.as_str())
    }
}

impl System for Overlay<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.find(path).map_or_else(|| self.below.read(path), |text| Ok(text.as_bytes().to_vec()))
    }

    fn is_file(&self, path: &Path) -> bool {
        self.find(path).is_some() || self.below.is_file(path)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.below.is_dir(path)
    }

    fn entries(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        self.below.entries(path)
    }

    fn env(&self, name: &str) -> Option<String> {
        self.below.env(name)
    }

    fn env_starting_with(&self, prefix: &str) -> BTreeMap<String, String> {
        self.below.env_starting_with(prefix)
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        self.below.current_dir()
    }

    fn now(&self) -> SystemTime {
        self.below.now()
    }

    fn usage(&self) -> Usage {
        self.below.usage()
    }
}
