//! Finding a function's processes among those that the emulator started, and ending one without a warning.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::dice::Dice;

/// How often and how many times it is looked for a process at work. Half a second finds one in every storm; to wait longer would kill
/// nearly every batch of the calm after it, and nothing could ever end.
const GLANCE_EVERY: Duration = Duration::from_millis(5);
const GLANCES: usize = 100;
/// Its end comes so many milliseconds later at most, so that it comes at any step of the work.
const LATEST_MS: usize = 60;

/// Ends processes of one function of one emulator, and no others.
#[derive(Debug)]
pub(crate) struct Killer<'a> {
    /// Whose descendants they are.
    pub(crate) emulator: Pid,
    /// The function's deployed name.
    pub(crate) function: &'a str,
}

impl Killer<'_> {
    /// Ends one: in the middle of its work, or else while it waits for some. Tells whether there was one.
    pub(crate) async fn kill_one(&self, dice: &mut Dice) -> Result<bool> {
        let processes = self.processes()?;
        let Some(victim) = self.at_work(&processes, dice).await? else {
            return Ok(false);
        };
        // It may have ended by itself since; its id is not given to another program as soon as that.
        Ok(kill_process(victim, Signal::KILL).is_ok())
    }

    /// One of them that works, at any step of its work; one that waits if none works.
    async fn at_work(&self, processes: &[Pid], dice: &mut Dice) -> Result<Option<Pid>> {
        let before: Vec<_> = processes.iter().map(|pid| worked(*pid)).collect();
        for _ in 0..GLANCES {
            sleep(GLANCE_EVERY).await;
            let with_before = processes.iter().zip(&before);
            // One that waits for an event uses no time at all.
            let at_work = with_before.filter(|(pid, before)| worked(**pid) > **before);
            let at_work: Vec<_> = at_work.map(|(pid, _)| *pid).collect();
            if let Some(victim) = dice.one_of(&at_work) {
                let soon = u64::try_from(dice.between(0, LATEST_MS))?;
                sleep(Duration::from_millis(soon)).await;
                return Ok(Some(*victim));
            }
        }
        Ok(dice.one_of(processes).copied())
    }

    /// The function's running processes.
    fn processes(&self) -> Result<Vec<Pid>> {
        let parents = parents()?;
        let mark = format!("AWS_LAMBDA_FUNCTION_NAME={}", self.function);
        let is_ours = |pid: &i32| {
            // Of a process that ended or is another user's there is nothing to read.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let is_function = environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == mark.as_bytes());
            is_function && self.started(*pid, &parents)
        };
        Ok(parents
            .keys()
            .filter(|pid| is_ours(pid))
            .copied()
            .filter_map(Pid::from_raw)
            .collect())
    }

    fn started(&self, mut pid: i32, parents: &BTreeMap<i32, i32>) -> bool {
        let emulator = self.emulator.as_raw_nonzero().get();
        while let Some(parent) = parents.get(&pid) {
            if *parent == emulator {
                return true;
            }
            pid = *parent;
        }
        false
    }
}

/// How long a process was on a processor, in nanoseconds; one that ended has worked enough.
fn worked(pid: Pid) -> u64 {
    let path = format!("/proc/{}/schedstat", pid.as_raw_nonzero());
    let told = fs::read_to_string(path).unwrap_or_default();
    told.split(' ')
        .next()
        .and_then(|time| time.parse().ok())
        .unwrap_or(0)
}

/// The parent of every process.
fn parents() -> Result<BTreeMap<i32, i32>> {
    let entries = fs::read_dir("/proc")
        .context("the functions' processes are looked for in /proc, which Linux has")?;
    let mut parents = BTreeMap::new();
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before it is in brackets and may have spaces and brackets of its own: state and parent come after the last.
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if let Some(parent) = parent {
            parents.insert(pid, parent);
        }
    }
    ensure!(
        !parents.is_empty(),
        "/proc lists no process: is it mounted?"
    );
    Ok(parents)
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;
    use crate::process::Running;

    #[tokio::test]
    async fn only_the_processes_of_the_function_under_the_emulator_are_killed() {
        // A stand-in for the emulator, with a process of the function that works, one that waits, and one of another function.
        let script = "AWS_LAMBDA_FUNCTION_NAME=x-tickets sh -c 'while :; do :; done' & AWS_LAMBDA_FUNCTION_NAME=x-tickets sleep 600 & \
            AWS_LAMBDA_FUNCTION_NAME=x-ingest sleep 600 & wait";
        let shell = |name| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            Running::start(name, command).unwrap()
        };
        let (emulator, _other) = (shell("an emulator"), shell("another"));
        let killer = Killer {
            emulator: emulator.id(),
            function: "x-tickets",
        };
        let of = |function| {
            Killer {
                emulator: emulator.id(),
                function,
            }
            .processes()
            .unwrap()
        };
        crate::progress::wait_for("the processes", Duration::from_secs(5), async || {
            Ok((of("x-tickets").len() == 2 && of("x-ingest").len() == 1).then_some(()))
        })
        .await
        .unwrap();

        let mut dice = Dice::new(1);
        for (left, why) in [
            (1, "the one at work is first"),
            (0, "then the one that waits"),
        ] {
            assert!(killer.kill_one(&mut dice).await.unwrap());
            crate::progress::wait_for(why, Duration::from_secs(5), async || {
                Ok((of("x-tickets").len() == left).then_some(()))
            })
            .await
            .unwrap();
        }
        assert!(!killer.kill_one(&mut dice).await.unwrap());
        assert_eq!(of("x-ingest").len(), 1);
    }
}
