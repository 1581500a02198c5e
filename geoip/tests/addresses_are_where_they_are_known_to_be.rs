//! Known addresses in the bundled data and in MaxMind's test files.

use std::path::PathBuf;

use geoip::{Atlas, Known, Located, Precision, Scope, SourceKind};

fn test_files(names: &[&str]) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/maxmind/test-data");
    names.iter().map(|name| folder.join(format!("{name}.mmdb"))).collect()
}

fn atlas(names: &[&str]) -> Atlas {
    Atlas::open_only(&test_files(names)).expect("good files")
}

fn locate(atlas: &Atlas, ip: &str) -> Located {
    atlas.locate(ip.parse().expect("an address"))
}

/// Country, region, city, radius and precision on one line; or why not.
fn told(located: &Located) -> String {
    match &located.place {
        Known::Absent => "absent".to_owned(),
        Known::Failed(failure) => format!("failed {failure}"),
        Known::Found(place) => format!(
            "{} {} {} {:.4} {:.4} ±{} {} {:?}",
            place.country,
            place.region.as_deref().unwrap_or("-"),
            place.city.as_deref().unwrap_or("-"),
            place.lat,
            place.lon,
            place.radius_km,
            place.time_zone.as_deref().unwrap_or("-"),
            place.precision
        ),
    }
}

#[test]
fn the_bundled_data_knows_countries() {
    let atlas = Atlas::bundled();
    for (ip, expected) in [
        ("8.8.8.8", "US - - 39.8887 -98.8219 ±7360 - Country"),
        ("1.1.1.1", "US - - 39.8887 -98.8219 ±7360 - Country"),
        ("2001:4860:4860::8888", "US - - 39.8887 -98.8219 ±7360 - Country"),
        ("81.2.69.142", "GB - - 53.8353 -2.4224 ±865 Europe/London Country"),
        ("89.160.20.112", "SE - - 62.4388 16.2573 ±850 Europe/Stockholm Country"),
        ("2a02:d280::1", "CZ - - 49.7370 15.3211 ±285 Europe/Prague Country"),
        // Written as IPv6, looked up as IPv4.
        ("::ffff:81.2.69.142", "GB - - 53.8353 -2.4224 ±865 Europe/London Country"),
        ("::81.2.69.142", "GB - - 53.8353 -2.4224 ±865 Europe/London Country"),
        ("64:ff9b::81.2.69.142", "GB - - 53.8353 -2.4224 ±865 Europe/London Country"),
        // Sydney University: 3,915 km hold all of Australia with Macquarie Island.
        ("129.78.5.8", "AU - - -25.6326 134.2061 ±3915 - Country"),
        // Documentation and private addresses are never looked up, though some databases place them.
        ("203.0.113.9", "absent"),
        ("10.1.2.3", "absent"),
        ("64:ff9b::10.1.2.3", "absent"),
        ("2002:5102:458e::1", "absent"),
    ] {
        assert_eq!(told(&locate(&atlas, ip)), expected, "{ip}");
    }
}

#[test]
fn the_bundled_ranges_know_tor_vpns_and_clouds() {
    let atlas = Atlas::bundled();
    for (ip, hosting, vpn, tor, provider) in [
        ("185.220.101.1", false, false, true, Some("Tor")),
        ("::ffff:185.220.101.1", false, false, true, Some("Tor")),
        ("140.82.121.4", true, false, false, Some("GitHub")),
        ("8.8.8.8", true, false, false, Some("Google")),
        ("2001:4860:4860::8888", true, false, false, Some("Google")),
        ("104.28.28.64", false, true, false, Some("Apple Private Relay")),
        ("81.2.69.142", false, false, false, None),
        ("2a02:d280::1", false, false, false, None),
    ] {
        let network = locate(&atlas, ip).network;
        assert_eq!(network.hosting, Known::Found(hosting), "{ip} hosting");
        assert_eq!(network.vpn, Known::Found(vpn), "{ip} vpn");
        assert_eq!(network.tor, Known::Found(tor), "{ip} tor");
        assert_eq!(network.provider.found().as_deref(), provider, "{ip} provider");
        assert_eq!(network.asn, Known::Absent, "no bundled file has numbers");
    }
}

#[test]
fn a_city_file_gives_the_city() {
    for file in ["GeoIP2-City-Test", "GeoLite2-City-Test", "GeoIP2-City-Shield-Test"] {
        let atlas = atlas(&[file]);
        for (ip, expected) in [
            ("81.2.69.142", "GB ENG London 51.5142 -0.0931 ±10 Europe/London City"),
            ("::ffff:81.2.69.142", "GB ENG London 51.5142 -0.0931 ±10 Europe/London City"),
            ("89.160.20.112", "SE E Linköping 58.4167 15.6167 ±76 Europe/Stockholm City"),
            // The file has some point in Czechia for it, but no city and no region: the whole country it is.
            ("2a02:d280::1", "CZ - - 49.7370 15.3211 ±285 Europe/Prague Country"),
            ("9.9.9.9", "absent"),
        ] {
            assert_eq!(told(&locate(&atlas, ip)), expected, "{ip} in {file}");
        }
    }
}

#[test]
fn enterprise_files_give_the_city_and_the_autonomous_system() {
    let atlas = atlas(&["GeoIP2-Enterprise-Test"]);
    let located = locate(&atlas, "89.160.20.112");
    assert_eq!(told(&located), "SE E Linköping 58.4167 15.6167 ±76 Europe/Stockholm City");
    assert_eq!(located.network.asn, Known::Found(29518));
    assert_eq!(located.network.as_org, Known::Found("Bredband2 AB".to_owned()));
}

#[test]
fn files_answer_for_each_other() {
    let all = ["GeoLite2-ASN-Test", "GeoIP2-Country-Test", "GeoIP2-City-Test", "GeoIP2-Anonymous-IP-Test"];
    let atlas = atlas(&all);

    // The city file is asked before the country file, whatever the order of the names.
    let linkoeping = locate(&atlas, "89.160.20.112");
    assert_eq!(told(&linkoeping), "SE E Linköping 58.4167 15.6167 ±76 Europe/Stockholm City");
    assert_eq!(linkoeping.network.asn, Known::Found(29518));
    assert_eq!(linkoeping.network.tor, Known::Found(false), "a list that does not have it says no");

    // Listed as Tor and VPN: the city is where the exit stands, not where the person is.
    let exit = locate(&atlas, "81.2.69.142");
    assert_eq!(told(&exit), "GB - - 53.8353 -2.4224 ±865 Europe/London Country");
    for flag in [&exit.network.tor, &exit.network.vpn, &exit.network.hosting] {
        assert_eq!(*flag, Known::Found(true));
    }
    assert_eq!(locate(&atlas, "1.128.0.1").network.asn, Known::Found(1221));

    let kinds: Vec<SourceKind> = atlas.sources().iter().map(|source| source.kind).collect();
    assert_eq!(kinds, [SourceKind::City, SourceKind::Country, SourceKind::Network, SourceKind::Network]);
}

#[test]
fn anonymous_plus_names_the_vpn() {
    let atlas = atlas(&["GeoIP-Anonymous-Plus-Test"]);
    let network = locate(&atlas, "1.2.0.1").network;
    assert_eq!((network.vpn, network.tor), (Known::Found(true), Known::Found(false)));
    assert_eq!(network.provider, Known::Found("foo".to_owned()));
    assert_eq!(locate(&atlas, "1.2.0.1").place, Known::Absent, "it has no places");
}

#[test]
fn the_bundled_data_fills_only_what_the_files_leave_open() {
    // A city file brings places; hosting, VPN and Tor still come from the bundle.
    let atlas = Atlas::open(&test_files(&["GeoIP2-City-Test"])).expect("a good file");
    assert_eq!(told(&locate(&atlas, "9.9.9.9")), "absent", "the city file answers for places, even with nothing");
    assert_eq!(locate(&atlas, "185.220.101.1").network.tor, Known::Found(true));
    // A file of flags replaces the bundled ranges, and countries still come from the bundle.
    let atlas = Atlas::open(&test_files(&["GeoIP2-Anonymous-IP-Test"])).expect("a good file");
    assert_eq!(locate(&atlas, "185.220.101.1").network.tor, Known::Found(false));
    assert_eq!(told(&locate(&atlas, "9.9.9.9")), "US - - 39.8887 -98.8219 ±7360 - Country");
}

#[test]
fn a_place_says_which_bytes_it_comes_from() {
    let atlas = atlas(&["GeoIP2-City-Test"]);
    let place = locate(&atlas, "81.2.69.142").place.found().expect("London");
    let source = &atlas.sources()[0];
    assert_eq!((&*place.source, &place.digest), ("GeoIP2-City", &source.digest));
    assert_eq!(place.precision, Precision::City);
    let bytes = std::fs::read(&test_files(&["GeoIP2-City-Test"])[0]).expect("readable");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(*source.digest, *hex);
}

#[test]
fn an_address_that_is_not_public_has_only_a_scope() {
    let network = locate(&Atlas::bundled(), "::ffff:127.0.0.1").network;
    assert_eq!(network.scope, Scope::Loopback);
    assert_eq!((network.tor, network.vpn, network.hosting), (Known::Absent, Known::Absent, Known::Absent));
}
