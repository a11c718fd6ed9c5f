//! What a process costs, from /proc.

use std::fs;
use std::io;
use std::time::Duration;

use serde::Serialize;

/// Of `utime` and `stime` in /proc: 100 on every Linux platform that there is.
const TICKS_PER_SECOND: u64 = 100;

/// A process to be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process(pub u32);

/// CPU time of all threads so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// All of it, to the nanosecond where the kernel tells.
    pub total: Duration,
    /// In user space, in ticks of 10 ms.
    pub user: Duration,
    /// In the kernel, in ticks of 10 ms.
    pub system: Duration,
    /// Ready to run, and not run: what others took.
    pub waited: Duration,
}

/// Resident memory in bytes, by what the kernel could do with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// All of it.
    pub resident_bytes: u64,
    /// The process's own: its heap and its stacks. What is lost is lost here.
    pub anonymous_bytes: u64,
    /// Pages of files, above all code that has run. The kernel can drop them, and read them again.
    pub file_bytes: u64,
}

impl CpuTime {
    /// What was used between `earlier` and this.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            total: self.total.saturating_sub(earlier.total),
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}

impl Process {
    /// CPU time of all threads.
    ///
    /// # Errors
    /// There is no such process.
    pub fn cpu(self) -> io::Result<CpuTime> {
        let (user, system) = ticks(&fs::read_to_string(format!("/proc/{}/stat", self.0))?)?;
        let (mut total, mut waited) = (Duration::ZERO, Duration::ZERO);
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            // A thread that ends meanwhile has no file any more.
            if let Ok(line) = fs::read_to_string(task?.path().join("schedstat")) {
                total += Duration::from_nanos(number(&line, 0));
                waited += Duration::from_nanos(number(&line, 1));
            }
        }
        // A kernel without scheduler statistics.
        if total.is_zero() {
            total = user + system;
        }
        Ok(CpuTime { total, user, system, waited })
    }

    /// CPU time of each thread, by its name.
    ///
    /// # Errors
    /// There is no such process.
    pub fn threads(self) -> io::Result<Vec<(String, Duration)>> {
        let mut threads = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.0))? {
            let path = task?.path();
            let (Ok(name), Ok(line)) =
                (fs::read_to_string(path.join("comm")), fs::read_to_string(path.join("schedstat")))
            else {
                continue;
            };
            threads.push((name.trim_end().to_owned(), Duration::from_nanos(number(&line, 0))));
        }
        threads.sort();
        Ok(threads)
    }

    /// Resident memory.
    ///
    /// # Errors
    /// There is no such process.
    pub fn memory(self) -> io::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0))?;
        memory(&status).ok_or_else(|| io::Error::other("status does not tell of memory"))
    }
}

/// Of a /proc status page, where sizes are in KiB.
fn memory(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_ascii_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    Some(Memory { resident_bytes: bytes("VmRSS")?, anonymous_bytes: bytes("RssAnon")?, file_bytes: bytes("RssFile")? })
}

/// `utime` and `stime` of a /proc stat line. The name, in parentheses, may hold anything.
fn ticks(line: &str) -> io::Result<(Duration, Duration)> {
    let after_name = line.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = after_name.split_ascii_whitespace().skip(11).map_while(|field| field.parse::<u64>().ok());
    let ticks = |ticks: u64| Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND);
    match (fields.next(), fields.next()) {
        (Some(user), Some(system)) => Ok((ticks(user), ticks(system))),
        _ => Err(io::Error::other("stat has no CPU times")),
    }
}

/// A number of a line; 0 if there is none.
fn number(line: &str, at: usize) -> u64 {
    line.split_ascii_whitespace().nth(at).and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_found_behind_any_name() {
        let line = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 1 0";
        assert_eq!(ticks(line).unwrap(), (Duration::from_millis(1500), Duration::from_millis(250)));
        assert!(ticks("12 (a) S 1 2").is_err());
        assert!(ticks("").is_err());
    }

    #[test]
    fn this_process_has_memory_and_threads() {
        let this = Process(std::process::id());
        let memory = this.memory().unwrap();
        assert!(memory.anonymous_bytes > 0 && memory.file_bytes > 0);
        assert!(memory.resident_bytes >= memory.anonymous_bytes + memory.file_bytes);
        assert!(!this.threads().unwrap().is_empty());
        let before = this.cpu().unwrap();
        assert!(this.cpu().unwrap().total >= before.total);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Process(u32::MAX).cpu().is_err());
        assert!(Process(u32::MAX).memory().is_err());
    }

    #[test]
    fn memory_is_told_by_what_it_is() {
        let status =
            "Name:\tVmRSS\nVmRSS:\t     100 kB\nRssAnon:\t      30 kB\nRssFile:\t      69 kB\nRssShmem:\t  1 kB\n";
        let expected = Memory { resident_bytes: 102_400, anonymous_bytes: 30_720, file_bytes: 70_656 };
        assert_eq!(memory(status), Some(expected));
        assert_eq!(memory("Name:\tkthreadd\n"), None, "a thread of the kernel has none");
    }
}
