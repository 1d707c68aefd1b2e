use super::*;
use crate::sending::{Outgoing, TooLarge, Transfer};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// Bytes that do not pack.
fn noise(length: usize) -> Vec<u8> {
    let blocks = (0u64..).map(|n| Sha256::digest(n.to_be_bytes()));
    blocks.flatten().take(length).collect()
}

fn sent(file: &[u8], symbol_size: u16) -> Transfer {
    Outgoing::new(Kind::Batch, file).unwrap().cut(symbol_size).unwrap()
}

/// Reads lines, and returns what they give and how many were taken until then.
fn read(lines: &[String]) -> Result<(Vec<u8>, usize), GatherError> {
    let mut gathering = Gathering::of(Kind::Batch);
    let mut taken = 0;
    for line in lines {
        taken += 1;
        if gathering.take(line)? == Taken::Whole {
            break;
        }
    }
    Ok((gathering.finish()?, taken))
}

fn lines(transfer: &Transfer, numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| transfer.frame(number).encode()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn frames_in_any_order_doubled_and_dropped_give_the_file(
        length in 0usize..9000, size in 20u16..900, order in any::<u64>(), dropped in any::<u64>(),
    ) {
        let file = noise(length);
        let transfer = sent(&file, size);
        let pieces = u64::from(transfer.head().pieces());
        // As many as are shown by default, less what may be lost: all that repair but three.
        let mut numbers: Vec<u64> = (0..u64::from(transfer.frames())).collect();
        let key = |seed: u64, n: &u64| Sha256::digest([seed.to_be_bytes(), n.to_be_bytes()].concat());
        numbers.sort_by_key(|n| key(dropped, n).to_vec());
        numbers.truncate(pieces as usize + 3);
        let mut twice = numbers.repeat(2);
        twice.sort_by_key(|n| key(order, n).to_vec());
        prop_assert_eq!(read(&lines(&transfer, twice))?.0, file);
    }

    #[test]
    fn too_few_frames_give_nothing_and_the_error_counts(length in 1usize..5000, few in 0u64..40) {
        let transfer = sent(&noise(length), 60);
        let pieces = u64::from(transfer.head().pieces());
        let few = few.min(pieces - 1);
        match read(&lines(&transfer, 0..few)) {
            Err(GatherError::Nothing { .. }) => prop_assert_eq!(few, 0),
            Err(GatherError::Missing { have, missing, .. }) => {
                prop_assert_eq!(u64::from(have), few);
                prop_assert_eq!(u64::from(missing), pieces - few);
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn a_mutated_frame_among_the_others_changes_nothing(
        length in 1usize..3000, which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(), other in "[0-9A-Z]",
    ) {
        let file = noise(length);
        let transfer = sent(&file, 100);
        let mut all = lines(&transfer, 0..u64::from(transfer.frames()));
        let line = which.get(&all).clone();
        let place = place.index(line.len());
        let mut altered = line.clone();
        altered.replace_range(place..=place, &other);
        all.insert(0, altered);
        prop_assert_eq!(read(&all)?.0, file);
    }
}

#[test]
fn as_many_frames_as_pieces_are_enough_most_often_and_two_more_always() {
    let (mut exact, mut more) = (0, 0);
    for number in 0..200u64 {
        let file = noise(900 + number as usize * 7);
        let transfer = sent(&file, 40);
        let pieces = u64::from(transfer.head().pieces());
        // Only frames that repair.
        let numbers = pieces + 50 * number..pieces + 50 * number + pieces + 2;
        let (back, taken) = read(&lines(&transfer, numbers)).unwrap();
        assert_eq!(back, file);
        if taken as u64 == pieces { exact += 1 } else { more += 1 }
    }
    assert!(exact > 180, "{exact} exactly, {more} with one or two more");
}

#[test]
fn an_endless_show_goes_round_and_its_frames_are_the_same_again() {
    let transfer = sent(&noise(1000), 100);
    assert_eq!(transfer.frame(65_536 + 3), transfer.frame(3));
    assert_eq!(transfer.frame(65_535).number, 65_535);
    let late = lines(&transfer, 65_520..65_545);
    assert_eq!(read(&late).unwrap().0, noise(1000));
}

#[test]
fn the_same_file_is_one_transfer_and_another_size_of_codes_another_one() {
    let file = noise(2000);
    let (one, again, other) = (sent(&file, 100), sent(&file, 100), sent(&file, 101));
    let mixed = [lines(&one, 0..10), lines(&again, 10..25)].concat();
    assert_eq!(read(&mixed).unwrap().0, file);
    let mixed = [lines(&one, 0..10), lines(&other, 10..25)].concat();
    let refused = read(&mixed).unwrap_err();
    let (first, second) = (one.head().transfer, other.head().transfer);
    assert!(
        matches!(refused, GatherError::Mixed { first: f, other: o, .. } if f == first && o == second)
    );
    assert!(refused.to_string().contains(&second.to_string()), "{refused}");
}

#[test]
fn frames_of_another_kind_are_named() {
    let transfer = Outgoing::new(Kind::Receipts, b"x").unwrap().cut(100).unwrap();
    let refused = read(&lines(&transfer, 0..1)).unwrap_err();
    assert!(refused.to_string().contains("carry receipts"), "{refused}");
    assert!(refused.to_string().contains("not a batch"), "{refused}");
}

/// Frames that somebody makes on purpose have good checks.
#[test]
fn frames_made_to_deceive_give_no_file() {
    let transfer = sent(&noise(2000), 100);
    let pieces = u64::from(transfer.head().pieces());
    // One symbol is another: what comes out is not what the name says.
    let mut forged = transfer.frame(4);
    forged.symbol[3] ^= 1;
    let mut all = lines(&transfer, (0..pieces).filter(|n| *n != 4));
    all.push(forged.encode());
    assert_eq!(read(&all), Err(GatherError::NotWhole(transfer.head().transfer)));
    // It stands beside the true one.
    let all = [lines(&transfer, 0..5), vec![forged.encode()]].concat();
    assert!(matches!(read(&all), Err(GatherError::Conflict { number: 4, .. })));
    // One name with another length, or symbols of another size.
    for change in [|f: &mut Frame| f.head.length -= 1, |f: &mut Frame| f.symbol.truncate(99)] {
        let mut forged = transfer.frame(9);
        change(&mut forged);
        let all = [lines(&transfer, 0..5), vec![forged.encode()]].concat();
        assert!(matches!(read(&all), Err(GatherError::Conflict { number: 9, .. })));
    }
}

/// The largest claims that a frame may make, with nothing behind them.
#[test]
fn hostile_claims_cost_little_memory_and_no_panic() {
    let transfer = TransferId([1; 8]);
    for (length, size) in [(2048, 1), (1 << 20, 512), (1 << 20, 2843), (1, 2843)] {
        let head = Head { kind: Kind::Batch, transfer, length, symbol_size: size };
        let mut gathering = Gathering::of(Kind::Batch);
        let mut outcome = Ok(Taken::New);
        for number in (0..=u16::MAX).rev() {
            let symbol = vec![number as u8; size];
            outcome = gathering.take(&Frame { head, number, symbol }.encode());
            if outcome != Ok(Taken::New) {
                break;
            }
        }
        assert_eq!(outcome, Err(GatherError::NotWhole(transfer)));
        assert!(gathering.have() <= head.pieces() + SPARE);
    }
}

#[test]
fn a_parcel_that_lies_is_refused_by_name() {
    let parcel = [&[0, 0, 0, 9][..], &[0; 32], b"no digest"].concat();
    let transfer = TransferId::of(Kind::Batch, 100, &parcel);
    let head = Head { kind: Kind::Batch, transfer, length: parcel.len(), symbol_size: 100 };
    let mut symbol = parcel;
    symbol.resize(100, 0);
    let refused = read(&[Frame { head, number: 0, symbol }.encode()]).unwrap_err();
    assert_eq!(refused, GatherError::Parcel { transfer, why: ParcelError::Digest });
}

#[test]
fn a_file_that_is_too_large_is_not_sent() {
    let large = Outgoing::new(Kind::Batch, &noise(1 << 20));
    assert!(matches!(large, Err(TooLarge::Bytes(_))));
    let fits = Outgoing::new(Kind::Batch, &noise((1 << 20) - 100)).unwrap();
    assert!(matches!(fits.cut(500), Err(TooLarge::Pieces { .. })));
    let transfer = fits.cut(513).unwrap();
    let half = lines(&transfer, 1000..1000 + u64::from(transfer.head().pieces()) + 2);
    assert_eq!(read(&half).unwrap().0.len(), (1 << 20) - 100);
}

#[test]
fn a_word_about_a_frame_of_ours_goes_before_one_about_a_stranger() {
    let transfer = sent(&noise(500), 100);
    let cut = transfer.frame(1).encode();
    let all = [
        vec!["WIFI:S:home;;".into(), cut[..cut.len() - 3].to_owned(), "https://a.example".into()],
        lines(&transfer, 0..2),
    ];
    let refused = read(&all.concat()).unwrap_err().to_string();
    assert!(refused.contains("2 of 6 frames"), "{refused}");
    assert!(refused.contains("at least 4 more"), "{refused}");
    assert!(
        refused.contains("3 could not be used, the first: a frame that fails its check"),
        "{refused}"
    );
}
