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

fn folder(process: Pid) -> PathBuf {
    format!("/proc/{}", process.as_raw_nonzero()).into()
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

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
