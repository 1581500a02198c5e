//! Every block of the IANA special-purpose registries: its first, its last, and the addresses just outside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use geoip::{Atlas, Known, Scope, canonical, special_range, special_ranges};
use ipnet::IpNet;
use proptest::prelude::*;

/// The registries as text, kept apart from the table in the code: block, scope, RFC.
const REGISTRY: &str = include_str!("data/special_ranges.tsv");

fn rows() -> Vec<(IpNet, &'static str, &'static str)> {
    let lines = REGISTRY.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [block, scope, rfc] => (block.parse().expect("a block"), scope, rfc),
            _ => panic!("three cells: `{line}`"),
        })
        .collect()
}

#[test]
fn every_block_of_the_registry_has_its_scope_and_its_document() {
    let atlas = Atlas::bundled();
    let mut tried = 0;
    for (block, scope, rfc) in rows() {
        // A block inside a block has a row of its own; the first and last address are checked for the innermost.
        for ip in [block.network(), block.broadcast()] {
            let innermost = rows().into_iter().filter(|row| row.0.contains(&ip)).max_by_key(|row| row.0.prefix_len());
            let (_, scope, rfc) = innermost.unwrap_or((block, scope, rfc));
            let range = special_range(ip).unwrap_or_else(|| panic!("{ip} of {block} counts as public"));
            assert_eq!((range.scope.to_string().as_str(), range.rfc), (scope, rfc), "{ip} of {block}");
            let located = atlas.locate(ip);
            assert_eq!(located.place, Known::Absent, "{ip} was looked up");
            assert_eq!(located.network.scope.to_string(), scope, "{ip}");
            tried += 1;
        }
    }
    assert!(tried > 100, "the registry was not read");
}

#[test]
fn the_code_has_no_block_that_the_registry_lacks() {
    for range in special_ranges() {
        let block = IpNet::new(range.network, range.prefix).expect("a valid prefix");
        assert!(rows().iter().any(|row| row.0 == block && row.2 == range.rfc), "{block} {}", range.rfc);
    }
    assert_eq!(special_ranges().count(), rows().len());
}

#[test]
fn the_neighbours_of_the_blocks_are_public() {
    for ip in [
        "1.0.0.0",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2000::",
        "2001:200::",
        "2001:db7:ffff::",
        "2001:db9::",
        "2003::",
        "2a00::1",
        "3ffe:ffff::",
        "3fff:1000::",
    ] {
        let ip: IpAddr = ip.parse().expect("an address");
        assert_eq!(Scope::of(ip), Scope::Public, "{ip}");
    }
}

proptest! {
    /// One address, one answer, however it is written.
    #[test]
    fn an_ipv4_address_written_as_ipv6_is_the_same_address(bits in any::<u32>()) {
        let atlas = Atlas::bundled();
        let four = Ipv4Addr::from_bits(bits);
        let plain = atlas.locate(four.into());
        prop_assert_eq!(&atlas.locate(four.to_ipv6_mapped().into()), &plain);
        let nat64 = Ipv6Addr::from_bits((0x0064_ff9b_u128 << 96) | u128::from(bits));
        prop_assert_eq!(&atlas.locate(nat64.into()), &plain);
        if bits > 1 {
            prop_assert_eq!(&atlas.locate(Ipv6Addr::from_bits(bits.into()).into()), &plain);
        }
    }

    #[test]
    fn the_canonical_form_is_canonical(bits in any::<u128>()) {
        let once = canonical(Ipv6Addr::from_bits(bits).into());
        prop_assert_eq!(canonical(once), once);
    }

    /// Outside 2000::/3 nothing is global unicast, so nothing is public.
    #[test]
    fn only_global_unicast_is_public(bits in any::<u128>()) {
        let ip = Ipv6Addr::from_bits(bits);
        if bits >> 125 != 1 && canonical(ip.into()).is_ipv6() {
            prop_assert_ne!(Scope::of(ip.into()), Scope::Public);
        }
    }
}
