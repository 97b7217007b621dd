//! Kills a function's process without warning, at any step of its work.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

/// How often and how many times a busy process is searched for. Half a second finds one in every
/// storm. A longer search would kill nearly every batch of the calm time after it, and nothing
/// could finish.
const POLL_EVERY: Duration = Duration::from_millis(5);
const POLLS: usize = 100;
/// The longest pause before the kill, in milliseconds, so that it hits any step of the work.
const MAX_PAUSE: u64 = 60;

/// Kills processes of one function of one emulator, and no others.
#[derive(Debug)]
pub(crate) struct WorkerKiller<'a> {
    /// The ancestor of the processes.
    pub(crate) emulator: Pid,
    /// The function's deployed name.
    pub(crate) function: &'a str,
}

impl WorkerKiller<'_> {
    /// Kills a busy process, or an idle one if none is busy. Returns whether there was one.
    pub(crate) async fn kill_one(&self, rng: &mut Rng) -> Result<bool> {
        let processes = self.processes()?;
        let Some(victim) = self.choose(&processes, rng).await? else {
            return Ok(false);
        };
        // It may have ended meanwhile. Its id is not reused that soon.
        Ok(kill_process(victim, Signal::KILL).is_ok())
    }

    async fn choose(&self, processes: &[Pid], rng: &mut Rng) -> Result<Option<Pid>> {
        let before: Vec<_> = processes.iter().map(|pid| cpu_time(*pid)).collect();
        for _ in 0..POLLS {
            sleep(POLL_EVERY).await;
            let with_before = processes.iter().zip(&before);
            // A process that waits for an event uses no CPU time.
            let busy = with_before.filter(|(pid, before)| cpu_time(**pid) > **before);
            let busy: Vec<_> = busy.map(|(pid, _)| *pid).collect();
            if let Some(victim) = rng.choice(&busy) {
                sleep(Duration::from_millis(rng.u64(0..=MAX_PAUSE))).await;
                return Ok(Some(*victim));
            }
        }
        Ok(rng.choice(processes).copied())
    }

    /// The function's running processes.
    fn processes(&self) -> Result<Vec<Pid>> {
        let parents = parents()?;
        let mark = format!("AWS_LAMBDA_FUNCTION_NAME={}", self.function);
        let is_worker = |pid: &i32| {
            // The file of a process that ended or belongs to another user cannot be read.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let is_function = environment
                .split(|byte| *byte == 0)
                .any(|entry| entry == mark.as_bytes());
            is_function && self.is_descendant(*pid, &parents)
        };
        Ok(parents
            .keys()
            .filter(|pid| is_worker(pid))
            .copied()
            .filter_map(Pid::from_raw)
            .collect())
    }

    fn is_descendant(&self, mut pid: i32, parents: &BTreeMap<i32, i32>) -> bool {
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

/// The CPU time of a process, in nanoseconds; 0 if it has ended.
fn cpu_time(pid: Pid) -> u64 {
    let path = format!("/proc/{}/schedstat", pid.as_raw_nonzero());
    let stat = fs::read_to_string(path).unwrap_or_default();
    stat.split(' ')
        .next()
        .and_then(|time| time.parse().ok())
        .unwrap_or(0)
}

/// The parent of every process.
fn parents() -> Result<BTreeMap<i32, i32>> {
    let entries = fs::read_dir("/proc")
        .context("cannot list /proc: finding the functions' processes needs Linux")?;
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
        // The name is in brackets, and may contain spaces and brackets. State and parent follow
        // the last bracket.
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
    use local_stack::process::ProcessGroup;
    use local_stack::progress::wait_for;
    use tokio::process::Command;

    use super::*;

    #[tokio::test]
    async fn only_the_functions_own_processes_are_killed() {
        // Stands for the emulator, with a busy process of the function, an idle one, and one of
        // another function.
        let script = "AWS_LAMBDA_FUNCTION_NAME=x-tickets sh -c 'while :; do :; done' & AWS_LAMBDA_FUNCTION_NAME=x-tickets sleep 600 & \
            AWS_LAMBDA_FUNCTION_NAME=x-ingest sleep 600 & wait";
        let shell = |name| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            ProcessGroup::start(name, command).unwrap()
        };
        let (emulator, _other) = (shell("an emulator"), shell("another"));
        let killer = WorkerKiller {
            emulator: emulator.id(),
            function: "x-tickets",
        };
        let of = |function| {
            WorkerKiller {
                emulator: emulator.id(),
                function,
            }
            .processes()
            .unwrap()
        };
        wait_for("the processes", Duration::from_secs(5), async || {
            Ok((of("x-tickets").len() == 2 && of("x-ingest").len() == 1).then_some(()))
        })
        .await
        .unwrap();

        let mut rng = Rng::with_seed(1);
        for (left, why) in [(1, "the busy one is first"), (0, "then the idle one")] {
            assert!(killer.kill_one(&mut rng).await.unwrap());
            wait_for(why, Duration::from_secs(5), async || {
                Ok((of("x-tickets").len() == left).then_some(()))
            })
            .await
            .unwrap();
        }
        assert!(!killer.kill_one(&mut rng).await.unwrap());
        assert_eq!(of("x-ingest").len(), 1);
    }
}
