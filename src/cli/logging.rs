//! The log: files of a day in the state directory, never the terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

/// What is logged unless WHEELHOUSE_LOG says otherwise. kube logs whole bodies as warnings when it
/// cannot read them, which may hold secrets.
const FILTER: &str = "warn,wheelhouse=info,kube_client=error";
/// Days that are kept.
const DAYS: usize = 7;

/// Where state lives: `$XDG_STATE_HOME/wheelhouse`.
pub(super) fn state_dir() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "wheelhouse")?;
    let dir = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir());
    Some(dir.to_owned())
}

/// Starts logging; without a place to write to there is no log, and the program works all the same.
pub(super) fn start() -> Option<WorkerGuard> {
    let dir = state_dir()?;
    fs::create_dir_all(&dir).ok()?;
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).ok()?;
    let appender = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("wheelhouse")
        .filename_suffix("log")
        .max_log_files(DAYS)
        .build(&dir)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter =
        EnvFilter::try_from_env("WHEELHOUSE_LOG").unwrap_or_else(|_| EnvFilter::new(FILTER));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(writer);
    subscriber.try_init().ok()?;
    Some(guard)
}
