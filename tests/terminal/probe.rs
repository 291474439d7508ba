//! Starts the probe, the program that is nothing but the terminal layer.

use std::{path::PathBuf, process::Command, sync::OnceLock};

use crate::pty::Pty;

/// The window that the tests have when they do not care.
pub const SIZE: (u16, u16) = (80, 24);

/// The probe, built: `cargo test --test terminal` alone would not build an example.
pub fn path() -> &'static PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        if let Some(cargo) = std::env::var_os("CARGO") {
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--example", "terminal_probe"]);
            build.current_dir(env!("CARGO_MANIFEST_DIR"));
            // What cargo told this test about its package would make build scripts run anew.
            for (name, _) in std::env::vars_os() {
                let told = [
                    "CARGO_PKG_",
                    "CARGO_MANIFEST_",
                    "CARGO_BIN_",
                    "CARGO_TARGET_TMPDIR",
                ];
                if told
                    .iter()
                    .any(|start| name.to_string_lossy().starts_with(start))
                {
                    build.env_remove(name);
                }
            }
            let built = build.status();
            assert!(
                built.expect("cargo runs").success(),
                "the probe does not build"
            );
        }
        let me = std::env::current_exe().expect("a path");
        let profile = me.ancestors().nth(2).expect("target/debug/deps/terminal");
        profile.join("examples").join("terminal_probe")
    })
}

/// The probe with its first frame shown.
pub fn start(env: &[(&str, &str)]) -> Pty {
    let pty = Pty::spawn(path(), &[], env, SIZE);
    pty.wait_text("count 0 size 80x24");
    pty
}

/// The probe under `sh -c script`, in which `$PROBE` is its path.
pub fn start_in_shell(script: &str) -> Pty {
    let probe = path().to_str().expect("a path of text");
    let pty = Pty::spawn(
        "/bin/sh".as_ref(),
        &["-c", script],
        &[("PROBE", probe)],
        SIZE,
    );
    pty.wait_text("count 0 size 80x24");
    pty
}
