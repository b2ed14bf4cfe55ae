//! How a session is opened: for writing, for reading alone, or set aside where it is damaged; and what is said about it.

use super::opening::{Kind, OpenFailure, kind, network_note, read_only, writing};
use super::record::told;
use super::rescue::rescue;
use super::store::{Store, StoreError};
use crate::files::{Lock, absolute, create_folder, display_path, is_file, keep_private, make_private, move_aside};
use std::path::{Path, PathBuf};

/// An opened session, and what the user should know about how it was opened.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    /// What was said: set aside, read-only and why, signed things that were changed.
    pub said: Vec<String>,
    /// Where a damaged file was put, where there was one.
    pub set_aside: Option<PathBuf>,
}

/// What is done about a damaged session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnDamage {
    /// It is put aside and a new one begun with what can be read of it.
    SetAside,
    /// Nothing is opened, and the file left where it is.
    Refuse,
}

impl Store {
    /// Opens or makes a session. `who` is shown to whoever opens it meanwhile. A damaged session is set aside and a new one
    /// begun; one that somebody else has open, that may only be read, or of a newer version, is opened for reading alone.
    /// Each is said.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] for a file that never was a session; when it can neither be opened nor made.
    pub fn open(path: &Path, who: &str) -> Result<Opened, StoreError> {
        Self::open_as(path, who, OnDamage::SetAside)
    }

    /// As [`Store::open`], but a damaged session is left alone.
    ///
    /// # Errors
    /// Also [`StoreError::Damaged`].
    pub fn open_undamaged(path: &Path, who: &str) -> Result<Opened, StoreError> {
        Self::open_as(path, who, OnDamage::Refuse)
    }

    fn open_as(path: &Path, who: &str, on_damage: OnDamage) -> Result<Opened, StoreError> {
        let path = &absolute(path);
        let shown = display_path(path);
        let store_error = |e: &dyn std::fmt::Display| StoreError::Sqlite(shown.clone(), e.to_string());
        let reading = |why: String| {
            let mut store = Self::reading(path, why.clone())?;
            let mut said = vec![format!("This session is opened for reading only: {why}")];
            said.extend(store.doubts()?);
            Ok(Opened { store, said, set_aside: None })
        };
        // Looked at before anything is made beside it.
        let was = kind(path);
        if let Kind::Foreign(what) = was {
            return Err(StoreError::Foreign(shown, what));
        }
        if let Some(folder) = path.parent() {
            create_folder(folder).map_err(|e| store_error(&e))?;
        }
        let lock = match Lock::hold(&path.with_extension("lock"), who) {
            Ok(lock) => lock,
            // Nobody else: the folder itself cannot be written to.
            Err(holder) if !crate::files::can_write_beside(path) => {
                return reading(format!("its folder cannot be written to ({holder})"));
            }
            Err(_) if is_file(path) && !crate::files::can_write(path) => {
                return reading("you may not write to its file".into());
            }
            Err(holder) => return reading(format!("{holder} has it open")),
        };
        let mut said = Vec::new();
        let mut set_aside = None;
        make_private(path).map_err(|e| store_error(&e))?;
        for ending in ["", "-wal", "-shm", "-journal"] {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            keep_private(Path::new(&name));
        }
        let opened = match was {
            Kind::Damaged(e) => Err(OpenFailure::Damaged(e)),
            _ => writing(path).map(|(c, _)| c),
        };
        let connection = match opened {
            Ok(connection) => connection,
            Err(OpenFailure::Newer(version)) => {
                return reading(format!(
                    "it was written by a newer version of the program (its tables are of version {version})"
                ));
            }
            Err(OpenFailure::ReadOnly(_)) => return reading("you may not write to its file".into()),
            Err(OpenFailure::Damaged(e)) if on_damage == OnDamage::Refuse => return Err(StoreError::Damaged(shown, e)),
            Err(OpenFailure::Damaged(e)) => {
                let aside = move_aside(path, "damaged").map_err(|e| store_error(&e))?;
                make_private(path).map_err(|e| store_error(&e))?;
                let (mut connection, _) = writing(path).map_err(|e| store_error(&e))?;
                let rescued = rescue(&aside, &mut connection);
                said.push(format!(
                    "The session {shown} is damaged ({e}). It was set aside as {}, and a new one was begun. {rescued}",
                    display_path(&aside)
                ));
                set_aside = Some(aside);
                connection
            }
            Err(e) => return Err(store_error(&e)),
        };
        let told = told(&connection).map_err(|e| store_error(&e))?;
        let mut store =
            Self { connection, path: path.to_owned(), read_only: None, told, _scratch: None, _lock: Some(lock) };
        said.extend(store.doubts()?);
        said.extend(network_note(path));
        Ok(Opened { store, said, set_aside })
    }

    /// What the user should know of a session whose case is not what its trail says.
    fn doubts(&mut self) -> Result<Option<String>, StoreError> {
        let faults = self.case()?.faults;
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Ok((!words.is_empty()).then(|| {
            format!(
                "The case of this session was changed by something else than this program: {}. What was signed stays locked",
                words.join("; ")
            )
        }))
    }

    /// Opens a session for looking at it, whoever has it.
    ///
    /// # Errors
    /// When it is not there or no session.
    pub fn look(path: &Path) -> Result<Self, StoreError> {
        let shown = display_path(path);
        match kind(path) {
            Kind::Foreign(what) => return Err(StoreError::Foreign(shown, what)),
            Kind::Damaged(e) => return Err(StoreError::Damaged(shown, e)),
            Kind::New if is_file(path) => return Err(StoreError::Foreign(shown, "nothing is in it".into())),
            Kind::New | Kind::Session => {}
        }
        Self::reading(path, "it was opened for looking at it".into())
    }

    fn reading(path: &Path, why: String) -> Result<Self, StoreError> {
        let store_error = |e: rusqlite::Error| match OpenFailure::from(e) {
            OpenFailure::Damaged(e) => StoreError::Damaged(display_path(path), e),
            e => StoreError::Sqlite(display_path(path), e.to_string()),
        };
        let (connection, scratch) = read_only(path).map_err(store_error)?;
        connection.query_row("SELECT count(*) FROM label", [], |_| Ok(())).map_err(store_error)?;
        let told = told(&connection).map_err(store_error)?;
        Ok(Self { connection, path: path.to_owned(), read_only: Some(why), told, _scratch: scratch, _lock: None })
    }
}
