//! Man pages and completions: `PROGRAM pages FOLDER`, which no help shows.
//!
//! A program writes them itself, from the command line that it was built with, so that they can be
//! neither stale nor another build's (the features of a build are options of its command line).

use crate::exit::{Outcome, finish};
use crate::files::{Existing, Mode, create_folder, write_all};
use anyhow::Context;
use clap::{Arg, Command, Parser, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;
use std::path::{Path, PathBuf};

const NAME: &str = "pages";
const FOLDER: &str = "folder";

/// The command line of a program, as its `Parser` says. For `pages` it writes them and ends.
pub fn parse<A: Parser>() -> A {
    let folder = Arg::new(FOLDER).required(true).value_parser(value_parser!(PathBuf));
    let pages =
        Command::new(NAME).hide(true).about("Writes man pages and completions.").arg(folder);
    let matches = A::command().subcommand(pages).get_matches();
    if let Some(folder) =
        matches.subcommand_matches(NAME).and_then(|pages| pages.get_one::<PathBuf>(FOLDER))
    {
        let program = A::command();
        let outcome = write(&program, folder);
        let code = finish(program.get_name(), outcome);
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS) * 2);
    }
    A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Writes all of a program's pages, where Debian has them below `/usr/share`.
fn write(program: &Command, folder: &Path) -> Outcome {
    let mut files = completions(program);
    let mut built = program.clone().disable_help_subcommand(true);
    built.build();
    let source = program.render_version();
    manuals(&built, program.get_name(), source.trim_end(), &mut files)?;
    for (path, _) in &files {
        let parent = folder.join(path);
        create_folder(parent.parent().context("a page has a folder")?)?;
    }
    let files: Vec<(PathBuf, Vec<u8>)> =
        files.into_iter().map(|(path, bytes)| (folder.join(path), bytes)).collect();
    let files: Vec<(&Path, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice())).collect();
    write_all(&files, Existing::Keep, Mode::Public)?;
    Ok(())
}

fn completions(program: &Command) -> Vec<(PathBuf, Vec<u8>)> {
    let name = program.get_name();
    let places = [
        (Shell::Bash, format!("bash-completion/completions/{name}")),
        (Shell::Zsh, format!("zsh/vendor-completions/_{name}")),
        (Shell::Fish, format!("fish/vendor_completions.d/{name}.fish")),
    ];
    let written = places.map(|(shell, path)| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut program.clone(), name, &mut text);
        (path.into(), text)
    });
    written.into()
}

/// The page of a command, and of each command below it: `signer-init.1`.
fn manuals(
    command: &Command,
    name: &str,
    source: &str,
    files: &mut Vec<(PathBuf, Vec<u8>)>,
) -> Outcome {
    let mut text = Vec::new();
    Man::new(command.clone()).title(name).source(source).manual("Coldlog").render(&mut text)?;
    files.push((format!("man/man1/{name}.1").into(), text));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        manuals(below, &format!("{name}-{}", below.get_name()), source, files)?;
    }
    Ok(())
}
