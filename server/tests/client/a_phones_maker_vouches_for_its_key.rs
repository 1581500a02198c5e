//! T-25: attestation at enrolment, with a maker of phones of our own beside Google and Apple.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use server::app::App;
use server::config::{AttestationConfig, AttestationPolicy, Config, PlayConfig};

use crate::a_lost_phone_is_recovered::{log, start_with};
use crate::harness::{Reply, Server, token};
use crate::maker::{Apple, BATCH_SERIAL, Certificate, Console, Described, Maker, SIGNER, sha256};
use crate::phone::{Phone, Sdk};
use crate::phone_v2;
use crate::screen::PollingScreen;

/// A service that believes this maker, and nobody else of the same names.
struct Believer {
    server: Server,
    maker: Maker,
    _files: tempfile::TempDir,
}

impl Believer {
    async fn configured(
        policy: AttestationPolicy,
        change: impl FnOnce(&mut AttestationConfig),
        further: impl FnOnce(&mut Config),
    ) -> Believer {
        let (maker, files) = (Maker::new(), tempfile::tempdir().expect("a folder"));
        let root = files.path().join("root.pem");
        std::fs::write(&root, maker.root_pem()).expect("a file");
        let mut settings = AttestationConfig {
            policy,
            android_packages: vec!["com.example.bank".to_owned()],
            android_signers: vec![hex(&SIGNER)],
            apple_apps: vec!["TEAM123456.com.example.bank".to_owned()],
            android_more_roots: vec![root.clone()],
            apple_more_roots: vec![root],
            ..AttestationConfig::default()
        };
        change(&mut settings);
        let server = start_with(|config| {
            config.defaults.attestation = Some(settings);
            further(config);
        })
        .await;
        Believer { server, maker, _files: files }
    }

    async fn with(policy: AttestationPolicy, change: impl FnOnce(&mut AttestationConfig)) -> Believer {
        Believer::configured(policy, change, |_| {}).await
    }

    async fn of(policy: AttestationPolicy) -> Believer {
        Believer::with(policy, |_| {}).await
    }

    async fn track(&self, user: &str) -> String {
        token(&self.server.track(user, "hello", json!({})).await)
    }

    /// What the phone's keystore says of its key under this token.
    async fn android(&self, phone: &Phone, track: &str, change: impl FnOnce(&mut Described)) -> Value {
        let nonce = phone_v2::nonce(&self.server, track).await;
        let mut described = Described::good(&sha256(nonce.as_bytes()));
        change(&mut described);
        chain(&self.maker, phone, &described)
    }

    /// A new phone of the user's, with good evidence.
    async fn enrols(&self, user: &str) -> Reply {
        let phone = Phone::new(&self.server, Sdk::Android);
        let track = self.track(user).await;
        let evidence = self.android(&phone, &track, |_| {}).await;
        enrol(&self.server, &phone, &track, evidence).await
    }

    async fn authenticators(&self, user: &str) -> Value {
        self.server.backend("GET", &format!("/v1/users/{user}/authenticators"), Value::Null).await.ok()
    }

    /// The user approves what is of the level, and the backend reads what that is worth.
    async fn approves(&self, phone: &Phone, credential: &str, user: &str, action: &str) -> Value {
        let tracked = token(&self.server.track(user, action, json!({})).await);
        let screen = PollingScreen::create(&self.server, Some(&tracked), json!({"action": action})).await.expect("one");
        let claimed = phone_v2::claim(&self.server, phone, credential, &screen.challenge_id, "").await.ok();
        let decision = phone_v2::decision(&self.server, credential, &screen.challenge_id, &claimed, "approve");
        phone_v2::approve_with(&self.server, phone, &decision, "").await.ok();
        let token = screen.poll(&self.server).await.ok()["accessToken"].clone();
        self.server.validate(json!({"token": token})).await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn spki(phone: &Phone) -> Vec<u8> {
    STANDARD.decode(phone.public_key()).expect("a key")
}

fn chain(maker: &Maker, phone: &Phone, described: &Described) -> Value {
    as_chain(&maker.android(&spki(phone), described))
}

fn as_chain(certificates: &[Vec<u8>]) -> Value {
    let chain: Vec<String> = certificates.iter().map(|der| STANDARD.encode(der)).collect();
    json!({"provider": "ANDROID_KEY", "chain": chain})
}

fn vouched(maker: &Maker, client_data: &str) -> Value {
    let (object, key_id) = maker.apple(&Apple::good(&sha256(client_data.as_bytes())));
    json!({"provider": "APP_ATTEST", "token": STANDARD.encode(object), "keyId": STANDARD.encode(key_id)})
}

async fn enrol(server: &Server, phone: &Phone, track: &str, evidence: Value) -> Reply {
    phone_v2::enrol_with(server, phone, track, json!({"performAttestation": evidence})).await
}

/// As a stock SDK enrols: without a signature.
async fn enrol_stock(server: &Server, phone: &Phone, track: &str, evidence: Value) -> Reply {
    let body = json!({
        "publicKey": phone.public_key(), "deviceName": "x", "devicePlatform": "ios", "performAttestation": evidence,
    });
    let bearer = [("authorization", format!("Bearer {track}"))];
    server.request("POST", &phone.path(""), &bearer, Some(body.to_string())).await
}

#[tokio::test]
async fn t25_a_key_in_hardware_that_asks_for_its_user_is_two_factors() {
    let believer = Believer::with(AttestationPolicy::Require, |settings| settings.biometric_is_proven = true).await;
    let server = &believer.server;
    for (asked, unlock, amr) in [
        (2, "biometric", json!(["hwk", "bio"])),
        (1, "pin", json!(["hwk", "pin"])),
        // Nobody knows which it was.
        (3, "pinOrBiometric", json!(["hwk", "user", "mfa"])),
    ] {
        let phone = Phone::new(server, Sdk::Android);
        let track = believer.track(unlock).await;
        let evidence = believer.android(&phone, &track, |described| described.user_auth_type = Some(asked)).await;
        let enrolled = enrol(server, &phone, &track, evidence).await.ok();
        let credential = enrolled["userAuthenticatorId"].as_str().expect("an id").to_owned();

        let known = believer.authenticators(unlock).await;
        let said = &known[0]["attestation"];
        assert_eq!((&said["provider"], said.get("lacks")), (&json!("ANDROID_KEY"), None), "{known}");
        assert_eq!(said["facts"]["level"], "trusted_environment");
        assert_eq!(said["evidence"].as_str().map(str::len), Some(43), "{known}");
        assert_eq!(known[0]["keyProtection"], json!({"hardware": {"unlock": unlock}}));

        let valid = believer.approves(&phone, &credential, unlock, "vault").await;
        assert_eq!((&valid["amr"], &valid["sca"]), (&amr, &json!(true)), "{valid}");
    }
}

#[tokio::test]
async fn t25_evidence_of_another_key_or_none_enrols_nothing() {
    let believer = Believer::of(AttestationPolicy::Require).await;
    let server = &believer.server;
    let (phone, other) = (Phone::new(server, Sdk::Android), Phone::new(server, Sdk::Android));
    let track = believer.track("ann").await;
    let nonce = phone_v2::nonce(server, &track).await;

    let good = Described::good(&sha256(nonce.as_bytes()));
    let told = |change: fn(&mut Described)| {
        let mut described = Described::good(&sha256(nonce.as_bytes()));
        change(&mut described);
        chain(&believer.maker, &phone, &described)
    };
    // What signs for this phone was good until yesterday.
    let maker = &believer.maker;
    let ended = Certificate { not_after: "260301100000Z", ..Certificate::authority(&maker.batch, BATCH_SERIAL) };
    let mut expired = maker.android(&spki(&phone), &good);
    expired[1] = maker.root.issue(&ended);
    let enrolment = phone_v2::enrolment(server, &phone, &track, &nonce);
    let of_another = phone_v2::enrolment(server, &other, &track, &nonce);
    for (evidence, why) in [
        (chain(&believer.maker, &other, &good), "other-key"),
        // A root of the same name with another key.
        (chain(&Maker::new(), &phone, &good), "bad-signature"),
        (chain(&believer.maker, &phone, &Described::good(&sha256(b"another nonce"))), "wrong-challenge"),
        (as_chain(&expired), "expired"),
        (told(|described| described.package = "com.evil.bank"), "other-app"),
        (told(|described| described.signer = [8; 32]), "other-app"),
        (told(|described| (described.key_level, described.attestation_level) = (0, 0)), "software-key"),
        (told(|described| described.by_software = true), "wrong-purpose"),
        (told(|described| described.boot = Some((false, 0))), "unverified-boot"),
        (vouched(&believer.maker, &of_another), "wrong-challenge"),
        (vouched(&believer.maker, &nonce), "wrong-challenge"),
        (vouched(&Maker::new(), &enrolment), "bad-signature"),
        (json!({"provider": "PLAY_INTEGRITY", "token": "x"}), "other-app"),
        (json!({"provider": "ANDROID_KEY", "chain": ["not base64!"]}), "malformed"),
        (json!({"provider": "APP_ATTEST", "token": "o2NmbXQ="}), "malformed"),
        (json!({"provider": "HEARSAY"}), "wrong-format"),
        (Value::Null, "missing"),
    ] {
        let reply = enrol(server, &phone, &track, evidence).await;
        reply.refused(403, "attestation_refused");
        let said = reply.body["errorDescription"].as_str().unwrap_or_default();
        assert!(said.contains(&format!("(`{why}`)")), "{why}: {said}");
    }
    for (evidence, why) in [
        // A stock SDK's app vouches for the nonce, whatever key it sends along.
        (vouched(&believer.maker, &nonce), "unbound"),
        // Nothing was signed with the key, which may be in another phone.
        (chain(&believer.maker, &phone, &good), "unsigned"),
    ] {
        let stock = enrol_stock(server, &phone, &track, evidence).await;
        stock.refused(403, "attestation_refused");
        let said = stock.body["errorDescription"].as_str().unwrap_or_default();
        assert!(said.contains("in version 2") && said.contains(&format!("(`{why}`)")), "{why}: {said}");
    }

    assert_eq!(believer.authenticators("ann").await, json!([]));
    assert_eq!(log(server).await["refusal.enrol attestation_refused"], 19);
    // The nonce is still good, and an app that vouches for the key is enough to come in.
    let credential = enrol(server, &phone, &track, vouched(&believer.maker, &enrolment)).await.ok();
    let credential = credential["userAuthenticatorId"].as_str().expect("an id").to_owned();
    // It says nothing of where the key lives.
    let valid = believer.approves(&phone, &credential, "ann", "login").await;
    assert_eq!((&valid["amr"], &valid["sca"]), (&json!(["swk"]), &json!(false)), "{valid}");
}

#[tokio::test]
async fn t25_what_google_called_back_is_refused_as_soon_as_the_list_says_so() {
    let files = tempfile::tempdir().expect("a folder");
    let list = files.path().join("status.json");
    let write = |text: &str| std::fs::write(&list, text).expect("a file");
    write(r#"{"entries": {}}"#);
    let named = list.clone();
    let believer = Believer::with(AttestationPolicy::Require, |settings| settings.android_revoked = Some(named)).await;
    let reload = || believer.server.app.judges.reload(believer.server.app.clock.now());
    believer.enrols("ann").await.ok();

    write(&json!({"entries": {format!("{BATCH_SERIAL:x}"): {"status": "REVOKED"}}}).to_string());
    reload();
    // What cannot be read changes nothing.
    for broken in [None, Some("{\"entries\": {")] {
        let refused = believer.enrols("bob").await;
        refused.refused(403, "attestation_refused");
        let said = refused.body["errorDescription"].as_str().unwrap_or_default();
        assert!(said.contains("(`revoked`)"), "{said}");
        match broken {
            None => std::fs::remove_file(&list).expect("a file"),
            Some(text) => write(text),
        }
        reload();
    }
    believer.enrols("bob").await.refused(403, "attestation_refused");
    write(r#"{"entries": {}}"#);
    reload();
    believer.enrols("bob").await.ok();
}

/// Nobody has to say so. The list is replaced, as files are that nobody may read half written.
#[tokio::test]
async fn a_new_list_is_read_by_itself() {
    let files = tempfile::tempdir().expect("a folder");
    let (list, next) = (files.path().join("status.json"), files.path().join("next"));
    std::fs::write(&list, r#"{"entries": {}}"#).expect("a file");
    let named = list.clone();
    let believer = Believer::configured(
        AttestationPolicy::Require,
        |settings| settings.android_revoked = Some(named),
        |config| config.policies.watch = true,
    )
    .await;
    // The watcher may begin after our first change, so we change until it notices.
    for round in 0..120 {
        let entries = json!({"entries": {format!("{BATCH_SERIAL:x}"): {"status": "REVOKED"}}});
        std::fs::write(&next, entries.to_string()).expect("a file");
        std::fs::rename(&next, &list).expect("a file");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        if believer.enrols(&format!("u{round}")).await.status == 403 {
            return;
        }
    }
    panic!("the change went unnoticed");
}

/// By default nobody looks: not even good evidence makes a key worth more.
#[tokio::test]
async fn t25_evidence_that_nobody_asked_for_is_worth_nothing() {
    let believer = Believer::of(AttestationPolicy::None).await;
    let phone = Phone::new(&believer.server, Sdk::Android);
    let track = believer.track("ann").await;
    let evidence = believer.android(&phone, &track, |_| {}).await;
    let credential = enrol(&believer.server, &phone, &track, evidence).await.ok();
    let credential = credential["userAuthenticatorId"].as_str().expect("an id").to_owned();
    assert!(believer.authenticators("ann").await[0].get("attestation").is_none());
    let valid = believer.approves(&phone, &credential, "ann", "vault").await;
    assert_eq!((&valid["amr"], &valid["sca"]), (&json!(["swk"]), &json!(false)), "{valid}");
}

#[tokio::test]
async fn t25_where_evidence_is_recorded_nobody_is_turned_away() {
    let believer = Believer::of(AttestationPolicy::Record).await;
    let server = &believer.server;
    for (user, evidence, kept) in [
        ("none", "", Value::Null),
        ("junk", "bm90IGEgc3RhdGVtZW50", json!({"refused": "malformed"})),
        ("stock", "good", json!({"lacks": "unbound"})),
        ("unsigned", "chain", json!({"lacks": "unsigned"})),
    ] {
        let phone = Phone::new(server, Sdk::Ios);
        let track = believer.track(user).await;
        let evidence = match evidence {
            "" => Value::Null,
            "good" => vouched(&believer.maker, &phone_v2::nonce(server, &track).await),
            "chain" => believer.android(&phone, &track, |_| {}).await,
            token => json!({"provider": "APP_ATTEST", "token": token, "keyId": "a2V5"}),
        };
        enrol_stock(server, &phone, &track, evidence).await.ok();
        let known = believer.authenticators(user).await;
        for (name, value) in kept.as_object().into_iter().flatten() {
            assert_eq!(&known[0]["attestation"][name], value, "{user}: {known}");
        }
        assert_eq!(known[0].get("attestation").is_some(), !kept.is_null(), "{user}: {known}");
        let tracked = token(&server.track(user, "login", json!({})).await);
        let screen = PollingScreen::create(server, Some(&tracked), json!({"action": "login"})).await.expect("one");
        phone.claim(server, &screen.challenge_id).await.ok();
        phone.answer(server, &screen.challenge_id, true).await.ok();
        let valid = server.validate(json!({"token": screen.poll(server).await.ok()["accessToken"]})).await;
        assert_eq!((&valid["amr"], &valid["sca"]), (&json!(["swk"]), &json!(false)), "{valid}");
    }
}

/// Google's word on an app that vouches for the enrolment lets the key in, and says nothing of where it lives.
#[tokio::test]
async fn t25_play_integrity_vouches_for_an_app() {
    let (console, files) = (Console::new(), tempfile::tempdir().expect("a folder"));
    let file = |name: &str, text: String| {
        let path = files.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let play = PlayConfig {
        decryption_key_file: file("decryption", console.decryption_key()),
        verification_key_file: file("verification", console.verification_key()),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let private = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&play.decryption_key_file, private).expect("a mode");
    }
    let believer = Believer::with(AttestationPolicy::Require, |settings| settings.play = Some(play)).await;
    let server = &believer.server;
    let phone = Phone::new(server, Sdk::Android);
    let track = believer.track("ann").await;
    let nonce = phone_v2::nonce(server, &track).await;
    let at_ms = server.app.clock.now().as_millisecond();
    let of =
        |asked: &str| json!({"provider": "PLAY_INTEGRITY", "token": console.good(&Console::payload(asked, at_ms))});

    // Of the nonce alone, as stock SDKs ask for it: of any key.
    let stock = enrol_stock(server, &phone, &track, of(&nonce)).await;
    stock.refused(403, "attestation_refused");
    assert!(stock.body["errorDescription"].as_str().is_some_and(|said| said.contains("(`unbound`)")), "{}", stock.body);
    enrol(server, &phone, &track, of(&nonce)).await.refused(403, "attestation_refused");

    let enrolment = phone_v2::enrolment(server, &phone, &track, &nonce);
    enrol(server, &phone, &track, of(&phone_v2::sha256(enrolment.as_bytes()))).await.ok();
    let known = believer.authenticators("ann").await;
    let said = &known[0]["attestation"];
    assert_eq!((&said["facts"]["app"], said.get("lacks")), (&json!("com.example.bank"), None), "{known}");
    assert_eq!(known[0]["keyProtection"], "unattested");
}

/// A root that was added for one maker vouches for nobody of the other.
#[tokio::test]
async fn t25_a_root_is_of_one_maker() {
    type Without = fn(&mut AttestationConfig);
    for (without, android) in [
        ((|settings| settings.android_more_roots.clear()) as Without, true),
        (|settings| settings.apple_more_roots.clear(), false),
    ] {
        let believer = Believer::with(AttestationPolicy::Require, without).await;
        let phone = Phone::new(&believer.server, Sdk::Android);
        let track = believer.track("ann").await;
        let keystore = believer.android(&phone, &track, |_| {}).await;
        let nonce = phone_v2::nonce(&believer.server, &track).await;
        let app = vouched(&believer.maker, &phone_v2::enrolment(&believer.server, &phone, &track, &nonce));
        let (foreign, ours) = if android { (keystore, app) } else { (app, keystore) };
        let refused = enrol(&believer.server, &phone, &track, foreign).await;
        refused.refused(403, "attestation_refused");
        assert!(refused.body["errorDescription"].as_str().is_some_and(|said| said.contains("(`untrusted-root`)")));
        enrol(&believer.server, &phone, &track, ours).await.ok();
    }
}

/// Anybody can name an app as ours is named.
#[tokio::test]
async fn t25_while_any_signer_will_do_no_android_key_counts() {
    let believer = Believer::with(AttestationPolicy::Record, |settings| settings.android_signers.clear()).await;
    believer.enrols("ann").await.ok();
    let known = believer.authenticators("ann").await;
    assert_eq!(
        (&known[0]["attestation"]["lacks"], &known[0]["keyProtection"]),
        (&json!("any-signer"), &json!("unattested"))
    );
}

/// T-26: the strongest level follows what was proven.
#[tokio::test]
async fn t26_a_key_that_may_sign_without_its_user_confirms_nothing_of_the_strongest_level() {
    let believer = Believer::with(AttestationPolicy::Record, |settings| settings.biometric_is_proven = true).await;
    let server = &believer.server;
    let phone = Phone::new(server, Sdk::Android);
    let track = believer.track("ann").await;
    let evidence = believer.android(&phone, &track, |described| described.no_auth_required = true).await;
    let credential = enrol(server, &phone, &track, evidence).await.ok();
    let credential = credential["userAuthenticatorId"].as_str().expect("an id").to_owned();
    let valid = believer.approves(&phone, &credential, "ann", "login").await;
    assert_eq!((&valid["amr"], &valid["sca"]), (&json!(["hwk"]), &json!(false)), "{valid}");

    let tracked = token(&server.track("ann", "vault", json!({})).await);
    let screen = PollingScreen::create(server, Some(&tracked), json!({"action": "vault"})).await.expect("one");
    let refused = phone_v2::claim(server, &phone, &credential, &screen.challenge_id, "").await;
    refused.refused(403, "user_verification_unproven");
    phone.claim(server, &screen.challenge_id).await.refused(403, "user_verification_unproven");
    assert_eq!(log(server).await["refusal.claim user_verification_unproven"], 2);
    assert_eq!(screen.poll(server).await.ok()["isVerified"], false);
}

#[tokio::test]
async fn settings_that_could_believe_nothing_or_anybody_are_refused_at_start() {
    let files = tempfile::tempdir().expect("a folder");
    let nowhere = files.path().join("nowhere");
    let base = |change: fn(&mut AttestationConfig)| {
        let mut settings =
            AttestationConfig { android_packages: vec!["com.example.bank".to_owned()], ..Default::default() };
        change(&mut settings);
        settings
    };
    for (settings, key) in [
        (AttestationConfig { policy: AttestationPolicy::Require, ..AttestationConfig::default() }, "policy"),
        (base(|it| it.policy = AttestationPolicy::Require), "android_signers"),
        (base(|it| (it.policy, it.biometric_is_proven) = (AttestationPolicy::Record, true)), "biometric_is_proven"),
        (base(|it| it.biometric_is_proven = true), "biometric_is_proven"),
        (AttestationConfig { android_more_roots: vec![nowhere.clone()], ..base(|_| {}) }, "android_more_roots"),
        (AttestationConfig { apple_more_roots: vec![nowhere.clone()], ..base(|_| {}) }, "apple_more_roots"),
        (AttestationConfig { android_revoked: Some(nowhere), ..base(|_| {}) }, "android_revoked"),
        (base(|it| it.android_signers = vec!["ab:cd".to_owned()]), "android_signers"),
        (base(|it| it.android_packages.push(String::new())), "android_packages"),
        (base(|it| it.android_packages = vec!["bank".to_owned()]), "android_packages"),
        (base(|it| it.apple_apps = vec![String::new()]), "apple_apps"),
        // The team is missing, as in Xcode's `Bundle Identifier`.
        (base(|it| it.apple_apps = vec!["com.example.bank".to_owned()]), "apple_apps"),
    ] {
        let data = tempfile::tempdir().expect("a folder");
        let mut config = Config::demo(data.path(), 0);
        config.defaults.attestation = Some(settings);
        let error = App::start(config).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with(&format!("`defaults.attestation.{key}` cannot be used: ")), "{key}: {error}");
    }
}
