//! T-55 and T-56: RFC 8725 as a table.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use aws_lc_rs::{hmac, signature::KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use challenge::redeem::{Redemption, TokenUse};
use challenge::token::*;
use challenge::*;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::*;

struct Server {
    pkcs8: Vec<u8>,
    keys: SigningKeys,
    verifier: Verifier,
}

fn pkcs8() -> Vec<u8> {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .and_then(|pair| pair.to_pkcs8v1())
        .expect("a key")
        .as_ref()
        .to_vec()
}

fn server() -> Server {
    let pkcs8 = pkcs8();
    let keys = SigningKeys::new(SigningKey::from_pkcs8(&pkcs8).expect("a key"), vec![]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    Server { pkcs8, keys, verifier }
}

fn approved() -> Challenge {
    let phone = Phone::ios(0, "u1");
    let claimed = moved(generated().claim(&phone.credential, &phone.compat_claim(), at(1)));
    moved(claimed.approve(&phone.credential, &phone.compat_answer(""), at(2)))
}

fn result_claims() -> ResultClaims {
    let (issuer, tenant) = (issuer(), tenant());
    let life = SignedDuration::from_secs(120);
    let mint = Mint { issuer: &issuer, audience: &tenant, jti: "j1".to_owned(), at: start(), life };
    ResultClaims::new(mint, &ResultFacts { challenge: &approved(), scope: "read:authenticators" }).expect("approved")
}

fn track_claims() -> TrackClaims {
    let (issuer, tenant, frozen) = (issuer(), tenant(), generated().frozen().clone());
    let life = SignedDuration::from_mins(10);
    let mint = Mint { issuer: &issuer, audience: &tenant, jti: "j2".to_owned(), at: start(), life };
    let scope = "read:authenticators add:authenticators";
    let facts = TrackFacts {
        user: &user("u1"),
        action: &frozen.action,
        idempotency_key: &frozen.idempotency_key,
        scope,
        redirect_url: None,
    };
    TrackClaims::new(mint, &facts)
}

impl Server {
    fn header(&self) -> Value {
        let kid = self.keys.active(start()).kid().as_str();
        json!({"typ": "stepup-result+jwt", "alg": "ES256", "kid": kid})
    }

    /// Signs anything, as only the holder of the key could.
    fn forge(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8).expect("a key");
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn verify(&self, token: &str, now: Timestamp) -> Result<ResultClaims, TokenError> {
        self.verifier.verify(token, &tenant(), now)
    }
}

#[test]
fn a_minted_token_says_what_happened() {
    let server = server();
    let token = server.keys.sign(&result_claims(), start()).expect("a token");
    assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "a legal subprotocol");
    let claims = server.verify(&token, at(1)).expect("our token");
    assert_eq!(claims, result_claims());
    let json = serde_json::to_value(&claims).expect("JSON");
    assert_eq!(
        (&json["acr"], &json["amr"], &json["link"], &json["sca"]),
        (&json!("qr.compat"), &json!(["swk"]), &json!("server"), &json!(false))
    );
    assert_eq!(
        (&json["sub"], &json["act"], &json["idk"], &json["cid"]),
        (&json!("u1"), &json!("withdrawal"), &json!("k1"), &json!(ID))
    );
    assert_eq!(json["other"]["actionCode"], "withdrawal");
    assert_eq!(json["exp"].to_string(), "1772359320");
    let track = track_claims();
    assert!(track.permits("add:authenticators") && !track.permits("add") && !track.permits("remove:authenticators"));
}

#[test]
fn only_an_approval_becomes_a_result_token() {
    let phone = Phone::ios(0, "u1");
    let claimed = moved(generated().claim(&phone.credential, &phone.compat_claim(), at(1)));
    let rejected = moved(claimed.reject(&phone.credential, &phone.compat_answer(""), at(2)));
    let (issuer, tenant) = (issuer(), tenant());
    for challenge in [generated(), claimed.clone(), rejected, moved(claimed.expire(at(120)))] {
        let life = SignedDuration::from_secs(120);
        let mint = Mint { issuer: &issuer, audience: &tenant, jti: "j".to_owned(), at: start(), life };
        assert!(ResultClaims::new(mint, &ResultFacts { challenge: &challenge, scope: "" }).is_none());
    }
}

#[test]
fn lifetimes_are_cut_to_what_the_purpose_allows() {
    let (issuer, tenant) = (issuer(), tenant());
    for (life_s, got) in [(120, 120), (300, 300), (301, 300), (i64::MAX, 300), (-5, 0)] {
        let life = SignedDuration::from_secs(life_s);
        let mint = Mint { issuer: &issuer, audience: &tenant, jti: "j".to_owned(), at: start(), life };
        let claims = ResultClaims::new(mint, &ResultFacts { challenge: &approved(), scope: "" }).expect("approved");
        assert_eq!(claims.registered.exp - claims.registered.iat, got);
    }
}

#[test]
fn t55_a_token_is_valid_from_nbf_until_exp_give_or_take_five_seconds() {
    let server = server();
    let token = server.keys.sign(&result_claims(), start()).expect("a token");
    for (second, result) in [
        (-6, Err(TokenError::NotYetValid)),
        (-5, Ok(())),
        (0, Ok(())),
        (119, Ok(())),
        (124, Ok(())),
        (125, Err(TokenError::Expired)),
        (1_000_000, Err(TokenError::Expired)),
    ] {
        assert_eq!(server.verify(&token, at(second)).map(|_| ()), result, "{second} s");
    }
    assert_eq!(TokenError::Expired.code(), "expired_token");
}

#[test]
fn t55_a_purpose_is_never_taken_for_another() {
    let server = server();
    let (result, track) = (server.keys.sign(&result_claims(), start()), server.keys.sign(&track_claims(), start()));
    let (result, track) = (result.expect("a token"), track.expect("a token"));
    assert!(server.verifier.verify::<TrackClaims>(&track, &tenant(), at(1)).is_ok());
    assert_eq!(server.verifier.verify::<TrackClaims>(&result, &tenant(), at(1)).err(), Some(TokenError::Type));
    assert_eq!(server.verify(&track, at(1)).err(), Some(TokenError::Type));
    let other = TenantId::parse("another").expect("a tenant");
    assert_eq!(server.verifier.verify::<ResultClaims>(&result, &other, at(1)).err(), Some(TokenError::Audience));
    assert!(server.verifier.verify_for_any_audience::<ResultClaims>(&result, at(1)).is_ok());
}

#[test]
fn t55_no_confused_header_is_taken() {
    let server = server();
    let claims = serde_json::to_string(&result_claims()).expect("JSON");
    let header = server.header();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header.to_string()
    };
    let without = |name: &str| {
        let mut header = header.clone();
        header.as_object_mut().expect("an object").remove(name);
        header.to_string()
    };
    let kid = text(&header, "kid").to_owned();
    assert!(server.verify(&server.forge(&header.to_string(), &claims), at(1)).is_ok(), "the forge works");
    for (header, error) in [
        (with("alg", json!("none")), TokenError::Algorithm),
        (with("alg", json!("None")), TokenError::Algorithm),
        (with("alg", json!("HS256")), TokenError::Algorithm),
        (with("alg", json!("ES384")), TokenError::Algorithm),
        (with("alg", json!("es256")), TokenError::Algorithm),
        (with("alg", json!("EdDSA")), TokenError::Algorithm),
        (with("alg", json!("")), TokenError::Algorithm),
        (with("alg", json!(["ES256"])), TokenError::Malformed),
        (without("alg"), TokenError::Malformed),
        (with("typ", json!("JWT")), TokenError::Type),
        (with("typ", json!("stepup-track+jwt")), TokenError::Type),
        (with("typ", json!("application/stepup-result+jwt")), TokenError::Type),
        (without("typ"), TokenError::Malformed),
        (with("kid", json!("another")), TokenError::UnknownKey),
        (with("kid", json!("")), TokenError::UnknownKey),
        (with("kid", json!("../../etc/passwd")), TokenError::UnknownKey),
        (with("kid", json!("' or 1=1 --")), TokenError::UnknownKey),
        (with("kid", json!(null)), TokenError::Malformed),
        (without("kid"), TokenError::Malformed),
        (with("crit", json!(["exp"])), TokenError::Malformed),
        (with("b64", json!(false)), TokenError::Malformed),
        (with("jwk", json!({"kty": "EC"})), TokenError::Malformed),
        (with("jku", json!("https://evil.example/jwks")), TokenError::Malformed),
        (with("x5u", json!("https://evil.example/chain")), TokenError::Malformed),
        (with("x5c", json!([])), TokenError::Malformed),
        (with("zip", json!("DEF")), TokenError::Malformed),
        (json!(["ES256", "stepup-result+jwt", kid]).to_string(), TokenError::Malformed),
        (format!(r#"{{"alg":"none","alg":"ES256","typ":"stepup-result+jwt","kid":"{kid}"}}"#), TokenError::Malformed),
        (format!("{header} {{}}"), TokenError::Malformed),
        (format!(" {header}"), TokenError::Malformed),
        (String::new(), TokenError::Malformed),
        ("null".to_owned(), TokenError::Malformed),
    ] {
        assert_eq!(server.verify(&server.forge(&header, &claims), at(1)).err(), Some(error), "{header}");
    }
}

#[test]
fn t55_no_confused_claims_are_taken() {
    let server = server();
    let claims = serde_json::to_value(result_claims()).expect("JSON");
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        claims.to_string()
    };
    let times = |iat: i64, nbf: i64, exp: i64| {
        let (mut claims, start) = (claims.clone(), start().as_second());
        (claims["iat"], claims["nbf"], claims["exp"]) = (json!(start + iat), json!(start + nbf), json!(start + exp));
        claims.to_string()
    };
    let mut cases = vec![
        (with("iss", json!("https://mfa.example.org")), TokenError::Issuer),
        (with("iss", json!("https://mfa.example.com/")), TokenError::Issuer),
        (with("iss", json!(["https://mfa.example.com"])), TokenError::Claims),
        (with("iss", json!({"https://mfa.example.com": 1})), TokenError::Claims),
        (with("iss", json!(null)), TokenError::Claims),
        (with("aud", json!("another")), TokenError::Audience),
        (with("aud", json!([TENANT])), TokenError::Claims),
        (with("aud", json!("")), TokenError::Claims),
        (with("sub", json!("")), TokenError::Claims),
        (with("sub", json!(7)), TokenError::Claims),
        (with("jti", json!("")), TokenError::Claims),
        (with("exp", json!("1772359320")), TokenError::Claims),
        (with("exp", json!(1772359320.5)), TokenError::Claims),
        (with("exp", json!(null)), TokenError::Claims),
        (with("exp", json!({"$serde_json::private::Number": "1772359320"})), TokenError::Claims),
        (claims.to_string().replace("1772359320", "1.77235932e9"), TokenError::Claims),
        (claims.to_string().replace("1772359320", "99999999999999999999"), TokenError::Claims),
        (with("nbf", json!("1772359200")), TokenError::Claims),
        (with("iat", json!(true)), TokenError::Claims),
        (with("acr", json!("qr.perfect")), TokenError::Claims),
        (with("sca", json!("true")), TokenError::Claims),
        (with("state", json!("ALLOW")), TokenError::Claims),
        (with("cid", json!("2992401.0")), TokenError::Claims),
        (times(0, 0, 301), TokenError::Lifetime),
        (times(-1000, 0, 100), TokenError::Lifetime),
        (times(0, 0, 0), TokenError::Claims),
        (times(0, 0, -10), TokenError::Claims),
        (times(0, -1, 120), TokenError::Claims),
        (times(0, 60, 120), TokenError::NotYetValid),
        (times(-200, -200, -4), TokenError::Expired),
        (with("exp", json!(i64::MAX)), TokenError::Lifetime),
        (json!([claims]).to_string(), TokenError::Claims),
        ("{}".to_owned(), TokenError::Claims),
        (String::new(), TokenError::Claims),
        (claims.to_string().replacen('{', r#"{"sub":"u2","#, 1), TokenError::Claims),
    ];
    for required in claims.as_object().expect("an object").keys() {
        let mut claims = claims.clone();
        claims.as_object_mut().expect("an object").remove(required);
        cases.push((claims.to_string(), TokenError::Claims));
    }
    for (claims, error) in cases {
        let token = server.forge(&server.header().to_string(), &claims);
        assert_eq!(server.verify(&token, at(1)).err(), Some(error), "{claims}");
    }
}

#[test]
fn t55_only_utf8_is_read() {
    let server = server();
    let claims = serde_json::to_vec(&result_claims()).expect("JSON");
    let header = server.header().to_string().into_bytes();
    let sign = |header: &[u8], claims: &[u8]| {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &server.pkcs8).expect("a key");
        let signature = pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    };
    assert!(server.verify(&sign(&header, &claims), at(1)).is_ok(), "the bytes as they are");
    let with = |text: &[u8], from: &[u8], to: &[u8]| -> Vec<u8> {
        let place = text.windows(from.len()).position(|window| window == from).expect("it is there");
        [&text[..place], to, &text[place + from.len()..]].concat()
    };
    let utf16: Vec<u8> = claims.iter().flat_map(|byte| [*byte, 0]).collect();
    for (header, claims, error) in [
        (header.clone(), with(&claims, b"u1", b"u\xff"), TokenError::Claims),
        (header.clone(), with(&claims, b"u1", b"u\xc0\xaf"), TokenError::Claims),
        (header.clone(), with(&claims, b"u1", b"u\\ud800"), TokenError::Claims),
        (header.clone(), [b"\xef\xbb\xbf", &claims[..]].concat(), TokenError::Claims),
        (header.clone(), utf16, TokenError::Claims),
        (with(&header, b"ES256", b"ES\xff56"), claims.clone(), TokenError::Malformed),
        ([b"\xef\xbb\xbf", &header[..]].concat(), claims.clone(), TokenError::Malformed),
    ] {
        assert_eq!(server.verify(&sign(&header, &claims), at(1)).err(), Some(error), "{claims:?}");
    }
}

#[test]
fn t55_no_other_signature_is_taken() {
    let server = server();
    let token = server.keys.sign(&result_claims(), start()).expect("a token");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let der = |pkcs8: &[u8]| {
        use aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8).expect("a key");
        pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature").as_ref().to_vec()
    };
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &server.pkcs8).expect("a key");
    // The classic confusion: the public key used as an HMAC secret.
    let confused = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, pair.public_key().as_ref()), message.as_bytes());
    let other = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8()).expect("a key");
    let other = other.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
    for (bytes, what) in [
        (vec![], "none"),
        (vec![0; 64], "psychic zeros"),
        (signature[..63].to_vec(), "cut"),
        ([&signature[..], &[0]].concat(), "lengthened"),
        (der(&server.pkcs8), "DER"),
        (confused.as_ref().to_vec(), "HS256 with the public key"),
        (other.as_ref().to_vec(), "another key"),
    ] {
        let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(server.verify(&forged, at(1)).err(), Some(TokenError::BadSignature), "{what}");
    }
    for index in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).expect("text");
        assert!(server.verify(&changed, at(1)).is_err(), "character {index} changed");
    }
}

#[test]
fn t55_no_other_shape_is_a_token() {
    let server = server();
    let token = server.keys.sign(&result_claims(), start()).expect("a token");
    let parts: Vec<&str> = token.split('.').collect();
    for (shape, error) in [
        (String::new(), TokenError::Malformed),
        ("..".to_owned(), TokenError::Malformed),
        (parts[0].to_owned(), TokenError::Malformed),
        (parts[..2].join("."), TokenError::Malformed),
        (format!("{}..{}", parts[0], parts[2]), TokenError::BadSignature),
        (format!("{token}.AAAA"), TokenError::BadSignature),
        (format!("{token}="), TokenError::BadSignature),
        (format!("{token}\n"), TokenError::BadSignature),
        (format!(" {token}"), TokenError::Malformed),
        (format!("{}.{}.{}", parts[0].replace('-', "+"), parts[1], "="), TokenError::BadSignature),
        ("A".repeat(8 * 1024 + 1), TokenError::TooLong),
        ("é".repeat(100), TokenError::Malformed),
    ] {
        assert_eq!(server.verify(&shape, at(1)).err(), Some(error), "{shape:.60}");
    }
}

fn key(der: &[u8]) -> SigningKey {
    SigningKey::from_pkcs8(der).expect("a key")
}

/// The claims of a token that is minted at this second.
fn minted_at(second: i64) -> ResultClaims {
    let (issuer, tenant) = (issuer(), tenant());
    let life = SignedDuration::from_secs(120);
    let mint = Mint { issuer: &issuer, audience: &tenant, jti: "j1".to_owned(), at: at(second), life };
    ResultClaims::new(mint, &ResultFacts { challenge: &approved(), scope: "" }).expect("approved")
}

#[test]
fn keys_rotate_with_an_overlap() {
    let day = 24 * 3600;
    let (old, new) = (key(&pkcs8()), key(&pkcs8()));
    let (old_kid, new_kid) = (old.kid().clone(), new.kid().clone());
    let keys = SigningKeys::new(old, vec![(at(day), new)]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    let retired = day + KEPT_AFTER.as_secs();
    for (second, signs, published) in [
        (0, &old_kid, vec![&old_kid, &new_kid]),
        (day - 1, &old_kid, vec![&old_kid, &new_kid]),
        (day, &new_kid, vec![&old_kid, &new_kid]),
        (retired - 1, &new_kid, vec![&old_kid, &new_kid]),
        (retired, &new_kid, vec![&new_kid]),
        (retired * 100, &new_kid, vec![&new_kid]),
    ] {
        assert_eq!(keys.active(at(second)).kid(), signs, "{second} s");
        assert_eq!(keys.published(at(second)).map(|key| key.kid()).collect::<Vec<_>>(), published, "{second} s");
        let token = keys.sign(&minted_at(second), at(second)).expect("a token");
        assert!(verifier.verify::<ResultClaims>(&token, &tenant(), at(second + 1)).is_ok(), "{second} s");
    }
    // Who holds the old key cannot mint with it once it has retired, whatever times the token says.
    let late = keys.sign(&minted_at(retired), at(0)).expect("a token");
    assert_eq!(verifier.verify::<ResultClaims>(&late, &tenant(), at(retired - 1)).map(|_| ()), Ok(()));
    assert_eq!(verifier.verify::<ResultClaims>(&late, &tenant(), at(retired)).err(), Some(TokenError::UnknownKey));
}

#[test]
fn a_key_outlives_every_token_it_signed() {
    // The last token of the old key is minted just before its successor begins, and lives as long as any may.
    assert!(KEPT_AFTER.as_secs() > TrackClaims::LONGEST_LIFE.as_secs() + LEEWAY_S);
    assert!(KEPT_AFTER.as_secs() > ResultClaims::LONGEST_LIFE.as_secs() + LEEWAY_S);
}

#[test]
fn keys_take_turns_in_the_order_of_their_times_however_they_are_given() {
    let ders: Vec<Vec<u8>> = (0..3).map(|_| pkcs8()).collect();
    let keys = SigningKeys::new(key(&ders[0]), vec![(at(20), key(&ders[2])), (at(10), key(&ders[1]))]).expect("keys");
    for (second, index) in [(-1000, 0), (9, 0), (10, 1), (19, 1), (20, 2), (1000, 2)] {
        assert_eq!(keys.active(at(second)).kid(), key(&ders[index]).kid(), "{second} s");
        let signing: Vec<usize> =
            keys.turns().enumerate().filter(|(_, turn)| turn.signs(at(second))).map(|(index, _)| index).collect();
        assert_eq!(signing, [index], "one signs at {second} s");
    }
    let twice = SigningKeys::new(key(&ders[0]), vec![(at(10), key(&ders[0]))]);
    assert_eq!(twice.err(), Some(KeySetError::Twice(key(&ders[0]).kid().clone())));
    let same_time = SigningKeys::new(key(&ders[0]), vec![(at(10), key(&ders[1])), (at(10), key(&ders[2]))]);
    assert_eq!(same_time.err(), Some(KeySetError::SameTime(at(10))));
}

const SHARED: &[u8] = b"sk_0123456789abcdef0123456789abcdef";

fn shared(tenant: &str) -> SharedKey {
    SharedKey::new(TenantId::parse(tenant).expect("a tenant"), SHARED).expect("long enough")
}

#[test]
fn a_tenant_may_have_the_wires_hs256() {
    let keys = server().keys.with_shared(vec![shared(TENANT)]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    let token = keys.sign(&result_claims(), start()).expect("a token");
    assert_eq!(verifier.verify::<ResultClaims>(&token, &tenant(), at(1)), Ok(result_claims()));
    // As a backend of the wire does: the secret, the algorithm, and nothing else.
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let header = URL_SAFE_NO_PAD.decode(message.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    assert_eq!((text(&header, "alg"), text(&header, "typ")), ("HS256", "stepup-result+jwt"));
    let theirs = hmac::Key::new(hmac::HMAC_SHA256, SHARED);
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    hmac::verify(&theirs, message.as_bytes(), &signature).expect("the tenant's own secret verifies it");
    // It has no public half, and other tenants keep ES256.
    let jwks: Value = serde_json::from_str(&keys.jwks(start())).expect("JSON");
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    assert_eq!(text(&jwks["keys"][0], "kid"), keys.active(start()).kid().as_str());
    let mut claims = serde_json::to_value(result_claims()).expect("JSON");
    claims["aud"] = json!("another");
    let claims: ResultClaims = serde_json::from_value(claims).expect("claims");
    let token = keys.sign(&claims, start()).expect("a token");
    assert!(
        URL_SAFE_NO_PAD
            .decode(&token[..token.find('.').expect("a dot")])
            .expect("a header")
            .starts_with(b"{\"typ\":\"stepup-result+jwt\",\"alg\":\"ES256\"")
    );
}

#[test]
fn t55_no_hs256_secret_signs_access_tokens() {
    // An application may have the very name of a tenant.
    let keys = server().keys.with_shared(vec![shared("rival")]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    let (tenant, user) = (tenant(), UserId::parse("ann").expect("a user"));
    let mint = Mint {
        issuer: &issuer(),
        audience: &tenant,
        jti: "s.0".to_owned(),
        at: start(),
        life: SignedDuration::from_mins(10),
    };
    let facts = SessionFacts {
        tenant: &tenant,
        client: "rival",
        user: &user,
        session: "s",
        generation: 0,
        approved_at: start(),
        acr: "qr.linked",
        amr: vec!["swk".to_owned()],
        profile: Profile::default(),
    };
    let claims = SessionClaims::new(mint, facts);
    let token = keys.sign(&claims, start()).expect("a token");
    assert_eq!(verifier.verify_for_any_audience::<SessionClaims>(&token, at(1)), Ok(claims.clone()));
    assert_eq!(verifier.verify_for_any_audience::<SessionClaims>(&token, at(605)), Err(TokenError::Expired));
    assert_eq!(verifier.verify_ended::<SessionClaims>(&token, at(100_000)), Ok(claims.clone()));
    let rival: ResultClaims = {
        let mut claims = serde_json::to_value(result_claims()).expect("JSON");
        claims["aud"] = json!("rival");
        serde_json::from_value(claims).expect("claims")
    };
    let own_token = keys.sign(&rival, start()).expect("a token");
    let header = URL_SAFE_NO_PAD.decode(own_token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": header["kid"]}).to_string();
    let body = serde_json::to_string(&claims).expect("JSON");
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(body));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SHARED), message.as_bytes());
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
    assert_eq!(verifier.verify_for_any_audience::<SessionClaims>(&forged, at(1)), Err(TokenError::Audience));
}

#[test]
fn t55_an_hs256_secret_is_good_for_its_tenant_alone() {
    let keys = server().keys.with_shared(vec![shared("rival")]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    let es256_kid = keys.active(start()).kid().to_string();
    // The rival learns the name of its key from any token of its own.
    let rival = TenantId::parse("rival").expect("a tenant");
    let mut claims = serde_json::to_value(result_claims()).expect("JSON");
    claims["aud"] = json!("rival");
    let own: ResultClaims = serde_json::from_value(claims.clone()).expect("claims");
    let own_token = keys.sign(&own, start()).expect("a token");
    let header = URL_SAFE_NO_PAD.decode(own_token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    let kid = text(&header, "kid").to_owned();
    assert!(verifier.verify::<ResultClaims>(&own_token, &rival, at(1)).is_ok());

    let mut forge = |alg: &str, kid: &str, aud: &str| {
        claims["aud"] = json!(aud);
        let header = json!({"typ": "stepup-result+jwt", "alg": alg, "kid": kid}).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SHARED), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    };
    for (alg, kid, aud, audience, error) in [
        ("HS256", kid.as_str(), TENANT, tenant(), TokenError::Audience),
        ("HS256", kid.as_str(), TENANT, rival.clone(), TokenError::Audience),
        ("HS256", es256_kid.as_str(), TENANT, tenant(), TokenError::Algorithm),
        ("ES256", es256_kid.as_str(), TENANT, tenant(), TokenError::BadSignature),
        ("ES256", kid.as_str(), "rival", rival.clone(), TokenError::Algorithm),
        ("HS512", kid.as_str(), "rival", rival.clone(), TokenError::Algorithm),
        ("none", kid.as_str(), "rival", rival.clone(), TokenError::Algorithm),
    ] {
        let token = forge(alg, kid, aud);
        assert_eq!(verifier.verify::<ResultClaims>(&token, &audience, at(1)).err(), Some(error), "{alg} {kid} {aud}");
        if aud == TENANT {
            assert!(verifier.verify_for_any_audience::<ResultClaims>(&token, at(1)).is_err(), "{alg} {kid}");
        }
    }
}

#[test]
fn an_hs256_secret_that_could_be_guessed_is_refused() {
    for (length, error) in [(0, Some(KeySetError::ShortSecret)), (31, Some(KeySetError::ShortSecret)), (32, None)] {
        assert_eq!(SharedKey::new(tenant(), &vec![b'x'; length]).err(), error, "{length} bytes");
    }
    let twice = server().keys.with_shared(vec![shared("rival"), shared("rival")]);
    assert!(matches!(twice.err(), Some(KeySetError::SharedTwice(_))));
}

#[test]
fn the_jwks_holds_every_public_key_and_nothing_private() {
    let (active, next) = (pkcs8(), pkcs8());
    let keys = SigningKeys::new(key(&active), vec![(at(10), key(&next))]).expect("keys");
    let jwks: Value = serde_json::from_str(&keys.jwks(start())).expect("JSON");
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(2));
    for (jwk, kid) in jwks["keys"].as_array().expect("keys").iter().zip([key(&active).kid(), key(&next).kid()]) {
        let members: Vec<&str> = jwk.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!((text(jwk, "kid"), text(jwk, "alg"), text(jwk, "crv")), (kid.as_str(), "ES256", "P-256"));
    }
    // A stranger verifies with what is published.
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&keys.jwks(start())).expect("a JWKS");
    let token = keys.sign(&result_claims(), start()).expect("a token");
    let published = jsonwebtoken::DecodingKey::from_jwk(&set.keys[0]).expect("a key");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let es256 = jsonwebtoken::Algorithm::ES256;
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &published, es256).expect("a check"));
    assert_eq!(
        set.keys[0].thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).expect("RFC 7638"),
        key(&active).kid().as_str()
    );
}

#[test]
fn only_keys_of_the_two_curves_sign_tokens() {
    let p384 =
        EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).and_then(|pair| pair.to_pkcs8v1()).expect("a key");
    let ed25519 = ed25519();
    for der in [&b""[..], b"\x30\x00", b"not a key", p384.as_ref(), &pkcs8()[1..], &ed25519[1..]] {
        assert_eq!(SigningKey::from_pkcs8(der).err(), Some(KeySetError::Unusable));
    }
}

fn ed25519() -> Vec<u8> {
    Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key").as_ref().to_vec()
}

#[test]
fn an_eddsa_key_takes_its_turn_like_any_other_and_neither_is_taken_for_the_other() {
    let (first, second) = (pkcs8(), ed25519());
    let keys = SigningKeys::new(key(&first), vec![(at(10), key(&second))]).expect("keys");
    let verifier = Verifier::new(&issuer(), &keys);
    let token = keys.sign(&result_claims(), at(11)).expect("a token");
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().expect("a header")).expect("base64url");
    let header: Value = serde_json::from_slice(&header).expect("JSON");
    assert_eq!((text(&header, "alg"), text(&header, "kid")), ("EdDSA", key(&second).kid().as_str()));
    assert!(verifier.verify::<ResultClaims>(&token, &tenant(), at(12)).is_ok());

    // A stranger verifies it with what is published, whose name is its RFC 7638 thumbprint.
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&keys.jwks(at(11))).expect("a JWKS");
    let jwks: Value = serde_json::from_str(&keys.jwks(at(11))).expect("JSON");
    let members: Vec<&str> = jwks["keys"][1].as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x"], "nothing private");
    let published = jsonwebtoken::DecodingKey::from_jwk(&set.keys[1]).expect("a key");
    let (message, signature) = token.rsplit_once('.').expect("three parts");
    let eddsa = jsonwebtoken::Algorithm::EdDSA;
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &published, eddsa).expect("a check"));
    assert_eq!(
        set.keys[1].thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).expect("RFC 7638"),
        key(&second).kid().as_str()
    );

    // The key says the algorithm: a header that names the other one, or the other key, is refused.
    let (_, claims) = message.split_once('.').expect("two parts");
    for (alg, kid, why) in [
        ("ES256", key(&second).kid(), TokenError::Algorithm),
        ("EdDSA", key(&first).kid(), TokenError::Algorithm),
        ("ES256", key(&first).kid(), TokenError::BadSignature),
        ("Ed25519", key(&second).kid(), TokenError::Algorithm),
    ] {
        let header = json!({"typ": "stepup-result+jwt", "alg": alg, "kid": kid.as_str()}).to_string();
        let forged = format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(header));
        let refused = verifier.verify::<ResultClaims>(&forged, &tenant(), at(12));
        assert_eq!(refused.err(), Some(why), "{alg} for {kid}");
    }
}

#[test]
fn t56_a_token_counts_once_and_its_sender_may_ask_again_for_a_minute() {
    let Redemption::First(used) = TokenUse::Unused.redeem("key-1", at(0)) else { panic!("not the first use") };
    assert_eq!(used.redeem("key-1", at(1)), Redemption::Retry);
    assert_eq!(used.redeem("key-1", at_ms(59_999)), Redemption::Retry);
    assert_eq!(used.redeem("key-1", at(60)), Redemption::Spent);
    assert_eq!(used.redeem("key-2", at(1)), Redemption::Spent, "another caller");
    let stored: TokenUse = serde_json::from_str(&serde_json::to_string(&used).expect("text")).expect("its own text");
    assert_eq!(stored, used);
}
