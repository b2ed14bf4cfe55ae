//! Commands as data: one enum gives each its text, tooltip, shortcut, page and word in the settings. Menus, the palette, the shortcuts
//! and the tests all read it; whether a command makes sense now its page says, and nothing here draws or does anything.

use super::choice::{GallerySort, Page, ThemeChoice};
use super::language::{Language, look_up};
use crate::domain::{CellClass, KEYED, UNIDENTIFIED};
use crate::inference::Provider;
use crate::workflow::Export;
use egui::{Key, KeyboardShortcut, Modifiers};
use std::sync::LazyLock;
use strum::{EnumIter, IntoEnumIterator as _, IntoStaticStr};

/// What the user can ask the window to do. What each one is, its row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Command {
    OpenFolder,
    OpenImage,
    OpenPath,
    DemoSlide,
    WatchFolder,
    Export(Export),
    OpenModel,
    UseBundledModel,
    Classify,
    CancelJob,
    Resume,
    ToggleCells,
    Accept,
    OtherLabel,
    NextUnreviewed,
    NextFlagged,
    SelectAll,
    DrawSquares,
    ToggleMap,
    ToggleHeat,
    NoWhiteCell,
    ToggleRejected,
    TakeBack,
    ToggleDifferential,
    SignOff,
    Amend,
    EditRanges,
    TrainOnReviewed,
    EvaluateOnReviewed,
    Undo,
    Redo,
    ChooseEvaluation,
    Evaluate,
    StopEvaluation,
    ExportEvaluation,
    Calibrate,
    UseCalibratedModel,
    ChooseOther,
    CompareModels,
    ChooseDataset,
    LookAtData,
    StartTraining,
    PauseTraining,
    StopTraining,
    UseTrainedModel,
    PreviousModel,
    ClearFilter,
    FocusFilter,
    FitImage,
    LargerTiles,
    SmallerTiles,
    Label(u8),
    Go(Page),
    Sort(GallerySort),
    Theme(ThemeChoice),
    #[strum(serialize = "Speak")]
    SetLanguage(Language),
    UseProvider(Provider),
    Palette,
    Guide,
    Keyboard,
    SelfCheck,
    Log,
    About,
    Quit,
}

/// Who answers a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandOwner {
    /// What is around every page.
    Shell,
    /// What concerns several pages at once.
    Window,
    /// One page, whichever is open.
    Page(Page),
    OpenPage,
}

/// The keys of the labels, by their number.
pub const DIGITS: [Key; 10] =
    [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const SHELL: CommandOwner = CommandOwner::Shell;
const WINDOW: CommandOwner = CommandOwner::Window;
const OPEN: CommandOwner = CommandOwner::OpenPage;
const REVIEW: CommandOwner = CommandOwner::Page(Page::Review);
const EVALUATE: CommandOwner = CommandOwner::Page(Page::Evaluate);
const TRAIN: CommandOwner = CommandOwner::Page(Page::Train);

/// What is said of a command. Texts are those of the catalogue, in English.
struct Row {
    owner: CommandOwner,
    /// In menus and the palette; `%{name}` where a command has an argument.
    text: &'static str,
    tooltip: &'static str,
    /// Other words by which the palette finds it.
    synonyms: &'static str,
    keys: Option<(Modifiers, Key)>,
}

const fn row(owner: CommandOwner, text: &'static str, tooltip: &'static str) -> Row {
    Row { owner, text, tooltip, synonyms: "", keys: None }
}

impl Row {
    const fn keys(self, modifiers: Modifiers, key: Key) -> Self {
        Self { keys: Some((modifiers, key)), ..self }
    }

    const fn also(self, synonyms: &'static str) -> Self {
        Self { synonyms, ..self }
    }
}

impl Command {
    /// All of them, in the order of the palette: a variant that is added is in it.
    pub fn all() -> &'static [Self] {
        // Looked through for every key in every frame.
        static ALL: LazyLock<Vec<Command>> = LazyLock::new(|| Command::iter().flat_map(Command::each).collect());
        &ALL
    }

    /// The commands of a variant, whatever it holds.
    fn each(self) -> Vec<Self> {
        match self {
            Self::Label(_) => (0..=KEYED).filter_map(|n| u8::try_from(n).ok()).map(Self::Label).collect(),
            Self::Export(_) => Export::all().map(Self::Export).collect(),
            Self::Go(_) => Page::iter().map(Self::Go).collect(),
            Self::Sort(_) => GallerySort::iter().map(Self::Sort).collect(),
            Self::Theme(_) => ThemeChoice::iter().map(Self::Theme).collect(),
            Self::SetLanguage(_) => Language::iter().map(Self::SetLanguage).collect(),
            Self::UseProvider(_) => Provider::ALL.map(Self::UseProvider).to_vec(),
            other => vec![other],
        }
    }

    /// Its word in the settings, as version 0.1.0 wrote it: read in any case.
    pub fn word(self) -> String {
        let name: &'static str = self.into();
        match self {
            Self::Export(export) => export.setting().into(),
            Self::Label(n) => format!("{name}({n})"),
            Self::Go(page) => format!("{name}({})", <&str>::from(page)),
            Self::Sort(order) => format!("{name}({})", <&str>::from(order)),
            Self::Theme(theme) => format!("{name}({})", <&str>::from(theme)),
            Self::SetLanguage(language) => format!("{name}({})", <&str>::from(language)),
            Self::UseProvider(provider) => format!("{name}({})", provider.as_str()),
            _ => name.into(),
        }
    }

    /// Its row: everything that is said of it stands here, and only here.
    fn row(self) -> Row {
        match self {
            Self::OpenFolder => {
                row(REVIEW, "Open Folder…", "Classify every image in a folder and the folders below it")
                    .keys(CTRL, Key::O)
                    .also("directory import load")
            }
            Self::OpenImage => row(REVIEW, "Open Image…", "Classify one or several images")
                .keys(CTRL_SHIFT, Key::O)
                .also("image photo file load"),
            Self::OpenPath => row(SHELL, "Open Path…", "Type or paste the path of an image or folder")
                .keys(CTRL, Key::L)
                .also("paste"),
            Self::DemoSlide => {
                row(REVIEW, "Demo Slide", "A slide that the program draws itself, with cells of all five classes")
                    .keys(CTRL, Key::D)
                    .also("example sample")
            }
            Self::WatchFolder => row(REVIEW, "Watch Folder…", "Classify images as a camera writes them into a folder")
                .also("camera live monitor"),
            Self::OpenModel => row(WINDOW, "Open Model…", "Classify with another model file (ONNX)")
                .keys(CTRL, Key::M)
                .also("load ONNX network"),
            Self::UseBundledModel => {
                row(WINDOW, "Use Bundled Model", "Classify with the model inside the program").also("default reset")
            }
            Self::Classify => {
                row(REVIEW, "Classify", "Classify what is open again, with the present model and provider")
                    .keys(Modifiers::NONE, Key::F5)
                    .also("run analyse analyze again")
            }
            Self::CancelJob => row(REVIEW, "Cancel", "Stop after the present image; what is done stays")
                .keys(CTRL, Key::Period)
                .also("stop abort"),
            Self::Resume => {
                row(REVIEW, "Resume", "Classify the images that a stopped run did not come to").also("continue")
            }
            Self::ToggleCells => {
                row(REVIEW, "All Cells of a Field", "Every white cell of a field, or only the most evident one")
                    .also("field single")
            }
            Self::Accept => row(REVIEW, "Accept", "The label shown is right: confirm it and go on to the next (Space)")
                .keys(Modifiers::NONE, Key::Space)
                .also("confirm ok"),
            Self::OtherLabel => {
                row(REVIEW, "Other Label…", "Type any label, such as blast: what the model cannot name a person can")
                    .keys(Modifiers::NONE, Key::L)
                    .also("class name custom")
            }
            Self::NextUnreviewed => row(REVIEW, "Next Unreviewed", "Go to the next cell that nobody has looked at")
                .keys(Modifiers::NONE, Key::Tab)
                .also("skip"),
            Self::NextFlagged => row(
                REVIEW,
                "Next Flagged",
                "Go to the next cell that the model cannot name, doubts, or has learnt nothing like",
            )
            .keys(Modifiers::NONE, Key::F)
            .also("unsure doubt"),
            Self::SelectAll => {
                row(REVIEW, "Select All", "Choose every tile that is shown").keys(CTRL, Key::A).also("choose")
            }
            Self::DrawSquares => row(
                REVIEW,
                "Draw and Move Squares",
                "On the image: drag a square to move it, its corner to size it, elsewhere to add a cell",
            )
            .keys(Modifiers::NONE, Key::E)
            .also("edit boxes rectangle crop"),
            Self::ToggleMap => row(
                REVIEW,
                "Map of Cells",
                "Cells that the model sees alike lie together; draw around a group to choose it",
            )
            .keys(Modifiers::NONE, Key::M)
            .also("embedding t-SNE cluster similar"),
            Self::ToggleHeat => {
                row(REVIEW, "Where the Model Looked", "A heat map over the chosen cell: what spoke for the class")
                    .keys(Modifiers::NONE, Key::H)
                    .also("heat map explain saliency activation")
            }
            Self::NoWhiteCell => {
                row(REVIEW, "Not a White Cell", "The chosen square holds no white cell: it is left out of the count")
                    .keys(Modifiers::NONE, Key::Delete)
                    .also("reject artefact delete")
            }
            Self::ToggleRejected => row(
                REVIEW,
                "Show Rejected Places",
                "On the image: the places that were looked at and show no white cell, dashed; click one to take it back",
            )
            .keys(Modifiers::NONE, Key::R)
            .also("candidates finder missed"),
            Self::TakeBack => row(
                REVIEW,
                "Take a Place Back",
                "The least doubtful of the rejected places is a white cell after all: it becomes a cell that you can label",
            )
            .keys(Modifiers::NONE, Key::T)
            .also("restore rejected missed cell"),
            Self::ToggleDifferential => row(REVIEW, "Differential", "Show the differential below the gallery, or not")
                .keys(CTRL, Key::B)
                .also("count percent table"),
            Self::SignOff => row(REVIEW, "Sign…", "Sign the case: what is signed is locked")
                .keys(CTRL, Key::Enter)
                .also("finish report approve release"),
            Self::Amend => row(REVIEW, "Amend…", "Open what was signed; signing again makes the next version")
                .keys(Modifiers::NONE, Key::A)
                .also("correct unlock reopen"),
            Self::EditRanges => {
                row(REVIEW, "Reference Ranges…", "The laboratory's own reference ranges, by age and sex")
                    .also("normal values limits")
            }
            Self::TrainOnReviewed => row(
                REVIEW,
                "Train on Reviewed Cells",
                "Adapt the model to this laboratory: train on the cells that were reviewed here",
            )
            .also("retrain adapt fine-tune"),
            Self::EvaluateOnReviewed => {
                row(REVIEW, "Evaluate on Reviewed Cells", "How good the model is on the cells that were reviewed here")
                    .also("accuracy test")
            }
            Self::Undo => row(OPEN, "Undo", "Take the last correction back").keys(CTRL, Key::Z).also("back"),
            Self::Redo => {
                row(OPEN, "Redo", "Make the correction again that was taken back").keys(CTRL, Key::Y).also("again")
            }
            Self::ChooseEvaluation => row(
                EVALUATE,
                "Choose Images to Evaluate…",
                "A folder with a folder per class, to see how good the model is on it",
            )
            .also("dataset labelled folder"),
            Self::Evaluate => {
                row(EVALUATE, "Start Evaluating", "Classify the labelled images and score the model in use on them")
                    .also("accuracy confusion matrix validate test")
            }
            Self::StopEvaluation => row(EVALUATE, "Stop Evaluating", "Stop; nothing is scored"),
            Self::ExportEvaluation => row(
                EVALUATE,
                "Export Report…",
                "Write report.html, report.json, report.txt, predictions.csv, confusion.svg and confusion.png",
            )
            .also("save HTML JSON CSV"),
            Self::Calibrate => row(
                EVALUATE,
                "Calibrate",
                "Fit confidences and a threshold below which no label is given, on these images; writes a new model",
            )
            .also("temperature threshold confidence"),
            Self::UseCalibratedModel => {
                row(WINDOW, "Use Calibrated Model", "Classify with the model that was just calibrated")
            }
            Self::ChooseOther => {
                row(EVALUATE, "Choose the Other Model…", "A model file (ONNX) to hold against the one in use")
            }
            Self::CompareModels => row(
                EVALUATE,
                "Compare Models",
                "Evaluate the other model on the same images: difference, and images where exactly one is right",
            )
            .also("difference McNemar"),
            Self::ChooseDataset => {
                row(TRAIN, "Choose Labelled Images…", "A folder with a folder per class").also("folder labelled")
            }
            Self::LookAtData => {
                row(TRAIN, "Look at the Data", "Count the classes, find near-duplicates, split; nothing is trained")
                    .also("check duplicates split")
            }
            Self::StartTraining => {
                row(TRAIN, "Start Training", "Train with the recipe chosen; a checkpoint is kept all the time")
                    .also("retrain fit learn")
            }
            Self::PauseTraining => row(TRAIN, "Pause Training", "Hold training, or let it go on").also("hold"),
            Self::StopTraining => {
                row(TRAIN, "Stop Training", "Stop; the best epoch so far is kept as a model").also("abort")
            }
            Self::UseTrainedModel => {
                row(WINDOW, "Use This Model", "Classify with the model that was just trained").also("apply")
            }
            Self::PreviousModel => row(
                WINDOW,
                "Back to the Model Before",
                "Classify with the model that was in use before the trained one",
            )
            .also("revert"),
            Self::ClearFilter => row(REVIEW, "Clear Filter", "Show all cells again").also("reset show all"),
            Self::FocusFilter => row(REVIEW, "Filter by Name", "Show only files whose name contains what you type")
                .keys(Modifiers::NONE, Key::Slash)
                .also("search find"),
            Self::FitImage => row(REVIEW, "Fit Image", "Show the whole image").keys(CTRL, Key::Num0).also("zoom reset"),
            Self::LargerTiles => {
                row(REVIEW, "Gallery: Larger", "Show fewer, larger tiles").keys(CTRL, Key::Plus).also("zoom")
            }
            Self::SmallerTiles => {
                row(REVIEW, "Gallery: Smaller", "Show more, smaller tiles").keys(CTRL, Key::Minus).also("zoom")
            }
            // A key belongs to a class, whatever the model: digits, then Alt and a digit.
            Self::Label(n) => {
                let (modifiers, digit) = if n <= 9 { (Modifiers::NONE, n) } else { (Modifiers::ALT, n - 9) };
                row(REVIEW, "Label as %{name}", "Label the cells chosen together, else the one under the pointer if it was moved last, else the chosen one").keys(modifiers, DIGITS[usize::from(digit).min(9)])
            }
            Self::Export(export) => {
                let keys = (export == Export::Labels).then_some((CTRL, Key::E));
                Row { keys, ..row(REVIEW, export.text(), export.tooltip()).also("save write download") }
            }
            Self::Go(page) => {
                row(WINDOW, page.text(), page.tooltip()).keys(CTRL, DIGITS[1 + page as usize]).also("open page")
            }
            Self::Sort(_) => row(REVIEW, "Sort by %{name}", "Order of the gallery").also("order"),
            Self::Theme(_) => row(SHELL, "Theme: %{name}", "Light, dark, or as the system has it")
                .also("dark light appearance colours"),
            Self::SetLanguage(_) => {
                row(SHELL, "Language: %{name}", "The language of the window; files stay as they are")
                    .also("language bahasa")
            }
            Self::UseProvider(_) => {
                row(WINDOW, "Execution Provider: %{name}", "What runs the network; the status bar says what really ran")
                    .also("GPU CPU CUDA device processor")
            }
            Self::Palette => {
                row(SHELL, "Command Palette", "Find any command by name").keys(CTRL, Key::K).also("search commands")
            }
            Self::Guide => row(SHELL, "Guide", "How to use each page, all formats, and what was measured (in English)")
                .also("help manual documentation"),
            Self::Keyboard => {
                row(SHELL, "Keyboard", "All keys on one page").keys(Modifiers::NONE, Key::F1).also("shortcuts keys")
            }
            Self::SelfCheck => {
                row(SHELL, "Self-check", "Check ONNX Runtime, the model and this machine").also("diagnose doctor test")
            }
            Self::Log => row(SHELL, "Log", "What went wrong, and when").also("errors messages"),
            Self::About => row(SHELL, "About", "Version, model and licences").also("version licence"),
            Self::Quit => row(WINDOW, "Quit", "Close the window").keys(CTRL, Key::Q).also("exit close"),
        }
    }

    /// The words in menus and the palette.
    pub fn text(self) -> String {
        look_up(self.row().text).replace("%{name}", &self.argument())
    }

    /// What stands for `%{name}` in its text.
    fn argument(self) -> String {
        match self {
            Self::Label(n) => look_up(CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label)),
            Self::UseProvider(provider) => provider.to_string(),
            Self::Theme(theme) => look_up(theme.text()),
            Self::SetLanguage(language) => language.name().to_owned(),
            Self::Sort(order) => look_up(order.text()),
            _ => String::new(),
        }
    }

    /// Other words by which the palette finds it.
    pub fn synonyms(self) -> String {
        look_up(self.row().synonyms)
    }

    pub fn tooltip(self) -> String {
        look_up(self.row().tooltip)
    }

    /// Its keys, where it has some.
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        self.row().keys.map(|(modifiers, key)| KeyboardShortcut::new(modifiers, key))
    }

    /// Keys that it has besides, as other programs have them.
    pub fn other_shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Redo => Some(KeyboardShortcut::new(CTRL_SHIFT, Key::Z)),
            _ => None,
        }
    }

    /// Who answers it.
    pub fn owner(self) -> CommandOwner {
        self.row().owner
    }

    /// Whether it says what a cell is.
    pub fn labels(self) -> bool {
        matches!(self, Self::Label(_) | Self::Accept | Self::NoWhiteCell | Self::OtherLabel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_command_has_its_own_words_and_no_keys_are_shared() {
        let all = Command::all();
        let texts: BTreeSet<String> = all.iter().map(|c| c.text()).collect();
        assert_eq!(texts.len(), all.len());
        let keys: Vec<_> = all.iter().filter_map(|c| c.shortcut()).map(|k| format!("{k:?}")).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len());
        assert!(all.iter().all(|c| c.tooltip().len() > 10));
    }
}
