//! What an overloaded worker leaves out, and when it takes that up again: whole videos of some consumers, with an event to their
//! owners. See [`super::overload`] for when.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::core::{ConsumerKey, Core};
use super::overload::Step;
use crate::consumer::Consumer;
use crate::parameters::MediaKind;

/// How busy a worker has to be for packets of a picture to wait for each other, and below which they do not, in percent. In between
/// everything stays as it is, for waiting itself makes the worker less busy.
const WAITING_FROM_PERCENT: u32 = 25;
const WAITING_UNTIL_PERCENT: u32 = 10;

/// A browser sends a picture within a fraction of this on a fast uplink; behind a slow one most pictures' last packet comes
/// later, and what was waited for that is lost. Timers are no finer either.
const WAIT: Duration = Duration::from_millis(1);

/// Sound that has waited here for longer is dropped: receivers wait about as long for what is late, and give it up then.
const SOUND_LATE_MAX: Duration = Duration::from_millis(200);

/// Feedback that has waited here for longer is not read. Twice what a path's queue may be before its estimate falls.
pub(super) const FEEDBACK_LATE_MAX: Duration = Duration::from_millis(50);

/// Videos that nobody sends at present and that come back in one step: their owners are told, which is work as well, and is not to be
/// in the way of what flows.
const IDLE_RETURNS_MAX: usize = 100;

/// A video that flows, or would, were the worker not overloaded.
struct Flow {
    consumer: ConsumerKey,
    /// Goes first when there is too much: the less important, then what its peer sees beside other videos, then the youngest.
    rank: (u8, Reverse<usize>, Reverse<ConsumerKey>),
    bps: u64,
}

impl Core {
    /// Takes note of how much of its time the worker was busy of late, in percent; every tenth of a second or so. A busy one has
    /// packets wait for each other for a moment, which makes it less so.
    pub fn handle_load(&mut self, now: Instant, busy_percent: u32) {
        let is_waiting = self.joining.wait > Duration::ZERO;
        let waits = busy_percent >= if is_waiting { WAITING_UNTIL_PERCENT } else { WAITING_FROM_PERCENT };
        self.joining.wait = if waits { WAIT } else { Duration::ZERO };
        self.overload.handle_load(now, busy_percent, self.is_shedding);
        self.carry_out_step(now);
    }

    /// The worker did nothing from the end of its last turn `from` until the one that begins `now`: there was nothing to do, or its
    /// thread was not given a processor.
    pub fn handle_pause(&mut self, from: Instant, now: Instant) {
        self.overload.handle_pause(from, now);
    }

    /// How long the datagrams that follow have waited to be handed over: the worker is that much behind.
    pub fn set_lag(&mut self, lag: Duration) {
        self.lag = lag;
    }

    /// Whether sound is too late to be played: the next will be in time for that.
    pub(super) fn is_too_late_for_sound(&self) -> bool {
        self.lag > SOUND_LATE_MAX
    }

    /// Does what was decided about an overload, if anything was.
    pub(super) fn carry_out_step(&mut self, now: Instant) {
        match self.overload.poll_step() {
            None => {}
            Some(Step::Keep(part)) => self.shed(now, part),
            Some(Step::Return { of_flowing, of_suspended }) => self.take_back(now, of_flowing, of_suspended),
        }
    }

    /// Suspends the least important videos, so that `part` of what flows remains.
    fn shed(&mut self, now: Instant, part: f64) {
        let mut flowing = self.flows(now, false);
        flowing.retain(|flow| flow.bps > 0);
        let total: u64 = flowing.iter().map(|flow| flow.bps).sum();
        let mut too_much_bps = (total as f64 * (1.0 - part)) as u64;
        let mut count = 0;
        for flow in &flowing {
            if too_much_bps == 0 {
                break;
            }
            too_much_bps = too_much_bps.saturating_sub(flow.bps);
            count += 1;
            self.set_shed(now, flow.consumer, true);
        }
        if count > 0 {
            self.stats.overload_suspensions += count;
            if !std::mem::replace(&mut self.is_shedding, true) {
                let flowing = flowing.len();
                tracing::warn!(
                    suspended = count,
                    flowing,
                    busy_percent = self.overload.busy_percent(),
                    "more to forward than this worker can; videos are suspended"
                );
            }
        }
    }

    /// Takes up the most important of the suspended videos: as much as these parts of what flows and of what is suspended. What nobody
    /// sends at present costs nothing but the telling, which is spread.
    fn take_back(&mut self, now: Instant, of_flowing: f64, of_suspended: f64) {
        let flowing_bps: u64 = self.flows(now, false).iter().map(|flow| flow.bps).sum();
        let suspended = self.flows(now, true);
        let suspended_bps: u64 = suspended.iter().map(|flow| flow.bps).sum();
        let room_bps = (flowing_bps as f64 * of_flowing + suspended_bps as f64 * of_suspended) as u64;
        let returning = returning(&suspended, room_bps);
        for key in &returning {
            self.set_shed(now, *key, false);
        }
        if returning.len() == suspended.len() {
            self.is_shedding = false;
            tracing::info!("no video is suspended for overload any more");
        }
    }

    fn set_shed(&mut self, now: Instant, key: ConsumerKey, is_shed: bool) {
        if let Some(consumer) = self.consumers.get_mut(key) {
            consumer.is_shed = is_shed;
            let transport = consumer.transport;
            self.retarget(now, key);
            self.allocate_soon(now, transport);
        }
    }

    /// The videos that are suspended for overload, or those that are not: what can be spared first comes first.
    fn flows(&self, now: Instant, is_shed: bool) -> Vec<Flow> {
        let mut flows = Vec::new();
        let mut of_peer = Vec::new();
        for transport in self.transports.values() {
            let videos = transport.consumers.iter().filter_map(|key| Some((*key, self.consumers.get(*key)?)));
            of_peer.clear();
            // What its owner paused costs nothing; it is not to stay suspended for that.
            let is_wanted = |consumer: &Consumer| !consumer.paused || consumer.is_shed;
            of_peer.extend(videos.filter(|(_, consumer)| consumer.kind == MediaKind::Video && is_wanted(consumer)));
            of_peer.sort_by_key(|(_, consumer)| (consumer.is_shed, Reverse(consumer.priority)));
            for (place, &(key, consumer)) in of_peer.iter().enumerate() {
                if consumer.is_shed == is_shed {
                    let rank = (consumer.priority, Reverse(place), Reverse(key));
                    flows.push(Flow { consumer: key, rank, bps: self.flow_bps(now, key) });
                }
            }
        }
        flows.sort_unstable_by_key(|flow| flow.rank);
        flows
    }

    /// What a consumer is sent, or would be, of what comes at present.
    fn flow_bps(&self, now: Instant, key: ConsumerKey) -> u64 {
        let flow = || {
            let consumer = self.consumers.get(key)?;
            let producer = self.producers.get(consumer.producer)?;
            let layers = consumer.selector.preferred().min(consumer.allowed.flatten()?);
            // What has only begun is not measured yet, and counts as what it is expected to be.
            let is_live = (0..=layers.spatial).any(|spatial| producer.rates.is_live(now, spatial));
            let flows = is_live && producer.is_selected && !producer.paused && !consumer.paused;
            flows.then(|| producer.rates.cumulative_bps(now, layers).max(1))
        };
        flow().unwrap_or(0)
    }
}

/// Who of the suspended, sorted, comes back into so much room, and into what room there is for telling those whom nobody sends anything.
/// Of those who are sent something it is one at least, so that all come back in the end.
fn returning(suspended: &[Flow], room_bps: u64) -> Vec<ConsumerKey> {
    let (mut left_bps, mut idle_left) = (room_bps.max(1), IDLE_RETURNS_MAX);
    let fits = |flow: &&Flow| {
        let has_room = if flow.bps > 0 { left_bps > 0 } else { idle_left > 0 };
        if has_room {
            left_bps = left_bps.saturating_sub(flow.bps);
            idle_left -= usize::from(flow.bps == 0);
        }
        has_room
    };
    suspended.iter().rev().filter(fits).map(|flow| flow.consumer).collect()
}

#[cfg(test)]
mod tests {
    use slotmap::SlotMap;

    use super::*;

    /// Harm prevented: thousands are told in one moment of what costs nothing, and what flows is late for that.
    #[test]
    fn the_most_important_come_back_as_far_as_there_is_room_and_the_idle_a_few_at_a_time() {
        let idle = IDLE_RETURNS_MAX;
        // Rates, the least important first; the room; how many of those that flow come back, and of the idle.
        for (bps, room_bps, flowing, resting) in [
            (vec![], 1_000, 0, 0),
            (vec![500, 500, 500], 0, 1, 0),
            (vec![500, 500, 500], 600, 2, 0),
            (vec![500, 500, 500], 5_000, 3, 0),
            (vec![0, 500, 0, 500, 0], 500, 1, 3),
            ([vec![500, 500], vec![0; 3 * idle], vec![500]].concat(), 1_500, 3, idle),
        ] {
            let mut keys = SlotMap::<ConsumerKey, ()>::with_key();
            let flow = |bps| {
                let consumer = keys.insert(());
                Flow { consumer, rank: (1, Reverse(0), Reverse(consumer)), bps }
            };
            let suspended: Vec<Flow> = bps.iter().copied().map(flow).collect();
            let returned = returning(&suspended, room_bps);
            let is_idle = |key: &&ConsumerKey| suspended.iter().any(|flow| flow.consumer == **key && flow.bps == 0);
            let rested = returned.iter().filter(is_idle).count();
            assert_eq!((returned.len() - rested, rested), (flowing, resting), "{room_bps} bit/s for {bps:?}");
            let last = suspended.iter().rev().find(|flow| flow.bps > 0).map(|flow| flow.consumer);
            assert!(last.is_none_or(|key| returned.contains(&key)), "the most important is among them");
        }
    }
}
