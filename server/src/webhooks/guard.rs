//! Where a webhook may go (T-51). Its URL is the operator's, but where its name leads is for whoever keeps its zone to
//! say: without this, a webhook is a way to make us knock inside our own network.
//!
//! Encrypted, to an allowed port, at an address of the public Internet. A name is looked up once for each attempt and what
//! was found is what is connected to, so that a second answer changes nothing; if any of its addresses is not public, none
//! is used.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};

use futures_util::future::BoxFuture;
use geoip::Scope;
use ipnet::IpNet;

use crate::config::{HookUrl, WebhooksConfig};

/// Finds the addresses of a name. A seam, so that a test can answer as a hostile zone would.
pub trait Resolve: Send + Sync {
    /// The addresses of this name or literal address, best first.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system's own resolver.
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.map(|found| found.ip()).collect()) })
    }
}

/// The operator's rules.
pub struct Guard {
    development: bool,
    ports: Vec<u16>,
    allowed: Vec<IpNet>,
}

/// Why we do not go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It is not encrypted.
    Plain,
    /// The port is not on the list.
    Port(u16),
    /// The name has no address.
    Nowhere,
    /// An address is not of the public Internet.
    Address(IpAddr, Scope),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::Plain => f.write_str("the URL is not https"),
            Refused::Port(port) => write!(f, "port {port} is not one of `webhooks.ports`"),
            Refused::Nowhere => f.write_str("the host has no address"),
            Refused::Address(ip, scope) => {
                write!(f, "the host's address {ip} is {scope}, and not in `webhooks.allowed_networks`")
            }
        }
    }
}

impl Guard {
    /// The rules of the configuration.
    pub fn new(config: &WebhooksConfig) -> Guard {
        Guard { development: config.development, ports: config.ports.clone(), allowed: config.allowed_networks.clone() }
    }

    /// Where to connect, given everything that the host's name led to: all of it, or nothing.
    pub fn admit(&self, url: &HookUrl, found: &[IpAddr]) -> Result<Vec<SocketAddr>, Refused> {
        if found.is_empty() {
            return Err(Refused::Nowhere);
        }
        let local = self.development && found.iter().all(|ip| Scope::of(*ip) == Scope::Loopback);
        if !url.encrypted && !local {
            return Err(Refused::Plain);
        }
        if !self.ports.contains(&url.port) && !local {
            return Err(Refused::Port(url.port));
        }
        let places = found.iter().map(|ip| match Scope::of(*ip) {
            Scope::Public => Ok(SocketAddr::new(*ip, url.port)),
            _ if local || self.is_allowed(*ip) => Ok(SocketAddr::new(*ip, url.port)),
            scope => Err(Refused::Address(*ip, scope)),
        });
        places.collect()
    }

    fn is_allowed(&self, ip: IpAddr) -> bool {
        let ip = geoip::canonical(ip);
        self.allowed.iter().any(|network| network.contains(&ip))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(development: bool, allowed: &[&str]) -> Guard {
        let allowed = allowed.iter().map(|text| text.parse().expect("a network")).collect();
        Guard::new(&WebhooksConfig { development, allowed_networks: allowed, ..WebhooksConfig::default() })
    }

    fn admits(guard: &Guard, url: &str, found: &[&str]) -> Result<usize, Refused> {
        let url = HookUrl::try_from(url.to_owned()).expect("a URL");
        let found: Vec<IpAddr> = found.iter().map(|text| text.parse().expect("an address")).collect();
        guard.admit(&url, &found).map(|places| places.len())
    }

    #[test]
    fn t51_only_public_addresses_are_admitted_however_they_are_written() {
        let guard = guard(false, &[]);
        for public in ["93.184.215.14", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
            assert_eq!(admits(&guard, "https://x.example/", &[public]), Ok(1), "{public}");
        }
        for special in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.170",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            // Mapped, compatible, NAT64 (well-known and local), 6to4, Teredo: an IPv4 address in another coat.
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "::10.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "100::1",
            "2001:db8::1",
            "2001:2::1",
            "2001:20::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
            "8000::1",
        ] {
            let answer = admits(&guard, "https://x.example/", &[special]);
            assert!(matches!(answer, Err(Refused::Address(..))), "{special}: {answer:?}");
            // One bad address among good ones spoils them all.
            assert!(admits(&guard, "https://x.example/", &["1.1.1.1", special]).is_err(), "{special}");
        }
        assert_eq!(admits(&guard, "https://x.example/", &[]), Err(Refused::Nowhere));
    }

    #[test]
    fn t51_encryption_and_port_are_required_but_of_this_machine_in_development() {
        let strict = guard(false, &[]);
        assert_eq!(admits(&strict, "http://x.example/", &["1.1.1.1"]), Err(Refused::Plain));
        assert_eq!(admits(&strict, "http://localhost:8080/", &["127.0.0.1"]), Err(Refused::Plain));
        for port in [22, 25, 6379, 8080] {
            assert_eq!(admits(&strict, &format!("https://x.example:{port}/"), &["1.1.1.1"]), Err(Refused::Port(port)));
        }
        let loose = guard(true, &[]);
        assert_eq!(admits(&loose, "http://localhost:8080/", &["127.0.0.1", "::1"]), Ok(2));
        assert_eq!(admits(&loose, "http://x.example/", &["1.1.1.1"]), Err(Refused::Plain));
        // A name that is partly this machine is none of ours.
        assert_eq!(admits(&loose, "http://x.example/", &["127.0.0.1", "1.1.1.1"]), Err(Refused::Plain));
        assert!(admits(&loose, "https://x.example/", &["127.0.0.1", "1.1.1.1"]).is_err());
        assert!(admits(&loose, "https://x.example/", &["10.0.0.1"]).is_err());
    }

    #[test]
    fn an_allowed_network_is_reached_in_any_spelling_and_no_other_is() {
        let guard = guard(false, &["10.1.2.0/24"]);
        for (ip, yes) in [("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("10.1.3.3", false), ("127.0.0.1", false)] {
            assert_eq!(admits(&guard, "https://hooks.internal/", &[ip]).is_ok(), yes, "{ip}");
        }
    }
}
