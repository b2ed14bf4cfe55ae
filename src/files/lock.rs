//! A lock that says who holds it, and a place for what is damaged.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Longest word about a holder that is read.
const MAX_WORDS: u64 = 1000;

/// So long a held lock is tried again.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(150);

/// Why a lock cannot be had; said of whoever has it.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is held, by whoever calls itself so, where it says that.
    #[error("{}", .0.as_deref().unwrap_or("another program"))]
    Held(Option<String>),
    /// There is no telling: what the operating system says.
    #[error("another program ({0})")]
    Unknown(#[from] std::io::Error),
}

/// Held as long as it lives; the system lets it go when the process ends, however that happens.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and writes who holds it into the file.
    ///
    /// # Errors
    /// [`LockError`]: who holds it, or why there is no telling.
    pub fn hold(path: &Path, who: &str) -> Result<Self, LockError> {
        super::make_private(path)?;
        super::keep_private(path);
        let mut file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match patiently(&file) {
            Ok(()) => {
                // Who holds it is a courtesy: the lock is held all the same.
                let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(who.as_bytes()));
                Ok(Self { _file: file })
            }
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut words = String::new();
                let read = file.take(MAX_WORDS).read_to_string(&mut words);
                Err(LockError::Held(Some(words).filter(|w| read.is_ok() && !w.is_empty())))
            }
            Err(std::fs::TryLockError::Error(e)) => Err(e.into()),
        }
    }
}

/// Tries for a moment. A lock that was let go just now may live on in a child process that is being started: it has a copy of the
/// open file until the other program's code takes its place.
fn patiently(file: &File) -> Result<(), std::fs::TryLockError> {
    let until = std::time::Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) if std::time::Instant::now() < until => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            other => return other,
        }
    }
}

/// Moves a file that is not used any more out of the way, beside itself under a name that ends in `word` and a number, and says
/// where to. What SQLite keeps beside it goes too.
///
/// # Errors
/// What the operating system says; nothing is then moved.
pub fn move_aside(path: &Path, word: &str) -> std::io::Result<PathBuf> {
    let named = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let aside = (1..1000)
        .map(|i| named(&format!(".{word}-{i}")))
        .find(|p| !p.exists())
        .ok_or_else(|| std::io::Error::other("too many files that were set aside are here already"))?;
    std::fs::rename(path, &aside)?;
    for ending in ["-wal", "-shm"] {
        let mut to = aside.as_os_str().to_owned();
        to.push(ending);
        match std::fs::rename(named(ending), PathBuf::from(to)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(aside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_holder_is_named_until_it_goes() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.lock");
        let held = Lock::hold(&path, "window 1").expect("free");
        assert_eq!(Lock::hold(&path, "window 2").expect_err("held").to_string(), "window 1");
        drop(held);
        drop(Lock::hold(&path, "window 2").expect("free again"));
        assert_eq!(std::fs::read_to_string(&path).expect("reads"), "window 2");
    }

    #[test]
    fn what_is_damaged_moves_with_what_is_beside_it_and_replaces_nothing() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        for text in ["first", "second"] {
            std::fs::write(&path, text).expect("write");
            std::fs::write(dir.path().join("a.session-wal"), text).expect("write");
            let aside = move_aside(&path, "damaged").expect("moves");
            assert_eq!(std::fs::read_to_string(&aside).expect("reads"), text);
            assert!(!path.exists() && !dir.path().join("a.session-wal").exists());
        }
        assert!(dir.path().join("a.session.damaged-2-wal").exists());
    }
}
