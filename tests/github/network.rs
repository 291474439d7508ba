//! The way to GitHub: an authority of one's own, and a proxy.

use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use wheelhouse::clients::github::{Answer, Known, Limits, Target, connect_within};
use wheelhouse::clients::kubernetes::Proxies;
use wheelhouse::estate::FaultKind;

use super::repository::{Token, full};
use super::server::Server;

const EMPTY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"workflow_runs\":[]}";

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "acme");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Serves one answer to each connection, in threads: it takes no part in the test's runtime.
fn serve(issuer: &CertifiedIssuer<'static, KeyPair>) -> String {
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
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
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/api/v3", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut stream = rustls::StreamOwned::new(session, tcp);
            if stream.read(&mut [0; 4096]).is_ok() {
                let _ = stream.write_all(EMPTY);
            }
        }
    });
    url
}

#[tokio::test]
async fn an_enterprise_servers_own_authority_is_trusted_when_it_is_named_and_only_then() {
    let issuer = authority();
    let url = serve(&issuer);
    let token = Token::new("test-token");
    let pem = token.path().with_file_name("ca.pem");
    std::fs::write(&pem, issuer.pem()).unwrap();
    let stranger = token.target(&url);
    let github = connect_within(&stranger, Limits::default(), Proxies::default()).await;
    let fault = github
        .unwrap()
        .runs(&mut Known::default())
        .await
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Tls, "{}", fault.what);
    assert!(fault.what.contains("unknown authority"), "{}", fault.what);
    let named = Target {
        ca_file: Some(pem),
        ..stranger
    };
    let github = connect_within(&named, Limits::default(), Proxies::default()).await;
    let runs = github.unwrap().runs(&mut Known::default()).await.unwrap();
    assert_eq!(runs, Answer::Changed(Vec::new()));
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_way_and_never_sees_the_token() {
    let proxy = Server::start(|_| full(407, "", "")).await;
    let token = Token::new("test-token");
    let target = token.target("https://ghe.acme.example/api/v3");
    let proxies = Proxies {
        https: Some(proxy.url.replace("http://", "http://me:hunter2@")),
        ..Proxies::default()
    };
    let github = connect_within(&target, Limits::default(), proxies)
        .await
        .unwrap();
    let fault = github.runs(&mut Known::default()).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Unreachable, "{}", fault.what);
    assert!(
        fault.what.contains("proxy") && !fault.what.contains("hunter2"),
        "{}",
        fault.what
    );
    let asked = &proxy.asked()[0];
    assert_eq!(
        (asked.method.as_str(), asked.path.as_str()),
        ("CONNECT", "ghe.acme.example:443")
    );
    assert!(asked.header("proxy-authorization").is_some());
    assert!(!asked.head.contains("test-token"), "{}", asked.head);
}
