//! Reads the file with limits: nothing that hangs, nothing huge, nothing but UTF-8.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::problem::{Lines, Place, Problem, Problems};
use super::{Config, KeyCheck, root};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// Reads and checks a configuration file; `user` is the id of the user who runs the program.
///
/// The second value holds the warnings, by place.
///
/// # Errors
/// Why the file cannot be read, or everything that is wrong with its text.
pub fn load(file: &Path, user: u32, of_keys: KeyCheck) -> Result<(Config, Vec<Problem>), Problems> {
    let name = file.to_string_lossy();
    let (bytes, metadata) = read(file).map_err(|refusal| refusal.into_problems(&name))?;
    let text = decode(&name, bytes)?;
    let exposure = exposure(file, &metadata, user);
    let (config, mut warnings) = root::read(&text, &name, exposure.as_deref(), of_keys)?;
    if metadata.mode() & 0o002 != 0 {
        warnings.insert(0, writable(&name, file));
    }
    Ok((config, warnings))
}

/// Why a file was not read, and what would have been.
struct Refusal {
    found: String,
    expected: String,
}

impl Refusal {
    fn into_problems(self, name: &str) -> Problems {
        Problems::of_file(name, self.found, &self.expected)
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self {
            found: format!("cannot be read: {error}"),
            expected: "a file that this user can read".to_owned(),
        }
    }
}

fn read(file: &Path) -> Result<(Vec<u8>, Metadata), Refusal> {
    // Looked at before it is opened: opening a FIFO waits for a writer, opening a device can act.
    // Whoever could swap the file in between could as well write what it says.
    allowed(&fs::metadata(file)?)?;
    let opened = File::open(file)?;
    let metadata = opened.metadata()?;
    allowed(&metadata)?;
    Ok((bounded(opened)?, metadata))
}

/// Bounded by what is read, not by what the file claims: files of /proc say 0, others grow.
fn bounded(source: impl Read) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    source.take(LARGEST + 1).read_to_end(&mut bytes)?;
    let length = bytes.len() as u64;
    if length > LARGEST {
        return Err(too_large(length));
    }
    Ok(bytes)
}

fn allowed(metadata: &Metadata) -> Result<(), Refusal> {
    let kind = metadata.file_type();
    let found = if kind.is_file() {
        if metadata.len() > LARGEST {
            return Err(too_large(metadata.len()));
        }
        return Ok(());
    } else if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Refusal {
        found: found.to_owned(),
        expected: "a regular file".to_owned(),
    })
}

fn too_large(length: u64) -> Refusal {
    Refusal {
        found: format!("{length} bytes or more"),
        expected: format!("at most {LARGEST} bytes"),
    }
}

/// The text, or the place of the first byte that is not UTF-8.
fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Problems> {
    let error = match String::from_utf8(bytes) {
        Ok(text) => return Ok(text),
        Err(error) => error,
    };
    let valid = error.utf8_error().valid_up_to();
    let bytes = error.into_bytes();
    let before = bytes.get(..valid).unwrap_or_default();
    let before = std::str::from_utf8(before).unwrap_or_default();
    let place = Lines::new(before).place(before.len());
    let byte = bytes.get(valid).copied().unwrap_or_default();
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let problem = Problem {
        file: name.to_owned(),
        place,
        key: String::new(),
        found: format!("the byte 0x{byte:02x}, which is not UTF-8"),
        expected: "UTF-8".to_owned(),
        advice: is_utf16.then(|| "the file was saved as UTF-16".to_owned()),
    };
    Err(Problems::sorted(name, vec![problem]))
}

/// Who else can read a secret in this file, and the command against it; none if nobody can.
fn exposure(file: &Path, metadata: &Metadata, user: u32) -> Option<String> {
    let real = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    let is_link = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_symlink());
    let mut reasons = Vec::new();
    if metadata.mode() & 0o077 != 0 {
        reasons.push(format!(
            "others may read it (mode {:04o})",
            metadata.mode() & 0o7777
        ));
    }
    if is_link {
        reasons.push(format!("it is a link to {}", real.display()));
    }
    if metadata.uid() != user {
        reasons.push(format!(
            "it belongs to user {}, not to {user}",
            metadata.uid()
        ));
    }
    if reasons.is_empty() {
        return None;
    }
    let command = format!("chmod 600 {}", shell_word(&real));
    Some(format!(
        "{}: run `{command}` and replace the secret",
        reasons.join(", ")
    ))
}

/// Whoever can write the file chooses the kubeconfig, whose plugins run as this user.
fn writable(name: &str, file: &Path) -> Problem {
    Problem {
        file: name.to_owned(),
        place: Place { line: 1, column: 1 },
        key: String::new(),
        found: "every user of this machine can write the file".to_owned(),
        expected: String::new(),
        advice: Some(format!("run `chmod o-w {}`", shell_word(file))),
    }
}

fn shell_word(file: &Path) -> String {
    let text = file.to_string_lossy();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@".contains(character);
    if text.chars().all(plain) && !text.starts_with('-') {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_longer_than_it_says_is_refused() {
        assert!(bounded(io::repeat(b'#')).is_err());
        assert!(bounded(io::repeat(b'#').take(LARGEST)).is_ok_and(|bytes| bytes.len() == 1 << 20));
    }
}
