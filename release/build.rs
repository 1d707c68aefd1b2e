//! Says to the tests what is at hand. What is missing is reported as ignored; with CI=true it is a failure.

use std::process::{Command, Stdio};

fn main() {
    for name in ["CI", "PATH", "COLDLOG_PYTHON"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let peers: [(&str, &str, &[&str]); 3] = [
        ("unshare", "unshare", &["-rn", "true"]),
        ("dpkg", "dpkg-deb", &["--version"]),
        ("cyclonedx", &python, &["-c", "import cyclonedx.validation.json, jsonschema"]),
    ];
    for (name, program, arguments) in peers {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        say(name, ci || command.status().is_ok_and(|status| status.success()));
    }
    // Minutes of work for the compiler.
    say("time", ci || std::env::var_os("COLDLOG_RELEASE_BUILD").is_some());
    println!("cargo::rerun-if-env-changed=COLDLOG_RELEASE_BUILD");
}

fn say(name: &str, have: bool) {
    println!("cargo::rustc-check-cfg=cfg(have_{name})");
    if have {
        println!("cargo::rustc-cfg=have_{name}");
    }
}
