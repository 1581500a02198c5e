use std::path::Path;

use serde_json::Value;

use crate::support::Run;

const PACK: &str = "policy p on any { default allow }\n";

fn config(extra: &str) -> String {
    format!(
        "database = \"sqlite:data/stepup.db\"\n[server]\nlisten = \"127.0.0.1:0\"\n[policies]\npack = \"pack\"\n[keys]\ndirectory = \"data/keys\"\n{extra}"
    )
}

fn with_tenant(run: Run) -> Run {
    run.file("stepup.toml", config("[tenants.shop]\nname = \"Shop\"\n")).file("pack/p.rules", PACK)
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn serve_names_the_key_it_does_not_know() {
    let run = Run::new("serve").file("stepup.toml", config("[limits]\nkye = { per_minute = 1, burst = 1 }\n"));
    run.exit(1).run().complains(&["stepup.toml", "kye"]);
    Run::new("serve").exit(1).run().complains(&["cannot read the configuration stepup.toml"]);
    let run = with_tenant(Run::new("serve")).env("STEPUP__SERVER__PORT", "80");
    run.exit(1).run().complains(&["port"]);
}

#[test]
fn serve_wants_a_secret_for_every_tenant() {
    with_tenant(Run::new("serve")).exit(1).run().complains(&["the tenant `shop` has no API secret", "stepup keys new"]);
    let run = Run::new("serve").file("stepup.toml", config("")).file("pack/p.rules", PACK);
    run.exit(1).run().complains(&["there is no tenant"]);
}

#[cfg(unix)]
#[test]
fn serve_refuses_a_secret_that_others_can_read() {
    let run = Run::new("serve")
        .file("stepup.toml", config("[tenants.shop]\nsecret_file = \"secret\"\n"))
        .file("pack/p.rules", PACK)
        .file("secret", "sk_0123456789abcdef");
    chmod(&run.folder().join("secret"), 0o644);
    run.exit(1).run().complains(&["secret can be read by others", "chmod 600"]);
}

#[test]
fn serve_shows_the_diagnostics_of_a_pack_that_does_not_compile() {
    let run = with_tenant(Run::new("serve")).file("pack/p.rules", "policy p on any { default perhaps }\n");
    run.exit(3).run().complains(&["does not compile", "error", "p.rules:1"]);
}

#[test]
fn serve_does_not_start_on_a_database_that_was_rolled_back() {
    // The first start makes the tenant, and stops because nobody has a secret of it.
    let started = with_tenant(Run::new("serve")).exit(1).run();
    let made = Run::in_folder(started.folder, "keys new --role admin --name a --config stepup.toml").run();
    let folder = made.folder;
    let database = folder.path().join("data/stepup.db");
    let kept = std::fs::read(&database).expect("the database");
    let later = Run::in_folder(folder, "keys new --role admin --name b --config stepup.toml").run();
    std::fs::write(&database, kept).expect("rolled back");
    for wal in ["data/stepup.db-wal", "data/stepup.db-shm"] {
        let _ = std::fs::remove_file(later.folder.path().join(wal));
    }
    let ran = Run::in_folder(later.folder, "serve").exit(78).run();
    ran.complains(&["rolled back", "entries"]);
}

#[test]
fn scripts_read_what_became_of_a_key_and_of_the_database() {
    let json = |output: &str| -> Value { serde_json::from_str(output).expect("one JSON value") };
    let started = with_tenant(Run::new("serve")).exit(1).run();
    let migrated = Run::in_folder(started.folder, "migrate --config stepup.toml --format json").run();
    let answer = json(&migrated.stdout);
    assert_eq!((&answer["version"], answer["database"].as_str()), (&1.into(), Some("data/stepup.db")));
    assert!(answer["logEntries"].is_u64(), "{answer}");
    let new = "keys new --role analyst --name risk --config stepup.toml --format json";
    let made = Run::in_folder(migrated.folder, new).run();
    let key = json(&made.stdout)["key"].clone();
    assert!(key["secret"].as_str().is_some_and(|secret| secret.starts_with("sk_")), "{key}");
    assert_eq!((key["role"].as_str(), key["revokedAt"].is_null()), (Some("analyst"), true));
    let filed = Run::in_folder(made.folder, &format!("{new} --secret-file s")).run();
    let other = json(&filed.stdout)["key"].clone();
    assert_eq!((other["secretFile"].as_str(), other["secret"].is_null()), (Some("s"), true), "{other}");
    let id = key["id"].as_str().expect("an id");
    let revoked = Run::in_folder(filed.folder, &format!("keys revoke {id} --config stepup.toml --format json")).run();
    let revoked = json(&revoked.stdout)["key"].clone();
    assert_eq!(revoked["id"], key["id"]);
    assert!(revoked["revokedAt"].is_string(), "{revoked}");
}

#[test]
fn keys_are_made_listed_and_revoked() {
    let started = with_tenant(Run::new("serve")).exit(1).run();
    let made =
        Run::in_folder(started.folder, "keys new --role analyst --name risk --config stepup.toml --secret-file s")
            .run();
    made.says(&["may act as analyst for the tenant shop", "its secret is in s"]);
    let secret = made.read("s");
    assert!(secret.starts_with("sk_") && !made.stdout.contains(&secret));
    let shown = Run::in_folder(made.folder, "keys new --role backend --name shop --config stepup.toml").run();
    shown.says(&["its secret, shown only now: sk_"]);
    let listed = Run::in_folder(shown.folder, "keys list --config stepup.toml --format json").run();
    let listing: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let keys = &listing["keys"];
    assert_eq!(keys.as_array().map(Vec::len), Some(2), "{keys}");
    assert!(!listed.stdout.contains("sk_"), "{}", listed.stdout);
    let id = keys[0]["id"].as_str().expect("an id").to_owned();
    let wrong = Run::in_folder(listed.folder, &format!("keys revoke {id}x --config stepup.toml")).exit(1).run();
    wrong.complains(&["did you mean", &id]);
    let revoked = Run::in_folder(wrong.folder, &format!("keys revoke {id} --config stepup.toml")).run();
    let listed = Run::in_folder(revoked.folder, "keys list --config stepup.toml").run();
    listed.says(&["revoked 20", "in use"]);
    let doctor = Run::in_folder(listed.folder, "doctor --config stepup.toml").run();
    doctor.says(&["audit entries", "readable by their owner alone", "geo data", "0 wrong"]);
    let verified = Run::in_folder(doctor.folder, "audit verify --config stepup.toml").run();
    verified.says(&["good: data/stepup.db"]);
}

#[test]
fn keys_that_sign_tokens_take_turns() {
    let json = |output: &str| -> Value { serde_json::from_str(output).expect("one JSON value") };
    let early = with_tenant(Run::new("keys rotate --config stepup.toml")).exit(1).run();
    early.complains(&["data/keys"]);
    let started = Run::in_folder(early.folder, "serve").exit(1).run();
    let made = Run::in_folder(started.folder, "keys rotate --config stepup.toml --format json").run();
    let next = json(&made.stdout)["key"].clone();
    assert_eq!(next["state"], "next", "{next}");
    let file = made.folder.path().join(next["file"].as_str().expect("a file"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let now = Run::in_folder(made.folder, "keys rotate --after 0s --algorithm eddsa --config stepup.toml").run();
    now.says(&["signs tokens from", "may know it only 5 minutes later"]);
    let listed = Run::in_folder(now.folder, "keys signing --config stepup.toml --format json").run();
    let keys = json(&listed.stdout)["keys"].clone();
    let states: Vec<&str> = keys.as_array().expect("keys").iter().filter_map(|key| key["state"].as_str()).collect();
    assert_eq!(states, ["verifying", "signing", "next"]);
    assert_eq!((&keys[0]["signsFrom"], &keys[2]["kid"]), (&Value::Null, &next["kid"]));
    assert!(keys[0]["verifiesUntil"].is_string());
    let listed = Run::in_folder(listed.folder, "keys signing --config stepup.toml").run();
    listed.says(&["ES256  verifies until 20", "EdDSA  signs  data", "ES256  signs from 20"]);
    let made = Run::in_folder(listed.folder, "keys rotate --qr --config stepup.toml --format json").run();
    let next = json(&made.stdout)["qrKey"].clone();
    assert_eq!((&next["kid"], &next["state"]), (&Value::from(2), &Value::from("next")), "{next}");
    let listed = Run::in_folder(made.folder, "keys signing --config stepup.toml").run();
    listed.says(&["QR codes, key 1  signs  data", "QR codes, key 2  signs from 20"]);
    for wrong in ["-1h", "soon", "99999999h"] {
        let words = format!("keys rotate --after={wrong} --config stepup.toml");
        let ran =
            Run::in_folder(tempfile::tempdir().expect("a folder"), &words).exit(if wrong == "soon" { 2 } else { 1 });
        let ran = ran.file("stepup.toml", config("")).run();
        ran.complains(&["after"]);
    }
}

#[test]
fn keys_and_audit_say_where_they_looked() {
    Run::new("keys list").exit(1).run().complains(&["there is no database at ./stepup-data/stepup.db", "--data"]);
    Run::new("audit verify --data none").exit(1).run().complains(&["none/stepup.db"]);
    Run::new("audit show 1 --data none").exit(1).run().complains(&["none/stepup.db"]);
    Run::new("audit verify --data none --key nonsense")
        .exit(1)
        .run()
        .complains(&["`nonsense` is neither a public key"]);
}

#[test]
fn migrate_makes_no_data_folder_out_of_a_misspelt_name() {
    let ran = Run::new("migrate --data none").exit(1).run();
    ran.complains(&["there is no data folder none", "--data", "--config"]);
    assert!(!ran.folder.path().join("none").exists());
    let migrated = Run::new("migrate --data there").file("there/note", "").run();
    migrated.says(&["stepup.db has this version's schema"]);
}

#[test]
fn serve_names_the_key_of_a_pack_that_is_not_there() {
    let run = |text: &str, key: &str| {
        let run = Run::new("serve").file("stepup.toml", text).file("pack/p.rules", PACK);
        run.exit(1).run().complains(&[key, "stepup new"]);
    };
    let data =
        "database = \"sqlite:data/stepup.db\"\nkeys.directory = \"data/keys\"\nserver.listen = \"127.0.0.1:0\"\n";
    run(&format!("{data}[tenants.a]\npack = \"pack\"\n"), "`policies.pack` cannot be used: cannot read rules/starter");
    run(
        &format!("{data}policies.pack = \"pack\"\n[tenants.a]\npack = \"p\"\n"),
        "`tenants.a.pack` cannot be used: cannot read p:",
    );
}

#[test]
fn the_doctor_names_what_is_wrong() {
    let ran = Run::new("doctor --config stepup.toml").file("stepup.toml", "databse = 1\n").exit(4).run();
    ran.says(&["WRONG", "databse"]);
    let ran = with_tenant(Run::new("doctor --config stepup.toml")).file("pack/p.rules", "policy").exit(4).run();
    ran.says(&["WRONG", "pack: 1 error", "1 wrong"]);
}
