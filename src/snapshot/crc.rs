//! CRC-32C of bytes that come from the last to the first. PURE.
//!
//! The checksum of two pieces follows from their checksums: crc(A B) = crc(A) x^(8 |B|) + crc(B),
//! over polynomials with coefficients in GF(2) modulo Castagnoli's.

/// Castagnoli's polynomial, the highest power in the lowest bit.
const POLYNOMIAL: u32 = 0x82F6_3B78;
/// 1 as a polynomial.
const ONE: u32 = 1 << 31;

/// `a` times `b`.
const fn times(a: u32, mut b: u32) -> u32 {
    let (mut product, mut bit) = (0, ONE);
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = (b >> 1) ^ if b & 1 == 1 { POLYNOMIAL } else { 0 };
        bit >>= 1;
    }
    product
}

/// `POWERS[i][n]` is x to the power of 8 n 256^i: a length in bytes is looked up byte by byte.
static POWERS: [[u32; 256]; 8] = powers();

const fn powers() -> [[u32; 256]; 8] {
    let mut table = [[ONE; 256]; 8];
    // x^8.
    let mut step = ONE >> 8;
    let mut row = 0;
    while row < 8 {
        let mut n = 1;
        while n < 256 {
            table[row][n] = times(table[row][n - 1], step);
            n += 1;
        }
        step = times(table[row][255], step);
        row += 1;
    }
    table
}

/// x to the power of 8 `length`.
fn power(length: usize) -> u32 {
    let mut product = ONE;
    for (row, byte) in POWERS.iter().zip((length as u64).to_le_bytes()) {
        if byte != 0 {
            product = times(product, row[usize::from(byte)]);
        }
    }
    product
}

/// The checksum of one piece, and what it does to the checksums before it.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    crc: u32,
    power: u32,
}

impl Piece {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes);
        // 32 bits wide, in the lower half.
        let crc = u32::try_from(crc & u64::from(u32::MAX)).unwrap_or(0);
        Self { crc, power: power(bytes.len()) }
    }
}

/// A checksum that grows at its beginning.
#[derive(Clone, Copy, Debug)]
pub struct Crc {
    crc: u32,
    power: u32,
}

impl Default for Crc {
    fn default() -> Self {
        Self { crc: 0, power: ONE }
    }
}

impl Crc {
    /// Puts a piece before all that is there.
    pub fn prepend(&mut self, piece: Piece) {
        self.crc ^= times(piece.crc, self.power);
        self.power = times(self.power, piece.power);
    }

    /// The checksum of everything, from the first byte to the last.
    #[must_use]
    pub fn value(&self) -> u32 {
        self.crc
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_check_value_of_the_algorithm() {
        let mut crc = Crc::default();
        assert_eq!(crc.value(), 0, "of nothing");
        crc.prepend(Piece::of(b"123456789"));
        assert_eq!(crc.value(), 0xE306_9283);
    }

    proptest! {
        #[test]
        fn pieces_from_the_end_give_the_checksum_of_the_whole(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..700), 0..9)
        ) {
            let mut crc = Crc::default();
            for piece in pieces.iter().rev() {
                crc.prepend(Piece::of(piece));
            }
            prop_assert_eq!(crc.value(), Piece::of(&pieces.concat()).crc);
        }
    }

    #[test]
    fn long_pieces_are_shifted_right() {
        let zeros = vec![0_u8; (1 << 16) + 259];
        let mut crc = Crc::default();
        crc.prepend(Piece::of(&zeros));
        crc.prepend(Piece::of(b"etcd"));
        assert_eq!(crc.value(), Piece::of(&[b"etcd".as_slice(), &zeros].concat()).crc);
    }
}
