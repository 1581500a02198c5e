//! Where is this address? The atlas with everything it adds, beside the bare database reader.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use benches::dice::Dice;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use geoip::Atlas;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../geoip/data/iptoasn-country.mmdb");

fn addresses() -> Vec<IpAddr> {
    let mut dice = Dice(0x6E0);
    (0..4096).map(|_| IpAddr::V4(Ipv4Addr::from(dice.roll() as u32))).collect()
}

fn locate(criterion: &mut Criterion) {
    let addresses = addresses();
    let mut group = criterion.benchmark_group("geo");
    group.throughput(Throughput::Elements(addresses.len() as u64));

    let reader = geo_peer::Reader::open_readfile(FILE).expect("the bundled database is in the checkout");
    let path = [geo_peer::PathElement::Key("country_code")];
    group.bench_function("bare reader, country", |bench| {
        bench.iter(|| {
            for ip in &addresses {
                let found = reader.lookup(*ip).and_then(|found| found.decode_path::<&str>(&path));
                black_box(found).ok();
            }
        });
    });

    let atlas = Atlas::bundled();
    group.bench_function("atlas: place, network, scope", |bench| {
        bench.iter(|| {
            for ip in &addresses {
                black_box(atlas.locate(*ip));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, locate);
criterion_main!(benches);
