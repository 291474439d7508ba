//! The journal of acts: append-only JSON lines in the state directory, for this user's eyes only. The
//! intent is on the disk before anything is sent: evidence of what was asked for, whatever came of it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use crate::estate::Safe;
use crate::estate::act::{Act, Outcome};

/// A line of it. It holds what the dialog showed, and no credential.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) schema: &'static str,
    pub(super) at: Timestamp,
    /// The act's own id: it is in the silence's comment, too.
    pub(super) act: &'a str,
    pub(super) environment: &'a Safe,
    pub(super) what: What<'a>,
}

/// The version of a line's shape; fields may be added.
pub(super) const SCHEMA: &str = "wheelhouse.act/v1";

/// What a line is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What<'a> {
    /// It is about to be sent.
    Intent(&'a Act),
    /// What became of it.
    Outcome(&'a Outcome),
}

impl Line<'_> {
    /// As it stands in the file.
    pub(super) fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// Adds a line and flushes it to the disk.
///
/// # Errors
/// Where there is no room, or no right to write.
pub(super) fn append(file: &Path, line: &[u8]) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir)?;
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700))?;
    }
    let mut out = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    out.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    // One write a line: two cockpits that append at once do not tear each other's.
    out.write_all(line)?;
    out.sync_data()
}
