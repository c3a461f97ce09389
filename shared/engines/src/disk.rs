//! A disk that is soon full.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Fault,
    fault::Doing as _,
    home::Home,
    postgres::unprivileged,
    process::{End, Process},
};

/// How long mounting may take.
const WITHIN: Duration = Duration::from_secs(10);
/// Mounts, stays, and takes the disk away at the end, however that comes.
const KEEPER: &str = r#"
trap 'umount -l "$1"; exit 0' QUIT TERM INT
mount -t tmpfs -o "size=$2k,uid=$3,gid=$4,mode=0700" small "$1" || exit 1
while :; do sleep 1000 & wait $!; done
"#;

/// A file system of a few megabytes in memory, mounted for as long as the value lives. Mounting needs root.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    /// Takes the mount away first.
    _keeper: Process,
    _home: Home,
}

impl SmallDisk {
    /// Whether this process may mount disks (`CAP_SYS_ADMIN`, as root has it outside of most containers). If not, it says so on
    /// standard error: a test that ends there has shown nothing.
    pub fn is_possible() -> bool {
        const CAP_SYS_ADMIN: u32 = 21;
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
        let may = bits.is_some_and(|bits| bits >> CAP_SYS_ADMIN & 1 == 1);
        if !may {
            eprintln!("NOT TESTED: a full disk, because mounting one needs root's rights");
        }
        may
    }

    /// A disk of `kib` KiB in a directory of its own. It belongs to whom PostgreSQL runs as.
    pub async fn new(kib: u32) -> Result<Self, Fault> {
        let home = Home::new(None)?;
        let path = home.join("disk");
        crate::home::make(&path)?;
        Self::mount(home, path, kib).await
    }

    /// A disk of `kib` KiB over an empty directory.
    pub async fn over(dir: &Path, kib: u32) -> Result<Self, Fault> {
        Self::mount(Home::new(None)?, dir.to_owned(), kib).await
    }

    async fn mount(home: Home, path: PathBuf, kib: u32) -> Result<Self, Fault> {
        let (uid, gid) = unprivileged().map_or((0, 0), |user| (user.uid, user.gid));
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(&path)
            .args([kib, uid, gid].map(|number| number.to_string()));
        let mut keeper = Process::start("a small disk (mounting needs root)", &keeper, &home.log(), End::Quit)?;
        let device = |path: &Path| fs::metadata(path).map(|found| found.dev()).ok();
        let above = path.parent().and_then(device);
        keeper
            .wait_until("mount", WITHIN, async || device(&path) != above)
            .await?;
        Ok(Self {
            path,
            _keeper: keeper,
            _home: home,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes all the room there is left.
    pub fn fill(&self) -> Result<(), Fault> {
        let mut ballast = File::options()
            .append(true)
            .create(true)
            .open(self.ballast())
            .doing("cannot make the ballast")?;
        let block = [0; 4_096];
        loop {
            match ballast.write_all(&block) {
                Ok(()) => {}
                Err(fault) if fault.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(fault) => return Err(fault).doing("cannot fill the disk"),
            }
        }
    }

    /// Gives back what [`SmallDisk::fill`] took.
    pub fn free(&self) -> Result<(), Fault> {
        fs::remove_file(self.ballast()).doing("cannot free the disk")
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_full_and_has_room_again_and_goes_with_its_value() {
        let disk = SmallDisk::new(256).await.unwrap();
        let (path, file) = (disk.path().to_owned(), disk.path().join("file"));
        fs::write(&file, vec![0; 100_000]).unwrap();
        disk.fill().unwrap();
        let fault = fs::write(disk.path().join("more"), [0; 5_000]).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::StorageFull);
        disk.free().unwrap();
        fs::write(disk.path().join("more"), [0; 5_000]).unwrap();
        drop(disk);
        assert!(!path.exists());
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(path.to_str().unwrap()), "{mounts}");
    }
}
