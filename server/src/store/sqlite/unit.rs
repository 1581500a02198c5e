//! What stands in the writer's queue: a verb, and whoever waits for it.

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::batch::Batch;
use super::fault::Fault;
use crate::store::StoreError;

/// What running a verb gives: what it came to, or why the transaction must be undone.
pub(in crate::store) type Running<'a, V> =
    BoxFuture<'a, Result<Result<<V as Verb>::Done, <V as Verb>::Refused>, Fault>>;

/// A verb that writes.
pub(in crate::store) trait Verb: Sized + Send + Sync + 'static {
    /// What it comes to.
    type Done: Send;
    /// Why it is refused; refusals are results, committed like any other.
    type Refused: From<StoreError> + Send;

    /// Does it inside the transaction. May be called again after a rollback.
    fn run<'a>(&'a self, batch: &'a mut Batch) -> Running<'a, Self>;
}

/// A verb in the queue, whatever its type.
pub(super) trait Unit: Send {
    /// Does the verb and remembers what it came to.
    fn run<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), Fault>>;

    /// Tells whoever waits: what the verb came to if it is durable, else why not.
    fn settle(self: Box<Self>, durable: Result<(), StoreError>);
}

type Answer<V> = Result<<V as Verb>::Done, <V as Verb>::Refused>;

/// A verb with its result and the one who waits for it.
pub(super) struct Pending<V: Verb> {
    verb: V,
    answer: Option<Answer<V>>,
    reply: oneshot::Sender<Answer<V>>,
}

impl<V: Verb> Pending<V> {
    pub fn new(verb: V) -> (Self, oneshot::Receiver<Answer<V>>) {
        let (reply, answer) = oneshot::channel();
        (Self { verb, answer: None, reply }, answer)
    }
}

impl<V: Verb> Unit for Pending<V> {
    fn run<'a>(&'a mut self, batch: &'a mut Batch) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.answer = None;
            self.answer = Some(self.verb.run(batch).await?);
            Ok(())
        })
    }

    fn settle(self: Box<Self>, durable: Result<(), StoreError>) {
        let answer = match (durable, self.answer) {
            (Ok(()), Some(answer)) => answer,
            (Ok(()), None) => Err(StoreError::Unavailable("the writer did not get to it".into()).into()),
            (Err(error), _) => Err(error.into()),
        };
        // Nobody waits any more: the caller gave up. What was done is done, and a repeat finds it.
        let _ = self.reply.send(answer);
    }
}
