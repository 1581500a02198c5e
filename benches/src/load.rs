//! A small HTTP/1.1 load generator on kept-alive connections: it does little itself, so that the server is what is measured.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What one run of the load showed.
pub struct Measured {
    /// How long the run took.
    pub elapsed: Duration,
    /// How long each request took, sorted.
    pub latencies: Vec<Duration>,
}

impl Measured {
    /// The latency below which a share of the requests stayed: 0.5 for the median.
    pub fn quantile(&self, share: f64) -> Duration {
        let place = ((self.latencies.len() as f64 * share) as usize).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(place).copied().unwrap_or_default()
    }
}

/// Sends `requests` requests over `connections` connections; `body(n)` is the nth one's. Panics if an answer is not 200.
pub async fn run(
    server: SocketAddr,
    head: &str,
    connections: usize,
    requests: usize,
    body: impl Fn(usize) -> String + Clone + Send + 'static,
) -> Measured {
    let started = Instant::now();
    let each = requests.div_ceil(connections);
    let tasks: Vec<_> = (0..connections)
        .map(|connection| {
            let (head, body) = (head.to_owned(), body.clone());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(server).await.expect("the server accepts");
                stream.set_nodelay(true).expect("a fresh socket takes options");
                let mut latencies = Vec::with_capacity(each);
                let mut answer = Vec::with_capacity(4096);
                for request in 0..each {
                    let body = body(connection * each + request);
                    let text = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                    let sent = Instant::now();
                    stream.write_all(text.as_bytes()).await.expect("the connection stays open");
                    read_answer(&mut stream, &mut answer).await;
                    latencies.push(sent.elapsed());
                }
                latencies
            })
        })
        .collect();
    let mut latencies = Vec::with_capacity(requests);
    for task in tasks {
        latencies.extend(task.await.expect("the load does not panic"));
    }
    latencies.sort();
    Measured { elapsed: started.elapsed(), latencies }
}

/// Reads one whole answer. Panics unless it is a 200.
pub(crate) async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    read_any(stream, answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(answer));
}

/// Reads one whole answer, whatever it says.
pub(crate) async fn read_any(stream: &mut TcpStream, answer: &mut Vec<u8>) {
    answer.clear();
    loop {
        let read = stream.read_buf(answer).await.expect("the answer arrives");
        assert!(read > 0, "the server closed the connection");
        let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        let length =
            head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse::<usize>().ok());
        if answer.len() >= end + 4 + length.expect("the answer says how long it is") {
            return;
        }
    }
}
