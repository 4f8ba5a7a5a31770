//! The wire format of Protocol Buffers, read without copies. PURE.
//!
//! Enough to hold rows against what etcd can read: etcd ends at its start when one cannot be
//! decoded. Groups are refused; neither etcd nor Kubernetes has them.

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'m> {
    /// A number.
    Number(u64),
    /// Bytes, text or a message.
    Bytes(&'m [u8]),
    /// Four or eight bytes; no message that we read has them.
    Fixed,
}

/// A message that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The fields of a message in the order in which they stand.
pub struct Fields<'m> {
    rest: &'m [u8],
    failed: bool,
}

impl<'m> Fields<'m> {
    /// Of the message in `bytes`.
    #[must_use]
    pub fn of(bytes: &'m [u8]) -> Self {
        Self { rest: bytes, failed: false }
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for (index, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
            if byte & 0x80 == 0 {
                self.rest = &self.rest[index + 1..];
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'m [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Value<'m>)> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = self.number()?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return None,
        };
        // A field's number has 29 bits.
        (1..1 << 29).contains(&(tag >> 3)).then_some((tag >> 3, value))
    }
}

impl<'m> Iterator for Fields<'m> {
    type Item = Result<(u64, Value<'m>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.is_empty() {
            return None;
        }
        let field = self.field().ok_or(Malformed);
        self.failed = field.is_err();
        Some(field)
    }
}

/// The last value of the field `number` that is bytes, as decoders take it.
#[must_use]
pub fn bytes_of(message: &[u8], number: u64) -> Option<&[u8]> {
    Fields::of(message)
        .map_while(Result::ok)
        .filter_map(|(field, value)| match value {
            Value::Bytes(bytes) if field == number => Some(bytes),
            _ => None,
        })
        .last()
}

/// The last value of the field `number` that is a number.
#[must_use]
pub fn number_of(message: &[u8], number: u64) -> Option<u64> {
    Fields::of(message)
        .map_while(Result::ok)
        .filter_map(|(field, value)| match value {
            Value::Number(value) if field == number => Some(value),
            _ => None,
        })
        .last()
}

/// Whether the fields of a message can be told apart.
#[must_use]
pub fn well_formed(message: &[u8]) -> bool {
    Fields::of(message).all(|field| field.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart_and_what_is_cut_off_is_malformed() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 2, 3, 4];
        let fields: Vec<_> = Fields::of(&message).collect();
        assert_eq!(
            fields,
            [Ok((1, Value::Number(150))), Ok((2, Value::Bytes(b"hi"))), Ok((3, Value::Fixed))]
        );
        assert_eq!((number_of(&message, 1), bytes_of(&message, 2)), (Some(150), Some(&b"hi"[..])));
        for length in [1, 2, 4, 5, 6, 8, 11] {
            assert!(!well_formed(&message[..length]), "{length}");
        }
        assert!(well_formed(&[]));
        // Field 0, a group, a number without its end, a length beyond the message.
        for bad in [&[0x00, 0x01][..], &[0x0b, 0x0c], &[0x08, 0x80], &[0x0a, 0xff, 0x7f]] {
            assert!(!well_formed(bad), "{bad:?}");
        }
        assert!(!well_formed(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
    }
}
