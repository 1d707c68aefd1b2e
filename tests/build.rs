//! Says to the tests which peers are at hand. A missing one is reported as ignored; with CI=true it
//! is a failure.

use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-env-changed=CI");
    println!("cargo::rerun-if-env-changed=PATH");
    println!("cargo::rerun-if-env-changed=COLDLOG_PYTHON");
    let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    let python = std::env::var("COLDLOG_PYTHON").unwrap_or_else(|_| "python3".into());
    let peers: [(&str, &str, &[&str]); 15] = [
        ("ssh_keygen", "ssh-keygen", &["-?"]),
        ("minisign", "minisign", &["-v"]),
        ("softhsm2", "softhsm2-util", &["--version"]),
        ("ssh_agent", "ssh-agent", &["-?"]),
        ("age", "age", &["--version"]),
        ("strace", "strace", &["-V"]),
        ("faketime", "faketime", &["--version"]),
        ("unshare", "unshare", &["-rn", "true"]),
        ("curl", "curl", &["--version"]),
        ("openssl", "openssl", &["version"]),
        ("zbarimg", "zbarimg", &["--version"]),
        ("scitt_cose", &python, &["-c", "import scitt_cose, cbor2"]),
        ("ml_dsa", &python, &["-c", "from cryptography.hazmat.primitives.asymmetric import mldsa"]),
        ("aiosmtpd", &python, &["-c", "import aiosmtpd"]),
        ("peer_cosigner", "peer-cosigner", &["--version"]),
    ];
    for (name, program, arguments) in peers {
        println!("cargo::rustc-check-cfg=cfg(have_{name})");
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // OpenSSH's answer -? with their usage and 1; to be found is enough for them.
        let found =
            command.status().is_ok_and(|status| status.success() || name.starts_with("ssh_"));
        if ci || found {
            println!("cargo::rustc-cfg=have_{name}");
        }
    }
}
