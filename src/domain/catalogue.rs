//! The one catalogue of cell classes: what each is called and in which spellings, in which order it is read, what it counts as,
//! its key, colour and shape, and its LOINC terms. Every label that comes in (typed, imported, a model's, a folder's) is looked
//! up here; what is not found stands for itself, in one spelling.
//!
//! Pure text and numbers: nothing is drawn here, and no model is known.

/// What a label counts as in a differential (CLSI H20-Ed3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// One of the white cells that make up the 100 %.
    Counted,
    /// Outside the 100 %, given per 100 white cells (nucleated red cells, smudge cells).
    Outside,
    /// No white cell: nothing to count.
    NotACell,
    /// A cell that nobody can name.
    Unidentified,
}

/// The shape of a class' mark, so that colour never stands alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A disc.
    Circle,
    Square,
    /// A triangle that points up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A five-pointed star.
    Star,
    Plus,
    Cross,
    /// A triangle that points down.
    Down,
    Hexagon,
    Ring,
}

/// The terms of LOINC for a class in blood; none where LOINC has none that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loinc {
    /// Share of the leukocytes, or per 100 of them.
    pub percent: Option<&'static str>,
    /// Count in a volume.
    pub absolute: Option<&'static str>,
}

/// A class of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellClass {
    /// The one spelling in which it is kept.
    pub label: &'static str,
    /// Other spellings, in any case, singular or plural, with or without "cell": the field's synonyms, the abbreviations of
    /// public datasets (PBC, LISC, Raabin), and Indonesian.
    pub aliases: &'static [&'static str],
    /// What it counts as.
    pub role: Role,
    /// Colour on a dark and on a light ground, sRGB. The five of a differential are Okabe and Ito's hues (2008), which stay apart
    /// for colour-blind eyes, darker on light so that a mark has 3:1.
    pub colour: [[u8; 3]; 2],
    /// Its mark.
    pub shape: Shape,
    pub loinc: Loinc,
}

/// The word of the contract for a cell that nobody can name.
pub const UNIDENTIFIED: &str = "unidentified";
/// A square that holds no white cell, whatever it holds.
pub const NOT_A_WHITE_CELL: &str = "not a white cell";
/// Nucleated red cells, which correct the white cell count.
pub const NUCLEATED_RED_CELL: &str = "nucleated red cell";
/// Classes that have a key of their own: 1 to 9, then Alt and 1 to 7, in the order of [`CLASSES`].
pub const KEYED: usize = 16;

const NO_LOINC: Loinc = Loinc { percent: None, absolute: None };

const fn loinc(percent: &'static str, absolute: &'static str) -> Loinc {
    Loinc { percent: Some(percent), absolute: Some(absolute) }
}

const fn class(
    label: &'static str,
    role: Role,
    colour: [[u8; 3]; 2],
    shape: Shape,
    loinc: Loinc,
    aliases: &'static [&'static str],
) -> CellClass {
    CellClass { label, aliases, role, colour, shape, loinc }
}

const GREY: [[u8; 3]; 2] = [[0x9a, 0xa0, 0xa8], [0x6b, 0x70, 0x78]];

/// All classes, in the order in which a laboratory reads them. The first [`KEYED`] have keys.
pub const CLASSES: &[CellClass] = &[
    class(
        "neutrophil",
        Role::Counted,
        [[0x00, 0xb0, 0x80], [0x00, 0x80, 0x5c]],
        Shape::Circle,
        loinc("26511-6", "26499-4"),
        &[
            "neut",
            "neutro",
            "ne",
            "neu",
            "sne",
            "ngs",
            "seg",
            "segmented",
            "segmented neutrophil",
            "segmented neutro",
            "segment",
            "seg neutrophil",
            "neutrophil seg",
            "neutrophil segment",
            "neutrophil segmented",
            "polymorphonuclear",
            "pmn",
            "polymorph",
            "neutrophil granulocyte",
            "neutrophilic granulocyte",
            "neutrofil",
            "netrofil",
            "neutrofil segmen",
            "segmen",
            "neutrocyte",
        ],
    ),
    class(
        "lymphocyte",
        Role::Counted,
        [[0x3d, 0x9c, 0xe0], [0x00, 0x66, 0xa6]],
        Shape::Square,
        loinc("26478-8", "26474-7"),
        &["lymph", "lympho", "ly", "lym", "lyt", "limfosit", "lymphosit"],
    ),
    class(
        "monocyte",
        Role::Counted,
        [[0x9b, 0x86, 0xe0], [0x6a, 0x4f, 0xbd]],
        Shape::Triangle,
        loinc("26485-3", "26484-6"),
        &["mono", "mo", "mon", "monosit"],
    ),
    class(
        "eosinophil",
        Role::Counted,
        [[0xee, 0x78, 0x1f], [0xc2, 0x53, 0x00]],
        Shape::Diamond,
        loinc("26450-7", "26449-9"),
        &["eosino", "eosi", "eos", "eo", "eosinophil granulocyte", "eosinophilic granulocyte", "eosinofil"],
    ),
    class(
        "basophil",
        Role::Counted,
        [[0xdb, 0x8c, 0xb8], [0xab, 0x4e, 0x82]],
        Shape::Star,
        loinc("30180-4", "26444-0"),
        &["baso", "ba", "bas", "basophil granulocyte", "basophilic granulocyte", "basofil"],
    ),
    class(
        "band neutrophil",
        Role::Counted,
        [[0x7c, 0xc9, 0xa3], [0x3c, 0x7d, 0x5c]],
        Shape::Ring,
        loinc("26508-2", "26507-4"),
        &[
            "band",
            "bne",
            "ngb",
            "stab",
            "stab cell",
            "neutrophil band",
            "band form",
            "band form neutrophil",
            "batang",
            "neutrofil batang",
            "stab neutrophil",
            "nonsegmented neutrophil",
            "rod neutrophil",
        ],
    ),
    class(
        "metamyelocyte",
        Role::Counted,
        [[0xc8, 0xb5, 0x6a], [0x84, 0x6c, 0x12]],
        Shape::Down,
        loinc("28541-1", "30433-7"),
        &["mmy", "mmz", "metamielosit", "metamyelosit", "neutrophilic metamyelocyte"],
    ),
    class(
        "myelocyte",
        Role::Counted,
        [[0xd2, 0xa3, 0x5c], [0x90, 0x60, 0x14]],
        Shape::Hexagon,
        loinc("26498-6", "30446-9"),
        &["mielosit", "myb", "neutrophilic myelocyte", "myelosit"],
    ),
    class(
        "promyelocyte",
        Role::Counted,
        [[0xd7, 0x8f, 0x62], [0x9a, 0x4e, 0x1e]],
        Shape::Plus,
        loinc("26524-9", "26523-1"),
        &["pmy", "pmo", "pmb", "promielosit", "promyelosit"],
    ),
    class(
        "blast",
        Role::Counted,
        [[0xf0, 0x6a, 0x6a], [0xb3, 0x24, 0x24]],
        Shape::Cross,
        loinc("26446-5", "30376-8"),
        &[
            "blast cell",
            "blas",
            "sel blas",
            "myeloblast",
            "lymphoblast",
            "monoblast",
            "mieloblas",
            "limfoblas",
            "myo",
            "mob",
        ],
    ),
    class(
        "atypical lymphocyte",
        Role::Counted,
        [[0x7f, 0xc4, 0xee], [0x2b, 0x6f, 0x9c]],
        Shape::Square,
        loinc("13046-8", "26477-0"),
        &[
            "lya",
            "variant lymphocyte",
            "reactive lymphocyte",
            "lymphocyte atypical",
            "lymphocyte variant",
            "lymphocyte reactive",
            "limfosit atipik",
            "limfosit reaktif",
            "virocyte",
            "downey cell",
            "activated lymphocyte",
            "limfosit plasma biru",
        ],
    ),
    class(
        "plasma cell",
        Role::Counted,
        [[0xb3, 0x9d, 0xd6], [0x6d, 0x51, 0x99]],
        Shape::Hexagon,
        loinc("13047-6", "30458-4"),
        &["plasmacyte", "plasma", "sel plasma", "plasmosit"],
    ),
    class(
        NUCLEATED_RED_CELL,
        Role::Outside,
        [[0xe0, 0x82, 0x82], [0x9c, 0x3c, 0x3c]],
        Shape::Ring,
        Loinc { percent: Some("19048-8"), absolute: None },
        &[
            "nrbc",
            "nucleated red blood cell",
            "nucleated rbc",
            "nucleated erythrocyte",
            "erythroblast",
            "normoblast",
            "erb",
            "ebo",
            "eritroblas",
            "normoblas",
            "orthochromatic erythroblast",
            "orthochromatic normoblast",
            "sel darah merah berinti",
            "eritrosit berinti",
        ],
    ),
    class(
        "smudge cell",
        Role::Outside,
        GREY,
        Shape::Triangle,
        loinc("34992-8", "34993-6"),
        &["smudge", "basket cell", "gumprecht shadow", "smear cell", "ksc", "smudged cell", "sel smudge", "sel basket"],
    ),
    class(
        "platelet",
        Role::NotACell,
        GREY,
        Shape::Diamond,
        NO_LOINC,
        &["plt", "thrombocyte", "platelet clump", "giant platelet", "large platelet", "trombosit", "keping darah"],
    ),
    class(
        NOT_A_WHITE_CELL,
        Role::NotACell,
        GREY,
        Shape::Cross,
        NO_LOINC,
        &[
            "not a wbc",
            "no white cell",
            "not white cell",
            "non white cell",
            "non wbc",
            "no wbc",
            "not a white blood cell",
            "not a leukocyte",
            "no cell",
            "background",
            "bukan sel darah putih",
            "bukan leukosit",
        ],
    ),
    class(
        "immature granulocyte",
        Role::Counted,
        [[0xcd, 0xa4, 0x74], [0x8a, 0x5c, 0x22]],
        Shape::Down,
        Loinc { percent: Some("38518-7"), absolute: None },
        &["ig", "immature gran", "granulosit imatur", "granulosit muda"],
    ),
    class(
        "red cell",
        Role::NotACell,
        GREY,
        Shape::Circle,
        NO_LOINC,
        &["rbc", "red blood cell", "erythrocyte", "eritrosit", "sel darah merah", "reticulocyte"],
    ),
    class(
        "artefact",
        Role::NotACell,
        GREY,
        Shape::Plus,
        NO_LOINC,
        &[
            "artifact",
            "debris",
            "stain",
            "dirt",
            "stain deposit",
            "stain precipitate",
            "precipitate",
            "artefak",
            "kotoran",
            "air bubble",
            "overlap",
        ],
    ),
    class(
        UNIDENTIFIED,
        Role::Unidentified,
        GREY,
        Shape::Square,
        NO_LOINC,
        &[
            "unknown",
            "not identified",
            "unidentifiable",
            "uncertain",
            "tidak teridentifikasi",
            "tidak dikenal",
            "unclassified",
            "not sure",
            "unsure",
            "undefined",
            "unlabelled",
            "unlabeled",
            "wbc",
            "leukocyte",
            "leucocyte",
            "white blood cell",
            "white cell",
            "leukosit",
            "sel darah putih",
        ],
    ),
];

/// Words that say nothing about which class a label is.
const EMPTY_WORDS: [&str; 6] = ["cell", "cells", "sel", "a", "the", "of"];

/// The words of a text in small letters, plurals taken off; with `digits`, numbers are words too.
fn words(text: &str, digits: bool) -> Vec<String> {
    // A mark without a width parts no word.
    let lower = text.chars().filter(|c| c.is_control() || !invisible(*c)).collect::<String>().to_lowercase();
    lower
        .split(|c: char| !(c.is_alphabetic() || (digits && c.is_numeric())))
        .filter(|w| !w.is_empty())
        .map(|w| match w.strip_suffix('s') {
            Some(one) if one.len() > 1 && !one.ends_with('s') => one.to_owned(),
            _ => w.to_owned(),
        })
        .collect()
}

/// What two spellings of a class of the catalogue share.
fn class_key(text: &str) -> String {
    let all = words(text, false);
    let said: Vec<&str> = all.iter().map(String::as_str).filter(|w| !EMPTY_WORDS.contains(w)).collect();
    // "cell" alone, "a cell": nothing is left, and nothing is meant.
    said.concat()
}

/// Puts a blank where a small letter is followed by a capital: "BandNeutrophil".
fn uncamelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut small = false;
    for c in text.chars() {
        if small && c.is_uppercase() {
            out.push(' ');
        }
        small = c.is_lowercase();
        out.push(c);
    }
    out
}

fn by_key() -> &'static std::collections::HashMap<String, &'static CellClass> {
    static TABLE: std::sync::OnceLock<std::collections::HashMap<String, &'static CellClass>> =
        std::sync::OnceLock::new();
    TABLE.get_or_init(|| {
        let spellings =
            |c: &'static CellClass| std::iter::once(&c.label).chain(c.aliases).map(move |s| (class_key(s), c));
        CLASSES.iter().flat_map(spellings).collect()
    })
}

impl CellClass {
    /// The class that a text names, in whatever spelling: case, plural, hyphens, numbers in front ("0 Basophil"), the field's
    /// synonyms. `None` where it names none of the catalogue.
    pub fn find(text: &str) -> Option<&'static Self> {
        if let Some(exact) = CLASSES.iter().find(|c| c.label == text) {
            return Some(exact);
        }
        // Whoever writes "blast?" is not sure that it is one.
        if text.contains('?') {
            let nothing_else = text.chars().all(|c| c == '?' || c.is_whitespace());
            return CLASSES.iter().find(|c| nothing_else && c.label == UNIDENTIFIED);
        }
        let table = by_key();
        let found = |t: &str| table.get(class_key(t).as_str()).copied();
        found(text).or_else(|| found(&uncamelled(text)))
    }

    /// The class of a key, from 1; none where there is none.
    pub fn of_key(number: usize) -> Option<&'static Self> {
        CLASSES.get(number.checked_sub(1)?).filter(|_| number <= KEYED)
    }

    /// The number of its key, from 1; none where it has none.
    pub fn key(&self) -> Option<usize> {
        CLASSES.iter().position(|c| c.label == self.label).map(|i| i + 1).filter(|n| *n <= KEYED)
    }

    /// Its place in a laboratory's list, from 0.
    pub fn rank(&self) -> usize {
        CLASSES.iter().position(|c| c.label == self.label).unwrap_or(CLASSES.len())
    }

    /// Whether it is one of the five of a routine differential.
    pub fn routine(&self) -> bool {
        self.rank() < 5
    }
}

/// Whether a character cannot be seen: control characters, marks that turn the direction of text (Unicode's Bidi_Control), and those
/// without a width. Two texts that differ by one look the same, or another text.
pub fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The longest label that is taken from a table, in characters.
const LONGEST_LABEL: usize = 100;

/// Why a text of a table is not a label, where it is none: it could not be shown, or would fill the screen.
pub fn label_fault(text: &str) -> Option<String> {
    if text.chars().any(invisible) {
        return Some("the label holds control characters, or others that cannot be seen".into());
    }
    let begin: String = text.chars().take(24).collect();
    (text.chars().count() > LONGEST_LABEL)
        .then(|| format!("the label \"{begin}…\" is longer than {LONGEST_LABEL} characters"))
}

/// A text without control characters and with single blanks: what a label that is not in the catalogue stays.
fn tidy(text: &str) -> String {
    // A control character may have parted words; a mark without a width did not.
    let parted = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let visible: String = parted.filter(|c| !invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The spelling in which a label is kept: the catalogue's, or the text itself with single blanks.
pub fn canonical_label(text: &str) -> String {
    CellClass::find(text).map_or_else(|| tidy(text), |c| c.label.to_owned())
}

/// What two spellings of one label share: texts with the same key are the same label.
pub fn label_key(text: &str) -> String {
    match CellClass::find(text) {
        Some(class) => class.label.to_owned(),
        None => {
            // Blanks, hyphens and underscores part words; every other mark belongs to the label.
            let marks: String = text.chars().filter(|c| c.is_ascii_punctuation() && !['-', '_'].contains(c)).collect();
            let joined = words(text, true).concat();
            if joined.is_empty() { tidy(text).to_lowercase() } else { joined + &marks }
        }
    }
}

/// Whether two texts name the same label.
pub fn same_label(a: &str, b: &str) -> bool {
    a == b || label_key(a) == label_key(b)
}

/// The spelling of a label among others: the catalogue's, else that of a known label that it is another spelling of, else its own.
pub fn one_spelling<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    if let Some(class) = CellClass::find(text) {
        return class.label.to_owned();
    }
    let key = label_key(text);
    known.into_iter().find(|k| label_key(k) == key).map_or_else(|| tidy(text), str::to_owned)
}

/// What a label counts as; what is not in the catalogue is taken for a white cell.
pub fn role(label: &str) -> Role {
    CellClass::find(label).map_or(Role::Counted, |c| c.role)
}

/// Place of a label in a laboratory's list; labels that are not in the catalogue come after all that are.
pub fn clinical_rank(label: &str) -> usize {
    CellClass::find(label).map_or(CLASSES.len(), CellClass::rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_leads_to_its_class_and_to_no_other() {
        let mut seen = std::collections::BTreeMap::new();
        for class in CLASSES {
            for spelling in std::iter::once(&class.label).chain(class.aliases) {
                let ending = if spelling.ends_with('s') { "" } else { "s" };
                let plural = format!(" {spelling}{ending} ").to_uppercase();
                for text in [(*spelling).to_owned(), spelling.to_uppercase(), spelling.replace(' ', "_"), plural] {
                    let found = CellClass::find(&text).map(|c| c.label);
                    assert_eq!(found, Some(class.label), "{text}");
                }
                let other = seen.insert(class_key(spelling), class.label);
                assert!(other.is_none_or(|o| o == class.label), "{spelling} is {other:?} and {}", class.label);
            }
        }
    }

    #[test]
    fn what_people_and_datasets_write_is_understood() {
        for (text, label) in [
            ("0 Basophil", "basophil"),
            ("Neutrophils", "neutrophil"),
            ("NEUTROPHIL ", "neutrophil"),
            ("Band_Neutrophils", "band neutrophil"),
            ("BandNeutrophils", "band neutrophil"),
            ("pro-myelocytes", "promyelocyte"),
            ("NRBCs", NUCLEATED_RED_CELL),
            ("Erythroblast", NUCLEATED_RED_CELL),
            ("RBC", "red cell"),
            ("giant platelets", "platelet"),
            ("Unidentified", UNIDENTIFIED),
            ("Not a White Cell", NOT_A_WHITE_CELL),
            ("debris", "artefact"),
            ("limfosit", "lymphocyte"),
            ("Blasts", "blast"),
        ] {
            assert_eq!(canonical_label(text), label, "{text}");
        }
        for own in ["IGX", "Class 1", "7", "hairy cell", "", "cell"] {
            assert!(CellClass::find(own).is_none(), "{own}");
        }
        assert_eq!(canonical_label("  hairy \t cell\u{7} "), "hairy cell");
        assert!(same_label("Hairy-cells", "hairy cell") && !same_label("class 1", "class 2"));
        assert_eq!(one_spelling("HAIRY CELLS", ["blast", "Hairy cell"]), "Hairy cell");
    }

    #[test]
    fn keys_and_order_are_the_laboratorys() {
        let five: Vec<&str> = (1..=5).filter_map(CellClass::of_key).map(|c| c.label).collect();
        assert_eq!(five, ["neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil"]);
        assert_eq!(CellClass::of_key(KEYED).map(|c| c.label), Some(NOT_A_WHITE_CELL));
        assert!(CellClass::of_key(0).is_none() && CellClass::of_key(KEYED + 1).is_none());
        assert!((1..=KEYED).all(|n| CellClass::of_key(n).and_then(CellClass::key) == Some(n)));
        assert_eq!(
            ["Erythroblast", "debris", "blast", "Smudge cells", "hairy cell"].map(role),
            [Role::Outside, Role::NotACell, Role::Counted, Role::Outside, Role::Counted]
        );
        assert!(clinical_rank("hairy cell") > clinical_rank(UNIDENTIFIED));
    }

    #[test]
    fn marks_have_three_to_one_on_both_grounds_and_no_two_look_the_same() {
        // WCAG 2.2, relative luminance and contrast.
        let luminance = |c: [u8; 3]| {
            let linear = |v: u8| {
                let v = f64::from(v) / 255.0;
                if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2])
        };
        let contrast = |a: [u8; 3], b: [u8; 3]| {
            let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
            a.max(b) / a.min(b)
        };
        let mut seen = std::collections::BTreeSet::new();
        for class in CLASSES {
            for (colour, grounds) in class.colour.iter().zip([[[27u8; 3], [38; 3]], [[246; 3], [255; 3]]]) {
                for ground in grounds {
                    let c = contrast(*colour, ground);
                    assert!(c >= 3.0, "{} on {ground:?}: {c:.2}", class.label);
                }
            }
            assert!(
                seen.insert((class.colour, format!("{:?}", class.shape))) || class.role != Role::Counted,
                "{}",
                class.label
            );
        }
    }

    #[test]
    fn a_mark_without_a_width_parts_no_word() {
        assert!(same_label("Aa\u{e0100}S ", "AaS") && same_label("neutro\u{200b}phils", "neutrophil"));
        assert!(same_label("band\tcell", "band cell"), "a control character does");
    }

    proptest::proptest! {
        #[test]
        fn a_label_is_kept_in_one_spelling_and_stays_there(text in "\\PC{0,40}") {
            let once = canonical_label(&text);
            proptest::prop_assert_eq!(canonical_label(&once), once.clone());
            proptest::prop_assert!(same_label(&text, &once));
            proptest::prop_assert_eq!(label_key(&once), label_key(&text));
        }
    }
}
