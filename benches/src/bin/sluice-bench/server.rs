//! The server under test: on free ports, on its own cores.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::Failure;

/// How long a server may take to listen.
const START_MAX: Duration = Duration::from_secs(10);
const START_POLL: Duration = Duration::from_millis(20);

/// A running server. Dropping it ends it.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

/// Who runs where: the server on the first core, the generator on the second, where there are two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    all: CpuSet,
    server: CpuSet,
    generator: CpuSet,
}

impl Cores {
    /// Of those that this process may use.
    pub(crate) fn of_this_process() -> Result<Self, Failure> {
        let all = sched_getaffinity(Pid::from_raw(0))?;
        let mut usable = (0..CpuSet::count()).filter(|core| all.is_set(*core).unwrap_or(false));
        let first = usable.next().ok_or("no core to run on")?;
        let second = usable.next().unwrap_or(first);
        let only = |core| {
            let mut set = CpuSet::new();
            set.set(core).map(|()| set)
        };
        Ok(Self { all, server: only(first)?, generator: only(second)? })
    }

    /// From now on this thread, and threads that it starts, run where the generator does.
    pub(crate) fn pin_generator(&self) -> Result<(), Failure> {
        Ok(sched_setaffinity(Pid::from_raw(0), &self.generator)?)
    }
}

impl Server {
    /// Starts `binary` with so many workers, on the server's core for one, on all cores for more, with more `settings`.
    pub(crate) fn start(
        binary: &Path,
        workers: u16,
        settings: &[(&str, &str)],
        cores: &Cores,
    ) -> Result<Self, Failure> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let rtc_port = free_ports(workers)?;
        let mut command = Command::new(binary);
        command
            .env("PORT", port.to_string())
            .env("LISTEN_IP", "127.0.0.1")
            .env("RTC_MIN_PORT", rtc_port.to_string())
            .env("RTC_MAX_PORT", (rtc_port + workers - 1).to_string())
            .env("WORKERS", workers.to_string())
            .env("LOG_LEVEL", "warn")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        // A child runs where its parent does.
        sched_setaffinity(Pid::from_raw(0), if workers == 1 { &cores.server } else { &cores.all })?;
        let child = command.spawn();
        cores.pin_generator()?;
        let child = child.map_err(|error| format!("--server {}: {error}", binary.display()))?;
        let mut server = Self { child, port };
        server.wait_until_it_listens()?;
        Ok(server)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process that carries the media: a server of which that is a process of its own has no other child.
    pub(crate) fn pid(&self) -> u32 {
        child_of(self.child.id()).unwrap_or(self.child.id())
    }

    fn wait_until_it_listens(&mut self) -> Result<(), Failure> {
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the server ended at once: {status}").into());
            }
            if begun.elapsed() > START_MAX {
                return Err(format!("the server does not listen after {START_MAX:?}").into());
            }
            std::thread::sleep(START_POLL);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first child of a process, where the kernel tells.
fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// The first of so many ports in a row that nobody has, for UDP.
fn free_ports(count: u16) -> Result<u16, Failure> {
    for _ in 0..100 {
        let first = UdpSocket::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let is_free =
            |port: u16| UdpSocket::bind(("127.0.0.1", port)).is_ok() && TcpListener::bind(("127.0.0.1", port)).is_ok();
        if first.checked_add(count).is_some_and(|end| (first..end).all(is_free)) {
            return Ok(first);
        }
    }
    Err("no free ports for media".into())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use super::*;

    /// Harm prevented: of a server whose media is another process's the CPU of its signalling is reported, which is next to none.
    #[test]
    fn the_media_of_a_server_may_be_its_childs() {
        let script = "sleep 600 & echo $!; read line; kill $!";
        let mut parent =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        BufReader::new(parent.stdout.take().unwrap()).read_line(&mut told).unwrap();
        let child: u32 = told.trim().parse().unwrap();
        assert_eq!((child_of(parent.id()), child_of(child)), (Some(child), None));
        drop(parent.stdin.take());
        parent.wait().unwrap();
    }

    #[test]
    fn a_server_that_ends_at_once_or_is_not_there_is_an_error() {
        let cores = Cores::of_this_process().unwrap();
        let ended = Server::start(Path::new("/bin/false"), 1, &[], &cores).err().unwrap().to_string();
        assert!(ended.contains("ended at once"), "{ended}");
        let missing = Server::start(Path::new("/no/such/binary"), 1, &[], &cores).err().unwrap().to_string();
        assert!(missing.contains("/no/such/binary"), "{missing}");
    }
}
