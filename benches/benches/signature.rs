//! One approval costs one verification: ours beside the portable implementation.

use std::hint::black_box;

use challenge::keys::DeviceKey;
use challenge::signature::Signature;
use criterion::{Criterion, criterion_group, criterion_main};
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::pkcs8::EncodePublicKey as _;

fn verify(criterion: &mut Criterion) {
    let signing = p256::ecdsa::SigningKey::from_slice(&[7; 32]).expect("32 bytes of 7 are a key");
    let message = b"3a991a14-690c-492b-a5e5-02b9056a4b7d";
    let made: p256::ecdsa::Signature = signing.sign(message);
    let verifying = *signing.verifying_key();
    let spki = verifying.to_public_key_der().expect("a public key has a DER form");

    let key = DeviceKey::from_spki(spki.as_bytes()).expect("the peer's key is a P-256 key");
    let signature = Signature::from_der(made.to_der().as_bytes()).expect("the peer's signature is DER");
    assert!(key.verify(message, &signature).is_ok() && key.verify(b"another message", &signature).is_err());

    let mut group = criterion.benchmark_group("signature");
    group.bench_function("portable crate (p256)", |bench| {
        bench.iter(|| verifying.verify(black_box(message), &made).is_ok())
    });
    group.bench_function("device key (aws-lc-rs)", |bench| {
        bench.iter(|| key.verify(black_box(message), &signature).is_ok())
    });
    group.bench_function("device key, from the wire's base64", |bench| {
        let (key, signature) = (key.to_base64(), signature.to_base64());
        bench.iter(|| {
            let key = DeviceKey::from_base64(black_box(&key)).expect("it was encoded above");
            let signature = Signature::from_base64(black_box(&signature)).expect("it was encoded above");
            key.verify(message, &signature).is_ok()
        });
    });
    group.finish();
}

criterion_group!(benches, verify);
criterion_main!(benches);
