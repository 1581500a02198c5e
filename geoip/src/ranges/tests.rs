//! The table against the definition: a block is listed by every line that contains it.

use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use proptest::prelude::*;

use super::*;

fn block() -> impl Strategy<Value = (IpNet, &'static str, u8)> {
    // A small space, so that blocks nest, touch and repeat.
    let four = (0_u32..=0xfff, 20_u8..=32).prop_map(|(low, length)| {
        IpNet::V4(Ipv4Net::new((0x0800_0000 | low).into(), length).expect("a length").trunc())
    });
    let six = (0_u128..=0xfff, 116_u8..=128).prop_map(|(low, length)| {
        IpNet::V6(Ipv6Net::new(((0x2a00_u128 << 112) | low).into(), length).expect("a length").trunc())
    });
    // The very last addresses: the sweep must not step past the end of the numbers.
    let last =
        (118_u8..=128).prop_map(|length| IpNet::V6(Ipv6Net::new(u128::MAX.into(), length).expect("a length").trunc()));
    let top =
        (24_u8..=32).prop_map(|length| IpNet::V4(Ipv4Net::new(u32::MAX.into(), length).expect("a length").trunc()));
    (
        prop_oneof![4 => four, 4 => six, 1 => last, 1 => top],
        prop::sample::select(vec!["hosting", "vpn", "tor"]),
        0_u8..4,
    )
}

fn address(block: &IpNet, salt: u128) -> IpAddr {
    match block {
        IpNet::V4(net) => IpAddr::V4((net.network().to_bits() ^ (salt as u32 & 0xff)).into()),
        IpNet::V6(net) => IpAddr::V6((net.network().to_bits() ^ (salt & 0xff)).into()),
    }
}

proptest! {
    #[test]
    fn a_look_up_finds_what_a_scan_of_the_lines_finds(
        blocks in prop::collection::vec(block(), 1..40),
        salts in prop::collection::vec(any::<u128>(), 40),
    ) {
        let text: String = blocks.iter().map(|(net, kind, provider)| format!("{net},{kind},P{provider}\n")).collect();
        let list = RangeList::parse(Path::new("x.csv"), &text).expect("a good list");
        prop_assert_eq!(list.ranges, blocks.len() as u64);

        let inside = blocks.iter().zip(&salts).map(|((net, _, _), salt)| address(net, *salt));
        let edges = blocks.iter().flat_map(|(net, _, _)| [net.network(), net.broadcast()]);
        for ip in inside.chain(edges) {
            let containing: Vec<_> = blocks.iter().filter(|(net, _, _)| net.contains(&ip)).collect();
            let listed = |kind: &str| containing.iter().any(|(_, k, _)| *k == kind);
            let stretch = list.stretch(number(ip));
            let kinds = stretch.map_or(Kinds::NONE, |stretch| stretch.kinds);
            prop_assert_eq!(kinds.has(Kinds::HOSTING), listed("hosting"), "{} hosting", ip);
            prop_assert_eq!(kinds.has(Kinds::VPN), listed("vpn"), "{} vpn", ip);
            prop_assert_eq!(kinds.has(Kinds::TOR), listed("tor"), "{} tor", ip);

            // The provider is one that a smallest containing block names.
            let smallest = containing.iter().map(|(net, _, _)| net.prefix_len()).max();
            let named = stretch.and_then(|stretch| stretch.provider).map(|at| list.providers[at as usize].to_string());
            let possible: Vec<String> =
                containing.iter().filter(|(net, _, _)| Some(net.prefix_len()) == smallest).map(|(_, _, p)| format!("P{p}")).collect();
            prop_assert!(named.map_or(possible.is_empty(), |named| possible.contains(&named)), "{} {:?}", ip, possible);
        }
    }

    #[test]
    fn stretches_are_sorted_and_apart(blocks in prop::collection::vec(block(), 1..60)) {
        let text: String = blocks.iter().map(|(net, kind, _)| format!("{net},{kind},\n")).collect();
        let list = RangeList::parse(Path::new("x.csv"), &text).expect("a good list");
        prop_assert!(list.stretches.iter().all(|stretch| stretch.first <= stretch.last));
        prop_assert!(list.stretches.windows(2).all(|pair| pair[0].last < pair[1].first));
    }

    /// Any text at all is a list or a refusal.
    #[test]
    fn no_text_panics(text in "(?s)[0-9a-f:./,#; \n\\PC]{0,200}") {
        let _ = RangeList::parse(Path::new("tor.txt"), &text);
    }
}
