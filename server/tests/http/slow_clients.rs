//! Over real sockets: slow, broken and greedy clients are answered in JSON and let go; honest ones are served meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use server::config::Config;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::{BACKEND, World, basic, starter};

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<()>>,
    _world: World,
}

async fn run(change: impl FnOnce(&mut Config)) -> Running {
    let world = World::with(|config| {
        config.policies.pack = starter();
        config.server.header_timeout_s = 1;
        config.server.body_timeout_s = 1;
        config.server.idle_timeout_s = 2;
        change(config);
    })
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(server::serve::serve(world.app.clone(), listener, async move {
        let _ = stopped.await;
    }));
    Running { address, stop: Some(stop), served, _world: world }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends bytes, and reads whatever comes until the server closes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sent");
        until_closed(&mut stream).await
    }
}

async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // Longer than any time-out of the server: only a server that never closes fails.
    let closed = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
    assert!(closed.is_ok(), "the server keeps the connection: {}", String::from_utf8_lossy(&bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Status and JSON body of the last answer in `text`.
fn answer(text: &str) -> (u16, Value) {
    let start = text.rfind("HTTP/1.1 ").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let (head, body) = text[start..].split_once("\r\n\r\n").expect("a head");
    assert!(head.to_ascii_lowercase().contains("\r\ncontent-type: application/json"), "{head}");
    let status = head[9..12].parse().expect("a status");
    (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body:?}")))
}

fn post(head: &str, body: &str) -> Vec<u8> {
    let auth = basic(BACKEND);
    format!("POST /v1/users/ada/actions/signIn HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\n{head}\r\n{body}")
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_end_is_answered_408_and_closed_while_others_are_served() {
    let server = run(|_| {}).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ").await.expect("sent");
        slow.push(stream);
    }
    let honest = server.say(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert_eq!(answer(&honest).0, 200);
    for mut stream in slow {
        let (status, body) = answer(&until_closed(&mut stream).await);
        assert_eq!((status, body["error"].as_str()), (408, Some("request_timeout")));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_never_asks_is_closed_without_a_word() {
    let server = run(|_| {}).await;
    assert_eq!(server.say(b"").await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_outlives_the_header_time_out_and_then_closes() {
    let server = run(|_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    tokio::time::sleep(Duration::from_millis(1300)).await;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("still open");
    let text = until_closed(&mut stream).await;
    assert_eq!(text.matches("HTTP/1.1 200").count(), 2, "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_shorter_than_announced_is_answered_408_and_closed() {
    let server = run(|_| {}).await;
    let text = server
        .say(&post("content-type: application/json\r\ncontent-length: 42\r\n", "{\"ipAddress\": \"8.8.8.8\" }"))
        .await;
    let (status, body) = answer(&text);
    assert_eq!((status, body["errorCode"].as_str()), (408, Some("request_timeout")));
    assert!(text.to_ascii_lowercase().contains("connection: close"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_answered_in_json() {
    let server = run(|_| {}).await;
    let long_header = format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "a".repeat(40_000));
    let many_headers = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    for (bytes, expected) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], 400),
        (b"HELO mail.example.org\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", 400),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n", 400),
        (long_header.as_bytes(), 431),
        (many_headers.as_bytes(), 431),
    ] {
        let (status, body) = answer(&server.say(bytes).await);
        let sent = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
        assert_eq!((status, body["status"].as_u64()), (expected, Some(u64::from(expected))), "{sent:?}");
        assert!(body["error"].is_string() && body["type"].is_string(), "{sent:?}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_with_two_lengths_smuggles_no_second_one() {
    let server = run(|_| {}).await;
    let smuggled = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    for lengths in
        ["content-length: 50\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 50\r\n"]
    {
        let request = post(&format!("content-type: application/json\r\n{lengths}"), &format!("0\r\n\r\n{smuggled}"));
        let text = server.say(&request).await;
        // RFC 9112 §6.3: the chunked length counts, and the connection ends with this answer.
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        assert_eq!(answer(&text).0, 422);
    }
    for odd in
        ["transfer-encoding: gzip\r\n", "transfer-encoding: chunked, identity\r\n", "transfer-encoding: xchunked\r\n"]
    {
        assert_eq!(answer(&server.say(&post(odd, "0\r\n\r\n")).await).0, 400, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_too_large_is_refused_before_it_is_read() {
    let server = run(|_| {}).await;
    for head in ["content-length: 70000\r\n", "transfer-encoding: chunked\r\n"] {
        let body = if head.starts_with("transfer") {
            format!("20000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x20000))
        } else {
            String::new()
        };
        let mut stream = server.connect().await;
        stream.write_all(&post(&format!("content-type: application/json\r\n{head}"), "")).await.expect("sent");
        // The server may hang up while we still talk.
        let _ = stream.write_all(body.as_bytes()).await;
        let mut bytes = vec![0; 4096];
        let read = stream.read(&mut bytes).await.expect("an answer");
        let (status, body) = answer(&String::from_utf8_lossy(&bytes[..read]));
        assert_eq!((status, body["error"].as_str()), (413, Some("payload_too_large")), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_every_connection() {
    let server = run(|config| config.server.max_connections_per_address = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("served");
        held.push(stream);
    }
    let mut fourth = server.connect().await;
    let (status, body) = answer(&until_closed(&mut fourth).await);
    assert_eq!((status, body["error"].as_str()), (429, Some("too_many_requests")));
    drop(held);
    // The places come back when the others leave.
    for _ in 0..100 {
        let mut stream = server.connect().await;
        let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        if bytes.starts_with(b"HTTP/1.1 200") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place came back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_finishes_what_it_began() {
    let mut server = run(|config| config.server.body_timeout_s = 20).await;
    let mut busy = server.connect().await;
    let body = r#"{"ipAddress":"8.8.8.8","outcome":"succeeded"}"#;
    let head = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    busy.write_all(&post(&head, &body[..10])).await.expect("sent");
    let mut idle = server.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    let mut byte = [0];
    idle.read_exact(&mut byte).await.expect("served");
    server.stop.take().expect("running").send(()).expect("told");
    until_closed(&mut idle).await;
    assert!(!server.served.is_finished(), "it waits for the request under way");
    busy.write_all(&body.as_bytes()[10..]).await.expect("sent");
    let (status, answer) = answer(&until_closed(&mut busy).await);
    assert_eq!((status, answer["state"].as_str()), (200, Some("ALLOW")));
    tokio::time::timeout(Duration::from_secs(30), server.served)
        .await
        .expect("stopped")
        .expect("joined")
        .expect("well");
    assert!(TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_began_is_finished_after_it_left() {
    let server = run(|_| {}).await;
    let asked = |path: &str, fields: &str| {
        let auth = basic(BACKEND);
        let body = format!(r#"{{{fields}"ipAddress":"81.2.69.142","custom":{{"outcome":"failed"}}}}"#);
        let length = body.len();
        format!("POST /v1{path} HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let sign_in = |user: String| asked(&format!("/users/{user}/actions/signIn"), "");
    // One connection, and its answers in a row: each is read before the next is asked.
    let mut patient = server.connect().await;
    for number in 0..20 {
        patient.write_all(sign_in(format!("tried-{number}")).as_bytes()).await.expect("sent");
        assert_eq!(next_answer(&mut patient).await.0, 200);
    }
    // The attempt that makes a rule put the address on the list does not wait to hear so. A request that the hang-up cut
    // short was never begun, so attempts are made until one is recorded.
    for number in 0.. {
        assert!(number < 50, "no attempt was recorded");
        let mut hasty = server.connect().await;
        hasty.write_all(sign_in(format!("hasty-{number}")).as_bytes()).await.expect("sent");
        drop(hasty);
        tokio::time::sleep(Duration::from_millis(25)).await;
        let user = format!(
            "GET /v1/decisions?user=hasty-{number} HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\r\n",
            basic(BACKEND)
        );
        patient.write_all(user.as_bytes()).await.expect("sent");
        let (status, told) = next_answer(&mut patient).await;
        assert_eq!(status, 200, "{told}");
        if told["decisions"].as_array().is_some_and(|recorded| !recorded.is_empty()) {
            break;
        }
    }
    // A question adds nothing to the list itself.
    let question = asked("/evaluate", r#""userId":"later","action":"signIn","#);
    for _ in 0..200 {
        patient.write_all(question.as_bytes()).await.expect("sent");
        let (status, told) = next_answer(&mut patient).await;
        assert_eq!(status, 200, "{told}");
        if told["ruleIds"].as_array().expect("rules").iter().any(|rule| rule == "blocked_ip") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("the address of a decision whose client left is not on the list");
}

/// T-42.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_left_before_the_answer_hears_it_at_the_next_try_and_counts_once() {
    let server = run(|_| {}).await;
    let auth = basic(BACKEND);
    let mut patient = server.connect().await;
    let mut recorded = async |user: &str| {
        let asked = format!("GET /v1/decisions?user={user} HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\n\r\n");
        patient.write_all(asked.as_bytes()).await.expect("sent");
        let (status, told) = next_answer(&mut patient).await;
        assert_eq!(status, 200, "{told}");
        told["decisions"].as_array().cloned().unwrap_or_default()
    };
    for number in 0.. {
        assert!(number < 50, "no attempt was recorded");
        let user = format!("hasty-{number}");
        let body = r#"{"idempotencyKey":"once","ipAddress":"8.8.8.8","custom":{"outcome":"failed"}}"#;
        let length = body.len();
        let asked = format!(
            "POST /v1/users/{user}/actions/signIn HTTP/1.1\r\nhost: x\r\nauthorization: {auth}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut hasty = server.connect().await;
        hasty.write_all(asked.as_bytes()).await.expect("sent");
        drop(hasty);
        tokio::time::sleep(Duration::from_millis(25)).await;
        // A request that the hang-up cut short was never begun.
        let before = recorded(&user).await;
        if before.is_empty() {
            continue;
        }
        let mut again = server.connect().await;
        let mut answers = Vec::new();
        for _ in 0..3 {
            again.write_all(asked.as_bytes()).await.expect("sent");
            let (status, told) = next_answer(&mut again).await;
            assert_eq!(status, 200, "{told}");
            answers.push(told);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let after = recorded(&user).await;
        assert_eq!(after.len(), 1, "one attempt, one entry");
        assert_eq!(after[0]["decisionId"], answers[0]["decisionId"]);
        return;
    }
}

/// The next answer of a connection that stays open.
async fn next_answer(stream: &mut TcpStream) -> (u16, Value) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut chunk)).await.expect("in time");
        let read = read.expect("read");
        assert!(read > 0, "closed: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length: ").and_then(|length| length.trim().parse::<usize>().ok())
        });
        if body.len() >= length.expect("a length") {
            return answer(&text);
        }
    }
}
