//! Words for people: durations, and text from elsewhere made harmless. PURE.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The width that every text for people fits into, in columns.
pub const WIDTH: usize = 80;

/// A duration for reading: `340ms`, `12.3s`, `2m 13s`, `1h 02m`, `3d 04h`.
#[must_use]
pub fn duration(millis: u64) -> String {
    // Cut, not rounded, so that 59.96 s does not read as 60.0s and a limit never looks exceeded.
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{seconds}.{}s", millis % 1000 / 100),
        60_000..3_600_000 => format!("{minutes}m {:02}s", seconds % 60),
        3_600_000..86_400_000 => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// A duration to the millisecond, so that a column of them can be added up: `12.345s`,
/// `2m 13.456s`, `1h 02m 13.456s`.
#[must_use]
pub fn exact(millis: u64) -> String {
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds}.{rest:03}s"),
        60..3600 => format!("{minutes}m {:02}.{rest:03}s", seconds % 60),
        _ => format!("{hours}h {:02}m {:02}.{rest:03}s", minutes % 60, seconds % 60),
    }
}

/// A limit as somebody wrote it: `15m`, `24h`, `90s`, `1h30m`, without parts that are zero.
#[must_use]
pub fn limit(millis: u64) -> String {
    let seconds = millis / 1000;
    let mut text = String::new();
    for (part, unit) in [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')] {
        if part > 0 {
            let _ = write!(text, "{part}{unit}");
        }
    }
    if !millis.is_multiple_of(1000) || text.is_empty() {
        let _ = write!(text, "{}ms", millis % 1000);
    }
    text
}

/// Wall time for people: UTC, to the second.
#[must_use]
pub fn wall(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

/// `1 pod`, `2 pods`.
#[must_use]
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// The first 13 characters of a run's id: a UUIDv7's time to the millisecond. Every command takes
/// it in place of the whole id.
#[must_use]
pub fn short(run: &str) -> String {
    neutral(&run.chars().take(13).collect::<String>())
}

/// Text from elsewhere on one line, with nothing in it that a terminal obeys.
///
/// Line breaks and tabs become one space; other control characters (escape first), and the format
/// characters that reorder or hide text, become `\u{..}`. Names and messages of a cluster are
/// written by whoever may write to it.
#[must_use]
pub fn neutral(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c if c.is_control() || hidden(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Characters that are not control characters and still deceive a reader: directions, zero
/// widths, fillers and tags.
fn hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The columns that `text` takes on a terminal, character by character: what is cut and wrapped
/// by characters must be counted by them too.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// `text` cut to `columns`, with `…` where something was cut.
#[must_use]
pub fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// `text` filled up with spaces to `columns`; cut if it is longer.
#[must_use]
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = clip(text, columns);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&out))));
    out
}

/// `text` in lines of at most `columns`, broken at spaces; words that are longer are broken
/// anywhere, so that nothing of a message is lost.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    // A character may be two columns wide: below that there is nothing to be done.
    let columns = columns.max(2);
    let mut lines = vec![];
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = width(word);
        if used > 0 && used + 1 + wide <= columns {
            line.push(' ');
            used += 1;
        } else if used > 0 {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used + wide <= columns {
            line.push_str(word);
            used += wide;
            continue;
        }
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > columns {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_read_well() {
        for (millis, rough, precise) in [
            (0, "0ms", "0.000s"),
            (340, "340ms", "0.340s"),
            (12_399, "12.3s", "12.399s"),
            (59_999, "59.9s", "59.999s"),
            (133_456, "2m 13s", "2m 13.456s"),
            (3_725_001, "1h 02m", "1h 02m 05.001s"),
            (273_600_000, "3d 04h", "76h 00m 00.000s"),
        ] {
            assert_eq!(duration(millis), rough);
            assert_eq!(exact(millis), precise);
        }
        for (millis, text) in [
            (900_000, "15m"),
            (86_400_000, "24h"),
            (90_000, "1m30s"),
            (5_400_000, "1h30m"),
            (250, "250ms"),
            (0, "0ms"),
        ] {
            assert_eq!(limit(millis), text);
        }
    }

    #[test]
    fn hostile_text_is_neutralised() {
        assert_eq!(neutral("a\x1b[31mred\x1b[0m"), "a\\u{1b}[31mred\\u{1b}[0m");
        assert_eq!(neutral("one\r\n\ttwo"), "one two");
        assert_eq!(
            neutral("\u{202e}gpj.exe\u{200b}\u{9b}2J"),
            "\\u{202e}gpj.exe\\u{200b}\\u{9b}2J"
        );
        assert_eq!(neutral("Grüße 中 – ok"), "Grüße 中 – ok");
    }

    proptest! {
        #[test]
        fn lines_fit_and_lose_nothing(text in "\\PC{0,200}", columns in 2usize..90) {
            let lines = wrap(&text, columns);
            for line in &lines {
                prop_assert!(width(line) <= columns, "{line:?}");
            }
            let squeeze = |text: &str| text.replace(' ', "");
            prop_assert_eq!(squeeze(&lines.concat()), squeeze(&text));
            prop_assert_eq!(width(&pad(&text, columns)), columns);
        }

        #[test]
        fn nothing_that_a_terminal_obeys_gets_through(text in any::<String>()) {
            prop_assert!(!neutral(&text).chars().any(|c| c.is_control() || hidden(c)));
        }
    }
}
