//! What a model cannot name of what a laboratory counts. Pure.

use crate::domain::{CLASSES, Role, same_label};

/// Stands for several others; a model that names those needs it not, and one that lacks those lacks it anyway.
const UMBRELLA: &str = "immature granulocyte";

/// The counted classes of the catalogue that these classes lack, in the catalogue's order.
pub fn cannot_name(classes: &[String]) -> Vec<&'static str> {
    let lacks = |label: &str| !classes.iter().any(|c| same_label(c, label));
    CLASSES
        .iter()
        .filter(|c| c.role == Role::Counted && c.label != UMBRELLA)
        .map(|c| c.label)
        .filter(|l| lacks(l))
        .collect()
}

/// "blasts", "plasma cells".
pub fn plural(label: &str) -> String {
    if label.ends_with('s') { label.to_owned() } else { format!("{label}s") }
}

/// "It cannot name band neutrophils, blasts or plasma cells."; nothing where it names all.
pub fn cannot_name_sentence<S: AsRef<str>>(lacking: &[S]) -> Option<String> {
    let names: Vec<String> = lacking.iter().map(|l| plural(l.as_ref())).collect();
    let (last, rest) = names.split_last()?;
    Some(match rest {
        [] => format!("The model cannot name {last}."),
        rest => format!("The model cannot name {} or {last}.", rest.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[&str]) -> Vec<String> {
        all.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_model_lacks_is_computed_from_what_it_names() {
        let five = labels(&["Basophils", "EOS", "lymphocyte", "monocyte", "neutrophil"]);
        assert_eq!(
            cannot_name(&five),
            [
                "band neutrophil",
                "metamyelocyte",
                "myelocyte",
                "promyelocyte",
                "blast",
                "atypical lymphocyte",
                "plasma cell"
            ]
        );
        let with_blasts = [five.clone(), labels(&["Myeloblast"])].concat();
        assert!(!cannot_name(&with_blasts).contains(&"blast"));
        let four = labels(&["eosinophil", "lymphocyte", "monocyte", "neutrophil"]);
        assert_eq!(cannot_name(&four)[0], "basophil");
        assert_eq!(cannot_name_sentence(&["blast"]).as_deref(), Some("The model cannot name blasts."));
        assert_eq!(
            cannot_name_sentence(&["blast", "plasma cell", "basophil"]).as_deref(),
            Some("The model cannot name blasts, plasma cells or basophils.")
        );
        let all: Vec<String> = CLASSES.iter().map(|c| c.label.to_owned()).collect();
        assert_eq!((cannot_name(&all).len(), cannot_name_sentence::<&str>(&[])), (0, None));
    }
}
