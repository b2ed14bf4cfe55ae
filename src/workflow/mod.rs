//! What one can do with Leukoscope, without a window or a terminal: the API that both faces call.
//!
//! Everything is headless, cancellable, and tells its troubles as a [`UserError`] or as rows.

mod bench;
mod bench_finder;
mod calibrate;
mod classify;
mod corrections;
pub mod defaults;
mod demo;
mod doctor;
mod error;
mod evaluate;
mod explain;
mod export;
mod fields;
mod heat_maps;
mod images;
mod import;
mod laboratory;
mod library;
mod map;
mod measure;
mod models;
mod openable;
mod output;
mod phase;
mod places;
mod probe;
mod quantize;
mod recent;
mod rewrite;
mod session_import;
mod session_writer;
mod sessions;
mod thumbnails;
mod train;

pub use bench::{BenchReport, bench};
pub use bench_finder::{FinderScore, bench_finder, finder_json, finder_text};
pub use calibrate::{CalibrateOptions, Calibrated, calibrate};
pub use classify::{ClassifyEvent, ClassifyMonitor, ClassifyRequest, ClassifySummary, classify, classify_to, watch};
pub use corrections::{ChangedReference, Correction, Corrections, CorrectionsWriter};
pub use demo::{DEMO_SEED, DemoSlide, draw_demo};
pub use doctor::{DoctorReport, doctor};
pub use error::UserError;
pub use evaluate::{
    EvaluateError, EvaluateMonitor, EvaluateProgress, EvaluateRequest, KEPT_NEAR, can_write_into, compare,
    compare_with, evaluate, write_comparison, write_evaluation,
};
pub use explain::{ExplainRequest, Explained, Explainer, evident_cell, explain, explained_png};
pub use export::{Export, report_bytes, results_csv, session_bytes};
pub use heat_maps::{CellPick, heat_map_examples, pick_cells, session_report_with_heat_maps};
pub use images::{ExportedImages, ReviewedCells, export_images, reviewed_cells};
pub use import::{ModelImport, OpenedModel, Preview, Tried, forget_answer, look_at_model, save_as_ours};
pub use laboratory::{
    ALIKE, BY_EYE, OTHER_FIELDS, RUN, ResultProvenance, SAME_FIELDS, SessionFiles, case_facts, case_report,
    case_status, field_groups, groups_in, groups_text, label_of, load_ranges, local_time, report_fhir, report_html,
    save_ranges, session_files, session_report, signed_snapshot, slide_of, suggestion, to_local,
};
pub use library::{
    InstalledModel, SelfTested, default_model_file, export_model, install_model, installed_models, remove_model,
    rename_model, test_itself,
};
pub use map::{CellPlaces, place_cells, write_map};
pub use measure::{add_provider, fetch_destination, fetch_provider, measure, measure_one, record_text, try_provider};
pub use models::{default_model, export_triton, open_model};
pub use openable::openable;
pub use output::write_output;
pub use phase::Phase;
pub use places::places;
pub use probe::{LEAST, Probed, probe};
pub use quantize::{QuantizeOptions, Quantized, USUAL_LOSS, quantize};
pub use recent::{Settings, load_settings, remember_recent, save_settings};
pub use session_import::{Imported, import_session};
pub use session_writer::{Emit, OpenedSession, ResultBatch, SessionCommand, SessionEvent, SessionWriter};
pub use sessions::{
    ListedSession, SessionFacts, holder, list_sessions, now, session_facts, session_path, verify_session,
};
pub use thumbnails::{ImageKey, ThumbnailReader};
pub use train::{
    ClassCount, CurrentModelResult, EarlierRun, HeldOutResult, InitialModel, InputKind, LearningRate, Lookalike,
    LookalikeCell, Lookalikes, NoLearningRate, Obstacle, PreparedDataset, RecipeSettings, Remedy, Short, SourceResult,
    SourceTable, TrainControl, TrainMonitor, TrainOptions, TrainOutcome, TrainPlan, TrainProgress, TrainRequest,
    UnfinishedRun, Why, earlier_runs, forget_run, leave_one_source_out, load_initial_model, model_name, new_model_file,
    new_model_path, prepare_training, train, train_remembered, unfinished_runs,
};
