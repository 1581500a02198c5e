//! Screens, as many as a process can have: each is a bare TCP stream that speaks as much of WebSocket as it needs, so that the
//! clients cost less than the service.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::TENANT;

/// The variable with the service's address.
pub const SERVER: &str = "STEPUP_SOCKETS_SERVER";
/// The variable with the number of the service among all: its screens have addresses of their own.
pub const HOUSE: &str = "STEPUP_SOCKETS_HOUSE";
/// The variable with the number of screens.
pub const COUNT: &str = "STEPUP_SOCKETS_COUNT";
/// Before the ids of all challenges, once each screen shows one.
pub const READY: &str = "READY ";
/// Before the id of an approved challenge and the nanoseconds since 1970 at which its screen was told.
pub const TOLD: &str = "TOLD ";

/// How many screens connect at the same time.
const AT_ONCE: usize = 64;

/// Opens the screens and listens until it is killed; does nothing unless it was started for that.
pub fn run() {
    let (Ok(server), Some(count)) = (std::env::var(SERVER), crate::number(COUNT)) else { return };
    let house = crate::number(HOUSE).unwrap_or(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let shown = Arc::new(Mutex::new(Vec::with_capacity(count)));
        let mut screens = JoinSet::new();
        for n in 0..count {
            let (server, gate, shown) = (server.clone(), gate.clone(), shown.clone());
            screens.spawn(async move {
                let (mut stream, id) = {
                    let _turn = gate.acquire().await.expect("it is never closed");
                    show(&server, house, n).await.unwrap_or_else(|error| panic!("screen {n}: {error}"))
                };
                note(&shown, id.clone(), count);
                listen(&mut stream, &id).await.unwrap_or_else(|error| panic!("screen {n} was cut off: {error}"))
            });
        }
        while let Some(ended) = screens.join_next().await {
            ended.expect("a screen that waits");
        }
    });
}

/// Adds a challenge to those that are shown, and says so when it is the last.
fn note(shown: &Mutex<Vec<String>>, id: String, count: usize) {
    let mut ids = shown.lock().expect("unpoisoned");
    ids.push(id);
    if ids.len() == count {
        println!("\n{READY}{}", ids.join(" "));
        *ids = Vec::new();
    }
}

/// Connects, asks for a challenge, and gives its id once it is there.
async fn show(server: &str, house: usize, n: usize) -> io::Result<(TcpStream, String)> {
    let address = server.parse().map_err(io::Error::other)?;
    let socket = TcpSocket::new_v4()?;
    // An address has some 28,000 ports, for all services together; several addresses have enough for any number.
    socket.bind(format!("127.1.{house}.{}:0", 1 + n / 10_000).parse().map_err(io::Error::other)?)?;
    let mut stream = socket.connect(address).await?;
    let head = format!(
        "GET /ws-v1-challenge HTTP/1.1\r\nhost: {server}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: authsignal-ws,x.authsignal.tenant.{TENANT}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await?);
    }
    if !answer.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&answer).into_owned()));
    }
    let ask = r#"{"type":"CREATE_CHALLENGE","data":{"challengeType":"QR_CODE","actionCode":"kiosk-login"}}"#;
    send(&mut stream, 1, ask.as_bytes()).await?;
    loop {
        let (kind, text) = receive(&mut stream).await?;
        if kind == 1 {
            let message: serde_json::Value = serde_json::from_slice(&text).map_err(io::Error::other)?;
            let id = message["data"]["challengeId"].as_str().filter(|_| message["type"] == "CHALLENGE_CREATED");
            let id = id.ok_or_else(|| io::Error::other(message.to_string()))?;
            return Ok((stream, id.to_owned()));
        }
    }
}

/// Answers pings, and says when the challenge is approved.
async fn listen(stream: &mut TcpStream, id: &str) -> io::Result<()> {
    loop {
        match receive(stream).await? {
            (9, payload) => send(stream, 10, &payload).await?,
            (8, _) => return Err(io::Error::other("the service closed it")),
            (_, text) if text.windows(8).any(|part| part == b"approved") => {
                let now = SystemTime::UNIX_EPOCH.elapsed().map_err(io::Error::other)?;
                println!("\n{TOLD}{id} {}", now.as_nanos());
            }
            _ => {}
        }
    }
}

/// A whole frame; all of ours are short, and masked with nothing, as a mask must be there.
async fn send(stream: &mut TcpStream, kind: u8, payload: &[u8]) -> io::Result<()> {
    let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short frame");
    let mut frame = vec![0x80 | kind, 0x80 | length, 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    stream.write_all(&frame).await
}

/// The next frame: its kind and what is in it.
async fn receive(stream: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let length = match head[1] & 0x7f {
        126 => usize::from(stream.read_u16().await?),
        127 => return Err(io::Error::other("a frame of 64 KiB")),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).await?;
    Ok((head[0] & 0x0f, payload))
}
