use super::*;
use proptest::prelude::*;

fn frame(kind: u8, length: usize, number: u16, symbol: &[u8]) -> String {
    let length = (length as u32).to_be_bytes();
    let packet = [&[kind][..], &[7; 8], &length[1..], &number.to_be_bytes(), symbol].concat();
    let check = check(&packet);
    format!("{PREFIX}{}", base45::encode(&[packet.as_slice(), &check].concat()))
}

fn head(length: usize, symbol_size: usize) -> Head {
    Head { kind: Kind::Batch, transfer: TransferId([7; 8]), length, symbol_size }
}

#[test]
fn a_frame_has_the_bytes_that_its_page_says() {
    let made = Frame { head: head(5, 3), number: 258, symbol: vec![1, 2, 3] };
    assert_eq!(made.encode(), frame(1, 5, 258, &[1, 2, 3]));
    assert_eq!(Frame::parse(&made.encode()), Ok(made));
    assert_eq!(TransferId([0xab, 1, 2, 3, 4, 5, 6, 7]).to_string(), "ab01-0203-0405-0607");
}

#[test]
fn heads_beyond_the_limits_are_refused() {
    for (length, size, fits) in [
        (MAX_PARCEL, 512, true),
        (MAX_PARCEL, 511, false),
        (MAX_PARCEL + 1, 2000, false),
        (0, 10, false),
        (1, 1, true),
        (MAX_PIECES as usize, 1, true),
        (MAX_PIECES as usize + 1, 1, false),
        (0xff_ffff, 2, false),
    ] {
        let parsed = Frame::parse(&frame(1, length, 65_535, &vec![9; size]));
        assert_eq!(parsed.is_ok(), fits, "{length} in {size}: {parsed:?}");
    }
    for kind in [0, 5, 255] {
        assert_eq!(Frame::parse(&frame(kind, 1, 0, &[1])), Err(FrameError::Kind(kind)));
    }
}

#[test]
fn what_is_no_frame_is_refused_with_the_reason() {
    assert_eq!(Frame::parse("https://coldlog.example"), Err(FrameError::Foreign));
    assert_eq!(Frame::parse(""), Err(FrameError::Foreign));
    assert_eq!(Frame::parse("cl1:BB8"), Err(FrameError::Foreign));
    assert_eq!(Frame::parse("CL2:BB8"), Err(FrameError::Version('2')));
    assert_eq!(Frame::parse("CL1:"), Err(FrameError::Short(0)));
    assert_eq!(Frame::parse("CL1:a"), Err(FrameError::Garbled));
    let most = MAX_LINE - PREFIX.len();
    assert_eq!(Frame::parse(&format!("CL1:{}", "0".repeat(most))), Err(FrameError::Check));
    assert_eq!(Frame::parse(&format!("CL1:{}", "0".repeat(most - 1))), Err(FrameError::Garbled));
    assert_eq!(Frame::parse(&format!("CL1:{}", "0".repeat(1 << 20))), Err(FrameError::Garbled));
    assert_eq!(Frame::parse(&frame(1, 1, 0, &[])), Err(FrameError::Short(18)));
}

proptest! {
    #[test]
    fn a_changed_frame_is_refused(
        symbol in proptest::collection::vec(any::<u8>(), 1..100),
        place in any::<prop::sample::Index>(), other in "[0-9A-Za-z $%*+./:-]",
    ) {
        let line = Frame { head: head(50, symbol.len()), number: 3, symbol }.encode();
        let place = place.index(line.len());
        let mut altered = line.clone();
        altered.replace_range(place..=place, &other);
        prop_assume!(altered != line);
        prop_assert!(Frame::parse(&altered).is_err());
        // Cut, doubled, or with something behind it.
        prop_assert!(Frame::parse(&line[..place]).is_err());
        prop_assert!(Frame::parse(&line.repeat(2)).is_err());
        let longer = format!("{line}{other}");
        prop_assert!(Frame::parse(&longer).is_err());
    }

    #[test]
    fn any_line_is_a_frame_or_refused(line in "(CL1:)?\\PC{0,200}") {
        let _ = Frame::parse(&line);
    }

    #[test]
    fn any_packet_is_refused_or_comes_back_as_it_was(
        kind in 0u8..6, length in 0usize..1 << 24, number in any::<u16>(),
        symbol in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let line = frame(kind, length, number, &symbol);
        if let Ok(parsed) = Frame::parse(&line) {
            prop_assert_eq!(parsed.encode(), line);
        }
    }
}
