//! Zstandard: frames one after the other.

use std::io::{BufRead, Read};

use ruzstd::decoding::{
    FrameDecoder, StreamingDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};

use super::{
    super::verdict::Finding,
    copy,
    spool::{Spool, Stop},
};

/// The largest window, in bytes: what `zstd --ultra -22` and `--long` ask for is more, and no tool
/// that stores snapshots does.
const WINDOW: u64 = 16 << 20;

/// Unpacks all frames.
pub fn unpack(mut from: impl BufRead, spool: &mut Spool) -> Result<(), Stop> {
    let read = |error: std::io::Error| Stop::Damaged(error.to_string());
    loop {
        if from.fill_buf().map_err(read)?.is_empty() {
            return Ok(());
        }
        let frame = StreamingDecoder::new_with_max_window_size(&mut from, WINDOW);
        let mut frame: StreamingDecoder<_, FrameDecoder> = match frame {
            Ok(frame) => frame,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length,
                ..
            })) => {
                let skipped =
                    std::io::copy(&mut from.by_ref().take(u64::from(length)), &mut std::io::sink());
                if skipped.map_err(read)? < u64::from(length) {
                    return Err(Stop::Damaged("it ends within a frame".to_owned()));
                }
                continue;
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                return Err(Stop::Said(Finding::unproven(
                    "too-large",
                    format!(
                        "to unpack the zstd takes a window of {requested} bytes; {WINDOW} is the \
                         most that is given"
                    ),
                )));
            }
            Err(error) => return Err(Stop::Damaged(error.to_string())),
        };
        copy(&mut frame, spool)?;
        let stored = frame.decoder.get_checksum_from_data();
        if stored.is_some() && stored != frame.decoder.get_calculated_checksum() {
            return Err(Stop::Damaged("its checksum does not match".to_owned()));
        }
    }
}
