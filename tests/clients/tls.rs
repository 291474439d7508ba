//! N04: certificates that cannot be trusted.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use wheelhouse::estate::{Fault, FaultKind};

use super::cockpit::{Kubeconfig, TOKEN};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Serves one answer to each connection, in threads: it takes no part in the test's runtime.
fn serve(params: CertificateParams, issuer: &CertifiedIssuer<'static, KeyPair>) -> String {
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let (config, listener) = (
        Arc::new(config),
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
    );
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, tcp);
            let mut head = [0; 4096];
            if stream.read(&mut head).is_ok() {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
            }
        }
    });
    url
}

/// Until when the server's certificate is valid, as is looked up without believing it.
#[tokio::test]
async fn n04_the_end_of_the_servers_certificate_is_seen_even_where_it_is_not_trusted() {
    let mut near = params("api.other.example");
    near.not_after = rcgen::date_time_ymd(2031, 2, 3);
    let url = serve(near, &authority("one"));
    let kubeconfig = Kubeconfig::new(&url, TOKEN);
    let data = base64::engine::general_purpose::STANDARD.encode(authority("two").pem());
    let text = std::fs::read_to_string(kubeconfig.path()).unwrap();
    let with = format!("server: \"{url}\", certificate-authority-data: {data}");
    let text = text.replace(&format!("server: \"{url}\""), &with);
    std::fs::write(kubeconfig.path(), text).unwrap();
    let cluster = kubeconfig.connect().await;
    let limit = Duration::from_secs(5);
    let end = "2031-02-03T00:00:00Z".parse().ok();
    assert_eq!(cluster.certificate_end(limit).await, end);
    // Of any server: GitHub Enterprise, Prometheus, Alertmanager.
    use wheelhouse::clients::kubernetes::certificate_end;
    assert_eq!(certificate_end(&format!("{url}/prom"), limit).await, end);
    assert_eq!(certificate_end("http://127.0.0.1:9", limit).await, None);
    let plain = Kubeconfig::new("http://127.0.0.1:9", TOKEN).connect().await;
    assert_eq!(plain.certificate_end(limit).await, None);
}

/// Of a server whose certificate is signed by one authority, while the kubeconfig trusts that one or
/// another of the name `trusted`.
async fn pulse(params: CertificateParams, trusted: Option<&str>) -> Result<(), Fault> {
    let issuer = authority("one");
    let url = serve(params, &issuer);
    let trusted = trusted.map_or_else(|| issuer.pem(), |name| authority(name).pem());
    let data = base64::engine::general_purpose::STANDARD.encode(trusted);
    let kubeconfig = Kubeconfig::new(&url, TOKEN);
    let text = std::fs::read_to_string(kubeconfig.path()).unwrap();
    let with = format!("server: \"{url}\", certificate-authority-data: {data}");
    std::fs::write(
        kubeconfig.path(),
        text.replace(&format!("server: \"{url}\""), &with),
    )
    .unwrap();
    let cluster = kubeconfig.connect().await;
    cluster.pulse(Duration::from_secs(5)).await.map(|_| ())
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

async fn refusal(params: CertificateParams, trusted: Option<&str>) -> String {
    let fault = pulse(params, trusted).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Tls, "{}", fault.what);
    fault.what.to_string()
}

#[tokio::test]
async fn a_certificate_of_the_kubeconfigs_authority_is_accepted() {
    pulse(params("127.0.0.1"), None).await.unwrap();
}

#[tokio::test]
async fn n04_an_expired_certificate_is_refused_with_its_date() {
    let mut old = params("127.0.0.1");
    old.not_before = rcgen::date_time_ymd(2019, 1, 1);
    old.not_after = rcgen::date_time_ymd(2020, 2, 3);
    let what = refusal(old, None).await;
    assert!(what.contains("expired (2020-02-03T00:00:00Z)"), "{what}");
}

#[tokio::test]
async fn n04_a_certificate_from_the_future_hints_at_the_clock() {
    let mut new = params("127.0.0.1");
    new.not_before = rcgen::date_time_ymd(2090, 1, 1);
    let what = refusal(new, None).await;
    assert!(
        what.contains("not valid yet (2090-01-01T00:00:00Z)") && what.contains("clock"),
        "{what}"
    );
}

#[tokio::test]
async fn n04_a_certificate_for_another_name_says_for_which() {
    let what = refusal(params("api.other.example"), None).await;
    assert!(
        what.contains("another name") && what.contains("api.other.example"),
        "{what}"
    );
}

#[tokio::test]
async fn n04_a_certificate_of_an_unknown_authority_is_refused() {
    let what = refusal(params("127.0.0.1"), Some("two")).await;
    assert!(what.contains("unknown authority"), "{what}");
}

#[tokio::test]
async fn n04_a_cluster_that_was_set_up_anew_is_named_as_such() {
    let what = refusal(params("127.0.0.1"), Some("one")).await;
    assert!(what.contains("is the cluster a new one?"), "{what}");
}
