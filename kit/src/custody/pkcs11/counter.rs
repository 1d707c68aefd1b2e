//! How many records a journal has, kept in the token beside its key: a data object, which whoever has the PIN
//! can set. It tells an older state of a journal from the newest; it does not stop who wants to lie.

use super::find::Place;
use anyhow::{Context, Result, bail};
use coldlog_spec::hash::to_hex;
use coldlog_spec::verify::counter::Counted;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

fn name(id: &[u8]) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::DATA),
        Attribute::Token(true),
        Attribute::Label(format!("coldlog counter {}", to_hex(id)).into_bytes()),
    ]
}

fn find(session: &Session, place: &Place, id: &[u8]) -> Result<Vec<ObjectHandle>> {
    let found = session.find_objects(&name(id));
    found.with_context(|| format!("searching {place} for the counter"))
}

/// What is counted. There are two where a count was cut between its two steps: the further one holds.
pub(super) fn read(session: &Session, place: &Place, id: &[u8]) -> Result<Option<Counted>> {
    let mut furthest: Option<Counted> = None;
    for handle in find(session, place, id)? {
        let found = session.get_attributes(handle, &[AttributeType::Value]);
        let found = found.with_context(|| format!("reading the counter in {place}"))?;
        let Some(Attribute::Value(bytes)) = found.first() else {
            bail!("{place} does not give the counter out");
        };
        let counted = Counted::decode(bytes);
        let counted = counted.with_context(|| format!("the counter in {place} was altered"))?;
        let further = |known: &Counted| (known.low, known.high) < (counted.low, counted.high);
        if furthest.as_ref().is_none_or(further) {
            furthest = Some(counted);
        }
    }
    Ok(furthest)
}

/// Counts: a new object, and then the old one goes. Many tokens change no value that is there.
pub(super) fn write(session: &Session, place: &Place, id: &[u8], counted: Counted) -> Result<()> {
    let old = find(session, place, id)?;
    let mut template = name(id);
    template.extend([
        Attribute::Application(b"coldlog".to_vec()),
        Attribute::Private(true),
        Attribute::Value(counted.encode().to_vec()),
    ]);
    let doing = || format!("counting in {place}");
    session.create_object(&template).with_context(doing)?;
    for handle in old {
        session.destroy_object(handle).with_context(doing)?;
    }
    Ok(())
}
