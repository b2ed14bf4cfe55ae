//! What is around every page: menu bar, rail, status bar, dialogs, what was said. It knows no page.

mod dialogs;
mod drop_overlay;
mod frame;
mod guide;
pub(crate) mod input_order;
mod keyboard;
pub mod state;
mod update;

pub(crate) use dialogs::dialog;
pub(crate) use drop_overlay::drop_overlay;
pub(crate) use frame::{JobStatus, Status, menu_bar, rail, status_bar, toasts};
pub(crate) use guide::GuideMemory;
pub(crate) use keyboard::keys;
pub use state::{Dialog, LOG_LINES, State, Toast};
pub use update::{Effect, Event, Input, checked, command, event, input};
