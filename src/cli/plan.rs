//! Arguments as typed → what is meant: requests and options of [`crate::workflow`], and what contradicts itself is refused. Nothing is
//! done here.

use super::args::{
    Calibrate, CellsArg, Classify, DeviceArg, Explain, FinderArg, FormatArg, GroupArg, InputKindArg, KeepArg, Labelled,
    Labels, Quantize, RecipeArg, Train,
};
use crate::dataset::Grouping;
use crate::files::{display_path, same_file};
use crate::imaging::Cells;
use crate::inference::{Finder, Provider};
use crate::report::RowFormat;
use crate::training::{RecipeKind, TrainingDevice};
use crate::workflow::{
    CalibrateOptions, ClassifyRequest, EvaluateRequest, ExplainRequest, InputKind, QuantizeOptions, RecipeSettings,
    TrainOptions, TrainRequest, UserError, default_model, model_name, open_model,
};
use std::path::Path;

impl From<CellsArg> for Cells {
    fn from(arg: CellsArg) -> Self {
        match arg {
            CellsArg::One => Self::One,
            CellsArg::All => Self::All,
        }
    }
}

impl From<FinderArg> for Finder {
    fn from(arg: FinderArg) -> Self {
        match arg {
            FinderArg::Judged => Self::Judged,
            FinderArg::Plain => Self::Plain,
            FinderArg::Whole => Self::Whole,
        }
    }
}

impl From<FormatArg> for RowFormat {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Csv => Self::Csv,
            FormatArg::Json => Self::Json,
        }
    }
}

impl From<GroupArg> for Grouping {
    fn from(arg: GroupArg) -> Self {
        match arg {
            GroupArg::Auto => Self::Auto,
            GroupArg::None => Self::None,
            GroupArg::Column => Self::Column,
        }
    }
}

impl From<InputKindArg> for InputKind {
    fn from(arg: InputKindArg) -> Self {
        match arg {
            InputKindArg::Cell => Self::Cell,
            InputKindArg::Whole => Self::Whole,
        }
    }
}

impl From<DeviceArg> for TrainingDevice {
    fn from(arg: DeviceArg) -> Self {
        match arg {
            DeviceArg::Auto => Self::Auto,
            DeviceArg::Cpu => Self::Cpu,
            DeviceArg::Gpu => Self::Gpu,
        }
    }
}

impl Classify {
    pub(super) fn request(&self) -> ClassifyRequest {
        ClassifyRequest {
            paths: self.paths.clone(),
            provider: self.provider,
            cells: self.cells.into(),
            finder: self.finder.into(),
            views: Some(self.views.views),
            batch: self.batch.map(|b| b as usize),
            shard: self.shard,
            watch: self.watch,
            ..ClassifyRequest::default()
        }
    }
}

/// References are taken as this user corrected them.
fn evaluate_request(dataset: &Path, labels: &Labels, provider: Provider) -> EvaluateRequest {
    EvaluateRequest {
        corrected: true,
        map: labels.map.clone(),
        leave_out: labels.leave_out.clone(),
        grouping: labels.group_by.into(),
        provider,
        seed: labels.seed,
        ..EvaluateRequest::new(dataset.to_owned())
    }
}

impl Labelled {
    pub(super) fn request(&self) -> EvaluateRequest {
        EvaluateRequest { views: self.views.views, ..evaluate_request(&self.dataset, &self.labels, self.provider) }
    }
}

impl Calibrate {
    pub(super) fn options(&self) -> Result<CalibrateOptions<'_>, UserError> {
        if same_file(&self.model, &self.out) {
            return Err(UserError::new("--out is the model itself; the old one stays, so name another file"));
        }
        Ok(CalibrateOptions { target_risk: self.target_risk, out: &self.out })
    }
}

impl Quantize {
    /// A copy for processors is measured on one.
    pub(super) fn request(&self) -> EvaluateRequest {
        evaluate_request(&self.data, &self.labels, Provider::Cpu)
    }

    pub(super) fn options(&self) -> QuantizeOptions<'_> {
        QuantizeOptions { allowed: self.allow, out: &self.out }
    }
}

impl Explain {
    pub(super) fn request(&self) -> Result<ExplainRequest, UserError> {
        // The name says what is in a file.
        if !self.out.extension().is_some_and(|e| e.eq_ignore_ascii_case("png")) {
            return Err(UserError::new(format!(
                "the heat map is written as PNG; {} does not end in .png. Nothing was written: choose another name",
                display_path(&self.out)
            )));
        }
        Ok(ExplainRequest {
            path: self.image.clone(),
            cell: self.cell.unwrap_or(1),
            class: self.class.clone(),
            provider: self.provider,
            own: Default::default(),
            digest: None,
        })
    }
}

impl Train {
    fn kind(&self) -> RecipeKind {
        match self.recipe {
            RecipeArg::Head => RecipeKind::Head,
            RecipeArg::Blocks => RecipeKind::Blocks(self.blocks.into()),
            RecipeArg::Full => RecipeKind::Full,
        }
    }

    pub(super) fn request(&self) -> TrainRequest {
        TrainRequest {
            kind: self.kind(),
            init: self.init.clone(),
            input: self.input.map(InputKind::from),
            side: self.size.map(|s| s as usize),
            ratio: self.split,
            grouping: self.group_by.into(),
            leave_out: self.leave_out.clone(),
            flags: self.flag.clone(),
            seed: self.seed,
            ..TrainRequest::new(self.dataset.clone())
        }
    }

    /// `images` is how many the training part has.
    pub(super) fn options(&self, images: usize) -> Result<TrainOptions, UserError> {
        let settings = RecipeSettings {
            kind: self.kind(),
            epochs: self.epochs as usize,
            batch: self.batch as usize,
            rate: self.lr,
            seed: self.seed,
            keep_best: self.keep == KeepArg::Best,
            patience: self.patience.map(|p| p as usize),
        };
        let calibration = match &self.calibration_of {
            None => None,
            Some(path) => Some(open_model(Some(path))?.card().calibration.clone().ok_or_else(|| {
                UserError::new(format!(
                    "{} carries no calibration; --calibration-of takes a model that has one",
                    display_path(path)
                ))
            })?),
        };
        Ok(TrainOptions {
            recipe: settings.recipe(images),
            runs: self.runs.into(),
            out: self.out.clone(),
            name: self.name.clone().unwrap_or_else(|| model_name(&self.out)),
            threads: self.threads,
            device: self.device.into(),
            fresh: self.fresh,
            current: default_model().ok(),
            sources: None,
            calibration,
        })
    }
}
