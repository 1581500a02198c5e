//! What is accepted, what is refused, and what the refusal says.

use std::path::{Path, PathBuf};

use geoip::{Atlas, Known, OpenError, Place, SourceKind, verify};
use mmdb_writer::{Value, write, write_folded};
use tempfile::TempDir;

mod mmdb_writer;

fn in_folder(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a writable folder");
    path
}

fn opened(name: &str, bytes: &[u8]) -> Result<Atlas, OpenError> {
    let folder = TempDir::new().expect("a folder");
    Atlas::open_only(&[in_folder(&folder, name, bytes)])
}

fn place(atlas: &Atlas, ip: &str) -> Known<Place> {
    atlas.locate(ip.parse().expect("an address")).place
}

fn refusal(name: &str, bytes: &[u8]) -> String {
    let folder = TempDir::new().expect("a folder");
    let path = in_folder(&folder, name, bytes);
    let message = Atlas::open_only(&[path]).expect_err("must be refused").to_string();
    message.replace(&format!("{}/", folder.path().display()), "")
}

/// The record of a city as DB-IP's data is repackaged: flat, coordinates as 32-bit floats, the zone empty.
fn flat_city(country: &'static str, city: &'static str, lat: f32, lon: f32) -> Value {
    Value::Map(vec![
        ("city", Value::Text(city)),
        ("country_code", Value::Text(country)),
        ("latitude", Value::Float(lat)),
        ("longitude", Value::Float(lon)),
        ("state1", Value::Text("California")),
        ("timezone", Value::Text("")),
    ])
}

#[test]
fn a_flat_city_file_gives_the_city() {
    let rows = vec![
        ("8.8.8.0/24", flat_city("US", "Mountain View", 37.422, -122.085)),
        ("1.1.1.0/24", flat_city("AU", "Sydney", f32::NAN, 151.2)),
        ("9.9.9.0/24", flat_city("US", "Nowhere", 0.0, 0.0)),
    ];
    let atlas = opened("city.mmdb", &write("city ipv4", 4, rows)).expect("a known layout");
    let found = place(&atlas, "8.8.8.8").found().expect("Mountain View");
    assert_eq!((found.country.as_str(), found.region.as_deref()), ("US", Some("California")));
    assert_eq!(found.city.as_deref(), Some("Mountain View"));
    assert!((found.lat - 37.422).abs() < 1e-4 && (found.lon + 122.085).abs() < 1e-4, "{found:?}");
    assert_eq!((found.radius_km, found.time_zone), (geoip::CITY_RADIUS_KM, None));

    // A point that is none costs the point, not the country or the city's name.
    for (ip, country, radius_km) in [("1.1.1.1", "AU", 3915.0), ("9.9.9.9", "US", 7360.0)] {
        let found = place(&atlas, ip).found().expect("a country");
        assert_eq!((found.country.as_str(), found.radius_km), (country, radius_km), "{ip}");
        assert!(found.city.is_some());
    }
    // A file of IPv4 has no answer for IPv6. It is not broken.
    assert_eq!(place(&atlas, "2001:4860:4860::8888"), Known::Absent);
    assert!(atlas.sources()[0].warnings.iter().any(|warning| warning.contains("IPv4 only")));
    assert_eq!(atlas.sources()[0].kind, SourceKind::City);
}

#[test]
fn a_flat_country_file_gives_the_country() {
    let country = |code| Value::Map(vec![("country_code", Value::Text(code))]);
    let rows = vec![
        ("8.8.8.0/24", country("us")),
        ("5.0.0.0/8", country("EU")),
        ("6.0.0.0/8", country("QQ")),
        ("7.0.0.0/8", country("Canada")),
        ("2a00::/16", country("DE")),
    ];
    let atlas = opened("country.mmdb", &write("country ipvAll", 6, rows)).expect("a known layout");
    assert_eq!(place(&atlas, "8.8.8.8").found().map(|place| place.country.to_string()).as_deref(), Some("US"));
    assert_eq!(place(&atlas, "2a00::1").found().map(|place| place.country.to_string()).as_deref(), Some("DE"));
    // Not a country, so no answer; not a code, so not readable; a code nobody knows is a country that may be anywhere.
    assert_eq!(place(&atlas, "5.1.1.1"), Known::Absent);
    assert!(matches!(place(&atlas, "7.1.1.1"), Known::Failed(failure) if failure.reason.contains("Canada")));
    assert_eq!(place(&atlas, "6.1.1.1").found().map(|place| place.radius_km), Some(20_038.0));
}

#[test]
fn maxminds_layout_is_taken_from_other_makers_too() {
    let record = Value::Map(vec![
        ("country", Value::Map(vec![("iso_code", Value::Text("NZ"))])),
        ("city", Value::Map(vec![("names", Value::Map(vec![("en", Value::Text(" Auck\u{7}land "))]))])),
        ("location", Value::Map(vec![("latitude", Value::Float(-36.85)), ("longitude", Value::Double(174.76))])),
    ]);
    let anycast = Value::Map(vec![
        ("country", Value::Map(vec![("iso_code", Value::Text("NZ"))])),
        ("city", Value::Map(vec![("names", Value::Map(vec![("en", Value::Text("Auckland"))]))])),
        ("location", Value::Map(vec![("latitude", Value::Double(-36.85)), ("longitude", Value::Double(174.76))])),
        ("traits", Value::Map(vec![("is_anycast", Value::Bool(true))])),
    ]);
    let registered = Value::Map(vec![("registered_country", Value::Map(vec![("iso_code", Value::Text("NZ"))]))]);
    let rows = vec![("8.8.8.0/24", record), ("9.9.9.0/24", anycast), ("7.7.7.0/24", registered)];
    let atlas = opened("db.mmdb", &write("DBIP-City-Lite", 6, rows)).expect("a known layout");
    let found = place(&atlas, "8.8.8.8").found().expect("Auckland");
    assert_eq!((found.city.as_deref(), found.radius_km), (Some("Auckland"), geoip::CITY_RADIUS_KM));
    let found = place(&atlas, "9.9.9.9").found().expect("New Zealand");
    assert_eq!((found.city, found.radius_km), (None, 4375.0), "an anycast address is in no city");
    assert_eq!(place(&atlas, "7.7.7.7"), Known::Absent, "where a network is registered is not where it is");
}

#[test]
fn a_file_may_bring_several_kinds_of_fields() {
    let record = Value::Map(vec![
        ("country_code", Value::Text("NZ")),
        ("autonomous_system_number", Value::Uint(64_500)),
        ("is_hosting_provider", Value::Bool(true)),
    ]);
    let atlas = opened("own.mmdb", &write("our own", 6, vec![("8.8.8.0/24", record)])).expect("known fields");
    let located = atlas.locate("8.8.8.8".parse().expect("an address"));
    assert_eq!((located.network.asn, located.network.hosting), (Known::Found(64_500), Known::Found(true)));
    assert_eq!(located.place.found().map(|place| place.country.to_string()).as_deref(), Some("NZ"));
}

#[test]
fn an_unknown_layout_is_refused_with_what_was_seen() {
    let record = || Value::Map(vec![("owner", Value::Text("x")), ("nation", Value::Text("US"))]);
    let message = refusal("odd.mmdb", &write("Acme-Nations", 6, vec![("8.8.8.0/24", record())]));
    for part in ["`odd.mmdb`", "`Acme-Nations`", "`nation`, `owner`", "`country.iso_code`", "`country_code`"] {
        assert!(message.contains(part), "{part} missing in: {message}");
    }
    // Another file under a known name: half an answer would look like a whole one.
    let message = refusal("GeoLite2-City.mmdb", &write("GeoLite2-City", 6, vec![("8.8.8.0/24", record())]));
    assert!(message.contains("`GeoLite2-City.mmdb` says it is `GeoLite2-City`"), "{message}");
    assert!(
        message.contains("no sampled record has `country.iso_code`; its records have `nation`, `owner`"),
        "{message}"
    );
    let empty = refusal("empty.mmdb", &write("Acme", 6, vec![]));
    assert!(empty.contains("its records have no named field"), "{empty}");
}

#[test]
fn files_that_are_no_database_and_no_list_say_what_to_do() {
    for (name, bytes, expected) in [
        (
            "GeoLite2-City.tar.gz",
            b"\x1f\x8b\x08\0".as_slice(),
            "`GeoLite2-City.tar.gz` is gzip-compressed; unpack it first",
        ),
        ("db.zip", b"PK\x03\x04".as_slice(), "`db.zip` is a zip archive; unpack it first"),
        ("db.bin", b"\xff\xfe\0\0".as_slice(), "`db.bin` is neither an MMDB nor text"),
        ("db.mmdb", b"<html>not found</html>".as_slice(), "`db.mmdb` is not a usable MMDB"),
    ] {
        let message = refusal(name, bytes);
        assert!(message.contains(expected), "{message}");
    }
    let missing = Atlas::open_only(&[PathBuf::from("no/such.mmdb")]).expect_err("missing").to_string();
    assert!(missing.starts_with("cannot read `no/such.mmdb`: "), "{missing}");
}

#[test]
fn maxminds_files_of_other_kinds_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/maxmind/test-data");
    for name in [
        "GeoIP2-Connection-Type-Test",
        "GeoIP2-DensityIncome-Test",
        "GeoIP2-Domain-Test",
        "GeoIP2-Static-IP-Score-Test",
        "GeoIP2-User-Count-Test",
        "GeoIP-Residential-Proxy-Test",
        "MaxMind-DB-string-value-entries",
        "MaxMind-DB-test-decoder",
        "MaxMind-DB-test-ipv4-24",
        "MaxMind-DB-test-mixed-32",
        "MaxMind-DB-test-nested",
        "MaxMind-DB-no-ipv4-search-tree",
        "MaxMind-DB-test-metadata-pointers",
        "MaxMind-DB-test-pointer-decoder",
    ] {
        let refused = verify(&folder.join(format!("{name}.mmdb")));
        assert!(matches!(refused, Err(OpenError::UnknownLayout { .. })), "{name}: {refused:?}");
    }
}

#[test]
fn maxminds_files_of_known_kinds_are_taken_without_a_warning() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/maxmind/test-data");
    for (name, kind) in [
        ("GeoIP2-City-Test", SourceKind::City),
        ("GeoIP2-City-Shield-Test", SourceKind::City),
        ("GeoLite2-City-Test", SourceKind::City),
        ("GeoIP2-Enterprise-Test", SourceKind::City),
        ("GeoIP2-Enterprise-Shield-Test", SourceKind::City),
        ("GeoIP2-Precision-Enterprise-Test", SourceKind::City),
        ("GeoIP2-Precision-Enterprise-Shield-Test", SourceKind::City),
        ("GeoIP2-Country-Test", SourceKind::Country),
        ("GeoIP2-Country-Shield-Test", SourceKind::Country),
        ("GeoLite2-Country-Test", SourceKind::Country),
        ("GeoLite2-ASN-Test", SourceKind::Network),
        ("GeoIP2-ISP-Test", SourceKind::Network),
        ("GeoIP2-Anonymous-IP-Test", SourceKind::Network),
        ("GeoIP-Anonymous-Plus-Test", SourceKind::Network),
        ("GeoIP2-IP-Risk-Test", SourceKind::Network),
    ] {
        let info = verify(&folder.join(format!("{name}.mmdb"))).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((info.kind, info.warnings.as_slice()), (kind, [].as_slice()), "{name}");
        assert!(info.networks.is_some_and(|networks| networks > 0) && info.build_date.is_some(), "{name}");
    }
}

/// Two to the power of 120 leaves in 120 nodes: read whole, this would outlast the sun.
#[test]
fn a_tree_folded_into_itself_is_not_walked_for_ever() {
    let country = Value::Map(vec![("country_code", Value::Text("US"))]);
    let atlas = opened("folded.mmdb", &write_folded("country", 120, Some(country))).expect("its records can be read");
    let warnings = &atlas.sources()[0].warnings;
    assert!(warnings.iter().any(|warning| warning.contains("more leaves than its nodes can have")), "{warnings:?}");
    let message = refusal("hollow.mmdb", &write_folded("country", 120, None));
    assert!(message.contains("no sampled record has `country_code`"), "{message}");
}
