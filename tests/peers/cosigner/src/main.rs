//! `peer-cosigner verify NOTE VKEY...` and `peer-cosigner cosign NOTE NAME TIME SEED`: what crate
//! metamorphic-log says, no more. See ../README.md.

use metamorphic_crypto::{ed25519_public_key, ml_dsa_44_public_key};
use metamorphic_log::note::{
    SignedNote, VerifierKey, sign_cosignature_ed25519, sign_cosignature_mldsa44,
};
use std::process::ExitCode;

enum End {
    Refused(String),
    Trouble(String),
}

fn trouble(why: impl std::fmt::Display) -> End {
    End::Trouble(why.to_string())
}

fn refused(why: impl std::fmt::Display) -> End {
    End::Refused(why.to_string())
}

fn verify(note: &str, keys: &[String]) -> Result<String, End> {
    let note = SignedNote::parse(note).map_err(refused)?;
    let keys: Result<Vec<VerifierKey>, _> =
        keys.iter().map(|key| VerifierKey::parse(key)).collect();
    let verified = note.verify(&keys.map_err(trouble)?).map_err(refused)?;
    let told = verified.iter().map(|line| {
        let time = line.signature().first_chunk::<8>().copied().unwrap_or_default();
        format!("{} {:08x} {}\n", line.name(), line.key_id(), u64::from_be_bytes(time))
    });
    Ok(told.collect())
}

fn cosign(note: &str, name: &str, time: &str, seed: &str) -> Result<String, End> {
    let note = SignedNote::parse(note).map_err(refused)?;
    let time = time.parse().map_err(trouble)?;
    let seed: Result<Vec<u8>, _> = (0..seed.len() / 2)
        .map(|n| u8::from_str_radix(seed.get(2 * n..2 * n + 2).unwrap_or_default(), 16))
        .collect();
    let seed = seed.map_err(trouble)?;
    let ed25519 = ed25519_public_key(&seed).map_err(trouble)?;
    let ml_dsa = ml_dsa_44_public_key(&seed).map_err(trouble)?;
    let keys = [
        VerifierKey::new_cosignature_ed25519(name, &ed25519).map_err(trouble)?,
        VerifierKey::new_cosignature_mldsa44(name, &ml_dsa).map_err(trouble)?,
    ];
    let lines = [
        sign_cosignature_ed25519(note.text(), name, &seed, time).map_err(trouble)?,
        sign_cosignature_mldsa44(note.text(), name, &seed, time).map_err(trouble)?,
    ];
    let keys = keys.iter().map(|key| key.encode());
    let lines = lines.iter().map(|line| line.marshal_line());
    Ok(keys.chain(lines).map(|line| line + "\n").collect())
}

fn run() -> Result<String, End> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let read = |path: &str| std::fs::read_to_string(path).map_err(trouble);
    match words.as_slice() {
        [verb] if verb == "--version" => Ok("metamorphic-log 0.5.0\n".into()),
        [verb, note, keys @ ..] if verb == "verify" => verify(&read(note)?, keys),
        [verb, note, name, time, seed] if verb == "cosign" => {
            cosign(&read(note)?, name, time, seed)
        }
        _ => Err(trouble("verify NOTE VKEY... | cosign NOTE NAME TIME SEED | --version")),
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(told) => {
            print!("{told}");
            ExitCode::SUCCESS
        }
        Err(End::Refused(why)) => {
            eprintln!("{why}");
            ExitCode::from(1)
        }
        Err(End::Trouble(why)) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}
