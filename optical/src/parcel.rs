//! A parcel: what a transfer's pieces give together.
//!
//! ```text
//! parcel = packing (1) | length of the file (3) | SHA-256 of the file (32) | the file, packed
//! packing: 0 as it is, 1 as a DEFLATE stream (RFC 1951)
//! ```

use sha2::{Digest, Sha256};

/// The largest file that travels like this.
pub const MAX_FILE: usize = 4 << 20;

/// How many times larger than its packed form a file may be.
pub const MAX_RATIO: usize = 16;

const HEAD: usize = 36;

/// Why a parcel is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParcelError {
    /// No room for its head.
    #[error("the parcel has {0} bytes, which is too short")]
    Short(usize),
    /// Unknown packing.
    #[error("the parcel is packed in a way ({0}) that this program does not know: use a newer one")]
    Packing(u8),
    /// The file would be too large, or grow too much.
    #[error(
        "the parcel of {packed} bytes claims a file of {length}: a file has at most {MAX_FILE}, and at most {MAX_RATIO} times its packed form"
    )]
    Size {
        /// Of the body.
        packed: usize,
        /// Claimed.
        length: usize,
    },
    /// The body is no DEFLATE stream, or gives another length.
    #[error("the parcel does not unpack to the {0} bytes that it claims")]
    Unpack(usize),
    /// Another file than it says.
    #[error("the file in the parcel has another SHA-256 than the parcel says")]
    Digest,
}

/// Packs a file, in the form that is shorter. `None` where the file is too large.
pub fn pack(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > MAX_FILE {
        return None;
    }
    let packed = miniz_oxide::deflate::compress_to_vec(file, 10);
    let smaller = packed.len() < file.len() && file.len() <= packed.len() * MAX_RATIO;
    let (packing, body) = if smaller { (1, packed.as_slice()) } else { (0, file) };
    let mut parcel = Vec::with_capacity(HEAD + body.len());
    parcel.push(packing);
    parcel.extend(&(file.len() as u32).to_be_bytes()[1..]);
    parcel.extend(Sha256::digest(file));
    parcel.extend(body);
    Some(parcel)
}

/// The file in a parcel.
pub fn unpack(parcel: &[u8]) -> Result<Vec<u8>, ParcelError> {
    let Some((head, body)) = parcel.split_at_checked(HEAD) else {
        return Err(ParcelError::Short(parcel.len()));
    };
    let length = head[1..4].iter().fold(0, |n, b| n << 8 | usize::from(*b));
    if length > MAX_FILE || length > body.len().saturating_mul(MAX_RATIO) {
        return Err(ParcelError::Size { packed: body.len(), length });
    }
    let file = match head[0] {
        0 => body.to_vec(),
        // It stops where the file would grow beyond its length.
        1 => miniz_oxide::inflate::decompress_to_vec_with_limit(body, length)
            .map_err(|_| ParcelError::Unpack(length))?,
        other => return Err(ParcelError::Packing(other)),
    };
    if file.len() != length {
        return Err(ParcelError::Unpack(length));
    }
    if Sha256::digest(&file).as_slice() != &head[4..] {
        return Err(ParcelError::Digest);
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parcel(packing: u8, length: u32, file: &[u8], body: &[u8]) -> Vec<u8> {
        let length = &length.to_be_bytes()[1..];
        [&[packing], length, Sha256::digest(file).as_slice(), body].concat()
    }

    proptest! {
        #[test]
        fn a_file_comes_back_and_grows_by_the_head_at_most(
            seed in proptest::collection::vec(any::<u8>(), 0..300), times in 0usize..300,
        ) {
            let file = seed.repeat(times);
            let parcel = pack(&file).unwrap();
            prop_assert!(parcel.len() <= file.len() + HEAD);
            prop_assert_eq!(unpack(&parcel), Ok(file));
        }

        #[test]
        fn any_bytes_unpack_or_are_refused(mut bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some(packing) = bytes.first_mut() { *packing %= 2; }
            let _ = unpack(&bytes);
        }
    }

    #[test]
    fn a_parcel_that_would_grow_beyond_bounds_is_refused_before_it_does() {
        let zeros = vec![0; MAX_FILE];
        let bomb = miniz_oxide::deflate::compress_to_vec(&zeros, 10);
        // As large as it says, but more than sixteen times the packed form.
        let refused = unpack(&parcel(1, MAX_FILE as u32, &zeros, &bomb)).unwrap_err();
        assert!(matches!(refused, ParcelError::Size { .. }), "{refused}");
        // It says less than it has.
        let refused = unpack(&parcel(1, bomb.len() as u32 * 16, &zeros, &bomb)).unwrap_err();
        assert!(matches!(refused, ParcelError::Unpack(_)), "{refused}");
        assert!(matches!(unpack(&parcel(0, 0xffffff, &[], &[])), Err(ParcelError::Size { .. })));
        // Such a file is sent as it is.
        assert_eq!(unpack(&pack(&zeros).unwrap()), Ok(zeros));
        assert_eq!(pack(&vec![0; MAX_FILE + 1]), None);
    }

    #[test]
    fn what_is_not_what_it_says_is_refused() {
        assert_eq!(unpack(&parcel(0, 3, b"abc", b"abc")), Ok(b"abc".to_vec()));
        assert_eq!(unpack(&parcel(0, 3, b"abc", b"abd")), Err(ParcelError::Digest));
        assert_eq!(unpack(&parcel(0, 2, b"abc", b"abc")), Err(ParcelError::Unpack(2)));
        assert_eq!(unpack(&parcel(1, 3, b"abc", b"abc")), Err(ParcelError::Unpack(3)));
        assert_eq!(unpack(&parcel(2, 3, b"abc", b"abc")), Err(ParcelError::Packing(2)));
        assert_eq!(unpack(&[0; 35]), Err(ParcelError::Short(35)));
    }
}
