//! `stepup demo`, as a new user meets it.

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::service::{Api, Caller, Service};
use support::{Run, checkout};

/// Starts the demo on a free port in `folder` and waits until it has printed everything.
fn start(folder: &Path) -> (Service, Value) {
    let _ = std::fs::remove_file(folder.join("stepup-data/demo.json"));
    let mut service = Service::start(folder, &["demo", "--port", "0"]);
    let log = folder.join("stdout.log");
    service.until(|| std::fs::read_to_string(&log).ok().filter(|said| said.contains("Stop with Ctrl-C")));
    let demo = std::fs::read(folder.join("stepup-data/demo.json")).expect("demo.json");
    (service, serde_json::from_slice(&demo).expect("JSON"))
}

fn text<'a>(demo: &'a Value, name: &str) -> &'a str {
    demo[name].as_str().unwrap_or_else(|| panic!("demo.json has no {name}: {demo}"))
}

/// The line to paste below the heading that contains `about`.
fn line_about<'a>(printed: &'a str, about: &str) -> &'a str {
    let mut lines = printed.lines().skip_while(|line| !(line.starts_with("# ") && line.contains(about)));
    lines.nth(1).unwrap_or_else(|| panic!("nothing to paste about `{about}` in\n{printed}"))
}

/// Pastes it into a shell.
fn paste(folder: &Path, line: &str) -> String {
    let ran = Command::new("sh").arg("-c").arg(line).current_dir(folder).output().expect("sh runs");
    let said = String::from_utf8(ran.stdout).expect("UTF-8");
    assert!(ran.status.success(), "{line}\n{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    said
}

fn answers(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

#[test]
fn every_printed_line_does_what_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, demo) = start(folder.path());
    let printed = service.stdout();
    for name in ["demoUrl", "authenticatorUrl", "challengeUrl", "baseUrl"] {
        assert!(printed.contains(text(&demo, name)), "{name} is not printed:\n{printed}");
    }
    assert!(text(&demo, "baseUrl").ends_with("/v1"));
    for said in ["days old, bundled", "GeoLite2, GeoIP2 or DB-IP", "unpacked from this program"] {
        assert!(printed.contains(said), "no `{said}` in\n{printed}");
    }
    let pasted = |about: &str| paste(folder.path(), line_about(&printed, about));

    assert_eq!(answers(&pasted("a sign-in is allowed"))[0]["outcome"], "allow");
    let failures: Vec<Value> = answers(&pasted("the fifth failure"));
    let outcomes: Vec<&str> = failures.iter().filter_map(|answer| answer["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["allow", "allow", "allow", "allow", "challenge"]);
    assert_eq!(answers(&pasted("a listed address"))[0]["reasons"][0]["code"], "IP_BLOCKED");
    let withdrawal = &answers(&pasted("a withdrawal is challenged"))[0];
    assert_eq!(withdrawal["challenge"]["bind"][0]["value"], "250.00 EUR", "{withdrawal}");
    let explained = &answers(&pasted("with every rule"))[0];
    assert!(explained["trace"]["policies"][0]["rules"].is_array(), "{explained}");
    let read = &answers(&pasted("read the newest decision"))[0];
    assert_eq!(read["decisionId"], explained["decisionId"], "{read}");
    assert!(pasted("check the audit log").starts_with("good: "));

    // The secret is found in the demo's folder, because it is the demo that is asked.
    let id = text(explained, "decisionId");
    let why = Command::new(support::binary())
        .args(["explain", id, "--server", text(&demo, "baseUrl")])
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let why = String::from_utf8(why.stdout).expect("UTF-8");
    assert!(why.starts_with("withdrawal by ann at ") && why.contains("\nChallenged by default"), "{why}");

    let code = service.stop().code();
    assert_eq!(code, Some(0));
    let said = std::fs::read_to_string(folder.path().join("stdout.log")).expect("the log");
    assert!(said.ends_with("stopped; everything is kept in ./stepup-data\n"), "{said}");
}

#[cfg(unix)]
#[test]
fn secrets_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let (service, _) = start(folder.path());
    let data = folder.path().join("stepup-data");
    let mode = |path: &str| std::fs::metadata(data.join(path)).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(""), mode("api-secret"), mode("demo.json"), mode("keys/log.seed")), (0o700, 0o600, 0o600, 0o600));
    service.stop();
}

#[tokio::test]
async fn a_second_start_goes_on_with_the_data_whatever_the_port() {
    let folder = tempfile::tempdir().expect("a folder");
    let (service, first) = start(folder.path());
    let track =
        serde_json::json!({"ipAddress": "81.2.69.142", "idempotencyKey": "k1", "custom": {"outcome": "succeeded"}});
    let path = "/users/ann/actions/sign_in";
    let secret = text(&first, "apiSecret");
    let before =
        Api::new(text(&first, "baseUrl")).post(path, Caller::Secret(secret), &track).await.expect("an answer").ok();
    assert_eq!(service.stop().code(), Some(0));

    let (service, second) = start(folder.path());
    for name in ["tenantId", "apiSecret", "auditPublicKey", "pack"] {
        assert_eq!(first[name], second[name], "{name}");
    }
    assert!(service.stdout().contains("unpacked at an earlier start"), "{}", service.stdout());
    let after = Api::new(text(&second, "baseUrl")).post(path, Caller::Secret(secret), &track).await.expect("an answer");
    assert!(after.replayed);
    assert_eq!(after.ok()["decisionId"], before["decisionId"]);

    // A second service on the same data would tear the log apart.
    let refused = Run::new("demo --port 0 --data").arg(folder.path().join("stepup-data")).exit(1).run();
    refused.complains(&["another process is using"]);
    let doctor = Command::new(support::binary()).arg("doctor").current_dir(folder.path()).output().expect("it runs");
    let found = String::from_utf8(doctor.stdout).expect("UTF-8");
    assert!(doctor.status.success(), "{found}");
    for said in ["a service is running on it", "stepup-data/rules/starter, sha256:", "owner alone", "0 wrong"] {
        assert!(found.contains(said), "no `{said}` in\n{found}");
    }
    service.stop();
    let key = text(&second, "auditPublicKey").to_owned();
    let data = folder.path().join("stepup-data");
    Run::new("audit verify --key").arg(&key).arg("--data").arg(&data).run().says(&["good: ", "(given)"]);
}

#[test]
fn a_taken_port_is_named_and_nothing_is_touched() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let ran = Run::new(&format!("demo --port {port}")).exit(1).stdout("").run();
    ran.complains(&[&format!("port {port} is taken"), "--port"]);
    assert!(!ran.folder.path().join("stepup-data").exists());
}

#[test]
fn inside_a_checkout_its_own_rules_are_in_force() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("rules/starter");
    copy(&checkout("rules/starter"), &rules);
    let (service, demo) = start(folder.path());
    assert!(service.stdout().contains("rules/starter (of this checkout)"), "{}", service.stdout());
    assert_eq!(Path::new(text(&demo, "pack")), rules.canonicalize().expect("a folder"));
    assert!(!folder.path().join("stepup-data/rules").exists());
    service.stop();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(drop).expect("a copy") }
    }
}

#[test]
fn an_administrator_resets_a_user_at_the_running_service() {
    let folder = tempfile::tempdir().expect("a folder");
    let stepup = |words: &[&str]| {
        let mut command = Command::new(support::binary());
        let ran = command.args(words).current_dir(folder.path()).env_remove("STEPUP_API_SECRET").output();
        let ran = ran.expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    let (service, _) = start(folder.path());
    assert!(service.stop().success());
    let (code, _, said) =
        stepup(&["keys", "new", "--role", "admin", "--name", "Help desk", "--secret-file", "admin.secret"]);
    assert_eq!(code, Some(0), "{said}");

    let (service, demo) = start(folder.path());
    let reset =
        ["users", "reset", "ann", "--reason", "phone stolen", "--author", "Kim", "--server", text(&demo, "baseUrl")];
    // The demo's own secret is a backend's.
    let (code, _, said) = stepup(&reset);
    assert_eq!(code, Some(1));
    assert!(said.contains("the role `backend` of this API key does not allow this"), "{said}");
    let admin = [&reset[..], &["--secret-file", "admin.secret", "--key", "ticket-7"]].concat();
    let (code, said, complaint) = stepup(&admin);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(said.starts_with("ann is reset: 0 phones and 0 recovery codes"), "{said}");
    assert!(said.contains("one phone may be enrolled until "), "{said}");
    assert!(stepup(&admin).1.starts_with("ann was reset already, by Kim at "));
    let (_, json, _) = stepup(&[&admin[..], &["--format", "json"]].concat());
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["version"], &json["reset"]["repeated"]), (&1.into(), &true.into()), "{json}");
    assert!(service.stop().success());
    let (code, said, _) = stepup(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn an_administrator_registers_lists_and_revokes_terminals_at_the_running_service() {
    let key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKAceh7omSMN6vcWgR8IMx38KsvKU5VgkirsONzd5XaW+FVFdeBGyOmU1Tl9cQQNNXkODqaoAo6cHQgcqQWlnSg==";
    let folder = tempfile::tempdir().expect("a folder");
    let (first, rest) = key.split_at(64);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n");
    std::fs::write(folder.path().join("kiosk.pem"), pem).expect("a file");
    let (service, _) = start(folder.path());
    assert!(service.stop().success());
    let stepup = |words: &[&str]| {
        let ran =
            Command::new(support::binary()).args(words).current_dir(folder.path()).output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (ran.status.code(), text(ran.stdout), text(ran.stderr))
    };
    let made = stepup(&["keys", "new", "--role", "admin", "--name", "Shops", "--secret-file", "admin.secret"]);
    assert_eq!(made.0, Some(0), "{}", made.2);

    let (service, demo) = start(folder.path());
    let at = ["--server", text(&demo, "baseUrl"), "--secret-file", "admin.secret"];
    let terminals = |words: &[&str]| stepup(&[&["terminals"], words, &at[..]].concat());
    assert_eq!(terminals(&["list"]).1, "no terminal is registered\n");
    let place = ["--country", "DE", "--city", "Berlin", "--latitude", "52.525", "--longitude", "-13.369"];
    let register = ["register", "kiosk-7", "--name", "Kiosk 7", "--public-key", "kiosk.pem"];
    let (code, said, complaint) = terminals(&[&register[..], &place].concat());
    assert_eq!(code, Some(0), "{complaint}");
    assert!(said.starts_with("kiosk-7  Kiosk 7  Berlin, DE  registered 2"), "{said}");
    let (_, json, _) = terminals(&["list", "--format", "json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let listed = &json["terminals"][0];
    assert_eq!((&listed["publicKey"], &listed["place"]["longitude"]), (&key.into(), &(-13.369).into()), "{json}");

    for (words, why) in [
        (&["register", "kiosk-8", "--name", "Kiosk 8", "--public-key", key][..], "this key is another terminal's"),
        (&["register", "kiosk-8", "--name", "Kiosk 8", "--public-key", "nothing.pem"], "nor a file that can be read"),
        (&["register", "kiosk-8", "--name", "Kiosk 8", "--public-key", "admin.secret"], "-----BEGIN PUBLIC KEY-----"),
        (&["revoke", "kiosk-9"], "there is no such terminal"),
    ] {
        let (code, _, said) = terminals(words);
        assert_eq!(code, Some(1), "{words:?}");
        assert!(said.contains(why), "{words:?}: {said}");
    }
    let (code, said, complaint) = terminals(&["revoke", "kiosk-7"]);
    assert_eq!(code, Some(0), "{complaint}");
    assert!(said.starts_with("kiosk-7  Kiosk 7  Berlin, DE  revoked 2"), "{said}");
    assert!(terminals(&["list"]).1.contains("revoked 2"));
    assert!(service.stop().success());
    let (code, said, _) = stepup(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{said}");
}
