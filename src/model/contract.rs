//! What somebody else's classifier wants to see and what its outputs are called: put together from its own keys, the files
//! beside it, its structure, what its exporter usually does, and the user's answers, in that order of trust.
//!
//! Labels are never guessed. What rests on a custom alone is said to be assumed; what rests on nothing is a question.

use super::card::{Manifest, ManifestInput, ManifestOutputs, ManifestPreprocessing};
use super::evidence::{ContractPart, Evidence, EvidenceLine, Source};
use super::input_view::{Crop, Normalization};
use super::sidecar::{Sidecar, names_property, size_property};
use super::third_party::{BuiltInScaling, Facts, Family, OutputHead};
use super::vet::OutputKind;
use crate::domain::{ClassSet, ResizeFilter, TensorSpec, WholePreprocessing, laboratory_class};

/// What the user said of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Labels in output order.
    pub labels: Option<Vec<String>>,
    /// What labels count as: label, class.
    pub map: Vec<(String, String)>,
    /// What the values are.
    pub scaling: Option<Normalization>,
    /// What of an image the model sees.
    pub crop: Option<Crop>,
    /// Pixels a side.
    pub size: Option<usize>,
    pub output: Option<String>,
}

/// What is left to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Which of these outputs classifies.
    Output(Vec<String>),
    /// What the outputs are called: how many there are where that is known, and what was found that does not fit.
    Labels(Option<usize>, Option<String>),
    /// Pixels a side.
    Size,
    /// What the values are.
    Normalization,
}

impl Question {
    /// The question, and how it is answered on the command line.
    pub fn to_text(&self) -> String {
        match self {
            Self::Output(names) => {
                format!("Which of its outputs classifies: {}? (--output NAME)", names.join(" or "))
            }
            Self::Labels(outputs, found) => {
                let n = outputs.map_or("the".to_owned(), |n| format!("its {n}"));
                let why = found.as_ref().map_or(String::new(), |f| format!(" ({f})"));
                format!(
                    "What are {n} classes called, in the order of its outputs?{why} (--labels A,B,…, or labels.txt beside it)"
                )
            }
            Self::Size => "How many pixels a side do its images have? (--size N)".into(),
            Self::Normalization => format!(
                "What values does it take? (--scaling {})",
                Normalization::KNOWN.map(|(w, _, what)| format!("{w}: {what}")).join("; ")
            ),
        }
    }
}

/// The contract as far as it is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub output_head: Option<OutputHead>,
    /// Labels in output order.
    pub labels: Option<Vec<String>>,
    /// What each label counts as.
    pub counts_as: Vec<String>,
    /// Pixels a side.
    pub size: Option<usize>,
    /// What the values are.
    pub scaling: Option<Normalization>,
    /// What of an image the model sees.
    pub crop: Crop,
    /// What each part rests on.
    pub evidence: Vec<Evidence>,
    /// Labels that were found and do not fit.
    pub misfit: Option<String>,
}

impl Draft {
    /// Puts together what is known.
    pub fn new(facts: &Facts, sidecars: &[Sidecar], answers: &Answers) -> Self {
        let mut weighed = DraftBuilder { facts, sidecars, answers, evidence: Vec::new() };
        let output_head = weighed.output_head();
        let size = weighed.size();
        let (labels, misfit) = weighed.labels(output_head.as_ref().and_then(|e| e.width));
        let scaling = weighed.scaling();
        let crop = weighed.crop();
        let mut evidence = weighed.evidence;
        evidence.sort_by_key(|e| e.part);
        let counts_as = labels.as_deref().map_or_else(Vec::new, |l| counts_as(l, &answers.map));
        Self { output_head, labels, counts_as, size, scaling, crop, evidence, misfit }
    }

    /// What is left to be asked; nothing where the model can be opened.
    pub fn questions(&self, facts: &Facts) -> Vec<Question> {
        let mut all = Vec::new();
        if self.output_head.is_none() {
            all.push(Question::Output(facts.output_heads.iter().map(|e| e.name().to_owned()).collect()));
        }
        if self.labels.is_none() {
            all.push(Question::Labels(self.output_head.as_ref().and_then(|e| e.width), self.misfit.clone()));
        }
        if self.size.is_none() {
            all.push(Question::Size);
        }
        if self.scaling.is_none() {
            all.push(Question::Normalization);
        }
        all
    }

    /// The manifest; `None` while something is open.
    pub fn manifest(&self, facts: &Facts, name: &str) -> Option<Manifest> {
        let (output_head, labels, scaling, size) =
            (self.output_head.as_ref()?, self.labels.clone()?, self.scaling?, self.size?);
        let mut outputs = ManifestOutputs::default();
        match &output_head.kind {
            OutputKind::Logits(name) => outputs.logits = Some(name.clone()),
            OutputKind::Probabilities(name) => outputs.probabilities = Some(name.clone()),
        }
        let spec = TensorSpec {
            size,
            channels_first: facts.channels_first,
            bgr: scaling.bgr,
            mean: scaling.mean,
            std: scaling.std,
        };
        let input = ManifestInput::new(&facts.input, &spec, if facts.channels_first { "NCHW" } else { "NHWC" });
        Some(Manifest {
            counts_as: if labels == self.counts_as { Vec::new() } else { self.counts_as.clone() },
            evidence: self.evidence.iter().map(EvidenceLine::from).collect(),
            outputs,
            licence: ["model_license", "license"]
                .iter()
                .find_map(|k| facts.properties.get(*k))
                .cloned()
                .unwrap_or_default(),
            ..Manifest::new(name, labels, input, ManifestPreprocessing::from(&self.crop.preprocessing()))
        })
    }
}

impl OutputHead {
    pub fn name(&self) -> &str {
        let (OutputKind::Logits(name) | OutputKind::Probabilities(name)) = &self.kind;
        name
    }
}

/// What labels count as: as the person says, else the laboratory's name where it is known, else themselves.
fn counts_as(labels: &[String], map: &[(String, String)]) -> Vec<String> {
    let own =
        |l: &String| map.iter().find(|(from, _)| from.trim().eq_ignore_ascii_case(l.trim())).map(|(_, to)| to.trim());
    labels.iter().map(|l| own(l).or_else(|| laboratory_class(l)).unwrap_or(l.trim()).to_owned()).collect()
}

struct DraftBuilder<'a> {
    facts: &'a Facts,
    sidecars: &'a [Sidecar],
    answers: &'a Answers,
    evidence: Vec<Evidence>,
}

impl DraftBuilder<'_> {
    fn record(&mut self, part: ContractPart, what: impl Into<String>, source: Source) {
        self.evidence.push(Evidence { part, what: what.into(), source });
    }

    fn property(&self, key: &str) -> Option<&str> {
        self.facts.properties.get(key).map(String::as_str)
    }

    fn ultralytics(&self) -> bool {
        self.property("author").is_some_and(|a| a.eq_ignore_ascii_case("ultralytics"))
    }

    fn pytorch(&self) -> bool {
        self.facts.producer == "pytorch" && self.facts.channels_first
    }

    fn output_head(&mut self) -> Option<OutputHead> {
        let all = &self.facts.output_heads;
        let (found, source) = match &self.answers.output {
            Some(name) => (all.iter().find(|e| e.name() == name)?.clone(), Source::User),
            None if all.len() == 1 => (all[0].clone(), Source::File("the graph".into())),
            None => return None,
        };
        let kind = match &found.kind {
            OutputKind::Logits(_) => "logits",
            OutputKind::Probabilities(_) => "probabilities",
        };
        self.record(ContractPart::Output, format!("{} ({kind})", found.name()), source);
        Some(found)
    }

    fn size(&mut self) -> Option<usize> {
        let beside = self.sidecars.iter().find_map(|s| Some((s.size?, s.beside())));
        let own = self.property("imgsz").and_then(size_property);
        let (size, source) = if let Some(size) = self.facts.size {
            (size, Source::File("the graph's input".into()))
        } else if let Some(size) = self.answers.size {
            (size, Source::User)
        } else if let Some(size) = own {
            (size, Source::File("the file's own \"imgsz\"".into()))
        } else {
            beside?
        };
        self.record(ContractPart::Size, format!("{size} × {size}"), source);
        Some(size)
    }

    /// Labels, or what was found that does not fit.
    fn labels(&mut self, width: Option<usize>) -> (Option<Vec<String>>, Option<String>) {
        let mut found: Vec<(Vec<String>, Source)> = Vec::new();
        if let Some(said) = &self.answers.labels {
            found.push((said.clone(), Source::User));
        } else if let Some(own) = self.property("names").and_then(names_property) {
            found.push((own, Source::File("the file's own \"names\"".into())));
        } else {
            found.extend(self.sidecars.iter().filter_map(|s| Some((s.labels.clone()?, s.beside()))));
        }
        let fits = |(labels, _): &&(Vec<String>, Source)| width.is_none_or(|w| w == labels.len());
        let good: Vec<&(Vec<String>, Source)> = found.iter().filter(fits).collect();
        let Some((labels, from)) = good.first().copied() else {
            let misfit = found.first().map(|(labels, from)| format!("{from} names {}", labels.len()));
            return (None, misfit);
        };
        if let Some((_, other)) = good.iter().find(|(l, _)| l != labels) {
            return (None, Some(format!("{from} and {other} say different things")));
        }
        if let Err(e) = ClassSet::new(labels.clone()) {
            return (None, Some(format!("{from}: {e}")));
        }
        let (labels, from) = (labels.clone(), from.clone());
        self.record(ContractPart::Labels, labels.join(", "), from);
        (Some(labels), None)
    }

    fn scaling(&mut self) -> Option<Normalization> {
        let bgr = self.property("Image.BitmapPixelFormat").map(|f| f.to_lowercase().starts_with("bgr"));
        let keyed = self.property("Image.NominalPixelRange").and_then(|range| {
            let range = range.to_lowercase();
            let plain = if range.contains("0_255") {
                Normalization::BYTES
            } else if range.contains("normalized_0_1") {
                Normalization::UNIT
            } else if range.contains("normalized_1_") || range.contains("normalized_-1") {
                Normalization::SYMMETRIC
            } else {
                return None;
            };
            Some(Normalization { bgr: bgr.unwrap_or(false), ..plain })
        });
        let beside = self.sidecars.iter().find_map(|s| Some((s.scaling?, s.beside())));
        let usual = self.sidecars.iter().find_map(|s| s.usual.as_ref().map(|(tool, scaling, _)| (*tool, *scaling)));
        let custom = match self.facts.family {
            Some(Family::KerasCaffe) => Some((Normalization::CAFFE, "Keras' names of ResNet50 and VGG")),
            Some(Family::KerasSymmetric) => Some((Normalization::SYMMETRIC, "Keras' names of MobileNet")),
            Some(Family::KerasTorch) => Some((Normalization::IMAGENET, "Keras' names of DenseNet")),
            None if self.ultralytics() => Some((Normalization::UNIT, "made by Ultralytics")),
            None if self.pytorch() => Some((Normalization::IMAGENET, "usual for PyTorch")),
            None => None,
        };
        let order = |plain: Normalization| Normalization { bgr: bgr.unwrap_or(plain.bgr), ..plain };
        let (scaling, source) = if let Some(said) = self.answers.scaling {
            (said, Source::User)
        } else if let Some(keyed) = keyed {
            (keyed, Source::File("the file's own \"Image.NominalPixelRange\"".into()))
        } else if let Some(inside) = self.facts.in_graph {
            let plain = if inside == BuiltInScaling::Bytes { Normalization::BYTES } else { Normalization::UNIT };
            (order(plain), Source::File("scaled by the graph's first nodes".into()))
        } else if let Some((scaling, source)) = beside {
            (scaling, source)
        } else if let Some((tool, scaling)) = usual {
            (order(scaling), Source::Usual(format!("usual for {tool}, which wrote the file beside it")))
        } else {
            let (scaling, why) = custom?;
            (order(scaling), Source::Usual(why.to_owned()))
        };
        self.record(ContractPart::Normalization, scaling.word(), source);
        Some(scaling)
    }

    fn crop(&mut self) -> Crop {
        let whole = |crop| Crop::Whole(WholePreprocessing { crop, filter: ResizeFilter::Bilinear });
        let beside = self.sidecars.iter().find_map(|s| Some((s.crop.clone()?, s.beside())));
        let usual = self.sidecars.iter().find_map(|s| s.usual.as_ref().map(|(tool, _, f)| (*tool, f.clone())));
        let usual_for = |tool: &str| Source::Usual(format!("usual for {tool}"));
        let (crop, source) = if let Some(said) = &self.answers.crop {
            (said.clone(), Source::User)
        } else if let Some((crop, source)) = beside {
            (crop, source)
        } else if let Some((tool, crop)) = usual {
            (crop, usual_for(tool))
        } else if self.ultralytics() {
            (whole(Some(1.0)), usual_for("Ultralytics"))
        } else if self.pytorch() {
            (whole(Some(0.875)), usual_for("PyTorch"))
        } else {
            (whole(None), usual_for("Keras and others"))
        };
        self.record(ContractPart::Crop, crop.word(), source);
        crop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            input: "x".into(),
            channels_first: true,
            size: Some(224),
            output_heads: vec![OutputHead { kind: OutputKind::Logits("y".into()), width: Some(3) }],
            in_graph: None,
            family: None,
            producer: "pytorch".into(),
            properties: [].into(),
        }
    }

    #[test]
    fn labels_that_do_not_fit_are_asked_for() {
        let sidecar = |file: &str, labels: &[&str]| Sidecar {
            file: file.into(),
            labels: Some(labels.iter().map(ToString::to_string).collect()),
            ..Sidecar::default()
        };
        let asked = |sidecars: &[Sidecar]| Draft::new(&facts(), sidecars, &Answers::default()).questions(&facts());
        assert_eq!(asked(&[sidecar("labels.txt", &["a", "b", "c"])]), []);
        assert_eq!(asked(&[]), [Question::Labels(Some(3), None)]);
        let two = "labels.txt names 2".to_owned();
        assert_eq!(asked(&[sidecar("labels.txt", &["a", "b"])]), [Question::Labels(Some(3), Some(two))]);
        let both = [sidecar("labels.txt", &["a", "b", "c"]), sidecar("classes.txt", &["b", "a", "c"])];
        assert!(matches!(&asked(&both)[..], [Question::Labels(Some(3), Some(why))] if why.contains("different")));
        let twice = [sidecar("labels.txt", &["a", "A", "c"])];
        assert!(matches!(&asked(&twice)[..], [Question::Labels(Some(3), Some(_))]));
    }

    #[test]
    fn what_stands_nowhere_is_said_to_be_assumed() {
        let draft = Draft::new(&facts(), &[], &Answers::default());
        let assumed: Vec<ContractPart> =
            draft.evidence.iter().filter(|e| e.source.is_assumed()).map(|e| e.part).collect();
        assert_eq!(assumed, [ContractPart::Normalization, ContractPart::Crop]);
        let said = Answers { scaling: Some(Normalization::CAFFE), ..Answers::default() };
        let draft = Draft::new(&facts(), &[], &said);
        assert_eq!(draft.scaling, Some(Normalization::CAFFE));
        let mut strange = facts();
        strange.producer = "somebody".into();
        let asked = Draft::new(&strange, &[], &Answers::default()).questions(&strange);
        assert_eq!(asked, [Question::Labels(Some(3), None), Question::Normalization]);
    }

    #[test]
    fn several_labels_may_count_as_one_class() {
        let labels = ["SNE", "BNE", "IG", "blast"].map(str::to_owned);
        assert_eq!(
            counts_as(&labels, &[("ig".into(), "neutrophil".into())]),
            ["neutrophil", "band neutrophil", "neutrophil", "blast"]
        );
    }
}
