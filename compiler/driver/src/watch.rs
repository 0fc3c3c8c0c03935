//! Have source files been saved? Folders are watched, not files: editors replace a file by a new one, and a file that is deleted may
//! come back.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use notify_debouncer_full::notify::{EventKind, RecommendedWatcher, RecursiveMode};
use notify_debouncer_full::{DebounceEventResult, Debouncer, RecommendedCache, new_debouncer};

use crate::load::Folder;
use crate::package::MANIFEST;

/// How long a file has to be left alone before it counts as saved.
const QUIET: Duration = Duration::from_millis(40);

/// Watches folders until it is dropped.
pub struct Watch {
    debouncer: Debouncer<RecommendedWatcher, RecommendedCache>,
    events: Receiver<DebounceEventResult>,
    folders: Vec<Folder>,
}

impl Watch {
    /// # Errors
    ///
    /// Why this system cannot tell, in words.
    pub fn new() -> Result<Watch, String> {
        let (sender, events) = mpsc::channel();
        // Nobody listens any more when the program has ended.
        let debouncer = new_debouncer(QUIET, None, move |event| drop(sender.send(event)));
        let debouncer = debouncer.map_err(|problem| format!("files cannot be watched: {problem}"))?;
        Ok(Watch { debouncer, events, folders: Vec::new() })
    }

    /// Watches these folders, too.
    ///
    /// # Errors
    ///
    /// Which one cannot be watched, and why, in words.
    pub fn add(&mut self, folders: &[Folder]) -> Result<(), String> {
        for folder in folders {
            if self.folders.contains(folder) {
                continue;
            }
            let mode = if folder.whole { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            let watched = self.debouncer.watch(&folder.path, mode);
            watched.map_err(|problem| format!("`{}` cannot be watched: {problem}", folder.path.display()))?;
            self.folders.push(folder.clone());
        }
        Ok(())
    }

    /// Waits until source files or manifests have been saved, deleted or renamed. `false`: there will be no more of that.
    pub fn wait(&self) -> bool {
        loop {
            match self.events.recv() {
                Err(_) => return false,
                // What has been missed may have been about sources.
                Ok(Err(_)) => return true,
                Ok(Ok(events)) => {
                    let changes = events.iter().filter(|event| !matches!(event.kind, EventKind::Access(_)));
                    if changes.flat_map(|event| &event.paths).any(|path: &PathBuf| is_source(path)) {
                        return true;
                    }
                }
            }
        }
    }
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "reml") || path.ends_with(MANIFEST)
}
