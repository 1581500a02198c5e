//! One open socket: it creates challenges, and hears what becomes of those it created and of no others (T-20).

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use challenge::ChallengeId;
use challenge::state::Origin;
use futures_util::StreamExt;
use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::frames::{self, Create, Request};
use crate::app::App;
use crate::challenges::screen::{self, Ask, Screen, Shown};
use crate::challenges::{claimer, claiming};
use crate::error::{ApiError, Problem};
use crate::limits::Subject;
use crate::notify::{Change, Watch};

/// Challenges one socket may have open at a time.
const MOST_OPEN: usize = 8;
/// Unreadable frames after which we stop listening.
const MOST_BAD_FRAMES: u32 = 8;
/// A challenge changes at most a handful of times, so this never fills for a socket that is read.
const QUEUE: usize = 64;
/// Silent rounds of pings after which the other side is gone.
const MOST_SILENT_ROUNDS: u32 = 2;

/// Serves the socket until either side ends it.
pub async fn run(app: App, screen: Screen, origin: Origin, client: IpAddr, mut socket: WebSocket) {
    let (changes, mut inbox) = mpsc::channel(QUEUE);
    let patience = &app.config.server;
    let (first_within, ping_every) = (seconds(patience.socket_timeout_s), seconds(patience.ping_s));
    let write_within = seconds(patience.write_timeout_s);
    let closing = app.closing.clone();
    let mut session = Session {
        app,
        screen,
        origin,
        client,
        changes,
        open: Vec::new(),
        bad_frames: 0,
        silent_rounds: 0,
        asked: false,
    };
    let mut ping = interval(ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping.reset();
    let mut first = pin!(sleep(first_within));

    let end = loop {
        let event = tokio::select! {
            frame = socket.next() => match frame {
                Some(Ok(frame)) => Event::Said(frame),
                // Too large, not UTF-8, unmasked, …: the protocol is broken, there is nobody to talk to.
                Some(Err(_)) => Event::Ends(End::Close(close_code::POLICY, "frame refused")),
                None => Event::Ends(End::Gone),
            },
            Some(change) = inbox.recv() => Event::Changed(change),
            _ = ping.tick() => Event::Beat,
            () = first.as_mut(), if !session.asked => {
                Event::Ends(End::Close(close_code::POLICY, "no challenge was asked for"))
            }
            () = closing.cancelled() => Event::Ends(End::Close(close_code::RESTART, "restarting")),
        };
        // Boxed: a socket waits nearly all its life, and acting needs five times the memory of waiting.
        if let Err(end) = Box::pin(session.act(&mut socket, event)).await {
            break end;
        }
    };
    if let End::Close(code, reason) = end {
        let frame = CloseFrame { code, reason: reason.into() };
        // The socket ends here whether or not the other side hears why.
        let _ = timeout(write_within, socket.send(Message::Close(Some(frame)))).await;
    }
}

/// What a socket waits for.
enum Event {
    /// The other side sent a frame.
    Said(Message),
    /// A challenge changed.
    Changed(Change),
    /// It is time to ask whether anybody is there.
    Beat,
    /// It is over.
    Ends(End),
}

/// Why a socket ends.
enum End {
    /// The other side left, or does not read.
    Gone,
    /// We say why, and close.
    Close(u16, &'static str),
}

struct Session {
    app: App,
    screen: Screen,
    origin: Origin,
    client: IpAddr,
    changes: mpsc::Sender<Change>,
    open: Vec<Open>,
    bad_frames: u32,
    /// Pings since the other side was last heard.
    silent_rounds: u32,
    /// Whether it has asked for a challenge, granted or not: a socket that never does is somebody's who only holds it.
    asked: bool,
}

/// A challenge this socket created and still waits for.
struct Open {
    shown: Shown,
    claimed: bool,
    /// Whether the page draws the rolling QR and wants its next steps.
    rolling: bool,
    _watch: Watch,
}

impl Session {
    async fn act(&mut self, socket: &mut WebSocket, event: Event) -> Result<(), End> {
        match event {
            Event::Said(frame) => {
                self.silent_rounds = 0;
                self.receive(socket, frame).await
            }
            Event::Changed(change) => self.tell(socket, &change).await,
            Event::Beat => {
                self.silent_rounds += 1;
                if self.silent_rounds > MOST_SILENT_ROUNDS { Err(End::Gone) } else { self.beat(socket).await }
            }
            Event::Ends(end) => Err(end),
        }
    }

    async fn receive(&mut self, socket: &mut WebSocket, frame: Message) -> Result<(), End> {
        match frame {
            Message::Text(text) => match frames::read(&text) {
                Ok(Request::Create(create)) => {
                    self.asked = true;
                    self.create(socket, create).await
                }
                Err(refusal) => {
                    self.bad_frames += 1;
                    self.say(socket, frames::error(&refusal)).await?;
                    if self.bad_frames < MOST_BAD_FRAMES {
                        Ok(())
                    } else {
                        Err(End::Close(close_code::POLICY, "too many unreadable messages"))
                    }
                }
            },
            Message::Binary(_) => Err(End::Close(close_code::UNSUPPORTED, "text messages only")),
            // The library has answered the ping already.
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    async fn create(&mut self, socket: &mut WebSocket, create: Create) -> Result<(), End> {
        let rolling = create.rolling;
        match self.show(create).await {
            Ok(shown) => {
                let additions = if rolling { screen::rolling_qr(&self.app, &shown) } else { Map::new() };
                self.say(socket, frames::created(shown.id, shown.expires_at, &additions)).await
            }
            Err(refusal) => self.refuse(socket, &refusal).await,
        }
    }

    async fn show(&mut self, create: Create) -> Result<Shown, ApiError> {
        self.app.limits.gate(Subject::Address(self.client))?;
        // A refresh: the screen forgets the QR it showed, so nobody should be able to scan it any more. One that a
        // phone holds already may finish.
        let forgotten: Vec<ChallengeId> =
            self.open.iter().filter(|open| !open.claimed).map(|open| open.shown.id).collect();
        if self.open.len() - forgotten.len() >= MOST_OPEN {
            let detail = format!("a socket may have {MOST_OPEN} open challenges; finish one first");
            return Err(ApiError::new(Problem::TooManyRequests, detail));
        }
        let Create { action, custom, rolling } = create;
        let ask = Ask { action, custom, origin: self.origin.clone(), shows_already: forgotten, resumes: None };
        let watching = |id| self.app.notifier.watch(id, self.changes.clone());
        let (shown, watch) = screen::show(&self.app, &self.screen, ask, watching).await?;
        self.open.retain(|open| open.claimed);
        self.open.push(Open { shown, claimed: false, rolling, _watch: watch });
        Ok(shown)
    }

    /// Every half minute: is anybody there, and the next steps of the QR codes on show.
    async fn beat(&self, socket: &mut WebSocket) -> Result<(), End> {
        self.write(socket, Message::Ping("".into())).await?;
        for open in self.open.iter().filter(|open| open.rolling && !open.claimed) {
            self.say(socket, frames::next_steps(open.shown.id, screen::rolling_qr(&self.app, &open.shown))).await?;
        }
        Ok(())
    }

    /// Says no in a way that a stock SDK notices: it waits for `CHALLENGE_CREATED` for ever, and knows no `ERROR`.
    /// So it gets an id that nobody can claim, and hears at once that it was rejected.
    async fn refuse(&self, socket: &mut WebSocket, refusal: &ApiError) -> Result<(), End> {
        self.say(socket, frames::error(refusal)).await?;
        let nobody = ChallengeId::from_random(self.app.random.bytes());
        self.say(socket, frames::created(nobody, self.app.clock.now(), &Map::new())).await?;
        self.say(socket, frames::state_change(nobody, "rejected", None)).await
    }

    /// Passes on what became of one of this socket's challenges.
    async fn tell(&mut self, socket: &mut WebSocket, change: &Change) -> Result<(), End> {
        let Some(index) = self.open.iter().position(|open| open.shown.id == change.challenge) else { return Ok(()) };
        match change.state {
            "claimed" => {
                self.open[index].claimed = true;
                let claimer = self.claimer(change.challenge).await;
                self.say(socket, frames::claimed(change.challenge, claimer)).await?;
                if change.asks_code { self.show_code(socket, change.challenge).await } else { Ok(()) }
            }
            "approved" => {
                self.open.remove(index);
                match screen::access_token(&self.app, &self.screen, change.challenge).await {
                    Ok(token) => {
                        self.say(socket, frames::state_change(change.challenge, "approved", Some(&token))).await
                    }
                    Err(refusal) => self.say(socket, frames::error(&refusal)).await,
                }
            }
            "expired" => {
                self.open.remove(index);
                self.say(socket, frames::expired(change.challenge)).await?;
                self.say(socket, frames::state_change(change.challenge, "expired", None)).await
            }
            other => {
                self.open.remove(index);
                self.say(socket, frames::state_change(change.challenge, other, None)).await
            }
        }
    }

    /// Who took a challenge that was for anybody, so that a person whose code somebody else scanned sees it. That it is
    /// claimed is said though this cannot be found out.
    async fn claimer(&self, challenge: ChallengeId) -> Option<Value> {
        let Screen::Anonymous(tenant) = &self.screen else { return None };
        claimer::of(&self.app, tenant, challenge).await.ok().flatten()
    }

    /// Shows the digits that the claimer must type: here, and on no other screen (T-20).
    async fn show_code(&self, socket: &mut WebSocket, challenge: ChallengeId) -> Result<(), End> {
        match claiming::code_of(&self.app, self.screen.tenant(), challenge).await {
            Ok(Some(code)) => self.say(socket, frames::match_code(challenge, &code)).await,
            // It has been answered in the meantime.
            Ok(None) => Ok(()),
            Err(refusal) => self.say(socket, frames::error(&refusal)).await,
        }
    }

    async fn say(&self, socket: &mut WebSocket, message: Value) -> Result<(), End> {
        self.write(socket, Message::Text(message.to_string().into())).await
    }

    /// A reader that takes nothing for too long is dropped.
    async fn write(&self, socket: &mut WebSocket, message: Message) -> Result<(), End> {
        match timeout(seconds(self.app.config.server.write_timeout_s), socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// An interval of no time at all would be a mistake of the operator's and panic the timer.
fn seconds(configured: u64) -> Duration {
    Duration::from_secs(configured.max(1))
}
