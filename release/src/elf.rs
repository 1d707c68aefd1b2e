//! What a program needs of the system that runs it.

use anyhow::{Context, Result, bail};
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use std::collections::BTreeSet;
use std::path::Path;

/// What a program needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The loader that must start it.
    pub loader: Option<String>,
    /// Shared libraries, by their names.
    pub libraries: BTreeSet<String>,
    /// The newest version of the GNU C library of which it uses something.
    pub glibc: Option<(u32, u32)>,
}

impl Needs {
    /// Of a file.
    pub fn of(path: &Path) -> Result<Needs> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        parse(&bytes).with_context(|| format!("{} is no program", path.display()))
    }

    /// Whether it needs nothing but a kernel.
    pub fn is_static(&self) -> bool {
        *self == Needs::default()
    }

    /// The Debian packages that have it.
    pub fn packages(&self) -> Result<Vec<String>> {
        let mut packages = BTreeSet::new();
        for library in &self.libraries {
            packages.insert(match library.as_str() {
                "libgcc_s.so.1" => "libgcc-s1".to_owned(),
                "libc.so.6" | "libm.so.6" | "ld-linux-x86-64.so.2" | "ld-linux-aarch64.so.1" => {
                    let (major, minor) = self.glibc.context("it names no version of glibc")?;
                    format!("libc6 (>= {major}.{minor})")
                }
                other => bail!("it needs {other}, of which no package is known here"),
            });
        }
        Ok(packages.into_iter().collect())
    }
}

fn parse(bytes: &[u8]) -> Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP {
            let loader = segment.data(endian, bytes).ok().context("a loader out of the file")?;
            needs.loader = Some(text(loader.strip_suffix(&[0]).unwrap_or(loader)));
        }
    }
    if let Some((entries, strings)) = sections.dynamic(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == DT_NEEDED) {
            let name = strings.get(entry.val32(endian).context("a library's name")?).ok();
            needs.libraries.insert(text(name.context("a library without a name")?));
        }
    }
    if let Some((mut needed, strings)) = sections.gnu_verneed(endian, bytes)? {
        let strings = sections.strings(endian, bytes, strings)?;
        while let Some((_, mut versions)) = needed.next()? {
            while let Some(version) = versions.next()? {
                let name =
                    version.name(endian, strings).ok().context("a version without a name")?;
                needs.glibc = needs.glibc.max(glibc(&text(name)));
            }
        }
    }
    Ok(needs)
}

/// `GLIBC_2.34`
fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dynamic_program_needs_is_seen() {
        let needs = Needs::of(&std::env::current_exe().unwrap()).unwrap();
        assert!(!needs.is_static());
        assert!(needs.loader.as_deref().is_some_and(|loader| loader.contains("ld-linux")));
        assert!(needs.libraries.contains("libc.so.6"), "{needs:?}");
        let packages = needs.packages().unwrap();
        assert!(packages.iter().any(|one| one.starts_with("libc6 (>= 2.")), "{packages:?}");
        assert!(Needs::of(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_library_of_which_no_package_is_known_is_refused() {
        let libraries = ["libfoo.so.1".to_owned()].into();
        let needs = Needs { libraries, ..Needs::default() };
        assert!(needs.packages().unwrap_err().to_string().contains("libfoo.so.1"));
    }
}
