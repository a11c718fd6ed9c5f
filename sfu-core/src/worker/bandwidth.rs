//! What a peer's path carries, and who gets how much of it.

use std::time::{Duration, Instant};

use super::core::{ConsumerKey, Core, TransportKey};
use super::errors::ObjectClosed;
use super::service::TIMER_STEP;
use super::shedding::FEEDBACK_LATE_MAX;
use super::timers::Wake;
use crate::congestion::allocation::Demand;
use crate::ids::TransportId;
use crate::parameters::{MediaKind, RtpParameters};
use crate::router::SuspendReason;
use crate::rtcp::transport_cc::TransportCc;
use crate::transport::PathFeedback;

/// How often a path is shared out again while nothing calls for it: layers' rates change.
const ALLOCATE_INTERVAL: Duration = Duration::from_secs(1);

/// Among so many a path is shared out again with every change: some microseconds.
const FEW_CONSUMERS: usize = 32;

/// How soon after one sharing out among more the next may be when somebody joins, leaves or wishes.
const ALLOCATE_BATCH: Duration = Duration::from_millis(5);

/// How soon after one sharing out the next may be: feedback comes ten to twenty times a second.
const ALLOCATE_STEP: Duration = Duration::from_millis(50);

impl Core {
    /// Sets what a transport's peer is sent at most, in bits per second.
    ///
    /// # Errors
    /// [`ObjectClosed`].
    pub fn set_max_outgoing_bps(
        &mut self,
        now: Instant,
        id: TransportId,
        bps: Option<u64>,
    ) -> Result<(), ObjectClosed> {
        let (key, transport) = self.transport_mut(id)?;
        transport.downlink.set_max_bps(now, bps);
        self.handle_estimate(now, key);
        self.arm_downlink(now, key);
        Ok(())
    }

    /// Turns on the estimate of a peer's path when a consumer's parameters say that the peer reports on it.
    pub(super) fn enable_estimate(&mut self, now: Instant, key: TransportKey, parameters: &RtpParameters) {
        if let Some(transport) = self.transports.get_mut(key)
            && let Some(feedback) = PathFeedback::of(parameters)
        {
            transport.downlink.enable(now, feedback);
        }
    }

    /// The peer says when our packets arrived.
    pub(super) fn handle_transport_feedback(&mut self, now: Instant, key: TransportKey, feedback: &TransportCc<&[u8]>) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if let Some(estimator) = &mut transport.downlink.estimator
            && transport.downlink.feedback == Some(PathFeedback::TransportWide)
        {
            // It would take for the path's queue what is our own.
            if self.lag > FEEDBACK_LATE_MAX {
                return estimator.handle_stale_feedback(now);
            }
            estimator.handle_feedback(now, feedback);
            transport.downlink.handle_feedback();
            self.handle_estimate(now, key);
            self.arm_downlink(now, key);
        }
    }

    /// The peer says what it can receive. Beside transport-wide feedback we know better.
    pub(super) fn handle_remb(&mut self, now: Instant, key: TransportKey, bps: u64) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if let Some(estimator) = &mut transport.downlink.estimator
            && transport.downlink.feedback == Some(PathFeedback::Remb)
        {
            estimator.handle_remb(now, bps);
            transport.downlink.handle_feedback();
            self.handle_estimate(now, key);
            self.arm_downlink(now, key);
        }
    }

    /// A receiver report says how long the round trip is, and what is lost.
    pub(super) fn handle_path_report(
        &mut self,
        now: Instant,
        key: TransportKey,
        rtt: Option<Duration>,
        kind: MediaKind,
        fraction_lost: u8,
    ) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(estimator) = &mut transport.downlink.estimator else { return };
        if let Some(rtt) = rtt {
            estimator.handle_rtt(now, rtt);
        }
        // Transport-wide feedback says it of every packet. A voice's few packets say little of what a video's lose.
        if transport.downlink.feedback == Some(PathFeedback::Remb) && kind == MediaKind::Video {
            estimator.handle_loss(now, f64::from(fraction_lost) / 256.0);
            self.handle_estimate(now, key);
        }
    }

    /// What is consumed over a path, or how, has changed: it is shared out again, at once among few, and among many within a
    /// moment, once for a whole row of changes. A peer that joins a full room consumes hundreds of producers one by one.
    pub(super) fn allocate_soon(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if transport.consumers.len() <= FEW_CONSUMERS {
            return self.allocate(now, key);
        }
        let downlink = &mut transport.downlink;
        let soon = downlink.allocated_at.map_or(now, |at| now.max(at + ALLOCATE_BATCH));
        downlink.allocate_at = Some(downlink.allocate_at.map_or(soon, |at| at.min(soon)));
        self.arm_downlink(now, key);
    }

    /// Wakes a transport for what is due of its path next.
    pub(super) fn arm_downlink(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key).filter(|transport| transport.media_path().is_some()) else {
            return;
        };
        if let Some(at) = transport.downlink.poll_timeout() {
            self.timers.arm(Wake::Transport(key), &mut transport.armed, at.max(now + TIMER_STEP));
        }
    }

    /// The estimate may have changed: paces by it, and shares it out again when that can make a difference.
    pub(super) fn handle_estimate(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let downlink = &mut transport.downlink;
        downlink.pace(now);
        self.trace_estimate(now, key);
        let Some(transport) = self.transports.get_mut(key) else { return };
        let downlink = &mut transport.downlink;
        let (before, after) = (downlink.allocated_bps, downlink.budget_bps(now));
        let differs = match (before, after) {
            (Some(before), Some(after)) => before.abs_diff(after) * 50 > before,
            (before, after) => before != after,
        };
        if differs {
            let soon = if after < before { now } else { now + ALLOCATE_STEP };
            downlink.allocate_at = Some(downlink.allocate_at.map_or(soon, |at| at.min(soon)));
            if soon <= now {
                self.allocate(now, key);
            }
        }
    }

    /// Shares out a path among what its peer consumes.
    pub(super) fn allocate(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let mut demands: Vec<Demand<ConsumerKey>> = Vec::with_capacity(transport.consumers.len());
        let mut newly_withheld: Vec<ConsumerKey> = Vec::new();
        for &consumer_key in &transport.consumers {
            let Some(consumer) = self.consumers.get(consumer_key) else { continue };
            let Some(producer) = self.producers.get_mut(consumer.producer) else { continue };
            if consumer.paused || producer.paused {
                continue;
            }
            if !producer.is_selected {
                // It joined or was resumed while the room forwards others: its owner does not know yet.
                if consumer.kind == MediaKind::Video && consumer.suspended != Some(SuspendReason::NotSpeaking) {
                    newly_withheld.push(consumer_key);
                }
                continue;
            }
            // What the worker leaves out is not to be probed for.
            if !consumer.is_shed {
                demands.push(consumer.demand(now, consumer_key, producer));
            }
        }
        let budget = transport.downlink.budget_bps(now);
        let downlink = &mut transport.downlink;
        downlink.allocated_bps = budget;
        downlink.allocated_at = Some(now);
        downlink.allocator.set_base_budget(downlink.base_budget_bps(now));
        downlink.pace(now);
        let allocations = downlink.allocator.allocate(now, budget, &demands).to_vec();
        if allocations.iter().any(|allocation| allocation.layers.is_none()) {
            tracing::debug!(
                transport = %transport.id,
                wanted_bps = downlink.allocator.desired_bps(),
                given_bps = downlink.allocator.allocated_bps(),
                estimate = ?downlink.estimator.as_ref().map(|estimator| estimator.snapshot()),
                queued_packets = downlink.pacer.queued_packets(),
                queued_bytes = downlink.pacer.queued_bytes(),
                queued_for = ?downlink.pacer.oldest_wait(now),
                "not every stream fits"
            );
        }
        let desired_bps = downlink.allocator.sufficient_budget_bps();
        if let Some(estimator) = &mut downlink.estimator {
            estimator.set_desired_bps(now, desired_bps);
        }
        let has_video = demands.iter().any(|demand| demand.kind == MediaKind::Video);
        let again = downlink.allocator.poll_timeout().into_iter().chain(has_video.then_some(now + ALLOCATE_INTERVAL));
        downlink.allocate_at = again.min().map(|at| at.max(now + ALLOCATE_STEP));
        for allocation in &allocations {
            if let Some(consumer) = self.consumers.get_mut(allocation.key) {
                consumer.allowed = Some(allocation.layers);
            }
        }
        for consumer in allocations.iter().map(|allocation| allocation.key).chain(newly_withheld) {
            self.retarget(now, consumer);
        }
        self.arm_downlink(now, key);
    }

    /// Does what is due of a peer's path.
    pub(super) fn serve_downlink(&mut self, now: Instant, key: TransportKey) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        if let Some(estimator) = &mut transport.downlink.estimator
            && estimator.poll_timeout().is_some_and(|at| at <= now)
        {
            estimator.handle_timeout(now);
            self.handle_estimate(now, key);
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        if transport.downlink.allocate_at.is_some_and(|at| at <= now) {
            self.allocate(now, key);
        }
        self.send_due_probe(now, key);
        self.send_due_paced(now, key);
    }
}
