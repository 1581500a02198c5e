//! What a call looks like: an example of each parameter and each body, for the page `/docs` and for whoever reads
//! `/openapi.json`.

use serde_json::{Value, json};

/// Writes the examples into the document.
pub(super) fn write(api: &mut Value) {
    let paths = api.get_mut("paths").and_then(Value::as_object_mut).into_iter().flatten();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten();
            for parameter in parameters {
                if let Some(example) = parameter.get("name").and_then(Value::as_str).and_then(of_parameter) {
                    parameter["example"] = example;
                }
            }
            if let Some(body) = operation.pointer_mut("/requestBody/content/application~1json")
                && let Some(example) = of_body(&method.to_uppercase(), path)
            {
                body["example"] = example;
            }
        }
    }
}

fn of_parameter(name: &str) -> Option<Value> {
    Some(json!(match name {
        "userId" | "user" => "ann",
        "action" | "codes" => "withdrawal",
        "idempotencyKey" | "Idempotency-Key" => "order-4711",
        "traceparent" => "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "decisionId" => DECISION,
        "challengeId" => CHALLENGE,
        "userAuthenticatorId" => "f1c9a1e2-5c0b-4f5e-9d0a-3c1b2a4d5e6f",
        "deviceId" => "ann-laptop",
        "tenantId" => "5e1eebc0-31c5-42db-b86f-3981f0081ac6",
        "kind" => "qr-code",
        "publicKey" => KEY_IN_A_QUERY,
        "nonce" => "-_v7-_v7-_v7-_v7-_v7-w",
        "X-Authsignal-Signature" => SIGNATURE,
        "terminalId" => "kiosk-7",
        "policyVersion" => "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "list" => "blocked_ips",
        "value" => "203.0.113.66",
        "email" => "ann@example.org",
        "phoneNumber" => "+442079460000",
        "username" => "ann",
        "state" => "CHALLENGE_REQUIRED",
        "outcome" => "block",
        "rule" => "guessing",
        "reason" => "PASSWORD_GUESSING",
        "verificationMethod" => "PUSH",
        "fromDate" | "from" | "to" => "2026-03-01T10:00:00Z",
        "endpoint" => "shop",
        "explain" => return Some(json!(true)),
        "limit" => return Some(json!(50)),
        "version" => return Some(json!(2)),
        _ => return None,
    }))
}

fn of_body(method: &str, path: &str) -> Option<Value> {
    Some(match (method, path) {
        ("POST", "/users/{userId}/actions/{action}") => json!({
            "ipAddress": "81.2.69.142", "deviceId": "ann-laptop", "idempotencyKey": "order-4711",
            "custom": {"amount": {"value": "250.00", "currency": "EUR"}, "payee": "DE89370400440532013000"},
        }),
        ("PATCH", "/users/{userId}/actions/{action}/{idempotencyKey}") => json!({"state": "REVIEW_SUCCEEDED"}),
        ("POST", "/validate") => json!({"token": "eyJ…", "action": "withdrawal", "userId": "ann"}),
        ("PATCH", "/users/{userId}") => json!({"email": "ann@example.org", "emailVerified": true}),
        ("POST", "/users/{userId}/reset") => {
            json!({"reason": "phone stolen, shown a passport", "author": "Kim at the help desk"})
        }
        ("PUT", "/terminals/{terminalId}") => json!({
            "publicKey": KEY, "name": "Kiosk 7, Central Station",
            "place": {"country": "DE", "city": "Berlin", "latitude": 52.525, "longitude": 13.369},
        }),
        ("POST", "/users/{userId}/authenticators") => json!({"verificationMethod": "RECOVERY_CODE"}),
        ("PATCH", "/users/{userId}/devices/{deviceId}") => json!({"rememberedUntil": null}),
        ("POST", "/sessions") => json!({"clientId": "web", "token": "eyJ…"}),
        ("POST", "/sessions/validate") => json!({"accessToken": "eyJ…"}),
        ("POST", "/sessions/refresh") => json!({"refreshToken": "…"}),
        ("POST", "/sessions/revoke") => json!({"accessToken": "eyJ…"}),
        ("POST", "/sessions/user/revoke") => json!({"userId": "ann"}),
        ("POST", "/evaluate") => json!({
            "userId": "ann", "action": "sign_in", "ipAddress": "81.2.69.142", "custom": {"outcome": "failed"},
        }),
        ("POST", "/policies/check") => {
            json!({"source": "event sign_in {}\npolicy sign_in on sign_in { default allow }"})
        }
        ("POST", "/lists/{list}/entries") => json!({"value": "203.0.113.66", "reason": "card testing"}),
        ("POST", "/webhooks/redeliver") => json!({"endpoint": "shop"}),
        ("POST", "/client/challenge" | "/client/challenge/qr-code") => json!({"action": "kiosk_login"}),
        ("POST", "/client/challenge/push") => json!({"action": "withdrawal"}),
        ("POST", "/client/verify/push") => json!({"challengeId": CHALLENGE}),
        ("POST", "/client/verify/qr-code") => json!({"challengeId": CHALLENGE, "deviceCode": "…"}),
        ("POST", "/client/verify/recovery-code") => {
            json!({"verificationCode": "ABCD-EFGH-JKMN-PQRS", "purpose": "enrolment"})
        }
        ("POST", "/client/verify/in-app" | "/client/user-authenticators/{kind}/challenge/claim") => {
            json!({"challengeId": CHALLENGE, "publicKey": KEY, "signature": SIGNATURE})
        }
        ("POST", "/client/user-authenticators/{kind}/challenge") => {
            json!({"challengeId": CHALLENGE, "publicKey": KEY, "signature": SIGNATURE, "approved": true})
        }
        ("POST", "/client/user-authenticators/{kind}") => {
            json!({"publicKey": KEY, "deviceName": "Ann's phone", "devicePlatform": "ios"})
        }
        ("POST", "/client/user-authenticators/{kind}/remove") => json!({"publicKey": KEY, "signature": SIGNATURE}),
        ("PATCH", "/client/user-authenticators/push") => {
            json!({"challengeId": CHALLENGE, "publicKey": KEY, "signature": SIGNATURE, "pushToken": "apns/…"})
        }
        _ => return None,
    })
}

const CHALLENGE: &str = "3a991a14-690c-492b-a5e5-02b9056a4b7d";
const DECISION: &str = "0195500a-2f00-7c3e-9b1d-6a4f0e8d7c21";
/// A key, and its signature over the challenge's id.
const KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKAceh7omSMN6vcWgR8IMx38KsvKU5VgkirsONzd5XaW+FVFdeBGyOmU1Tl9cQQNNXkODqaoAo6cHQgcqQWlnSg==";
const SIGNATURE: &str =
    "MEUCIDOw33MnV1Eoxv6RnNa7k+e3rrq5+0mu+BiH2gTxrjAaAiEA4ylR3SpbHn1mh4116/CF2nNWSAIZmK5ZmKc32g2wrF0=";
const KEY_IN_A_QUERY: &str = "TUZrd0V3WUhLb1pJemowQ0FRWUlLb1pJemowREFRY0RRZ0FFS0FjZWg3b21TTU42dmNXZ1I4SU14MzhLc3ZLVTVWZ2tpcnNPTnpkNVhhVytGVkZkZUJHeU9tVTFUbDljUVFOTlhrT0RxYW9BbzZjSFFnY3FRV2xuU2c9PQ";

#[cfg(test)]
mod tests {
    /// What only an earlier answer can give.
    const NONE: [&str; 3] = ["cursor", "lastEvaluatedUserId", "token"];

    #[test]
    fn every_parameter_and_every_body_has_an_example() {
        let api = super::super::openapi();
        let mut lacking = Vec::new();
        for (path, methods) in api["paths"].as_object().expect("paths") {
            for (method, operation) in methods.as_object().expect("methods") {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let bare = parameters.filter(|one| one["example"].is_null()).filter_map(|one| one["name"].as_str());
                let bare = bare.filter(|name| !NONE.contains(name));
                let body = &operation["requestBody"]["content"]["application/json"];
                let body = (body.is_object() && body["example"].is_null()).then_some("the body");
                lacking.extend(bare.chain(body).map(|what| format!("{method} {path}: {what}")));
            }
        }
        assert_eq!(lacking, Vec::<String>::new());
    }
}
