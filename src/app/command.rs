//! Commands as data: one enum gives each its text, tooltip, shortcut, page and word in the settings. Menus, the palette, the shortcuts
//! and the tests all read it; whether a command makes sense now its page says, and nothing here draws or does anything.

use super::choice::{GallerySort, Page, ThemeChoice};
use super::language::{Language, look_up, tr};
use crate::domain::{CellClass, KEYED, UNIDENTIFIED};
use crate::inference::Provider;
use crate::workflow::Export;
use egui::{Key, KeyboardShortcut, Modifiers};
use std::sync::LazyLock;
use strum::{EnumIter, IntoEnumIterator as _, IntoStaticStr};

/// What a person can ask the window to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumIter, IntoStaticStr)]
pub enum Command {
    /// Choose a folder.
    OpenFolder,
    /// Choose pictures.
    OpenImage,
    /// Type a path.
    OpenPath,
    /// Draw and open the demo slide.
    DemoSlide,
    /// Choose a folder, and classify pictures as they come into it.
    WatchFolder,
    /// Choose a model file.
    OpenModel,
    /// Go back to the model inside the program.
    UseBundledModel,
    /// Classify what is open again.
    Classify,
    /// Stop the running job.
    CancelJob,
    /// Go on with a run that was stopped.
    Resume,
    /// Switch between every cell of a field and the most evident one.
    ToggleCells,
    /// The label shown is right; on to the next.
    Accept,
    /// Type a label that is not offered.
    OtherLabel,
    /// Go to the next cell that nobody has looked at.
    NextUnreviewed,
    /// Go to the next cell that wants eyes.
    NextFlagged,
    /// Choose everything that is shown.
    SelectAll,
    /// Draw, move and size squares.
    DrawSquares,
    /// Show the map of cells in the gallery's place, or not.
    ToggleMap,
    /// Show where the model looked, or not.
    ToggleHeat,
    /// The chosen square holds no white cell.
    NoWhiteCell,
    /// Show the differential, or not.
    ToggleDifferential,
    /// Sign the case.
    SignOff,
    /// Open what was signed for an amendment.
    Amend,
    /// Change the laboratory's reference ranges.
    EditRanges,
    /// Train on the reviewed cells of this session.
    TrainOnReviewed,
    /// Evaluate on the reviewed cells of this session.
    EvaluateOnReviewed,
    /// Take the last correction back.
    Undo,
    /// Do the last undone correction again.
    Redo,
    /// Choose labelled pictures to evaluate on.
    ChooseEvaluation,
    /// Evaluate the model in use.
    Evaluate,
    /// Stop evaluating.
    StopEvaluation,
    /// Write the evaluation's report.
    ExportEvaluation,
    /// Calibrate the model on the pictures of the evaluation.
    Calibrate,
    /// Classify with the model just calibrated.
    UseCalibratedModel,
    /// Choose another model to hold against this one.
    ChooseOther,
    /// Hold another model against this one.
    CompareModels,
    /// Choose labelled pictures to train on.
    ChooseDataset,
    /// Count and group the labelled pictures.
    LookAtData,
    /// Train.
    StartTraining,
    /// Hold training, or let it go on.
    PauseTraining,
    /// Stop training and keep the best epoch.
    StopTraining,
    /// Classify with the model just trained.
    UseTrainedModel,
    /// Go back to the model before it.
    PreviousModel,
    /// Show everything again.
    ClearFilter,
    /// Put the cursor into the filter.
    FocusFilter,
    /// Fit the picture into its pane.
    FitImage,
    /// Larger tiles.
    LargerTiles,
    /// Smaller tiles.
    SmallerTiles,
    /// Give the label of this number: from 1 the classes of the catalogue that have keys, 0 unidentified.
    Label(u8),
    /// Ask where to, then write what the session holds.
    Export(Export),
    /// Go to a page.
    Go(Page),
    /// Order of the gallery.
    Sort(GallerySort),
    /// Light, dark, or as the system.
    Theme(ThemeChoice),
    /// The language of the window.
    Speak(Language),
    /// Ask for an execution provider.
    UseProvider(Provider),
    /// Find a command by name.
    Palette,
    /// The guide.
    Guide,
    /// The keyboard's page.
    Keyboard,
    /// Look what is missing.
    SelfCheck,
    /// What happened.
    Log,
    /// Version, model, licences.
    About,
    /// Close the window.
    Quit,
}

/// Who answers a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// What is around every page.
    Shell,
    /// What concerns several pages at once.
    Window,
    /// One page, whichever is open.
    Page(Page),
    /// The page that is open.
    OpenPage,
}

/// The keys of the labels, by their number.
pub const DIGITS: [Key; 10] =
    [Key::Num0, Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

const CTRL: Modifiers = Modifiers::COMMAND;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

impl Command {
    /// All of them, in the order of the palette: a variant that is added is in it.
    #[must_use]
    pub fn all() -> &'static [Self] {
        // Looked through for every key in every frame.
        static ALL: LazyLock<Vec<Command>> = LazyLock::new(|| Command::iter().flat_map(Command::each).collect());
        &ALL
    }

    /// The commands of a variant, whatever it holds.
    fn each(self) -> Vec<Self> {
        match self {
            Self::Label(_) => (0..=KEYED).filter_map(|n| u8::try_from(n).ok()).map(Self::Label).collect(),
            Self::Export(_) => Export::ALL.map(Self::Export).to_vec(),
            Self::Go(_) => Page::iter().map(Self::Go).collect(),
            Self::Sort(_) => GallerySort::iter().map(Self::Sort).collect(),
            Self::Theme(_) => ThemeChoice::iter().map(Self::Theme).collect(),
            Self::Speak(_) => Language::iter().map(Self::Speak).collect(),
            Self::UseProvider(_) => Provider::ALL.map(Self::UseProvider).to_vec(),
            other => vec![other],
        }
    }

    /// Its word in the settings, as version 0.1.0 wrote it: read in any case.
    #[must_use]
    pub fn word(self) -> String {
        let name: &'static str = self.into();
        match self {
            Self::Export(Export::Labels) => "ExportCsv".into(),
            Self::Export(Export::Table) => "ExportTable".into(),
            Self::Export(Export::ReportHtml) => "ExportReport".into(),
            Self::Export(Export::ReportFhir) => "ExportFhir".into(),
            Self::Export(Export::Images) => "ExportImages".into(),
            Self::Label(n) => format!("{name}({n})"),
            Self::Go(page) => format!("{name}({})", <&str>::from(page)),
            Self::Sort(order) => format!("{name}({})", <&str>::from(order)),
            Self::Theme(theme) => format!("{name}({})", <&str>::from(theme)),
            Self::Speak(language) => format!("{name}({})", <&str>::from(language)),
            Self::UseProvider(provider) => format!("{name}({})", provider.as_str()),
            _ => name.into(),
        }
    }

    /// The words in menus and the palette.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::OpenFolder => tr!("Open Folder…"),
            Self::OpenImage => tr!("Open Image…"),
            Self::OpenPath => tr!("Open Path…"),
            Self::DemoSlide => tr!("Demo Slide"),
            Self::WatchFolder => tr!("Watch Folder…"),
            Self::Export(export) => tr!(export.text()),
            Self::Label(n) => {
                let label = CellClass::of_key(usize::from(n)).map_or(UNIDENTIFIED, |c| c.label);
                tr!("Label as %{label}", label = look_up(label))
            }
            Self::OtherLabel => tr!("Other Label…"),
            Self::NextUnreviewed => tr!("Next Unreviewed"),
            Self::NextFlagged => tr!("Next Flagged"),
            Self::SelectAll => tr!("Select All"),
            Self::DrawSquares => tr!("Draw and Move Squares"),
            Self::ToggleMap => tr!("Map of Cells"),
            Self::ToggleHeat => tr!("Where the Model Looked"),
            Self::NoWhiteCell => tr!("Not a White Cell"),
            Self::ToggleDifferential => tr!("Differential"),
            Self::SignOff => tr!("Sign…"),
            Self::Amend => tr!("Amend…"),
            Self::EditRanges => tr!("Reference Ranges…"),
            Self::TrainOnReviewed => tr!("Train on Reviewed Cells"),
            Self::EvaluateOnReviewed => tr!("Evaluate on Reviewed Cells"),
            Self::Quit => tr!("Quit"),
            Self::OpenModel => tr!("Open Model…"),
            Self::UseBundledModel => tr!("Use Bundled Model"),
            Self::Classify => tr!("Classify"),
            Self::CancelJob => tr!("Cancel"),
            Self::Resume => tr!("Resume"),
            Self::ToggleCells => tr!("All Cells of a Field"),
            Self::Accept => tr!("Accept"),
            Self::Undo => tr!("Undo"),
            Self::Redo => tr!("Redo"),
            Self::ChooseEvaluation => tr!("Choose Pictures to Evaluate…"),
            Self::Evaluate => tr!("Start Evaluating"),
            Self::StopEvaluation => tr!("Stop Evaluating"),
            Self::ExportEvaluation => tr!("Export Report…"),
            Self::Calibrate => tr!("Calibrate"),
            Self::UseCalibratedModel => tr!("Use Calibrated Model"),
            Self::ChooseOther => tr!("Choose the Other Model…"),
            Self::CompareModels => tr!("Compare Models"),
            Self::ChooseDataset => tr!("Choose Labelled Pictures…"),
            Self::LookAtData => tr!("Look at the Data"),
            Self::StartTraining => tr!("Start Training"),
            Self::PauseTraining => tr!("Pause Training"),
            Self::StopTraining => tr!("Stop Training"),
            Self::UseTrainedModel => tr!("Use This Model"),
            Self::PreviousModel => tr!("Back to the Model Before"),
            Self::UseProvider(p) => tr!("Execution Provider: %{name}", name = p),
            Self::Go(page) => tr!(page.text()),
            Self::LargerTiles => tr!("Gallery: Larger"),
            Self::SmallerTiles => tr!("Gallery: Smaller"),
            Self::Theme(t) => tr!("Theme: %{name}", name = tr!(t.text())),
            Self::Speak(l) => tr!("Language: %{name}", name = l.name()),
            Self::Sort(s) => tr!("Sort by %{name}", name = tr!(s.text())),
            Self::ClearFilter => tr!("Clear Filter"),
            Self::FocusFilter => tr!("Filter by Name"),
            Self::FitImage => tr!("Fit Image"),
            Self::Palette => tr!("Command Palette"),
            Self::Guide => tr!("Guide"),
            Self::Keyboard => tr!("Keyboard"),
            Self::SelfCheck => tr!("Self-check"),
            Self::Log => tr!("Log"),
            Self::About => tr!("About"),
        }
    }

    /// A sentence about it.
    #[must_use]
    pub fn tooltip(self) -> String {
        tr!(self.about())
    }

    fn about(self) -> &'static str {
        match self {
            Self::OpenFolder => "Classify every picture in a folder and the folders below it",
            Self::OpenImage => "Classify one or several pictures",
            Self::OpenPath => "Type or paste the path of a picture or folder",
            Self::DemoSlide => "A slide that the program draws itself, with cells of all five classes",
            Self::WatchFolder => "Classify pictures as a camera writes them into a folder",
            Self::Export(export) => export.tooltip(),
            Self::Label(_) => {
                "Label the cells chosen together, else the one under the pointer if it was moved last, else the chosen one"
            }
            Self::OtherLabel => "Type any label, such as blast: what the model cannot name a person can",
            Self::NextUnreviewed => "Go to the next cell that nobody has looked at",
            Self::NextFlagged => "Go to the next cell that the model cannot name, doubts, or has learnt nothing like",
            Self::SelectAll => "Choose every tile that is shown",
            Self::DrawSquares => {
                "On the image: drag a square to move it, its corner to size it, elsewhere to add a cell"
            }
            Self::ToggleMap => "Cells that the model sees alike lie together; draw around a group to choose it",
            Self::ToggleHeat => "A heat map over the chosen cell: what spoke for the class",
            Self::NoWhiteCell => "The chosen square holds no white cell: it is left out of the count",
            Self::ToggleDifferential => "Show the differential below the gallery, or not",
            Self::SignOff => "Sign the case: what is signed is locked",
            Self::Amend => "Open what was signed; signing again makes the next version",
            Self::EditRanges => "The laboratory's own reference ranges, by age and sex",
            Self::TrainOnReviewed => "Adapt the model to this laboratory: train on the cells that were reviewed here",
            Self::EvaluateOnReviewed => "How good the model is on the cells that were reviewed here",
            Self::Quit => "Close the window",
            Self::OpenModel => "Classify with another model file (ONNX)",
            Self::UseBundledModel => "Classify with the model inside the program",
            Self::Classify => "Classify what is open again, with the present model and provider",
            Self::CancelJob => "Stop after the present image; what is done stays",
            Self::Resume => "Classify the images that a stopped run did not come to",
            Self::Accept => "The label shown is right: confirm it and go on to the next (Space)",
            Self::Undo => "Take the last correction back",
            Self::Redo => "Make the correction again that was taken back",
            Self::ChooseEvaluation => "A folder with a folder per class, to see how good the model is on it",
            Self::Evaluate => "Classify the labelled pictures and score the model in use on them",
            Self::StopEvaluation => "Stop; nothing is scored",
            Self::ExportEvaluation => {
                "Write report.html, report.json, report.txt, predictions.csv, confusion.svg and confusion.png"
            }
            Self::Calibrate => {
                "Fit confidences and a threshold below which no label is given, on these pictures; writes a new model"
            }
            Self::UseCalibratedModel => "Classify with the model that was just calibrated",
            Self::ChooseOther => "A model file (ONNX) to hold against the one in use",
            Self::CompareModels => {
                "Evaluate the other model on the same pictures: difference, and images where exactly one is right"
            }
            Self::ChooseDataset => "A folder with a folder per class",
            Self::LookAtData => "Count the classes, find near-duplicates, split; nothing is trained",
            Self::StartTraining => "Train with the recipe chosen; a checkpoint is kept all the time",
            Self::PauseTraining => "Hold training, or let it go on",
            Self::StopTraining => "Stop; the best epoch so far is kept as a model",
            Self::UseTrainedModel => "Classify with the model that was just trained",
            Self::PreviousModel => "Classify with the model that was in use before the trained one",
            Self::ToggleCells => "Every white cell of a field, or only the most evident one",
            Self::UseProvider(_) => "What runs the network; the status bar says what really ran",
            Self::Go(page) => page.tooltip(),
            Self::LargerTiles => "Show fewer, larger tiles",
            Self::SmallerTiles => "Show more, smaller tiles",
            Self::Speak(_) => "The language of the window; files stay as they are",
            Self::Theme(_) => "Light, dark, or as the system has it",
            Self::Sort(_) => "Order of the gallery",
            Self::ClearFilter => "Show all cells again",
            Self::FocusFilter => "Show only files whose name contains what you type",
            Self::FitImage => "Show the whole picture",
            Self::Palette => "Find any command by name",
            Self::Guide => "How to use each page, all formats, and what was measured (in English)",
            Self::Keyboard => "All keys on one page",
            Self::SelfCheck => "Check ONNX Runtime, the model and this machine",
            Self::Log => "What went wrong, and when",
            Self::About => "Version, model and licences",
        }
    }

    /// Its keys, where it has some.
    #[must_use]
    pub fn shortcut(self) -> Option<KeyboardShortcut> {
        let keys = |m, k| Some(KeyboardShortcut::new(m, k));
        match self {
            // A key belongs to a class, whatever the model: digits, then Alt and a digit.
            Self::Label(n) if n <= 9 => keys(Modifiers::NONE, DIGITS[usize::from(n)]),
            Self::Label(n) => keys(Modifiers::ALT, DIGITS[usize::from(n - 9).min(9)]),
            Self::Amend => keys(Modifiers::NONE, Key::A),
            Self::Accept => keys(Modifiers::NONE, Key::Space),
            Self::OtherLabel => keys(Modifiers::NONE, Key::L),
            Self::NextUnreviewed => keys(Modifiers::NONE, Key::Tab),
            Self::NextFlagged => keys(Modifiers::NONE, Key::F),
            Self::SelectAll => keys(CTRL, Key::A),
            Self::DrawSquares => keys(Modifiers::NONE, Key::E),
            Self::ToggleMap => keys(Modifiers::NONE, Key::M),
            Self::ToggleHeat => keys(Modifiers::NONE, Key::H),
            Self::NoWhiteCell => keys(Modifiers::NONE, Key::Delete),
            Self::ToggleDifferential => keys(CTRL, Key::B),
            Self::SignOff => keys(CTRL, Key::Enter),
            Self::Undo => keys(CTRL, Key::Z),
            Self::Redo => keys(CTRL, Key::Y),
            Self::OpenFolder => keys(CTRL, Key::O),
            Self::OpenImage => keys(CTRL_SHIFT, Key::O),
            Self::OpenPath => keys(CTRL, Key::L),
            Self::DemoSlide => keys(CTRL, Key::D),
            Self::Export(Export::Labels) => keys(CTRL, Key::E),
            Self::Quit => keys(CTRL, Key::Q),
            Self::OpenModel => keys(CTRL, Key::M),
            Self::Classify => keys(Modifiers::NONE, Key::F5),
            Self::CancelJob => keys(CTRL, Key::Period),
            Self::Go(Page::Review) => keys(CTRL, Key::Num1),
            Self::Go(Page::Evaluate) => keys(CTRL, Key::Num2),
            Self::Go(Page::Train) => keys(CTRL, Key::Num3),
            Self::Go(Page::Models) => keys(CTRL, Key::Num4),
            Self::LargerTiles => keys(CTRL, Key::Plus),
            Self::SmallerTiles => keys(CTRL, Key::Minus),
            Self::FocusFilter => keys(Modifiers::NONE, Key::Slash),
            Self::FitImage => keys(CTRL, Key::Num0),
            Self::Palette => keys(CTRL, Key::K),
            Self::Keyboard => keys(Modifiers::NONE, Key::F1),
            _ => None,
        }
    }

    /// Keys that it has besides, as other programs have them.
    #[must_use]
    pub fn other_shortcut(self) -> Option<KeyboardShortcut> {
        match self {
            Self::Redo => Some(KeyboardShortcut::new(CTRL_SHIFT, Key::Z)),
            _ => None,
        }
    }

    /// Who answers it.
    #[must_use]
    pub fn home(self) -> Home {
        match self {
            Self::OpenPath
            | Self::Palette
            | Self::Guide
            | Self::Keyboard
            | Self::SelfCheck
            | Self::Log
            | Self::About
            | Self::Theme(_)
            | Self::Speak(_) => Home::Shell,
            Self::OpenModel
            | Self::UseBundledModel
            | Self::UseTrainedModel
            | Self::UseCalibratedModel
            | Self::PreviousModel
            | Self::UseProvider(_)
            | Self::Go(_)
            | Self::Quit => Home::Window,
            Self::Undo | Self::Redo => Home::OpenPage,
            Self::ChooseEvaluation
            | Self::Evaluate
            | Self::StopEvaluation
            | Self::ExportEvaluation
            | Self::Calibrate
            | Self::ChooseOther
            | Self::CompareModels => Home::Page(Page::Evaluate),
            Self::ChooseDataset | Self::LookAtData | Self::StartTraining | Self::PauseTraining | Self::StopTraining => {
                Home::Page(Page::Train)
            }
            _ => Home::Page(Page::Review),
        }
    }

    /// Whether it says what a cell is.
    #[must_use]
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
