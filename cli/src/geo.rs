//! Where addresses are, for commands that work without a server.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::OnceLock;

use engine::Whereabouts;
use geoip::Atlas;

/// The `--geo` option.
#[derive(clap::Args)]
pub struct GeoFiles {
    /// MMDB files (GeoLite2, GeoIP2, DB-IP) or range lists, preferred over the bundled data
    #[arg(long = "geo", value_name = "FILE", num_args = 1..)]
    pub files: Vec<PathBuf>,
}

/// What answers where an address is.
pub struct Geo(OnceLock<Atlas>);

impl GeoFiles {
    /// Opens named files at once, so that a wrong one is an error; the bundled data waits for the first question,
    /// since many packs and tests ask none.
    pub fn open(&self) -> anyhow::Result<Geo> {
        if self.files.is_empty() {
            return Ok(Geo(OnceLock::new()));
        }
        Ok(Geo(OnceLock::from(Atlas::open(&self.files)?)))
    }
}

impl Geo {
    /// What an address alone tells.
    pub fn locate(&self, ip: IpAddr) -> Whereabouts {
        let (place, network) = server::enrich::place_of(ip, self.0.get_or_init(Atlas::bundled));
        Whereabouts { place, network }
    }
}
