//! Tells backends what happened: signed, at least once, wherever they listen.
//!
//! What is to be told stands in the store's outbox, written in the transaction of what it tells of. [`deliver`] takes it
//! from there, endpoint by endpoint, so that one that is down delays no other; [`sign`] signs it, [`guard`] says whether
//! we may go where the endpoint's name leads, and [`post`] goes.

pub mod deliver;
pub mod guard;
pub mod post;
pub mod schedule;
pub mod sign;

use std::sync::Arc;

use challenge::TenantId;

use crate::app::StartError;
use crate::auth::Secret;
use crate::config::{Config, HookUrl, WebhooksConfig};
use crate::keys::read_private;
use crate::store::{EventType, Subscription, Subscriptions};
use guard::{Guard, Resolve};
use post::Sender;
use sign::SigningKeys;

/// The endpoints of all tenants, and the way to them.
pub struct Webhooks {
    /// What holds for all.
    pub config: WebhooksConfig,
    endpoints: Vec<Arc<Endpoint>>,
    sender: Sender,
}

/// One endpoint, ready to be told.
pub struct Endpoint {
    /// Whose.
    pub tenant: TenantId,
    /// Its name within the tenant.
    pub name: Arc<str>,
    /// Where it listens.
    pub url: HookUrl,
    /// What it wants to hear.
    pub events: Vec<EventType>,
    keys: SigningKeys,
}

impl Webhooks {
    /// Reads the endpoints and their secrets.
    pub fn start(config: &Config, resolver: Arc<dyn Resolve>) -> Result<Webhooks, StartError> {
        let mut endpoints: Vec<Arc<Endpoint>> = Vec::new();
        for (id, tenant) in &config.tenants {
            for hook in &tenant.webhooks {
                let refused =
                    |why: String| StartError::Config { key: format!("tenants.{id}.webhooks.{}", hook.name), why };
                let files = match hook.secret_files.as_slice() {
                    [] => tenant.secret_file.as_slice(),
                    files => files,
                };
                if files.is_empty() {
                    return Err(refused(
                        "there is no secret to sign with: set `secret_files`, or `secret_file` of the tenant"
                            .to_owned(),
                    ));
                }
                let mut secrets = Vec::with_capacity(files.len());
                for file in files {
                    let bytes = read_private(file)?;
                    let text = std::str::from_utf8(&bytes).map(str::trim).unwrap_or_default();
                    secrets.push(Secret::parse(text).ok_or_else(|| refused(Secret::RULE.to_owned()))?);
                }
                endpoints.push(Arc::new(Endpoint {
                    tenant: TenantId::parse(id.clone()).map_err(|error| refused(error.to_string()))?,
                    name: hook.name.as_str().into(),
                    url: hook.url.clone(),
                    events: hook.wanted(),
                    keys: SigningKeys::new(&secrets),
                }));
            }
        }
        let config = config.webhooks.clone();
        let refused = |why: String| StartError::Config { key: "webhooks.ca_file".to_owned(), why };
        let sender = Sender::new(Guard::new(&config), resolver, &config).map_err(refused)?;
        Ok(Webhooks { config, endpoints, sender })
    }

    /// Every endpoint.
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// Who hears of what: the store writes down for them.
    pub fn subscriptions(&self) -> Subscriptions {
        let mut subscriptions = Subscriptions::new();
        for endpoint in &self.endpoints {
            let subscription = Subscription { endpoint: endpoint.name.clone(), events: endpoint.events.clone() };
            subscriptions.entry(endpoint.tenant.to_string()).or_default().push(subscription);
        }
        subscriptions
    }
}
