//! Lists of ranges: which networks are hosting, VPN or Tor.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::fields::quote;
use crate::located::Network;
use crate::mmdb::sha256_hex;
use crate::{Known, OpenError, Scope, canonical};

/// A set of kinds: what a range is, or what a list can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub const NONE: Kinds = Kinds(0);
    pub const HOSTING: Kinds = Kinds(1);
    pub const VPN: Kinds = Kinds(2);
    pub const TOR: Kinds = Kinds(4);
    pub const ALL: Kinds = Kinds(7);

    pub fn has(self, kind: Kinds) -> bool {
        self.0 & kind.0 == kind.0
    }
    pub fn with(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
    pub fn without(self, other: Kinds) -> Kinds {
        Kinds(self.0 & !other.0)
    }

    /// The kind of this name. Lists of content networks and robots are known and not used.
    fn named(name: &str) -> Option<Kinds> {
        match name {
            "hosting" => Some(Kinds::HOSTING),
            "vpn" => Some(Kinds::VPN),
            "tor" => Some(Kinds::TOR),
            "cdn" | "bot" => Some(Kinds::NONE),
            _ => None,
        }
    }
}

/// Disjoint, sorted stretches of addresses with what they are; a look-up is one bisection.
pub(crate) struct RangeList {
    pub name: Arc<str>,
    pub digest: Arc<str>,
    /// The day its `# date:` line names.
    pub built: Option<Timestamp>,
    /// Lines taken.
    pub ranges: u64,
    /// The kinds it lists; of others it says nothing.
    pub kinds: Kinds,
    stretches: Vec<Stretch>,
    providers: Vec<Arc<str>>,
}

/// Addresses as numbers, IPv4 in its mapped block, so that one table holds both.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stretch {
    first: u128,
    last: u128,
    kinds: Kinds,
    /// Index into `providers`.
    provider: Option<u32>,
}

impl RangeList {
    /// Reads `cidr,kind,provider` lines, or a plain list whose kind is in the file's name.
    ///
    /// Empty lines, a `cidr,…` header and comments after `#` or `;` are skipped; a comment `# date: 2026-10-05` says
    /// how old the list is. A lone address stands for itself. Any other line is an error: half a list looks like a whole one.
    pub fn parse(path: &Path, text: &str) -> Result<RangeList, OpenError> {
        let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let mut list = Draft { kind_of_file: kind_in(&file_name), ..Draft::default() };
        let bad_line = |line: usize, reason| OpenError::BadLine { path: path.to_owned(), line: line + 1, reason };
        for (at, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            match list.take(line) {
                Ok(()) => {}
                Err(Refused::Line(reason)) => return Err(bad_line(at, reason)),
                Err(Refused::NoKind) => return Err(OpenError::UnknownKind { path: path.to_owned() }),
            }
        }
        let kinds = list.stretches.iter().fold(Kinds::NONE, |all, stretch| all.with(stretch.kinds));
        if kinds == Kinds::NONE {
            return Err(OpenError::EmptyList { path: path.to_owned() });
        }
        Ok(RangeList {
            name: file_name.into(),
            digest: sha256_hex(text.as_bytes()).into(),
            built: list.built,
            ranges: list.stretches.len() as u64,
            kinds,
            stretches: flattened(list.stretches),
            providers: list.providers,
        })
    }

    /// What the list says of a canonical address, for those of its kinds that are asked for.
    pub fn network(&self, ip: IpAddr, asked: Kinds) -> Network {
        let found = self.stretch(number(ip));
        let flag = |kind: Kinds| match (self.kinds.has(kind) && asked.has(kind), found) {
            (false, _) => Known::Absent,
            (true, None) => Known::Found(false),
            (true, Some(stretch)) => Known::Found(stretch.kinds.has(kind)),
        };
        let mut network = Network::unknown(Scope::Public);
        network.hosting = flag(Kinds::HOSTING);
        network.vpn = flag(Kinds::VPN);
        network.tor = flag(Kinds::TOR);
        if network.hides_position() {
            let name = found.and_then(|stretch| stretch.provider).and_then(|at| self.providers.get(at as usize));
            network.provider = name.map_or(Known::Absent, |name| Known::Found(name.to_string()));
        }
        network
    }

    fn stretch(&self, address: u128) -> Option<&Stretch> {
        let after = self.stretches.partition_point(|stretch| stretch.first <= address);
        self.stretches.get(after.checked_sub(1)?).filter(|stretch| address <= stretch.last)
    }
}

#[derive(Default)]
struct Draft {
    kind_of_file: Option<Kinds>,
    built: Option<Timestamp>,
    stretches: Vec<Stretch>,
    providers: Vec<Arc<str>>,
    provider_index: HashMap<Arc<str>, u32>,
}

/// A slip like `0.0.0.0/0` would make every address a VPN. No registry hands out larger blocks than these.
const LARGEST_V4_BLOCK: u128 = (1 << 24) - 1;
const LARGEST_V6_BLOCK: u128 = (1 << 116) - 1;

enum Refused {
    Line(String),
    NoKind,
}

impl Draft {
    fn take(&mut self, line: &str) -> Result<(), Refused> {
        let (line, comment) = match line.find(['#', ';']) {
            Some(at) => line.split_at(at),
            None => (line, ""),
        };
        if let Some(date) = comment.trim_start_matches(['#', ';', ' ']).strip_prefix("date:") {
            let date: Date = date.trim().parse().map_err(|_| {
                Refused::Line(format!("`{}` is not a date; write `# date: 2026-10-05`", quote(date.trim())))
            })?;
            self.built = TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok();
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with("cidr,") {
            return Ok(());
        }
        let mut cells = line.splitn(3, ',').map(str::trim);
        let cidr = cells.next().unwrap_or_default();
        let (first, last) = bounds(cidr).ok_or_else(|| {
            Refused::Line(format!("`{}` is no address or CIDR; write `192.0.2.0/24,hosting,Example`", quote(cidr)))
        })?;
        let largest = if is_mapped(first) { LARGEST_V4_BLOCK } else { LARGEST_V6_BLOCK };
        if last - first > largest {
            return Err(Refused::Line(format!(
                "`{}` covers far too much of the Internet to be one kind; the largest blocks taken are /8 and, in IPv6, /12",
                quote(cidr)
            )));
        }
        let kinds = match cells.next().filter(|kind| !kind.is_empty()) {
            Some(kind) => Kinds::named(kind).ok_or_else(|| {
                Refused::Line(format!(
                    "`{}` is no kind; kinds are hosting, vpn, tor (and cdn, bot, which are skipped)",
                    quote(kind)
                ))
            })?,
            None => self.kind_of_file.ok_or(Refused::NoKind)?,
        };
        if kinds == Kinds::NONE {
            return Ok(());
        }
        let provider = cells.next().map(|name| name.trim_matches('"')).filter(|name| !name.is_empty());
        let provider = provider.map(|name| self.provider(name));
        self.stretches.push(Stretch { first, last, kinds, provider });
        Ok(())
    }

    fn provider(&mut self, name: &str) -> u32 {
        if let Some(at) = self.provider_index.get(name) {
            return *at;
        }
        let shared: Arc<str> = name.chars().filter(|c| !c.is_control()).take(100).collect::<String>().into();
        // A list has fewer lines than u32 has numbers: files are at most a gibibyte.
        let at = self.providers.len() as u32;
        self.provider_index.insert(name.into(), at);
        self.providers.push(shared);
        at
    }
}

/// The kind a plain list's file name starts with or contains as a word: `tor-exits.txt`, `my_vpn.list`.
fn kind_in(file_name: &str) -> Option<Kinds> {
    let lower = file_name.to_ascii_lowercase();
    let mut words = lower.split(|c: char| !c.is_ascii_alphanumeric());
    words.find_map(Kinds::named).filter(|kinds| *kinds != Kinds::NONE)
}

/// The first and last number of a CIDR or a lone address; IPv4 written as IPv6 becomes IPv4 first.
fn bounds(text: &str) -> Option<(u128, u128)> {
    let net: IpNet = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => text.parse::<IpAddr>().ok()?.into(),
    };
    let (first, last) = (net.network(), net.broadcast());
    match (canonical(first), canonical(last)) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((number(first.into()), number(last.into()))),
        // A block that holds the whole mapped space, like ::/0, stays IPv6.
        _ => Some((raw(first), raw(last))),
    }
}

/// True for the number of an IPv4 address.
fn is_mapped(number: u128) -> bool {
    number >> 32 == 0xffff
}

fn raw(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

fn number(ip: IpAddr) -> u128 {
    raw(canonical(ip))
}

/// Disjoint stretches from blocks that may contain each other. Where blocks overlap, their kinds add up and the
/// smallest names the provider. CIDR blocks nest or are apart, so a stack of open blocks is enough.
fn flattened(mut blocks: Vec<Stretch>) -> Vec<Stretch> {
    // Outer before inner; of equal blocks the most telling kind (tor, then vpn) comes last and names the provider.
    blocks.sort_by_key(|block| (block.first, std::cmp::Reverse(block.last), block.kinds.0));
    let mut out = Sweep { stretches: Vec::with_capacity(blocks.len()), next: Some(0) };
    let mut open: Vec<Stretch> = Vec::new();
    for mut block in blocks {
        while let Some(top) = open.pop_if(|top| top.last < block.first) {
            out.emit(&top, top.last);
        }
        if let Some(outer) = open.last() {
            if let Some(before) = block.first.checked_sub(1) {
                out.emit(outer, before);
            }
            block.kinds = block.kinds.with(outer.kinds);
            block.provider = block.provider.or(outer.provider);
        }
        out.next = Some(block.first);
        open.push(block);
    }
    while let Some(top) = open.pop() {
        out.emit(&top, top.last);
    }
    out.stretches
}

struct Sweep {
    stretches: Vec<Stretch>,
    /// The first address not yet told; `None` past the last address there is.
    next: Option<u128>,
}

impl Sweep {
    /// Tells everything up to `last` as part of `block`, joined to the stretch before it if they say the same.
    fn emit(&mut self, block: &Stretch, last: u128) {
        let Some(first) = self.next.filter(|next| *next <= last) else { return };
        self.next = last.checked_add(1);
        match self.stretches.last_mut() {
            Some(before)
                if before.last.checked_add(1) == Some(first)
                    && (before.kinds, before.provider) == (block.kinds, block.provider) =>
            {
                before.last = last;
            }
            Some(_) | None => self.stretches.push(Stretch { first, last, ..*block }),
        }
    }
}

#[cfg(test)]
mod tests;
