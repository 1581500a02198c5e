//! A screen, as the browser SDK is: one socket with a subprotocol, or polling with a device code.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

use crate::harness::{Reply, Server};

/// How long a test waits for something that must come. Only a broken server makes it pass.
const PATIENCE: Duration = Duration::from_secs(20);

/// The browser SDK over a WebSocket.
pub struct Screen {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Screen {
    /// Opens the socket with the given subprotocol after `authsignal-ws`.
    pub async fn open(server: &Server, credential: &str, origin: Option<&str>) -> Result<Screen, Refusal> {
        Screen::open_at(server, "/ws-v1-challenge", &format!("authsignal-ws,{credential}"), origin).await
    }

    /// Opens the socket at a path, with the whole protocol header given.
    pub async fn open_at(
        server: &Server,
        path: &str,
        protocols: &str,
        origin: Option<&str>,
    ) -> Result<Screen, Refusal> {
        let url = format!("{}{path}", server.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a URL");
        let headers = request.headers_mut();
        headers.insert("sec-websocket-protocol", protocols.parse().expect("a protocol header"));
        if let Some(origin) = origin {
            headers.insert("origin", origin.parse().expect("an origin"));
        }
        match connect_async(request).await {
            Ok((socket, response)) => {
                let chosen = response.headers().get("sec-websocket-protocol");
                assert_eq!(chosen.and_then(|value| value.to_str().ok()), Some("authsignal-ws"));
                Ok(Screen { socket })
            }
            Err(Error::Http(response)) => Err(Refusal {
                status: response.status().as_u16(),
                body: response
                    .body()
                    .as_deref()
                    .and_then(|bytes| serde_json::from_slice(bytes).ok())
                    .unwrap_or(Value::Null),
            }),
            Err(other) => panic!("the upgrade failed otherwise: {other}"),
        }
    }

    /// An anonymous screen of the server's tenant.
    pub async fn anonymous(server: &Server) -> Screen {
        let credential = format!("x.authsignal.tenant.{}", server.tenant);
        Screen::open(server, &credential, None).await.expect("the upgrade")
    }

    /// A screen that holds a track token.
    pub async fn identified(server: &Server, token: &str) -> Screen {
        let credential = format!("x.authsignal.token.{token}");
        Screen::open(server, &credential, None).await.expect("the upgrade")
    }

    /// Sends `CREATE_CHALLENGE` as the SDK does and returns the `data` of `CHALLENGE_CREATED`.
    pub async fn create(&mut self, action: &str, custom: Option<Value>) -> Value {
        self.ask(action, custom).await;
        let message = self.next().await;
        assert_eq!(message["type"], "CHALLENGE_CREATED", "{message}");
        assert_eq!(message["data"]["challengeType"], "QR_CODE");
        assert_eq!(message["data"]["state"], "unclaimed");
        message["data"].clone()
    }

    /// Sends `CREATE_CHALLENGE` without waiting for the answer.
    pub async fn ask(&mut self, action: &str, custom: Option<Value>) {
        let mut data = json!({"challengeType": "QR_CODE", "actionCode": action});
        if let Some(custom) = custom {
            data["custom"] = custom;
        }
        self.send(json!({"type": "CREATE_CHALLENGE", "data": data})).await;
    }

    /// Sends any JSON as a text frame.
    pub async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("a write");
    }

    /// The next JSON message; pings are answered and skipped.
    pub async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Some(message) => message,
            None => panic!("the server closed the socket"),
        }
    }

    /// The next JSON message, or `None` when the server closed.
    pub async fn next_or_close(&mut self) -> Option<Value> {
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time");
            match frame {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).expect("JSON")),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(other)) => panic!("an unexpected frame: {other:?}"),
            }
        }
    }

    /// The next state change of the challenge, with its token if it has one.
    pub async fn state(&mut self, challenge_id: &str) -> (String, Option<String>) {
        let message = self.next().await;
        assert_eq!(message["type"], "STATE_CHANGE", "{message}");
        assert_eq!(message["data"]["challengeId"], challenge_id, "{message}");
        let state = message["data"]["state"].as_str().expect("a state").to_owned();
        (state, message["data"]["accessToken"].as_str().map(str::to_owned))
    }

    /// Sends all of that, whatever it is, and hears what comes until the server has read it or closes.
    pub async fn hears(&mut self, messages: &[Value]) -> Vec<String> {
        let mut heard = Vec::new();
        let texts = messages.iter().map(|message| Message::text(message.to_string()));
        for frame in texts.chain([Message::Ping("read?".into())]) {
            if self.socket.send(frame).await.is_err() {
                break;
            }
        }
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a pong in time") {
                Some(Ok(Message::Text(text))) => heard.push(text.to_string()),
                Some(Ok(Message::Ping(_))) => {}
                _ => return heard,
            }
        }
    }

    /// Whether the socket stays silent: a round trip through the server comes back first.
    pub async fn is_silent(&mut self) -> bool {
        self.socket.send(Message::Ping("quiet?".into())).await.expect("a write");
        loop {
            let frame = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a pong in time");
            match frame {
                Some(Ok(Message::Pong(_))) => return true,
                Some(Ok(Message::Ping(_))) => {}
                _ => return false,
            }
        }
    }
}

/// A refused upgrade.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub body: Value,
}

/// The browser SDK with `polling: true`.
#[derive(Debug, Clone)]
pub struct PollingScreen {
    pub challenge_id: String,
    pub device_code: String,
    authorization: String,
}

impl PollingScreen {
    /// Creates a challenge as the SDK does: Basic for the tenant, or Bearer with a track token.
    pub async fn create(server: &Server, token: Option<&str>, body: Value) -> Result<PollingScreen, Reply> {
        let authorization = match token {
            Some(token) => format!("Bearer {token}"),
            None => server.browser_basic(),
        };
        let reply = server
            .request(
                "POST",
                "/v1/client/challenge/qr-code",
                &[("authorization", authorization)],
                Some(body.to_string()),
            )
            .await;
        match (reply.body["challengeId"].as_str(), reply.body["deviceCode"].as_str()) {
            (Some(challenge_id), Some(device_code)) if reply.status == 200 => Ok(PollingScreen {
                challenge_id: challenge_id.to_owned(),
                device_code: device_code.to_owned(),
                // The SDK polls with the tenant's Basic even when it holds a token.
                authorization: server.browser_basic(),
            }),
            _ => Err(reply),
        }
    }

    /// What was a screen with a socket, until that broke: it polls the challenge that it was told of as `created`.
    pub fn resume(server: &Server, created: &Value) -> PollingScreen {
        let text = |name: &str| created[name].as_str().unwrap_or_else(|| panic!("no `{name}` in {created}")).to_owned();
        let (challenge_id, device_code) = (text("challengeId"), text("deviceCode"));
        PollingScreen { challenge_id, device_code, authorization: server.browser_basic() }
    }

    /// One poll.
    pub async fn poll(&self, server: &Server) -> Reply {
        self.poll_with(server, &self.device_code).await
    }

    /// One poll with another device code.
    pub async fn poll_with(&self, server: &Server, device_code: &str) -> Reply {
        let body = json!({"challengeId": self.challenge_id, "deviceCode": device_code});
        server
            .request(
                "POST",
                "/v1/client/verify/qr-code",
                &[("authorization", self.authorization.clone())],
                Some(body.to_string()),
            )
            .await
    }
}
