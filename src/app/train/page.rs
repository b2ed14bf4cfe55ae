//! The Train place: data and recipe on the left, live curves in the middle, the result below them.
//!
//! It draws what the state says and asks for commands; nothing is computed here but positions on the screen.

use super::state::{RunState, State, TrainForm};
use super::update::Input;
use crate::app::command::Command;
use crate::app::language::{decimal, look_up, percent, tr};
use crate::app::textures::{ImageKey, Textures};
use crate::app::theme;
use crate::app::widgets::{Asked, Cx, command_button, duration, line, still_plot, thumbnail};
use crate::dataset::Grouping;
use crate::domain::{EpochRow, clinical_rank, same_label};
use crate::files::{display_name, display_path};
use crate::training::{Recipe, RecipeKind, TrainingDevice};
use crate::workflow::{ClassCount, LookalikeCell, Lookalikes, Obstacle, Remedy, Short, TrainOutcome, Why, defaults};
use egui::{
    Button, CentralPanel, CollapsingHeader, ComboBox, DragValue, Grid, Panel, RichText, ScrollArea, TextEdit, Ui, vec2,
};
use egui_plot::{Corner, HoverPosition, Legend, LineStyle, MarkerShape, PlotPoints, Points, VLine};

/// Side of each of two images that look alike.
const PAIR: f32 = 64.0;

pub(crate) fn page(ui: &mut Ui, cx: &Cx<'_>, state: &State, textures: &mut Textures, asked: &mut Asked<Input>) {
    Panel::left("train-form").default_size(410.0).size_range(330.0..=560.0).show(ui, |ui| {
        ScrollArea::vertical().show(ui, |ui| {
            let mut form = state.form.clone();
            unfinished(ui, state, asked);
            data(ui, cx, state, &mut form, textures, asked);
            ui.add_space(10.0);
            recipe(ui, state, &mut form);
            ui.add_space(10.0);
            controls(ui, cx, state, asked);
            if form != state.form {
                asked.input(Input::Form(Box::new(form)));
            }
            ui.add_space(12.0);
        });
    });
    CentralPanel::default().show(ui, |ui| {
        headline(ui, state, cx.now);
        let result = state.outcome.as_ref();
        let below = if result.is_some() { (ui.available_height() * 0.42).clamp(180.0, 330.0) } else { 0.0 };
        let height = (ui.available_height() - below - 18.0).max(160.0);
        curves(ui, state, height);
        if let Some(outcome) = result {
            ui.separator();
            ScrollArea::vertical().id_salt("train-result").show(ui, |ui| self::outcome(ui, cx, state, outcome, asked));
        }
    });
}

fn unfinished(ui: &mut Ui, state: &State, asked: &mut Asked<Input>) {
    for run in state.unfinished.iter().filter(|_| !state.busy()) {
        egui::Frame::group(ui.style()).show(ui, |ui| {
            ui.label(RichText::new(tr!("A run was left unfinished")).strong());
            ui.label(format!("{}, {}", tr!(&run.recipe.kind.text()), display_path(&run.request.dataset)));
            ui.horizontal(|ui| {
                if ui
                    .button(tr!("Resume"))
                    .on_hover_text(tr!("Goes on from its checkpoint, with the same numbers"))
                    .clicked()
                {
                    asked.input(Input::TakeUp(Box::new(run.clone())));
                }
                if ui.button(tr!("Discard")).on_hover_text(tr!("Deletes its checkpoint; the images stay")).clicked() {
                    asked.input(Input::Forget(run.out.clone()));
                }
            });
        });
        ui.add_space(6.0);
    }
}

/// Pairs of images that look alike although they are declared to be of different groups, side by side: the user sees whether they are.
fn lookalikes(ui: &mut Ui, found: &Lookalikes, textures: &mut Textures) {
    if found.shown.is_empty() {
        return;
    }
    let title =
        tr!("Images that look alike: %{pairs} pairs of %{images} images", pairs = found.pairs, images = found.images);
    CollapsingHeader::new(title).show(ui, |ui| {
        let said = match found.apart {
            0 => tr!("Each pair is on one side of the split."),
            n => tr!(
                "%{n} of the pairs are on different sides of the split; the figures may be a little too good.",
                n = n
            ),
        };
        ui.add(egui::Label::new(RichText::new(said).small()).wrap());
        let line = PAIR + 4.0;
        ScrollArea::vertical().id_salt("lookalikes").max_height(3.5 * line).show_rows(
            ui,
            line,
            found.shown.len(),
            |ui, range| {
                for pair in &found.shown[range] {
                    ui.horizontal(|ui| {
                        pair.cells.iter().for_each(|cell| lookalike(ui, cell, textures));
                        let words = tr!("%{alike} alike", alike = decimal(f64::from(pair.correlation), 2));
                        let words = if pair.apart { tr!("%{words}, on two sides", words = words) } else { words };
                        ui.label(RichText::new(words).small());
                    });
                }
            },
        );
        if found.pairs > found.shown.len() {
            ui.weak(tr!("The first %{n} pairs are shown.", n = found.shown.len()));
        }
    });
}

/// One of two, small, with its label.
fn lookalike(ui: &mut Ui, cell: &LookalikeCell, textures: &mut Textures) {
    let name = format!("{}, {}", cell.name, look_up(&cell.label));
    thumbnail(ui, textures, ImageKey::small(cell.digest, cell.square), &cell.path, PAIR, &name);
    ui.label(RichText::new(look_up(&cell.label)).small());
}

/// Why the data cannot be split as they are, and a button for each thing that helps.
fn obstacle(ui: &mut Ui, state: &State, form: &TrainForm, obstacle: &Obstacle, asked: &mut Asked<Input>) {
    let why = match &obstacle.why {
        Why::TooSmall(short, parts) => {
            let class = |s: &Short| {
                tr!(
                    "%{label} (images: %{images}, groups: %{groups})",
                    label = look_up(&s.label),
                    images = s.images,
                    groups = s.groups
                )
            };
            let all: Vec<String> = short.iter().map(class).collect();
            tr!(
                "Too few to be split: %{classes}. Each class needs at least %{least} images, and a group for each of the %{parts} parts.",
                classes = all.join("; "),
                least = crate::dataset::LEAST,
                parts = parts
            )
        }
        Why::Torn(..) | Why::Empty(_) => obstacle.why(),
    };
    egui::Frame::group(ui.style()).show(ui, |ui| {
        ui.add(egui::Label::new(RichText::new(why).color(theme::error_colour(ui))).wrap());
        for remedy in &obstacle.remedies {
            let (text, hint, change): (String, String, fn(&mut TrainForm, &Remedy)) = match remedy {
                Remedy::LeaveOut(labels) => {
                    let named: Vec<String> = labels.iter().map(|l| look_up(l)).collect();
                    (
                        tr!("Leave out %{labels}", labels = named.join(", ")),
                        tr!("The new model will not know it; its images stay where they are"),
                        |form, remedy| {
                            if let Remedy::LeaveOut(labels) = remedy {
                                form.leave_out.extend(labels.iter().cloned());
                            }
                        },
                    )
                }
                Remedy::TwoParts => (
                    tr!("Split into training and validation alone"),
                    tr!("Without a test part the figures are of the images that chose the best epoch"),
                    |form, _| form.split = defaults::SPLIT.into(),
                ),
                Remedy::RandomSplit => (
                    tr!("Take each image by itself"),
                    tr!("Copies of one cell may then be on both sides, and the figures are too good"),
                    |form, _| form.grouping = Grouping::None,
                ),
                Remedy::MoreImages => {
                    ui.weak(tr!("Or add images of other patients, slides or days."));
                    continue;
                }
            };
            if ui.add_enabled(!state.busy(), Button::new(text)).on_hover_text(hint).clicked() {
                let mut form = form.clone();
                change(&mut form, remedy);
                asked.input(Input::TakeRemedy(Box::new(form)));
            }
        }
    });
}

/// A class of the plan: whether it is used, how many images, and in which parts.
fn class_row(ui: &mut Ui, state: &State, form: &mut TrainForm, class: &ClassCount, most: usize) {
    let mut used = !form.leave_out.iter().any(|l| same_label(l, &class.label));
    let hint = tr!("%{n} groups. Untick to leave \"%{label}\" out", n = class.groups, label = class.label);
    let mut name = RichText::new(look_up(&class.label));
    if class.too_small && used {
        name = name.color(theme::error_colour(ui));
    }
    ui.horizontal(|ui| {
        if ui.add_enabled(!state.busy(), egui::Checkbox::new(&mut used, name)).on_hover_text(hint).changed() {
            form.flags.retain(|l| !same_label(l, &class.label));
            if used {
                form.leave_out.retain(|l| !same_label(l, &class.label));
            } else {
                form.leave_out.push(class.label.clone());
            }
        }
        let mut flag = form.flags.iter().any(|l| same_label(l, &class.label));
        let button = Button::selectable(flag, tr!("flag"));
        let hint = tr!(
            "As a flag it is no class: the model says \"%{label}?\" beside the class of a cell that looks like one",
            label = look_up(&class.label)
        );
        if ui.add_enabled(used && !state.busy(), button).on_hover_text(hint).clicked() {
            flag = !flag;
            form.flags.retain(|l| !same_label(l, &class.label));
            if flag {
                form.flags.push(class.label.clone());
            }
        }
    });
    // The bar shows the imbalance at a glance; the number beside it says it.
    let share = class.images as f32 / most as f32;
    ui.add(egui::ProgressBar::new(share).desired_width(64.0).text(class.images.to_string()));
    for n in class.parts {
        ui.label(n.to_string());
    }
    let left_out = if class.left_out && !class.flag { class.images - class.no_cell - class.failed } else { 0 };
    let out = class.no_cell + class.failed + left_out;
    if out > 0 {
        ui.colored_label(theme::error_colour(ui), out.to_string()).on_hover_text(tr!(
            "%{n} without a white cell, %{failed} failed",
            n = class.no_cell,
            failed = class.failed
        ));
    } else {
        ui.weak("0");
    }
}

fn data(
    ui: &mut Ui,
    cx: &Cx<'_>,
    state: &State,
    form: &mut TrainForm,
    textures: &mut Textures,
    asked: &mut Asked<Input>,
) {
    ui.add_space(6.0);
    ui.heading(tr!("Data"));
    ui.add_enabled_ui(!state.busy(), |ui| {
        let label = ui.label(tr!("A folder with a folder per class, or a CSV with path,label[,group][,split]"));
        let edit = TextEdit::singleline(&mut form.dataset)
            .hint_text(tr!("path of the labelled images"))
            .desired_width(f32::INFINITY);
        ui.add(edit).labelled_by(label.id);
    });
    ui.horizontal_wrapped(|ui| {
        command_button(ui, cx, asked, Command::ChooseDataset);
        command_button(ui, cx, asked, Command::TrainOnReviewed);
        command_button(ui, cx, asked, Command::LookAtData);
    });
    let Some((request, plan)) = &state.plan else {
        ui.weak(tr!("Counts, failures and groups are shown here before anything is trained."));
        return;
    };
    ui.add_space(6.0);
    ui.label(RichText::new(display_path(&request.dataset)).small());
    Grid::new("train-classes").num_columns(6).spacing([12.0, 4.0]).striped(true).show(ui, |ui| {
        for head in ["class", "images", "train", "valid.", "test", "not used"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        let most = plan.classes.iter().map(|c| c.images).max().unwrap_or(1).max(1);
        let mut classes: Vec<_> = plan.classes.iter().collect();
        classes.sort_by_key(|c| clinical_rank(&c.label));
        for class in classes {
            class_row(ui, state, form, class, most);
            ui.end_row();
        }
    });
    if let Some(obstacle) = &plan.obstacle {
        self::obstacle(ui, state, form, obstacle, asked);
    }
    for line in &plan.grouping {
        ui.add(egui::Label::new(RichText::new(line).small()).wrap());
    }
    lookalikes(ui, &plan.lookalikes, textures);
    for note in &plan.notes {
        ui.add(egui::Label::new(RichText::new(tr!("Note: %{text}", text = note)).small()).wrap());
    }
    if !plan.excluded.is_empty() {
        CollapsingHeader::new(tr!("Images not used: %{n}", n = plan.excluded.len())).show(ui, |ui| {
            for (path, why) in plan.excluded.iter().take(200) {
                ui.add(egui::Label::new(RichText::new(format!("{path}: {why}")).small()).wrap());
            }
        });
    }
}

fn recipe(ui: &mut Ui, state: &State, form: &mut TrainForm) {
    ui.heading(tr!("Recipe"));
    ui.add_enabled_ui(!state.busy(), |ui| {
        let blocks = if let RecipeKind::Blocks(k) = form.kind { k } else { defaults::BLOCKS.into() };
        ui.radio_value(&mut form.kind, RecipeKind::Head, tr!("Head only: a new last layer, seconds, for a first look"));
        ui.radio_value(
            &mut form.kind,
            RecipeKind::Blocks(blocks),
            tr!("Last blocks: adapt to your slides, about a minute"),
        );
        ui.radio_value(&mut form.kind, RecipeKind::Full, tr!("Everything: thousands of images, up to hours"));
        let open = CollapsingHeader::new(tr!("Numbers")).default_open(form.opened_up).show(ui, |ui| numbers(ui, form));
        form.opened_up = open.fully_open();
    });
}

fn numbers(ui: &mut Ui, form: &mut TrainForm) {
    let usual = Recipe::new(form.kind, 1000);
    Grid::new("train-numbers").num_columns(2).spacing([12.0, 6.0]).show(ui, |ui| {
        if let RecipeKind::Blocks(k) = &mut form.kind {
            let l = ui.label(tr!("Last blocks"));
            ui.add(DragValue::new(k).range(1..=17)).labelled_by(l.id);
            ui.end_row();
        }
        let l = ui.label(tr!("Epochs"));
        ui.add(DragValue::new(&mut form.epochs).range(1..=1000)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label(tr!("Batch"));
        ui.add(DragValue::new(&mut form.batch).range(1..=1024)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label(tr!("Learning rate"));
        let hint = format!("{}", usual.optimizer.rate);
        ui.add(TextEdit::singleline(&mut form.rate).hint_text(hint).desired_width(90.0)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label(tr!("Split"));
        ui.add(TextEdit::singleline(&mut form.split).desired_width(90.0))
            .labelled_by(l.id)
            .on_hover_text(tr!("training/validation/test; the test part is looked at once, at the end"));
        ui.end_row();
        ui.label(tr!("Images that belong together"));
        let text = |g: Grouping| match g {
            Grouping::Auto => tr!("names and likeness"),
            Grouping::Column => tr!("the CSV's column"),
            Grouping::None => tr!("random split (leaks)"),
        };
        ComboBox::from_id_salt("train-grouping").selected_text(text(form.grouping)).show_ui(ui, |ui| {
            for g in [Grouping::Auto, Grouping::Column, Grouping::None] {
                ui.selectable_value(&mut form.grouping, g, text(g));
            }
        });
        ui.end_row();
        let l = ui.label(tr!("Stop after epochs without progress"));
        ui.add(DragValue::new(&mut form.patience).range(0..=1000))
            .labelled_by(l.id)
            .on_hover_text(tr!("0 goes through all epochs"));
        ui.end_row();
        ui.label(tr!("Keep"));
        ui.checkbox(&mut form.keep_best, tr!("the epoch with the best validation loss"));
        ui.end_row();
        ui.label(tr!("Compute on"));
        let text = |d: TrainingDevice| match d {
            TrainingDevice::Auto => tr!("graphics card if there is one"),
            TrainingDevice::Cpu => tr!("processor (same bytes again)"),
            TrainingDevice::Gpu => tr!("graphics card only"),
        };
        ComboBox::from_id_salt("train-device").selected_text(text(form.device)).show_ui(ui, |ui| {
            for d in [TrainingDevice::Auto, TrainingDevice::Cpu, TrainingDevice::Gpu] {
                ui.selectable_value(&mut form.device, d, text(d));
            }
        });
        ui.end_row();
        let l = ui.label(tr!("Seed"));
        ui.add(DragValue::new(&mut form.seed)).labelled_by(l.id);
        ui.end_row();
        let l = ui.label(tr!("Start from"));
        ui.add(TextEdit::singleline(&mut form.init).hint_text(tr!("the bundled model")).desired_width(180.0))
            .labelled_by(l.id);
        ui.end_row();
        let l = ui.label(tr!("Write to"));
        ui.add(TextEdit::singleline(&mut form.out).hint_text(tr!("the folder of models")).desired_width(180.0))
            .labelled_by(l.id);
        ui.end_row();
    });
}

fn controls(ui: &mut Ui, cx: &Cx<'_>, state: &State, asked: &mut Asked<Input>) {
    ui.horizontal(|ui| {
        let start = Button::new(RichText::new(tr!("Start")).size(16.0)).min_size(vec2(120.0, 36.0));
        let obstacle = state.obstacle();
        let response = ui.add_enabled(cx.enabled(Command::StartTraining), start);
        let response = match &obstacle {
            Some(why) => response.on_disabled_hover_text(why),
            None => response.on_hover_text(Command::StartTraining.tooltip()),
        };
        if response.clicked() {
            asked.command(Command::StartTraining);
        }
        let pause = Button::new(if state.run == RunState::Paused { tr!("Continue") } else { tr!("Pause") })
            .min_size(vec2(80.0, 36.0));
        if ui
            .add_enabled(cx.enabled(Command::PauseTraining), pause)
            .on_hover_text(Command::PauseTraining.tooltip())
            .clicked()
        {
            asked.command(Command::PauseTraining);
        }
        let stop = Button::new(tr!("Stop")).min_size(vec2(80.0, 36.0));
        if ui
            .add_enabled(cx.enabled(Command::StopTraining), stop)
            .on_hover_text(Command::StopTraining.tooltip())
            .clicked()
        {
            asked.command(Command::StopTraining);
        }
    });
    if let Some(error) = &state.error {
        ui.add_space(4.0);
        ui.add(egui::Label::new(RichText::new(error).color(theme::error_colour(ui))).wrap());
    }
    for note in state.notes.iter().rev().take(3).rev() {
        ui.add(egui::Label::new(RichText::new(note).small()).wrap());
    }
    ui.weak(tr!("Trains on the processor, all cores. Classifying and looking around go on meanwhile."));
}

fn headline(ui: &mut Ui, state: &State, now: f64) {
    ui.horizontal(|ui| {
        match state.run {
            RunState::Idle if state.history.is_empty() => ui.heading(tr!("Curves")),
            RunState::Idle => ui.heading(tr!("The last run")),
            _ => ui.heading(state.title()),
        };
        let (done, total) = state.progress;
        if state.busy() && total > 0 {
            let share = done as f32 / total as f32;
            ui.add(egui::ProgressBar::new(share).desired_width(160.0));
            ui.label(tr!("%{n} of %{all}", n = done, all = total));
            if let Some(left) = state.left(now) {
                ui.label(tr!("%{time} left", time = duration(left)));
            }
        }
        if state.stopping() {
            ui.label(tr!("stopping…"));
        }
    });
    if let (Some(last), Some(best)) = (state.history.last(), state.best()) {
        ui.label(tr!(
            "Epoch %{epoch}: loss %{loss}, accuracy %{accuracy} %; validation %{val_loss}, %{val_accuracy} %. Best epoch %{best}: %{best_val_loss}, %{best_accuracy} %",
            epoch = last.epoch,
            loss = decimal(last.train_loss, 3),
            accuracy = decimal(last.train_accuracy * 100.0, 1),
            val_loss = decimal(last.val_loss, 3),
            val_accuracy = decimal(last.val_accuracy * 100.0, 1),
            best = best.epoch,
            best_val_loss = decimal(best.val_loss, 3),
            best_accuracy = decimal(best.val_accuracy * 100.0, 1)
        ));
    } else if !state.busy() {
        ui.weak(tr!("Loss and accuracy of training and validation are drawn here while it trains."));
    } else {
        ui.weak(tr!("The first epoch's figures come at its end; the thin line is the batches, smoothed."));
    }
}

/// One of the two plots.
struct Curve {
    name: String,
    batch: usize,
    train: fn(&EpochRow) -> f64,
    validation: fn(&EpochRow) -> f64,
    /// The upper end where it is known.
    top: Option<f64>,
    percent: bool,
}

fn curves(ui: &mut Ui, state: &State, height: f32) {
    let curves = [
        Curve {
            name: tr!("Loss"),
            batch: 1,
            train: |r| r.train_loss,
            validation: |r| r.val_loss,
            top: None,
            percent: false,
        },
        Curve {
            name: tr!("Accuracy"),
            batch: 2,
            train: |r| r.train_accuracy,
            validation: |r| r.val_accuracy,
            top: Some(1.0),
            percent: true,
        },
    ];
    // Beside each other where there is room, else one above the other.
    let wide = ui.available_width() > 820.0;
    let gap = 26.0;
    let (w, h) = if wide {
        ((ui.available_width() - 14.0) / 2.0, height - gap)
    } else {
        (ui.available_width(), height / 2.0 - gap)
    };
    let draw = |ui: &mut Ui| {
        for curve in &curves {
            ui.vertical(|ui| {
                ui.label(RichText::new(&curve.name).strong());
                plot(ui, state, curve, vec2(w, h));
            });
        }
    };
    if wide {
        ui.horizontal_top(draw);
    } else {
        draw(ui);
    }
}

fn plot(ui: &mut Ui, state: &State, curve: &Curve, size: egui::Vec2) {
    let colours = theme::curves(ui.visuals().dark_mode);
    let number = if curve.percent { |v: f64| percent(v, 1) } else { |v: f64| decimal(v, 3) };
    let epochs = state.form.epochs.max(state.history.len()).max(1) as f64;
    let mut p = still_plot(&curve.name, size)
        .legend(Legend::default().position(if curve.percent { Corner::RightBottom } else { Corner::RightTop }))
        .include_x(0.0)
        .include_x(epochs)
        .include_y(0.0)
        .x_axis_label(tr!("epoch"))
        .label_formatter(move |at| match at {
            HoverPosition::NearDataPoint { plot_name, position, .. } => {
                Some(format!("{plot_name}\nepoch {:.1}: {}", position.x, number(position.y)))
            }
            HoverPosition::Elsewhere { .. } => None,
        });
    if let Some(top) = curve.top.or(state.history.is_empty().then_some(1.0)) {
        p = p.include_y(top);
    }
    let points = |f: fn(&EpochRow) -> f64, rows: &[EpochRow]| -> Vec<[f64; 2]> {
        rows.iter().map(|r| [r.epoch as f64, f(r)]).collect()
    };
    let response = p.show(ui, |p| {
        for run in &state.earlier {
            let line = line(tr!("%{name}, validation", name = run.name), points(curve.validation, &run.history));
            p.line(line.color(colours.earlier).width(1.0).style(LineStyle::dashed_loose()));
        }
        if !state.batches.is_empty() {
            let batches: Vec<[f64; 2]> = state.batches.iter().map(|b| [b[0], b[curve.batch]]).collect();
            p.line(line("batches, smoothed", batches).color(colours.batches).width(1.2));
        }
        if state.history.is_empty() {
            return;
        }
        for (name, f, colour, shape) in [
            (tr!("training"), curve.train, colours.training, MarkerShape::Circle),
            (tr!("validation"), curve.validation, colours.validation, MarkerShape::Diamond),
        ] {
            let xy = points(f, &state.history);
            p.line(line(&name, xy.clone()).color(colour).width(2.0));
            p.points(Points::new(name, PlotPoints::from(xy)).color(colour).shape(shape).radius(3.5));
        }
        if let Some(best) = state.best() {
            p.vline(VLine::new("best epoch", best.epoch as f64).color(colours.best).style(LineStyle::dotted_dense()));
        }
    });
    let name = match state.history.last() {
        Some(r) => tr!(
            "%{name}: training %{training}, validation %{validation}",
            name = curve.name,
            training = number((curve.train)(r)),
            validation = number((curve.validation)(r))
        ),
        None => tr!("%{name}: nothing yet", name = curve.name),
    };
    response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
}

fn outcome(ui: &mut Ui, cx: &Cx<'_>, state: &State, outcome: &TrainOutcome, asked: &mut Asked<Input>) {
    ui.horizontal(|ui| match &outcome.model {
        Some((path, digest)) => {
            ui.heading(tr!("The new model"));
            ui.label(format!("{} ({})", display_name(path), digest.short())).on_hover_text(display_path(path));
        }
        None => {
            ui.heading(tr!("No model"));
        }
    });
    let percent = |v: f64| percent(v, 1);
    let range = |i: Option<crate::metrics::Interval>| {
        i.map_or("–".to_owned(), |i| format!("{}–{}", decimal(i.low * 100.0, 1), decimal(i.high * 100.0, 1)))
    };
    Grid::new("train-outcome").num_columns(4).spacing([18.0, 5.0]).striped(true).show(ui, |ui| {
        for head in ["", "accuracy", "95 % interval", "n"] {
            ui.label(RichText::new(head).strong());
        }
        ui.end_row();
        if let Some(v) = &outcome.validation {
            ui.label(tr!("Validation, epoch %{epoch}", epoch = outcome.best_epoch))
                .on_hover_text(tr!("It chose the epoch: a little too good"));
            ui.label(percent(v.accuracy.0));
            ui.label(range(v.accuracy.1));
            ui.label(v.n.to_string());
            ui.end_row();
        }
        if let Some(h) = &outcome.held_out {
            ui.label(tr!("Test set (used once)"));
            ui.label(RichText::new(percent(h.scores.accuracy.0)).strong());
            ui.label(range(h.scores.accuracy.1));
            ui.label(h.scores.n.to_string());
            ui.end_row();
            if let Some(c) = &h.current {
                ui.label(tr!("The present model, same images: %{name}", name = c.name));
                ui.label(percent(c.accuracy));
                ui.label(range(Some(c.interval)));
                ui.label(c.n.to_string());
                ui.end_row();
            }
        }
    });
    if outcome.held_out.is_none() && outcome.model.is_some() {
        ui.weak(tr!("No test part: add a third share to the split (70/15/15) for a held-out result."));
    }
    if state.plan.as_ref().is_some_and(|(_, p)| p.random_split) {
        ui.colored_label(theme::error_colour(ui), tr!("Random split: copies of one cell may be on both sides."));
    }
    ui.horizontal(|ui| {
        command_button(ui, cx, asked, Command::UseTrainedModel);
        command_button(ui, cx, asked, Command::PreviousModel);
        ui.weak(tr!(
            "Verified in ONNX Runtime: probabilities agree to %{n}",
            n = format!("{:.0e}", outcome.difference.max(1e-9))
        ));
    });
    let scores = outcome.held_out.as_ref().map(|h| &h.scores).or(outcome.validation.as_ref());
    if let Some(scores) = scores {
        Grid::new("train-report").num_columns(5).spacing([18.0, 3.0]).show(ui, |ui| {
            for head in ["class", "precision", "recall", "F1", "support"] {
                ui.label(RichText::new(head).strong());
            }
            ui.end_row();
            for (label, c) in outcome.labels.iter().zip(&scores.per_class) {
                ui.label(look_up(label));
                for e in [c.precision, c.recall, c.f1] {
                    let shown = ui.label(e.map_or("–".to_owned(), |e| decimal(e.value, 2)));
                    if let Some(i) = e.and_then(|e| e.interval) {
                        let (low, high) = (decimal(i.low, 2), decimal(i.high, 2));
                        shown.on_hover_text(tr!("95 % interval %{low}–%{high}", low = low, high = high));
                    }
                }
                ui.label(c.support.to_string());
                ui.end_row();
            }
        });
    }
}
