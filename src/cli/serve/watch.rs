//! Whether the configuration's files have changed: looked at once a second, by content, so that it
//! works on every file system and for every way of replacing a file (an editor, a ConfigMap's links).

use crate::config;
use crate::secret::Digest;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the files are looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// How long writes may go on after they were noticed.
const SETTLE: Duration = Duration::from_millis(100);

/// The files of a configuration, as they were last seen.
#[derive(Debug)]
pub(super) struct Watch {
    /// The main file; it says which others there are.
    file: PathBuf,
    files: Vec<PathBuf>,
    stamps: Vec<Option<(SystemTime, u64)>>,
    content: Vec<Option<Digest>>,
}

impl Watch {
    /// A watch over `file` and what it includes, as they are now.
    pub(super) fn over(file: &Path) -> Self {
        let files = config::files(file);
        Self { file: file.to_owned(), stamps: stamps(&files), content: contents(&files), files }
    }

    /// Waits until one of the files has changed and settled.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if !self.looks_changed() {
                continue;
            }
            while self.looks_changed() {
                self.stamps = stamps(&self.files);
                tokio::time::sleep(SETTLE).await;
            }
            if self.has_changed() {
                return;
            }
        }
    }

    /// What is there now has been read.
    pub(super) fn seen(&mut self) {
        self.has_changed();
        self.stamps = stamps(&self.files);
    }

    fn looks_changed(&self) -> bool {
        stamps(&self.files) != self.stamps
    }

    /// Whether there is other content than the last time this was asked.
    fn has_changed(&mut self) -> bool {
        let files = config::files(&self.file);
        let content = contents(&files);
        let changed = content != self.content || files != self.files;
        self.files = files;
        self.content = content;
        changed
    }
}

/// Beside each file its folder: that is where an included file appears, and where a file is replaced.
fn stamps(files: &[PathBuf]) -> Vec<Option<(SystemTime, u64)>> {
    let folders = files
        .iter()
        .filter_map(|file| file.parent())
        .map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let paths = files.iter().map(PathBuf::as_path).chain(folders);
    paths.map(|path| std::fs::metadata(path).ok().and_then(|of| Some((of.modified().ok()?, of.len())))).collect()
}

fn contents(files: &[PathBuf]) -> Vec<Option<Digest>> {
    files.iter().map(|file| std::fs::read(file).ok().map(|content| Digest::of(&content))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn content_counts_and_not_the_time_of_a_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, "a").unwrap();
        let mut watch = Watch::over(&file);
        fs::write(&file, "a").unwrap();
        assert!(!watch.has_changed());
        fs::write(&file, "b").unwrap();
        assert!(watch.has_changed());
        assert!(!watch.has_changed(), "reported once");
        fs::remove_file(&file).unwrap();
        assert!(watch.looks_changed() && watch.has_changed());
    }

    #[test]
    fn a_file_that_is_included_from_now_on_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("gateway.toml"), "include = [\"more/*.toml\"]\n").unwrap();
        fs::create_dir(at("more")).unwrap();
        fs::write(at("more/a.toml"), "").unwrap();
        let mut watch = Watch::over(&at("gateway.toml"));
        fs::write(at("more/b.toml"), "").unwrap();
        assert!(watch.has_changed() && !watch.has_changed());
    }

    /// How a `ConfigMap` is replaced: the file stays a link to a link.
    #[test]
    fn a_link_that_is_turned_elsewhere_is_a_change() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["1", "2"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("gateway.toml"), version).unwrap();
        }
        symlink("1", at("data")).unwrap();
        symlink("data/gateway.toml", at("gateway.toml")).unwrap();
        let mut watch = Watch::over(&at("gateway.toml"));
        symlink("2", at("next")).unwrap();
        fs::rename(at("next"), at("data")).unwrap();
        assert!(watch.looks_changed() && watch.has_changed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        fs::write(&file, "a").unwrap();
        let mut watch = Watch::over(&file);
        fs::write(&file, "other").unwrap();
        watch.changed().await;
    }
}
