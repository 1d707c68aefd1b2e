//! Pictures: a code as a PNG, and the lines in a picture, whoever made it.

use crate::code::Code;
use rqrr::PreparedImage;
use std::io::Cursor;

/// The largest width and height that is read.
pub const MAX_SIDE: u32 = 4096;

/// The largest file of a picture that is read.
pub const MAX_PICTURE: u64 = 32 << 20;

/// Memory that a decoder may take beside the pixels.
const MAX_MEMORY: usize = 128 << 20;

/// Why a picture gives no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// It cannot be drawn.
    #[error("the picture cannot be made: {0}")]
    Encode(String),
    /// No picture of this kind, or a broken one.
    #[error("a picture that cannot be read: {0}")]
    Decode(String),
    /// Too many pixels.
    #[error("a picture of {width} by {height} pixels; at most {MAX_SIDE} by {MAX_SIDE} are read")]
    Size {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// There is none, or it is too damaged.
    #[error("a picture in which no QR code can be read")]
    NoCode,
}

/// Shades of grey: 0 is black.
pub struct Grey {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

/// Whether bytes begin as a PNG does.
pub fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

/// A code as a PNG, black on white, each module `scale` pixels wide.
pub fn to_png(code: &Code, scale: usize) -> Result<Vec<u8>, PictureError> {
    let side = code.framed_side() * scale;
    let mut rows = Vec::with_capacity(side * side.div_ceil(8));
    for y in 0..side {
        let mut row = vec![0u8; side.div_ceil(8)];
        for x in (0..side).filter(|x| !code.black_in_frame(x / scale, y / scale)) {
            row[x / 8] |= 0x80 >> (x % 8);
        }
        rows.extend(row);
    }
    let failed = |why: png::EncodingError| PictureError::Encode(why.to_string());
    let mut bytes = Vec::new();
    // At most 40 * 4 + 17 + 8 modules of at most 64 pixels.
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&rows).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Decodes a PNG of any kind to shades of grey.
pub fn from_png(bytes: &[u8]) -> Result<Grey, PictureError> {
    let failed = |why: png::DecodingError| PictureError::Decode(why.to_string());
    let limits = png::Limits { bytes: MAX_MEMORY };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    decoder.ignore_checksums(false);
    let header = decoder.read_header_info().map_err(failed)?;
    let (width, height) = (header.width, header.height);
    refuse_large(width, height)?;
    let mut reader = decoder.read_info().map_err(failed)?;
    let size = reader.output_buffer_size().filter(|size| *size <= MAX_MEMORY);
    let mut pixels = vec![0; size.ok_or(PictureError::Size { width, height })?];
    let info = reader.next_frame(&mut pixels).map_err(failed)?;
    pixels.truncate(info.buffer_size());
    let grey = |p: &[u8]| match p {
        [grey] => *grey,
        [grey, alpha] => over_white(*grey, *alpha),
        [r, g, b] => luma(*r, *g, *b),
        [r, g, b, alpha] => over_white(luma(*r, *g, *b), *alpha),
        _ => 255,
    };
    let pixels = match info.color_type.samples() {
        1 => pixels,
        samples => pixels.chunks_exact(samples).map(grey).collect(),
    };
    Ok(Grey { width: width as usize, height: height as usize, pixels })
}

pub(crate) fn refuse_large(width: u32, height: u32) -> Result<(), PictureError> {
    match width > MAX_SIDE || height > MAX_SIDE || width == 0 || height == 0 {
        true => Err(PictureError::Size { width, height }),
        false => Ok(()),
    }
}

pub(crate) fn luma(r: u8, g: u8, b: u8) -> u8 {
    // ITU-R BT.601
    ((u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114) / 1000) as u8
}

fn over_white(grey: u8, alpha: u8) -> u8 {
    let (grey, alpha) = (u32::from(grey), u32::from(alpha));
    ((grey * alpha + 255 * (255 - alpha)) / 255) as u8
}

/// The texts of the QR codes in a picture; at least one.
pub fn lines(picture: &Grey) -> Result<Vec<String>, PictureError> {
    // The reader of QR codes is other people's and has panics of its own for what it thinks impossible. A
    // picture from outside must not end the program: whatever happens, it is one that cannot be read.
    let read = std::panic::AssertUnwindSafe(|| read_codes(picture));
    let found = std::panic::catch_unwind(read).unwrap_or_default();
    if found.is_empty() { Err(PictureError::NoCode) } else { Ok(found) }
}

fn read_codes(picture: &Grey) -> Vec<String> {
    let Grey { width, height, pixels } = picture;
    let grey = |x: usize, y: usize| pixels.get(y * width + x).copied().unwrap_or(255);
    let mut prepared = PreparedImage::prepare_from_greyscale(*width, *height, grey);
    let grids = prepared.detect_grids();
    grids.iter().filter_map(|grid| grid.decode().ok()).map(|(_, text)| text).collect()
}

#[cfg(test)]
mod tests;
