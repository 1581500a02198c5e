//! Clients that work until the service is gone, and remember what it answered.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::dice::Dice;
use crate::promise::{Promise, Step};
use crate::support::phone::Phone;
use crate::support::service::{Answer, Caller};
use crate::{TENANT, Target};
use reqwest::Method;

/// All clients.
pub struct Clients(Vec<JoinHandle<Vec<Promise>>>);

impl Clients {
    /// Starts them.
    pub fn start(target: &Target, round: u32, count: u64, dice: &mut Dice) -> Clients {
        let client = |number: u64| {
            let dice = Dice::new(dice.next());
            let client =
                Client { target: target.clone(), name: format!("r{round}c{number}"), dice, promises: Vec::new() };
            tokio::spawn(client.work())
        };
        Clients((0..count).map(client).collect())
    }

    /// What was answered, when the service is gone.
    pub async fn promises(self) -> Vec<Promise> {
        let mut all = Vec::new();
        for client in self.0 {
            all.extend(client.await.expect("a client that met an unexpected answer"));
        }
        all
    }
}

struct Client {
    target: Target,
    name: String,
    dice: Dice,
    promises: Vec<Promise>,
}

/// The service is gone.
struct Gone;

impl From<reqwest::Error> for Gone {
    fn from(_: reqwest::Error) -> Gone {
        Gone
    }
}

impl Client {
    async fn work(mut self) -> Vec<Promise> {
        for step in 0_u64.. {
            let worked = match self.dice.next() % 4 {
                0 => self.sign_in(step).await,
                1 => self.change_list(step).await,
                _ => self.pay(step).await,
            };
            if worked.is_err() {
                break;
            }
        }
        self.promises
    }

    async fn post(&self, path: &str, caller: Caller<'_>, body: &Value) -> Result<Value, Gone> {
        good(path, self.target.api.post(path, caller, body).await?)
    }

    /// Tracks an attempt under a key of our own and remembers the decision.
    async fn track(&mut self, user: &str, action: &str, mut body: Value) -> Result<Value, Gone> {
        let path = format!("/users/{user}/actions/{action}");
        body["idempotencyKey"] = json!(format!("{user}-{action}"));
        body["ipAddress"] = json!("81.2.69.142");
        body["deviceId"] = json!(format!("device-of-{user}"));
        let answer = self.post(&path, Caller::Secret(&self.target.secret), &body).await?;
        let (id, outcome) = (text(&answer, "decisionId"), text(&answer, "outcome"));
        self.promises.push(Promise::Decided { path, body, id, outcome });
        Ok(answer)
    }

    async fn sign_in(&mut self, step: u64) -> Result<(), Gone> {
        let user = format!("{}s{}", self.name, step % 3);
        let outcome = if self.dice.next().is_multiple_of(2) { "failed" } else { "succeeded" };
        let path = format!("/users/{user}/actions/sign_in");
        let body =
            json!({"idempotencyKey": format!("s{step}"), "ipAddress": "81.2.69.142", "custom": {"outcome": outcome}});
        let answer = self.post(&path, Caller::Secret(&self.target.secret), &body).await?;
        let (id, outcome) = (text(&answer, "decisionId"), text(&answer, "outcome"));
        self.promises.push(Promise::Decided { path, body, id, outcome });
        Ok(())
    }

    /// Enrols a phone, is challenged, claims, answers, validates.
    async fn pay(&mut self, step: u64) -> Result<(), Gone> {
        let user = format!("{}p{step}", self.name);
        let enrolment = self.track(&user, "device_enrol", json!({"scope": "add:authenticators"})).await?;
        let phone = Phone::new(&self.target.api, TENANT);
        let enrolled = good("enrol", phone.enrol(&text(&enrolment, "token")).await?)?;
        let credential = text(&enrolled, "userAuthenticatorId");
        self.promises.push(Promise::Enrolled { public_key: phone.public_key.clone(), credential });

        let custom = json!({"amount": {"value": "25.00", "currency": "EUR"}, "payee": "p1"});
        let tracked = self.track(&user, "withdrawal", json!({"custom": custom})).await?;
        let token = text(&tracked, "token");
        let opened =
            self.post("/client/challenge/qr-code", Caller::Token(&token), &json!({"action": "withdrawal"})).await?;
        let (id, device_code) = (text(&opened, "challengeId"), text(&opened, "deviceCode"));
        self.reached(&id, &device_code, Step::Created);
        good("claim", phone.claim(&id).await?)?;
        self.reached(&id, &device_code, Step::Claimed);
        let approves = !self.dice.next().is_multiple_of(4);
        let answered = good("answer", phone.answer(&id, approves).await?)?;
        assert_eq!(answered["isVerified"], json!(approves), "{answered}");
        self.reached(&id, &device_code, if approves { Step::Approved } else { Step::Rejected });
        if approves {
            let body = json!({"challengeId": id, "deviceCode": device_code});
            let polled = self.post("/client/verify/qr-code", Caller::Tenant(TENANT), &body).await?;
            let token = text(&polled, "accessToken");
            let body = json!({"token": token, "action": "withdrawal", "userId": user});
            let validated = self.post("/validate", Caller::Secret(&self.target.secret), &body).await?;
            assert_eq!(validated["isValid"], json!(true), "{validated}");
            self.promises.push(Promise::Validated { token });
        }
        Ok(())
    }

    /// A later step of a challenge takes the place of an earlier one.
    fn reached(&mut self, id: &str, device_code: &str, step: Step) {
        self.promises.retain(|promise| !matches!(promise, Promise::Challenge { id: other, .. } if other == id));
        self.promises.push(Promise::Challenge { id: id.to_owned(), device_code: device_code.to_owned(), step });
    }

    /// Puts an address on the list, and takes every other one off again.
    async fn change_list(&mut self, step: u64) -> Result<(), Gone> {
        // An address of a documentation range that is this client's and this step's alone.
        let value = format!("2001:db8::{:x}:{step:x}", self.dice.next() & 0xffff);
        let path = "/lists/blocked_ips/entries";
        let secret = self.target.secret.clone();
        self.post(path, Caller::Secret(&secret), &json!({"value": value, "reason": "storm"})).await?;
        if step.is_multiple_of(2) {
            let removal = format!("{path}?value={value}");
            let answer = self.target.api.send(Method::DELETE, &removal, Caller::Secret(&secret), None).await?;
            good(path, answer)?;
            self.promises.push(Promise::Unlisted { value });
        } else {
            self.promises.push(Promise::Listed { value });
        }
        Ok(())
    }
}

/// Anything but success is a mistake of ours or of the service.
fn good(what: &str, answer: Answer) -> Result<Value, Gone> {
    assert_eq!(answer.status, 200, "{what}: {}", answer.json);
    Ok(answer.json)
}

fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}
