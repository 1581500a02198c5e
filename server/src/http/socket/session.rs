//! One open socket: it creates challenges, and hears what becomes of those it created and of no others (T-20).

use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use challenge::ChallengeId;
use challenge::state::Origin;
use futures_channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use futures_util::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep, timeout};

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
/// Silent rounds of pings after which the other side is gone.
const MOST_SILENT_ROUNDS: u32 = 2;

/// What a socket waits for.
enum Event {
    /// The other side sent a frame.
    Said(Message),
    /// A challenge changed.
    Changed(Change),
    /// The time is up: to ask for a challenge, and from then on to say that anybody is there.
    Rang,
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

/// One open socket, and all that it has to remember.
pub struct Session {
    app: App,
    socket: WebSocket,
    screen: Screen,
    origin: Origin,
    client: IpAddr,
    changes: UnboundedSender<Change>,
    inbox: UnboundedReceiver<Change>,
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
    /// A socket that was just opened from `origin`, by the address `client`.
    pub fn new(app: App, screen: Screen, origin: Origin, client: IpAddr, socket: WebSocket) -> Session {
        // Unbounded, but it holds little: a challenge changes a handful of times, and a socket whose other side does not
        // read makes no new ones.
        let (changes, inbox) = unbounded();
        Session {
            app,
            socket,
            screen,
            origin,
            client,
            changes,
            inbox,
            open: Vec::new(),
            bad_frames: 0,
            silent_rounds: 0,
            asked: false,
        }
    }

    /// Serves the socket until either side ends it. Boxed: an `async fn` keeps its arguments twice.
    pub async fn run(mut self: Box<Self>) {
        let patience = &self.app.config.server;
        let (first_within, ping_every) = (seconds(patience.socket_timeout_s), seconds(patience.ping_s));
        let write_within = seconds(patience.write_timeout_s);
        let closing = self.app.closing.clone();
        let mut alarm = pin!(sleep(first_within));

        let end = loop {
            let event = tokio::select! {
                frame = self.socket.next() => match frame {
                    Some(Ok(frame)) => Event::Said(frame),
                    // Too large, not UTF-8, unmasked, …: the protocol is broken, there is nobody to talk to.
                    Some(Err(_)) => Event::Ends(End::Close(close_code::POLICY, "frame refused")),
                    None => Event::Ends(End::Gone),
                },
                Some(change) = self.inbox.next() => Event::Changed(change),
                () = alarm.as_mut() => Event::Rang,
                () = closing.cancelled() => Event::Ends(End::Close(close_code::RESTART, "restarting")),
            };
            let (rang, had_asked) = (matches!(event, Event::Rang), self.asked);
            // Boxed: a socket waits nearly all its life, and acting needs five times the memory of waiting.
            if let Err(end) = Box::pin(self.act(event)).await {
                break end;
            }
            if rang || self.asked != had_asked {
                alarm.as_mut().reset(Instant::now() + ping_every);
            }
        };
        if let End::Close(code, reason) = end {
            let frame = CloseFrame { code, reason: reason.into() };
            // The socket ends here whether or not the other side hears why.
            let _ = timeout(write_within, self.socket.send(Message::Close(Some(frame)))).await;
        }
    }

    async fn act(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Said(frame) => {
                self.silent_rounds = 0;
                self.receive(frame).await
            }
            Event::Changed(change) => self.tell(&change).await,
            Event::Rang if !self.asked => Err(End::Close(close_code::POLICY, "no challenge was asked for")),
            Event::Rang => {
                self.silent_rounds += 1;
                if self.silent_rounds > MOST_SILENT_ROUNDS { Err(End::Gone) } else { self.beat().await }
            }
            Event::Ends(end) => Err(end),
        }
    }

    async fn receive(&mut self, frame: Message) -> Result<(), End> {
        match frame {
            Message::Text(text) => match frames::read(&text) {
                Ok(Request::Create(create)) => {
                    self.asked = true;
                    self.create(create).await
                }
                Ok(Request::Unreadable(refusal)) => {
                    self.asked = true;
                    self.refuse(&refusal).await?;
                    self.was_unreadable()
                }
                Err(refusal) => {
                    self.say(frames::error(&refusal)).await?;
                    self.was_unreadable()
                }
            },
            Message::Binary(_) => Err(End::Close(close_code::UNSUPPORTED, "text messages only")),
            // The library has answered the ping already.
            Message::Ping(_) | Message::Pong(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    fn was_unreadable(&mut self) -> Result<(), End> {
        self.bad_frames += 1;
        if self.bad_frames < MOST_BAD_FRAMES {
            Ok(())
        } else {
            Err(End::Close(close_code::POLICY, "too many unreadable messages"))
        }
    }

    async fn create(&mut self, create: Create) -> Result<(), End> {
        let rolling = create.rolling;
        match self.show(create).await {
            Ok(shown) => {
                let mut additions = if rolling { screen::rolling_qr(&self.app, &shown) } else { Map::new() };
                // If this socket breaks, the screen goes on by polling, as the one that made the challenge.
                additions.insert("deviceCode".into(), json!(self.app.keys.device_code(&shown.id).expose()));
                self.say(frames::created(shown.id, shown.expires_at, &additions)).await
            }
            Err(refusal) => self.refuse(&refusal).await,
        }
    }

    async fn show(&mut self, create: Create) -> Result<Shown, ApiError> {
        self.app.limits.gate(Subject::Address(self.client))?;
        self.screen.must_be_of(&create.action, "/data/actionCode")?;
        // A refresh: the screen forgets the QR it showed, so nobody should be able to scan it any more. One that a
        // phone holds already may finish.
        let forgotten: Vec<ChallengeId> =
            self.open.iter().filter(|open| !open.claimed).map(|open| open.shown.id).collect();
        if self.open.len() - forgotten.len() >= MOST_OPEN {
            let detail = format!("a socket may have {MOST_OPEN} open challenges; finish one first");
            return Err(ApiError::new(Problem::TooManyRequests, detail));
        }
        let Create { action, custom, rolling, terminal } = create;
        let terminal = terminal.map(|terminal| (terminal, frames::TERMINAL));
        let ask = Ask { action, custom, origin: self.origin.clone(), terminal, shows_already: forgotten };
        let watching = |id| self.app.notifier.watch(id, self.changes.clone());
        let in_message = |pointer: &str| pointer.starts_with("/custom").then(|| format!("/data{pointer}"));
        let shown = screen::show(&self.app, &self.screen, ask, watching).await;
        let (shown, watch) = shown.map_err(|refusal| refusal.placed(in_message))?;
        self.open.retain(|open| open.claimed);
        // Nearly every screen shows one at a time.
        self.open.reserve_exact(1);
        self.open.push(Open { shown, claimed: false, rolling, _watch: watch });
        Ok(shown)
    }

    /// Every half minute: is anybody there, and the next steps of the QR codes on show.
    async fn beat(&mut self) -> Result<(), End> {
        self.write(Message::Ping("".into())).await?;
        let drawn = self.open.iter().filter(|open| open.rolling && !open.claimed);
        for shown in drawn.map(|open| open.shown).collect::<Vec<_>>() {
            self.say(frames::next_steps(shown.id, screen::rolling_qr(&self.app, &shown))).await?;
        }
        Ok(())
    }

    /// Says no in a way that a stock SDK notices: it waits for `CHALLENGE_CREATED` for ever, and knows no `ERROR`.
    /// So it gets an id that nobody can claim, and hears at once that it was rejected.
    async fn refuse(&mut self, refusal: &ApiError) -> Result<(), End> {
        self.say(frames::error(refusal)).await?;
        let nobody = ChallengeId::from_random(self.app.random.bytes());
        self.say(frames::created(nobody, self.app.clock.now(), &Map::new())).await?;
        self.say(frames::state_change(nobody, "rejected", None)).await
    }

    /// Passes on what became of one of this socket's challenges.
    async fn tell(&mut self, change: &Change) -> Result<(), End> {
        let Some(index) = self.open.iter().position(|open| open.shown.id == change.challenge) else { return Ok(()) };
        match change.state {
            "claimed" => {
                self.open[index].claimed = true;
                let claimer = self.claimer(change.challenge).await;
                self.say(frames::claimed(change.challenge, claimer)).await?;
                if change.asks_code { self.show_code(change.challenge).await } else { Ok(()) }
            }
            "approved" => {
                self.open.remove(index);
                match screen::access_token(&self.app, &self.screen, change.challenge).await {
                    Ok(token) => self.say(frames::state_change(change.challenge, "approved", Some(&token))).await,
                    Err(refusal) => self.say(frames::error(&refusal)).await,
                }
            }
            "expired" => {
                self.open.remove(index);
                self.say(frames::expired(change.challenge)).await?;
                self.say(frames::state_change(change.challenge, "expired", None)).await
            }
            other => {
                self.open.remove(index);
                self.say(frames::state_change(change.challenge, other, None)).await
            }
        }
    }

    /// Who took a challenge that was for anybody, so that a person whose code somebody else scanned sees it. That it is
    /// claimed is said though this cannot be found out.
    async fn claimer(&mut self, challenge: ChallengeId) -> Option<Value> {
        let Screen::Anonymous(tenant) = &self.screen else { return None };
        claimer::of(&self.app, tenant, challenge).await.ok().flatten()
    }

    /// Shows the digits that the claimer must type: here, and on no other screen (T-20).
    async fn show_code(&mut self, challenge: ChallengeId) -> Result<(), End> {
        match claiming::code_of(&self.app, self.screen.tenant(), challenge).await {
            Ok(Some(code)) => self.say(frames::match_code(challenge, &code)).await,
            // It has been answered in the meantime.
            Ok(None) => Ok(()),
            Err(refusal) => self.say(frames::error(&refusal)).await,
        }
    }

    async fn say(&mut self, message: Value) -> Result<(), End> {
        self.write(Message::Text(message.to_string().into())).await
    }

    /// A reader that takes nothing for too long is dropped.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        match timeout(seconds(self.app.config.server.write_timeout_s), self.socket.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }
}

/// An interval of no time at all would be a mistake of the operator's and panic the timer.
fn seconds(configured: u64) -> Duration {
    Duration::from_secs(configured.max(1))
}
