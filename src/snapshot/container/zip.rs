//! A zip with one snapshot in it, as k3s and RKE2 store them.

use std::{fs::File, io::BufReader};

use flate2::bufread::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder};

use super::{
    super::verdict::{Facts, Finding},
    CHUNK, copy, damaged,
    spool::{Spool, Stop},
};

/// The only file of an archive.
struct Entry {
    found: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    name: String,
    size: u64,
}

type Archive = ZipArchive<rawzip::FileReader>;

/// Finds the only file; archives with several are none of a snapshot.
fn open(file: &File) -> Result<(Archive, Entry), Finding> {
    let broken = |error: &dyn std::fmt::Display| damaged("zip", &error.to_string());
    let file = file.try_clone().map_err(|error| broken(&error))?;
    let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
    let archive = ZipArchive::from_file(file, &mut buffer).map_err(|error| {
        damaged("zip", &format!("it has no directory at its end, so it was cut off ({error})"))
    })?;
    let mut only: Option<Entry> = None;
    let mut entries = archive.entries(&mut buffer);
    while let Some(entry) = entries.next_entry().map_err(|error| broken(&error))? {
        if entry.is_dir() {
            continue;
        }
        if only.is_some() {
            return Err(Finding::unproven(
                "archive",
                "the zip holds several files; the snapshot has to be taken out first",
            ));
        }
        if entry.flags().is_encrypted() {
            return Err(Finding::unproven(
                "encrypted",
                "the zip is encrypted: what is in it is not verifiable without the password",
            ));
        }
        only = Some(Entry {
            found: entry.wayfinder(),
            method: entry.compression_method(),
            name: String::from_utf8_lossy(entry.file_path().as_ref()).into_owned(),
            size: entry.uncompressed_size_hint(),
        });
    }
    let only = only.ok_or_else(|| Finding::error("empty", "the zip holds no file"))?;
    Ok((archive, only))
}

/// What the directory says.
pub fn glance(file: &File, facts: &mut Facts) -> Result<(), Finding> {
    let (_, entry) = open(file)?;
    facts.entry = Some(entry.name);
    facts.content_size = Some(entry.size);
    if entry.size % 512 != 32 {
        return Err(Finding::warning(
            "container-length",
            format!(
                "the file in the zip has {} bytes, which is not the length of a snapshot",
                entry.size
            ),
        ));
    }
    Ok(())
}

/// Unpacks the only file.
pub fn unpack(file: &File, facts: &mut Facts, spool: &mut Spool) -> Result<(), Stop> {
    let (archive, entry) = open(file).map_err(Stop::Said)?;
    facts.entry = Some(entry.name);
    let broken = |error: rawzip::Error| Stop::Damaged(error.to_string());
    let data = archive.get_entry(entry.found).map_err(broken)?;
    let reader = BufReader::with_capacity(CHUNK, data.reader());
    // Both compare length and CRC-32 at the end.
    if entry.method == CompressionMethod::DEFLATE {
        copy(&mut data.verifying_reader(DeflateDecoder::new(reader)), spool)
    } else if entry.method == CompressionMethod::STORE {
        copy(&mut data.verifying_reader(reader), spool)
    } else {
        Err(Stop::Said(Finding::unproven(
            "container",
            "the file in the zip is compressed by a method that is not read here",
        )))
    }
}
