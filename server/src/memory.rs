//! Gives memory back to the system after a crowd has left. The C library keeps what was freed between what is still used, and with it
//! a process stays as large as it ever was.

use std::time::Duration;

/// How often is looked: who comes in a crowd stays for longer.
const INTERVAL: Duration = Duration::from_secs(1);

/// Fewer sockets than this, a few megabytes, are not worth the walk through all memory.
const GONE_MIN: usize = 50;

/// How many there were.
#[derive(Debug, Default)]
struct Crowd {
    /// At most, since memory was given back last.
    most: usize,
}

impl Crowd {
    /// Takes note of how many there are; whether so many have left that their memory is to be given back.
    fn has_left(&mut self, present: usize) -> bool {
        self.most = self.most.max(present);
        let has_left = present <= self.most / 2 && self.most - present >= GONE_MIN;
        if has_left {
            self.most = present;
        }
        has_left
    }
}

/// Watches how many sockets there are for as long as the server runs, and gives memory back each time that half of them have gone.
pub(crate) async fn watch(sockets: impl Fn() -> usize) {
    let mut crowd = Crowd::default();
    loop {
        tokio::time::sleep(INTERVAL).await;
        if crowd.has_left(sockets()) {
            // It takes some milliseconds, in which nobody who asks for memory gets any: media in its course does not.
            let done = tokio::task::spawn_blocking(give_back).await;
            tracing::debug!(?done, "memory of those who left is given back");
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call into the C library, which no safe crate offers")]
fn give_back() {
    // SAFETY: it may be called at any time from any thread (malloc_trim(3): MT-Safe), and touches only what is not in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other C libraries give it back by themselves, or have no way to be asked.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harm prevented: a server that was full once has no memory for others on its machine for the rest of its days; or it walks
    /// through all of its memory whenever somebody hangs up.
    #[test]
    fn memory_is_given_back_when_half_of_a_crowd_has_left_and_once() {
        let mut crowd = Crowd::default();
        let told: Vec<bool> =
            [0, 40, 0, 500, 300, 251, 250, 240, 130, 125, 0, 0].map(|present| crowd.has_left(present)).into();
        let expected = [false, false, false, false, false, false, true, false, false, true, true, false];
        assert_eq!(told, expected);
    }
}
