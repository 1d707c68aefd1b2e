//! What is in a program: a CycloneDX 1.5 list, by the CycloneDX project's own library.
//!
//! `cargo cyclonedx` would list what the whole workspace makes of a crate, with features that other
//! members switch on; here the list is that of the program as it is shipped, with what is linked into it
//! besides crates.

use crate::buildinfo::Machine;
use crate::crates::{Crate, Id};
use crate::programs::{Linking, Program};
use crate::source::Source;
use anyhow::{Context, Result, bail};
use coldlog_kit::time::show;
use coldlog_spec::hash::Hash as Sha256;
use cyclonedx_bom::external_models::uri::Purl;
use cyclonedx_bom::models::component::{Classification, Scope};
use cyclonedx_bom::models::dependency::{Dependencies, Dependency};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::prelude::*;
use std::collections::BTreeMap;

/// The list of a program, as JSON.
pub fn sbom(
    source: &Source,
    machine: &Machine,
    program: &Program,
    bytes: &[u8],
    crates: &BTreeMap<Id, Crate>,
) -> Result<Vec<u8>> {
    let mut bom = Bom {
        spec_version: SpecVersion::V1_5,
        // The library's own would be another each time.
        serial_number: None,
        metadata: Some(Metadata {
            timestamp: Some(DateTime::try_from(show(source.epoch))?),
            component: Some(shipped(source, program, bytes)?),
            ..Metadata::default()
        }),
        ..Bom::default()
    };
    let root = (program.package.to_owned(), source.version.clone());
    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for (id, one) in crates {
        if *id != root {
            components.push(component(id, one)?);
        }
        let mut uses: Vec<String> = one.uses.iter().map(reference).collect();
        if *id == root {
            uses.extend(
                system(machine, program).iter().map(|(name, version)| other(name, version)),
            );
        }
        dependencies.push(Dependency { dependency_ref: reference(id), dependencies: uses });
    }
    for (name, version) in system(machine, program) {
        let mut one = Component::new(library(), name, &version, Some(other(name, &version)));
        one.purl = Some(Purl::new("generic", name, &version)?);
        one.scope = Some(Scope::Required);
        components.push(one);
        dependencies
            .push(Dependency { dependency_ref: other(name, &version), dependencies: vec![] });
    }
    bom.components = Some(Components(components));
    bom.dependencies = Some(Dependencies(dependencies));
    // The same contents, the same number.
    let digest = Sha256::of(&written(bom.clone())?).to_hex();
    bom.serial_number = Some(serial(&digest)?);
    let result = bom.validate_version(SpecVersion::V1_5);
    if !result.passed() {
        bail!("the list of {} is no CycloneDX: {:?}", program.name, result);
    }
    written(bom)
}

fn written(bom: Bom) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bom.output_as_json_v1_5(&mut bytes)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// What is linked into a program besides crates, with its version.
fn system(machine: &Machine, program: &Program) -> Vec<(&'static str, String)> {
    let mut all = vec![("rust-std", machine.rust.clone())];
    if program.linking == Linking::Static {
        all.push(("glibc", machine.glibc.clone()));
    }
    all
}

fn shipped(source: &Source, program: &Program, bytes: &[u8]) -> Result<Component> {
    let id = (program.package.to_owned(), source.version.clone());
    let kind = Classification::Application;
    let mut shipped = Component::new(kind, program.name, &source.version, Some(reference(&id)));
    shipped.description = Some(NormalizedString::new(program.about));
    shipped.licenses = Some(licences("Apache-2.0 OR MIT")?);
    shipped.hashes = Some(sha256(&Sha256::of(bytes).to_hex()));
    Ok(shipped)
}

fn component((name, version): &Id, one: &Crate) -> Result<Component> {
    let id = (name.clone(), version.clone());
    let mut component = Component::new(library(), name, version, Some(reference(&id)));
    component.scope = Some(if one.linked { Scope::Required } else { Scope::Excluded });
    component.description =
        one.description.as_deref().map(|text| NormalizedString::new(text.trim()));
    component.licenses = one.licence.as_deref().map(licences).transpose()?;
    component.hashes = one.checksum.as_deref().map(sha256);
    if !one.is_ours() {
        component.purl = Some(Purl::new("cargo", name, version)?);
    }
    Ok(component)
}

fn library() -> Classification {
    Classification::Library
}

fn licences(expression: &str) -> Result<Licenses> {
    let parsed = SpdxExpression::parse_lax(expression.into());
    let parsed = parsed.with_context(|| format!("the licence {expression}"))?;
    Ok(Licenses(vec![LicenseChoice::Expression(parsed)]))
}

fn sha256(hex: &str) -> Hashes {
    Hashes(vec![Hash { alg: HashAlgorithm::SHA_256, content: HashValue(hex.into()) }])
}

fn reference((name, version): &Id) -> String {
    format!("pkg:cargo/{name}@{version}")
}

fn other(name: &str, version: &str) -> String {
    format!("pkg:generic/{name}@{version}")
}

/// A UUID of version 8 (RFC 9562, section 5.8): the first bits of a digest, around the fixed ones.
fn serial(digest: &str) -> Result<UrnUuid> {
    let part = |from: usize, to: usize| digest.get(from..to).context("a digest is 64 digits");
    let (a, b, c, d, e) = (part(0, 8)?, part(8, 12)?, part(13, 16)?, part(17, 20)?, part(20, 32)?);
    let serial = UrnUuid::new(format!("urn:uuid:{a}-{b}-8{c}-8{d}-{e}"));
    serial.ok().context("a serial number that is none")
}
