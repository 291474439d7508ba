//! Until when the API server's own certificate is valid: a handshake of its own, ended as soon as the
//! certificate is there. Nothing is believed of it and nothing is sent: `line` does the trusting.

use std::io::Error;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use super::{Cluster, expiry};

impl Cluster {
    /// The end of the certificate that the server shows; none without TLS, behind a proxy, or where the
    /// server shows none in time: what is wrong then, the other questions tell.
    pub async fn certificate_end(&self, limit: Duration) -> Option<Timestamp> {
        end_of(self.line.server().await?, limit).await
    }
}

/// The end of the certificate that the server of `url` shows, as [`Cluster::certificate_end`]; none where it is not https.
pub async fn certificate_end(url: &str, limit: Duration) -> Option<Timestamp> {
    let url: http::Uri = url.parse().ok()?;
    let host = url.host().filter(|_| url.scheme_str() == Some("https"))?;
    let host = host.trim_matches(['[', ']']).to_owned();
    let server = Server {
        port: url.port_u16().unwrap_or(443),
        name: host.clone(),
        host,
    };
    end_of(server, limit).await
}

async fn end_of(server: Server, limit: Duration) -> Option<Timestamp> {
    let look = move || look(&server, limit).ok().flatten();
    tokio::task::spawn_blocking(look).await.ok()?
}

/// Where the server is, and the name that it is to show.
pub(super) struct Server {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: String,
}

/// Blocks, for not much longer than `limit`.
fn look(server: &Server, limit: Duration) -> Result<Option<Timestamp>, Error> {
    let seen = Arc::new(Noting::default());
    let config = ClientConfig::builder_with_provider(seen.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(server.name.clone()).map_err(Error::other)?;
    let mut session = ClientConnection::new(Arc::new(config), name).map_err(Error::other)?;
    let mut addresses = (server.host.as_str(), server.port).to_socket_addrs()?;
    let address = addresses.next().ok_or_else(|| Error::other("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    // Ends with the refusal of `Noting`.
    let _ = session.complete_io(&mut stream);
    let end = *seen.end.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(end)
}

/// Notes the certificate's end and refuses it.
#[derive(Debug)]
struct Noting {
    provider: Arc<CryptoProvider>,
    end: Mutex<Option<Timestamp>>,
}

impl Default for Noting {
    fn default() -> Self {
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            end: Mutex::default(),
        }
    }
}

fn refused<T>() -> Result<T, rustls::Error> {
    Err(rustls::Error::General("only looked at".to_owned()))
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        *end = expiry::of_certificate(end_entity);
        refused()
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        refused()
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        refused()
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        (self.provider.signature_verification_algorithms).supported_schemes()
    }
}
