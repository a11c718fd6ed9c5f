//! The rate that arrives, from feedback: in the manner of libwebrtc's robust throughput estimator as publicly
//! described, the larger of the time of sending and the time of arrival counts, so that a receiver's stall, after which
//! everything arrives at once, reads as no more than was sent.

/// Arrivals are counted in buckets of this length.
const BUCKET_US: i64 = 25_000;

/// Half a second: a few frames, and still soon enough to follow a change.
const BUCKETS: usize = 20;

/// What a full queue lets out is even, and a short time of it tells the path's rate.
const SHORT_BUCKETS: usize = 6;

/// Packets without which there is no rate to speak of.
const MIN_PACKETS: u32 = 5;

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    number: i64,
    bytes: u64,
    packets: u32,
    first_sent_us: i64,
    last_sent_us: i64,
    /// When the first packet came, and its bytes.
    first_arrival_us: i64,
    first_bytes: u64,
}

/// The acknowledged rate of one transport.
#[derive(Debug, Clone, Default)]
pub(super) struct Acknowledged {
    buckets: [Bucket; BUCKETS],
    newest_us: Option<i64>,
    /// The number of its bucket.
    newest: i64,
    rate_bps: Option<u64>,
    short_rate_bps: Option<u64>,
}

impl Acknowledged {
    /// Counts bytes that arrived at `arrival_us`. What arrives later than the window is ignored.
    pub(super) fn handle_packet(&mut self, sent_us: i64, arrival_us: i64, bytes: u64) {
        let number = arrival_us.div_euclid(BUCKET_US);
        if self.newest_us.is_none_or(|newest_us| arrival_us > newest_us) {
            (self.newest_us, self.newest) = (Some(arrival_us), number);
        } else if number <= self.newest - BUCKETS as i64 {
            return;
        }
        let Some(bucket) = self.buckets.get_mut(bucket_of(number)) else { return };
        if bucket.number != number || bucket.packets == 0 {
            *bucket = Bucket {
                number,
                bytes: 0,
                packets: 0,
                first_sent_us: sent_us,
                last_sent_us: sent_us,
                first_arrival_us: arrival_us,
                first_bytes: bytes,
            };
        }
        bucket.bytes += bytes;
        bucket.packets = bucket.packets.saturating_add(1);
        bucket.first_sent_us = bucket.first_sent_us.min(sent_us);
        bucket.last_sent_us = bucket.last_sent_us.max(sent_us);
    }

    /// Adds bytes whose feedback was lost to the newest arrivals.
    pub(super) fn handle_untold(&mut self, sent_us: i64, bytes: u64) {
        if let Some(newest_us) = self.newest_us {
            self.handle_packet(sent_us, newest_us, bytes);
        }
    }

    /// Works out the rates, once for all packets of a message.
    pub(super) fn measure(&mut self) {
        let [long, short] = self.windows().unwrap_or_default();
        self.rate_bps = long.map(|window| window.rate_over(window.arrival_us.max(window.sent_us)));
        self.short_rate_bps = short.map(|window| {
            // From the first packet to the last, of which the first has come already: few packets make up so short a time.
            let bytes = window.bytes.saturating_sub(window.first_bytes);
            Window { bytes, ..window }.rate_over(window.between_us)
        });
    }

    /// The rate of the last half second of arrivals when it was last worked out, in bits per second.
    pub(super) fn rate_bps(&self) -> Option<u64> {
        self.rate_bps
    }

    /// The rate of the last tenth of a second and a half, by arrival alone: what a queue lets out, while there is one.
    pub(super) fn short_rate_bps(&self) -> Option<u64> {
        self.short_rate_bps
    }

    /// Forgets everything: what arrives after an outage says nothing with what arrived before.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// What arrived in the long time and in the short one, each `None` where that is too little.
    fn windows(&self) -> Option<[Option<Window>; 2]> {
        let (newest_us, newest) = (self.newest_us?, self.newest);
        // From the newest bucket back to the first of the ring, and on from its last.
        let (until_newest, others) = self.buckets.split_at_checked(bucket_of(newest) + 1)?;
        let (mut sum, mut short) =
            (Bucket { first_sent_us: i64::MAX, last_sent_us: i64::MIN, ..Bucket::default() }, None);
        until_newest.iter().rev().chain(others.iter().rev()).enumerate().for_each(|(age, bucket)| {
            if age == SHORT_BUCKETS {
                short = Window::of(newest_us, &sum);
            }
            if bucket.packets > 0 && bucket.number == newest - age as i64 {
                sum = Bucket {
                    bytes: sum.bytes + bucket.bytes,
                    packets: sum.packets.saturating_add(bucket.packets),
                    first_sent_us: sum.first_sent_us.min(bucket.first_sent_us),
                    last_sent_us: sum.last_sent_us.max(bucket.last_sent_us),
                    ..*bucket
                };
            }
        });
        Some([Window::of(newest_us, &sum), short])
    }
}

fn bucket_of(number: i64) -> usize {
    number.rem_euclid(BUCKETS as i64) as usize
}

/// What arrived, and how long the arrivals and their sending took.
struct Window {
    bytes: u64,
    arrival_us: i64,
    sent_us: i64,
    /// Of the first packet, and the time from its arrival to the last one's.
    first_bytes: u64,
    between_us: i64,
}

impl Window {
    /// Up to `newest_us` what is in `sum`, which has the number of its oldest bucket and what that began with.
    fn of(newest_us: i64, sum: &Bucket) -> Option<Self> {
        // The window's first arrivals may be its second bucket's: a stream that has just begun is not divided by the
        // time before it.
        let arrival_us = newest_us - sum.number.saturating_mul(BUCKET_US);
        (sum.packets >= MIN_PACKETS).then(|| Self {
            bytes: sum.bytes,
            arrival_us,
            sent_us: sum.last_sent_us - sum.first_sent_us,
            first_bytes: sum.first_bytes,
            between_us: newest_us - sum.first_arrival_us,
        })
    }

    fn rate_over(&self, span_us: i64) -> u64 {
        self.bytes.saturating_mul(8_000_000) / span_us.max(BUCKET_US) as u64
    }
}
