//! The arguments as they are typed. Names are the contract's.

use crate::inference::Provider;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

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

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Classify pictures: a row per cell, as CSV or JSON
    Classify(Classify),
    /// Print a model's card
    Inspect {
        /// The model file
        model: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Measure this machine
    Bench {
        /// The model file [default: the embedded model]
        #[arg(long)]
        model: Option<PathBuf>,
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
    /// The most evident cell of each picture, or every one of a field
    #[arg(long, value_enum, default_value_t = CellsArg::One)]
    pub(super) cells: CellsArg,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CellsArg {
    One,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatArg {
    Csv,
    Json,
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
