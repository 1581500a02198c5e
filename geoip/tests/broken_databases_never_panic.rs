//! MaxMind's own broken files, one by one, and thousands of random changes to good ones.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use geoip::{Atlas, Known, OpenError, Precision, verify};
use maxminddb::Reader;
use tempfile::TempDir;

fn maxmind() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/maxmind")
}

/// What the reader below us says of the bytes, and what we make of it.
const BROKEN: &[(&str, &str, &str)] = &[
    ("bad-data/libmaxminddb/libmaxminddb-corrupt-search-tree", "opens", "unknown layout"),
    ("bad-data/libmaxminddb/libmaxminddb-deep-array-nesting", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-deep-nesting", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-empty-array-last-in-metadata", "opens", "unknown layout"),
    ("bad-data/libmaxminddb/libmaxminddb-empty-map-last-in-metadata", "opens", "unknown layout"),
    ("bad-data/libmaxminddb/libmaxminddb-metadata-marker-only", "error", "not usable"),
    ("bad-data/libmaxminddb/libmaxminddb-offset-integer-overflow", "error", "not usable"),
    ("bad-data/libmaxminddb/libmaxminddb-oversized-array", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-oversized-map", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-separator-record-max-left", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-separator-record-min-left", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-separator-record-min-right", "opens", "damaged"),
    ("bad-data/libmaxminddb/libmaxminddb-uint64-max-epoch", "error", "not usable"),
    ("bad-data/maxminddb-golang/cyclic-data-structure", "error", "not usable"),
    ("bad-data/maxminddb-golang/invalid-bytes-length", "error", "not usable"),
    ("bad-data/maxminddb-golang/invalid-data-record-offset", "error", "not usable"),
    ("bad-data/maxminddb-golang/invalid-map-key-length", "error", "not usable"),
    ("bad-data/maxminddb-golang/invalid-string-length", "error", "not usable"),
    ("bad-data/maxminddb-golang/metadata-is-an-uint128", "error", "not usable"),
    ("bad-data/maxminddb-golang/unexpected-bytes", "error", "not usable"),
    ("bad-data/maxminddb-python/bad-unicode-in-map-key", "opens", "damaged"),
    ("test-data/GeoIP2-City-Test-Broken-Double-Format", "opens", "taken"),
    ("test-data/GeoIP2-City-Test-Invalid-Node-Count", "error", "not usable"),
    ("test-data/MaxMind-DB-test-broken-pointers-24", "opens", "damaged"),
    ("test-data/MaxMind-DB-test-broken-search-tree-24", "opens", "damaged"),
];

#[test]
fn each_broken_file_is_refused_for_its_own_reason() {
    let mut wrong = Vec::new();
    for (name, reader, ours) in BROKEN {
        let path = maxmind().join(format!("{name}.mmdb"));
        let bytes = std::fs::read(&path).expect(name);
        let opened = if Reader::from_source(bytes).is_ok() { "opens" } else { "error" };
        let taken = match verify(&path) {
            Ok(_) => "taken",
            Err(OpenError::NotUsable { .. }) => "not usable",
            Err(OpenError::Damaged { .. }) => "damaged",
            Err(OpenError::UnknownLayout { .. }) => "unknown layout",
            Err(other) => panic!("{name}: {other}"),
        };
        if (opened, taken) != (*reader, *ours) {
            wrong.push(format!("{name}: {opened}, {taken}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn no_broken_file_of_the_set_is_forgotten() {
    let listed: BTreeSet<PathBuf> = BROKEN.iter().map(|(name, _, _)| maxmind().join(format!("{name}.mmdb"))).collect();
    let folders =
        ["libmaxminddb", "maxminddb-golang", "maxminddb-python"].map(|name| maxmind().join("bad-data").join(name));
    for folder in folders {
        for file in std::fs::read_dir(folder).expect("the test set") {
            let path = file.expect("an entry").path();
            assert!(listed.contains(&path), "{}", path.display());
        }
    }
}

#[test]
fn a_broken_coordinate_costs_the_position_and_not_the_country() {
    let path = maxmind().join("test-data/GeoIP2-City-Test-Broken-Double-Format.mmdb");
    let atlas = Atlas::open_only(std::slice::from_ref(&path)).expect("its countries can be read");
    let warnings = &atlas.sources()[0].warnings;
    assert!(warnings.iter().any(|warning| warning.contains("keep only their country")), "{warnings:?}");
    let place = atlas.locate("81.2.69.142".parse().expect("an address")).place.found().expect("a country");
    assert_eq!((place.country.as_str(), place.city.as_deref()), ("GB", Some("London")));
    assert_eq!((place.precision, place.radius_km), (Precision::Country, 865.0));
}

/// Half of a good file's records are made unreadable: their addresses are unknown, not "nowhere".
#[test]
fn a_record_that_cannot_be_read_is_failed_and_never_absent() {
    let folder = TempDir::new().expect("a folder");
    let good = maxmind().join("test-data/GeoIP2-Country-Test.mmdb");
    let bytes = std::fs::read(&good).expect("a good file");
    let london = "81.2.69.142".parse().expect("an address");
    let (mut failed, mut other) = (0, 0);
    // A wrong byte after another in the data section, each in a file of its own.
    let data_from = bytes.len() / 2;
    for at in (data_from..bytes.len()).step_by(97) {
        let mut broken = bytes.clone();
        broken[at] = 0xff;
        let path = folder.path().join("country.mmdb");
        std::fs::write(&path, broken).expect("a writable folder");
        let Ok(atlas) = Atlas::open_only(&[path]) else { continue };
        match atlas.locate(london).place {
            Known::Absent => panic!("byte {at}: an address the good file knows is said to be nowhere"),
            Known::Failed(failure) => {
                assert!(!failure.reason.is_empty());
                failed += 1;
            }
            Known::Found(_) => other += 1,
        }
    }
    assert!(failed + other > 10, "nearly every change was refused at the gate: {failed} failed, {other} found");
}

/// SplitMix64: enough randomness for choosing bytes, and the same everywhere for one seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % limit.max(1) as u64).expect("below a usize")
    }
}

/// `STEPUP_MUTATIONS=1000000` runs the long form, `STEPUP_SEED=…` repeats a run.
#[test]
fn no_change_to_a_good_file_panics() {
    let from_env = |name, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seed, rounds) = (from_env("STEPUP_SEED", 20_261_123), from_env("STEPUP_MUTATIONS", 2_000));
    println!("STEPUP_SEED={seed} STEPUP_MUTATIONS={rounds}");
    let mut dice = Dice(seed);

    let names = [
        "GeoIP2-City-Test",
        "GeoLite2-ASN-Test",
        "GeoIP-Anonymous-Plus-Test",
        "GeoIP2-Country-Test",
        "GeoIP2-Enterprise-Test",
    ];
    let good = names.map(|name| std::fs::read(maxmind().join(format!("test-data/{name}.mmdb"))).expect(name));
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("changed.mmdb");
    let (mut taken, mut refused) = (0_u64, 0_u64);

    for _ in 0..rounds {
        let mut bytes = good[dice.below(good.len())].clone();
        change(&mut bytes, &mut dice);
        std::fs::write(&path, &bytes).expect("a writable folder");
        match Atlas::open_only(std::slice::from_ref(&path)) {
            Ok(atlas) => {
                taken += 1;
                for _ in 0..16 {
                    let bits = dice.roll();
                    let four = Ipv4Addr::from_bits(bits as u32);
                    let six = Ipv6Addr::from_bits((0x2a02_u128 << 112) | u128::from(bits) << 48);
                    for ip in [IpAddr::V4(four), IpAddr::V6(six)] {
                        let _ = atlas.locate(ip);
                    }
                }
                for ip in ["81.2.69.142", "89.160.20.112", "2a02:d280::1", "1.128.0.1", "1.2.0.1"] {
                    if let Known::Found(place) = atlas.locate(ip.parse().expect("an address")).place {
                        assert!(
                            (-90.0..=90.0).contains(&place.lat) && (-180.0..=180.0).contains(&place.lon),
                            "{place:?}"
                        );
                        assert!(place.radius_km.is_finite() && place.radius_km > 0.0, "{place:?}");
                    }
                }
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().contains('\0'), "messages are text");
            }
        }
    }
    assert!(taken > rounds / 20 && refused > rounds / 20, "one-sided: {taken} taken, {refused} refused");
}

/// A few bytes flipped, a block overwritten, the end cut off, or the last bytes (the metadata) changed.
fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    match dice.below(4) {
        0 => {
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                bytes[at] ^= 1 << dice.below(8);
            }
        }
        1 => {
            let from = dice.below(bytes.len());
            let to = (from + 1 + dice.below(64)).min(bytes.len());
            bytes[from..to].iter_mut().for_each(|byte| *byte = dice.roll() as u8);
        }
        2 => bytes.truncate(dice.below(bytes.len())),
        _ => {
            let at = bytes.len() - 1 - dice.below(300);
            bytes[at] = dice.roll() as u8;
        }
    }
}
