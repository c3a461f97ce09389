//! Where programs are.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::Fault;

/// Where servers are that are not on everyone's path.
const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
/// Where Debian keeps `PostgreSQL`: a directory for each version.
const POSTGRES: &str = "/usr/lib/postgresql";

/// Finds one of `names` on the path or where servers are.
pub fn find(names: &[&'static str], package: &'static str) -> Result<PathBuf, Fault> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places: Vec<_> = env::split_paths(&path).chain(SYSTEM.map(PathBuf::from)).collect();
    names
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.join(name)))
        .find(|program| program.is_file())
        .ok_or(Fault::Missing {
            program: names.first().copied().unwrap_or_default(),
            package,
        })
}

/// Finds a program of `PostgreSQL`: Debian's newest, or what is on the path. Debian's own wrappers on the path, which know
/// only the clusters of the system, come last.
pub fn find_postgres(name: &'static str) -> Result<PathBuf, Fault> {
    let version = |dir: &Path| -> Option<u32> { dir.file_name()?.to_str()?.parse().ok() };
    let mut versions: Vec<_> = fs::read_dir(POSTGRES)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|dir| dir.join("bin/postgres").is_file() && dir.join("bin").join(name).is_file())
        .collect();
    versions.sort_by_key(|dir| version(dir));
    match versions.pop() {
        Some(newest) => Ok(newest.join("bin").join(name)),
        None => find(&[name], "PostgreSQL; Debian: postgresql"),
    }
}
