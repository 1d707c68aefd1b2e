//! Says to the tests whether others' test vectors are at hand, so that they are reported as ignored
//! where they are not. With CI=true their absence is a failure.

use std::path::Path;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(have_vectors)");
    println!("cargo::rerun-if-env-changed=COLDLOG_VECTORS");
    println!("cargo::rerun-if-env-changed=CI");
    let named = std::env::var_os("COLDLOG_VECTORS");
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = named.map_or(default, Into::into);
    println!("cargo::rerun-if-changed={}", folder.display());
    if folder.is_dir() || std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        println!("cargo::rustc-cfg=have_vectors");
    }
}
