//! Who is in a run, and what they send.

use std::time::Duration;

/// What each size of a simulcast sends, of the largest: Chromium's ratios at 1.2 Mbit/s.
const SIZE_SHARES: [&[f64]; 3] = [&[1.0], &[0.4, 1.0], &[0.12, 0.4, 1.0]];

/// A run, but for its measuring.
#[derive(Debug, Clone)]
pub struct Plan {
    /// `http://host:port`.
    pub url: String,
    /// Shown to a server that asks for one.
    pub token: Option<String>,
    /// Rooms, all alike.
    pub rooms: u32,
    /// In each room, peers that only send.
    pub publishers: u32,
    /// In each room, peers that only receive, everything.
    pub subscribers: u32,
    /// In each room, peers that send, and receive all others.
    pub mesh: u32,
    /// In each room, peers that neither send nor receive.
    pub bystanders: u32,
    /// Transports that each of these makes when it is told to, and then does not use.
    pub idle_transports: u32,
    /// Whether those who send have a microphone.
    pub audio: bool,
    /// Payload of a camera's largest size; `None`: no camera.
    pub video_bps: Option<f64>,
    /// Sizes of the picture, 1 to 3.
    pub sizes: usize,
    /// Peers a second that begin to join.
    pub join_rate: f64,
    /// Whether what is missing is asked for.
    pub nack: bool,
    /// Whether receivers ask for the smallest size of all cameras but one of each room.
    pub thumbnails: bool,
    /// Whether datagrams that were joined arrive joined.
    pub gro: bool,
    /// Rooms that send from the beginning; the others when told.
    pub active_rooms: u32,
    /// What is left to chance.
    pub seed: u64,
    /// Threads that carry media.
    pub threads: usize,
}

impl Plan {
    /// Peers in all rooms.
    pub fn peers(&self) -> u32 {
        self.rooms * (self.publishers + self.subscribers + self.mesh + self.bystanders)
    }

    /// Transports of all peers: each has a socket of its own.
    pub fn transports(&self) -> u32 {
        self.rooms * (self.publishers + self.subscribers + 2 * self.mesh + self.bystanders * self.idle_transports)
    }

    /// Those who send, in each room.
    pub fn senders(&self) -> u32 {
        self.publishers + self.mesh
    }

    /// Those who receive, in all rooms.
    pub fn receivers(&self) -> u32 {
        self.rooms * (self.subscribers + self.mesh)
    }

    /// Streams that are received, in all rooms.
    pub fn consumers(&self) -> u32 {
        let kinds = u32::from(self.audio) + u32::from(self.video_bps.is_some());
        let per_room = self.subscribers * self.senders() + self.mesh * self.senders().saturating_sub(1);
        self.rooms * per_room * kinds
    }

    /// The bitrate of each size, the smallest first.
    pub fn size_bitrates_bps(&self) -> Vec<f64> {
        let largest = self.video_bps.unwrap_or_default();
        let shares = SIZE_SHARES.get(self.sizes.saturating_sub(1)).copied().unwrap_or_default();
        shares.iter().map(|share| share * largest).collect()
    }

    /// How long joining takes at least.
    pub fn join_time(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.peers()) / self.join_rate)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan() -> Plan {
        Plan {
            url: "http://127.0.0.1:4000".to_owned(),
            token: None,
            rooms: 1,
            publishers: 1,
            subscribers: 50,
            mesh: 0,
            bystanders: 0,
            idle_transports: 0,
            audio: false,
            video_bps: Some(1e6),
            sizes: 1,
            join_rate: 100.0,
            nack: true,
            thumbnails: false,
            gro: true,
            active_rooms: u32::MAX,
            seed: 1,
            threads: 1,
        }
    }

    #[test]
    fn everybody_receives_everybody_else() {
        assert_eq!((plan().peers(), plan().consumers()), (51, 50));
        let mesh = Plan { rooms: 10, publishers: 0, subscribers: 0, mesh: 4, audio: true, ..plan() };
        assert_eq!((mesh.peers(), mesh.receivers(), mesh.consumers()), (40, 40, 10 * 4 * 3 * 2));
        assert_eq!((plan().transports(), mesh.transports()), (51, 80));
        let idle = Plan { rooms: 2, publishers: 0, subscribers: 0, bystanders: 5, idle_transports: 3, ..plan() };
        assert_eq!((idle.peers(), idle.transports(), idle.consumers()), (10, 30, 0));
        let mixed = Plan { publishers: 2, subscribers: 3, mesh: 2, ..plan() };
        assert_eq!(mixed.consumers(), 3 * 4 + 2 * 3);
    }

    #[test]
    fn sizes_end_with_the_asked_bitrate() {
        assert_eq!(plan().size_bitrates_bps(), [1e6]);
        assert_eq!(Plan { sizes: 3, ..plan() }.size_bitrates_bps(), [0.12e6, 0.4e6, 1e6]);
    }
}
