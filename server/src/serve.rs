//! The accept loop: slow clients are closed, floods are capped, and every answer is JSON, even to nonsense.
//!
//! hyper (HTTP/1.1 only) parses; [`connection`] watches the clock on its behalf. HTTP/2 is a reverse proxy's business.

mod connection;

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::App;
use crate::config::ServerConfig;
use crate::error::{ApiError, Problem};
use connection::{Holds, Phase, Watched};

/// Largest request head, and hyper's read buffer: 16 KiB.
const MAX_HEAD: usize = 16 * 1024;
/// Most header lines in one request.
const MAX_HEADERS: usize = 64;
/// What the kernel keeps for a client that does not read, in bytes. Left alone it grows to megabytes for each socket.
const MOST_UNREAD: usize = 128 * 1024;

/// The address at the other end of the connection: a client's, or a proxy's.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Serves `app` on `listener` until `shutdown`, then gives requests in flight time to finish.
pub async fn serve(app: App, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
    let config = app.config.server.clone();
    let router = app.router();
    tokio::spawn(crate::policies::watch(app.clone()));
    crate::worker::spawn(app.clone(), app.closing.clone());
    crate::webhooks::deliver::spawn(&app, &app.closing);
    let connections = Arc::new(Semaphore::new(config.max_connections));
    let addresses = Addresses::default();
    let tasks = TaskTracker::new();
    let mut shutdown = std::pin::pin!(shutdown);

    loop {
        // Waiting for a free place before accepting leaves the excess in the kernel's queue.
        let place = tokio::select! {
            place = connections.clone().acquire_owned() => place.map_err(io::Error::other)?,
            () = &mut shutdown => break,
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, or a client that is gone already: neither is worth stopping for.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let Some(seat) = addresses.seat(peer.ip(), &config) else {
            metrics::counter!("stepup_connections_refused_total").increment(1);
            tokio::spawn(turn_away(stream));
            continue;
        };
        let socket = SockRef::from(&stream);
        if let Err(error) = socket.set_tcp_nodelay(true).and_then(|()| socket.set_send_buffer_size(MOST_UNREAD)) {
            tracing::debug!(%error, "a connection's options could not be set");
        }
        let holds = (place, seat);
        let talk = converse(stream, peer, holds, router.clone(), &config, app.closing.clone(), tasks.clone());
        tasks.spawn(async move {
            // A broken connection is the client's affair; there is nobody left to tell.
            if let Err(error) = talk.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    drop(listener);
    app.closing.cancel();
    drain(tasks, Duration::from_secs(config.drain_s)).await;
    Ok(())
}

async fn drain(tasks: TaskTracker, patience: Duration) {
    tasks.close();
    if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
        tracing::warn!(seconds = patience.as_secs(), "some requests did not finish in time and were cut off");
    }
}

/// One connection from its first byte to its last. When the server closes, an idle one ends at once and a busy one after
/// its answer.
fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    holds: Holds,
    router: Router,
    config: &ServerConfig,
    closing: CancellationToken,
    tasks: TaskTracker,
) -> impl Future<Output = hyper::Result<()>> + use<> {
    let (io, phase) = Watched::new(stream, holds, config);
    let service = service_fn(move |request: Request<Incoming>| {
        let (router, phase, tasks) = (router.clone(), phase.clone(), tasks.clone());
        async move {
            phase.set(Phase::Busy);
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Peer(peer));
            // A task of its own: hyper drops this future when the client leaves, and what was begun must be finished.
            // History, lists and screens hear of a decision only after its commit.
            let answered = tasks.spawn(router.oneshot(request)).await;
            let response = answered.map_or_else(|error| ApiError::internal(error).into_response(), |Ok(answer)| answer);
            let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            phase.set(if upgraded { Phase::Upgraded } else { Phase::Idle });
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        // `Watched` keeps this time, answers in JSON, and does not count the pause between two requests.
        .header_read_timeout(None)
        .keep_alive(true)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    async move {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => ended,
            () = closing.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        }
    }
}

/// Tells a client from a crowded address to come back later. Best effort: it must cost us nothing.
async fn turn_away(mut stream: TcpStream) {
    let error = ApiError::new(Problem::TooManyRequests, "too many connections from this address are open")
        .header(axum::http::header::RETRY_AFTER, "1");
    let _ = stream.try_write(&connection::raw_answer(&error));
    let _ = stream.shutdown().await;
}

/// How many connections each address has open.
#[derive(Clone, Default)]
struct Addresses(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Addresses {
    /// A seat for one more connection, given back when dropped.
    fn seat(&self, peer: IpAddr, config: &ServerConfig) -> Option<Seat> {
        let address = crate::limits::network_of(peer);
        let trusted = config.trusted_proxies.iter().any(|network| network.contains(&peer.to_canonical()));
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_insert(0);
        if *count >= config.max_connections_per_address && !trusted {
            return None;
        }
        *count += 1;
        Some(Seat { addresses: self.clone(), address })
    }
}

struct Seat {
    addresses: Addresses,
    address: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}
