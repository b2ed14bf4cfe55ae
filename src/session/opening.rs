//! Opening the file of a session: whether it is one at all, its tables brought to this version, and the ways to read one that
//! cannot be written. A file that never was a session is left alone.

use crate::files::{ScratchFolder, copy_private, display_path, facts, head, is_file, network_drive, scratch_folder};
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};

/// Version of the tables, in SQLite's `user_version`.
pub(super) const SCHEMA: i64 = 3;
/// SQLite's `application_id` of a session: "LkSs".
const OURS: i32 = 0x4c6b_5373;
/// Where that stands in the file.
const ID_AT: std::ops::Range<usize> = 68..72;
/// How every SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// How SQLite's write-ahead log begins, but for its last bit.
const LOG_MAGIC: [u8; 3] = [0x37, 0x7f, 0x06];
/// As much of a file is looked at to see whether it was a session.
const LOOK: u64 = 1 << 16;
/// Stand in the first page of a session, whatever happened to its header.
const MARKS: [&[u8]; 2] = [b"CREATE TABLE label (", b"CREATE TABLE audit ("];

/// What each version adds to the one before; the first makes a new file.
pub(super) const MIGRATIONS: [&str; 3] = [
    "
    CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE seen (image BLOB PRIMARY KEY, path TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE label (
        image BLOB NOT NULL, cell INTEGER NOT NULL, label TEXT NOT NULL, suggested TEXT NOT NULL,
        PRIMARY KEY (image, cell)
    ) WITHOUT ROWID;
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY, time TEXT NOT NULL, operator TEXT NOT NULL, action TEXT NOT NULL,
        object TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, reason TEXT NOT NULL, version TEXT NOT NULL,
        previous TEXT NOT NULL, hash TEXT NOT NULL
    );
",
    "
    ALTER TABLE label ADD COLUMN x REAL;
    ALTER TABLE label ADD COLUMN y REAL;
    ALTER TABLE label ADD COLUMN side REAL;
    CREATE TABLE result (
        path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, modified INTEGER NOT NULL, image BLOB, width INTEGER,
        height INTEGER, cells BLOB, error TEXT, warnings TEXT NOT NULL, provider TEXT
    ) WITHOUT ROWID;
    CREATE TABLE signature (
        version INTEGER PRIMARY KEY, time TEXT NOT NULL, operator TEXT NOT NULL, reason TEXT NOT NULL, report TEXT NOT NULL
    );
",
    // What each signature was given on: the trail's end, and a digest of everything in the session. And what the file system
    // itself says of a file's last change.
    "
    CREATE TABLE anchor (
        version INTEGER PRIMARY KEY, rows INTEGER NOT NULL, last TEXT NOT NULL, state TEXT NOT NULL
    );
    ALTER TABLE result ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
",
];

/// What a file that should be opened as a session is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// There is none, or nothing is in it.
    New,
    /// A session, as far as can be told before it is opened.
    Session,
    /// A session once, which cannot be opened any more, and why.
    Damaged(String),
    /// Never a session; what it is instead.
    Foreign(String),
}

/// Looks at a file without changing it.
pub(super) fn kind(path: &Path) -> Kind {
    let bytes = match head(path, LOOK) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound || e.kind() == std::io::ErrorKind::NotADirectory => {
            return Kind::New;
        }
        // Opening it says why it cannot be read.
        Err(_) if is_file(path) => return Kind::Session,
        Err(e) => return Kind::Foreign(e.to_string()),
    };
    if bytes.is_empty() {
        return Kind::New;
    }
    if bytes.starts_with(MAGIC) && bytes.get(ID_AT) == Some(&OURS.to_be_bytes()) {
        return Kind::Session;
    }
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let log = head(Path::new(&log), LOOK).unwrap_or_default();
    let marked = |bytes: &[u8]| MARKS.iter().all(|m| bytes.windows(m.len()).any(|w| w == *m));
    let was = || marked(&bytes) || marked(&log) || held_by_us(path) || in_own_folder(path);
    if !bytes.starts_with(MAGIC) {
        // A power cut while the log was copied in: the first page is still in the log, and SQLite reads it from there.
        if log.starts_with(&LOG_MAGIC) && marked(&log) {
            return Kind::Session;
        }
        let broken = "the file does not begin as a session does".to_owned();
        return if was() { Kind::Damaged(broken) } else { Kind::Foreign("it is no SQLite file".into()) };
    }
    // From before sessions bore a mark: the tables tell.
    match read_only(path).and_then(|(c, _scratch)| tables(&c)) {
        Ok(tables) if ["about", "audit", "label", "seen"].iter().all(|t| tables.iter().any(|n| n == t)) => {
            Kind::Session
        }
        Ok(tables) if tables.is_empty() => Kind::New,
        Ok(_) => Kind::Foreign("it is a database of another program".into()),
        Err(e) if was() => Kind::Damaged(e.to_string()),
        Err(e) => Kind::Foreign(e.to_string()),
    }
}

fn tables(c: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut all = c.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    all.query_map([], |r| r.get(0))?.collect()
}

/// Whether the lock beside it was held by this program.
fn held_by_us(path: &Path) -> bool {
    head(&path.with_extension("lock"), 100).is_ok_and(|words| words.starts_with(b"Leukoscope"))
}

/// Whether it lies where this program keeps its sessions.
fn in_own_folder(path: &Path) -> bool {
    crate::files::data_file("sessions").is_some_and(|own| path.starts_with(own))
}

/// Why a file cannot be written to.
#[derive(Debug)]
pub(super) enum OpenFailure {
    /// It cannot be opened any more.
    Damaged(String),
    /// A newer program wrote it.
    Newer(i64),
    ReadOnly(String),
    /// Anything else.
    Other(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenFailure {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(e.to_string()),
            Some(ErrorCode::ReadOnly) => Self::ReadOnly(e.to_string()),
            _ => Self::Other(e),
        }
    }
}

impl std::fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged(e) | Self::ReadOnly(e) => f.write_str(e),
            Self::Newer(v) => write!(f, "its tables are of version {v}"),
            Self::Other(e) => write!(f, "{e}"),
        }
    }
}

/// Sets how a database is written: durable when a change is acknowledged. Machines that share a drive share no memory, which
/// a write-ahead log needs: there a plain journal is used.
pub(super) fn durable(c: &Connection, network: bool) -> rusqlite::Result<()> {
    c.busy_timeout(std::time::Duration::from_secs(5))?;
    if network {
        // A log that another machine's program left cannot be opened with shared memory either.
        c.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        c.pragma_update(None, "journal_mode", "DELETE")?;
        c.pragma_update(None, "locking_mode", "NORMAL")?;
    } else {
        c.pragma_update(None, "journal_mode", "WAL")?;
    }
    c.pragma_update(None, "synchronous", "FULL")
}

/// Opens a session to write, its tables of this version, and says whether they were of an older one.
pub(super) fn writing(path: &Path) -> Result<(Connection, bool), OpenFailure> {
    let mut c = Connection::open(path)?;
    if c.is_readonly("main")? {
        return Err(OpenFailure::ReadOnly("the file may only be read".into()));
    }
    let id: i32 = c.query_row("PRAGMA application_id", [], |r| r.get(0))?;
    let version: i64 = c.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    if version > SCHEMA {
        return Err(OpenFailure::Newer(version));
    }
    // First of all, so that what is made is known as ours at whatever moment its making is interrupted.
    if id != OURS {
        c.pragma_update(None, "application_id", OURS)?;
    }
    durable(&c, network_drive(path).is_some())?;
    let sound: String = c.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if sound != "ok" {
        return Err(OpenFailure::Damaged(sound));
    }
    let change = c.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = change.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    for step in MIGRATIONS.get(usize::try_from(version).unwrap_or(0)..).unwrap_or_default() {
        change.execute_batch(step)?;
    }
    if version < SCHEMA {
        change.pragma_update(None, "user_version", SCHEMA)?;
        super::places::carried_over(&change)?;
    }
    change.commit()?;
    Ok((c, version < SCHEMA))
}

/// Opens a session to read, wherever it lies; the folder is where a copy was read from, where that had to be.
pub(super) fn read_only(path: &Path) -> rusqlite::Result<(Connection, Option<ScratchFolder>)> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let looked = |c: Connection| c.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map(|()| c);
    match Connection::open_with_flags(path, flags).and_then(looked) {
        Ok(c) => Ok((c, None)),
        // On a read-only medium, or in a folder of somebody else's, even a reader cannot make the file of shared memory.
        Err(e)
            if is_file(path)
                && matches!(
                    e.sqlite_error_code(),
                    Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
                ) =>
        {
            if beside(path).iter().any(|p| facts(p).is_some_and(|f| f.bytes > 0)) {
                return copied(path);
            }
            // Nobody writes: taken as it lies there.
            let plain = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let uri = format!("file:{plain}?immutable=1");
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            Ok((Connection::open_with_flags(uri, flags).and_then(looked)?, None))
        }
        Err(e) => Err(e),
    }
}

/// What SQLite keeps of a file beside it: its log, or the journal of a change that was not finished.
fn beside(path: &Path) -> [PathBuf; 2] {
    ["-wal", "-journal"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// A copy of the file and what lies beside it, in a folder of our own, where SQLite may make whatever it needs.
fn copied(path: &Path) -> rusqlite::Result<(Connection, Option<ScratchFolder>)> {
    let store_error = |e: std::io::Error| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN);
        rusqlite::Error::SqliteFailure(code, Some(format!("it has unfinished changes and cannot be copied ({e})")))
    };
    let folder = scratch_folder().map_err(store_error)?;
    let copy = folder.path().join("session");
    let all = || [path.to_owned()].into_iter().chain(beside(path));
    let before: Vec<_> = all().map(|p| facts(&p)).collect();
    for (from, to) in all().zip([copy.clone()].into_iter().chain(beside(&copy))).filter(|(from, _)| is_file(from)) {
        copy_private(&from, &to).map_err(store_error)?;
    }
    if before != all().map(|p| facts(&p)).collect::<Vec<_>>() {
        return Err(store_error(std::io::Error::other("somebody is writing it; try again")));
    }
    let c = Connection::open(&copy)?;
    c.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    c.pragma_update(None, "query_only", true)?;
    Ok((c, Some(folder)))
}

/// What the user is told of a session on a drive of another machine.
pub(super) fn network_note(path: &Path) -> Option<String> {
    network_drive(path).map(|kind| {
        format!(
            "The session {} lies on a network drive ({kind}). Whether it is open on another computer cannot be told for sure there: open it on one at a time",
            display_path(path)
        )
    })
}

/// Whether a mark says that the file is a session; older ones have none.
pub(super) fn marked(c: &Connection) -> rusqlite::Result<bool> {
    c.query_row("PRAGMA application_id", [], |r| r.get::<_, i32>(0)).map(|id| id == OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_a_session_is_taken_for_one() {
        let dir = tempfile::tempdir().expect("temp");
        let at = |name: &str| dir.path().join(name);
        let put = |name: &str, bytes: &[u8]| {
            std::fs::write(at(name), bytes).expect("write");
            kind(&at(name))
        };
        assert_eq!([kind(&at("none")), put("empty", b"")], [Kind::New, Kind::New]);
        assert!(matches!(put("notes.txt", b"notes of mine"), Kind::Foreign(_)));
        assert!(matches!(put("t.csv", b"sha256,cell,label\n"), Kind::Foreign(_)));
        assert!(matches!(kind(dir.path()), Kind::Foreign(_)), "a folder");
        let other = Connection::open(at("other.db")).expect("opens");
        other.execute_batch("CREATE TABLE label (a); CREATE TABLE seen (b)").expect("made");
        drop(other);
        assert!(matches!(kind(&at("other.db")), Kind::Foreign(why) if why.contains("another program")));
        drop(writing(&at("s.session")).expect("made"));
        assert_eq!(kind(&at("s.session")), Kind::Session);
        let whole = std::fs::read(at("s.session")).expect("reads");
        // Its beginning lost, it was a session all the same.
        let mut broken = whole.clone();
        broken[..100].fill(0);
        assert!(matches!(put("broken.session", &broken), Kind::Damaged(_)));
        // All of its first page lost, the lock beside it tells.
        broken[..4096].fill(0);
        assert!(matches!(put("page.session", &broken), Kind::Foreign(_)));
        std::fs::write(at("page.lock"), "Leukoscope, process 7").expect("write");
        assert!(matches!(kind(&at("page.session")), Kind::Damaged(_)));
        // From before there were marks.
        let old = Connection::open(at("old.session")).expect("opens");
        old.execute_batch(MIGRATIONS[0]).expect("made");
        old.pragma_update(None, "user_version", 1).expect("set");
        drop(old);
        assert_eq!(kind(&at("old.session")), Kind::Session);
    }

    #[test]
    fn on_a_network_drive_the_journal_needs_no_shared_memory() {
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("a.session");
        drop(writing(&path).expect("made"));
        let mode = |c: &Connection| c.query_row("PRAGMA journal_mode", [], |r| r.get::<_, String>(0)).expect("reads");
        let c = Connection::open(&path).expect("opens");
        assert_eq!(mode(&c), "wal");
        durable(&c, true).expect("set");
        assert_eq!(mode(&c), "delete");
        c.execute("INSERT INTO about VALUES ('a', 'b')", []).expect("writes");
        assert_eq!(c.query_row("PRAGMA synchronous", [], |r| r.get::<_, i64>(0)).expect("reads"), 2);
        // Others can read it meanwhile, and nothing of a log or of shared memory is left.
        let other = Connection::open(&path).expect("opens");
        assert_eq!(other.query_row("SELECT count(*) FROM about", [], |r| r.get::<_, i64>(0)).expect("reads"), 1);
        assert!(!dir.path().join("a.session-wal").exists() && !dir.path().join("a.session-shm").exists());
    }
}
