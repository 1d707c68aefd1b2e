//! E-mail, by SMTP.

use super::line;
use crate::monitor::channel::{Smtp, Tls};
use crate::monitor::store::Message;
use anyhow::{Context, Result};
use coldlog_kit::{files, time};
use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Secured, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{SmtpTransport, Transport};
use std::time::Duration;

/// How long the server may be silent.
const WITHIN: Duration = Duration::from_secs(20);
/// The longest subject, in characters.
const MAX_SUBJECT: usize = 150;

pub(super) fn send(smtp: &Smtp, message: &Message) -> Result<()> {
    let mail = write(smtp, message)?;
    let refused = || format!("the mail server {}:{}", smtp.server, smtp.port);
    connect(smtp)?.send(&mail).with_context(refused)?;
    Ok(())
}

fn write(smtp: &Smtp, message: &Message) -> Result<lettre::Message> {
    let from: Mailbox = smtp.from.parse()?;
    let host = from.email.domain().to_owned();
    let mut mail = lettre::Message::builder()
        .from(from)
        .subject(subject(message))
        // The same each time: who got it already can tell.
        .message_id(Some(format!("<{}@{host}>", message.id)))
        .date_now()
        .header(ContentType::TEXT_PLAIN);
    for to in &smtp.mail_to {
        mail = mail.to(to.parse()?);
    }
    Ok(mail.body(text(message))?)
}

fn subject(message: &Message) -> String {
    let worst = message.alerts.iter().max_by_key(|alert| alert.severity);
    let Some(worst) = worst else { return "[coldlog]".into() };
    let more = match message.alerts.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let text: String = worst.text.chars().take(MAX_SUBJECT).collect();
    format!("[coldlog] {}: {text}{more}", worst.severity.name())
}

fn text(message: &Message) -> String {
    let mut text = String::new();
    for alert in &message.alerts {
        text.push_str(&format!("{}\n", line(alert)));
        text.push_str(&format!("    number {}, seen {}\n", alert.id, time::show(alert.seen)));
    }
    text.push_str("\nTake note of them: verifier monitor ack NUMBER --by NAME --note TEXT\n");
    text
}

fn connect(smtp: &Smtp) -> Result<SmtpTransport> {
    let parameters = || {
        let made = TlsParameters::builder(smtp.server.clone()).build_rustls();
        made.context("the system's authorities cannot be read")
    };
    let tls = match smtp.tls {
        Tls::Implicit => Secured::Wrapper(parameters()?),
        Tls::Starttls => Secured::Required(parameters()?),
        Tls::None => Secured::None,
    };
    let host = smtp.from.parse::<Mailbox>()?.email.domain().to_owned();
    let mut builder = SmtpTransport::builder_dangerous(&smtp.server)
        .port(smtp.port)
        .tls(tls)
        .hello_name(ClientId::Domain(host))
        .timeout(Some(WITHIN));
    if let Some((user, file)) = &smtp.login {
        let password = files::read_private(file, 1024)?;
        let password = std::str::from_utf8(&password).context("the password is no text")?;
        let password = password.trim_end_matches(['\n', '\r']).to_owned();
        builder = builder.credentials(Credentials::new(user.clone(), password));
    }
    Ok(builder.build())
}
