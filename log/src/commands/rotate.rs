//! `log rotate-key`: new keys take over, with a time in which heads carry the lines of both.

use crate::commands::{freeze, manage};
use crate::keys::{LogKeys, key_file, next_key_file};
use crate::memory;
use crate::place::Place;
use crate::store::Swapped;
use anyhow::Context;
use coldlog_kit::custody::{NewKey, Protected, Start};
use coldlog_kit::exit::{Outcome, no, trouble};
use coldlog_kit::files::{self, Existing, Mode};
use coldlog_kit::keyfile::SCRYPT_LOG_N;
use coldlog_kit::secret::Source;
use coldlog_kit::terminal::say;
use coldlog_kit::time;
use coldlog_spec::rotation::Rotation;
use std::path::Path;

/// Starts it: makes the new keys, and the note in which the old key names them. Started again, it writes
/// that note again.
pub fn start(
    home: &Path,
    output: &Path,
    force: bool,
    new_key: &NewKey,
    secret: &Source,
) -> Outcome {
    let mut place = Place::open(home)?;
    memory::may_sign(&place)?;
    let (mut keys, passphrase) = LogKeys::load_with_passphrase(home, secret)?;
    manage::must_be_of(&place, &keys)?;
    freeze::must_not_be_frozen(&place)?;
    if keys.next.is_none() {
        if let Some(reference) = keys.current.reference()
            && new_key.rank() < reference.rank()
        {
            return no(format!(
                "the log's key is {reference}, and the log would move to a lesser place: name a token for the new one too (--pkcs11, --token-serial); nothing was changed"
            ));
        }
        let protected = Protected::of(&files::read_private(&key_file(home), 1 << 16)?);
        if protected == Protected::ByRecipients && new_key.key_recipient.is_empty() {
            return trouble(
                "the log's key file is encrypted to age recipients: name those of the new one (--key-recipient)",
            );
        }
        let mut new_key = new_key.clone();
        if new_key.pkcs11.is_some() && new_key.key_label.is_none() {
            // The old key may be in the same token, under the plain name.
            let days = time::now() / 86_400;
            new_key.key_label = Some(format!("{} {days}", keys.origin()));
        }
        let start = Start {
            role: "log",
            name: keys.origin(),
            place: &new_key,
            after: None,
            seed: None,
            scrypt_log_n: SCRYPT_LOG_N,
            unencrypted: passphrase.is_none() && new_key.key_recipient.is_empty(),
        };
        let next = start.run_asking(&next_key_file(home), secret, |_| {
            passphrase.clone().context("the passphrase of the key file in force")
        })?;
        keys.next = Some(next);
    }
    let next = keys.next.as_ref().context("the next keys")?.head_keys();
    manage::write_policy(home, &keys.verifiers())?;
    sign_newest(&mut place, &keys)?;
    let rotation = Rotation::sign(&keys.current.head_keys(), &next)?;
    files::write(output, &rotation.encode(), Existing::from_force(force), Mode::Public)?;
    say(format!(
        "heads are signed by the old and the new key of {} from now on; give {} to all who have a policy (`verifier adopt-key`), and when they have it, run `log rotate-key --finish`",
        keys.origin(),
        output.display()
    ));
    Ok(())
}

// The newest head gets the lines of all keys, and keeps what else it has.
fn sign_newest(place: &mut Place, keys: &LogKeys) -> Outcome {
    let mut head = place.head.clone();
    for line in keys.sign_head(&head.checkpoint, time::now())?.note.signatures {
        let there = head.note.signatures.iter();
        if !there.into_iter().any(|other| (other.id, &other.name) == (line.id, &line.name)) {
            head.note.signatures.push(line);
        }
    }
    if head == place.head {
        return Ok(());
    }
    place.store.begin();
    if place.store.swap_head(Some(&place.head), &head)? == Swapped::Lost {
        return no("another writer moved the head meanwhile: run the command again");
    }
    memory::remember(&place.home, &head)?;
    place.head = head;
    Ok(())
}

/// Ends it: the new keys sign alone, and the old file is set aside, to be destroyed.
pub fn finish(home: &Path, secret: &Source) -> Outcome {
    let mut place = Place::open(home)?;
    let keys = manage::keys(&place, secret)?;
    let Some(next) = &keys.next else {
        return no(
            "no new keys are taking over: the change is complete already, or was never begun; `log rotate-key -o FILE` begins one",
        );
    };
    // The next head follows one that the new key has signed: whoever has only that key can go on.
    sign_newest(&mut place, &keys)?;
    let verifiers = next.head_keys().log_verifiers();
    if place.head.must_be_by(&verifiers).is_err() {
        return trouble("the newest head has no line of the new key: run `log fsck`");
    }
    let old = keys.current.ed25519().public().thumbprint().to_hex();
    let retired = home.join(format!("retired-key-{}.age", &old[..16]));
    let bytes = files::read_private(&key_file(home), 1 << 16)?;
    files::write(&retired, &bytes, Existing::Keep, Mode::Private)?;
    // One step: there is never no key, and never a third.
    std::fs::rename(next_key_file(home), key_file(home)).context("putting the new key in force")?;
    files::sync_folder(home)?;
    say(format!(
        "the new key of {} signs alone; the old one is in {}: destroy it, and keep its lines in log.policy, by which what it signed is verified",
        keys.origin(),
        retired.display()
    ));
    Ok(())
}
