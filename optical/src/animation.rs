//! An animated GIF of codes, endless; and the pictures in one, whoever made it.

use crate::code::Code;
use crate::picture::{Grey, PictureError, luma, refuse_large};
use gif::{ColorOutput, DecodeOptions, DisposalMethod, Encoder, Frame, MemoryLimit, Repeat};
use std::num::NonZeroU64;

/// The largest animation that is read.
pub const MAX_ANIMATION: u64 = 64 << 20;

/// The most pictures of one.
pub const MAX_PICTURES: usize = 10_000;

/// Memory for one picture.
const MAX_MEMORY: NonZeroU64 = NonZeroU64::MIN.saturating_add((64 << 20) - 1);

/// Whether bytes begin as a GIF does.
pub fn is_gif(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a")
}

/// An animation, each module `scale` pixels wide, each code shown for so many hundredths of a second.
pub fn to_gif(codes: &[Code], scale: usize, hundredths: u16) -> Result<Vec<u8>, PictureError> {
    let failed = |why: gif::EncodingError| PictureError::Encode(why.to_string());
    let side = codes.iter().map(Code::framed_side).max().unwrap_or(1) * scale;
    let too_large = |_| PictureError::Size { width: side as u32, height: side as u32 };
    let side_in_file = u16::try_from(side).map_err(too_large)?;
    let mut bytes = Vec::new();
    let palette = [255, 255, 255, 0, 0, 0];
    let mut encoder =
        Encoder::new(&mut bytes, side_in_file, side_in_file, &palette).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    for code in codes {
        let mut pixels = Vec::with_capacity(side * side);
        for y in 0..side {
            pixels.extend((0..side).map(|x| u8::from(code.black_in_frame(x / scale, y / scale))));
        }
        let mut frame = Frame::from_indexed_pixels(side_in_file, side_in_file, pixels, None);
        frame.delay = hundredths;
        encoder.write_frame(&frame).map_err(failed)?;
    }
    drop(encoder);
    Ok(bytes)
}

/// Shows each picture of an animation, until there are no more or the viewer has enough (`false`).
pub fn pictures<E: From<PictureError>>(
    bytes: &[u8],
    mut viewer: impl FnMut(&Grey) -> Result<bool, E>,
) -> Result<(), E> {
    let failed = |why: gif::DecodingError| PictureError::Decode(why.to_string());
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    options.set_memory_limit(MemoryLimit::Bytes(MAX_MEMORY));
    // A picture outside of the screen has no place here.
    options.check_frame_consistency(true);
    let mut decoder = options.read_info(bytes).map_err(failed)?;
    let (width, height) = (decoder.width(), decoder.height());
    refuse_large(width.into(), height.into())?;
    let (width, height) = (usize::from(width), usize::from(height));
    let mut screen = Grey { width, height, pixels: vec![255; width * height] };
    for _ in 0..MAX_PICTURES {
        let Some(frame) = decoder.read_next_frame().map_err(failed)? else { return Ok(()) };
        let before = (frame.dispose == DisposalMethod::Previous).then(|| screen.pixels.clone());
        paint(&mut screen, frame);
        if !viewer(&screen)? {
            return Ok(());
        }
        match before {
            Some(before) => screen.pixels = before,
            None if frame.dispose == DisposalMethod::Background => {
                each_pixel(width, frame, |place, _| {
                    if let Some(pixel) = screen.pixels.get_mut(place) {
                        *pixel = 255;
                    }
                });
            }
            None => {}
        }
    }
    let why = format!("it has more than {MAX_PICTURES} pictures");
    Err(PictureError::Decode(why).into())
}

// Pictures of an animation may be parts of the screen, and transparent where nothing changes.
fn paint(screen: &mut Grey, frame: &Frame) {
    let width = screen.width;
    each_pixel(width, frame, |place, rgba| {
        if let (Some(pixel), [r, g, b, 128..=255]) = (screen.pixels.get_mut(place), rgba) {
            *pixel = luma(*r, *g, *b);
        }
    });
}

fn each_pixel(width: usize, frame: &Frame, mut f: impl FnMut(usize, &[u8])) {
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let columns = usize::from(frame.width).max(1);
    for (row, pixels) in frame.buffer.chunks(columns * 4).enumerate() {
        for (column, rgba) in pixels.chunks(4).enumerate() {
            if left + column < width {
                f((top + row) * width + left + column, rgba);
            }
        }
    }
}
