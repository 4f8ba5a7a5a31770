//! Texts with a form: names, durations, URLs, cron expressions.
//!
//! PURE. Each function answers with the value, or with what is wrong and what to do.

use std::time::Duration;

use super::problem::quote;
use crate::schedule::{Cron, DayMatch, zone};

/// Why a text is not a value of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// One sentence without a full stop.
    pub message: String,
    /// What to do.
    pub help: String,
    /// The text may hold a secret and must not be shown.
    pub secret: bool,
}

impl Wrong {
    pub(crate) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into(), secret: false }
    }
}

/// The longest duration: a year of 365 days.
const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Parses a duration: whole numbers with the units `h`, `m`, `s`, `ms`, from the largest to the
/// smallest, such as `1h30m`.
///
/// # Errors
/// For every other text. Days and weeks are refused because they are not of one length.
pub fn duration(text: &str) -> Result<Duration, Wrong> {
    let not = |why: &str, help: String| {
        Wrong::new(format!("{} is not a duration: {why}", quote(text)), help)
    };
    let usual = || "write it like `15m`, `24h`, `90s` or `1h30m`".to_owned();
    if text.starts_with('-') {
        return Err(not("it is negative", usual()));
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not("it has no unit", format!("write `{text}s`, `{text}m` or `{text}h`")));
    }
    const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut next = 0;
    while !rest.is_empty() || total.is_zero() && next == 0 {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let (unit, tail) = tail.split_at(letters);
        let Ok(number) = number.parse::<u64>() else {
            return Err(not("numbers and units must take turns", usual()));
        };
        if unit == "d" || unit == "w" {
            let hours = number.saturating_mul(if unit == "d" { 24 } else { 168 });
            let why = "days and weeks are not units, because a day is not always 24 hours long";
            return Err(not(why, format!("write `{hours}h`")));
        }
        let Some(at) = UNITS.iter().position(|(name, _)| *name == unit) else {
            return Err(not(&format!("{} is not a unit", quote(unit)), usual()));
        };
        if at < next {
            return Err(not("units go from the largest to the smallest, each once", usual()));
        }
        total = total.saturating_add(Duration::from_millis(number.saturating_mul(UNITS[at].1)));
        next = at + 1;
        rest = tail;
    }
    if total > MAX_DURATION {
        return Err(not("it is longer than a year", usual()));
    }
    Ok(total)
}

/// Checks a DNS-1123 label of at most `most` characters (RFC 1123, as Kubernetes reads it).
///
/// # Errors
/// If it is none.
pub fn label(text: &str, most: usize) -> Result<(), Wrong> {
    let wrong = |why: String| {
        let tame: String = text
            .to_lowercase()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(most)
            .collect();
        let tame = tame.trim_matches('-');
        let rule = format!(
            "use a-z, 0-9 and `-`, at most {most} characters, with a letter or digit at both ends"
        );
        let help = if tame.is_empty() || text.chars().count() > most || !text.is_ascii() {
            rule
        } else {
            format!("{rule}: `{tame}`")
        };
        Wrong::new(format!("{} is not a name: {why}", quote(text)), help)
    };
    if let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        let code = if c.is_ascii() { String::new() } else { format!(" (U+{:04X})", u32::from(c)) };
        return Err(wrong(format!("{}{code} is not allowed", quote(&c.to_string()))));
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Err(wrong("it begins or ends with `-`".to_owned()));
    }
    if text.len() > most {
        return Err(wrong(format!("it has {} characters", text.len())));
    }
    Ok(())
}

/// Checks a DNS-1123 subdomain of at most 253 characters: labels joined by dots.
///
/// # Errors
/// If it is none.
pub fn subdomain(text: &str) -> Result<(), Wrong> {
    let legal = text.len() <= 253
        && text.split('.').all(|part| !part.is_empty() && label(part, 253).is_ok());
    if legal {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} is not the name of a Kubernetes object", quote(text)),
        "use a-z, 0-9, `-` and `.`, at most 253 characters, with a letter or digit at both ends",
    ))
}

/// Checks a base URL: scheme, host, perhaps port and path; no user, query or fragment.
///
/// # Errors
/// If it is none. A URL with a user name may hold a password, so the answer does not repeat it.
pub fn url(text: &str, https_only: bool) -> Result<(), Wrong> {
    let example = if https_only { "https://127.0.0.1:6443" } else { "http://127.0.0.1:8080" };
    if text.contains('@') {
        return Err(Wrong {
            secret: true,
            ..Wrong::new(
                "this URL has a user name or a password",
                "a URL here has neither: secrets are read from files",
            )
        });
    }
    let wrong = |why: String| Err(Wrong::new(why, format!("write it like `{example}`")));
    let Ok(uri) = text.parse::<http::Uri>() else {
        return wrong(format!("{} is not a URL", quote(text)));
    };
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if !https_only => {}
        _ => {
            return wrong(format!(
                "{} does not begin with {}",
                quote(text),
                if https_only { "`https://`" } else { "`http://` or `https://`" }
            ));
        }
    }
    let Some(authority) = uri.authority() else {
        return wrong(format!("{} has no host", quote(text)));
    };
    let bad_port = authority.port().is_some_and(|port| port.as_u16() == 0)
        || authority.port().is_none() && authority.as_str() != authority.host();
    if authority.host().is_empty() || bad_port {
        return wrong(format!("{} has no legal host and port", quote(text)));
    }
    if uri.query().is_some() || text.contains('#') {
        return wrong(format!("{} has a query or a fragment", quote(text)));
    }
    Ok(())
}

/// Checks the path of a URL: begins with `/`, printable ASCII without blanks and fragment.
///
/// # Errors
/// If it is none.
pub fn url_path(text: &str) -> Result<(), Wrong> {
    let legal =
        text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if legal && text.parse::<http::uri::PathAndQuery>().is_ok() {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} is not the path of a URL", quote(text)),
        "begin it with `/`, and write other characters than ASCII as `%xx`",
    ))
}

/// How many: a number, or a share of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Amount {
    /// This many.
    Count(u64),
    /// A share of all, in whole percent from 1 to 100.
    Percent(u8),
}

/// Parses `3` or `25%`.
///
/// # Errors
/// For every other text, and for shares outside 1 to 100.
pub fn amount(text: &str) -> Result<Amount, Wrong> {
    let digits = text.strip_suffix('%').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|_| plain);
    let amount = match number {
        Some(number) if digits.len() == text.len() => Some(Amount::Count(number)),
        Some(number) => {
            u8::try_from(number).ok().filter(|n| (1..=100).contains(n)).map(Amount::Percent)
        }
        None => None,
    };
    amount.ok_or_else(|| {
        Wrong::new(
            format!("{} is neither a number nor a share", quote(text)),
            "write a whole number such as `1`, or a share from `\"1%\"` to `\"100%\"`",
        )
    })
}

/// Parses a share such as `25%`: whole percent from 1 to 100.
///
/// # Errors
/// For every other text.
pub fn share(text: &str) -> Result<u8, Wrong> {
    match amount(text) {
        Ok(Amount::Percent(share)) => Ok(share),
        Ok(Amount::Count(number)) if (1..=100).contains(&number) => Err(Wrong::new(
            format!("{} is not a share", quote(text)),
            format!("write `\"{number}%\"`"),
        )),
        _ => Err(Wrong::new(
            format!("{} is not a share", quote(text)),
            "write a share from `\"1%\"` to `\"100%\"`",
        )),
    }
}

/// Checks a port: a number from 1 to 65535, or the name of one (RFC 6335, as Kubernetes reads it:
/// at most 15 characters, with a letter in it).
///
/// # Errors
/// If it is neither.
pub fn port(text: &str) -> Result<(), Wrong> {
    let number = text.parse::<u16>().is_ok_and(|port| port > 0)
        && text.bytes().all(|byte| byte.is_ascii_digit());
    let name = text.len() <= 15
        && label(text, 15).is_ok()
        && !text.contains("--")
        && text.bytes().any(|byte| byte.is_ascii_lowercase());
    if number || name {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} is not a port", quote(text)),
        "write a number from 1 to 65535, or the port's name: a-z, 0-9 and `-`, at most 15 characters",
    ))
}

/// Checks an address to listen on: an IP address and a port.
///
/// # Errors
/// If it is none. Host names are refused: what they mean can change while we run.
pub fn address(text: &str) -> Result<(), Wrong> {
    if text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} is not an address to listen on", quote(text)),
        "write an IP address and a port, such as `127.0.0.1:9090` or `[::1]:9090`",
    ))
}

/// Checks a cron expression that stands by itself. Where both of its day fields are restricted,
/// another key says how they join; that it is there is checked where both are read.
///
/// # Errors
/// If it is refused.
pub fn cron(text: &str) -> Result<(), Wrong> {
    match Cron::parse(text, Some(DayMatch::Or)) {
        Ok(_) => Ok(()),
        Err(error) => Err(Wrong::new(error.message, error.help)),
    }
}

/// Checks the exact name of an IANA time zone.
///
/// # Errors
/// If there is no such zone.
pub fn time_zone(text: &str) -> Result<(), Wrong> {
    match zone::find(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Wrong::new(error.message, error.help)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up() {
        for (text, millis) in [
            ("15m", 900_000),
            ("24h", 86_400_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1h1m1s1ms", 3_661_001),
            ("0s", 0),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(duration(text).map(crate::clock::millis), Ok(millis), "{text}");
        }
    }

    #[test]
    fn other_durations_are_refused() {
        for (text, part) in [
            ("", "take turns"),
            ("15", "no unit"),
            ("1d", "days and weeks"),
            ("-5m", "negative"),
            ("5 m", "not a unit"),
            ("m", "take turns"),
            ("30m1h", "largest to the smallest"),
            ("1m1m", "largest to the smallest"),
            ("1.5h", "not a unit"),
            ("5M", "not a unit"),
            ("8761h", "longer than a year"),
            ("99999999999999999999h", "take turns"),
            ("9999999999999999999h", "longer than a year"),
            ("５m", "take turns"),
        ] {
            let wrong = duration(text).expect_err(text);
            assert!(wrong.message.contains(part), "{text}: {}", wrong.message);
        }
        assert_eq!(duration("2d").expect_err("days").help, "write `48h`");
    }

    #[test]
    fn names_are_labels() {
        for text in ["a", "shop-comes-back", "007", &"x".repeat(40)] {
            assert_eq!(label(text, 40), Ok(()), "{text}");
        }
        for text in ["-a", "a-", "A", "a.b", "a_b", "ä", &"x".repeat(41)] {
            assert!(label(text, 40).is_err(), "{text}");
        }
        assert!(label("Shop_1", 40).expect_err("name").help.ends_with("`shop-1`"));
        assert_eq!(subdomain("widgets.example.com"), Ok(()));
        assert!(subdomain("a..b").is_err());
        assert!(subdomain("").is_err());
    }

    #[test]
    fn urls_have_no_user_and_no_query() {
        for text in ["http://a", "https://a.b:80/c", "http://[::1]:8080"] {
            assert_eq!(url(text, false), Ok(()), "{text}");
        }
        for text in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http://a:b",
            "http://a:0",
            "http://a?b",
            "http://a#b",
            "http:// a",
        ] {
            assert!(url(text, false).is_err(), "{text}");
        }
        assert!(url("http://a", true).is_err());
        let wrong = url("http://me:hunter2@a", false).expect_err("user");
        assert!(wrong.secret && !wrong.message.contains("hunter2"));
    }

    #[test]
    fn paths_schedules_and_zones() {
        assert_eq!(url_path("/healthz?full=1"), Ok(()));
        for text in ["", "a", "/a b", "/ä", "/a#b"] {
            assert!(url_path(text).is_err(), "{text}");
        }
        for text in ["0 3 * * mon", "  */5\t* * * *", "@daily"] {
            assert_eq!(cron(text), Ok(()), "{text}");
        }
        for text in ["", "0 3 * *", "0 0 3 * * 1", "@dayly", "@daily @daily", "0 3 * * möp"] {
            assert!(cron(text).is_err(), "{text}");
        }
        assert_eq!(time_zone("UTC"), Ok(()));
        assert_eq!(time_zone("Europe/Berlin"), Ok(()));
        assert_eq!(
            time_zone("Europe/Berln").expect_err("zone").help,
            "did you mean `Europe/Berlin`?"
        );
    }
}
