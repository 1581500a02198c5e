//! The middle and the reach of each country.

use std::sync::LazyLock;

use crate::Country2;

/// One row of `geoip/data/countries.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Country {
    /// ISO 3166-1 alpha-2.
    pub code: Country2,
    /// English short name.
    pub name: &'static str,
    /// Degrees north of the centroid of the largest part.
    pub lat: f64,
    /// Degrees east of it.
    pub lon: f64,
    /// From there to the farthest point of any part, with a margin: the whole country lies inside.
    ///
    /// Parts that have a code of their own are not counted (French Guiana is `GF`), all others are: Hawaii makes the
    /// radius of the United States 7,360 km. A fix on such a country proves little, and the radius says so.
    pub radius_km: f64,
    /// Square kilometres.
    pub area_km2: f64,
    /// The IANA zone, if the country has exactly one.
    pub time_zone: Option<&'static str>,
}

/// Half the circumference: no two points on Earth are farther apart.
pub(crate) const ANYWHERE_KM: f64 = 20_038.0;

/// The row of this country, or `None` for a code that is not in use.
///
/// ```
/// let france = geoip::country("FR".parse()?).expect("in use");
/// assert!((france.lat - 46.57).abs() < 0.01 && france.radius_km == 835.0);
/// # Ok::<(), geoip::NotACountry>(())
/// ```
pub fn country(code: Country2) -> Option<&'static Country> {
    let rows = countries();
    rows.binary_search_by_key(&code, |row| row.code).ok().and_then(|at| rows.get(at))
}

/// Every country, in the order of the codes.
pub fn countries() -> &'static [Country] {
    static ROWS: LazyLock<Vec<Country>> = LazyLock::new(|| {
        let mut rows: Vec<Country> = include_str!("../data/countries.csv").lines().skip(1).filter_map(row).collect();
        rows.sort_by_key(|row| row.code);
        rows
    });
    &ROWS
}

/// The file is ours, made by `countries.py`; a test insists that no row is lost here.
fn row(line: &'static str) -> Option<Country> {
    let mut cells = line.split(',');
    Some(Country {
        code: cells.next()?.parse().ok()?,
        name: cells.next()?,
        lat: cells.next()?.parse().ok()?,
        lon: cells.next()?.parse().ok()?,
        radius_km: cells.next()?.parse().ok()?,
        area_km2: cells.next()?.parse().ok()?,
        time_zone: cells.next().filter(|zone| !zone.is_empty()),
    })
}
