//! PKCS#11 tokens in software (SoftHSM2), each test's own, and a module over them that does what SoftHSM
//! never does (`peers/token.c`).

use crate::write_private;
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// SoftHSM's module.
pub const SOFTHSM: &str = "/usr/lib/softhsm/libsofthsm2.so";
/// The PIN of every token here.
pub const PIN: &str = "4711-secret";

/// A drawer of tokens.
pub struct Tokens {
    /// Where they are.
    pub folder: PathBuf,
}

impl Tokens {
    /// An empty one, below a stage.
    pub fn new(stage: &Path) -> Result<Tokens> {
        let folder = stage.join("tokens");
        std::fs::create_dir_all(folder.join("store"))?;
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n",
            folder.join("store").display()
        );
        std::fs::write(folder.join("softhsm2.conf"), text)?;
        write_private(&folder.join("pin"), &format!("{PIN}\n"))?;
        write_private(&folder.join("wrong"), "0815-wrong\n")?;
        Ok(Tokens { folder })
    }

    /// What a program needs in its environment to find them.
    pub fn env(&self) -> Vec<(String, String)> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        vec![
            ("SOFTHSM2_CONF".into(), file("softhsm2.conf")),
            ("TOKEN_MODULE".into(), SOFTHSM.into()),
            ("TOKEN_LOGINS".into(), file("logins")),
        ]
    }

    /// How often a PIN was tried through the module of the tests.
    pub fn logins(&self) -> usize {
        std::fs::read_to_string(self.folder.join("logins")).map_or(0, |text| text.lines().count())
    }

    /// The file with the PIN.
    pub fn pin(&self) -> String {
        self.folder.join("pin").display().to_string()
    }

    /// Makes a token; returns its serial number.
    pub fn add(&self, label: &str) -> Result<String> {
        let before = self.serials()?;
        let arguments =
            ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "so-secret"];
        self.softhsm(&arguments)?;
        let mut new = self.serials()?.into_iter().filter(|serial| !before.contains(serial));
        new.next().context("softhsm2-util made no token")
    }

    fn serials(&self) -> Result<Vec<String>> {
        let shown = self.softhsm(&["--show-slots"])?;
        let serials = shown.lines().filter_map(|line| line.trim().strip_prefix("Serial number:"));
        Ok(serials
            .map(|serial| serial.trim().to_owned())
            .filter(|serial| !serial.is_empty())
            .collect())
    }

    fn softhsm(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("softhsm2-util");
        let output = command.args(arguments).envs(self.env()).output()?;
        ensure!(output.status.success(), "softhsm2-util: {output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Builds the module over SoftHSM's.
    pub fn module(&self) -> Result<PathBuf> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/token.c");
        let module = self.folder.join("token.so");
        let mut command = Command::new("gcc");
        command
            .args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(&module)
            .arg(source)
            .arg("-ldl");
        if !command.status().context("gcc")?.success() {
            bail!("tests/peers/token.c does not build");
        }
        Ok(module)
    }
}
