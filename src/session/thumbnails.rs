//! Small images kept on the disk, so that a large folder is seen without decoding it again. A cache: bounded, the longest
//! unused go first, and a damaged one is begun anew. Nothing of the user's work is in it.

use crate::files::{create_folder, display_path, remove_file};
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Bytes of images that are kept.
pub const THUMBNAIL_BYTES: u64 = 512 << 20;
/// After eviction this share of the bound is left.
const LEAVE: (u64, u64) = (4, 5);
/// Images put between two looks at the bound.
const LOOK_EVERY: u32 = 256;

/// Why the cache can neither be opened nor made.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct ThumbnailsError {
    path: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The cache.
#[derive(Debug)]
pub struct Thumbnails {
    inner: Mutex<(Connection, u32)>,
    bound: u64,
}

impl Thumbnails {
    /// Opens or makes it, for at most `bound` bytes of images.
    ///
    /// # Errors
    /// [`ThumbnailsError`].
    pub fn open(path: &Path, bound: u64) -> Result<Self, ThumbnailsError> {
        fn store_error<E: std::error::Error + Send + Sync + 'static>(path: &Path) -> impl Fn(E) -> ThumbnailsError {
            move |e| ThumbnailsError { path: display_path(path), source: e.into() }
        }
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(store_error(folder))?;
        }
        let connection = match connect(path) {
            Ok(c) => c,
            Err(_) => {
                for ending in ["", "-wal", "-shm"] {
                    let mut name = path.as_os_str().to_owned();
                    name.push(ending);
                    remove_file(Path::new(&name)).map_err(store_error(path))?;
                }
                connect(path).map_err(store_error(path))?
            }
        };
        Ok(Self { inner: Mutex::new((connection, 0)), bound })
    }

    /// The image of a key, where there is one.
    pub fn get(&self, key: &[u8; 32]) -> Option<Vec<u8>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || -> rusqlite::Result<Option<Vec<u8>>> {
            let c = &inner.0;
            let mut get = c.prepare_cached("SELECT image, used FROM thumbnail WHERE key = ?1")?;
            let found = get.query_row([key], |r| Ok((r.get::<_, Vec<u8>>(0)?, r.get::<_, i64>(1)?))).optional()?;
            let Some((image, used)) = found else { return Ok(None) };
            let now: i64 = c.query_row("SELECT n FROM clock", [], |r| r.get(0))?;
            // Reading costs no writing but now and then.
            if now - used > 4096 {
                c.prepare_cached("UPDATE thumbnail SET used = ?2 WHERE key = ?1")?.execute(params![key, now])?;
            }
            Ok(Some(image))
        };
        read().ok().flatten()
    }

    /// Keeps an image. What goes wrong is no loss: it is made again.
    pub fn put(&self, key: &[u8; 32], image: &[u8]) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.1 += 1;
        let look = inner.1.is_multiple_of(LOOK_EVERY);
        let bound = self.bound;
        let write = |c: &mut Connection| -> rusqlite::Result<()> {
            let c = c.transaction()?;
            c.execute("UPDATE clock SET n = n + 1", [])?;
            c.prepare_cached(
                "INSERT OR REPLACE INTO thumbnail (key, used, image) VALUES (?1, (SELECT n FROM clock), ?2)",
            )?
            .execute(params![key, image])?;
            if look {
                let held: i64 =
                    c.query_row("SELECT coalesce(sum(length(image)), 0) FROM thumbnail", [], |r| r.get(0))?;
                if held.unsigned_abs() > bound {
                    // The longest unused whose sizes together are what is too much.
                    c.execute(
                        "DELETE FROM thumbnail WHERE key IN (SELECT key FROM (SELECT key, sum(length(image)) OVER (ORDER BY used, key) AS upto FROM thumbnail) WHERE upto <= ?1)",
                        [(held.unsigned_abs() - bound / LEAVE.1 * LEAVE.0).cast_signed()],
                    )?;
                }
            }
            c.commit()
        };
        if let Err(e) = write(&mut inner.0) {
            tracing::warn!("a small image is not kept: {e}");
        }
    }

    /// Bytes of images held, and how many.
    pub fn held(&self) -> (u64, usize) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let read = "SELECT coalesce(sum(length(image)), 0), count(*) FROM thumbnail";
        inner
            .0
            .query_row(read, [], |r| Ok((r.get::<_, i64>(0)?.unsigned_abs(), r.get::<_, u32>(1)? as usize)))
            .unwrap_or_default()
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let c = Connection::open(path)?;
    c.busy_timeout(std::time::Duration::from_millis(200))?;
    c.pragma_update(None, "journal_mode", "WAL")?;
    // A cache may be lost.
    c.pragma_update(None, "synchronous", "OFF")?;
    // Space that eviction frees is used again; the file stays near the bound.
    c.execute_batch(
        "CREATE TABLE IF NOT EXISTS thumbnail (key BLOB PRIMARY KEY, used INTEGER NOT NULL, image BLOB NOT NULL);
         CREATE INDEX IF NOT EXISTS by_use ON thumbnail (used);
         CREATE TABLE IF NOT EXISTS clock (n INTEGER NOT NULL);
         INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);",
    )?;
    // The table of version 0.1.0 has other columns: it is begun anew.
    c.prepare("SELECT key, used, image FROM thumbnail")?;
    Ok(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unused_go_and_a_damaged_cache_is_begun_anew() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("cache/thumbnails.sqlite");
        let key = |i: u32| {
            let mut k = [0; 32];
            k[..4].copy_from_slice(&i.to_le_bytes());
            k
        };
        let bound = 300_000;
        let cache = Thumbnails::open(&path, bound).expect("opens");
        for i in 0..1024 {
            cache.put(&key(i), &[7; 1000]);
        }
        let (bytes, n) = cache.held();
        assert!(bytes <= bound && n >= 200, "{bytes} {n}");
        assert!(cache.get(&key(0)).is_none() && cache.get(&key(1023)) == Some(vec![7; 1000]));
        drop(cache);
        std::fs::write(&path, "no database, but long enough to be taken for one by somebody who only looks")
            .expect("write");
        let cache = Thumbnails::open(&path, bound).expect("opens again");
        assert_eq!(cache.held(), (0, 0));
        cache.put(&key(1), &[1]);
        assert_eq!(cache.get(&key(1)), Some(vec![1]));
        drop(cache);
        std::fs::remove_file(&path).expect("removed");
        let older = Connection::open(&path).expect("opens");
        older
            .execute_batch(
                "CREATE TABLE thumbnail (key BLOB PRIMARY KEY, used INTEGER NOT NULL, picture BLOB NOT NULL)",
            )
            .expect("made");
        drop(older);
        let cache = Thumbnails::open(&path, bound).expect("opens what 0.1.0 wrote");
        cache.put(&key(2), &[2]);
        assert_eq!(cache.get(&key(2)), Some(vec![2]));
    }
}
