//! How the API is reached: one reqwest client, its proxies, its authorities, its limits.

use std::fmt::Write as _;

use http::Uri;
use reqwest::{Certificate, Proxy, redirect};

use super::{Limits, Target, fault};
use crate::clients::kubernetes::{Proxies, for_reqwest, proxy_for};
use crate::estate::{Fault, FaultKind};

/// The address of the API, if the target can be used at all.
pub(super) fn api(target: &Target) -> Result<Uri, Fault> {
    let wrong = |what: String| fault::words(FaultKind::Config, what);
    let text = target.api.trim_end_matches('/');
    let uri: Uri = (text.parse()).map_err(|e| wrong(format!("the API {text:?} is no URL: {e}")))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => {}
        // A token over plain HTTP is everybody's.
        (Some("http"), Some(host)) if is_loopback(host) => {}
        _ => return Err(wrong(format!("the API {text:?} is not an https URL"))),
    }
    let is_word = |word: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !word.is_empty() && word.chars().all(fits) && word != "." && word != ".."
    };
    match target.repository.split_once('/') {
        Some((owner, name)) if is_word(owner) && is_word(name) => Ok(uri),
        _ => Err(wrong(format!(
            "{:?} is not a repository's owner/name",
            target.repository
        ))),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// The site that the gh CLI knows the API by: `api.github.com` is github.com's, `HOST/api/v3` HOST's.
pub(super) fn site(api: &str) -> String {
    let uri: Uri = api.parse().unwrap_or_default();
    let host = uri.host().unwrap_or("github.com");
    host.strip_prefix("api.").unwrap_or(host).to_owned()
}

/// The client of the API and of the hosts that its logs lie on. It follows no redirect by itself.
pub(super) fn http(
    target: &Target,
    api: &Uri,
    limits: &Limits,
    proxies: Proxies,
) -> Result<reqwest::Client, Fault> {
    // Both TLS users of the tree find the same provider; whoever comes second is refused, which is fine.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // One that cannot be used is none below: the token would go there without it.
    proxy_for(api, None, &proxies).map_err(|e| fault::words(FaultKind::Config, e))?;
    // Decided as for Kubernetes, so that NO_PROXY means the same everywhere.
    let proxy = Proxy::custom(move |url| {
        let server: Uri = url.as_str().parse().ok()?;
        let proxy = proxy_for(&server, None, &proxies).ok()??;
        Some(for_reqwest(&proxy))
    });
    let builder = reqwest::Client::builder()
        .no_proxy()
        .proxy(proxy)
        .redirect(redirect::Policy::none())
        .connect_timeout(limits.connect)
        .read_timeout(limits.idle);
    let certificates = certificates(target)?;
    let builder = match (api.scheme_str(), certificates.is_empty()) {
        // Plain HTTP on loopback needs no authorities.
        (Some("http"), true) => builder.tls_certs_only([]),
        _ => builder.tls_certs_merge(certificates),
    };
    builder.build().map_err(fault::config)
}

fn certificates(target: &Target) -> Result<Vec<Certificate>, Fault> {
    let Some(path) = &target.ca_file else {
        return Ok(Vec::new());
    };
    let shown = path.display();
    let wrong = |why: String| fault::words(FaultKind::Config, format!("the CA file {shown} {why}"));
    let pem = std::fs::read(path).map_err(|e| wrong(format!("cannot be read: {e}")))?;
    let found =
        Certificate::from_pem_bundle(&pem).map_err(|e| wrong(format!("holds no PEM: {e}")))?;
    match found.is_empty() {
        true => Err(wrong("holds no certificate".into())),
        false => Ok(found),
    }
}

/// `text` as one part of a path or query.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::github::TokenFrom;

    fn target(api: &str, repository: &str) -> Target {
        Target {
            api: api.into(),
            repository: repository.into(),
            workflow: "ci.yml".into(),
            token: TokenFrom::None,
            ca_file: None,
            branches: Vec::new(),
            runs: 30,
        }
    }

    #[test]
    fn a_token_goes_over_https_or_loopback_only() {
        for (address, is_fine) in [
            ("https://api.github.com", true),
            ("https://ghe.acme.example/api/v3/", true),
            ("http://127.0.0.1:4010", true),
            ("http://ghe.acme.example/api/v3", false),
            ("ghe.acme.example", false),
        ] {
            assert_eq!(
                api(&target(address, "acme/wall")).is_ok(),
                is_fine,
                "{address}"
            );
        }
        for repository in ["acme", "acme/", "../x", "acme/wall/x", "a b/c"] {
            assert!(
                api(&target("https://api.github.com", repository)).is_err(),
                "{repository}"
            );
        }
    }

    #[test]
    fn n05_a_proxy_that_cannot_be_used_is_told_and_nothing_goes_past_it() {
        let target = target("https://api.github.com", "acme/wall");
        let Ok(address) = api(&target) else {
            unreachable!()
        };
        let proxies = Proxies {
            https: Some("ftp://me:hunter2@p".into()),
            ..Proxies::default()
        };
        let built = http(&target, &address, &Limits::default(), proxies);
        let fault = built.err();
        let is_told = |fault: &Fault| {
            let what = fault.what.as_str();
            fault.kind == FaultKind::Config && what.contains("proxy") && !what.contains("hunter2")
        };
        assert!(fault.as_ref().is_some_and(is_told), "{fault:?}");
    }

    #[test]
    fn the_gh_cli_knows_a_site_by_its_own_name() {
        assert_eq!(site("https://api.github.com"), "github.com");
        assert_eq!(site("https://ghe.acme.example/api/v3"), "ghe.acme.example");
        assert_eq!(site("https://api.acme.ghe.com"), "acme.ghe.com");
    }

    #[test]
    fn names_are_escaped_for_a_path() {
        assert_eq!(escaped("a b/ü?.yml"), "a%20b%2F%C3%BC%3F.yml");
    }
}
