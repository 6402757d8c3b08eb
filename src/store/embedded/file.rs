//! The database file: where it lies, who may read it, how it is opened, and opened again.

use super::tables::{self, Trouble};
use crate::store::StoreError;
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, WriteTransaction, backends::InMemoryBackend,
};
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Pages held in memory. The operating system caches the file anyway, so this stays small.
const CACHE: usize = 2 << 20;

/// An open database; `None` in place of the path: in memory.
pub(super) struct File {
    path: Option<PathBuf>,
    database: RwLock<Option<Database>>,
}

impl File {
    /// Opens the file, creating it and its folders for nobody but us.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, StoreError> {
        let opened = match &path {
            Some(path) => prepare(path).map_err(DatabaseError::from).and_then(|()| builder().create(path)),
            None => builder().create_with_backend(InMemoryBackend::new()),
        };
        let file = Self { path, database: RwLock::default() };
        let database = opened.map_err(|error| file.failed(Trouble::from(error)))?;
        *file.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        Ok(file)
    }

    /// A view of the last commit.
    pub(super) fn read(&self) -> Result<ReadTransaction, Trouble> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(Trouble::Closed)?.begin_read()?)
    }

    /// A transaction whose commit returns when it is on disk.
    pub(super) fn write(&self) -> Result<WriteTransaction, Trouble> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(database.as_ref().ok_or(Trouble::Closed)?.begin_write()?)
    }

    /// After a failed read or write redb refuses all work until the file is opened anew: a disk
    /// that was full for a while must not need a restart. What is in memory cannot fail so.
    pub(super) fn reopen(&self) {
        let Some(path) = &self.path else { return };
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *database = None;
        *database = builder().open(path).ok();
    }

    /// `trouble` as the callers of the store see it, with the name of the file.
    pub(super) fn failed(&self, trouble: Trouble) -> StoreError {
        let name = self.path.as_deref().unwrap_or(Path::new("memory:")).display();
        match trouble {
            Trouble::Corrupt(kind) => StoreError::Corrupt(format!("{kind} in {name}")),
            Trouble::Closed => StoreError::Unavailable(format!("{name}: it could not be opened again after a failure")),
            Trouble::Version(found) => StoreError::Unavailable(format!(
                "{name}: it has format {found}, this version knows format {}",
                tables::FORMAT
            )),
            Trouble::Redb(redb::Error::DatabaseAlreadyOpen) => StoreError::Unavailable(format!(
                "{name}: another process has it open; an embedded store belongs to one"
            )),
            Trouble::Redb(error) => StoreError::Unavailable(format!("{name}: {error}")),
        }
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// Makes folders that only we may enter and a file that only we may read: it holds the tag key.
fn prepare(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    // The name of a new file is on disk only when its folder is.
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::embedded::tables::META;

    /// A disk that was full for a while must not need a restart.
    #[test]
    fn a_file_can_be_opened_again_while_somebody_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = File::open(Some(folder.path().join("a.redb"))).unwrap();
        let transaction = file.write().unwrap();
        transaction.open_table(META).unwrap().insert("a", b"b".as_slice()).unwrap();
        transaction.commit().unwrap();
        let reading = file.read().unwrap();
        file.reopen();
        drop(reading);
        if file.read().is_err() {
            file.reopen();
        }
        let table = file.read().unwrap().open_table(META).unwrap();
        assert_eq!(table.get("a").unwrap().unwrap().value(), b"b");
    }

    #[test]
    fn a_file_that_is_gone_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/a.redb");
        let file = File::open(Some(path.clone())).unwrap();
        std::fs::remove_dir_all(folder.path().join("x")).unwrap();
        file.reopen();
        let Err(trouble) = file.read() else { panic!("it is gone") };
        assert!(file.failed(trouble).to_string().contains("a.redb"));
    }
}
