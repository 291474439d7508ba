//! The log: files of a day in the state directory, never the terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What is logged unless WHEELHOUSE_LOG says otherwise: levels by target. kube logs whole bodies as warnings when it
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
    let subscriber = tracing_subscriber::registry()
        .with(filter(std::env::var("WHEELHOUSE_LOG").ok().as_deref()))
        .with(layer().with_ansi(false).with_writer(writer));
    subscriber.try_init().ok()?;
    Some(guard)
}

/// What was asked for, where it can be read; else [`FILTER`].
fn filter(asked: Option<&str>) -> Targets {
    let asked = asked.filter(|asked| !asked.trim().is_empty());
    let read = asked.and_then(|asked| asked.parse().ok());
    read.or_else(|| FILTER.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn what_is_asked_for_is_logged_and_what_cannot_be_read_changes_nothing() {
        for asked in [
            None,
            Some(""),
            Some("wheelhouse=loud"),
            Some("[span{field=1}]=debug"),
        ] {
            let filter = filter(asked);
            assert!(
                filter.would_enable("wheelhouse::ops", &Level::INFO),
                "{asked:?}"
            );
            assert!(
                !filter.would_enable("wheelhouse", &Level::DEBUG),
                "{asked:?}"
            );
            assert!(
                !filter.would_enable("kube_client", &Level::WARN),
                "{asked:?}"
            );
        }
        let filter = filter(Some("error,wheelhouse::ops=debug"));
        assert!(filter.would_enable("wheelhouse::ops::lock", &Level::DEBUG));
        assert!(!filter.would_enable("wheelhouse", &Level::WARN));
    }
}
