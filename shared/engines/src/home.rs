//! A server's directory.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{Fault, fault::Doing as _};

/// A server's directory: a given one, which stays, or one of its own, which goes with the value.
#[derive(Debug)]
pub struct Home {
    path: PathBuf,
    _own: Option<TempDir>,
}

impl Home {
    /// The given directory, or one of its own.
    pub fn new(given: Option<&Path>) -> Result<Self, Fault> {
        let Some(given) = given else {
            let own = tempfile::Builder::new()
                .prefix("engine-")
                .tempdir()
                .doing("cannot make a temporary directory")?;
            return Ok(Self {
                path: own.path().to_owned(),
                _own: Some(own),
            });
        };
        make(given)?;
        // Servers change their working directory.
        let path = given
            .canonicalize()
            .doing(format_args!("cannot reach {}", given.display()))?;
        Ok(Self { path, _own: None })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Where the server writes its log.
    pub fn log(&self) -> PathBuf {
        self.join("log")
    }
}

/// Makes a directory and those above it.
pub fn make(dir: &Path) -> Result<(), Fault> {
    fs::create_dir_all(dir).doing(format_args!("cannot make {}", dir.display()))
}

/// Writes a file.
pub fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Fault> {
    fs::write(path, content).doing(format_args!("cannot write {}", path.display()))
}
