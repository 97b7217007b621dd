//! Child processes. Each child leads a process group, and no member of the group outlives the
//! [`ProcessGroup`]: not after an error or a panic, and not after Ctrl-C, which ends a command by
//! dropping its future.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::process::{Child, Command};

/// How long a program may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(5);

/// A child process and its descendants.
#[derive(Debug)]
pub struct ProcessGroup {
    name: String,
    child: Child,
    leader: Pid,
    is_reaped: bool,
    grace: Duration,
}

impl ProcessGroup {
    /// Starts a program without standard input.
    pub fn start(name: &str, mut command: Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| {
                format!("cannot start {name}: {:?}", command.as_std().get_program())
            })?;
        let leader = child
            .id()
            .and_then(|id| Pid::from_raw(id.try_into().ok()?))
            .with_context(|| format!("{name} has no process id"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            leader,
            is_reaped: false,
            grace: GRACE,
        })
    }

    /// Starts a program that writes its output to a file.
    pub fn start_logged(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdout(file.try_clone()?).stderr(file);
        Self::start(name, command)
    }

    /// Allows the program more time to end, for one that has children of its own to stop.
    #[must_use]
    pub fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The id of the child, which leads the group.
    pub fn id(&self) -> Pid {
        self.leader
    }

    /// # Errors
    /// When the program has ended, with the end of its log.
    pub fn check_running(&mut self, log: &Path) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            self.is_reaped = true;
            bail!(
                "{} ended ({status}); the end of {}:\n{}",
                self.name,
                log.display(),
                tail(log)
            );
        }
        Ok(())
    }

    /// Asks the program to end, and waits until it has.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub async fn terminate(mut self) -> Result<()> {
        rustix::process::kill_process(self.leader, rustix::process::Signal::TERM)?;
        self.wait().await?;
        Ok(())
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub async fn wait(&mut self) -> Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.is_reaped = true;
        Ok(status)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if !self.is_reaped {
            // A failure means that the group has ended already, which is the goal.
            let _ = kill_process_group(self.leader, Signal::TERM);
            let started = Instant::now();
            // The leader stays unreaped until its group is dead, so its id cannot be reused.
            while started.elapsed() < self.grace && !has_ended(self.leader) {
                pause();
            }
        }
        let _ = kill_process_group(self.leader, Signal::KILL);
        if !self.is_reaped {
            while matches!(self.child.try_wait(), Ok(None)) {
                pause();
            }
        }
    }
}

fn has_ended(leader: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(leader), options), Ok(None))
}

#[expect(clippy::disallowed_methods, reason = "a drop cannot await")]
fn pause() {
    thread::sleep(Duration::from_millis(10));
}

/// Runs a program to its end and shows its output.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub async fn run(name: &str, command: Command) -> Result<()> {
    let status = ProcessGroup::start(name, command)?.wait().await?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(())
}

/// Runs a program to its end with its output in a file.
///
/// # Errors
/// When it cannot be started or does not succeed, with the end of the file.
pub async fn run_logged(name: &str, command: Command, log: PathBuf) -> Result<()> {
    let status = ProcessGroup::start_logged(name, command, &log)?
        .wait()
        .await?;
    if !status.success() {
        bail!(
            "{name} failed ({status}); the end of {}:\n{}",
            log.display(),
            tail(&log)
        );
    }
    Ok(())
}

/// Runs a program to its end and returns its standard output.
///
/// # Errors
/// When it cannot be started or does not succeed, with what it wrote. Some programs write their
/// findings to standard output.
pub async fn capture(name: &str, mut command: Command) -> Result<String> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let (status, out, err) = output(name, command).await?;
    if !status.success() {
        let written = format!("{}\n{}", out.trim(), err.trim());
        bail!("{name} failed ({status}):\n{}", written.trim());
    }
    Ok(out)
}

/// As [`capture`], but shows standard error as it is written.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub async fn capture_stdout(name: &str, mut command: Command) -> Result<String> {
    command.stdout(Stdio::piped());
    let (status, out, _) = output(name, command).await?;
    if !status.success() {
        bail!("{name} failed ({status})");
    }
    Ok(out)
}

async fn output(name: &str, command: Command) -> Result<(ExitStatus, String, String)> {
    use tokio::io::AsyncReadExt;
    let mut process = ProcessGroup::start(name, command)?;
    let (mut out, mut err) = (String::new(), String::new());
    let (stdout, stderr) = (process.child().stdout.take(), process.child().stderr.take());
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
        .with_context(|| format!("cannot read the output of {name}"))?;
    Ok((process.wait().await?, out, err))
}

/// The last 30 lines of a log.
pub fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::wait_for;

    fn is_alive(pid: &str) -> bool {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[tokio::test]
    async fn a_dropped_program_takes_its_children_with_it() {
        // The grandchild ignores SIGTERM, as a stuck function would.
        let mut command = Command::new("sh");
        command
            .args(["-c", "(trap '' TERM; exec sleep 600) & echo $!; wait"])
            .stdout(Stdio::piped());
        let mut process = ProcessGroup::start("a shell", command).unwrap();
        let leader = process.leader.as_raw_nonzero().to_string();
        let mut stdout = tokio::io::BufReader::new(process.child().stdout.take().unwrap());
        let mut grandchild = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut stdout, &mut grandchild)
            .await
            .unwrap();
        let grandchild = grandchild.trim();
        assert!(is_alive(&leader) && is_alive(grandchild));

        drop(process);

        assert!(!is_alive(&leader));
        wait_for("the grandchild's end", Duration::from_secs(5), async || {
            Ok((!is_alive(grandchild)).then_some(()))
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_failed_program_is_reported_with_its_stderr() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such flag >&2; exit 3"]);
        let err = capture("the tool", command).await.unwrap_err().to_string();
        assert_eq!(err, "the tool failed (exit status: 3):\nno such flag");
    }
}
