//! What can be undone and done again, of whatever has an inverse; without limit.

/// Something that can be taken back and made again.
pub trait Inverse: Clone {
    /// What takes it back.
    fn inverse(&self) -> Self;

    /// As it is made once more.
    fn again(&self) -> Self {
        self.clone()
    }
}

/// What was done and undone, the newest last.
#[derive(Debug, Clone, PartialEq)]
pub struct History<E> {
    done: Vec<E>,
    undone: Vec<E>,
}

impl<E> Default for History<E> {
    fn default() -> Self {
        Self { done: Vec::new(), undone: Vec::new() }
    }
}

impl<E: Inverse> History<E> {
    /// An edit was made: what was undone before cannot be done again.
    pub fn made(&mut self, edit: E) {
        self.undone.clear();
        self.done.push(edit);
    }

    /// The edit that undoes the last one.
    pub fn undo(&mut self) -> Option<E> {
        let last = self.done.pop()?;
        let inverse = last.inverse();
        self.undone.push(last);
        Some(inverse)
    }

    /// The edit that was undone last, to be made again.
    pub fn redo(&mut self) -> Option<E> {
        let edit = self.undone.pop()?;
        let again = edit.again();
        self.done.push(edit);
        Some(again)
    }

    /// Edits that can be undone, and that can be done again.
    pub fn depth(&self) -> (usize, usize) {
        (self.done.len(), self.undone.len())
    }
}
