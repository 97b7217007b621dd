//! The commands `ticketbridge completions` and `ticketbridge man`, and the check that the test ran
//! all commands.

use std::fs;

use anyhow::{Context, Result, ensure};

use super::ProgramTest;
use super::program::all_commands;

impl ProgramTest<'_> {
    pub(super) async fn shell_files(&mut self) -> Result<()> {
        let program = &self.program;
        let commands = all_commands();
        for shell in ["bash", "zsh", "fish"] {
            let script = program.text(&["completions", shell]).await?;
            for word in commands.iter().flat_map(|command| command.split(' ')) {
                ensure!(script.contains(word), "{shell} does not complete {word}");
            }
        }
        program
            .fails(2, "possible values", &["completions", "dos"])
            .await?;

        // A hyphen in roff is `\-`.
        let page = program.text(&["man"]).await?.replace("\\-", "-");
        for name in commands
            .iter()
            .filter_map(|command| command.split(' ').next())
        {
            let is_named = page.contains(&format!("ticketbridge-{name}(1)"));
            ensure!(is_named, "the man page does not name {name}");
        }

        let folder = self.stack.folder().join("man");
        let shown = folder.to_str().context("a path that is no text")?;
        let written = program.run(&["man", "--folder", shown]).await?;
        ensure!(written.code == Some(0), "{}", written.errors);
        for command in &commands {
            let name = format!("ticketbridge-{}", command.replace(' ', "-"));
            let page = fs::read_to_string(folder.join(format!("{name}.1")));
            let page = page.with_context(|| format!("{command} has no man page"))?;
            ensure!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        }
        self.passed("completions, man");
        Ok(())
    }

    /// A command that is added to the command line is added to this test too.
    pub(super) fn each_command_worked(&mut self) -> Result<()> {
        let unused = self.program.unused_commands();
        ensure!(
            unused.is_empty(),
            "this test ran no command {} that worked",
            unused.join(", ")
        );
        let count = all_commands().len();
        self.passed(&format!("each of the {count} commands worked"));
        Ok(())
    }
}
