//! `ticketbridge completions` and `ticketbridge man`: files for the shell and for `man`, made from
//! the command line itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use crate::output::{CommandOutcome, print_line};

const NAME: &str = "ticketbridge";

#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ManOptions {
    /// Writes a page for each command into this folder; without it, prints the page of the program
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// # Errors
/// When standard output cannot be written.
pub(crate) fn print_completions(
    options: &CompletionsOptions,
    mut command: Command,
) -> Result<CommandOutcome> {
    let mut script = vec![];
    generate(options.shell, &mut command, NAME, &mut script);
    print_line(&String::from_utf8(script)?)?;
    Ok(CommandOutcome::Done)
}

/// # Errors
/// When the folder or standard output cannot be written.
pub(crate) fn write_man(options: &ManOptions, mut command: Command) -> Result<CommandOutcome> {
    command.build();
    let Some(folder) = &options.folder else {
        let mut page = vec![];
        Man::new(command).render(&mut page)?;
        io::stdout().lock().write_all(&page)?;
        return Ok(CommandOutcome::Done);
    };
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("cannot create {shown}"))?;
    for (name, page) in pages(&command)? {
        let file = folder.join(name);
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(CommandOutcome::Done)
}

/// The page of the command and of each subcommand, with its file's name.
fn pages(command: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let man = Man::new(command.clone());
    let mut page = vec![];
    man.render(&mut page)?;
    let mut all = vec![(man.get_filename(), page)];
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() != "help" {
            all.extend(pages(subcommand)?);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    #[test]
    fn every_command_has_a_man_page() {
        let mut command = Arguments::command();
        command.build();
        let pages = pages(&command).unwrap();
        let names: Vec<_> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            "ticketbridge.1",
            "ticketbridge-partners-list.1",
            "ticketbridge-dead-letters-redrive.1",
            "ticketbridge-doctor.1",
        ] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
        let text = String::from_utf8(pages[0].1.clone()).unwrap();
        assert!(text.contains(".TH ticketbridge"), "{text}");
    }

    #[test]
    fn the_completions_know_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = vec![];
            generate(shell, &mut Arguments::command(), NAME, &mut script);
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("dead-letters"), "{shell}");
        }
    }
}
