//! The steps of [`super::batch`] on several threads. Batches are judged and written in the order they were read, so the
//! number of threads changes nothing but the time.
//!
//! A batch travels as a promise: whoever hands out the work puts the place where its result will be into a queue, and the next
//! step takes the results in the order of that queue. All queues are short, so that memory does not grow with the stream.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use engine::{Program, Stream};

use super::batch::{Batch, Decoded, Judged, Tally, decode, judge, read_batches, render};
use crate::geo::Geo;

/// Work that needs no order.
enum Job {
    Decode(Batch, SyncSender<Decoded>),
    Render(Judged, SyncSender<Vec<u8>>),
    /// There is no more; for one worker.
    Stop,
}

/// Decides the stream with this many threads.
pub fn decide(
    program: &Arc<Program>,
    geo: &Geo,
    input: impl Read + Send + 'static,
    out: impl Write + Send,
    threads: usize,
) -> anyhow::Result<Tally> {
    if threads <= 1 {
        decide_alone(program, geo, input, out)
    } else {
        decide_together(program, geo, input, out, threads)
    }
}

fn decide_alone(program: &Arc<Program>, geo: &Geo, input: impl Read, mut out: impl Write) -> anyhow::Result<Tally> {
    let mut stream = Stream::new(Arc::clone(program));
    let mut tally = Tally::default();
    read_batches(input, |batch| {
        let judged = judge(decode(&batch, program, geo), &mut stream, &mut tally);
        out.write_all(&render(&judged, program.version()))?;
        out.flush()
    })?;
    Ok(tally)
}

fn decide_together(
    program: &Arc<Program>,
    geo: &Geo,
    input: impl Read + Send + 'static,
    out: impl Write + Send,
    threads: usize,
) -> anyhow::Result<Tally> {
    let (hand_out, work) = sync_channel(2 * threads);
    // Held by the workers alone: without them nothing is handed out any more.
    let work = Arc::new(Mutex::new(work));
    let (promise_decoded, decoded) = sync_channel::<Coming>(2 * threads);
    let (promise_rendered, rendered) = sync_channel(2 * threads);
    // On its own, and never waited for: it may wait for input when there is no one left to answer.
    let (reader_hands_out, reader_promises) = (hand_out.clone(), promise_decoded.clone());
    std::thread::spawn(move || read(input, &reader_hands_out, &reader_promises));
    std::thread::scope(|scope| {
        // This thread judges, the others do the rest.
        for _ in 1..threads {
            let work = Arc::clone(&work);
            scope.spawn(move || labour(&work, program, geo));
        }
        drop(work);
        let writer = scope.spawn(move || {
            let written = write(rendered, out);
            if written.is_err() {
                // Wakes the judge, who may be waiting for input.
                let _ = promise_decoded.send(Ok(None));
            }
            written
        });
        let judged = judge_all(program, &decoded, &hand_out, &promise_rendered);
        drop((decoded, promise_rendered));
        for _ in 1..threads {
            let _ = hand_out.send(Job::Stop);
        }
        writer.join().map_err(|_| anyhow!("a thread has failed"))??;
        judged
    })
}

/// The place where a batch will be when it is decoded; none at the end of the stream.
type Coming = io::Result<Option<Receiver<Decoded>>>;

fn read(input: impl Read, hand_out: &SyncSender<Job>, promise: &SyncSender<Coming>) {
    // A closed queue means that nobody wants an answer any more.
    let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
    let ended = read_batches(input, |batch| {
        let (result, place) = sync_channel(1);
        hand_out.send(Job::Decode(batch, result)).map_err(|_| gone())?;
        promise.send(Ok(Some(place))).map_err(|_| gone())
    });
    let _ = promise.send(ended.map(|()| None));
}

fn labour(work: &Mutex<Receiver<Job>>, program: &Program, geo: &Geo) {
    let next = || work.lock().map_err(|_| RecvError).and_then(|work| work.recv());
    // Where a result is not wanted any more, there is nothing to say.
    while let Ok(job) = next() {
        match job {
            Job::Decode(batch, result) => drop(result.send(decode(&batch, program, geo))),
            Job::Render(judged, result) => drop(result.send(render(&judged, program.version()))),
            Job::Stop => break,
        }
    }
}

fn judge_all(
    program: &Arc<Program>,
    decoded: &Receiver<Coming>,
    hand_out: &SyncSender<Job>,
    promise: &SyncSender<Receiver<Vec<u8>>>,
) -> anyhow::Result<Tally> {
    let mut stream = Stream::new(Arc::clone(program));
    let mut tally = Tally::default();
    while let Some(place) = decoded.recv()?? {
        let judged = judge(place.recv()?, &mut stream, &mut tally);
        let (result, place) = sync_channel(1);
        // The writer has left when its reader has; it says so itself.
        if hand_out.send(Job::Render(judged, result)).is_err() || promise.send(place).is_err() {
            break;
        }
    }
    Ok(tally)
}

fn write(rendered: Receiver<Receiver<Vec<u8>>>, mut out: impl Write) -> anyhow::Result<()> {
    for place in rendered {
        out.write_all(&place.recv()?)?;
        out.flush()?;
    }
    Ok(())
}
