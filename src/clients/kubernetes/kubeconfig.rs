//! From kubeconfig and context to kube's `Config`, field by field.
//!
//! kube's own loader is not used: with a proxy set it refuses the whole file for a stray comma in
//! NO_PROXY, and sends what NO_PROXY exempts to the proxy all the same (see `proxy`).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use http::HeaderValue;
use kube::config::{AuthInfo, Cluster, ExecAuthCluster, ExecConfig, Kubeconfig, KubeconfigError};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::fault::words;
use super::proxy::{Proxies, proxy_for};
use super::{Limits, Target};
use crate::estate::{Fault, FaultKind};

/// What is needed to build a client. The plugin has been taken out of `config`: it is run by `exec`.
pub(super) struct Loaded {
    pub(super) config: kube::Config,
    pub(super) plugin: Option<ExecConfig>,
}

/// Reads the kubeconfig. Blocks: files only.
pub(super) fn load(target: &Target, limits: &Limits) -> Result<Loaded, Fault> {
    let mut config = match read(target)? {
        Some(kubeconfig) => choose(kubeconfig, target)?,
        None => kube::Config::incluster().map_err(config_fault)?,
    };
    config.default_namespace = target.namespace.clone();
    config.connect_timeout = Some(limits.connect);
    // Up to 15 hidden retries of any method, POST and PATCH too: never.
    config.default_retry = false;
    let plugin = config.auth_info.exec.take();
    Ok(Loaded { config, plugin })
}

/// In place of a kubeconfig: the pod's own service account. It is an empty file, so that what clients of Kubernetes are told to
/// read leads them there, too.
const IN_CLUSTER: &str = "/dev/null";

/// The target with what leads there now, the name of the current context or the pod's own service account: what is asked
/// hours later must not go to another cluster because somebody chose one in another window. As it is where the kubeconfig
/// cannot be read. Blocks: files only.
pub fn pinned(target: &Target) -> Target {
    let mut target = target.clone();
    if target.context.is_none() {
        match read(&target) {
            Ok(Some(kubeconfig)) => target.context = kubeconfig.current_context,
            Ok(None) => target.kubeconfig = Some(IN_CLUSTER.into()),
            Err(_) => {}
        }
    }
    target
}

/// The kubeconfig; none where this is a pod, and was when it was pinned or has none.
fn read(target: &Target) -> Result<Option<Kubeconfig>, Fault> {
    let is_pinned = target.kubeconfig.as_deref() == Some(Path::new(IN_CLUSTER));
    let is_without = is_pinned || is_optional(target) && is_absent();
    if target.context.is_none() && is_in_pod() && is_without {
        return Ok(None);
    }
    read_file(target.kubeconfig.as_deref()).map(Some)
}

/// Whether there is no kubeconfig where one is looked for unasked. One that cannot be read is there.
fn is_absent() -> bool {
    match Kubeconfig::read() {
        Err(KubeconfigError::FindPath) => true,
        Err(KubeconfigError::ReadConfig(e, _)) => {
            matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        }
        Ok(_) | Err(_) => false,
    }
}

/// The kubeconfig at `path`; without one that of `$KUBECONFIG`, which may be a list, or `~/.kube/config`. Blocks: files
/// only.
pub(super) fn read_file(path: Option<&Path>) -> Result<Kubeconfig, Fault> {
    let list = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed = std::env::split_paths(&list).filter(|path| !path.as_os_str().is_empty());
    let listed: Vec<PathBuf> = match path {
        Some(path) => vec![path.to_owned()],
        None => listed.collect(),
    };
    match &listed[..] {
        [] => Ok(chosen(Kubeconfig::read().map_err(config_fault)?)),
        [one] => Ok(chosen(Kubeconfig::read_from(one).map_err(config_fault)?)),
        several => merged(several),
    }
}

/// Several files as one, as kubectl does it: those that do not exist are left out, and of what two of them have the first
/// holds.
fn merged(files: &[PathBuf]) -> Result<Kubeconfig, Fault> {
    let mut merged: Option<Kubeconfig> = None;
    for file in files {
        let read = match Kubeconfig::read_from(file) {
            Err(KubeconfigError::ReadConfig(e, _)) if e.kind() == ErrorKind::NotFound => continue,
            other => chosen(other.map_err(config_fault)?),
        };
        merged = Some(match merged {
            Some(before) => before.merge(read).map_err(config_fault)?,
            None => read,
        });
    }
    merged.ok_or_else(|| {
        let names: Vec<_> = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let what = format!("no kubeconfig: none of {} exists", names.join(", "));
        words(FaultKind::Config, what)
    })
}

/// An empty name is no current context: another file may have one.
fn chosen(mut kubeconfig: Kubeconfig) -> Kubeconfig {
    kubeconfig.current_context = kubeconfig.current_context.filter(|name| !name.is_empty());
    kubeconfig
}

/// Whether nothing was said of one.
fn is_optional(target: &Target) -> bool {
    target.kubeconfig.is_none() && std::env::var_os("KUBECONFIG").is_none()
}

fn is_in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn choose(kubeconfig: Kubeconfig, target: &Target) -> Result<kube::Config, Fault> {
    let names = || {
        let names: Vec<&str> = kubeconfig
            .contexts
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        if names.is_empty() {
            "none".into()
        } else {
            names.join(", ")
        }
    };
    let Some(name) = (target.context.as_ref()).or(kubeconfig.current_context.as_ref()) else {
        let what = format!("the kubeconfig has no current context; it has: {}", names());
        return Err(words(FaultKind::Config, what));
    };
    let context = (kubeconfig.contexts.iter())
        .find(|c| &c.name == name)
        .and_then(|c| c.context.as_ref())
        .ok_or_else(|| {
            let what = format!(
                "the kubeconfig has no context {name:?}; it has: {}",
                names()
            );
            words(FaultKind::Config, what)
        })?;
    let cluster = (kubeconfig.clusters.iter())
        .find(|c| c.name == context.cluster)
        .and_then(|c| c.cluster.as_ref())
        .ok_or_else(|| {
            let what = format!(
                "context {name:?} names cluster {:?}, which the kubeconfig lacks",
                context.cluster
            );
            words(FaultKind::Config, what)
        })?;
    // kubectl bears a user that does not exist, too.
    let user = (context.user.as_ref())
        .and_then(|user| kubeconfig.auth_infos.iter().find(|a| &a.name == user))
        .and_then(|named| named.auth_info.clone())
        .unwrap_or_default();
    build(cluster, user)
}

fn build(cluster: &Cluster, mut user: AuthInfo) -> Result<kube::Config, Fault> {
    let server = (cluster.server.as_deref())
        .ok_or_else(|| words(FaultKind::Config, "the kubeconfig's cluster has no server"))?;
    let url: http::Uri = server.parse().map_err(|e| {
        words(
            FaultKind::Config,
            format_args!("the kubeconfig's server {server:?} is no URL: {e}"),
        )
    })?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        let what = format_args!("the kubeconfig's server {server:?} is neither https nor http");
        return Err(words(FaultKind::Config, what));
    }
    let proxy = proxy_for(
        &url,
        cluster.proxy_url.as_deref(),
        &Proxies::from_environment(),
    );
    if let Some(exec) = user.exec.as_mut().filter(|exec| exec.provide_cluster_info) {
        exec.cluster = Some(ExecAuthCluster::try_from(cluster).map_err(config_fault)?);
    }
    let mut config = kube::Config::new(url);
    config.root_cert = authorities(cluster)?;
    config.proxy_url = proxy.map_err(|e| words(FaultKind::Config, e))?;
    config.tls_server_name = cluster.tls_server_name.clone();
    config.accept_invalid_certs = cluster.insecure_skip_tls_verify.unwrap_or(false);
    config.disable_compression = cluster.disable_compression.unwrap_or(false);
    config.auth_info = user;
    config.headers = vec![(
        http::header::USER_AGENT,
        HeaderValue::from_static(USER_AGENT),
    )];
    Ok(config)
}

/// What the API server's audit log knows us by.
const USER_AGENT: &str = concat!("wheelhouse/", env!("CARGO_PKG_VERSION"));

/// The certificate authorities; none for those of the system.
fn authorities(cluster: &Cluster) -> Result<Option<Vec<Vec<u8>>>, Fault> {
    let fault = |e: &dyn std::fmt::Display| {
        words(
            FaultKind::Config,
            format_args!("the kubeconfig's certificate authority: {e}"),
        )
    };
    let pem = match (
        &cluster.certificate_authority_data,
        &cluster.certificate_authority,
    ) {
        (Some(data), _) => (base64::engine::general_purpose::STANDARD)
            .decode(data.trim())
            .map_err(|e| fault(&e))?,
        (None, Some(path)) => {
            std::fs::read(path).map_err(|e| fault(&format_args!("{path}: {e}")))?
        }
        (None, None) => return Ok(None),
    };
    let certificates = CertificateDer::pem_slice_iter(&pem)
        .map(|c| c.map(|c| c.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| fault(&e))?;
    if certificates.is_empty() {
        return Err(fault(&"no certificate in it"));
    }
    Ok(Some(certificates))
}

/// kube's words with their causes, which it leaves out of its own Display now and then.
pub(super) fn config_fault(error: impl std::error::Error) -> Fault {
    let mut what = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !what.contains(&cause_words) {
            what = format!("{what}: {cause_words}");
        }
        source = cause.source();
    }
    words(FaultKind::Config, what)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Files of one folder with that in them.
    fn files(texts: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
        let folder = tempfile::tempdir().unwrap();
        let put = |(name, text): &(&str, &str)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let paths = texts.iter().map(put).collect();
        (folder, paths)
    }

    fn contexts(kubeconfig: &Kubeconfig) -> Vec<&str> {
        let contexts = kubeconfig.contexts.iter();
        contexts.map(|context| context.name.as_str()).collect()
    }

    #[test]
    fn a_file_of_the_list_that_does_not_exist_is_left_out_unless_there_is_no_other() {
        let text = "current-context: b\ncontexts: [{name: b, context: {cluster: c}}]";
        let (folder, there) = files(&[("b", text)]);
        let gone = [folder.path().join("a"), folder.path().join("c")];
        let list = [&gone[..1], &there[..], &gone[1..]].concat();
        assert_eq!(contexts(&merged(&list).unwrap()), ["b"]);
        let fault = merged(&gone).unwrap_err();
        assert!(
            fault.what.starts_with("no kubeconfig: none of "),
            "{}",
            fault.what
        );
        assert!(fault.what.contains("/a, ") && fault.what.ends_with("/c exists"));
    }

    #[test]
    fn a_file_of_the_list_that_cannot_be_read_is_not_left_out() {
        let (folder, there) = files(&[("a", "contexts: ["), ("b", "current-context: b")]);
        merged(&there).unwrap_err();
        merged(&[folder.path().to_owned(), there[1].clone()]).unwrap_err();
    }

    #[test]
    fn an_empty_current_context_hides_none_of_a_later_file_and_is_none() {
        let first = "current-context: \"\"\ncontexts: [{name: a, context: {cluster: c}}]";
        let second = "current-context: b\ncontexts: [{name: b, context: {cluster: c}}]";
        let (_folder, there) = files(&[("a", first), ("b", second)]);
        let both = merged(&there).unwrap();
        assert_eq!(both.current_context.as_deref(), Some("b"));
        assert_eq!(contexts(&both), ["a", "b"]);
        let alone = read_file(Some(&there[0])).unwrap();
        assert_eq!(alone.current_context, None);
    }
}
