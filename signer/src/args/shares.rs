//! `signer shares`

use clap::Subcommand;
use coldlog_kit::exit::Outcome;
use coldlog_kit::secret::Source;
use coldlog_signer::commands::shares;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum Shares {
    /// Makes a recovery key, of which only shares are written, and prints its age recipient. Key files
    /// (--key-recipient) of every role, and any age file, can be encrypted to it.
    #[command(
        after_help = "Example:\n  signer shares make --threshold 2 --count 3 --with-passphrase -o shares"
    )]
    Make {
        /// How many shares give the key back.
        #[arg(short = 'k', long, value_parser = clap::value_parser!(u8).range(2..))]
        threshold: u8,
        /// How many shares there are.
        #[arg(short = 'n', long, value_parser = clap::value_parser!(u8).range(2..))]
        count: u8,
        /// A folder for them: share-1.txt and so on.
        #[arg(short, long)]
        output: PathBuf,
        /// Seal the passphrase of this signer's key file to the recovery key, in passphrase.age.
        #[arg(long)]
        with_passphrase: bool,
        #[command(flatten)]
        secret: Source,
    },
    /// Joins shares to the recovery key, or opens what was sealed to it.
    #[command(
        after_help = "Examples:\n  signer shares join share-1.txt share-3.txt --open passphrase.age -o /dev/shm/passphrase\n  signer shares join share-1.txt share-3.txt -o /dev/shm/recovery.key"
    )]
    Join {
        /// The shares' files.
        #[arg(required = true)]
        shares: Vec<PathBuf>,
        /// An age file that is encrypted to the recovery key: what is in it is written, the key is not.
        #[arg(long, value_name = "SEALED")]
        open: Option<PathBuf>,
        /// The file that is written, mode 0600; a folder in memory is the right place.
        #[arg(short, long)]
        output: PathBuf,
    },
}

impl Shares {
    pub(crate) fn run(self, home: &Path) -> Outcome {
        match self {
            Shares::Make { threshold, count, output, with_passphrase, secret } => shares::make(
                home,
                &shares::Make { threshold, count, output, passphrase: with_passphrase, secret },
            ),
            Shares::Join { shares, open, output } => {
                shares::join(&shares::Join { shares, open, output })
            }
        }
    }
}
