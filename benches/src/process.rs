//! What the kernel says of this process (Linux).

use std::fs;
use std::io;
use std::time::Duration;

/// `USER_HZ`: the unit of CPU times in /proc, the same on every architecture that Linux gives to user space here.
const TICKS_PER_SECOND: u64 = 100;

/// CPU time of a thread. Its resolution is 10 ms, so measure for seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In its own code.
    pub user: Duration,
    /// In the kernel, on its behalf.
    pub system: Duration,
}

impl CpuTime {
    /// Both together.
    pub fn total(self) -> Duration {
        self.user + self.system
    }

    /// The time of two threads.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { user: self.user + other.user, system: self.system + other.system }
    }

    /// What was spent since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self { user: self.user.saturating_sub(earlier.user), system: self.system.saturating_sub(earlier.system) }
    }
}

/// The CPU time of this process's thread of that name (at most 15 bytes, as the kernel cuts it).
///
/// # Errors
/// /proc cannot be read, or there is no such thread.
pub fn thread_cpu_time(name: &str) -> io::Result<CpuTime> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        // A thread may end while we look.
        let Ok(comm) = fs::read_to_string(task.join("comm")) else { continue };
        if comm.trim_end() == name {
            return parse_stat(&fs::read_to_string(task.join("stat"))?)
                .ok_or_else(|| io::Error::other("/proc/self/task/*/stat is not what proc(5) says"));
        }
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("no thread is named {name}")))
}

/// Fields 14 and 15 of proc(5)'s stat. Counted from the end of the name, which may hold blanks and brackets.
fn parse_stat(stat: &str) -> Option<CpuTime> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut time = || {
        let ticks: u64 = fields.next()?.parse().ok()?;
        Some(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
    };
    Some(CpuTime { user: time()?, system: time()? })
}

/// The memory of this process that is in RAM, in bytes.
///
/// # Errors
/// /proc cannot be read.
pub fn resident_bytes() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::other("/proc/self/status is not what proc(5) says"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_blanks_and_brackets() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 175 0 0 20";
        let expected = CpuTime { user: Duration::from_millis(2500), system: Duration::from_millis(1750) };
        assert_eq!(parse_stat(stat), Some(expected));
        assert_eq!(expected.total(), Duration::from_millis(4250));
        assert_eq!(parse_stat("7 (a) S 1 2"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_is_found_by_its_name_and_an_unknown_one_is_an_error() {
        let (started, wait) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new()
            .name("bench-process".to_owned())
            .spawn(move || {
                started.send(thread_cpu_time("bench-process")).unwrap();
                let _ = ended.recv();
            })
            .unwrap();
        assert!(wait.recv().unwrap().is_ok());
        drop(end);
        thread.join().unwrap();
        assert_eq!(thread_cpu_time("no-such-thread").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(resident_bytes().unwrap() > 0);
    }
}
