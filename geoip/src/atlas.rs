//! Several files, one answer.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::bundled;
use crate::fields::{coarsened, network, place, unlisted, unreadable};
use crate::layout::{Layout, PlaceLayout};
use crate::located::{GeoLookup, Located, Network, Place};
use crate::mmdb::{Mmdb, sha256_hex};
use crate::ranges::{Kinds, RangeList};
use crate::{Known, OpenError, Scope, SourceInfo, SourceKind, canonical};

/// No file larger than this is read: commercial city databases have an eighth of it.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// Everything the operator knows about addresses, in memory and unchanging.
///
/// Cloning is cheap, and an atlas never changes: to take new files, open a new one and swap it in whole.
/// A file that does not open leaves the old atlas untouched.
#[derive(Clone)]
pub struct Atlas(Arc<Sources>);

struct Sources {
    /// Files with places, the finest first.
    places: Vec<Arc<Mmdb>>,
    /// Files with autonomous systems or flags.
    networks: Vec<Arc<Mmdb>>,
    /// Lists, each with the kinds it is asked for.
    lists: Vec<(Arc<RangeList>, Kinds)>,
    infos: Vec<SourceInfo>,
    digest: Arc<str>,
}

impl Atlas {
    /// The data that comes with the program: countries, and hosting, VPN and Tor ranges.
    pub fn bundled() -> Atlas {
        Draft::default().filled_from_bundle().finished()
    }

    /// The operator's files. The bundled data answers only what none of them covers: places if no file has places,
    /// hosting, VPN and Tor each if no file lists them.
    ///
    /// An MMDB is told from a list by its content. Where several files have places, those with cities are asked
    /// first, then in the order given.
    pub fn open(files: &[PathBuf]) -> Result<Atlas, OpenError> {
        Ok(Draft::read(files)?.filled_from_bundle().finished())
    }

    /// The operator's files and nothing else.
    pub fn open_only(files: &[PathBuf]) -> Result<Atlas, OpenError> {
        Ok(Draft::read(files)?.finished())
    }

    /// Everything known about this address.
    ///
    /// Only a public address is looked up; any other is told from the tables of [`special_range`](crate::special_range).
    /// An address that [hides the position](Network::hides_position) of its user keeps the country and loses the city.
    pub fn locate(&self, ip: IpAddr) -> Located {
        let ip = canonical(ip);
        match Scope::of(ip) {
            Scope::Public => {}
            scope => return Located { place: Known::Absent, network: Network::unknown(scope) },
        }
        let network = self.network(ip);
        let place = self.place(ip);
        let place = if network.hides_position() { place.map(coarsened) } else { place };
        Located { place, network }
    }

    /// The files, in the order they are asked.
    pub fn sources(&self) -> &[SourceInfo] {
        &self.0.infos
    }

    /// One digest over the digests of all files: what an audit entry keeps to say which data was used.
    pub fn digest(&self) -> &Arc<str> {
        &self.0.digest
    }

    fn place(&self, ip: IpAddr) -> Known<Place> {
        self.0.places.iter().fold(Known::Absent, |known, file| known.or_else(|| place_in(file, ip)))
    }

    fn network(&self, ip: IpAddr) -> Network {
        let from_files = self.0.networks.iter().map(|file| network_in(file, ip));
        let from_lists = self.0.lists.iter().map(|(list, kinds)| list.network(ip, *kinds));
        from_files.chain(from_lists).fold(Network::unknown(Scope::Public), both)
    }
}

impl GeoLookup for Atlas {
    fn locate(&self, ip: IpAddr) -> Located {
        Atlas::locate(self, ip)
    }
}

impl std::fmt::Debug for Atlas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Atlas").field(&self.0.infos).finish()
    }
}

/// Opens one file and reads every record of it, whatever its size: what `stepup geoip verify FILE` shows.
pub fn verify(file: &Path) -> Result<SourceInfo, OpenError> {
    Ok(match Source::read(file, true)? {
        Source::Mmdb(mmdb) => mmdb_info(&mmdb, Some(file.to_owned()), None),
        Source::List(list) => list_info(&list, Some(file.to_owned()), None),
    })
}

fn place_in(file: &Mmdb, ip: IpAddr) -> Known<Place> {
    match (file.layout.place, file.record(ip)) {
        (Some(layout), Known::Found(record)) => place(file, &record, layout),
        (_, Known::Failed(failure)) => Known::Failed(failure),
        (None, Known::Found(_)) | (_, Known::Absent) => Known::Absent,
    }
}

fn network_in(file: &Mmdb, ip: IpAddr) -> Network {
    match file.record(ip) {
        Known::Found(record) => network(file, &record, file.layout),
        Known::Absent => unlisted(file.layout),
        Known::Failed(failure) => unreadable(&failure, file.layout),
    }
}

/// Two sources' knowledge of one network: listings add up, names come from the first that has them.
fn both(first: Network, second: Network) -> Network {
    Network {
        scope: first.scope,
        asn: first.asn.or_else(|| second.asn),
        as_org: first.as_org.or_else(|| second.as_org),
        hosting: first.hosting.or(second.hosting),
        vpn: first.vpn.or(second.vpn),
        tor: first.tor.or(second.tor),
        provider: first.provider.or_else(|| second.provider),
    }
}

enum Source {
    Mmdb(Mmdb),
    List(RangeList),
}

impl Source {
    fn read(path: &Path, whole: bool) -> Result<Source, OpenError> {
        let bytes = read_file(path)?;
        let refused = |what, help| OpenError::NotAList { path: path.to_owned(), what, help };
        if is_mmdb(path, &bytes) {
            return Ok(Source::Mmdb(Mmdb::open(path, bytes, whole)?));
        }
        match bytes.as_slice() {
            [0x1f, 0x8b, ..] => Err(refused("gzip-compressed", "unpack it first with `gunzip` or `tar -xzf`")),
            [b'P', b'K', 3, 4, ..] => Err(refused("a zip archive", "unpack it first")),
            text => match std::str::from_utf8(text) {
                Ok(text) => Ok(Source::List(RangeList::parse(path, text)?)),
                Err(_) => Err(refused("neither an MMDB nor text", "give an `.mmdb` file or a list of ranges")),
            },
        }
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, OpenError> {
    let unreadable = |cause| OpenError::Unreadable { path: path.to_owned(), cause };
    let file = File::open(path).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(OpenError::TooLarge { path: path.to_owned(), bytes });
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    // The length above may be stale or meaningless (a pipe): the limit holds for what is read.
    file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(unreadable)?;
    Ok(content)
}

/// By its name, or by the marker that the format puts into its last 128 KiB.
fn is_mmdb(path: &Path, bytes: &[u8]) -> bool {
    const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
    let tail = bytes.get(bytes.len().saturating_sub(128 << 10)..).unwrap_or(bytes);
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mmdb"))
        || tail.windows(MARKER.len()).any(|window| window == MARKER)
}

/// An atlas being put together.
#[derive(Default)]
struct Draft {
    files: Vec<(Arc<Mmdb>, SourceInfo)>,
    lists: Vec<(Arc<RangeList>, Kinds, SourceInfo)>,
}

impl Draft {
    fn read(paths: &[PathBuf]) -> Result<Draft, OpenError> {
        let mut draft = Draft::default();
        for path in paths {
            match Source::read(path, false)? {
                Source::Mmdb(mmdb) => {
                    let info = mmdb_info(&mmdb, Some(path.clone()), None);
                    draft.files.push((Arc::new(mmdb), info));
                }
                Source::List(list) => {
                    let info = list_info(&list, Some(path.clone()), None);
                    draft.lists.push((Arc::new(list), Kinds::ALL, info));
                }
            }
        }
        Ok(draft)
    }

    fn filled_from_bundle(mut self) -> Draft {
        let has_flags = self.files.iter().any(|(file, _)| file.layout.flags.is_some());
        let covered = self.lists.iter().fold(Kinds::NONE, |covered, (list, _, _)| covered.with(list.kinds));
        let wanted = if has_flags { Kinds::NONE } else { Kinds::ALL.without(covered) };
        if let (true, Some(list)) = (wanted != Kinds::NONE, bundled::ranges()) {
            let info = list_info(&list, None, Some(bundled::RANGES_LICENCE));
            self.lists.push((list, wanted, info));
        }
        let has_places = self.files.iter().any(|(file, _)| file.layout.place.is_some());
        if let (false, Some(file)) = (has_places, bundled::country()) {
            let info = mmdb_info(&file, None, Some(bundled::COUNTRY_LICENCE));
            self.files.push((file, info));
        }
        self
    }

    fn finished(mut self) -> Atlas {
        self.files.sort_by_key(|(_, info)| match info.kind {
            SourceKind::City => 0,
            SourceKind::Country => 1,
            SourceKind::Network | SourceKind::Ranges => 2,
        });
        let answering = |asked: fn(Layout) -> bool| -> Vec<Arc<Mmdb>> {
            self.files.iter().map(|(file, _)| file).filter(|file| asked(file.layout)).cloned().collect()
        };
        let places = answering(|layout| layout.place.is_some());
        let networks = answering(|layout| layout.asn.is_some() || layout.flags.is_some());
        let infos: Vec<SourceInfo> =
            self.files.into_iter().map(|(_, info)| info).chain(self.lists.iter().map(|l| l.2.clone())).collect();
        let lists = self.lists.into_iter().map(|(list, kinds, _)| (list, kinds)).collect();
        let all_digests: String = infos.iter().map(|info| format!("{}\n", info.digest)).collect();
        let digest = sha256_hex(all_digests.as_bytes()).into();
        Atlas(Arc::new(Sources { places, networks, lists, infos, digest }))
    }
}

fn mmdb_info(file: &Mmdb, path: Option<PathBuf>, licence: Option<&'static str>) -> SourceInfo {
    let kind = match file.layout.place {
        Some(PlaceLayout::Nested { fine: true } | PlaceLayout::Flat { fine: true }) => SourceKind::City,
        Some(PlaceLayout::Nested { fine: false } | PlaceLayout::Flat { fine: false }) => SourceKind::Country,
        None => SourceKind::Network,
    };
    SourceInfo {
        name: file.name.clone(),
        kind,
        path,
        build_date: file.built,
        networks: file.networks,
        digest: file.digest.clone(),
        licence,
        warnings: file.warnings.clone(),
    }
}

fn list_info(list: &RangeList, path: Option<PathBuf>, licence: Option<&'static str>) -> SourceInfo {
    let undated = "it has no `# date: YYYY-MM-DD` line; the age of the data is unknown";
    SourceInfo {
        name: list.name.clone(),
        kind: SourceKind::Ranges,
        path,
        build_date: list.built,
        networks: Some(list.ranges),
        digest: list.digest.clone(),
        licence,
        warnings: list.built.is_none().then(|| undated.to_owned()).into_iter().collect(),
    }
}
