//! Secrets that lie in files: read only where nobody else can read them.

use std::fmt::Display;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::kubernetes::fault::words;
use crate::estate::{Fault, FaultKind};

/// The text of a file that nobody but its owner may read, at most `longest` bytes of it. Blocks.
///
/// # Errors
/// `Config` in words that hold nothing of the file, with the command that mends it.
pub(super) fn file(path: &Path, longest: u64) -> Result<String, Fault> {
    let shown = path.display();
    let refused = |why: &dyn Display| words(FaultKind::Config, why);
    let unreadable =
        |e: std::io::Error| refused(&format_args!("cannot read the token of {shown}: {e}"));
    // Looked at before it is opened: a FIFO would wait for a writer.
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(refused(&format_args!(
            "the token of {shown} is no regular file"
        )));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(refused(&format_args!(
            "others may read the token of {shown} (mode {mode:04o}): run `chmod 600` on it and replace the token"
        )));
    }
    let mut text = String::new();
    let opened = std::fs::File::open(path).map_err(unreadable)?;
    let read = opened.take(longest).read_to_string(&mut text);
    read.map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_may_read_is_refused_and_its_token_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "ghp_secret\n").unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let read = file(&path, 100);
            assert_eq!(read.is_ok(), is_fine, "{mode:o}");
            if let Err(fault) = read {
                assert!(fault.what.contains("chmod 600") && !fault.what.contains("ghp_"));
            }
        }
    }
}
