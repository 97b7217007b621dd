//! CPU time and memory of a running process, as Linux's `/proc` counts them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Pid;

/// Memory of a process, in kilobytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    pub resident: u64,
    pub peak: u64,
}

/// The memory that a process uses now, and the most that it has used.
pub fn memory(process: Pid) -> Result<Memory> {
    let status = fs::read_to_string(folder(process).join("status"))?;
    let kilobytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        let number = number.with_context(|| format!("/proc has no {name} of the process"))?;
        Ok::<u64, anyhow::Error>(number.parse()?)
    };
    Ok(Memory {
        resident: kilobytes("VmRSS:")?,
        peak: kilobytes("VmHWM:")?,
    })
}

/// The user and system time of the process's threads. Unlike `/proc/…/stat`, which counts
/// hundredths of a second, it is exact, but it leaves out threads that have ended.
pub fn cpu_time(process: Pid) -> Result<Duration> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(folder(process).join("task"))? {
        let path = thread?.path().join("schedstat");
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| {
            format!(
                "cannot read {}: Linux must have CONFIG_SCHED_INFO",
                path.display()
            )
        })?;
        let first = text.split_whitespace().next().context("it is empty")?;
        nanoseconds += first.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// The time of all processors since the start of the machine, in hundredths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineTime {
    busy: u64,
    idle: u64,
}

impl MachineTime {
    pub fn now() -> Result<Self> {
        Self::parse(&fs::read_to_string("/proc/stat")?)
    }

    fn parse(stat: &str) -> Result<Self> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "));
        let fields = line.context("/proc/stat has no line for all processors")?;
        // Time of guests is in the first fields already.
        let fields = fields.split_whitespace().take(8).map(str::parse);
        let fields = fields.collect::<Result<Vec<u64>, _>>()?;
        // The fourth and fifth are idle and waiting for disks.
        let idle = fields.iter().skip(3).take(2).sum();
        let all: u64 = fields.iter().sum();
        Ok(Self {
            busy: all - idle,
            idle,
        })
    }

    /// The percentage of the processors' time that was used since then.
    pub fn percent_busy_since(self, before: Self) -> u64 {
        let (busy, idle) = (self.busy - before.busy, self.idle - before.idle);
        100 * busy / (busy + idle).max(1)
    }
}

fn folder(process: Pid) -> PathBuf {
    format!("/proc/{}", process.as_raw_nonzero()).into()
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn the_share_of_busy_time_leaves_out_idle_and_disks() {
        let at = |stat| MachineTime::parse(stat).unwrap();
        let before = at("cpu  10 0 10 100 20 0 0 0 5 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        let after = at("cpu  30 10 40 120 60 0 0 0 5 0\n");
        // 60 of 120.
        assert_eq!(after.percent_busy_since(before), 50);
    }

    #[test]
    fn proc_describes_this_process() {
        let own = rustix::process::getpid();
        let memory = memory(own).unwrap();
        assert!(memory.resident > 1000 && memory.peak >= memory.resident);
        let before = cpu_time(own).unwrap();
        let mut sum = 0_u64;
        while cpu_time(own).unwrap() < before + Duration::from_millis(20) {
            sum = black_box(sum.wrapping_add(1));
        }
    }
}
