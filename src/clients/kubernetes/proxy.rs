//! Which proxy leads to a server. kube 5.0 matches NO_PROXY against the proxy's own address, and a
//! stray comma in it makes the whole kubeconfig fail to load: so this is decided here.

use std::net::IpAddr;

use http::Uri;

/// The proxy variables as the process found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// `HTTPS_PROXY`, for https servers.
    pub https: Option<String>,
    /// `HTTP_PROXY`, for http servers.
    pub http: Option<String>,
    /// `NO_PROXY`: names, `.suffixes`, addresses, networks, each with or without a port; `*` for all.
    pub none_for: String,
}

impl Proxies {
    /// Of the environment; lower case counts where upper case is not set.
    pub fn from_environment() -> Self {
        let read = |name: &str| {
            [name.to_owned(), name.to_lowercase()]
                .iter()
                .filter_map(|name| std::env::var(name).ok())
                .find(|value| !value.trim().is_empty())
        };
        Self {
            https: read("HTTPS_PROXY"),
            http: read("HTTP_PROXY"),
            none_for: read("NO_PROXY").unwrap_or_default(),
        }
    }
}

/// The proxy for `server`: the kubeconfig's own, which NO_PROXY does not touch (as in kubectl), or the
/// environment's unless NO_PROXY or loopback exempts the server.
///
/// One of SOCKS resolves the server's name, as that of kubectl does: `socks5h` is `socks5` here.
///
/// # Errors
/// The proxy's address in words (without its password) where it is not a URL.
pub fn proxy_for(
    server: &Uri,
    of_kubeconfig: Option<&str>,
    proxies: &Proxies,
) -> Result<Option<Uri>, String> {
    if let Some(url) = of_kubeconfig.filter(|url| !url.trim().is_empty()) {
        return parse(url).map(Some);
    }
    let of_environment = match server.scheme_str() {
        Some("http") => &proxies.http,
        _ => &proxies.https,
    };
    match of_environment {
        Some(url) if !is_exempt(server, &proxies.none_for) => parse(url).map(Some),
        _ => Ok(None),
    }
}

/// The address of a proxy as reqwest is told it, which resolves names itself for `socks5`.
pub(in crate::clients) fn for_reqwest(proxy: &Uri) -> String {
    let text = proxy.to_string();
    match text.strip_prefix("socks5:") {
        Some(rest) => format!("socks5h:{rest}"),
        None => text,
    }
}

fn parse(url: &str) -> Result<Uri, String> {
    let url = url.trim();
    let full = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("socks5h") => {
            format!("socks5://{rest}")
        }
        Some(_) => url.to_owned(),
        None => format!("http://{url}"),
    };
    let shown = || full.rsplit('@').next().unwrap_or_default().to_owned();
    let uri: Uri = (full.parse()).map_err(|e| format!("the proxy {:?} is no URL: {e}", shown()))?;
    match uri.scheme_str() {
        Some("http" | "https" | "socks5") if uri.host().is_some() => Ok(uri),
        _ => Err(format!(
            "the proxy {:?} is neither http, https nor socks5",
            shown()
        )),
    }
}

fn is_exempt(server: &Uri, none_for: &str) -> bool {
    let host = server.host().unwrap_or_default();
    let host = host
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|a| a.is_loopback()) {
        return true;
    }
    let port = server.port_u16().unwrap_or_else(|| {
        if server.scheme_str() == Some("http") {
            80
        } else {
            443
        }
    });
    (none_for.split([',', ' ', '\t', ';']))
        .filter(|entry| !entry.is_empty())
        .any(|entry| matches(entry, &host, address, port))
}

/// Whether one entry of NO_PROXY means the server.
fn matches(entry: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if entry == "*" {
        return true;
    }
    if let (Some((network, bits)), Some(address)) = (entry.split_once('/'), address) {
        return network.parse().is_ok_and(|n| in_network(address, n, bits));
    }
    // An address may hold colons of its own: the port is split off only where the rest is no address.
    let bare = entry.trim_matches(['[', ']']);
    let split = entry.rsplit_once(':');
    let split = split.and_then(|(name, port)| Some((name, port.parse::<u16>().ok()?)));
    let (name, wanted) = match (bare.parse::<IpAddr>(), split) {
        (Err(_), Some((name, port))) => (name, Some(port)),
        _ => (bare, None),
    };
    if wanted.is_some_and(|wanted| wanted != port) {
        return false;
    }
    let name = name
        .trim_matches(['[', ']'])
        .trim_end_matches('.')
        .to_lowercase();
    if let Ok(listed) = name.parse::<IpAddr>() {
        return address == Some(listed);
    }
    let suffix = name.trim_start_matches('*').trim_start_matches('.');
    let is_below = (host.strip_suffix(suffix)).is_some_and(|head| head.ends_with('.'));
    let is_only_below = name.starts_with('.') || name.starts_with("*.");
    address.is_none() && !suffix.is_empty() && (is_below || (host == suffix && !is_only_below))
}

fn in_network(address: IpAddr, network: IpAddr, bits: &str) -> bool {
    let Ok(bits) = bits.parse::<u32>() else {
        return false;
    };
    match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(n)) if bits <= 32 => {
            u32::from(a) ^ u32::from(n) <= u32::MAX.checked_shr(bits).unwrap_or(0)
        }
        (IpAddr::V6(a), IpAddr::V6(n)) if bits <= 128 => {
            u128::from(a) ^ u128::from(n) <= u128::MAX.checked_shr(bits).unwrap_or(0)
        }
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn goes_to_proxy(server: &str, none_for: &str) -> bool {
        let proxies = Proxies {
            https: Some("http://proxy:3128".into()),
            http: None,
            none_for: none_for.into(),
        };
        let server = server.parse().unwrap();
        proxy_for(&server, None, &proxies).unwrap().is_some()
    }

    #[test]
    fn no_proxy_exempts_what_it_names_and_nothing_else() {
        for (none_for, exempt, proxied) in [
            (
                "10.0.0.0/8",
                "https://10.1.2.3:6443",
                "https://11.1.2.3:6443",
            ),
            ("10.1.2.3", "https://10.1.2.3", "https://10.1.2.4"),
            (
                "api.shop.example",
                "https://api.shop.example:6443",
                "https://x.example",
            ),
            (
                "shop.example",
                "https://api.shop.example",
                "https://otherhop.example",
            ),
            (
                "shop.example",
                "https://shop.example",
                "https://workshop.example",
            ),
            (
                ".shop.example",
                "https://api.shop.example",
                "https://shop.example",
            ),
            (
                "*.shop.example",
                "https://api.shop.example",
                "https://shop.example",
            ),
            (
                "API.Shop.Example",
                "https://api.shop.example",
                "https://b.shop.example",
            ),
            ("a:6443", "https://a:6443", "https://a:8443"),
            ("a:443", "https://a", "https://a:6443"),
            ("x, a ,,", "https://a", "https://c"),
            (
                "2001:db8::/32",
                "https://[2001:db8::1]:6443",
                "https://[2001:db9::1]:6443",
            ),
            (
                "[2001:db8::1]:6443",
                "https://[2001:db8::1]:6443",
                "https://[2001:db8::1]",
            ),
            (
                "2001:db8::1",
                "https://[2001:db8::1]:6443",
                "https://[2001:db8::2]",
            ),
        ] {
            assert!(
                !goes_to_proxy(exempt, none_for),
                "{none_for} exempts {exempt}"
            );
            assert!(
                goes_to_proxy(proxied, none_for),
                "{none_for} spares {proxied}"
            );
        }
        assert!(!goes_to_proxy("https://anything", "*"));
        assert!(!goes_to_proxy("https://127.0.0.1:6443", ""));
        assert!(!goes_to_proxy("https://[::1]:6443", ""));
        assert!(goes_to_proxy(
            "https://10.1.2.3",
            "10.0.0.0/99, /8, 10.0.0.0/x"
        ));
    }

    #[test]
    fn the_kubeconfigs_proxy_stands_whatever_no_proxy_says() {
        let proxies = Proxies {
            none_for: "*".into(),
            ..Proxies::default()
        };
        let server = "https://a".parse().unwrap();
        let proxy = proxy_for(&server, Some("socks5://p:1080"), &proxies).unwrap();
        assert_eq!(proxy.unwrap().to_string(), "socks5://p:1080/");
        let bare = proxy_for(&server, Some("p:3128"), &proxies).unwrap();
        assert_eq!(bare.unwrap().to_string(), "http://p:3128/");
    }

    #[test]
    fn a_proxy_of_socks_resolves_names_for_whoever_asks_by_either_of_its_names() {
        for name in ["socks5", "socks5h"] {
            let proxies = Proxies {
                https: Some(format!("{name}://me:secret@p:1080")),
                ..Proxies::default()
            };
            let server = "https://api.shop.example:6443".parse().unwrap();
            let proxy = proxy_for(&server, None, &proxies).unwrap().unwrap();
            assert_eq!(proxy.to_string(), "socks5://me:secret@p:1080/");
            assert_eq!(for_reqwest(&proxy), "socks5h://me:secret@p:1080/");
        }
        assert_eq!(for_reqwest(&"http://p:1/".parse().unwrap()), "http://p:1/");
    }

    #[test]
    fn a_proxy_that_is_no_url_is_named_without_its_password() {
        let server = "https://a".parse().unwrap();
        let words = proxy_for(&server, Some("ftp://me:secret@p"), &Proxies::default()).unwrap_err();
        assert!(words.contains('p') && !words.contains("secret"), "{words}");
    }
}
