//! Helm, as a program of the user's: its version, a release's history, what a chart renders, and the act itself.
//!
//! It acts on the very cluster, context and namespace that everything else does, whatever the environment says (`HELM_KUBE…`
//! is not passed on). Wheelhouse reads no Secret of a release: helm does, as the user. Reads are bounded in time and size.

mod manifest;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use super::kubernetes::Cluster;
use super::program::{self, Output, Program};
use crate::estate::helm::{ReleaseStatus, Rendered, Revision};
use crate::estate::{Fault, FaultKind, Safe};

/// What is read of a history, in bytes.
const HISTORY: usize = 1 << 20;
/// What is read of what a chart renders, in bytes.
const MANIFEST: usize = 16 << 20;
/// Revisions of a history that are asked for.
const REVISIONS: &str = "20";
/// For a chart to be rendered: it may have to be fetched.
const RENDERING: Duration = Duration::from_secs(30);
/// Lines of helm's complaints that are told.
const LINES: usize = 3;

/// How helm is reached, and where it acts.
#[derive(Clone, Debug)]
pub struct Helm {
    program: Safe,
    kubeconfig: Option<PathBuf>,
    context: Option<Safe>,
    namespace: Safe,
}

/// A version of helm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As it says it, without what is behind a `+`.
    pub words: Safe,
    /// Major and minor.
    pub number: (u32, u32),
}

impl Version {
    /// Whether it is that one, or newer.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.number >= (major, minor)
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace().filter(|word| {
            let digits = word.strip_prefix('v').unwrap_or_default();
            digits.starts_with(|c: char| c.is_ascii_digit())
        });
        let words = words.next_back()?.split('+').next()?;
        let mut numbers = words[1..].split('.');
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0);
        Some(Self {
            words: words.into(),
            number: (major, minor),
        })
    }
}

impl Helm {
    /// The program `program`, acting where `cluster` leads.
    pub fn of(cluster: &Cluster, program: &Safe) -> Self {
        let (kubeconfig, context) = cluster.way();
        Self {
            program: program.clone(),
            kubeconfig: kubeconfig.map(Into::into),
            context: context.map(Safe::new),
            namespace: Safe::new(cluster.namespace()),
        }
    }

    /// `words` as helm is told them, its own name first.
    pub fn argv(&self, words: &[Safe]) -> Vec<Safe> {
        let mut argv = vec![self.program.clone()];
        argv.extend(words.iter().cloned());
        argv.extend(["--namespace".into(), self.namespace.clone()]);
        if let Some(context) = &self.context {
            argv.extend(["--kube-context".into(), context.clone()]);
        }
        argv
    }

    /// Starts it. It is asked to end before it is killed: then it marks its release as failed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, words: &[Safe]) -> Result<Program, Fault> {
        let kubeconfig = (self.kubeconfig.iter()).map(|path| {
            let path = path.display().to_string();
            ("KUBECONFIG".to_owned(), Safe::from(path))
        });
        let variables: Vec<_> = kubeconfig.collect();
        let running = program::start_with(&self.argv(words), &variables, is_passed)?;
        Ok(running.that_is_asked())
    }

    /// Which version it is.
    ///
    /// # Errors
    /// It cannot be started, does not answer, or says something else.
    pub async fn version(&self, limit: Duration) -> Result<Version, Fault> {
        let argv = [self.program.clone(), "version".into(), "--short".into()];
        let running = program::start_with(&argv, &[], is_passed)?;
        let output = running.output(HISTORY, limit).await;
        let output = output.map_err(|fault| said("version", fault))?;
        let text = String::from_utf8_lossy(&output.out);
        match Version::read(&text) {
            Some(version) => Ok(version),
            None if output.status.success() => Err(malformed("version", "it names none")),
            None => Err(failed("version", &output)),
        }
    }

    /// The newest revisions of `release`, the oldest first; none where there is no such release.
    ///
    /// # Errors
    /// It cannot be started, does not answer, or says something else.
    pub async fn history(&self, release: &Safe, limit: Duration) -> Result<Vec<Revision>, Fault> {
        let mut words: Vec<Safe> = vec!["history".into(), release.clone()];
        words.extend(["--output", "json", "--max", REVISIONS].map(Safe::from));
        let output = self.start(&words)?.output(HISTORY, limit).await;
        let output = output.map_err(|fault| said("history", fault))?;
        if output.status.success() {
            return read_history(&output.out);
        }
        let is_absent = |line: &Safe| line.trim_end().ends_with("release: not found");
        match output.complaints.iter().any(is_absent) {
            true => Ok(Vec::new()),
            false => Err(failed("history", &output)),
        }
    }

    /// Whether `release` is applied by the API server, as Helm 4 does it: then fields have owners, and an owner in the way is a
    /// conflict.
    ///
    /// # Errors
    /// It cannot be started, does not answer, or says something else.
    pub async fn is_server_side(&self, release: &Safe, limit: Duration) -> Result<bool, Fault> {
        let words = ["get", "metadata", release, "--output", "json"].map(Safe::from);
        let output = self.start(&words)?.output(HISTORY, limit).await;
        let output = output.map_err(|fault| said("get metadata", fault))?;
        if !output.status.success() {
            return Err(failed("get metadata", &output));
        }
        let read: Metadata = (serde_json::from_slice(&output.out))
            .map_err(|error| malformed("get metadata", error))?;
        Ok(read.apply_method.as_deref() == Some("ssa"))
    }

    /// The objects that `words` print: `template …` or `get manifest …`.
    ///
    /// # Errors
    /// It cannot be started, does not answer, or prints no manifest.
    pub async fn rendered(&self, words: &[Safe]) -> Result<Vec<Rendered>, Fault> {
        let name = words.first().map_or("", |word| word.as_str());
        let output = self.start(words)?.output(MANIFEST, RENDERING).await;
        let output = output.map_err(|fault| said(name, fault))?;
        if !output.status.success() {
            return Err(failed(name, &output));
        }
        let text = std::str::from_utf8(&output.out).map_err(|e| malformed(name, e))?;
        // What is wrong with it is said without a word of it: a manifest holds Secrets.
        manifest::read(text).map_err(|_| malformed(name, "no YAML"))
    }
}

/// What helm, and the plugin that gets its credential, need of the environment; not what would lead it elsewhere.
fn is_passed(name: &str) -> bool {
    const ELSEWHERE: [&str; 3] = ["HELM_KUBE", "HELM_NAMESPACE", "HELM_DEBUG"];
    const NEEDED: [&str; 9] = [
        "HELM_",
        "XDG_",
        "AWS_",
        "AZURE_",
        "AAD_",
        "ARM_",
        "GOOGLE_",
        "CLOUDSDK_",
        "SSL_CERT_",
    ];
    const PROXY: [&str; 3] = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"];
    let is_needed = NEEDED.iter().any(|prefix| name.starts_with(prefix));
    let leads_elsewhere = ELSEWHERE.iter().any(|prefix| name.starts_with(prefix));
    let is_proxy = PROXY.contains(&name.to_ascii_uppercase().as_str());
    (is_needed && !leads_elsewhere) || is_proxy
}

/// A revision as helm 3 and 4 print it; 4 leaves `updated` out, or empty, where it is not known.
#[derive(Deserialize)]
struct Line {
    revision: u32,
    #[serde(default)]
    updated: Option<String>,
    status: String,
    #[serde(default)]
    chart: String,
    #[serde(default)]
    description: String,
}

/// What Helm 4 says of a release, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    /// `ssa` or `csa`; left out by older ones.
    apply_method: Option<String>,
}

fn read_history(json: &[u8]) -> Result<Vec<Revision>, Fault> {
    let lines: Vec<Line> =
        serde_json::from_slice(json).map_err(|error| malformed("history", error))?;
    let revision = |line: Line| Revision {
        number: line.revision,
        status: ReleaseStatus::of(&line.status),
        updated: line.updated.and_then(|text| text.parse::<Timestamp>().ok()),
        chart: Safe::new(&line.chart),
        description: super::mask::masked(&Safe::new(&line.description)),
    };
    let mut revisions: Vec<_> = lines.into_iter().map(revision).collect();
    revisions.sort_by_key(|it| it.number);
    Ok(revisions)
}

fn said(command: &str, fault: Fault) -> Fault {
    Fault {
        what: format!("`helm {command}`: {}", fault.what).into(),
        ..fault
    }
}

fn malformed(command: &str, error: impl std::fmt::Display) -> Fault {
    Fault {
        kind: FaultKind::Malformed,
        what: format!("`helm {command}` said something that is not understood: {error}").into(),
    }
}

/// In helm's own words.
fn failed(command: &str, output: &Output) -> Fault {
    let lines = &output.complaints;
    let last: Vec<&str> = (lines[lines.len().saturating_sub(LINES)..].iter())
        .map(Safe::as_str)
        .collect();
    let words = match last.is_empty() {
        true => output.status.to_string(),
        false => last.join(" "),
    };
    Fault {
        kind: FaultKind::Server,
        what: format!("`helm {command}` failed: {words}").into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn versions_of_helm_2_3_and_4_are_told_apart() {
        let read = |text| Version::read(text).map(|it| (it.words.to_string(), it.number));
        let some = |words: &str, number| Some((words.to_owned(), number));
        assert_eq!(read("v3.19.0+g3d8990f\n"), some("v3.19.0", (3, 19)));
        assert_eq!(read("v4.3.1\n"), some("v4.3.1", (4, 3)));
        assert_eq!(read("v3.22\n"), some("v3.22", (3, 22)));
        assert_eq!(read("Client: v2.17.0+ga690bad\n"), some("v2.17.0", (2, 17)));
        assert_eq!(read("WARNING: v\nsomething\n"), None);
        assert!(Version::read("v4.0.0").unwrap().is_at_least(3, 17));
    }

    #[test]
    fn the_history_of_helm_3_and_of_helm_4_is_read() {
        // As helm 3.22 and 4.3 print it (pkg/cmd/history.go): 4 adds a field, and leaves an unknown time out.
        let three = br#"[{"revision":2,"updated":"2026-11-27T08:00:03.123456789Z","status":"pending-upgrade","chart":"wall-0.1.0","app_version":"1","description":"Preparing upgrade"},
            {"revision":1,"updated":"2026-11-27T09:58:00.5+02:00","status":"deployed","chart":"wall-0.1.0","app_version":"1","description":"Install complete"}]"#;
        let read = read_history(three).unwrap();
        let told: Vec<_> = read
            .iter()
            .map(|it| (it.number, it.status.word()))
            .collect();
        assert_eq!(told, [(1, "deployed"), (2, "pending-upgrade")]);
        let at = read[1].updated.unwrap();
        assert_eq!(format!("{at:.0}"), "2026-11-27T08:00:03Z");
        let four = br#"[{"revision":3,"status":"deployed","chart":"wall-0.1.0","app_version":"1","rollback_revision":1,"description":"Rollback to 1"},
            {"revision":4,"updated":"","status":"being-odd","chart":"wall-0.1.0","app_version":"1","description":""}]"#;
        let read = read_history(four).unwrap();
        assert_eq!(read[0].status, ReleaseStatus::Deployed);
        assert_eq!(read[1].status, ReleaseStatus::Other("being-odd".into()));
        assert!(read.iter().all(|it| it.updated.is_none()));
        assert!(read_history(b"no json").is_err());
    }

    #[test]
    fn what_would_lead_helm_to_another_cluster_is_not_passed_on() {
        for name in ["HELM_DRIVER", "AWS_PROFILE", "https_proxy", "XDG_DATA_HOME"] {
            assert!(is_passed(name), "{name}");
        }
        for name in [
            "HELM_KUBETOKEN",
            "HELM_KUBEAPISERVER",
            "HELM_KUBECONTEXT",
            "HELM_NAMESPACE",
            "GITHUB_TOKEN",
        ] {
            assert!(!is_passed(name), "{name}");
        }
    }
}
