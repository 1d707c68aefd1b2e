//! Keys in an ssh-agent: plain Ed25519 keys only, asked for over the socket that SSH_AUTH_SOCK names.
//!
//! A Unix socket is not the network; it is opened only where a key is in an agent. A small client of our
//! own: of the agent's protocol two requests are needed, and every length in the answers is bounded.

mod protocol;
mod public_key;

pub(super) use public_key::read as read_public_key;

use super::InAgent;
use anyhow::{Context, Result, bail};
use coldlog_spec::ed25519::{Holder, NotSigned};
use protocol::{Answer, Listed};
use std::fmt::Display;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

/// How long a person has to allow a signature (`ssh-add -c`), or to touch a token.
const PATIENCE: Duration = Duration::from_secs(300);

/// An agent that is connected, with a key in it.
pub(super) struct Agent {
    /// None after an answer that did not come, or was none: a late one would be taken for the next one's.
    stream: Mutex<Option<UnixStream>>,
    blob: Vec<u8>,
    /// Agent and key in words, for every error.
    agent: String,
    called: String,
}

impl Agent {
    /// Connects, and sees that the agent has the key.
    pub(super) fn open(key: &InAgent) -> Result<Agent> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|name| !name.is_empty());
        let Some(socket) = socket.map(PathBuf::from) else {
            bail!(
                "the key {} is in an ssh-agent, and SSH_AUTH_SOCK names none: start one (`ssh-agent`) and add the key (`ssh-add`)",
                called(key)
            );
        };
        let agent = format!("the ssh-agent at {}", socket.display());
        let stream = UnixStream::connect(&socket).with_context(|| {
            format!("{agent} does not answer: it has ended, or is another user's")
        })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let blob = public_key::blob(&key.public);
        let agent = Agent { stream: Mutex::new(Some(stream)), blob, agent, called: called(key) };
        agent.must_have_it().map_err(|why| anyhow::anyhow!("{}", why.0))?;
        Ok(agent)
    }

    fn must_have_it(&self) -> Result<(), NotSigned> {
        let keys = match self.ask(&protocol::list_request())? {
            Answer::Keys(keys) => keys,
            _ => return Err(self.no("does not list its keys")),
        };
        match keys {
            Listed { count: 0, .. } => Err(NotSigned(format!(
                "{} has no key at all, so not {}: it is locked (unlock it with `ssh-add -X`), or its keys were removed (`ssh-add`)",
                self.agent, self.called
            ))),
            Listed { blobs, .. } if blobs.contains(&self.blob) => Ok(()),
            Listed { count, .. } => Err(NotSigned(format!(
                "{} has {count} keys, but not {}: add it with `ssh-add`; no other key is taken",
                self.agent, self.called
            ))),
        }
    }

    fn ask(&self, request: &[u8]) -> Result<Answer, NotSigned> {
        let Ok(mut kept) = self.stream.lock() else {
            return Err(self.no("was interrupted in another signature"));
        };
        let Some(mut stream) = kept.take() else {
            return Err(
                self.gone("an earlier request failed, and the connection is not used again")
            );
        };
        let answer = protocol::ask(&mut stream, request).map_err(|why| match why.kind() {
            // What Linux calls a timeout of a socket is of no use to a person.
            ErrorKind::WouldBlock | ErrorKind::TimedOut => self.gone("it did not answer in time"),
            _ => self.gone(why),
        })?;
        *kept = Some(stream);
        Ok(answer)
    }

    fn gone(&self, why: impl Display) -> NotSigned {
        NotSigned(format!(
            "{} is gone, with {}: {why}; start it, add the key, and run the command again",
            self.agent, self.called
        ))
    }

    fn no(&self, what: &str) -> NotSigned {
        NotSigned(format!("{} {what}, asked for {}", self.agent, self.called))
    }
}

fn called(key: &InAgent) -> String {
    format!("{:?} ({:?})", crate::terminal::field(&key.comment), key.public)
}

impl super::Place for Agent {}

impl Holder for Agent {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], NotSigned> {
        match self.ask(&protocol::sign_request(&self.blob, message))? {
            Answer::Signature(signature) => Ok(*signature),
            Answer::Failure => {
                // Why, if the agent has the key no more; otherwise a person said no.
                self.must_have_it()?;
                Err(self.no("did not allow the signature"))
            }
            Answer::Keys(_) => Err(self.no("answered something else")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    // A connection whose agent is this test, with little patience.
    fn connected() -> (Agent, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (agent, called) = ("the ssh-agent".into(), "a key".into());
        (Agent { stream: Mutex::new(Some(ours)), blob: vec![1], agent, called }, theirs)
    }

    fn signature(of: u8) -> Vec<u8> {
        let (mut signature, mut answer) = (Vec::new(), vec![14]);
        protocol::put(&mut signature, b"ssh-ed25519");
        protocol::put(&mut signature, &[of; 64]);
        protocol::put(&mut answer, &signature);
        let mut message = Vec::new();
        protocol::put(&mut message, &answer);
        message
    }

    fn refused(agent: &Agent) -> String {
        agent.sign(b"a message").err().unwrap().0
    }

    #[test]
    fn an_answer_that_came_too_late_is_not_the_answer_to_the_next_request() {
        let (agent, mut theirs) = connected();
        theirs.write_all(&signature(7)).unwrap();
        assert_eq!(agent.sign(b"a message").unwrap(), [7; 64]);
        let first = refused(&agent);
        assert!(first.contains("is gone"), "{first}");
        assert!(first.contains("did not answer in time"), "{first}");
        // Too late: there may be nobody any more.
        let _ = theirs.write_all(&signature(8));
        let next = refused(&agent);
        assert!(next.contains("is gone"), "{next}");
        assert!(next.contains("an earlier request failed"), "{next}");
        // Nothing is asked any more: both requests are there, no third, and the connection is closed.
        let mut asked = Vec::new();
        theirs.read_to_end(&mut asked).unwrap();
        assert_eq!(asked.len(), 2 * (4 + protocol::sign_request(&[1], b"a message").len()));
    }

    #[test]
    fn what_follows_half_an_answer_or_none_of_an_agent_is_not_read() {
        for odd in [&signature(7)[..40], &[0, 0, 0, 1, 99]] {
            let (agent, mut theirs) = connected();
            theirs.write_all(odd).unwrap();
            assert!(refused(&agent).contains("is gone"));
            let _ = theirs.write_all(&signature(7));
            assert!(refused(&agent).contains("an earlier request failed"));
        }
    }
}
