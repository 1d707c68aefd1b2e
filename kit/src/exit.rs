//! Exit codes: 0 yes or done; 1 no, the check failed or the request was refused; 2 trouble: usage,
//! unreadable or malformed input, I/O.

use std::process::ExitCode;

/// Why a command did not end with 0.
#[derive(Debug)]
pub enum Failure {
    /// The answer is no.
    No(anyhow::Error),
    /// There is no answer.
    Trouble(anyhow::Error),
}

/// What a command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::Trouble(error.into())
    }
}

/// Marks an error as a "no".
pub trait OrNo<T> {
    /// The check failed, or the request was refused.
    fn or_no(self) -> Outcome<T>;
}

impl<T, E: Into<anyhow::Error>> OrNo<T> for Result<T, E> {
    fn or_no(self) -> Outcome<T> {
        self.map_err(|error| Failure::No(error.into()))
    }
}

/// A "no" in words.
pub fn no<T>(text: impl std::fmt::Display) -> Outcome<T> {
    Err(Failure::No(anyhow::anyhow!("{text}")))
}

/// Trouble in words.
pub fn trouble<T>(text: impl std::fmt::Display) -> Outcome<T> {
    Err(Failure::Trouble(anyhow::anyhow!("{text}")))
}

/// Ends a program: prints the failure with its causes on stderr.
pub fn finish(program: &str, outcome: Outcome) -> ExitCode {
    let (code, error) = match outcome {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::No(error)) => (1, error),
        Err(Failure::Trouble(error)) => (2, error),
    };
    let text = text_of(&error);
    crate::terminal::talk(format!("{program}: {text}"));
    ExitCode::from(code)
}

/// An error with its causes, in one line.
pub fn text_of(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // A transparent variant repeats its source: say it once.
        if !text.ends_with(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    text
}
