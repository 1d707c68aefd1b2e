//! The shortcuts to what is read most, held against the decoders that they spare.

use crate::common::*;
use coldlog_spec::batch;
use coldlog_spec::cbor;
use coldlog_spec::cose::{Headers, Sign1, label};
use coldlog_spec::record::DISCLOSURE_TYPE;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_record_is_found_in_its_item_just_where_the_decoder_finds_it(
        sizes in (0usize..400, 0usize..400),
        place in any::<prop::sample::Index>(),
        by in any::<u8>(),
        cut in 0usize..3,
    ) {
        let mut item = batch::encode_record(&vec![1; sizes.0], &vec![2; sizes.1]);
        let at = place.index(item.len().min(8));
        item[at] ^= by;
        item.truncate(item.len() - cut);
        let plain = batch::plain_record(&item).map(|(a, b)| (a.to_vec(), b.to_vec()));
        // The slow way, which decodes any item and says what is wrong with it.
        let slow = match cbor::decode("coldlog-batch", &item, batch::MAX_ITEM) {
            Ok(cbor::Value::Array(parts)) => match parts.as_slice() {
                [cbor::Value::Bytes(a), cbor::Value::Bytes(b)] => Some((a.clone(), b.clone())),
                _ => None,
            },
            _ => None,
        };
        prop_assert_eq!(plain, slow);
    }

    #[test]
    fn the_shortcut_to_a_statement_is_one_to_what_the_decoder_says(
        odd in proptest::collection::vec(0..16usize, 12),
        sequence in prop_oneof![Just(0u64), 1..30u64, any::<u64>()],
        size in any::<u64>(),
    ) {
        // Each part is mostly as it should be: one odd thing at a time says most.
        let pick = |part: usize, values: &[cbor::Value]| {
            let at = odd[part];
            values[if at < values.len() { at } else { 0 }].clone()
        };
        let bytes = |length: usize| cbor::bytes(vec![7; length]);
        let texts: Vec<cbor::Value> = ["signer.example/a", "journal", "", "a b", "a+b", "a\nb", "ä"]
            .map(cbor::Value::from).into_iter()
            .chain([255, 256].map(|n| "x".repeat(n).into())).collect();
        let text = |part: usize| pick(part, &texts);
        let head = |length: usize| {
            let mut items = vec![text(0), size.into(), bytes(32), bytes(32), cbor::Value::Null];
            items.truncate(length);
            cbor::Value::Array(items)
        };
        let previous = match sequence == 0 {
            true => [cbor::Value::Null, bytes(32), 1.into()],
            false => [bytes(32), cbor::Value::Null, bytes(31)],
        };
        let number = pick(1, &[sequence.into(), "1".into(), (-1).into()]);
        let known = pick(2, &[cbor::Value::Null, head(4), head(3), head(5), head(2), bytes(32)]);
        let mut position = vec![number, pick(3, &previous), known];
        position.truncate([3, 2, 3, 3][odd[4] % 4]);
        let mut claims = vec![(1.into(), text(5)), (2.into(), text(6))];
        match odd[7] {
            1 => drop(claims.pop()),
            2 => claims.push((6.into(), 1.into())),
            3 => claims.push((3.into(), bytes(3))),
            _ => {}
        }
        let mut headers = vec![
            (label::ALG, pick(8, &[(-8).into(), (-19).into(), (-7).into(), "EdDSA".into()])),
            (label::KID, pick(9, &[bytes(32), bytes(31), bytes(33), bytes(255), "kid".into()])),
            (label::CLAIMS, cbor::map(claims)),
            (label::PAYLOAD_HASH_ALG, pick(10, &[(-16).into(), (-43).into(), cbor::Value::Null])),
            (label::PREIMAGE_TYPE, pick(11, &[DISCLOSURE_TYPE.into(), "text/plain".into(), 1.into()])),
            (label::POSITION, cbor::Value::Array(position)),
        ];
        match odd[10] {
            5 => headers.push((label::CRIT, 1.into())),
            6 => headers.push((label::TYP, 1.into())),
            7 => drop(headers.pop()),
            8 => drop(headers.remove(3)),
            _ => {}
        }
        let protected = Headers::sorted(headers);
        let length = |part: usize, right: usize| [right, right - 1, right + 1, 0][odd[part] % 16 % 4 * usize::from(odd[part] < 4)];
        let sign1 = Sign1 {
            protected_bytes: cbor::to_bytes(&protected.to_value()),
            protected,
            unprotected: Headers(if odd[11] == 9 { vec![(label::POLICY, 1.into())] } else { vec![] }),
            payload: (odd[8] != 11).then(|| vec![9; length(9, 32)]),
            signature: vec![5; length(8, 64)],
        };
        let bytes = sign1.encode();
        statement_again(&bytes);
        // Heads that are not the shortest, and a part cut off, too.
        let at = odd.iter().sum::<usize>() * 7 % bytes.len();
        statement_again(&bytes[..at]);
        statement_again(&[&bytes[..at], &[0x18], &bytes[at..]].concat());
    }
}
