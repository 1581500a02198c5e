//! Canonical addresses, and the ranges that are not the public Internet.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What kind of address it is, decided before any database is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Ordinary unicast on the Internet: the only scope that is looked up.
    Public,
    /// Inside an organisation: RFC 1918, unique local, and the unassigned site-local block.
    Private,
    /// This machine.
    Loopback,
    /// This link.
    LinkLocal,
    /// Between a provider and its customers (carrier-grade NAT).
    Carrier,
    /// For examples in texts. A database that places one of these is wrong.
    Documentation,
    /// For measuring devices in a laboratory.
    Benchmarking,
    /// A group of receivers; never a sender.
    Multicast,
    /// IPv4 and IPv6 carried in each other by a method whose relays are unknown (6to4, Teredo, local NAT64).
    Transition,
    /// Set aside for a protocol, for later, or for nobody.
    Reserved,
}

impl Scope {
    /// The scope of the canonical form of this address.
    pub fn of(ip: IpAddr) -> Scope {
        special_range(ip).map_or(Scope::Public, |range| range.scope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Public => "public",
            Scope::Private => "private",
            Scope::Loopback => "loopback",
            Scope::LinkLocal => "link-local",
            Scope::Carrier => "carrier",
            Scope::Documentation => "documentation",
            Scope::Benchmarking => "benchmarking",
            Scope::Multicast => "multicast",
            Scope::Transition => "transition",
            Scope::Reserved => "reserved",
        })
    }
}

/// The address a policy, a limiter or a look-up should see: an IPv4 address wherever one is written as IPv6.
///
/// | form | block | why |
/// |---|---|---|
/// | IPv4-mapped `::ffff:a.b.c.d` | `::ffff:0:0/96`, RFC 4291 §2.5.5.2 | what a dual-stack socket reports |
/// | IPv4-compatible `::a.b.c.d` | `::/96` but `::` and `::1`, RFC 4291 §2.5.5.1 | deprecated, still parsed |
/// | NAT64 `64:ff9b::a.b.c.d` | `64:ff9b::/96`, RFC 6052 | the well-known prefix names one IPv4 host |
///
/// 6to4 and Teredo addresses stay as they are: the IPv4 address inside belongs to a relay or a NAT, not to the person.
///
/// ```
/// let written_as_six: std::net::IpAddr = "::ffff:127.0.0.1".parse()?;
/// assert!(geoip::canonical(written_as_six).is_loopback());
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn canonical(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(six) => embedded(six).map_or(ip, IpAddr::V4),
    }
}

fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    if six.is_unspecified() || six.is_loopback() {
        return None;
    }
    let bits = six.to_bits();
    // The low 32 bits; the cast keeps exactly those.
    let four = Ipv4Addr::from_bits(bits as u32);
    match bits >> 32 {
        0 | 0xffff | 0x0064_ff9b_0000_0000_0000_0000 => Some(four),
        _ => None,
    }
}

/// One row of the registry: a block that is not the public Internet, and the document that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecialRange {
    /// First address of the block, in canonical form.
    pub network: IpAddr,
    /// Length of its prefix.
    pub prefix: u8,
    /// What it is for.
    pub scope: Scope,
    /// The registry's name for it.
    pub name: &'static str,
    /// The document that set it aside.
    pub rfc: &'static str,
}

/// The row that covers this address, if it is not public. The most specific row wins.
///
/// ```
/// let range = geoip::special_range("192.0.2.7".parse()?).expect("TEST-NET-1");
/// assert_eq!((range.name, range.rfc), ("Documentation (TEST-NET-1)", "RFC 5737"));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn special_range(ip: IpAddr) -> Option<&'static SpecialRange> {
    let ip = canonical(ip);
    let rows = match ip {
        IpAddr::V4(_) => IPV4,
        IpAddr::V6(_) => IPV6,
    };
    rows.iter().filter(|row| row.contains(ip)).max_by_key(|row| row.prefix)
}

/// Every row, IPv4 first.
pub fn special_ranges() -> impl Iterator<Item = &'static SpecialRange> {
    IPV4.iter().chain(IPV6)
}

impl SpecialRange {
    /// True if the canonical address lies in this block.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0);
                (network.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
                (network.to_bits() ^ ip.to_bits()) & mask == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

const fn v4(o: [u8; 4], prefix: u8, scope: Scope, name: &'static str, rfc: &'static str) -> SpecialRange {
    SpecialRange { network: IpAddr::V4(Ipv4Addr::new(o[0], o[1], o[2], o[3])), prefix, scope, name, rfc }
}

const fn v6(s: [u16; 8], prefix: u8, scope: Scope, name: &'static str, rfc: &'static str) -> SpecialRange {
    let network = Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
    SpecialRange { network: IpAddr::V6(network), prefix, scope, name, rfc }
}

/// IANA IPv4 Special-Purpose Address Registry, with multicast added. Blocks the registry calls globally reachable
/// (the two anycast hosts, AS112, AMT) are here too: nobody signs in from them, so no database should place them.
const IPV4: &[SpecialRange] = &[
    v4([0, 0, 0, 0], 8, Scope::Reserved, "This network", "RFC 791"),
    v4([0, 0, 0, 0], 32, Scope::Reserved, "This host on this network", "RFC 1122"),
    v4([10, 0, 0, 0], 8, Scope::Private, "Private-Use", "RFC 1918"),
    v4([100, 64, 0, 0], 10, Scope::Carrier, "Shared Address Space", "RFC 6598"),
    v4([127, 0, 0, 0], 8, Scope::Loopback, "Loopback", "RFC 1122"),
    v4([169, 254, 0, 0], 16, Scope::LinkLocal, "Link Local", "RFC 3927"),
    v4([172, 16, 0, 0], 12, Scope::Private, "Private-Use", "RFC 1918"),
    v4([192, 0, 0, 0], 24, Scope::Reserved, "IETF Protocol Assignments", "RFC 6890"),
    v4([192, 0, 0, 0], 29, Scope::Transition, "IPv4 Service Continuity Prefix", "RFC 7335"),
    v4([192, 0, 0, 8], 32, Scope::Reserved, "IPv4 dummy address", "RFC 7600"),
    v4([192, 0, 0, 9], 32, Scope::Reserved, "Port Control Protocol Anycast", "RFC 7723"),
    v4([192, 0, 0, 10], 32, Scope::Reserved, "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    v4([192, 0, 0, 170], 32, Scope::Transition, "NAT64/DNS64 Discovery", "RFC 7050"),
    v4([192, 0, 0, 171], 32, Scope::Transition, "NAT64/DNS64 Discovery", "RFC 7050"),
    v4([192, 0, 2, 0], 24, Scope::Documentation, "Documentation (TEST-NET-1)", "RFC 5737"),
    v4([192, 31, 196, 0], 24, Scope::Reserved, "AS112-v4", "RFC 7535"),
    v4([192, 52, 193, 0], 24, Scope::Reserved, "AMT", "RFC 7450"),
    v4([192, 88, 99, 0], 24, Scope::Transition, "Deprecated (6to4 Relay Anycast)", "RFC 7526"),
    v4([192, 88, 99, 2], 32, Scope::Transition, "6a44-relay anycast address", "RFC 6751"),
    v4([192, 168, 0, 0], 16, Scope::Private, "Private-Use", "RFC 1918"),
    v4([192, 175, 48, 0], 24, Scope::Reserved, "Direct Delegation AS112 Service", "RFC 7534"),
    v4([198, 18, 0, 0], 15, Scope::Benchmarking, "Benchmarking", "RFC 2544"),
    v4([198, 51, 100, 0], 24, Scope::Documentation, "Documentation (TEST-NET-2)", "RFC 5737"),
    v4([203, 0, 113, 0], 24, Scope::Documentation, "Documentation (TEST-NET-3)", "RFC 5737"),
    v4([224, 0, 0, 0], 4, Scope::Multicast, "Multicast", "RFC 5771"),
    v4([233, 252, 0, 0], 24, Scope::Documentation, "Documentation (MCAST-TEST-NET)", "RFC 6676"),
    v4([240, 0, 0, 0], 4, Scope::Reserved, "Reserved", "RFC 1112"),
    v4([255, 255, 255, 255], 32, Scope::Reserved, "Limited Broadcast", "RFC 8190"),
];

/// IANA IPv6 Special-Purpose Address Registry, with multicast, the old site-local block, and three rows for what is
/// not delegated to anyone: global unicast is only `2000::/3`, so everything outside it is reserved.
/// The mapped, compatible and well-known NAT64 blocks are missing on purpose: [`canonical`] turns them into IPv4.
const IPV6: &[SpecialRange] = &[
    v6([0, 0, 0, 0, 0, 0, 0, 0], 3, Scope::Reserved, "Not global unicast", "RFC 4291"),
    v6([0x4000, 0, 0, 0, 0, 0, 0, 0], 2, Scope::Reserved, "Not global unicast", "RFC 4291"),
    v6([0x8000, 0, 0, 0, 0, 0, 0, 0], 1, Scope::Reserved, "Not global unicast", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 0], 128, Scope::Reserved, "Unspecified Address", "RFC 4291"),
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128, Scope::Loopback, "Loopback Address", "RFC 4291"),
    v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Scope::Transition, "IPv4-IPv6 Translation", "RFC 8215"),
    v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Scope::Reserved, "Discard-Only Address Block", "RFC 6666"),
    v6([0x100, 0, 0, 1, 0, 0, 0, 0], 64, Scope::Reserved, "Dummy IPv6 Prefix", "RFC 9780"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Scope::Reserved, "IETF Protocol Assignments", "RFC 2928"),
    v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 32, Scope::Transition, "TEREDO", "RFC 4380"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 1], 128, Scope::Reserved, "Port Control Protocol Anycast", "RFC 7723"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 2], 128, Scope::Reserved, "Traversal Using Relays around NAT Anycast", "RFC 8155"),
    v6([0x2001, 1, 0, 0, 0, 0, 0, 3], 128, Scope::Reserved, "DNS-SD Service Registration Protocol Anycast", "RFC 9665"),
    v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48, Scope::Benchmarking, "Benchmarking", "RFC 5180"),
    v6([0x2001, 3, 0, 0, 0, 0, 0, 0], 32, Scope::Reserved, "AMT", "RFC 7450"),
    v6([0x2001, 4, 0x112, 0, 0, 0, 0, 0], 48, Scope::Reserved, "AS112-v6", "RFC 7535"),
    v6([0x2001, 0x10, 0, 0, 0, 0, 0, 0], 28, Scope::Reserved, "Deprecated (previously ORCHID)", "RFC 4843"),
    v6([0x2001, 0x20, 0, 0, 0, 0, 0, 0], 28, Scope::Reserved, "ORCHIDv2", "RFC 7343"),
    v6([0x2001, 0x30, 0, 0, 0, 0, 0, 0], 28, Scope::Reserved, "Drone Remote ID Protocol Entity Tags", "RFC 9374"),
    v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Scope::Documentation, "Documentation", "RFC 3849"),
    v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Scope::Transition, "6to4", "RFC 3056"),
    v6([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48, Scope::Reserved, "Direct Delegation AS112 Service", "RFC 7534"),
    v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Scope::Documentation, "Documentation", "RFC 9637"),
    v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Scope::Reserved, "Segment Routing (SRv6) SIDs", "RFC 9602"),
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Scope::Private, "Unique-Local", "RFC 4193"),
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10, Scope::LinkLocal, "Link-Local Unicast", "RFC 4291"),
    v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Scope::Private, "Deprecated (previously site-local)", "RFC 3879"),
    v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Scope::Multicast, "Multicast", "RFC 4291"),
];
