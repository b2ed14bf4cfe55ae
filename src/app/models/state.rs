//! What the Models place knows, and how it answers: installed models and their cards, execution providers and what was measured of
//! them, the wizard that opens somebody else's model. Plain values; no egui, no disk, no thread.

use crate::app::language::tr;
use crate::domain::{Digest, laboratory_labels};
use crate::inference::{Measured, Measurements, Provider, ProviderStatus};
use crate::model::{Crop, Normalization, Question};
use crate::workflow::{InstalledModel, ModelImport, Preview, Probed, SelfTested, UserError};
use std::path::PathBuf;
use std::sync::Arc;

/// The two pages of the place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModelsTab {
    #[default]
    Installed,
    Providers,
}

#[derive(Debug, Clone, Default)]
pub struct State {
    pub tab: ModelsTab,
    /// Installed models, the bundled one first; nothing until they were listed.
    pub list: Vec<InstalledModel>,
    /// The chosen model's file; none is the bundled one.
    pub chosen: Option<PathBuf>,
    /// The model that the window begins with; none is the bundled one.
    pub default: Option<PathBuf>,
    /// The name being typed for the chosen model.
    pub renaming: Option<String>,
    /// The chosen model is about to go to the trash.
    pub removing: bool,
    /// Labelled images for an 8-bit copy, as typed.
    pub fast_data: String,
    /// What an 8-bit copy came to, in words.
    pub fast: Option<Result<String, UserError>>,
    pub busy: Option<Busy>,
    /// Execution providers; nothing until they were looked at.
    pub here: Vec<ProviderStatus>,
    /// What was measured with the model in use.
    pub record: Measurements,
    pub wizard: Option<Box<Wizard>>,
}

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Busy {
    MakingFast,
    Measuring,
    Fetching(Provider),
}

impl Busy {
    pub fn text(self) -> String {
        match self {
            Self::MakingFast => tr!("Making an 8-bit copy"),
            Self::Measuring => tr!("Measuring"),
            Self::Fetching(provider) => tr!("Fetching %{name}", name = provider),
        }
    }
}

/// Somebody else's model, being asked about.
#[derive(Debug, Clone)]
pub struct Wizard {
    /// The model, with the answers given so far.
    pub import: ModelImport,
    /// What was asked at first: what is asked does not go away while it is answered.
    pub asked: Vec<Question>,
    /// Labels, as typed.
    pub labels: String,
    /// Pixels a side, as typed.
    pub size: String,
    /// An image of the person's own.
    pub image: Option<PathBuf>,
    /// What the model makes of it, or why nothing.
    pub preview: Option<Result<Arc<Preview>, UserError>>,
    /// Labelled images, as typed.
    pub dataset: String,
    /// What trying found.
    pub probed: Option<Result<Probed, UserError>>,
    /// Something goes on.
    pub busy: bool,
}

impl Wizard {
    /// Begins.
    pub fn new(import: ModelImport, image: Option<PathBuf>) -> Self {
        let asked = import.questions();
        Self {
            import,
            asked,
            labels: String::new(),
            size: String::new(),
            image,
            preview: None,
            dataset: String::new(),
            probed: None,
            busy: false,
        }
    }

    /// Takes what is typed as answers.
    fn take_typed(&mut self) {
        let labels: Vec<String> =
            self.labels.split([',', '\n', ';']).map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect();
        // Without a word of the person's own what trying found stays.
        if !labels.is_empty() {
            self.import.answers.labels = Some(labels);
        } else if self
            .import
            .draft()
            .evidence
            .iter()
            .any(|e| e.source == crate::model::Source::User && e.part == crate::model::ContractPart::Labels)
        {
            self.import.answers.labels = None;
        }
        self.import.answers.size = self.size.trim().parse().ok().filter(|n| (16..=1024).contains(n));
    }

    /// What is still open, in words; nothing where it can be opened.
    pub fn open(&self) -> Vec<String> {
        let draft = self.import.draft();
        draft
            .questions(self.import.facts())
            .iter()
            .map(|q| match q {
                Question::Output(_) => tr!("Which output classifies"),
                Question::Labels(_, Some(why)) => tr!("The classes' names (%{why})", why = why),
                Question::Labels(Some(n), None) => tr!("The names of its %{n} classes", n = n),
                Question::Labels(None, None) => tr!("The classes' names"),
                Question::Size => tr!("The size of its images"),
                Question::Normalization => tr!("The values that it takes"),
            })
            .collect()
    }

    /// Names that its classes may be counted as, in this laboratory.
    pub fn offered(&self) -> Vec<String> {
        laboratory_labels()
    }
}

/// What the user does in the place.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelsInput {
    /// Goes to a page.
    Go(ModelsTab),
    /// Chooses a model by its file; none is the bundled one.
    Choose(Option<PathBuf>),
    /// Classifies with the chosen model.
    Use,
    /// Begins with the chosen model from now on.
    MakeDefault,
    /// Types a name; nothing puts the field away.
    Rename(Option<String>),
    /// Keeps the name.
    Renamed,
    /// Is about to remove the chosen model, or thinks better of it.
    Removing(bool),
    /// Removes it.
    Remove,
    /// Writes a copy of it.
    Export,
    /// Copies the model in use into the installed ones.
    Install,
    /// Holds the chosen model against the one in use.
    Compare,
    /// Types where the labelled images for an 8-bit copy are.
    FastData(String),
    /// Makes an 8-bit copy of the chosen model.
    MakeFast,
    /// Measures all providers.
    Measure,
    Fetch(Provider),
    /// Points at a provider's library.
    Point(Provider),
    Stop,
    /// Types the wizard's labels.
    Labels(String),
    /// Says what the values are.
    Normalization(Option<Normalization>),
    /// Says what the model sees of an image.
    Crop(Crop),
    Size(String),
    /// Says which output classifies.
    Output(String),
    /// Says what a class counts as.
    Map(String, String),
    AskImage,
    /// Asks for labelled images.
    AskData,
    /// Types where labelled images are.
    Data(String),
    /// Tries the contracts on them.
    Probe,
    /// Takes one that was tried, by its position.
    Take(usize),
    /// Opens the model as answered, and keeps the answers.
    Adopt,
    /// Writes a copy that says everything itself.
    SaveAsOurs,
    /// Puts the wizard away.
    CloseWizard,
}

/// What happened outside.
#[derive(Debug)]
pub enum ModelsEvent {
    Listed(Vec<InstalledModel>),
    /// A model's own test.
    Tested(Option<PathBuf>, SelfTested),
    /// The providers, and what was measured with the model in use.
    ProvidersListed(Vec<ProviderStatus>, Measurements),
    /// One provider was measured.
    Measured(Measured),
    /// What went on ended; why it failed, where it did.
    Ended(Option<String>),
    /// An 8-bit copy: what it came to, or why there is none.
    Fast(Result<String, UserError>),
    NeedsInput(Box<ModelImport>),
    /// What a model that asks makes of an image.
    Previewed(Result<Arc<Preview>, UserError>),
    /// What trying found; nothing where it was stopped.
    Probed(Option<Result<Probed, UserError>>),
    /// An image was chosen for the preview.
    Image(PathBuf),
    /// Labelled images were chosen to try on.
    Data(PathBuf),
    /// The answers were kept: this file opens now; or why they were not.
    Adopted(Result<PathBuf, UserError>),
}

/// What should be done outside.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelsEffect {
    /// List the installed models and test each.
    List,
    ListProviders,
    /// Keep a name.
    Rename(Digest, String),
    /// Put a file into the trash.
    Remove(PathBuf),
    /// Ask where to, then write a copy.
    Export(Option<PathBuf>, String),
    /// Copy a file into the installed ones.
    Install(PathBuf),
    /// Make an 8-bit copy of a model with labelled images.
    MakeFast(Option<PathBuf>, PathBuf),
    /// Measure the model in use.
    Measure(Option<PathBuf>),
    Fetch(Provider),
    /// Ask for a provider's library.
    Point(Provider),
    Stop,
    /// Run a model that asks on an image.
    Preview(Box<ModelImport>, PathBuf),
    /// Try it on labelled images.
    Probe(Box<ModelImport>, PathBuf),
    /// Keep the answers and open it.
    Adopt(Box<ModelImport>),
    /// Ask where to, then write a copy that says everything itself.
    SaveAsOurs(Box<ModelImport>),
    AskImage,
    /// Ask for labelled images.
    AskData,
}

/// What an input leads to: effects of the place, and wishes that concern the whole window.
#[derive(Debug, Default, PartialEq)]
pub struct Reply {
    pub effects: Vec<ModelsEffect>,
    /// Open this model (`Some(None)`: the bundled one).
    pub open: Option<Option<PathBuf>>,
    /// Hold the model in use against this one.
    pub compare: Option<PathBuf>,
    pub remember: bool,
}

impl Reply {
    pub(crate) fn new(effect: ModelsEffect) -> Self {
        Self { effects: vec![effect], ..Self::default() }
    }
}

impl State {
    pub fn chosen(&self) -> Option<&InstalledModel> {
        self.list.iter().find(|m| m.path == self.chosen)
    }

    fn choose(&mut self, path: Option<PathBuf>) {
        self.chosen = path;
        (self.renaming, self.removing, self.fast) = (None, false, None);
    }

    /// Answers the user. `in_use` is the file of the model in use.
    pub fn input(&mut self, input: ModelsInput, in_use: Option<&PathBuf>) -> Reply {
        let path = self.chosen().and_then(|m| m.path.clone());
        match input {
            ModelsInput::Go(tab) => {
                self.tab = tab;
                if tab == ModelsTab::Providers && self.here.is_empty() {
                    return Reply::new(ModelsEffect::ListProviders);
                }
            }
            ModelsInput::Choose(path) => self.choose(path),
            ModelsInput::Use => return Reply { open: Some(path), ..Reply::default() },
            ModelsInput::MakeDefault => {
                self.default = path;
                return Reply { remember: true, ..Reply::default() };
            }
            ModelsInput::Rename(text) => self.renaming = text,
            ModelsInput::Renamed => {
                let name = self.renaming.take();
                let digest = self.chosen().and_then(|m| m.card.as_ref().ok()).map(|c| c.digest);
                if let Some((digest, name)) = digest.zip(name) {
                    return Reply::new(ModelsEffect::Rename(digest, name));
                }
            }
            ModelsInput::Removing(on) => self.removing = on,
            ModelsInput::Remove => {
                self.removing = false;
                if let Some(path) = path {
                    let forgotten = self.default.as_ref() == Some(&path);
                    if forgotten {
                        self.default = None;
                    }
                    self.choose(None);
                    return Reply { remember: forgotten, ..Reply::new(ModelsEffect::Remove(path)) };
                }
            }
            ModelsInput::Export => {
                let name = self.chosen().map_or_else(String::new, |m| m.name.clone());
                return Reply::new(ModelsEffect::Export(path, name));
            }
            ModelsInput::Install => {
                return in_use.map_or_else(Reply::default, |p| Reply::new(ModelsEffect::Install(p.clone())));
            }
            ModelsInput::Compare => return Reply { compare: path, ..Reply::default() },
            ModelsInput::FastData(text) => self.fast_data = text,
            ModelsInput::MakeFast => {
                self.busy = Some(Busy::MakingFast);
                self.fast = None;
                return Reply::new(ModelsEffect::MakeFast(path, PathBuf::from(self.fast_data.trim())));
            }
            ModelsInput::Measure => {
                self.busy = Some(Busy::Measuring);
                self.record.all.clear();
                return Reply::new(ModelsEffect::Measure(in_use.cloned()));
            }
            ModelsInput::Fetch(provider) => {
                self.busy = Some(Busy::Fetching(provider));
                return Reply::new(ModelsEffect::Fetch(provider));
            }
            ModelsInput::Point(provider) => return Reply::new(ModelsEffect::Point(provider)),
            ModelsInput::Stop => return Reply::new(ModelsEffect::Stop),
            other => return self.wizard_input(other),
        }
        Reply::default()
    }

    fn wizard_input(&mut self, input: ModelsInput) -> Reply {
        let Some(w) = &mut self.wizard else { return Reply::default() };
        let before = w.import.clone();
        match input {
            ModelsInput::Labels(text) => w.labels = text,
            ModelsInput::Normalization(scaling) => w.import.answers.scaling = scaling,
            ModelsInput::Crop(crop) => w.import.answers.crop = Some(crop),
            ModelsInput::Size(text) => w.size = text,
            ModelsInput::Output(name) => w.import.answers.output = Some(name),
            ModelsInput::Map(from, to) => {
                w.import.answers.map.retain(|(f, _)| *f != from);
                if !to.is_empty() {
                    w.import.answers.map.push((from, to));
                }
            }
            ModelsInput::AskImage => return Reply::new(ModelsEffect::AskImage),
            ModelsInput::AskData => return Reply::new(ModelsEffect::AskData),
            ModelsInput::Data(text) => w.dataset = text,
            ModelsInput::Probe => {
                w.busy = true;
                w.probed = None;
                let data = PathBuf::from(w.dataset.trim());
                return Reply::new(ModelsEffect::Probe(Box::new(w.import.clone()), data));
            }
            ModelsInput::Take(at) => w.take(at),
            ModelsInput::Adopt => {
                w.busy = true;
                return Reply::new(ModelsEffect::Adopt(Box::new(w.import.clone())));
            }
            ModelsInput::SaveAsOurs => return Reply::new(ModelsEffect::SaveAsOurs(Box::new(w.import.clone()))),
            ModelsInput::CloseWizard => {
                self.wizard = None;
                return Reply::new(ModelsEffect::Stop);
            }
            _ => return Reply::default(),
        }
        w.take_typed();
        if w.import == before { Reply::default() } else { self.preview() }
    }

    /// Hears what happened; the second value is bad or good news to say.
    pub fn event(&mut self, event: ModelsEvent, image: impl FnOnce() -> Option<PathBuf>) -> (Reply, Option<String>) {
        match event {
            ModelsEvent::Listed(list) => {
                self.list = list;
                // What is typed for a model that went away is not kept under another one's name.
                if self.chosen().is_none() {
                    self.choose(None);
                }
            }
            ModelsEvent::Tested(path, test) => {
                if let Some(model) = self.list.iter_mut().find(|m| m.path == path) {
                    model.test = test;
                }
            }
            ModelsEvent::ProvidersListed(here, record) => (self.here, self.record) = (here, record),
            ModelsEvent::Measured(measured) => self.record.all.push(measured),
            ModelsEvent::Ended(why) => {
                self.busy = None;
                return (Reply::new(ModelsEffect::ListProviders), why);
            }
            ModelsEvent::Fast(result) => {
                self.busy = None;
                self.fast = Some(result);
                return (Reply::new(ModelsEffect::List), None);
            }
            ModelsEvent::NeedsInput(import) => {
                self.wizard = Some(Box::new(Wizard::new(*import, image())));
                return (self.preview(), None);
            }
            ModelsEvent::Previewed(preview) => {
                if let Some(w) = &mut self.wizard {
                    w.preview = Some(preview);
                }
            }
            ModelsEvent::Probed(probed) => {
                if let Some(w) = &mut self.wizard {
                    w.busy = false;
                    let chosen = probed.as_ref().and_then(|p| p.as_ref().ok()).and_then(|p| p.chosen);
                    w.probed = probed;
                    if let Some(at) = chosen {
                        w.take(at);
                        return (self.preview(), None);
                    }
                }
            }
            ModelsEvent::Image(path) => {
                if let Some(w) = &mut self.wizard {
                    w.image = Some(path);
                    return (self.preview(), None);
                }
            }
            ModelsEvent::Data(path) => match &mut self.wizard {
                Some(w) => w.dataset = path.to_string_lossy().into_owned(),
                None => self.fast_data = path.to_string_lossy().into_owned(),
            },
            ModelsEvent::Adopted(Err(why)) => {
                // The answers stay on the screen.
                if let Some(w) = &mut self.wizard {
                    w.busy = false;
                }
                return (Reply::default(), Some(why.to_string()));
            }
            ModelsEvent::Adopted(Ok(path)) => {
                self.wizard = None;
                return (Reply { open: Some(Some(path)), ..Reply::default() }, None);
            }
        }
        (Reply::default(), None)
    }

    fn preview(&mut self) -> Reply {
        let Some(w) = &mut self.wizard else { return Reply::default() };
        match &w.image {
            Some(image) => Reply::new(ModelsEffect::Preview(Box::new(w.import.clone()), image.clone())),
            None => Reply::default(),
        }
    }
}

impl Wizard {
    fn take(&mut self, at: usize) {
        let Some(Ok(probed)) = &self.probed else { return };
        let Some(tried) = probed.tried.get(at).cloned() else { return };
        // What was tried replaces what was tried before; what the person typed stays.
        let answers = &mut self.import.answers;
        (answers.scaling, answers.crop) = (None, None);
        if self.labels.trim().is_empty() {
            answers.labels = None;
        }
        self.import.take(&tried);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn import(name: &str) -> ModelImport {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/strangers");
        let dir = tempfile::tempdir().expect("temp");
        let path = dir.path().join("m.onnx");
        std::fs::copy(root.join(name).join("model.onnx"), &path).expect("copied");
        ModelImport::read(&path).expect("a classifier")
    }

    #[test]
    fn a_wizard_asks_until_it_can_open() {
        let mut view = State::default();
        let image = PathBuf::from("cell.png");
        let (answer, _) = view.event(ModelsEvent::NeedsInput(Box::new(import("rescaling"))), || Some(image.clone()));
        assert!(matches!(&answer.effects[..], [ModelsEffect::Preview(_, of)] if *of == image));
        assert_eq!(view.wizard.as_ref().expect("open").open().len(), 1);
        view.input(ModelsInput::Labels("a, b, c, d".into()), None);
        assert_eq!(view.wizard.as_ref().expect("open").open().len(), 1, "one name is missing");
        let answer = view.input(ModelsInput::Labels("SNE, BNE, c, d, e".into()), None);
        assert!(matches!(&answer.effects[..], [ModelsEffect::Preview(..)]), "what changed is looked at again");
        assert_eq!(view.wizard.as_ref().expect("open").open(), Vec::<String>::new());
        view.input(ModelsInput::Map("c".into(), "monocyte".into()), None);
        let draft = view.wizard.as_ref().expect("open").import.draft();
        assert_eq!(draft.counts_as, ["neutrophil", "band neutrophil", "monocyte", "d", "e"]);
        view.input(ModelsInput::Labels(String::new()), None);
        assert_eq!(view.wizard.as_ref().expect("open").open().len(), 1, "what was taken back is asked again");
        let (answer, _) = view.event(ModelsEvent::Adopted(Ok("m.onnx".into())), || None);
        assert!(view.wizard.is_none() && answer.open == Some(Some("m.onnx".into())));
    }

    #[test]
    fn removing_the_default_model_forgets_that_it_was_it() {
        let path = PathBuf::from("models/a.onnx");
        let entry = |path: Option<PathBuf>| InstalledModel {
            path,
            name: "a".into(),
            card: Err(UserError::new("not read")),
            test: SelfTested::NotYet,
        };
        let mut view = State {
            list: vec![entry(None), entry(Some(path.clone()))],
            chosen: Some(path.clone()),
            default: Some(path.clone()),
            ..State::default()
        };
        let answer = view.input(ModelsInput::Remove, None);
        assert_eq!((answer.effects, answer.remember), (vec![ModelsEffect::Remove(path)], true));
        assert_eq!((&view.default, &view.chosen), (&None, &None));
        // A name that is being typed goes with the model that it was for.
        (view.chosen, view.renaming) = (Some("models/b.onnx".into()), Some("mine".into()));
        view.event(ModelsEvent::Listed(vec![entry(None)]), || None);
        assert_eq!((view.chosen, view.renaming), (None, None));
    }
}
