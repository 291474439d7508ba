//! Finds the file: `--config`, else `WHEELHOUSE_CONFIG`, else the standard place.

use std::ffi::OsStr;
use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::problem::clean;

/// The variable that names the file.
const VARIABLE: &str = "WHEELHOUSE_CONFIG";

/// Who named the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// The option `--config`.
    Option,
    /// The variable `WHEELHOUSE_CONFIG`.
    Variable,
    /// Nobody: it is the standard place.
    Standard,
}

/// There is no configuration. The program ends with exit code 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The file that was looked for; absent where there is no home directory either.
    pub file: Option<PathBuf>,
    /// Who named it.
    pub named: Named,
}

/// Finds the file. One that was named and is missing is an error: another would be a surprise.
///
/// `explicit` is the option, `variable` the value of `WHEELHOUSE_CONFIG` (empty counts as unset),
/// `standard` the last resort, usually [`standard()`].
///
/// # Errors
/// The file that was looked for and does not exist.
pub fn find(
    explicit: Option<&Path>,
    variable: Option<&OsStr>,
    standard: Option<&Path>,
) -> Result<PathBuf, Missing> {
    let variable = variable.filter(|value| !value.is_empty()).map(Path::new);
    let (file, named) = match (explicit, variable) {
        (Some(file), _) => (Some(file), Named::Option),
        (None, Some(file)) => (Some(file), Named::Variable),
        (None, None) => (standard, Named::Standard),
    };
    match file {
        Some(file) if exists(file) => Ok(file.to_path_buf()),
        _ => Err(Missing {
            file: file.map(Path::to_path_buf),
            named,
        }),
    }
}

/// The standard place: `wheelhouse/config.toml` in the user's configuration directory.
#[must_use]
pub fn standard() -> Option<PathBuf> {
    let directories = directories::ProjectDirs::from("", "", "wheelhouse")?;
    Some(directories.config_dir().join("config.toml"))
}

/// What cannot be looked at may well be there: reading it then says why it cannot be read.
fn exists(file: &Path) -> bool {
    match std::fs::metadata(file) {
        Ok(_) => true,
        Err(error) => !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput
        ),
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => {
                let file = clean(&file.to_string_lossy());
                write!(out, "no configuration: {file} does not exist")?;
            }
            None => write!(
                out,
                "no configuration: there is no home directory to look in"
            )?,
        }
        match self.named {
            Named::Option => write!(out, " (named by --config)")?,
            Named::Variable => write!(out, " (named by {VARIABLE})")?,
            Named::Standard => {}
        }
        write!(
            out,
            "\n`wheelhouse init` writes one; `wheelhouse demo` needs none; --config and {VARIABLE} name another"
        )
    }
}

impl std::error::Error for Missing {}
