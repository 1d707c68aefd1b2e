use super::*;
use crate::animation::{self, to_gif};
use crate::code::{Version, draw, draw_all};
use crate::frame::Kind;
use crate::sending::{Outgoing, Transfer};

fn transfer(version: Version) -> Transfer {
    let file: Vec<u8> = (0u32..4000).flat_map(|n| (n * n).to_be_bytes()).collect();
    Outgoing::new(Kind::Batch, &file).unwrap().cut(version.symbol_size()).unwrap()
}

#[test]
fn a_code_is_drawn_as_a_png_and_read_back() {
    for version in [5, 10, 20, 25, 40] {
        let version = Version::new(version).unwrap();
        let frame = transfer(version).frame(2);
        for scale in [2, 3, 8] {
            let png = to_png(&draw(&frame, version).unwrap(), scale).unwrap();
            let read = lines(&from_png(&png).unwrap());
            assert_eq!(read, Ok(vec![frame.encode()]), "{version:?} at {scale}");
        }
    }
}

#[test]
fn an_animation_is_drawn_and_its_pictures_are_read_back() {
    let version = Version::new(12).unwrap();
    let transfer = transfer(version);
    let codes = draw_all(&transfer, 0..12, version).unwrap();
    let gif = to_gif(&codes, 3, 12).unwrap();
    let mut read = Vec::new();
    animation::pictures::<PictureError>(&gif, |picture| {
        read.extend(lines(picture)?);
        Ok(read.len() < 10)
    })
    .unwrap();
    let sent: Vec<String> = (0..10).map(|n| transfer.frame(n).encode()).collect();
    assert_eq!(read, sent);
}

/// A picture in colours with a transparent background.
#[test]
fn a_png_with_colours_and_transparency_is_read() {
    let version = Version::new(5).unwrap();
    let frame = transfer(version).frame(0);
    let code = draw(&frame, version).unwrap();
    let side = code.framed_side() * 4;
    let mut pixels = Vec::new();
    for y in 0..side {
        for x in 0..side {
            let black = code.black_in_frame(x / 4, y / 4);
            pixels.extend(if black { [60, 0, 80, 255] } else { [0, 0, 0, 0] });
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side as u32, side as u32);
    encoder.set_color(png::ColorType::Rgba);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels).unwrap();
    writer.finish().unwrap();
    assert_eq!(lines(&from_png(&bytes).unwrap()), Ok(vec![frame.encode()]));
}

#[test]
fn pictures_beyond_the_limits_are_refused_before_they_are_decoded() {
    // The head of a PNG that claims to be huge; its check value is right.
    let claim = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        drop(encoder.write_header());
        bytes
    };
    for (width, height) in [(4097, 1), (1, 4097), (0x7fff_ffff, 0x7fff_ffff)] {
        let refused = from_png(&claim(width, height)).err();
        assert_eq!(refused, Some(PictureError::Size { width, height }));
    }
    assert!(matches!(from_png(&claim(4096, 4096)), Err(PictureError::Decode(_))));
    assert!(matches!(from_png(b""), Err(PictureError::Decode(_))));
    let mut gif = Vec::new();
    let mut encoder = gif::Encoder::new(&mut gif, 65_535, 65_535, &[0, 0, 0]).unwrap();
    encoder.write_frame(&gif::Frame::from_indexed_pixels(1, 1, vec![0], None)).unwrap();
    drop(encoder);
    let refused = animation::pictures::<PictureError>(&gif, |_| Ok(true));
    assert_eq!(refused, Err(PictureError::Size { width: 65_535, height: 65_535 }));
}

/// Whatever a picture holds, the reader of QR codes gives lines or none.
#[test]
fn altered_pictures_are_read_or_refused_and_end_nothing() {
    let version = Version::new(5).unwrap();
    let code = draw(&transfer(version).frame(0), version).unwrap();
    let good = from_png(&to_png(&code, 3).unwrap()).unwrap();
    let mut seed = 12_345u64;
    let mut random = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize
    };
    for round in 0..150 {
        let mut pixels = good.pixels.clone();
        // Noise, blocks and stripes, up to ruin.
        for _ in 0..round {
            let (x, y, side) = (random() % good.width, random() % good.height, random() % 12);
            for dy in 0..side {
                for dx in 0..side {
                    let place = (y + dy) * good.width + x + dx;
                    if let Some(pixel) = pixels.get_mut(place) {
                        *pixel = random() as u8;
                    }
                }
            }
        }
        let _ = lines(&Grey { width: good.width, height: good.height, pixels });
    }
    for side in 1..8 {
        let _ = lines(&Grey { width: side, height: 1, pixels: vec![0; side] });
    }
}

#[test]
fn mutated_files_are_read_or_refused_and_end_nothing() {
    let version = Version::new(5).unwrap();
    let codes = draw_all(&transfer(version), 0..3, version).unwrap();
    let (png, gif) = (to_png(&codes[0], 2).unwrap(), to_gif(&codes, 2, 10).unwrap());
    for place in 0..png.len() {
        let mut altered = png.clone();
        altered[place] ^= 0x41;
        let _ = from_png(&altered).map(|picture| picture.pixels.len());
        let _ = from_png(&png[..place]).map(|picture| picture.pixels.len());
    }
    for place in 0..gif.len() {
        let mut altered = gif.clone();
        altered[place] ^= 0x41;
        for bytes in [&altered[..], &gif[..place]] {
            let _ = animation::pictures::<PictureError>(bytes, |_| Ok(true));
        }
    }
}
