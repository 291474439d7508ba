//! The token: read where the configuration says, checked, and never shown.

use std::path::Path;
use std::process::Stdio;

use http::HeaderValue;
use tokio::process::Command;

use super::{Limits, Target, TokenFrom, fault, transport};
use crate::clients::secret;
use crate::estate::{Fault, FaultKind};

/// More bytes than any token has.
const LONGEST: u64 = 4096;

/// The value of the Authorization header, marked as sensitive; none without a token.
pub(super) async fn credential(
    target: &Target,
    limits: &Limits,
) -> Result<Option<HeaderValue>, Fault> {
    let text = match &target.token {
        TokenFrom::None => return Ok(None),
        TokenFrom::Env(name) => std::env::var(name).map_err(|_| {
            fault::words(
                FaultKind::LoginNeeded,
                format_args!("no token: ${name} is not set"),
            )
        })?,
        TokenFrom::File(path) => secret::file(path, LONGEST)?,
        TokenFrom::GhCli => {
            let host = transport::site(&target.api);
            gh(Path::new("gh"), &host, limits).await?
        }
    };
    header(&text, &source(&target.token)).map(Some)
}

/// Where the token comes from, for people.
pub(super) fn source(from: &TokenFrom) -> String {
    match from {
        TokenFrom::Env(name) => format!("the token of ${name}"),
        TokenFrom::File(path) => format!("the token of {}", path.display()),
        TokenFrom::GhCli => "the token of `gh auth token`".to_owned(),
        TokenFrom::None => "nobody (there is no token)".to_owned(),
    }
}

/// Checked here, as octocrab would panic over a line break.
fn header(text: &str, source: &str) -> Result<HeaderValue, Fault> {
    let token = text.trim();
    if token.is_empty() {
        return Err(fault::words(
            FaultKind::LoginNeeded,
            format_args!("{source} is empty"),
        ));
    }
    let value = (token.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| HeaderValue::try_from(format!("Bearer {token}")).ok())
        .flatten();
    let mut value = value.ok_or_else(|| {
        fault::words(
            FaultKind::Config,
            format_args!("{source} is not one word of printable ASCII"),
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Asks the gh CLI, which may keep the token in a keyring.
async fn gh(program: &Path, host: &str, limits: &Limits) -> Result<String, Fault> {
    let failed = |why: String| {
        let what = format!("`gh auth token --hostname {host}` {why}");
        fault::words(FaultKind::LoginNeeded, what)
    };
    let asking = Command::new(program)
        .args(["auth", "token", "--hostname", host])
        .env("GH_PROMPT_DISABLED", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = (tokio::time::timeout(limits.gh, asking).await)
        .map_err(|_| failed(format!("gave no token within {:.0?}", limits.gh)))?
        .map_err(|e| failed(format!("cannot be run: {e}")))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(format!("failed: {}", said.trim())));
    }
    String::from_utf8(output.stdout).map_err(|_| failed("said something that is no text".into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::time::Duration;

    fn script(body: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let [draft, path] = ["draft", "gh"].map(|name| folder.path().join(name));
        std::fs::write(&draft, format!("#!/bin/sh\n{body}\n")).unwrap();
        // Copied by another process: what we had open for writing, a child that another test starts just then has open,
        // too, and so long it cannot be run.
        let mut copy = std::process::Command::new("install");
        let copied = copy.arg("-m755").args([&draft, &path]).status();
        assert!(copied.unwrap().success());
        (folder, path)
    }

    #[tokio::test]
    async fn gh_is_asked_without_a_terminal_and_its_line_break_is_trimmed() {
        let (_folder, path) =
            script("read x && exit 3; [ \"$*\" = 'auth token --hostname ghe' ] && echo gho_abc");
        let text = gh(&path, "ghe", &Limits::default()).await.unwrap();
        let value = header(&text, "gh").unwrap();
        assert_eq!(value.to_str().unwrap(), "Bearer gho_abc");
        assert!(value.is_sensitive());
    }

    #[tokio::test]
    async fn gh_that_fails_or_hangs_is_told_in_words() {
        let (_folder, path) = script("echo 'no oauth token found for ghe' >&2; exit 1");
        let fault = gh(&path, "ghe", &Limits::default()).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::LoginNeeded);
        assert!(
            fault.what.contains("no oauth token found"),
            "{}",
            fault.what
        );
        let (_folder, path) = script("exec tail -f /dev/null");
        let limits = Limits {
            gh: Duration::from_millis(50),
            ..Limits::default()
        };
        let fault = gh(&path, "ghe", &limits).await.unwrap_err();
        assert!(
            fault.what.contains("gave no token within"),
            "{}",
            fault.what
        );
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_shown() {
        for text in ["two words", "a\nb", "caf\u{e9}", "a\u{7}b"] {
            let fault = header(text, "the token of $T").unwrap_err();
            assert_eq!(fault.kind, FaultKind::Config);
            assert!(!fault.what.contains(text), "{}", fault.what);
        }
        assert_eq!(header(" \n", "x").unwrap_err().kind, FaultKind::LoginNeeded);
    }
}
