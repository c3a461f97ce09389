//! The directory in which a mesh keeps its stores, one mesh at a time.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Name of the file whose lock is the mesh's right to the directory.
const LOCK: &str = "mesh.lock";
/// Name of the file with the key that signs vouchers.
const KEY: &str = "voucher.key";
/// Name of the file with the password of the engines.
const PASSWORD: &str = "engine.password";
/// Only its owner may read a secret.
const KEY_MODE: u32 = 0o600;

/// A data directory that is ours until this value is dropped, or the process dies.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Takes the directory, making it where it is missing. Fails if another mesh has it.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        // The stores hold secret seeds: nobody else may read them.
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.with_context(|| format!("cannot make the data directory {shown}"))?;
        let path = path
            .canonicalize()
            .with_context(|| format!("cannot read the data directory {shown}"))?;
        let lock = OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join(LOCK))
            .with_context(|| format!("cannot write to the data directory {shown}"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!(
                "the data directory {shown} belongs to another mesh that is running: stop it, or choose another with \
                 --data-dir"
            ),
            Err(TryLockError::Error(fault)) => {
                Err(fault).with_context(|| format!("cannot lock the data directory {shown}"))
            }
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// URL of a service's store.
    pub fn store(&self, service: &str) -> String {
        format!("sqlite://{}", self.path.join(service).with_extension("db").display())
    }

    /// The key that signs vouchers, as grab's setting `voucher_keys` has it. Made at the first start and kept: a voucher
    /// outlives a restart.
    pub fn voucher_key(&self) -> anyhow::Result<String> {
        self.secret(KEY, || {
            format!(
                "{}:{}",
                hex::encode(rand::random::<[u8; 4]>()),
                hex::encode(rand::random::<[u8; 32]>())
            )
        })
    }

    /// The file with [`DataDir::voucher_key`].
    pub fn voucher_key_file(&self) -> anyhow::Result<PathBuf> {
        self.voucher_key()?;
        Ok(self.path.join(KEY))
    }

    /// The password of the engines whose data is here. Made at the first start and kept, as they keep it.
    pub fn engine_password(&self) -> anyhow::Result<String> {
        self.secret(PASSWORD, || hex::encode(rand::random::<[u8; 16]>()))
    }

    /// What a file holds, or `make` makes for it.
    fn secret(&self, name: &str, make: impl FnOnce() -> String) -> anyhow::Result<String> {
        let path = self.path.join(name);
        let read = match fs::read_to_string(&path) {
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => self.keep(&path, make()),
            read => read,
        };
        let secret = read.with_context(|| format!("the secret in {}", path.display()))?;
        Ok(secret.trim().to_owned())
    }

    /// Whole or not at all: a crash leaves no half of a secret.
    fn keep(&self, path: &Path, secret: String) -> io::Result<String> {
        let unfinished = path.with_extension("new");
        // What a crash left may have any mode.
        fs::remove_file(&unfinished).or_else(|fault| match fault.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(fault),
        })?;
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(KEY_MODE)
            .open(&unfinished)?;
        file.write_all(secret.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(&self.path)?.sync_all()?;
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_mesh_at_a_time_has_a_directory() {
        let dir = testkit::Dir::new();
        let path = dir.path().join("made/on/the/way");
        let first = DataDir::take(&path).unwrap();
        let refused = DataDir::take(&path).unwrap_err().to_string();
        assert!(
            refused.contains("another mesh") && refused.contains("--data-dir"),
            "{refused}"
        );
        drop(first);
        DataDir::take(&path).unwrap();
    }

    #[test]
    fn the_key_is_made_once_and_nobody_else_may_read_it() {
        let dir = testkit::Dir::new();
        let data = DataDir::take(dir.path()).unwrap();
        let key = data.voucher_key().unwrap();
        assert_eq!(data.voucher_key().unwrap(), key);
        let (id, secret) = key.split_once(':').unwrap();
        assert!(!id.is_empty() && secret.len() == 64, "{key}");
        let mode = fs::metadata(dir.path().join(KEY)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, KEY_MODE);
    }
}
