//! `firedrill journal`: check and copy out the journal.

use std::{io::Write, path::Path};

use crate::{
    journal::{Break, JournalError, Reader, Verified, chain::Record},
    report::Summary,
    run::machine::Machine,
};

/// Why a journal command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The output could not be written.
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
}

/// Checks the whole journal and writes what was found to `out`, as text or as one JSON object.
/// Gives the exit code: 0 if it is sound, 1 if anything is broken.
///
/// # Errors
/// If the journal cannot be opened or the output cannot be written.
pub async fn verify(path: &Path, json: bool, out: &mut impl Write) -> Result<u8, Error> {
    let reader = Reader::open(path).await?;
    let mut verified = reader.verify().await?;
    meaning(&reader, &mut verified).await?;
    if json {
        let mut value = serde_json::json!(verified);
        value["sound"] = verified.is_sound().into();
        writeln!(out, "{value}")?;
    } else {
        write_text(&verified, out)?;
    }
    Ok(u8::from(!verified.is_sound()))
}

/// Beyond the chain: that each run's events are legal in their order, and that the summary that its
/// end stored is the one that its events fold to.
async fn meaning(reader: &Reader, verified: &mut Verified) -> Result<(), Error> {
    for stream in reader.streams().await? {
        let broken = verified.breaks.iter().any(|b| b.stream.as_ref() == Some(&stream));
        if broken || stream == crate::journal::DAEMON {
            continue;
        }
        let entries = reader.stream(&stream).await?;
        let what = match (Machine::replay(&entries), Summary::stored_is_true(&entries)) {
            (Err(illegal), _) => illegal.to_string(),
            (_, Err(error)) => error.to_string(),
            (Ok(_), Ok(Some(false))) => {
                "the stored summary is not the one that its events fold to".to_owned()
            }
            (Ok(_), Ok(_)) => continue,
        };
        verified.breaks.push(Break { stream: Some(stream), seq: None, what });
    }
    Ok(())
}

fn write_text(verified: &Verified, out: &mut impl Write) -> std::io::Result<()> {
    for found in &verified.breaks {
        match (&found.stream, found.seq) {
            (Some(stream), Some(seq)) => writeln!(out, "{stream} seq {seq}: {}", found.what)?,
            (Some(stream), None) => writeln!(out, "{stream}: {}", found.what)?,
            _ => writeln!(out, "file: {}", found.what)?,
        }
    }
    let Verified { streams, entries, breaks } = verified;
    match breaks.len() {
        0 => writeln!(out, "sound: {streams} streams, {entries} entries"),
        1 => writeln!(out, "broken in 1 place: {streams} streams, {entries} sound entries"),
        n => writeln!(out, "broken in {n} places: {streams} streams, {entries} sound entries"),
    }
}

/// Writes entries to `out` as JSON lines, in the order of each stream: of one run (an id, the
/// start of one, `latest`), of the stream `daemon`, or of all.
///
/// Each line has the columns of the journal; `body` is the JSON text exactly as stored, so the
/// chain can be recomputed from the lines alone.
///
/// # Errors
/// If the journal cannot be read, the run is unknown, or the output cannot be written.
pub async fn export(path: &Path, run: Option<&str>, out: &mut impl Write) -> Result<(), Error> {
    let reader = Reader::open(path).await?;
    let streams = match run {
        None => reader.streams().await?,
        Some(stream) if stream == crate::journal::DAEMON => vec![stream.to_owned()],
        Some(run) => vec![reader.find_run(run).await?],
    };
    for stream in streams {
        for record in reader.records(&stream).await? {
            writeln!(out, "{}", line(&record))?;
        }
    }
    Ok(())
}

fn line(record: &Record) -> String {
    // A map would sort the columns and write the body anew; the order here is the hash's.
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let sound = serde_json::from_str::<serde::de::IgnoredAny>(&record.body).is_ok();
    let body = if sound { record.body.clone() } else { text(&record.body) };
    format!(
        r#"{{"v":{},"stream":{},"seq":{},"prev":{},"wall":{},"boot":{},"mono":{},"process":{},"epoch":{},"kind":{},"body":{body}}}"#,
        record.v,
        text(&record.stream),
        record.seq,
        text(&record.prev),
        text(&record.wall),
        text(&record.boot),
        record.mono,
        text(&record.process),
        record.epoch,
        text(&record.kind),
    )
}

#[cfg(test)]
mod tests;
