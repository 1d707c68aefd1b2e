#![allow(clippy::unwrap_used)]

use super::*;

fn public() -> PublicKey {
    coldlog_spec::ed25519::SecretKey::from_seed(&[7; 32]).public()
}

fn in_token() -> InToken {
    let (module, serial) = ("/usr/lib/softhsm/libsofthsm2.so".into(), "0a1b2c3d4e5f6071".into());
    InToken { module, serial, id: vec![1; 16], public: public() }
}

#[test]
fn what_is_written_is_read() {
    let agent = InAgent { public: public(), comment: "ada@yubikey".into() };
    for reference in [Reference::Token(in_token()), Reference::Agent(agent)] {
        assert_eq!(Reference::decode(reference.encode()).unwrap(), reference);
    }
}

fn refused(change: impl FnOnce(&mut Vec<Value>)) -> String {
    let Value::Array(mut items) = Reference::Token(in_token()).encode() else { unreachable!() };
    change(&mut items);
    Reference::decode(Value::Array(items)).unwrap_err().to_string()
}

#[test]
fn what_could_choose_another_module_token_or_key_is_refused() {
    assert!(refused(|items| items[1] = "libsofthsm2.so".into()).contains("an absolute path"));
    assert!(refused(|items| items[1] = "/a\0b".into()).contains("an absolute path"));
    assert!(refused(|items| items[2] = "0123456789abcdef0".into()).contains("serial"));
    assert!(refused(|items| items[3] = cbor::bytes([])).contains("1 to 64 bytes"));
    assert!(refused(|items| items[3] = cbor::bytes([0; 65])).contains("id"));
    assert!(refused(|items| items[4] = cbor::bytes([0; 32])).contains("no sound Ed25519"));
    assert!(refused(|items| items[0] = "ssh-agent".into()).contains("where the key is held"));
    assert!(refused(|items| items[0] = "tpm".into()).contains("\"tpm\""));
    assert!(refused(|items| items.truncate(4)).contains("where the key is held"));
}
