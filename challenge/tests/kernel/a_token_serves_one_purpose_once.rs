//! T-55 and T-56: RFC 8725 as a table.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
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
        let kid = self.keys.public().next().expect("a key").kid().as_str();
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
    let token = server.keys.sign(&result_claims()).expect("a token");
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
        assert_eq!(claims.exp - claims.iat, got);
    }
}

#[test]
fn t55_a_token_is_valid_from_nbf_until_exp_give_or_take_five_seconds() {
    let server = server();
    let token = server.keys.sign(&result_claims()).expect("a token");
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
    let (result, track) = (server.keys.sign(&result_claims()), server.keys.sign(&track_claims()));
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
fn t55_no_other_signature_is_taken() {
    let server = server();
    let token = server.keys.sign(&result_claims()).expect("a token");
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
    let token = server.keys.sign(&result_claims()).expect("a token");
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

#[test]
fn keys_rotate_with_an_overlap() {
    let (old, new) = (pkcs8(), pkcs8());
    let key = |der: &[u8]| SigningKey::from_pkcs8(der).expect("a key");
    let before = SigningKeys::new(key(&old), vec![key(&new).public().clone()]).expect("keys");
    let after = SigningKeys::new(key(&new), vec![key(&old).public().clone()]).expect("keys");
    let alone = SigningKeys::new(key(&new), vec![]).expect("keys");
    let verify = |by: &SigningKeys, token: &str| {
        Verifier::new(&issuer(), by).verify::<ResultClaims>(token, &tenant(), at(1)).map(|_| ())
    };
    let (from_old, from_new) = (before.sign(&result_claims()), after.sign(&result_claims()));
    let (from_old, from_new) = (from_old.expect("a token"), from_new.expect("a token"));
    for keys in [&before, &after] {
        assert_eq!((verify(keys, &from_old), verify(keys, &from_new)), (Ok(()), Ok(())));
    }
    assert_eq!(verify(&alone, &from_old), Err(TokenError::UnknownKey));
    let twice = SigningKeys::new(key(&new), vec![key(&new).public().clone()]);
    assert_eq!(twice.err(), Some(KeySetError::Twice(key(&new).kid().clone())));
}

#[test]
fn the_jwks_holds_every_public_key_and_nothing_private() {
    let (active, next) = (pkcs8(), pkcs8());
    let key = |der: &[u8]| SigningKey::from_pkcs8(der).expect("a key");
    let keys = SigningKeys::new(key(&active), vec![key(&next).public().clone()]).expect("keys");
    let jwks: Value = serde_json::from_str(&keys.jwks()).expect("JSON");
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(2));
    for (jwk, kid) in jwks["keys"].as_array().expect("keys").iter().zip([key(&active).kid(), key(&next).kid()]) {
        let members: Vec<&str> = jwk.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "use", "x", "y"]);
        assert_eq!((text(jwk, "kid"), text(jwk, "alg"), text(jwk, "crv")), (kid.as_str(), "ES256", "P-256"));
    }
    // A stranger verifies with what is published.
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_str(&keys.jwks()).expect("a JWKS");
    let token = keys.sign(&result_claims()).expect("a token");
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
fn only_p256_keys_sign_tokens() {
    let p384 =
        EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).and_then(|pair| pair.to_pkcs8v1()).expect("a key");
    for der in [&b""[..], b"\x30\x00", b"not a key", p384.as_ref(), &pkcs8()[1..]] {
        assert_eq!(SigningKey::from_pkcs8(der).err(), Some(KeySetError::NotP256));
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
