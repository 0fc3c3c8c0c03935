//! Which bindings have been generated before, and from what?
//!
//! A cache is a folder that processes, projects and users may share:
//!
//! ```text
//! ffi/<input hash>/             an entry: the two files under their own names, and what they were made from
//! ffi/index/<request>.json      the files that a request came to read, their digests, and the input hash that came of it
//! ```
//!
//! The index lets a build know without running the C compiler that all is as it was. Everything appears by a rename of what was written
//! beside it, so that whoever reads sees whole things, and whoever is killed leaves none that are half there.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use reml_bindgen::Dependencies;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::platform::Platform;
use crate::files;
use crate::system::System;

/// The folder of a cache in which everything about bindings is. Who removes it has cleared the cache.
const FOLDER: &str = "ffi";
/// What an entry says of itself.
const ENTRY: &str = "entry.json";
/// What is being written; nobody looks there.
const NEW: &str = ".new-";
/// What was killed while it wrote is removed after this time.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// The two files of an entry: what they are called, and what is in them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Files {
    pub output: (String, Vec<u8>),
    pub manifest: (String, Vec<u8>),
}

/// What there is under an input hash.
pub enum Found {
    Nothing,
    /// An entry that was made by another compiler, or with other headers of the system.
    Other,
    Whole(Files),
    /// Not what was stored, and why.
    Damaged(String),
}

impl Cache {
    /// The cache that is asked for, else that of the environment, else the user's, else one in the project.
    pub fn at(asked: Option<&Path>, project: &Path, system: &dyn System) -> Cache {
        let of_environment = || system.env("REML_CACHE_DIR").filter(|path| !path.is_empty()).map(PathBuf::from);
        let of_user = || Platform::this().cache_folder(&|name| system.env(name));
        let root = asked.map(Path::to_owned).or_else(of_environment).or_else(of_user);
        Cache { folder: root.unwrap_or_else(|| project.join(".reml/cache")).join(FOLDER) }
    }

    pub fn entry_path(&self, input_hash: &str) -> PathBuf {
        self.folder.join(input_hash)
    }

    fn index_path(&self, request: &str) -> PathBuf {
        self.folder.join("index").join(format!("{request}.json"))
    }

    /// The input hash of a request whose files are all as they were, and what it is known by.
    pub fn known(&self, request: &str) -> Known {
        let Ok(bytes) = fs::read(self.index_path(request)) else { return Known::Never };
        let Some((dependencies, input_hash)) = read_index(&bytes) else { return Known::Never };
        if dependencies.hold() { Known::Same { input_hash, dependencies } } else { Known::Changed }
    }

    /// Notes what a request came to read. Nobody depends on it, so a cache that may only be read is no problem here.
    pub fn note(&self, request: &str, dependencies: &Dependencies, input_hash: &str) {
        if dependencies.volatile {
            return;
        }
        let path = self.index_path(request);
        let files: Vec<Value> = dependencies.files.iter().map(|(path, digest)| json!([path, digest])).collect();
        let probes: Vec<Value> = dependencies.probes.iter().map(|(path, exists)| json!([path, exists])).collect();
        let text = json!({
            "input_hash": input_hash, "files": files, "probes": probes, "compiler": dependencies.compiler,
            "text": dependencies.text,
        });
        let folder = path.parent().unwrap_or(&self.folder);
        let _ = fs::create_dir_all(folder).and_then(|()| files::write(&path, text.to_string().as_bytes()));
    }

    /// What there is under an input hash that was made from these dependencies.
    pub fn find(&self, input_hash: &str, dependencies: &Dependencies, output: &str, manifest: &str) -> Found {
        let folder = self.entry_path(input_hash);
        if !folder.exists() {
            return Found::Nothing;
        }
        let read = |name: &str| match fs::read(folder.join(name)) {
            Ok(bytes) => Ok(bytes),
            Err(problem) if problem.kind() == ErrorKind::NotFound => Err(format!("`{name}` is missing")),
            Err(problem) => Err(format!("`{name}` cannot be read: {}", crate::link::describe(&problem))),
        };
        let told: Value = match read(ENTRY).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => return Found::Damaged(format!("`{ENTRY}` is not as it was written")),
            Err(why) => return Found::Damaged(why),
        };
        if told["fingerprint"] != dependencies.fingerprint() {
            return Found::Other;
        }
        let mut contents = Vec::new();
        for name in [output, manifest] {
            match read(name) {
                Ok(bytes) if told["files"][name] == digest(&bytes) => contents.push((name.to_owned(), bytes)),
                Ok(_) => return Found::Damaged(format!("`{name}` is not as it was written")),
                Err(why) => return Found::Damaged(why),
            }
        }
        let (manifest, output) = (contents.pop().expect("two were read"), contents.pop().expect("two were read"));
        Found::Whole(Files { output, manifest })
    }

    /// Is there an entry with exactly these files? Then nothing is lost when they are replaced.
    pub fn keeps(&self, input_hash: &str, files: &Files) -> bool {
        // The hash comes out of a file that anybody may have written.
        if input_hash.is_empty() || !input_hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return false;
        }
        let folder = self.entry_path(input_hash);
        [&files.output, &files.manifest]
            .iter()
            .all(|(name, bytes)| fs::read(folder.join(name)).is_ok_and(|kept| kept == *bytes))
    }

    /// Keeps files under an input hash.
    ///
    /// # Errors
    ///
    /// Why they cannot be kept, in words.
    pub fn store(&self, input_hash: &str, dependencies: &Dependencies, files: &Files) -> Result<(), String> {
        if dependencies.volatile {
            return Ok(());
        }
        self.try_store(input_hash, dependencies, files).map_err(|problem| crate::link::describe(&problem))
    }

    fn try_store(&self, input_hash: &str, dependencies: &Dependencies, files: &Files) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        self.sweep();
        let made = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.folder)?;
        // Others may share the cache.
        #[cfg(unix)]
        fs::set_permissions(made.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        let mut digests = serde_json::Map::new();
        for (name, bytes) in [&files.output, &files.manifest] {
            digests.insert(name.clone(), digest(bytes).into());
            write(&made.path().join(name), bytes)?;
        }
        let told = json!({ "fingerprint": dependencies.fingerprint(), "files": digests });
        write(&made.path().join(ENTRY), told.to_string().as_bytes())?;
        let entry = self.entry_path(input_hash);
        // Another process may put one there, or take the old one away, at any time.
        for _ in 0..16 {
            match fs::rename(made.path(), &entry) {
                Err(problem) if matches!(problem.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {
                    let (output, manifest) = (&files.output.0, &files.manifest.0);
                    if let Found::Whole(_) = self.find(input_hash, dependencies, output, manifest) {
                        return Ok(());
                    }
                    let old = tempfile::Builder::new().prefix(NEW).tempdir_in(&self.folder)?;
                    match fs::rename(&entry, old.path().join("old")) {
                        Err(problem) if problem.kind() != ErrorKind::NotFound => return Err(problem),
                        _ => {}
                    }
                }
                result => return result,
            }
        }
        Err(io::Error::other("other processes keep replacing it"))
    }

    /// Removes what processes left that were killed. It takes no harm from being swept by several at once.
    fn sweep(&self) {
        let old = |entry: &fs::DirEntry| {
            let changed = entry.metadata().and_then(|metadata| metadata.modified());
            changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > ABANDONED))
        };
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(NEW) && old(&entry) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// What the index knows of a request.
pub enum Known {
    Never,
    /// Files have changed since.
    Changed,
    Same {
        input_hash: String,
        dependencies: Dependencies,
    },
}

fn read_index(bytes: &[u8]) -> Option<(Dependencies, String)> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let pairs = |key: &str| value[key].as_array();
    let files = pairs("files")?.iter().map(|pair| Some((pair[0].as_str()?.into(), pair[1].as_str()?.to_owned())));
    let probes = pairs("probes")?.iter().map(|pair| Some((pair[0].as_str()?.into(), pair[1].as_bool()?)));
    let compiler = pairs("compiler")?.iter().map(|word| Some(word.as_str()?.to_owned()));
    let dependencies = Dependencies {
        files: files.collect::<Option<_>>()?,
        probes: probes.collect::<Option<_>>()?,
        volatile: false,
        compiler: compiler.collect::<Option<_>>()?,
        text: value["text"].as_str()?.to_owned(),
    };
    Some((dependencies, value["input_hash"].as_str()?.to_owned()))
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    // Otherwise, the rename may be on the disk before this is.
    file.sync_all()
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::MemorySystem;

    fn dependencies(digest: &str) -> Dependencies {
        let files = vec![(PathBuf::from("/nowhere/a.h"), digest.to_owned())];
        Dependencies {
            files,
            probes: Default::default(),
            volatile: false,
            compiler: vec!["cc".to_owned()],
            text: String::new(),
        }
    }

    fn files(text: &str) -> Files {
        Files { output: ("a.reml".into(), text.into()), manifest: ("m.json".into(), text.as_bytes().to_vec()) }
    }

    #[test]
    fn the_nearest_place_counts() {
        let folder = |asked: Option<&str>, variables: &[(&str, &str)]| {
            let system =
                variables.iter().fold(MemorySystem::new(), |system, (name, value)| system.with_env(*name, *value));
            Cache::at(asked.map(Path::new), Path::new("app"), &system).folder
        };
        assert_eq!(folder(Some("here"), &[("REML_CACHE_DIR", "there")]), Path::new("here/ffi"));
        assert_eq!(folder(None, &[("REML_CACHE_DIR", "there"), ("HOME", "/home/ada")]), Path::new("there/ffi"));
        assert_eq!(folder(None, &[("REML_CACHE_DIR", "")]), Path::new("app/.reml/cache/ffi"));
    }

    #[test]
    fn what_was_stored_is_found() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache { folder: place.path().join("ffi") };
        let find = |of: &str| cache.find("0f", &dependencies(of), "a.reml", "m.json");
        assert!(matches!(find("x"), Found::Nothing));
        cache.store("0f", &dependencies("x"), &files("one")).unwrap();
        assert!(matches!(find("x"), Found::Whole(found) if found == files("one")));
        assert!(matches!(find("y"), Found::Other));
        // The headers of the system have changed: the entry is replaced.
        cache.store("0f", &dependencies("y"), &files("two")).unwrap();
        assert!(matches!(find("y"), Found::Whole(found) if found == files("two")));
        assert!(
            cache.keeps("0f", &files("two"))
                && !cache.keeps("0f", &files("one"))
                && !cache.keeps("../ffi/0f", &files("two"))
        );
        assert_eq!(fs::read_dir(&cache.folder).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let cache = Cache { folder: place.path().join("ffi") };
        for (name, text) in [("a.reml", "other"), ("m.json", ""), (ENTRY, "{"), (ENTRY, "")] {
            let (entry, known) = (cache.entry_path("0f"), dependencies("x"));
            let _ = fs::remove_dir_all(&entry);
            cache.store("0f", &known, &files("one")).unwrap();
            fs::write(entry.join(name), text).unwrap();
            let found = cache.find("0f", &known, "a.reml", "m.json");
            assert!(matches!(found, Found::Damaged(why) if why == format!("`{name}` is not as it was written")));
            fs::remove_file(entry.join(name)).unwrap();
            let found = cache.find("0f", &known, "a.reml", "m.json");
            assert!(matches!(found, Found::Damaged(why) if why == format!("`{name}` is missing")));
        }
    }

    #[test]
    fn the_index_knows_whether_files_have_changed() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        let cache = Cache { folder: path("ffi") };
        fs::write(path("a.h"), "int a;").unwrap();
        let read = vec![(path("a.h"), digest(b"int a;"))];
        let probes = [(path("b.h"), false)].into();
        let known =
            Dependencies { files: read, probes, volatile: false, compiler: vec!["cc".to_owned()], text: String::new() };
        assert!(matches!(cache.known("request"), Known::Never));
        cache.note("request", &known, "0f");
        assert!(
            matches!(cache.known("request"), Known::Same { input_hash, dependencies } if input_hash == "0f" && dependencies == known)
        );
        fs::write(path("b.h"), "").unwrap();
        assert!(matches!(cache.known("request"), Known::Changed));
        fs::remove_file(path("b.h")).unwrap();
        fs::write(path("a.h"), "int b;").unwrap();
        assert!(matches!(cache.known("request"), Known::Changed));
        fs::write(cache.index_path("request"), "{\"files\": 1}").unwrap();
        assert!(matches!(cache.known("request"), Known::Never));
    }
}
