//! Lists of ranges as text.

use geoip::{Atlas, Freshness, Known, OpenError};
use tempfile::TempDir;

fn opened(name: &str, text: &str) -> Result<Atlas, String> {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a writable folder");
    let here = format!("{}/", folder.path().display());
    Atlas::open_only(&[path]).map_err(|error: OpenError| error.to_string().replace(&here, ""))
}

/// `hosting vpn tor provider`, a letter for each: `t`rue, `f`alse, `-` not covered.
fn told(atlas: &Atlas, ip: &str) -> String {
    let network = atlas.locate(ip.parse().expect("an address")).network;
    let letter = |flag| match flag {
        Known::Found(true) => 't',
        Known::Found(false) => 'f',
        Known::Absent => '-',
        Known::Failed(_) => '!',
    };
    let flags: String = [network.hosting, network.vpn, network.tor].map(letter).iter().collect();
    format!("{flags} {}", network.provider.found().as_deref().unwrap_or("-"))
}

#[test]
fn a_csv_lists_kinds_and_providers() {
    let text = "# date: 2026-10-05\ncidr,kind,provider\n8.0.0.0/9,hosting,Big Cloud\r\n8.8.8.0/24,vpn,\"A, B & Co\"\n\
                8.8.8.8,tor,\n9.9.9.0/24,cdn,Ignored\n2a00:1450::/32,hosting,Six ; a comment\n::ffff:7.7.7.0/120,vpn,Mapped\n";
    let atlas = opened("list.csv", text).expect("a good list");
    for (ip, expected) in [
        ("8.1.2.3", "tff Big Cloud"),
        ("8.8.8.1", "ttf A, B & Co"),
        ("8.8.8.8", "ttt A, B & Co"),
        ("8.8.8.9", "ttf A, B & Co"),
        ("8.8.9.0", "tff Big Cloud"),
        ("8.128.0.0", "fff -"),
        ("9.9.9.9", "fff -"),
        ("7.7.7.7", "ftf Mapped"),
        ("2a00:1450::1", "tff Six"),
        ("2a00:1451::1", "fff -"),
        ("::ffff:8.8.8.8", "ttt A, B & Co"),
    ] {
        assert_eq!(told(&atlas, ip), expected, "{ip}");
    }
    let source = &atlas.sources()[0];
    assert_eq!(source.networks, Some(5), "the skipped kind is not counted");
    let now = "2026-11-24T00:00:00Z".parse().expect("a time");
    assert_eq!((source.age_days(now), source.freshness(now)), (Some(50), Freshness::Ageing));
}

#[test]
fn a_plain_list_is_of_the_kind_its_name_says() {
    for (name, expected) in [("tor-exits.txt", "--t -"), ("my_VPN.list", "-t- -"), ("hosting", "t-- -")] {
        let atlas = opened(name, "8.8.8.8\n\n; other\n9.9.9.0/24 # all of it\n").expect(name);
        assert_eq!(told(&atlas, "8.8.8.8"), expected, "{name}");
        assert_eq!(told(&atlas, "9.9.9.1"), expected, "{name}");
        let source = &atlas.sources()[0];
        assert_eq!(source.build_date, None);
        assert!(source.warnings[0].contains("# date:"), "{:?}", source.warnings);
    }
}

#[test]
fn a_bad_line_refuses_the_file_and_says_where() {
    for (name, text, expected) in [
        ("a.csv", "8.8.8.0/24,hosting,x\n8.8.8.0/33,vpn,x\n", "`a.csv` line 2: `8.8.8.0/33` is no address or CIDR"),
        ("a.csv", "8.8.8.0/24,proxy,x\n", "`a.csv` line 1: `proxy` is no kind; kinds are hosting, vpn, tor"),
        ("a.csv", "# date: yesterday\n8.8.8.8,tor,\n", "`a.csv` line 1: `yesterday` is not a date"),
        ("a.csv", "0.0.0.0/0,vpn,x\n", "`a.csv` line 1: `0.0.0.0/0` covers far too much"),
        ("a.csv", "::/0,vpn,x\n", "`a.csv` line 1: `::/0` covers far too much"),
        ("a.csv", "::ffff:0:0/96,vpn,x\n", "`a.csv` line 1: `::ffff:0:0/96` covers far too much"),
        ("tor.txt", "<html>\n", "`tor.txt` line 1: `<html>` is no address or CIDR"),
        ("addresses.txt", "8.8.8.8\n", "`addresses.txt` is a plain list and does not say of what; name it `tor…`"),
        ("tor.txt", "# nothing today\n", "`tor.txt` lists no range"),
        ("a.csv", "8.8.8.8,bot,x\n", "`a.csv` lists no range"),
        ("a.csv", "", "`a.csv` lists no range"),
    ] {
        let message = opened(name, text).expect_err(text);
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_age_of_a_source_decides_its_freshness() {
    let atlas = opened("a.csv", "# date: 2026-01-01\n8.8.8.8,tor,\n").expect("a good list");
    for (now, age, expected) in [
        ("2025-12-31T23:00:00Z", 0, Freshness::Fresh),
        ("2026-02-15T00:00:00Z", 45, Freshness::Fresh),
        ("2026-02-16T00:00:00Z", 46, Freshness::Ageing),
        ("2026-04-01T23:59:59Z", 90, Freshness::Ageing),
        ("2026-04-02T00:00:00Z", 91, Freshness::Stale),
    ] {
        let now_at = now.parse().expect("a time");
        let source = &atlas.sources()[0];
        assert_eq!((source.age_days(now_at), source.freshness(now_at)), (Some(age), expected), "{now}");
    }
}
