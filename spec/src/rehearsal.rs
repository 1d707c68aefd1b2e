//! Rehearsals: a team practises with keys, journals and logs of their own, which nothing real accepts.
//!
//! The mark is in the names, and the names are in the bytes: the signer's in each statement, the log's in
//! each head, a witness's on each cosignature, all of them in the policy. `.invalid` is nobody's domain, now
//! and for ever (RFC 2606, section 2; RFC 6761, section 6.4), so no real name has this beginning:
//!
//! ```text
//! rehearsal.invalid/signer.example/releases
//! ```
//!
//! Whoever brings two parties together asks [`may_meet`] here.

/// What the name of each party to a rehearsal begins with.
pub const PREFIX: &str = "rehearsal.invalid/";
const HOST: &str = "rehearsal.invalid";

/// Whether a name is of a rehearsal. Other spellings of the host are the same host.
pub fn is_rehearsal(name: &str) -> bool {
    name.split(['/', ':']).next().is_some_and(|host| host.eq_ignore_ascii_case(HOST))
}

/// Why a name, a file or a party is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotMeant {
    /// A rehearsal's and a real one.
    #[error(
        "{rehearsal} is of a rehearsal, {real} is real: nothing real takes what a rehearsal made, and a rehearsal takes nothing real; use the files of one of them"
    )]
    Mixed {
        /// The name of the rehearsal.
        rehearsal: String,
        /// The real name.
        real: String,
    },
    /// A real party under a rehearsal's name.
    #[error(
        "{name} is a name of a rehearsal, and nothing real would take what it makes; say --rehearsal to practise, or choose a real name"
    )]
    Unsaid {
        /// The name.
        name: String,
    },
    /// A rehearsal's proof, where a real one is asked for.
    #[error(
        "REHEARSAL: {name} is of a rehearsal: whatever this proves, nothing real was signed; say --rehearsal if that is what you practise"
    )]
    Rehearsal {
        /// The name.
        name: String,
    },
    /// A real proof, where a rehearsal's is asked for.
    #[error("{name} is real, and --rehearsal takes what a rehearsal made, and nothing else")]
    Real {
        /// The name.
        name: String,
    },
}

/// The name under which a party starts: in a rehearsal it gets the mark, unless it has it.
pub fn own_name(name: &str, rehearsal: bool) -> Result<String, NotMeant> {
    match (rehearsal, name.starts_with(PREFIX)) {
        (true, false) => Ok(format!("{PREFIX}{name}")),
        (false, _) if is_rehearsal(name) => Err(NotMeant::Unsaid { name: name.into() }),
        _ => Ok(name.into()),
    }
}

/// "May these two have to do with each other?" Only both in a rehearsal, or neither.
pub fn may_meet(one: &str, other: &str) -> Result<(), NotMeant> {
    match (is_rehearsal(one), is_rehearsal(other)) {
        (true, false) => Err(NotMeant::Mixed { rehearsal: one.into(), real: other.into() }),
        (false, true) => Err(NotMeant::Mixed { rehearsal: other.into(), real: one.into() }),
        _ => Ok(()),
    }
}

/// The same of many, each of which may meet each.
pub fn may_all_meet<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<(), NotMeant> {
    let mut names = names.into_iter();
    let Some(first) = names.next() else { return Ok(()) };
    names.try_for_each(|name| may_meet(first, name))
}

/// "Is this what was asked for?" A rehearsal must be asked for, and nothing real passes for one.
pub fn must_be(name: &str, rehearsal: bool) -> Result<(), NotMeant> {
    match (is_rehearsal(name), rehearsal) {
        (true, false) => Err(NotMeant::Rehearsal { name: name.into() }),
        (false, true) => Err(NotMeant::Real { name: name.into() }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "signer.example/releases";
    const MARKED: &str = "rehearsal.invalid/signer.example/releases";

    #[test]
    fn a_rehearsals_name_is_known_by_its_host_however_it_is_spelt() {
        for name in [MARKED, "rehearsal.invalid", "REHEARSAL.Invalid/x", "rehearsal.invalid:443/x"]
        {
            assert!(is_rehearsal(name), "{name}");
            assert_eq!(own_name(name, false), Err(NotMeant::Unsaid { name: name.into() }));
        }
        for name in [REAL, "rehearsal.invalidation.example/x", "x/rehearsal.invalid/", ""] {
            assert!(!is_rehearsal(name), "{name}");
            assert_eq!(own_name(name, false).as_deref(), Ok(name));
            assert!(is_rehearsal(&own_name(name, true).unwrap_or_default()), "{name}");
        }
        assert_eq!(own_name(MARKED, true).as_deref(), Ok(MARKED));
    }

    #[test]
    fn a_rehearsal_meets_rehearsals_only() {
        let mixed = NotMeant::Mixed { rehearsal: MARKED.into(), real: REAL.into() };
        assert_eq!(may_meet(MARKED, REAL), Err(mixed.clone()));
        assert_eq!(may_meet(REAL, MARKED), Err(mixed.clone()));
        assert_eq!(may_meet(MARKED, PREFIX), Ok(()));
        assert_eq!(may_meet(REAL, "log.example"), Ok(()));
        assert_eq!(may_all_meet([REAL, "log.example", MARKED]), Err(mixed));
        assert_eq!(may_all_meet([]), Ok(()));
        assert!(must_be(MARKED, false).is_err() && must_be(REAL, true).is_err());
        assert!(must_be(MARKED, true).is_ok() && must_be(REAL, false).is_ok());
    }
}
