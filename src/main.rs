//! Chooses between the command line and the window, and turns the result into an exit code. Nothing else.

use leukoscope::cli::{self, Exit, Next};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything else, and before there is a second thread.
    leukoscope::inference::disable_telemetry();
    let filter = tracing_subscriber::EnvFilter::try_from_env("LEUKOSCOPE_LOG").unwrap_or_else(|_| "error".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    install_panic_hook();
    let exit = match cli::run(std::env::args_os()) {
        Next::Exit(code) => code,
        Next::Window { paths, demo } => window(paths, demo),
    };
    ExitCode::from(exit as u8)
}

/// A panic inside one image's worker is caught and becomes that image's row; here it is only logged.
fn install_panic_hook() {
    std::panic::set_hook(Box::new(|info| {
        tracing::error!("{info}");
        let worker =
            std::thread::current().name().is_some_and(|n| n.starts_with("classify-") || n.starts_with("thumbnails-"));
        if !worker {
            cli::eprint_line(&format!("internal error: {info}. Please report it."));
        }
    }));
}

#[cfg(feature = "app")]
fn window(paths: Vec<std::path::PathBuf>, demo: Option<Option<std::path::PathBuf>>) -> Exit {
    match leukoscope::app::run(paths, demo.clone()) {
        Ok(()) => Exit::Fine,
        Err(reason) => {
            cli::eprint_line(&reason.to_string());
            match demo {
                Some(out) => cli::demo_in_terminal(out),
                None => Exit::Failure,
            }
        }
    }
}

#[cfg(not(feature = "app"))]
fn window(_: Vec<std::path::PathBuf>, _: Option<Option<std::path::PathBuf>>) -> Exit {
    cli::eprint_line("this build has no window; see leukoscope --help for the commands");
    Exit::Failure
}
