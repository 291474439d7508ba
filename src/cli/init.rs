//! `init`: a commented configuration file to start from.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::output::{complain, say};
use crate::config;

/// The example, every key explained.
const EXAMPLE: &str = include_str!("../../config.example.toml");

#[derive(Clone, Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print it instead of writing a file.
    #[arg(long)]
    print: bool,
}

/// Writes the example where the configuration is looked for; never over a file that exists.
pub(super) fn run(explicit: Option<&Path>, arguments: &Arguments) -> Exit {
    if arguments.print {
        say(EXAMPLE);
        return Exit::Ok;
    }
    let Some(file) = explicit.map(Path::to_owned).or_else(config::standard) else {
        complain("wheelhouse: no home directory is known; say where with --config FILE\n");
        return Exit::Usage;
    };
    match write(&file) {
        Ok(()) => {
            let file = file.display();
            say(&format!(
                "wrote {file}: the example of Digital Wall; put your own environments in, then run `wheelhouse`\n"
            ));
            Exit::Ok
        }
        Err(error) => {
            complain(&format!("wheelhouse: {}: {error}\n", file.display()));
            Exit::Usage
        }
    }
}

fn write(file: &PathBuf) -> std::io::Result<()> {
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir)?;
    }
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    out.write_all(EXAMPLE.as_bytes())
}
