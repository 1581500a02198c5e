//! A client of HTTP/1.1 and WebSocket in a few lines: it does little itself, so that the server is what is measured.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One kept-alive connection.
pub struct Http(TcpStream);

impl Http {
    /// Connects.
    pub async fn connect(server: SocketAddr) -> Http {
        let stream = TcpStream::connect(server).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        Http(stream)
    }

    /// Posts JSON and gives what is answered. Panics unless that is a 200 with JSON.
    pub async fn post(&mut self, path: &str, authorization: &str, body: &Value) -> Value {
        let answer = self.ask(path, authorization, body).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
        let body = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(&[][..], |end| &answer[end + 4..]);
        serde_json::from_slice(body).expect("the answer is JSON")
    }

    /// Posts JSON and gives the whole answer, head and body, whatever it says.
    pub async fn ask(&mut self, path: &str, authorization: &str, body: &Value) -> Vec<u8> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: {authorization}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).await.expect("the connection stays open");
        let mut answer = Vec::with_capacity(4096);
        crate::load::read_any(&mut self.0, &mut answer).await;
        answer
    }
}

/// One WebSocket.
pub struct Socket(TcpStream);

impl Socket {
    /// Connects and upgrades.
    pub async fn open(server: SocketAddr, path: &str, protocols: Option<&str>) -> Socket {
        let mut stream = TcpStream::connect(server).await.expect("the server accepts");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        let protocols = protocols.map(|words| format!("sec-websocket-protocol: {words}\r\n")).unwrap_or_default();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n{protocols}\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("the connection stays open");
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("the answer arrives"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
        Socket(stream)
    }

    /// Sends a short text.
    pub async fn send(&mut self, text: &str) {
        let length = u8::try_from(text.len()).ok().filter(|length| *length < 126).expect("the text is short");
        // Masked with nothing: a client's frame has a mask.
        let mut frame = vec![0x81, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(text.as_bytes());
        self.0.write_all(&frame).await.expect("the connection stays open");
    }

    /// The next text, as JSON; pings are passed over, as no benchmark lasts until an answer is missed.
    pub async fn next(&mut self) -> Value {
        loop {
            let mut head = [0; 2];
            self.0.read_exact(&mut head).await.expect("a message arrives");
            let length = match head[1] & 0x7f {
                126 => usize::from(self.0.read_u16().await.expect("a message arrives")),
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).await.expect("a message arrives");
            if head[0] & 0x0f == 1 {
                return serde_json::from_slice(&payload).expect("the message is JSON");
            }
        }
    }
}
