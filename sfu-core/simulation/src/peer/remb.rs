//! A receiver's estimate for its sender (REMB), from absolute send times: in the coarse what libwebrtc does.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::feedback::IncomingRate;

/// From one message to the next; sooner when the estimate falls.
const INTERVAL: Duration = Duration::from_secs(1);
const QUICK: Duration = Duration::from_millis(250);
/// Waiting longer than this in queues is overuse.
const OVERUSE_MS: f64 = 60.0;
/// What is taken for the path without queues: the least of this time.
const BASE_OVER: Duration = Duration::from_secs(10);
/// Growth in a second, and the most beyond what comes in (libwebrtc).
const GROWTH: f64 = 1.08;
const BEYOND: (f64, f64) = (1.5, 10_000.0);
/// Of what comes in, after overuse.
const BACKOFF: f64 = 0.85;

/// One transport's estimate.
#[derive(Debug)]
pub struct RembSender {
    origin: Instant,
    incoming: IncomingRate,
    /// Relative delays in milliseconds, lowest first seen.
    base: VecDeque<(Instant, f64)>,
    last_send: Option<(u32, f64)>,
    queued_ms: f64,
    estimate: f64,
    updated_at: Option<Instant>,
    sent_at: Option<Instant>,
}

impl RembSender {
    /// Nothing came yet.
    pub fn new(origin: Instant) -> Self {
        Self {
            origin,
            incoming: IncomingRate::default(),
            base: VecDeque::new(),
            last_send: None,
            queued_ms: 0.0,
            estimate: 300_000.0,
            updated_at: None,
            sent_at: None,
        }
    }

    /// Takes a packet of `len` bytes and its abs-send-time, in seconds of 6.18 bits.
    pub fn handle(&mut self, now: Instant, send_time: u32, len: usize) {
        self.incoming.add(now, len);
        let send_ms = match self.last_send {
            Some((before, ms)) => {
                // 24 bits, as a signed difference.
                let ticks = (send_time.wrapping_sub(before) << 8) as i32 >> 8;
                ms + f64::from(ticks) * 1000.0 / 262_144.0
            }
            None => 0.0,
        };
        self.last_send = Some((send_time, send_ms));
        let delay = (now - self.origin).as_secs_f64() * 1000.0 - send_ms;
        while self.base.back().is_some_and(|(_, known)| *known >= delay) {
            self.base.pop_back();
        }
        self.base.push_back((now, delay));
        while self.base.front().is_some_and(|(at, _)| now - *at > BASE_OVER) {
            self.base.pop_front();
        }
        let queued = delay - self.base.front().map_or(delay, |(_, base)| *base);
        self.queued_ms += (queued - self.queued_ms) * 0.1;
        self.updated_at.get_or_insert(now);
        self.sent_at.get_or_insert(now);
    }

    /// When the estimate is to be looked at.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.updated_at.map(|at| at + QUICK)
    }

    /// The estimate in bit/s, if it is to be sent.
    pub fn poll(&mut self, now: Instant) -> Option<f32> {
        let updated_at = self.updated_at.filter(|at| *at + QUICK <= now)?;
        self.updated_at = Some(now);
        let elapsed = (now - updated_at).as_secs_f64();
        let falls = self.queued_ms > OVERUSE_MS;
        if falls {
            self.estimate = self.estimate.min(BACKOFF * self.incoming.bps()).max(10_000.0);
            self.queued_ms = 0.0;
        } else {
            let most = (BEYOND.0 * self.incoming.bps() + BEYOND.1).max(self.estimate);
            self.estimate = (self.estimate * GROWTH.powf(elapsed)).min(most);
        }
        if !falls && self.sent_at.is_some_and(|at| now - at < INTERVAL) {
            return None;
        }
        self.sent_at = Some(now);
        Some(self.estimate as f32)
    }
}
