//! T-50: what a socket may cost. None of these waits for a time to pass: only a server that never acts makes them fail.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::harness::Server;
use crate::screen::Screen;

/// Longer than any time-out of the server under test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket whose frames the test reads itself, with as small a window as the system allows.
async fn narrow(server: &Server) -> WebSocketStream<TcpStream> {
    let address = server.base.trim_start_matches("http://").parse().expect("an address");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small window");
    let stream = socket.connect(address).await.expect("a connection");
    let mut request = format!("ws://{address}/ws-v1-challenge").into_client_request().expect("a request");
    let protocols = format!("authsignal-ws,x.authsignal.tenant.{}", server.tenant);
    request.headers_mut().insert("sec-websocket-protocol", protocols.parse().expect("a header"));
    client_async(request, stream).await.expect("the upgrade").0
}

/// Whether the server ends the connection, whatever it says before.
async fn is_ended(stream: &mut TcpStream) -> bool {
    let mut said = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut said)).await.is_ok()
}

#[tokio::test]
async fn one_that_never_asks_for_a_challenge_is_closed() {
    let server = Server::start_with(|config| config.server.socket_timeout_s = 1).await;
    let mut silent = Screen::anonymous(&server).await;
    let mut chatty = Screen::anonymous(&server).await;
    let mut waiting = Screen::anonymous(&server).await;
    waiting.create("kiosk-login", None).await;
    chatty.socket.send(Message::Ping("hello".into())).await.expect("a write");
    assert!(silent.next_or_close().await.is_none());
    assert!(chatty.next_or_close().await.is_none());
    // One that waits for its challenge is let wait.
    assert!(waiting.is_silent().await);
    waiting.create("kiosk-login", None).await;
}

#[tokio::test]
async fn one_that_answers_no_ping_is_dropped_and_one_that_does_is_kept() {
    let server = Server::start_with(|config| config.server.ping_s = 1).await;
    let mut alive = Screen::anonymous(&server).await;
    alive.create("kiosk-login", None).await;
    let mut dead = narrow(&server).await;
    dead.send(Message::text(ask())).await.expect("a write");
    let mut dead = dead.into_inner();
    let ended = tokio::select! {
        ended = is_ended(&mut dead) => ended,
        // Reading answers the pings.
        () = async { while let Some(Ok(_)) = alive.socket.next().await {} } => panic!("the socket that answers is dropped"),
    };
    assert!(ended, "a socket that answers no ping is kept");
    assert!(alive.is_silent().await);
}

fn ask() -> String {
    json!({"type": "CREATE_CHALLENGE", "data": {"challengeType": "QR_CODE", "actionCode": "kiosk-login"}}).to_string()
}

#[tokio::test]
async fn one_that_asks_and_never_reads_is_dropped() {
    let server = Server::start_with(|config| config.server.write_timeout_s = 1).await;
    let mut deaf = narrow(&server).await;
    // Each is answered, until nothing more fits into what lies between us; then the server waits a second and is gone.
    let flood = async {
        loop {
            if deaf.send(Message::text(ask())).await.is_err() {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(PATIENCE * 4, flood).await.is_ok(), "a socket that is not read is kept");
    // What it has used up of its address's allowance comes back with time; then others are served.
    server.clock.advance(Duration::from_secs(60));
    let mut other = Screen::anonymous(&server).await;
    other.create("kiosk-login", None).await;
    assert_eq!(server.app.notifier.watched(), 1, "the challenge of the dropped socket is still watched");
}

#[tokio::test]
async fn an_open_socket_counts_among_the_connections_of_its_address() {
    let server = Server::start_with(|config| config.server.max_connections_per_address = 3).await;
    let mut screens = Vec::new();
    for _ in 0..3 {
        screens.push(Screen::anonymous(&server).await);
    }
    let one_more = Screen::open(&server, &format!("x.authsignal.tenant.{}", server.tenant), None).await;
    assert_eq!(one_more.err().map(|refusal| refusal.status), Some(429));
    // One that leaves makes room.
    drop(screens.pop());
    for _ in 0..1_000 {
        if Screen::open(&server, &format!("x.authsignal.tenant.{}", server.tenant), None).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("a seat was not given back");
}
