//! How many of the counted cells were looked at one by one, how many in bulk, how many by nobody. Pure.

use crate::session::Confirmation;
use serde::{Deserialize, Serialize};

/// Counted cells by how their labels came to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Confirmed {
    pub one_by_one: usize,
    /// Together with others.
    pub bulk: usize,
    /// Taken over from a table.
    pub imported: usize,
    /// By the model alone: nobody has looked.
    pub model: usize,
}

impl Confirmed {
    /// Counts a cell.
    pub fn add(&mut self, how: Option<Confirmation>) {
        let one = match how {
            Some(Confirmation::OneByOne) => &mut self.one_by_one,
            Some(Confirmation::Bulk) => &mut self.bulk,
            Some(Confirmation::Imported) => &mut self.imported,
            None => &mut self.model,
        };
        *one += 1;
    }

    pub fn all(self) -> usize {
        self.one_by_one + self.bulk + self.imported + self.model
    }

    /// "89 of 302 confirmed one by one, 40 in bulk, 173 by the model alone".
    pub fn sentence(self) -> String {
        let mut text = format!("{} of {} confirmed one by one", self.one_by_one, self.all());
        for (n, what) in
            [(self.bulk, "in bulk"), (self.imported, "taken over from a table"), (self.model, "by the model alone")]
        {
            if n > 0 {
                text.push_str(&format!(", {n} {what}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_comes_from_the_counts() {
        let c = Confirmed { one_by_one: 89, bulk: 40, imported: 0, model: 173 };
        assert_eq!(c.sentence(), "89 of 302 confirmed one by one, 40 in bulk, 173 by the model alone");
        assert_eq!(Confirmed { one_by_one: 2, ..Confirmed::default() }.sentence(), "2 of 2 confirmed one by one");
    }
}
