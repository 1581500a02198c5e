//! One POST to one endpoint: no proxy, no redirect, a connection of its own to a checked address, and little patience.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, header};
use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use super::guard::{Guard, Refused, Resolve};
use super::sign;
use crate::config::{HookUrl, WebhooksConfig};

/// How much of an answer is read. Only its status counts; the rest is read so that the receiver can finish.
const LARGEST_ANSWER: usize = 64 * 1024;
/// Most header lines of an answer.
const MAX_HEADERS: usize = 64;
/// How many addresses of a name are tried.
const MAX_ADDRESSES: usize = 4;

/// Why an endpoint did not take an event. The text is kept and shown to administrators: nothing of the answer but its
/// status is in it, because the answer may come from where no answer should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// We do not go there.
    #[error("not sent: {0}")]
    Refused(Refused),
    /// The name could not be looked up.
    #[error("the host's name could not be resolved")]
    Name,
    /// Nobody took the connection.
    #[error("no connection")]
    Connect,
    /// The receiver could not prove who it is.
    #[error("no encrypted connection: {0}")]
    Tls(String),
    /// It did not answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It did not speak HTTP, or hung up.
    #[error("the connection broke")]
    Broken,
    /// It answered something else than 2xx; a redirect is such an answer.
    #[error("answered {}", .0.as_u16())]
    Status(StatusCode),
}

/// The way to endpoints.
pub struct Sender {
    guard: Guard,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    timeout: Duration,
}

impl Sender {
    /// Trusts the public authorities, and those of `ca_file`.
    pub fn new(guard: Guard, resolver: Arc<dyn Resolve>, config: &WebhooksConfig) -> Result<Sender, String> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = &config.ca_file {
            for certificate in certificates(file)? {
                roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
            }
        }
        let tls = ClientConfig::builder_with_provider(Arc::new(crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let timeout = Duration::from_secs(config.timeout_s);
        Ok(Sender { guard, resolver, tls: TlsConnector::from(Arc::new(tls)), timeout })
    }

    /// Sends a body. `Ok` means that the receiver has answered 2xx.
    pub async fn post(&self, url: &HookUrl, signature: String, body: Bytes) -> Result<(), Failure> {
        match tokio::time::timeout(self.timeout, self.try_post(url, signature, body)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout(self.timeout)),
        }
    }

    async fn try_post(&self, url: &HookUrl, signature: String, body: Bytes) -> Result<(), Failure> {
        // Looked up once: what is checked here is what is connected to.
        let found = self.resolver.resolve(&url.host, url.port).await.map_err(|_| Failure::Name)?;
        let places = self.guard.admit(url, &found).map_err(Failure::Refused)?;
        let stream = connect(&places).await.map_err(|_| Failure::Connect)?;
        let request = Request::post(url.path.as_str())
            .header(header::HOST, url.authority.as_str())
            .header(header::USER_AGENT, concat!("stepup/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .header(sign::HEADER, signature)
            .body(Full::new(body))
            .map_err(|_| Failure::Broken)?;
        let status = if url.encrypted {
            let name = server_name(&url.host)?;
            let stream = self.tls.connect(name, stream).await.map_err(|error| Failure::Tls(error.to_string()))?;
            exchange(stream, request).await
        } else {
            exchange(stream, request).await
        };
        match status.map_err(|_| Failure::Broken)? {
            status if status.is_success() => Ok(()),
            status => Err(Failure::Status(status)),
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| failed(&error))?;
    if certificates.is_empty() { Err(failed(&"there is no certificate in it")) } else { Ok(certificates) }
}

fn server_name(host: &str) -> Result<ServerName<'static>, Failure> {
    match host.parse::<IpAddr>() {
        Ok(ip) => Ok(ServerName::IpAddress(ip.into())),
        Err(_) => ServerName::try_from(host.to_owned()).map_err(|error| Failure::Tls(error.to_string())),
    }
}

async fn connect(places: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failed = io::Error::other("there is no address");
    for place in places.iter().take(MAX_ADDRESSES) {
        match TcpStream::connect(place).await {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Sends the request and gives the answer's status.
async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> hyper::Result<StatusCode>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut client = http1::Builder::new();
    client.max_buf_size(LARGEST_ANSWER).max_headers(MAX_HEADERS);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await?;
    let talk = std::pin::pin!(async move {
        let mut answer = sender.send_request(request).await?;
        let mut read = 0;
        while read < LARGEST_ANSWER
            && let Some(Ok(frame)) = answer.body_mut().frame().await
        {
            read += frame.data_ref().map_or(0, Bytes::len);
        }
        Ok(answer.status())
    });
    match select(talk, std::pin::pin!(connection)).await {
        Either::Left((status, _)) => status,
        // The connection has ended; what came before that may be a whole answer.
        Either::Right((_, talk)) => talk.await,
    }
}
