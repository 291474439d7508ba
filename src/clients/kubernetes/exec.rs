//! Exec credential plugins, run by us instead of by kube: once instead of three times, without the
//! terminal, bounded, and with what they say on stderr kept for the fault (K16).

use std::process::{Output, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use kube::config::ExecConfig;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::super::mask::Masks;
use super::fault::words;
use crate::estate::{Fault, FaultKind, Safe};

/// The most that is read of what a plugin prints.
const OUTPUT: u64 = 1 << 20;

/// What a plugin gave.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Credential {
    pub(super) token: Option<String>,
    /// Certificate and key in PEM.
    pub(super) certificate: Option<(String, String)>,
    pub(super) expires: Option<Timestamp>,
}

/// Runs the plugin.
pub(super) async fn run(plugin: &ExecConfig, limit: Duration) -> Result<Credential, Fault> {
    let Some(name) = &plugin.command else {
        return Err(words(
            FaultKind::Config,
            "the kubeconfig's exec plugin has no command",
        ));
    };
    let child = command(name, plugin)?.spawn().map_err(|e| {
        let hint = plugin.install_hint.as_deref().unwrap_or_default();
        words(
            FaultKind::Config,
            format_args!("cannot run the credential plugin {name}: {e} {hint}"),
        )
    })?;
    let group = child.id();
    let Ok(output) = tokio::time::timeout(limit, collect(child)).await else {
        end_group(group);
        let what = format_args!(
            "login needed: the credential plugin {name} gave nothing within {} s",
            limit.as_secs()
        );
        return Err(words(FaultKind::LoginNeeded, what));
    };
    let output = output.map_err(|e| {
        words(
            FaultKind::LoginNeeded,
            format_args!("the credential plugin {name} broke off: {e}"),
        )
    })?;
    if !output.status.success() {
        let what = format_args!(
            "login needed: the credential plugin {name} ended with {}: {}",
            output.status,
            said(&output.stderr)
        );
        return Err(words(FaultKind::LoginNeeded, what));
    }
    parse(name, &output.stdout)
}

/// What a plugin said, with what looks like a secret masked. Programs that fail may print what they were called with.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = Masks::all(text.lines().map(Safe::new));
    let lines: Vec<&str> = lines.iter().map(Safe::as_str).collect();
    lines.join("\n")
}

fn command(name: &str, plugin: &ExecConfig) -> Result<Command, Fault> {
    let request = serde_json::json!({
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": { "interactive": false, "cluster": plugin.cluster },
    });
    let mut command = Command::new(name);
    command.args(plugin.args.iter().flatten());
    for pair in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (pair.get("name"), pair.get("value")) {
            command.env(name, value);
        }
    }
    command
        .env("KUBERNETES_EXEC_INFO", request.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own: one that opens the terminal all the same is stopped by it, not served.
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

async fn collect(mut child: Child) -> std::io::Result<Output> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) = tokio::try_join!(read(stdout), read(stderr), child.wait())?;
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut pipe) = pipe {
        (&mut pipe).take(OUTPUT).read_to_end(&mut kept).await?;
        // Read on, so that the plugin does not block; but keep nothing.
        tokio::io::copy(&mut pipe, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

/// Ends what the plugin started, too: a shell script's `sleep` would hold the pipes.
fn end_group(leader: Option<u32>) {
    let leader = leader.and_then(|id| i32::try_from(id).ok());
    if let Some(leader) = leader.and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

fn parse(name: &str, stdout: &[u8]) -> Result<Credential, Fault> {
    #[derive(Deserialize)]
    struct Printed {
        status: Option<Status>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        token: Option<String>,
        client_certificate_data: Option<String>,
        client_key_data: Option<String>,
        expiration_timestamp: Option<Timestamp>,
    }
    // serde's words may quote what was printed, and that may be a token: only the place is told.
    let printed: Printed = serde_json::from_slice(stdout).map_err(|e| {
        let what = format_args!(
            "login needed: the credential plugin {name} printed no ExecCredential in JSON (line {}, column {})",
            e.line(),
            e.column()
        );
        words(FaultKind::LoginNeeded, what)
    })?;
    let status = printed.status.ok_or_else(|| {
        words(
            FaultKind::LoginNeeded,
            format_args!("login needed: the credential plugin {name} gave no credential"),
        )
    })?;
    Ok(Credential {
        token: status.token.filter(|token| !token.trim().is_empty()),
        certificate: status.client_certificate_data.zip(status.client_key_data),
        expires: status.expiration_timestamp,
    })
}
