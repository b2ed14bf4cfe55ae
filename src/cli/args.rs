//! The arguments as they are typed. Names are the contract's.

use crate::dataset::Ratio;
use crate::inference::{Provider, VIEWS};
use crate::model::{Crop, Normalization};
use crate::workflow::{Export, LearningRate, defaults};
use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::sync::LazyLock;

/// Find, classify and count the white blood cells of stained smears. Research use only.
#[derive(Debug, Parser)]
#[command(name = "leukoscope", version, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    /// Files and folders to open in the window
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

/// What can be done with installed models.
#[derive(Debug, Args)]
pub(super) struct Models {
    /// Copy a model into the installed ones
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) install: Option<PathBuf>,
    /// Call a model something else here; the file stays as it is
    #[arg(long, value_name = "MODEL.onnx=NAME", value_parser = mapping)]
    pub(super) rename: Option<(String, String)>,
    /// Put an installed model into the trash
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) remove: Option<PathBuf>,
    /// The model that the window begins with; "bundled" is the one inside the program
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) default: Option<String>,
}

/// What can be done about execution providers.
#[derive(Debug, Args)]
pub(super) struct Providers {
    /// Measure each with the model; "auto" then takes the fastest
    #[arg(long)]
    pub(super) measure: bool,
    /// The model to measure with [default: the embedded model]
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) model: Option<PathBuf>,
    /// Fetch the library of a provider by its hash
    #[arg(long, value_name = "PROVIDER")]
    pub(super) fetch: Option<Provider>,
    /// Take the library of a provider from a file
    #[arg(long, value_name = "PROVIDER=FILE", value_parser = provider_file)]
    pub(super) add: Option<(String, String)>,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// An 8-bit copy of a model.
#[derive(Debug, Args)]
pub(super) struct Quantize {
    /// The model file
    #[arg(value_name = "MODEL.onnx")]
    pub(super) model: PathBuf,
    /// Labelled images: some to scale the copy on, the others to hold it against the original
    #[arg(long, value_name = "DATASET")]
    pub(super) data: PathBuf,
    /// Where to write the copy
    #[arg(long, value_name = "MODEL8.onnx")]
    pub(super) out: PathBuf,
    /// Points of accuracy that the copy may lose
    #[arg(long, value_name = "POINTS", default_value_t = crate::workflow::USUAL_LOSS)]
    pub(super) allow: f64,
    #[command(flatten)]
    pub(super) labels: Labels,
}

/// What somebody else's model wants to see.
#[derive(Debug, Args)]
pub(super) struct Adopt {
    /// The model file
    #[arg(value_name = "MODEL.onnx")]
    pub(super) model: PathBuf,
    /// Its classes in the order of its outputs, with commas between
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(super) labels: Option<Vec<String>>,
    /// Count a class of the model as one of this laboratory, as often as needed
    #[arg(long = "map", value_name = "LABEL=CLASS", value_parser = mapping)]
    pub(super) map: Vec<(String, String)>,
    /// The values that it takes: imagenet, symmetric, unit, bytes, caffe, bytes-bgr, unit-bgr
    #[arg(long, value_name = "VALUES")]
    pub(super) scaling: Option<Normalization>,
    /// What it sees of an image: stretch, centre, centre-SHARE, cell, cell-plain
    #[arg(long, value_name = "HOW")]
    pub(super) framing: Option<Crop>,
    /// Pixels a side, where the file does not say
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(16..=1024))]
    pub(super) size: Option<u32>,
    /// The output that classifies, where it has several
    #[arg(long, value_name = "NAME")]
    pub(super) output: Option<String>,
    /// Labelled images (20 or more) to try the ways of preparing images on
    #[arg(long, value_name = "DATASET")]
    pub(super) data: Option<PathBuf>,
    /// Write a copy that says all this itself, with a self-test, instead of keeping the answer here
    #[arg(long, value_name = "COPY.onnx")]
    pub(super) out: Option<PathBuf>,
    /// What the copy is called
    #[arg(long, requires = "out")]
    pub(super) name: Option<String>,
    /// Forget what was answered of this file
    #[arg(long, conflicts_with_all = ["labels", "map", "scaling", "framing", "size", "output", "data", "out"])]
    pub(super) forget: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Classify images: a row per cell, as CSV or JSON
    Classify(Classify),
    /// Score a model on labelled images: matrix, report with intervals, curves
    Evaluate(Evaluate),
    /// Fit confidences and an abstain threshold on labelled images; writes a new model
    Calibrate(Calibrate),
    /// Score several models on the same labelled images
    Compare(Compare),
    /// Train a model on labelled images, with honest splits
    Train(Box<Train>),
    /// Write an 8-bit copy of a model, faster on processors; refused where it loses accuracy
    Quantize(Quantize),
    /// Open somebody else's model: answer what it does not say, try it on labelled images
    Adopt(Box<Adopt>),
    /// Show where in a cell the model looked
    Explain(Explain),
    /// Draw a map of the cells: those that the model sees alike lie together
    Map {
        /// Files and folders
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Where to write it: .csv, .svg or .png
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The model file [default: the embedded model]
        #[arg(long, value_name = "MODEL.onnx")]
        model: Option<PathBuf>,
        /// The most evident cell of each image, or every cell
        #[arg(long, value_enum, default_value_t = CellsArg::One)]
        cells: CellsArg,
    },
    /// Labels of review sessions, by script
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Write a model repository for NVIDIA's Triton Inference Server
    ExportTriton {
        /// The model file
        #[arg(value_name = "MODEL.onnx")]
        model: PathBuf,
        /// The repository's folder; the model gets a folder of its own in it
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// List the installed models with their self-tests; install, rename, remove, choose the one to begin with
    Models(Models),
    /// List the execution providers of this machine, measure them, get missing ones
    Providers(Providers),
    /// Measure one provider in this process; what "providers --measure" runs
    #[command(hide = true)]
    MeasureOne {
        #[arg(long)]
        provider: Provider,
        #[arg(long)]
        model: Option<PathBuf>,
    },
    /// Try a library as a provider's in this process; what "providers --add" runs
    #[command(hide = true)]
    TryProvider {
        #[arg(long)]
        provider: Provider,
        #[arg(long)]
        library: PathBuf,
    },
    /// Print a model's card
    Inspect {
        /// The model file [default: the embedded model]
        model: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure this machine, or how well cells are found
    Bench {
        /// The model file [default: the embedded model]
        #[arg(long)]
        model: Option<PathBuf>,
        /// How well white cells are found in images of FOLDER around whose cells BOXES.csv has boxes (path,xmin,ymin,xmax,ymax, pixels;
        /// an image without a cell has a row with these four empty)
        #[arg(long, num_args = 2, value_names = ["FOLDER", "BOXES.csv"])]
        finder: Option<Vec<PathBuf>>,
        /// With --finder: no measuring, but a table of every place that was looked at and how much the model doubts it
        #[arg(long, value_name = "CSV", requires = "finder", conflicts_with = "json")]
        places: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check that everything needed is here
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Draw a slide, classify it, and show it
    Demo {
        /// Folder for the drawn slide [default: the user's cache folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Print the table even where there is a display
        #[arg(long)]
        no_window: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Labelled {
    /// A folder with a folder per class, or a CSV with the columns path,label[,group][,split]
    #[arg(value_name = "DATASET")]
    pub(super) dataset: PathBuf,
    #[command(flatten)]
    pub(super) labels: Labels,
    /// Execution provider
    #[arg(long, default_value_t = Provider::Auto)]
    pub(super) provider: Provider,
    #[command(flatten)]
    pub(super) views: Views,
}

#[derive(Debug, Args)]
pub(super) struct Views {
    /// A cell that the model is unsure of is also seen turned and mirrored, and the 8 answers are averaged; 1 for one answer alone
    #[arg(long, value_name = "1|8", default_value_t = VIEWS, value_parser = views)]
    pub(super) views: usize,
}

/// How labelled images are read.
#[derive(Debug, Args)]
pub(super) struct Labels {
    /// Take the dataset's label for a class of the model: LABEL=CLASS, as often as needed
    #[arg(long = "map", value_name = "LABEL=CLASS", value_parser = mapping)]
    pub(super) map: Vec<(String, String)>,
    /// Leave a label out, as often as needed
    #[arg(long, value_name = "LABEL")]
    pub(super) leave_out: Vec<String>,
    /// How images are grouped: for the intervals, and so that no group is on both sides
    #[arg(long, value_enum, default_value_t = GroupArg::Auto)]
    pub(super) group_by: GroupArg,
    /// Of everything drawn by chance
    #[arg(long, default_value_t = defaults::SEED)]
    pub(super) seed: u64,
}

#[derive(Debug, Args)]
pub(super) struct Evaluate {
    #[command(flatten)]
    pub(super) data: Labelled,
    /// The model file [default: the embedded model]
    #[arg(long)]
    pub(super) model: Option<PathBuf>,
    /// Folder for report.json, report.txt, predictions.csv, confusion.svg, confusion.png and report.html
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Calibrate {
    /// The model file
    #[arg(value_name = "MODEL.onnx")]
    pub(super) model: PathBuf,
    #[command(flatten)]
    pub(super) data: Labelled,
    /// The calibrated model to write; the old one stays
    #[arg(long, value_name = "MODEL2.onnx")]
    pub(super) out: PathBuf,
    /// The share wrong that is allowed among cells that get a label
    #[arg(long, value_name = "SHARE", default_value_t = defaults::TARGET_RISK, value_parser = risk)]
    pub(super) target_risk: f64,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    #[command(flatten)]
    pub(super) data: Labelled,
    /// A model file, as often as needed; the first is the one that others are held against. With one, the embedded model
    /// comes first
    #[arg(long = "model", value_name = "MODEL.onnx", required = true)]
    pub(super) models: Vec<PathBuf>,
    /// Folder for compare.json and compare.html
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(super) image: PathBuf,
    /// The image to write: the cell, and the cell with the heat over it
    #[arg(long, value_name = "PNG")]
    pub(super) out: PathBuf,
    /// The model file [default: the embedded model]
    #[arg(long)]
    pub(super) model: Option<PathBuf>,
    /// Which cell of the image, as in the table of `classify --cells all` [default: the one that `classify` takes]
    #[arg(long, value_name = "N")]
    pub(super) cell: Option<u32>,
    /// For which class [default: the one that the model gives]
    #[arg(long, value_name = "LABEL")]
    pub(super) class: Option<String>,
    /// How much of the heat's colour is seen, 0 to 1
    #[arg(long, value_name = "SHARE", default_value_t = crate::imaging::HEAT_OPACITY, value_parser = opacity, allow_negative_numbers = true)]
    pub(super) opacity: f32,
    /// Execution provider
    #[arg(long, default_value_t = Provider::Auto)]
    pub(super) provider: Provider,
}

#[derive(Debug, Args)]
pub(super) struct SessionWhere {
    /// The folder whose session it is; as often as folders were opened together
    #[arg(long, value_name = "DIR")]
    pub(super) folder: Vec<PathBuf>,
    /// The session's file itself
    #[arg(long, value_name = "FILE")]
    pub(super) session: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum SessionCommand {
    /// All sessions of this user
    List,
    /// What is in a session
    Show(SessionWhere),
    /// Put the labels of a CSV with the columns sha256,cell,label or path,label into a session
    Import {
        /// Take a damaged session up: it is set aside, and what its audit trail vouches for goes into a new one
        #[arg(long)]
        repair: bool,
        /// The table
        #[arg(value_name = "CSV")]
        table: PathBuf,
        /// Initials for the audit trail
        #[arg(long, default_value = "")]
        operator: String,
        #[command(flatten)]
        at: SessionWhere,
    },
    /// Write a session's labels, its report, or its images
    Export {
        /// As what
        #[arg(long, value_enum, default_value_t)]
        format: Export,
        /// The file [default: the standard output]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Put heat maps of some cells into the page
        #[arg(long)]
        heat_maps: bool,
        /// The model that made the results, for heat maps [default: the embedded model]
        #[arg(long, value_name = "MODEL.onnx", requires = "heat_maps")]
        model: Option<PathBuf>,
        #[command(flatten)]
        at: SessionWhere,
    },
    /// Check everything that was signed or audited: exit code 2 names what was altered
    Verify {
        /// A hash that was printed earlier (on a report, by an export, by "verify"): it must still be in the audit trail
        #[arg(long, value_name = "HASH")]
        expect: Option<String>,
        #[command(flatten)]
        at: SessionWhere,
    },
}

impl ValueEnum for Export {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: LazyLock<Vec<Export>> = LazyLock::new(|| Export::all().filter(|e| e.format().is_some()).collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        self.format().map(|(word, help)| PossibleValue::new(word).help(help))
    }
}

#[derive(Debug, Args)]
pub(super) struct Train {
    /// A folder with a folder per class, or a CSV with the columns path,label[,group][,split][,source]
    #[arg(value_name = "DATASET")]
    pub(super) dataset: PathBuf,
    /// The model to write; NAME.history.csv and NAME.report.json come beside it
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) out: PathBuf,
    /// A new head on the frozen backbone, the last blocks too, or everything
    #[arg(long, value_enum, default_value_t = RecipeArg::Blocks)]
    pub(super) recipe: RecipeArg,
    /// How many of the last blocks the recipe "blocks" trains
    #[arg(long, value_name = "K", default_value_t = defaults::BLOCKS, value_parser = clap::value_parser!(u8).range(1..=17))]
    pub(super) blocks: u8,
    /// Where to start from: one of our models, or a MobileNetV2 backbone [default: the embedded model]
    #[arg(long, value_name = "MODEL.onnx")]
    pub(super) init: Option<PathBuf>,
    /// Epochs at most; 0 leaves the network as it is and fits only what goes with it (flags, what is unlike its images)
    #[arg(long, default_value_t = defaults::EPOCHS.into(), value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) epochs: u32,
    /// Images of a step
    #[arg(long, default_value_t = defaults::BATCH.into(), value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub(super) batch: u32,
    /// Learning rate [default: the recipe's]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    pub(super) lr: Option<LearningRate>,
    /// Of everything drawn by chance
    #[arg(long, default_value_t = defaults::SEED)]
    pub(super) seed: u64,
    /// Shares of training/validation or training/validation/test
    #[arg(long, default_value = defaults::SPLIT)]
    pub(super) split: Ratio,
    /// Images that belong together stay on one side: by names and likeness, not at all, or by the CSV's column
    #[arg(long, value_enum, default_value_t = GroupArg::Auto)]
    pub(super) group_by: GroupArg,
    /// A class to leave out (may be repeated)
    #[arg(long, value_name = "LABEL")]
    pub(super) leave_out: Vec<String>,
    /// A label that becomes no class but a flag: a suspicion beside the class, which changes nothing of it (may be repeated)
    #[arg(long, value_name = "LABEL")]
    pub(super) flag: Vec<String>,
    /// Before the model itself: leave each laboratory of the CSV's column "source" out in turn, train on the others and test on it; the
    /// model's confidence is calibrated by that
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) leave_one_source_out: bool,
    /// Train so many times from the starting model, by a seed each, and average the weights
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub(super) runs: u8,
    /// Where no laboratory is left out: the calibration of another model of the same classes
    #[arg(long, value_name = "MODEL.onnx", conflicts_with = "leave_one_source_out")]
    pub(super) calibration_of: Option<PathBuf>,
    /// Show the network the cell's square or the whole image [default: as the starting model has it]
    #[arg(long = "picture", value_enum)]
    pub(super) input: Option<InputKindArg>,
    /// Pixels a side [default: as the starting model has it]
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=512))]
    pub(super) size: Option<u32>,
    /// Keep the epoch with the best validation loss, or the last one
    #[arg(long, value_enum, default_value_t = KeepArg::Best)]
    pub(super) keep: KeepArg,
    /// Stop after so many epochs without a better validation loss
    #[arg(long, value_name = "EPOCHS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) patience: Option<u32>,
    /// Threads [default: one per core]; the result is the same with any number
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = threads)]
    pub(super) threads: usize,
    /// Where the gradients are computed; the processor alone gives the same bytes from the same seed
    #[arg(long, value_enum, default_value_t = DeviceArg::Auto)]
    pub(super) device: DeviceArg,
    /// What the model is called [default: the file's name]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Only look at the data: classes, groups, parts
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Throw a checkpoint away that is there, instead of going on from it
    #[arg(long)]
    pub(super) fresh: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RecipeArg {
    Head,
    Blocks,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GroupArg {
    Auto,
    None,
    Column,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InputKindArg {
    Cell,
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum KeepArg {
    Best,
    Last,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DeviceArg {
    /// A graphics card where this build can use one and there is one, else the processor
    Auto,
    /// The processor
    Cpu,
    /// A graphics card (WebGPU), or not at all
    Gpu,
}

fn risk(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|v: &f64| *v > 0.0 && *v < 1.0);
    share.ok_or_else(|| "a share between 0 and 1, such as 0.01".into())
}

fn opacity(text: &str) -> Result<f32, String> {
    let share = text.parse().ok().filter(|v: &f32| (0.0..=1.0).contains(v));
    share.ok_or_else(|| "a share from 0 to 1, such as 0.6".into())
}

/// More threads than this compute nothing faster, and the system may not give them.
const MOST_THREADS: usize = 512;

fn threads(text: &str) -> Result<usize, String> {
    let n = text.parse().ok().filter(|n| *n <= MOST_THREADS);
    n.ok_or_else(|| format!("a whole number from 0 (one per core) to {MOST_THREADS}"))
}

fn provider_file(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((provider, file)) if !provider.trim().is_empty() && !file.trim().is_empty() => {
            Ok((provider.trim().into(), file.into()))
        }
        _ => Err("say PROVIDER=FILE, such as --add webgpu=libonnxruntime_providers_webgpu.so".into()),
    }
}

fn mapping(text: &str) -> Result<(String, String), String> {
    // A label may hold a =, a class of this program's models does not.
    match text.rsplit_once('=') {
        Some((label, class)) if !label.trim().is_empty() && !class.trim().is_empty() => {
            Ok((label.trim().into(), class.trim().into()))
        }
        _ => Err("say LABEL=CLASS, such as --map \"band neutrophil\"=neutrophil".into()),
    }
}

#[derive(Debug, Args)]
pub(super) struct Classify {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// The model file [default: the embedded model]
    #[arg(long, value_name = "M")]
    pub(super) model: Option<PathBuf>,
    /// Execution provider: auto, cpu, cuda, tensorrt, coreml, directml, webgpu, openvino
    #[arg(long, default_value = "auto")]
    pub(super) provider: Provider,
    /// The most evident cell of each image, or every one of a field
    #[arg(long, value_enum, default_value_t = CellsArg::One)]
    pub(super) cells: CellsArg,
    /// How cells are found: proposed and judged by a network, by the usual colour of nuclei alone, or not at all: the whole image is one
    #[arg(long, value_enum, default_value_t = FinderArg::Judged)]
    pub(super) finder: FinderArg,
    #[command(flatten)]
    pub(super) views: Views,
    /// Output format
    #[arg(long, value_enum, default_value_t = FormatArg::Csv)]
    pub(super) format: FormatArg,
    /// Write here instead of to the standard output
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Cells per run at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) batch: Option<u32>,
    /// Only part I of N, counted from 1
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub(super) shard: Option<(usize, usize)>,
    /// Go on as images come into the folders, until it is interrupted; a file that changes gets another row
    #[arg(long, conflicts_with = "shard")]
    pub(super) watch: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CellsArg {
    One,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FinderArg {
    Judged,
    Plain,
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    Csv,
    Json,
}

fn views(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| [1, VIEWS].contains(n)).ok_or_else(|| format!("views are 1 or {VIEWS}"))
}

fn shard(text: &str) -> Result<(usize, usize), String> {
    let parsed = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match parsed {
        Some((i, n)) if i >= 1 && i <= n => Ok((i, n)),
        _ => Err("a shard is I/N with 1 ≤ I ≤ N, for example 2/4".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    /// A choice that clap cannot name would be a panic in the middle of its refusal.
    #[test]
    fn a_word_that_is_no_choice_is_refused_everywhere() {
        fn refuse(command: &clap::Command, path: &[String], tried: &mut usize) {
            for arg in command
                .get_arguments()
                .filter(|a| a.get_action().takes_values() && !a.get_possible_values().is_empty() && !a.is_positional())
            {
                let option = arg.get_long().map_or_else(String::new, |l| format!("--{l}"));
                let typed = [path, &[option.clone(), "no-such-word".to_owned()]].concat();
                let refused = Cli::try_parse_from(&typed).map(|_| ()).expect_err(&option);
                assert_eq!(refused.kind(), clap::error::ErrorKind::InvalidValue, "{typed:?}");
                *tried += 1;
            }
            for under in command.get_subcommands() {
                refuse(under, &[path, &[under.get_name().to_owned()]].concat(), tried);
            }
        }
        let mut tried = 0;
        refuse(&Cli::command(), &["leukoscope".to_owned()], &mut tried);
        assert!(tried > 10, "{tried}");
    }

    #[test]
    fn shards_are_checked() {
        assert_eq!(shard("2/4"), Ok((2, 4)));
        for bad in ["0/4", "5/4", "4", "a/b", "-1/2"] {
            assert!(shard(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_bare_path_opens_the_window() {
        let cli = Cli::parse_from(["leukoscope", "folder", "b.png"]);
        assert!(cli.command.is_none() && cli.paths.len() == 2);
    }
}
