//! Compiling so that anybody gets the same bytes, in whichever folder.
//!
//! What could differ is taken away: the environment (but what cargo needs to work), paths
//! (`--remap-path-prefix`, for C `-ffile-prefix-map`), times (`SOURCE_DATE_EPOCH`), versions of crates
//! (`--locked`). The compilers' versions are left; `BUILDINFO` names them.

use crate::programs::{Linking, Program};
use crate::source::Source;
use crate::tool;
use anyhow::{Context, Result, ensure};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The profile in Cargo.toml that releases are built with.
pub const PROFILE: &str = "dist";

/// Where paths of the source, and of crates, are in what is compiled.
const ROOTS: [&str; 2] = ["/coldlog", "/cargo"];

/// The Rust compiler, as it describes itself.
#[derive(Debug)]
pub struct Compiler {
    /// `rustc -vV`
    pub version: String,
    /// What it compiles for: the machine that it runs on.
    pub target: String,
    sysroot: PathBuf,
    commit: String,
}

impl Compiler {
    /// The one that the source asks for.
    pub fn of(source: &Source) -> Result<Compiler> {
        let rustc = |arguments: &[&str]| tool::output(quiet(source, "rustc").args(arguments));
        let version = rustc(&["-vV"])?;
        let field = |name: &str| {
            let value = version.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::to_owned).with_context(|| format!("rustc -vV says no {name}"))
        };
        let (target, commit) = (field("host: ")?, field("commit-hash: ")?);
        ensure!(
            target.ends_with("-linux-gnu"),
            "releases are made on Linux with the GNU C library, this is {target}"
        );
        let sysroot = rustc(&["--print", "sysroot"])?.trim_end().into();
        Ok(Compiler { version, target, sysroot, commit })
    }
}

/// Compiles a program and returns where it is. The folder's next program may replace it.
pub fn compile(source: &Source, compiler: &Compiler, program: &Program) -> Result<PathBuf> {
    let folder = source.root.join("target/release-files");
    let mut cargo = quiet(source, "cargo");
    // One package at a time: built together, they would switch on features in each other.
    cargo.args(["build", "--quiet", "--locked", "--profile", PROFILE, "--bin", program.name]);
    cargo.args(["--package", program.package, "--target", &compiler.target]);
    cargo.arg("--target-dir").arg(&folder);
    cargo.args(program.features());
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust_flags(source, compiler, program)?);
    let [ours, crates] = prefixes(source)?;
    cargo.env("CFLAGS", joined(" ", ["-ffile-prefix-map=", "-ffile-prefix-map="], [ours, crates]));
    tool::run(&mut cargo)?;
    Ok(folder.join(&compiler.target).join(PROFILE).join(program.name))
}

/// Separated as cargo wants them. Later rules win, so the crates' folder, which may be in the source's,
/// comes last.
fn rust_flags(source: &Source, compiler: &Compiler, program: &Program) -> Result<OsString> {
    let [ours, crates] = prefixes(source)?;
    // Where the library's source is installed, its paths would be those of this machine.
    let mut library = compiler.sysroot.join("lib/rustlib/src/rust").into_os_string();
    library.push(format!("=/rustc/{}", compiler.commit));
    let remap = "--remap-path-prefix=";
    let mut flags = joined("\x1f", [remap; 3], [ours, crates, library]);
    if program.linking == Linking::Static {
        flags.push("\x1f-Ctarget-feature=+crt-static");
        // By the system call: asked as a shared library's function, which a static program has not, it would
        // fall back to /dev/urandom.
        flags.push("\x1f--cfg=getrandom_backend=\"linux_getrandom\"");
    }
    Ok(flags)
}

fn joined<const N: usize>(between: &str, before: [&str; N], values: [OsString; N]) -> OsString {
    let mut all = OsString::new();
    for (before, value) in before.iter().zip(values) {
        if !all.is_empty() {
            all.push(between);
        }
        all.push(before);
        all.push(value);
    }
    all
}

/// `FROM=TO` for the source and for the crates.
fn prefixes(source: &Source) -> Result<[OsString; 2]> {
    let crates = cargo_home()?;
    let [ours, theirs] = ROOTS;
    let map = |from: &Path, to: &str| {
        let mut map = from.as_os_str().to_owned();
        map.push("=");
        map.push(to);
        map
    };
    Ok([map(&source.root, ours), map(&crates, theirs)])
}

/// Where cargo keeps the crates' sources.
fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?;
    Ok(Path::new(&home).join(".cargo"))
}

/// A command in the source's root with nothing of this environment but what it needs to work.
pub fn quiet(source: &Source, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&source.root).env_clear();
    command.envs(std::env::vars_os().filter(|(name, _)| is_needed(name)));
    command.env("LC_ALL", "C").env("TZ", "UTC").env("CARGO_INCREMENTAL", "0");
    command.env("SOURCE_DATE_EPOCH", source.epoch.to_string());
    command
}

/// Where programs and crates are, and how crates are fetched.
fn is_needed(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    let names = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "TMPDIR"];
    let fetching = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];
    names.contains(&name.as_ref())
        || fetching.iter().any(|start| name.starts_with(start))
        || name.to_ascii_lowercase().ends_with("_proxy")
}

/// Paths of this machine that must not be in a program: of the source, and of the crates.
pub fn paths(source: &Source) -> Result<[PathBuf; 2]> {
    Ok([source.root.clone(), cargo_home()?])
}
