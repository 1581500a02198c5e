//! A TCP stream that keeps the time for hyper.
//!
//! Between requests a client may be idle; once the first byte of a head has come, the whole head must follow soon; and
//! whoever does not take our answer loses it. hyper answers nonsense with an empty body, which breaks SDKs that expect
//! JSON, so its bare answers are replaced on their way out.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};

use super::Seat;
use crate::config::ServerConfig;
use crate::error::{ApiError, Problem};

/// What the connection is doing, as far as deadlines are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing was asked yet.
    New = 0,
    /// Waiting for the next request.
    Idle = 1,
    /// A head has begun to arrive.
    Head = 2,
    /// A handler is at work; it watches the body itself.
    Busy = 3,
    /// It has become a WebSocket, which watches itself.
    Upgraded = 4,
}

/// A phase that the service and the stream share.
#[derive(Clone)]
pub(super) struct SharedPhase(Arc<AtomicU8>);

impl SharedPhase {
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::New,
            1 => Phase::Idle,
            2 => Phase::Head,
            3 => Phase::Busy,
            _ => Phase::Upgraded,
        }
    }
}

/// A place among all connections, and a seat among those of its address.
pub(super) type Holds = (OwnedSemaphorePermit, Seat);

/// The stream under watch.
pub(super) struct Watched<S> {
    stream: S,
    /// What the connection takes up and gives back when it ends, as a WebSocket too.
    _holds: Holds,
    phase: SharedPhase,
    read_timer: Timer,
    write_timer: Timer,
    /// Our own words, to be sent before anything else: a replaced answer.
    pending: Vec<u8>,
    header_timeout: Duration,
    idle_timeout: Duration,
    write_timeout: Duration,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, holds: Holds, config: &ServerConfig) -> (Watched<S>, SharedPhase) {
        let phase = SharedPhase(Arc::new(AtomicU8::new(Phase::New as u8)));
        let watched = Watched {
            stream,
            _holds: holds,
            phase: phase.clone(),
            read_timer: Timer::default(),
            write_timer: Timer::default(),
            pending: Vec::new(),
            header_timeout: Duration::from_secs(config.header_timeout_s),
            idle_timeout: Duration::from_secs(config.idle_timeout_s),
            write_timeout: Duration::from_secs(config.write_timeout_s),
        };
        (watched, phase)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        if let Poll::Ready(result) = Pin::new(&mut this.stream).poll_read(cx, buf) {
            let came = buf.filled().len() > before;
            match this.phase.get() {
                Phase::New | Phase::Idle if came => {
                    // The head's deadline runs from its first byte, however slowly the others follow.
                    this.phase.set(Phase::Head);
                    this.read_timer.restart(Phase::Head, this.header_timeout);
                }
                Phase::New | Phase::Idle | Phase::Head => {}
                Phase::Busy => this.read_timer.stop(),
                Phase::Upgraded => this.read_timer = Timer::default(),
            }
            return Poll::Ready(result);
        }
        let phase = this.phase.get();
        let late = match phase {
            Phase::New | Phase::Head => this.read_timer.passed(phase, this.header_timeout, cx),
            Phase::Idle => this.read_timer.passed(phase, this.idle_timeout, cx),
            Phase::Busy => {
                this.read_timer.stop();
                false
            }
            Phase::Upgraded => {
                // Not only stopped: until it rings, a timer keeps alive the task that it would have woken, which is hyper's.
                this.read_timer = Timer::default();
                false
            }
        };
        if !late {
            return Poll::Pending;
        }
        if phase == Phase::Head {
            let error = ApiError::new(Problem::RequestTimeout, "the request's head did not arrive in time");
            // One try: a client too slow to send is not waited for again.
            let _ = Pin::new(&mut this.stream).poll_write(cx, &raw_answer(&error));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        ready!(this.send_pending(cx))?;
        if this.phase.get() != Phase::Upgraded
            && let Some((kept, answer)) = bare_answer(bytes)
        {
            this.pending.extend_from_slice(&bytes[..kept]);
            this.pending.extend_from_slice(&answer);
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.in_time(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.send_pending(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        ready!(this.send_pending(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    fn send_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            let written = Pin::new(&mut self.stream).poll_write(cx, &self.pending);
            let written = ready!(self.in_time(written, cx))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.pending.drain(..written);
        }
        Poll::Ready(Ok(()))
    }

    /// Lets a write wait only so long for the client to take something.
    fn in_time(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(result) => {
                self.write_timer.stop();
                Poll::Ready(result)
            }
            Poll::Pending if self.write_timer.passed(Phase::Busy, self.write_timeout, cx) => {
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

/// A deadline for one phase, set when the phase is first waited in.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    running_for: Option<Phase>,
}

impl Timer {
    fn restart(&mut self, phase: Phase, patience: Duration) {
        let deadline = Instant::now() + patience;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        self.running_for = Some(phase);
    }

    fn stop(&mut self) {
        self.running_for = None;
    }

    /// Whether the time is up; starts it if it does not run for this phase yet, and wakes the task when it is.
    fn passed(&mut self, phase: Phase, patience: Duration, cx: &mut Context<'_>) -> bool {
        if self.running_for != Some(phase) {
            self.restart(phase, patience);
        }
        self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready())
    }
}

/// Recognises an answer that hyper wrote by itself at the end of `bytes`: a refusal with nothing in it. All of ours
/// have a body and name it. Gives how much comes before it, and what to say instead.
fn bare_answer(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    if !bytes.ends_with(b"\r\n\r\n") {
        return None;
    }
    let start = bytes.windows(9).rposition(|window| window == b"HTTP/1.1 " || window == b"HTTP/1.0 ")?;
    let head = std::str::from_utf8(&bytes[start..]).ok()?;
    let headers = head.to_ascii_lowercase();
    if headers.contains("\r\ncontent-type:") || !headers.contains("\r\ncontent-length: 0\r\n") {
        return None;
    }
    let status: u16 = head.get(9..12)?.parse().ok()?;
    let error = match StatusCode::from_u16(status).ok()? {
        StatusCode::BAD_REQUEST => {
            ApiError::new(Problem::MalformedRequest, "the request is not one of HTTP, or breaks its rules")
        }
        StatusCode::URI_TOO_LONG => ApiError::new(Problem::UriTooLong, "the address of the request is too long"),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            ApiError::new(Problem::HeadersTooLarge, "the headers are larger than 16 KiB or more than 64")
        }
        _ => return None,
    };
    Some((start, raw_answer(&error)))
}

/// A whole answer as bytes, for when there is no hyper to write it; the connection closes after it.
pub(super) fn raw_answer(error: &ApiError) -> Vec<u8> {
    let entry = error.problem().entry();
    let body = error.body(None).to_string();
    let reason = entry.status.canonical_reason().unwrap_or("Refused");
    format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        entry.status.as_u16(),
        body.len()
    )
    .into_bytes()
}
