//! Programs that xtask runs. Each leads a process group of its own, and no member of it outlives the value that stands for it:
//! neither after an error or a panic nor after Ctrl-C, which ends the whole command by dropping its future.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};

/// How long a program may take to end when asked.
const GRACE: Duration = Duration::from_secs(5);

/// A running program and whatever it started.
#[derive(Debug)]
pub(crate) struct Running {
    name: String,
    child: Child,
    group: Pid,
    reaped: bool,
}

impl Running {
    /// Starts a program without standard input.
    pub(crate) fn start(name: &str, mut command: Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!("cannot start {name}: {:?}", command.as_std().get_program())
            })?;
        let group = child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?))
            .with_context(|| format!("{name} has no process id"))?;
        let name = name.to_owned();
        Ok(Self {
            name,
            child,
            group,
            reaped: false,
        })
    }

    /// Starts a program whose output goes to a file.
    pub(crate) fn start_logged(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        Self::start(name, command)
    }

    /// The program's process, which leads its group.
    pub(crate) fn id(&self) -> Pid {
        self.group
    }

    /// Fails when the program has ended, with the end of its log.
    pub(crate) fn must_run(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            self.reaped = true;
            bail!(
                "{} ended ({status}); the end of {}:\n{}",
                self.name,
                log.display(),
                tail(log)
            );
        }
        Ok(())
    }

    /// The program itself, for its pipes.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    async fn ended(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.reaped = true;
        Ok(status)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            // Nothing can be done about a refusal, and the group being gone is what is wanted.
            let _ = kill_process_group(self.group, Signal::TERM);
            let begun = Instant::now();
            // The leader is left unreaped until its group is dead: so its id cannot have become another program's.
            while begun.elapsed() < GRACE && !has_ended(self.group) {
                pause();
            }
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        if !self.reaped {
            while matches!(self.child.try_wait(), Ok(None)) {
                pause();
            }
        }
    }
}

fn has_ended(leader: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(leader), look), Ok(None))
}

#[expect(clippy::disallowed_methods, reason = "a drop cannot await")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// Runs a program to its end; its output is the person's to read.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) async fn run(name: &str, command: Command) -> Result<()> {
    let status = Running::start(name, command)?.ended().await?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end with its output in a file, whose end is told when it fails.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) async fn run_logged(name: &str, command: Command, log: PathBuf) -> Result<()> {
    let status = Running::start_logged(name, command, &log)?.ended().await?;
    if !status.success() {
        bail!(
            "{name} failed ({status}); the end of {}:\n{}",
            log.display(),
            tail(&log)
        );
    }
    Ok(())
}

/// Runs a program to its end and takes what it prints.
///
/// # Errors
/// When it cannot be started or does not succeed, with what it said.
pub(crate) async fn read(name: &str, mut command: Command) -> Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (status, out, err) = output(name, command).await?;
    if !status.success() {
        bail!("{name} failed ({status}):\n{}", err.trim());
    }
    Ok(out)
}

/// As `read`, but what the program says on standard error is the person's to read at once.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) async fn read_aloud(name: &str, mut command: Command) -> Result<String> {
    command.stdout(Stdio::piped());
    let (status, out, _) = output(name, command).await?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(out)
}

async fn output(name: &str, command: Command) -> Result<(ExitStatus, String, String)> {
    use tokio::io::AsyncReadExt;
    let mut running = Running::start(name, command)?;
    let (mut out, mut err) = (String::new(), String::new());
    let (stdout, stderr) = (running.child().stdout.take(), running.child().stderr.take());
    let (read_out, read_err) = tokio::join!(
        async {
            match stdout {
                Some(mut pipe) => pipe.read_to_string(&mut out).await,
                None => Ok(0),
            }
        },
        async {
            match stderr {
                Some(mut pipe) => pipe.read_to_string(&mut err).await,
                None => Ok(0),
            }
        }
    );
    read_out
        .and(read_err)
        .with_context(|| format!("cannot read what {name} says"))?;
    Ok((running.ended().await?, out, err))
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_dropped_program_takes_its_own_children_with_it() {
        // The grandchild ignores the polite request, as a stuck function would.
        let mut command = Command::new("sh");
        command
            .args(["-c", "(trap '' TERM; exec sleep 600) & echo $!; wait"])
            .stdout(Stdio::piped());
        let mut running = Running::start("a shell", command).unwrap();
        let leader = running.group.as_raw_nonzero().to_string();
        let mut stdout = tokio::io::BufReader::new(running.child().stdout.take().unwrap());
        let mut grandchild = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut stdout, &mut grandchild)
            .await
            .unwrap();
        let grandchild = grandchild.trim();
        assert!(alive(&leader) && alive(grandchild));

        drop(running);

        assert!(!alive(&leader));
        crate::progress::wait_for("its end", Duration::from_secs(5), async || {
            Ok((!alive(grandchild)).then_some(()))
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_failed_program_is_told_with_its_words() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag >&2; exit 3"]);
        let told = read("the tool", command).await.unwrap_err().to_string();
        assert_eq!(told, "the tool failed (exit status: 3):\nno such flag");
    }
}
