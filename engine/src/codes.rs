//! Closed sets: countries (ISO 3166-1 alpha-2) and currencies (ISO 4217).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The officially assigned ISO 3166-1 alpha-2 codes, and `XK` (Kosovo), which geo data bases use.
pub const COUNTRIES: &[&str] = &[
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB", "BD",
    "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY", "BZ", "CA",
    "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX", "CY", "CZ", "DE",
    "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA",
    "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK",
    "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP",
    "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT",
    "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS",
    "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ",
    "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS",
    "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST",
    "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW",
    "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT",
    "ZA", "ZM", "ZW",
];

/// What people say and ISO does not.
const CALLED: [(&str, &str); 14] = [
    ("usa", "US"),
    ("united states", "US"),
    ("uk", "GB"),
    ("united kingdom", "GB"),
    ("great britain", "GB"),
    ("south korea", "KR"),
    ("north korea", "KP"),
    ("russia", "RU"),
    ("vietnam", "VN"),
    ("laos", "LA"),
    ("turkey", "TR"),
    ("czech republic", "CZ"),
    ("ivory coast", "CI"),
    ("kosovo", "XK"),
];

/// A country, by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// The country with this code, exactly as written (upper case).
    #[must_use]
    pub fn parse(code: &str) -> Option<Country> {
        COUNTRIES.binary_search(&code).ok()?;
        Some(Country(code.as_bytes().try_into().ok()?))
    }

    /// The country that people call so, in English and in any case, if it is one: `New Zealand`, `south korea`.
    #[must_use]
    pub fn named(name: &str) -> Option<Country> {
        let name = name.trim().to_lowercase();
        if let Some((_, code)) = CALLED.iter().find(|(called, _)| *called == name) {
            return Country::parse(code);
        }
        let is_so = |code: &&&str| {
            let long = code.parse::<iso_country::Country>().map(|country| country.name().to_lowercase());
            // `Iran (Islamic Republic of)`, `Palestine, State of`
            long.is_ok_and(|long| long == name || long.split(['(', ',', '[']).next().map(str::trim_end) == Some(&*name))
        };
        let mut found = COUNTRIES.iter().filter(is_so);
        match (found.next(), found.next()) {
            (Some(code), None) => Country::parse(code),
            _ => None,
        }
    }

    fn read(code: &str) -> Option<Country> {
        if code == Country::UNSPECIFIED.code() { Some(Country::UNSPECIFIED) } else { Country::parse(code) }
    }

    /// No country in particular: `ZZ`, which ISO 3166-1 leaves to its users.
    pub const UNSPECIFIED: Country = Country(*b"ZZ");

    /// The two letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}

/// A currency, by its ISO 4217 code. Only currencies with a minor-unit exponent (or none at all,
/// like `XAU`, counted in whole units) can be amounts of money.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency with this code, exactly as written (upper case).
    #[must_use]
    pub fn parse(code: &str) -> Option<Currency> {
        iso_currency::Currency::from_code(code)?;
        Some(Currency(code.as_bytes().try_into().ok()?))
    }

    /// The three letters.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    fn read(code: &str) -> Option<Currency> {
        Currency::parse(code)
    }

    /// The code as a number, which is not zero.
    pub(crate) fn pack(self) -> u64 {
        let [a, b, c] = self.0.map(u64::from);
        a << 16 | b << 8 | c
    }

    /// What [`Currency::pack`] has made the number of; of zero, none.
    pub(crate) fn unpack(packed: u64) -> Option<Currency> {
        let [.., a, b, c] = packed.to_be_bytes();
        (packed != 0).then_some(Currency([a, b, c]))
    }

    /// How many decimals an amount has: 2 for EUR, 0 for JPY, 3 for KWD, 4 for CLF.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        iso_currency::Currency::from_code(self.code()).and_then(iso_currency::Currency::exponent).map_or(0, u32::from)
    }

    /// Every code, for suggestions.
    #[must_use]
    pub fn all() -> Vec<String> {
        let letters = || (b'A'..=b'Z').map(char::from);
        let pairs = letters().flat_map(|a| letters().map(move |b| (a, b)));
        let codes = pairs.flat_map(|(a, b)| letters().map(move |c| String::from_iter([a, b, c])));
        codes.filter(|code| iso_currency::Currency::from_code(code).is_some()).collect()
    }
}

macro_rules! written_as_its_code {
    ($type:ident, $what:literal) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.code())
            }
        }
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.code())
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let code = String::deserialize(deserializer)?;
                $type::read(&code).ok_or_else(|| D::Error::custom(format!(concat!("`{}` is not a ", $what), code)))
            }
        }
    };
}

written_as_its_code!(Country, "country");
written_as_its_code!(Currency, "currency");
