//! Timers: what a transport has due, and when it is served next.

use std::time::{Duration, Instant};

use super::core::{Core, ProducerKey, TransportKey};
use super::timers::Wake;
use crate::router::TransportCloseReason;

/// How long a transport outlives its peer's consent: an ICE restart may bring the peer back, on a new network say.
pub(super) const DISCONNECTED_LINGER: Duration = Duration::from_secs(30);

/// A transport is served at most once in this time by its timer: what is due and cannot be done yet must not spin the worker.
pub(super) const TIMER_STEP: Duration = Duration::from_millis(1);

/// Timer entries beyond this, more than [`STALE_PER_TRANSPORT`] for each transport and one for each producer, are swept of
/// stale ones.
const STALE_MIN: usize = 1024;
const STALE_PER_TRANSPORT: usize = 8;

impl Core {
    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, wake)) = self.timers.pop_due(now) {
            let Some(armed) = self.armed(wake).filter(|armed| **armed == Some(at)) else { continue };
            *armed = None;
            match wake {
                Wake::Transport(key) => self.serve(now, key),
                Wake::Router(key) => self.serve_router(now, key),
                Wake::Producer(key) => self.send_overdue(now, key),
            }
        }
        if self.timers.len() > STALE_MIN + STALE_PER_TRANSPORT * self.transports.len() + self.producers.len() {
            let Self { timers, transports, producers, routers, .. } = self;
            timers.retain(|at, wake| {
                let armed = match wake {
                    Wake::Transport(key) => transports.get(key).and_then(|transport| transport.armed),
                    Wake::Router(key) => routers.get(key).and_then(|router| router.armed),
                    Wake::Producer(key) => producers.get(key).and_then(|producer| producer.armed),
                };
                armed == Some(at)
            });
        }
    }

    fn armed(&mut self, wake: Wake) -> Option<&mut Option<Instant>> {
        match wake {
            Wake::Transport(key) => self.transports.get_mut(key).map(|transport| &mut transport.armed),
            Wake::Router(key) => self.routers.get_mut(key).map(|router| &mut router.armed),
            Wake::Producer(key) => self.producers.get_mut(key).map(|producer| &mut producer.armed),
        }
    }

    fn serve(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if transport.close_at.is_some_and(|at| at <= now) {
            return self.fail_transport(now, key, TransportCloseReason::ConsentExpired);
        }
        transport.counters.handle_timeout(now);
        transport.ice.handle_timeout(now);
        transport.dtls.handle_timeout(now);
        self.after_ice(now, key);
        self.after_dtls(now, key);
        self.send_due_nacks(now, key);
        self.send_due_key_frame_requests(now, key);
        self.send_due_reports(now, key);
        self.tell_producer_scores(now, key);
        self.serve_downlink(now, key);
        self.serve_wanted(now, key);
        self.rearm(now, key);
    }

    /// Tells the owners of a transport's producers what is no longer used.
    fn serve_wanted(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get(key) else { return };
        let due = |producer: &&ProducerKey| {
            self.producers
                .get(**producer)
                .is_some_and(|producer| producer.wanted.poll_timeout().is_some_and(|at| at <= now))
        };
        for producer in transport.producers.iter().filter(due).copied().collect::<Vec<_>>() {
            self.update_wanted(now, producer);
        }
    }

    /// Media can flow on this transport from now on: what waited for that is asked for.
    pub(super) fn handle_media_ready(&mut self, now: Instant, key: TransportKey) {
        // At once: the first key frame may be on its way.
        self.allocate(now, key);
        let Some(transport) = self.transports.get(key) else { return };
        let sources: Vec<ProducerKey> = transport
            .consumers
            .iter()
            .filter_map(|consumer| self.consumers.get(*consumer))
            .map(|consumer| consumer.producer)
            .chain(transport.producers.iter().copied())
            .collect();
        for source in sources {
            self.want_key_frame(now, source);
        }
    }

    /// Arms a transport's timer for the earliest of all that it waits for.
    pub(super) fn rearm(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get(key) else { return };
        let ice = transport.ice.poll_timeout().map(|(at, _)| at);
        let dtls = transport.dtls.poll_timeout().map(|(at, _)| at);
        let mut next = [ice, dtls, transport.close_at].into_iter().flatten().min();
        let mut consider = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        };
        // Before that nothing of it could be sent, and would come up due again at once.
        if transport.media_path().is_some() {
            consider(transport.transport_feedback.as_ref().and_then(|feedback| feedback.poll_timeout()));
            consider(transport.remb.as_ref().and_then(|remb| remb.poll_timeout()));
            consider(transport.downlink.poll_timeout());
            for producer in transport.producers.iter().filter_map(|producer| self.producers.get(*producer)) {
                consider(producer.wanted.poll_timeout());
                for encoding in producer.encodings.iter().filter(|encoding| encoding.ssrc.is_some()) {
                    if transport.remb.is_none() {
                        consider(transport.incoming_cap.poll_timeout());
                    }
                    consider(encoding.key_frames.poll_timeout());
                    if let Some(stream) = &encoding.stream {
                        consider(Some(stream.reports.poll_timeout()));
                        consider(stream.nack.as_ref().and_then(|nack| nack.poll_timeout()));
                        consider(stream.receive.inactive_at().filter(|_| !producer.paused));
                    }
                }
            }
            for consumer in transport.consumers.iter().filter_map(|consumer| self.consumers.get(*consumer)) {
                consider(Some(consumer.reports.poll_timeout()));
            }
        }
        if let (Some(next), Some(transport)) = (next, self.transports.get_mut(key)) {
            self.timers.arm(Wake::Transport(key), &mut transport.armed, next.max(now + TIMER_STEP));
        }
    }

    /// The same after a media packet, looking only at what the packet can have changed; what it made due goes out at once.
    pub(super) fn serve_after_packet(
        &mut self,
        now: Instant,
        key: TransportKey,
        producer: ProducerKey,
        encoding: usize,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let feedback = transport.transport_feedback.as_ref().and_then(|feedback| feedback.poll_timeout());
        let remb = transport.remb.as_ref().and_then(|remb| remb.poll_timeout());
        let source = self.producers.get(producer).and_then(|producer| producer.encodings.get(encoding));
        let stream = source.and_then(|source| source.stream.as_ref());
        let nack = stream.and_then(|stream| stream.nack.as_ref()?.poll_timeout());
        let reports = stream.map(|stream| stream.reports.poll_timeout());
        let has_score_news = stream.is_some_and(|stream| stream.receive.has_score_news());
        let key_frames = source.and_then(|source| source.key_frames.poll_timeout());
        if let Some(next) = [feedback, remb, nack, reports, key_frames].into_iter().flatten().min() {
            self.timers.arm(Wake::Transport(key), &mut transport.armed, next.max(now + TIMER_STEP));
        }
        if has_score_news {
            self.tell_producer_scores(now, key);
        }
        if nack.is_some_and(|at| at <= now) {
            self.send_due_nacks(now, key);
        }
        if key_frames.is_some_and(|at| at <= now) {
            self.send_due_key_frame_requests(now, key);
        }
    }
}
